/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A set of pointers by hash, which grows and shrinks by a line of the cache at a time (linear
 * hashing: Litwin 1980).
 *
 *	line      [ tags of the slots ][ slot | slot | slot | slot | – | – ]        64 bytes
 *	full      [ tags, and "more" ][ slot | slot | slot | slot | slot | next ]
 *	segments  [ line 0 … line 1023 ] [ line 1024 … ] …   reached through a directory
 *
 * next is a line of the same home, where six slots are too few; it takes the place of the last. A tag
 * is 15 bits of the hash, and 0 where the slot is free: one comparison of all tags says which slots
 * are worth a look, mostly none or the one that is asked for.
 *
 * With n lines, 2^k ≤ n < 2^(k+1), a hash's home is its lowest k + 1 bits, or k bits where that line
 * does not exist yet. At every fourth insert a line is added, n, and what is at line n - 2^k is
 * parted between the two: O(1) at worst, but for a segment's allocation. Nothing is ever moved as a
 * whole, nor given back as a whole: a table that doubled freed 16 MB at once when it had a million
 * entries, and no event was matched for 11 ms.
 *
 * The hash of an entry that has to move is asked of the table's owner. The table knows nothing of
 * what it points to: equality is the caller's, entry by entry.
 *
 * A look-up reads the directory and, mostly, one line: four slots of six are in use on average.
 */
#ifndef SLUICE_TABLE_H
#define SLUICE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__SSE2__) && !defined(SLUICE_PORTABLE)
#include <emmintrin.h>
#endif

enum {
	SLUICE_LINE_SLOTS = 6,
	SLUICE_LINE_FILL = 4,     /* entries a line, on average */
	SLUICE_SEGMENT_BITS = 10, /* lines, as a power of two */
};

/* The last of a line's tags, where the last of its slots is the next line: no hash has it. */
enum { SLUICE_LINE_MORE = 2 };

struct sluice_line {
	uint16_t tags[8];               /* of the slots; then 0; then 0 or SLUICE_LINE_MORE */
	void *slots[SLUICE_LINE_SLOTS]; /* those in use come first; what is next is owned */
};

static inline struct sluice_line *sluice_line_next(const struct sluice_line *line)
{
	return line->tags[7] ? (struct sluice_line *)line->slots[SLUICE_LINE_SLOTS - 1] : NULL;
}

struct sluice_table {
	struct sluice_line **segments; /* owned, and what they point to */
	size_t segment_count, segment_capacity;
	size_t first_lines; /* room in the first segment while it is the only one */
	size_t lines;       /* n; 0: nothing was inserted yet */
	size_t mask;        /* 2^(k+1) - 1 */
	size_t used;        /* entries */
	size_t overflow;    /* lines that are some other's next */
	uint64_t (*hash_of)(const void *entry); /* given by the owner, before the first insert */
};

void sluice_table_finish(struct sluice_table *table);

/* False when out of memory: nothing was inserted. The entry must not be in it. */
bool sluice_table_insert(struct sluice_table *table, uint64_t hash, void *entry);

/* Takes out this entry (by address), which must be in it under this hash. */
void sluice_table_remove(struct sluice_table *table, uint64_t hash, const void *entry);

size_t sluice_table_count(const struct sluice_table *table);
size_t sluice_table_bytes(const struct sluice_table *table);

/* Calls fn for every entry, in no order. The table must not change meanwhile. */
void sluice_table_each(const struct sluice_table *table, void (*fn)(void *arg, void *entry),
                       void *arg);

static inline size_t sluice_table_home(const struct sluice_table *table, uint64_t hash)
{
	size_t home = (size_t)hash & table->mask;

	return home < table->lines ? home : home & table->mask >> 1;
}

static inline struct sluice_line *sluice_table_line(const struct sluice_table *table, size_t line)
{
	return &table->segments[line >> SLUICE_SEGMENT_BITS]
	                       [line & ((1 << SLUICE_SEGMENT_BITS) - 1)];
}

/* Fetches what a look-up of this hash will look at first. */
static inline void sluice_table_prefetch(const struct sluice_table *table, uint64_t hash)
{
	if (table->lines)
		__builtin_prefetch(sluice_table_line(table, sluice_table_home(table, hash)));
}

static inline uint16_t sluice_table_tag(uint64_t hash)
{
	return (uint16_t)(hash >> 48 | 1);
}

/* Two bits for each slot of the line that has the tag. */
static inline uint32_t sluice_line_find(const struct sluice_line *line, uint16_t tag)
{
#if defined(__SSE2__) && !defined(SLUICE_PORTABLE)
	__m128i tags = _mm_loadu_si128((const __m128i *)(const void *)line->tags);

	return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi16(tags, _mm_set1_epi16((short)tag)));
#else
	uint32_t found = 0;

	for (unsigned i = 0; i < SLUICE_LINE_SLOTS; i++)
		found |= (uint32_t)(line->tags[i] == tag) << 2 * i;
	return found;
#endif
}

/*
 * Walks the entries whose hash is this, or has the same tag: start with a zeroed cursor, call until
 * NULL. The table must not change meanwhile.
 */
struct sluice_cursor {
	const struct sluice_line *line; /* NULL: not begun */
	uint32_t found;                 /* slots of it that are still to be given out */
};

static inline void *sluice_table_next(const struct sluice_table *table, uint64_t hash,
                                      struct sluice_cursor *cursor)
{
	if (!cursor->line) {
		if (!table->lines)
			return NULL;
		cursor->line = sluice_table_line(table, sluice_table_home(table, hash));
		cursor->found = sluice_line_find(cursor->line, sluice_table_tag(hash));
	}
	while (!cursor->found) {
		cursor->line = sluice_line_next(cursor->line);
		if (!cursor->line)
			return NULL;
		cursor->found = sluice_line_find(cursor->line, sluice_table_tag(hash));
	}
	unsigned slot = (unsigned)__builtin_ctz(cursor->found) / 2;
	cursor->found &= ~(UINT32_C(3) << 2 * slot);
	return cursor->line->slots[slot];
}

#endif
