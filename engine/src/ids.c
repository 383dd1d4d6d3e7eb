/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "ids.h"

#include <stdlib.h>

enum { WORDS = 64, CHUNK = WORDS * 64 };

struct sluice_ids_chunk {
	uint64_t some; /* a bit for each word that has one */
	uint64_t words[WORDS];
	uint32_t begin; /* its first number */
	struct sluice_ids_chunk *next;
};

void sluice_ids_finish(struct sluice_ids *ids)
{
	for (uint32_t i = 0; i < ids->chunk_count; i++)
		free(ids->chunks[i]);
	free(ids->chunks);
	*ids = (struct sluice_ids){ 0 };
}

static bool add_chunk(struct sluice_ids *ids)
{
	if (ids->chunk_count == ids->chunk_capacity) {
		uint32_t capacity = ids->chunk_capacity ? ids->chunk_capacity * 2 : 1;
		struct sluice_ids_chunk **chunks =
		        realloc(ids->chunks, capacity * sizeof(struct sluice_ids_chunk *));
		if (!chunks)
			return false;
		ids->chunks = chunks;
		ids->chunk_capacity = capacity;
	}
	struct sluice_ids_chunk *chunk = calloc(1, sizeof(*chunk));
	if (!chunk)
		return false;
	chunk->begin = ids->chunk_count * CHUNK;
	ids->chunks[ids->chunk_count++] = chunk;
	return true;
}

bool sluice_ids_take(struct sluice_ids *ids, uint32_t *id)
{
	struct sluice_ids_chunk *chunk = ids->free;

	if (chunk) {
		unsigned word = (unsigned)__builtin_ctzll(chunk->some);
		unsigned bit = (unsigned)__builtin_ctzll(chunk->words[word]);
		chunk->words[word] &= chunk->words[word] - 1;
		if (!chunk->words[word])
			chunk->some &= chunk->some - 1;
		if (!chunk->some)
			ids->free = chunk->next;
		*id = chunk->begin + word * 64 + bit;
		return true;
	}
	if (ids->limit / CHUNK >= ids->chunk_count && !add_chunk(ids))
		return false;
	*id = ids->limit++;
	return true;
}

void sluice_ids_give(struct sluice_ids *ids, uint32_t id)
{
	struct sluice_ids_chunk *chunk = ids->chunks[id / CHUNK];
	unsigned word = id % CHUNK / 64;

	if (!chunk->some) {
		chunk->next = ids->free;
		ids->free = chunk;
	}
	chunk->some |= UINT64_C(1) << word;
	chunk->words[word] |= UINT64_C(1) << id % 64;
}
