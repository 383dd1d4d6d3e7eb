/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A bounded queue of pointers between exactly two threads: one pushes, the other pops; neither
 * ever waits. Order is kept.
 *
 *	slots  [ . . a b c . . . ]
 *	             ^     ^
 *	             head  tail      head == tail: empty; tail - head == capacity: full
 *
 * head and tail only grow (they wrap with size_t); a slot is its count masked by capacity - 1.
 */
#ifndef SLUICE_PLUGIN_RING_H
#define SLUICE_PLUGIN_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct ring {
	void **slots;
	size_t mask;
	/* Each side writes its own line only, so that the two cores don't take it from each other.
	 */
	_Alignas(64) atomic_size_t head; /* written by the thread that pops */
	_Alignas(64) atomic_size_t tail; /* written by the thread that pushes */
};

/* capacity is a power of two. False when out of memory. */
bool ring_init(struct ring *ring, size_t capacity);
/* What it still holds is the caller's: pop first. */
void ring_finish(struct ring *ring);

/* False when full. The item is not NULL. */
bool ring_push(struct ring *ring, void *item);
/* NULL when empty. */
void *ring_pop(struct ring *ring);
bool ring_empty(const struct ring *ring);

#endif
