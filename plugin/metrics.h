/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What is counted. One thread writes each number, any reads it: relaxed atomics, so that reading
 * needs neither a lock nor the writer's help.
 */
#ifndef SLUICE_PLUGIN_METRICS_H
#define SLUICE_PLUGIN_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "histogram.h"

typedef _Atomic uint64_t counter;

/* Only for the one thread that writes it: a plain load and store, no locked addition. */
static inline void counter_add(counter *number, uint64_t by)
{
	atomic_store_explicit(number, atomic_load_explicit(number, memory_order_relaxed) + by,
	                      memory_order_relaxed);
}

static inline void counter_set(counter *number, uint64_t value)
{
	atomic_store_explicit(number, value, memory_order_relaxed);
}

static inline uint64_t counter_get(const counter *number)
{
	return atomic_load_explicit(number, memory_order_relaxed);
}

struct metrics {
	/* written by the broker's thread */
	counter events;    /* publishes that a bus took in */
	counter matched;   /* of these, those that a rule matched */
	counter delivered; /* handed to the broker */
	counter failed;    /* deliveries that could not be made: a topic or payload that can't be */
	counter over_limit; /* events past a limit, of which nothing was delivered */
	counter refused;    /* publishes into protected topics, and control requests at the gate */
	counter malformed;  /* events with a payload that rules look into, and that is no JSON */
	counter undecided;  /* rules that ran out of their budget at an event */
	counter tapped;     /* events sent to taps */
	struct histogram callback_ns; /* time of the broker's thread for one publish */
	/* written by the store's thread (at start: the broker's, before there is another) */
	counter rules; /* in force */
	counter buses;
	counter queues;
	counter rule_errors;
	counter store_state; /* enum sluice_status of the last look at the store */
};

#endif
