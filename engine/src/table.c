/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	SEGMENT_LINES = 1 << SLUICE_SEGMENT_BITS,
	FIRST_LINES = 4, /* of the first segment, which doubles until it is a whole one */
	MIN_FILL = 1,    /* entries a line: below, lines are taken away */
	LAST = SLUICE_LINE_SLOTS - 1,
};

/* --- chains of lines --- */

/* Makes the last slot, which is free, the way to another line, or, without one, free again. */
static void set_next(struct sluice_line *line, struct sluice_line *next)
{
	line->tags[7] = next ? SLUICE_LINE_MORE : 0;
	line->slots[LAST] = next;
}

/* Lines at hand to make chains of, each the next of another. */
struct pool {
	struct sluice_line *lines;
};

static void pool_give(struct pool *pool, struct sluice_line *line)
{
	set_next(line, pool->lines);
	pool->lines = line;
}

static struct sluice_line *pool_take(struct pool *pool)
{
	struct sluice_line *line = pool->lines;

	if (line) {
		pool->lines = sluice_line_next(line);
		*line = (struct sluice_line){ 0 };
	}
	return line;
}

static void pool_finish(struct sluice_table *table, struct pool *pool)
{
	for (struct sluice_line *line; (line = pool_take(pool)); table->overflow--)
		free(line);
}

/* Puts an entry into the chain that begins here. False when it needs a line and the pool has none. */
static bool chain_add(struct sluice_line *line, uint16_t tag, void *entry, struct pool *pool)
{
	for (;;) {
		struct sluice_line *next = sluice_line_next(line);
		unsigned room = next ? LAST : SLUICE_LINE_SLOTS;
		for (unsigned i = 0; i < room; i++)
			if (!line->tags[i]) {
				line->tags[i] = tag;
				line->slots[i] = entry;
				return true;
			}
		if (!next) {
			next = pool_take(pool);
			if (!next)
				return false;
			next->tags[0] = line->tags[LAST];
			next->slots[0] = line->slots[LAST];
			line->tags[LAST] = 0;
			set_next(line, next);
		}
		line = next;
	}
}

/* Lets the last entry of the chain take the place of this one; frees a line that is empty then. */
static void chain_drop(struct sluice_table *table, struct sluice_line *home,
                       struct sluice_line *line, unsigned slot)
{
	struct sluice_line *before = NULL, *end = home, *next;
	unsigned last = LAST;

	while ((next = sluice_line_next(end))) {
		before = end;
		end = next;
	}
	while (!end->tags[last])
		last--;
	line->tags[slot] = end->tags[last];
	line->slots[slot] = end->slots[last];
	end->tags[last] = 0;
	end->slots[last] = NULL;
	if (last == 0 && before) {
		free(end);
		set_next(before, NULL);
		table->overflow--;
	}
}

/*
 * Deals the chain's entries to where their homes are now; the chain's lines, but the first, go into
 * the pool as they are read. So the pool always has a line where one is needed: k lines behind the
 * first are full with 5 k + 6 entries, and what was read of a chain fits into two homes and as many
 * more lines as were read. Where a chain is dealt to one home that has entries already it may want
 * two more.
 */
static void deal(struct sluice_table *table, struct sluice_line chain, struct pool *pool)
{
	for (;;) {
		for (unsigned i = 0; i < SLUICE_LINE_SLOTS && chain.tags[i]; i++) {
			uint64_t hash = table->hash_of(chain.slots[i]);
			size_t home = sluice_table_home(table, hash);
			bool dealt = chain_add(sluice_table_line(table, home), chain.tags[i],
			                       chain.slots[i], pool);
			assert(dealt);
			(void)dealt;
		}
		struct sluice_line *next = sluice_line_next(&chain);
		if (!next)
			return;
		chain = *next;
		pool_give(pool, next);
	}
}

/* --- lines come and go --- */

/* Room for line number `lines`. */
static bool add_room(struct sluice_table *table)
{
	if (table->segment_count == 0 || table->lines % SEGMENT_LINES == 0) {
		if (table->segment_count == table->segment_capacity) {
			size_t capacity = table->segment_capacity ? table->segment_capacity * 2 : 1;
			struct sluice_line **segments =
			        realloc(table->segments, capacity * sizeof(struct sluice_line *));
			if (!segments)
				return false;
			table->segments = segments;
			table->segment_capacity = capacity;
		}
		size_t room = table->segment_count ? SEGMENT_LINES : FIRST_LINES;
		struct sluice_line *segment = calloc(room, sizeof(*segment));
		if (!segment)
			return false;
		if (table->segment_count == 0)
			table->first_lines = room;
		table->segments[table->segment_count++] = segment;
	} else if (table->segment_count == 1 && table->lines == table->first_lines) {
		struct sluice_line *segment = calloc(table->first_lines * 2, sizeof(*segment));
		if (!segment)
			return false;
		memcpy(segment, table->segments[0], table->lines * sizeof(*segment));
		free(table->segments[0]);
		table->segments[0] = segment;
		table->first_lines *= 2;
	}
	return true;
}

