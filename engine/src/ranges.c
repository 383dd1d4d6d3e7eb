/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "ranges.h"

#include <stdlib.h>

#include "index.h"

enum { BLOCK_BOUNDS = 64 };

struct sluice_bounds_block {
	uint32_t count;
	struct sluice_bound bounds[BLOCK_BOUNDS];
};

/* A range in a cell. */
struct held {
	int64_t lower, upper; /* keys */
	struct sluice_entry *entry;
};

/* Found by its hash alone: where those of two cells are the same the keys tell them apart. */
struct cell {
	uint64_t hash;
	struct held *list; /* owned; never empty */
	uint32_t count, capacity;
};

static const struct sluice_range *range_of(const struct sluice_entry *entry)
{
	return &sluice_entry_whole(entry)->range;
}

/* --- cells --- */

static int64_t lower_key(const struct sluice_range *range)
{
	return sluice_number_key(&range->lower);
}

static int64_t upper_key(const struct sluice_range *range)
{
	return sluice_number_key(&range->upper);
}

/* The width, as a power of two, of the cells that a range stands in. */
static unsigned width_of(int64_t lower, int64_t upper)
{
	uint64_t distance = (uint64_t)upper - (uint64_t)lower;

	unsigned width = distance ? 64 - (unsigned)__builtin_clzll(distance) : 0;
	width += width & 1; /* every second will do */
	return width < SLUICE_WIDTHS ? width : SLUICE_WIDTHS - 1;
}

/* Cells are counted from the smallest key. */
static uint64_t cell_of(int64_t key, unsigned width)
{
	return ((uint64_t)key ^ UINT64_C(1) << 63) >> width;
}

static uint64_t cell_hash(const struct sluice_path_node *node, unsigned width, uint64_t cell)
{
	return sluice_hash_close(node->seed, cell, UINT64_C(2) << 32 | width);
}

uint64_t sluice_ranges_cell_hash(const void *cell)
{
	return ((const struct cell *)cell)->hash;
}

static struct cell *find_cell(const struct sluice_table *cells, uint64_t hash)
{
	struct sluice_cursor cursor = { 0 };
	struct cell *cell;

	while ((cell = sluice_table_next(cells, hash, &cursor)))
		if (cell->hash == hash)
			break;
	return cell;
}

static bool cell_add(struct sluice_ranges *ranges, struct sluice_table *cells, uint64_t hash,
                     struct held held)
{
	struct cell *cell = find_cell(cells, hash);
	bool fresh = !cell;

	if (fresh) {
		cell = calloc(1, sizeof(*cell));
		if (!cell)
			return false;
		cell->hash = hash;
	}
	if (cell->count == cell->capacity) {
		uint32_t capacity = cell->capacity ? cell->capacity * 2 : 2;
		struct held *list = realloc(cell->list, capacity * sizeof(*list));
		if (!list)
			goto error;
		ranges->bytes += (capacity - cell->capacity) * sizeof(*list);
		cell->list = list;
		cell->capacity = capacity;
	}
	if (fresh) {
		if (!sluice_table_insert(cells, hash, cell))
			goto error;
		ranges->bytes += sizeof(*cell);
	}
	cell->list[cell->count++] = held;
	sluice_filter_add(&ranges->filter, hash);
	return true;

error:
	if (fresh) {
		ranges->bytes -= cell->capacity * sizeof(*cell->list);
		free(cell->list);
		free(cell);
	}
	return false;
}

static void cell_drop(struct sluice_ranges *ranges, struct sluice_table *cells, uint64_t hash,
                      const struct sluice_entry *entry)
{
	struct cell *cell = find_cell(cells, hash);
	uint32_t at = 0;

	while (cell->list[at].entry != entry)
		at++;
	cell->list[at] = cell->list[--cell->count];
	if (cell->count > 0)
		return;
	sluice_table_remove(cells, hash, cell);
	ranges->bytes -= sizeof(*cell) + cell->capacity * sizeof(*cell->list);
	free(cell->list);
	free(cell);
}

static bool add_to_cells(struct sluice_ranges *ranges, struct sluice_table *cells,
                         struct sluice_entry *entry)
{
	struct held held = { lower_key(range_of(entry)), upper_key(range_of(entry)), entry };
	unsigned width = width_of(held.lower, held.upper);
	uint64_t first = cell_of(held.lower, width), last = cell_of(held.upper, width);

	if (!ranges->widths) {
		ranges->widths = calloc(SLUICE_WIDTHS, sizeof(*ranges->widths));
		if (!ranges->widths)
			return false;
		ranges->bytes += SLUICE_WIDTHS * sizeof(*ranges->widths);
	}
	if (!cell_add(ranges, cells, cell_hash(entry->node, width, first), held))
		return false;
	if (last != first && !cell_add(ranges, cells, cell_hash(entry->node, width, last), held)) {
		cell_drop(ranges, cells, cell_hash(entry->node, width, first), entry);
		return false;
	}
	ranges->widths[width]++;
	ranges->used |= UINT64_C(1) << width;
	return true;
}

