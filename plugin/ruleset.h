/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The rules, buses and queues that are in force, as the broker's thread uses them. */
#ifndef SLUICE_PLUGIN_RULESET_H
#define SLUICE_PLUGIN_RULESET_H

#include <stdbool.h>
#include <stddef.h>

#include "protect.h"
#include "threads.h"

struct plugin;

/* In the order of their names. */
struct defined_list {
	struct defined **items;
	size_t count, capacity;
};

struct ruleset {
	struct defined_list buses, queues;
	struct protect protect;
};

bool ruleset_init(struct ruleset *ruleset);
/* What is in it is the registry's, which frees it; only the lists go. */
void ruleset_finish(struct ruleset *ruleset);

/* NULL when there is none of that name. */
struct bus_record *ruleset_bus(const struct ruleset *ruleset, struct sluice_str name);

/*
 * Puts a change in force. Touches just what changed: the time is that of adding or removing one
 * pattern. A rule that can't be added (no memory) leaves its last version in force. `pattern` is that
 * of `now`, and may go afterwards.
 */
void ruleset_change_rule(struct plugin *plugin, struct rule_entry *old, struct rule_entry *now,
                         const struct sluice_pattern *pattern);
/* A bus or queue; definition == NULL: it is gone. */
void ruleset_change_defined(struct plugin *plugin, struct defined *defined,
                            struct definition *definition);

#endif
