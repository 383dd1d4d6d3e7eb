/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Messages that SQLite has: they come from memory, change their state, move, go. */
#include "data_internal.h"

void data_count_change(struct data_name *queue, enum data_state from, enum data_state to)
{
	queue->counts[from]--;
	queue->counts[to]++;
	queue->queue_changed = true;
}

void data_count(struct data_name *queue, enum data_state state, int64_t messages, int64_t bytes)
{
	queue->counts[state] += messages;
	queue->bytes += bytes;
	queue->queue_changed = true;
}

/* Attempts, due, deadline, receipt, worker, reason from parameter `first` on. */
static void bind_state(sqlite3_stmt *stmt, int first, const struct sluice_record *record)
{
	static const unsigned char none[SLUICE_RECEIPT_BYTES];
	sqlite3_bind_int64(stmt, first, record->attempts);
	sqlite3_bind_int64(stmt, first + 1, record->due_ms);
	sqlite3_bind_int64(stmt, first + 2, record->deadline_ms);
	if (memcmp(record->receipt, none, sizeof(none)) != 0)
		sqlite3_bind_blob(stmt, first + 3, record->receipt, sizeof(none), SQLITE_STATIC);
	store_bind(stmt, first + 4, record->worker);
	store_bind(stmt, first + 5, record->reason);
}

static int add_message(struct sluice_data *data, const struct sluice_record *record)
{
	int rc;
	struct data_name *bus = NULL;
	if (record->bus.len) {
		rc = data_name(data, record->bus, &bus);
		if (rc != SQLITE_OK)
			return rc;
	}
	sqlite3_stmt *stmt = data_prepare(data, DATA_MESSAGE_ADD, &rc);
	if (!stmt)
		return rc;
	sqlite3_bind_int64(stmt, 1, (int64_t)record->id);
	if (bus)
		sqlite3_bind_int64(stmt, 2, bus->number);
	sqlite3_bind_int64(stmt, 3, record->enqueued_ms);
	store_bind(stmt, 4, record->group);
	store_bind(stmt, 5, record->origin);
	store_bind(stmt, 6, record->error);
	data_bind_event(stmt, 7, record);
	return store_finish(stmt);
}

static int add(struct sluice_data *data, const struct data_entry *entry)
{
	const struct sluice_record *record = &entry->record;
	if (record->id <= entry->queue->purged_to)
		return SQLITE_OK;
	int rc = add_message(data, record);
	if (rc != SQLITE_OK || sqlite3_changes(data->file.db) == 0)
		return rc; /* it is there already */
	sqlite3_stmt *stmt = data_prepare(data, DATA_ENTRY_ADD, &rc);
	if (!stmt)
		return rc;
	const int64_t row[] = { entry->queue->number, entry->state, (int64_t)record->id,
		                (int64_t)record->payload.len };
	data_bind_numbers(stmt, 1, row, 4);
	bind_state(stmt, 5, record);
	rc = store_finish(stmt);
	if (rc == SQLITE_OK)
		data_count(entry->queue, entry->state, 1, row[3]);
	return rc;
}

/* SQLITE_ROW when it is there, SQLITE_DONE when it is not. */
static int find(struct sluice_data *data, const struct data_name *queue, uint64_t id,
                enum data_state *state, int64_t *bytes)
{
	/* One after the other costs less than asking for all: mostly the first or the second is it. */
	int rc = SQLITE_DONE;
	if (id <= queue->purged_to)
		return rc;
	for (int i = 0; i < DATA_STATE_COUNT && rc == SQLITE_DONE; i++) {
		const int64_t key[] = { queue->number, i, (int64_t)id };
		rc = data_one_row(data, DATA_ENTRY, DATA_NO_TEXT, key, 3, bytes, 1);
		*state = (enum data_state)i;
	}
	return rc;
}

int data_write_entry(struct sluice_data *data, const struct data_entry *entry)
{
	if (!entry->stored)
		return add(data, entry);
	enum data_state state;
	int64_t bytes;
	int rc = find(data, entry->queue, entry->record.id, &state, &bytes);
	if (rc != SQLITE_ROW)
		return rc == SQLITE_DONE ? SQLITE_OK : rc;
	sqlite3_stmt *stmt = data_prepare(data, DATA_ENTRY_SET, &rc);
	if (!stmt)
		return rc;
	const int64_t row[] = { entry->queue->number, state, (int64_t)entry->record.id,
		                entry->state };
	data_bind_numbers(stmt, 1, row, 4);
	bind_state(stmt, 5, &entry->record);
	rc = store_finish(stmt);
	if (rc == SQLITE_OK)
		data_count_change(entry->queue, state, entry->state);
	return rc;
}

int data_delete_message(struct sluice_data *data, struct data_name *queue, uint64_t id)
{
	enum data_state state;
	int64_t bytes;
	int rc = find(data, queue, id, &state, &bytes);
	if (rc != SQLITE_ROW)
		return rc == SQLITE_DONE ? SQLITE_OK : rc;
	const int64_t entry[] = { queue->number, state, (int64_t)id };
	rc = data_run_with(data, DATA_ENTRY_DELETE, entry, 3);
	if (rc == SQLITE_OK)
		rc = data_run_with(data, DATA_MESSAGE_DELETE, &entry[2], 1);
	if (rc == SQLITE_OK)
		data_count(queue, state, -1, -bytes);
	return rc;
}

int data_move_message(struct sluice_data *data, struct data_name *queue, struct data_name *to,
                      const struct sluice_record *record)
{
	enum data_state state;
	int64_t bytes;
	int rc = find(data, queue, record->id, &state, &bytes);
	if (rc != SQLITE_ROW)
		return rc == SQLITE_DONE ? SQLITE_OK : rc;
	sqlite3_stmt *stmt = data_prepare(data, DATA_MESSAGE_MOVE, &rc);
	if (!stmt)
		return rc;
	const int64_t message[] = { (int64_t)record->id, (int64_t)record->new_id,
		                    record->enqueued_ms };
	data_bind_numbers(stmt, 1, message, 3);
	store_bind(stmt, 4, record->origin);
	store_bind(stmt, 5, record->error);
	rc = store_finish(stmt);
	if (rc != SQLITE_OK)
		return rc;
	if (sqlite3_changes(data->file.db) == 0) /* it has arrived there already */
		return data_delete_message(data, queue, record->id);
	stmt = data_prepare(data, DATA_ENTRY_MOVE, &rc);
	if (!stmt)
		return rc;
	const int64_t entry[] = { queue->number,           state,
		                  (int64_t)record->id,     to->number,
		                  (int64_t)record->new_id, record->attempts };
	data_bind_numbers(stmt, 1, entry, 6);
	store_bind(stmt, 7, record->reason);
	rc = store_finish(stmt);
	if (rc == SQLITE_OK) {
		data_count(queue, state, -1, -bytes);
		data_count(to, DATA_STATE_READY, 1, bytes);
	}
	return rc;
}
