/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Predicates, each kept once, and the way from a leaf to the conjunctions that it may complete.
 *
 *	"status" = "error"  ─ one entry, however many rules say so ─ postings: conjunctions to look at
 *
 * A conjunction needs all its fields, so it stands in the postings of one of them only, the one
 * that fewest events will meet (choose.c); its other predicates are entries without postings,
 * looked at when it is verified. How an entry is found from a leaf:
 *
 *	by its value     strings, numbers: one look-up a leaf, for every entry, postings or not, so
 *	                 that what is verified later knows which of them the event has
 *	by an affix      prefixes, suffixes, their folded kinds: one look-up for each length that
 *	                 rules use at this path, all from one walk over the string; blocks of
 *	                 addresses: one for each length
 *	by a piece       wildcards: by their literal beginning or end, or by up to four bytes of a
 *	                 piece between stars, looked for at every place of the string; whichever
 *	                 fewest other wildcards are found by. Those found are tried one by one
 *	by its levels    topic filters: one look-up for each shape that rules use at this path
 *	                 ("a/+/b/#": three levels, the second open, and a rest)
 *	by order         numeric ranges (ranges.h)
 *	directly         true, false, null, exists
 *	one by one       anything-but and wildcards without a piece: each with postings
 *
 * but at a path where rules name few values these are known to match it or not (known.h).
 *
 * A posting carries two checks: what other fields of the conjunction must look like, told from a few
 * bits of what the event has there, so that most candidates are dismissed without a look at them:
 *
 *	[ conj | slot | path | path | 64 bits, one of which the value must set | the same … ]
 *	                            [ bounds that the number must be within    ]
 *
 * A value sets a bit by its hash, a string one by its first and one by its last byte too. Where the
 * path's values are known (known.h), the check is what they are known to match. An anything-but of one
 * or two strings has these as entries, and is checked by their ids. Most entries have one posting.
 * Wherever entries stand in a list their checks stand beside them (sluice_lead), so that where they
 * fail the entry is not looked at either.
 *
 * Adding or removing an entry is O(its text), plus O(lengths in use) for the first of a new length.
 * Worst case for a leaf: its bytes for each length of pieces, plus one look-up for each length or
 * shape, plus one try for each predicate that a piece finds or nothing does; what tries may cost an
 * event is bounded by its budget (matcher_internal.h).
 */
#ifndef SLUICE_INDEX_H
#define SLUICE_INDEX_H

#include "known.h"
#include "leaves.h"
#include "path.h"
#include "predicate.h"
#include "ranges.h"

enum { SLUICE_OP_COUNT = SLUICE_OP_BUT + 1 };

/* What a check looks at: one of sluice_place.bits, or the number, or the address that stands in its
 * place. The kind is in the upper bits of a check, a path's id below. */
enum sluice_check {
	SLUICE_CHECK_VALUE = SLUICE_BITS_VALUE,
	SLUICE_CHECK_FIRST = SLUICE_BITS_FIRST,
	SLUICE_CHECK_LAST = SLUICE_BITS_LAST,
	SLUICE_CHECK_RANGE = SLUICE_BITS_COUNT,
	SLUICE_CHECK_BLOCK,
	SLUICE_CHECK_KNOWN,
	SLUICE_CHECK_NONE_OF,
};
enum { SLUICE_CHECK_SHIFT = 29 };
#define SLUICE_CHECK_PATHS (UINT32_C(1) << SLUICE_CHECK_SHIFT)
/* There is nothing to check: the root's value, which sets all bits. */
#define SLUICE_CHECK_NOTHING 0

/* An anything-but of at most so many values has a check: there is no room for more. */
enum { SLUICE_CHECK_VALUES = 2 };

/* What a check holds against what it looks at. */
union sluice_operand {
	uint64_t bits; /* some leaf must set one of these */
	struct {
		float lower, upper; /* rounded outwards, both inclusive */
	} range;
	struct {
		uint32_t mask, bits; /* of sluice_key_address */
	} block;
	const struct sluice_entry *entry;     /* what the value must match, if that is known */
	uint32_t values[SLUICE_CHECK_VALUES]; /* the ids of entries of which the value is none */
};

