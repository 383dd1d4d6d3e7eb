/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A set of pointers by hash: open addressing, linear probing, grown a little at each change.
 *
 *	slots   [ hash entry ][ hash entry ][ – ][ hash entry ] …     2^n, at most 3/4 full
 *	old     the table before it doubled, while entries remain in it
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

struct sluice_slot {
	uint64_t hash;
	void *entry; /* NULL: free; owned by whoever put it in */
};

struct sluice_slots {
	struct sluice_slot *slots;
	size_t mask; /* size - 1; meaningless while slots is NULL */
	size_t used;
};

/* Zeroed memory is an empty table. */
struct sluice_table {
	struct sluice_slots now;
	struct sluice_slots old;
	size_t moved; /* slots of `old` that were moved */
};

/* Stands in `old` for an entry that was moved or removed; probes go on past it. */
extern char sluice_table_gone;

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
 * Walks the entries of one hash: start with a zeroed cursor, call until NULL. The table must not
 * change meanwhile.
 */
struct sluice_cursor {
	size_t step; /* slots looked at in the half under way */
	bool in_old;
};
static inline void *sluice_table_next(const struct sluice_table *table, uint64_t hash,
                                      struct sluice_cursor *cursor)
{
	for (;;) {
		const struct sluice_slots *slots = cursor->in_old ? &table->old : &table->now;
		while (slots->slots && cursor->step <= slots->mask) {
			const struct sluice_slot *slot =
			        &slots->slots[(hash + cursor->step) & slots->mask];
			if (!slot->entry)
				break;
			cursor->step++;
			if (slot->hash == hash && slot->entry != &sluice_table_gone)
				return slot->entry;
		}
		if (cursor->in_old || !table->old.slots)
			return NULL;
		*cursor = (struct sluice_cursor){ .in_old = true };
	}
}

#endif
