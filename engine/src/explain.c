/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Why a rule did or did not match: what a session found out, copied to be shown. */
#include <stdlib.h>

#include "explain_internal.h"
#include "pattern_compile.h"

/* Rules that share one scan of the event: so many, and no more than have so many fields in all
 * their conjunctions, since each is copied into the private matcher. */
enum { BATCH_RULES = 64, BATCH_FIELDS = 16384 };

void sluice_explanation_destroy(struct sluice_explanation *explanation)
{
	if (explanation)
		sluice_arena_destroy(explanation->arena);
}

bool sluice_explanation_matched(const struct sluice_explanation *explanation)
{
	return explanation->matched;
}

size_t sluice_explanation_failed(const struct sluice_explanation *explanation)
{
	return explanation->failed;
}

/* Copies what the buffer holds and empties it. False when out of memory. */
static bool keep(struct sluice_arena *arena, struct sluice_buffer *buf, struct sluice_str *kept)
{
	*kept = sluice_arena_str(arena, sluice_buffer_str(buf));
	bool kept_all = !buf->failed && kept->data != NULL;
	sluice_buffer_reset(buf);
	return kept_all;
}

/* Why no alternative matches the leaf: all of them, up to a number. */
static enum sluice_status write_failures(struct sluice_buffer *buf,
                                         const struct sluice_field *field,
                                         const struct sluice_value *value)
{
	size_t shown = field->alternative_count;
	if (shown > SLUICE_EXPLAIN_ALTERNATIVES)
		shown = SLUICE_EXPLAIN_ALTERNATIVES;
	for (size_t i = 0; i < shown; i++) {
		if (i > 0)
			sluice_buffer_append_text(buf, ", ");
		enum sluice_status status =
		        sluice_explain_predicate(buf, &field->alternatives[i], value, false);
		if (status != SLUICE_OK)
			return status;
	}
	if (shown < field->alternative_count)
		sluice_buffer_printf(buf, ", nor any of %zu more",
		                     field->alternative_count - shown);
	return SLUICE_OK;
}

static enum sluice_status copy_leaf(struct sluice_arena *arena, const struct sluice_field *field,
                                    const struct sluice_judged_field *judged,
                                    const struct sluice_value *value,
                                    struct sluice_explained_leaf *leaf)
{
	struct sluice_buffer buf = { 0 };
	leaf->cut = sluice_explain_value(&buf, value);
	bool kept = keep(arena, &buf, &leaf->value);
	enum sluice_status status;
	if (judged->state == SLUICE_FIELD_MATCHED)
		status = sluice_explain_predicate(&buf, &field->alternatives[judged->alternative],
		                                  value, true);
	else
		status = write_failures(&buf, field, value);
	kept = keep(arena, &buf, &leaf->why) && kept;
	sluice_buffer_finish(&buf);
	return status == SLUICE_OK && !kept ? SLUICE_ERR_NOMEM : status;
}

static enum sluice_status copy_field(struct sluice_arena *arena,
                                     const struct sluice_session *session,
                                     const struct sluice_field *field,
                                     const struct sluice_judged_field *judged,
                                     struct sluice_explained_field *shown)
{
	const struct sluice_leaves *leaves = sluice_scratch_leaves(session->scratch);
	shown->state = judged->state;
	shown->leaf_count = judged->leaf_count;
	shown->path = sluice_arena_str(arena, field->path);
	shown->place = sluice_arena_str(arena, field->place);
	if (!shown->path.data || !shown->place.data)
		return SLUICE_ERR_NOMEM;
	uint32_t id = judged->state == SLUICE_FIELD_MATCHED ? judged->leaf : judged->first;
	size_t count = judged->leaf_count;
	if (judged->state == SLUICE_FIELD_MATCHED)
		count = 1;
	else if (judged->state != SLUICE_FIELD_FAILED)
		count = 0;
	else if (count > SLUICE_EXPLAIN_LEAVES)
		count = SLUICE_EXPLAIN_LEAVES;
	if (count == 0)
		return SLUICE_OK;
	shown->leaves = sluice_arena_alloc(arena, count, sizeof(*shown->leaves));
	if (!shown->leaves)
		return SLUICE_ERR_NOMEM;
	for (; shown->shown < count; shown->shown++, id = leaves->leaves[id].next) {
		enum sluice_status status =
		        copy_leaf(arena, field, judged, &leaves->leaves[id].value,
		                  &shown->leaves[shown->shown]);
		if (status != SLUICE_OK)
			return status;
	}
	return SLUICE_OK;
}

