/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "cron.h"

#include "calendar.h"

enum { FIELDS = 6, DAYS = 2, WEEKDAYS = 4, YEARS = 5 };

static const struct field {
	const char *name;
	int min, max;
	const char *words; /* of three letters each, from min on */
} fields[FIELDS] = {
	{ "minutes", 0, 59, "" },
	{ "hours", 0, 23, "" },
	{ "day of the month", 1, 31, "" },
	{ "month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC" },
	{ "day of the week", 1, 7, "SUNMONTUEWEDTHUFRISAT" },
	{ "year", SLUICE_CRON_FIRST_YEAR, SLUICE_CRON_FIRST_YEAR + SLUICE_CRON_YEARS - 1, "" },
};

struct parser {
	const char *start, *at, *end; /* of the text between the parentheses */
	size_t offset;
	int field;
	struct sluice_cron *cron;
	struct sluice_error *error;
};

static enum sluice_status fault(const struct parser *parser, const char *message)
{
	return sluice_error_set(parser->error, SLUICE_ERR_SYNTAX,
	                        parser->offset + (size_t)(parser->at - parser->start), NULL,
	                        "%s: %s", fields[parser->field].name, message);
}

static bool take(struct parser *parser, char c)
{
	if (parser->at == parser->end || *parser->at != c)
		return false;
	parser->at++;
	return true;
}

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

/* A number, or the name of a month or day. */
static bool take_value(struct parser *parser, int *value)
{
	const struct field *field = &fields[parser->field];
	const char *start = parser->at;

	for (const char *word = field->words; *word && parser->end - start >= 3; word += 3)
		if (upper(start[0]) == word[0] && upper(start[1]) == word[1] &&
		    upper(start[2]) == word[2]) {
			*value = field->min + (int)(word - field->words) / 3;
			parser->at += 3;
			return true;
		}
	for (*value = 0; parser->at < parser->end && *parser->at >= '0' && *parser->at <= '9';
	     parser->at++)
		if ((*value = *value * 10 + *parser->at - '0') > 9999)
			return false;
	return parser->at > start;
}

static void add(struct parser *parser, int from, int to, int step)
{
	struct sluice_cron *cron = parser->cron;
	uint64_t *const sets[] = { &cron->minutes, &cron->hours, &cron->days, &cron->months,
		                   &cron->weekdays };

	for (int value = from; value <= to; value += step) {
		if (parser->field == YEARS) {
			int bit = value - SLUICE_CRON_FIRST_YEAR;

			cron->years[bit / 64] |= UINT64_C(1) << bit % 64;
		} else {
			*sets[parser->field] |= UINT64_C(1) << value;
		}
	}
}

/* What only days have: L, nW, nL, n#k. *taken says whether it was one of them. */
static enum sluice_status parse_special(struct parser *parser, int value, bool *taken)
{
	struct sluice_cron *cron = parser->cron;
	uint64_t bit = UINT64_C(1) << (value & 63);

	*taken = true;
	if (parser->field == DAYS && take(parser, 'W')) {
		cron->nearest |= bit;
	} else if (parser->field == WEEKDAYS && take(parser, 'L')) {
		cron->last_weekdays |= bit;
	} else if (parser->field == WEEKDAYS && take(parser, '#')) {
		if (cron->weekdays || cron->last_weekdays || cron->nth)
			return fault(parser, "with # there can be nothing else");
		if (!take_value(parser, &cron->nth) || cron->nth < 1 || cron->nth > 5)
			return fault(parser, "# is followed by 1 to 5");
		cron->nth_weekday = value;
	} else {
		*taken = false;
	}
	return SLUICE_OK;
}

static enum sluice_status parse_item(struct parser *parser)
{
	const struct field *field = &fields[parser->field];
	int from = field->min, to = field->max, step = 1;
	bool taken;

	if (parser->cron->nth && parser->field == WEEKDAYS)
		return fault(parser, "with # there can be nothing else");
	if (!take(parser, '*')) {
		if (parser->field == DAYS && take(parser, 'L')) {
			parser->cron->last_day = true;
			return SLUICE_OK;
		}
		if (parser->field == WEEKDAYS && take(parser, 'L')) {
			add(parser, field->max, field->max, 1);
			return SLUICE_OK;
		}
		if (!take_value(parser, &from))
			return fault(parser, "a value should be here");
		if (from < field->min || from > field->max)
			return fault(parser, "the value is out of its range");
		enum sluice_status status = parse_special(parser, from, &taken);
		if (status || taken)
			return status;
		to = from;
		if (take(parser, '-')) {
			if (!take_value(parser, &to) || to > field->max)
				return fault(parser, "a range ends with a value in its range");
			if (to < from)
				return fault(parser, "a range goes upwards");
		} else if (parser->at < parser->end && *parser->at == '/') {
			to = field->max;
		}
	}
	if (take(parser, '/') && (!take_value(parser, &step) || step < 1))
		return fault(parser, "a step is a number from 1");
	add(parser, from, to, step);
	return SLUICE_OK;
}

