/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "seen.h"

#include <stdlib.h>

#include "hash.h"

enum { FIRST_SIZE = 256, TICK_SLOTS = 4096 };

struct seen_slot {
	uint64_t a, b;    /* the key, with the scope in it */
	int64_t until_ms; /* 0 = free */
};

/* The key is a hash already: half of it, and the other half with the scope's. */
static struct seen_slot make(struct sluice_str scope, const unsigned char key[SEEN_KEY_BYTES],
                             int64_t until_ms)
{
	struct seen_slot slot = { .until_ms = until_ms };
	memcpy(&slot.a, key, sizeof slot.a);
	memcpy(&slot.b, key + sizeof slot.a, sizeof slot.b);
	slot.b = sluice_hash_mix(slot.b ^ sluice_hash_text(sluice_hash_start(3), scope),
	                         SLUICE_HASH_A);
	return slot;
}

void seen_finish(struct seen *seen)
{
	free(seen->slots);
	*seen = (struct seen){ 0 };
}

/* Where the key is, or the free slot where it would be. */
static size_t find(const struct seen *seen, const struct seen_slot *slot)
{
	size_t at = (size_t)sluice_hash_number(slot->a) & (seen->size - 1);
	while (seen->slots[at].until_ms != 0 &&
	       (seen->slots[at].a != slot->a || seen->slots[at].b != slot->b))
		at = (at + 1) & (seen->size - 1);
	return at;
}

/* Frees a slot, and moves up what had to stand behind it. */
static void free_slot(struct seen *seen, size_t at)
{
	size_t mask = seen->size - 1;
	size_t next = at;
	seen->count--;
	for (;;) {
		next = (next + 1) & mask;
		if (seen->slots[next].until_ms == 0)
			break;
		size_t home = (size_t)sluice_hash_number(seen->slots[next].a) & mask;
		if (((next - home) & mask) < ((next - at) & mask))
			continue;
		seen->slots[at] = seen->slots[next];
		at = next;
	}
	seen->slots[at].until_ms = 0;
}

bool seen_has(const struct seen *seen, struct sluice_str scope,
              const unsigned char key[SEEN_KEY_BYTES], int64_t now_ms)
{
	if (seen->size == 0)
		return false;
	struct seen_slot slot = make(scope, key, 0);
	return seen->slots[find(seen, &slot)].until_ms > now_ms;
}

static bool grow(struct seen *seen, int64_t now_ms)
{
	size_t size = seen->size ? seen->size * 2 : FIRST_SIZE;
	struct seen grown = { .slots = calloc(size, sizeof *grown.slots), .size = size };
	if (!grown.slots)
		return false;
	grown.forgotten = seen->forgotten;
	for (size_t i = 0; i < seen->size; i++) {
		if (seen->slots[i].until_ms <= now_ms)
			continue;
		grown.slots[find(&grown, &seen->slots[i])] = seen->slots[i];
		grown.count++;
	}
	free(seen->slots);
	*seen = grown;
	return true;
}

/* One that is there goes. */
static void make_room(struct seen *seen, int64_t now_ms)
{
	while (seen->slots[seen->hand & (seen->size - 1)].until_ms == 0)
		seen->hand++;
	size_t at = seen->hand & (seen->size - 1);
	seen->forgotten += seen->slots[at].until_ms > now_ms;
	free_slot(seen, at);
}

bool seen_add(struct seen *seen, struct sluice_str scope, const unsigned char key[SEEN_KEY_BYTES],
              int64_t until_ms, int64_t now_ms)
{
	struct seen_slot slot = make(scope, key, until_ms);
	if (until_ms <= 0)
		return true;
	if (seen->count >= SEEN_MAX)
		make_room(seen, now_ms);
	else if (seen->count + 1 > seen->size / 4 * 3 && !grow(seen, now_ms))
		return false;
	size_t at = find(seen, &slot);
	seen->count += seen->slots[at].until_ms == 0;
	seen->slots[at] = slot;
	return true;
}

void seen_remove(struct seen *seen, struct sluice_str scope,
                 const unsigned char key[SEEN_KEY_BYTES])
{
	if (seen->size == 0)
		return;
	struct seen_slot slot = make(scope, key, 0);
	size_t at = find(seen, &slot);
	if (seen->slots[at].until_ms != 0)
		free_slot(seen, at);
}

void seen_tick(struct seen *seen, int64_t now_ms)
{
	size_t slots = seen->size < TICK_SLOTS ? seen->size : TICK_SLOTS;
	for (size_t i = 0; i < slots; i++, seen->hand++) {
		size_t at = seen->hand & (seen->size - 1);
		if (seen->slots[at].until_ms != 0 && seen->slots[at].until_ms <= now_ms)
			free_slot(seen, at);
	}
}
