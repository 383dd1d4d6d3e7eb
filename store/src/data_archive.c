/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The archive of a bus: appended to at its end, read by id and time, trimmed mostly at its beginning.
 *
 *	archive_blocks  bus 1: [ids 1-4090 10:00-10:01][ids 4095-9000 10:01-10:03] …
 *	                              |                          |
 *	archive         keys 0 …  1023         2048 …  3071        (1024 … are another bus's)
 *
 * Ids grow from block to block. Times do too, as long as the clock is not set back: so each block
 * knows its earliest and latest, and those that can't hold what is asked for are left out.
 */
#include "data_internal.h"

enum { EVENT_OVERHEAD = 32 }; /* bytes of a row beside its texts, about */

int data_write_block(struct sluice_data *data, const struct data_name *bus,
                     const struct data_block *block)
{
	const int64_t row[] = { bus->number,     block->block,   block->used,
		                block->first_id, block->last_id, block->events,
		                block->bytes,    block->min_ms,  block->max_ms };
	return data_run_with(data, DATA_BLOCK_SET, row, 9);
}

int data_read_block(struct sluice_data *data, enum data_sql sql, const int64_t *numbers,
                    size_t count, struct data_block *block)
{
	int64_t row[8];
	int rc = data_one_row(data, sql, DATA_NO_TEXT, numbers, count, row, 8);
	if (rc == SQLITE_ROW)
		*block = (struct data_block){ .block = row[0],
			                      .used = row[1],
			                      .first_id = row[2],
			                      .last_id = row[3],
			                      .events = row[4],
			                      .bytes = row[5],
			                      .min_ms = row[6],
			                      .max_ms = row[7] };
	return rc;
}

/* --- appending --- */

static int know_block(struct sluice_data *data, struct data_name *bus)
{
	if (bus->block_known)
		return SQLITE_OK;
	int rc = data_read_block(data, DATA_BLOCK_LAST, &bus->number, 1, &bus->block);
	bus->block_there = rc == SQLITE_ROW;
	bus->block_known = rc == SQLITE_ROW || rc == SQLITE_DONE;
	return bus->block_known ? SQLITE_OK : rc;
}

static int know_next_block(struct sluice_data *data)
{
	if (data->next_block >= 0)
		return SQLITE_OK;
	int rc = data_one_row(data, DATA_NEXT_BLOCK, DATA_NO_TEXT, NULL, 0, &data->next_block, 1);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int begin_block(struct sluice_data *data, struct data_name *bus,
                       const struct sluice_record *record)
{
	int rc = SQLITE_OK;
	if (bus->block_there && bus->block_changed)
		rc = data_write_block(data, bus, &bus->block);
	if (rc == SQLITE_OK)
		rc = know_next_block(data);
	if (rc != SQLITE_OK)
		return rc;
	bus->block = (struct data_block){ .block = data->next_block++,
		                          .first_id = (int64_t)record->id,
		                          .min_ms = record->time_ms,
		                          .max_ms = record->time_ms };
	bus->block_there = true;
	return SQLITE_OK;
}

static int64_t bytes_of(const struct sluice_record *record)
{
	return (int64_t)(EVENT_OVERHEAD + record->event_id.len + record->rule.len +
	                 record->target.len + record->topic.len + record->client_id.len +
	                 record->username.len + record->properties.len + record->payload.len);
}

int data_archive_add(struct sluice_data *data, const struct sluice_record *record)
{
	struct data_name *bus;
	int rc = data_name(data, record->queue, &bus);
	/* Ids of a bus only grow: what is not above the last has been here. */
	if (rc != SQLITE_OK || record->id <= bus->archived_id)
		return rc;
	rc = know_block(data, bus);
	if (rc == SQLITE_OK && (!bus->block_there || bus->block.used == DATA_BLOCK_ROWS))
		rc = begin_block(data, bus, record);
	if (rc != SQLITE_OK)
		return rc;
	struct data_block *block = &bus->block;
	sqlite3_stmt *stmt = data_prepare(data, DATA_EVENT_ADD, &rc);
	if (!stmt)
		return rc;
	const int64_t row[] = { block->block * DATA_BLOCK_ROWS + block->used, (int64_t)record->id,
		                bytes_of(record) };
	data_bind_numbers(stmt, 1, row, 3);
	data_bind_event(stmt, 4, record);
	rc = store_finish(stmt);
	if (rc != SQLITE_OK)
		return rc;
	block->used++;
	block->events++;
	block->bytes += row[2];
	block->last_id = row[1];
	block->min_ms = record->time_ms < block->min_ms ? record->time_ms : block->min_ms;
	block->max_ms = record->time_ms > block->max_ms ? record->time_ms : block->max_ms;
	bus->archived++;
	bus->archived_bytes += row[2];
	bus->archived_id = record->id;
	bus->block_changed = bus->archive_changed = true;
	return SQLITE_OK;
}

/* --- reading --- */

struct reading {
	const struct sluice_archive_query *query;
	int64_t after, end_ms;
	size_t rows, bytes;
	sluice_data_row_fn fn;
	void *arg;
};

/* SQLITE_ROW: the next block, too. */
static int read_block(struct sluice_data *data, int64_t block, struct reading *reading)
{
	int rc;
	sqlite3_stmt *stmt = data_prepare(data, DATA_EVENTS, &rc);
	if (!stmt)
		return rc;
	const int64_t range[] = { block * DATA_BLOCK_ROWS, (block + 1) * DATA_BLOCK_ROWS,
		                  reading->after, reading->query->from_ms, reading->end_ms };
	bool more = true;
	data_bind_numbers(stmt, 1, range, 5);
	while (more && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct sluice_record row = { .kind = SLUICE_RECORD_ARCHIVE,
			                     .queue = reading->query->bus,
			                     .bus = reading->query->bus };
		row.id = (uint64_t)sqlite3_column_int64(stmt, 1);
		data_read_event(stmt, 3, &row);
		reading->rows++;
		reading->bytes += row.payload.len;
		more = reading->fn(reading->arg, &row) &&
		       (!reading->query->limit || reading->rows < reading->query->limit) &&
		       (!reading->query->bytes || reading->bytes < reading->query->bytes);
	}
	sqlite3_reset(stmt);
	return !more ? SQLITE_DONE : rc == SQLITE_DONE ? SQLITE_ROW : rc;
}

enum sluice_status sluice_archive_read(struct sluice_data *data,
                                       const struct sluice_archive_query *query,
                                       sluice_data_row_fn fn, void *arg, struct sluice_error *error)
{
	int rc;
	struct reading reading = {
		.query = query,
		.after = query->after > INT64_MAX ? INT64_MAX : (int64_t)query->after,
		.end_ms = query->to_ms ? query->to_ms : INT64_MAX,
		.fn = fn,
		.arg = arg,
	};
	enum sluice_status status = data_read_begin(data, error);
	if (status != SLUICE_OK)
		return status;
	sqlite3_stmt *stmt = data_prepare(data, DATA_BLOCKS, &rc);
	if (stmt) {
		store_bind(stmt, 1, query->bus);
		data_bind_numbers(
		        stmt, 2, (const int64_t[]){ reading.after, query->from_ms, reading.end_ms },
		        3);
		while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
			rc = read_block(data, sqlite3_column_int64(stmt, 0), &reading);
			if (rc != SQLITE_ROW)
				break;
		}
		sqlite3_reset(stmt);
	}
	return data_read_end(data, rc, error);
}

static int read_stats(struct sluice_data *data, struct sluice_str bus,
                      struct sluice_archive_stats *stats)
{
	int64_t sums[4], edges[2];
	int rc = data_one_row(data, DATA_ARCHIVE_STATS, bus, NULL, 0, sums, 4);
	if (rc != SQLITE_ROW || sums[0] == 0)
		return rc;
	rc = data_one_row(data, DATA_ARCHIVE_EDGE, bus, NULL, 0, edges, 2);
	if (rc == SQLITE_ROW)
		*stats = (struct sluice_archive_stats){ .events = (uint64_t)sums[0],
			                                .bytes = (uint64_t)sums[1],
			                                .first_id = (uint64_t)edges[0],
			                                .last_id = (uint64_t)edges[1],
			                                .first_ms = sums[2],
			                                .last_ms = sums[3] };
	return rc;
}

enum sluice_status sluice_archive_stats(struct sluice_data *data, struct sluice_str bus,
                                        struct sluice_archive_stats *stats,
                                        struct sluice_error *error)
{
	memset(stats, 0, sizeof(*stats));
	enum sluice_status status = data_read_begin(data, error);
	if (status != SLUICE_OK)
		return status;
	return data_read_end(data, read_stats(data, bus, stats), error);
}
