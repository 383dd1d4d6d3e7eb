/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice bench: how fast rules match events, on one thread */
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>

#include "lines.h"
#include "output.h"
#include "rule_file.h"
#include "sluice/matcher.h"
#include "verbs.h"

enum {
	MAX_SAMPLES = 2000000,
	CLOCK_EVERY = 16, /* events between two looks at the clock, where they are not timed */
};

struct bench {
	struct sluice_matcher *matcher;
	struct sluice_scratch *scratch;
	struct sluice_buffer text;   /* of all events */
	struct sluice_event *events; /* point into it */
	size_t event_count;
	double load_seconds;
	double bytes_per_rule;
	size_t rule_count;
	struct sluice_rule **rules; /* as the plugin holds them: without their patterns */
	size_t rules_held, rules_capacity;
	uint64_t matches; /* of all events, each once */
	double events_per_second;
	uint64_t p50, p99, max;
};

/* What malloc has given out, in all. */
static size_t allocated(void)
{
	struct mallinfo2 info = mallinfo2();
	return info.uordblks + info.hblkhd;
}

struct loading {
	const struct cli *cli;
	struct bench *bench;
};

static bool hold(struct bench *bench, struct sluice_rule *rule)
{
	if (bench->rules_held == bench->rules_capacity) {
		size_t capacity = bench->rules_capacity ? bench->rules_capacity * 2 : 16;
		struct sluice_rule **rules = realloc(bench->rules, capacity * sizeof(*rules));
		if (!rules)
			return false;
		bench->rules = rules;
		bench->rules_capacity = capacity;
	}
	bench->rules[bench->rules_held++] = rule;
	return true;
}

/* As the plugin does: once added, a rule needs its compiled pattern no more. */
static enum cli_exit take_rule(void *arg, const struct rule_item *given)
{
	const struct loading *loading = arg;
	struct bench *bench = loading->bench;
	struct rule_item item = *given;
	struct sluice_error error;
	enum cli_exit code = CLI_OK;
	struct sluice_rule *rule = rule_item_rule(&item);
	const struct sluice_pattern *pattern = rule_item_pattern(&item);
	if (pattern && !(rule && rule->state == SLUICE_RULE_DISABLED)) {
		if (sluice_matcher_add(bench->matcher, bench->rule_count, pattern, &error) !=
		    SLUICE_OK)
			code = fail(loading->cli, CLI_SYSTEM, NULL, &error);
		else if (rule && !hold(bench, rule))
			code = fail_memory(loading->cli);
		else
			bench->rule_count++;
		if (code == CLI_OK && rule) {
			sluice_pattern_destroy(sluice_rule_take_pattern(rule));
			item.definition.rule = NULL;
		}
	}
	rule_item_finish(&item);
	return code;
}

static enum cli_exit load_rules(const struct cli *cli, struct bench *bench, const char *path)
{
	struct loading loading = { cli, bench };
	size_t before = allocated();
	int64_t start = clock_ns();
	enum cli_exit code = rule_file_each(cli, path, RULE_FILE_LIGHT, take_rule, &loading);
	bench->load_seconds = (double)(clock_ns() - start) / 1e9;
	/* Not our list of them. */
	size_t after = allocated(), list = bench->rules_capacity * sizeof(*bench->rules);
	if (bench->rule_count > 0 && after > before + list)
		bench->bytes_per_rule = (double)(after - before - list) / (double)bench->rule_count;
	return code;
}

static enum cli_exit load_events(const struct cli *cli, struct bench *bench, const char *path)
{
	struct sluice_error error;
	if (file_read(path, &bench->text, &error) != SLUICE_OK)
		return fail(cli, CLI_SYSTEM, file_title(path), &error);
	struct sluice_str text = sluice_buffer_str(&bench->text);
	size_t lines = 1;
	for (size_t i = 0; i < text.len; i++)
		lines += text.data[i] == '\n';
	bench->events = calloc(lines, sizeof(*bench->events));
	if (!bench->events)
		return fail_memory(cli);
	const char *at = text.data, *end = text.data + text.len;
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		struct sluice_str line = { at, (size_t)((newline ? newline : end) - at) };
		at = newline ? newline + 1 : end;
		if (text_is_blank(line))
			continue;
		struct sluice_event *event = &bench->events[bench->event_count++];
		*event = SLUICE_EVENT_INIT;
		event->payload = line;
	}
	if (bench->event_count > 0)
		return CLI_OK;
	sluice_error_set(&error, SLUICE_ERR_INVALID, SIZE_MAX, NULL, "holds no event");
	return fail(cli, CLI_INVALID, file_title(path), &error);
}

static enum sluice_status match_one(struct bench *bench, size_t event, size_t *matches)
{
	struct sluice_match match = { 0 };
	enum sluice_status status =
	        sluice_match(bench->matcher, bench->scratch, &bench->events[event], &match);
	*matches = match.count;
	return status;
}

/* Every event once: counts the matches, and lets the scratch grow. */
static enum sluice_status count_matches(struct bench *bench)
{
	for (size_t i = 0; i < bench->event_count; i++) {
		size_t matches;
		enum sluice_status status = match_one(bench, i, &matches);
		if (status != SLUICE_OK)
			return status;
		bench->matches += matches;
	}
	return SLUICE_OK;
}

