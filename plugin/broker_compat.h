/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The differences between the brokers that one binary, built on 2.0.11's headers, runs in:
 * Mosquitto 2.0.11 and later 2.0, and 2.1. Which one it is is found out at run time.
 */
#ifndef SLUICE_PLUGIN_BROKER_COMPAT_H
#define SLUICE_PLUGIN_BROKER_COMPAT_H

#include <stdbool.h>
#include <stdint.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#include "gate.h"

struct broker_compat {
	bool is_2_1;
	void (*x509_free)(void *); /* OpenSSL's, which the broker brings; NULL when it has none */
};

void broker_compat_init(struct broker_compat *compat);

/* "2.0" or "2.1" */
const char *broker_compat_version(const struct broker_compat *compat);

/* On 2.1, tells the broker the plugin's name and version, for its log. */
void broker_compat_introduce(mosquitto_plugin_id_t *identifier);

/* Asks for the next tick in so many ms: an idle 2.1 would else call in 10 s. To be set at each
 * tick. */
void broker_compat_next_tick(struct mosquitto_evt_tick *tick, long ms);

/*
 * Gives the message another topic (mosquitto_malloc'd) from within the MESSAGE callback. 2.1 frees
 * the old one, 2.0 forgets it.
 */
void broker_compat_replace_topic(const struct broker_compat *compat,
                                 struct mosquitto_evt_message *message, char *topic);

/* What the gate asks of a client. Its strings live as long as the client. */
struct gate_client broker_compat_gate_client(const struct broker_compat *compat,
                                             const struct mosquitto *client);

#endif