static enum sluice_status parse_field(struct parser *parser, bool *any)
{
	*any = (parser->field == DAYS || parser->field == WEEKDAYS) && take(parser, '?');
	if (!*any) {
		do {
			enum sluice_status status = parse_item(parser);

			if (status)
				return status;
		} while (take(parser, ','));
	}
	return parser->at == parser->end || *parser->at == ' '
	               ? SLUICE_OK
	               : fault(parser, "this means nothing here");
}

enum sluice_status sluice_cron_parse(struct sluice_str text, size_t offset,
                                     struct sluice_cron *cron, struct sluice_error *error)
{
	struct parser parser = { .start = text.data,
		                 .at = text.data,
		                 .end = text.data + text.len,
		                 .offset = offset,
		                 .cron = cron,
		                 .error = error };
	bool any[FIELDS];

	*cron = (struct sluice_cron){ 0 };
	for (; parser.field < FIELDS; parser.field++) {
		while (take(&parser, ' '))
			;
		if (parser.at == parser.end)
			return fault(&parser, "is missing: a cron has six fields");
		enum sluice_status status = parse_field(&parser, &any[parser.field]);
		if (status)
			return status;
	}
	parser.field = YEARS;
	while (take(&parser, ' '))
		;
	if (parser.at < parser.end)
		return fault(&parser, "a cron has six fields, nothing stands behind them");
	if (any[DAYS] == any[WEEKDAYS])
		return sluice_error_set(error, SLUICE_ERR_INVALID, offset, NULL,
		                        "one of day of the month and day of the week is \"?\", the "
		                        "other is not");
	cron->by_weekday = any[DAYS];
	return SLUICE_OK;
}

/* --- the next --- */

static bool has(uint64_t set, int value)
{
	return set >> value & 1;
}

static bool has_year(const struct sluice_cron *cron, int year)
{
	int bit = year - SLUICE_CRON_FIRST_YEAR;

	return bit >= 0 && bit < SLUICE_CRON_YEARS && has(cron->years[bit / 64], bit % 64);
}

/* The weekday nearest to a day, without leaving its month. */
static int nearest_weekday(int64_t first, int day, int days)
{
	int weekday = sluice_weekday(first + day - 1);

	if (weekday == 6)
		return day > 1 ? day - 1 : day + 2;
	if (weekday == 0)
		return day < days ? day + 1 : day - 2;
	return day;
}

/* The days of a month that are meant, as bits. `first` is its first, since 1970. */
static uint64_t days_of(const struct sluice_cron *cron, int64_t first, int days)
{
	uint64_t set = 0;

	if (!cron->by_weekday) {
		set = cron->days;
		if (cron->last_day)
			set |= UINT64_C(1) << days;
		for (int day = 1; day <= days && cron->nearest; day++)
			if (has(cron->nearest, day))
				set |= UINT64_C(1) << nearest_weekday(first, day, days);
		return set & ((UINT64_C(2) << days) - 1);
	}
	for (int day = 1; day <= days; day++) {
		int weekday = sluice_weekday(first + day - 1) + 1;

		if (has(cron->weekdays, weekday) ||
		    (has(cron->last_weekdays, weekday) && day + 7 > days) ||
		    (cron->nth && weekday == cron->nth_weekday && (day - 1) / 7 + 1 == cron->nth))
			set |= UINT64_C(1) << day;
	}
	return set;
}

/* The first minute of a day from `from` on; -1 when there is none. */
static int minute_of_day(const struct sluice_cron *cron, int from)
{
	for (int hour = from / 60; hour < 24; hour++) {
		if (!has(cron->hours, hour))
			continue;
		for (int minute = hour == from / 60 ? from % 60 : 0; minute < 60; minute++)
			if (has(cron->minutes, minute))
				return hour * 60 + minute;
	}
	return -1;
}

int64_t sluice_cron_next(const struct sluice_cron *cron, int64_t local_s, int end)
{
	int64_t start = local_s < 0 ? 0 : (local_s + 59) / 60 * 60;
	int64_t start_day = start / SLUICE_DAY_S;

	for (int year = sluice_year_of(start_day); year < end; year++) {
		int64_t first = sluice_year_begin(year);

		for (int month = 1; month <= 12 && has_year(cron, year); month++) {
			int days = sluice_days_in_month(year, month);
			bool meant = has(cron->months, month) && first + days > start_day;
			uint64_t set = meant ? days_of(cron, first, days) : 0;

			for (int day = 1; day <= days && set; day++) {
				int64_t date = first + day - 1;

				if (!has(set, day) || date < start_day)
					continue;
				int from = date == start_day ? (int)(start % SLUICE_DAY_S / 60) : 0;
				int minute = minute_of_day(cron, from);
				if (minute >= 0)
					return date * SLUICE_DAY_S + (int64_t)minute * 60;
			}
			first += days;
		}
	}
	return INT64_MAX;
}
