/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What deduplication has seen: keys, each with the time until which it counts. One table for all
 * queues and targets, since the scope is a part of the key.
 *
 *	slots  [ key, until ][ free ][ key, until ] …   open addressing, at most three quarters full
 *
 * What has run out is taken away by a hand that goes round, some slots a tick, and when the table
 * would grow. It holds SEEN_MAX keys; past that the one that it meets first goes, and is counted.
 */
#ifndef SLUICE_PLUGIN_QUEUE_SEEN_H
#define SLUICE_PLUGIN_QUEUE_SEEN_H

#include <stdbool.h>

#include "sluice/types.h"

enum { SEEN_KEY_BYTES = 16, SEEN_MAX = 1 << 20 };

struct seen_slot;

/* Zeroed memory is empty. */
struct seen {
	struct seen_slot *slots;
	size_t size; /* 0 or a power of two */
	size_t count;
	size_t hand;
	uint64_t forgotten; /* before their time, for want of room */
};

void seen_finish(struct seen *seen);

/* Whether the key was seen in the scope, and counts at now_ms (any clock, always the same). */
bool seen_has(const struct seen *seen, struct sluice_str scope,
              const unsigned char key[SEEN_KEY_BYTES], int64_t now_ms);

/* Notes it. False when out of memory: then it was not noted. */
bool seen_add(struct seen *seen, struct sluice_str scope, const unsigned char key[SEEN_KEY_BYTES],
              int64_t until_ms, int64_t now_ms);

/* Takes it back. */
void seen_remove(struct seen *seen, struct sluice_str scope,
                 const unsigned char key[SEEN_KEY_BYTES]);

/* Moves the hand on. */
void seen_tick(struct seen *seen, int64_t now_ms);

#endif
