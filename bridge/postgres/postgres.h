/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What a source of kind postgres is made of: inlet.c connects, again when need be; setup.c asks for
 * publication and slot, and makes them; replication.c reads the stream and says how far it was taken in.
 */
#ifndef BRIDGE_POSTGRES_POSTGRES_H
#define BRIDGE_POSTGRES_POSTGRES_H

#include <libpq-fe.h>
#include <uv.h>

#include "change_stream.h"
#include "kinds.h"
#include "pgoutput.h"

struct postgres_connecting;
struct postgres_inlet;

/* One question to the server before the stream begins. They are asked in the order of the table. */
struct postgres_step {
	/* Appends the command; nothing when there is no need for it. */
	enum sluice_status (*ask)(struct postgres_inlet *inlet, struct sluice_buffer *command,
	                          struct sluice_error *error);
	/* Takes each result. */
	enum sluice_status (*take)(struct postgres_inlet *inlet, const PGresult *result,
	                           struct sluice_error *error);
};

struct postgres_inlet {
	struct inlet inlet;
	uv_loop_t *loop;
	struct source *source;
	const struct credentials *credentials;
	const struct sluice_json *tables; /* NULL: all */
	char *url, *publication, *slot;   /* owned */
	bool create;

	struct postgres_connecting *connecting; /* on a thread; NULL when none is */
	PGconn *connection;                     /* owned; NULL when there is none */
	uv_poll_t *poll;                        /* of its socket; freed when closed */
	size_t step;                            /* of postgres_steps that is being asked */
	bool streaming;
	uv_timer_t timer; /* of the next try; of the next status, when streaming */
	uint64_t retry_ms;

	/* What the steps found. */
	bool has_publication, has_slot;
	struct sluice_buffer missing_tables; /* of the publication, as SQL names them */

	struct change_stream *stream;
	struct pgoutput *decoder;
	char *system; /* owned: the cluster that the decoder is for */
	unsigned long timeline;
	struct pgoutput_place taken;        /* all up to there has its PUBACK */
	uint64_t received, confirmed, told; /* places in the log: read, may be forgotten, said */
	bool paused;                        /* no room: the socket is not read */
	bool asked;                         /* the server wants a status */
	bool unsent;                        /* libpq holds bytes that the socket did not take yet */
};

extern const struct postgres_step postgres_steps[];
extern const size_t postgres_step_count;

/* inlet.c: the connection is given up, the text told, and a new one made in a while. */
void postgres_fail(struct postgres_inlet *inlet, const char *text);
/* inlet.c: which events of the socket are of interest. */
void postgres_watch(struct postgres_inlet *inlet);

/* replication.c */
void postgres_stream_begin(struct postgres_inlet *inlet);
/* Reads what has come, as long as there is room. */
void postgres_stream_read(struct postgres_inlet *inlet);
/* Says how far it is. */
void postgres_stream_status(struct postgres_inlet *inlet);
extern const struct change_stream_events postgres_stream_events;

/* setup.c: what the server said, for people. */
void postgres_result_error(const PGresult *result, struct sluice_error *error);

#endif
