/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Rules with a schedule. The store's thread knows when each is due, and tells the broker's, which runs
 * it: makes its event, gives it to the targets, and notes in the journal for which time that was, all
 * in one frame. So a restart knows what was missed, and nothing runs twice for one time.
 */
#ifndef SLUICE_PLUGIN_SCHEDULES_H
#define SLUICE_PLUGIN_SCHEDULES_H

#include <stdbool.h>

#include "threads.h"

struct plugin;
struct store_thread;

/* --- the store's thread --- */

struct scheduled {
	struct rule_entry *entry;
	int64_t next_ms; /* when it is due: wall clock; 0 = to be found out */
	bool since_start; /* it was in force when the broker started: what was missed before counts */
};

/* Zeroed memory is empty. */
struct schedules {
	struct scheduled *items;
	size_t count, capacity;
};

void schedules_finish(struct schedules *schedules);

/* A rule is about to change; `now` or `old` may be NULL. Before the broker's thread hears of it. */
void schedules_change(struct store_thread *thread, const struct rule_entry *old,
                      struct rule_entry *now);

/* Sends what is due. Returns in how many ms to call again, at most `most_ms`. */
int64_t schedules_run(struct store_thread *thread, int64_t most_ms);

/* --- the broker's thread --- */

/* What could not be run yet, since the journal is not open, or full. */
struct fires {
	struct fire_message *first;
};

/* Runs it, now or as soon as that can be noted. Takes the message. */
void fires_take(struct plugin *plugin, struct fire_message *fire);
/* Tries those again that wait. */
void fires_tick(struct plugin *plugin);
/* The rule's version is no more. */
void fires_forget(struct plugin *plugin, const struct rule_entry *entry);
void fires_finish(struct plugin *plugin);

#endif
