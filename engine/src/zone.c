/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "zone.h"

#include "calendar.h"

enum { HEADER = 44, OFFSET_MAX_S = 26 * 3600, TIME_MAX_S = 167 * 3600 };

/* --- the file --- */

struct header {
	uint32_t utc_count, std_count, leap_count, time_count, type_count, char_count;
};

static uint64_t big_endian(const unsigned char *at, size_t size)
{
	uint64_t number = 0;

	for (size_t i = 0; i < size; i++)
		number = number << 8 | at[i];
	return number;
}

/* The header at the beginning of bytes; false when it is none. */
static bool read_header(struct sluice_str bytes, struct header *header, char *version)
{
	const unsigned char *at = (const unsigned char *)bytes.data;

	if (bytes.len < HEADER || memcmp(at, "TZif", 4) != 0)
		return false;
	*version = (char)at[4];
	header->utc_count = (uint32_t)big_endian(at + 20, 4);
	header->std_count = (uint32_t)big_endian(at + 24, 4);
	header->leap_count = (uint32_t)big_endian(at + 28, 4);
	header->time_count = (uint32_t)big_endian(at + 32, 4);
	header->type_count = (uint32_t)big_endian(at + 36, 4);
	header->char_count = (uint32_t)big_endian(at + 40, 4);
	return header->type_count > 0;
}

/* What follows a header whose times take so many bytes each. */
static uint64_t body_size(const struct header *header, uint64_t time_size)
{
	return header->time_count * (time_size + 1) + (uint64_t)header->type_count * 6 +
	       header->char_count + header->leap_count * (time_size + 4) +
	       (uint64_t)header->std_count + header->utc_count;
}

static struct sluice_str skip(struct sluice_str bytes, uint64_t count)
{
	return (struct sluice_str){ bytes.data + count, bytes.len - (size_t)count };
}

static bool read_offset_of_type(const unsigned char *types, const struct header *header,
                                unsigned type, int32_t *offset)
{
	if (type >= header->type_count)
		return false;
	*offset = (int32_t)(uint32_t)big_endian(types + (size_t)type * 6, 4);
	return *offset >= -OFFSET_MAX_S && *offset <= OFFSET_MAX_S;
}

static enum sluice_status read_body(struct sluice_str bytes, const struct header *header,
                                    struct sluice_arena *arena, struct sluice_zone *zone)
{
	const unsigned char *times = (const unsigned char *)bytes.data;
	const unsigned char *indexes = times + (size_t)header->time_count * 8;
	const unsigned char *types = indexes + header->time_count;

	zone->count = header->time_count;
	zone->times = sluice_arena_alloc(arena, zone->count + 1, sizeof(*zone->times));
	zone->offsets = sluice_arena_alloc(arena, zone->count + 1, sizeof(*zone->offsets));
	if (!zone->times || !zone->offsets)
		return SLUICE_ERR_NOMEM;
	if (!read_offset_of_type(types, header, 0, &zone->before))
		return SLUICE_ERR_INVALID;
	for (size_t i = 0; i < zone->count; i++) {
		zone->times[i] = (int64_t)big_endian(times + i * 8, 8);
		if ((i > 0 && zone->times[i] <= zone->times[i - 1]) ||
		    !read_offset_of_type(types, header, indexes[i], &zone->offsets[i]))
			return SLUICE_ERR_INVALID;
	}
	return SLUICE_OK;
}

/* --- the rule behind the last change: POSIX's TZ, "CET-1CEST,M3.5.0,M10.5.0/3" --- */

struct text {
	const char *at, *end;
};

static bool take(struct text *text, char c)
{
	if (text->at == text->end || *text->at != c)
		return false;
	text->at++;
	return true;
}

