/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The numeric ranges at one path: which of them hold a number?
 *
 *	                 (10, 20]  max 90             a treap by lower bound; each node knows the
 *	                /         \                    greatest upper bound below it
 *	      (-∞, 5) max 90       [15, 15] max 30
 *	           \                  \
 *	         [7, 90)             [18, 30)
 *
 * Asking skips what lies above the number (by the order) and what ends before it (by the maximum),
 * so it costs O(log n + ranges found); adding and removing cost O(log n) expected. Exact: bounds
 * compare as sluice_number_compare does.
 */
#ifndef SLUICE_RANGES_H
#define SLUICE_RANGES_H

#include <stdbool.h>
#include <stddef.h>

#include "number.h"

struct sluice_entry;
struct sluice_range_node;

/* Zeroed memory is an empty set. */
struct sluice_ranges {
	struct sluice_range_node *root;
	uint32_t random; /* priorities: any sequence does, rules do not know it */
	size_t bytes;
};

void sluice_ranges_finish(struct sluice_ranges *ranges);

/*
 * Adds an entry whose predicate is SLUICE_OP_NUMERIC; it must outlive its stay. False when out of
 * memory.
 */
bool sluice_ranges_add(struct sluice_ranges *ranges, struct sluice_entry *entry);
void sluice_ranges_drop(struct sluice_ranges *ranges, struct sluice_entry *entry);

/*
 * Calls found(arg, entry) for each range that holds the number. The set must not change meanwhile.
 */
void sluice_ranges_find(const struct sluice_ranges *ranges, const struct sluice_number *number,
                        void (*found)(void *arg, struct sluice_entry *entry), void *arg);

#endif
