/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A thread for a library whose calls wait, and what crosses between it and the loop:
 *
 *	loop --crossing_send--> list --crossing_wait, crossing_take--> the thread
 *	any thread --crossing_tell--> list, uv_async --> arrived, on the loop's thread
 *
 * An item is whose list it is in, and then whose it was given to.
 */
#ifndef BRIDGE_CROSSING_H
#define BRIDGE_CROSSING_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "sluice/types.h"

/* What crosses begins with this. */
struct crossing_item {
	struct crossing_item *next;
};

struct crossing_events {
	/* The thread. It ends soon after crossing_stops says so; what it calls may wait some seconds. */
	void (*run)(void *arg);
	/* On the loop's thread. */
	void (*arrived)(void *arg, struct crossing_item *item);
	/* An item that nobody will take any more: it is freed. On the loop's thread. */
	void (*dropped)(void *arg, struct crossing_item *item);
	/* After crossing_close, when the thread has ended; the crossing is freed then. */
	void (*gone)(void *arg);
	void *arg;
};

struct crossing;

/* Starts the thread, which finds *crossing set. SLUICE_ERR_NOMEM, _IO: *crossing is NULL. */
enum sluice_status crossing_create(uv_loop_t *loop, const struct crossing_events *events,
                                   struct crossing **crossing, struct sluice_error *error);

/* To the thread. */
void crossing_send(struct crossing *crossing, struct crossing_item *item);
/* The next item; waits for one up to timeout_ms. NULL: none came, or it stops. */
struct crossing_item *crossing_wait(struct crossing *crossing, int64_t timeout_ms);
/* The next item, if there is one. */
struct crossing_item *crossing_take(struct crossing *crossing);
bool crossing_stops(struct crossing *crossing);

/* To the loop; from any thread. */
void crossing_tell(struct crossing *crossing, struct crossing_item *item);

/* Asks the thread to end. Nothing `arrived` any more. */
void crossing_close(struct crossing *crossing);

#endif
