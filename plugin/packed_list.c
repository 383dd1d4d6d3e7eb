/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "packed_list.h"

#include <stdlib.h>

#include <mqtt_protocol.h>

#include "properties_pack.h"

bool packed_list_add(mosquitto_property **list, const char *name, struct sluice_str value)
{
	char small[256];
	if (!value.data)
		return true;
	char *text = value.len < sizeof small ? small : malloc(value.len + 1);
	if (!text)
		return false;
	memcpy(text, value.data, value.len);
	text[value.len] = '\0';
	int result = mosquitto_property_add_string_pair(list, MQTT_PROP_USER_PROPERTY, name, text);
	if (text != small)
		free(text);
	return result == MOSQ_ERR_SUCCESS;
}

static bool add_packed(mosquitto_property **list, const struct packed_property *property)
{
	int result = MOSQ_ERR_SUCCESS;
	switch (property->id) {
	case PACKED_PAYLOAD_FORMAT:
		if (property->value.len == 1)
			result = mosquitto_property_add_byte(list,
			                                     MQTT_PROP_PAYLOAD_FORMAT_INDICATOR,
			                                     (uint8_t)property->value.data[0]);
		break;
	case PACKED_EXPIRY:
		result = mosquitto_property_add_int32(list, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL,
		                                      properties_unpack_expiry(property->value));
		break;
	case PACKED_CONTENT_TYPE:
	case PACKED_RESPONSE_TOPIC:
		result = mosquitto_property_add_string(list, (int)property->id,
		                                       property->value.data);
		break;
	case PACKED_CORRELATION_DATA:
		result = mosquitto_property_add_binary(list, MQTT_PROP_CORRELATION_DATA,
		                                       property->value.data,
		                                       (uint16_t)property->value.len);
		break;
	case PACKED_USER_PROPERTY:
		result = mosquitto_property_add_string_pair(
		        list, MQTT_PROP_USER_PROPERTY, property->name.data, property->value.data);
		break;
	}
	return result == MOSQ_ERR_SUCCESS;
}

bool packed_list_make(struct sluice_str packed, mosquitto_property **list)
{
	struct packed_property property;
	bool done = true;
	while (done && properties_unpack(&packed, &property))
		done = add_packed(list, &property);
	return done;
}
