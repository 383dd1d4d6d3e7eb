/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "properties.h"

#include <stdlib.h>

#include <mqtt_protocol.h>

/* --- of a publish --- */

/* The first of its kind, as the standard allows no other. */
static bool read_string(const struct property_reader *reader, const mosquitto_property *at,
                        int identifier, char **owned, struct sluice_str *out)
{
	if (out->data)
		return true;
	if (property_reader_borrows(reader)) {
		const char *text = reader->string_value(at);
		*out = sluice_str(text ? text : "");
		return true;
	}
	if (!reader->string(at, identifier, owned, false))
		return false; /* it is there, so only memory can be missing */
	*out = sluice_str(*owned ? *owned : "");
	return true;
}

static bool read_correlation_data(const struct property_reader *reader,
                                  const mosquitto_property *at, void **owned,
                                  struct sluice_str *out)
{
	if (out->data)
		return true;
	if (property_reader_borrows(reader)) {
		const char *data = reader->binary_value(at);
		*out = (struct sluice_str){ data ? data : "", reader->binary_length(at) };
		return true;
	}
	uint16_t len = 0;
	if (!reader->binary(at, MQTT_PROP_CORRELATION_DATA, owned, &len, false))
		return false;
	*out = (struct sluice_str){ *owned ? *owned : "", len };
	return true;
}

static bool read_user(const struct property_reader *reader, const mosquitto_property *at,
                      struct event_properties *properties)
{
	if (properties->user_count == properties->user_capacity) {
		size_t capacity = properties->user_capacity ? properties->user_capacity * 2 : 16;
		struct sluice_property *user = realloc(properties->user, capacity * sizeof *user);
		if (!user)
			return false;
		properties->user = user;
		properties->user_capacity = capacity;
	}
	const char *name, *value;
	properties->user_owned = !property_reader_borrows(reader);
	if (properties->user_owned) {
		char *own_name = NULL, *own_value = NULL;
		if (!reader->string_pair(at, MQTT_PROP_USER_PROPERTY, &own_name, &own_value, false))
			return false;
		name = own_name;
		value = own_value;
	} else {
		name = reader->string_name(at);
		value = reader->string_value(at);
	}
	properties->user[properties->user_count++] =
	        (struct sluice_property){ sluice_str(name ? name : ""),
		                          sluice_str(value ? value : "") };
	return true;
}

static unsigned kind_of(int identifier)
{
	switch (identifier) {
	case MQTT_PROP_CONTENT_TYPE:
		return SLUICE_META_CONTENT_TYPE;
	case MQTT_PROP_RESPONSE_TOPIC:
		return SLUICE_META_RESPONSE_TOPIC;
	case MQTT_PROP_CORRELATION_DATA:
		return SLUICE_META_CORRELATION_DATA;
	case MQTT_PROP_PAYLOAD_FORMAT_INDICATOR:
		return SLUICE_META_PAYLOAD_FORMAT;
	case MQTT_PROP_USER_PROPERTY:
		return SLUICE_META_USER_PROPERTIES;
	default:
		return 0; /* nothing else belongs to the message */
	}
}

static bool read_one(const struct property_reader *reader, const mosquitto_property *at,
                     unsigned kind, struct event_properties *properties, struct sluice_event *event)
{
	uint8_t format = 0;
	switch (kind) {
	case SLUICE_META_CONTENT_TYPE:
		return read_string(reader, at, MQTT_PROP_CONTENT_TYPE, &properties->content_type,
		                   &event->content_type);
	case SLUICE_META_RESPONSE_TOPIC:
		return read_string(reader, at, MQTT_PROP_RESPONSE_TOPIC,
		                   &properties->response_topic, &event->response_topic);
	case SLUICE_META_CORRELATION_DATA:
		return read_correlation_data(reader, at, &properties->correlation_data,
		                             &event->correlation_data);
	case SLUICE_META_PAYLOAD_FORMAT:
		if (reader->byte(at, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR, &format, false))
			event->payload_format = (int8_t)format;
		return true;
	default:
		return read_user(reader, at, properties);
	}
}

bool event_properties_read(struct event_properties *properties, const struct broker_compat *compat,
                           const mosquitto_property *list, unsigned wanted,
                           struct sluice_event *event)
{
	const struct property_reader *reader = &compat->reader;
	wanted &= EVENT_PROPERTIES & ~properties->read;
	if (!list || !wanted || !compat->reads_properties)
		return true;
	properties->read |= wanted;
	for (; list; list = reader->next(list)) {
		unsigned kind = kind_of(reader->identifier(list)) & wanted;
		if (kind && !read_one(reader, list, kind, properties, event))
			return false;
	}
	event->user_properties = properties->user;
	event->user_property_count = properties->user_count;
	return true;
}

void event_properties_reset(struct event_properties *properties)
{
	if (!properties->read)
		return;
	/* libmosquitto's readers give memory of malloc(). */
	free(properties->content_type);
	free(properties->response_topic);
	free(properties->correlation_data);
	for (size_t i = 0; properties->user_owned && i < properties->user_count; i++) {
		free((char *)(uintptr_t)properties->user[i].name.data);
		free((char *)(uintptr_t)properties->user[i].value.data);
	}
	properties->content_type = NULL;
	properties->response_topic = NULL;
	properties->correlation_data = NULL;
	properties->user_count = 0;
	properties->read = 0;
}

