/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The one instance of the plugin in a broker, as the broker's thread sees it. */
#ifndef SLUICE_PLUGIN_PLUGIN_H
#define SLUICE_PLUGIN_PLUGIN_H

#include "askers.h"
#include "broker_compat.h"
#include "clock.h"
#include "durable.h"
#include "log.h"
#include "metrics.h"
#include "options.h"
#include "ring.h"
#include "route.h"
#include "ruleset.h"
#include "schedules.h"
#include "subscribers.h"
#include "sys.h"
#include "tap.h"
#include "threads.h"

struct store_thread;

struct plugin {
	struct options options;
	struct broker_compat compat;
	struct log log;
	struct metrics metrics;
	struct ring to_store;
	struct ring to_broker;
	struct store_thread *store;
	struct ruleset ruleset;
	struct router router;
	struct askers askers;
	struct taps taps;
	struct sys sys;
	struct durable durable;
	struct subscribers subscribers;
	struct fires fires;
	size_t will_buses;       /* buses in force that take wills in */
	bool started;            /* all that was in force at the broker's start is */
	struct garbage *garbage; /* not yet given back */
	size_t request_count;    /* requests that are not answered yet */
	size_t request_bytes;
	int64_t start_ms;
	int64_t last_tick_ms; /* monotonic; 0 = there was none */
	bool warned_of_no_tick;
	struct answer_message **answers; /* to be published at the next tick; see drain.c */
	size_t answer_count, answer_capacity;
	struct message **kept; /* see drain_keep */
	size_t kept_count;
};

/* To be given back to the store's thread, which frees it. */
void plugin_give_back(struct plugin *plugin, struct garbage *garbage);

#endif
