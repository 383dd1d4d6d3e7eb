/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Where a conjunction is found, and what dismisses it when it was found in vain.
 *
 * Both want the share of events that a field lets through, of which nothing is known but what rules
 * say: a value is one of as many as rules name at its path, a range a part of the span of all ranges
 * there, an affix one of the others, or rarer the longer it is. The clause with the smallest share
 * finds the conjunction, the next that a check can tell becomes its check.
 */
#include <float.h>

#include "index_key.h"
#include "matcher_internal.h"

/* One of the texts of this length that rules name at a path, which are `others`. */
static double share_of_text(size_t length, uint32_t others)
{
	double texts = 1 + (double)others, possible = 1;

	for (size_t i = 0; i < length && i < 10; i++)
		possible *= 3;
	return 1 / (texts < possible ? texts : possible);
}

static size_t literal_length(const struct sluice_wildcard *wildcard)
{
	size_t length = 0;

	for (size_t i = 0; i < wildcard->piece_count; i++)
		length += wildcard->pieces[i].len;
	return length;
}

/* Of the events, about how many the entry matches. */
static double share(const struct sluice_entry *entry)
{
	const struct sluice_predicate *predicate = &entry->predicate;
	const struct sluice_index *index = entry->node->index;
	const uint32_t *claimed = index->claimed;
	uint32_t texts = claimed[SLUICE_OP_STRING] + claimed[SLUICE_OP_FOLD];
	uint32_t beginnings = claimed[SLUICE_OP_PREFIX] + claimed[SLUICE_OP_FOLD_PREFIX];
	uint32_t ends = claimed[SLUICE_OP_SUFFIX] + claimed[SLUICE_OP_FOLD_SUFFIX];

	switch (predicate->op) {
	case SLUICE_OP_STRING:
	case SLUICE_OP_FOLD:
		return 1 / (1 + (double)texts);
	case SLUICE_OP_NUMBER:
		return 1 / (2 + (double)claimed[SLUICE_OP_NUMBER]);
	case SLUICE_OP_PREFIX:
	case SLUICE_OP_FOLD_PREFIX:
		return share_of_text(predicate->text.len, texts + beginnings);
	case SLUICE_OP_SUFFIX:
	case SLUICE_OP_FOLD_SUFFIX:
		return share_of_text(predicate->text.len, texts + ends);
	case SLUICE_OP_WILDCARD:
		/* found, it must be tried too */
		return 1.5 * share_of_text(literal_length(&predicate->wildcard),
		                           texts + claimed[SLUICE_OP_WILDCARD]);
	case SLUICE_OP_MQTT_TOPIC:
		return 1 / (2 + (double)claimed[SLUICE_OP_MQTT_TOPIC]);
	case SLUICE_OP_CIDR: {
		double part = 1;
		unsigned step = predicate->cidr.family == 4 ? 3 : 12;
		for (unsigned bits = step; bits <= predicate->cidr.bits; bits += step)
			part /= 2;
		return part;
	}
	case SLUICE_OP_NUMERIC:
		return sluice_span_share(&index->span, &predicate->range);
	case SLUICE_OP_TRUE:
	case SLUICE_OP_FALSE:
		return 0.5;
	case SLUICE_OP_NULL:
		return 0.3;
	case SLUICE_OP_EXISTS:
		return 0.9;
	default: /* anything-but, which is tried for every event */
		return 1.5;
	}
}

static double clause_share(const struct sluice_clause *clause)
{
	double sum = 0;

	for (uint16_t i = 0; i < clause->entry_count; i++)
		sum += share(clause->entries[i]);
	return sum;
}

static const struct sluice_clause *clause_of(const struct sluice_conj *conj, uint16_t i)
{
	return &conj->set->clauses[conj->clauses[i]];
}

const struct sluice_clause *sluice_choose_clause(const struct sluice_conj *conj)
{
	const struct sluice_clause *best = NULL;
	double best_share = 0;

	for (uint16_t i = 0; i < conj->clause_count; i++) {
		const struct sluice_clause *clause = clause_of(conj, i);
		if (clause->absent)
			continue;
		double found = clause_share(clause);
		if (!best || found < best_share) {
			best = clause;
			best_share = found;
		}
	}
	return best;
}

/* --- checks --- */

/* The bits of the clause's values; all, when something else is among its alternatives. */
static uint64_t bits_of(const struct sluice_clause *clause)
{
	uint64_t bits = 0;

	for (uint16_t i = 0; i < clause->entry_count; i++) {
		if (!sluice_entry_is_value(clause->entries[i]))
			return UINT64_MAX;
		bits |= sluice_check_bit(clause->entries[i]->hash);
	}
	return bits;
}

static bool is_range(const struct sluice_clause *clause)
{
	return clause->entry_count == 1 && clause->entries[0]->predicate.op == SLUICE_OP_NUMERIC;
}

/* A bound as a float, moved outwards by more than rounding may have moved it inwards. */
static float bound_below(const struct sluice_number *number)
{
	double near = sluice_number_near(number);

	return near == near ? (float)(near - (near < 0 ? -near : near) * 4e-7 - 1e-30) : -FLT_MAX;
}

static float bound_above(const struct sluice_number *number)
{
	double near = sluice_number_near(number);

	return near == near ? (float)(near + (near < 0 ? -near : near) * 4e-7 + 1e-30) : FLT_MAX;
}

static void check_by(const struct sluice_clause *clause, struct sluice_posting *posting)
{
	const struct sluice_range *range = &clause->entries[0]->predicate.range;

	posting->check = clause->node->id;
	if (!is_range(clause)) {
		posting->bits = bits_of(clause);
		return;
	}
	posting->check |= SLUICE_CHECK_RANGE;
	posting->range.lower = range->has_lower ? bound_below(&range->lower) : -FLT_MAX;
	posting->range.upper = range->has_upper ? bound_above(&range->upper) : FLT_MAX;
}

/*
 * Of the clauses that need a leaf, the one that a check tells best: values and ranges by what they
 * let through, others by whether there is a leaf at all. There may be none.
 */
void sluice_choose_check(const struct sluice_conj *conj, const struct sluice_clause *found_by,
                         struct sluice_posting *posting)
{
	const struct sluice_clause *best = NULL;
	double best_share = 0;

	*posting = (struct sluice_posting){ .check = SLUICE_CHECK_NONE };
	for (uint16_t i = 0; i < conj->clause_count; i++) {
		const struct sluice_clause *clause = clause_of(conj, i);
		if (clause->absent || clause == found_by)
			continue;
		bool told = is_range(clause) || bits_of(clause) != UINT64_MAX;
		double found = told ? clause_share(clause) : 0.95;
		if (!best || found < best_share) {
			best = clause;
			best_share = found;
		}
	}
	if (best)
		check_by(best, posting);
}
