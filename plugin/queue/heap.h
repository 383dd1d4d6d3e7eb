/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A binary heap of nodes that live in what they order: the least key is at its front, a push or a
 * removal takes log2(n) steps, and a node knows where it stands.
 *
 *	nodes  [ 3 ][ 7 ][ 4 ][ 9 ][ 8 ] …   the children of i are 2i + 1 and 2i + 2
 *
 * Keys that only grow, as ids do, are pushed in one step.
 */
#ifndef SLUICE_PLUGIN_QUEUE_HEAP_H
#define SLUICE_PLUGIN_QUEUE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t key;
	size_t index;
};

/* Zeroed memory is an empty heap. */
struct heap {
	struct heap_node **nodes;
	size_t count, capacity;
};

void heap_finish(struct heap *heap);

/* Makes room for so many nodes in all: pushes up to there can't fail. False when out of memory. */
bool heap_reserve(struct heap *heap, size_t count);

/* There must be room. */
void heap_push(struct heap *heap, struct heap_node *node, int64_t key);
void heap_remove(struct heap *heap, struct heap_node *node);

/* NULL when empty. */
static inline struct heap_node *heap_first(const struct heap *heap)
{
	return heap->count > 0 ? heap->nodes[0] : NULL;
}

#endif
