/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "ranges.h"

#include <stdlib.h>

#include "index.h"

/* Of the powers of two every third is a width. */
enum { BLOCK_BOUNDS = 64, WIDTH_STEP = 3 };

struct sluice_bounds_block {
	uint32_t count;
	int64_t keys[BLOCK_BOUNDS];
	struct sluice_lead leads[BLOCK_BOUNDS];
};

/* A range with one bound, and its key. */
struct bound {
	int64_t key;
	struct sluice_entry *entry;
};

/*
 * The ranges that reach into a cell. Their memory is one block: `capacity` leads, then the places of
 * all lower bounds in the cell, then those of the upper ones. So what an event compares is four bytes
 * a range, eight ranges at a time.
 */
struct cell {
	uint64_t hash;
	const struct sluice_path_node *node;
	uint64_t cell;
	unsigned width;
	uint32_t count, capacity;
	struct sluice_lead *leads; /* owned; never empty */
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
	width = (width + WIDTH_STEP - 1) / WIDTH_STEP * WIDTH_STEP;
	return width < SLUICE_WIDTHS ? width : SLUICE_WIDTHS - 1;
}

/* Cells are counted from the smallest key. */
static uint64_t cell_of(int64_t key, unsigned width)
{
	return ((uint64_t)key ^ UINT64_C(1) << 63) >> width;
}

/* Which of a path's cells, of which width. */
struct where {
	const struct sluice_path_node *node;
	uint64_t cell;
	unsigned width;
};

static uint64_t cell_hash(const struct where *where)
{
	return sluice_hash_close(where->node->seed, where->cell, UINT64_C(2) << 32 | where->width);
}

uint64_t sluice_ranges_cell_hash(const void *cell)
{
	return ((const struct cell *)cell)->hash;
}

static struct cell *find_cell(const struct sluice_table *cells, uint64_t hash,
                              const struct where *where)
{
	struct sluice_cursor cursor = { 0 };
	struct cell *cell;

	while ((cell = sluice_table_next(cells, hash, &cursor)))
		if (cell->cell == where->cell && cell->node == where->node &&
		    cell->width == where->width)
			break;
	return cell;
}

/* --- places in a cell --- */

enum { LANES = 8 };

/* A place is the first bits of the distance from the cell's beginning; before and behind all of them
 * are those of bounds outside. */
enum { PLACE_BITS = 14, PLACE_BEFORE = -1, PLACE_BEHIND = 1 << PLACE_BITS };

static int16_t place_of(int64_t key, const struct where *where)
{
	uint64_t cell = cell_of(key, where->width);
	uint64_t distance = ((uint64_t)key ^ UINT64_C(1) << 63) - (cell << where->width);

	if (cell != where->cell)
		return cell < where->cell ? PLACE_BEFORE : PLACE_BEHIND;
	return (int16_t)(where->width > PLACE_BITS ? distance >> (where->width - PLACE_BITS)
	                                           : distance);
}

static uint32_t lanes(uint32_t capacity)
{
	return (capacity + LANES - 1) / LANES * LANES;
}

static size_t block_bytes(uint32_t capacity)
{
	return capacity * sizeof(struct sluice_lead) + 2 * lanes(capacity) * sizeof(int16_t);
}

static int16_t *lowers(const struct cell *cell)
{
	return (int16_t *)(void *)(cell->leads + cell->capacity);
}

static int16_t *uppers(const struct cell *cell)
{
	return lowers(cell) + lanes(cell->capacity);
}

static void put(struct cell *cell, uint32_t at, struct sluice_lead lead, int16_t lower,
                int16_t upper)
{
	cell->leads[at] = lead;
	lowers(cell)[at] = lower;
	uppers(cell)[at] = upper;
}

/* Room for twice as many. What is not in use holds no place. */
static bool cell_grow(struct cell *cell)
{
	struct cell grown = *cell;

	grown.capacity = cell->capacity ? cell->capacity * 2 : 1;
	grown.leads = malloc(block_bytes(grown.capacity));
	if (!grown.leads)
		return false;
	for (uint32_t i = 0; i < lanes(grown.capacity); i++) {
		lowers(&grown)[i] = PLACE_BEHIND;
		uppers(&grown)[i] = PLACE_BEFORE;
	}
	for (uint32_t i = 0; i < cell->count; i++)
		put(&grown, i, cell->leads[i], lowers(cell)[i], uppers(cell)[i]);
	free(cell->leads);
	*cell = grown;
	return true;
}

/* --- cells --- */

