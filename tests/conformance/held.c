/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "held.h"

#include <stdio.h>
#include <stdlib.h>

#include "pairs.h"
#include "sluice/pattern.h"

void held_init(struct held *held, uint64_t seed)
{
	held->seed = seed;
	held->matcher = sluice_matcher_create();
	for (size_t i = 0; i < HELD_SCRATCHES; i++)
		held->scratches[i] = sluice_scratch_create();
	for (uint32_t i = 0; i < HELD_RULES; i++)
		held->order[i] = i;
}

void held_fail(struct held *held, const char *what)
{
	held->failures++;
	printf("DIFFERENCE (seed %llu, step %llu): %s\n", (unsigned long long)held->seed,
	       (unsigned long long)held->step, what);
	fflush(stdout);
}

/* --- telling --- */

/* Whether a matcher with just these rules says of the last one what it should not. */
static bool differs_among(const struct held *held, const uint32_t *places, size_t count,
                          const struct sluice_event *publish, bool wrong)
{
	struct sluice_matcher *matcher = sluice_matcher_create();
	struct sluice_match result = { 0 };
	bool told = false;
	for (size_t i = 0; i < count; i++) {
		struct sluice_pattern *pattern;
		sluice_pattern_compile(held->rules[places[i]].text, &pattern, NULL);
		sluice_matcher_add(matcher, i, pattern, NULL);
		sluice_pattern_destroy(pattern);
	}
	sluice_match(matcher, held->scratches[0], publish, &result);
	for (size_t i = 0; i < result.count; i++)
		told = told || result.ids[i] == count - 1;
	sluice_matcher_destroy(matcher);
	return told == wrong;
}

/* Looks for few rules among which the one differs, and prints them. */
static void report_among(struct held *held, const struct held_rule *culprit,
                         const struct sluice_event *publish, bool wrong)
{
	static uint32_t places[HELD_RULES], fewer[HELD_RULES];
	enum { SHOWN = 20 };
	size_t count = 0;
	for (size_t i = 0; i < held->count; i++)
		if (held->order[i] != (uint32_t)(culprit - held->rules))
			places[count++] = held->order[i];
	places[count++] = (uint32_t)(culprit - held->rules);
	if (!differs_among(held, places, count, publish, wrong)) {
		printf("\t(only after the steps before: not when the %zu rules are added afresh)\n",
		       held->count);
		return;
	}
	for (size_t part = count / 2; part > 0; part /= 2) {
		for (size_t at = 0; at + 1 < count;) {
			size_t end = at + part < count - 1 ? at + part : count - 1;
			size_t left = 0;
			for (size_t i = 0; i < count; i++)
				if (i < at || i >= end)
					fewer[left++] = places[i];
			if (differs_among(held, fewer, left, publish, wrong)) {
				memcpy(places, fewer, left * sizeof(*fewer));
				count = left;
			} else {
				at = end;
			}
		}
	}
	printf("\t(only after these rules, %zu in all)\n", count - 1);
	for (size_t i = 0; i + 1 < count && i < SHOWN; i++)
		printf("\tafter            %s\n", held->rules[places[i]].text.data);
}

void held_report(struct held *held, struct sluice_str text, const struct sluice_event *publish,
                 const char *among)
{
	struct oracle_pool pool = { 0 };
	struct sluice_event event = *publish;
	char what[256];
	if (pair_compare(text, &event, true, what, sizeof(what)) == PAIR_AGREES) {
		held_fail(held, among);
	} else {
		pair_shrink(&pool, &text, &event);
		pair_compare(text, &event, true, what, sizeof(what));
		held_fail(held, what);
	}
	pair_print(text, &event);
	fflush(stdout);
	oracle_free_all(&pool);
}

static void report_rule(struct held *held, const struct held_rule *rule,
                        const struct sluice_event *publish, bool told)
{
	char what[256];
	bool alone = pair_compare(rule->text, publish, false, what, sizeof(what)) != PAIR_AGREES;
	held_report(held, rule->text, publish,
	            told ? "expected nomatch, got match" : "expected match, got nomatch");
	if (!alone)
		report_among(held, rule, publish, told);
	fflush(stdout);
}