static inline union sluice_operand sluice_operand_of_nothing(void)
{
	return (union sluice_operand){ .bits = UINT64_MAX };
}

/* The checks of a posting; where there is only one, or none, the rest are SLUICE_CHECK_NOTHING. */
enum { SLUICE_CHECKS = 2 };
struct sluice_checks {
	uint32_t what[SLUICE_CHECKS]; /* enum sluice_check, and the id of a path */
	union sluice_operand operand[SLUICE_CHECKS];
};

struct sluice_posting {
	struct sluice_conj *conj;
	uint32_t slot; /* which of the conjunction's slots points back here */
	struct sluice_checks checks;
};

/* A predicate at a path. What an event looks at comes first. */
struct sluice_entry {
	uint64_t hash;
	struct sluice_path_node *node;
	uint32_t id; /* its place in a scratch */
	uint32_t posting_count;
	union {
		struct sluice_posting posting; /* the only one */
		struct {
			struct sluice_posting *list; /* owned */
			uint32_t capacity;
		} postings; /* where there were ever several */
	};
	uint32_t refs : 31;   /* alternatives of rules that are this */
	uint32_t several : 1; /* `postings` is in use */
	uint16_t text_len;
	uint16_t op : 5;        /* enum sluice_operator */
	uint16_t whole : 1;     /* it is not its text alone */
	uint16_t known_at : 10; /* its row or column in its path's known values */
	/* Its text; or a struct sluice_predicate, as much of it as the operator uses, and behind that
	 * what it points to. Of a predicate that stands in a list (its node's, its bucket, that of
	 * ABSENT ones) list_at is its place there. */
	_Alignas(uint64_t) char predicate[];
};

/* Whether the check lets an event pass. It may err on that side. */
static inline bool sluice_check_passes(const struct sluice_leaves *leaves, uint32_t check,
                                       union sluice_operand operand)
{
	const struct sluice_place *place = &leaves->places[check & (SLUICE_CHECK_PATHS - 1)];
	uint32_t kind = check >> SLUICE_CHECK_SHIFT;

	if (place->epoch != leaves->epoch)
		return false;
	if (kind < SLUICE_BITS_COUNT)
		return (place->bits[kind] & operand.bits) != 0;
	if (kind == SLUICE_CHECK_RANGE)
		return !((place->number < (double)operand.range.lower) |
		         (place->number > (double)operand.range.upper));
	if (kind == SLUICE_CHECK_KNOWN)
		return !place->known || operand.entry->known_at == SLUICE_NOT_KNOWN ||
		       sluice_known_has(place->known, operand.entry->known_at);
	if (kind == SLUICE_CHECK_NONE_OF)
		return place->first != place->last ||
		       (place->value != operand.values[0] && place->value != operand.values[1]);
	if (place->number != place->number) /* not told: there are several */
		return true;
	return place->number >= 0 && place->number <= (double)UINT32_MAX &&
	       ((uint32_t)place->number & operand.block.mask) == operand.block.bits;
}

static inline bool sluice_checks_pass(const struct sluice_leaves *leaves,
                                      const struct sluice_checks *checks)
{
	return sluice_check_passes(leaves, checks->what[0], checks->operand[0]) &&
	       sluice_check_passes(leaves, checks->what[1], checks->operand[1]);
}

static inline const struct sluice_posting *sluice_entry_postings(const struct sluice_entry *entry)
{
	return entry->several ? entry->postings.list : &entry->posting;
}

static inline struct sluice_str sluice_entry_text(const struct sluice_entry *entry)
{
	return (struct sluice_str){ entry->predicate, entry->text_len };
}

/* The predicate of an entry that is `whole`. */
static inline struct sluice_predicate *sluice_entry_whole(const struct sluice_entry *entry)
{
	return (struct sluice_predicate *)(void *)(uintptr_t)entry->predicate;
}

/* The predicate of any entry; `room` is for one that is not there as such. */
static inline const struct sluice_predicate *sluice_entry_predicate(
        const struct sluice_entry *entry, struct sluice_predicate *room)
{
	if (entry->whole)
		return sluice_entry_whole(entry);
	room->op = (enum sluice_operator)entry->op;
	room->text = sluice_entry_text(entry);
	return room;
}

