/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Rules come and go. Each touches its own paths, entries and postings, and nothing else. */
#include <stdlib.h>

#include "hash.h"
#include "matcher_internal.h"

/* In the order of the SLUICE_META_* bits. */
static const char *const metadata_paths[SLUICE_META_COUNT] = {
	"$mqtt.topic",          "$mqtt.client_id",
	"$mqtt.username",       "$mqtt.qos",
	"$mqtt.retain",         "$mqtt.content_type",
	"$mqtt.response_topic", "$mqtt.correlation_data",
	"$mqtt.payload_format", "$mqtt.user_properties",
	"$mqtt.payload",        "$mqtt.value",
};

static uint64_t id_hash(uint64_t id)
{
	return sluice_hash_number(id);
}

static uint64_t hash_of_rule(const void *entry)
{
	return id_hash(((const struct sluice_rule_set *)entry)->id);
}

struct sluice_matcher *sluice_matcher_create(void)
{
	struct sluice_matcher *matcher = calloc(1, sizeof(*matcher));

	if (!matcher)
		return NULL;
	matcher->rules.hash_of = hash_of_rule;
	sluice_entries_init(&matcher->entries);
	if (sluice_path_trie_init(&matcher->trie) != SLUICE_OK)
		goto error;
	for (int i = 0; i < SLUICE_META_COUNT; i++) {
		struct sluice_path_node *node =
		        sluice_path_claim(&matcher->trie, sluice_str(metadata_paths[i]));
		if (!node)
			goto error;
		/* kept alive by this claim, but no rule's yet: nothing need be recorded here */
		matcher->metadata_nodes[i] = node;
	}
	return matcher;

error:
	sluice_matcher_destroy(matcher);
	return NULL;
}

static struct sluice_rule_set *find_rule(const struct sluice_matcher *matcher, uint64_t id)
{
	struct sluice_cursor cursor = { 0 };
	struct sluice_rule_set *set;

	while ((set = sluice_table_next(&matcher->rules, id_hash(id), &cursor)))
		if (set->id == id)
			return set;
	return NULL;
}

/* --- a rule's block --- */

static size_t padded(size_t count, size_t size)
{
	return (count * size + 7) & ~(size_t)7;
}

/* What an alternative takes in a clause that has several: its entry and, behind all of these, its
 * id. */
enum { CLAUSE_ENTRY = sizeof(struct sluice_entry *) + sizeof(uint32_t) };

/* How large a rule's block is, and where its parts are. */
struct layout {
	size_t conjs, mark, absents, entries, orders, end;
};

/* `entries`: bytes of those of clauses that have several; `numbers`: of clauses, in orders. */
static struct layout lay_out(size_t clauses, size_t conjs, bool absents, size_t entries,
                             size_t numbers)
{
	struct layout at;

	at.conjs = sizeof(struct sluice_rule_set) + clauses * sizeof(struct sluice_clause);
	at.mark = at.conjs + conjs * sizeof(struct sluice_conj);
	at.absents = at.mark + (conjs > 1 ? padded(1, sizeof(uint32_t)) : 0);
	at.entries = at.absents + (absents ? padded(clauses, sizeof(struct sluice_entry *)) : 0);
	at.orders = at.entries + entries;
	at.end = at.orders + (conjs > 1 ? padded(numbers, sizeof(uint16_t)) : 0);
	return at;
}

/* Of a field's alternatives, those that are entries of its clause. */
static size_t count_entries(const struct sluice_field *field)
{
	size_t count = field->alternative_count;

	for (size_t i = 0; field->absent && i < field->alternative_count; i++)
		count -= field->alternatives[i].op == SLUICE_OP_ABSENT;
	return count;
}

static size_t several_bytes(size_t entries)
{
	return entries > 1 ? padded(entries, CLAUSE_ENTRY) : 0;
}

static struct layout layout_of_pattern(const struct sluice_pattern *pattern)
{
	size_t entries = 0, numbers = 0;
	bool absents = false;

	for (size_t i = 0; i < pattern->field_count; i++) {
		entries += several_bytes(count_entries(&pattern->fields[i]));
		absents |= pattern->fields[i].absent;
	}
	for (size_t i = 0; i < pattern->conjunction_count; i++)
		numbers += pattern->conjunctions[i].field_count;
	return lay_out(pattern->field_count, pattern->conjunction_count, absents, entries, numbers);
}

/* What a rule that is complete takes. */
static size_t bytes_of(const struct sluice_rule_set *set)
{
	size_t entries = 0, numbers = 0, slots = 0;

	for (size_t i = 0; i < set->clause_count; i++)
		entries += several_bytes(set->clauses[i].entry_count);
	for (size_t i = 0; i < set->conj_count; i++) {
		const struct sluice_conj *conj = &sluice_set_conjs(set)[i];
		numbers += conj->clause_count;
		slots += conj->several ? conj->slot_count : 0;
	}
	return slots * sizeof(struct sluice_conj_slot) +
	       lay_out(set->clause_count, set->conj_count, set->absents, entries, numbers).end;
}

