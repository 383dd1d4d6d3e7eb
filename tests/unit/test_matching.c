/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What matching promises beside its verdicts: it allocates nothing and takes no lock, many threads
 * do it on one matcher, and rules may change between events under a lock of the user's. The rules
 * and the events are the random ones of tests/conformance.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crowd.h"
#include "oom.h"
#include "sluice/matcher.h"

enum {
	CROWDS = 24,
	EVENTS_OF_A_CROWD = 16,
	EVENTS = CROWDS * EVENTS_OF_A_CROWD,
	RULES = 1200,
	FEW = 30
};

struct fixture {
	struct oracle_pool pool;
	struct made_event made[EVENTS];
	struct sluice_pattern *patterns[RULES]; /* a rule's id is its place */
	struct sluice_matcher *matcher;         /* holds them all */
	/* what one thread finds, before all else */
	bool *matched; /* [event][rule] */
	size_t counts[EVENTS];
	unsigned flags[EVENTS];
};

static struct fixture fixture;

static void add_rule(struct sluice_matcher *matcher, size_t rule)
{
	if (sluice_matcher_add(matcher, rule, fixture.patterns[rule], NULL) != SLUICE_OK)
		abort();
}

/* Rules and events of every crowd, and the wild ones. */
static void generate(struct dice *dice)
{
	struct crowd crowds[CROWDS];
	for (size_t e = 0; e < EVENTS; e++) {
		struct crowd *crowd = &crowds[e / EVENTS_OF_A_CROWD];
		if (e % EVENTS_OF_A_CROWD == 0)
			crowd_draw(dice, crowd);
		if (e % 8 == 0)
			make_event(&fixture.pool, dice, NULL, &fixture.made[e]);
		else
			crowd_event(crowd, &fixture.pool, dice, &fixture.made[e]);
	}
	for (size_t rule = 0; rule < RULES;) {
		size_t e = dice_below(dice, EVENTS);
		const struct made_event *near = &fixture.made[e];
		struct sluice_str text = e % 8 == 0 ? make_pattern(&fixture.pool, dice, near)
		                                    : crowd_pattern(&crowds[e / EVENTS_OF_A_CROWD],
		                                                    &fixture.pool, dice, near);
		if (sluice_pattern_compile(text, &fixture.patterns[rule], NULL) == SLUICE_OK)
			add_rule(fixture.matcher, rule++);
	}
}

static int start(void **state)
{
	struct dice dice = { 4 };
	struct sluice_scratch *scratch = sluice_scratch_create();
	struct sluice_match result;

	fixture.matcher = sluice_matcher_create();
	fixture.matched = calloc((size_t)EVENTS * RULES, sizeof(*fixture.matched));
	if (!fixture.matcher || !scratch || !fixture.matched)
		return -1;
	generate(&dice);
	for (size_t e = 0; e < EVENTS; e++) {
		if (sluice_match(fixture.matcher, scratch, &fixture.made[e].event, &result) !=
		    SLUICE_OK)
			return -1;
		fixture.counts[e] = result.count;
		fixture.flags[e] = result.flags;
		for (size_t i = 0; i < result.count; i++)
			fixture.matched[e * RULES + result.ids[i]] = true;
	}
	sluice_scratch_destroy(scratch);
	*state = &fixture;
	return 0;
}

static int stop(void **state)
{
	(void)state;
	for (size_t rule = 0; rule < RULES; rule++)
		sluice_pattern_destroy(fixture.patterns[rule]);
	sluice_matcher_destroy(fixture.matcher);
	free(fixture.matched);
	oracle_free_all(&fixture.pool);
	return 0;
}

/* What the events had of each kind: it should be worth it. */
struct kinds {
	size_t matching, escapes, properties, binary, odd;
};

