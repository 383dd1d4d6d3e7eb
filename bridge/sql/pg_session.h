/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A connection to a PostgreSQL server on the loop, with one prepared statement: connects, prepares,
 * and then carries rows, in libpq's pipeline mode, so that a lot of them is one turn to the server.
 *
 *	rows ── statement · statement · … · sync ──> one transaction: all are there, or none
 *	     ── statement sync · statement sync ──>  one each: when all together did not go
 *
 * Never waits: a host's name is looked up before libpq would.
 */
#ifndef BRIDGE_SQL_PG_SESSION_H
#define BRIDGE_SQL_PG_SESSION_H

#include <uv.h>

#include "delivery.h"
#include "pg_options.h"
#include "row.h"

enum { PG_REASON_SIZE = 256 };

struct pg_session;

struct pg_session_events {
	/* It takes rows now: it has connected and prepared, or all rows are ended. */
	void (*ready)(void *arg);
	/* A row is ended. */
	void (*row_done)(void *arg, size_t index, enum outcome outcome, const char *reason);
	/* It could not connect or prepare, or is lost; rows that were not ended are where nobody
	 * knows. It is gone after this. outcome: RETRY, or PERMANENT when the statement can't be. */
	void (*failed)(void *arg, enum outcome outcome, const char *reason);
};

/* What all sessions of a target share; lives as long as they do. */
struct pg_session_settings {
	uv_loop_t *loop;
	const struct pg_options *options;
	const char *statement;
	size_t parameters;
	int64_t timeout_ms; /* to connect; for a statement; for a lot */
	const struct pg_session_events *events;
};

/* Begins to connect. No event comes from within. NULL when out of memory. */
struct pg_session *pg_session_create(const struct pg_session_settings *settings, void *arg);

/* Once it is ready: which parameters are JSON to the server, an element for each. */
const bool *pg_session_json(const struct pg_session *session);

/* Whether the server could take the row's values; false with the reason. */
bool pg_session_can_take(const struct pg_session *session, const struct sql_row *row,
                         char reason[PG_REASON_SIZE]);

/* Runs the statement for each row; it is ready. The rows live until they are ended, or the session is
 * gone. Events may come from within. */
void pg_session_run(struct pg_session *session, struct sql_row *const *rows, size_t count);

/* Ends it; no event comes any more. NULL is allowed. */
void pg_session_close(struct pg_session *session);

/* What an SQLSTATE means for a row: of class 22 (data), 23 (constraint) and 42 (the statement) it will
 * never do; of any other it may yet. *what gets that word, NULL for others. */
enum outcome pg_outcome(const char *sqlstate, const char **what);

#endif
