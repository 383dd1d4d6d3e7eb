/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The trie of the paths that rules name, one node a segment of the dotted text:
 *
 *	root ── "detail" ── "state"          "detail.state" and {"detail":{"state":…}}
 *	   │         └────── "items" ── "id"   are the same nodes
 *	   └── "$mqtt" ── "topic"
 *
 * A key of an event is cut at its dots and walked segment by segment, so that a path is one place
 * however it is spelled. The children of all nodes stand in one hash table under (parent, segment):
 * a step costs O(segment), whatever the number of children, and for most keys that no rule names it
 * ends at a filter of 64 bits in the node. A node lives while a rule names it or it has children.
 */
#ifndef SLUICE_PATH_H
#define SLUICE_PATH_H

#include "ids.h"
#include "sluice/types.h"
#include "table.h"

struct sluice_index;

struct sluice_path_node {
	struct sluice_path_node *parent;
	uint64_t hash;  /* of parent and segment */
	uint32_t id;    /* small and dense: the node's place in a scratch */
	uint32_t named; /* fields of rules that end here */
	uint32_t children;
	uint64_t child_filter; /* a bit for what each child, or one that was, begins with */
	uint32_t segment_len;
	struct sluice_index
	        *index; /* what is looked up for a leaf here (index.h); NULL while nothing is */
	char segment[];
};

struct sluice_path_trie {
	struct sluice_path_node *root; /* the empty path: no segment; never a field */
	struct sluice_table table;
	struct sluice_ids ids;
	size_t bytes;
};

enum sluice_status sluice_path_trie_init(struct sluice_path_trie *trie);

/* All nodes but the root must have been released. */
void sluice_path_trie_finish(struct sluice_path_trie *trie);

/* The node of a dotted path, made where there is none, with one more in `named`. NULL when out of
 * memory. */
struct sluice_path_node *sluice_path_claim(struct sluice_path_trie *trie, struct sluice_str path);

/* Takes one from `named`; frees the node, and its parents, where nothing is left. */
void sluice_path_release(struct sluice_path_trie *trie, struct sluice_path_node *node);

/*
 * The node below `from` that the key (or dotted path) leads to, or NULL when no rule names anything
 * there. Allocates nothing.
 */
struct sluice_path_node *sluice_path_walk(const struct sluice_path_trie *trie,
                                          const struct sluice_path_node *from,
                                          struct sluice_str key);

#endif