void event_properties_finish(struct event_properties *properties)
{
	event_properties_reset(properties);
	free(properties->user);
	*properties = (struct event_properties){ 0 };
}

/* --- of a delivery --- */

bool delivery_properties_copied(const struct sluice_target *target,
                                const struct broker_compat *compat)
{
	/* 2.0's own copy ends the broker where a string is empty (strdup of NULL). */
	return !target->transform && !target->properties && compat->reader.copy_all &&
	       property_reader_borrows(&compat->reader);
}

static bool add_string(mosquitto_property **list, int identifier, struct sluice_str text)
{
	/* As read from the publish, so that a NUL stands behind it. */
	return !text.data ||
	       mosquitto_property_add_string(list, identifier, text.data) == MOSQ_ERR_SUCCESS;
}

/* With `ours`, no property whose name begins as our own do, so that what we add can't have been
 * forged by the producer. */
static bool add_user(mosquitto_property **list, const struct sluice_event *event, bool ours)
{
	for (size_t i = 0; i < event->user_property_count; i++) {
		const struct sluice_property *user = &event->user_properties[i];
		if (ours && strncmp(user->name.data, "sluice-", 7) == 0)
			continue;
		if (mosquitto_property_add_string_pair(list, MQTT_PROP_USER_PROPERTY,
		                                       user->name.data,
		                                       user->value.data) != MOSQ_ERR_SUCCESS)
			return false;
	}
	return true;
}

static bool carry_over(const struct delivery_properties *delivery,
                       const struct broker_compat *compat, mosquitto_property **list)
{
	const struct sluice_event *event = delivery->event;
	const struct sluice_target *target = delivery->target;
	bool replay = delivery->replay.data != NULL;
	if (!delivery->list && !replay)
		return true;
	if (!replay && delivery_properties_copied(target, compat))
		return compat->reader.copy_all(list, delivery->list) == MOSQ_ERR_SUCCESS;
	if (event->payload_format >= 0 &&
	    mosquitto_property_add_byte(list, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR,
	                                (uint8_t)event->payload_format) != MOSQ_ERR_SUCCESS)
		return false;
	/* A transformed payload is of another content type: the target's, or none. */
	if (!target->transform && !add_string(list, MQTT_PROP_CONTENT_TYPE, event->content_type))
		return false;
	if (!add_string(list, MQTT_PROP_RESPONSE_TOPIC, event->response_topic))
		return false;
	if (event->correlation_data.data &&
	    mosquitto_property_add_binary(
	            list, MQTT_PROP_CORRELATION_DATA, event->correlation_data.data,
	            (uint16_t)event->correlation_data.len) != MOSQ_ERR_SUCCESS)
		return false;
	return add_user(list, event, replay || target->properties != 0);
}

static bool add_text(mosquitto_property **list, int identifier, const char *name,
                     struct sluice_str value)
{
	char small[256];
	char *text = value.len < sizeof small ? small : malloc(value.len + 1);
	if (!text)
		return false;
	memcpy(text, value.data, value.len);
	text[value.len] = '\0';
	int result = name ? mosquitto_property_add_string_pair(list, identifier, name, text)
	                  : mosquitto_property_add_string(list, identifier, text);
	if (text != small)
		free(text);
	return result == MOSQ_ERR_SUCCESS;
}

static bool add_time(mosquitto_property **list, int64_t time_ms)
{
	char text[SLUICE_TIME_SIZE];
	return add_text(list, MQTT_PROP_USER_PROPERTY, "sluice-time",
	                sluice_str(sluice_time_format(time_ms, text)));
}

bool delivery_properties_make(const struct delivery_properties *delivery,
                              const struct broker_compat *compat, mosquitto_property **list)
{
	const struct sluice_target *target = delivery->target;
	*list = NULL;
	bool done = carry_over(delivery, compat, list);
	if (done && target->transform && target->content_type.data)
		done = add_text(list, MQTT_PROP_CONTENT_TYPE, NULL, target->content_type);
	const bool replay = delivery->replay.data != NULL;
	if (done && replay)
		done = add_text(list, MQTT_PROP_USER_PROPERTY, "sluice-replay", delivery->replay);
	if (done && (target->properties & SLUICE_ADD_RULE))
		done = add_text(list, MQTT_PROP_USER_PROPERTY, "sluice-rule", delivery->rule);
	if (done && (target->properties & SLUICE_ADD_TOPIC))
		done = add_text(list, MQTT_PROP_USER_PROPERTY, "sluice-topic", delivery->topic);
	if (done && (replay || target->properties & SLUICE_ADD_ID))
		done = add_text(list, MQTT_PROP_USER_PROPERTY, "sluice-id",
		                sluice_str(delivery->id));
	if (done && (replay || target->properties & SLUICE_ADD_TIME))
		done = add_time(list, delivery->time_ms);
	if (done && target->expiry_s > 0)
		done = mosquitto_property_add_int32(list, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL,
		                                    target->expiry_s) == MOSQ_ERR_SUCCESS;
	if (!done)
		mosquitto_property_free_all(list);
	return done;
}
