/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "pg_session.h"

#include <stdio.h>
#include <stdlib.h>

#include <libpq-fe.h>

enum {
	OID_BYTEA = 17, /* of pg_type, where they never change */
	OID_JSON = 114,
	OID_JSONB = 3802,
	ADDRESSES_MAX = 4,
	ADDRESSES_SIZE = ADDRESSES_MAX * 256,
	LATE_MS = 2000, /* after the server should have given up a statement by itself */
	PREPARING_COMMANDS = 3,
};

static const char prepared_name[] = "sluice";

enum state {
	RESOLVING,
	CONNECTING,
	PREPARING,
	READY,
	TOGETHER, /* rows are under way in one transaction */
	APART,    /* each in one of its own */
	GONE,
};

struct pg_session {
	const struct pg_session_settings *settings;
	void *arg;
	enum state state;
	int references; /* the timer, the look-up: what ends later */
	uv_timer_t timer;
	uv_getaddrinfo_t lookup;
	char hosts[ADDRESSES_SIZE], addresses[ADDRESSES_SIZE];
	PGconn *connection;
	uv_poll_t *poll; /* of `watched`; frees itself */
	int watched;
	/* Of each parameter. */
	bool *json, *binary;
	/* Room for one row's parameters. */
	const char **values;
	int *lengths, *formats;
	/* What is under way. */
	struct sql_row *const *rows;
	size_t count;
	size_t group;    /* how many syncs came */
	size_t commands; /* that have ended since the last one */
	bool failed;     /* a statement of this group: then so */
	enum outcome outcome;
	char reason[PG_REASON_SIZE];
	bool suspect; /* it failed of something that another connection may not */
};

/* --- words --- */

enum outcome pg_outcome(const char *sqlstate, const char **what)
{
	static const struct {
		const char *prefix, *what;
	} permanent[] = { { "22", "data" }, { "23", "constraint" }, { "42", "statement" } };

	*what = NULL;
	for (size_t i = 0; sqlstate && i < sizeof(permanent) / sizeof(permanent[0]); i++)
		if (strncmp(sqlstate, permanent[i].prefix, 2) == 0) {
			*what = permanent[i].what;
			return OUTCOME_PERMANENT;
		}
	return OUTCOME_RETRY;
}

/* The first line of a message, fit to be shown. */
static void clean(const char *message, char reason[PG_REASON_SIZE])
{
	struct sluice_error error;

	if (!message)
		message = "";
	sluice_error_set(&error, SLUICE_ERR_IO, SIZE_MAX, NULL, "%.*s",
	                 (int)strcspn(message, "\r\n"), message);
	snprintf(reason, PG_REASON_SIZE, "PostgreSQL: %.*s", PG_REASON_SIZE - 16, error.message);
}

/* Only the first of a group: what follows it failed because it did. */
static void note_failure(struct pg_session *session, const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE), *what;
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	char text[PG_REASON_SIZE];

	if (session->failed)
		return;
	session->failed = true;
	session->outcome = pg_outcome(sqlstate, &what);
	clean(message ? message : PQresultErrorMessage(result), text);
	if (sqlstate)
		snprintf(session->reason, sizeof(session->reason), "PostgreSQL %.5s%s%s%s%.*s",
		         sqlstate, what ? " (" : "", what ? what : "", what ? ")" : "",
		         PG_REASON_SIZE - 64, text + strlen("PostgreSQL"));
	else
		memcpy(session->reason, text, sizeof(text));
	/* 40: what others did meanwhile; 55: a lock. All else may be the server's, or the
	 * connection's: a standby, a statement that it forgot. */
	if (session->outcome == OUTCOME_RETRY && sqlstate && strncmp(sqlstate, "40", 2) != 0 &&
	    strncmp(sqlstate, "55", 2) != 0)
		session->suspect = true;
}

/* --- its end --- */

static void release(struct pg_session *session)
{
	if (--session->references > 0)
		return;
	free(session->json);
	free(session->binary);
	free(session->values);
	free(session->lengths);
	free(session->formats);
	free(session);
}

static void on_timer_closed(uv_handle_t *handle)
{
	release(handle->data);
}

static void on_poll_closed(uv_handle_t *handle)
{
	free(handle);
}

static void stop_watching(struct pg_session *session)
{
	if (session->poll)
		uv_close((uv_handle_t *)session->poll, on_poll_closed);
	session->poll = NULL;
}

