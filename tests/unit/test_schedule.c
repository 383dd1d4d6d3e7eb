/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Schedules, and the time zones below them. */
#define _XOPEN_SOURCE 700 /* strptime */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "oom.h"
#include "sluice/schedule.h"
#include "sluice/transform.h"
#include "zone.h"

static int64_t ms_of(const char *text)
{
	struct tm tm = { 0 };

	assert_non_null(strptime(text, "%Y-%m-%dT%H:%M:%S", &tm));
	return (int64_t)timegm(&tm) * 1000;
}

static const char *text_of(int64_t ms)
{
	static char text[SLUICE_TIME_SIZE];

	if (ms == INT64_MAX)
		return "never";
	sluice_time_format(ms, text);
	text[19] = '\0'; /* without milliseconds */
	return text;
}

static struct sluice_schedule *parse(const char *text, const char *zone)
{
	struct sluice_schedule *schedule;
	struct sluice_error error = { 0 };

	if (sluice_schedule_parse(sluice_str(text), sluice_str(zone), &schedule, &error))
		fail_msg("%s in %s: %s", text, zone ? zone : "UTC", error.message);
	return schedule;
}

/* Times in UTC: `after`, then each that comes; "never" at the end where there is none. */
static void runs(const char *text, const char *zone, const char *const *times)
{
	struct sluice_schedule *schedule = parse(text, zone);
	int64_t at = ms_of(times[0]);

	for (size_t i = 1; times[i]; i++) {
		at = sluice_schedule_next(schedule, at);
		if (strcmp(text_of(at), times[i]) != 0)
			fail_msg("%s in %s: the %zuth after %s is %s, not %s", text,
			         zone ? zone : "UTC", i, times[0], text_of(at), times[i]);
	}
	sluice_schedule_destroy(schedule);
}

#define RUNS(text, zone, ...) runs(text, zone, (const char *const[]){ __VA_ARGS__, NULL })

static void test_a_rate_runs_at_whole_multiples_of_it(void **state)
{
	(void)state;
	RUNS("rate(5 minutes)", NULL, "2026-01-01T10:02:00", "2026-01-01T10:05:00",
	     "2026-01-01T10:10:00");
	RUNS("rate(1 minute)", NULL, "2026-01-01T10:02:00", "2026-01-01T10:03:00");
	RUNS("rate(10 seconds)", NULL, "2026-01-01T10:02:09", "2026-01-01T10:02:10");
	RUNS("rate(1 hour)", NULL, "2026-01-01T10:00:00", "2026-01-01T11:00:00");
	RUNS("rate(1 day)", "Europe/Berlin", "2026-01-01T10:00:00", "2026-01-02T00:00:00");
	RUNS("rate(36500 days)", NULL, "1970-01-02T00:00:00", "2069-12-07T00:00:00");
}

static void test_at_runs_once(void **state)
{
	(void)state;
	RUNS("at(2026-12-01T10:00:00)", NULL, "2026-01-01T00:00:00", "2026-12-01T10:00:00",
	     "never");
	RUNS("at(2026-12-01T10:00:00)", "America/New_York", "2026-01-01T00:00:00",
	     "2026-12-01T15:00:00", "never");
	RUNS("at(2024-02-29T23:59:59)", NULL, "2024-02-29T23:59:58", "2024-02-29T23:59:59",
	     "never");
}

