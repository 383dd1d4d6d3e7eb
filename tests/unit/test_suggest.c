/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sluice/suggest.h"

static const char *const words[] = { "prefix", "suffix", "equals-ignore-case", "topic", "qos",
	                             "id",     NULL };

static void test_a_misspelt_word_finds_the_one_that_was_meant(void **state)
{
	static const char *const cases[][2] = {
		{ "prefixx", "prefix" }, { "perfix", "prefix" },
		{ "PREFIX", "prefix" },  { "sufix", "suffix" },
		{ "tpoic", "topic" },    { "equalsIgnoreCase", "equals-ignore-case" },
		{ "qso", "qos" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(sluice_suggest(sluice_str(cases[i][0]), words), cases[i][1]);
}

static void test_what_is_near_nothing_gets_no_suggestion(void **state)
{
	static const char *const cases[] = { "", "x", "banana", "zz",
		                             ("a-word-that-is-much-longer-than-any-that-there-is-"
		                              "in-the-list-of-all-words") };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_null(sluice_suggest(sluice_str(cases[i]), words));
}

static void test_the_suggestion_ends_a_message(void **state)
{
	char buf[32];

	(void)state;
	assert_string_equal(sluice_suggest_format(SLUICE_STR("topik"), words, buf, sizeof(buf)),
	                    ", did you mean \"topic\"?");
	assert_string_equal(sluice_suggest_format(SLUICE_STR("banana"), words, buf, sizeof(buf)),
	                    "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_misspelt_word_finds_the_one_that_was_meant),
		cmocka_unit_test(test_what_is_near_nothing_gets_no_suggestion),
		cmocka_unit_test(test_the_suggestion_ends_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
