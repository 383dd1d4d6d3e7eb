/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The topics that the router owns: `queues/`, `consumers/`, and the literal beginnings of all
 * targets. Under plugin_opt_protect_targets no client publishes there.
 *
 * A beginning that ends in '/' owns everything below it; another one owns just that topic. So a
 * topic is looked up at each of its '/' and as a whole: its length and one hash look-up a level,
 * however many targets there are.
 */
#ifndef SLUICE_PLUGIN_PROTECT_H
#define SLUICE_PLUGIN_PROTECT_H

#include <stdbool.h>
#include <stdint.h>

#include "sluice/types.h"

struct protect_entry;

/* Zeroed memory protects nothing. */
struct protect {
	struct protect_entry **slots; /* chained by hash */
	size_t slot_count;            /* 0 or a power of two */
	size_t count;
};

void protect_finish(struct protect *protect);

/* Adds a beginning (counted: it goes when it was removed as often). An empty one is left out. False
 * when out of memory. */
bool protect_add(struct protect *protect, struct sluice_str beginning);
void protect_remove(struct protect *protect, struct sluice_str beginning);

bool protect_owns(const struct protect *protect, struct sluice_str topic);

#endif