static void test_a_cron_runs_at_what_is_in_all_of_its_fields(void **state)
{
	(void)state;
	RUNS("cron(0 10 * * ? *)", NULL, "2026-01-01T10:00:00", "2026-01-02T10:00:00");
	RUNS("cron(15 12 * * ? *)", NULL, "2026-01-01T10:00:00", "2026-01-01T12:15:00");
	RUNS("cron(0 18 ? * MON-FRI *)", NULL, "2026-01-02T18:00:00", "2026-01-05T18:00:00");
	RUNS("cron(0 8 1 * ? *)", NULL, "2026-01-01T08:00:00", "2026-02-01T08:00:00");
	RUNS("cron(0/15 * * * ? *)", NULL, "2026-01-01T10:01:00", "2026-01-01T10:15:00",
	     "2026-01-01T10:30:00", "2026-01-01T10:45:00", "2026-01-01T11:00:00");
	RUNS("cron(5/20 8-9 ? * mon,Wed *)", NULL, "2026-01-05T09:26:00", "2026-01-05T09:45:00",
	     "2026-01-07T08:05:00");
	RUNS("cron(1-10/4 0 1 JAN ? 2027-2028)", NULL, "2026-01-01T00:00:00", "2027-01-01T00:01:00",
	     "2027-01-01T00:05:00", "2027-01-01T00:09:00", "2028-01-01T00:01:00",
	     "2028-01-01T00:05:00", "2028-01-01T00:09:00", "never");
	RUNS("cron(*/30 0 29 2 ? *)", NULL, "2026-01-01T00:00:00", "2028-02-29T00:00:00",
	     "2028-02-29T00:30:00", "2032-02-29T00:00:00");
	RUNS("cron(0 0 ? * 1 *)", NULL, "2026-01-01T00:00:00", "2026-01-04T00:00:00");
}

static void test_last_nearest_and_nth_days(void **state)
{
	(void)state;
	RUNS("cron(0 0 L * ? *)", NULL, "2028-01-31T00:00:00", "2028-02-29T00:00:00",
	     "2028-03-31T00:00:00");
	/* 15 August 2026 is a Saturday, 15 November a Sunday. */
	RUNS("cron(0 0 15W 8,11,12 ? *)", NULL, "2026-01-01T00:00:00", "2026-08-14T00:00:00",
	     "2026-11-16T00:00:00", "2026-12-15T00:00:00");
	/* 1 August 2026 is a Saturday, 31 May and 31 January 2027 Sundays: never out of the month. */
	RUNS("cron(0 0 1W 8 ? 2026)", NULL, "2026-01-01T00:00:00", "2026-08-03T00:00:00", "never");
	RUNS("cron(0 0 31W 1,2,5 ? 2026-2027)", NULL, "2026-02-01T00:00:00", "2026-05-29T00:00:00",
	     "2027-01-29T00:00:00", "2027-05-31T00:00:00", "never");
	RUNS("cron(0 0 ? * 6L *)", NULL, "2026-01-01T00:00:00", "2026-01-30T00:00:00",
	     "2026-02-27T00:00:00");
	RUNS("cron(0 0 ? * L *)", NULL, "2026-01-01T00:00:00", "2026-01-03T00:00:00");
	RUNS("cron(0 0 ? * TUE#2 *)", NULL, "2026-01-01T00:00:00", "2026-01-13T00:00:00",
	     "2026-02-10T00:00:00");
	RUNS("cron(0 0 ? * 5#5 *)", NULL, "2026-01-01T00:00:00", "2026-01-29T00:00:00",
	     "2026-04-30T00:00:00");
}

static void test_what_never_comes_is_never_and_soon_said(void **state)
{
	static const char *const texts[] = {
		"cron(0 0 31 2,4,6,9,11 ? *)", "cron(0 0 30 2 ? *)",          "cron(0 0 30W 2 ? *)",
		"cron(* * * * ? 1970-2024)",   "cron(0 0 ? 2 2#5 2026-2027)",
	};
	struct timespec start, end;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		RUNS(texts[i], "America/St_Johns", "2026-01-01T00:00:00", "never");
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true(end.tv_sec - start.tv_sec < 2);
	/* Within a hundred years, and not after 2199. */
	RUNS("cron(0 0 1 1 ? 2127)", NULL, "2026-01-01T00:00:00", "never");
	RUNS("cron(0 0 1 1 ? 2126)", NULL, "2026-01-01T00:00:00", "2126-01-01T00:00:00", "never");
	RUNS("cron(0 0 1 1 ? *)", NULL, "2199-01-01T00:00:00", "never");
	struct sluice_schedule *schedule = parse("cron(0 0 1 1 ? *)", NULL);
	assert_true(sluice_schedule_next(schedule, INT64_MIN) == 0);
	assert_true(sluice_schedule_next(schedule, INT64_MAX) == INT64_MAX);
	sluice_schedule_destroy(schedule);
}

