/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Random events, and patterns that have a fair chance to match them: both draw on a few keys and
 * values, and a pattern takes most of its fields from the leaves of one event.
 */
#ifndef GENERATE_H
#define GENERATE_H

#include "sluice/event.h"
#include "spell.h"

struct made_event {
	struct sluice_event event;
	struct oracle_json *tree; /* what the payload was spelled from; NULL when it was damaged */
};

/* An event; with `like` (may be NULL) one that resembles it. All memory comes from the pool. */
void make_event(struct oracle_pool *pool, struct dice *dice, const struct made_event *like,
                struct made_event *made);

/* The text of a pattern; mostly a valid one. */
struct sluice_str make_pattern(struct oracle_pool *pool, struct dice *dice,
                               const struct made_event *near);

#endif
