/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oom.h"
#include "queue/seen.h"

static const struct sluice_str jobs = { "jobs", 4 }, mail = { "mail", 4 };

static void make_key(size_t number, unsigned char key[SEEN_KEY_BYTES])
{
	memset(key, 0, SEEN_KEY_BYTES);
	memcpy(key, &number, sizeof number);
}

static void test_a_key_counts_until_its_time_and_in_its_scope(void **state)
{
	struct seen seen = { 0 };
	unsigned char key[SEEN_KEY_BYTES];
	(void)state;

	make_key(7, key);
	assert_false(seen_has(&seen, jobs, key, 0));
	assert_true(seen_add(&seen, jobs, key, 100, 0));
	assert_true(seen_has(&seen, jobs, key, 99));
	assert_false(seen_has(&seen, jobs, key, 100));
	assert_false(seen_has(&seen, mail, key, 0));
	assert_true(seen_add(&seen, jobs, key, 200, 100));
	assert_true(seen_has(&seen, jobs, key, 150));
	seen_remove(&seen, jobs, key);
	assert_false(seen_has(&seen, jobs, key, 150));
	assert_int_equal(seen.count, 0);
	seen_finish(&seen);
}

static void test_many_come_and_go(void **state)
{
	enum { KEYS = 20000 };
	struct seen seen = { 0 };
	unsigned char key[SEEN_KEY_BYTES];
	(void)state;

	for (size_t i = 0; i < KEYS; i++) {
		make_key(i, key);
		assert_true(seen_add(&seen, jobs, key, (int64_t)(i % 7 * 100 + 100), 0));
	}
	for (int64_t now_ms = 0; now_ms <= 700; now_ms += 50) {
		for (size_t i = 0; i < KEYS; i++) {
			make_key(i, key);
			assert_int_equal(seen_has(&seen, jobs, key, now_ms),
			                 now_ms < (int64_t)(i % 7 * 100 + 100));
		}
		for (int i = 0; i < 20; i++)
			seen_tick(&seen, now_ms);
	}
	assert_int_equal(seen.count, 0);
	seen_finish(&seen);
}

static void test_it_holds_no_more_than_it_may(void **state)
{
	struct seen seen = { 0 };
	unsigned char key[SEEN_KEY_BYTES];
	(void)state;

	for (size_t i = 0; i < SEEN_MAX + 1000; i++) {
		make_key(i, key);
		assert_true(seen_add(&seen, jobs, key, 1000, 0));
	}
	assert_int_equal(seen.count, SEEN_MAX);
	assert_int_equal(seen.forgotten, 1000);
	assert_true(seen_has(&seen, jobs, key, 0));
	seen_finish(&seen);
}

static void test_without_memory_it_says_so_and_goes_on(void **state)
{
	struct seen seen = { 0 };
	unsigned char key[SEEN_KEY_BYTES];
	size_t refused = 0;
	(void)state;

	for (size_t i = 0; i < 1000; i++) {
		make_key(i, key);
		oom_fail_at(1);
		if (!seen_add(&seen, jobs, key, 1000, 0)) {
			assert_true(oom_happened());
			refused++;
			assert_true(seen_add(&seen, jobs, key, 1000, 0));
		}
		oom_happened();
	}
	assert_true(refused > 0);
	assert_int_equal(seen.count, 1000);
	seen_finish(&seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_key_counts_until_its_time_and_in_its_scope),
		cmocka_unit_test(test_many_come_and_go),
		cmocka_unit_test(test_it_holds_no_more_than_it_may),
		cmocka_unit_test(test_without_memory_it_says_so_and_goes_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