void pg_session_close(struct pg_session *session)
{
	if (!session || session->state == GONE)
		return;
	if (session->state == RESOLVING)
		uv_cancel((uv_req_t *)&session->lookup); /* else it ends by itself */
	session->state = GONE;
	stop_watching(session); /* before its descriptor is closed */
	PQfinish(session->connection);
	session->connection = NULL;
	uv_close((uv_handle_t *)&session->timer, on_timer_closed);
}

static void fail(struct pg_session *session, enum outcome outcome, const char *text)
{
	char reason[PG_REASON_SIZE];

	snprintf(reason, sizeof(reason), "%s", text);
	pg_session_close(session);
	session->settings->events->failed(session->arg, outcome, reason);
}

static void fail_connection(struct pg_session *session)
{
	char reason[PG_REASON_SIZE];

	/* What the server said last is more than that it went. */
	if (session->failed)
		memcpy(reason, session->reason, sizeof(reason));
	else
		clean(PQerrorMessage(session->connection), reason);
	fail(session, OUTCOME_RETRY, reason);
}

static void on_timer(uv_timer_t *timer)
{
	struct pg_session *session = timer->data;
	char reason[PG_REASON_SIZE];

	snprintf(reason, sizeof(reason), "PostgreSQL: no %s within %lld ms",
	         session->state < READY ? "connection" : "answer",
	         (long long)session->settings->timeout_ms);
	fail(session, OUTCOME_RETRY, reason);
}

static void set_timer(struct pg_session *session, int64_t ms)
{
	uv_timer_start(&session->timer, on_timer, (uint64_t)ms, 0);
}

/* --- the socket --- */

static void on_poll(uv_poll_t *poll, int status, int events);

static bool watch(struct pg_session *session, int events)
{
	int fd = PQsocket(session->connection);

	if (session->poll && session->watched != fd)
		stop_watching(session);
	if (!session->poll) {
		uv_poll_t *poll = fd >= 0 ? malloc(sizeof(*poll)) : NULL;

		if (!poll)
			return false;
		if (uv_poll_init(session->settings->loop, poll, fd) != 0) {
			free(poll);
			return false;
		}
		poll->data = session;
		session->poll = poll;
		session->watched = fd;
	}
	return uv_poll_start(session->poll, events, on_poll) == 0;
}

/* Sends what libpq holds, as far as the socket takes it. False when it failed: the session is gone. */
static bool flush(struct pg_session *session)
{
	int left = PQflush(session->connection);

	if (left < 0 || !watch(session, UV_READABLE | (left > 0 ? UV_WRITABLE : 0))) {
		fail_connection(session);
		return false;
	}
	return true;
}

/* --- connecting --- */

static bool begin_preparing(struct pg_session *session)
{
	PGconn *connection = session->connection;
	char set[64];

	/* Else a statement that nobody waits for any more would wait on, for a lock say, and be done
	 * beside its own repetition. */
	snprintf(set, sizeof(set), "SET statement_timeout = %lld",
	         (long long)session->settings->timeout_ms);
	return PQsetnonblocking(connection, 1) == 0 && PQenterPipelineMode(connection) &&
	       PQsendQueryParams(connection, set, 0, NULL, NULL, NULL, NULL, 0) &&
	       PQsendPrepare(connection, prepared_name, session->settings->statement, 0, NULL) &&
	       PQsendDescribePrepared(connection, prepared_name) && PQpipelineSync(connection);
}

static void go_on_connecting(struct pg_session *session)
{
	PostgresPollingStatusType next;

	/* libpq may close the socket and open another of the same number. */
	if (session->poll)
		uv_poll_stop(session->poll);
	next = PQconnectPoll(session->connection);
	switch (next) {
	case PGRES_POLLING_READING:
	case PGRES_POLLING_WRITING:
		if (!watch(session, next == PGRES_POLLING_READING ? UV_READABLE : UV_WRITABLE))
			fail(session, OUTCOME_RETRY, "PostgreSQL: its socket can't be watched");
		break;
	case PGRES_POLLING_OK:
		session->state = PREPARING;
		/* The server says itself what it waits for in vain. */
		set_timer(session, session->settings->timeout_ms + LATE_MS);
		if (!begin_preparing(session))
			fail_connection(session);
		else
			flush(session);
		break;
	default:
		fail_connection(session);
		break;
	}
}

/* libpq would print them. */
static void ignore_notice(void *arg, const PGresult *notice)
{
	(void)arg;
	(void)notice;
}

