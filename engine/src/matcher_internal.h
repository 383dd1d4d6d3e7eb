/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The matcher's inside, shared by matcher.c (rules come and go), choose.c (where a conjunction is
 * found), match.c (an event) and verify.c (does this conjunction hold).
 *
 *	rule ── clauses     one for each field of its pattern: path node, entries of its alternatives
 *	    └── conjs       one for each conjunction: which clauses, and the postings that lead to it
 *
 * An event goes: record $mqtt, scan the payload (scan.h), look each leaf's value up, probe for what
 * else it matches (index.h), dismiss by its check most of what postings name, verify the rest, each
 * conjunction once. Cost: the payload's bytes, plus the look-ups of the leaves that rules name, plus
 * the candidates, some words each, plus the clauses of those that were not dismissed.
 *
 * The bound. Whatever an event could make grow beyond that — trying predicates one by one on many
 * leaves, looking for leaves that satisfy a clause, choosing array elements that fit together — is
 * charged to a budget that the event gets at its beginning. When it is spent, what is left is
 * undecided: told and counted, and matched by no rule.
 */
#ifndef SLUICE_MATCHER_INTERNAL_H
#define SLUICE_MATCHER_INTERNAL_H

#include "index.h"
#include "leaves.h"
#include "spelling.h"
#include "sluice/matcher.h"

/*
 * Steps of an event: about a compared leaf, 16 bytes of a compared string, or a tried element each.
 * A candidate adds some, and may not spend more than a share, so that one made to hurt does not
 * leave the others undecided.
 */
#define SLUICE_BUDGET               INT64_C(2097152)
#define SLUICE_BUDGET_PER_CANDIDATE 64
#define SLUICE_BUDGET_SHARE         (SLUICE_BUDGET / 2)

enum { SLUICE_META_COUNT = 12 };

/* Candidates that are verified together, so that fetching them overlaps. */
enum { SLUICE_CANDIDATES = 128 };

/* Of the values of an event all are looked up, so for them it is enough to know which. */
enum sluice_clause_kind {
	SLUICE_CLAUSE_NONE, /* no entry: all alternatives are ABSENT */
	SLUICE_CLAUSE_VALUE,
	SLUICE_CLAUSE_ONE,
	SLUICE_CLAUSE_VALUES, /* from here on there are several */
	SLUICE_CLAUSE_SEVERAL,
};

/* An alternative is an entry and its id, which is what most verifying needs: beside each other where
 * it is the only one; else entries in the rule's block, and behind them their ids. */
struct sluice_clause {
	union sluice_operand operand; /* of the check */
	union {
		struct sluice_entry *entry;    /* the only one */
		struct sluice_entry **entries; /* ABSENT ones are left out */
	};
	uint32_t id;    /* of the only entry */
	uint32_t check; /* of the leaves here (index.h) */
	uint32_t path;  /* the id of the node */
	uint16_t entry_count;
	uint8_t kind; /* enum sluice_clause_kind */
	bool absent;  /* {"exists": false} is among the alternatives */
};

static inline struct sluice_entry *const *sluice_clause_entries(const struct sluice_clause *clause)
{
	return clause->kind >= SLUICE_CLAUSE_VALUES ? clause->entries : &clause->entry;
}

static inline const uint32_t *sluice_clause_ids(const struct sluice_clause *clause)
{
	return clause->kind >= SLUICE_CLAUSE_VALUES
	               ? (const uint32_t *)(clause->entries + clause->entry_count)
	               : &clause->id;
}

/* A posting that leads to a conjunction, seen from it. */
struct sluice_conj_slot {
	struct sluice_entry *entry;
	uint32_t at; /* its place in the entry's postings */
};

/* In its rule's block. Most have one slot, and most rules one conjunction, of all clauses. */
struct sluice_conj {
	union {
		struct sluice_entry *entry;     /* of the only slot */
		struct sluice_conj_slot *slots; /* owned */
	};
	union {
		uint32_t at; /* of the only slot */
		uint32_t id; /* where there are several: its place in a scratch */
	};
	uint32_t set_before; /* so many bytes */
	/* so many bytes behind are the numbers of its clauses; 0: it has all, as they stand */
	uint32_t order;
	uint16_t slot_count; /* a pattern's text has no room for so many alternatives */
	uint16_t clause_count : 14;
	bool several : 1; /* `slots` and `id` are in use */
	bool payload : 1; /* names a field of the payload */
};

/*
 * A rule in the matcher: one block, but for slots.
 *
 *	[ rule | clauses | conjunctions | mark | absents | entries and ids of clauses | orders ]
 *	                                  ^ where there are several conjunctions        ^ likewise
 */
struct sluice_rule_set {
	uint64_t id;
	uint16_t clause_count, conj_count;
	uint16_t metadata : 12;
	bool payload : 1; /* any conjunction names a field of the payload */
	bool absents : 1; /* some clause has an ABSENT entry */
	struct sluice_clause clauses[];
};