static inline bool sluice_entry_matches(const struct sluice_entry *entry,
                                        const struct sluice_value *value)
{
	struct sluice_predicate room;

	return sluice_predicate_matches(sluice_entry_predicate(entry, &room), value);
}

/* An entry in a list, with the checks of its posting while it has only one. */
struct sluice_lead {
	struct sluice_entry *entry;
	struct sluice_checks checks;
};

static inline struct sluice_lead sluice_lead_to(struct sluice_entry *entry)
{
	struct sluice_lead lead = { .entry = entry };

	for (int i = 0; i < SLUICE_CHECKS; i++)
		lead.checks.operand[i] = sluice_operand_of_nothing();
	if (!entry->several)
		lead.checks = entry->posting.checks;
	return lead;
}

/* Lengths of the prefixes (or suffixes …) with postings at a path, ascending. */
struct sluice_length {
	uint32_t length; /* in bytes; of blocks in bits */
	uint32_t entries;
};

struct sluice_lengths {
	struct sluice_length *list; /* owned */
	uint32_t count, capacity;
	struct sluice_filter filter; /* of the hashes of what has these lengths */
};

enum sluice_affix {
	SLUICE_AFFIX_PREFIX,
	SLUICE_AFFIX_SUFFIX,
	SLUICE_AFFIX_FOLD_PREFIX,
	SLUICE_AFFIX_FOLD_SUFFIX,
	SLUICE_AFFIX_WILD_PREFIX,
	SLUICE_AFFIX_WILD_SUFFIX,
	SLUICE_AFFIX_WILD_INNER,
	SLUICE_AFFIX_BLOCK4,
	SLUICE_AFFIX_BLOCK6,
	SLUICE_AFFIX_COUNT,
	SLUICE_AFFIX_NONE = SLUICE_AFFIX_COUNT,
};

/* The longest piece of a wildcard that is looked for at every place of a string. */
enum { SLUICE_INNER_BYTES = 4 };

/* Of the inner pieces at a path, to look up few that are not there. */
enum { SLUICE_INNER_FILTER_BITS = 15 };