static void test_a_time_that_is_skipped_runs_at_the_change(void **state)
{
	(void)state;
	/* On 2026-03-29 clocks in Berlin go from 2:00 to 3:00, which is 1:00 UTC. */
	RUNS("cron(30 2 * * ? *)", "Europe/Berlin", "2026-03-28T00:00:00", "2026-03-28T01:30:00",
	     "2026-03-29T01:00:00", "2026-03-30T00:30:00");
	RUNS("cron(0/15 2,3 29 3 ? 2026)", "Europe/Berlin", "2026-03-28T00:00:00",
	     "2026-03-29T01:00:00", "2026-03-29T01:15:00", "2026-03-29T01:30:00",
	     "2026-03-29T01:45:00", "never");
	RUNS("at(2026-03-29T02:30:00)", "Europe/Berlin", "2026-03-28T00:00:00",
	     "2026-03-29T01:00:00", "never");
	/* Samoa had no 30 December 2011. */
	RUNS("cron(0 12 30 12 ? 2011)", "Pacific/Apia", "2011-12-01T00:00:00",
	     "2011-12-30T10:00:00", "never");
}

static void test_a_time_that_is_shown_twice_runs_the_first_time(void **state)
{
	(void)state;
	/* On 2026-10-25 they go from 3:00 back to 2:00, which is 1:00 UTC. */
	RUNS("cron(30 2 * * ? *)", "Europe/Berlin", "2026-10-24T12:00:00", "2026-10-25T00:30:00",
	     "2026-10-26T01:30:00");
	RUNS("cron(0/30 2,3 25 10 ? 2026)", "Europe/Berlin", "2026-10-24T12:00:00",
	     "2026-10-25T00:00:00", "2026-10-25T00:30:00", "2026-10-25T02:00:00",
	     "2026-10-25T02:30:00", "never");
	/* Asked in the middle of the second time. */
	RUNS("cron(0/30 * * * ? *)", "Europe/Berlin", "2026-10-25T01:15:00", "2026-10-25T02:00:00");
	RUNS("at(2026-10-25T02:30:00)", "Europe/Berlin", "2026-10-24T00:00:00",
	     "2026-10-25T00:30:00", "never");
	/* In the south, and by half an hour. */
	RUNS("cron(45 1 5 4 ? 2026)", "Australia/Lord_Howe", "2026-04-01T00:00:00",
	     "2026-04-04T14:45:00", "never");
}

static void test_what_runs_comes_in_order_and_after_what_it_was_asked_for(void **state)
{
	static const char *const zones[] = { "Europe/Berlin", "America/St_Johns", "Asia/Kolkata",
		                             "Australia/Lord_Howe", "Africa/Casablanca" };

	(void)state;
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		struct sluice_schedule *schedule = parse("cron(0/20 * * * ? *)", zones[i]);
		int64_t at = ms_of("2026-01-01T00:00:00");

		for (int n = 0; n < 30000; n++) {
			int64_t next = sluice_schedule_next(schedule, at);

			/* An hour that is shown twice, or one that is skipped. */
			if (next <= at || next - at > 80 * 60000)
				fail_msg("%s: %lld after %lld", zones[i], (long long)next,
				         (long long)at);
			assert_true(sluice_schedule_next(schedule, next - 1) == next);
			at = next;
		}
		sluice_schedule_destroy(schedule);
	}
}

