/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * compare --events FILE [--rules FILE] [--beside FILE] [--seconds S] [--oracle]: how fast the same
 * events go through cJSON's parse, simdjson's, the engine and, where asked, the engine with other
 * rules and the plain evaluator of tests/oracle; one JSON object.
 *
 * All of them take turns in short slices of the same run, and what is told is the median of the
 * ratios within a round: what disturbs the machine for a while disturbs all of them. Times are the
 * thread's own CPU time. Without rules there is one, on a field that no event has, so that the
 * payload is scanned and nothing else.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../oracle/oracle.h"
#include "common.h"
#include "contender.h"

enum {
	MAX_CONTENDERS = 5,
	MAX_ROUNDS = 100000,
	LOOK_EVERY = 8, /* events between two looks at the clock */
};

#define SLICE_NS     INT64_C(20000000) /* a contender's longest turn */
#define REFERENCE_NS INT64_C(4000000)  /* what the events of a round take cJSON, about */
#define COUNT_NS     INT64_C(10000000000)
#define CHECK_NS     INT64_C(1000000000)

struct engine {
	struct sluice_matcher *matcher;
	struct sluice_scratch *scratch;
	struct sluice_match result; /* of the last event */
};

struct oracle {
	struct oracle_pattern **patterns;
	size_t count;
	bool *matched; /* by the last event */
};

struct run {
	struct bench_lines events, rules;
	struct engine engine, beside;
	struct oracle oracle;
	struct bench_contender contenders[MAX_CONTENDERS];
	size_t contender_count;
	double *ratios[MAX_CONTENDERS]; /* to the first of them, by round */
	double *nanoseconds[MAX_CONTENDERS];
	size_t rounds;
	struct bench_load load;
};

/* --- the contenders that are ours --- */

static void take_engine(void *state, struct sluice_str payload)
{
	struct engine *engine = state;
	struct sluice_event event = SLUICE_EVENT_INIT;

	event.payload = payload;
	if (sluice_match(engine->matcher, engine->scratch, &event, &engine->result) != SLUICE_OK)
		bench_fail("out of memory");
}

static void take_oracle(void *state, struct sluice_str payload)
{
	struct oracle *oracle = state;
	struct sluice_event event = SLUICE_EVENT_INIT;

	event.payload = payload;
	struct oracle_event *read = oracle_event_read(&event);
	for (size_t i = 0; i < oracle->count; i++)
		oracle->matched[i] = oracle_match(oracle->patterns[i], read) == ORACLE_MATCH;
	oracle_event_destroy(read);
}

static void keep_oracle_pattern(void *context, uint64_t id, struct sluice_str text)
{
	struct oracle *oracle = context;
	char reason[128];

	oracle->patterns[id] = oracle_pattern_read(text, reason, sizeof(reason));
	if (!oracle->patterns[id])
		bench_fail("the oracle does not take %.*s: %s", (int)text.len, text.data, reason);
}

static void load_oracle(struct oracle *oracle, const struct bench_lines *rules)
{
	oracle->count = rules->count;
	oracle->patterns = calloc(rules->count, sizeof(struct oracle_pattern *));
	oracle->matched = calloc(rules->count, sizeof(bool));
	if (!oracle->patterns || !oracle->matched)
		bench_fail("out of memory");
	bench_each_pattern(rules, keep_oracle_pattern, oracle);
}

static void oracle_finish(struct oracle *oracle)
{
	for (size_t i = 0; i < oracle->count; i++)
		oracle_pattern_destroy(oracle->patterns[i]);
	free(oracle->patterns);
	free(oracle->matched);
}

/* --- before anything is measured: is it right, and how many rules match --- */