/* Adds a line and parts the entries of its twin between the two. False when out of memory. */
static bool split(struct sluice_table *table)
{
	struct pool pool = { NULL };

	if (!add_room(table))
		return false;
	size_t added = table->lines++;
	if (added > table->mask)
		table->mask = table->mask * 2 + 1;
	struct sluice_line *twin = sluice_table_line(table, added & table->mask >> 1);
	struct sluice_line chain = *twin;
	*twin = (struct sluice_line){ 0 };
	*sluice_table_line(table, added) = (struct sluice_line){ 0 };
	deal(table, chain, &pool);
	pool_finish(table, &pool);
	return true;
}

/* Takes the last line away and gives its entries to its twin, if there is memory for that. */
static void join(struct sluice_table *table)
{
	struct pool pool = { NULL };

	/* as many as dealing to one home may want; each counts as some other's next */
	for (int i = 0; i < 2; i++) {
		struct sluice_line *line = calloc(1, sizeof(*line));
		if (!line) {
			pool_finish(table, &pool);
			return;
		}
		pool_give(&pool, line);
		table->overflow++;
	}
	struct sluice_line chain = *sluice_table_line(table, --table->lines);
	if (table->lines - 1 <= table->mask >> 1)
		table->mask >>= 1;
	deal(table, chain, &pool);
	pool_finish(table, &pool);
	if (table->lines % SEGMENT_LINES == 0)
		free(table->segments[--table->segment_count]);
}

/* --- the public side --- */

void sluice_table_finish(struct sluice_table *table)
{
	for (size_t i = 0; i < table->lines; i++) {
		struct pool chain = { sluice_line_next(sluice_table_line(table, i)) };
		pool_finish(table, &chain);
	}
	for (size_t i = 0; i < table->segment_count; i++)
		free(table->segments[i]);
	free(table->segments);
	*table = (struct sluice_table){ .hash_of = table->hash_of };
}

bool sluice_table_insert(struct sluice_table *table, uint64_t hash, void *entry)
{
	struct pool pool = { NULL };

	if (table->lines == 0) {
		if (!add_room(table))
			return false;
		table->lines = 1;
	} else if (table->used >= table->lines * SLUICE_LINE_FILL && !split(table)) {
		return false;
	}
	struct sluice_line *line = sluice_table_line(table, sluice_table_home(table, hash));
	if (!chain_add(line, sluice_table_tag(hash), entry, &pool)) {
		pool.lines = calloc(1, sizeof(*pool.lines));
		if (!pool.lines)
			return false;
		table->overflow++;
		chain_add(line, sluice_table_tag(hash), entry, &pool);
	}
	table->used++;
	return true;
}

void sluice_table_remove(struct sluice_table *table, uint64_t hash, const void *entry)
{
	struct sluice_line *home = sluice_table_line(table, sluice_table_home(table, hash));
	struct sluice_line *line = home;
	unsigned at = 0;

	while (line->slots[at] != entry)
		if (++at == SLUICE_LINE_SLOTS) {
			line = sluice_line_next(line);
			at = 0;
		}
	chain_drop(table, home, line, at);
	table->used--;
	if (table->used == 0)
		sluice_table_finish(table);
	else if (table->lines > 1 && table->used < table->lines * MIN_FILL)
		join(table);
}

size_t sluice_table_count(const struct sluice_table *table)
{
	return table->used;
}

size_t sluice_table_bytes(const struct sluice_table *table)
{
	size_t lines = table->segment_count > 1 ? table->segment_count * SEGMENT_LINES
	                                        : table->first_lines;

	if (table->segment_count == 0)
		return 0;
	return (lines + table->overflow) * sizeof(struct sluice_line) +
	       table->segment_capacity * sizeof(struct sluice_line *);
}

void sluice_table_each(const struct sluice_table *table, void (*fn)(void *arg, void *entry),
                       void *arg)
{
	for (size_t i = 0; i < table->lines; i++)
		for (const struct sluice_line *line = sluice_table_line(table, i); line;
		     line = sluice_line_next(line))
			for (unsigned at = 0; at < SLUICE_LINE_SLOTS && line->tags[at]; at++)
				fn(arg, line->slots[at]);
}
