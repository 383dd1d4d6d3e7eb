/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A set of pointers by hash: open addressing, linear probing, grown a little at each change.
 *
 *	slots   [ tag entry ][ tag entry ][ – ][ tag entry ] …     2^n, at most half full
 *	old     the table before it doubled, while entries remain in it
 *
 * A slot is one word: the pointer, and above its 48 bits the first 16 of the hash, so that nearly
 * nothing but what is asked for is looked at. (No system gives a program addresses past 47 bits
 * that did not ask for them.) The hash of an entry that has to move is asked of the table's owner.
 *
 * When a table is full its double is allocated (zero pages, untouched) and each later insert or
 * remove moves a few entries over, so that no single change pays for the whole: O(1) at worst, but
 * for the allocation. A lookup probes the new table, then the old one while there is one. The table
 * knows nothing of what it points to: equality is the caller's, entry by entry.
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
/* In `old` only: an entry that was moved or removed; probes go on past it. */
#define SLUICE_SLOT_GONE UINT64_C(1)

struct sluice_slots {
	sluice_slot *slots;
	size_t mask; /* size - 1; meaningless while slots is NULL */
	size_t used;
};

struct sluice_table {
	struct sluice_slots now;
	struct sluice_slots old;
	size_t moved;                           /* slots of `old` that were moved */
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

/*
 * Walks the entries whose hash is this, or begins as it does: start with a zeroed cursor, call
 * until NULL. The table must not change meanwhile.
 */
struct sluice_cursor {
	size_t step; /* slots looked at in the half under way */
	bool in_old;
};

static inline void *sluice_table_next(const struct sluice_table *table, uint64_t hash,
                                      struct sluice_cursor *cursor)
{
	const struct sluice_slots *slots = cursor->in_old ? &table->old : &table->now;

	for (;;) {
		if (slots->slots) {
			/* a free slot always comes: a table is never full */
			for (;;) {
				sluice_slot slot =
				        slots->slots[(hash + cursor->step) & slots->mask];
				if (!slot)
					break;
				cursor->step++;
				if (((slot ^ hash) & SLUICE_SLOT_TAG) == 0 &&
				    slot != SLUICE_SLOT_GONE)
					return (void *)(uintptr_t)(slot & SLUICE_SLOT_POINTER);
			}
		}
		if (cursor->in_old || !table->old.slots)
			return NULL;
		*cursor = (struct sluice_cursor){ .in_old = true };
		slots = &table->old;
	}
}

/* Fetches what a look-up of this hash will look at first. */
static inline void sluice_table_prefetch(const struct sluice_table *table, uint64_t hash)
{
	if (table->now.slots)
		__builtin_prefetch(&table->now.slots[hash & table->now.mask]);
}

#endif
