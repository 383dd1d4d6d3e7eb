/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* An event: what is known of it is recorded, looked up, and verified. */
#include <stdlib.h>

#include "matcher_internal.h"
#include "pages.h"
#include "scan.h"
#include "sluice/base64.h"
#include "text.h"

/* --- the scratch --- */

struct sluice_scratch *sluice_scratch_create(void)
{
	struct sluice_scratch *scratch = calloc(1, sizeof(*scratch));

	if (!scratch)
		return NULL;
	if (sluice_leaves_init(&scratch->leaves) != SLUICE_OK) {
		free(scratch);
		return NULL;
	}
	return scratch;
}

#define FREE(array, room) sluice_pages_free((array), (room) * sizeof(*(array)))

void sluice_scratch_destroy(struct sluice_scratch *scratch)
{
	if (!scratch)
		return;
	sluice_leaves_finish(&scratch->leaves);
	sluice_solver_finish(&scratch->solver);
	FREE(scratch->entry_marks, scratch->entry_room);
	FREE(scratch->conj_epochs, scratch->conj_room);
	FREE(scratch->rule_marks, scratch->rule_room);
	FREE(scratch->ids, scratch->id_room);
	FREE(scratch->hits, scratch->hit_room);
	free(scratch);
}

/* Makes room for `need` items, zeroed from *room on. */
static bool grow(void **array, size_t *room, size_t need, size_t size)
{
	size_t count = *room ? *room : 64;
	while (count < need)
		count *= 2;
	void *grown = sluice_pages_grow(*array, *room * size, count * size);
	if (!grown)
		return false;
	*array = grown;
	*room = count;
	return true;
}

/* A typed call of it, where there is too little. */
#define GROW(array, room, need)                                                                    \
	((need) <= (room) ||                                                                       \
	 ((grown = (array), grow(&grown, &(room), (need), sizeof(*(array)))) &&                    \
	  ((array) = grown, true)))

static enum sluice_status begin(struct sluice_scratch *scratch,
                                const struct sluice_matcher *matcher)
{
	void *grown;

	if (!GROW(scratch->entry_marks, scratch->entry_room, matcher->entries.ids.limit) ||
	    !GROW(scratch->hits, scratch->hit_room, matcher->entries.ids.limit) ||
	    !GROW(scratch->conj_epochs, scratch->conj_room, matcher->conj_ids.limit) ||
	    !GROW(scratch->rule_marks, scratch->rule_room, matcher->rule_marks.limit) ||
	    !GROW(scratch->ids, scratch->id_room, sluice_table_count(&matcher->rules)))
		return SLUICE_ERR_NOMEM;

	uint32_t before = scratch->leaves.epoch;
	enum sluice_status status = sluice_leaves_begin(&scratch->leaves, matcher->trie.ids.limit);
	if (status != SLUICE_OK)
		return status;
	if (scratch->leaves.epoch < before) { /* once in four thousand million events */
		memset(scratch->entry_marks, 0,
		       scratch->entry_room * sizeof(*scratch->entry_marks));
		memset(scratch->conj_epochs, 0, scratch->conj_room * sizeof(*scratch->conj_epochs));
		memset(scratch->rule_marks, 0, scratch->rule_room * sizeof(*scratch->rule_marks));
	}
	scratch->matcher = matcher;
	scratch->object = false;
	scratch->budget = SLUICE_BUDGET;
	scratch->cut_short = false;
	scratch->match_count = 0;
	scratch->hit_count = 0;
	scratch->candidate_count = 0;
	scratch->undecided = 0;
	return SLUICE_OK;
}

/* --- $mqtt --- */

static void record(struct sluice_scratch *scratch, struct sluice_path_node *node,
                   enum sluice_json_type type, struct sluice_str text)
{
	/* a node may be there for what is below it */
	struct sluice_leaf *leaf =
	        node->index ? sluice_leaves_add(&scratch->leaves, node, 0) : NULL;

	if (!leaf)
		return;
	leaf->value.type = type;
	leaf->value.text = text;
	if (type == SLUICE_JSON_NUMBER)
		sluice_number_read(text, &leaf->value.number);
}

static struct sluice_path_node *metadata_node(const struct sluice_scratch *scratch, unsigned bit)
{
	int i = 0;

