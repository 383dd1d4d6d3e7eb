/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* From an event to the record with which it enters a queue. */
#ifndef SLUICE_PLUGIN_ENQUEUE_H
#define SLUICE_PLUGIN_ENQUEUE_H

#include "intake.h"
#include "sluice/transform.h"

struct plugin;
struct sluice_deduplication;
struct sluice_target;
struct mosquitto_evt_message;

/* What becomes of an event that is to enter a queue. */
enum enqueue_result {
	ENQUEUE_DONE, /* it is in the intake */
	ENQUEUE_SEEN, /* the queue has seen its deduplication key */
	ENQUEUE_NO_MEMORY,
};

/* Whether an event was seen in a scope; if not, it has been from now on, or from when the intake is
 * written. */
struct deduplicate {
	const struct sluice_deduplication *deduplication; /* NULL = it is not asked */
	const struct sluice_event *event;
	struct sluice_str payload; /* what is delivered */
	struct sluice_str scope;   /* the queue, or RULE/TARGET */
};
enum enqueue_result deduplicate(struct plugin *plugin, const struct deduplicate *ask);

struct enqueue {
	struct queue *queue;
	const struct sluice_vars *vars; /* names, id, time, and the event, with its properties */
	struct sluice_str payload;      /* what enters; lives until the intake is settled */
	struct sluice_str properties;   /* likewise */
	int64_t delay_ms;               /* 0 = the queue's */
	struct sluice_str error;        /* of a dead letter, likewise; absent = none */
	struct sluice_str origin;
};

enum enqueue_result enqueue_event(struct plugin *plugin, const struct enqueue *enqueue);

/* The event's properties, packed, for a target (NULL = none) that may transform it, with the name of
 * the replay that it is of (absent = none). Absent when out of memory; lives until the intake is
 * settled. */
struct sluice_str enqueue_properties(struct plugin *plugin, const struct sluice_event *event,
                                     const struct sluice_target *target, struct sluice_str replay);

/* A publish to queues/NAME/in. False when there is no room, or no memory. */
bool enqueue_publish(struct plugin *plugin, struct queue *queue,
                     const struct mosquitto_evt_message *message);

#endif
