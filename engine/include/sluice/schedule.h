/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * When a rule runs that has no pattern, in EventBridge's words:
 *
 *	rate(5 minutes)             whole multiples of it since 1970: a restart changes nothing
 *	cron(0 8 ? * MON-FRI *)     minute, hour, day of the month, month, day of the week, year
 *	at(2026-12-01T10:00:00)     once
 *
 * cron and at are in a time zone. Where its clocks skip a time, what is due then runs at the change;
 * where they show one twice, it runs the first time only. Immutable after parsing; may be used from
 * any thread.
 */
#ifndef SLUICE_SCHEDULE_H
#define SLUICE_SCHEDULE_H

#include "sluice/types.h"

struct sluice_schedule;

enum { SLUICE_SCHEDULE_MAX_BYTES = 256, SLUICE_SCHEDULE_LAST_YEAR = 2199 };

/*
 * Parses a schedule.
 *
 * text		rate(…), cron(…) or at(…)
 * timezone	an IANA name, such as Europe/Berlin, read from /usr/share/zoneinfo; absent = UTC
 * schedule	the caller's to free with sluice_schedule_destroy
 * error	without a place; of the text with its offset
 *
 * Errors: SLUICE_ERR_SYNTAX, _INVALID, _LIMIT, _NOMEM.
 */
enum sluice_status sluice_schedule_parse(struct sluice_str text, struct sluice_str timezone,
                                         struct sluice_schedule **schedule,
                                         struct sluice_error *error);

/* NULL is allowed. */
void sluice_schedule_destroy(struct sluice_schedule *schedule);

/*
 * The first time after this one at which it runs, in ms since 1970; INT64_MAX when there is none within
 * a hundred years. Its time is bounded: some 100,000 days are looked at, at most.
 */
int64_t sluice_schedule_next(const struct sluice_schedule *schedule, int64_t after_ms);

#endif
