/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Rules held in one matcher, and beside it what the oracle says of each of them on a few events.
 * The oracle is asked once for each rule and event, so that the matcher can be held against it
 * after every single change of thousands of rules.
 */
#ifndef HELD_H
#define HELD_H

#include "../oracle/oracle.h"
#include "generate.h"
#include "sluice/matcher.h"

enum {
	HELD_RULES = 8192, /* a power of two: an id ends in the place of its rule */
	HELD_EVENTS = 64,  /* bits of a verdict */
	HELD_SCRATCHES = 3,
	HELD_FAILURES = 10, /* so many are told; then there is no use in going on */
};

struct held_rule {
	uint64_t id;
	struct sluice_str text;         /* owned */
	struct oracle_pattern *pattern; /* NULL: no rule is here */
	unsigned metadata;
	uint32_t order;            /* its place in held.order */
	uint64_t matches, unknown; /* by the oracle, a bit for each event */
	uint64_t told;             /* the check in which the matcher told it last */
};

struct held {
	struct sluice_matcher *matcher;
	/* Some lag behind while rules come and go. */
	struct sluice_scratch *scratches[HELD_SCRATCHES];
	struct held_rule rules[HELD_RULES];
	uint32_t order[HELD_RULES]; /* all places, those of rules first */
	size_t count, most;
	struct {
		const struct sluice_event *publish;
		struct oracle_event *read;
	} events[HELD_EVENTS];
	size_t event_count;
	uint64_t generation, seed, step;
	size_t pairs, matches, invalid, unknown, checks, failures;
};

/* Zeroed memory becomes an empty set. */
void held_init(struct held *held, uint64_t seed);

/* Removes all rules, after which the matcher must be empty, and frees everything. */
void held_finish(struct held *held);

/* The events from now on; they must outlive their use. Asks the oracle about the rules that are
 * there. */
void held_set_events(struct held *held, const struct made_event *events, size_t count);

/* Adds the rule; one that is invalid for both is only counted. */
void held_add(struct held *held, struct sluice_str text);

/* Removes the nth of the rules (0 … count - 1), which have no order that lasts. */
void held_remove(struct held *held, size_t nth);

/* Matches one event and compares what is told with the oracle's word on every rule. */
void held_check(struct held *held, size_t event, size_t scratch);

/* Tells a difference. */
void held_fail(struct held *held, const char *what);

/* Tells how the pattern and the event differ alone, made as small as they get, or else among which
 * other rules they do. */
void held_report(struct held *held, struct sluice_str text, const struct sluice_event *publish,
                 const char *what);

/* The last line of a run, and its exit status. */
int held_result(const struct held *held);

#endif
