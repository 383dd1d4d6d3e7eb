/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What calls of an outlet's send brought, for outlets that have several workers or connections: a lot
 * waits until one of them takes it, and is its then.
 */
#ifndef BRIDGE_LOTS_H
#define BRIDGE_LOTS_H

#include <stdbool.h>
#include <stddef.h>

#include "delivery.h"

struct lot {
	struct lot *next;
	size_t count, left;            /* how many there were, and are not ended */
	struct delivery *deliveries[]; /* NULL once it is ended */
};

/* Those that wait, in order. */
struct lots {
	struct lot *first, **last;
};

void lots_init(struct lots *lots);

/* Puts them behind those that wait. Where there is no memory they are ended, as RETRY. */
void lots_add(struct lots *lots, struct delivery *const *deliveries, size_t count);

/* The first one, which is the caller's; NULL when none waits. */
struct lot *lots_take(struct lots *lots);

/* Ends what is left of all that wait. What comes in meanwhile stays. */
void lots_end(struct lots *lots, enum outcome outcome, const char *reason);

/* Takes a delivery out. The lot is not freed with its last one. */
struct delivery *lot_take(struct lot *lot, size_t index);

/* Ends what is left of it and frees it. NULL is allowed. */
void lot_end(struct lot *lot, enum outcome outcome, const char *reason);

#endif
