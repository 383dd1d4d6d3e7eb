/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The connections that have used a control topic, on the broker's thread. An answer goes to the
 * connection that asked, never to another one that came later under the same client id.
 */
#ifndef SLUICE_PLUGIN_ASKERS_H
#define SLUICE_PLUGIN_ASKERS_H

#include "threads.h"

struct mosquitto;
struct plugin;

struct askers {
	struct asker *first;
	size_t count;
	uint64_t last_serial;
};

enum { ASKERS_MAX = 4096 };

/* The client's asker, made when it asks for the first time. NULL when there are too many, or no
 * memory. */
struct asker *askers_of(struct plugin *plugin, const struct mosquitto *client);

/* NULL when it is gone. */
struct asker *askers_find(const struct askers *askers, uint64_t serial);

/* At its DISCONNECT: cancels its answers and taps. A client that never asked, or never connected,
 * is no matter. */
void askers_disconnected(struct plugin *plugin, const struct mosquitto *client);

/* Gives all back. */
void askers_finish(struct plugin *plugin);

#endif