	while (!(bit & (1u << i)))
		i++;
	return scratch->matcher->metadata_rules[i] ? scratch->matcher->metadata_nodes[i] : NULL;
}

static void record_text(struct sluice_scratch *scratch, unsigned bit, struct sluice_str text)
{
	struct sluice_path_node *node = text.data ? metadata_node(scratch, bit) : NULL;

	if (node)
		record(scratch, node, SLUICE_JSON_STRING, text);
}

static void record_digit(struct sluice_scratch *scratch, unsigned bit, int8_t digit)
{
	static const char digits[] = "0123456789";
	struct sluice_path_node *node =
	        digit >= 0 && digit <= 9 ? metadata_node(scratch, bit) : NULL;

	if (node)
		record(scratch, node, SLUICE_JSON_NUMBER, (struct sluice_str){ digits + digit, 1 });
}

static void record_base64(struct sluice_scratch *scratch, unsigned bit, struct sluice_str bytes)
{
	struct sluice_path_node *node = bytes.data ? metadata_node(scratch, bit) : NULL;

	if (!node)
		return;
	size_t len = sluice_base64_length(bytes.len);
	char *out = sluice_arena_bytes(scratch->leaves.text, len);
	if (!out) {
		scratch->leaves.out_of_memory = true;
		return;
	}
	sluice_base64_encode(bytes, out);
	record(scratch, node, SLUICE_JSON_STRING, (struct sluice_str){ out, len });
}

static void record_metadata(struct sluice_scratch *scratch, const struct sluice_event *event)
{
	struct sluice_path_node *node;

	record_text(scratch, SLUICE_META_TOPIC, event->topic);
	record_text(scratch, SLUICE_META_CLIENT_ID, event->client_id);
	record_text(scratch, SLUICE_META_USERNAME, event->username);
	record_text(scratch, SLUICE_META_CONTENT_TYPE, event->content_type);
	record_text(scratch, SLUICE_META_RESPONSE_TOPIC, event->response_topic);
	record_base64(scratch, SLUICE_META_CORRELATION_DATA, event->correlation_data);
	record_digit(scratch, SLUICE_META_QOS, event->qos);
	record_digit(scratch, SLUICE_META_PAYLOAD_FORMAT, event->payload_format);
	node = event->retain >= 0 ? metadata_node(scratch, SLUICE_META_RETAIN) : NULL;
	if (node)
		record(scratch, node, event->retain ? SLUICE_JSON_TRUE : SLUICE_JSON_FALSE,
		       event->retain ? SLUICE_STR("true") : SLUICE_STR("false"));
	node = metadata_node(scratch, SLUICE_META_USER_PROPERTIES);
	for (size_t i = 0; node && i < event->user_property_count; i++) {
		struct sluice_path_node *property = sluice_path_walk(
		        &scratch->matcher->trie, node, event->user_properties[i].name);
		if (property)
			record(scratch, property, SLUICE_JSON_STRING,
			       event->user_properties[i].value);
	}
}

/* --- the payload --- */

static unsigned record_payload(struct sluice_scratch *scratch, const struct sluice_event *event)
{
	struct sluice_leaves *leaves = &scratch->leaves;
	const struct sluice_matcher *matcher = scratch->matcher;
	struct sluice_path_node *value = metadata_node(scratch, SLUICE_META_VALUE);
	struct sluice_path_node *text = metadata_node(scratch, SLUICE_META_PAYLOAD);
	uint32_t before = leaves->leaf_count;
	unsigned flags = 0;

	if (!event->payload.data)
		return SLUICE_MATCH_NOT_JSON;
	if (!value && !text && matcher->payload_rules == 0)
		return SLUICE_MATCH_SKIPPED;
	leaves->leaf_limit = before + SLUICE_EVENT_MAX_LEAVES;
	enum sluice_scan_result result =
	        sluice_scan(&matcher->trie, value, event->payload, leaves, &scratch->spellings);
	if (result == SLUICE_SCAN_OBJECT) {
		scratch->object = !leaves->overflow;
	} else {
		flags = result == SLUICE_SCAN_OTHER ? SLUICE_MATCH_NOT_OBJECT
		                                    : SLUICE_MATCH_NOT_JSON;
		if (result == SLUICE_SCAN_TOO_DEEP)
			flags |= SLUICE_MATCH_TOO_DEEP;
	}
	if (leaves->overflow) {
		flags |= SLUICE_MATCH_TOO_MANY;
		leaves->overflow = false;
	}
	if (flags & (SLUICE_MATCH_NOT_JSON | SLUICE_MATCH_TOO_MANY))
		sluice_leaves_truncate(leaves, before);
	leaves->leaf_limit = SLUICE_LEAF_ROOM;
	if (result != SLUICE_SCAN_OBJECT && text &&
	    sluice_text_utf8_length(event->payload) == event->payload.len)
		record(scratch, text, SLUICE_JSON_STRING, event->payload);
	return flags;
}

