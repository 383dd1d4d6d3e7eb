/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A name for what is sent, the same each time that it is tried: what keeps a receiver that
 * remembers names (a FIFO queue, a mail server) from taking a retry for something new. The event's
 * id alone is not enough: two rules may make different things of one event, and put both into the
 * same queue.
 */
#ifndef BRIDGE_EVENT_KEY_H
#define BRIDGE_EVENT_KEY_H

#include <stdbool.h>

#include "delivery.h"

enum { EVENT_KEY_SIZE = 65 };

/*
 * Writes 64 hexadecimal digits and a NUL: a hash of the ids, rules and payloads of all the
 * deliveries, in their order. Returns false when out of memory.
 */
bool event_key(const struct delivery *const *deliveries, size_t count, char key[EVENT_KEY_SIZE]);

#endif
