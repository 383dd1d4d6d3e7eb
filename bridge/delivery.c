/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* A message of a queue becomes a delivery: one block of memory that all its texts point into. */
#include "delivery.h"

#include <stdlib.h>
#include <string.h>

#include <mqtt_protocol.h>

#include "link.h"
#include "sluice/time.h"

enum { DEFAULT_LEASE_MS = 30000 };

/* What a queue adds to an event: docs/queues.md, "A delivery". */
struct told {
	struct sluice_str id, attempt, rule, topic, time;
};

struct reader {
	struct delivery *delivery; /* NULL while bytes are counted */
	char *at;
	size_t size;
	size_t user_properties;
	struct told told;
};

/* Counts it, or copies it behind what is there. */
static struct sluice_str keep(struct reader *reader, const void *data, size_t len)
{
	reader->size += len;
	if (!reader->delivery)
		return (struct sluice_str){ NULL, 0 };
	if (len > 0)
		memcpy(reader->at, data, len);
	struct sluice_str kept = { reader->at, len };
	reader->at += len;
	return kept;
}

static bool is(const char *name, const char *what)
{
	return strcmp(name, what) == 0;
}

static void read_user_property(struct reader *reader, const mosquitto_property *property)
{
	char *name = NULL, *value = NULL;
	if (!mosquitto_property_read_string_pair(property, MQTT_PROP_USER_PROPERTY, &name, &value,
	                                         false))
		return;
	struct sluice_str kept_name = keep(reader, name, strlen(name));
	struct sluice_str kept = keep(reader, value, strlen(value));
	struct told *told = &reader->told;
	struct sluice_str *own = is(name, "sluice-id")        ? &told->id
	                         : is(name, "sluice-attempt") ? &told->attempt
	                         : is(name, "sluice-rule")    ? &told->rule
	                         : is(name, "sluice-topic")   ? &told->topic
	                         : is(name, "sluice-time")    ? &told->time
	                                                      : NULL;
	/* The queue's come last: an event's own of that name is not the one that counts. */
	if (own)
		*own = kept;
	if (reader->delivery) {
		struct sluice_event *event = &reader->delivery->event;
		((struct sluice_property *)(void *)
		         reader->delivery->bytes)[event->user_property_count++] =
		        (struct sluice_property){ kept_name, kept };
	}
	reader->user_properties++;
	free(name);
	free(value);
}

static void read_text(struct reader *reader, const mosquitto_property *property, int id,
                      struct sluice_str *into)
{
	char *text = NULL;
	if (!mosquitto_property_read_string(property, id, &text, false))
		return;
	*into = keep(reader, text, strlen(text));
	free(text);
}

static void read_property(struct reader *reader, const mosquitto_property *property,
                          struct sluice_event *event, uint32_t *expiry_s)
{
	void *data = NULL;
	uint16_t len;
	uint8_t format;
	switch (mosquitto_property_identifier(property)) {
	case MQTT_PROP_USER_PROPERTY:
		read_user_property(reader, property);
		break;
	case MQTT_PROP_CONTENT_TYPE:
		read_text(reader, property, MQTT_PROP_CONTENT_TYPE, &event->content_type);
		break;
	case MQTT_PROP_RESPONSE_TOPIC:
		read_text(reader, property, MQTT_PROP_RESPONSE_TOPIC, &event->response_topic);
		break;
	case MQTT_PROP_CORRELATION_DATA:
		if (mosquitto_property_read_binary(property, MQTT_PROP_CORRELATION_DATA, &data,
		                                   &len, false)) {
			event->correlation_data = keep(reader, data, len);
			free(data);
		}
		break;
	case MQTT_PROP_PAYLOAD_FORMAT_INDICATOR:
		if (mosquitto_property_read_byte(property, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR,
		                                 &format, false))
			event->payload_format = (int8_t)format;
		break;
	case MQTT_PROP_MESSAGE_EXPIRY_INTERVAL:
		mosquitto_property_read_int32(property, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, expiry_s,
		                              false);
		break;
	default:
		break;
	}
}

static void read_all(struct reader *reader, const struct link_message *message,
                     struct sluice_event *event, uint32_t *expiry_s)
{
	for (const mosquitto_property *at = message->properties; at;
	     at = mosquitto_property_next(at))
		read_property(reader, at, event, expiry_s);
	event->payload = keep(reader, message->payload.data, message->payload.len);
}

static uint32_t number_of(struct sluice_str text)
{
	uint32_t number = 0;
	for (size_t i = 0; i < text.len && i < 9 && text.data[i] >= '0' && text.data[i] <= '9'; i++)
		number = number * 10 + (uint32_t)(text.data[i] - '0');
	return number > 0 ? number : 1;
}

struct delivery *delivery_create(struct target *target, const struct link_message *message,
                                 struct sluice_str receipt, int64_t now_ms)
{
	struct reader counting = { 0 };
	struct sluice_event ignored = SLUICE_EVENT_INIT;
	uint32_t expiry_s = 0;
	read_all(&counting, message, &ignored, &expiry_s);
	size_t properties = counting.user_properties * sizeof(struct sluice_property);
	struct delivery *delivery =
	        malloc(sizeof *delivery + properties + counting.size + receipt.len);
	if (!delivery)
		return NULL;
	memset(delivery, 0, sizeof *delivery);
	delivery->event = SLUICE_EVENT_INIT;
	struct reader reader = { .delivery = delivery, .at = delivery->bytes + properties };
	delivery->event.user_properties =
	        (const struct sluice_property *)(const void *)delivery->bytes;
	read_all(&reader, message, &delivery->event, &expiry_s);
	delivery->receipt = keep(&reader, receipt.data, receipt.len);
	delivery->target = target;
	delivery->event.topic = reader.told.topic;
	delivery->attempt = number_of(reader.told.attempt);
	delivery->lease_ms = expiry_s > 0 ? (int64_t)expiry_s * 1000 : DEFAULT_LEASE_MS;
	delivery->came_ms = now_ms;
	delivery->vars = (struct sluice_vars){ .event = &delivery->event,
		                               .rule = reader.told.rule,
		                               .id = reader.told.id };
	if (!sluice_time_read(reader.told.time, &delivery->vars.time_ms))
		delivery->vars.time_ms = 0;
	return delivery;
}

void delivery_destroy(struct delivery *delivery)
{
	free(delivery->payload);
	free(delivery);
}

struct sluice_str delivery_property(const struct delivery *delivery, const char *name)
{
	const struct sluice_event *event = &delivery->event;
	for (size_t i = event->user_property_count; i > 0; i--) {
		if (sluice_str_equal(event->user_properties[i - 1].name, sluice_str(name)))
			return event->user_properties[i - 1].value;
	}
	return (struct sluice_str){ NULL, 0 };
}

void delivery_replace_payload(struct delivery *delivery, char *payload, size_t len)
{
	free(delivery->payload);
	delivery->payload = payload;
	delivery->event.payload = (struct sluice_str){ payload, len };
}