int held_result(const struct held *held)
{
	printf("%zu pairs, %zu matches (%zu %%), %zu invalid patterns, %zu not decided by the "
	       "oracle; %zu checks of at most %zu rules, %zu differences\n",
	       held->pairs, held->matches, held->pairs ? held->matches * 100 / held->pairs : 0,
	       held->invalid, held->unknown, held->checks, held->most, held->failures);
	return held->failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --- rules and events --- */

static void ask(struct held *held, struct held_rule *rule, size_t event)
{
	enum oracle_verdict verdict = oracle_match(rule->pattern, held->events[event].read);
	uint64_t bit = UINT64_C(1) << event;
	held->pairs++;
	if (verdict == ORACLE_MATCH) {
		rule->matches |= bit;
		held->matches++;
	} else if (verdict == ORACLE_UNKNOWN) {
		rule->unknown |= bit;
		held->unknown++;
	}
}

static void drop_events(struct held *held)
{
	for (size_t e = 0; e < held->event_count; e++)
		oracle_event_destroy(held->events[e].read);
	held->event_count = 0;
}

void held_set_events(struct held *held, const struct made_event *events, size_t count)
{
	drop_events(held);
	held->event_count = count;
	for (size_t e = 0; e < count; e++) {
		held->events[e].publish = &events[e].event;
		held->events[e].read = oracle_event_read(&events[e].event);
	}
	for (size_t i = 0; i < held->count; i++) {
		struct held_rule *rule = &held->rules[held->order[i]];
		rule->matches = rule->unknown = 0;
		for (size_t e = 0; e < count; e++)
			ask(held, rule, e);
	}
}

/*
 * Mostly an id that was never used, so that a rule which was removed is noticed, and one that has
 * all its bits; now and then the id of the rule that was here before.
 */
static uint64_t next_id(struct held *held, const struct held_rule *rule)
{
	uint64_t spread = held->generation++ * UINT64_C(0x9e3779b97f4a7c15);
	if (rule->id && held->generation % 4 == 0)
		return rule->id;
	return (spread & ~(uint64_t)(HELD_RULES - 1)) | (uint64_t)(rule - held->rules);
}

static void keep(struct held *held, struct held_rule *rule, struct sluice_str text,
                 struct oracle_pattern *pattern, unsigned metadata)
{
	char *copy = malloc(text.len + 1);
	if (!copy)
		abort();
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	rule->text = (struct sluice_str){ copy, text.len };
	rule->pattern = pattern;
	rule->metadata = metadata;
	rule->order = (uint32_t)held->count++;
	rule->matches = rule->unknown = 0;
	held->most = held->count > held->most ? held->count : held->most;
	for (size_t e = 0; e < held->event_count; e++)
		ask(held, rule, e);
}

void held_add(struct held *held, struct sluice_str text)
{
	struct sluice_pattern *compiled = NULL;
	struct sluice_event nothing = SLUICE_EVENT_INIT;
	struct held_rule *rule = &held->rules[held->order[held->count]];
	char reason[128];
	struct oracle_pattern *pattern = oracle_pattern_read(text, reason, sizeof(reason));
	enum sluice_status status = sluice_pattern_compile(text, &compiled, NULL);
	if (!pattern != (status != SLUICE_OK)) {
		held_report(held, text, &nothing,
		            "a pattern is valid for one and invalid for the other");
	} else if (!pattern) {
		held->invalid++;
	} else {
		rule->id = next_id(held, rule);
		if (sluice_matcher_add(held->matcher, rule->id, compiled, NULL) == SLUICE_OK) {
			keep(held, rule, text, pattern, sluice_pattern_metadata(compiled));
			pattern = NULL;
		} else {
			held_fail(held, "a rule could not be added");
		}
		if (held->generation % 32 == 0 &&
		    sluice_matcher_add(held->matcher, rule->id, compiled, NULL) !=
		            SLUICE_ERR_CONFLICT)
			held_fail(held, "an id was given to two rules");
	}
	oracle_pattern_destroy(pattern);
	sluice_pattern_destroy(compiled);
}

void held_remove(struct held *held, size_t nth)
{
	struct held_rule *rule = &held->rules[held->order[nth]];
	uint32_t last = held->order[--held->count];
	if (sluice_matcher_remove(held->matcher, rule->id) != SLUICE_OK)
		held_fail(held, "a rule could not be removed");
	if (rule->id % 32 == 0 &&
	    sluice_matcher_remove(held->matcher, rule->id) != SLUICE_ERR_NOT_FOUND)
		held_fail(held, "a rule could be removed twice");
	held->order[held->count] = held->order[nth];
	held->order[nth] = last;
	held->rules[last].order = (uint32_t)nth;
	oracle_pattern_destroy(rule->pattern);
	free((void *)(uintptr_t)rule->text.data);
	rule->pattern = NULL;
	rule->text = (struct sluice_str){ NULL, 0 };
}

void held_finish(struct held *held)
{
	while (held->count)
		held_remove(held, held->count - 1);
	if (sluice_matcher_count(held->matcher) != 0)
		held_fail(held, "rules are left in an emptied matcher");
	drop_events(held);
	for (size_t i = 0; i < HELD_SCRATCHES; i++)
		sluice_scratch_destroy(held->scratches[i]);
	sluice_matcher_destroy(held->matcher);
}

/* --- an event --- */

static void check_flags(struct held *held, const struct sluice_match *result, size_t event)
{
	if (result->flags & SLUICE_MATCH_SKIPPED)
		return;
	enum oracle_payload payload = oracle_event_payload(held->events[event].read);
	unsigned flags = result->flags & (SLUICE_MATCH_NOT_OBJECT | SLUICE_MATCH_NOT_JSON);
	unsigned expected = payload == ORACLE_PAYLOAD_OTHER ? SLUICE_MATCH_NOT_OBJECT
	                    : payload == ORACLE_PAYLOAD_BAD ? SLUICE_MATCH_NOT_JSON
	                                                    : 0;
	if (flags != expected) {
		held_fail(held, "the flags of the result");
		pair_print((struct sluice_str){ NULL, 0 }, held->events[event].publish);
	}
}

static void check_told(struct held *held, const struct sluice_match *result)
{
	for (size_t i = 0; i < result->count; i++) {
		struct held_rule *rule = &held->rules[result->ids[i] % HELD_RULES];
		if (!rule->pattern || rule->id != result->ids[i])
			held_fail(held, "a removed rule matched");
		else if (rule->told == held->checks)
			held_fail(held, "a rule was told twice");
		else
			rule->told = held->checks;
	}
}

void held_check(struct held *held, size_t event, size_t scratch)
{
	const struct sluice_event *publish = held->events[event].publish;
	struct sluice_match result;
	unsigned metadata = 0;
	if (sluice_match(held->matcher, held->scratches[scratch], publish, &result) != SLUICE_OK) {
		held_fail(held, "the matcher failed");
		pair_print((struct sluice_str){ NULL, 0 }, publish);
		return;
	}
	held->checks++;
	check_told(held, &result);
	if (result.undecided)
		held_fail(held, "a small event was left undecided");
	check_flags(held, &result, event);
	for (size_t i = 0; i < held->count && held->failures < HELD_FAILURES; i++) {
		const struct held_rule *rule = &held->rules[held->order[i]];
		bool told = rule->told == held->checks;
		metadata |= rule->metadata;
		if (!(rule->unknown >> event & 1) && told != (rule->matches >> event & 1))
			report_rule(held, rule, publish, told);
	}
	if (sluice_matcher_count(held->matcher) != held->count)
		held_fail(held, "the number of rules");
	if (held->failures < HELD_FAILURES && sluice_matcher_metadata(held->matcher) != metadata)
		held_fail(held, "the members of $mqtt that rules name");
}
