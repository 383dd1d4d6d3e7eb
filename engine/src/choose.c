/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Where a conjunction is found, and what dismisses it when it was found in vain.
 *
 * Both want the share of events that a field lets through, of which nothing is known but what rules
 * say: a value is one of as many as rules name at its path, a range a part of the span of all ranges
 * there, an affix one of the others, or rarer the longer it is. The clause with the smallest share
 * finds the conjunction, the next that checks can tell become its checks.
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

/* Of the values that rules name at its path, the share that the entry matches; 1 where it can't be
 * told. */
static double known_share(const struct sluice_entry *entry)
{
	enum { ENOUGH = 4 };
	const struct sluice_known *known = &entry->node->index->known;
	uint32_t matched = 0;

	if (known->row_count < ENOUGH || !known->rows || entry->known_at == SLUICE_NOT_KNOWN)
		return 1;
	for (uint32_t i = 0; i < known->row_count; i++)
		matched += sluice_known_has(&known->rows[i], entry->known_at);
	return (matched + 0.5) / (known->row_count + 1.0);
}

/* Of the events, about how many the entry matches. */
static double share(const struct sluice_entry *entry)
{
	struct sluice_predicate room;
	const struct sluice_predicate *predicate = sluice_entry_predicate(entry, &room);
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

/*
 * What an event pays for finding the entry at all, in events' worth of looking at a candidate: the
 * look-ups of its kind at its path, which it shares with all other entries of that kind there.
 */
static double toll(const struct sluice_entry *entry)
{
	const uint32_t *claimed = entry->node->index->claimed;
	enum sluice_operator op = (enum sluice_operator)entry->op;
	double cost;

	switch (op) {
	case SLUICE_OP_FOLD:
	case SLUICE_OP_FOLD_PREFIX:
	case SLUICE_OP_FOLD_SUFFIX:
	case SLUICE_OP_CIDR:
	case SLUICE_OP_MQTT_TOPIC:
	case SLUICE_OP_WILDCARD:
		cost = 2;
		break;
	case SLUICE_OP_PREFIX:
	case SLUICE_OP_SUFFIX:
	case SLUICE_OP_NUMERIC:
		cost = 1;
		break;
	default:
		return 0;
	}
	return cost / claimed[op];
}

static double clause_share(const struct sluice_clause *clause)
{
	double sum = 0;

	for (uint16_t i = 0; i < clause->entry_count; i++)
		sum += share(sluice_clause_entries(clause)[i]);
	return sum;
}

const struct sluice_clause *sluice_choose_clause(const struct sluice_conj *conj)
{
	const struct sluice_clause *best = NULL;
	double best_share = 0;

	for (uint16_t i = 0; i < conj->clause_count; i++) {
		const struct sluice_clause *clause = sluice_conj_clause(conj, i);
		if (clause->absent)
			continue;
		double found = clause_share(clause);
		for (uint16_t k = 0; k < clause->entry_count; k++)
			found += toll(sluice_clause_entries(clause)[k]);
		if (!best || found < best_share) {
			best = clause;
			best_share = found;
		}
	}
	return best;
}

/* --- checks --- */

/* The bits that an entry needs one of: all, when this kind of bits can't tell. */
static uint64_t entry_bits(const struct sluice_entry *entry, enum sluice_check kind)
{
	struct sluice_str text = sluice_entry_text(entry);

	if (kind == SLUICE_CHECK_VALUE)
		return sluice_entry_is_value(entry) ? sluice_bit_of_hash(entry->hash) : UINT64_MAX;
	bool first = kind == SLUICE_CHECK_FIRST;
	const struct sluice_wildcard *wildcard;
	switch ((enum sluice_operator)entry->op) {
	case SLUICE_OP_STRING:
	case SLUICE_OP_FOLD:
		break;
	case SLUICE_OP_PREFIX:
	case SLUICE_OP_FOLD_PREFIX:
		if (!first)
			return UINT64_MAX;
		break;
	case SLUICE_OP_SUFFIX:
	case SLUICE_OP_FOLD_SUFFIX:
		if (first)
			return UINT64_MAX;
		break;
	case SLUICE_OP_WILDCARD:
		wildcard = &sluice_entry_whole(entry)->wildcard;
		text = wildcard->pieces[first ? 0 : wildcard->piece_count - 1];
		break;
	default:
		return UINT64_MAX;
	}
	return text.len ? sluice_bit_of_byte(text.data[first ? 0 : text.len - 1]) : UINT64_MAX;
}

static uint64_t clause_bits(const struct sluice_clause *clause, enum sluice_check kind)
{
	struct sluice_entry *const *entries = sluice_clause_entries(clause);
	uint64_t bits = 0;

	for (uint16_t i = 0; i < clause->entry_count && bits != UINT64_MAX; i++)
		bits |= entry_bits(entries[i], kind);
	return bits;
}

/* Pairs, then fours, then bytes; then all bytes, summed in the highest. */
static int count_bits(uint64_t bits)
{
	const uint64_t ones = UINT64_MAX;

	bits -= bits >> 1 & ones / 3;
	bits = (bits & ones / 15 * 3) + (bits >> 2 & ones / 15 * 3);
	bits = (bits + (bits >> 4)) & ones / 255 * 15;
	return (int)(bits * (ones / 255) >> 56);
}

/* The bits that tell the clause best, and their kind. */
static uint64_t best_bits(const struct sluice_clause *clause, enum sluice_check *best)
{
	uint64_t fewest = UINT64_MAX;

	*best = SLUICE_CHECK_VALUE;
	for (unsigned kind = 0; kind < SLUICE_BITS_COUNT; kind++) {
		uint64_t bits = clause_bits(clause, (enum sluice_check)kind);
		if (bits != UINT64_MAX && count_bits(bits) < count_bits(fewest)) {
			fewest = bits;
			*best = (enum sluice_check)kind;
		}
	}
	return fewest;
}

/* Whether a single predicate of this operator is all of the clause. */
static bool is_one(const struct sluice_clause *clause, enum sluice_operator op)
{
	return clause->entry_count == 1 && clause->entry->op == op;
}

static bool is_range(const struct sluice_clause *clause)
{
	return is_one(clause, SLUICE_OP_NUMERIC);
}

/* Whether rules name the path's values again and again, so that events have few others. */
static bool few_values(const struct sluice_index *index)
{
	enum { OFTEN = 4 };
	const struct sluice_known *known = &index->known;
	size_t refs = 0;

	for (uint32_t i = 0; i < known->row_count; i++)
		refs += known->values[i]->refs;
	return refs >= OFTEN * (size_t)known->row_count;
}

/* Whether the clause is one predicate of which it is known what it matches. */
static bool is_known(const struct sluice_clause *clause)
{
	enum sluice_check kind;

	if (clause->kind != SLUICE_CLAUSE_ONE || known_share(clause->entry) == 1)
		return false;
	return best_bits(clause, &kind) == UINT64_MAX || few_values(clause->entry->node->index);
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

/* Whether the clause is an anything-but whose operands have entries. */
static bool has_operands(const struct sluice_clause *clause)
{
	return is_one(clause, SLUICE_OP_BUT) &&
	       sluice_entry_keeps_operands(sluice_entry_whole(clause->entry));
}

/* Their ids; one may stand twice. */
static void operand_ids(const struct sluice_entries *entries, const struct sluice_entry *entry,
                        uint32_t ids[SLUICE_CHECK_VALUES])
{
	const struct sluice_predicate *predicate = sluice_entry_whole(entry);

	for (size_t i = 0; i < SLUICE_CHECK_VALUES; i++)
		ids[i] = sluice_entry_find(entries, entry->node,
		                           &predicate->but.list[i % predicate->but.count])
		                 ->id;
}

void sluice_choose_clause_check(const struct sluice_entries *entries, struct sluice_clause *clause)
{
	enum sluice_check kind = SLUICE_CHECK_RANGE;

	clause->check = SLUICE_CHECK_NOTHING;
	clause->operand = sluice_operand_of_nothing();
	if (clause->absent || clause->path >= SLUICE_CHECK_PATHS)
		return;
	if (is_range(clause)) {
		const struct sluice_range *range = &sluice_entry_whole(clause->entry)->range;
		clause->operand.range.lower =
		        range->has_lower ? bound_below(&range->lower) : -FLT_MAX;
		clause->operand.range.upper =
		        range->has_upper ? bound_above(&range->upper) : FLT_MAX;
	} else if (is_one(clause, SLUICE_OP_CIDR)) {
		const struct sluice_cidr *cidr = &sluice_entry_whole(clause->entry)->cidr;
		kind = SLUICE_CHECK_BLOCK;
		clause->operand.block.bits = sluice_key_address(
		        cidr->family, cidr->address, cidr->bits, &clause->operand.block.mask);
	} else if (has_operands(clause)) {
		kind = SLUICE_CHECK_NONE_OF;
		operand_ids(entries, clause->entry, clause->operand.values);
	} else if (is_known(clause)) {
		kind = SLUICE_CHECK_KNOWN;
		clause->operand.entry = clause->entry;
	} else {
		clause->operand.bits = best_bits(clause, &kind);
	}
	clause->check = (uint32_t)kind << SLUICE_CHECK_SHIFT | clause->path;
}

/* The share of events that the clause's check lets pass. */
static double check_share(const struct sluice_clause *clause)
{
	double found = clause_share(clause);

	if (is_range(clause) || is_one(clause, SLUICE_OP_CIDR))
		return found;
	if (is_known(clause))
		return known_share(clause->entry);
	int bits = count_bits(clause->operand.bits);
	double told = bits == 64 ? 0.95 : bits / 64.0;
	/* bytes are no hashes: few of them are used */
	if (clause->check >> SLUICE_CHECK_SHIFT != SLUICE_CHECK_VALUE)
		told *= 4;
	return found > told ? found : told;
}

/* Of the clauses that need a leaf, those that checks tell best, the best first; there may be none. */
void sluice_choose_checks(const struct sluice_conj *conj, const struct sluice_clause *found_by,
                          struct sluice_checks *checks)
{
	double passing[SLUICE_CHECKS];
	int count = 0;

	for (int i = 0; i < SLUICE_CHECKS; i++) {
		checks->what[i] = SLUICE_CHECK_NOTHING;
		checks->operand[i] = sluice_operand_of_nothing();
	}
	for (uint16_t i = 0; i < conj->clause_count; i++) {
		const struct sluice_clause *clause = sluice_conj_clause(conj, i);
		if (clause == found_by || clause->check == SLUICE_CHECK_NOTHING)
			continue;
		double share = check_share(clause);
		int at = count < SLUICE_CHECKS ? count++ : SLUICE_CHECKS;
		for (; at > 0 && share < passing[at - 1]; at--) {
			if (at == SLUICE_CHECKS)
				continue;
			passing[at] = passing[at - 1];
			checks->what[at] = checks->what[at - 1];
			checks->operand[at] = checks->operand[at - 1];
		}
		if (at == SLUICE_CHECKS)
			continue;
		passing[at] = share;
		checks->what[at] = clause->check;
		checks->operand[at] = clause->operand;
	}
}

/* How dear it is to ask whether the clause matches, when its check has let the event pass. */
static double effort(const struct sluice_clause *clause)
{
	if (clause->kind == SLUICE_CLAUSE_VALUE || clause->kind == SLUICE_CLAUSE_VALUES)
		return 1;
	return clause->absent || is_range(clause) ? 2 : 8;
}

/* Clauses that dismiss much for little come first. Few, so sorted by insertion. */
void sluice_choose_order(const struct sluice_conj *conj, uint16_t *clauses)
{
	const struct sluice_clause *all = sluice_conj_set(conj)->clauses;
	double keys[SLUICE_PATTERN_MAX_PATHS];

	if (conj->clause_count > SLUICE_PATTERN_MAX_PATHS)
		return;
	for (uint16_t i = 0; i < conj->clause_count; i++) {
		uint16_t clause = clauses[i];
		double key = effort(&all[clause]) + clause_share(&all[clause]);
		uint16_t at = i;
		for (; at > 0 && keys[at - 1] > key; at--) {
			keys[at] = keys[at - 1];
			clauses[at] = clauses[at - 1];
		}
		keys[at] = key;
		clauses[at] = clause;
	}
}