static void cell_free(struct sluice_ranges *ranges, struct cell *cell)
{
	ranges->bytes -= sizeof(*cell) + (cell->capacity ? block_bytes(cell->capacity) : 0);
	free(cell->leads);
	free(cell);
}

static bool cell_add(struct sluice_ranges *ranges, struct sluice_table *cells,
                     struct sluice_entry *entry, const struct where *where)
{
	uint64_t hash = cell_hash(where);
	struct cell *cell = find_cell(cells, hash, where);
	bool fresh = !cell;

	if (fresh) {
		cell = calloc(1, sizeof(*cell));
		if (!cell)
			return false;
		*cell = (struct cell){ .hash = hash,
			               .node = where->node,
			               .cell = where->cell,
			               .width = where->width };
		ranges->bytes += sizeof(*cell);
	}
	if (cell->count == cell->capacity) {
		size_t before = cell->capacity ? block_bytes(cell->capacity) : 0;
		if (!cell_grow(cell))
			goto error;
		ranges->bytes += block_bytes(cell->capacity) - before;
	}
	if (fresh && !sluice_table_insert(cells, hash, cell))
		goto error;
	put(cell, cell->count++, sluice_lead_to(entry), place_of(lower_key(range_of(entry)), where),
	    place_of(upper_key(range_of(entry)), where));
	sluice_filter_add(&ranges->filter, hash);
	return true;

error:
	if (fresh)
		cell_free(ranges, cell);
	return false;
}

/* Looked for by its places, of which many are in a line of the cache. */
static uint32_t held_at(const struct cell *cell, const struct sluice_entry *entry,
                        const struct where *where)
{
	const int16_t *lower = lowers(cell), *upper = uppers(cell);
	int16_t low = place_of(lower_key(range_of(entry)), where);
	int16_t high = place_of(upper_key(range_of(entry)), where);
	uint32_t at = 0;

	while (lower[at] != low || upper[at] != high || cell->leads[at].entry != entry)
		at++;
	return at;
}

static void cell_drop(struct sluice_ranges *ranges, struct sluice_table *cells,
                      const struct sluice_entry *entry, const struct where *where)
{
	struct cell *cell = find_cell(cells, cell_hash(where), where);
	uint32_t at = held_at(cell, entry, where), last = --cell->count;

	put(cell, at, cell->leads[last], lowers(cell)[last], uppers(cell)[last]);
	put(cell, last, cell->leads[last], PLACE_BEHIND, PLACE_BEFORE);
	if (cell->count > 0)
		return;
	sluice_table_remove(cells, cell->hash, cell);
	cell_free(ranges, cell);
}

/* The one or two cells that a range stands in; returns how many. */
static int cells_of(const struct sluice_entry *entry, struct where where[2])
{
	int64_t lower = lower_key(range_of(entry)), upper = upper_key(range_of(entry));
	unsigned width = width_of(lower, upper);

	where[0] = (struct where){ entry->node, cell_of(lower, width), width };
	where[1] = (struct where){ entry->node, cell_of(upper, width), width };
	return where[0].cell == where[1].cell ? 1 : 2;
}

static bool add_to_cells(struct sluice_ranges *ranges, struct sluice_table *cells,
                         struct sluice_entry *entry)
{
	struct where where[2];
	int count = cells_of(entry, where);

	if (!ranges->widths) {
		ranges->widths = calloc(SLUICE_WIDTHS, sizeof(*ranges->widths));
		if (!ranges->widths)
			return false;
		ranges->bytes += SLUICE_WIDTHS * sizeof(*ranges->widths);
	}
	for (int i = 0; i < count; i++)
		if (!cell_add(ranges, cells, entry, &where[i])) {
			if (i > 0)
				cell_drop(ranges, cells, entry, &where[0]);
			return false;
		}
	ranges->widths[where[0].width]++;
	ranges->used |= UINT64_C(1) << where[0].width;
	return true;
}

static void drop_from_cells(struct sluice_ranges *ranges, struct sluice_table *cells,
                            struct sluice_entry *entry)
{
	struct where where[2];
	int count = cells_of(entry, where);

	for (int i = 0; i < count; i++)
		cell_drop(ranges, cells, entry, &where[i]);
	if (--ranges->widths[where[0].width] == 0)
		ranges->used &= ~(UINT64_C(1) << where[0].width);
	if (!ranges->used)
		ranges->filter = (struct sluice_filter){ 0 };
}

