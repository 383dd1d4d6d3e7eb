/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "schedules.h"

#include <stdlib.h>

#include "plugin.h"
#include "sluice/schedule.h"
#include "store_thread.h"

enum { LATE_MS = 60000 }; /* what is later than this was missed: a clock was set, a machine slept */

/* --- the store's thread --- */

void schedules_finish(struct schedules *schedules)
{
	free(schedules->items);
	*schedules = (struct schedules){ 0 };
}

static void take_out(struct schedules *schedules, const struct rule_entry *entry)
{
	for (size_t i = 0; i < schedules->count; i++) {
		if (schedules->items[i].entry == entry) {
			schedules->items[i] = schedules->items[--schedules->count];
			return;
		}
	}
}

void schedules_change(struct store_thread *thread, const struct rule_entry *old,
                      struct rule_entry *now)
{
	struct schedules *schedules = &thread->schedules;
	if (old && old->rule->schedule.times)
		take_out(schedules, old);
	if (!now || !now->rule->schedule.times || now->rule->state == SLUICE_RULE_DISABLED)
		return;
	if (schedules->count == schedules->capacity) {
		size_t capacity = schedules->capacity ? schedules->capacity * 2 : 16;
		struct scheduled *items = realloc(schedules->items, capacity * sizeof *items);
		if (!items) {
			store_thread_say(thread, MOSQ_LOG_ERR,
			                 "out of memory: the schedule of rule %s does not run",
			                 now->record->name);
			return;
		}
		schedules->items = items;
		schedules->capacity = capacity;
	}
	schedules->items[schedules->count++] =
	        (struct scheduled){ .entry = now, .since_start = !thread->running };
}

static void send(struct store_thread *thread, const struct scheduled *scheduled, int64_t time_ms,
                 bool note)
{
	struct fire_message *fire = malloc(sizeof *fire);
	if (!fire) {
		store_thread_say(thread, MOSQ_LOG_ERR, "out of memory: rule %s does not run",
		                 scheduled->entry->record->name);
		return;
	}
	*fire = (struct fire_message){ .message = { MESSAGE_FIRE },
		                       .entry = scheduled->entry,
		                       .time_ms = time_ms,
		                       .note = note };
	store_thread_emit(thread, &fire->message);
}

/* When it ran last; 0 = it never did. */
static int64_t last_run(struct store_thread *thread, const struct rule_entry *entry)
{
	struct sluice_error error;
	if (!store_thread_data(thread, &error))
		return 0;
	int64_t fired_ms = sluice_data_fired(thread->data, sluice_str(entry->record->name));
	return fired_ms > 0 ? fired_ms : 0;
}

/* The first time of one that was just put in force, or was when the broker started. */
static void begin(struct store_thread *thread, struct scheduled *scheduled, int64_t now_ms)
{
	const struct sluice_rule_schedule *schedule = &scheduled->entry->rule->schedule;
	int64_t last_ms = last_run(thread, scheduled->entry);
	if (last_ms == 0)
		/* From now on it can be told what it missed. */
		send(thread, scheduled, now_ms, true);
	else if (scheduled->since_start && schedule->run_missed &&
	         sluice_schedule_next(schedule->times, last_ms) <= now_ms)
		send(thread, scheduled, now_ms, false);
	scheduled->next_ms = sluice_schedule_next(schedule->times, now_ms);
}

int64_t schedules_run(struct store_thread *thread, int64_t most_ms)
{
	int64_t now_ms = clock_real_ms();
	for (size_t i = 0; i < thread->schedules.count; i++) {
		struct scheduled *scheduled = &thread->schedules.items[i];
		const struct sluice_rule_schedule *schedule = &scheduled->entry->rule->schedule;
		if (scheduled->next_ms == 0) {
			begin(thread, scheduled, now_ms);
		} else if (scheduled->next_ms <= now_ms) {
			bool missed = now_ms - scheduled->next_ms > LATE_MS;
			if (!missed || schedule->run_missed)
				send(thread, scheduled, scheduled->next_ms, false);
			scheduled->next_ms = sluice_schedule_next(schedule->times, now_ms);
		}
		if (scheduled->next_ms - now_ms < most_ms)
			most_ms = scheduled->next_ms - now_ms;
	}
	return most_ms;
}

/* --- the broker's thread --- */

/* Whether it is done with. */
static bool try(struct plugin *plugin, const struct fire_message *fire)
{
	durable_now(plugin);
	if (!durable_open(&plugin->durable))
		return false;
	return route_fire(plugin, fire->entry, fire->time_ms, fire->note);
}

void fires_take(struct plugin *plugin, struct fire_message *fire)
{
	if (!plugin->fires.first && try(plugin, fire)) {
		free(fire);
		return;
	}
	struct fire_message **link = &plugin->fires.first;
	while (*link)
		link = &(*link)->next;
	*link = fire;
}

void fires_tick(struct plugin *plugin)
{
	struct fire_message *fire;
	while ((fire = plugin->fires.first) && try(plugin, fire)) {
		plugin->fires.first = fire->next;
		free(fire);
	}
}

void fires_forget(struct plugin *plugin, const struct rule_entry *entry)
{
	struct fire_message **link = &plugin->fires.first;
	while (*link) {
		struct fire_message *fire = *link;
		if (fire->entry == entry) {
			*link = fire->next;
			free(fire);
		} else {
			link = &fire->next;
		}
	}
}

void fires_finish(struct plugin *plugin)
{
	while (plugin->fires.first) {
		struct fire_message *fire = plugin->fires.first;
		plugin->fires.first = fire->next;
		free(fire);
	}
}
