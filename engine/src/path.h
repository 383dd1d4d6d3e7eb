/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The trie of the paths that rules name, one node a segment of the dotted text:
 *
 *	root ── "detail" ── "state"          "detail.state" and {"detail":{"state":…}}
 *	   │         └────── "items" ── "id"   are the same nodes
 *	   └── "$mqtt" ── "topic"
 *
 * A key of an event is cut at its dots and walked segment by segment, so that a path is one place
 * however it is spelled. The children of all nodes stand in one hash table under (parent, segment);
 * a segment is two words and its length:
 *
 *	"site"              head "site\0\0\0\0"   tail 0            len 4
 *	"temperature"       head "temperat"       tail "perature"   len 11
 *	longer than 16      head a hash of it     tail its last 8   and the bytes are compared
 *
 * so a step is one multiplication, one look-up and the comparison of two words, whatever the number
 * of children, and for most keys that no rule names it ends at a filter of 64 bits in the node. A
 * node lives while a rule names it or it has children.
 */
#ifndef SLUICE_PATH_H
#define SLUICE_PATH_H

#include "hash.h"
#include "ids.h"
#include "sluice/types.h"
#include "table.h"

struct sluice_index;

struct sluice_segment {
	struct sluice_str text;
	uint64_t head, tail;
};

struct sluice_path_node {
	struct sluice_path_node *parent;
	uint64_t head, tail;   /* of the segment */
	uint64_t child_filter; /* a bit for each child, or one that was */
	uint64_t child_firsts; /* the same, for what a key that leads to one begins with */
	uint64_t seed;         /* of its children's hashes */
	struct sluice_index
	        *index;   /* what is looked up for a leaf here (index.h); NULL while nothing is */
	uint32_t id;      /* small and dense: the node's place in a scratch */
	uint32_t named;   /* fields of rules that end here */
	uint32_t numbers; /* predicates here that look at a number's value */
	uint32_t children;
	uint32_t segment_len;
	char segment[];
};

struct sluice_path_trie {
	struct sluice_path_node *root; /* the empty path: no segment; never a field */
	struct sluice_table table;
	struct sluice_ids ids;
	size_t bytes;
	/* Another after each node that came or went, and of every trie another: what is known of
	 * nodes elsewhere (spelling.h) holds while it is the same. */
	uint64_t generation;
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

/* Of at most 16 bytes, of which `head` is the first eight (or all, and zeros). */
static inline struct sluice_segment sluice_segment_short(struct sluice_str text, uint64_t head)
{
	return (struct sluice_segment){ text, head,
		                        text.len > 8 ? sluice_word(text.data + text.len - 8) : 0 };
}

static inline struct sluice_segment sluice_segment_of(struct sluice_str text)
{
	if (text.len < 8)
		return sluice_segment_short(text, sluice_word_part(text.data, text.len));
	if (text.len <= 16)
		return sluice_segment_short(text, sluice_word(text.data));
	return sluice_segment_short(text, sluice_hash_text(0, text));
}

static inline uint64_t sluice_segment_hash(const struct sluice_path_node *parent,
                                           const struct sluice_segment *segment)
{
	return sluice_hash_mix(segment->head ^ parent->seed,
	                       segment->tail ^ segment->text.len * SLUICE_HASH_C);
}

/* The filter's bit for a segment: its first byte and its length. */
static inline uint64_t sluice_path_bit(struct sluice_str segment)
{
	unsigned first = segment.len ? (unsigned char)segment.data[0] : 0;

	return UINT64_C(1) << ((first + (unsigned)segment.len * 7) & 63);
}

/* The bit for the byte behind a key's opening quote. */
static inline uint64_t sluice_path_first_bit(unsigned char byte)
{
	return UINT64_C(1) << (byte & 63);
}

/* The child of a node, or NULL. */
static inline struct sluice_path_node *sluice_path_child(const struct sluice_path_trie *trie,
                                                         const struct sluice_path_node *parent,
                                                         const struct sluice_segment *segment)
{
	uint64_t hash = sluice_segment_hash(parent, segment);
	struct sluice_cursor cursor = { 0 };
	struct sluice_path_node *node;

	while ((node = sluice_table_next(&trie->table, hash, &cursor)))
		if (node->head == segment->head && node->tail == segment->tail &&
		    node->parent == parent && node->segment_len == segment->text.len &&
		    (segment->text.len <= 16 ||
		     memcmp(node->segment, segment->text.data, segment->text.len) == 0))
			return node;
	return NULL;
}

#endif
