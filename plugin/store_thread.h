/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The thread that owns the store: it follows the file, compiles what changed, runs the commands of
 * the control API and makes the answers. It may wait for a disk; the broker's thread never waits
 * for it.
 */
#ifndef SLUICE_PLUGIN_STORE_THREAD_H
#define SLUICE_PLUGIN_STORE_THREAD_H

#include <pthread.h>

#include "bridge_reports.h"
#include "registry.h"
#include "schedules.h"
#include "sluice_store/data.h"
#include "sluice_store/store.h"
#include "threads.h"

struct plugin;
struct session;

/* The store's thread's own state; only its functions and control/ look inside. */
struct store_thread {
	struct plugin *plugin;      /* its rings, metrics and options */
	struct sluice_store *store; /* NULL while it can't be opened */
	struct sluice_data *data;   /* to look only: the data thread writes it; see call_data */
	struct registry registry;
	struct tap *taps; /* that have not come back */
	size_t tap_count;
	int64_t last_replay_ms; /* in the name of the last replay */
	uint64_t last_id;       /* of taps, imports, exports */
	struct schedules schedules;
	struct session *sessions; /* imports and exports under way; see control/session.h */
	size_t session_count[2];  /* exports, imports */
	struct bridge_reports bridges;
	int64_t next_poll_ms, next_open_ms;
	bool running; /* there is a thread: changes go through the ring */
	pthread_t thread;
	int wake_fd;
	atomic_bool stop;
};

/*
 * Opens the store and puts all its rules in force, on the calling (broker's) thread: a broker that
 * has started misses no match. A store that can't be opened is an error, unless the options say to
 * continue. On success *thread is the caller's.
 */
enum sluice_status store_thread_create(struct plugin *plugin, struct store_thread **thread,
                                       struct sluice_error *error);

/* Starts the thread itself. False when the system refuses. */
bool store_thread_start(struct store_thread *thread);

/* Stops it and waits for its end (it may be within a write of up to the store's busy timeout). */
void store_thread_stop(struct store_thread *thread);

/* Frees all, what came back last included. The thread must be stopped. NULL is allowed. */
void store_thread_destroy(struct store_thread *thread, struct garbage *garbage);

/* The broker's thread: sends a message and wakes the thread. False when the ring is full; the
 * message is then still the caller's. */
bool store_thread_send(struct plugin *plugin, struct message *message);

/* --- the store's thread only --- */

/* Sends a message to the broker's thread, waiting while the ring is full. Takes it. */
void store_thread_emit(struct store_thread *thread, struct message *message);

/* Sends a line to the log. */
void store_thread_say(struct store_thread *thread, int level, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Opens the durable state to look at, if it is not. False: the error says why. */
bool store_thread_data(struct store_thread *thread, struct sluice_error *error);

/* Hears what changed in the store and sends it on. SLUICE_OK, or why the store can't be read. */
enum sluice_status store_thread_follow(struct store_thread *thread, struct sluice_error *error);

#endif
