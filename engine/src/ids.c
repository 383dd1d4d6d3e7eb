/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "ids.h"

#include <stdlib.h>

enum { CHUNK = 1 << SLUICE_IDS_CHUNK_BITS };

void sluice_ids_finish(struct sluice_ids *ids)
{
	for (uint32_t i = 0; i < ids->chunk_count; i++)
		free(ids->chunks[i]);
	free(ids->chunks);
	*ids = (struct sluice_ids){ 0 };
}

static uint32_t *place(struct sluice_ids *ids, uint32_t at)
{
	return &ids->chunks[at >> SLUICE_IDS_CHUNK_BITS][at % CHUNK];
}

static bool add_chunk(struct sluice_ids *ids)
{
	if (ids->chunk_count == ids->chunk_capacity) {
		uint32_t capacity = ids->chunk_capacity ? ids->chunk_capacity * 2 : 1;
		uint32_t **chunks = realloc(ids->chunks, capacity * sizeof(uint32_t *));
		if (!chunks)
			return false;
		ids->chunks = chunks;
		ids->chunk_capacity = capacity;
	}
	ids->chunks[ids->chunk_count] = malloc(CHUNK * sizeof(uint32_t));
	if (!ids->chunks[ids->chunk_count])
		return false;
	ids->chunk_count++;
	return true;
}

bool sluice_ids_take(struct sluice_ids *ids, uint32_t *id)
{
	if (ids->free_count) {
		*id = *place(ids, --ids->free_count);
		return true;
	}
	if (ids->limit >> SLUICE_IDS_CHUNK_BITS >= ids->chunk_count && !add_chunk(ids))
		return false;
	*id = ids->limit++;
	return true;
}

void sluice_ids_give(struct sluice_ids *ids, uint32_t id)
{
	*place(ids, ids->free_count++) = id;
}