static void update_cells(struct sluice_table *cells, struct sluice_entry *entry)
{
	struct where where[2];
	int count = cells_of(entry, where);

	for (int i = 0; i < count; i++) {
		struct cell *cell = find_cell(cells, cell_hash(&where[i]), &where[i]);
		cell->leads[held_at(cell, entry, &where[i])] = sluice_lead_to(entry);
	}
}

/* --- sorted bounds --- */

/* The last block that begins before the key (or the first one). */
static uint32_t block_place(const struct sluice_bounds *bounds, int64_t key)
{
	uint32_t low = 0, high = bounds->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (bounds->blocks[middle]->keys[0] < key)
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
		if (block->keys[middle] < key)
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

static void bounds_move(struct sluice_bounds_block *block, uint32_t to, uint32_t from,
                        uint32_t count)
{
	memmove(&block->keys[to], &block->keys[from], count * sizeof(*block->keys));
	memmove(&block->leads[to], &block->leads[from], count * sizeof(*block->leads));
}

static bool bounds_add(struct sluice_ranges *ranges, struct sluice_bounds *bounds,
                       struct bound bound)
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
		memcpy(next->keys, &block->keys[block->count], next->count * sizeof(*next->keys));
		memcpy(next->leads, &block->leads[block->count],
		       next->count * sizeof(*next->leads));
		if (next->keys[0] < bound.key)
			block = next;
	}
	uint32_t at = bound_place(block, bound.key);
	bounds_move(block, at + 1, at, block->count - at);
	block->keys[at] = bound.key;
	block->leads[at] = sluice_lead_to(bound.entry);
	block->count++;
	return true;
}

/* The place of a bound that is there: in which block (*place), and where in it. */
static uint32_t bound_find(const struct sluice_bounds *bounds, struct bound bound, uint32_t *place)
{
	*place = block_place(bounds, bound.key);
	uint32_t at = bound_place(bounds->blocks[*place], bound.key);

	/* keys tie, over the ends of blocks too */
	for (;; at++) {
		if (at == bounds->blocks[*place]->count) {
			++*place;
			at = 0;
		}
		if (bounds->blocks[*place]->leads[at].entry == bound.entry)
			return at;
	}
}

static void bounds_drop(struct sluice_ranges *ranges, struct sluice_bounds *bounds,
                        struct bound bound)
{
	uint32_t place, at = bound_find(bounds, bound, &place);
	struct sluice_bounds_block *block = bounds->blocks[place];

	block->count--;
	bounds_move(block, at, at + 1, block->count - at);
	if (block->count == 0)
		block_remove(ranges, bounds, place);
}

/* --- both --- */

static struct sluice_bounds *bounds_of(struct sluice_ranges *ranges, struct sluice_entry *entry,
                                       struct bound *bound)
{
	const struct sluice_range *range = range_of(entry);

	bound->entry = entry;
	bound->key = range->has_lower ? lower_key(range) : ~upper_key(range);
	return range->has_lower ? &ranges->lower : &ranges->upper;
}

bool sluice_ranges_add(struct sluice_ranges *ranges, struct sluice_table *cells,
                       struct sluice_entry *entry)
{
	struct bound bound;

	if (range_of(entry)->has_lower && range_of(entry)->has_upper)
		return add_to_cells(ranges, cells, entry);
	return bounds_add(ranges, bounds_of(ranges, entry, &bound), bound);
}

void sluice_ranges_drop(struct sluice_ranges *ranges, struct sluice_table *cells,
                        struct sluice_entry *entry)
{
	struct bound bound;

	if (range_of(entry)->has_lower && range_of(entry)->has_upper)
		drop_from_cells(ranges, cells, entry);
	else
		bounds_drop(ranges, bounds_of(ranges, entry, &bound), bound);
}

void sluice_ranges_update(struct sluice_ranges *ranges, struct sluice_table *cells,
                          struct sluice_entry *entry)
{
	struct bound bound;

	if (range_of(entry)->has_lower && range_of(entry)->has_upper) {
		update_cells(cells, entry);
		return;
	}
	struct sluice_bounds *bounds = bounds_of(ranges, entry, &bound);
	uint32_t place, at = bound_find(bounds, bound, &place);
	bounds->blocks[place]->leads[at] = sluice_lead_to(entry);
}

void sluice_ranges_finish(struct sluice_ranges *ranges)
{
	free(ranges->widths);
	*ranges = (struct sluice_ranges){ 0 };
}

/* --- asking --- */

