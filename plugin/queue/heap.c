/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "heap.h"

#include <assert.h>
#include <stdlib.h>

void heap_finish(struct heap *heap)
{
	free(heap->nodes);
	*heap = (struct heap){ 0 };
}

bool heap_reserve(struct heap *heap, size_t count)
{
	if (count <= heap->capacity)
		return true;
	size_t capacity = heap->capacity ? heap->capacity : 16;
	while (capacity < count)
		capacity *= 2;
	struct heap_node **nodes = realloc(heap->nodes, capacity * sizeof(struct heap_node *));
	if (!nodes)
		return false;
	heap->nodes = nodes;
	heap->capacity = capacity;
	return true;
}

static void put(struct heap *heap, size_t index, struct heap_node *node)
{
	heap->nodes[index] = node;
	node->index = index;
}

/* Moves a node towards the front, from an index where it may stand too far back. */
static size_t rise(struct heap *heap, size_t index, struct heap_node *node)
{
	while (index > 0) {
		size_t parent = (index - 1) / 2;
		if (heap->nodes[parent]->key <= node->key)
			break;
		put(heap, index, heap->nodes[parent]);
		index = parent;
	}
	put(heap, index, node);
	return index;
}

static void sink(struct heap *heap, size_t index, struct heap_node *node)
{
	for (;;) {
		size_t child = index * 2 + 1;
		if (child >= heap->count)
			break;
		if (child + 1 < heap->count &&
		    heap->nodes[child + 1]->key < heap->nodes[child]->key)
			child++;
		if (node->key <= heap->nodes[child]->key)
			break;
		put(heap, index, heap->nodes[child]);
		index = child;
	}
	put(heap, index, node);
}

void heap_push(struct heap *heap, struct heap_node *node, int64_t key)
{
	assert(heap->count < heap->capacity);
	node->key = key;
	rise(heap, heap->count++, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
	assert(node->index < heap->count && heap->nodes[node->index] == node);
	size_t index = node->index;
	struct heap_node *last = heap->nodes[--heap->count];
	if (last != node && rise(heap, index, last) == index)
		sink(heap, index, last);
}
