/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Small, dense numbers that are handed out and given back: places in a scratch's arrays. A chunk
 * knows of its 4,096 numbers, by a bit each, which were given back and are free; chunks that have
 * such stand in a list, of which the first is asked:
 *
 *	free ── chunk ── chunk ── …     [ words that have a bit ][ word 0 | … | word 63 ][ next ]
 *
 * so that taking and giving back are O(1), but for a chunk's allocation, and a number costs two bits.
 */
#ifndef SLUICE_IDS_H
#define SLUICE_IDS_H

#include <stdbool.h>
#include <stdint.h>

struct sluice_ids_chunk;

/* Zeroed memory is an empty pool. */
struct sluice_ids {
	struct sluice_ids_chunk **chunks; /* owned */
	uint32_t chunk_count, chunk_capacity;
	struct sluice_ids_chunk *free; /* the first that has a number that was given back */
	uint32_t limit;                /* every number handed out is below */
};

void sluice_ids_finish(struct sluice_ids *ids);

/* False when out of memory. Room to give the number back is taken here, so that giving back can't
 * fail. */
bool sluice_ids_take(struct sluice_ids *ids, uint32_t *id);
void sluice_ids_give(struct sluice_ids *ids, uint32_t id);

#endif
