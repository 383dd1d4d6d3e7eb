/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Taps, on the broker's thread: each is a matcher of one pattern, asked for every event of its bus.
 * What it matches is copied to the store's thread, which makes the message; a tap's rate and what
 * the rings can hold bound that, and what is left out is counted. While nobody taps, nothing is
 * done.
 */
#ifndef SLUICE_PLUGIN_TAP_H
#define SLUICE_PLUGIN_TAP_H

#include <mosquitto_broker.h>

#include "properties.h"
#include "threads.h"

struct plugin;

enum { TAPS_MAX = 64, TAPS_MAX_PER_ASKER = 8 };

struct taps {
	struct tap *first;
	size_t count;
};

/* Takes the tap; gives it back at once when whoever asked for it is gone. */
void taps_start(struct plugin *plugin, struct tap *tap);
void taps_stop(struct plugin *plugin, uint64_t id);
/* All taps of an asker. */
void taps_end_of(struct plugin *plugin, uint64_t asker);
/* Those whose lease ran out. */
void taps_expire(struct plugin *plugin, int64_t now_ms);
void taps_finish(struct plugin *plugin);

/* Shows the event, as it is on this bus, to the taps there. */
void taps_event(struct plugin *plugin, const struct bus_record *bus, const mosquitto_property *list,
                struct event_properties *properties, struct sluice_event *event);

#endif
