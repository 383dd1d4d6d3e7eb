/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bridge_reports.h"
#include "oom.h"

static enum sluice_status put(struct bridge_reports *reports, const char *name, const char *members,
                              int64_t now_ms)
{
	struct sluice_error error;
	return bridge_reports_put(reports, sluice_str(name), sluice_str(members), now_ms, 0,
	                          &error);
}

static void test_a_bridge_is_forgotten_a_minute_after_its_last_word(void **state)
{
	struct bridge_reports reports = { 0 };
	(void)state;
	assert_int_equal(put(&reports, "b", "old", 1000), SLUICE_OK);
	assert_int_equal(put(&reports, "a", "", 2000), SLUICE_OK);
	assert_int_equal(put(&reports, "ab", "", 3000), SLUICE_OK);
	assert_int_equal(put(&reports, "b", "new", 4000), SLUICE_OK);
	assert_int_equal(reports.count, 3);
	bridge_reports_expire(&reports, 2000 + BRIDGE_SILENT_MS - 1);
	assert_int_equal(reports.count, 3);
	assert_string_equal(reports.first->name, "a");
	bridge_reports_expire(&reports, 2000 + BRIDGE_SILENT_MS);
	assert_string_equal(reports.first->name, "ab");
	bridge_reports_expire(&reports, 3000 + BRIDGE_SILENT_MS);
	assert_int_equal(reports.count, 1);
	assert_string_equal(reports.first->name, "b");
	assert_memory_equal(reports.first->members, "new", 3);
	bridge_reports_finish(&reports);
	assert_int_equal(reports.count, 0);
}

static void test_there_are_so_many_at_once_and_each_may_report_again(void **state)
{
	struct bridge_reports reports = { 0 };
	char name[8];
	(void)state;
	for (int i = 0; i < BRIDGES_MAX; i++) {
		snprintf(name, sizeof name, "b%d", i);
		assert_int_equal(put(&reports, name, "", 0), SLUICE_OK);
	}
	assert_int_equal(put(&reports, "c", "", 0), SLUICE_ERR_LIMIT);
	assert_int_equal(put(&reports, "b7", "x", 0), SLUICE_OK);
	assert_int_equal(reports.count, BRIDGES_MAX);
	bridge_reports_finish(&reports);
}

static void test_without_memory_the_last_report_stands(void **state)
{
	struct bridge_reports reports = { 0 };
	(void)state;
	assert_int_equal(put(&reports, "b", "old", 0), SLUICE_OK);
	oom_fail_at(1);
	assert_int_equal(put(&reports, "b", "new", 1), SLUICE_ERR_NOMEM);
	assert_true(oom_happened());
	assert_int_equal(reports.count, 1);
	assert_memory_equal(reports.first->members, "old", 3);
	bridge_reports_finish(&reports);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_bridge_is_forgotten_a_minute_after_its_last_word),
		cmocka_unit_test(test_there_are_so_many_at_once_and_each_may_report_again),
		cmocka_unit_test(test_without_memory_the_last_report_stands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
