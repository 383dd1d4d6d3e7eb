/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The Gregorian calendar from 1970 on. */
#ifndef SLUICE_CALENDAR_H
#define SLUICE_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

enum { SLUICE_DAY_S = 86400 };

static inline bool sluice_is_leap_year(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static inline int sluice_days_in_month(int year, int month)
{
	static const int8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && sluice_is_leap_year(year));
}

/* Days since 1970-01-01 of the first of January. */
static inline int64_t sluice_year_begin(int year)
{
	int64_t past = year - 1;

	return 365 * (past - 1969) + (past / 4 - past / 100 + past / 400) - 477;
}

static inline int64_t sluice_day_of(int year, int month, int day)
{
	int64_t days = sluice_year_begin(year);

	for (int i = 1; i < month; i++)
		days += sluice_days_in_month(year, i);
	return days + day - 1;
}

/* The year in which a day since 1970-01-01 lies; of one before, 1970. */
static inline int sluice_year_of(int64_t day)
{
	int year = day < 0 ? 1970 : (int)(1970 + day / 366);

	while (sluice_year_begin(year + 1) <= day)
		year++;
	return year;
}

/* 0 is Sunday; 1970-01-01 was a Thursday. */
static inline int sluice_weekday(int64_t day)
{
	return (int)(((day + 4) % 7 + 7) % 7);
}

#endif