/* --- candidates --- */

/* Verifies with a share of the budget; false, with the budget of a candidate spent, when it can't be
 * told. */
static bool holds(struct sluice_scratch *scratch, const struct sluice_conj *conj, bool *undecided)
{
	int64_t left = scratch->budget + SLUICE_BUDGET_PER_CANDIDATE;
	int64_t share = left < SLUICE_BUDGET_SHARE ? left : SLUICE_BUDGET_SHARE;

	scratch->budget = share;
	bool found = sluice_verify(scratch, conj);
	*undecided = !found && scratch->budget < 0;
	scratch->budget = left - (share - scratch->budget);
	return found;
}

/* A conjunction of a rule that has several. */
static void look_at_one_of(struct sluice_scratch *scratch, const struct sluice_conj *conj)
{
	uint32_t epoch = scratch->leaves.epoch;
	const struct sluice_rule_set *set = sluice_conj_set(conj);
	struct sluice_rule_mark *mark = &scratch->rule_marks[*sluice_set_mark(set)];
	bool before = mark->epoch == epoch, undecided;

	if (before && mark->verdict == SLUICE_RULE_MATCHED)
		return;
	if (holds(scratch, conj, &undecided)) {
		if (before)
			scratch->undecided--;
		*mark = (struct sluice_rule_mark){ epoch, SLUICE_RULE_MATCHED };
		scratch->ids[scratch->match_count++] = set->id;
	} else if (undecided && !before) {
		*mark = (struct sluice_rule_mark){ epoch, SLUICE_RULE_UNDECIDED };
		scratch->undecided++;
	}
}

static void look_at(struct sluice_scratch *scratch, const struct sluice_conj *conj)
{
	const struct sluice_rule_set *set = sluice_conj_set(conj);
	bool undecided;

	if (conj->several) {
		if (scratch->conj_epochs[conj->id] == scratch->leaves.epoch)
			return;
		scratch->conj_epochs[conj->id] = scratch->leaves.epoch;
	}
	if (set->conj_count > 1)
		look_at_one_of(scratch, conj);
	else if (holds(scratch, conj, &undecided))
		scratch->ids[scratch->match_count++] = set->id;
	else
		scratch->undecided += undecided;
}

/* A full list of candidates is verified, and begins anew. */
static void verify_candidates(struct sluice_scratch *scratch)
{
	for (uint32_t i = 0; i < scratch->candidate_count; i++)
		look_at(scratch, scratch->candidates[i]);
	scratch->candidate_count = 0;
}

static void look_at_postings(struct sluice_scratch *scratch, const struct sluice_entry *entry)
{
	const struct sluice_posting *posting = sluice_entry_postings(entry);
	const struct sluice_posting *end = posting + entry->posting_count;

	for (; posting < end; posting++) {
		if (!sluice_checks_pass(&scratch->leaves, &posting->checks))
			continue;
		/* its rule's block: the clauses stand before it, entries of long ones behind */
		const char *conj = (const char *)posting->conj;
		__builtin_prefetch(conj - 128);
		__builtin_prefetch(conj - 64);
		__builtin_prefetch(conj);
		__builtin_prefetch(conj + 64);
		scratch->candidates[scratch->candidate_count++] = posting->conj;
		if (scratch->candidate_count == SLUICE_CANDIDATES)
			verify_candidates(scratch);
	}
}

/* An event's way through the index. */
struct search {
	struct sluice_probe probe;
	struct sluice_scratch *scratch;
};

