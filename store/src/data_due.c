/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Parked messages, and bringing those whose time has come. */
#include "data_internal.h"

/* Unparks the row that the statement stands on, which is reset: its row is gone from the index. */
static int unpark(struct sluice_data *data, struct data_name *queue, uint64_t id,
                  const struct sluice_record *row)
{
	int rc;
	sqlite3_stmt *stmt = data_prepare(data, DATA_ENTRY_SET, &rc);
	if (!stmt)
		return rc;
	const int64_t entry[] = {
		queue->number, DATA_STATE_PARKED, (int64_t)id, DATA_STATE_READY, row->attempts, 0, 0
	};
	data_bind_numbers(stmt, 1, entry, 7);
	rc = store_finish(stmt);
	if (rc == SQLITE_OK)
		data_count_change(queue, DATA_STATE_PARKED, DATA_STATE_READY);
	return rc;
}

/* One of them. SQLITE_ROW when there was one, and fn wants more; SQLITE_DONE when that was all. */
static int bring(struct sluice_data *data, int64_t now_ms, sluice_data_row_fn fn, void *arg)
{
	int rc;
	struct data_name *queue = NULL;
	struct sluice_record row;
	sqlite3_stmt *stmt = data_prepare(data, DATA_DUE, &rc);
	if (!stmt)
		return rc;
	sqlite3_bind_int64(stmt, 1, now_ms);
	rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW) {
		sqlite3_reset(stmt);
		return rc;
	}
	bool there = data_read_row(stmt, &row);
	rc = there && row.queue.data ? data_find_name(data, row.queue, &queue) : SQLITE_CORRUPT;
	if (rc == SQLITE_OK && !queue)
		rc = SQLITE_CORRUPT;
	bool more = false;
	if (rc == SQLITE_OK) {
		row.parked = false;
		row.due_ms = 0;
		more = fn(arg, &row);
	}
	sqlite3_reset(stmt);
	if (rc == SQLITE_OK)
		rc = unpark(data, queue, row.id, &row);
	return rc != SQLITE_OK ? rc : more ? SQLITE_ROW : SQLITE_DONE;
}

enum sluice_status sluice_data_due(struct sluice_data *data, int64_t now_ms, size_t limit,
                                   sluice_data_row_fn fn, void *arg, struct sluice_error *error)
{
	int rc = SQLITE_ROW;
	enum sluice_status status = data_change_begin(data, error);
	if (status != SLUICE_OK)
		return status;
	for (size_t i = 0; (i < limit || limit == 0) && rc == SQLITE_ROW; i++)
		rc = bring(data, now_ms, fn, arg);
	return data_change_end(data, data_fault(data, rc, "can't be read", error), error);
}

int64_t sluice_data_next_due(struct sluice_data *data)
{
	int64_t due_ms;
	int rc = data_one_row(data, DATA_NEXT_DUE, DATA_NO_TEXT, NULL, 0, &due_ms, 1);
	return rc == SQLITE_ROW ? due_ms : rc == SQLITE_DONE ? INT64_MAX : 0;
}
