/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "properties.h"

#include <stdlib.h>

#include <mqtt_protocol.h>

/* --- of a publish --- */

static bool read_string(const struct property_reader *reader, const mosquitto_property *list,
                        int identifier, char **owned, struct sluice_str *out)
{
	const mosquitto_property *at = list;
	while (at && reader->identifier(at) != identifier)
		at = reader->next(at);
	if (!at)
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

static bool read_user(const struct property_reader *reader, struct event_properties *properties,
                      const mosquitto_property *list)
{
	properties->user_owned = !property_reader_borrows(reader);
	for (; list; list = reader->next(list)) {
		if (reader->identifier(list) != MQTT_PROP_USER_PROPERTY)
			continue;
		if (properties->user_count == properties->user_capacity) {
			size_t capacity =
			        properties->user_capacity ? properties->user_capacity * 2 : 16;
			struct sluice_property *user =
			        realloc(properties->user, capacity * sizeof *user);
			if (!user)
				return false;
			properties->user = user;
			properties->user_capacity = capacity;
		}
		const char *name, *value;
		if (properties->user_owned) {
			char *own_name = NULL, *own_value = NULL;
			if (!reader->string_pair(list, MQTT_PROP_USER_PROPERTY, &own_name,
			                         &own_value, false))
				return false;
			name = own_name;
			value = own_value;
		} else {
			name = reader->string_name(list);
			value = reader->string_value(list);
		}
		properties->user[properties->user_count++] =
		        (struct sluice_property){ sluice_str(name ? name : ""),
			                          sluice_str(value ? value : "") };
	}
	return true;
}

static struct sluice_str look_at_binary(const struct property_reader *reader,
                                        const mosquitto_property *list)
{
	while (list && reader->identifier(list) != MQTT_PROP_CORRELATION_DATA)
		list = reader->next(list);
	if (!list)
		return (struct sluice_str){ 0 };
	const char *data = reader->binary_value(list);
	return (struct sluice_str){ data ? data : "", reader->binary_length(list) };
}

bool event_properties_read(struct event_properties *properties, const struct broker_compat *compat,
                           const mosquitto_property *list, unsigned wanted,
                           struct sluice_event *event)
{
	const struct property_reader *reader = &compat->reader;
	wanted &= ~properties->read;
	if (!list || !wanted || !compat->reads_properties)
		return true;
	properties->read |= wanted;
	if ((wanted & SLUICE_META_CONTENT_TYPE) &&
	    !read_string(reader, list, MQTT_PROP_CONTENT_TYPE, &properties->content_type,
	                 &event->content_type))
		return false;
	if ((wanted & SLUICE_META_RESPONSE_TOPIC) &&
	    !read_string(reader, list, MQTT_PROP_RESPONSE_TOPIC, &properties->response_topic,
	                 &event->response_topic))
		return false;
	if (wanted & SLUICE_META_CORRELATION_DATA) {
		uint16_t len = 0;
		if (property_reader_borrows(reader))
			event->correlation_data = look_at_binary(reader, list);
		else if (reader->binary(list, MQTT_PROP_CORRELATION_DATA,
		                        &properties->correlation_data, &len, false))
			event->correlation_data = (struct sluice_str){
				properties->correlation_data ? properties->correlation_data : "",
				len
			};
	}
	if (wanted & SLUICE_META_PAYLOAD_FORMAT) {
		uint8_t format = 0;
		if (reader->byte(list, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR, &format, false))
			event->payload_format = (int8_t)format;
	}
	if (wanted & SLUICE_META_USER_PROPERTIES) {
		if (!read_user(reader, properties, list))
			return false;
		event->user_properties = properties->user;
		event->user_property_count = properties->user_count;
	}
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

/* Carries one property over to the end of the list; with `ours`, no user property whose name
 * begins as our own do, so that what we add can't have been forged by the producer. */
static bool copy_one(const struct property_reader *reader, const mosquitto_property *from,
                     bool ours, mosquitto_property **list)
{
	int identifier = reader->identifier(from);
	bool done = false;
	char *text = NULL, *value = NULL;
	void *data = NULL;
	uint16_t len = 0;
	uint8_t byte = 0;
	switch (identifier) {
	case MQTT_PROP_PAYLOAD_FORMAT_INDICATOR:
		done = reader->byte(from, identifier, &byte, false) &&
		       mosquitto_property_add_byte(list, identifier, byte) == MOSQ_ERR_SUCCESS;
		break;
	case MQTT_PROP_CONTENT_TYPE:
	case MQTT_PROP_RESPONSE_TOPIC:
		done = reader->string(from, identifier, &text, false) &&
		       mosquitto_property_add_string(list, identifier, text ? text : "") ==
		               MOSQ_ERR_SUCCESS;
		break;
	case MQTT_PROP_CORRELATION_DATA:
		done = reader->binary(from, identifier, &data, &len, false) &&
		       mosquitto_property_add_binary(list, identifier, data, len) ==
		               MOSQ_ERR_SUCCESS;
		break;
	case MQTT_PROP_USER_PROPERTY:
		done = reader->string_pair(from, identifier, &text, &value, false);
		if (done && !(ours && text && strncmp(text, "sluice-", 7) == 0))
			done = mosquitto_property_add_string_pair(
			               list, identifier, text ? text : "", value ? value : "") ==
			       MOSQ_ERR_SUCCESS;
		break;
	default:
		done = true; /* nothing else belongs to the message */
		break;
	}
	free(text);
	free(value);
	free(data);
	return done;
}

static bool carry_over(const struct delivery_properties *delivery,
                       const struct broker_compat *compat, mosquitto_property **list)
{
	const struct property_reader *reader = &compat->reader;
	const struct sluice_target *target = delivery->target;
	if (!delivery->list || !compat->reads_properties)
		return true;
	/* 2.0's own copy ends the broker where a string is empty (strdup of NULL). */
	if (!target->transform && !target->properties && reader->copy_all &&
	    property_reader_borrows(reader))
		return reader->copy_all(list, delivery->list) == MOSQ_ERR_SUCCESS;
	for (const mosquitto_property *at = delivery->list; at; at = reader->next(at)) {
		/* A transformed payload is of another content type: the target's, or none. */
		if (target->transform && reader->identifier(at) == MQTT_PROP_CONTENT_TYPE)
			continue;
		if (!copy_one(reader, at, target->properties != 0, list))
			return false;
	}
	return true;
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
	if (done && (target->properties & SLUICE_ADD_RULE))
		done = add_text(list, MQTT_PROP_USER_PROPERTY, "sluice-rule", delivery->rule);
	if (done && (target->properties & SLUICE_ADD_TOPIC))
		done = add_text(list, MQTT_PROP_USER_PROPERTY, "sluice-topic", delivery->topic);
	if (done && (target->properties & SLUICE_ADD_ID))
		done = add_text(list, MQTT_PROP_USER_PROPERTY, "sluice-id",
		                sluice_str(delivery->id));
	if (done && (target->properties & SLUICE_ADD_TIME))
		done = add_time(list, delivery->time_ms);
	if (done && target->expiry_s > 0)
		done = mosquitto_property_add_int32(list, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL,
		                                    target->expiry_s) == MOSQ_ERR_SUCCESS;
	if (!done)
		mosquitto_property_free_all(list);
	return done;
}
