/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * compare [--pairs N] [--seed S] [--rules R]: generates events and patterns, holds R patterns in
 * one matcher, of which some are removed and some added before every few events, and compares what
 * it says with the oracle for each (pattern, event). The same seed makes the same run everywhere.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../oracle/oracle.h"
#include "generate.h"
#include "pairs.h"
#include "sluice/matcher.h"
#include "sluice/pattern.h"

enum { MAX_RULES = 4096, EVENTS = 12, MAX_FAILURES = 10 };

struct slot {
	uint64_t id; /* 0: empty */
	struct sluice_str text;
	struct oracle_pattern *pattern;
	bool matched; /* by the matcher, the event at hand */
};

struct run {
	struct dice dice;
	struct sluice_matcher *matcher;
	struct sluice_scratch *scratch;
	struct slot slots[MAX_RULES];
	size_t slot_count;
	uint64_t generation;
	size_t pairs, matches, invalid, unknown, failures;
	uint64_t round, seed;
};

static void fail(struct run *run, const char *what)
{
	run->failures++;
	printf("DIFFERENCE (seed %llu, round %llu): %s\n", (unsigned long long)run->seed,
	       (unsigned long long)run->round, what);
}

static void clear_slot(struct run *run, struct slot *slot)
{
	if (slot->id == 0)
		return;
	if (sluice_matcher_remove(run->matcher, slot->id) != SLUICE_OK)
		fail(run, "a rule could not be removed");
	oracle_pattern_destroy(slot->pattern);
	free((void *)(uintptr_t)slot->text.data);
	*slot = (struct slot){ 0 };
}

static void report(struct run *run, struct sluice_str text, const struct sluice_event *publish,
                   const char *in_matcher)
{
	struct oracle_pool pool = { 0 };
	struct sluice_event event = *publish;
	char what[256];
	if (pair_compare(text, &event, true, what, sizeof(what)) == PAIR_AGREES) {
		fail(run, in_matcher);
		printf("\t(only among the other %zu rules)\n", sluice_matcher_count(run->matcher));
	} else {
		pair_shrink(&pool, &text, &event);
		pair_compare(text, &event, true, what, sizeof(what));
		fail(run, what);
	}
	pair_print(text, &event);
	fflush(stdout);
	oracle_free_all(&pool);
}

/* Puts a pattern into the empty slot; leaves it empty when it is invalid. */
static void fill_slot(struct run *run, struct slot *slot, struct sluice_str text)
{
	struct sluice_pattern *compiled = NULL;
	struct sluice_event nothing = SLUICE_EVENT_INIT;
	char reason[128];
	/* Never used twice, so that a rule which was removed is noticed. */
	uint64_t id = ++run->generation * MAX_RULES + (uint64_t)(slot - run->slots);
	struct oracle_pattern *pattern = oracle_pattern_read(text, reason, sizeof(reason));
	enum sluice_status status = sluice_pattern_compile(text, &compiled, NULL);
	if (!pattern != (status != SLUICE_OK)) {
		report(run, text, &nothing, "a pattern is valid for one and invalid for the other");
	} else if (!pattern) {
		run->invalid++;
	} else if (sluice_matcher_add(run->matcher, id, compiled, NULL) != SLUICE_OK) {
		fail(run, "a rule could not be added");
	} else {
		char *copy = malloc(text.len + 1);
		if (!copy)
			abort();
		memcpy(copy, text.data, text.len);
		*slot = (struct slot){ .id = id, .text = { copy, text.len }, .pattern = pattern };
		pattern = NULL;
	}
	oracle_pattern_destroy(pattern);
	sluice_pattern_destroy(compiled);
}

/* The slot of an id, when the rule is still in it. */
static struct slot *find_slot(struct run *run, uint64_t id)
{
	struct slot *slot = &run->slots[id % MAX_RULES];
	return slot->id == id ? slot : NULL;
}

static void check_flags(struct run *run, const struct sluice_match *result,
                        const struct oracle_event *event, const struct sluice_event *publish)
{
	if (result->flags & SLUICE_MATCH_SKIPPED)
		return;
	enum oracle_payload payload = oracle_event_payload(event);
	unsigned flags = result->flags & (SLUICE_MATCH_NOT_OBJECT | SLUICE_MATCH_NOT_JSON);
	unsigned expected = payload == ORACLE_PAYLOAD_OTHER ? SLUICE_MATCH_NOT_OBJECT
	                    : payload == ORACLE_PAYLOAD_BAD ? SLUICE_MATCH_NOT_JSON
	                                                    : 0;
	if (flags != expected) {
		fail(run, "the flags of the result");
		pair_print((struct sluice_str){ NULL, 0 }, publish);
	}
}