/* The dotted path of a node of the matcher's trie. */
static bool write_node_path(struct sluice_arena *arena, const struct sluice_path_node *node,
                            struct sluice_str *path)
{
	size_t len = 0;
	for (const struct sluice_path_node *at = node; at->parent; at = at->parent)
		len += at->segment_len + (at->parent->parent ? 1 : 0);
	char *bytes = sluice_arena_bytes(arena, len ? len : 1);
	if (!bytes)
		return false;
	*path = (struct sluice_str){ bytes, len };
	for (const struct sluice_path_node *at = node; at->parent; at = at->parent) {
		len -= at->segment_len;
		memcpy(bytes + len, at->segment, at->segment_len);
		if (at->parent->parent)
			bytes[--len] = '.';
	}
	return true;
}

/* Others in the session may have the payload read. */
static bool looks_at_payload(const struct sluice_pattern *pattern)
{
	for (size_t i = 0; i < pattern->conjunction_count; i++) {
		if (pattern->conjunctions[i].payload)
			return true;
	}
	return (pattern->metadata & (SLUICE_META_PAYLOAD | SLUICE_META_VALUE)) != 0;
}

static enum sluice_status fill(struct sluice_explanation *explanation,
                               struct sluice_session *session,
                               const struct sluice_session_rule *rule)
{
	const struct sluice_pattern *pattern = rule->pattern;
	const struct sluice_conjunction *conjunction = &pattern->conjunctions[rule->nearest];
	explanation->matched = rule->matched;
	explanation->not_together = rule->not_together;
	explanation->undecided = session->undecided && !rule->matched;
	explanation->failed = rule->failed;
	explanation->flags = looks_at_payload(pattern) ? session->flags : SLUICE_MATCH_SKIPPED;
	explanation->no_payload = session->event->payload.data == NULL;
	explanation->empty_payload = session->event->payload.len == 0;
	explanation->conjunction = rule->nearest;
	explanation->conjunction_count = pattern->conjunction_count;
	explanation->fields = sluice_arena_alloc(explanation->arena, conjunction->field_count,
	                                         sizeof(*explanation->fields));
	if (!explanation->fields)
		return SLUICE_ERR_NOMEM;
	explanation->field_count = conjunction->field_count;
	for (size_t i = 0; i < conjunction->field_count; i++) {
		uint16_t index = conjunction->fields[i];
		enum sluice_status status =
		        copy_field(explanation->arena, session, &pattern->fields[index],
		                   &rule->fields[index], &explanation->fields[i]);
		if (status != SLUICE_OK)
			return status;
	}
	const struct sluice_path_node *array =
	        rule->not_together ? sluice_session_parting(session, rule) : NULL;
	if (array && !write_node_path(explanation->arena, array, &explanation->array))
		return SLUICE_ERR_NOMEM;
	return SLUICE_OK;
}

static enum sluice_status show(struct sluice_session *session,
                               const struct sluice_session_rule *rule,
                               struct sluice_explanation **explanation)
{
	struct sluice_arena *arena = sluice_arena_create();
	if (!arena)
		return SLUICE_ERR_NOMEM;
	struct sluice_explanation *made = sluice_arena_alloc(arena, 1, sizeof(*made));
	if (!made) {
		sluice_arena_destroy(arena);
		return SLUICE_ERR_NOMEM;
	}
	made->arena = arena;
	enum sluice_status status = fill(made, session, rule);
	if (status != SLUICE_OK) {
		sluice_explanation_destroy(made);
		return status;
	}
	*explanation = made;
	return SLUICE_OK;
}

static enum sluice_status explain_alone(struct sluice_scratch *scratch,
                                        const struct sluice_pattern *pattern,
                                        const struct sluice_event *event,
                                        struct sluice_explanation **explanation)
{
	struct sluice_session session;
	struct sluice_session_rule rule = { 0 };
	enum sluice_status status = sluice_session_init(&session, scratch, event);
	if (status == SLUICE_OK)
		status = sluice_session_add(&session, &rule, pattern);
	if (status == SLUICE_OK)
		status = sluice_session_match(&session);
	if (status == SLUICE_OK) {
		sluice_session_judge(&session, &rule);
		status = show(&session, &rule, explanation);
	}
	sluice_session_rule_finish(&rule);
	sluice_session_finish(&session);
	return status;
}

enum sluice_status sluice_explain(const struct sluice_pattern *pattern,
                                  const struct sluice_event *event,
                                  struct sluice_explanation **explanation,
                                  struct sluice_error *error)
{
	*explanation = NULL;
	struct sluice_scratch *scratch = sluice_scratch_create();
	enum sluice_status status = SLUICE_ERR_NOMEM;
	if (scratch)
		status = explain_alone(scratch, pattern, event, explanation);
	sluice_scratch_destroy(scratch);
	return status == SLUICE_OK ? status : sluice_out_of_memory(error);
}

