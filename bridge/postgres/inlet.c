/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The connection of a source of kind postgres:
 *
 *	timer ──> connecting, on a thread ──> steps (setup.c) ──> stream (replication.c)
 *	  ^             │                        │                   │
 *	  └─────────────┴──────── a failure ─────┴───────────────────┘
 *
 * libpq resolves names while it connects, and would hold up the loop; all else is asked of it without
 * waiting.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres.h"

enum {
	RETRY_MS = 500,
	RETRY_MAX_MS = 15000,
	BUSY_MS = 200, /* another has the slot: maybe ours of a moment ago */
	BUSY_MAX_MS = 2000,
	SETTLE_MS = 200,   /* the broker has records of the connection before */
	NAME_MAX_LEN = 63, /* PostgreSQL's, of slots and publications */
	PARAMETERS_MAX = 16,
};

struct parameter {
	const char *name;
	char *value; /* owned */
};

struct postgres_connecting {
	uv_work_t work;
	struct postgres_inlet *inlet; /* NULL: it was closed meanwhile */
	struct parameter parameters[PARAMETERS_MAX];
	size_t count;
	PGconn *connection;
	bool out_of_memory;
};

static void connect_soon(struct postgres_inlet *inlet, uint64_t ms);

/* --- the socket --- */

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

static void disconnect(struct postgres_inlet *inlet)
{
	inlet->streaming = false;
	uv_timer_stop(&inlet->timer);
	/* The poll first: libpq closes the socket. */
	if (inlet->poll)
		uv_close((uv_handle_t *)inlet->poll, free_handle);
	inlet->poll = NULL;
	PQfinish(inlet->connection);
	inlet->connection = NULL;
}

static void fail(struct postgres_inlet *inlet, const char *text, uint64_t ms)
{
	source_trouble(inlet->source, text);
	disconnect(inlet);
	/* The server sends them again. */
	change_stream_drop_waiting(inlet->stream);
	connect_soon(inlet, ms);
}

/* Tries again in a while, twice as long as the time before. */
static void retry(struct postgres_inlet *inlet, const char *text, uint64_t first_ms,
                  uint64_t max_ms)
{
	inlet->retry_ms = inlet->retry_ms ? inlet->retry_ms * 2 : first_ms;
	if (inlet->retry_ms > max_ms)
		inlet->retry_ms = max_ms;
	fail(inlet, text, inlet->retry_ms);
}

void postgres_fail(struct postgres_inlet *inlet, const char *text)
{
	retry(inlet, text, RETRY_MS, RETRY_MAX_MS);
}

static void ask_step(struct postgres_inlet *inlet);

/* A step's results, as far as they have come. */
static void read_step(struct postgres_inlet *inlet)
{
	struct sluice_error error;
	enum sluice_status status = SLUICE_OK;

	while (status == SLUICE_OK && !PQisBusy(inlet->connection)) {
		PGresult *result = PQgetResult(inlet->connection);
		if (!result) {
			inlet->step++;
			ask_step(inlet);
			return;
		}
		switch (PQresultStatus(result)) {
		case PGRES_COPY_BOTH:
			PQclear(result);
			postgres_stream_begin(inlet);
			postgres_stream_read(inlet);
			return;
		case PGRES_TUPLES_OK:
		case PGRES_COMMAND_OK:
			status = postgres_steps[inlet->step].take(inlet, result, &error);
			break;
		default:
			status = SLUICE_ERR_IO;
			postgres_result_error(result, &error);
			/* Another bridge was a little quicker. */
			if (PQresultErrorField(result, PG_DIAG_SQLSTATE) &&
			    strcmp(PQresultErrorField(result, PG_DIAG_SQLSTATE), "55006") == 0)
				status = SLUICE_ERR_BUSY;
		}
		PQclear(result);
	}
	if (status == SLUICE_ERR_BUSY)
		retry(inlet, error.message, BUSY_MS, BUSY_MAX_MS);
	else if (status != SLUICE_OK)
		postgres_fail(inlet, error.message);
	else
		postgres_watch(inlet);
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
	struct postgres_inlet *inlet = poll->data;
	int flushed = 0;

	if (status < 0 || ((events & UV_READABLE) && !PQconsumeInput(inlet->connection))) {
		postgres_fail(inlet, "the connection to PostgreSQL broke");
		return;
	}
	if (inlet->unsent)
		flushed = PQflush(inlet->connection);
	if (flushed < 0) {
		postgres_fail(inlet, "the connection to PostgreSQL broke");
		return;
	}
	inlet->unsent = flushed > 0;
	if (inlet->streaming)
		postgres_stream_read(inlet);
	else
		read_step(inlet);
}

