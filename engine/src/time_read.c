/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sluice/time.h"

/* So many digits, and the number that they say; -1 when there are others. */
static int64_t digits(struct sluice_str *rest, size_t count)
{
	int64_t number = 0;
	if (rest->len < count)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (rest->data[i] < '0' || rest->data[i] > '9')
			return -1;
		number = number * 10 + (rest->data[i] - '0');
	}
	rest->data += count;
	rest->len -= count;
	return number;
}

static bool one_of(struct sluice_str *rest, const char *characters)
{
	if (rest->len == 0 || rest->data[0] == '\0' || !strchr(characters, rest->data[0]))
		return false;
	rest->data++;
	rest->len--;
	return true;
}

static int64_t days_of_month(int64_t year, int64_t month)
{
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month == 2 ? 28 + leap : 30 + (month + (month > 7)) % 2;
}

/* Days since 1970 of a date of the Gregorian calendar: years are counted from March, so that a leap
 * day is the last of its year. */
static int64_t days_since_1970(int64_t year, int64_t month, int64_t day)
{
	int64_t years = month > 2 ? year : year - 1;
	int64_t day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
	return years * 365 + years / 4 - years / 100 + years / 400 + day_of_year - 719468;
}

static bool read_date(struct sluice_str *rest, int64_t *days)
{
	int64_t year = digits(rest, 4);
	int64_t month = one_of(rest, "-") ? digits(rest, 2) : -1;
	int64_t day = one_of(rest, "-") ? digits(rest, 2) : -1;
	if (year < 1000 || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month))
		return false;
	*days = days_since_1970(year, month, day);
	return true;
}

/* A leap second is the one after it. */
static bool read_clock(struct sluice_str *rest, int64_t *ms)
{
	int64_t hour = digits(rest, 2);
	int64_t minute = one_of(rest, ":") ? digits(rest, 2) : -1;
	int64_t second = one_of(rest, ":") ? digits(rest, 2) : -1;
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
		return false;
	*ms = ((hour * 60 + minute) * 60 + second) * 1000;
	if (!one_of(rest, "."))
		return true;
	int64_t digit = digits(rest, 1), weight = 100;
	if (digit < 0)
		return false;
	for (; digit >= 0; digit = digits(rest, 1), weight /= 10)
		*ms += digit * weight;
	return true;
}

static bool read_zone(struct sluice_str *rest, int64_t *ms)
{
	*ms = 0;
	if (one_of(rest, "Zz"))
		return true;
	bool west = rest->len > 0 && rest->data[0] == '-';
	if (!one_of(rest, "+-"))
		return false;
	int64_t hour = digits(rest, 2);
	int64_t minute = one_of(rest, ":") ? digits(rest, 2) : -1;
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59)
		return false;
	*ms = (hour * 60 + minute) * (west ? -60000 : 60000);
	return true;
}

bool sluice_time_read(struct sluice_str text, int64_t *time_ms)
{
	struct sluice_str rest = text;
	int64_t days, clock_ms, zone_ms;
	if (!read_date(&rest, &days) || !one_of(&rest, "Tt ") || !read_clock(&rest, &clock_ms) ||
	    !read_zone(&rest, &zone_ms) || rest.len > 0)
		return false;
	*time_ms = days * 86400000 + clock_ms - zone_ms;
	return true;
}
