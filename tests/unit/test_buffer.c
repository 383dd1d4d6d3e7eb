/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "oom.h"
#include "sluice/buffer.h"

static void an_empty_buffer_is_an_empty_string(void **state)
{
	(void)state;
	struct sluice_buffer buf = { 0 };
	assert_non_null(sluice_buffer_str(&buf).data);
	assert_int_equal(sluice_buffer_str(&buf).len, 0);
	char *taken = sluice_buffer_take(&buf);
	assert_string_equal(taken, "");
	free(taken);
	sluice_buffer_finish(&buf);
}

static void what_is_appended_stands_there_in_order(void **state)
{
	(void)state;
	struct sluice_buffer buf = { 0 };
	sluice_buffer_append(&buf, "a\0b", 3);
	sluice_buffer_append(&buf, NULL, 0);
	sluice_buffer_append_str(&buf, (struct sluice_str){ NULL, 0 });
	sluice_buffer_append_text(&buf, "c");
	for (int i = 0; i < 100; i++)
		sluice_buffer_printf(&buf, "%03d", i);
	assert_false(buf.failed);
	assert_int_equal(buf.len, 304);
	assert_memory_equal(buf.data, "a\0bc000001", 10);
	assert_string_equal(buf.data + 301, "099");

	char *data = buf.data;
	sluice_buffer_reset(&buf);
	assert_string_equal(buf.data, "");
	sluice_buffer_append_text(&buf, "again");
	assert_ptr_equal(buf.data, data);
	char *taken = sluice_buffer_take(&buf);
	assert_ptr_equal(taken, data);
	assert_string_equal(taken, "again");
	assert_null(buf.data);
	free(taken);
}

static void a_limit_is_the_last_length_that_fits(void **state)
{
	(void)state;
	struct sluice_buffer buf = { .limit = 4 };
	sluice_buffer_append_text(&buf, "abcd");
	assert_false(buf.failed);
	sluice_buffer_append_text(&buf, "");
	assert_false(buf.failed);
	sluice_buffer_printf(&buf, "%c", 'e');
	assert_true(buf.failed);
	assert_true(buf.over_limit);
	assert_string_equal(buf.data, "abcd");
	assert_null(sluice_buffer_take(&buf));
	sluice_buffer_reset(&buf);
	assert_false(buf.failed || buf.over_limit);
	sluice_buffer_append(&buf, "ab", 2);
	assert_false(buf.failed);
	sluice_buffer_finish(&buf);
	assert_int_equal(buf.limit, 4);
}

static void once_failed_nothing_more_is_appended(void **state)
{
	(void)state;
	struct sluice_buffer buf = { 0 };
	sluice_buffer_append_text(&buf, "kept");
	oom_fail_at(1);
	char large[200] = { 0 };
	sluice_buffer_append(&buf, large, sizeof(large));
	assert_true(oom_happened());
	assert_true(buf.failed);
	assert_false(buf.over_limit);
	sluice_buffer_append_text(&buf, "x");
	sluice_buffer_printf(&buf, "y");
	assert_string_equal(buf.data, "kept");
	assert_null(sluice_buffer_take(&buf));
	sluice_buffer_finish(&buf);

	oom_fail_at(1);
	assert_null(sluice_buffer_take(&buf));
	assert_true(oom_happened());
	sluice_buffer_append(&buf, "", SIZE_MAX);
	assert_true(buf.failed);
	sluice_buffer_finish(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_buffer_is_an_empty_string),
		cmocka_unit_test(what_is_appended_stands_there_in_order),
		cmocka_unit_test(a_limit_is_the_last_length_that_fits),
		cmocka_unit_test(once_failed_nothing_more_is_appended),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
