/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * PostgreSQL: connections, as many as the target's concurrency at most, opened one after another when
 * there is work for one more. Each carries a lot at a time, what one call of send brought.
 */
#include <stdlib.h>

#include "lots.h"
#include "pg_session.h"
#include "sql.h"

struct pg_connection {
	struct pg_connection *next;
	struct postgres *postgres;
	struct pg_session *session;
	bool ready; /* and idle, when it has no lot */
	struct lot *lot;
	/* Of its lot, for its session: owned. */
	struct sql_row **rows;
	size_t *indexes; /* of each row's delivery in the lot */
	size_t row_count;
};

struct postgres {
	struct outlet outlet;
	struct pg_options *options;
	struct sql_parameters *parameters;
	char *statement;
	struct pg_session_settings settings;
	size_t most, count;
	bool connecting; /* one of them is */
	bool closing;
	struct pg_connection *connections;
	struct lots waiting;
};

static void dispatch(struct postgres *postgres);

/* --- lots --- */

static void free_rows(struct pg_connection *connection)
{
	for (size_t i = 0; i < connection->row_count; i++)
		sql_row_destroy(connection->rows[i]);
	free(connection->rows);
	free(connection->indexes);
	connection->rows = NULL;
	connection->indexes = NULL;
	connection->row_count = 0;
}

/* Ends what is left of its lot. The connection may be given another from within. */
static void end_its_lot(struct pg_connection *connection, const char *reason)
{
	struct lot *lot = connection->lot;

	connection->lot = NULL;
	free_rows(connection);
	lot_end(lot, OUTCOME_RETRY, reason);
}

/* The values of an event, for that session. One that has none is ended. */
static void make_row(struct pg_connection *connection, size_t index)
{
	const struct pg_session *session = connection->session;
	const struct delivery *delivery = connection->lot->deliveries[index];
	char reason[PG_REASON_SIZE];
	struct sluice_error error;
	struct sql_row *row;
	enum sluice_status status =
	        sql_row_create(connection->postgres->parameters, &delivery->vars,
	                       pg_session_json(session), &row, &error);

	if (status) {
		delivery_done(lot_take(connection->lot, index),
		              status == SLUICE_ERR_NOMEM ? OUTCOME_RETRY : OUTCOME_PERMANENT,
		              DELIVERY_NO_HINT, "%s", error.message);
	} else if (!pg_session_can_take(session, row, reason)) {
		sql_row_destroy(row);
		delivery_done(lot_take(connection->lot, index), OUTCOME_PERMANENT, DELIVERY_NO_HINT,
		              "%s", reason);
	} else {
		connection->indexes[connection->row_count] = index;
		connection->rows[connection->row_count++] = row;
	}
}

static void give(struct pg_connection *connection, struct lot *lot)
{
	connection->ready = false;
	connection->lot = lot;
	connection->rows = calloc(lot->count, sizeof(*connection->rows));
	connection->indexes = calloc(lot->count, sizeof(*connection->indexes));
	if (connection->rows && connection->indexes)
		for (size_t i = 0; i < lot->count; i++)
			make_row(connection, i);
	if (connection->row_count > 0) {
		pg_session_run(connection->session, connection->rows, connection->row_count);
		return;
	}
	end_its_lot(connection, "out of memory");
	connection->ready = true;
}

/* --- what a session tells --- */

static void on_ready(void *arg)
{
	struct pg_connection *connection = arg;
	struct postgres *postgres = connection->postgres;

	if (!connection->lot)
		postgres->connecting = false;
	end_its_lot(connection, "-"); /* nothing is left of it */
	connection->ready = true;
	dispatch(postgres);
}

static void on_row_done(void *arg, size_t index, enum outcome outcome, const char *reason)
{
	struct pg_connection *connection = arg;

	delivery_done(lot_take(connection->lot, connection->indexes[index]), outcome,
	              DELIVERY_NO_HINT, "%s", reason);
}

static void remove_connection(struct pg_connection *connection, const char *reason)
{
	struct pg_connection **at = &connection->postgres->connections;

	while (*at != connection)
		at = &(*at)->next;
	*at = connection->next;
	connection->postgres->count--;
	end_its_lot(connection, reason);
	free(connection);
}