static void start_connecting(struct pg_session *session)
{
	struct pg_options options = *session->settings->options;

	if (session->addresses[0]) {
		pg_options_add(&options, "host", session->hosts);
		pg_options_add(&options, "hostaddr", session->addresses);
	}
	options.keywords[options.count] = options.values[options.count] = NULL;
	session->state = CONNECTING;
	session->connection = PQconnectStartParams(options.keywords, options.values, 1);
	PQsetNoticeReceiver(session->connection, ignore_notice, NULL);
	if (!session->connection)
		fail(session, OUTCOME_RETRY, "out of memory");
	else if (PQstatus(session->connection) == CONNECTION_BAD)
		fail_connection(session);
	/* As if it had said PGRES_POLLING_WRITING: so libpq's documentation. */
	else if (!watch(session, UV_WRITABLE))
		fail(session, OUTCOME_RETRY, "PostgreSQL: its socket can't be watched");
}

/* libpq takes a list of addresses, and one of as many names to check certificates by. */
static void add_address(struct pg_session *session, const struct sockaddr *address)
{
	const char *comma = session->addresses[0] ? "," : "";
	char text[64];
	size_t hosts = strlen(session->hosts), addresses = strlen(session->addresses);
	int failed = address->sa_family == AF_INET
	                     ? uv_ip4_name((const struct sockaddr_in *)(const void *)address, text,
	                                   sizeof(text))
	             : address->sa_family == AF_INET6
	                     ? uv_ip6_name((const struct sockaddr_in6 *)(const void *)address, text,
	                                   sizeof(text))
	                     : -1;
	const char *host = session->settings->options->host;

	if (failed || hosts + strlen(host) + 2 > sizeof(session->hosts) ||
	    addresses + strlen(text) + 2 > sizeof(session->addresses))
		return;
	snprintf(session->hosts + hosts, sizeof(session->hosts) - hosts, "%s%s", comma, host);
	snprintf(session->addresses + addresses, sizeof(session->addresses) - addresses, "%s%s",
	         comma, text);
}

static void on_looked_up(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
	struct pg_session *session = lookup->data;
	char reason[PG_REASON_SIZE];
	int count = 0;

	if (session->state != GONE && status == 0) {
		for (const struct addrinfo *at = found; at && count < ADDRESSES_MAX;
		     at = at->ai_next, count++)
			add_address(session, at->ai_addr);
		start_connecting(session);
	} else if (session->state != GONE) {
		snprintf(reason, sizeof(reason), "PostgreSQL: the host %.128s is not known: %s",
		         session->settings->options->host, uv_strerror(status));
		fail(session, OUTCOME_RETRY, reason);
	}
	uv_freeaddrinfo(found);
	release(session);
}

/* From the loop, so that a failure does not come from within pg_session_create. */
static void on_begin(uv_timer_t *timer)
{
	struct pg_session *session = timer->data;

	set_timer(session, session->settings->timeout_ms);
	start_connecting(session);
}

static bool look_up(struct pg_session *session)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };

	session->lookup.data = session;
	if (uv_getaddrinfo(session->settings->loop, &session->lookup, on_looked_up,
	                   session->settings->options->host, NULL, &hints) != 0)
		return false;
	session->references++;
	set_timer(session, session->settings->timeout_ms);
	return true;
}

struct pg_session *pg_session_create(const struct pg_session_settings *settings, void *arg)
{
	struct pg_session *session = calloc(1, sizeof(*session));
	size_t count = settings->parameters + 1;

	if (!session)
		return NULL;
	session->settings = settings;
	session->arg = arg;
	session->references = 1;
	session->json = calloc(count, sizeof(*session->json));
	session->binary = calloc(count, sizeof(*session->binary));
	session->values = calloc(count, sizeof(*session->values));
	session->lengths = calloc(count, sizeof(*session->lengths));
	session->formats = calloc(count, sizeof(*session->formats));
	if (!session->json || !session->binary || !session->values || !session->lengths ||
	    !session->formats) {
		release(session);
		return NULL;
	}
	uv_timer_init(settings->loop, &session->timer);
	session->timer.data = session;
	if (!settings->options->host || !look_up(session))
		uv_timer_start(&session->timer, on_begin, 0, 0);
	return session;
}

/* --- preparing --- */

static void take_description(struct pg_session *session, const PGresult *result)
{
	size_t count = (size_t)PQnparams(result);

	if (count != session->settings->parameters) {
		session->failed = true;
		session->outcome = OUTCOME_RETRY;
		snprintf(session->reason, sizeof(session->reason),
		         "the statement has %zu parameters, and the target %zu", count,
		         session->settings->parameters);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		Oid type = PQparamtype(result, (int)i);

		session->json[i] = type == OID_JSON || type == OID_JSONB;
		session->binary[i] = type == OID_BYTEA;
	}
}