/* An entry's mark names the first leaf that it matches; it needs no other. */
static bool may_try(struct sluice_probe *probe, const struct sluice_entry *entry, size_t cost)
{
	struct sluice_scratch *scratch = ((struct search *)probe)->scratch;

	if (scratch->entry_marks[entry->id].epoch == scratch->leaves.epoch)
		return false;
	if (sluice_charge(scratch, cost))
		return true;
	scratch->cut_short = true;
	return false;
}

static bool hit_entry(struct sluice_probe *probe, struct sluice_entry *entry, uint32_t leaf)
{
	struct sluice_scratch *scratch = ((struct search *)probe)->scratch;
	struct sluice_entry_mark *mark = &scratch->entry_marks[entry->id];

	if (sluice_entry_is_value(entry))
		scratch->leaves.places[entry->node->id].value = entry->id;
	/* one that leads nowhere needs no mark, unless it is a value's */
	if (!entry->several && !sluice_entry_is_value(entry) &&
	    !sluice_checks_pass(&scratch->leaves, &entry->posting.checks))
		return true;
	if (mark->epoch == scratch->leaves.epoch)
		return false;
	*mark = (struct sluice_entry_mark){ scratch->leaves.epoch, leaf };
	if (entry->posting_count == 0)
		return true;
	if (entry->several)
		__builtin_prefetch(entry->postings.list);
	scratch->hits[scratch->hit_count++] = entry;
	return true;
}

static bool spend(struct sluice_probe *probe, size_t steps)
{
	struct sluice_scratch *scratch = ((struct search *)probe)->scratch;

	if (sluice_charge(scratch, steps))
		return true;
	scratch->cut_short = true;
	return false;
}

/* First all entries that the event matches, then what they lead to: so when a conjunction is
 * verified, entries of values without a mark are known not to match. */
static bool find_candidates(struct sluice_scratch *scratch)
{
	const struct sluice_matcher *matcher = scratch->matcher;
	const struct sluice_leaves *leaves = &scratch->leaves;
	struct search search;

	search.scratch = scratch;
	search.probe.may_try = may_try;
	search.probe.hit = hit_entry;
	search.probe.spend = spend;
	search.probe.entries = &matcher->entries;
	search.probe.leaves = &scratch->leaves;
	search.probe.out_of_memory = false;
	sluice_index_probe(&search.probe);
	for (uint32_t i = 0; i < scratch->hit_count; i++)
		look_at_postings(scratch, scratch->hits[i]);
	for (uint32_t i = 0; i < matcher->entries.absent_count; i++) {
		const struct sluice_entry *entry = matcher->entries.absent[i].entry;
		if (sluice_leaves_first(leaves, entry->node) == SLUICE_NO_LEAF)
			look_at_postings(scratch, entry);
	}
	verify_candidates(scratch);
	return !search.probe.out_of_memory && !leaves->out_of_memory;
}

enum sluice_status sluice_match(const struct sluice_matcher *matcher,
                                struct sluice_scratch *scratch, const struct sluice_event *event,
                                struct sluice_match *result)
{
	*result = (struct sluice_match){ 0 };
	if (begin(scratch, matcher) != SLUICE_OK)
		return SLUICE_ERR_NOMEM;
	if (matcher->metadata)
		record_metadata(scratch, event);
	result->flags = record_payload(scratch, event);
	if (scratch->leaves.out_of_memory)
		return SLUICE_ERR_NOMEM;
	if (!find_candidates(scratch))
		return SLUICE_ERR_NOMEM;
	result->ids = scratch->ids;
	result->count = scratch->match_count;
	result->undecided = scratch->undecided;
	if (scratch->undecided || scratch->cut_short)
		result->flags |= SLUICE_MATCH_UNDECIDED;
	return SLUICE_OK;
}

/* --- for explain --- */

const struct sluice_leaves *sluice_scratch_leaves(const struct sluice_scratch *scratch)
{
	return &scratch->leaves;
}

uint32_t sluice_scratch_first_leaf(const struct sluice_scratch *scratch,
                                   const struct sluice_matcher *matcher, struct sluice_str path)
{
	const struct sluice_path_node *node =
	        sluice_path_walk(&matcher->trie, matcher->trie.root, path);

	return node ? sluice_leaves_first(&scratch->leaves, node) : SLUICE_NO_LEAF;
}