static void on_failed(void *arg, enum outcome outcome, const char *reason)
{
	struct pg_connection *connection = arg;
	struct postgres *postgres = connection->postgres;
	bool was_connecting = !connection->lot && !connection->ready;

	if (was_connecting)
		postgres->connecting = false;
	remove_connection(connection, reason);
	/* Where another connection lives, those that wait may wait for it. */
	if (was_connecting && !postgres->connections)
		lots_end(&postgres->waiting, outcome, reason);
	dispatch(postgres);
}

static const struct pg_session_events events = { on_ready, on_row_done, on_failed };

/* --- work --- */

static bool connect_one(struct postgres *postgres)
{
	struct pg_connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return false;
	connection->postgres = postgres;
	connection->session = pg_session_create(&postgres->settings, connection);
	if (!connection->session) {
		free(connection);
		return false;
	}
	connection->next = postgres->connections;
	postgres->connections = connection;
	postgres->count++;
	postgres->connecting = true;
	return true;
}

static struct pg_connection *find_idle(struct postgres *postgres)
{
	struct pg_connection *connection = postgres->connections;

	while (connection && !connection->ready)
		connection = connection->next;
	return connection;
}

static void dispatch(struct postgres *postgres)
{
	while (postgres->waiting.first && !postgres->closing) {
		struct pg_connection *connection = find_idle(postgres);

		if (connection) {
			give(connection, lots_take(&postgres->waiting));
			continue;
		}
		if (postgres->connecting || postgres->count >= postgres->most)
			return;
		if (!connect_one(postgres))
			lot_end(lots_take(&postgres->waiting), OUTCOME_RETRY, "out of memory");
	}
}

static void postgres_send(struct outlet *outlet, struct delivery *const *deliveries, size_t count)
{
	struct postgres *postgres = (struct postgres *)outlet;

	lots_add(&postgres->waiting, deliveries, count);
	dispatch(postgres);
}

/* --- the outlet --- */

static void postgres_close(struct outlet *outlet)
{
	struct postgres *postgres = (struct postgres *)outlet;

	postgres->closing = true;
	lots_end(&postgres->waiting, OUTCOME_LET_GO, "-");
	while (postgres->connections) {
		pg_session_close(postgres->connections->session);
		remove_connection(postgres->connections,
		                  "its transaction was under way when its target ended");
	}
	pg_options_destroy(postgres->options);
	sql_parameters_destroy(postgres->parameters);
	free(postgres->statement);
	free(postgres);
}

static struct outlet *postgres_open(const struct outlet_context *context,
                                    struct sluice_error *error)
{
	struct sluice_str statement = sluice_setting_text(context->settings, "statement");
	struct postgres *postgres = calloc(1, sizeof(*postgres));

	if (!postgres) {
		sluice_out_of_memory(error);
		return NULL;
	}
	postgres->outlet.kind = &sql_postgres;
	lots_init(&postgres->waiting);
	postgres->most = (size_t)context->delivery->concurrency;
	postgres->statement = calloc(1, statement.len + 1);
	if (!postgres->statement) {
		sluice_out_of_memory(error);
		postgres_close(&postgres->outlet);
		return NULL;
	}
	memcpy(postgres->statement, statement.data, statement.len);
	if (sql_parameters_create(sluice_setting_node(context->settings, "parameters"),
	                          &postgres->parameters, error) != SLUICE_OK ||
	    pg_options_create(sluice_setting_text(context->settings, "url"), context->credentials,
	                      &postgres->options, error) != SLUICE_OK) {
		postgres_close(&postgres->outlet);
		return NULL;
	}
	postgres->settings = (struct pg_session_settings){
		.loop = context->loop,
		.options = postgres->options,
		.statement = postgres->statement,
		.parameters = sql_parameters_count(postgres->parameters),
		.timeout_ms = context->delivery->timeout_ms,
		.events = &events,
	};
	return &postgres->outlet;
}

const struct outlet_kind sql_postgres = {
	.name = "sql",
	.open = postgres_open,
	.send = postgres_send,
	.close = postgres_close,
};
