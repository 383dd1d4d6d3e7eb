/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "ruleset.h"

#include <stdlib.h>

#include "archive.h"
#include "plugin.h"
#include "wills.h"

bool ruleset_init(struct ruleset *ruleset)
{
	*ruleset = (struct ruleset){ 0 };
	return protect_add(&ruleset->protect, SLUICE_STR("queues/")) &&
	       protect_add(&ruleset->protect, SLUICE_STR("consumers/"));
}

void ruleset_finish(struct ruleset *ruleset)
{
	protect_finish(&ruleset->protect);
	free(ruleset->buses.items);
	free(ruleset->queues.items);
	*ruleset = (struct ruleset){ 0 };
}

static int compare(struct sluice_str a, struct sluice_str b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	int order = shorter ? memcmp(a.data, b.data, shorter) : 0;
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Where one of that name stands or would stand. */
static size_t position(const struct defined_list *list, struct sluice_str name)
{
	size_t low = 0, high = list->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare(sluice_str(list->items[middle]->name), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct defined *find(const struct defined_list *list, struct sluice_str name)
{
	size_t at = position(list, name);
	if (at < list->count && compare(sluice_str(list->items[at]->name), name) == 0)
		return list->items[at];
	return NULL;
}

struct bus_record *ruleset_bus(const struct ruleset *ruleset, struct sluice_str name)
{
	return (struct bus_record *)find(&ruleset->buses, name);
}

/* --- rules --- */

static void protect_targets(struct plugin *plugin, const struct sluice_rule *rule, bool add)
{
	for (size_t i = 0; i < rule->target_count; i++) {
		if (rule->targets[i].kind != SLUICE_TARGET_TOPIC)
			continue;
		struct sluice_str beginning = sluice_topic_template_prefix(rule->targets[i].topic);
		if (!add)
			protect_remove(&plugin->ruleset.protect, beginning);
		else if (!protect_add(&plugin->ruleset.protect, beginning))
			log_line(MOSQ_LOG_ERR,
			         "out of memory: a target of rule %.*s is not protected",
			         (int)rule->name.len, rule->name.data);
		else if (beginning.len == 0 && plugin->options.protect_targets)
			log_line(MOSQ_LOG_WARNING,
			         "rule %.*s, target %.*s: its topic begins with a variable, so "
			         "there is "
			         "nothing to protect",
			         (int)rule->name.len, rule->name.data, (int)rule->targets[i].id.len,
			         rule->targets[i].id.data);
	}
}

/* Whether deliveries of the rule need the journal, though they go to no queue. */
static bool keeps_something(const struct sluice_rule *rule)
{
	if (rule->schedule.times)
		return true;
	for (size_t i = 0; i < rule->target_count; i++) {
		if (rule->targets[i].delay || rule->targets[i].deduplication)
			return true;
	}
	return false;
}

/* Takes a version out of force, and the one that stood in for it. */
static void retire(struct plugin *plugin, struct rule_entry *entry)
{
	while (entry) {
		struct rule_entry *stand_in = entry->stand_in;
		if (entry->matching)
			sluice_matcher_remove(entry->bus->matcher, (uint64_t)(uintptr_t)entry);
		protect_targets(plugin, entry->rule, false);
		fires_forget(plugin, entry);
		plugin_give_back(plugin, &entry->garbage);
		entry = stand_in;
	}
}

void ruleset_change_rule(struct plugin *plugin, struct rule_entry *old, struct rule_entry *now,
                         const struct sluice_pattern *pattern)
{
	if (now) {
		const struct sluice_rule *rule = now->rule;
		protect_targets(plugin, rule, true);
		if (keeps_something(rule))
			durable_need(plugin);
		/* Without a pattern no event is its: it has a schedule. */
		if (rule->state != SLUICE_RULE_DISABLED && pattern) {
			struct sluice_error error;
			if (sluice_matcher_add(now->bus->matcher, (uint64_t)(uintptr_t)now, pattern,
			                       &error) != SLUICE_OK) {
				log_line(MOSQ_LOG_ERR, "rule %.*s is not in force: %s",
				         (int)rule->name.len, rule->name.data, error.message);
				now->stand_in = old;
				return;
			}
			now->matching = true;
		}
		sys_rule(plugin, now->record, rule->metrics);
	} else if (old) {
		sys_rule(plugin, old->record, false);
	}
	retire(plugin, old);
}

/* --- buses and queues --- */

static bool insert(struct defined_list *list, struct defined *defined)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 16;
		struct defined **items = realloc(list->items, capacity * sizeof(struct defined *));
		if (!items)
			return false;
		list->items = items;
		list->capacity = capacity;
	}
	size_t at = position(list, sluice_str(defined->name));
	memmove(&list->items[at + 1], &list->items[at],
	        (list->count - at) * sizeof(struct defined *));
	list->items[at] = defined;
	list->count++;
	return true;
}

static void take_out(struct defined_list *list, struct defined *defined)
{
	size_t at = position(list, sluice_str(defined->name));
	if (at == list->count || list->items[at] != defined)
		return; /* it never came in, for want of memory */
	list->count--;
	memmove(&list->items[at], &list->items[at + 1],
	        (list->count - at) * sizeof(struct defined *));
}

void ruleset_change_defined(struct plugin *plugin, struct defined *defined,
                            struct definition *definition)
{
	struct defined_list *list = defined->kind == SLUICE_STORE_BUS ? &plugin->ruleset.buses
	                                                              : &plugin->ruleset.queues;
	bool done = defined->definition || !definition || insert(list, defined);
	if (defined->kind == SLUICE_STORE_QUEUE) {
		struct queue_record *record = (struct queue_record *)defined;
		if (!definition)
			durable_remove_queue(plugin, sluice_str(defined->name));
		else
			done &= durable_put_queue(plugin, definition->content.queue,
			                          &record->numbers);
	}
	if (defined->kind == SLUICE_STORE_BUS) {
		archive_bus_changed(plugin, defined->definition, definition);
		wills_bus_changed(plugin, defined->definition, definition);
	}
	if (!done)
		log_line(MOSQ_LOG_ERR, "out of memory: %s %s is not in force",
		         sluice_store_noun(defined->kind), defined->name);
	if (defined->definition)
		plugin_give_back(plugin, &defined->definition->garbage);
	defined->definition = definition;
	if (!definition) {
		take_out(list, defined);
		plugin_give_back(plugin, &defined->garbage);
	}
}
