/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sluice/schedule.h"

#include "arena.h"
#include "calendar.h"
#include "cron.h"
#include "zone.h"

enum { SEARCH_YEARS = 100 };

#define INTERVAL_MAX_MS (INT64_C(36500) * SLUICE_DAY_S * 1000)

struct sluice_schedule {
	struct sluice_arena *arena; /* owns this and the zone */
	struct sluice_zone *zone;
	enum { RATE, CRON, AT } kind;
	int64_t interval_ms; /* RATE */
	struct sluice_cron cron;
	int64_t at_ms;
};

struct text {
	const char *start, *at, *end;
	struct sluice_error *error;
};

static enum sluice_status fault(const struct text *text, const char *message)
{
	return sluice_error_set(text->error, SLUICE_ERR_SYNTAX, (size_t)(text->at - text->start),
	                        NULL, "%s", message);
}

static bool take(struct text *text, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(text->end - text->at) < len || memcmp(text->at, word, len) != 0)
		return false;
	text->at += len;
	return true;
}

/* Exactly `digits` of them; 0: any number, up to nine. */
static bool take_number(struct text *text, int digits, int64_t *number)
{
	const char *start = text->at;

	for (*number = 0; text->at < text->end && *text->at >= '0' && *text->at <= '9' &&
	                  text->at - start < (digits ? digits : 9);
	     text->at++)
		*number = *number * 10 + *text->at - '0';
	return digits ? text->at - start == digits : text->at > start;
}

static enum sluice_status parse_rate(struct text *text, struct sluice_schedule *schedule)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {
		{ "second", 1000 },
		{ "minute", 60000 },
		{ "hour", 3600000 },
		{ "day", INT64_C(1000) * SLUICE_DAY_S },
	};
	int64_t count;

	if (!take_number(text, 0, &count) || count < 1)
		return fault(text, "a rate begins with a number from 1");
	if (!take(text, " "))
		return fault(text, "a space and a unit should be here");
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!take(text, units[i].name))
			continue;
		take(text, "s");
		if (text->at < text->end)
			return fault(text, "this means nothing here");
		schedule->interval_ms = count * units[i].ms;
		if (schedule->interval_ms > INTERVAL_MAX_MS)
			return sluice_error_set(text->error, SLUICE_ERR_LIMIT, 0, NULL,
			                        "a rate is 36500 days at most");
		return SLUICE_OK;
	}
	return fault(text, "a unit is seconds, minutes, hours or days");
}

static enum sluice_status parse_at(struct text *text, struct sluice_schedule *schedule)
{
	int64_t year, month, day, hour, minute, second;

	if (!take_number(text, 4, &year) || !take(text, "-") || !take_number(text, 2, &month) ||
	    !take(text, "-") || !take_number(text, 2, &day) || !take(text, "T") ||
	    !take_number(text, 2, &hour) || !take(text, ":") || !take_number(text, 2, &minute) ||
	    !take(text, ":") || !take_number(text, 2, &second) || text->at < text->end)
		return fault(text, "a time is written 2026-12-01T10:00:00");
	if (year < SLUICE_CRON_FIRST_YEAR || year > SLUICE_SCHEDULE_LAST_YEAR || month < 1 ||
	    month > 12 || day < 1 || day > sluice_days_in_month((int)year, (int)month) ||
	    hour > 23 || minute > 59 || second > 59)
		return sluice_error_set(text->error, SLUICE_ERR_INVALID, 0, NULL,
		                        "there is no such time from 1970 to %d",
		                        SLUICE_SCHEDULE_LAST_YEAR);
	int64_t date = sluice_day_of((int)year, (int)month, (int)day);
	schedule->at_ms = sluice_zone_time(schedule->zone, date * SLUICE_DAY_S + hour * 3600 +
	                                                           minute * 60 + second) *
	                  1000;
	return SLUICE_OK;
}

