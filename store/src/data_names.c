/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Names and their numbers, and what is counted under them: kept in memory from the first use on,
 * written at each commit where something changed, forgotten when a transaction is rolled back.
 */
#include <stdlib.h>

#include "data_internal.h"

static struct data_name **bucket_of(struct sluice_data *data, struct sluice_str text)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(1099511628211);
	return &data->names[(hash >> 32 ^ hash) & (DATA_NAME_BUCKETS - 1)];
}

/* From the row that DATA_NAME stands on. */
static void read_name(sqlite3_stmt *stmt, struct data_name *name)
{
	name->number = sqlite3_column_int64(stmt, 0);
	for (int state = 0; state < DATA_STATE_COUNT; state++)
		name->counts[state] = sqlite3_column_int64(stmt, 1 + state);
	name->bytes = sqlite3_column_int64(stmt, 4);
	name->archived = sqlite3_column_int64(stmt, 5);
	name->archived_bytes = sqlite3_column_int64(stmt, 6);
	name->archived_id = (uint64_t)sqlite3_column_int64(stmt, 7);
	name->purged_to = (uint64_t)sqlite3_column_int64(stmt, 8);
}

static int load(struct sluice_data *data, struct data_name *name, bool add)
{
	int rc;
	struct sluice_str text = { name->name, name->len };
	sqlite3_stmt *stmt = data_prepare(data, DATA_NAME, &rc);
	if (!stmt)
		return rc;
	store_bind(stmt, 1, text);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		read_name(stmt, name);
	sqlite3_reset(stmt);
	if (rc != SQLITE_DONE || !add)
		return rc;
	stmt = data_prepare(data, DATA_NAME_ADD, &rc);
	if (!stmt)
		return rc;
	store_bind(stmt, 1, text);
	rc = store_finish(stmt);
	name->number = sqlite3_last_insert_rowid(data->file.db);
	return rc == SQLITE_OK ? SQLITE_ROW : rc;
}

static int look_up(struct sluice_data *data, struct sluice_str text, bool add,
                   struct data_name **name)
{
	struct data_name **bucket = bucket_of(data, text);
	for (*name = *bucket; *name; *name = (*name)->next)
		if ((*name)->len == text.len && memcmp((*name)->name, text.data, text.len) == 0)
			return SQLITE_OK;
	struct data_name *loaded = calloc(1, sizeof(*loaded) + text.len + 1);
	if (!loaded)
		return SQLITE_NOMEM;
	loaded->len = text.len;
	memcpy(loaded->name, text.data, text.len);
	int rc = load(data, loaded, add);
	if (rc != SQLITE_ROW) {
		free(loaded);
		return rc == SQLITE_DONE ? SQLITE_OK : rc;
	}
	loaded->next = *bucket;
	*bucket = *name = loaded;
	return SQLITE_OK;
}

int data_name(struct sluice_data *data, struct sluice_str text, struct data_name **name)
{
	return look_up(data, text, true, name);
}

int data_find_name(struct sluice_data *data, struct sluice_str text, struct data_name **name)
{
	return look_up(data, text, false, name);
}

static int write_name(struct sluice_data *data, struct data_name *name)
{
	int rc = SQLITE_OK;
	if (name->queue_changed) {
		const int64_t row[] = { name->number, name->counts[DATA_STATE_READY],
			                name->counts[DATA_STATE_HELD],
			                name->counts[DATA_STATE_PARKED], name->bytes };
		rc = data_run_with(data, DATA_QUEUE_SET, row, 5);
		name->queue_changed = rc != SQLITE_OK;
	}
	if (rc == SQLITE_OK && name->block_changed) {
		rc = data_write_block(data, name, &name->block);
		name->block_changed = rc != SQLITE_OK;
	}
	if (rc == SQLITE_OK && name->archive_changed) {
		const int64_t row[] = { name->number, name->archived, name->archived_bytes,
			                (int64_t)name->archived_id };
		rc = data_run_with(data, DATA_ARCHIVE_SET, row, 4);
		name->archive_changed = rc != SQLITE_OK;
	}
	return rc;
}

int data_write_names(struct sluice_data *data)
{
	int rc = SQLITE_OK;
	for (size_t i = 0; i < DATA_NAME_BUCKETS && rc == SQLITE_OK; i++)
		for (struct data_name *name = data->names[i]; name && rc == SQLITE_OK;
		     name = name->next)
			rc = write_name(data, name);
	return rc;
}

void data_forget_names(struct sluice_data *data)
{
	for (size_t i = 0; i < DATA_NAME_BUCKETS; i++) {
		for (struct data_name *name = data->names[i], *next; name; name = next) {
			next = name->next;
			free(name);
		}
		data->names[i] = NULL;
	}
	data->next_block = -1;
}
