/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice explain: why rules match an event or not */
#include <stdlib.h>

#include "catalog.h"
#include "control.h"
#include "lines.h"
#include "sluice/explain.h"
#include "verbs.h"

enum { MISSES = 5, MISSES_MAX = 100 };

/* --- the event --- */

/* The event asked about. The strings point into the buffers and the document. */
struct question {
	struct sluice_event event;
	struct sluice_buffer text; /* of EVENT or --publish */
	struct sluice_json_doc *doc;
	void *storage;
	struct sluice_str publish; /* the object of --publish as it was given; absent without */
};

static void question_finish(struct question *question)
{
	free(question->storage);
	sluice_json_destroy(question->doc);
	sluice_buffer_finish(&question->text);
}

static enum cli_exit read_publish(const struct cli *cli, const char *where,
                                  struct question *question)
{
	struct sluice_error error;
	question->publish = sluice_buffer_str(&question->text);
	enum sluice_status status = sluice_json_parse(question->publish, SLUICE_JSON_UNIQUE_KEYS,
	                                              SIZE_MAX, &question->doc, &error);
	if (status == SLUICE_OK)
		status = sluice_event_from_json(sluice_json_root(question->doc), &question->event,
		                                &question->storage, &error);
	return status == SLUICE_OK ? CLI_OK : fail(cli, exit_of_input(status), where, &error);
}

static enum cli_exit read_question(const struct cli *cli, struct question *question)
{
	const char *event = cli->args->operand_count ? cli->args->operands[0] : NULL;
	const char *publish = arguments_value(cli->args, "publish");
	const char *message = arguments_value(cli->args, "message");
	struct sluice_error error;
	*question = (struct question){ .event = SLUICE_EVENT_INIT };
	if (!event + !publish + !message != 2)
		return fail_usage(cli, "one of EVENT, --message and --publish says what the "
		                       "event is");
	if (publish && arguments_has(cli->args, "topic"))
		return fail_usage(cli, "--publish names its topic itself");
	if (message) {
		question->event.payload = sluice_str(message);
	} else {
		const char *from = event ? event : publish;
		if (text_or_file(from, &question->text, &error) != SLUICE_OK)
			return fail(cli, CLI_SYSTEM, file_title(from), &error);
		if (publish)
			return read_publish(cli, "--publish", question);
		/* The newline at the end of a file is not part of what it holds. */
		struct sluice_str payload = sluice_buffer_str(&question->text);
		if (payload.len > 0 && payload.data[payload.len - 1] == '\n')
			payload.len--;
		question->event.payload = payload;
	}
	question->event.topic = sluice_str(arguments_value(cli->args, "topic"));
	return CLI_OK;
}

/* --- the answer, in the shape of the control command `explain` --- */

static void write_explanation(struct sluice_buffer *out,
                              const struct sluice_explanation *explanation)
{
	struct sluice_buffer text = { 0 };
	output_member(out, "explanation");
	sluice_explanation_write_json(explanation, out);
	sluice_explanation_write_text(explanation, &text);
	output_member_text(out, "text", sluice_buffer_str(&text));
	out->failed = out->failed || text.failed;
	sluice_buffer_finish(&text);
}

static void print_entries(struct sluice_buffer *out, const struct sluice_json *list,
                          const char *verdict)
{
	for (const struct sluice_json *entry = list ? list->first : NULL; entry;
	     entry = entry->next) {
		const struct sluice_json *state = sluice_json_get(entry, "state");
		const struct sluice_json *takes = sluice_json_get(entry, "bus_takes");
		const struct sluice_json *text = sluice_json_get(entry, "text");
		sluice_buffer_printf(out, "%s ", verdict);
		output_plain(out, sluice_json_get(entry, "rule"));
		if (state && !sluice_str_equal(state->string, SLUICE_STR("ENABLED"))) {
			sluice_buffer_append_text(out, ", which is ");
			output_plain(out, state);
		}
		if (takes && takes->type == SLUICE_JSON_FALSE) {
			sluice_buffer_append_text(out, ", whose bus ");
			output_plain(out, sluice_json_get(entry, "bus"));
			sluice_buffer_append_text(out, " does not take in this topic");
		}
		sluice_buffer_append_text(out, "\n");
		if (text)
			output_lines(out, "  ", text->string);
	}
}