static void test_a_faulty_schedule_is_refused_where_the_fault_is(void **state)
{
	static const struct {
		const char *text;
		size_t offset;
		const char *message;
	} cases[] = {
		{ "", 0, "a schedule is rate(…), cron(…) or at(…)" },
		{ "every day", 0, "a schedule is rate(…), cron(…) or at(…)" },
		{ "rate(5 minutes", 14, "\")\" is missing" },
		{ "rate(0 minutes)", 6, "a rate begins with a number from 1" },
		{ "rate(-1 day)", 5, "a rate begins with a number from 1" },
		{ "rate(5minutes)", 6, "a space and a unit should be here" },
		{ "rate(5 weeks)", 7, "a unit is seconds, minutes, hours or days" },
		{ "rate(5 minutes or so)", 14, "this means nothing here" },
		{ "rate(36501 days)", 0, "a rate is 36500 days at most" },
		{ "rate(9999999999 days)", 14, "a space and a unit should be here" },
		{ "at(2026-12-01)", 13, "a time is written 2026-12-01T10:00:00" },
		{ "at(2026-02-29T10:00:00)", 0, "there is no such time from 1970 to 2199" },
		{ "at(2026-12-01T24:00:00)", 0, "there is no such time from 1970 to 2199" },
		{ "cron()", 5, "minutes: is missing: a cron has six fields" },
		{ "cron(0 10 * * ?)", 15, "year: is missing: a cron has six fields" },
		{ "cron(0 10 * * ? * *)", 18,
		  "year: a cron has six fields, nothing stands behind them" },
		{ "cron(0 10 * * * *)", 5,
		  "one of day of the month and day of the week is \"?\", the other is not" },
		{ "cron(0 10 ? * ? *)", 5,
		  "one of day of the month and day of the week is \"?\", the other is not" },
		{ "cron(60 10 * * ? *)", 7, "minutes: the value is out of its range" },
		{ "cron(? 10 * * ? *)", 5, "minutes: a value should be here" },
		{ "cron(0 24 * * ? *)", 9, "hours: the value is out of its range" },
		{ "cron(0 5-3 * * ? *)", 10, "hours: a range goes upwards" },
		{ "cron(0 0/0 * * ? *)", 10, "hours: a step is a number from 1" },
		{ "cron(0 0 0 * ? *)", 10, "day of the month: the value is out of its range" },
		{ "cron(0 0 1, * ? *)", 11, "day of the month: a value should be here" },
		{ "cron(0 0 1LW * ? *)", 10, "day of the month: this means nothing here" },
		{ "cron(0 0 1 JANUARY ? *)", 14, "month: this means nothing here" },
		{ "cron(0 0 ? * 8 *)", 14, "day of the week: the value is out of its range" },
		{ "cron(0 0 ? * 3#6 *)", 16, "day of the week: # is followed by 1 to 5" },
		{ "cron(0 0 ? * 3#1,6#3 *)", 17,
		  "day of the week: with # there can be nothing else" },
		{ "cron(0 0 * * ? 2200)", 19, "year: the value is out of its range" },
		{ "cron(0 0 * * ? 99999999999999999999)", 19, "year: a value should be here" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_schedule *schedule;
		struct sluice_error error = { 0 };

		if (!sluice_schedule_parse(sluice_str(cases[i].text), sluice_str(NULL), &schedule,
		                           &error))
			fail_msg("%s is taken", cases[i].text);
		assert_null(schedule);
		if (strcmp(error.message, cases[i].message) != 0 || error.offset != cases[i].offset)
			fail_msg("%s: %zu: %s", cases[i].text, error.offset, error.message);
	}
}

static void test_a_zone_is_an_iana_name_and_never_a_way_out_of_its_folder(void **state)
{
	static const char *const names[] = {
		"",
		"Berlin",
		"Europe/Berlin/",
		"/etc/passwd",
		"../../../etc/passwd",
		"Europe/../",
		"Europe",
		"europe//Berlin",
		"zone.tab",
		"tzdata.zi",
		"Europe/Berlin\n",
		"leapseconds",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct sluice_schedule *schedule;
		struct sluice_error error = { 0 };

		if (sluice_schedule_parse(SLUICE_STR("rate(1 day)"), sluice_str(names[i]),
		                          &schedule, &error) != SLUICE_ERR_INVALID)
			fail_msg("%s is taken", names[i]);
	}
}

/* --- zones --- */

static void test_offsets_are_those_of_libc(void **state)
{
	static const char *const names[] = {
		"Europe/Berlin",     "Europe/Dublin",    "America/New_York",    "America/St_Johns",
		"Asia/Kolkata",      "Asia/Tehran",      "Australia/Lord_Howe", "Africa/Casablanca",
		"Africa/Monrovia",   "Pacific/Apia",     "Pacific/Kiritimati",  "America/Nuuk",
		"America/Sao_Paulo", "Antarctica/Troll", "Asia/Gaza",           "Etc/GMT+12",
		"EST5EDT",           "America/Santiago", "Asia/Jerusalem",      "GMT",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct sluice_arena *arena = sluice_arena_create();
		struct sluice_zone *zone;
		struct sluice_error error = { 0 };

		if (sluice_zone_read(sluice_str(names[i]), arena, &zone, &error))
			fail_msg("%s: %s", names[i], error.message);
		setenv("TZ", names[i], 1);
		tzset();
		/* 1960 to 2120, by steps that meet each hour of the day. */
		for (int64_t at = -315619200; at < INT64_C(4733510400); at += 86400 * 3 + 3671) {
			time_t seconds = (time_t)at;
			struct tm tm;

			localtime_r(&seconds, &tm);
			if (sluice_zone_offset(zone, at) != tm.tm_gmtoff)
				fail_msg("%s at %lld: %d, libc says %ld", names[i], (long long)at,
				         sluice_zone_offset(zone, at), tm.tm_gmtoff);
		}
		sluice_arena_destroy(arena);
	}
	unsetenv("TZ");
	tzset();
}

/* Any byte of a zone's file may be wrong, and it may end anywhere. */
static void test_a_torn_zone_is_no_zone_or_another(void **state)
{
	static char bytes[SLUICE_ZONE_FILE_MAX];
	FILE *file = fopen("/usr/share/zoneinfo/Europe/Berlin", "r");
	assert_non_null(file);
	size_t len = fread(bytes, 1, sizeof(bytes), file);
	struct sluice_zone zone;

	(void)state;
	fclose(file);
	for (size_t i = 0; i < len; i++) {
		struct sluice_arena *arena = sluice_arena_create();
		char *torn = malloc(i + 1);
		char whole = bytes[i];

		memcpy(torn, bytes, i);
		assert_int_equal(sluice_zone_parse((struct sluice_str){ torn, i }, arena, &zone),
		                 SLUICE_ERR_INVALID);
		free(torn);
		bytes[i] = (char)~whole;
		if (sluice_zone_parse((struct sluice_str){ bytes, len }, arena, &zone) == SLUICE_OK)
			for (int64_t at = 0; at < INT64_C(6000000000); at += 50000003)
				sluice_zone_time(&zone, at);
		bytes[i] = whole;
		sluice_arena_destroy(arena);
	}
}

static void test_any_allocation_may_fail(void **state)
{
	(void)state;
	for (size_t n = 1;; n++) {
		struct sluice_schedule *schedule;
		struct sluice_error error;

		oom_fail_at(n);
		enum sluice_status status =
		        sluice_schedule_parse(SLUICE_STR("cron(0 0 * * ? *)"),
		                              SLUICE_STR("Europe/Berlin"), &schedule, &error);
		bool failed = oom_happened();
		assert_int_equal(status, failed ? SLUICE_ERR_NOMEM : SLUICE_OK);
		assert_int_equal(schedule == NULL, failed);
		sluice_schedule_destroy(schedule);
		if (!failed)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_rate_runs_at_whole_multiples_of_it),
		cmocka_unit_test(test_at_runs_once),
		cmocka_unit_test(test_a_cron_runs_at_what_is_in_all_of_its_fields),
		cmocka_unit_test(test_last_nearest_and_nth_days),
		cmocka_unit_test(test_what_never_comes_is_never_and_soon_said),
		cmocka_unit_test(test_a_time_that_is_skipped_runs_at_the_change),
		cmocka_unit_test(test_a_time_that_is_shown_twice_runs_the_first_time),
		cmocka_unit_test(test_what_runs_comes_in_order_and_after_what_it_was_asked_for),
		cmocka_unit_test(test_a_faulty_schedule_is_refused_where_the_fault_is),
		cmocka_unit_test(test_a_zone_is_an_iana_name_and_never_a_way_out_of_its_folder),
		cmocka_unit_test(test_offsets_are_those_of_libc),
		cmocka_unit_test(test_a_torn_zone_is_no_zone_or_another),
		cmocka_unit_test(test_any_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
