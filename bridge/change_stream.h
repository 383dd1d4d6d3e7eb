/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Records on their way to the broker, in the order of the changes, and how far they are taken in:
 *
 *	added ──> [ taken in | under way | waiting … ] ──> settled: the position that may be remembered
 *
 * A position is settled when every record before it has its PUBACK. A record that can't be published
 * holds up all that follow: it is tried again, and with it, to keep their order, those that were under
 * way behind it. Nothing is ever left out. On the loop's thread.
 */
#ifndef BRIDGE_CHANGE_STREAM_H
#define BRIDGE_CHANGE_STREAM_H

#include <uv.h>

#include "inlet.h"
#include "sluice/buffer.h"

struct change_stream;

/* The source's own: how far it is. Its order is that in which it was added. */
struct change_position {
	uint64_t place, index;
};

struct change_stream_events {
	/* All up to there is taken in. Called for each position, in their order. */
	void (*settled)(void *arg, struct change_position position);
	/* There is room again after change_stream_has_room said no. */
	void (*room)(void *arg);
	/* A record can't be published, or it can again (NULL). */
	void (*trouble)(void *arg, const char *text);
};

/* NULL when out of memory. `events` and `arg` live as long as it does. */
struct change_stream *change_stream_create(uv_loop_t *loop, struct source *source,
                                           const struct change_stream_events *events, void *arg);
/* Lets go of all. What was published is not called back for, as inlet.h promises; it is freed when
 * its handle is closed, in the loop's next turns. NULL is allowed. */
void change_stream_close(struct change_stream *stream);

/* Whether more is wanted: memory is bounded, by the number of records and their bytes. */
bool change_stream_has_room(struct change_stream *stream);

/*
 * Adds a record, which is published when its turn comes.
 *
 * topic	as far as the outside has one: for the source's topic template
 * payload	its bytes are taken, the buffer is left empty
 *
 * Returns false when out of memory: nothing was added.
 */
bool change_stream_add(struct change_stream *stream, struct change_position position,
                       struct sluice_str topic, struct sluice_buffer *payload);

/* Adds a place where there is no record: it is settled when all before it is. May call settled().
 * Returns false when out of memory. */
bool change_stream_add_place(struct change_stream *stream, struct change_position position);

/* Drops what was not published yet, from the end; what was goes on, and settles as ever. */
void change_stream_drop_waiting(struct change_stream *stream);

/* Nothing was added that is not settled. */
bool change_stream_is_empty(const struct change_stream *stream);

/* The broker takes publishes again. */
void change_stream_resume(struct change_stream *stream);

#endif