static enum sluice_status measure_rate(struct bench *bench, double seconds)
{
	uint64_t done = 0;
	size_t next = 0;
	int64_t start = clock_ns(), end = start + (int64_t)(seconds * 1e9), now;
	do {
		for (int i = 0; i < CLOCK_EVERY; i++) {
			size_t matches;
			enum sluice_status status = match_one(bench, next, &matches);
			if (status != SLUICE_OK)
				return status;
			next = next + 1 == bench->event_count ? 0 : next + 1;
		}
		done += CLOCK_EVERY;
		now = clock_ns();
	} while (now < end);
	bench->events_per_second = (double)done * 1e9 / (double)(now - start);
	return SLUICE_OK;
}

static int compare_samples(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
	return (left > right) - (left < right);
}

/* Each event by itself, between two readings of the clock (whose own cost is in the result). */
static enum sluice_status measure_times(struct bench *bench, double seconds)
{
	uint64_t *samples = malloc(MAX_SAMPLES * sizeof(*samples));
	size_t count = 0, next = 0;
	if (!samples)
		return SLUICE_ERR_NOMEM;
	int64_t before = clock_ns(), end = before + (int64_t)(seconds * 1e9);
	enum sluice_status status = SLUICE_OK;
	while (count < MAX_SAMPLES && (before < end || count == 0) && status == SLUICE_OK) {
		size_t matches;
		before = clock_ns();
		status = match_one(bench, next, &matches);
		samples[count++] = (uint64_t)(clock_ns() - before);
		next = next + 1 == bench->event_count ? 0 : next + 1;
	}
	qsort(samples, count, sizeof(*samples), compare_samples);
	bench->p50 = samples[count / 2];
	bench->p99 = samples[count - 1 - count / 100];
	bench->max = samples[count - 1];
	free(samples);
	return status;
}

static enum cli_exit measure(const struct cli *cli, struct bench *bench, double seconds)
{
	struct progress progress;
	progress_start(&progress, "matching", 0);
	enum sluice_status status = count_matches(bench);
	if (status == SLUICE_OK)
		status = measure_rate(bench, seconds);
	progress_show(&progress, bench->event_count);
	if (status == SLUICE_OK)
		status = measure_times(bench, seconds / 2);
	progress_end(&progress);
	if (status != SLUICE_OK)
		return fail_memory(cli);
	printf("{\"rules\":%zu,\"events\":%zu,\"matches\":%" PRIu64
	       ",\"events_per_second\":%.0f,\"ns_per_event\":{\"p50\":%" PRIu64 ",\"p99\":%" PRIu64
	       ",\"max\":%" PRIu64 "},\"load_seconds\":%.6f,\"bytes_per_rule\":%.1f}\n",
	       bench->rule_count, bench->event_count, bench->matches, bench->events_per_second,
	       bench->p50, bench->p99, bench->max, bench->load_seconds, bench->bytes_per_rule);
	return CLI_OK;
}

static enum cli_exit exec_bench(const struct cli *cli)
{
	const char *rules = arguments_value(cli->args, "rules");
	const char *events = arguments_value(cli->args, "events");
	const char *said = arguments_value(cli->args, "seconds");
	double seconds = 3;
	if (!rules || !events)
		return fail_usage(cli, "it needs --rules and --events");
	if (strcmp(rules, "-") == 0 && strcmp(events, "-") == 0)
		return fail_usage(cli, "rules and events cannot both be standard input");
	if (said) {
		char *end;
		seconds = strtod(said, &end);
		if (end == said || *end || !(seconds > 0 && seconds <= 86400))
			return fail_usage(cli, "--seconds: \"%s\" is no number of seconds", said);
	}
	struct bench bench = { .matcher = sluice_matcher_create(),
		               .scratch = sluice_scratch_create() };
	enum cli_exit code = bench.matcher && bench.scratch ? CLI_OK : fail_memory(cli);
	if (code == CLI_OK)
		code = load_rules(cli, &bench, rules);
	if (code == CLI_OK)
		code = load_events(cli, &bench, events);
	if (code == CLI_OK)
		code = measure(cli, &bench, seconds);
	free(bench.events);
	sluice_buffer_finish(&bench.text);
	sluice_scratch_destroy(bench.scratch);
	sluice_matcher_destroy(bench.matcher);
	for (size_t i = 0; i < bench.rules_held; i++)
		sluice_rule_destroy(bench.rules[i]);
	free(bench.rules);
	return code;
}

static const struct option bench_options[] = {
	{ "rules", 0, "FILE", "rules, as 'sluice match' takes them", "@file" },
	{ "events", 0, "FILE", "events, one a line", "@file" },
	{ "seconds", 0, "N", "measure the rate for so long (3), then the times for half of it",
	  NULL },
	{ 0 },
};

const struct verb verb_bench = {
	.name = "bench",
	.operands = "",
	.flags = VERB_JSON,
	.options = bench_options,
	.summary = "measure how fast rules match events, on one thread",
	.help = "It prints one JSON object. The events are matched again and again, from\n"
	        "memory. matches: of all events, each once. events_per_second: without a\n"
	        "clock between them. ns_per_event: p50, p99 and max of single events, each\n"
	        "between two readings of the clock, whose cost is in them. load_seconds:\n"
	        "reading, compiling and adding the rules. bytes_per_rule: what malloc has\n"
	        "given out for them once they are loaded, as the plugin holds them: the\n"
	        "matcher's part and, of rules with targets, the rule without its compiled\n"
	        "pattern, which the plugin does not keep either.",
	.exec = exec_bench,
};
