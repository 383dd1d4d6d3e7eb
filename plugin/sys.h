/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The numbers as retained topics, $SYS/broker/sluice/…, on the broker's thread. */
#ifndef SLUICE_PLUGIN_SYS_H
#define SLUICE_PLUGIN_SYS_H

#include <stdbool.h>
#include <stdint.h>

#include "threads.h"

struct plugin;

struct sys {
	int64_t next_ms;            /* when all is sent again */
	struct rule_record **rules; /* those that ask for topics of their own */
	size_t rule_count, rule_capacity;
	size_t at; /* the rule to go on with: many rules are spread over several ticks */
};

/* A rule wants, or no longer wants, topics of its own; those it no longer wants are cleared. */
void sys_rule(struct plugin *plugin, struct rule_record *record, bool wanted);
void sys_tick(struct plugin *plugin, int64_t now_ms);
void sys_finish(struct sys *sys);

#endif