void postgres_watch(struct postgres_inlet *inlet)
{
	int events = (inlet->streaming && inlet->paused ? 0 : UV_READABLE) |
	             (inlet->unsent ? UV_WRITABLE : 0);

	if (events == 0)
		uv_poll_stop(inlet->poll);
	else if (uv_poll_start(inlet->poll, events, on_socket) != 0)
		postgres_fail(inlet, "the connection to PostgreSQL can't be watched");
}

/* Sends the next step's command; those that need none are passed over. */
static void ask_step(struct postgres_inlet *inlet)
{
	struct sluice_buffer command = { 0 };
	struct sluice_error error;
	enum sluice_status status = SLUICE_OK;
	int flushed;

	for (; inlet->step < postgres_step_count; inlet->step++) {
		status = postgres_steps[inlet->step].ask(inlet, &command, &error);
		if (status == SLUICE_OK && command.failed)
			status = sluice_out_of_memory(&error);
		if (status != SLUICE_OK || command.len > 0)
			break;
	}
	if (status == SLUICE_OK && inlet->step == postgres_step_count)
		status = sluice_error_set(&error, SLUICE_ERR_IO, SIZE_MAX, NULL,
		                          "PostgreSQL begins no stream");
	if (status == SLUICE_OK && !PQsendQuery(inlet->connection, command.data))
		status = sluice_error_set(&error, SLUICE_ERR_IO, SIZE_MAX, NULL,
		                          "the connection to PostgreSQL broke");
	sluice_buffer_finish(&command);
	if (status != SLUICE_OK) {
		postgres_fail(inlet, error.message);
		return;
	}
	flushed = PQflush(inlet->connection);
	inlet->unsent = flushed > 0;
	if (flushed < 0)
		postgres_fail(inlet, "the connection to PostgreSQL broke");
	else
		postgres_watch(inlet);
}

/* --- connecting --- */

static void free_connecting(struct postgres_connecting *connecting)
{
	for (size_t i = 0; i < connecting->count; i++) {
		if (connecting->parameters[i].value)
			explicit_bzero(connecting->parameters[i].value,
			               strlen(connecting->parameters[i].value));
		free(connecting->parameters[i].value);
	}
	free(connecting);
}

static void add_parameter(struct postgres_connecting *connecting, const char *name,
                          struct sluice_str value)
{
	struct parameter *parameter = &connecting->parameters[connecting->count];

	if (!value.data)
		return;
	parameter->name = name;
	parameter->value = strndup(value.data, value.len);
	if (!parameter->value)
		connecting->out_of_memory = true;
	connecting->count++;
}

/* What comes later counts. */
static void add_parameters(struct postgres_connecting *connecting, const char *url,
                           const struct credentials *credentials)
{
	add_parameter(connecting, "connect_timeout", SLUICE_STR("10"));
	add_parameter(connecting, "tcp_user_timeout", SLUICE_STR("30000"));
	add_parameter(connecting, "application_name", SLUICE_STR("sluice-bridge"));
	add_parameter(connecting, "dbname", sluice_str(url));
	if (credentials_are(credentials, "basic")) {
		add_parameter(connecting, "user", credentials_setting(credentials, "username"));
		add_parameter(connecting, "password",
		              sluice_str(credentials_secret(credentials, "password")));
	}
	if (credentials) {
		add_parameter(connecting, "sslrootcert",
		              credentials_setting(credentials, "ca_file"));
		if (credentials_setting(credentials, "ca_file").data)
			add_parameter(connecting, "sslmode", SLUICE_STR("verify-full"));
		add_parameter(connecting, "sslcert", credentials_setting(credentials, "cert_file"));
		add_parameter(connecting, "sslkey", credentials_setting(credentials, "key_file"));
	}
	add_parameter(connecting, "client_encoding", SLUICE_STR("UTF8"));
	add_parameter(connecting, "replication", SLUICE_STR("database"));
}

