/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Rules against one event, conjunction by conjunction and field by field. */
#include <stdlib.h>

#include "explain_internal.h"
#include "pattern_compile.h"

/* Steps that judging the fields of one rule may take: as many as an event's matching has, so that
 * an explanation costs no more than a few events. */
#define JUDGE_BUDGET INT64_C(4194304)

/* Leaves of a field that are looked at to find out where two fields part. */
enum { PARTING_LEAVES = 32 };

enum sluice_status sluice_session_init(struct sluice_session *session,
                                       struct sluice_scratch *scratch,
                                       const struct sluice_event *event)
{
	*session = (struct sluice_session){ .event = event, .scratch = scratch };
	session->matcher = sluice_matcher_create();
	return session->matcher ? SLUICE_OK : SLUICE_ERR_NOMEM;
}

void sluice_session_finish(struct sluice_session *session)
{
	sluice_matcher_destroy(session->matcher);
	free(session->matched);
	*session = (struct sluice_session){ 0 };
}

void sluice_session_rule_finish(struct sluice_session_rule *rule)
{
	free(rule->fields);
	*rule = (struct sluice_session_rule){ 0 };
}

/* Adds one conjunction as a pattern of its own, with its own fields alone. */
static enum sluice_status add_conjunction(struct sluice_session *session,
                                          const struct sluice_pattern *pattern,
                                          const struct sluice_conjunction *conjunction)
{
	struct sluice_field *fields = calloc(conjunction->field_count, sizeof(*fields));
	uint16_t *indexes = calloc(conjunction->field_count, sizeof(*indexes));
	enum sluice_status status = SLUICE_ERR_NOMEM;
	if (fields && indexes) {
		for (size_t i = 0; i < conjunction->field_count; i++) {
			fields[i] = pattern->fields[conjunction->fields[i]];
			indexes[i] = (uint16_t)i;
		}
		struct sluice_conjunction alone = *conjunction;
		alone.fields = indexes;
		struct sluice_pattern part = *pattern;
		part.fields = fields;
		part.field_count = conjunction->field_count;
		part.conjunctions = &alone;
		part.conjunction_count = 1;
		status = sluice_matcher_add(session->matcher, session->next_id++, &part, NULL);
	}
	free(fields);
	free(indexes);
	return status;
}

