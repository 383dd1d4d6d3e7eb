/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * An event that a queue has given out to a target of the bridge. It is the target's (target.c) until
 * it hands it to the outlet, the outlet's until that says delivery_done, and gone then.
 */
#ifndef BRIDGE_DELIVERY_H
#define BRIDGE_DELIVERY_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/event.h"
#include "sluice/transform.h"

struct target;

struct sending;

struct delivery {
	struct delivery *next; /* in a list of whoever has it */
	struct target *target;
	struct sluice_event
	        event;           /* topic (the original's), payload, properties: all owned by it */
	struct sluice_vars vars; /* for templates: `event`, rule, target's name, id, time */
	uint32_t attempt;        /* 1 for the first time */
	void *outlet_data;       /* the outlet's own, while it has it */

	/* Of target.c and delivery.c alone. */
	struct delivery *all_next, *all_previous; /* of its target */
	struct sending *sending;                  /* what went to the outlet together */
	struct sluice_str receipt;
	int64_t came_ms, lease_ms, extend_at_ms; /* the loop's time, and a span */
	bool under_way;                          /* the enricher or outlet has it */
	char *payload;                           /* owned, when it was replaced */
	alignas(max_align_t) char bytes[];       /* what all texts point into */
};

enum outcome {
	OUTCOME_DONE,      /* it is where it was to go: acknowledged */
	OUTCOME_RETRY,     /* may go well later: given back, with a delay */
	OUTCOME_PERMANENT, /* will never go well: to the dead letters */
	OUTCOME_LET_GO,    /* it was not tried, as the outlet is being closed: given back at once */
};

enum { DELIVERY_NO_HINT = -1 };

/*
 * Ends a delivery, which is gone after it. On the loop's thread.
 *
 * hint_ms	RETRY: not before so many ms (Retry-After); DELIVERY_NO_HINT = as the target backs off
 * reason	a short text for people ("HTTP 503 from hooks.example.com"), no secret in it; the queue
 *		keeps 255 bytes. Not looked at with DONE and LET_GO
 */
void delivery_done(struct delivery *delivery, enum outcome outcome, int64_t hint_ms,
                   const char *reason, ...) __attribute__((format(printf, 4, 5)));

/* The text of a user property, absent when the event has none of that name. */
struct sluice_str delivery_property(const struct delivery *delivery, const char *name);

/* Puts another payload in the place of the event's, as an enrichment does. Takes `payload`, which was
 * allocated with malloc. */
void delivery_replace_payload(struct delivery *delivery, char *payload, size_t len);

/* --- target.c's --- */

struct link_message;

/* Takes a message of a queue's apart. NULL when it is none, or out of memory: then it comes again with
 * its lease. */
struct delivery *delivery_create(struct target *target, const struct link_message *message,
                                 struct sluice_str receipt, int64_t now_ms);
void delivery_destroy(struct delivery *delivery);

#endif