/* By clause: its ABSENT entry, or NULL. */
static struct sluice_entry **set_absents(const struct sluice_rule_set *set)
{
	struct layout at = lay_out(set->clause_count, set->conj_count, set->absents, 0, 0);

	return (struct sluice_entry **)((char *)set + at.absents);
}

static struct sluice_rule_set *set_create(uint64_t id, const struct sluice_pattern *pattern)
{
	struct layout at = layout_of_pattern(pattern);
	struct sluice_rule_set *set = at.end <= UINT32_MAX ? calloc(1, at.end) : NULL;

	if (!set)
		return NULL;
	set->id = id;
	set->metadata = pattern->metadata & ((1u << SLUICE_META_COUNT) - 1);
	set->clause_count = (uint16_t)pattern->field_count;
	set->conj_count = (uint16_t)pattern->conjunction_count;

	char *entries = (char *)set + at.entries;
	for (size_t i = 0; i < pattern->field_count; i++) {
		size_t count = count_entries(&pattern->fields[i]);
		set->clauses[i].absent = pattern->fields[i].absent;
		set->absents |= pattern->fields[i].absent;
		if (count > 1) {
			set->clauses[i].kind = SLUICE_CLAUSE_SEVERAL;
			set->clauses[i].entries = (struct sluice_entry **)entries;
		}
		entries += several_bytes(count);
	}
	uint16_t *order = (uint16_t *)((char *)set + at.orders);

	for (size_t i = 0; i < pattern->conjunction_count; i++) {
		const struct sluice_conjunction *from = &pattern->conjunctions[i];
		struct sluice_conj *conj = &sluice_set_conjs(set)[i];
		conj->set_before = (uint32_t)((char *)conj - (char *)set);
		conj->clause_count = from->field_count & 0x3fff;
		conj->payload = from->payload;
		set->payload |= from->payload;
		if (set->conj_count > 1) {
			memcpy(order, from->fields, from->field_count * sizeof(*order));
			conj->order = (uint32_t)((char *)order - (char *)conj);
			order += from->field_count;
		}
	}
	return set;
}

/* What is known of a clause when all of its entries are. */
static void finish_clause(const struct sluice_entries *all, struct sluice_clause *clause)
{
	struct sluice_entry *const *entries = sluice_clause_entries(clause);
	uint32_t *ids = (uint32_t *)sluice_clause_ids(clause);
	bool values = true;

	for (uint16_t k = 0; k < clause->entry_count; k++) {
		ids[k] = entries[k]->id;
		values &= sluice_entry_is_value(entries[k]);
	}
	if (clause->kind == SLUICE_CLAUSE_SEVERAL)
		clause->kind = values ? SLUICE_CLAUSE_VALUES : SLUICE_CLAUSE_SEVERAL;
	else if (clause->entry_count)
		clause->kind = values ? SLUICE_CLAUSE_VALUE : SLUICE_CLAUSE_ONE;
	sluice_choose_clause_check(all, clause);
}

/* Claims the entries of a clause, whose path was claimed. */
static bool claim_entries(struct sluice_matcher *matcher, struct sluice_path_node *node,
                          const struct sluice_field *field, struct sluice_clause *clause,
                          struct sluice_entry **absent)
{
	for (size_t k = 0; k < field->alternative_count; k++) {
		bool is_absent = field->alternatives[k].op == SLUICE_OP_ABSENT;
		if (is_absent && *absent)
			continue;
		struct sluice_entry *entry =
		        sluice_entry_claim(&matcher->entries, node, &field->alternatives[k]);
		if (!entry)
			return false;
		if (is_absent)
			*absent = entry;
		else if (clause->kind == SLUICE_CLAUSE_SEVERAL)
			clause->entries[clause->entry_count++] = entry;
		else {
			clause->entry = entry;
			clause->entry_count = 1;
		}
	}
	return true;
}

/* Gives the entries of a clause back, and its path, which is that of its entries. */
static void release_clause(struct sluice_matcher *matcher, const struct sluice_clause *clause,
                           struct sluice_entry *absent)
{
	struct sluice_entry *const *entries = sluice_clause_entries(clause);
	struct sluice_path_node *node = NULL;

	if (absent) {
		node = absent->node;
		sluice_entry_release(&matcher->entries, absent);
	}
	for (uint16_t k = 0; k < clause->entry_count; k++) {
		node = entries[k]->node;
		sluice_entry_release(&matcher->entries, entries[k]);
	}
	if (node)
		sluice_path_release(&matcher->trie, node);
}

