/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The whole of a running bridge, on one loop:
 *
 *	store --definitions.c--> targets, sources (opened, changed, closed while it runs)
 *	broker --link.c--> a queue's message --target.c--> [enricher] --> outlet --> ack, nack
 *	outside --> inlet --source.c--> link.c --> broker --PUBACK--> inlet
 *
 * Nothing is kept here that a queue, or who publishes outside, does not keep: it may be killed at any
 * time.
 */
#ifndef BRIDGE_BRIDGE_H
#define BRIDGE_BRIDGE_H

#include <uv.h>

#include "curl_loop.h"
#include "link.h"
#include "options.h"
#include "sluice/types.h"

struct target;
struct source;
struct definitions;
struct report;

struct bridge {
	uv_loop_t loop;
	const struct options *options;
	struct link *link;
	struct curl_loop *curl;
	struct definitions *definitions;
	struct report *report;
	struct target *targets; /* by name, in no order */
	struct source *sources;
	bool stopping;
};

/*
 * Publishes at QoS 1; as link_publish. For outlets that bring an answer back.
 */
bool bridge_publish(struct bridge *bridge, const char *topic, struct sluice_str payload,
                    const mosquitto_property *properties, link_done_fn done, void *arg);

/* Who waits for an acknowledgement with that `arg` is not called any more. */
void bridge_forget(struct bridge *bridge, const void *arg);

/* Evenly drawn from all of 64 bits; not for secrets. */
uint64_t bridge_random(void);

/* Milliseconds since 1970. */
int64_t bridge_real_ms(void);

#endif
