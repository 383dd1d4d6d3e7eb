/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * How fast a target may go, and when it tries again: a backoff, a token bucket, a circuit breaker.
 * Plain arithmetic on times in ms that the caller gives, which must not go back.
 */
#ifndef BRIDGE_PACE_H
#define BRIDGE_PACE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Exponential backoff with full jitter: a delay drawn evenly from 0 to min(max_ms, base_ms · 2^(attempt
 * - 1)), so that those that failed together do not come back together.
 *
 * attempt	that has failed, from 1
 * random	evenly drawn from all of 64 bits
 */
int64_t backoff_delay(int64_t base_ms, int64_t max_ms, uint32_t attempt, uint64_t random);

/* A token bucket: `rate` events a second on the average, `burst` at once. */
struct bucket {
	int64_t rate;      /* 0 = no bound */
	int64_t burst;     /* at least 1 when there is a rate */
	int64_t tokens_ms; /* what it holds, in ms · rate: 1000 a token */
	int64_t at_ms;
};

/* A full one. burst 0 = rate. */
void bucket_init(struct bucket *bucket, int64_t rate, int64_t burst, int64_t now_ms);
/* How many tokens it has; INT64_MAX when there is no bound. */
int64_t bucket_tokens(struct bucket *bucket, int64_t now_ms);
/* Takes them; it has so many. */
void bucket_take(struct bucket *bucket, int64_t count);
/* How long until it has a token. */
int64_t bucket_wait_ms(const struct bucket *bucket);

enum breaker_state {
	BREAKER_CLOSED,    /* all goes */
	BREAKER_OPEN,      /* nothing goes until the pause is over */
	BREAKER_HALF_OPEN, /* one goes, to see */
};

/* Opens after so many failures in a row that are the target's, closes with the first success. */
struct breaker {
	int64_t failures_max; /* 0 = never */
	int64_t pause_ms;
	enum breaker_state state;
	int64_t failures; /* in a row */
	int64_t until_ms; /* OPEN */
};

const char *breaker_state_name(enum breaker_state state);
/* Opens or closes it by how a delivery went. Returns whether the state changed. */
bool breaker_note(struct breaker *breaker, bool went_well, int64_t now_ms);
/* Its state now: an open one becomes half open when its pause is over. */
enum breaker_state breaker_look(struct breaker *breaker, int64_t now_ms);

#endif
