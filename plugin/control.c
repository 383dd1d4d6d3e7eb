/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "control.h"

#include <stdio.h>
#include <stdlib.h>

#include "plugin.h"
#include "store_thread.h"

/* An answer that needs no work. `json` is the members of the one response. */
static void answer_now(const struct mosquitto *client, bool view, const char *members)
{
	char payload[512];
	int len = snprintf(payload, sizeof payload, "{\"responses\":[{%s}]}", members);
	mosquitto_broker_publish_copy(mosquitto_client_id(client),
	                              view ? CONTROL_VIEW_TOPIC "/response"
	                                   : CONTROL_TOPIC "/response",
	                              len, payload, 0, false, NULL);
}

static void refuse(struct plugin *plugin, const struct mosquitto_evt_control *message, bool view)
{
	const char *client_id = mosquitto_client_id(message->client);
	const char *username = mosquitto_client_username(message->client);
	const char *address = mosquitto_client_address(message->client);
	counter_add(&plugin->metrics.refused, 1);
	log_limited(&plugin->log, LOG_GATE, clock_monotonic_ms(), MOSQ_LOG_WARNING,
	            "client %.100s (username %.100s, address %.100s) may not use %s: "
	            "plugin_opt_control_access",
	            client_id ? client_id : "-", username ? username : "-", address ? address : "-",
	            message->topic);
	answer_now(message->client, view,
	           "\"error\":\"not allowed by plugin_opt_control_access; see also "
	           "plugin_opt_control_users\",\"code\":\"refused\"");
}

void control_take(struct plugin *plugin, const struct mosquitto_evt_control *message)
{
	bool view = strcmp(message->topic, CONTROL_VIEW_TOPIC) == 0;
	struct gate_client client = broker_compat_gate_client(&plugin->compat, message->client);
	if (!gate_admits(&plugin->options, &client)) {
		refuse(plugin, message, view);
		return;
	}
	if (message->payloadlen > CONTROL_REQUEST_MAX) {
		answer_now(message->client, view,
		           "\"error\":\"a message of commands may have 16 MiB; import in parts\","
		           "\"code\":\"limit\"");
		return;
	}
	struct asker *asker = askers_of(plugin, message->client);
	struct request_message *request = NULL;
	if (asker && plugin->request_bytes + message->payloadlen <= CONTROL_QUEUED_MAX)
		request = malloc(sizeof *request + message->payloadlen);
	if (request) {
		*request = (struct request_message){ .message = { MESSAGE_REQUEST },
			                             .asker = asker,
			                             .view = view,
			                             .len = message->payloadlen };
		if (message->payloadlen > 0)
			memcpy(request->payload, message->payload, message->payloadlen);
	}
	if (!request || !store_thread_send(plugin, &request->message)) {
		free(request);
		answer_now(message->client, view,
		           "\"error\":\"too many commands are waiting\",\"code\":\"busy\"");
		return;
	}
	plugin->request_count++;
	plugin->request_bytes += message->payloadlen;
}
