/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What clients say to a queue, as topics and payloads (docs/queues.md):
 *
 *	queues/NAME/ready            credit: "10", or {"credit": 10, "lease_s": 60, "batch": 5}
 *	queues/NAME/ack/RECEIPT      queues/NAME/ack with a receipt on each line
 *	queues/NAME/nack/RECEIPT     "delay_ms reason", or {"delay_ms": 500, "reason": "…",
 *	                             "dead_letter": true}
 *	queues/NAME/extend/RECEIPT   seconds from now, or {"lease_s": 60}
 *	queues/NAME/in               a message
 *	queues/NAME/out/RECEIPT      from Sluice alone
 */
#ifndef SLUICE_PLUGIN_QUEUE_WIRE_H
#define SLUICE_PLUGIN_QUEUE_WIRE_H

#include <stdbool.h>

#include "sluice/types.h"

#define QUEUE_TOPICS "queues/"

enum queue_verb {
	QUEUE_VERB_READY,
	QUEUE_VERB_ACK,
	QUEUE_VERB_NACK,
	QUEUE_VERB_EXTEND,
	QUEUE_VERB_IN,
	QUEUE_VERB_OUT,
	QUEUE_VERB_NONE, /* below queues/, and nothing of the above */
};

struct queue_topic {
	enum queue_verb verb;
	struct sluice_str queue;
	struct sluice_str receipt; /* absent when there is no such level */
};

/* Whether the topic is below `queues/`; then *topic says what it is. Points into the text. */
bool queue_topic_read(struct sluice_str text, struct queue_topic *topic);

/*
 * The queue whose deliveries a subscription asks for: queues/NAME/out/+ or /#, also behind
 * $share/GROUP/. False when it is none, or has a wildcard for the name.
 */
bool queue_subscription_read(struct sluice_str filter, struct sluice_str *queue);

struct queue_ready {
	uint32_t credit;
	uint32_t batch;   /* 0 = as the queue says */
	int64_t lease_ms; /* 0 = until it disconnects */
};
/* An empty payload is a credit of 1. SLUICE_ERR_SYNTAX, _INVALID, _NOMEM; the error says where. */
enum sluice_status queue_ready_read(struct sluice_str payload, struct queue_ready *ready,
                                    struct sluice_error *error);

struct queue_nack {
	int64_t delay_ms;
	bool dead_letter;
	char reason[257]; /* NUL-terminated, cut at a character; "" = none */
};
/* An empty payload is no delay. A text that does not begin with a number is a reason. */
enum sluice_status queue_nack_read(struct sluice_str payload, struct queue_nack *nack,
                                   struct sluice_error *error);

/* An empty payload is `usual_ms`. */
enum sluice_status queue_extend_read(struct sluice_str payload, int64_t usual_ms, int64_t *lease_ms,
                                     struct sluice_error *error);

#endif