/* Prints what the broker, or we in its place, have found. */
static enum cli_exit print_data(const struct cli *cli, const struct sluice_json *data)
{
	const struct sluice_json *matches = sluice_json_get(data, "matches");
	const struct sluice_json *misses = sluice_json_get(data, "misses");
	struct sluice_buffer out = { 0 };
	if (cli->json) {
		sluice_buffer_append_str(&out, data->raw);
	} else {
		print_entries(&out, matches, "match   ");
		print_entries(&out, misses, "no match");
		if (out.len == 0)
			sluice_buffer_append_text(&out, "there are no rules\n");
		/* output_line brings the newline. */
		if (!out.failed)
			out.len--;
	}
	enum cli_exit code = output_line(cli, &out);
	sluice_buffer_finish(&out);
	if (code == CLI_OK && (!matches || matches->count == 0))
		code = CLI_NO;
	return code;
}

static enum cli_exit print_text(const struct cli *cli, const struct sluice_buffer *json)
{
	struct sluice_json_doc *doc;
	if (json->failed ||
	    sluice_json_parse(sluice_buffer_str(json), 0, SIZE_MAX, &doc, NULL) != SLUICE_OK)
		return fail_memory(cli);
	enum cli_exit code = print_data(cli, sluice_json_root(doc));
	sluice_json_destroy(doc);
	return code;
}

/* --- one pattern --- */

static enum cli_exit explain_pattern(const struct cli *cli, const char *from,
                                     const struct question *question)
{
	struct sluice_buffer text = { 0 }, out = { 0 };
	struct sluice_pattern *pattern = NULL;
	struct sluice_explanation *explanation = NULL;
	struct sluice_error error;
	enum cli_exit code = CLI_OK;
	enum sluice_status status = text_or_file(from, &text, &error);
	if (status == SLUICE_OK)
		status = sluice_pattern_compile(sluice_buffer_str(&text), &pattern, &error);
	if (status == SLUICE_OK)
		status = sluice_explain(pattern, &question->event, &explanation, &error);
	if (status != SLUICE_OK) {
		code = fail(cli, exit_of_input(status), "pattern", &error);
	} else {
		bool matched = sluice_explanation_matched(explanation);
		if (cli->json) {
			sluice_buffer_printf(&out, "{\"match\":%s", matched ? "true" : "false");
			write_explanation(&out, explanation);
			sluice_buffer_append_text(&out, "}");
		} else {
			struct sluice_buffer lines = { 0 };
			sluice_explanation_write_text(explanation, &lines);
			sluice_buffer_append_text(&out, matched ? "match\n" : "no match\n");
			output_lines(&out, "", sluice_buffer_str(&lines));
			out.failed = out.failed || lines.failed;
			if (!out.failed)
				out.len--;
			sluice_buffer_finish(&lines);
		}
		code = output_line(cli, &out);
		if (code == CLI_OK && !matched)
			code = CLI_NO;
	}
	sluice_explanation_destroy(explanation);
	sluice_pattern_destroy(pattern);
	sluice_buffer_finish(&out);
	sluice_buffer_finish(&text);
	return code;
}

/* --- many rules, here --- */

/* Rules to explain, of a file or a store. */
struct selection {
	const struct cli *cli;
	const char *rule, *bus; /* only this one, only on this one; NULL = all */
	struct rule_file rules; /* owns them */
	struct rule_file buses;
	bool failed;
};

static bool wanted(const struct selection *selection, const struct rule_item *item)
{
	const struct sluice_rule *rule = rule_item_rule(item);
	struct sluice_str bus = rule ? rule->bus : SLUICE_STR("default");
	return (!selection->rule || sluice_str_equal(item->name, sluice_str(selection->rule))) &&
	       (!selection->bus || sluice_str_equal(bus, sluice_str(selection->bus)));
}

static bool on_row(void *arg, const struct catalog_row *row)
{
	struct selection *selection = arg;
	struct rule_item item = { .line = 0 };
	struct sluice_error error;
	if (row->kind != SLUICE_STORE_BUS && row->kind != SLUICE_STORE_RULE)
		return true;
	enum sluice_status status =
	        sluice_definition_parse(row->kind, row->text, &item.definition, &error);
	if (status != SLUICE_OK && status != SLUICE_ERR_NOMEM)
		return true;
	if (status == SLUICE_OK) {
		item.name = sluice_definition_name(&item.definition);
		status = rule_file_add(row->kind == SLUICE_STORE_BUS ? &selection->buses
		                                                     : &selection->rules,
		                       &item);
	}
	selection->failed = status != SLUICE_OK;
	return !selection->failed;
}

