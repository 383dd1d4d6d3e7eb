/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sluice/rule.h"

#include <stdalign.h>
#include <stddef.h>

#include "arena.h"
#include "document.h"
#include "rule_schedule.h"
#include "sluice/buffer.h"
#include "sluice/members.h"
#include "target.h"

/* A pattern reports itself what is nested too deep; above it are the rule, below it a scalar. */
enum { MAX_DEPTH = SLUICE_PATTERN_MAX_DEPTH + 4 };

static const char *const state_names[] = { "ENABLED", "DISABLED", "SHADOW", NULL };

const char *sluice_rule_state_name(enum sluice_rule_state state)
{
	return state_names[state];
}

bool sluice_rule_state_parse(struct sluice_str name, enum sluice_rule_state *state)
{
	for (size_t i = 0; state_names[i]; i++) {
		if (!sluice_str_equal(name, sluice_str(state_names[i])))
			continue;
		*state = (enum sluice_rule_state)i;
		return true;
	}
	return false;
}

static enum sluice_status read_pattern(struct sluice_rule *rule, const struct sluice_json *node,
                                       struct sluice_error *error)
{
	enum sluice_status status;

	if (!node)
		return SLUICE_OK;
	status = sluice_member_pattern(node, &rule->pattern, error);
	if (status)
		return status;
	rule->pattern_text = node->raw;
	rule->metadata |= sluice_pattern_metadata(rule->pattern);
	return SLUICE_OK;
}

static enum sluice_status read_targets(struct sluice_rule *rule, const struct sluice_json *node,
                                       struct sluice_error *error)
{
	if (node->type != SLUICE_JSON_ARRAY)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "must be a list of targets");
	if (node->count > SLUICE_RULE_MAX_TARGETS)
		return sluice_json_error(node, error, SLUICE_ERR_LIMIT,
		                         "a rule has at most %d targets", SLUICE_RULE_MAX_TARGETS);
	for (const struct sluice_json *item = node->first; item; item = item->next) {
		struct sluice_target *target = &rule->targets[rule->target_count++];
		enum sluice_status status = sluice_target_read(target, item, error);

		if (status)
			return status;
		for (size_t i = 0; i + 1 < rule->target_count; i++)
			if (sluice_str_equal(rule->targets[i].id, target->id))
				return sluice_json_error(sluice_json_get(item, "id"), error,
				                         SLUICE_ERR_INVALID,
				                         "another target of this rule has the id "
				                         "\"%.*s\"",
				                         (int)target->id.len, target->id.data);
		if (target->kind == SLUICE_TARGET_BUS && sluice_str_equal(target->bus, rule->bus))
			return sluice_json_error(sluice_json_get(item, "bus"), error,
			                         SLUICE_ERR_INVALID,
			                         "a rule can't feed the bus that it is on");
		rule->metadata |= sluice_target_metadata(target);
	}
	return SLUICE_OK;
}

static enum sluice_status read_state(struct sluice_rule *rule, const struct sluice_json *node,
                                     struct sluice_error *error)
{
	if (node && (node->type != SLUICE_JSON_STRING ||
	             !sluice_rule_state_parse(node->string, &rule->state)))
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "must be \"ENABLED\", \"DISABLED\" or \"SHADOW\"");
	return SLUICE_OK;
}

/* Fills *rule, whose strings point into the document, and whose targets are the caller's. */
static enum sluice_status read_rule(struct sluice_rule *rule, const struct sluice_json *node,
                                    struct sluice_error *error)
{
	enum {
		NAME,
		BUS,
		STATE,
		DESCRIPTION,
		METRICS,
		PATTERN,
		TARGETS,
		DEAD_LETTER,
		SCHEDULE,
		TIMEZONE,
		INPUT,
		INPUT_TRANSFORMER,
		MISSED,
		MEMBERS
	};
	static const char *const names[] = { "name",     "bus",      "state",   "description",
		                             "metrics",  "pattern",  "targets", "dead_letter",
		                             "schedule", "timezone", "input",   "input_transformer",
		                             "missed",   NULL };
	const struct sluice_json *found[MEMBERS];
	enum sluice_status status;

