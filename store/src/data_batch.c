/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Transactions, and records that are applied within one. */
#include "data_internal.h"

static int set_progress(struct sluice_data *data, uint64_t position)
{
	const int64_t progress[] = { (int64_t)position, (int64_t)data->last_id };
	return data_run_with(data, DATA_PROGRESS_SET, progress, 2);
}

static void undo(struct sluice_data *data)
{
	/* A full disk, for one, makes SQLite roll back by itself. */
	if (!sqlite3_get_autocommit(data->file.db))
		data_run(data, DATA_ROLLBACK);
	data_drop_all(data);
	data_forget_names(data);
	data->last_id = data->stored_id = data->committed_id;
	data->in_batch = false;
}

enum sluice_status data_change_begin(struct sluice_data *data, struct sluice_error *error)
{
	if (data->file.flags & SLUICE_STORE_READ_ONLY)
		return store_error(&data->file, SLUICE_ERR_READ_ONLY, error,
		                   "opened for reading only");
	if (data->in_batch)
		return store_error(&data->file, SLUICE_ERR_CONFLICT, error,
		                   "a batch is open already");
	return data_fault(data, data_run(data, DATA_BEGIN_IMMEDIATE), "begin", error);
}

enum sluice_status data_change_end(struct sluice_data *data, enum sluice_status status,
                                   struct sluice_error *error)
{
	if (status == SLUICE_OK)
		status = data_fault(data, data_write_names(data), "can't be written", error);
	if (status == SLUICE_OK)
		status = data_fault(data, data_run(data, DATA_COMMIT), "commit", error);
	if (status != SLUICE_OK)
		undo(data);
	return status;
}

enum sluice_status sluice_data_begin(struct sluice_data *data, struct sluice_error *error)
{
	enum sluice_status status = data_change_begin(data, error);
	data->in_batch = data->in_batch || status == SLUICE_OK;
	return status;
}

/* Writes what is held in memory. */
static int settle(struct sluice_data *data)
{
	data->stored_id = data->last_id;
	while (data->first) {
		int rc = data_write_entry(data, data->first);
		if (rc != SQLITE_OK)
			return rc;
		data_drop(data, data->first);
	}
	return SQLITE_OK;
}

static int settle_one(struct sluice_data *data, struct data_entry *entry)
{
	uint64_t id = entry->record.id;
	data->stored_id = !entry->stored && id > data->stored_id ? id : data->stored_id;
	int rc = data_write_entry(data, entry);
	data_drop(data, entry);
	return rc;
}

enum sluice_status data_read_begin(struct sluice_data *data, struct sluice_error *error)
{
	static const char doing[] = "can't be read";
	if (!data->in_batch)
		return data_fault(data, data_run(data, DATA_BEGIN), doing, error);
	int rc = settle(data);
	if (rc == SQLITE_OK)
		rc = data_write_names(data);
	enum sluice_status status = data_fault(data, rc, doing, error);
	if (status != SLUICE_OK)
		undo(data);
	return status;
}

enum sluice_status data_read_end(struct sluice_data *data, int rc, struct sluice_error *error)
{
	enum sluice_status status = data_fault(data, rc, "can't be read", error);
	if (!data->in_batch && !sqlite3_get_autocommit(data->file.db))
		data_run(data, DATA_ROLLBACK);
	/* What came next would be committed by itself, without what was before it. */
	if (data->in_batch && sqlite3_get_autocommit(data->file.db))
		undo(data);
	return status;
}

/* --- records --- */

/*
 * The entry of a message in memory, when it is in that queue. What was noted for a message of that id
 * in another queue is settled first: SQLite knows whether it is there, and what comes now may be true.
 */
static int find_pending(struct sluice_data *data, const struct data_name *queue, uint64_t id,
                        struct data_entry **entry)
{
	*entry = data_pending(data, id);
	if (!*entry || (*entry)->queue == queue)
		return SQLITE_OK;
	int rc = (*entry)->stored ? settle_one(data, *entry) : SQLITE_OK;
	*entry = NULL;
	return rc;
}

/* Whether a message of that id is held that came within the batch. What was noted for one that SQLite
 * may have is settled, see above. */
static int find_new(struct sluice_data *data, uint64_t id, bool *there)
{
	struct data_entry *entry = data_pending(data, id);
	*there = entry && !entry->stored;
	return entry && entry->stored ? settle_one(data, entry) : SQLITE_OK;
}

static int enqueue(struct sluice_data *data, const struct sluice_record *record,
                   struct data_name *queue)
{
	bool there;
	int rc = find_new(data, record->id, &there);
	if (rc != SQLITE_OK || there)
		return rc;
	struct data_entry *entry = data_hold(data, record, queue);
	if (!entry)
		return SQLITE_NOMEM;
	if (record->id <= data->stored_id || entry->bytes > DATA_LARGE_BYTES)
		return settle_one(data, entry);
	return SQLITE_OK;
}

/* A message that is leased and acknowledged within a batch is written once, and not at all when it
 * came within it, too. */
static int change(struct sluice_data *data, const struct sluice_record *record,
                  struct data_name *queue)
{
	struct data_entry *entry;
	int rc = find_pending(data, queue, record->id, &entry);
	if (rc != SQLITE_OK)
		return rc;
	if (!entry && data_pending(data, record->id))
		return SQLITE_OK; /* it is in another queue */
	if (!entry)
		entry = data_hold_change(data, record->id, queue);
	return entry && data_change_pending(data, entry, record) ? SQLITE_OK : SQLITE_NOMEM;
}

