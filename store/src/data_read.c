/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Reading queues: what is ready, held, there at all; how much. */
#include "data_internal.h"

/* Columns before those of the event, see ROW_COLUMNS in data_sql.c. */
enum {
	ROW_MESSAGE,
	ROW_ID,
	ROW_QUEUE,
	ROW_STATE,
	ROW_ATTEMPTS,
	ROW_DUE,
	ROW_DEADLINE,
	ROW_RECEIPT,
	ROW_WORKER,
	ROW_REASON,
	ROW_ENQUEUED,
	ROW_GROUP,
	ROW_ORIGIN,
	ROW_ERROR,
	ROW_BUS,
	ROW_EVENT,
};

bool data_read_row(sqlite3_stmt *stmt, struct sluice_record *row)
{
	memset(row, 0, sizeof(*row));
	row->kind = SLUICE_RECORD_ENQUEUE;
	row->id = (uint64_t)sqlite3_column_int64(stmt, ROW_ID);
	row->queue = store_column(stmt, ROW_QUEUE);
	row->parked = sqlite3_column_int(stmt, ROW_STATE) == DATA_STATE_PARKED;
	row->attempts = (uint32_t)sqlite3_column_int64(stmt, ROW_ATTEMPTS);
	row->due_ms = sqlite3_column_int64(stmt, ROW_DUE);
	row->deadline_ms = sqlite3_column_int64(stmt, ROW_DEADLINE);
	struct sluice_str receipt = data_blob(stmt, ROW_RECEIPT);
	if (receipt.data && receipt.len == sizeof(row->receipt))
		memcpy(row->receipt, receipt.data, receipt.len);
	row->worker = store_column(stmt, ROW_WORKER);
	row->reason = store_column(stmt, ROW_REASON);
	row->enqueued_ms = sqlite3_column_int64(stmt, ROW_ENQUEUED);
	row->group = store_column(stmt, ROW_GROUP);
	row->origin = store_column(stmt, ROW_ORIGIN);
	row->error = store_column(stmt, ROW_ERROR);
	row->bus = store_column(stmt, ROW_BUS);
	data_read_event(stmt, ROW_EVENT, row);
	return sqlite3_column_type(stmt, ROW_MESSAGE) != SQLITE_NULL;
}

/* Gives the rows that a statement selects, until fn has enough or `bytes` were given. */
static int give_rows(sqlite3_stmt *stmt, size_t bytes, sluice_data_row_fn fn, void *arg)
{
	int rc;
	size_t given = 0;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct sluice_record row;
		if (!data_read_row(stmt, &row)) {
			rc = SQLITE_CORRUPT;
			break;
		}
		given += row.payload.len;
		if (!fn(arg, &row) || (bytes && given >= bytes)) {
			rc = SQLITE_DONE;
			break;
		}
	}
	sqlite3_reset(stmt);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static enum sluice_status read_queue(struct sluice_data *data, enum data_sql sql,
                                     struct sluice_str queue, uint64_t after, size_t limit,
                                     size_t bytes, sluice_data_row_fn fn, void *arg,
                                     struct sluice_error *error)
{
	int rc;
	enum sluice_status status = data_read_begin(data, error);
	if (status != SLUICE_OK)
		return status;
	sqlite3_stmt *stmt = data_prepare(data, sql, &rc);
	if (stmt) {
		store_bind(stmt, 1, queue);
		sqlite3_bind_int64(stmt, 2, after > INT64_MAX ? INT64_MAX : (int64_t)after);
		/* SQLite takes a negative limit for none. */
		sqlite3_bind_int64(stmt, 3, limit && limit < INT64_MAX ? (int64_t)limit : -1);
		rc = give_rows(stmt, bytes, fn, arg);
	}
	return data_read_end(data, rc, error);
}

enum sluice_status sluice_data_ready(struct sluice_data *data, struct sluice_str queue,
                                     uint64_t after, size_t limit, size_t bytes,
                                     sluice_data_row_fn fn, void *arg, struct sluice_error *error)
{
	return read_queue(data, DATA_READY, queue, after, limit, bytes, fn, arg, error);
}

enum sluice_status sluice_data_held(struct sluice_data *data, struct sluice_str queue,
                                    sluice_data_row_fn fn, void *arg, struct sluice_error *error)
{
	return read_queue(data, DATA_HELD, queue, 0, 0, 0, fn, arg, error);
}

enum sluice_status sluice_data_peek(struct sluice_data *data, struct sluice_str queue,
                                    uint64_t after, size_t limit, sluice_data_row_fn fn, void *arg,
                                    struct sluice_error *error)
{
	return read_queue(data, DATA_PEEK, queue, after, limit, 0, fn, arg, error);
}

enum sluice_status sluice_data_dead_groups(struct sluice_data *data, struct sluice_str queue,
                                           struct sluice_str origin, sluice_data_row_fn fn,
                                           void *arg, struct sluice_error *error)
{
	int rc;
	enum sluice_status status = data_read_begin(data, error);
	if (status != SLUICE_OK)
		return status;
	sqlite3_stmt *stmt = data_prepare(data, DATA_DEAD_GROUPS, &rc);
	if (stmt) {
		store_bind(stmt, 1, queue);
		store_bind(stmt, 2, origin);
		while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
			struct sluice_record row = { .kind = SLUICE_RECORD_ENQUEUE,
				                     .queue = origin };
			row.group.data = (const char *)sqlite3_column_text(stmt, 0);
			row.group.len = (size_t)sqlite3_column_bytes(stmt, 0);
			row.attempts = (uint32_t)sqlite3_column_int64(stmt, 1);
			row.id = (uint64_t)sqlite3_column_int64(stmt, 2);
			if (!row.group.data)
				rc = SQLITE_NOMEM;
			if (!row.group.data || !fn(arg, &row))
				break;
		}
		sqlite3_reset(stmt);
		if (rc == SQLITE_ROW || rc == SQLITE_DONE)
			rc = SQLITE_OK;
	}
	return data_read_end(data, rc, error);
}

enum sluice_status sluice_data_count(struct sluice_data *data, struct sluice_str queue,
                                     struct sluice_data_counts *counts, struct sluice_error *error)
{
	int64_t row[5];
	memset(counts, 0, sizeof(*counts));
	enum sluice_status status = data_read_begin(data, error);
	if (status != SLUICE_OK)
		return status;
	int rc = data_one_row(data, DATA_COUNT, queue, NULL, 0, row, 5);
	if (rc == SQLITE_ROW)
		*counts = (struct sluice_data_counts){ .ready = (uint64_t)row[0],
			                               .held = (uint64_t)row[1],
			                               .parked = (uint64_t)row[2],
			                               .bytes = (uint64_t)row[3],
			                               .oldest_ms = row[4] };
	return data_read_end(data, rc, error);
}

static enum sluice_status read_names(struct sluice_data *data, enum data_sql sql,
                                     sluice_data_name_fn fn, void *arg, struct sluice_error *error)
{
	int rc;
	enum sluice_status status = data_read_begin(data, error);
	if (status != SLUICE_OK)
		return status;
	sqlite3_stmt *stmt = data_prepare(data, sql, &rc);
	if (stmt) {
		while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
			fn(arg, store_column(stmt, 0));
		sqlite3_reset(stmt);
	}
	return data_read_end(data, rc, error);
}

enum sluice_status sluice_archive_buses(struct sluice_data *data, sluice_data_name_fn fn, void *arg,
                                        struct sluice_error *error)
{
	return read_names(data, DATA_ARCHIVE_BUSES, fn, arg, error);
}
