/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A crowd: thousands of rules that stand in each other's way. Its rules say much the same (a crowd
 * of prefixes, of ranges, of exact values …) about few paths and few values, so that postings get
 * long, beginnings and ends share their pieces, ranges lie in each other, and one number comes in
 * many spellings; its events hold the same values at the same paths.
 */
#ifndef CROWD_H
#define CROWD_H

#include "generate.h"

enum { CROWD_PATHS = 500 };

struct crowd {
	uint64_t salt;     /* what its values are made from */
	size_t traits[3];  /* what its rules say, the first of them most often */
	size_t spread;     /* how many different values there are of each kind */
	size_t first_path; /* of the table of paths, it uses … */
	size_t path_count; /* … so many, one after another; or any of CROWD_PATHS numbered ones */
	bool numbered;
	size_t fields; /* of a rule, at most */
	bool wild;     /* some rules are make_pattern's */
};

void crowd_draw(struct dice *dice, struct crowd *crowd);

/* An event. Memory comes from the pool. */
void crowd_event(const struct crowd *crowd, struct oracle_pool *pool, struct dice *dice,
                 struct made_event *made);

/* The text of a pattern; near may be any of the crowd's events. */
struct sluice_str crowd_pattern(const struct crowd *crowd, struct oracle_pool *pool,
                                struct dice *dice, const struct made_event *near);

#endif
