/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "table.h"

#include <stdlib.h>

enum {
	FIRST_SIZE = 16,
	MOVES_PER_CHANGE = 8, /* slots; a table that doubles when half full is moved after 1/8 of
	                         its size in changes */
};

void sluice_table_finish(struct sluice_table *table)
{
	free(table->now.slots);
	free(table->old.slots);
	*table = (struct sluice_table){ .hash_of = table->hash_of };
}

static sluice_slot slot_of(uint64_t hash, const void *entry)
{
	return (hash & SLUICE_SLOT_TAG) | (uint64_t)(uintptr_t)entry;
}

static void *entry_of(sluice_slot slot)
{
	return (void *)(uintptr_t)(slot & SLUICE_SLOT_POINTER);
}

static void put(struct sluice_slots *slots, uint64_t hash, const void *entry)
{
	size_t at = hash & slots->mask;
	while (slots->slots[at])
		at = (at + 1) & slots->mask;
	slots->slots[at] = slot_of(hash, entry);
	slots->used++;
}

static void move_some(struct sluice_table *table, size_t moves)
{
	struct sluice_slots *old = &table->old;

	if (!old->slots)
		return;
	for (; moves > 0 && table->moved <= old->mask; moves--, table->moved++) {
		sluice_slot slot = old->slots[table->moved];
		if (slot && slot != SLUICE_SLOT_GONE) {
			put(&table->now, table->hash_of(entry_of(slot)), entry_of(slot));
			old->slots[table->moved] = SLUICE_SLOT_GONE;
			old->used--;
		}
	}
	if (table->moved > old->mask) {
		free(old->slots);
		*old = (struct sluice_slots){ 0 };
		table->moved = 0;
	}
}

static bool grow(struct sluice_table *table)
{
	size_t size = table->now.slots ? (table->now.mask + 1) * 2 : FIRST_SIZE;
	sluice_slot *slots = calloc(size, sizeof(*slots));

	if (!slots)
		return false;
	/* The pace of moving empties `old` long before; this is for the proof, not for use. */
	move_some(table, SIZE_MAX);
	table->old = table->now;
	table->moved = 0;
	table->now = (struct sluice_slots){ slots, size - 1, 0 };
	return true;
}

bool sluice_table_insert(struct sluice_table *table, uint64_t hash, void *entry)
{
	size_t size = table->now.slots ? table->now.mask + 1 : 0;

	if (table->now.used + table->old.used + 1 > size / 2 && !grow(table))
		return false;
	move_some(table, MOVES_PER_CHANGE);
	put(&table->now, hash, entry);
	return true;
}

/* Closes the hole at `at`: each entry behind it that probing would no longer reach moves up. */
static void close_hole(struct sluice_table *table, size_t at)
{
	struct sluice_slots *slots = &table->now;
	size_t next = at;

	for (;;) {
		next = (next + 1) & slots->mask;
		sluice_slot slot = slots->slots[next];
		if (!slot)
			break;
		size_t home = table->hash_of(entry_of(slot)) & slots->mask;
		if (((next - home) & slots->mask) >= ((next - at) & slots->mask)) {
			slots->slots[at] = slot;
			at = next;
		}
	}
	slots->slots[at] = 0;
}

static size_t find(const struct sluice_slots *slots, uint64_t hash, const void *entry)
{
	if (!slots->slots)
		return SIZE_MAX;
	for (size_t at = hash & slots->mask; slots->slots[at]; at = (at + 1) & slots->mask)
		if (slots->slots[at] == slot_of(hash, entry))
			return at;
	return SIZE_MAX;
}

void sluice_table_remove(struct sluice_table *table, uint64_t hash, const void *entry)
{
	size_t at = find(&table->now, hash, entry);

	if (at != SIZE_MAX) {
		close_hole(table, at);
		table->now.used--;
	} else if ((at = find(&table->old, hash, entry)) != SIZE_MAX) {
		table->old.slots[at] = SLUICE_SLOT_GONE;
		table->old.used--;
	}
	move_some(table, MOVES_PER_CHANGE);
	if (table->now.used + table->old.used == 0)
		sluice_table_finish(table);
}

size_t sluice_table_count(const struct sluice_table *table)
{
	return table->now.used + table->old.used;
}

size_t sluice_table_bytes(const struct sluice_table *table)
{
	size_t slots = (table->now.slots ? table->now.mask + 1 : 0) +
	               (table->old.slots ? table->old.mask + 1 : 0);
	return slots * sizeof(sluice_slot);
}

static void each_slot(const struct sluice_slots *slots, void (*fn)(void *arg, void *entry),
                      void *arg)
{
	for (size_t at = 0; slots->slots && at <= slots->mask; at++)
		if (slots->slots[at] && slots->slots[at] != SLUICE_SLOT_GONE)
			fn(arg, entry_of(slots->slots[at]));
}

void sluice_table_each(const struct sluice_table *table, void (*fn)(void *arg, void *entry),
                       void *arg)
{
	each_slot(&table->now, fn, arg);
	each_slot(&table->old, fn, arg);
}