	if (node->raw.len > SLUICE_RULE_MAX_BYTES)
		return sluice_json_error(node, error, SLUICE_ERR_LIMIT,
		                         "a rule is longer than %d bytes", SLUICE_RULE_MAX_BYTES);
	status = sluice_members_read(node, "a rule", names, found, error);
	if (status)
		return status;
	if (!found[NAME])
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "a rule must have a \"name\"");
	if (!found[PATTERN] && !found[SCHEDULE])
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "a rule must have a \"pattern\" or a \"schedule\"");
	if (found[PATTERN] && found[SCHEDULE])
		return sluice_json_error(found[SCHEDULE], error, SLUICE_ERR_INVALID,
		                         "a rule has either a \"pattern\" or a \"schedule\"");
	const struct sluice_rule_schedule_members schedule = {
		.schedule = found[SCHEDULE],
		.timezone = found[TIMEZONE],
		.input = found[INPUT],
		.input_transformer = found[INPUT_TRANSFORMER],
		.missed = found[MISSED],
	};
	rule->bus = SLUICE_STR("default");
	if ((status = sluice_member_name(found[NAME], &rule->name, error)) ||
	    (status = sluice_member_name(found[BUS], &rule->bus, error)) ||
	    (status = read_state(rule, found[STATE], error)) ||
	    (status = sluice_member_string(found[DESCRIPTION], 0, SLUICE_DESCRIPTION_MAX,
	                                   &rule->description, error)) ||
	    (status = sluice_member_bool(found[METRICS], &rule->metrics, error)) ||
	    (status = sluice_member_name(found[DEAD_LETTER], &rule->dead_letter, error)) ||
	    (status = read_pattern(rule, found[PATTERN], error)) ||
	    (status = sluice_rule_schedule_read(&rule->schedule, &schedule, error)))
		return status;
	return found[TARGETS] ? read_targets(rule, found[TARGETS], error) : SLUICE_OK;
}

enum { STRINGS = 9 };

static void list_strings(struct sluice_rule *rule, struct sluice_str *strings[STRINGS])
{
	strings[0] = &rule->name;
	strings[1] = &rule->bus;
	strings[2] = &rule->description;
	strings[3] = &rule->pattern_text;
	strings[4] = &rule->dead_letter;
	strings[5] = &rule->schedule.text;
	strings[6] = &rule->schedule.timezone;
	strings[7] = &rule->schedule.input_text;
	strings[8] = &rule->schedule.input_transformer_text;
}

/* Copies what was read into an arena of just its size. NULL when out of memory. */
static struct sluice_rule *keep(struct sluice_rule *read)
{
	struct sluice_str *strings[STRINGS];
	/* An object may be padded to the alignment of any other. */
	size_t bytes = sizeof(*read) + alignof(max_align_t) +
	               read->target_count * sizeof(*read->targets) + alignof(max_align_t);
	list_strings(read, strings);
	for (size_t i = 0; i < STRINGS; i++)
		bytes += strings[i]->data ? strings[i]->len + 1 : 0;
	for (size_t i = 0; i < read->target_count; i++)
		bytes += sluice_target_bytes(&read->targets[i]);

	struct sluice_arena *arena = sluice_arena_create_for(bytes);
	struct sluice_rule *rule = arena ? sluice_arena_alloc(arena, 1, sizeof(*rule)) : NULL;
	if (!rule)
		goto error;
	*rule = *read;
	rule->arena = arena;
	rule->targets = NULL;
	if (read->target_count > 0) {
		rule->targets =
		        sluice_arena_alloc(arena, read->target_count, sizeof(*rule->targets));
		if (!rule->targets)
			goto error;
		memcpy(rule->targets, read->targets, read->target_count * sizeof(*rule->targets));
	}
	for (size_t i = 0; i < rule->target_count; i++)
		if (!sluice_target_keep(&rule->targets[i], arena))
			goto error;
	list_strings(rule, strings);
	for (size_t i = 0; i < STRINGS; i++) {
		if (!strings[i]->data)
			continue;
		*strings[i] = sluice_arena_str(arena, *strings[i]);
		if (!strings[i]->data)
			goto error;
	}
	return rule;

error:
	sluice_arena_destroy(arena);
	return NULL;
}

