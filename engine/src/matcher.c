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

static void *cut(char **room, size_t count, size_t size)
{
	void *piece = *room;

	*room += (count * size + 7) & ~(size_t)7;
	return piece;
}

static size_t padded(size_t count, size_t size)
{
	return (count * size + 7) & ~(size_t)7;
}

/* What an alternative takes in a clause: its entry and, behind all of these, its id. */
enum { CLAUSE_ENTRY = sizeof(struct sluice_entry *) + sizeof(uint32_t) };

static struct sluice_rule_set *set_create(uint64_t id, const struct sluice_pattern *pattern)
{
	size_t entries = 0, indexes = 0, absents = 0;

	for (size_t i = 0; i < pattern->field_count; i++) {
		entries += padded(pattern->fields[i].alternative_count, CLAUSE_ENTRY);
		if (pattern->fields[i].absent)
			absents = pattern->field_count;
	}
	for (size_t i = 0; i < pattern->conjunction_count; i++)
		indexes += pattern->conjunctions[i].field_count;

	size_t bytes = padded(1, sizeof(struct sluice_rule_set)) +
	               padded(pattern->field_count, sizeof(struct sluice_clause)) +
	               padded(pattern->conjunction_count, sizeof(struct sluice_conj)) +
	               padded(absents, sizeof(struct sluice_entry *)) + entries +
	               padded(indexes, sizeof(uint16_t));
	char *room = bytes <= UINT32_MAX ? calloc(1, bytes) : NULL;
	if (!room)
		return NULL;

	struct sluice_rule_set *set = cut(&room, 1, sizeof(*set));
	set->id = id;
	set->mark = UINT32_MAX;
	set->bytes = (uint32_t)bytes;
	set->metadata = (uint16_t)pattern->metadata;
	set->clause_count = (uint16_t)pattern->field_count;
	set->conj_count = (uint16_t)pattern->conjunction_count;
	set->clauses = cut(&room, pattern->field_count, sizeof(*set->clauses));
	set->conjs = cut(&room, pattern->conjunction_count, sizeof(*set->conjs));
	if (absents)
		set->absents = cut(&room, absents, sizeof(struct sluice_entry *));
	for (size_t i = 0; i < pattern->field_count; i++) {
		set->clauses[i].entries =
		        cut(&room, pattern->fields[i].alternative_count, CLAUSE_ENTRY);
		set->clauses[i].absent = pattern->fields[i].absent;
	}
	uint16_t *index = cut(&room, indexes, sizeof(*index));

	for (size_t i = 0; i < pattern->conjunction_count; i++) {
		const struct sluice_conjunction *from = &pattern->conjunctions[i];
		memcpy(index, from->fields, from->field_count * sizeof(*index));
		set->conjs[i] = (struct sluice_conj){ .set = set,
			                              .clauses = index,
			                              .id = UINT32_MAX,
			                              .clause_count = (uint16_t)from->field_count,
			                              .payload = from->payload };
		set->payload |= from->payload;
		index += from->field_count;
	}
	return set;
}

/* What is known of a clause when all of its entries are. */
static void finish_clause(const struct sluice_entries *entries, struct sluice_clause *clause)
{
	uint32_t *ids = (uint32_t *)(clause->entries + clause->entry_count);

	clause->values = true;
	for (uint16_t k = 0; k < clause->entry_count; k++) {
		ids[k] = clause->entries[k]->id;
		clause->values &= sluice_entry_is_value(clause->entries[k]);
	}
	sluice_choose_clause_check(entries, clause);
}

/* Claims the paths and entries of the rule's clauses. */
static bool claim_clauses(struct sluice_matcher *matcher, struct sluice_rule_set *set,
                          const struct sluice_pattern *pattern)
{
	for (size_t i = 0; i < pattern->field_count; i++) {
		const struct sluice_field *field = &pattern->fields[i];
		struct sluice_clause *clause = &set->clauses[i];

		clause->node = sluice_path_claim(&matcher->trie, field->path);
		if (!clause->node)
			return false;
		for (size_t k = 0; k < field->alternative_count; k++) {
			struct sluice_entry *entry = NULL;
			bool absent = field->alternatives[k].op == SLUICE_OP_ABSENT;
			if (absent && set->absents[i])
				continue;
			entry = sluice_entry_claim(&matcher->entries, clause->node,
			                           &field->alternatives[k]);
			if (!entry)
				return false;
			if (absent)
				set->absents[i] = entry;
			else
				clause->entries[clause->entry_count++] = entry;
		}
		finish_clause(&matcher->entries, clause);
	}
	return true;
}

