/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice match: which rules events match, offline. */
#include <stdlib.h>
#include <unistd.h>

#include "filter.h"
#include "lines.h"
#include "output.h"
#include "rule_file.h"
#include "sluice/matcher.h"
#include "verbs.h"

/* A matcher with its scratch. */
struct engine {
	struct sluice_matcher *matcher;
	struct sluice_scratch *scratch;
};

static bool engine_init(struct engine *engine)
{
	engine->matcher = sluice_matcher_create();
	engine->scratch = sluice_scratch_create();
	return engine->matcher && engine->scratch;
}

static void engine_finish(struct engine *engine)
{
	sluice_scratch_destroy(engine->scratch);
	sluice_matcher_destroy(engine->matcher);
}

/* --- match --cases --- */

/* JSON text that stands as a value, or in a string. */
static struct sluice_str text_of(const struct sluice_json *node)
{
	return node->type == SLUICE_JSON_STRING ? node->string : node->raw;
}

static void write_verdict(const struct cli *cli, const char *verdict,
                          const struct sluice_error *error, struct sluice_buffer *out)
{
	if (cli->json) {
		sluice_buffer_printf(out, "{\"verdict\":\"%s\"", verdict);
		if (error) {
			sluice_buffer_append_text(out, ",\"place\":");
			sluice_json_write_string(out, sluice_str(error->place));
			sluice_buffer_append_text(out, ",\"reason\":");
			sluice_json_write_string(out, sluice_str(error->message));
		}
		sluice_buffer_append_text(out, "}");
		return;
	}
	char reason[sizeof(error->place) + sizeof(error->message) + 8];
	if (error)
		sluice_buffer_printf(out, "%s: %s", verdict,
		                     sluice_error_format(error, NULL, reason, sizeof(reason)));
	else
		sluice_buffer_append_text(out, verdict);
}

static void write_no_case(const struct cli *cli, const struct sluice_error *reason,
                          struct sluice_buffer *out)
{
	struct sluice_error error;
	sluice_error_set(&error, reason->code, SIZE_MAX, NULL, "not a case: %s", reason->message);
	snprintf(error.place, sizeof(error.place), "%s", reason->place);
	write_verdict(cli, "invalid", &error, out);
}

/* Appends the verdict of one event and pattern; fails only for want of memory. */
static enum sluice_status judge(const struct cli *cli, struct engine *engine,
                                struct sluice_str pattern_text, const struct sluice_event *event,
                                struct sluice_buffer *out, struct sluice_error *error)
{
	struct sluice_pattern *pattern;
	enum sluice_status status = sluice_pattern_compile(pattern_text, &pattern, error);
	if (status == SLUICE_ERR_NOMEM)
		return status;
	if (status != SLUICE_OK) {
		write_verdict(cli, "invalid", error, out);
		return SLUICE_OK;
	}
	struct sluice_match match = { 0 };
	status = sluice_matcher_add(engine->matcher, 1, pattern, error);
	if (status == SLUICE_OK) {
		status = sluice_match(engine->matcher, engine->scratch, event, &match);
		sluice_matcher_remove(engine->matcher, 1);
		if (status != SLUICE_OK)
			sluice_error_set(error, status, SIZE_MAX, NULL, "out of memory");
	}
	sluice_pattern_destroy(pattern);
	if (status == SLUICE_OK)
		write_verdict(cli, match.count ? "match" : "nomatch", NULL, out);
	return status;
}

static enum sluice_status judge_line(const struct cli *cli, struct engine *engine,
                                     struct sluice_str line, struct sluice_buffer *out,
                                     struct sluice_error *error)
{
	struct sluice_json_doc *doc;
	/* Of any depth: an event nested too deep is an event without fields, not a bad line. */
	enum sluice_status status = sluice_json_parse(line, 0, SIZE_MAX, &doc, error);
	if (status != SLUICE_OK)
		return status;
	const struct sluice_json *root = sluice_json_root(doc);
	const struct sluice_json *pattern = sluice_json_get(root, "pattern");
	const struct sluice_json *publish = sluice_json_get(root, "publish");
	const struct sluice_json *payload = sluice_json_get(root, "event");
	struct sluice_event event = SLUICE_EVENT_INIT;
	void *storage = NULL;
	if (!pattern)
		status = sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                          "a case needs a pattern");
	else if (!publish == !payload)
		status = sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                          "a case needs an event, or a publish in its place");
	else if (publish)
		status = sluice_event_from_json(publish, &event, &storage, error);
	else
		event.payload = text_of(payload);
	if (status == SLUICE_OK)
		status = judge(cli, engine, text_of(pattern), &event, out, error);
	free(storage);
	sluice_json_destroy(doc);
	return status;
}

static enum cli_exit match_cases(const struct cli *cli, const char *path)
{
	struct engine engine;
	struct lines lines;
	struct sluice_buffer out = { 0 };
	struct sluice_str line;
	struct sluice_error error;
	enum cli_exit code = CLI_OK;
	if (lines_open(&lines, path, &error) != SLUICE_OK)
		return fail(cli, CLI_SYSTEM, file_title(path), &error);
	bool stop = !engine_init(&engine);
	if (stop)
		code = fail_memory(cli);
	while (!stop) {
		enum sluice_status status = lines_next(&lines, &line, &error);
		stop = status != SLUICE_OK || !line.data;
		if (!stop && text_is_blank(line))
			continue;
		if (!stop)
			status = judge_line(cli, &engine, line, &out, &error);
		if (status != SLUICE_OK) {
			char where[512];
			snprintf(where, sizeof(where), "%s:%zu", lines.name, lines.number);
			code = fail(cli, exit_of_input(status), where, &error);
			/* A line that is no case spoils the result, not the lines after it; it has
			 * its line too, so that the nth verdict is always the nth case's. */
			stop = stop || code != CLI_INVALID;
			sluice_buffer_reset(&out);
			write_no_case(cli, &error, &out);
		}
		if (!stop && output_line(cli, &out) != CLI_OK) {
			code = CLI_SYSTEM;
			stop = true;
		}
	}
	sluice_buffer_finish(&out);
	engine_finish(&engine);
	lines_close(&lines);
	return code;
}

