/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "broker_compat.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <mqtt_protocol.h>

/* POSIX says that a symbol's address may be read as a function's; ISO C has no cast for it. False
 * when there is none, and *function is NULL. */
static bool symbol(void *library, const char *name, void *function)
{
	void *address = dlsym(library, name);
	memcpy(function, &address, sizeof address);
	return address != NULL;
}

typedef int (*set_info_function)(mosquitto_plugin_id_t *, const char *, const char *);

static set_info_function set_info(void)
{
	set_info_function function;
	symbol(RTLD_DEFAULT, "mosquitto_plugin_set_info", &function);
	return function;
}

static bool find_reader(void *library, struct property_reader *reader)
{
	return symbol(library, "mosquitto_property_identifier", &reader->identifier) &&
	       symbol(library, "mosquitto_property_next", &reader->next) &&
	       symbol(library, "mosquitto_property_read_byte", &reader->byte) &&
	       symbol(library, "mosquitto_property_read_binary", &reader->binary) &&
	       symbol(library, "mosquitto_property_read_string", &reader->string) &&
	       symbol(library, "mosquitto_property_read_string_pair", &reader->string_pair);
}

/* Whether it understands what the broker makes: a library of another version might not. */
static bool reader_works(const struct property_reader *reader)
{
	mosquitto_property *list = NULL;
	char *name = NULL, *value = NULL;
	uint8_t byte = 0;
	bool works = false;
	if (mosquitto_property_add_byte(&list, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR, 1) ==
	            MOSQ_ERR_SUCCESS &&
	    mosquitto_property_add_string_pair(&list, MQTT_PROP_USER_PROPERTY, "name", "value") ==
	            MOSQ_ERR_SUCCESS) {
		const mosquitto_property *second = reader->next(list);
		works = reader->identifier(list) == MQTT_PROP_PAYLOAD_FORMAT_INDICATOR && second &&
		        reader->identifier(second) == MQTT_PROP_USER_PROPERTY &&
		        !reader->next(second) &&
		        reader->byte(list, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR, &byte, false) &&
		        byte == 1 &&
		        reader->string_pair(second, MQTT_PROP_USER_PROPERTY, &name, &value,
		                            false) &&
		        strcmp(name, "name") == 0 && strcmp(value, "value") == 0;
	}
	free(name);
	free(value);
	mosquitto_property_free_all(&list);
	return works;
}

void broker_compat_init(struct broker_compat *compat)
{
	*compat = (struct broker_compat){ .is_2_1 = set_info() != NULL }; /* 2.1 brought it */
	symbol(RTLD_DEFAULT, "X509_free", &compat->x509_free);
	bool found = find_reader(RTLD_DEFAULT, &compat->reader);
	if (found) {
		struct property_reader *reader = &compat->reader;
		symbol(RTLD_DEFAULT, "mosquitto_property_string_name", &reader->string_name);
		symbol(RTLD_DEFAULT, "mosquitto_property_string_value", &reader->string_value);
		symbol(RTLD_DEFAULT, "mosquitto_property_binary_value", &reader->binary_value);
		symbol(RTLD_DEFAULT, "mosquitto_property_binary_value_length",
		       &reader->binary_length);
		symbol(RTLD_DEFAULT, "mosquitto_property_copy_all", &reader->copy_all);
	} else {
		compat->libmosquitto = dlopen("libmosquitto.so.1", RTLD_NOW | RTLD_LOCAL);
		found = compat->libmosquitto && find_reader(compat->libmosquitto, &compat->reader);
	}
	compat->reads_properties = found && reader_works(&compat->reader);
}

void broker_compat_finish(struct broker_compat *compat)
{
	if (compat->libmosquitto)
		dlclose(compat->libmosquitto);
}

const char *broker_compat_version(const struct broker_compat *compat)
{
	return compat->is_2_1 ? "2.1" : "2.0";
}

void broker_compat_introduce(mosquitto_plugin_id_t *identifier)
{
	set_info_function function = set_info();
	if (function)
		function(identifier, "sluice", SLUICE_VERSION);
}

void broker_compat_next_tick(struct mosquitto_evt_tick *tick, long ms)
{
	tick->next_ns = ms; /* 2.1 has the same field by its right name, next_ms */
}

void broker_compat_hide_topic(struct mosquitto_evt_message *message)
{
	static const char hidden[] = "$\001";
	if (strlen(message->topic) >= sizeof hidden - 1) {
		memcpy(message->topic, hidden, sizeof hidden);
		return;
	}
	/* A topic of one character has no room. 2.0.11 forgets the old one, these few bytes. */
	char *topic = mosquitto_strdup(hidden);
	if (topic)
		message->topic = topic;
}

struct gate_client broker_compat_gate_client(const struct broker_compat *compat,
                                             const struct mosquitto *client)
{
	struct gate_client gate = {
		.address = mosquitto_client_address(client),
		.username = mosquitto_client_username(client),
		.websockets = mosquitto_client_protocol(client) == mp_websockets,
	};
	/* The broker asks for certificates only where it verifies them (require_certificate). */
	void *certificate = compat->x509_free ? mosquitto_client_certificate(client) : NULL;
	if (certificate) {
		gate.certificate = true;
		compat->x509_free(certificate);
	}
	return gate;
}
