/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pace.h"

static void test_a_backoff_doubles_up_to_its_bound_and_is_drawn_from_nothing_on(void **state)
{
	(void)state;
	static const struct {
		uint32_t attempt;
		int64_t most;
	} cases[] = { { 1, 1000 },    { 2, 2000 },      { 3, 4000 },           { 10, 512000 },
		      { 11, 900000 }, { 1000, 900000 }, { UINT32_MAX, 900000 } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint32_t attempt = cases[i].attempt;
		assert_int_equal(backoff_delay(1000, 900000, attempt, 0), 0);
		assert_int_equal(backoff_delay(1000, 900000, attempt, (uint64_t)cases[i].most),
		                 cases[i].most);
		assert_int_equal(backoff_delay(1000, 900000, attempt, (uint64_t)cases[i].most + 1),
		                 0);
		assert_true(backoff_delay(1000, 900000, attempt, UINT64_MAX) <= cases[i].most);
	}
	assert_int_equal(backoff_delay(0, 900000, 5, 77), 0);
	assert_int_equal(backoff_delay(5000, 1000, 1, 1000), 1000);
}

static void test_a_bucket_lets_a_burst_go_and_then_its_rate(void **state)
{
	(void)state;
	struct bucket bucket;
	bucket_init(&bucket, 10, 3, 1000);
	assert_int_equal(bucket_tokens(&bucket, 1000), 3);
	bucket_take(&bucket, 3);
	assert_int_equal(bucket_tokens(&bucket, 1000), 0);
	assert_int_equal(bucket_wait_ms(&bucket), 100);
	assert_int_equal(bucket_tokens(&bucket, 1099), 0);
	assert_int_equal(bucket_wait_ms(&bucket), 1);
	assert_int_equal(bucket_tokens(&bucket, 1100), 1);
	assert_int_equal(bucket_wait_ms(&bucket), 0);
	/* It holds no more than its burst, however long it waited. */
	assert_int_equal(bucket_tokens(&bucket, INT64_MAX / 2), 3);
}

static void test_a_slow_bucket_loses_nothing_between_two_looks(void **state)
{
	(void)state;
	struct bucket bucket;
	int64_t taken = 0;
	bucket_init(&bucket, 3, 0, 0);
	for (int64_t now_ms = 0; now_ms <= 100000; now_ms += 7) {
		int64_t tokens = bucket_tokens(&bucket, now_ms);
		bucket_take(&bucket, tokens);
		taken += tokens;
	}
	assert_in_range(taken, 302, 303);
}

static void test_a_bucket_without_a_rate_has_no_bound(void **state)
{
	(void)state;
	struct bucket bucket;
	bucket_init(&bucket, 0, 0, 0);
	bucket_take(&bucket, 1000000);
	assert_true(bucket_tokens(&bucket, 0) == INT64_MAX);
	assert_int_equal(bucket_wait_ms(&bucket), 0);
}

static void test_a_breaker_opens_waits_and_tries_one(void **state)
{
	(void)state;
	struct breaker breaker = { .failures_max = 3, .pause_ms = 1000 };
	assert_false(breaker_note(&breaker, false, 0));
	assert_false(breaker_note(&breaker, false, 0));
	assert_false(breaker_note(&breaker, true, 0)); /* in a row they must be */
	assert_false(breaker_note(&breaker, false, 0));
	assert_false(breaker_note(&breaker, false, 0));
	assert_true(breaker_note(&breaker, false, 50));
	assert_int_equal(breaker_look(&breaker, 1049), BREAKER_OPEN);
	/* What was under way fails too: that makes the pause no longer. */
	assert_false(breaker_note(&breaker, false, 900));
	assert_int_equal(breaker_look(&breaker, 1050), BREAKER_HALF_OPEN);
	assert_true(breaker_note(&breaker, false, 1060));
	assert_int_equal(breaker_look(&breaker, 2059), BREAKER_OPEN);
	assert_int_equal(breaker_look(&breaker, 2060), BREAKER_HALF_OPEN);
	assert_true(breaker_note(&breaker, true, 2061));
	assert_int_equal(breaker_look(&breaker, 2061), BREAKER_CLOSED);
	assert_string_equal(breaker_state_name(BREAKER_HALF_OPEN), "half-open");
}

static void test_no_breaker_never_opens(void **state)
{
	(void)state;
	struct breaker breaker = { .failures_max = 0, .pause_ms = 1000 };
	for (int i = 0; i < 1000; i++)
		assert_false(breaker_note(&breaker, false, i));
	assert_int_equal(breaker_look(&breaker, 1000), BREAKER_CLOSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		        test_a_backoff_doubles_up_to_its_bound_and_is_drawn_from_nothing_on),
		cmocka_unit_test(test_a_bucket_lets_a_burst_go_and_then_its_rate),
		cmocka_unit_test(test_a_slow_bucket_loses_nothing_between_two_looks),
		cmocka_unit_test(test_a_bucket_without_a_rate_has_no_bound),
		cmocka_unit_test(test_a_breaker_opens_waits_and_tries_one),
		cmocka_unit_test(test_no_breaker_never_opens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