static inline struct sluice_conj *sluice_set_conjs(const struct sluice_rule_set *set)
{
	return (struct sluice_conj *)(set->clauses + set->clause_count);
}

/* Its place in a scratch, of a rule with several conjunctions. */
static inline uint32_t *sluice_set_mark(const struct sluice_rule_set *set)
{
	return (uint32_t *)(sluice_set_conjs(set) + set->conj_count);
}

static inline struct sluice_rule_set *sluice_conj_set(const struct sluice_conj *conj)
{
	return (struct sluice_rule_set *)((char *)conj - conj->set_before);
}

/* The numbers of its clauses; NULL: it has all of the rule's, as they stand. */
static inline const uint16_t *sluice_conj_order(const struct sluice_conj *conj)
{
	return conj->order ? (const uint16_t *)((const char *)conj + conj->order) : NULL;
}

static inline const struct sluice_clause *sluice_conj_clause(const struct sluice_conj *conj,
                                                             uint16_t i)
{
	const uint16_t *order = sluice_conj_order(conj);

	return &sluice_conj_set(conj)->clauses[order ? order[i] : i];
}

struct sluice_matcher {
	struct sluice_path_trie trie;
	struct sluice_entries entries;
	struct sluice_table rules; /* sluice_rule_set by id */
	struct sluice_ids conj_ids, rule_marks;
	size_t payload_rules;                     /* rules that name a field of the payload */
	unsigned metadata;                        /* the SLUICE_META_* bits that any rule names */
	size_t metadata_rules[SLUICE_META_COUNT]; /* rules that name each member of $mqtt */
	struct sluice_path_node
	        *metadata_nodes[SLUICE_META_COUNT]; /* claimed for good at creation */
	size_t rule_bytes;
};

/* What is known of an entry in this event. */
struct sluice_entry_mark {
	uint32_t epoch;
	uint32_t leaf; /* the first leaf that it matches, or SLUICE_NO_LEAF */
};

enum sluice_rule_verdict { SLUICE_RULE_MATCHED = 1, SLUICE_RULE_UNDECIDED };

struct sluice_rule_mark {
	uint32_t epoch;
	enum sluice_rule_verdict verdict;
};

/* Memory of the search for array elements (verify.c). Zeroed memory is one that has none yet. */
struct sluice_solver {
	uint32_t *leaves; /* SLUICE_SOLVER_LEAVES */
	uint32_t leaf_count;
	struct sluice_solver_item *items; /* SLUICE_SOLVER_ITEMS, a stack */
	uint32_t item_count;
	uint32_t depth; /* of its recursion */
};

struct sluice_scratch {
	struct sluice_leaves leaves;
	struct sluice_entry_mark *entry_marks; /* by entry id */
	uint32_t *conj_epochs;                 /* by conjunction id: looked at in this event */
	struct sluice_rule_mark *rule_marks;   /* by rule mark */
	uint64_t *ids;                         /* the result */
	struct sluice_entry **hits;            /* entries with postings that the event matches */
	size_t entry_room, conj_room, rule_room, id_room, hit_room;
	struct sluice_solver solver;
	struct sluice_spellings spellings; /* of the events before */

	/* the event under way */
	const struct sluice_matcher *matcher;
	bool object;    /* its payload is a JSON object that is matched */
	int64_t budget; /* steps that are left; for the candidate while one is verified */
	bool cut_short; /* something went untried for want of budget */
	size_t match_count, undecided;
	uint32_t hit_count, candidate_count;
	const struct sluice_conj *candidates[SLUICE_CANDIDATES]; /* to be verified */
};

/* Takes from the budget; false when it is spent. */
static inline bool sluice_charge(struct sluice_scratch *scratch, size_t steps)
{
	scratch->budget -= (int64_t)steps;
	return scratch->budget >= 0;
}

void sluice_solver_finish(struct sluice_solver *solver);

/* Gives a clause, all of whose entries were claimed, its check. */
void sluice_choose_clause_check(const struct sluice_entries *entries, struct sluice_clause *clause);

/*
 * Where a conjunction is found: the clause whose entries get its postings, or NULL when all of its
 * clauses hold for an absent field too; and the checks that its postings carry, which are those of
 * other clauses.
 */
const struct sluice_clause *sluice_choose_clause(const struct sluice_conj *conj);
void sluice_choose_checks(const struct sluice_conj *conj, const struct sluice_clause *found_by,
                          struct sluice_checks *checks);

/* Sorts the numbers of the conjunction's clauses, which are these, by what verifying them is worth. */
void sluice_choose_order(const struct sluice_conj *conj, uint16_t *clauses);

/* Whether the conjunction holds for the event that the scratch was filled with. When the budget ran
 * out the answer is false and budget < 0. */
bool sluice_verify(struct sluice_scratch *scratch, const struct sluice_conj *conj);

#endif
