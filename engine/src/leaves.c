/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "leaves.h"

#include <stdlib.h>

#include "pages.h"

enum { FIRST_ROOM = 64 };

/* Doubles the room of an array, to at most `limit` items. */
static bool more(void **array, uint32_t *room, uint32_t limit, size_t size)
{
	uint32_t wanted = *room ? *room * 2 : FIRST_ROOM;

	if (wanted > limit)
		wanted = limit;
	void *moved = realloc(*array, wanted * size);
	if (!moved)
		return false;
	*array = moved;
	*room = wanted;
	return true;
}

static bool more_leaves(struct sluice_leaves *leaves)
{
	void *array = leaves->leaves;
	bool grown = more(&array, &leaves->leaf_room, SLUICE_LEAF_ROOM, sizeof(*leaves->leaves));

	leaves->leaves = array;
	return grown;
}

static bool more_elements(struct sluice_leaves *leaves)
{
	void *array = leaves->elements;
	bool grown = more(&array, &leaves->element_room, SLUICE_EVENT_MAX_ELEMENTS,
	                  sizeof(*leaves->elements));

	leaves->elements = array;
	return grown;
}

static bool more_arrays(struct sluice_leaves *leaves)
{
	void *array = leaves->arrays;
	bool grown = more(&array, &leaves->array_room, SLUICE_EVENT_MAX_ELEMENTS,
	                  sizeof(*leaves->arrays));

	leaves->arrays = array;
	return grown;
}

enum sluice_status sluice_leaves_init(struct sluice_leaves *leaves)
{
	*leaves = (struct sluice_leaves){ 0 };
	leaves->text = sluice_arena_create();
	if (leaves->text && more_elements(leaves))
		return SLUICE_OK;
	sluice_leaves_finish(leaves);
	return SLUICE_ERR_NOMEM;
}

void sluice_leaves_finish(struct sluice_leaves *leaves)
{
	free(leaves->leaves);
	free(leaves->elements);
	free(leaves->arrays);
	sluice_pages_free(leaves->places, leaves->place_room * sizeof(*leaves->places));
	sluice_arena_destroy(leaves->text);
	*leaves = (struct sluice_leaves){ 0 };
}

enum sluice_status sluice_leaves_begin(struct sluice_leaves *leaves, uint32_t node_limit)
{
	if (node_limit > leaves->place_room) {
		uint32_t count = leaves->place_room ? leaves->place_room : FIRST_ROOM;
		while (count < node_limit)
			count *= 2;
		struct sluice_place *places =
		        sluice_pages_grow(leaves->places, leaves->place_room * sizeof(*places),
		                          count * sizeof(*places));
		if (!places)
			return SLUICE_ERR_NOMEM;
		leaves->places = places;
		leaves->place_room = count;
	}
	if (++leaves->epoch == 0) {
		memset(leaves->places, 0, leaves->place_room * sizeof(*leaves->places));
		leaves->epoch = 1;
	}
	/* the root, which has no leaf, stands for what is always there */
	leaves->places[0].epoch = leaves->epoch;
	leaves->places[0].bits[SLUICE_BITS_VALUE] = UINT64_MAX;
	leaves->leaf_count = 0;
	leaves->leaf_limit = SLUICE_EVENT_MAX_LEAVES;
	leaves->array_count = 0;
	leaves->element_count = 1;
	leaves->elements[0] = (struct sluice_element){ 0 };
	leaves->overflow = false;
	leaves->out_of_memory = false;
	sluice_arena_reset(leaves->text);
	return SLUICE_OK;
}

bool sluice_leaves_more(struct sluice_leaves *leaves)
{
	if (leaves->leaf_count >= leaves->leaf_limit)
		leaves->overflow = true;
	else if (!more_leaves(leaves))
		leaves->out_of_memory = true;
	else
		return true;
	return false;
}

uint32_t sluice_leaves_add_array(struct sluice_leaves *leaves, struct sluice_path_node *node)
{
	uint32_t id = leaves->array_count;

	if (id >= SLUICE_EVENT_MAX_ELEMENTS) {
		leaves->overflow = true;
		return UINT32_MAX;
	}
	if (id == leaves->array_room && !more_arrays(leaves)) {
		leaves->out_of_memory = true;
		return UINT32_MAX;
	}
	leaves->arrays[id] = (struct sluice_array){ node, leaves->leaf_count, leaves->leaf_count };
	leaves->array_count++;
	return id;
}

uint32_t sluice_leaves_add_element(struct sluice_leaves *leaves, uint32_t parent, uint32_t array)
{
	uint32_t id = leaves->element_count;

	if (id >= SLUICE_EVENT_MAX_ELEMENTS) {
		leaves->overflow = true;
		return UINT32_MAX;
	}
	if (id == leaves->element_room && !more_elements(leaves)) {
		leaves->out_of_memory = true;
		return UINT32_MAX;
	}
	leaves->elements[id] =
	        (struct sluice_element){ parent, array, leaves->leaf_count, leaves->leaf_count };
	leaves->element_count++;
	return id;
}

void sluice_leaves_truncate(struct sluice_leaves *leaves, uint32_t count)
{
	/* No path holds leaves from both sides of `count`: $mqtt's own come first, the payload's
	 * after. */
	for (uint32_t i = count; i < leaves->leaf_count; i++)
		leaves->places[leaves->leaves[i].node->id].epoch = 0;
	leaves->leaf_count = count;
	leaves->element_count = 1;
	leaves->array_count = 0;
}
