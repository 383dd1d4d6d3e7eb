/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Predicates, each kept once, and the way from a leaf to the conjunctions that it may complete.
 *
 *	"status" = "error"  ─ one entry, however many rules say so ─ postings: conjunctions to verify
 *
 * A conjunction needs all its fields, so it stands in the postings of one of them only, the one
 * that fewest events will meet (matcher.c chooses); its other predicates are entries without
 * postings, looked at when it is verified. An entry with postings is found from a leaf
 *	by hash      strings, numbers, and their folded kind: one look-up a leaf and kind;
 *	             prefixes and suffixes: one look-up for each length that rules use at this path,
 *	             all from one walk over the string; wildcards so by their literal beginning or end;
 *	             topic filters: one look-up for each shape that rules use at this path ("a/+/b/#":
 *	             three levels, the second open, and a rest); blocks of addresses: one for each
 *	             length;
 *	by order     numeric ranges (ranges.h);
 *	directly     true, false, null, exists;
 *	one by one   anything-but, wildcards with a star at both ends, and those found by one beginning
 *	             or end: each distinct predicate with postings, until it has matched once in this
 *	             event.
 * Adding or removing one is O(its text), plus O(lengths in use) for the first of a new length, or
 * O(log ranges). Worst case for a leaf: its bytes, plus one look-up for each length or shape, plus
 * one try for each predicate of the last kind; what tries may cost an event is bounded by its
 * budget (matcher_internal.h).
 */
#ifndef SLUICE_INDEX_H
#define SLUICE_INDEX_H

#include "leaves.h"
#include "path.h"
#include "predicate.h"
#include "ranges.h"

enum { SLUICE_OP_COUNT = SLUICE_OP_BUT + 1 };

struct sluice_posting {
	struct sluice_conj *conj;
	uint32_t slot; /* which of the conjunction's slots points back here */
};

/* A predicate at a path. */
struct sluice_entry {
	struct sluice_predicate predicate; /* operands stand behind it in the same block */
	struct sluice_path_node *node;
	uint64_t hash;
	size_t bytes;  /* of the block */
	uint32_t refs; /* alternatives of rules that are this */
	uint32_t id;   /* its place in a scratch */
	uint32_t
	        list_at; /* its place in its node's list, or in the matcher's list of ABSENT ones */
	uint32_t posting_count, posting_capacity;
	struct sluice_posting *postings; /* owned */
};

/* Lengths of the prefixes (or suffixes) with postings at a path, ascending. */
struct sluice_length {
	uint32_t length; /* in bytes */
	uint32_t entries;
};

struct sluice_lengths {
	struct sluice_length *list; /* owned */
	uint32_t count, capacity;
};

/* Which lengths: a wildcard's are those of its literal beginning or, where it has none, end. */
enum sluice_affix {
	SLUICE_AFFIX_PREFIX,
	SLUICE_AFFIX_SUFFIX,
	SLUICE_AFFIX_FOLD_PREFIX,
	SLUICE_AFFIX_FOLD_SUFFIX,
	SLUICE_AFFIX_WILD_PREFIX,
	SLUICE_AFFIX_WILD_SUFFIX,
	SLUICE_AFFIX_BLOCK4, /* of addresses; lengths are in bits */
	SLUICE_AFFIX_BLOCK6,
	SLUICE_AFFIX_COUNT,
};

/* Wildcards at one path that begin (or end) in the same text: found together, tried one by one. */
struct sluice_bucket {
	uint64_t hash;
	struct sluice_entry **list; /* owned; never empty */
	uint32_t count, capacity;
};

/* What topic filters look like but for the text of their levels. */
struct sluice_shape {
	uint64_t open;   /* bit i: level i is '+' */
	uint32_t levels; /* without the '#'; at most SLUICE_SHAPE_LEVELS */
	bool rest;       /* ends in '#' */
	uint32_t entries;
};

/* Filters with more levels are tried one by one. */
enum { SLUICE_SHAPE_LEVELS = 64 };

/* What is looked up for a leaf at one path. Owned by the node. */
struct sluice_index {
	uint32_t counts[SLUICE_OP_COUNT]; /* entries with postings */
	struct sluice_lengths lengths[SLUICE_AFFIX_COUNT];
	struct sluice_shape *shapes; /* owned */
	uint32_t shape_count, shape_capacity;
	struct sluice_ranges ranges;
	struct sluice_entry *direct[SLUICE_OP_COUNT]; /* true, false, null, exists */
	struct sluice_entry **list;                   /* owned: the ones to be tried one by one */
	uint32_t list_count, list_capacity;
};

struct sluice_entries {
	struct sluice_table table;   /* all entries, by hash */
	struct sluice_table buckets; /* by the hash of their text */
	struct sluice_ids ids;
	struct sluice_entry **absent; /* owned: {"exists": false} with postings, at any path */
	uint32_t absent_count, absent_capacity;
	size_t bytes;
};

void sluice_entries_finish(struct sluice_entries *entries);

/* The entry of a predicate at a node, made where there is none, with one more in refs. NULL when
 * out of memory. */
struct sluice_entry *sluice_entry_claim(struct sluice_entries *entries,
                                        struct sluice_path_node *node,
                                        const struct sluice_predicate *predicate);
void sluice_entry_release(struct sluice_entries *entries, struct sluice_entry *entry);

/* Appends a posting; *at gets its place. False when out of memory (nothing changed). */
bool sluice_entry_post(struct sluice_entries *entries, struct sluice_entry *entry,
                       struct sluice_posting posting, uint32_t *at);

/*
 * Takes the posting at `at` out. The last one takes its place: when there was one behind, *moved
 * gets it and true is returned, so that the caller can mend its slot.
 */
bool sluice_entry_unpost(struct sluice_entries *entries, struct sluice_entry *entry, uint32_t at,
                         struct sluice_posting *moved);

/*
 * Calls hit() for each entry with postings that matches the leaf, once. Entries that would be tried
 * one by one are tried only where try() says so; cost is about the steps of a try.
 */
struct sluice_probe {
	bool (*try)(struct sluice_probe *probe, const struct sluice_entry *entry, uint32_t leaf,
	            size_t cost);
	void (*hit)(struct sluice_probe *probe, struct sluice_entry *entry, uint32_t leaf);
};
void sluice_index_probe(const struct sluice_entries *entries, const struct sluice_leaf *leaf,
                        uint32_t leaf_id, struct sluice_probe *probe);

#endif
