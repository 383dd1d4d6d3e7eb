/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Time zones, from the system's files (TZif, RFC 8536). libc would tell the time of one zone for the
 * whole process, by a variable that other threads read; ICU would cost thirty megabytes.
 *
 *	times    [ 1893-04-01 ][ 1916-04-30 ] … [ 2037-10-25 ]   when the offset changes
 *	offsets  [       3600 ][       7200 ] … [       3600 ]   to what, seconds east of UTC
 *	behind the last: `rule`, each year alike
 */
#ifndef SLUICE_ZONE_H
#define SLUICE_ZONE_H

#include <stdbool.h>

#include "arena.h"

enum { SLUICE_ZONE_NAME_MAX = 64, SLUICE_ZONE_FILE_MAX = 65536 };

/* A day of each year, and a time of it in seconds, which may be of a day before or after. */
struct sluice_zone_day {
	enum { SLUICE_ZONE_JULIAN, SLUICE_ZONE_DAY, SLUICE_ZONE_WEEKDAY } kind;
	int month, week, day; /* DAY counts from 0, JULIAN from 1 and has no 29 February */
	int32_t time_s;
};

struct sluice_zone {
	int64_t *times;
	int32_t *offsets;
	size_t count;
	int32_t before; /* the offset before the first */
	struct {
		bool given, summer;
		int32_t offset, summer_offset;
		struct sluice_zone_day begin, end; /* of the summer time, in the time before it */
	} rule;
};

/*
 * Reads the zone of an IANA name, "Europe/Berlin"; "UTC" needs no file. It lives in the arena.
 * SLUICE_ERR_INVALID: there is no such zone, or its file is none; _NOMEM.
 */
enum sluice_status sluice_zone_read(struct sluice_str name, struct sluice_arena *arena,
                                    struct sluice_zone **zone, struct sluice_error *error);

/* The same of a file's bytes; SLUICE_ERR_INVALID, _NOMEM. */
enum sluice_status sluice_zone_parse(struct sluice_str bytes, struct sluice_arena *arena,
                                     struct sluice_zone *zone);

/* Seconds east of UTC at this time. */
int32_t sluice_zone_offset(const struct sluice_zone *zone, int64_t time_s);

/*
 * The time at which clocks there show `local_s` (seconds since 1970 as they would be in UTC): the first
 * when they show it twice, that of the change when they skip it. Never goes back as local_s grows.
 */
int64_t sluice_zone_time(const struct sluice_zone *zone, int64_t local_s);

#endif