/* --- where a conjunction is indexed --- */

static bool post(struct sluice_matcher *matcher, struct sluice_conj *conj,
                 struct sluice_entry *entry, struct sluice_posting posting)
{
	struct sluice_conj_slot *slot = &conj->slots[conj->slot_count];

	posting.conj = conj;
	posting.slot = conj->slot_count;
	slot->entry = entry;
	if (!sluice_entry_post(&matcher->entries, entry, posting, &slot->at))
		return false;
	conj->slot_count++;
	return true;
}

/*
 * A conjunction in which some field must have a leaf is met through that field. Where every field
 * may be absent it is met when any of them has a leaf that fits, or else, when none has a fitting
 * leaf, all must be absent, so it is enough to meet it through the absence of the first.
 */
static bool index_conj(struct sluice_matcher *matcher, struct sluice_conj *conj)
{
	const struct sluice_rule_set *set = conj->set;
	const struct sluice_clause *best = sluice_choose_clause(conj);
	size_t slots = 1;

	if (best)
		slots = best->entry_count;
	else
		for (uint16_t i = 0; i < conj->clause_count; i++)
			slots += set->clauses[conj->clauses[i]].entry_count;
	conj->slots = slots == 1 ? &conj->slot : calloc(slots, sizeof(*conj->slots));
	if (!conj->slots || (slots > 1 && !sluice_ids_take(&matcher->conj_ids, &conj->id)))
		return false;

	struct sluice_posting posting;
	sluice_choose_checks(conj, best, &posting.checks);
	if (best)
		sluice_choose_order(conj, conj->clauses);
	if (!best && !post(matcher, conj, set->absents[conj->clauses[0]], posting))
		return false;
	for (uint16_t i = 0; i < conj->clause_count; i++) {
		const struct sluice_clause *clause = &set->clauses[conj->clauses[i]];
		if (best && clause != best)
			continue;
		for (uint16_t k = 0; k < clause->entry_count; k++)
			if (!post(matcher, conj, clause->entries[k], posting))
				return false;
	}
	if (slots > 1)
		matcher->rule_bytes += slots * sizeof(*conj->slots);
	return true;
}

static void unindex_conj(struct sluice_matcher *matcher, struct sluice_conj *conj)
{
	for (uint32_t i = 0; i < conj->slot_count; i++) {
		struct sluice_posting moved;
		struct sluice_conj_slot *slot = &conj->slots[i];
		if (sluice_entry_unpost(&matcher->entries, slot->entry, slot->at, &moved))
			moved.conj->slots[moved.slot].at = slot->at;
	}
	if (conj->slots != &conj->slot)
		free(conj->slots);
	conj->slots = NULL;
	if (conj->id != UINT32_MAX)
		sluice_ids_give(&matcher->conj_ids, conj->id);
}

/* Undoes as much of a rule as was done; frees it. */
static void set_destroy(struct sluice_matcher *matcher, struct sluice_rule_set *set)
{
	for (uint32_t i = 0; i < set->conj_count; i++)
		unindex_conj(matcher, &set->conjs[i]);
	for (uint32_t i = 0; i < set->clause_count; i++) {
		struct sluice_clause *clause = &set->clauses[i];
		for (uint16_t k = 0; k < clause->entry_count; k++)
			sluice_entry_release(&matcher->entries, clause->entries[k]);
		if (set->absents && set->absents[i])
			sluice_entry_release(&matcher->entries, set->absents[i]);
		if (clause->node)
			sluice_path_release(&matcher->trie, clause->node);
	}
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
	if (set->mark != UINT32_MAX)
		sluice_ids_give(&matcher->rule_marks, set->mark);
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
		if (!index_conj(matcher, &set->conjs[i]))
			goto error_set;
	if (set->conj_count > 1 && !sluice_ids_take(&matcher->rule_marks, &set->mark))
		goto error_set;
	if (!sluice_table_insert(&matcher->rules, id_hash(id), set))
		goto error_mark;
	matcher->rule_bytes += set->bytes;
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
	matcher->rule_bytes -= set->bytes;
	for (uint32_t i = 0; i < set->conj_count; i++)
		if (set->conjs[i].slot_count > 1)
			matcher->rule_bytes -=
			        set->conjs[i].slot_count * sizeof(struct sluice_conj_slot);
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
