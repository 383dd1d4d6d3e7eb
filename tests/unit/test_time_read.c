/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sluice/time.h"
#include "sluice/transform.h"

static void test_times_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01t00:00:00z", 0 },
		{ "1970-01-01 00:00:01.5Z", 1500 },
		{ "1969-12-31T23:59:59.999Z", -1 },
		{ "2000-02-29T12:00:00Z", INT64_C(951825600000) },
		{ "2026-01-02T03:04:05.678901Z", INT64_C(1767323045678) },
		{ "2026-01-02T03:04:05+01:30", INT64_C(1767317645000) },
		{ "2026-01-02T03:04:05-01:30", INT64_C(1767328445000) },
		{ "2016-12-31T23:59:60Z", INT64_C(1483228800000) },
		{ "9999-12-31T23:59:59Z", INT64_C(253402300799000) },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t ms = -5;
		if (!sluice_time_read(sluice_str(cases[i].text), &ms) || ms != cases[i].ms)
			fail_msg("%s: expected %lld, got %lld", cases[i].text,
			         (long long)cases[i].ms, (long long)ms);
	}
}

static void test_what_is_no_time_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"2026",
		"2026-01-02",
		"2026-01-02T03:04Z",
		"2026-01-02T03:04:05",
		"2026-01-02T03:04:05.Z",
		"2026-01-02T03:04:05Zx",
		"2026-01-02T24:00:00Z",
		"2026-01-02T03:60:00Z",
		"2026-01-02T03:04:61Z",
		"2026-13-02T03:04:05Z",
		"2026-00-02T03:04:05Z",
		"2026-01-00T03:04:05Z",
		"2026-01-32T03:04:05Z",
		"2026-04-31T03:04:05Z",
		"2026-02-29T03:04:05Z",
		"1900-02-29T03:04:05Z",
		"0999-01-02T03:04:05Z",
		"2026-01-02T03:04:05+24:00",
		"2026-01-02T03:04:05+0100",
		"2026-1-2T03:04:05Z",
		" 2026-01-02T03:04:05Z",
		"-026-01-02T03:04:05Z",
	};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		int64_t ms;
		if (sluice_time_read(sluice_str(texts[i]), &ms))
			fail_msg("\"%s\" was read", texts[i]);
	}
	int64_t ms;
	assert_false(sluice_time_read((struct sluice_str){ "2026-01-02T03:04:05\0", 20 }, &ms));
}

/* Every day of nine hundred years, as sluice_time_format writes it. */
static void test_what_is_written_is_read_back(void **state)
{
	(void)state;
	for (int64_t day = -200000; day < 130000; day++) {
		char text[SLUICE_TIME_SIZE];
		int64_t wanted = day * 86400000 + (day & 0x3ffffff), ms;
		assert_true(sluice_time_read(sluice_str(sluice_time_format(wanted, text)), &ms));
		assert_int_equal(ms, wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times_are_read),
		cmocka_unit_test(test_what_is_no_time_is_refused),
		cmocka_unit_test(test_what_is_written_is_read_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
