/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What the scan of one event leaves behind: the leaves at paths that rules name, in the order of
 * the text, and the array elements that they stand in.
 *
 *	{"site":"b", "items":[ {"id":1}, 7, {"id":2,"tags":[{"k":"x"}]} ]}
 *
 *	leaves    0 site="b"  1 items.id=1  2 items=7  3 items.id=2  4 items.tags.k="x"
 *	elements  0 (the event)   1 = items[0]: leaf 1   2 = items[2]: leaves 3, 4   3 = tags[0]: leaf 4
 *	arrays    0 items: leaves 1 to 4, in element 0    1 tags: leaf 4, in element 2
 *	places    path node → its leaves, linked in the order of the text
 *
 * An element is an object or an array that stands in an array; a scalar in an array belongs to what
 * encloses the array. Elements and arrays come into being with their first leaf, parents first, so
 * that what holds no leaf costs nothing, and the leaves below one are a contiguous run. The memory
 * grows to what the largest event needed, and stays.
 */
#ifndef SLUICE_LEAVES_H
#define SLUICE_LEAVES_H

#include <math.h>
#include <stdbool.h>

#include "arena.h"
#include "path.h"
#include "predicate.h"
#include "sluice/matcher.h"

#define SLUICE_NO_LEAF UINT32_MAX

/* The limit each for $mqtt and for the payload's fields, and $mqtt.payload. */
enum { SLUICE_LEAF_ROOM = SLUICE_EVENT_MAX_LEAVES * 2 + 1 };

struct sluice_leaf {
	struct sluice_value value;
	struct sluice_path_node *node;
	uint32_t element; /* the innermost that it stands in; 0 = none but the event */
	uint32_t next;    /* the next leaf at the same path, or SLUICE_NO_LEAF */
	const struct sluice_known_row *known; /* what it matches; NULL: it is to be looked up */
};

struct sluice_element {
	uint32_t parent;     /* the element around its array */
	uint32_t array;      /* the array that it is in */
	uint32_t first, end; /* its leaves: [first, end) */
};

struct sluice_array {
	struct sluice_path_node *node; /* its path */
	uint32_t first, end;           /* leaves below its elements: [first, end) */
};

/* Each leaf at a path sets a bit in these: by the hash of its value, and, a string, by its first and
 * by its last byte. */
enum { SLUICE_BITS_VALUE, SLUICE_BITS_FIRST, SLUICE_BITS_LAST, SLUICE_BITS_COUNT };

/* What an event has at a path: its leaves, and what the checks of candidates look at (index.h). */
struct sluice_place {
	uint64_t bits[SLUICE_BITS_COUNT];
	double number;  /* about the one number there, or, where rules ask for blocks of addresses,
	                   what stands for an address; NaN when it can't be told, +inf when none */
	uint32_t epoch; /* the event this is about; of another event: nothing is here */
	uint32_t first, last;
	uint32_t value; /* the entry that is the value of the only leaf; UINT32_MAX: none is */
	const struct sluice_known_row *known; /* what the only leaf matches; NULL: not known */
	uint64_t unused; /* so that a place is a line of the cache, and found by a shift */
};

struct sluice_leaves {
	struct sluice_leaf *leaves;      /* at most SLUICE_LEAF_ROOM */
	struct sluice_element *elements; /* at most SLUICE_EVENT_MAX_ELEMENTS; [0] is the event */
	struct sluice_array *arrays;     /* at most SLUICE_EVENT_MAX_ELEMENTS */
	struct sluice_place *places;     /* by path node id */
	uint32_t leaf_room, element_room, array_room, place_room;
	uint32_t leaf_count, element_count, array_count;
	uint32_t leaf_limit; /* leaf_count may not pass it */
	uint32_t epoch;
	bool overflow;             /* a leaf, element or array past the limit */
	bool out_of_memory;        /* something found no memory: the event can't be matched */
	struct sluice_arena *text; /* decoded strings, base64 */
};

enum sluice_status sluice_leaves_init(struct sluice_leaves *leaves);
void sluice_leaves_finish(struct sluice_leaves *leaves);

/* Begins an event: empties everything, with room for the places of node_limit path nodes. Allocates
 * only when there are more than before. */
enum sluice_status sluice_leaves_begin(struct sluice_leaves *leaves, uint32_t node_limit);

/* Makes room for one more leaf; false when there is none (`overflow` or `out_of_memory`). */
bool sluice_leaves_more(struct sluice_leaves *leaves);

/* Adds a leaf at the node, whose value the caller fills in. NULL when there is no room. */
static inline struct sluice_leaf *sluice_leaves_add(struct sluice_leaves *leaves,
                                                    struct sluice_path_node *node, uint32_t element)
{
	struct sluice_place *place = &leaves->places[node->id];
	uint32_t id = leaves->leaf_count;

	if ((id >= leaves->leaf_limit || id == leaves->leaf_room) && !sluice_leaves_more(leaves))
		return NULL;
	leaves->leaf_count++;
	struct sluice_leaf *leaf = &leaves->leaves[id];
	leaf->node = node;
	leaf->element = element;
	leaf->next = SLUICE_NO_LEAF;
	leaf->known = NULL;
	if (place->epoch != leaves->epoch)
		*place = (struct sluice_place){
			.number = HUGE_VAL, .epoch = leaves->epoch, .first = id, .value = UINT32_MAX
		};
	else
		leaves->leaves[place->last].next = id;
	place->last = id;
	return leaf;
}

/* A new array or element; UINT32_MAX (and `overflow` or `out_of_memory`) when there is no room. */
uint32_t sluice_leaves_add_array(struct sluice_leaves *leaves, struct sluice_path_node *node);
uint32_t sluice_leaves_add_element(struct sluice_leaves *leaves, uint32_t parent, uint32_t array);

/* Forgets all leaves from `count` on, with all elements and arrays: a payload that is not to be
 * matched. */
void sluice_leaves_truncate(struct sluice_leaves *leaves, uint32_t count);

/* The first leaf at the path node of this id, or SLUICE_NO_LEAF. */
static inline uint32_t sluice_leaves_first_at(const struct sluice_leaves *leaves, uint32_t path)
{
	const struct sluice_place *place = &leaves->places[path];
	return place->epoch == leaves->epoch ? place->first : SLUICE_NO_LEAF;
}

static inline uint32_t sluice_leaves_first(const struct sluice_leaves *leaves,
                                           const struct sluice_path_node *node)
{
	return sluice_leaves_first_at(leaves, node->id);
}

/*
 * For explain: the leaves that the last sluice_match with this scratch recorded, and the first of
 * them at a dotted path (SLUICE_NO_LEAF when there is none, or the payload was not matched). Valid
 * until the scratch is used again or the matcher changes.
 */
const struct sluice_leaves *sluice_scratch_leaves(const struct sluice_scratch *scratch);
uint32_t sluice_scratch_first_leaf(const struct sluice_scratch *scratch,
                                   const struct sluice_matcher *matcher, struct sluice_str path);

#endif
