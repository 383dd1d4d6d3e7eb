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

struct sluice_clause {
	struct sluice_path_node *node;
	struct sluice_entry *
	        *entries;             /* in the rule's block, and behind them their ids; ABSENT ones
	                                  are left out */
	union sluice_operand operand; /* of the check */
	uint32_t check;               /* of the leaves here (index.h) */
	uint16_t entry_count;
	bool absent; /* {"exists": false} is among the alternatives */
	bool values; /* all entries are of values */
};

static inline const uint32_t *sluice_clause_ids(const struct sluice_clause *clause)
{
	return (const uint32_t *)(clause->entries + clause->entry_count);
}

/* A posting that leads to a conjunction, seen from it. */
struct sluice_conj_slot {
	struct sluice_entry *entry;
	uint32_t at; /* its place in the entry's postings */
};

struct sluice_conj {
	struct sluice_rule_set *set;
	uint16_t *clauses;              /* in the rule's block */
	struct sluice_conj_slot *slots; /* owned, unless it is `slot` */
	struct sluice_conj_slot slot;   /* the only one, as of most */
	uint32_t id; /* its place in a scratch, when it has several slots; else UINT32_MAX */
	uint32_t slot_count;
	uint16_t clause_count;
	bool payload; /* names a field of the payload */
};

/* A rule in the matcher: one block, but for slots. */
struct sluice_rule_set {
	uint64_t id;
	uint32_t
	        mark; /* its place in a scratch, when it has several conjunctions; else UINT32_MAX */
	uint32_t bytes; /* of the block */
	uint16_t metadata;
	uint16_t clause_count, conj_count;
	bool payload; /* any conjunction names a field of the payload */
	struct sluice_clause *clauses;
	struct sluice_conj *conjs;
	struct sluice_entry *
	        *absents; /* by clause: its ABSENT entry, or NULL; NULL: there is none */
};

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

/* Sorts the conjunction's clauses, which are these, by what verifying them is worth. */
void sluice_choose_order(const struct sluice_conj *conj, uint16_t *clauses);

/* Whether the conjunction holds for the event that the scratch was filled with. When the budget ran
 * out the answer is false and budget < 0. */
bool sluice_verify(struct sluice_scratch *scratch, const struct sluice_conj *conj);

#endif
