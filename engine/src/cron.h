/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* cron(…) of EventBridge: the sets of its six fields. */
#ifndef SLUICE_CRON_H
#define SLUICE_CRON_H

#include <stdbool.h>

#include "sluice/types.h"

enum { SLUICE_CRON_FIRST_YEAR = 1970, SLUICE_CRON_YEARS = 230 };

struct sluice_cron {
	uint64_t minutes, hours; /* a bit for each */
	uint64_t days;           /* of the month: bits 1 to 31 */
	uint64_t nearest;        /* nW: the weekday that is nearest to that day, in its month */
	bool last_day;           /* L */
	uint64_t months;         /* bits 1 to 12 */
	bool by_weekday;         /* the days are said by what follows, not by the above */
	uint64_t weekdays;       /* bits 1 (Sunday) to 7 */
	uint64_t last_weekdays;  /* nL: the last one in the month */
	int nth_weekday, nth;    /* n#k: the kth one; 0 = none */
	uint64_t years[(SLUICE_CRON_YEARS + 63) / 64];
};

/* The text between the parentheses, which begins at `offset` of what errors are about. */
enum sluice_status sluice_cron_parse(struct sluice_str text, size_t offset,
                                     struct sluice_cron *cron, struct sluice_error *error);

/*
 * The first minute at or after local_s, in seconds of the local calendar, that is in all of the sets;
 * INT64_MAX when there is none before the year `end`.
 */
int64_t sluice_cron_next(const struct sluice_cron *cron, int64_t local_s, int end);

#endif
