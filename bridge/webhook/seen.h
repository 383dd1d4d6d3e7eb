/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Which signed requests came already, so that one that is sent again, by its sender or by who overheard
 * it, is an event once. Only what was signed rightly gets in here, so nobody else can fill it.
 *
 * A ring in the order of coming, and a hash table of chains into it: constant time, 40 bytes a
 * request, at most SEEN_MAX of them. When there are more, the oldest is forgotten.
 */
#ifndef BRIDGE_WEBHOOK_SEEN_H
#define BRIDGE_WEBHOOK_SEEN_H

#include <stdbool.h>
#include <stdint.h>

enum { SEEN_KEY_BYTES = 16, SEEN_MAX = 65536 };

struct seen_entry;

/* Zeroed memory has seen nothing. */
struct seen {
	struct seen_entry *entries; /* capacity of them, a power of two */
	uint32_t *slots;            /* 1 + where a chain begins, 0 = nowhere */
	uint32_t capacity, first, count;
};

void seen_finish(struct seen *seen);

enum seen_answer {
	SEEN_NEW,       /* it is noted as under way */
	SEEN_UNDER_WAY, /* the same came, and nothing is known yet of what became of it */
	SEEN_BEFORE,    /* the same was taken in */
	SEEN_NO_MEMORY,
};

/* Whether it came before. until_s: after which time it need not be known; in the order of calls, more
 * or less. */
enum seen_answer seen_ask(struct seen *seen, const unsigned char key[SEEN_KEY_BYTES], int64_t now_s,
                          int64_t until_s);
/* What became of one that was new: taken in, or else it may come again. */
void seen_settle(struct seen *seen, const unsigned char key[SEEN_KEY_BYTES], bool taken_in);

#endif