static const struct sluice_bus *bus_of(const struct selection *selection,
                                       const struct rule_item *item)
{
	const struct sluice_rule *rule = rule_item_rule(item);
	for (size_t i = 0; rule && i < selection->buses.count; i++)
		if (sluice_str_equal(selection->buses.items[i].name, rule->bus))
			return selection->buses.items[i].definition.bus;
	return NULL;
}

static void write_entry(const struct selection *selection, const struct rule_item *item,
                        struct sluice_str topic, const struct sluice_explanation *explanation,
                        struct sluice_buffer *out)
{
	const struct sluice_bus *bus = bus_of(selection, item);
	const struct sluice_rule *rule = rule_item_rule(item);
	sluice_buffer_append_text(out, "{");
	output_member_text(out, "rule", item->name);
	if (rule) {
		output_member_text(out, "bus", rule->bus);
		output_member_text(out, "state", sluice_str(sluice_rule_state_name(rule->state)));
	}
	if (bus && topic.data) {
		output_member(out, "bus_takes");
		sluice_buffer_append_text(out, sluice_bus_takes(bus, topic) ? "true" : "false");
	}
	write_explanation(out, explanation);
	sluice_buffer_append_text(out, "}");
}

static enum cli_exit explain_selection(const struct selection *selection, size_t misses,
                                       const struct question *question)
{
	const struct cli *cli = selection->cli;
	struct sluice_buffer out = { 0 };
	struct sluice_explain_rule *rules = calloc(selection->rules.count + 1, sizeof(*rules));
	const struct rule_item **items = calloc(selection->rules.count + 1, sizeof(*items));
	struct sluice_explain_ranked *ranked = NULL;
	struct sluice_error error;
	size_t count = 0, ranked_count = 0;
	enum cli_exit code = CLI_OK;
	if (!rules || !items) {
		code = fail_memory(cli);
		goto done;
	}
	for (size_t i = 0; i < selection->rules.count; i++) {
		const struct rule_item *item = &selection->rules.items[i];
		const struct sluice_pattern *pattern = rule_item_pattern(item);
		if (!pattern || !wanted(selection, item))
			continue;
		items[count] = item;
		rules[count++] =
		        (struct sluice_explain_rule){ .name = item->name, .pattern = pattern };
	}
	if (selection->rule && count == 0) {
		sluice_error_set(&error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, NULL,
		                 "there is no rule \"%s\"", selection->rule);
		code = fail(cli, CLI_NO, NULL, &error);
		goto done;
	}
	/* One rule that is asked for by its name is shown, match or miss. */
	enum sluice_status status = sluice_explain_many(rules, count, &question->event,
	                                                selection->rule ? count : misses, NULL,
	                                                NULL, &ranked, &ranked_count, &error);
	if (status != SLUICE_OK) {
		code = fail(cli, CLI_SYSTEM, NULL, &error);
		goto done;
	}
	for (int matched = 1; matched >= 0; matched--) {
		sluice_buffer_append_text(&out, matched ? "{\"matches\":[" : "],\"misses\":[");
		const char *comma = "";
		for (size_t i = 0; i < ranked_count; i++) {
			if (sluice_explanation_matched(ranked[i].explanation) != (matched == 1))
				continue;
			sluice_buffer_append_text(&out, comma);
			comma = ",";
			write_entry(selection, items[ranked[i].rule], question->event.topic,
			            ranked[i].explanation, &out);
		}
	}
	sluice_buffer_append_text(&out, "]}");
	code = print_text(cli, &out);
	sluice_explain_ranked_destroy(ranked, ranked_count);
done:
	sluice_buffer_finish(&out);
	free(items);
	free(rules);
	return code;
}

