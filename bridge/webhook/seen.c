/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "seen.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 64 };

enum state { UNDER_WAY, TAKEN_IN };

struct seen_entry {
	unsigned char key[SEEN_KEY_BYTES]; /* of a hash function: any bytes of it are a hash */
	int64_t until_s;
	uint32_t next; /* 1 + that of the chain */
	enum state state;
};

void seen_finish(struct seen *seen)
{
	free(seen->entries);
	free(seen->slots);
	*seen = (struct seen){ 0 };
}

static uint32_t *slot_of(const struct seen *seen, const unsigned char *key)
{
	uint32_t hash;
	memcpy(&hash, key, sizeof hash);
	return &seen->slots[hash & (seen->capacity - 1)];
}

/* The link to the entry of this key, or the one that ends its chain. */
static uint32_t *find(const struct seen *seen, const unsigned char *key)
{
	uint32_t *link = slot_of(seen, key);
	while (*link && memcmp(seen->entries[*link - 1].key, key, SEEN_KEY_BYTES) != 0)
		link = &seen->entries[*link - 1].next;
	return link;
}

/* Takes an entry out of its chain; where it lies in the ring it stays, as nobody's. */
static void unchain(struct seen *seen, uint32_t at)
{
	uint32_t *link = slot_of(seen, seen->entries[at].key);
	while (*link && *link != at + 1)
		link = &seen->entries[*link - 1].next;
	if (*link)
		*link = seen->entries[at].next;
}

static void forget_first(struct seen *seen)
{
	unchain(seen, seen->first);
	seen->first = (seen->first + 1) & (seen->capacity - 1);
	seen->count--;
}

static bool grow(struct seen *seen)
{
	struct seen old = *seen;
	uint32_t capacity = old.capacity ? old.capacity * 2 : CAPACITY_MIN;
	struct seen_entry *entries = calloc(capacity, sizeof *entries);
	uint32_t *slots = calloc(capacity, sizeof *slots);
	if (!entries || !slots) {
		free(entries);
		free(slots);
		return false;
	}
	*seen = (struct seen){ .entries = entries, .slots = slots, .capacity = capacity };
	for (uint32_t i = 0; i < old.count; i++) {
		uint32_t at = (old.first + i) & (old.capacity - 1);
		if (*find(&old, old.entries[at].key) != at + 1)
			continue; /* nobody's */
		entries[seen->count] = old.entries[at];
		entries[seen->count].next = 0;
		*find(seen, entries[seen->count].key) = seen->count + 1;
		seen->count++;
	}
	free(old.entries);
	free(old.slots);
	return true;
}

enum seen_answer seen_ask(struct seen *seen, const unsigned char key[SEEN_KEY_BYTES], int64_t now_s,
                          int64_t until_s)
{
	while (seen->count > 0 && seen->entries[seen->first].until_s < now_s)
		forget_first(seen);
	uint32_t *link = seen->capacity ? find(seen, key) : NULL;
	if (link && *link)
		return seen->entries[*link - 1].state == TAKEN_IN ? SEEN_BEFORE : SEEN_UNDER_WAY;
	if (seen->count == seen->capacity) {
		if (seen->capacity == SEEN_MAX)
			forget_first(seen);
		else if (!grow(seen))
			return SEEN_NO_MEMORY;
	}
	uint32_t at = (seen->first + seen->count) & (seen->capacity - 1);
	seen->entries[at] = (struct seen_entry){ .until_s = until_s };
	memcpy(seen->entries[at].key, key, SEEN_KEY_BYTES);
	*find(seen, key) = at + 1;
	seen->count++;
	return SEEN_NEW;
}

void seen_settle(struct seen *seen, const unsigned char key[SEEN_KEY_BYTES], bool taken_in)
{
	uint32_t *link = seen->capacity ? find(seen, key) : NULL;
	if (!link || !*link)
		return; /* forgotten */
	if (taken_in)
		seen->entries[*link - 1].state = TAKEN_IN;
	else
		unchain(seen, *link - 1);
}
