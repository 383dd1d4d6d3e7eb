/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The durable consumer of a source: found, or made. */
#ifndef BRIDGE_NATS_CONSUMER_H
#define BRIDGE_NATS_CONSUMER_H

#include <stdbool.h>

#include <nats/nats.h>

enum { NATS_WINDOW = 256 }; /* messages that are not acknowledged, at most */

struct nats_consumer {
	const char *subject, *durable;
	char *stream; /* owned; found by the subject when it is NULL */
};

/* Waits for the server. False, with why. */
bool nats_consumer_ensure(struct nats_consumer *consumer, natsConnection *connection, char *why,
                          size_t why_size);

#endif