static int acknowledge(struct sluice_data *data, const struct sluice_record *record,
                       struct data_name *queue)
{
	struct data_entry *entry;
	int rc = find_pending(data, queue, record->id, &entry);
	if (rc != SQLITE_OK)
		return rc;
	bool stored = !entry || entry->stored;
	if (entry)
		data_drop(data, entry);
	return stored ? data_delete_message(data, queue, record->id) : SQLITE_OK;
}

static int move(struct sluice_data *data, const struct sluice_record *record,
                struct data_name *queue)
{
	struct data_name *to;
	int rc = data_name(data, record->to_queue, &to);
	if (rc != SQLITE_OK)
		return rc;
	bool there;
	rc = find_new(data, record->new_id, &there);
	if (rc == SQLITE_OK && there) /* it has arrived there already */
		return acknowledge(data, record, queue);
	struct data_entry *entry = NULL;
	if (rc == SQLITE_OK)
		rc = find_pending(data, queue, record->id, &entry);
	if (rc != SQLITE_OK)
		return rc;
	if (entry && !entry->stored && record->new_id > data->stored_id) {
		if (!data_change_pending(data, entry, record))
			return SQLITE_NOMEM;
		data_rename_pending(data, entry, record->new_id, to);
		return SQLITE_OK;
	}
	if (entry)
		rc = settle_one(data, entry);
	return rc == SQLITE_OK ? data_move_message(data, queue, to, record) : rc;
}

static int purge(struct sluice_data *data, const struct sluice_record *record,
                 struct data_name *queue)
{
	for (struct data_entry *entry = data->first, *next; entry; entry = next) {
		next = entry->next;
		if (entry->queue == queue && entry->record.id <= record->id)
			data_drop(data, entry);
	}
	return data_purge_messages(data, queue, record->id);
}

static int apply_to_queue(struct sluice_data *data, const struct sluice_record *record)
{
	struct data_name *queue;
	/* What is not there changes nothing, and leaves no name behind. */
	int rc = record->kind == SLUICE_RECORD_ENQUEUE
	                 ? data_name(data, record->queue, &queue)
	                 : data_find_name(data, record->queue, &queue);
	if (rc != SQLITE_OK || !queue)
		return rc;
	switch (record->kind) {
	case SLUICE_RECORD_ENQUEUE:
		return enqueue(data, record, queue);
	case SLUICE_RECORD_ACK:
		return acknowledge(data, record, queue);
	case SLUICE_RECORD_MOVE:
		return move(data, record, queue);
	case SLUICE_RECORD_PURGE:
		return purge(data, record, queue);
	default:
		return change(data, record, queue);
	}
}

static int apply(struct sluice_data *data, const struct sluice_record *record)
{
	switch (record->kind) {
	case SLUICE_RECORD_ARCHIVE:
		return data_archive_add(data, record);
	case SLUICE_RECORD_SEEN:
		return data_seen_add(data, record);
	case SLUICE_RECORD_FIRED:
		return data_fired_set(data, record);
	default:
		return apply_to_queue(data, record);
	}
}

/* The highest id that the record brings into use. PURGE's is a bound, and may be any. */
static uint64_t id_of(const struct sluice_record *record)
{
	switch (record->kind) {
	case SLUICE_RECORD_ENQUEUE:
	case SLUICE_RECORD_ARCHIVE:
		return record->id;
	case SLUICE_RECORD_MOVE:
		return record->new_id;
	default:
		return 0;
	}
}

enum sluice_status sluice_data_apply(struct sluice_data *data, const struct sluice_record *record,
                                     struct sluice_error *error)
{
	if (!data->in_batch)
		return store_error(&data->file, SLUICE_ERR_CONFLICT, error, "no batch is open");
	int rc = SQLITE_OK;
	if (record->id > INT64_MAX || record->new_id > INT64_MAX) {
		undo(data);
		return store_error(&data->file, SLUICE_ERR_LIMIT, error, "an id beyond 2^63");
	}
	uint64_t id = id_of(record);
	data->last_id = id > data->last_id ? id : data->last_id;
	rc = apply(data, record);
	if (rc == SQLITE_OK && data->held_bytes > DATA_HELD_BYTES)
		rc = settle(data);
	enum sluice_status status = data_fault(data, rc, "can't be written", error);
	if (status != SLUICE_OK)
		undo(data);
	return status;
}

enum sluice_status sluice_data_commit(struct sluice_data *data, uint64_t position,
                                      struct sluice_error *error)
{
	if (!data->in_batch)
		return store_error(&data->file, SLUICE_ERR_CONFLICT, error, "no batch is open");
	int rc = settle(data);
	if (rc == SQLITE_OK)
		rc = set_progress(data, position);
	enum sluice_status status =
	        data_change_end(data, data_fault(data, rc, "can't be written", error), error);
	if (status != SLUICE_OK)
		return status;
	data->in_batch = false;
	data->position = position;
	data->committed_id = data->stored_id = data->last_id;
	return SLUICE_OK;
}

void sluice_data_cancel(struct sluice_data *data)
{
	if (data->in_batch)
		undo(data);
}

uint64_t sluice_data_position(const struct sluice_data *data)
{
	return data->position;
}
