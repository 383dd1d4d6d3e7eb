/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What a broker says of a queue's messages, for the verbs that wait for it or depend on it. */
#ifndef CLI_QUEUE_NUMBERS_H
#define CLI_QUEUE_NUMBERS_H

#include "control.h"

struct queue_numbers {
	uint64_t ready, in_flight, delayed;
	uint64_t purged, redriven, stayed; /* since the broker's start */
	bool redriving;
};

/* All messages that the queue holds. */
static inline uint64_t queue_holds(const struct queue_numbers *numbers)
{
	return numbers->ready + numbers->in_flight + numbers->delayed;
}

/* Asks for them. CLI_NO when the queue is not in force. */
enum cli_exit queue_numbers_ask(struct control *control, struct sluice_str queue,
                                struct queue_numbers *numbers, struct sluice_error *error);

/*
 * Purges the queue. *count gets how many messages are gone. CLI_STORE when the broker did not do it:
 * its journal has no room for the order.
 */
enum cli_exit queue_purge(struct control *control, struct sluice_str queue, uint64_t *count,
                          struct sluice_error *error);

/* "1 message", "12 messages": into text, of which it returns the beginning. */
char *count_messages(uint64_t count, char text[48]);

#endif