/* --- match --rules --events --- */

/* Adds the rules in the order of their names, so that sorted ids are sorted names. */
static enum cli_exit add_rules(const struct cli *cli, struct engine *engine,
                               const struct rule_item **sorted, size_t count)
{
	struct sluice_error error;
	for (size_t i = 0; i < count; i++) {
		const struct rule_item *item = sorted[i];
		const struct sluice_rule *rule = rule_item_rule(item);
		const struct sluice_pattern *pattern = rule_item_pattern(item);
		if (!pattern || (rule && rule->state == SLUICE_RULE_DISABLED))
			continue;
		if (sluice_matcher_add(engine->matcher, i, pattern, &error) != SLUICE_OK)
			return fail(cli, CLI_SYSTEM, NULL, &error);
	}
	return CLI_OK;
}

/* How answers name the rules: quoted once, into text. NULL when out of memory. */
static struct filter_name *quote_names(const struct rule_item **sorted, size_t count,
                                       struct sluice_buffer *text)
{
	struct filter_name *names = calloc(count + 1, sizeof(*names));
	for (size_t i = 0; i < count && names; i++) {
		size_t begin = text->len;
		sluice_buffer_append_text(text, ",");
		sluice_json_write_string(text, sorted[i]->name);
		bool again = i > 0 && sluice_str_equal(sorted[i - 1]->name, sorted[i]->name);
		names[i].quoted.len = text->len - begin;
		names[i].rank = again ? names[i - 1].rank : i;
	}
	if (text->failed) {
		free(names);
		return NULL;
	}
	const char *at = text->data;
	for (size_t i = 0; i < count && names; at += names[i++].quoted.len)
		names[i].quoted.data = at;
	return names;
}

static enum sluice_status threads_of(const struct cli *cli, size_t *threads,
                                     struct sluice_error *error)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t value = cores < 1 ? 1 : cores < FILTER_MAX_THREADS ? cores : FILTER_MAX_THREADS;
	enum sluice_status status = arguments_integer(cli->args, "threads", 1, FILTER_MAX_THREADS,
	                                              value, &value, error);
	*threads = (size_t)value;
	return status;
}

static enum cli_exit match_rules(const struct cli *cli, const char *rules, const char *events,
                                 size_t threads)
{
	struct rule_file file;
	struct sluice_buffer quoted = { 0 };
	enum cli_exit code = rule_file_load(cli, rules, RULE_FILE_LIGHT, &file);
	if (code != CLI_OK)
		return code;
	struct engine engine;
	const struct rule_item **sorted = rule_file_sorted(&file);
	struct filter_name *names = sorted ? quote_names(sorted, file.count, &quoted) : NULL;
	if (!engine_init(&engine) || !names)
		code = fail_memory(cli);
	if (code == CLI_OK)
		code = add_rules(cli, &engine, sorted, file.count);
	if (code == CLI_OK)
		code = filter_events(cli, engine.matcher, names, file.count, events, threads);
	engine_finish(&engine);
	free(names);
	sluice_buffer_finish(&quoted);
	free(sorted);
	rule_file_finish(&file);
	return code;
}

static enum cli_exit exec_match(const struct cli *cli)
{
	const char *cases = arguments_value(cli->args, "cases");
	const char *rules = arguments_value(cli->args, "rules");
	const char *events = arguments_value(cli->args, "events");
	if (cases && !rules && !events && !arguments_has(cli->args, "threads"))
		return match_cases(cli, cases);
	if (cases || !rules || !events)
		return fail_usage(cli, "either --cases, or --rules and --events (and --threads)");
	if (strcmp(rules, "-") == 0 && strcmp(events, "-") == 0)
		return fail_usage(cli, "rules and events cannot both be standard input");
	size_t threads;
	struct sluice_error error;
	if (threads_of(cli, &threads, &error) != SLUICE_OK)
		return fail_usage(cli, "%s", error.message);
	return match_rules(cli, rules, events, threads);
}

static const struct option match_options[] = {
	{ "cases", 0, "FILE", "a case {\"pattern\":…,\"event\":…} a line", "@file" },
	{ "rules", 0, "FILE", "rules {\"name\":…,\"pattern\":…}, one a line or an array", "@file" },
	{ "events", 0, "FILE", "events, one a line", "@file" },
	{ "threads", 0, "N", "threads that match events; as many as there are cores", NULL },
	{ 0 },
};

const struct verb verb_match = {
	.name = "match",
	.operands = "",
	.flags = VERB_JSON,
	.options = match_options,
	.summary = "say which rules events match, offline",
	.help = "With --cases it prints a line for each case: match, nomatch, or invalid:\n"
	        "and why the pattern is. Pattern and event are JSON values, or strings that\n"
	        "hold JSON text; \"publish\":{\"topic\":…,\"payload\":…,…} in place of the\n"
	        "event sets $mqtt too. A line that is no case is invalid: not a case,\n"
	        "is told on standard error too, and makes the exit status 3. With --rules and\n"
	        "--events it prints, for each event, the JSON array of the names of the rules\n"
	        "it matches, sorted; rules that are DISABLED match nothing. The answers and\n"
	        "their order are the same however many threads there are. A FILE of - is\n"
	        "standard input.",
	.exec = exec_match,
};
