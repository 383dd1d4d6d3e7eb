/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * SQLite: what came while the thread was at work goes in one transaction, so that a disk which is slow
 * makes the transactions larger, and not the queue.
 *
 *	send ──> waiting ──(values are made)──> job ──> uv_queue_work ──> outcomes
 *
 * The job has memory of its own: the outlet can give its deliveries back while the thread runs.
 */
#include <stdlib.h>

#include "sql.h"
#include "sqlite_table.h"

enum { JOB_MAX = 1000, BUSY_MAX_MS = 5000 };

struct sqlite_outlet {
	struct outlet outlet;
	uv_loop_t *loop;
	uv_work_t work;
	struct sql_parameters *parameters;
	struct sqlite_table *table;
	int64_t busy_ms;
	atomic_bool stop;
	bool working, closing;
	struct delivery *waiting, **waiting_end;
	/* The job. What the thread reads is rows and count, what it writes is results. */
	size_t count;
	struct delivery *deliveries[JOB_MAX]; /* NULL: it was given back */
	struct sql_row *rows[JOB_MAX];
	struct sqlite_result results[JOB_MAX];
};

static void start_job(struct sqlite_outlet *sqlite);

static void free_outlet(struct sqlite_outlet *sqlite)
{
	sqlite_table_destroy(sqlite->table);
	sql_parameters_destroy(sqlite->parameters);
	free(sqlite);
}

/* On a thread of the pool. */
static void on_work(uv_work_t *work)
{
	struct sqlite_outlet *sqlite = work->data;

	sqlite_table_run(sqlite->table, sqlite->rows, sqlite->count, sqlite->busy_ms, &sqlite->stop,
	                 sqlite->results);
}

static void on_worked(uv_work_t *work, int status)
{
	struct sqlite_outlet *sqlite = work->data;

	(void)status; /* cancelled only by close, after which nobody looks at the results */
	for (size_t i = 0; i < sqlite->count; i++) {
		struct delivery *delivery = sqlite->deliveries[i];
		const struct sqlite_result *result = &sqlite->results[i];

		sql_row_destroy(sqlite->rows[i]);
		if (delivery)
			delivery_done(delivery, result->outcome, DELIVERY_NO_HINT, "%s",
			              result->reason);
	}
	/* Until here what came in meanwhile had to wait. */
	sqlite->working = false;
	sqlite->count = 0;
	if (sqlite->closing)
		free_outlet(sqlite);
	else
		start_job(sqlite);
}

static struct delivery *take_waiting(struct sqlite_outlet *sqlite)
{
	struct delivery *delivery = sqlite->waiting;

	sqlite->waiting = delivery->next;
	if (!sqlite->waiting)
		sqlite->waiting_end = &sqlite->waiting;
	delivery->next = NULL;
	return delivery;
}

/* Its values, or its end. */
static void add_item(struct sqlite_outlet *sqlite, struct delivery *delivery)
{
	struct sluice_error error;
	enum sluice_status status = sql_row_create(sqlite->parameters, &delivery->vars, NULL,
	                                           &sqlite->rows[sqlite->count], &error);

	if (status == SLUICE_OK)
		sqlite->deliveries[sqlite->count++] = delivery;
	else
		delivery_done(delivery,
		              status == SLUICE_ERR_NOMEM ? OUTCOME_RETRY : OUTCOME_PERMANENT,
		              DELIVERY_NO_HINT, "%s", error.message);
}

static void start_job(struct sqlite_outlet *sqlite)
{
	if (sqlite->working)
		return;
	/* Others that are sent while one ends come to those that wait. */
	sqlite->working = true;
	while (sqlite->waiting && sqlite->count < JOB_MAX)
		add_item(sqlite, take_waiting(sqlite));
	if (sqlite->count == 0) {
		sqlite->working = false;
		return;
	}
	uv_queue_work(sqlite->loop, &sqlite->work, on_work, on_worked);
}

static void sqlite_send(struct outlet *outlet, struct delivery *const *deliveries, size_t count)
{
	struct sqlite_outlet *sqlite = (struct sqlite_outlet *)outlet;

	for (size_t i = 0; i < count; i++) {
		deliveries[i]->next = NULL;
		*sqlite->waiting_end = deliveries[i];
		sqlite->waiting_end = &deliveries[i]->next;
	}
	start_job(sqlite);
}

static void sqlite_close(struct outlet *outlet)
{
	struct sqlite_outlet *sqlite = (struct sqlite_outlet *)outlet;

	sqlite->closing = true;
	atomic_store(&sqlite->stop, true);
	while (sqlite->waiting)
		delivery_done(take_waiting(sqlite), OUTCOME_LET_GO, DELIVERY_NO_HINT, "-");
	for (size_t i = 0; i < sqlite->count; i++) {
		struct delivery *delivery = sqlite->deliveries[i];

		sqlite->deliveries[i] = NULL;
		delivery_done(delivery, OUTCOME_RETRY, DELIVERY_NO_HINT,
		              "its transaction was under way when its target ended");
	}
	if (!sqlite->working)
		free_outlet(sqlite);
	else
		uv_cancel((uv_req_t *)&sqlite->work); /* else it ends by itself, soon */
}

static struct outlet *sqlite_open(const struct outlet_context *context, struct sluice_error *error)
{
	struct sluice_str file = sluice_setting_text(context->settings, "url");
	struct sqlite_outlet *sqlite = calloc(1, sizeof(*sqlite));

	if (!sqlite) {
		sluice_out_of_memory(error);
		return NULL;
	}
	sqlite->outlet.kind = &sql_sqlite;
	sqlite->loop = context->loop;
	sqlite->work.data = sqlite;
	sqlite->waiting_end = &sqlite->waiting;
	sqlite->busy_ms = context->delivery->timeout_ms < BUSY_MAX_MS
	                          ? context->delivery->timeout_ms
	                          : BUSY_MAX_MS;
	if (sql_parameters_create(sluice_setting_node(context->settings, "parameters"),
	                          &sqlite->parameters, error) != SLUICE_OK) {
		free_outlet(sqlite);
		return NULL;
	}
	sqlite->table =
	        sqlite_table_create(file, sluice_setting_text(context->settings, "statement"),
	                            sql_parameters_count(sqlite->parameters));
	if (!sqlite->table) {
		sluice_out_of_memory(error);
		free_outlet(sqlite);
		return NULL;
	}
	return &sqlite->outlet;
}

const struct outlet_kind sql_sqlite = {
	.name = "sql",
	.open = sqlite_open,
	.send = sqlite_send,
	.close = sqlite_close,
};