static void match_without_calls(const struct sluice_matcher *matcher, struct kinds *kinds)
{
	struct sluice_scratch *scratch = sluice_scratch_create();
	struct sluice_match result;

	/* The first time a scratch takes the size of the matcher and of the events. */
	for (size_t e = 0; e < EVENTS; e++)
		sluice_match(matcher, scratch, &fixture.made[e].event, &result);
	oom_calls();
	for (size_t e = 0; e < EVENTS; e++) {
		const struct sluice_event *event = &fixture.made[e].event;
		enum sluice_status status = sluice_match(matcher, scratch, event, &result);
		struct oom_calls calls = oom_calls();
		assert_int_equal(status, SLUICE_OK);
		if (calls.allocations || calls.frees || calls.locks)
			fail_msg("%zu allocations, %zu frees, %zu locks for %.*s",
			         calls.allocations, calls.frees, calls.locks,
			         (int)event->payload.len, event->payload.data);
		kinds->matching += result.count > 0;
		kinds->escapes += memchr(event->payload.data, '\\', event->payload.len) != NULL;
		kinds->properties += event->user_property_count > 0;
		kinds->binary += event->correlation_data.data != NULL;
		kinds->odd +=
		        (result.flags & (SLUICE_MATCH_NOT_JSON | SLUICE_MATCH_NOT_OBJECT)) != 0;
	}
	sluice_scratch_destroy(scratch);
}

static void test_an_event_allocates_nothing_and_takes_no_lock(void **state)
{
	struct sluice_matcher *few = sluice_matcher_create();
	struct kinds kinds = { 0 };

	(void)state;
	/* Those that are choosy: for other events none matches. */
	for (size_t rule = 0; rule < RULES && sluice_matcher_count(few) < FEW; rule++) {
		size_t events = 0;
		for (size_t e = 0; e < EVENTS; e++)
			events += fixture.matched[e * RULES + rule];
		if (events > 0 && events < EVENTS / 16)
			add_rule(few, rule);
	}
	match_without_calls(few, &kinds);
	assert_in_range(kinds.matching, EVENTS / 8, EVENTS * 7 / 8);
	match_without_calls(fixture.matcher, &kinds);
	assert_in_range(kinds.escapes, EVENTS / 4, EVENTS * 2);
	assert_in_range(kinds.properties, EVENTS / 4, EVENTS * 2);
	assert_in_range(kinds.binary, 8, EVENTS * 2);
	assert_in_range(kinds.odd, 8, EVENTS * 2);
	sluice_matcher_destroy(few);
}

static void test_allocations_and_locks_are_counted(void **state)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct oom_calls calls;

	(void)state;
	oom_calls();
	sluice_matcher_destroy(sluice_matcher_create());
	calls = oom_calls();
	assert_true(calls.allocations > 0 && calls.frees > 0 && calls.locks == 0);
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
	assert_int_equal(oom_calls().locks, 1);
}

/* --- many threads --- */

/* cmocka's asserts are for its own thread: the others count what was wrong. */
struct worker {
	pthread_t thread;
	size_t number;
	size_t rounds;
	size_t wrong;
};

static void find(const struct sluice_matcher *matcher, struct sluice_scratch *scratch, size_t e,
                 struct sluice_match *result)
{
	if (!scratch || sluice_match(matcher, scratch, &fixture.made[e].event, result) != SLUICE_OK)
		abort();
}

static void *match_all(void *arg)
{
	struct worker *worker = arg;
	struct sluice_scratch *scratch = sluice_scratch_create();
	struct sluice_match result;

	for (size_t i = 0; i < EVENTS * worker->rounds; i++) {
		size_t e = (i * (2 * worker->number + 1) + worker->number) % EVENTS;
		find(fixture.matcher, scratch, e, &result);
		worker->wrong +=
		        result.count != fixture.counts[e] || result.flags != fixture.flags[e];
		for (size_t k = 0; k < result.count; k++)
			worker->wrong += !fixture.matched[e * RULES + result.ids[k]];
	}
	sluice_scratch_destroy(scratch);
	return NULL;
}

