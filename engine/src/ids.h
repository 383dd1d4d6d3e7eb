/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Small, dense numbers that are handed out and given back: places in a scratch's arrays. Those given
 * back wait on a stack, whose room is taken a chunk at a time, so that no call moves the whole of it.
 */
#ifndef SLUICE_IDS_H
#define SLUICE_IDS_H

#include <stdbool.h>
#include <stdint.h>

enum { SLUICE_IDS_CHUNK_BITS = 10 };

/* Zeroed memory is an empty pool. */
struct sluice_ids {
	uint32_t **chunks; /* owned: the stack of those given back */
	uint32_t chunk_count, chunk_capacity;
	uint32_t free_count;
	uint32_t limit; /* every number handed out is below */
};

void sluice_ids_finish(struct sluice_ids *ids);

/* False when out of memory. Room to give the number back is taken here, so that giving back can't
 * fail. */
bool sluice_ids_take(struct sluice_ids *ids, uint32_t *id);
void sluice_ids_give(struct sluice_ids *ids, uint32_t id);

#endif
