/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What deduplication has seen; when schedules ran. */
#include "data_internal.h"

int data_seen_add(struct sluice_data *data, const struct sluice_record *record)
{
	struct data_name *scope;
	int rc = data_name(data, record->queue, &scope);
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_stmt *stmt = data_prepare(data, DATA_SEEN_ADD, &rc);
	if (!stmt)
		return rc;
	sqlite3_bind_int64(stmt, 1, scope->number);
	sqlite3_bind_int64(stmt, 2, record->dedup_until_ms);
	sqlite3_bind_blob(stmt, 3, record->dedup, sizeof(record->dedup), SQLITE_STATIC);
	return store_finish(stmt);
}

enum sluice_status sluice_data_seen(struct sluice_data *data, int64_t now_ms, sluice_data_row_fn fn,
                                    void *arg, struct sluice_error *error)
{
	int rc;
	enum sluice_status status = data_read_begin(data, error);
	if (status != SLUICE_OK)
		return status;
	sqlite3_stmt *stmt = data_prepare(data, DATA_SEEN, &rc);
	if (stmt) {
		sqlite3_bind_int64(stmt, 1, now_ms);
		while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
			struct sluice_record row = { .kind = SLUICE_RECORD_SEEN,
				                     .queue = store_column(stmt, 0),
				                     .dedup_until_ms =
				                             sqlite3_column_int64(stmt, 2) };
			struct sluice_str key = data_blob(stmt, 1);
			if (key.len != sizeof(row.dedup)) {
				rc = SQLITE_CORRUPT;
				break;
			}
			memcpy(row.dedup, key.data, key.len);
			if (!fn(arg, &row)) {
				rc = SQLITE_DONE;
				break;
			}
		}
		sqlite3_reset(stmt);
	}
	return data_read_end(data, rc, error);
}

enum sluice_status sluice_data_forget_seen(struct sluice_data *data, int64_t now_ms, size_t limit,
                                           bool *more, struct sluice_error *error)
{
	*more = false;
	enum sluice_status status = data_change_begin(data, error);
	if (status != SLUICE_OK)
		return status;
	int rc;
	int64_t scope = 0, left = limit && limit < INT64_MAX ? (int64_t)limit : INT64_MAX;
	/* Scope by scope, as long as one has something to forget. */
	while ((rc = data_one_row(data, DATA_SEEN_OLD, DATA_NO_TEXT, &now_ms, 1, &scope, 1)) ==
	               SQLITE_ROW &&
	       left > 0) {
		rc = data_run_with(data, DATA_SEEN_FORGET, (const int64_t[]){ scope, now_ms, left },
		                   3);
		if (rc != SQLITE_OK)
			break;
		left -= sqlite3_changes64(data->file.db);
	}
	*more = rc == SQLITE_ROW;
	return data_change_end(data, data_fault(data, rc, "can't be written", error), error);
}

int data_fired_set(struct sluice_data *data, const struct sluice_record *record)
{
	int rc;
	sqlite3_stmt *stmt = data_prepare(data, DATA_FIRED_SET, &rc);
	if (!stmt)
		return rc;
	store_bind(stmt, 1, record->rule);
	sqlite3_bind_int64(stmt, 2, record->time_ms);
	return store_finish(stmt);
}

int64_t sluice_data_fired(struct sluice_data *data, struct sluice_str rule)
{
	int64_t time_ms;
	int rc = data_one_row(data, DATA_FIRED, rule, NULL, 0, &time_ms, 1);
	return rc == SQLITE_ROW ? time_ms : rc == SQLITE_DONE ? 0 : -1;
}