static void drop_from_cells(struct sluice_ranges *ranges, struct sluice_table *cells,
                            struct sluice_entry *entry)
{
	int64_t lower = lower_key(range_of(entry)), upper = upper_key(range_of(entry));
	unsigned width = width_of(lower, upper);
	uint64_t first = cell_of(lower, width), last = cell_of(upper, width);

	cell_drop(ranges, cells, cell_hash(entry->node, width, first), entry);
	if (last != first)
		cell_drop(ranges, cells, cell_hash(entry->node, width, last), entry);
	if (--ranges->widths[width] == 0)
		ranges->used &= ~(UINT64_C(1) << width);
	if (!ranges->used)
		ranges->filter = (struct sluice_filter){ 0 };
}

/* --- sorted bounds --- */

/* The last block that begins before the key (or the first one). */
static uint32_t block_place(const struct sluice_bounds *bounds, int64_t key)
{
	uint32_t low = 0, high = bounds->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (bounds->blocks[middle]->bounds[0].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? low - 1 : 0;
}

/* The first place in the block whose key is not before this one. */
static uint32_t bound_place(const struct sluice_bounds_block *block, int64_t key)
{
	uint32_t low = 0, high = block->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (block->bounds[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* An empty block at `at`. */
static struct sluice_bounds_block *block_insert(struct sluice_ranges *ranges,
                                                struct sluice_bounds *bounds, uint32_t at)
{
	if (bounds->count == bounds->capacity) {
		uint32_t capacity = bounds->capacity ? bounds->capacity * 2 : 2;
		struct sluice_bounds_block **blocks =
		        realloc(bounds->blocks, capacity * sizeof(struct sluice_bounds_block *));
		if (!blocks)
			return NULL;
		ranges->bytes += (capacity - bounds->capacity) * sizeof(*blocks);
		bounds->blocks = blocks;
		bounds->capacity = capacity;
	}
	struct sluice_bounds_block *block = malloc(sizeof(*block));
	if (!block)
		return NULL;
	block->count = 0;
	ranges->bytes += sizeof(*block);
	memmove(&bounds->blocks[at + 1], &bounds->blocks[at],
	        (bounds->count - at) * sizeof(*bounds->blocks));
	bounds->blocks[at] = block;
	bounds->count++;
	return block;
}

static void block_remove(struct sluice_ranges *ranges, struct sluice_bounds *bounds, uint32_t at)
{
	free(bounds->blocks[at]);
	ranges->bytes -= sizeof(struct sluice_bounds_block);
	bounds->count--;
	memmove(&bounds->blocks[at], &bounds->blocks[at + 1],
	        (bounds->count - at) * sizeof(*bounds->blocks));
	if (bounds->count > 0)
		return;
	free(bounds->blocks);
	ranges->bytes -= bounds->capacity * sizeof(*bounds->blocks);
	*bounds = (struct sluice_bounds){ 0 };
}

static bool bounds_add(struct sluice_ranges *ranges, struct sluice_bounds *bounds,
                       struct sluice_bound bound)
{
	if (bounds->count == 0 && !block_insert(ranges, bounds, 0)) {
		free(bounds->blocks);
		ranges->bytes -= bounds->capacity * sizeof(*bounds->blocks);
		*bounds = (struct sluice_bounds){ 0 };
		return false;
	}
	uint32_t place = block_place(bounds, bound.key);
	struct sluice_bounds_block *block = bounds->blocks[place];
	if (block->count == BLOCK_BOUNDS) {
		struct sluice_bounds_block *next = block_insert(ranges, bounds, place + 1);
		if (!next)
			return false;
		next->count = BLOCK_BOUNDS / 2;
		block->count = BLOCK_BOUNDS - next->count;
		memcpy(next->bounds, &block->bounds[block->count],
		       next->count * sizeof(*next->bounds));
		if (next->bounds[0].key < bound.key)
			block = next;
	}
	uint32_t at = bound_place(block, bound.key);
	memmove(&block->bounds[at + 1], &block->bounds[at],
	        (block->count - at) * sizeof(*block->bounds));
	block->bounds[at] = bound;
	block->count++;
	return true;
}

static void bounds_drop(struct sluice_ranges *ranges, struct sluice_bounds *bounds,
                        struct sluice_bound bound)
{
	uint32_t place = block_place(bounds, bound.key);
	uint32_t at = bound_place(bounds->blocks[place], bound.key);

	/* keys tie, over the ends of blocks too */
	for (;; at++) {
		if (at == bounds->blocks[place]->count) {
			place++;
			at = 0;
		}
		if (bounds->blocks[place]->bounds[at].entry == bound.entry)
			break;
	}
	struct sluice_bounds_block *block = bounds->blocks[place];
	block->count--;
	memmove(&block->bounds[at], &block->bounds[at + 1],
	        (block->count - at) * sizeof(*block->bounds));
	if (block->count == 0)
		block_remove(ranges, bounds, place);
}

/* --- both --- */

static struct sluice_bounds *bounds_of(struct sluice_ranges *ranges, struct sluice_entry *entry,
                                       struct sluice_bound *bound)
{
	const struct sluice_range *range = range_of(entry);

	bound->entry = entry;
	bound->key = range->has_lower ? lower_key(range) : ~upper_key(range);
	return range->has_lower ? &ranges->lower : &ranges->upper;
}

bool sluice_ranges_add(struct sluice_ranges *ranges, struct sluice_table *cells,
                       struct sluice_entry *entry)
{
	struct sluice_bound bound;

	if (range_of(entry)->has_lower && range_of(entry)->has_upper)
		return add_to_cells(ranges, cells, entry);
	return bounds_add(ranges, bounds_of(ranges, entry, &bound), bound);
}

void sluice_ranges_drop(struct sluice_ranges *ranges, struct sluice_table *cells,
                        struct sluice_entry *entry)
{
	struct sluice_bound bound;

	if (range_of(entry)->has_lower && range_of(entry)->has_upper)
		drop_from_cells(ranges, cells, entry);
	else
		bounds_drop(ranges, bounds_of(ranges, entry, &bound), bound);
}

void sluice_ranges_finish(struct sluice_ranges *ranges)
{
	free(ranges->widths);
	*ranges = (struct sluice_ranges){ 0 };
}

static void find_in_cell(const struct cell *cell, int64_t key, const struct sluice_value *value,
                         uint32_t leaf_id, struct sluice_probe *probe)
{
	enum { TOGETHER = 32 }; /* so many are fetched at a time */
	const struct held *found[TOGETHER];

	if (!probe->spend(probe, cell->count / 16))
		return;
	for (uint32_t at = 0; at < cell->count;) {
		size_t count = 0;
		for (; at < cell->count && count < TOGETHER; at++) {
			const struct held *held = &cell->list[at];
			found[count] = held;
			if (key >= held->lower && key <= held->upper) {
				count++;
				__builtin_prefetch(held->entry);
			}
		}
		for (size_t i = 0; i < count; i++) {
			bool inside = key != found[i]->lower && key != found[i]->upper;
			struct sluice_entry *entry = found[i]->entry;
			if (inside || sluice_entry_matches(entry, value))
				probe->hit(probe, entry, leaf_id);
		}
	}
}

static void find_in_bounds(const struct sluice_bounds *bounds, int64_t key,
                           const struct sluice_value *value, uint32_t leaf_id,
                           struct sluice_probe *probe)
{
	for (uint32_t place = 0; place < bounds->count; place++) {
		const struct sluice_bounds_block *block = bounds->blocks[place];
		if (!probe->spend(probe, 1))
			return;
		for (uint32_t i = 0; i < block->count; i++) {
			const struct sluice_bound *bound = &block->bounds[i];
			if (bound->key > key)
				return;
			if (bound->key < key || sluice_entry_matches(bound->entry, value))
				probe->hit(probe, bound->entry, leaf_id);
		}
	}
}

void sluice_ranges_find(const struct sluice_ranges *ranges, const struct sluice_table *cells,
                        const struct sluice_path_node *node, const struct sluice_value *value,
                        uint32_t leaf_id, struct sluice_probe *probe)
{
	int64_t key = sluice_number_key(&value->number);
	uint64_t hashes[SLUICE_WIDTHS];
	size_t count = 0;

	for (uint64_t used = ranges->used; used; used &= used - 1) {
		unsigned width = (unsigned)__builtin_ctzll(used);
		uint64_t hash = cell_hash(node, width, cell_of(key, width));
		if (!sluice_filter_has(&ranges->filter, hash))
			continue;
		sluice_table_prefetch(cells, hash);
		hashes[count++] = hash;
	}
	for (size_t i = 0; i < count; i++) {
		const struct cell *cell = find_cell(cells, hashes[i]);
		if (cell)
			find_in_cell(cell, key, value, leaf_id, probe);
	}
	find_in_bounds(&ranges->lower, key, value, leaf_id, probe);
	find_in_bounds(&ranges->upper, ~key, value, leaf_id, probe);
}

/* --- how much of what there is --- */

static void widen(struct sluice_span *span, const struct sluice_number *number)
{
	double near = sluice_number_near(number);

	if (near != near)
		return;
	if (!span->known || near < span->low)
		span->low = near;
	if (!span->known || near > span->high)
		span->high = near;
	span->known = true;
}

void sluice_span_add(struct sluice_span *span, const struct sluice_range *range)
{
	if (range->has_lower)
		widen(span, &range->lower);
	if (range->has_upper)
		widen(span, &range->upper);
}

double sluice_span_share(const struct sluice_span *span, const struct sluice_range *range)
{
	double low = span->low, high = span->high;
	double all = high - low;

	if (!span->known || !(all > 0))
		return 0.5;
	if (range->has_lower && sluice_number_near(&range->lower) > low)
		low = sluice_number_near(&range->lower);
	if (range->has_upper && sluice_number_near(&range->upper) < high)
		high = sluice_number_near(&range->upper);
	double share = (high - low) / all;
	return share > 1e-6 ? share : 1e-6;
}