static void check_event(struct run *run, const struct sluice_event *publish)
{
	struct oracle_event *event = oracle_event_read(publish);
	struct sluice_match result;
	for (size_t i = 0; i < run->slot_count; i++)
		run->slots[i].matched = false;
	if (sluice_match(run->matcher, run->scratch, publish, &result) != SLUICE_OK) {
		fail(run, "the matcher failed");
		pair_print((struct sluice_str){ NULL, 0 }, publish);
		oracle_event_destroy(event);
		return;
	}
	for (size_t i = 0; i < result.count; i++) {
		struct slot *slot = find_slot(run, result.ids[i]);
		if (!slot || slot->matched)
			fail(run, slot ? "a rule was told twice" : "a removed rule matched");
		else
			slot->matched = true;
	}
	if (result.undecided)
		fail(run, "a small event was left undecided");
	check_flags(run, &result, event, publish);
	for (size_t i = 0; i < run->slot_count && run->failures < MAX_FAILURES; i++) {
		struct slot *slot = &run->slots[i];
		if (slot->id == 0)
			continue;
		enum oracle_verdict verdict = oracle_match(slot->pattern, event);
		run->pairs++;
		run->matches += verdict == ORACLE_MATCH;
		run->unknown += verdict == ORACLE_UNKNOWN;
		if (verdict != ORACLE_UNKNOWN && (verdict == ORACLE_MATCH) != slot->matched)
			report(run, slot->text, publish,
			       slot->matched ? "expected nomatch, got match"
			                     : "expected match, got nomatch");
	}
	oracle_event_destroy(event);
}

/* Now and then one pair alone, with what explain says of it. */
static void check_alone(struct run *run, const struct sluice_event *event)
{
	struct slot *slot = &run->slots[dice_below(&run->dice, run->slot_count)];
	char what[256];
	if (slot->id != 0 &&
	    pair_compare(slot->text, event, true, what, sizeof(what)) != PAIR_AGREES)
		report(run, slot->text, event, "");
}

static void one_round(struct run *run)
{
	struct oracle_pool pool = { 0 };
	struct made_event events[EVENTS];
	for (size_t i = 0; i < EVENTS; i++)
		make_event(&pool, &run->dice, i ? &events[dice_below(&run->dice, i)] : NULL,
		           &events[i]);
	size_t changes = run->slot_count * 3 / 4 + 1;
	for (size_t i = 0; i < changes; i++) {
		struct slot *slot = &run->slots[dice_below(&run->dice, run->slot_count)];
		clear_slot(run, slot);
		if (dice_chance(&run->dice, 5))
			continue;
		const struct made_event *near = &events[dice_below(&run->dice, EVENTS)];
		fill_slot(run, slot, make_pattern(&pool, &run->dice, near));
	}
	for (size_t i = 0; i < EVENTS && run->failures < MAX_FAILURES; i++) {
		check_event(run, &events[i].event);
		if (dice_chance(&run->dice, 20))
			check_alone(run, &events[i].event);
	}
	oracle_free_all(&pool);
	run->round++;
}

static unsigned long long number_option(int argc, char **argv, const char *name,
                                        unsigned long long otherwise)
{
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return strtoull(argv[i + 1], NULL, 10);
	return otherwise;
}

int main(int argc, char **argv)
{
	static struct run run;
	size_t pairs = number_option(argc, argv, "--pairs", 1000000);
	run.seed = number_option(argc, argv, "--seed", 1);
	run.slot_count = number_option(argc, argv, "--rules", 200);
	if (run.slot_count < 1 || run.slot_count > MAX_RULES) {
		fprintf(stderr, "compare: --rules takes 1 to %d\n", MAX_RULES);
		return 2;
	}
	run.dice.state = run.seed;
	run.matcher = sluice_matcher_create();
	run.scratch = sluice_scratch_create();
	while (run.pairs < pairs && run.failures < MAX_FAILURES)
		one_round(&run);
	for (size_t i = 0; i < run.slot_count; i++)
		clear_slot(&run, &run.slots[i]);
	if (sluice_matcher_count(run.matcher) != 0)
		fail(&run, "rules are left in an emptied matcher");
	sluice_scratch_destroy(run.scratch);
	sluice_matcher_destroy(run.matcher);
	printf("%zu pairs, %zu matches (%zu %%), %zu invalid patterns, %zu not decided by the "
	       "oracle, %zu differences\n",
	       run.pairs, run.matches, run.pairs ? run.matches * 100 / run.pairs : 0, run.invalid,
	       run.unknown, run.failures);
	return run.failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