static void connect_on_thread(uv_work_t *work)
{
	struct postgres_connecting *connecting = work->data;
	const char *names[PARAMETERS_MAX + 1] = { NULL }, *values[PARAMETERS_MAX + 1] = { NULL };

	for (size_t i = 0; i < connecting->count; i++) {
		names[i] = connecting->parameters[i].name;
		values[i] = connecting->parameters[i].value;
	}
	connecting->connection = PQconnectdbParams(names, values, 1);
}

static void ignore_notice(void *arg, const char *message)
{
	(void)arg, (void)message;
}

/* libpq's message, without its end of line. */
static void connection_error(PGconn *connection, struct sluice_error *error)
{
	const char *message = PQerrorMessage(connection);
	size_t len = strlen(message);

	while (len > 0 && isspace((unsigned char)message[len - 1]))
		len--;
	(void)sluice_error_set(error, SLUICE_ERR_IO, SIZE_MAX, NULL, "%.*s", (int)len, message);
}

static void connected(struct postgres_inlet *inlet, PGconn *connection)
{
	struct sluice_error error;

	inlet->connection = connection;
	if (!connection || PQstatus(connection) != CONNECTION_OK) {
		if (connection)
			connection_error(connection, &error);
		else
			(void)sluice_out_of_memory(&error);
		postgres_fail(inlet, error.message);
		return;
	}
	PQsetNoticeProcessor(connection, ignore_notice, NULL);
	inlet->poll = malloc(sizeof(*inlet->poll));
	if (inlet->poll && uv_poll_init(inlet->loop, inlet->poll, PQsocket(connection)) != 0) {
		free(inlet->poll);
		inlet->poll = NULL;
	}
	if (!inlet->poll || PQsetnonblocking(connection, 1) != 0) {
		postgres_fail(inlet, "the connection to PostgreSQL can't be watched");
		return;
	}
	inlet->poll->data = inlet;
	inlet->step = 0;
	inlet->unsent = false;
	ask_step(inlet);
}

static void after_connecting(uv_work_t *work, int status)
{
	struct postgres_connecting *connecting = work->data;
	struct postgres_inlet *inlet = connecting->inlet;
	PGconn *connection = connecting->connection;

	(void)status;
	free_connecting(connecting);
	if (!inlet) {
		PQfinish(connection);
		return;
	}
	inlet->connecting = NULL;
	connected(inlet, connection);
}

static void on_connect_timer(uv_timer_t *timer)
{
	struct postgres_inlet *inlet = timer->data;
	struct postgres_connecting *connecting;

	/* What the broker has of the connection before would else come after what is sent anew. */
	if (!change_stream_is_empty(inlet->stream)) {
		connect_soon(inlet, SETTLE_MS);
		return;
	}
	connecting = calloc(1, sizeof(*connecting));
	if (!connecting) {
		postgres_fail(inlet, "out of memory");
		return;
	}
	add_parameters(connecting, inlet->url, inlet->credentials);
	connecting->inlet = inlet;
	connecting->work.data = connecting;
	if (connecting->out_of_memory || uv_queue_work(inlet->loop, &connecting->work,
	                                               connect_on_thread, after_connecting) != 0) {
		free_connecting(connecting);
		postgres_fail(inlet, "out of memory");
		return;
	}
	inlet->connecting = connecting;
}

static void connect_soon(struct postgres_inlet *inlet, uint64_t ms)
{
	uv_timer_start(&inlet->timer, on_connect_timer, ms, 0);
}

/* --- the source --- */

