/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Rules that come and go in one matcher, as the input's lines say:
 *	+PATTERN   adds a rule at the next place, in the stead of what is there
 *	-C         removes the rule at the place that the byte C stands for
 *	PAYLOAD    (any other line) is an event: the matcher and the oracle must name the same rules
 * Two scratches take turns. At the end all rules are removed, and the matcher is empty.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../conformance/pairs.h"
#include "../oracle/oracle.h"
#include "publish.h"
#include "sluice/matcher.h"
#include "sluice/pattern.h"

enum { MAX_BYTES = 8192, PLACES = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct sluice_matcher *matcher;
	struct {
		uint64_t id;                    /* never used twice; its place is its remainder */
		struct oracle_pattern *pattern; /* NULL: no rule is here */
		struct sluice_str text;
	} rules[PLACES];
	size_t count;
	uint64_t added, events;
};

/* For all inputs: making one costs more than a whole run. */
static struct sluice_scratch *scratches[2];

static void fail(struct sluice_str pattern, const struct sluice_event *event, const char *what)
{
	puts(what);
	if (event)
		pair_print(pattern, event);
	fflush(stdout);
	abort();
}

static void remove_rule(struct run *run, size_t place)
{
	if (!run->rules[place].pattern)
		return;
	if (sluice_matcher_remove(run->matcher, run->rules[place].id) != SLUICE_OK)
		fail(run->rules[place].text, NULL, "a rule could not be removed");
	oracle_pattern_destroy(run->rules[place].pattern);
	run->rules[place].pattern = NULL;
	run->count--;
}

static void add_rule(struct run *run, struct sluice_str text)
{
	struct sluice_event nothing = SLUICE_EVENT_INIT;
	struct sluice_pattern *compiled = NULL;
	char reason[128];
	size_t place = run->added % PLACES;
	remove_rule(run, place);
	struct oracle_pattern *pattern = oracle_pattern_read(text, reason, sizeof(reason));
	enum sluice_status status = sluice_pattern_compile(text, &compiled, NULL);
	if (!pattern != (status != SLUICE_OK))
		fail(text, &nothing, "a pattern is valid for one and invalid for the other");
	if (pattern) {
		if (sluice_matcher_add(run->matcher, run->added, compiled, NULL) != SLUICE_OK)
			fail(text, &nothing, "a rule could not be added");
		run->rules[place].id = run->added++;
		run->rules[place].pattern = pattern;
		run->rules[place].text = text;
		run->count++;
	}
	sluice_pattern_destroy(compiled);
}

static void match(struct run *run, struct sluice_str payload)
{
	struct sluice_event publish = fuzz_publish(payload);
	struct oracle_event *event = oracle_event_read(&publish);
	struct sluice_match result;
	bool told[PLACES] = { false };
	if (sluice_match(run->matcher, scratches[run->events++ % 2], &publish, &result) !=
	    SLUICE_OK)
		fail(payload, &publish, "the matcher failed");
	for (size_t i = 0; i < result.count; i++) {
		size_t place = result.ids[i] % PLACES;
		if (!run->rules[place].pattern || run->rules[place].id != result.ids[i] ||
		    told[place])
			fail(run->rules[place].text, &publish, "a removed rule, or one told twice");
		told[place] = true;
	}
	for (size_t place = 0; place < PLACES && !result.undecided; place++) {
		if (!run->rules[place].pattern)
			continue;
		enum oracle_verdict verdict = oracle_match(run->rules[place].pattern, event);
		if (verdict != ORACLE_UNKNOWN && (verdict == ORACLE_MATCH) != told[place])
			fail(run->rules[place].text, &publish,
			     told[place] ? "expected nomatch, got match"
			                 : "expected match, got nomatch");
	}
	oracle_event_destroy(event);
}

static void step(struct run *run, struct sluice_str line)
{
	char first = line.len ? line.data[0] : '\0';
	if (first == '+')
		add_rule(run, (struct sluice_str){ line.data + 1, line.len - 1 });
	else if (first == '-' && line.len == 2)
		remove_rule(run, (unsigned char)line.data[1] % PLACES);
	else
		match(run, line);
	if (sluice_matcher_count(run->matcher) != run->count)
		fail(line, NULL, "the number of rules");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run run = { .matcher = sluice_matcher_create() };
	for (size_t i = 0; i < 2 && !scratches[i]; i++)
		scratches[i] = sluice_scratch_create();
	for (size_t at = 0; at < size && size <= MAX_BYTES;) {
		const uint8_t *newline = memchr(data + at, '\n', size - at);
		size_t end = newline ? (size_t)(newline - data) : size;
		step(&run, (struct sluice_str){ (const char *)data + at, end - at });
		at = end + 1;
	}
	for (size_t place = 0; place < PLACES; place++)
		remove_rule(&run, place);
	if (sluice_matcher_count(run.matcher) != 0)
		fail(SLUICE_STR(""), NULL, "rules are left in an emptied matcher");
	sluice_matcher_destroy(run.matcher);
	return 0;
}
