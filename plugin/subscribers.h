/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Who subscribes to deliveries of queues, as Mosquitto 2.1 tells it (2.0 tells nothing). A session that
 * outlives its connection keeps its subscriptions: they count again when the client comes back. One that
 * outlives the broker has to subscribe anew.
 */
#ifndef SLUICE_PLUGIN_SUBSCRIBERS_H
#define SLUICE_PLUGIN_SUBSCRIBERS_H

#include <stdbool.h>

#include "sluice/types.h"

struct mosquitto;
struct plugin;
struct subscriber;

enum { SUBSCRIBER_BUCKETS = 1024, SUBSCRIBERS_MAX = 100000 };

/* Zeroed memory is empty. */
struct subscribers {
	struct subscriber *buckets[SUBSCRIBER_BUCKETS]; /* by client id */
	size_t count;
};

void subscribers_finish(struct subscribers *subscribers);

void subscribers_subscribe(struct plugin *plugin, const struct mosquitto *client,
                           const char *filter);
void subscribers_unsubscribe(struct plugin *plugin, const struct mosquitto *client,
                             const char *filter);
/* `clean`: it has no subscriptions from before. */
void subscribers_connected(struct plugin *plugin, const struct mosquitto *client, bool clean);
void subscribers_disconnected(struct plugin *plugin, const struct mosquitto *client);

/* Subscriptions of clients that are there to a queue's deliveries. */
size_t subscribers_of(const struct subscribers *subscribers, struct sluice_str queue);

#endif
