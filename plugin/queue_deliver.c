/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Deliveries of queues become messages of the broker. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <mqtt_protocol.h>

#include "plugin.h"
#include "packed_list.h"
#include "queue/wire.h"
#include "sluice/base64.h"
#include "wills.h"

/* Why it is a dead letter: a property for each member of the error's object. */
static bool add_error(mosquitto_property **list, const struct sluice_record *record)
{
	struct sluice_json_doc *doc;
	if (!record->error.data)
		return true;
	if (sluice_json_parse(record->error, 0, 2, &doc, NULL) != SLUICE_OK)
		return true; /* it was made by us, so this is a damaged row: without it, then */
	bool done = true;
	const struct sluice_json *member = sluice_json_root(doc)->first;
	for (; done && member; member = member->next) {
		char name[64];
		snprintf(name, sizeof name, "sluice-error-%.*s", (int)member->key.len,
		         member->key.data);
		done = packed_list_add(list, name,
		                       member->string.data ? member->string : member->raw);
	}
	sluice_json_destroy(doc);
	return done;
}

/* What a delivery of one message carries. */
static bool make_properties(const struct sluice_record *record, mosquitto_property **list)
{
	char attempt[16], time[SLUICE_TIME_SIZE];
	bool done = packed_list_make(record->properties, list);
	/* An offer that nobody may have seen is no attempt yet; to whoever sees it, it is the first. */
	snprintf(attempt, sizeof attempt, "%" PRIu32, record->attempts ? record->attempts : 1);
	return done && packed_list_add(list, "sluice-id", record->event_id) &&
	       packed_list_add(list, "sluice-attempt", sluice_str(attempt)) &&
	       packed_list_add(list, "sluice-rule", record->rule) &&
	       packed_list_add(list, "sluice-topic", record->topic) &&
	       packed_list_add(list, "sluice-time",
	                       sluice_str(sluice_time_format(record->time_ms, time))) &&
	       add_error(list, record);
}

/* --- batches --- */

static bool is_json(struct sluice_str payload)
{
	struct sluice_json_doc *doc;
	if (sluice_json_parse(payload, 0, SIZE_MAX, &doc, NULL) != SLUICE_OK)
		return false;
	sluice_json_destroy(doc);
	return true;
}

static void append_member(struct sluice_buffer *out, const char *name, struct sluice_str value)
{
	if (!value.data)
		return;
	sluice_buffer_printf(out, ",\"%s\":", name);
	sluice_json_write_string(out, value);
}

static void append_base64(struct sluice_buffer *out, struct sluice_str payload)
{
	sluice_buffer_append_text(out, ",\"event_base64\":\"");
	sluice_buffer_append_base64(out, payload);
	sluice_buffer_append_text(out, "\"");
}

/* An event of a batch: its payload as it is when it is JSON, else as base64. */
static void append_event(struct sluice_buffer *out, const struct sluice_record *record)
{
	struct receipt receipt = { .id = record->id };
	char text[RECEIPT_TEXT_SIZE];
	memcpy(receipt.secret, record->receipt, sizeof receipt.secret);
	receipt_write(&receipt, text);
	sluice_buffer_printf(out, "{\"receipt\":\"%s\",\"attempt\":%" PRIu32, text,
	                     record->attempts ? record->attempts : 1);
	append_member(out, "id", record->event_id);
	append_member(out, "rule", record->rule);
	append_member(out, "topic", record->topic);
	if (is_json(record->payload)) {
		sluice_buffer_append_text(out, ",\"event\":");
		sluice_buffer_append_str(out, record->payload);
	} else {
		append_base64(out, record->payload);
	}
	sluice_buffer_append_text(out, "}");
}

/* The payload, mosquitto_malloc'd; NULL when out of memory. */
static void *make_payload(const struct queue_delivery *delivery, size_t *len)
{
	struct sluice_str source = delivery->messages[0]->record.payload;
	struct sluice_buffer array = { 0 };
	if (delivery->batch) {
		sluice_buffer_append_text(&array, "[");
		for (size_t i = 0; i < delivery->count; i++) {
			if (i > 0)
				sluice_buffer_append_text(&array, ",");
			append_event(&array, &delivery->messages[i]->record);
		}
		sluice_buffer_append_text(&array, "]");
		source = sluice_buffer_str(&array);
	}
	void *payload = array.failed ? NULL : mosquitto_malloc(source.len + 1);
	if (payload && source.len > 0)
		memcpy(payload, source.data, source.len);
	*len = source.len;
	sluice_buffer_finish(&array);
	return payload;
}

static bool add_batch_properties(mosquitto_property **list)
{
	return mosquitto_property_add_byte(list, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR, 1) ==
	               MOSQ_ERR_SUCCESS &&
	       mosquitto_property_add_string(list, MQTT_PROP_CONTENT_TYPE, "application/json") ==
	               MOSQ_ERR_SUCCESS;
}

bool queue_deliver(void *arg, const struct queue_delivery *delivery)
{
	char topic[sizeof QUEUE_TOPICS + SLUICE_NAME_MAX + sizeof "/out/" + RECEIPT_TEXT_SIZE];
	mosquitto_property *list = NULL;
	size_t len;
	snprintf(topic, sizeof topic, QUEUE_TOPICS "%s/out/%s", delivery->queue->name,
	         delivery->receipt);
	void *payload = make_payload(delivery, &len);
	uint32_t expiry_s = (uint32_t)((delivery->lease_ms + 999) / 1000);
	/* It is of no use once its lease has run out. */
	bool done = payload &&
	            mosquitto_property_add_int32(&list, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL,
	                                         expiry_s) == MOSQ_ERR_SUCCESS &&
	            (delivery->batch ? add_batch_properties(&list)
	                             : make_properties(&delivery->messages[0]->record, &list)) &&
	            wills_mark(arg, sluice_str(topic), &list) &&
	            mosquitto_broker_publish(delivery->client_id, topic, (int)len, payload, 1,
	                                     false, list) == MOSQ_ERR_SUCCESS;
	if (!done) {
		mosquitto_free(payload);
		mosquitto_property_free_all(&list);
	}
	return done;
}