/* Holds engine and oracle against each other on the first events; returns on how many. */
static size_t check(struct run *run)
{
	int64_t end = bench_wall_ns() + CHECK_NS;
	size_t i = 0;

	for (; i < run->events.count && bench_wall_ns() < end; i++) {
		const struct sluice_match *result = &run->engine.result;
		size_t expected = 0;
		take_engine(&run->engine, run->events.items[i]);
		take_oracle(&run->oracle, run->events.items[i]);
		for (size_t k = 0; k < run->oracle.count; k++)
			expected += run->oracle.matched[k];
		for (size_t k = 0; k < result->count; k++)
			if (!run->oracle.matched[result->ids[k]])
				bench_fail("rule %llu should not match event %zu",
				           (unsigned long long)result->ids[k] + 1, i + 1);
		if (result->count != expected)
			bench_fail("event %zu matches %zu rules of %zu", i + 1, result->count,
			           expected);
	}
	return i;
}

struct counted {
	size_t events;
	size_t matches, undecided;
};

/* Each event once, or as many as there is time for. */
static struct counted count_matches(const struct run *run, struct engine *engine)
{
	struct counted counted = { 0 };
	int64_t end = bench_wall_ns() + COUNT_NS;

	while (counted.events < run->events.count && bench_wall_ns() < end) {
		take_engine(engine, run->events.items[counted.events++]);
		counted.matches += engine->result.count;
		counted.undecided += engine->result.undecided;
	}
	return counted;
}

/* --- the rounds --- */

/* Nanoseconds for an event. Stops early when the slice is over. */
static double slice(const struct run *run, const struct bench_contender *contender, size_t first,
                    size_t count)
{
	int64_t end = bench_wall_ns() + SLICE_NS, start = bench_cpu_ns();
	size_t done = 0;

	do {
		for (size_t i = 0; i < LOOK_EVERY && done < count; i++)
			contender->take(contender->state,
			                run->events.items[(first + done++) % run->events.count]);
	} while (done < count && bench_wall_ns() < end);
	return (double)(bench_cpu_ns() - start) / (double)done;
}

static void measure(struct run *run, double seconds)
{
	double reference = slice(run, &run->contenders[0], 0, run->events.count);
	size_t count = (size_t)((double)REFERENCE_NS / reference) + 1, next = 0;

	if (count > run->events.count)
		count = run->events.count;
	for (size_t i = 0; i < run->contender_count; i++) {
		run->ratios[i] = calloc(MAX_ROUNDS, sizeof(double));
		run->nanoseconds[i] = calloc(MAX_ROUNDS, sizeof(double));
		if (!run->ratios[i] || !run->nanoseconds[i])
			bench_fail("out of memory");
		slice(run, &run->contenders[i], 0, count); /* caches and scratch get warm */
	}
	int64_t end = bench_wall_ns() + (int64_t)(seconds * 1e9);
	while (run->rounds == 0 || (run->rounds < MAX_ROUNDS && bench_wall_ns() < end)) {
		for (size_t i = 0; i < run->contender_count; i++) {
			double ns = slice(run, &run->contenders[i], next, count);
			run->nanoseconds[i][run->rounds] = ns;
			run->ratios[i][run->rounds] = run->nanoseconds[0][run->rounds] / ns;
		}
		next = (next + count) % run->events.count;
		run->rounds++;
	}
}

static double matches_per_event(const struct run *run, struct engine *engine)
{
	struct counted counted = count_matches(run, engine);

	return (double)counted.matches / (double)counted.events;
}

static void print(struct run *run, const struct counted *counted, size_t checked)
{
	printf("{\"rules\":%zu,\"events\":%zu,\"bytes_per_event\":%.1f,\"matches_per_event\":%.3f,"
	       "\"undecided_per_event\":%.3f,\"compile_seconds\":%.3f,\"add_seconds\":%.3f,"
	       "\"bytes_per_rule\":%.1f,\"checked_events\":%zu,\"rounds\":%zu",
	       run->load.rules, run->events.count,
	       (double)run->events.bytes / (double)run->events.count,
	       (double)counted->matches / (double)counted->events,
	       (double)counted->undecided / (double)counted->events, run->load.compile_seconds,
	       run->load.add_seconds, run->load.bytes_per_rule, checked, run->rounds);
	for (size_t i = 0; i < run->contender_count; i++)
		printf(",\"%s\":{\"multiple\":%.4g,\"low\":%.4g,\"high\":%.4g,\"ns_per_event\":%."
		       "1f}",
		       run->contenders[i].name, bench_quantile(run->ratios[i], run->rounds, 0.5),
		       bench_quantile(run->ratios[i], run->rounds, 0.25),
		       bench_quantile(run->ratios[i], run->rounds, 0.75),
		       bench_quantile(run->nanoseconds[i], run->rounds, 0.5));
	if (run->beside.matcher)
		printf(",\"beside_matches_per_event\":%.3f", matches_per_event(run, &run->beside));
	puts("}");
}

