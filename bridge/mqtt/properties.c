/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "properties.h"

#include <stdlib.h>

#include <mqtt_protocol.h>

#include "../via.h"

enum { TEXT_MAX = 65535 };

/* --- to a list --- */

/* A copy that ends in a NUL; NULL when out of memory, or where MQTT can't carry it. */
static char *text_of(struct sluice_str text, int *result)
{
	if (text.len > TEXT_MAX || memchr(text.data, '\0', text.len)) {
		*result = MOSQ_ERR_INVAL;
		return NULL;
	}
	char *copy = strndup(text.data, text.len);
	*result = copy ? MOSQ_ERR_SUCCESS : MOSQ_ERR_NOMEM;
	return copy;
}

static int add_text(mosquitto_property **list, int identifier, struct sluice_str text)
{
	int result;
	if (!text.data)
		return MOSQ_ERR_SUCCESS;
	char *copy = text_of(text, &result);
	if (copy)
		result = mosquitto_property_add_string(list, identifier, copy);
	free(copy);
	return result;
}

static int add_user(mosquitto_property **list, const struct sluice_property *property)
{
	int result;
	char *value = NULL, *name = text_of(property->name, &result);
	if (name)
		value = text_of(property->value.data ? property->value : SLUICE_STR(""), &result);
	if (value)
		result = mosquitto_property_add_string_pair(list, MQTT_PROP_USER_PROPERTY, name,
		                                            value);
	free(name);
	free(value);
	return result;
}

static int add_all(mosquitto_property **list, const struct sluice_event *event,
                   bool sluice_properties)
{
	int result = MOSQ_ERR_SUCCESS;
	if (event->payload_format == 1)
		result = mosquitto_property_add_byte(list, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR, 1);
	if (!result)
		result = add_text(list, MQTT_PROP_CONTENT_TYPE, event->content_type);
	if (!result)
		result = add_text(list, MQTT_PROP_RESPONSE_TOPIC, event->response_topic);
	if (!result && event->correlation_data.data) {
		if (event->correlation_data.len > TEXT_MAX)
			return MOSQ_ERR_INVAL;
		result = mosquitto_property_add_binary(list, MQTT_PROP_CORRELATION_DATA,
		                                       event->correlation_data.data,
		                                       (uint16_t)event->correlation_data.len);
	}
	for (size_t i = 0; i < event->user_property_count && !result; i++) {
		if (via_carried(event->user_properties[i].name, sluice_properties))
			result = add_user(list, &event->user_properties[i]);
	}
	return result;
}

enum sluice_status mqtt_properties_write(const struct sluice_event *event, bool sluice_properties,
                                         mosquitto_property **list, struct sluice_error *error)
{
	*list = NULL;
	int result = add_all(list, event, sluice_properties);
	if (result == MOSQ_ERR_SUCCESS)
		return SLUICE_OK;
	mosquitto_property_free_all(list);
	if (result == MOSQ_ERR_NOMEM)
		return sluice_out_of_memory(error);
	return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
	                        "a property that MQTT can't carry");
}

/* --- from a list --- */

static size_t count_users(const mosquitto_property *list)
{
	size_t count = 0;
	const mosquitto_property *property = mosquitto_property_read_string_pair(
	        list, MQTT_PROP_USER_PROPERTY, NULL, NULL, false);
	for (; property; count++)
		property = mosquitto_property_read_string_pair(property, MQTT_PROP_USER_PROPERTY,
		                                               NULL, NULL, true);
	return count;
}

static bool read_users(const mosquitto_property *list, struct sluice_str via,
                       struct mqtt_properties *properties)
{
	size_t count = count_users(list);
	properties->users = calloc(count + 1, sizeof *properties->users);
	if (!properties->users)
		return false;
	for (size_t i = 0; i < count; i++) {
		char *name = NULL, *value = NULL;
		list = mosquitto_property_read_string_pair(list, MQTT_PROP_USER_PROPERTY, &name,
		                                           &value, i > 0);
		properties->users[i].name = sluice_str(name);
		properties->users[i].value = sluice_str(value);
		properties->user_count = i + 1;
		if (!list || !name || !value)
			return false;
	}
	properties->users[count].name = SLUICE_STR(VIA_NAME);
	properties->users[count].value = via;
	return true;
}

static bool read_text(const mosquitto_property *list, int identifier, char **text)
{
	/* It leaves the text NULL where it is not found, and where there is no memory. */
	if (!mosquitto_property_read_string(list, identifier, NULL, false))
		return true;
	return mosquitto_property_read_string(list, identifier, text, false) && *text;
}

bool mqtt_properties_read(const mosquitto_property *list, struct sluice_str via,
                          struct mqtt_properties *properties, struct sluice_event *event)
{
	uint16_t len = 0;
	uint8_t format;
	*properties = (struct mqtt_properties){ 0 };
	if (!read_text(list, MQTT_PROP_CONTENT_TYPE, &properties->content_type) ||
	    !read_text(list, MQTT_PROP_RESPONSE_TOPIC, &properties->response_topic) ||
	    !read_users(list, via, properties)) {
		mqtt_properties_finish(properties);
		return false;
	}
	event->content_type = sluice_str(properties->content_type);
	event->response_topic = sluice_str(properties->response_topic);
	if (mosquitto_property_read_binary(list, MQTT_PROP_CORRELATION_DATA,
	                                   &properties->correlation_data, &len, false))
		event->correlation_data = sluice_str_of(properties->correlation_data, len);
	if (mosquitto_property_read_byte(list, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR, &format, false))
		event->payload_format = format == 1 ? 1 : 0;
	event->user_properties = properties->users;
	event->user_property_count = properties->user_count + 1;
	return true;
}

void mqtt_properties_finish(struct mqtt_properties *properties)
{
	free(properties->content_type);
	free(properties->response_topic);
	free(properties->correlation_data);
	for (size_t i = 0; i < properties->user_count; i++) {
		free((char *)properties->users[i].name.data);
		free((char *)properties->users[i].value.data);
	}
	free(properties->users);
	*properties = (struct mqtt_properties){ 0 };
}

/* --- what a broker says --- */

enum outcome mqtt_outcome(int reason)
{
	if (reason < MQTT_RC_UNSPECIFIED)
		return OUTCOME_DONE;
	switch (reason) {
	case MQTT_RC_UNSPECIFIED:
	case MQTT_RC_IMPLEMENTATION_SPECIFIC:
	case MQTT_RC_SERVER_UNAVAILABLE:
	case MQTT_RC_SERVER_BUSY:
	case MQTT_RC_PACKET_ID_IN_USE:
	case MQTT_RC_RECEIVE_MAXIMUM_EXCEEDED:
	case MQTT_RC_MESSAGE_RATE_TOO_HIGH:
	case MQTT_RC_QUOTA_EXCEEDED:
		return OUTCOME_RETRY;
	default:
		return OUTCOME_PERMANENT;
	}
}

enum outcome mqtt_outcome_of_result(int result)
{
	switch (result) {
	case MOSQ_ERR_INVAL:
	case MOSQ_ERR_MALFORMED_UTF8:
	case MOSQ_ERR_PAYLOAD_SIZE:
	case MOSQ_ERR_OVERSIZE_PACKET:
	case MOSQ_ERR_QOS_NOT_SUPPORTED:
	case MOSQ_ERR_RETAIN_NOT_SUPPORTED:
	case MOSQ_ERR_DUPLICATE_PROPERTY:
		return OUTCOME_PERMANENT;
	default:
		return OUTCOME_RETRY;
	}
}
