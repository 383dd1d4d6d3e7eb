/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sluice/types.h"

static void an_error_holds_what_it_was_given(void **state)
{
	(void)state;
	struct sluice_error error;
	assert_int_equal(
	        sluice_error_set(&error, SLUICE_ERR_LIMIT, 7, "$.a", "%d is %s", 5, "too much"),
	        SLUICE_ERR_LIMIT);
	assert_int_equal(error.code, SLUICE_ERR_LIMIT);
	assert_int_equal(error.offset, 7);
	assert_string_equal(error.place, "$.a");
	assert_string_equal(error.message, "5 is too much");
	assert_int_equal(sluice_error_set(NULL, SLUICE_ERR_IO, 0, NULL, "x"), SLUICE_ERR_IO);
	sluice_error_set(&error, SLUICE_ERR_IO, SIZE_MAX, NULL, "x");
	assert_string_equal(error.place, "");
}

static void an_error_may_wrap_itself(void **state)
{
	(void)state;
	struct sluice_error error;
	sluice_error_set(&error, SLUICE_ERR_IO, 1, "$.a", "inner");
	sluice_error_set(&error, SLUICE_ERR_IO, 1, error.place, "outer: %s", error.message);
	assert_string_equal(error.place, "$.a");
	assert_string_equal(error.message, "outer: inner");
}

static void hostile_bytes_are_shown_as_question_marks(void **state)
{
	(void)state;
	struct sluice_error error;
	sluice_error_set(&error, SLUICE_ERR_IO, 0, "$.\n\x7f", "%s",
	                 "a\x1b[31m\xc2\x85\xff\xc3\xa4\xed\xa0\x80");
	assert_string_equal(error.place, "$.??");
	assert_string_equal(error.message, "a?[31m???\xc3\xa4???");
}

static void long_text_is_cut_at_the_end_of_a_character(void **state)
{
	(void)state;
	char text[1001] = { 0 };
	for (size_t i = 0; i < 1000; i += 4)
		memcpy(text + i, "\xf0\x9f\x98\x80", 4);
	struct sluice_error error;
	for (int shift = 0; shift < 4; shift++) {
		sluice_error_set(&error, SLUICE_ERR_IO, 0, text + 4, "%.*s%s", shift, "xxx", text);
		assert_null(strchr(error.message, '?'));
		assert_null(strchr(error.place, '?'));
		assert_int_equal(strlen(error.message),
		                 (sizeof(error.message) - 1 - (size_t)shift) / 4 * 4 +
		                         (size_t)shift);
	}
}

static void an_error_is_formatted_without_what_is_empty(void **state)
{
	(void)state;
	static const char *const cases[][4] = {
		{ "pattern", "$.a", "wrong", "pattern: $.a: wrong" },
		{ "pattern", "", "wrong", "pattern: wrong" },
		{ "", "$.a", "wrong", "$.a: wrong" },
		{ NULL, "", "wrong", "wrong" },
		{ "pattern", "", "", "pattern" },
	};
	char buf[64];
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sluice_error error;
		sluice_error_set(&error, SLUICE_ERR_IO, 0, cases[i][1], "%s", cases[i][2]);
		assert_string_equal(sluice_error_format(&error, cases[i][0], buf, sizeof(buf)),
		                    cases[i][3]);
	}
	struct sluice_error error;
	sluice_error_set(&error, SLUICE_ERR_IO, 0, NULL, "\xc3\xa4\xc3\xa4");
	assert_string_equal(sluice_error_format(&error, NULL, buf, 4), "\xc3\xa4");
	assert_string_equal(sluice_error_format(&error, NULL, buf, 1), "");
	assert_ptr_equal(sluice_error_format(&error, NULL, buf, 0), buf);
}

static void every_status_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int a = SLUICE_OK; a <= SLUICE_ERR_IO; a++)
		for (int b = SLUICE_OK; b < a; b++)
			assert_string_not_equal(sluice_status_name((enum sluice_status)a),
			                        sluice_status_name((enum sluice_status)b));
	assert_string_equal(sluice_status_name(SLUICE_ERR_NOT_FOUND), "not-found");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_holds_what_it_was_given),
		cmocka_unit_test(an_error_may_wrap_itself),
		cmocka_unit_test(hostile_bytes_are_shown_as_question_marks),
		cmocka_unit_test(long_text_is_cut_at_the_end_of_a_character),
		cmocka_unit_test(an_error_is_formatted_without_what_is_empty),
		cmocka_unit_test(every_status_has_a_name_of_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
