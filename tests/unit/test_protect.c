/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>

#include "protect.h"

static bool owns(const struct protect *protect, const char *topic)
{
	return protect_owns(protect, sluice_str(topic));
}

static void test_a_beginning_owns_what_is_below_it_and_a_topic_just_itself(void **state)
{
	struct protect protect = { 0 };
	(void)state;

	assert_false(owns(&protect, "consumers/a"));
	assert_true(protect_add(&protect, SLUICE_STR("consumers/")));
	assert_true(protect_add(&protect, SLUICE_STR("alarms/all")));
	assert_true(owns(&protect, "consumers/"));
	assert_true(owns(&protect, "consumers/a"));
	assert_true(owns(&protect, "consumers/a/b"));
	assert_false(owns(&protect, "consumers"));
	assert_false(owns(&protect, "consumersx/a"));
	assert_false(owns(&protect, "a/consumers/a"));
	assert_true(owns(&protect, "alarms/all"));
	assert_false(owns(&protect, "alarms/all/a"));
	assert_false(owns(&protect, "alarms/al"));
	assert_false(owns(&protect, ""));
	protect_finish(&protect);
}

static void test_an_empty_beginning_owns_nothing(void **state)
{
	struct protect protect = { 0 };
	(void)state;

	assert_true(protect_add(&protect, SLUICE_STR("")));
	assert_false(owns(&protect, "a"));
	protect_remove(&protect, SLUICE_STR(""));
	protect_finish(&protect);
}

static void test_a_beginning_goes_when_it_was_removed_as_often_as_added(void **state)
{
	struct protect protect = { 0 };
	(void)state;

	assert_true(protect_add(&protect, SLUICE_STR("a/")));
	assert_true(protect_add(&protect, SLUICE_STR("a/")));
	protect_remove(&protect, SLUICE_STR("a/"));
	assert_true(owns(&protect, "a/b"));
	protect_remove(&protect, SLUICE_STR("a/"));
	assert_false(owns(&protect, "a/b"));
	protect_remove(&protect, SLUICE_STR("a/"));
	protect_finish(&protect);
}

static void test_many_beginnings_stay_apart(void **state)
{
	struct protect protect = { 0 };
	char text[32];
	(void)state;

	for (int i = 0; i < 10000; i++) {
		snprintf(text, sizeof text, "t/%d/", i);
		assert_true(protect_add(&protect, sluice_str(text)));
	}
	for (int i = 0; i < 10000; i += 2) {
		snprintf(text, sizeof text, "t/%d/", i);
		protect_remove(&protect, sluice_str(text));
	}
	for (int i = 0; i < 10000; i++) {
		snprintf(text, sizeof text, "t/%d/x/y", i);
		assert_int_equal(owns(&protect, text), i % 2);
	}
	protect_finish(&protect);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_beginning_owns_what_is_below_it_and_a_topic_just_itself),
		cmocka_unit_test(test_an_empty_beginning_owns_nothing),
		cmocka_unit_test(test_a_beginning_goes_when_it_was_removed_as_often_as_added),
		cmocka_unit_test(test_many_beginnings_stay_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
