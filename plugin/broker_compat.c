/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "broker_compat.h"

#include <dlfcn.h>
#include <string.h>

/* POSIX says that a symbol's address may be read as a function's; ISO C has no cast for it. */
static void symbol(const char *name, void *function, size_t size)
{
	void *address = dlsym(RTLD_DEFAULT, name);
	memcpy(function, &address, size);
}

typedef int (*set_info_function)(mosquitto_plugin_id_t *, const char *, const char *);

static set_info_function set_info(void)
{
	set_info_function function;
	symbol("mosquitto_plugin_set_info", &function, sizeof function);
	return function;
}

void broker_compat_init(struct broker_compat *compat)
{
	compat->is_2_1 = set_info() != NULL; /* 2.1 brought it */
	symbol("X509_free", &compat->x509_free, sizeof compat->x509_free);
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

void broker_compat_replace_topic(const struct broker_compat *compat,
                                 struct mosquitto_evt_message *message, char *topic)
{
	if (!compat->is_2_1)
		mosquitto_free(message->topic);
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
