/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What the files of a publish's way share: route.c (buses, rules), targets.c (what each target makes
 * of it), archive.c (which archives it enters), send.c (limits, the journal, the broker).
 */
#ifndef SLUICE_PLUGIN_ROUTE_INTERNAL_H
#define SLUICE_PLUGIN_ROUTE_INTERNAL_H

#include "plugin.h"

/* One publish on its way; dies with the callback. */
struct route {
	struct plugin *plugin;
	struct router *router;
	const struct mosquitto_evt_message *message;
	struct sluice_event event;
	int64_t time_ms;               /* since the epoch; 0 until a delivery tells it */
	int64_t seen_ms;               /* the same, coarse; 0 until something matched */
	char id[ROUTE_ID_SIZE];        /* "" until a delivery tells it */
	struct sluice_str properties;  /* packed, for queues; absent until they are wanted */
	struct rule_entry *at;         /* the rule whose targets are expanded */
	const struct replayed *replay; /* NULL = it is a publish of now */
	bool matched;
	bool over_limit;
	bool no_memory;
	bool refused; /* the journal has no room for what it must take */
};

/* When it came, and its id: made when they are first asked for, the same afterwards. */
int64_t route_time(struct route *route);
const char *route_id(struct route *route);

/* Of the replay that the event is of; absent = none. */
static inline struct sluice_str route_replay_name(const struct route *route)
{
	return route->replay ? route->replay->name : (struct sluice_str){ 0 };
}

/* Reads those of `wanted` (SLUICE_META_* bits) that were not read. */
void route_read_properties(struct route *route, unsigned wanted);

/* Adds a visit to a bus, unless the event was there. Takes `owned`. */
void route_visit(struct route *route, struct bus_record *bus, struct sluice_str payload,
                 char *owned);

/* --- targets.c --- */

/* What a matching rule's target makes of the event goes into the plan, the intake, or the visits. */
void target_apply(struct route *route, struct rule_entry *entry,
                  const struct sluice_target *target);

/* Counts and tells it, and puts the event among the rule's dead letters, if it has a queue for them.
 * `code` is a word for programs. */
void target_failed(struct route *route, struct rule_entry *entry,
                   const struct sluice_target *target, const char *code, const char *reason);

/* Puts the event, as it is, among the rule's dead letters, if it has a queue for them. */
void target_dead_letter(struct route *route, const struct sluice_rule *rule,
                        struct sluice_str target, const char *code, const char *reason);

/* The event's properties, packed, for queues and archives, as it is for a target (NULL = none) that may
 * transform it. Absent when out of memory. */
struct sluice_str target_properties(struct route *route, const struct sluice_target *target);

/* --- archive.c --- */

/* Puts the event into the archives of the buses that it visits. */
void archive_visits(struct route *route);

/* --- send.c --- */

/* Room in the journal is taken for all that was planned, then it is sent: all, or nothing. */
void send_all(struct route *route);

#endif