/* --- many rules --- */

struct ranking {
	const struct sluice_explain_rule *rules;
	const struct sluice_event *event;
	struct sluice_scratch *scratch;
	struct sluice_explain_ranked *matches; /* malloc'ed, grows */
	size_t match_count, match_capacity;
	struct sluice_explain_ranked *misses; /* the nearest, nearest first; miss_room of them */
	size_t miss_count, miss_room;
	/* of the batch at hand: the patterns, and those that were compiled for it */
	const struct sluice_pattern *patterns[BATCH_RULES];
	struct sluice_pattern *compiled[BATCH_RULES];
};

static enum sluice_status take_match(struct ranking *ranking, size_t rule,
                                     struct sluice_explanation *explanation)
{
	if (ranking->match_count == ranking->match_capacity) {
		size_t capacity = ranking->match_capacity ? ranking->match_capacity * 2 : 16;
		struct sluice_explain_ranked *grown =
		        realloc(ranking->matches, capacity * sizeof(*grown));
		if (!grown) {
			sluice_explanation_destroy(explanation);
			return SLUICE_ERR_NOMEM;
		}
		ranking->matches = grown;
		ranking->match_capacity = capacity;
	}
	ranking->matches[ranking->match_count++] =
	        (struct sluice_explain_ranked){ rule, explanation };
	return SLUICE_OK;
}

/* Whether a miss with so many failed fields, later than all before it, would be kept. */
static bool is_near(const struct ranking *ranking, size_t failed)
{
	return ranking->miss_count < ranking->miss_room ||
	       (ranking->miss_room > 0 &&
	        failed < ranking->misses[ranking->miss_count - 1].explanation->failed);
}

static void take_miss(struct ranking *ranking, size_t rule, struct sluice_explanation *explanation)
{
	if (ranking->miss_count == ranking->miss_room)
		sluice_explanation_destroy(ranking->misses[--ranking->miss_count].explanation);
	size_t at = ranking->miss_count++;
	for (; at > 0 && ranking->misses[at - 1].explanation->failed > explanation->failed; at--)
		ranking->misses[at] = ranking->misses[at - 1];
	ranking->misses[at] = (struct sluice_explain_ranked){ rule, explanation };
}

static enum sluice_status take(struct ranking *ranking, size_t rule,
                               struct sluice_explanation *explanation)
{
	if (explanation->matched)
		return take_match(ranking, rule, explanation);
	if (is_near(ranking, explanation->failed))
		take_miss(ranking, rule, explanation);
	else
		sluice_explanation_destroy(explanation);
	return SLUICE_OK;
}

static enum sluice_status rank_one(struct ranking *ranking, struct sluice_session *session,
                                   struct sluice_session_rule *rule, size_t index)
{
	struct sluice_explanation *explanation;
	sluice_session_judge(session, rule);
	if (!rule->matched && !is_near(ranking, rule->failed))
		return SLUICE_OK;
	enum sluice_status status = show(session, rule, &explanation);
	return status == SLUICE_OK ? take(ranking, index, explanation) : status;
}

/* Each rule by itself: together they ask more of an event than one of them alone would. */
static enum sluice_status rank_apart(struct ranking *ranking, size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++) {
		struct sluice_explanation *explanation;
		enum sluice_status status =
		        explain_alone(ranking->scratch, ranking->patterns[i - first],
		                      ranking->event, &explanation);
		if (status == SLUICE_OK)
			status = take(ranking, i, explanation);
		if (status != SLUICE_OK)
			return status;
	}
	return SLUICE_OK;
}

static enum sluice_status rank_batch(struct ranking *ranking, size_t first, size_t count)
{
	struct sluice_session session;
	struct sluice_session_rule rules[BATCH_RULES] = { 0 };
	enum sluice_status status = sluice_session_init(&session, ranking->scratch, ranking->event);
	for (size_t i = 0; i < count && status == SLUICE_OK; i++)
		status = sluice_session_add(&session, &rules[i], ranking->patterns[i]);
	if (status == SLUICE_OK)
		status = sluice_session_match(&session);
	bool apart = session.undecided || (session.flags & SLUICE_MATCH_TOO_MANY);
	for (size_t i = 0; i < count && status == SLUICE_OK && !apart; i++)
		status = rank_one(ranking, &session, &rules[i], first + i);
	for (size_t i = 0; i < count; i++)
		sluice_session_rule_finish(&rules[i]);
	sluice_session_finish(&session);
	if (status == SLUICE_OK && apart)
		status = rank_apart(ranking, first, count);
	return status;
}

