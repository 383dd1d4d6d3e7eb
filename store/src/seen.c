/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "seen.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

/* SipHash-2-4 (Aumasson and Bernstein, 2012). */
static uint64_t sip_hash(const uint64_t key[2], struct sluice_str text)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575U, key[1] ^ 0x646f72616e646f6dU,
		          key[0] ^ 0x6c7967656e657261U, key[1] ^ 0x7465646279746573U };
	const unsigned char *bytes = (const unsigned char *)text.data;
	size_t whole = text.len / 8 * 8;
	for (size_t i = 0; i <= whole; i += 8) {
		/* The last word is what is left over, with the length in its top byte. */
		uint64_t word = i == whole ? (uint64_t)text.len << 56 : 0;
		size_t count = i == whole ? text.len - whole : 8;
		for (size_t b = 0; b < count; b++)
			word |= (uint64_t)bytes[i + b] << (8 * b);
		v[3] ^= word;
		sip_round(v);
		sip_round(v);
		v[0] ^= word;
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t store_seen_hash(struct store_seen *seen, struct sluice_str text)
{
	if (!seen->keyed) {
		/* Early in a machine's start there may be no random bytes yet; the clock will do.
		 */
		if (getrandom(seen->key, sizeof(seen->key), GRND_NONBLOCK) != sizeof(seen->key)) {
			struct timespec now;
			clock_gettime(CLOCK_REALTIME, &now);
			seen->key[0] = (uint64_t)now.tv_sec ^ (uint64_t)(uintptr_t)seen;
			seen->key[1] = (uint64_t)now.tv_nsec;
		}
		seen->keyed = true;
	}
	return sip_hash(seen->key, text);
}

static size_t slot_of(struct store_seen *seen, enum sluice_store_kind kind, struct sluice_str name)
{
	return (size_t)(store_seen_hash(seen, name) + (uint64_t)kind) & (seen->capacity - 1);
}

static struct sluice_str name_of(const struct store_entry *entry)
{
	return (struct sluice_str){ entry->name, entry->name_len };
}

/* The slot where the name is, or the free one where it would be. */
static size_t find_slot(struct store_seen *seen, enum sluice_store_kind kind,
                        struct sluice_str name)
{
	size_t slot = slot_of(seen, kind, name);
	const struct store_entry *entry;
	while ((entry = seen->slots[slot]) != NULL &&
	       (entry->kind != kind || !sluice_str_equal(name_of(entry), name)))
		slot = (slot + 1) & (seen->capacity - 1);
	return slot;
}

static uint64_t low_bits(int64_t revision)
{
	return (uint64_t)revision & 0xffffffffU;
}

void store_entry_destroy(struct store_entry *entry)
{
	if (entry)
		free(entry->fault);
	free(entry);
}

void store_seen_finish(struct store_seen *seen)
{
	for (size_t i = 0; i < seen->capacity; i++)
		store_entry_destroy(seen->slots[i]);
	free(seen->slots);
	*seen = (struct store_seen){ 0 };
}

struct store_entry *store_seen_get(struct store_seen *seen, enum sluice_store_kind kind,
                                   struct sluice_str name)
{
	return seen->capacity == 0 ? NULL : seen->slots[find_slot(seen, kind, name)];
}

bool store_seen_reserve(struct store_seen *seen, size_t more)
{
	size_t needed = more;
	for (int kind = 0; kind < SLUICE_STORE_KINDS; kind++)
		needed += seen->counts[kind];
	size_t capacity = seen->capacity ? seen->capacity : 16;
	while (capacity / 2 < needed)
		capacity *= 2;
	if (capacity == seen->capacity)
		return true;
	struct store_entry **slots = calloc(capacity, sizeof(struct store_entry *));
	if (!slots)
		return false;
	struct store_entry **old = seen->slots;
	size_t old_capacity = seen->capacity;
	seen->slots = slots;
	seen->capacity = capacity;
	for (size_t i = 0; i < old_capacity; i++) {
		if (old[i])
			slots[find_slot(seen, old[i]->kind, name_of(old[i]))] = old[i];
	}
	free(old);
	return true;
}

struct store_entry *store_entry_create(enum sluice_store_kind kind, struct sluice_str name)
{
	struct store_entry *entry = calloc(1, sizeof(*entry) + name.len + 1);
	if (!entry)
		return NULL;
	entry->kind = kind;
	entry->name_len = (uint32_t)name.len;
	if (name.len > 0)
		memcpy(entry->name, name.data, name.len);
	return entry;
}

void store_seen_put(struct store_seen *seen, struct store_entry *entry)
{
	size_t slot = find_slot(seen, entry->kind, name_of(entry));
	struct store_entry *old = seen->slots[slot];
	if (old) {
		seen->sums[old->kind] -= low_bits(old->revision);
		store_entry_destroy(old);
	} else {
		seen->counts[entry->kind]++;
	}
	seen->sums[entry->kind] += low_bits(entry->revision);
	seen->slots[slot] = entry;
}

void store_seen_revise(struct store_seen *seen, struct store_entry *entry, int64_t revision)
{
	seen->sums[entry->kind] += low_bits(revision) - low_bits(entry->revision);
	entry->revision = revision;
}

void store_seen_remove(struct store_seen *seen, enum sluice_store_kind kind, struct sluice_str name)
{
	if (seen->capacity == 0)
		return;
	size_t hole = find_slot(seen, kind, name);
	struct store_entry *entry = seen->slots[hole];
	if (!entry)
		return;
	seen->counts[kind]--;
	seen->sums[kind] -= low_bits(entry->revision);
	store_entry_destroy(entry);
	seen->slots[hole] = NULL;
	/* Close the gap: whoever probed across the hole to get where it is moves into it. */
	size_t mask = seen->capacity - 1;
	for (size_t slot = (hole + 1) & mask; seen->slots[slot]; slot = (slot + 1) & mask) {
		struct store_entry *next = seen->slots[slot];
		size_t home = slot_of(seen, next->kind, name_of(next));
		if (((slot - home) & mask) >= ((slot - hole) & mask)) {
			seen->slots[hole] = next;
			seen->slots[slot] = NULL;
			hole = slot;
		}
	}
}