/* Claims the paths and entries of the rule's clauses. */
static bool claim_clauses(struct sluice_matcher *matcher, struct sluice_rule_set *set,
                          const struct sluice_pattern *pattern)
{
	struct sluice_entry *none = NULL;

	for (size_t i = 0; i < pattern->field_count; i++) {
		const struct sluice_field *field = &pattern->fields[i];
		struct sluice_clause *clause = &set->clauses[i];
		struct sluice_entry **absent = clause->absent ? &set_absents(set)[i] : &none;
		struct sluice_path_node *node = sluice_path_claim(&matcher->trie, field->path);

		if (!node)
			return false;
		clause->path = node->id;
		if (!claim_entries(matcher, node, field, clause, absent)) {
			/* without an entry it would not be found again */
			if (clause->entry_count == 0 && !*absent)
				sluice_path_release(&matcher->trie, node);
			return false;
		}
		finish_clause(&matcher->entries, clause);
	}
	return true;
}

/* --- where a conjunction is indexed --- */

static bool post(struct sluice_matcher *matcher, struct sluice_conj *conj,
                 struct sluice_entry *entry, struct sluice_posting posting)
{
	uint32_t at;

	posting.conj = conj;
	posting.slot = conj->slot_count;
	if (!sluice_entry_post(&matcher->entries, entry, posting, &at))
		return false;
	if (conj->several) {
		conj->slots[conj->slot_count] = (struct sluice_conj_slot){ entry, at };
	} else {
		conj->entry = entry;
		conj->at = at;
	}
	conj->slot_count++;
	return true;
}

/* Lets verifying begin with the clauses that are worth it. */
static void order_clauses(struct sluice_conj *conj)
{
	struct sluice_rule_set *set = sluice_conj_set(conj);
	uint16_t order[SLUICE_PATTERN_MAX_PATHS];

	if (conj->order) {
		sluice_choose_order(conj, (uint16_t *)((char *)conj + conj->order));
		return;
	}
	/* it has all clauses of the rule, which can stand in their order themselves */
	for (uint16_t i = 0; i < conj->clause_count; i++)
		order[i] = i;
	sluice_choose_order(conj, order);
	for (uint16_t i = 0; i < conj->clause_count; i++) {
		uint16_t from = order[i];
		while (from < i) /* what stood there was swapped away */
			from = order[from];
		struct sluice_clause clause = set->clauses[i];
		set->clauses[i] = set->clauses[from];
		set->clauses[from] = clause;
		if (set->absents) {
			struct sluice_entry **absents = set_absents(set), *absent = absents[i];
			absents[i] = absents[from];
			absents[from] = absent;
		}
	}
}

/*
 * A conjunction in which some field must have a leaf is met through that field. Where every field
 * may be absent it is met when any of them has a leaf that fits, or else, when none has a fitting
 * leaf, all must be absent, so it is enough to meet it through the absence of the first.
 */
static bool index_conj(struct sluice_matcher *matcher, struct sluice_conj *conj)
{
	const struct sluice_clause *best = sluice_choose_clause(conj);
	size_t slots = 1;

	if (best)
		slots = best->entry_count;
	else
		for (uint16_t i = 0; i < conj->clause_count; i++)
			slots += sluice_conj_clause(conj, i)->entry_count;
	if (slots > 1) {
		uint32_t id;
		struct sluice_conj_slot *room = calloc(slots, sizeof(*room));
		if (!room || !sluice_ids_take(&matcher->conj_ids, &id)) {
			free(room);
			return false;
		}
		conj->several = true;
		conj->slots = room;
		conj->id = id;
	}

	struct sluice_posting posting;
	sluice_choose_checks(conj, best, &posting.checks);
	if (!best) {
		const struct sluice_clause *first = sluice_conj_clause(conj, 0);
		struct sluice_rule_set *set = sluice_conj_set(conj);
		if (!post(matcher, conj, set_absents(set)[first - set->clauses], posting))
			return false;
	}
	for (uint16_t i = 0; i < conj->clause_count; i++) {
		const struct sluice_clause *clause = sluice_conj_clause(conj, i);
		if (best && clause != best)
			continue;
		for (uint16_t k = 0; k < clause->entry_count; k++)
			if (!post(matcher, conj, sluice_clause_entries(clause)[k], posting))
				return false;
	}
	if (best)
		order_clauses(conj);
	return true;
}

static void unindex_conj(struct sluice_matcher *matcher, struct sluice_conj *conj)
{
	for (uint32_t i = 0; i < conj->slot_count; i++) {
		struct sluice_conj_slot slot = { conj->entry, conj->at };
		struct sluice_posting moved;
		if (conj->several)
			slot = conj->slots[i];
		if (!sluice_entry_unpost(&matcher->entries, slot.entry, slot.at, &moved))
			continue;
		if (moved.conj->several)
			moved.conj->slots[moved.slot].at = slot.at;
		else
			moved.conj->at = slot.at;
	}
	if (conj->several) {
		free(conj->slots);
		sluice_ids_give(&matcher->conj_ids, conj->id);
	}
}