const bool *pg_session_json(const struct pg_session *session)
{
	return session->json;
}

static void become_ready(struct pg_session *session)
{
	session->state = READY;
	session->rows = NULL;
	uv_timer_stop(&session->timer);
	session->settings->events->ready(session->arg);
}

/* --- rows --- */

bool pg_session_can_take(const struct pg_session *session, const struct sql_row *row,
                         char reason[PG_REASON_SIZE])
{
	for (size_t i = 0; i < row->count; i++)
		if (row->values[i].type == SQL_BYTES && !session->binary[i]) {
			snprintf(reason, PG_REASON_SIZE,
			         "parameter %zu is no UTF-8 or holds a NUL: only a bytea can be "
			         "that",
			         i + 1);
			return false;
		}
	return true;
}

static bool send_row(struct pg_session *session, const struct sql_row *row)
{
	for (size_t i = 0; i < row->count; i++) {
		const struct sql_value *value = &row->values[i];

		session->values[i] = value->type == SQL_NULL ? NULL : value->text.data;
		session->lengths[i] = (int)value->text.len;
		session->formats[i] = session->binary[i];
	}
	return PQsendQueryPrepared(session->connection, prepared_name, (int)row->count,
	                           session->values, session->lengths, session->formats, 0);
}

static void send_rows(struct pg_session *session, enum state state)
{
	bool sent = true;

	session->state = state;
	session->group = session->commands = 0;
	session->failed = false;
	for (size_t i = 0; i < session->count && sent; i++)
		sent = send_row(session, session->rows[i]) &&
		       ((state == TOGETHER && i + 1 < session->count) ||
		        PQpipelineSync(session->connection));
	set_timer(session, session->settings->timeout_ms + LATE_MS);
	if (!sent)
		fail_connection(session);
	else
		flush(session);
}

void pg_session_run(struct pg_session *session, struct sql_row *const *rows, size_t count)
{
	session->rows = rows;
	session->count = count;
	session->suspect = false;
	send_rows(session, count > 1 ? TOGETHER : APART);
}

static void end_row(struct pg_session *session, size_t index)
{
	session->settings->events->row_done(session->arg, index,
	                                    session->failed ? session->outcome : OUTCOME_DONE,
	                                    session->failed ? session->reason : "-");
}

/* A transaction is committed, or was undone. */
static void on_sync(struct pg_session *session)
{
	enum state state = session->state;
	size_t group = session->group++;

	if (state == PREPARING && session->failed) {
		fail(session, session->outcome, session->reason);
		return;
	}
	if (state == TOGETHER && session->failed) {
		send_rows(session, APART);
		return;
	}
	if (state == APART)
		end_row(session, group);
	for (size_t i = 0; state == TOGETHER && i < session->count; i++)
		end_row(session, i);
	session->failed = false;
	session->commands = 0;
	if (state == APART && session->group < session->count)
		return;
	if (session->suspect)
		fail(session, OUTCOME_RETRY, "PostgreSQL: connects anew after a failure");
	else
		become_ready(session);
}

static void on_result(struct pg_session *session, const PGresult *result)
{
	switch (PQresultStatus(result)) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
	case PGRES_PIPELINE_ABORTED:
		if (session->state == PREPARING && session->commands == PREPARING_COMMANDS - 1 &&
		    PQresultStatus(result) == PGRES_COMMAND_OK)
			take_description(session, result);
		break;
	default:
		note_failure(session, result);
		break;
	}
}

/* A statement's results end with none; a sync has one, and that is its end. */
static void read_results(struct pg_session *session)
{
	bool none = false;

	while (session->state != GONE && session->state != READY &&
	       !PQisBusy(session->connection)) {
		PGresult *result = PQgetResult(session->connection);
		bool sync = result && PQresultStatus(result) == PGRES_PIPELINE_SYNC;

		if (!result && none)
			return; /* there is no more for now */
		none = !result;
		if (!result)
			session->commands++;
		else if (!sync)
			on_result(session, result);
		PQclear(result);
		if (sync)
			on_sync(session);
	}
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct pg_session *session = poll->data;

	if (session->state == CONNECTING) {
		go_on_connecting(session);
		return;
	}
	if (status < 0 || ((events & UV_READABLE) && !PQconsumeInput(session->connection))) {
		read_results(session); /* its last words */
		if (session->state != GONE)
			fail_connection(session);
		return;
	}
	read_results(session);
	if (session->state == GONE)
		return;
	if (PQstatus(session->connection) == CONNECTION_BAD)
		fail_connection(session);
	else
		flush(session);
}