static void test_threads_with_a_scratch_each_find_what_one_finds(void **state)
{
	struct worker workers[4] = { 0 };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		workers[i].number = i;
		workers[i].rounds = 3;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, match_all, &workers[i]),
		                 0);
	}
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
		assert_int_equal(workers[i].wrong, 0);
	}
}

/* --- rules change while others match: matcher.h, "Threads" --- */

static struct {
	pthread_rwlock_t lock; /* of the two below */
	struct sluice_matcher *matcher;
	bool live[RULES];
	atomic_bool done;
} shared;

/* How much of what was told is not what the live rules match. */
static size_t wrong_among_live(size_t e, const struct sluice_match *result)
{
	size_t wrong = 0, expected = 0;

	for (size_t rule = 0; rule < RULES; rule++)
		expected += shared.live[rule] && fixture.matched[e * RULES + rule];
	for (size_t i = 0; i < result->count; i++)
		wrong += !shared.live[result->ids[i]] ||
		         !fixture.matched[e * RULES + result->ids[i]];
	return wrong + (expected != result->count);
}

static void *match_under_lock(void *arg)
{
	struct worker *worker = arg;
	struct sluice_scratch *scratch = sluice_scratch_create();
	struct sluice_match result;

	for (size_t i = worker->number; !atomic_load(&shared.done); i++) {
		size_t e = i % EVENTS;
		pthread_rwlock_rdlock(&shared.lock);
		find(shared.matcher, scratch, e, &result);
		/* The ids are the scratch's: they outlive the lock, but `live` does not. */
		worker->wrong += wrong_among_live(e, &result);
		pthread_rwlock_unlock(&shared.lock);
		worker->rounds++;
	}
	sluice_scratch_destroy(scratch);
	return NULL;
}

static void change_rule(size_t rule)
{
	pthread_rwlock_wrlock(&shared.lock);
	if (shared.live[rule]) {
		if (sluice_matcher_remove(shared.matcher, rule) != SLUICE_OK)
			abort();
	} else {
		add_rule(shared.matcher, rule);
	}
	shared.live[rule] = !shared.live[rule];
	pthread_rwlock_unlock(&shared.lock);
}

static void test_rules_change_under_a_write_lock_while_others_match_under_a_read_lock(void **state)
{
	struct worker workers[3] = { 0 };
	struct dice dice = { 5 };
	size_t events = 0;
	pthread_rwlockattr_t kind;

	(void)state;
	/* As is, glibc's lock lets readers in for as long as there are some. */
	pthread_rwlockattr_init(&kind);
	pthread_rwlockattr_setkind_np(&kind, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&shared.lock, &kind);
	pthread_rwlockattr_destroy(&kind);
	shared.matcher = sluice_matcher_create();
	assert_non_null(shared.matcher);
	for (size_t i = 0; i < 3; i++) {
		workers[i].number = i * 101;
		assert_int_equal(
		        pthread_create(&workers[i].thread, NULL, match_under_lock, &workers[i]), 0);
	}
	/* Grown to all rules, changed at random, and emptied. */
	for (size_t rule = 0; rule < RULES; rule++)
		change_rule(rule);
	for (size_t i = 0; i < RULES; i++)
		change_rule(dice_below(&dice, RULES));
	for (size_t rule = 0; rule < RULES; rule++)
		if (shared.live[rule])
			change_rule(rule);
	atomic_store(&shared.done, true);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
		assert_int_equal(workers[i].wrong, 0);
		events += workers[i].rounds;
	}
	assert_true(events > 0);
	assert_int_equal(sluice_matcher_count(shared.matcher), 0);
	sluice_matcher_destroy(shared.matcher);
	pthread_rwlock_destroy(&shared.lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_event_allocates_nothing_and_takes_no_lock),
		cmocka_unit_test(test_allocations_and_locks_are_counted),
		cmocka_unit_test(test_threads_with_a_scratch_each_find_what_one_finds),
		cmocka_unit_test(
		        test_rules_change_under_a_write_lock_while_others_match_under_a_read_lock),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