static enum sluice_status parse(struct sluice_schedule *schedule, struct sluice_str whole,
                                struct sluice_error *error)
{
	struct text text = { whole.data, whole.data, whole.data + whole.len, error };

	if (whole.len > SLUICE_SCHEDULE_MAX_BYTES)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, 0, NULL,
		                        "a schedule is longer than %d bytes",
		                        SLUICE_SCHEDULE_MAX_BYTES);
	if (take(&text, "rate("))
		schedule->kind = RATE;
	else if (take(&text, "cron("))
		schedule->kind = CRON;
	else if (take(&text, "at("))
		schedule->kind = AT;
	else
		return fault(&text, "a schedule is rate(…), cron(…) or at(…)");
	if (text.end[-1] != ')') {
		text.at = text.end;
		return fault(&text, "\")\" is missing");
	}
	text.end--;
	if (schedule->kind == RATE)
		return parse_rate(&text, schedule);
	if (schedule->kind == AT)
		return parse_at(&text, schedule);
	return sluice_cron_parse((struct sluice_str){ text.at, (size_t)(text.end - text.at) },
	                         (size_t)(text.at - text.start), &schedule->cron, error);
}

enum sluice_status sluice_schedule_parse(struct sluice_str text, struct sluice_str timezone,
                                         struct sluice_schedule **schedule,
                                         struct sluice_error *error)
{
	struct sluice_arena *arena = sluice_arena_create();
	struct sluice_schedule *made = NULL;

	*schedule = NULL;
	if (arena)
		made = sluice_arena_alloc(arena, 1, sizeof(*made));
	if (!made) {
		sluice_arena_destroy(arena);
		return sluice_out_of_memory(error);
	}
	made->arena = arena;
	enum sluice_status status = sluice_zone_read(timezone.data ? timezone : SLUICE_STR("UTC"),
	                                             arena, &made->zone, error);
	if (!status)
		status = parse(made, text, error);
	if (status)
		sluice_schedule_destroy(made);
	else
		*schedule = made;
	return status;
}

void sluice_schedule_destroy(struct sluice_schedule *schedule)
{
	if (schedule)
		sluice_arena_destroy(schedule->arena);
}

static int64_t next_cron(const struct sluice_schedule *schedule, int64_t after_ms)
{
	int64_t after_s = after_ms / 1000;
	int64_t local_s = after_s + sluice_zone_offset(schedule->zone, after_s);
	int last = sluice_year_of(local_s / SLUICE_DAY_S) + SEARCH_YEARS;

	local_s -= local_s % 60;
	if (last > SLUICE_SCHEDULE_LAST_YEAR)
		last = SLUICE_SCHEDULE_LAST_YEAR;
	for (;;) {
		local_s = sluice_cron_next(&schedule->cron, local_s, last + 1);
		if (local_s == INT64_MAX)
			return INT64_MAX;
		int64_t time_ms = sluice_zone_time(schedule->zone, local_s) * 1000;
		if (time_ms > after_ms)
			return time_ms;
		/* Shown twice, and this is the second time: until it is over. */
		local_s += 60;
	}
}

int64_t sluice_schedule_next(const struct sluice_schedule *schedule, int64_t after_ms)
{
	/* No clock shows what is before, and nothing runs after the last year. */
	int64_t end_ms = sluice_year_begin(SLUICE_SCHEDULE_LAST_YEAR + 1) * SLUICE_DAY_S * 1000;

	if (after_ms < -1)
		after_ms = -1;
	if (after_ms >= end_ms)
		return INT64_MAX;
	switch (schedule->kind) {
	case RATE:
		return ((after_ms + 1 + schedule->interval_ms - 1) / schedule->interval_ms) *
		       schedule->interval_ms;
	case AT:
		return schedule->at_ms > after_ms ? schedule->at_ms : INT64_MAX;
	case CRON:
		break;
	}
	return next_cron(schedule, after_ms);
}
