/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * change --rules FILE --events FILE [--changes N]: what it takes to add and to remove one rule
 * among all of a file while matching goes on; one JSON object.
 *
 * The last tenth of the rules (at most half of N) is added one by one, so that every table grows
 * under the clock; then rules drawn at random are removed and come back. Between changes, at most
 * half of the time, events are matched, and that is timed too, since a change may leave work
 * to the next event. Each call by itself, between two readings of CLOCK_MONOTONIC: what else runs
 * on the machine is in the maximum, so the same calls by the thread's CPU time are told beside it,
 * which has the cost of reading that clock, a system call, in it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common.h"

enum { MATCH_EVERY = 16 }; /* changes, or more where matching is slow */

/* What calls of one kind took, in microseconds. */
struct times {
	double *wall, *cpu;
	size_t count;
};

struct run {
	struct bench_lines rules, events;
	struct sluice_str *patterns; /* by rule */
	struct sluice_matcher *matcher;
	struct sluice_scratch *scratch;
	struct times adds, removes, matches;
	size_t changes; /* since the beginning */
	int64_t start_ns, match_ns;
	size_t next_event;
	uint64_t random;
};

static void times_init(struct times *times, size_t most)
{
	*times = (struct times){ calloc(most, sizeof(double)), calloc(most, sizeof(double)), 0 };
	if (!times->wall || !times->cpu)
		bench_fail("out of memory");
}

static void times_finish(struct times *times)
{
	free(times->wall);
	free(times->cpu);
}

struct stopwatch {
	int64_t cpu_ns, wall_ns;
};

static struct stopwatch start(void)
{
	int64_t cpu_ns = bench_cpu_ns();

	return (struct stopwatch){ cpu_ns, bench_wall_ns() };
}

static void stop(struct times *times, struct stopwatch since)
{
	times->wall[times->count] = (double)(bench_wall_ns() - since.wall_ns) / 1e3;
	times->cpu[times->count++] = (double)(bench_cpu_ns() - since.cpu_ns) / 1e3;
}

static void match_one(struct run *run)
{
	struct sluice_event event = SLUICE_EVENT_INIT;
	struct sluice_match result;

	event.payload = run->events.items[run->next_event++ % run->events.count];
	struct stopwatch since = start();
	enum sluice_status status = sluice_match(run->matcher, run->scratch, &event, &result);
	stop(&run->matches, since);
	run->match_ns += bench_wall_ns() - since.wall_ns;
	if (status != SLUICE_OK)
		bench_fail("out of memory");
}

static void changed(struct run *run)
{
	if (++run->changes % MATCH_EVERY == 0 &&
	    run->match_ns * 2 <= bench_wall_ns() - run->start_ns)
		match_one(run);
}

static void add(struct run *run, size_t rule)
{
	struct sluice_pattern *pattern = bench_compile(run->patterns[rule]);
	struct stopwatch since = start();
	enum sluice_status status = sluice_matcher_add(run->matcher, rule, pattern, NULL);

	stop(&run->adds, since);
	if (status != SLUICE_OK)
		bench_fail("rule %zu could not be added", rule + 1);
	sluice_pattern_destroy(pattern);
	changed(run);
}

static void remove_one(struct run *run, size_t rule)
{
	struct stopwatch since = start();
	enum sluice_status status = sluice_matcher_remove(run->matcher, rule);

	stop(&run->removes, since);
	if (status != SLUICE_OK)
		bench_fail("rule %zu could not be removed", rule + 1);
	changed(run);
}

/* xorshift64 */
static size_t drawn(struct run *run, size_t below)
{
	run->random ^= run->random << 13;
	run->random ^= run->random >> 7;
	run->random ^= run->random << 17;
	return (size_t)(run->random % below);
}

static void keep_pattern(void *context, uint64_t id, struct sluice_str text)
{
	struct run *run = context;

	run->patterns[id] = text;
}

static void print(const char *name, struct times *times)
{
	printf(",\"%s\":{\"count\":%zu,\"p50_us\":%.3f,\"p99_us\":%.3f,\"max_us\":%.3f,"
	       "\"cpu_max_us\":%.3f}",
	       name, times->count, bench_quantile(times->wall, times->count, 0.5),
	       bench_quantile(times->wall, times->count, 0.99),
	       bench_quantile(times->wall, times->count, 1),
	       bench_quantile(times->cpu, times->count, 1));
}

static const char usage[] = "usage: change --rules FILE --events FILE [--changes N]";

int main(int argc, char **argv)
{
	struct run run = { .random = UINT64_C(0x9e3779b97f4a7c15) };
	const char *events = NULL, *rules = NULL;
	double changes = 200000;
	const struct bench_option options[] = {
		{ .name = "--events", .text = &events },
		{ .name = "--rules", .text = &rules },
		{ .name = "--changes", .number = &changes },
		{ 0 },
	};

	(void)argc;
	bench_options_read(argv + 1, options, usage);
	if (!events || !rules || changes < 4)
		bench_fail("%s", usage);
	size_t most = (size_t)changes;

	bench_lines_read(&run.rules, rules);
	bench_lines_read(&run.events, events);
	size_t count = run.rules.count, late = count / 10 < most / 2 ? count / 10 : most / 2;
	run.patterns = calloc(count, sizeof(*run.patterns));
	run.matcher = sluice_matcher_create();
	run.scratch = sluice_scratch_create();
	if (!run.patterns || !run.matcher || !run.scratch)
		bench_fail("out of memory");
	times_init(&run.adds, most + 1);
	times_init(&run.removes, most + 1);
	times_init(&run.matches, most + 1);
	bench_each_pattern(&run.rules, keep_pattern, &run);
	for (size_t i = 0; i < count - late; i++) {
		struct sluice_pattern *pattern = bench_compile(run.patterns[i]);
		if (sluice_matcher_add(run.matcher, i, pattern, NULL) != SLUICE_OK)
			bench_fail("rule %zu could not be added", i + 1);
		sluice_pattern_destroy(pattern);
	}
	match_one(&run); /* the scratch grows to all these rules, which is no change's cost */
	run.matches.count = 0;
	run.match_ns = 0;
	run.start_ns = bench_wall_ns();

	for (size_t i = count - late; i < count; i++)
		add(&run, i);
	while (run.changes + 2 <= most) {
		size_t rule = drawn(&run, count);
		remove_one(&run, rule);
		add(&run, rule);
	}
	printf("{\"rules\":%zu,\"changes\":%zu", count, run.changes);
	print("add", &run.adds);
	print("remove", &run.removes);
	print("match", &run.matches);
	puts("}");

	times_finish(&run.adds);
	times_finish(&run.removes);
	times_finish(&run.matches);
	sluice_scratch_destroy(run.scratch);
	sluice_matcher_destroy(run.matcher);
	free(run.patterns);
	bench_lines_finish(&run.events);
	bench_lines_finish(&run.rules);
	return 0;
}