static void engine_init(struct engine *engine)
{
	engine->matcher = sluice_matcher_create();
	engine->scratch = sluice_scratch_create();
	if (!engine->matcher || !engine->scratch)
		bench_fail("out of memory");
}

static void engine_finish(struct engine *engine)
{
	sluice_scratch_destroy(engine->scratch);
	sluice_matcher_destroy(engine->matcher);
}

static void load_engine(struct run *run, const char *path)
{
	static const char scan_only[] = "{\"no event has this\":[{\"exists\":true}]}";

	engine_init(&run->engine);
	if (path) {
		bench_lines_read(&run->rules, path);
		run->load = bench_load_rules(run->engine.matcher, &run->rules);
		return;
	}
	struct sluice_pattern *pattern = bench_compile(SLUICE_STR(scan_only));
	if (sluice_matcher_add(run->engine.matcher, 0, pattern, NULL) != SLUICE_OK)
		bench_fail("out of memory");
	sluice_pattern_destroy(pattern);
}

static void load_beside(struct run *run, const char *path)
{
	struct bench_lines rules;

	engine_init(&run->beside);
	bench_lines_read(&rules, path);
	bench_load_rules(run->beside.matcher, &rules);
	bench_lines_finish(&rules);
}

static void finish(struct run *run)
{
	for (size_t i = 0; i < run->contender_count; i++) {
		if (run->contenders[i].destroy)
			run->contenders[i].destroy(run->contenders[i].state);
		free(run->ratios[i]);
		free(run->nanoseconds[i]);
	}
	oracle_finish(&run->oracle);
	engine_finish(&run->engine);
	engine_finish(&run->beside);
	bench_lines_finish(&run->events);
	bench_lines_finish(&run->rules);
}

static const char usage[] =
        "usage: compare --events FILE [--rules FILE] [--beside FILE] [--seconds S] "
        "[--oracle, needs --rules]";

int main(int argc, char **argv)
{
	struct run run = { 0 };
	const char *events = NULL, *rules = NULL, *beside = NULL;
	double seconds = 2;
	bool oracle = false;
	size_t checked = 0, longest = 0;

	const struct bench_option options[] = {
		{ .name = "--events", .text = &events },
		{ .name = "--rules", .text = &rules },
		{ .name = "--beside", .text = &beside },
		{ .name = "--seconds", .number = &seconds },
		{ .name = "--oracle", .given = &oracle },
		{ 0 },
	};

	(void)argc;
	bench_options_read(argv + 1, options, usage);
	if (!events || (oracle && !rules))
		bench_fail("%s", usage);

	bench_lines_read(&run.events, events);
	for (size_t i = 0; i < run.events.count; i++)
		if (run.events.items[i].len > longest)
			longest = run.events.items[i].len;
	load_engine(&run, rules);
	run.contenders[run.contender_count++] = bench_cjson();
	run.contenders[run.contender_count++] = bench_simdjson(longest);
	run.contenders[run.contender_count++] =
	        (struct bench_contender){ "engine", &run.engine, take_engine, NULL };
	if (beside) {
		load_beside(&run, beside);
		run.contenders[run.contender_count++] =
		        (struct bench_contender){ "beside", &run.beside, take_engine, NULL };
	}
	if (oracle) {
		load_oracle(&run.oracle, &run.rules);
		run.contenders[run.contender_count++] =
		        (struct bench_contender){ "oracle", &run.oracle, take_oracle, NULL };
		checked = check(&run);
	}
	struct counted counted = count_matches(&run, &run.engine);
	measure(&run, seconds);
	print(&run, &counted, checked);
	finish(&run);
	return 0;
}
