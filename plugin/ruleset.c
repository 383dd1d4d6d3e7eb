/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "ruleset.h"

#include <stdlib.h>

#include "plugin.h"

bool ruleset_init(struct ruleset *ruleset)
{
	*ruleset = (struct ruleset){ 0 };
	return protect_add(&ruleset->protect, SLUICE_STR("queues/")) &&
	       protect_add(&ruleset->protect, SLUICE_STR("consumers/"));
}

void ruleset_finish(struct ruleset *ruleset)
{
	protect_finish(&ruleset->protect);
	free(ruleset->buses);
	*ruleset = (struct ruleset){ 0 };
}

static int compare(struct sluice_str a, struct sluice_str b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	int order = shorter ? memcmp(a.data, b.data, shorter) : 0;
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Where a bus of that name stands or would stand. */
static size_t position(const struct ruleset *ruleset, struct sluice_str name)
{
	size_t low = 0, high = ruleset->bus_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare(sluice_str(ruleset->buses[middle]->name), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct bus_record *ruleset_bus(const struct ruleset *ruleset, struct sluice_str name)
{
	size_t at = position(ruleset, name);
	if (at < ruleset->bus_count && compare(sluice_str(ruleset->buses[at]->name), name) == 0)
		return ruleset->buses[at];
	return NULL;
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

/* Takes a version out of force, and the one that stood in for it. */
static void retire(struct plugin *plugin, struct rule_entry *entry)
{
	while (entry) {
		struct rule_entry *stand_in = entry->stand_in;
		if (entry->matching)
			sluice_matcher_remove(entry->bus->matcher, (uint64_t)(uintptr_t)entry);
		protect_targets(plugin, entry->rule, false);
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
		if (rule->state != SLUICE_RULE_DISABLED) {
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

/* --- buses --- */

static bool insert(struct ruleset *ruleset, struct bus_record *bus)
{
	if (ruleset->bus_count == ruleset->bus_capacity) {
		size_t capacity = ruleset->bus_capacity ? ruleset->bus_capacity * 2 : 16;
		struct bus_record **buses =
		        realloc(ruleset->buses, capacity * sizeof(struct bus_record *));
		if (!buses)
			return false;
		ruleset->buses = buses;
		ruleset->bus_capacity = capacity;
	}
	size_t at = position(ruleset, sluice_str(bus->name));
	memmove(&ruleset->buses[at + 1], &ruleset->buses[at],
	        (ruleset->bus_count - at) * sizeof(struct bus_record *));
	ruleset->buses[at] = bus;
	ruleset->bus_count++;
	return true;
}

static void take_out(struct ruleset *ruleset, struct bus_record *bus)
{
	size_t at = position(ruleset, sluice_str(bus->name));
	if (at == ruleset->bus_count || ruleset->buses[at] != bus)
		return; /* it never came in, for want of memory */
	ruleset->bus_count--;
	memmove(&ruleset->buses[at], &ruleset->buses[at + 1],
	        (ruleset->bus_count - at) * sizeof(struct bus_record *));
}

void ruleset_change_bus(struct plugin *plugin, struct bus_record *bus,
                        struct bus_definition *definition)
{
	if (!bus->definition && definition && !insert(&plugin->ruleset, bus))
		log_line(MOSQ_LOG_ERR, "out of memory: bus %s is not in force", bus->name);
	if (bus->definition)
		plugin_give_back(plugin, &bus->definition->garbage);
	bus->definition = definition;
	if (!definition) {
		take_out(&plugin->ruleset, bus);
		plugin_give_back(plugin, &bus->garbage);
	}
}