/* The compiled parts. */
static void finish(struct sluice_rule *rule)
{
	for (size_t i = 0; i < rule->target_count; i++)
		sluice_target_finish(&rule->targets[i]);
	sluice_pattern_destroy(rule->pattern);
	sluice_rule_schedule_finish(&rule->schedule);
}

enum sluice_status sluice_rule_from_json(const struct sluice_json *node, struct sluice_rule **rule,
                                         struct sluice_error *error)
{
	struct sluice_target targets[SLUICE_RULE_MAX_TARGETS];
	struct sluice_rule read = { .targets = targets };

	*rule = NULL;
	enum sluice_status status = read_rule(&read, node, error);
	if (status) {
		sluice_error_rebase(error, node);
		finish(&read);
		return status;
	}
	*rule = keep(&read);
	if (*rule)
		return SLUICE_OK;
	finish(&read);
	return sluice_out_of_memory(error);
}

enum sluice_status sluice_rule_parse(struct sluice_str text, struct sluice_rule **rule,
                                     struct sluice_error *error)
{
	struct sluice_json_doc *doc;
	enum sluice_status status;

	*rule = NULL;
	if (text.len > SLUICE_RULE_MAX_BYTES)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, "$",
		                        "a rule is longer than %d bytes", SLUICE_RULE_MAX_BYTES);
	status = sluice_json_parse(text, 0, MAX_DEPTH, &doc, error);
	if (status)
		return status;
	status = sluice_rule_from_json(sluice_json_root(doc), rule, error);
	sluice_json_destroy(doc);
	return status;
}

void sluice_rule_destroy(struct sluice_rule *rule)
{
	if (!rule)
		return;
	finish(rule);
	sluice_arena_destroy(rule->arena);
}

struct sluice_pattern *sluice_rule_take_pattern(struct sluice_rule *rule)
{
	struct sluice_pattern *pattern = rule->pattern;

	rule->pattern = NULL;
	return pattern;
}

void sluice_rule_write(const struct sluice_rule *rule, struct sluice_buffer *buf)
{
	sluice_buffer_append_text(buf, "{\"name\":");
	sluice_json_write_string(buf, rule->name);
	sluice_buffer_append_text(buf, ",\"bus\":");
	sluice_json_write_string(buf, rule->bus);
	sluice_buffer_append_text(buf, ",\"state\":");
	sluice_json_write_string(buf, sluice_str(sluice_rule_state_name(rule->state)));
	if (rule->description.data) {
		sluice_buffer_append_text(buf, ",\"description\":");
		sluice_json_write_string(buf, rule->description);
	}
	if (rule->metrics)
		sluice_buffer_append_text(buf, ",\"metrics\":true");
	if (rule->dead_letter.data) {
		sluice_buffer_append_text(buf, ",\"dead_letter\":");
		sluice_json_write_string(buf, rule->dead_letter);
	}
	if (rule->pattern_text.data) {
		sluice_buffer_append_text(buf, ",\"pattern\":");
		sluice_json_write_compact(buf, rule->pattern_text);
	} else {
		sluice_rule_schedule_write(&rule->schedule, buf);
	}
	sluice_buffer_append_text(buf, ",\"targets\":[");
	for (size_t i = 0; i < rule->target_count; i++) {
		if (i > 0)
			sluice_buffer_append_text(buf, ",");
		sluice_json_write_compact(buf, rule->targets[i].text);
	}
	sluice_buffer_append_text(buf, "]}");
}