/* Undoes as much of a rule as was done; frees it. */
static void set_destroy(struct sluice_matcher *matcher, struct sluice_rule_set *set)
{
	for (uint32_t i = 0; i < set->conj_count; i++)
		unindex_conj(matcher, &sluice_set_conjs(set)[i]);
	for (uint32_t i = 0; i < set->clause_count; i++)
		release_clause(matcher, &set->clauses[i],
		               set->absents ? set_absents(set)[i] : NULL);
	free(set);
}

/* --- the public side --- */

static void count_rule(struct sluice_matcher *matcher, const struct sluice_rule_set *set, bool add)
{
	size_t one = add ? 1 : (size_t)-1;

	if (set->payload)
		matcher->payload_rules += one;
	for (int i = 0; i < SLUICE_META_COUNT; i++)
		if (set->metadata & (1u << i)) {
			matcher->metadata_rules[i] += one;
			if (matcher->metadata_rules[i])
				matcher->metadata |= 1u << i;
			else
				matcher->metadata &= ~(1u << i);
		}
}

static void give_mark(struct sluice_matcher *matcher, const struct sluice_rule_set *set)
{
	if (set->conj_count > 1)
		sluice_ids_give(&matcher->rule_marks, *sluice_set_mark(set));
}

enum sluice_status sluice_matcher_add(struct sluice_matcher *matcher, uint64_t id,
                                      const struct sluice_pattern *pattern,
                                      struct sluice_error *error)
{
	struct sluice_rule_set *set;

	if (find_rule(matcher, id))
		return sluice_error_set(error, SLUICE_ERR_CONFLICT, SIZE_MAX, NULL,
		                        "a rule with this id is in the matcher already");
	set = set_create(id, pattern);
	if (!set)
		goto error;
	if (!claim_clauses(matcher, set, pattern))
		goto error_set;
	for (uint32_t i = 0; i < set->conj_count; i++)
		if (!index_conj(matcher, &sluice_set_conjs(set)[i]))
			goto error_set;
	if (set->conj_count > 1 && !sluice_ids_take(&matcher->rule_marks, sluice_set_mark(set)))
		goto error_set;
	if (!sluice_table_insert(&matcher->rules, id_hash(id), set))
		goto error_mark;
	matcher->rule_bytes += bytes_of(set);
	count_rule(matcher, set, true);
	return SLUICE_OK;

error_mark:
	give_mark(matcher, set);
error_set:
	set_destroy(matcher, set);
error:
	return sluice_out_of_memory(error);
}

enum sluice_status sluice_matcher_remove(struct sluice_matcher *matcher, uint64_t id)
{
	struct sluice_rule_set *set = find_rule(matcher, id);

	if (!set)
		return SLUICE_ERR_NOT_FOUND;
	matcher->rule_bytes -= bytes_of(set);
	sluice_table_remove(&matcher->rules, id_hash(id), set);
	give_mark(matcher, set);
	count_rule(matcher, set, false);
	set_destroy(matcher, set);
	return SLUICE_OK;
}

static void destroy_rule(void *matcher, void *set)
{
	set_destroy(matcher, set);
}

void sluice_matcher_destroy(struct sluice_matcher *matcher)
{
	if (!matcher)
		return;
	sluice_table_each(&matcher->rules, destroy_rule, matcher);
	for (int i = 0; i < SLUICE_META_COUNT; i++)
		if (matcher->metadata_nodes[i])
			sluice_path_release(&matcher->trie, matcher->metadata_nodes[i]);
	sluice_table_finish(&matcher->rules);
	sluice_entries_finish(&matcher->entries);
	sluice_path_trie_finish(&matcher->trie);
	sluice_ids_finish(&matcher->conj_ids);
	sluice_ids_finish(&matcher->rule_marks);
	free(matcher);
}

size_t sluice_matcher_count(const struct sluice_matcher *matcher)
{
	return sluice_table_count(&matcher->rules);
}

size_t sluice_matcher_bytes(const struct sluice_matcher *matcher)
{
	return sizeof(*matcher) + matcher->rule_bytes + matcher->trie.bytes +
	       matcher->entries.bytes + sluice_table_bytes(&matcher->rules) +
	       sluice_table_bytes(&matcher->trie.table) +
	       sluice_table_bytes(&matcher->entries.table) +
	       sluice_table_bytes(&matcher->entries.buckets) +
	       sluice_table_bytes(&matcher->entries.cells);
}

unsigned sluice_matcher_metadata(const struct sluice_matcher *matcher)
{
	return matcher->metadata;
}
