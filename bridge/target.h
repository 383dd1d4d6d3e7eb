/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A target at work: it asks its queue for as many messages as it may have at a time, hands them to its
 * outlet at its pace, and tells the queue how each ended.
 *
 *	queue --(credit)--> arrived --[enricher]--> waiting --(batch, rate, breaker)--> outlet
 *	                                                     <--- DONE: ack, RETRY: nack with a delay,
 *	                                                          PERMANENT: nack to the dead letters
 *
 * All it holds is leased: what takes longer than its lease is extended, and after a crash comes again.
 */
#ifndef BRIDGE_TARGET_H
#define BRIDGE_TARGET_H

#include "bridge.h"
#include "credentials.h"
#include "delivery.h"
#include "outlet.h"
#include "pace.h"

enum { TARGET_ERROR_SIZE = 256 };

struct target_numbers {
	uint64_t delivered;
	uint64_t failed;        /* attempts */
	uint64_t retried, dead; /* what became of those */
};

struct target {
	struct target *next;
	struct bridge *bridge;
	char name[SLUICE_NAME_MAX + 1], queue[SLUICE_NAME_MAX + 1]; /* the definition\'s */
	struct sluice_bridge_target *definition;                    /* owned */
	struct credentials *credentials, *enrichment_credentials;   /* owned; NULL = none */
	struct outlet *outlet;     /* NULL: it can't be opened, see last_error */
	struct enricher *enricher; /* NULL = none */
	const struct outlet_kind *kind;
	const struct enricher_kind *enricher_kind;

	struct delivery *all;           /* everything it holds */
	struct delivery *first, **last; /* of it, what waits for the outlet */
	size_t held, waiting, waiting_bytes;
	size_t under_way; /* calls of the outlet's send that are not ended */
	bool pumping, pump_again;
	bool closing;

	struct bucket bucket;
	struct breaker breaker;
	int64_t credit;  /* that was said last; -1 = none yet */
	int64_t said_ms; /* when */
	bool no_queue;   /* its queue is not there: it was told */
	int say_again;   /* so many times, a short tick apart */
	bool may_open;   /* enabled, of a kind that is there and allowed, credentials at hand */
	int64_t open_again_ms; /* when an outlet that could not be opened is tried again */
	uv_timer_t timer;

	struct target_numbers numbers;
	char last_error[TARGET_ERROR_SIZE];
	int64_t last_error_ms; /* since 1970; 0 = none yet */
};

/*
 * Makes a target. Takes definition and credentials, on failure too (NULL: out of
 * memory).
 */
struct target *target_create(struct bridge *bridge, struct sluice_bridge_target *definition,
                             struct credentials *credentials,
                             struct credentials *enrichment_credentials);

/* Opens its outlet, and asks its queue; what can't be opened is tried again. */
void target_begin(struct target *target);

/* Tells why it can't work: credentials that are not there. Logged when it is news. */
void target_fault(struct target *target, const char *message);

/* Gives back what it holds and ends; it is gone later, in a turn of the loop. */
void target_close(struct target *target);

/* The connection to the broker came, or went. */
void target_connected(struct target *target, bool is);

/* Its queue was made, changed, deleted: credit is said again, a few times. */
void target_queue_changed(struct target *target);

/* A message of its queue. */
void target_message(struct target *target, const struct link_message *message,
                    struct sluice_str receipt);

/* The queue that it takes from. */
struct sluice_str target_queue(const struct target *target);

/* Its name, NUL-terminated, for log lines. */
const char *target_name(const struct target *target);

#endif
