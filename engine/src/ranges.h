/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The numeric ranges at one path: which of them hold a number?
 *
 * A number's key is the first 63 bits of its sign, decimal exponent and digits, so that keys order
 * as numbers do; where keys tie, the numbers are compared.
 *
 * A range with two bounds stands in the one or two cells, as wide as itself or up to eight times as
 * wide, that it reaches into:
 *
 *	keys      0       4       8      12      16
 *	width 4   |       |    [==|==]    |       |     in two cells of width 4
 *	width 1   | | | | | | | | | |.| | | | | | |     in one of width 1
 *
 * so asking is one look-up for each width in use here, and a look at what stands in the cell found,
 * of which about a sixth holds the number. Of the powers of two every third is a width: fewer
 * look-ups are worth more than fewer ranges in a cell. A cell keeps where in it the bounds are, to
 * 14 bits, apart from all else:
 *
 *	[ lead | lead | … ][ lower bounds: 16 bits each ][ upper bounds: 16 bits each ]
 *
 * so that eight ranges are compared at once, and only a number whose bits are those of a bound wants
 * the range itself.
 *
 * A range with one bound stands in a list that is sorted by it, in blocks: asking walks the blocks
 * as far as they match, and stops.
 *
 * Both keep leads to the entries (index.h): an entry whose posting's checks fail is not looked at.
 *
 * Cost of asking: O(widths in use + ranges looked at); of adding and removing: O(1) for two bounds
 * but for the table, O(n / 64) words moved for one. Worst case: ranges that differ less than keys
 * can tell are compared one by one.
 */
#ifndef SLUICE_RANGES_H
#define SLUICE_RANGES_H

#include <stdbool.h>
#include <stddef.h>

#include "hash.h"
#include "number.h"
#include "predicate.h"
#include "table.h"

struct sluice_entry;
struct sluice_path_node;
struct sluice_probe;

enum { SLUICE_WIDTHS = 64 };

struct sluice_bounds_block;

/* Ranges with one bound, sorted. */
struct sluice_bounds {
	struct sluice_bounds_block **blocks; /* owned; none is empty */
	uint32_t count, capacity;
};

/* Zeroed memory is an empty set. */
struct sluice_ranges {
	uint32_t *widths; /* owned: ranges in cells of width 2^i; NULL while there are none */
	uint64_t used;    /* bit i: widths[i] > 0 */
	struct sluice_filter filter; /* of the hashes of cells */
	struct sluice_bounds lower;  /* x > …, by their key */
	struct sluice_bounds upper;  /* x < …, by its complement */
	size_t bytes;
};

/* From where to where the bounds of ranges at a path go. */
struct sluice_span {
	double low, high;
	bool known;
};

/* Adds an entry whose predicate is SLUICE_OP_NUMERIC; cells of all paths share a table. False when
 * out of memory. */
bool sluice_ranges_add(struct sluice_ranges *ranges, struct sluice_table *cells,
                       struct sluice_entry *entry);
void sluice_ranges_drop(struct sluice_ranges *ranges, struct sluice_table *cells,
                        struct sluice_entry *entry);
/* The checks beside an entry that is in follow those of its posting. */
void sluice_ranges_update(struct sluice_ranges *ranges, struct sluice_table *cells,
                          struct sluice_entry *entry);
/* Of a cell: for the table's hash_of. */
uint64_t sluice_ranges_cell_hash(const void *cell);
/* Frees what is left when all entries were dropped. */
void sluice_ranges_finish(struct sluice_ranges *ranges);

/* Calls probe->hit for each range at the node that holds the value, a number. */
void sluice_ranges_find(const struct sluice_ranges *ranges, const struct sluice_table *cells,
                        const struct sluice_path_node *node, const struct sluice_value *value,
                        uint32_t leaf_id, struct sluice_probe *probe);

/* Widens the span to the range's bounds. */
void sluice_span_add(struct sluice_span *span, const struct sluice_range *range);

/* What part of the span the range is: (0, 1]. */
double sluice_span_share(const struct sluice_span *span, const struct sluice_range *range);

#endif