static enum cli_exit explain_here(const struct cli *cli, const char *path, size_t misses,
                                  const struct question *question)
{
	struct selection selection = { .cli = cli,
		                       .rule = arguments_value(cli->args, "rule"),
		                       .bus = arguments_value(cli->args, "bus") };
	enum cli_exit code;
	if (path) {
		code = rule_file_load(cli, path, RULE_FILE_LIGHT, &selection.rules);
	} else {
		struct catalog *catalog;
		struct sluice_error error;
		code = catalog_open(cli, 0, &catalog);
		if (code == CLI_OK) {
			code = catalog->ops->export(catalog, on_row, &selection, &error);
			catalog_close(catalog);
			if (code != CLI_OK)
				fail(cli, code, NULL, &error);
			else if (selection.failed)
				code = fail_memory(cli);
		}
	}
	if (code == CLI_OK)
		code = explain_selection(&selection, misses, question);
	rule_file_finish(&selection.rules);
	rule_file_finish(&selection.buses);
	return code;
}

/* --- many rules, in the broker --- */

static enum cli_exit explain_there(const struct cli *cli, size_t misses,
                                   const struct question *question)
{
	struct control *control;
	struct sluice_error error;
	struct sluice_buffer members = { 0 };
	const char *rule = arguments_value(cli->args, "rule");
	const char *bus = arguments_value(cli->args, "bus");
	enum cli_exit code = control_open(cli, &control, &error);
	if (code == CLI_USAGE)
		return fail_usage(cli, "%s", error.message);
	if (code != CLI_OK)
		return fail(cli, code, NULL, &error);
	output_member(&members, "publish");
	if (question->publish.data) {
		sluice_buffer_append_str(&members, question->publish);
	} else {
		sluice_buffer_append_text(&members, "{");
		output_member_text(&members, "payload", question->event.payload);
		if (question->event.topic.data)
			output_member_text(&members, "topic", question->event.topic);
		sluice_buffer_append_text(&members, "}");
	}
	if (rule)
		output_member_text(&members, "rule", sluice_str(rule));
	if (bus)
		output_member_text(&members, "bus", sluice_str(bus));
	output_member_integer(&members, "misses", (int64_t)misses);
	struct answer answer;
	code = control_call(control, CONTROL_VIEW, "explain", &members, &answer, &error);
	if (code == CLI_OK) {
		code = print_data(cli, answer.data);
		answer_finish(&answer);
	} else {
		fail(cli, code, NULL, &error);
	}
	sluice_buffer_finish(&members);
	control_close(control);
	return code;
}

static enum cli_exit exec_explain(const struct cli *cli)
{
	const char *pattern = arguments_value(cli->args, "pattern");
	const char *rules = arguments_value(cli->args, "rules");
	struct sluice_error error;
	struct question question;
	int64_t misses;
	if (arguments_integer(cli->args, "misses", 0, MISSES_MAX, MISSES, &misses, &error) !=
	    SLUICE_OK)
		return fail_usage(cli, "%s", error.message);
	if (pattern && (rules || arguments_has(cli->args, "rule")))
		return fail_usage(cli, "either --pattern or rules");
	enum cli_exit code = read_question(cli, &question);
	if (code == CLI_OK) {
		if (pattern)
			code = explain_pattern(cli, pattern, &question);
		else if (rules || arguments_has(cli->args, "db"))
			code = explain_here(cli, rules, (size_t)misses, &question);
		else
			code = explain_there(cli, (size_t)misses, &question);
	}
	question_finish(&question);
	return code;
}

static const struct option explain_options[] = {
	{ "message", 'm', "TEXT", "the event's payload, as it stands here", NULL },
	{ "topic", 't', "TOPIC", "the topic it is published to", NULL },
	{ "publish", 0, "JSON|FILE", "the whole publish: {\"topic\":…,\"payload\":…,…}", "@file" },
	{ "pattern", 0, "JSON|FILE", "explain this pattern, offline", "@file" },
	{ "rules", 0, "FILE", "explain the rules of this file, offline", "@file" },
	{ "rule", 0, "NAME", "explain only this rule", NULL },
	{ "bus", 0, "NAME", "explain only rules on this bus", NULL },
	{ "misses", 0, "N", "show so many of the rules that came nearest (5)", NULL },
	{ 0 },
};

const struct verb verb_explain = {
	.name = "explain",
	.operands = "[EVENT]",
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = explain_options,
	.completes = "@file",
	.summary = "say why rules match an event, or do not",
	.help = "Without --pattern, --rules or --db the rules are those in force in the\n"
	        "broker. The rules that match come first, then the nearest misses, by how\n"
	        "few fields failed. The exit status is 1 when nothing matches. EVENT is the\n"
	        "event's payload. A value that begins with { or [ or \" is JSON text; any\n"
	        "other names a file, - standard input.",
	.exec = exec_explain,
};
