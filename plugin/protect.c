/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "protect.h"

#include <stdlib.h>

struct protect_entry {
	struct protect_entry *next;
	uint64_t hash;
	size_t count;
	size_t len;
	char text[];
};

/* FNV-1a, because it grows with the topic: one pass gives the hash at every '/'. */
static const uint64_t HASH_START = UINT64_C(0xcbf29ce484222325);

static uint64_t hash_step(uint64_t hash, char byte)
{
	return (hash ^ (unsigned char)byte) * UINT64_C(0x100000001b3);
}

static uint64_t hash_of(struct sluice_str text)
{
	uint64_t hash = HASH_START;
	for (size_t i = 0; i < text.len; i++)
		hash = hash_step(hash, text.data[i]);
	return hash;
}

/* The link that points to the entry of this text, or to NULL where it would stand. */
static struct protect_entry **find(const struct protect *protect, uint64_t hash,
                                   struct sluice_str text)
{
	struct protect_entry **link = &protect->slots[hash & (protect->slot_count - 1)];
	while (*link && ((*link)->hash != hash || (*link)->len != text.len ||
	                 memcmp((*link)->text, text.data, text.len) != 0))
		link = &(*link)->next;
	return link;
}

static bool grow(struct protect *protect)
{
	size_t slot_count = protect->slot_count ? protect->slot_count * 2 : 64;
	struct protect_entry **slots = calloc(slot_count, sizeof *slots);
	if (!slots)
		return false;
	for (size_t i = 0; i < protect->slot_count; i++) {
		struct protect_entry *next;
		for (struct protect_entry *entry = protect->slots[i]; entry; entry = next) {
			next = entry->next;
			entry->next = slots[entry->hash & (slot_count - 1)];
			slots[entry->hash & (slot_count - 1)] = entry;
		}
	}
	free(protect->slots);
	protect->slots = slots;
	protect->slot_count = slot_count;
	return true;
}

void protect_finish(struct protect *protect)
{
	for (size_t i = 0; i < protect->slot_count; i++) {
		struct protect_entry *next;
		for (struct protect_entry *entry = protect->slots[i]; entry; entry = next) {
			next = entry->next;
			free(entry);
		}
	}
	free(protect->slots);
	*protect = (struct protect){ 0 };
}

bool protect_add(struct protect *protect, struct sluice_str beginning)
{
	if (beginning.len == 0)
		return true;
	if (protect->count >= protect->slot_count && !grow(protect))
		return false;
	uint64_t hash = hash_of(beginning);
	struct protect_entry **link = find(protect, hash, beginning);
	if (*link) {
		(*link)->count++;
		return true;
	}
	struct protect_entry *entry = malloc(sizeof *entry + beginning.len);
	if (!entry)
		return false;
	*entry = (struct protect_entry){ .hash = hash, .count = 1, .len = beginning.len };
	memcpy(entry->text, beginning.data, beginning.len);
	*link = entry;
	protect->count++;
	return true;
}

void protect_remove(struct protect *protect, struct sluice_str beginning)
{
	if (beginning.len == 0 || protect->slot_count == 0)
		return;
	struct protect_entry **link = find(protect, hash_of(beginning), beginning);
	struct protect_entry *entry = *link;
	if (!entry || --entry->count > 0)
		return;
	*link = entry->next;
	free(entry);
	protect->count--;
}

bool protect_owns(const struct protect *protect, struct sluice_str topic)
{
	if (protect->slot_count == 0)
		return false;
	uint64_t hash = HASH_START;
	for (size_t i = 0; i < topic.len; i++) {
		hash = hash_step(hash, topic.data[i]);
		bool ends = topic.data[i] == '/' || i + 1 == topic.len;
		if (ends && *find(protect, hash, (struct sluice_str){ topic.data, i + 1 }))
			return true;
	}
	return false;
}
