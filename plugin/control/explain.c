/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdlib.h>

#include "command.h"
#include "event.h"
#include "explain.h"

enum { MISSES = 5, MISSES_MAX = 100 };

/* The rules that are to be explained, those in force. */
struct selection {
	struct rule_record **records;
	struct sluice_explain_rule *rules;
	size_t count;
};

static void selection_finish(struct selection *selection)
{
	free(selection->records);
	free(selection->rules);
}

static enum sluice_status select_rules(const struct command_call *call, struct selection *selection,
                                       struct sluice_error *error)
{
	struct sluice_str rule = call_string(call, "rule");
	struct sluice_str bus = call_string(call, "bus");
	const struct registry *registry = &call->thread->registry;
	size_t all = 0;
	if (rule.data && !registry_rule(registry, rule))
		return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, "$.rule",
		                        "there is no rule \"%.*s\" in force", (int)rule.len,
		                        rule.data);
	if (bus.data && !registry_bus(registry, bus))
		return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, "$.bus",
		                        "there is no bus \"%.*s\" in force", (int)bus.len,
		                        bus.data);
	selection->records = registry_sorted(registry, &all);
	selection->rules = calloc(all + 1, sizeof *selection->rules);
	if (!selection->records || !selection->rules)
		return sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL, "out of memory");
	for (size_t i = 0; i < all; i++) {
		struct rule_record *record = selection->records[i];
		if (!record->current->rule->pattern_text.data ||
		    (rule.data && !sluice_str_equal(rule, record->current->rule->name)) ||
		    (bus.data && !sluice_str_equal(bus, record->current->rule->bus)))
			continue;
		selection->records[selection->count] = record;
		selection->rules[selection->count++] = (struct sluice_explain_rule){
			.name = record->current->rule->name,
			.text = record->current->rule->pattern_text,
		};
	}
	return SLUICE_OK;
}

void data_explanation(struct sluice_buffer *data, const struct sluice_explanation *explanation)
{
	struct sluice_buffer text = { .limit = 0 };
	data_key(data, "explanation");
	sluice_explanation_write_json(explanation, data);
	sluice_explanation_write_text(explanation, &text);
	data_string(data, "text", sluice_buffer_str(&text));
	data->failed |= text.failed; /* half a text is no answer */
	sluice_buffer_finish(&text);
}

static void write_one(struct sluice_buffer *data, const struct rule_entry *entry,
                      const struct sluice_explanation *explanation, struct sluice_str topic)
{
	sluice_buffer_append(data, "{", 1);
	data_string(data, "rule", entry->rule->name);
	data_string(data, "bus", entry->rule->bus);
	data_string(data, "state", sluice_str(sluice_rule_state_name(entry->rule->state)));
	/* Whether the event would come to this rule at all, but by way of another bus. */
	if (topic.data)
		data_bool(data, "bus_takes",
		          sluice_bus_takes(entry->bus->head.current->content.bus, topic));
	data_explanation(data, explanation);
	sluice_buffer_append(data, "}", 1);
}

static void write_list(struct command_call *call, const char *name, bool matched,
                       const struct selection *selection, const struct sluice_event *event,
                       const struct sluice_explain_ranked *ranked, size_t count)
{
	size_t written = 0;
	data_key(call->data, name);
	sluice_buffer_append(call->data, "[", 1);
	for (size_t i = 0; i < count; i++) {
		if (sluice_explanation_matched(ranked[i].explanation) != matched)
			continue;
		if (written++ > 0)
			sluice_buffer_append(call->data, ",", 1);
		write_one(call->data, selection->records[ranked[i].rule]->current,
		          ranked[i].explanation, event->topic);
	}
	sluice_buffer_append(call->data, "]", 1);
}

static bool cancelled(void *arg)
{
	const struct command_call *call = arg;
	return atomic_load_explicit(&call->asker->gone, memory_order_relaxed) ||
	       atomic_load_explicit(&call->thread->stop, memory_order_relaxed);
}

static enum sluice_status run(struct command_call *call, struct sluice_error *error)
{
	struct sluice_event event;
	void *storage;
	struct selection selection = { 0 };
	struct sluice_explain_ranked *ranked = NULL;
	size_t count = 0;
	/* One rule that is asked for by its name is shown, match or miss. */
	size_t misses =
	        call_member(call, "rule") ? 1 : (size_t)call_integer(call, "misses", MISSES);
	enum sluice_status status = call_event(call, &event, &storage, error);
	if (status != SLUICE_OK)
		return status;
	status = select_rules(call, &selection, error);
	if (status == SLUICE_OK)
		status = sluice_explain_many(selection.rules, selection.count, &event, misses,
		                             cancelled, call, &ranked, &count, error);
	if (status == SLUICE_OK) {
		sluice_buffer_append(call->data, "{", 1);
		write_list(call, "matches", true, &selection, &event, ranked, count);
		write_list(call, "misses", false, &selection, &event, ranked, count);
		sluice_buffer_append(call->data, "}", 1);
		sluice_explain_ranked_destroy(ranked, count);
	}
	selection_finish(&selection);
	free(storage);
	return status;
}

const struct command command_explain = {
	.name = "explain",
	.view = true,
	.run = run,
	.members = { { "event", MEMBER_ANY, false, 0, 0 },
	             { "publish", MEMBER_OBJECT, false, 0, 0 },
	             { "rule", MEMBER_NAME, false, 0, 0 },
	             { "bus", MEMBER_NAME, false, 0, 0 },
	             { "misses", MEMBER_INTEGER, false, 0, MISSES_MAX } },
};
