/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "ring.h"

#include <assert.h>
#include <stdlib.h>

bool ring_init(struct ring *ring, size_t capacity)
{
	assert(capacity > 0 && (capacity & (capacity - 1)) == 0);
	ring->slots = calloc(capacity, sizeof *ring->slots);
	ring->mask = capacity - 1;
	atomic_init(&ring->head, 0);
	atomic_init(&ring->tail, 0);
	return ring->slots != NULL;
}

void ring_finish(struct ring *ring)
{
	free(ring->slots);
	ring->slots = NULL;
}

bool ring_push(struct ring *ring, void *item)
{
	assert(item);
	size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	/* acquire: the slot was read by the other side before it moved head past it. */
	if (tail - atomic_load_explicit(&ring->head, memory_order_acquire) > ring->mask)
		return false;
	ring->slots[tail & ring->mask] = item;
	/* release: what the item points to is seen by whoever sees the new tail. */
	atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
	return true;
}

void *ring_pop(struct ring *ring)
{
	size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	if (head == atomic_load_explicit(&ring->tail, memory_order_acquire))
		return NULL;
	void *item = ring->slots[head & ring->mask];
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
	return item;
}

bool ring_empty(const struct ring *ring)
{
	return atomic_load_explicit(&ring->head, memory_order_relaxed) ==
	       atomic_load_explicit(&ring->tail, memory_order_relaxed);
}