/* Two bits for each of eight ranges, the lower of them set where the place is not outside. */
static uint32_t held_in(const int16_t *lower, const int16_t *upper, int16_t place)
{
#if defined(__SSE2__) && !defined(SLUICE_PORTABLE)
	__m128i at = _mm_set1_epi16(place);
	__m128i before = _mm_cmpgt_epi16(_mm_loadu_si128((const __m128i *)(const void *)lower), at);
	__m128i behind = _mm_cmpgt_epi16(at, _mm_loadu_si128((const __m128i *)(const void *)upper));

	return ~(uint32_t)_mm_movemask_epi8(_mm_or_si128(before, behind)) & 0x5555;
#else
	uint32_t held = 0;

	for (unsigned i = 0; i < LANES; i++)
		held |= (uint32_t)((lower[i] <= place) & (place <= upper[i])) << 2 * i;
	return held;
#endif
}

/* A number that is looked for. */
struct asked {
	struct sluice_probe *probe;
	const struct sluice_value *value;
	uint32_t leaf_id;
	int64_t key;
};

/* Those that hold the number, or, `tie`, may. */
struct found {
	struct sluice_entry *entry;
	bool tie;
};

static void hit_all(const struct asked *asked, const struct found *found, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!found[i].tie || sluice_entry_matches(found[i].entry, asked->value))
			asked->probe->hit(asked->probe, found[i].entry, asked->leaf_id);
}

static void find_in_cell(const struct asked *asked, const struct cell *cell, int16_t place)
{
	enum { TOGETHER = 4 * LANES }; /* so many are fetched at a time */
	const int16_t *lower = lowers(cell), *upper = uppers(cell);
	struct found found[TOGETHER];
	size_t count = 0;

	if (!asked->probe->spend(asked->probe, cell->count / 16))
		return;
	for (uint32_t at = 0; at < cell->count; at += LANES) {
		uint32_t held = held_in(lower + at, upper + at, place);
		for (; held; held &= held - 1) {
			uint32_t i = at + (uint32_t)__builtin_ctz(held) / 2;
			const struct sluice_lead *lead = &cell->leads[i];
			if (!sluice_checks_pass(asked->probe->leaves, &lead->checks))
				continue;
			__builtin_prefetch(lead->entry);
			found[count++] = (struct found){ lead->entry,
				                         lower[i] == place || upper[i] == place };
		}
		if (count > TOGETHER - LANES) {
			hit_all(asked, found, count);
			count = 0;
		}
	}
	hit_all(asked, found, count);
}

static void find_in_bounds(const struct asked *asked, const struct sluice_bounds *bounds,
                           int64_t key)
{
	struct found found[BLOCK_BOUNDS];

	for (uint32_t place = 0; place < bounds->count; place++) {
		const struct sluice_bounds_block *block = bounds->blocks[place];
		size_t count = 0;
		uint32_t i = 0;
		if (!asked->probe->spend(asked->probe, 1))
			return;
		for (; i < block->count && block->keys[i] <= key; i++) {
			const struct sluice_lead *lead = &block->leads[i];
			if (!sluice_checks_pass(asked->probe->leaves, &lead->checks))
				continue;
			__builtin_prefetch(lead->entry);
			found[count++] = (struct found){ lead->entry, block->keys[i] == key };
		}
		hit_all(asked, found, count);
		if (i < block->count)
			return;
	}
}

void sluice_ranges_find(const struct sluice_ranges *ranges, const struct sluice_table *cells,
                        const struct sluice_path_node *node, const struct sluice_value *value,
                        uint32_t leaf_id, struct sluice_probe *probe)
{
	struct asked asked = { probe, value, leaf_id, sluice_number_key(&value->number) };
	struct where where[SLUICE_WIDTHS];
	uint64_t hashes[SLUICE_WIDTHS];
	size_t count = 0;

	for (uint64_t used = ranges->used; used; used &= used - 1) {
		unsigned width = (unsigned)__builtin_ctzll(used);
		where[count] = (struct where){ node, cell_of(asked.key, width), width };
		hashes[count] = cell_hash(&where[count]);
		if (!sluice_filter_has(&ranges->filter, hashes[count]))
			continue;
		sluice_table_prefetch(cells, hashes[count]);
		count++;
	}
	for (size_t i = 0; i < count; i++) {
		const struct cell *cell = find_cell(cells, hashes[i], &where[i]);
		if (cell)
			find_in_cell(&asked, cell, place_of(asked.key, &where[i]));
	}
	find_in_bounds(&asked, &ranges->lower, asked.key);
	find_in_bounds(&asked, &ranges->upper, ~asked.key);
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
