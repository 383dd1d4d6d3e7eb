/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Which signed requests came already. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "oom.h"
#include "webhook/seen.h"

/* Keys of a hash function look so; those of the same `low` share a chain. */
static const unsigned char *key(uint32_t low, uint32_t number)
{
	static unsigned char bytes[SEEN_KEY_BYTES];
	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, &low, sizeof(low));
	memcpy(bytes + 8, &number, sizeof(number));
	return bytes;
}

static void test_what_came_is_known_until_its_time(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(seen_ask(&seen, key(1, 1), 100, 400), SEEN_NEW);
	assert_int_equal(seen_ask(&seen, key(1, 1), 100, 400), SEEN_UNDER_WAY);
	seen_settle(&seen, key(1, 1), true);
	assert_int_equal(seen_ask(&seen, key(1, 1), 400, 700), SEEN_BEFORE);
	assert_int_equal(seen_ask(&seen, key(1, 2), 400, 700), SEEN_NEW);
	assert_int_equal(seen_ask(&seen, key(1, 1), 401, 701), SEEN_NEW);
	seen_finish(&seen);
}

static void test_what_was_not_taken_in_may_come_again(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	for (int i = 0; i < 200; i++) {
		assert_int_equal(seen_ask(&seen, key(7, 1), 0, 10), SEEN_NEW);
		seen_settle(&seen, key(7, 1), false);
	}
	assert_int_equal(seen_ask(&seen, key(7, 1), 0, 10), SEEN_NEW);
	seen_settle(&seen, key(7, 1), true);
	assert_int_equal(seen_ask(&seen, key(7, 1), 0, 10), SEEN_BEFORE);
	seen_settle(&seen, key(9, 9), true);
	seen_finish(&seen);
}

static void test_the_oldest_are_forgotten_when_there_are_too_many(void **state)
{
	enum { MORE = 1000 };
	struct seen seen = { 0 };

	(void)state;
	for (uint32_t i = 0; i < SEEN_MAX + MORE; i++) {
		assert_int_equal(seen_ask(&seen, key(i / 2 * 2654435761U, i), 0, 10), SEEN_NEW);
		seen_settle(&seen, key(i / 2 * 2654435761U, i), true);
	}
	assert_int_equal(seen.count, SEEN_MAX);
	for (uint32_t i = MORE; i < SEEN_MAX + MORE; i++)
		assert_int_equal(seen_ask(&seen, key(i / 2 * 2654435761U, i), 0, 10), SEEN_BEFORE);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(seen_ask(&seen, key(i / 2 * 2654435761U, i), 0, 10), SEEN_NEW);
	seen_finish(&seen);
}

/* Held against a list of what it must know. */
static void test_it_knows_what_a_plain_list_knows(void **state)
{
	enum { KEYS = 40, STEPS = 20000 };
	struct seen seen = { 0 };
	struct {
		int known; /* 0, 1 under way, 2 taken in */
		int64_t until;
	} list[KEYS] = { 0 };
	uint32_t random = 1;

	(void)state;
	for (int64_t now = 0; now < STEPS; now++) {
		random = random * 1664525U + 1013904223U;
		uint32_t i = random >> 16 & 0x3f;
		if (i >= KEYS)
			continue;
		if (random >> 8 & 1 && list[i].known == 1) {
			bool taken = random >> 9 & 1;
			seen_settle(&seen, key(i % 5, i), taken);
			list[i].known = taken ? 2 : 0;
			continue;
		}
		if (list[i].known && list[i].until < now)
			list[i].known = 0;
		enum seen_answer answer = seen_ask(&seen, key(i % 5, i), now, now + 100);
		assert_int_equal(answer, list[i].known == 0   ? SEEN_NEW
		                         : list[i].known == 1 ? SEEN_UNDER_WAY
		                                              : SEEN_BEFORE);
		if (answer == SEEN_NEW) {
			list[i].known = 1;
			list[i].until = now + 100;
		}
	}
	seen_finish(&seen);
}

static void test_any_allocation_may_fail(void **state)
{
	struct seen seen = { 0 };
	size_t failures = 0;

	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		oom_fail_at(1 + i % 2);
		enum seen_answer answer = seen_ask(&seen, key(i, i), 0, 10);
		if (oom_happened()) {
			assert_int_equal(answer, SEEN_NO_MEMORY);
			failures++;
			answer = seen_ask(&seen, key(i, i), 0, 10);
		}
		assert_int_equal(answer, SEEN_NEW);
	}
	assert_true(failures >= 2);
	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(seen_ask(&seen, key(i, i), 0, 10), SEEN_UNDER_WAY);
	seen_finish(&seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_came_is_known_until_its_time),
		cmocka_unit_test(test_what_was_not_taken_in_may_come_again),
		cmocka_unit_test(test_the_oldest_are_forgotten_when_there_are_too_many),
		cmocka_unit_test(test_it_knows_what_a_plain_list_knows),
		cmocka_unit_test(test_any_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
