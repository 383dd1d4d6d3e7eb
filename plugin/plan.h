/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The deliveries of one event, made in full before the first is sent, so that an event past a
 * limit, or one there is no memory for, is delivered nowhere rather than to some.
 */
#ifndef SLUICE_PLUGIN_PLAN_H
#define SLUICE_PLUGIN_PLAN_H

#include <stdbool.h>

#include <mosquitto_broker.h>

#include "sluice/buffer.h"
#include "threads.h"

struct options;

struct delivery {
	struct rule_entry *entry;
	const struct sluice_target *target;
	size_t topic; /* where it begins in plan.topics, NUL-terminated */
	size_t topic_len;
	void *payload; /* mosquitto_malloc'd, owned; NULL = none yet, or empty */
	size_t payload_len;
	bool made;                      /* payload is its own already (transformed) */
	struct sluice_str source;       /* else what it is to be copied from */
	mosquitto_property *properties; /* owned */
};

/* Zeroed memory is an empty plan. Its arrays serve the next event. */
struct plan {
	struct delivery *deliveries;
	size_t count, capacity;
	struct sluice_buffer topics;
	size_t bytes; /* of topics and payloads, and of payloads that were read through */
	/* The topics that are delivered to, by hash, once a target asks with `once`. */
	size_t *once; /* a delivery's index + 1; 0 = free */
	size_t once_size, once_count;
};

enum plan_result { PLAN_OK, PLAN_DUPLICATE, PLAN_OVER_LIMIT, PLAN_NO_MEMORY };

/*
 * Adds a delivery to a topic. With `transformed`, the payload is that buffer's content, which is
 * copied now; else `source`, which must live until plan_complete. A target with `once` is
 * PLAN_DUPLICATE when the topic is in the plan.
 */
enum plan_result plan_add(struct plan *plan, const struct options *options,
                          struct rule_entry *entry, const struct sluice_target *target,
                          struct sluice_str topic, const struct sluice_buffer *transformed,
                          struct sluice_str source);

/* Copies the payloads that are still missing. False when out of memory. */
bool plan_complete(struct plan *plan);

/* Drops what was not sent, and empties it. */
void plan_reset(struct plan *plan);
void plan_finish(struct plan *plan);

const char *plan_topic(const struct plan *plan, const struct delivery *delivery);

#endif
