/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The thread that owns the durable state: it makes segments of the journal ready, carries what the
 * broker's thread wrote there into SQLite in batches, and brings messages back when they are wanted or
 * due. It waits for the disk, and for nothing else: rules are another thread's, in another file, so
 * that nobody's open transaction there stops a delivery.
 */
#ifndef SLUICE_PLUGIN_DATA_THREAD_H
#define SLUICE_PLUGIN_DATA_THREAD_H

#include <stdbool.h>

#include "data_messages.h"
#include "metrics.h"
#include "options.h"
#include "ring.h"

struct data_thread;

/* What it counts, for any thread to read. */
struct data_numbers {
	counter state;         /* enum sluice_status of its last work on the files */
	counter journal_lag;   /* bytes that SQLite does not have yet */
	counter journal_bytes; /* of the files */
	counter data_bytes;
	counter batches;
	counter replay_orders; /* that were carried out */
};

/* Until the thread is started its messages are given to `take` at once, which frees them. NULL when out
 * of memory. */
typedef void (*data_take_fn)(void *arg, struct data_message *message);
struct data_thread *data_thread_create(const struct options *options, struct data_numbers *numbers,
                                       data_take_fn take, void *arg);

/*
 * Opens the files and carries over what the journal holds, on the calling thread, so that a broker that
 * has started knows all its queues. Else the thread opens them once it is started, and tries again each
 * second. The error names the file.
 */
enum sluice_status data_thread_open(struct data_thread *thread, struct sluice_error *error);

/* Starts the thread itself; from here on messages come by data_thread_receive. False when the system
 * refuses. */
bool data_thread_start(struct data_thread *thread);

/* Stops it, carries over what it can, closes the files, frees all. NULL is allowed. */
void data_thread_destroy(struct data_thread *thread);

/* --- the broker's thread --- */

/* Sends it a message, which is the thread's then. False when the ring is full. */
bool data_thread_send(struct data_thread *thread, struct data_message *message);
/* Asks for something. False when the ring is full or there is no memory. */
bool data_thread_ask(struct data_thread *thread, const struct data_request *request);

/* A frame was committed: wakes the thread if it sleeps. Costs a load. */
void data_thread_written(struct data_thread *thread);

/* The next message, to be freed; NULL when there is none. */
struct data_message *data_thread_receive(struct data_thread *thread);

#endif