enum sluice_status sluice_session_add(struct sluice_session *session,
                                      struct sluice_session_rule *rule,
                                      const struct sluice_pattern *pattern)
{
	*rule = (struct sluice_session_rule){ .pattern = pattern, .first_id = session->next_id };
	rule->fields = calloc(pattern->field_count, sizeof(*rule->fields));
	if (!rule->fields)
		return SLUICE_ERR_NOMEM;
	for (size_t i = 0; i < pattern->conjunction_count; i++) {
		enum sluice_status status =
		        add_conjunction(session, pattern, &pattern->conjunctions[i]);
		if (status != SLUICE_OK)
			return status;
	}
	return SLUICE_OK;
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

enum sluice_status sluice_session_match(struct sluice_session *session)
{
	struct sluice_match result;
	if (sluice_match(session->matcher, session->scratch, session->event, &result) != SLUICE_OK)
		return SLUICE_ERR_NOMEM;
	session->flags = result.flags;
	session->undecided = result.undecided > 0;
	session->matched_count = result.count;
	if (result.count == 0)
		return SLUICE_OK;
	session->matched = calloc(result.count, sizeof(*session->matched));
	if (!session->matched)
		return SLUICE_ERR_NOMEM;
	memcpy(session->matched, result.ids, result.count * sizeof(*session->matched));
	qsort(session->matched, result.count, sizeof(*session->matched), compare_ids);
	return SLUICE_OK;
}

static bool conjunction_matched(const struct sluice_session *session, uint64_t id)
{
	return session->matched_count > 0 &&
	       bsearch(&id, session->matched, session->matched_count, sizeof(id), compare_ids);
}

static bool has_fields(const struct sluice_session *session)
{
	return !(session->flags &
	         (SLUICE_MATCH_NOT_OBJECT | SLUICE_MATCH_NOT_JSON | SLUICE_MATCH_TOO_MANY));
}

static const struct sluice_leaf *leaf_at(const struct sluice_session *session, uint32_t id)
{
	return &sluice_scratch_leaves(session->scratch)->leaves[id];
}

/* The first alternative that matches the leaf, or SIZE_MAX; charged to the budget. */
static size_t matching_alternative(struct sluice_session *session, const struct sluice_field *field,
                                   const struct sluice_leaf *leaf)
{
	for (size_t i = 0; i < field->alternative_count; i++) {
		const struct sluice_predicate *predicate = &field->alternatives[i];
		size_t values = predicate->op == SLUICE_OP_BUT ? predicate->but.count : 1;
		session->budget -= (int64_t)(values * (1 + leaf->value.text.len / 16));
		if (session->budget < 0)
			return SIZE_MAX;
		if (sluice_predicate_matches(predicate, &leaf->value))
			return i;
	}
	return SIZE_MAX;
}

/* The outermost array that a leaf stands in, or UINT32_MAX. */
static uint32_t outer_array(const struct sluice_leaves *leaves, uint32_t leaf)
{
	uint32_t element = leaves->leaves[leaf].element;
	if (element == 0)
		return UINT32_MAX;
	while (leaves->elements[element].parent != 0)
		element = leaves->elements[element].parent;
	return leaves->elements[element].array;
}

static void judge_field(struct sluice_session *session, const struct sluice_field *field,
                        struct sluice_judged_field *judged)
{
	*judged = (struct sluice_judged_field){ .judged = true,
		                                .leaf = SLUICE_NO_LEAF,
		                                .array = UINT32_MAX };
	judged->first = sluice_scratch_first_leaf(session->scratch, session->matcher, field->path);
	judged->state = SLUICE_FIELD_FAILED;
	if (field->payload && !has_fields(session)) {
		judged->state = SLUICE_FIELD_NO_PAYLOAD;
		judged->first = SLUICE_NO_LEAF;
		return;
	}
	if (judged->first == SLUICE_NO_LEAF) {
		if (field->absent)
			judged->state = SLUICE_FIELD_MATCHED_ABSENT;
		return;
	}
	const struct sluice_leaves *leaves = sluice_scratch_leaves(session->scratch);
	judged->array = outer_array(leaves, judged->first);
	judged->in_elements = true;
	for (uint32_t id = judged->first; id != SLUICE_NO_LEAF; id = leaves->leaves[id].next) {
		const struct sluice_leaf *leaf = &leaves->leaves[id];
		judged->leaf_count++;
		judged->in_elements &= leaf->element != 0;
		session->budget--;
		if (judged->state == SLUICE_FIELD_FAILED) {
			size_t alternative = matching_alternative(session, field, leaf);
			if (alternative != SIZE_MAX) {
				judged->state = SLUICE_FIELD_MATCHED;
				judged->leaf = id;
				judged->alternative = alternative;
				judged->array = outer_array(leaves, id);
			}
		}
		if (session->budget < 0) {
			if (judged->state == SLUICE_FIELD_FAILED)
				judged->state = SLUICE_FIELD_UNDECIDED;
			return;
		}
	}
}

/* --- where leaves stand in arrays --- */

static size_t depth_of(const struct sluice_leaves *leaves, uint32_t element)
{
	size_t depth = 0;
	for (; element != 0; element = leaves->elements[element].parent)
		depth++;
	return depth;
}

/*
 * How two leaves stand to each other: *array gets the array whose different elements they stand
 * in, false when there is none. Elements are a tree, so that is decided where their ways to the
 * event part.
 */
static bool in_different_elements(const struct sluice_leaves *leaves, uint32_t a, uint32_t b,
                                  uint32_t *array)
{
	uint32_t x = leaves->leaves[a].element, y = leaves->leaves[b].element;
	size_t x_depth = depth_of(leaves, x), y_depth = depth_of(leaves, y);
	for (; x_depth > y_depth; x_depth--)
		x = leaves->elements[x].parent;
	for (; y_depth > x_depth; y_depth--)
		y = leaves->elements[y].parent;
	if (x == y)
		return false;
	while (leaves->elements[x].parent != leaves->elements[y].parent) {
		x = leaves->elements[x].parent;
		y = leaves->elements[y].parent;
	}
	*array = leaves->elements[x].array;
	return leaves->elements[x].array == leaves->elements[y].array;
}

/*
 * A field that may be absent and has leaves, none of which matches, can still match where all its
 * leaves stand in array elements and another field of the conjunction matches in that array: it
 * has to be absent in the elements of those only.
 */
static bool absent_elsewhere(const struct sluice_session_rule *rule,
                             const struct sluice_conjunction *conjunction, size_t index)
{
	const struct sluice_judged_field *judged = &rule->fields[index];
	if (judged->state != SLUICE_FIELD_FAILED || !rule->pattern->fields[index].absent ||
	    !judged->in_elements)
		return false;
	for (size_t i = 0; i < conjunction->field_count; i++) {
		const struct sluice_judged_field *other = &rule->fields[conjunction->fields[i]];
		if (other->state == SLUICE_FIELD_MATCHED && other->array == judged->array)
			return true;
	}
	return false;
}

/* How many fields of the conjunction fail by themselves. */
static size_t count_failed(struct sluice_session *session, struct sluice_session_rule *rule,
                           const struct sluice_conjunction *conjunction)
{
	size_t failed = 0;
	for (size_t i = 0; i < conjunction->field_count; i++) {
		size_t index = conjunction->fields[i];
		if (!rule->fields[index].judged)
			judge_field(session, &rule->pattern->fields[index], &rule->fields[index]);
	}
	for (size_t i = 0; i < conjunction->field_count; i++) {
		size_t index = conjunction->fields[i];
		enum sluice_field_state state = rule->fields[index].state;
		if (state != SLUICE_FIELD_MATCHED && state != SLUICE_FIELD_MATCHED_ABSENT &&
		    !absent_elsewhere(rule, conjunction, index))
			failed++;
	}
	return failed;
}

/* In the conjunction that is shown, what may be absent elsewhere is; in one that matched there is
 * no other reason. */
static void settle(struct sluice_session_rule *rule)
{
	const struct sluice_conjunction *conjunction = &rule->pattern->conjunctions[rule->nearest];
	bool absent[SLUICE_PATTERN_MAX_CONJUNCTION];
	for (size_t i = 0; i < conjunction->field_count; i++) {
		const struct sluice_judged_field *judged = &rule->fields[conjunction->fields[i]];
		absent[i] = rule->matched
		                    ? judged->state == SLUICE_FIELD_FAILED
		                    : absent_elsewhere(rule, conjunction, conjunction->fields[i]);
	}
	for (size_t i = 0; i < conjunction->field_count; i++) {
		if (absent[i])
			rule->fields[conjunction->fields[i]].state = SLUICE_FIELD_MATCHED_ABSENT;
	}
}

void sluice_session_judge(struct sluice_session *session, struct sluice_session_rule *rule)
{
	rule->failed = SIZE_MAX;
	session->budget = JUDGE_BUDGET;
	for (size_t i = 0; i < rule->pattern->conjunction_count; i++) {
		bool matched = conjunction_matched(session, rule->first_id + i);
		size_t failed = count_failed(session, rule, &rule->pattern->conjunctions[i]);
		if (!matched && failed >= rule->failed)
			continue;
		rule->nearest = i;
		rule->failed = failed;
		rule->matched = matched;
		if (matched)
			break;
	}
	settle(rule);
	rule->not_together = !rule->matched && rule->failed == 0;
	if (rule->matched)
		rule->failed = 0;
	else if (rule->not_together)
		rule->failed = 1;
}

/* Up to PARTING_LEAVES leaves that the field matches; where it is absent elsewhere, leaves that it
 * has. */
static size_t gather(struct sluice_session *session, const struct sluice_field *field,
                     const struct sluice_judged_field *judged, uint32_t *ids)
{
	size_t count = 0;
	uint32_t id = judged->first;
	for (; id != SLUICE_NO_LEAF && count < PARTING_LEAVES && session->budget >= 0;
	     id = leaf_at(session, id)->next) {
		if (judged->state == SLUICE_FIELD_MATCHED_ABSENT ||
		    matching_alternative(session, field, leaf_at(session, id)) != SIZE_MAX)
			ids[count++] = id;
	}
	return count;
}

/* Whether no leaf of the one goes together with any of the other; *array gets an array that keeps
 * them apart. */
static bool parted(const struct sluice_leaves *leaves, const uint32_t *a, size_t a_count,
                   const uint32_t *b, size_t b_count, uint32_t *array)
{
	for (size_t i = 0; i < a_count; i++) {
		for (size_t j = 0; j < b_count; j++) {
			if (!in_different_elements(leaves, a[i], b[j], array))
				return false;
		}
	}
	return a_count > 0 && b_count > 0;
}

const struct sluice_path_node *sluice_session_parting(struct sluice_session *session,
                                                      const struct sluice_session_rule *rule)
{
	const struct sluice_leaves *leaves = sluice_scratch_leaves(session->scratch);
	const struct sluice_conjunction *conjunction = &rule->pattern->conjunctions[rule->nearest];
	const struct sluice_path_node *shared = NULL;
	session->budget = JUDGE_BUDGET;
	for (size_t i = 0; i < conjunction->field_count; i++) {
		const struct sluice_judged_field *first = &rule->fields[conjunction->fields[i]];
		uint32_t a[PARTING_LEAVES];
		size_t a_count =
		        gather(session, &rule->pattern->fields[conjunction->fields[i]], first, a);
		for (size_t j = i + 1; a_count > 0 && j < conjunction->field_count; j++) {
			const struct sluice_judged_field *second =
			        &rule->fields[conjunction->fields[j]];
			uint32_t b[PARTING_LEAVES];
			uint32_t array = UINT32_MAX;
			size_t b_count = gather(
			        session, &rule->pattern->fields[conjunction->fields[j]], second, b);
			session->budget -= (int64_t)(1 + a_count * b_count);
			if (session->budget < 0)
				return shared;
			if (first->state == SLUICE_FIELD_MATCHED &&
			    second->state == SLUICE_FIELD_MATCHED &&
			    parted(leaves, a, a_count, b, b_count, &array))
				return leaves->arrays[array].node;
			if (!shared && first->array != UINT32_MAX && first->array == second->array)
				shared = leaves->arrays[first->array].node;
		}
	}
	return shared;
}
