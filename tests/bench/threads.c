/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * threads --rules FILE --events FILE [--threads N] [--seconds S]: N threads match on one matcher,
 * each with its own scratch, turn about with one thread alone; one JSON object.
 *
 * Told is the throughput of N as a multiple of one's, and, since a shared machine may not have N
 * idle cores, how many events a second of CPU time takes with N beside how many with one: what
 * threads lose by waiting for each other or for each other's cache lines shows there.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common.h"

enum { MAX_THREADS = 64, MAX_ROUNDS = 10000, LOOK_EVERY = 16 };

#define TURN_NS INT64_C(100000000)

struct crew; /* the threads and what they share */

struct worker {
	struct crew *crew;
	pthread_t thread;
	struct sluice_scratch *scratch;
	size_t next; /* event */
	uint64_t events;
	int64_t cpu_ns;
};

struct crew {
	struct bench_lines events;
	const struct sluice_matcher *matcher;
	struct worker workers[MAX_THREADS];
	int64_t end_ns; /* of the turn */
};

static void *work(void *context)
{
	struct worker *worker = context;
	struct crew *crew = worker->crew;
	/* Not in the worker while it runs: its neighbour's counters may lie in the same cache line. */
	uint64_t events = 0;
	size_t next = worker->next;
	int64_t start = bench_cpu_ns();

	do {
		for (int i = 0; i < LOOK_EVERY; i++) {
			struct sluice_event event = SLUICE_EVENT_INIT;
			struct sluice_match result;
			event.payload = crew->events.items[next++ % crew->events.count];
			if (sluice_match(crew->matcher, worker->scratch, &event, &result) !=
			    SLUICE_OK)
				bench_fail("out of memory");
		}
		events += LOOK_EVERY;
	} while (bench_wall_ns() < crew->end_ns);
	worker->cpu_ns = bench_cpu_ns() - start;
	worker->events = events;
	worker->next = next;
	return NULL;
}

struct speed {
	double by_wall; /* events a second */
	double by_cpu;  /* events a second of one core */
};

static struct speed turn(struct crew *crew, size_t count)
{
	int64_t start = bench_wall_ns(), cpu_ns = 0;
	uint64_t events = 0;

	crew->end_ns = start + TURN_NS;
	for (size_t i = 0; i < count; i++)
		if (pthread_create(&crew->workers[i].thread, NULL, work, &crew->workers[i]))
			bench_fail("a thread can't be started");
	for (size_t i = 0; i < count; i++) {
		pthread_join(crew->workers[i].thread, NULL);
		events += crew->workers[i].events;
		cpu_ns += crew->workers[i].cpu_ns;
	}
	return (struct speed){ (double)events * 1e9 / (double)(bench_wall_ns() - start),
		               (double)events * 1e9 / (double)cpu_ns };
}

static const char usage[] = "usage: threads --rules FILE --events FILE [--threads N] [--seconds S]";

int main(int argc, char **argv)
{
	static struct crew crew;
	static double by_wall[MAX_ROUNDS], by_cpu[MAX_ROUNDS];
	struct bench_lines rules;
	const char *events = NULL, *rules_path = NULL;
	double threads = 2, seconds = 2;
	size_t rounds = 0;
	const struct bench_option options[] = {
		{ .name = "--events", .text = &events },
		{ .name = "--rules", .text = &rules_path },
		{ .name = "--threads", .number = &threads },
		{ .name = "--seconds", .number = &seconds },
		{ 0 },
	};

	(void)argc;
	bench_options_read(argv + 1, options, usage);
	if (!events || !rules_path || threads < 1 || threads > MAX_THREADS)
		bench_fail("%s", usage);
	size_t count = (size_t)threads;

	struct sluice_matcher *matcher = sluice_matcher_create();
	if (!matcher)
		bench_fail("out of memory");
	bench_lines_read(&crew.events, events);
	bench_lines_read(&rules, rules_path);
	bench_load_rules(matcher, &rules);
	crew.matcher = matcher;
	for (size_t i = 0; i < count; i++) {
		crew.workers[i] =
		        (struct worker){ .crew = &crew, .next = i * crew.events.count / count };
		crew.workers[i].scratch = sluice_scratch_create();
		if (!crew.workers[i].scratch)
			bench_fail("out of memory");
	}
	turn(&crew, count); /* scratches grow, caches get warm */
	int64_t end = bench_wall_ns() + (int64_t)(seconds * 1e9);
	while (rounds == 0 || (rounds < MAX_ROUNDS && bench_wall_ns() < end)) {
		struct speed one = turn(&crew, 1), all = turn(&crew, count);
		by_wall[rounds] = all.by_wall / one.by_wall;
		by_cpu[rounds++] = all.by_cpu / one.by_cpu;
	}
	printf("{\"threads\":%zu,\"rounds\":%zu,\"throughput\":%.3f,\"of_each_core\":%.3f}\n",
	       count, rounds, bench_quantile(by_wall, rounds, 0.5),
	       bench_quantile(by_cpu, rounds, 0.5));
	for (size_t i = 0; i < count; i++)
		sluice_scratch_destroy(crew.workers[i].scratch);
	sluice_matcher_destroy(matcher);
	bench_lines_finish(&crew.events);
	bench_lines_finish(&rules);
	return 0;
}
