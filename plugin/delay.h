/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Topic targets with a delay: the delivery, complete, is parked among the durable state as a message of
 * a queue that no person can name, and published when it is due.
 */
#ifndef SLUICE_PLUGIN_DELAY_H
#define SLUICE_PLUGIN_DELAY_H

#include <stdbool.h>

#include "sluice_store/record.h"

struct plugin;
struct route;
struct sluice_target;
struct sluice_vars;

#define DELAY_QUEUE "$delay"

/* What is to be published later. */
struct delayed {
	const struct sluice_target *target;
	const struct sluice_vars *vars; /* with id and time */
	struct sluice_str topic, payload;
	int64_t delay_ms;
};

/* Adds it to the event's intake. False when out of memory. */
bool delay_topic(struct route *route, const struct delayed *delayed);

/* Publishes what is due. False when it is to be tried again. */
bool delay_deliver(struct plugin *plugin, const struct sluice_record *record);

#endif