/* Wildcards that one piece finds (or several, whose hashes are the same: they are tried anyway). */
struct sluice_bucket {
	uint64_t hash;
	struct sluice_lead *list; /* owned; never empty */
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

/* What is looked up for a leaf at one path. Owned by the node, while it has entries. */
struct sluice_index {
	uint32_t probes; /* bits of operators: those that sluice_index_probe must look for */
	uint32_t claimed[SLUICE_OP_COUNT]; /* entries */
	uint32_t counts[SLUICE_OP_COUNT];  /* entries with postings */
	uint32_t entries;                  /* the sum of claimed */
	struct sluice_lengths lengths[SLUICE_AFFIX_COUNT];
	uint64_t *inner_filter;      /* owned: 2^SLUICE_INNER_FILTER_BITS bits, or NULL */
	struct sluice_shape *shapes; /* owned */
	uint32_t shape_count, shape_capacity;
	struct sluice_ranges ranges;
	struct sluice_known known;
	struct sluice_span span; /* of the bounds of ranges, claimed ones too */
	struct sluice_entry *direct[SLUICE_OP_COUNT]; /* true, false, null, exists */
	struct sluice_lead *list;                     /* owned: the ones to be tried one by one */
	uint32_t list_count, list_capacity;
};

struct sluice_entries {
	struct sluice_table table;   /* all entries, by hash */
	struct sluice_table buckets; /* by hash */
	struct sluice_table cells;   /* of ranges, by hash */
	struct sluice_ids ids;
	struct sluice_lead *absent; /* owned: {"exists": false} with postings, at any path */
	uint32_t absent_count, absent_capacity;
	size_t bytes;
};

void sluice_entries_init(struct sluice_entries *entries);
void sluice_entries_finish(struct sluice_entries *entries);

/* The entry of a predicate at a node, made where there is none, with one more in refs. NULL when
 * out of memory. */
struct sluice_entry *sluice_entry_claim(struct sluice_entries *entries,
                                        struct sluice_path_node *node,
                                        const struct sluice_predicate *predicate);
/* The same where there is one, which it does not claim; else NULL. */
struct sluice_entry *sluice_entry_find(const struct sluice_entries *entries,
                                       const struct sluice_path_node *node,
                                       const struct sluice_predicate *predicate);
void sluice_entry_release(struct sluice_entries *entries, struct sluice_entry *entry);

/* Whether the operands of an anything-but have entries of their own, for a check by them: strings, no
 * more than it has room for. (For the sake of numbers every number there would be looked up.) */
static inline bool sluice_entry_keeps_operands(const struct sluice_predicate *predicate)
{
	return predicate->op == SLUICE_OP_BUT && predicate->but.count <= SLUICE_CHECK_VALUES &&
	       predicate->but.list[0].op == SLUICE_OP_STRING &&
	       predicate->but.list[predicate->but.count - 1].op == SLUICE_OP_STRING;
}

/* Appends a posting; *at gets its place. False when out of memory (nothing changed). */
bool sluice_entry_post(struct sluice_entries *entries, struct sluice_entry *entry,
                       struct sluice_posting posting, uint32_t *at);

/*
 * Takes the posting at `at` out. The last one takes its place: when there was one behind, *moved
 * gets it and true is returned, so that the caller can mend its slot.
 */
bool sluice_entry_unpost(struct sluice_entries *entries, struct sluice_entry *entry, uint32_t at,
                         struct sluice_posting *moved);

/* The wildcards that the piece of this hash finds, or NULL. */
struct sluice_bucket *sluice_bucket_find(const struct sluice_entries *entries, uint64_t hash);

/* Whether the entry is found by its value: then an event's leaves are known to be it or not. */
static inline bool sluice_entry_is_value(const struct sluice_entry *entry)
{
	return entry->op <= SLUICE_OP_NULL;
}

/* The bit that a leaf of this hash sets. */
static inline uint64_t sluice_bit_of_hash(uint64_t hash)
{
	return UINT64_C(1) << (hash >> 58);
}

/* The bit that a text sets which begins (or ends) in this byte. Folded texts set the same, so case is
 * no matter, and what is not ASCII may fold to anything: it sets all. */
static inline uint64_t sluice_bit_of_byte(char byte)
{
	return byte & 0x80 ? UINT64_MAX : UINT64_C(1) << ((byte | 0x20) & 63);
}

/* The hash that stands for true, false or null at a path. */
static inline uint64_t sluice_literal_hash(const struct sluice_path_node *node,
                                           enum sluice_operator op)
{
	return sluice_hash_close(node->seed, 0, UINT64_C(1) << 32 | op);
}

/*
 * A search for the entries that the leaves of an event match. Look-ups are asked for by many at a
 * time, so that their cache misses overlap.
 *
 * hit() is called for each entry and leaf, perhaps more than once, and says whether the leaf is the
 * first that matches the entry. Entries that must be tried are
 * tried only where may_try() says so; cost is about the steps of a try. spend() is told of steps
 * beside these, and says whether to go on. Folded texts take memory from `text`.
 */
struct sluice_query {
	uint64_t hash;
	struct sluice_str part; /* what the operand must be; not of all kinds */
	uint32_t leaf;
	uint8_t kind; /* an operator, or SLUICE_QUERY_BUCKET */
	void *found;  /* the first that its hash leads to */
	struct sluice_cursor cursor;
};

enum { SLUICE_QUERIES = 48, SLUICE_QUERY_BUCKET = SLUICE_OP_COUNT };

struct sluice_probe {
	bool (*may_try)(struct sluice_probe *probe, const struct sluice_entry *entry, size_t cost);
	bool (*hit)(struct sluice_probe *probe, struct sluice_entry *entry, uint32_t leaf);
	bool (*spend)(struct sluice_probe *probe, size_t steps);
	const struct sluice_entries *entries;
	struct sluice_leaves *leaves;
	bool out_of_memory;
	uint32_t query_count;
	struct sluice_query queries[SLUICE_QUERIES];
};

/* Looks all leaves up, and notes at their places what checks look at. */
void sluice_index_probe(struct sluice_probe *probe);

#endif