static bool take_number(struct text *text, int max, int *number)
{
	const char *start = text->at;

	for (*number = 0; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++)
		if ((*number = *number * 10 + *text->at - '0') > max)
			return false;
	return text->at > start;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(struct text *text, int32_t max_s, int32_t *seconds)
{
	int hours, minutes = 0, rest = 0;
	bool minus = take(text, '-');

	if (!minus)
		take(text, '+');
	if (!take_number(text, 167, &hours) ||
	    (take(text, ':') && (!take_number(text, 59, &minutes) ||
	                         (take(text, ':') && !take_number(text, 59, &rest)))))
		return false;
	*seconds = hours * 3600 + minutes * 60 + rest;
	if (minus)
		*seconds = -*seconds;
	return *seconds >= -max_s && *seconds <= max_s;
}

/* A name and an offset, which POSIX counts to the west. */
static bool take_name(struct text *text)
{
	const char *start = text->at;
	bool quoted = take(text, '<');

	while (text->at < text->end &&
	       (quoted ? *text->at != '>' : !strchr("0123456789,+-", *text->at)))
		text->at++;
	return text->at > start && (!quoted || take(text, '>'));
}

static bool take_day(struct text *text, struct sluice_zone_day *day)
{
	day->time_s = 2 * 3600;
	if (take(text, 'M')) {
		day->kind = SLUICE_ZONE_WEEKDAY;
		if (!take_number(text, 12, &day->month) || day->month < 1 || !take(text, '.') ||
		    !take_number(text, 5, &day->week) || day->week < 1 || !take(text, '.') ||
		    !take_number(text, 6, &day->day))
			return false;
	} else {
		day->kind = take(text, 'J') ? SLUICE_ZONE_JULIAN : SLUICE_ZONE_DAY;
		if (!take_number(text, 365, &day->day) ||
		    (day->kind == SLUICE_ZONE_JULIAN && day->day < 1))
			return false;
	}
	return !take(text, '/') || take_time(text, TIME_MAX_S, &day->time_s);
}

static bool read_rule(struct text text, struct sluice_zone *zone)
{
	if (text.at == text.end)
		return true; /* none: the last offset stays */
	zone->rule.given = true;
	if (!take_name(&text) || !take_time(&text, OFFSET_MAX_S, &zone->rule.offset))
		return false;
	zone->rule.offset = -zone->rule.offset;
	if (text.at == text.end)
		return true;
	zone->rule.summer = true;
	zone->rule.summer_offset = zone->rule.offset + 3600;
	if (!take_name(&text))
		return false;
	if (text.at < text.end && *text.at != ',') {
		if (!take_time(&text, OFFSET_MAX_S, &zone->rule.summer_offset))
			return false;
		zone->rule.summer_offset = -zone->rule.summer_offset;
	}
	return take(&text, ',') && take_day(&text, &zone->rule.begin) && take(&text, ',') &&
	       take_day(&text, &zone->rule.end) && text.at == text.end;
}

enum sluice_status sluice_zone_parse(struct sluice_str bytes, struct sluice_arena *arena,
                                     struct sluice_zone *zone)
{
	struct header header;
	char version;

	*zone = (struct sluice_zone){ 0 };
	/* The first part has times of 32 bits, and is repeated with 64. */
	if (!read_header(bytes, &header, &version) || version < '2' ||
	    body_size(&header, 4) > bytes.len - HEADER)
		return SLUICE_ERR_INVALID;
	bytes = skip(bytes, HEADER + body_size(&header, 4));
	if (!read_header(bytes, &header, &version) || body_size(&header, 8) > bytes.len - HEADER)
		return SLUICE_ERR_INVALID;
	enum sluice_status status = read_body(skip(bytes, HEADER), &header, arena, zone);
	if (status)
		return status;
	bytes = skip(bytes, HEADER + body_size(&header, 8));
	const char *end = bytes.len > 0 ? memchr(bytes.data + 1, '\n', bytes.len - 1) : NULL;
	if (!end || bytes.data[0] != '\n' || !read_rule((struct text){ bytes.data + 1, end }, zone))
		return SLUICE_ERR_INVALID;
	return SLUICE_OK;
}

/* --- times --- */

/* When it is so in this year, in seconds of the time that clocks show before. */
static int64_t day_time(const struct sluice_zone_day *day, int year)
{
	int64_t date = sluice_year_begin(year);

	switch (day->kind) {
	case SLUICE_ZONE_DAY:
		date += day->day;
		break;
	case SLUICE_ZONE_JULIAN:
		date += day->day - 1 + (sluice_is_leap_year(year) && day->day >= 60);
		break;
	case SLUICE_ZONE_WEEKDAY:
		date = sluice_day_of(year, day->month, 1);
		int first = (day->day - sluice_weekday(date) + 7) % 7 + 7 * (day->week - 1);
		/* The fifth is the last. */
		date += first < sluice_days_in_month(year, day->month) ? first : first - 7;
		break;
	}
	return date * SLUICE_DAY_S + day->time_s;
}

static int32_t rule_offset(const struct sluice_zone *zone, int64_t time_s)
{
	if (!zone->rule.summer)
		return zone->rule.offset;
	int year = sluice_year_of((time_s + zone->rule.offset) / SLUICE_DAY_S);
	int64_t begin = day_time(&zone->rule.begin, year) - zone->rule.offset;
	int64_t end = day_time(&zone->rule.end, year) - zone->rule.summer_offset;
	bool summer =
	        begin < end ? time_s >= begin && time_s < end : time_s >= begin || time_s < end;

	return summer ? zone->rule.summer_offset : zone->rule.offset;
}

int32_t sluice_zone_offset(const struct sluice_zone *zone, int64_t time_s)
{
	size_t low = 0, high = zone->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (zone->times[middle] <= time_s)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == zone->count && zone->rule.given)
		return rule_offset(zone, time_s);
	return low == 0 ? zone->before : zone->offsets[low - 1];
}

/* The first time in (from, to] at which the offset is not what it is at `from`. */
static int64_t find_change(const struct sluice_zone *zone, int64_t from, int64_t to)
{
	int32_t before = sluice_zone_offset(zone, from);

	while (to - from > 1) {
		int64_t middle = from + (to - from) / 2;

		if (sluice_zone_offset(zone, middle) == before)
			from = middle;
		else
			to = middle;
	}
	return to;
}

int64_t sluice_zone_time(const struct sluice_zone *zone, int64_t local_s)
{
	/* No zone is further from UTC; and none changes twice within these days. */
	int64_t from = local_s - SLUICE_DAY_S, to = local_s + SLUICE_DAY_S;
	int32_t before = sluice_zone_offset(zone, from), after = sluice_zone_offset(zone, to);
	int64_t first = local_s - before, second = local_s - after;

	if (sluice_zone_offset(zone, first) == before)
		return first;
	if (sluice_zone_offset(zone, second) == after)
		return second;
	return find_change(zone, from, to);
}