/* A name that PostgreSQL takes for slots: of small letters, digits and _. */
static char *default_name(struct sluice_str name)
{
	static const char prefix[] = "sluice_";
	size_t len = sizeof(prefix) - 1 + name.len;
	char *made = malloc(len + 1);

	if (!made)
		return NULL;
	memcpy(made, prefix, sizeof(prefix) - 1);
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.data[i];
		made[sizeof(prefix) - 1 + i] = (char)(isalnum(c) ? tolower(c) : '_');
	}
	made[len < NAME_MAX_LEN ? len : NAME_MAX_LEN] = '\0';
	return made;
}

static char *name_setting(const struct sluice_bridge_source *definition, const char *setting)
{
	struct sluice_str name = sluice_setting_text(definition->settings, setting);

	return name.data ? strndup(name.data, name.len) : default_name(definition->name);
}

static void free_inlet(struct postgres_inlet *inlet)
{
	pgoutput_destroy(inlet->decoder);
	sluice_buffer_finish(&inlet->missing_tables);
	free(inlet->publication);
	free(inlet->slot);
	free(inlet->system);
	free(inlet->url);
	free(inlet);
}

static void on_closed(uv_handle_t *handle)
{
	free_inlet(handle->data);
}

/* libpq's own words would show what stands in it. */
static enum sluice_status check_url(const char *url, struct sluice_error *error)
{
	char *message = NULL;
	PQconninfoOption *options = PQconninfoParse(url, &message);

	PQfreemem(message);
	if (!options)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.settings.url",
		                        "this is no connection string of PostgreSQL's");
	PQconninfoFree(options);
	return SLUICE_OK;
}

static struct inlet *open_inlet(const struct inlet_context *context, struct sluice_error *error)
{
	const struct sluice_bridge_source *definition = context->definition;
	struct sluice_str url = sluice_setting_text(definition->settings, "url");
	struct postgres_inlet *inlet = calloc(1, sizeof(*inlet));

	if (!inlet) {
		(void)sluice_out_of_memory(error);
		return NULL;
	}
	inlet->inlet.kind = &inlet_postgres;
	inlet->loop = context->loop;
	inlet->source = context->source;
	inlet->credentials = context->credentials;
	inlet->tables = sluice_setting_node(definition->settings, "tables");
	inlet->create = sluice_setting_bool(definition->kind, definition->settings, "create");
	inlet->url = strndup(url.data, url.len);
	inlet->publication = name_setting(definition, "publication");
	inlet->slot = name_setting(definition, "slot");
	if (!inlet->url || !inlet->publication || !inlet->slot) {
		(void)sluice_out_of_memory(error);
		free_inlet(inlet);
		return NULL;
	}
	if (check_url(inlet->url, error) != SLUICE_OK) {
		free_inlet(inlet);
		return NULL;
	}
	inlet->stream = change_stream_create(context->loop, context->source,
	                                     &postgres_stream_events, inlet);
	if (!inlet->stream || uv_timer_init(context->loop, &inlet->timer) != 0) {
		(void)sluice_out_of_memory(error);
		change_stream_close(inlet->stream);
		free_inlet(inlet);
		return NULL;
	}
	inlet->timer.data = inlet;
	connect_soon(inlet, 0);
	return &inlet->inlet;
}

static void resume_inlet(struct inlet *inlet)
{
	change_stream_resume(((struct postgres_inlet *)inlet)->stream);
}

static void close_inlet(struct inlet *base)
{
	struct postgres_inlet *inlet = (struct postgres_inlet *)base;

	/* What was taken in since is told, if the socket takes it. */
	if (inlet->streaming && inlet->told < inlet->confirmed)
		postgres_stream_status(inlet);
	if (inlet->connecting) {
		/* It ends with its timeout, and frees itself. */
		inlet->connecting->inlet = NULL;
		(void)uv_cancel((uv_req_t *)&inlet->connecting->work);
	}
	disconnect(inlet);
	change_stream_close(inlet->stream);
	uv_close((uv_handle_t *)&inlet->timer, on_closed);
}

const struct inlet_kind inlet_postgres = {
	.name = "postgres",
	.open = open_inlet,
	.resume = resume_inlet,
	.close = close_inlet,
};
