/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The rules and buses that are in force, as the broker's thread uses them. */
#ifndef SLUICE_PLUGIN_RULESET_H
#define SLUICE_PLUGIN_RULESET_H

#include <stdbool.h>
#include <stddef.h>

#include "protect.h"
#include "threads.h"

struct plugin;

struct ruleset {
	struct bus_record **buses; /* in the order of their names */
	size_t bus_count, bus_capacity;
	struct protect protect;
};

bool ruleset_init(struct ruleset *ruleset);
/* Rules and buses are the registry's, which frees them; only the list goes. */
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
void ruleset_change_bus(struct plugin *plugin, struct bus_record *bus,
                        struct bus_definition *definition);

#endif