static size_t fields_to_copy(const struct sluice_pattern *pattern)
{
	size_t count = 0;
	for (size_t i = 0; i < pattern->conjunction_count; i++)
		count += pattern->conjunctions[i].field_count;
	return count;
}

/* Makes ranking->patterns[at] that of the rule. */
static enum sluice_status take_pattern(struct ranking *ranking, size_t rule, size_t at)
{
	const struct sluice_explain_rule *given = &ranking->rules[rule];
	ranking->compiled[at] = NULL;
	ranking->patterns[at] = given->pattern;
	if (given->pattern)
		return SLUICE_OK;
	enum sluice_status status =
	        sluice_pattern_compile(given->text, &ranking->compiled[at], NULL);
	ranking->patterns[at] = ranking->compiled[at];
	return status;
}

static void drop_pattern(struct ranking *ranking, size_t at)
{
	sluice_pattern_destroy(ranking->compiled[at]);
	ranking->compiled[at] = NULL;
}

/* Takes patterns into the batch, one at least; *count of them. */
static enum sluice_status take_patterns(struct ranking *ranking, size_t first, size_t rule_count,
                                        size_t *count)
{
	size_t fields = 0;
	for (*count = 0; *count < BATCH_RULES && first + *count < rule_count; ++*count) {
		enum sluice_status status = take_pattern(ranking, first + *count, *count);
		if (status != SLUICE_OK)
			return status;
		fields += fields_to_copy(ranking->patterns[*count]);
		if (fields > BATCH_FIELDS && *count > 0) {
			drop_pattern(ranking, *count); /* the next batch compiles it again */
			break;
		}
	}
	return SLUICE_OK;
}

static enum sluice_status rank(struct ranking *ranking, size_t rule_count,
                               bool (*cancelled)(void *arg), void *arg)
{
	for (size_t first = 0, count; first < rule_count; first += count) {
		if (cancelled && cancelled(arg))
			return SLUICE_ERR_BUSY;
		enum sluice_status status = take_patterns(ranking, first, rule_count, &count);
		if (status == SLUICE_OK)
			status = rank_batch(ranking, first, count);
		for (size_t i = 0; i < count; i++)
			drop_pattern(ranking, i);
		if (status != SLUICE_OK)
			return status;
	}
	return SLUICE_OK;
}

void sluice_explain_ranked_destroy(struct sluice_explain_ranked *ranked, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sluice_explanation_destroy(ranked[i].explanation);
	free(ranked);
}

/* Joins matches and misses into one list, which takes them over. */
static enum sluice_status join(struct ranking *ranking, struct sluice_explain_ranked **ranked,
                               size_t *count)
{
	size_t total = ranking->match_count + ranking->miss_count;
	struct sluice_explain_ranked *list = calloc(total ? total : 1, sizeof(*list));
	if (!list)
		return SLUICE_ERR_NOMEM;
	if (ranking->match_count > 0)
		memcpy(list, ranking->matches, ranking->match_count * sizeof(*list));
	if (ranking->miss_count > 0)
		memcpy(list + ranking->match_count, ranking->misses,
		       ranking->miss_count * sizeof(*list));
	ranking->match_count = 0;
	ranking->miss_count = 0;
	*ranked = list;
	*count = total;
	return SLUICE_OK;
}

enum sluice_status sluice_explain_many(const struct sluice_explain_rule *rules, size_t rule_count,
                                       const struct sluice_event *event, size_t max_misses,
                                       bool (*cancelled)(void *arg), void *arg,
                                       struct sluice_explain_ranked **ranked, size_t *count,
                                       struct sluice_error *error)
{
	*ranked = NULL;
	*count = 0;
	struct ranking ranking = { .rules = rules, .event = event };
	ranking.miss_room = max_misses < rule_count ? max_misses : rule_count;
	ranking.misses = calloc(ranking.miss_room ? ranking.miss_room : 1, sizeof(*ranking.misses));
	ranking.scratch = sluice_scratch_create();
	enum sluice_status status = SLUICE_ERR_NOMEM;
	if (ranking.misses && ranking.scratch)
		status = rank(&ranking, rule_count, cancelled, arg);
	if (status == SLUICE_OK)
		status = join(&ranking, ranked, count);
	sluice_explain_ranked_destroy(ranking.matches, ranking.match_count);
	sluice_explain_ranked_destroy(ranking.misses, ranking.miss_count);
	sluice_scratch_destroy(ranking.scratch);
	if (status == SLUICE_ERR_BUSY)
		return sluice_error_set(error, SLUICE_ERR_BUSY, SIZE_MAX, NULL, "cancelled");
	return status == SLUICE_OK ? status : sluice_out_of_memory(error);
}
