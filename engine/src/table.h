/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A set of pointers by hash, which grows and shrinks by a line of the cache at a time (linear
 * hashing: Litwin 1980).
 *
 *	line      [ slot | slot | slot | – | – | – | – | next ]   64 bytes; next: a line of the same
 *	                                                          home, where seven are too few
 *	segments  [ line 0 … line 1023 ] [ line 1024 … ] …        reached through a directory
 *
 * With n lines, 2^k ≤ n < 2^(k+1), a hash's home is its lowest k + 1 bits, or k bits where that line
 * does not exist yet. At every fourth insert a line is added, n, and what is at line n - 2^k is
 * parted between the two: O(1) at worst, but for a segment's allocation. Nothing is ever moved as a
 * whole, nor given back as a whole: a table that doubled freed 16 MB at once when it had a million
 * entries, and no event was matched for 11 ms.
 *
 * A slot is one word: the pointer, and above its 48 bits the first 16 of the hash, so that nearly
 * nothing but what is asked for is looked at. (No system gives a program addresses past 47 bits
 * that did not ask for them.) The hash of an entry that has to move is asked of the table's owner.
 * The table knows nothing of what it points to: equality is the caller's, entry by entry.
 *
 * A look-up reads the directory and, mostly, one line: four slots of seven are in use on average.
 */
#ifndef SLUICE_TABLE_H
#define SLUICE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A tag and a pointer; 0: free. */
typedef uint64_t sluice_slot;

#if defined(__SANITIZE_ADDRESS__)
#define SLUICE_SLOT_TAG UINT64_C(0) /* it would hide pointers from the search for leaks */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLUICE_SLOT_TAG UINT64_C(0)
#endif
#endif
#ifndef SLUICE_SLOT_TAG
#define SLUICE_SLOT_TAG UINT64_C(0xFFFF000000000000)
#endif
#define SLUICE_SLOT_POINTER (~SLUICE_SLOT_TAG)

enum {
	SLUICE_LINE_SLOTS = 7,
	SLUICE_LINE_FILL = 4,     /* entries a line, on average */
	SLUICE_SEGMENT_BITS = 10, /* lines, as a power of two */
};

struct sluice_line {
	sluice_slot slots[SLUICE_LINE_SLOTS]; /* those in use come first */
	struct sluice_line *next;             /* owned */
};

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
	size_t home = hash & table->mask;

	return home < table->lines ? home : hash & table->mask >> 1;
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

/*
 * Walks the entries whose hash is this, or begins as it does: start with a zeroed cursor, call
 * until NULL. The table must not change meanwhile.
 */
struct sluice_cursor {
	const struct sluice_line *line; /* NULL: not begun */
	unsigned slot;
};

static inline void *sluice_table_next(const struct sluice_table *table, uint64_t hash,
                                      struct sluice_cursor *cursor)
{
	const struct sluice_line *line = cursor->line;
	unsigned at = cursor->slot;

	if (!line) {
		if (!table->lines)
			return NULL;
		line = sluice_table_line(table, sluice_table_home(table, hash));
	}
	for (;;) {
		for (; at < SLUICE_LINE_SLOTS; at++) {
			sluice_slot slot = line->slots[at];
			if (!slot)
				return NULL; /* lines fill from the front, one by one */
			if (((slot ^ hash) & SLUICE_SLOT_TAG) == 0) {
				cursor->line = line;
				cursor->slot = at + 1;
				return (void *)(uintptr_t)(slot & SLUICE_SLOT_POINTER);
			}
		}
		if (!line->next)
			return NULL;
		line = line->next;
		at = 0;
	}
}

#endif
