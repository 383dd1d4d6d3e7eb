/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Trimming the archive of a bus, block by block: a block of which all has to go costs one statement.
 * What is too old is found by the earliest time of each block, wherever it lies: a clock that was
 * ahead for a while does not keep what came after it.
 */
#include "data_internal.h"

struct trimming {
	struct data_name *bus;
	int64_t before_ms;
	int64_t max_bytes; /* INT64_MAX = no bound */
	int64_t left;      /* rows that may go yet */
};

/* The block to look at next. SQLITE_DONE: nothing has to go. */
static int next_block(struct sluice_data *data, const struct trimming *trimming,
                      struct data_block *block, bool *by_age)
{
	const int64_t old[] = { trimming->bus->number, trimming->before_ms };
	int rc = data_read_block(data, DATA_BLOCK_OLD, old, 2, block);
	*by_age = rc == SQLITE_ROW;
	if (rc != SQLITE_DONE || trimming->bus->archived_bytes <= trimming->max_bytes)
		return rc;
	return data_read_block(data, DATA_BLOCK_FIRST, old, 1, block);
}

static void count(struct trimming *trimming, int64_t events, int64_t bytes)
{
	trimming->left -= events;
	trimming->bus->archived -= events;
	trimming->bus->archived_bytes -= bytes;
	trimming->bus->archive_changed = true;
}

/* The rows of a block that have to go, one by one. */
static int trim_rows(struct sluice_data *data, struct trimming *trimming,
                     const struct data_block *block, bool by_age)
{
	int rc;
	sqlite3_stmt *stmt = data_prepare(data, DATA_EVENTS, &rc);
	if (!stmt)
		return rc;
	const int64_t range[] = { block->block * DATA_BLOCK_ROWS,
		                  (block->block + 1) * DATA_BLOCK_ROWS, 0, INT64_MIN,
		                  by_age ? trimming->before_ms : INT64_MAX };
	int64_t keys[DATA_BLOCK_ROWS], events = 0, bytes = 0;
	data_bind_numbers(stmt, 1, range, 5);
	while (events < trimming->left && events < DATA_BLOCK_ROWS &&
	       (by_age || trimming->bus->archived_bytes - bytes > trimming->max_bytes) &&
	       (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		keys[events++] = sqlite3_column_int64(stmt, 0);
		bytes += sqlite3_column_int64(stmt, 2);
	}
	sqlite3_reset(stmt);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE && rc != SQLITE_OK)
		return rc;
	rc = events > 0 ? SQLITE_OK : SQLITE_CORRUPT; /* the block said there is something */
	for (int64_t i = 0; i < events && rc == SQLITE_OK; i++)
		rc = data_run_with(data, DATA_EVENT_DELETE, &keys[i], 1);
	count(trimming, events, bytes);
	return rc;
}

/* What is left of a block is summed up anew. */
static int sum_block(struct sluice_data *data, const struct trimming *trimming,
                     struct data_block *block)
{
	const int64_t range[] = { block->block * DATA_BLOCK_ROWS,
		                  (block->block + 1) * DATA_BLOCK_ROWS };
	int64_t sums[4];
	int rc = data_one_row(data, DATA_EVENTS_SUM, DATA_NO_TEXT, range, 2, sums, 4);
	if (rc != SQLITE_ROW)
		return rc;
	block->events = sums[0];
	block->bytes = sums[1];
	block->min_ms = sums[2];
	block->max_ms = sums[3];
	if (block->events > 0)
		return data_write_block(data, trimming->bus, block);
	return data_run_with(data, DATA_BLOCK_DELETE,
	                     (const int64_t[]){ trimming->bus->number, block->first_id }, 2);
}

static int trim_block(struct sluice_data *data, struct trimming *trimming, struct data_block *block,
                      bool by_age)
{
	bool all = block->events <= trimming->left &&
	           (by_age ? block->max_ms < trimming->before_ms
	                   : trimming->bus->archived_bytes - block->bytes >= trimming->max_bytes);
	if (!all) {
		int rc = trim_rows(data, trimming, block, by_age);
		return rc == SQLITE_OK ? sum_block(data, trimming, block) : rc;
	}
	const int64_t range[] = { block->block * DATA_BLOCK_ROWS,
		                  (block->block + 1) * DATA_BLOCK_ROWS };
	int rc = data_run_with(data, DATA_EVENTS_DELETE, range, 2);
	if (rc == SQLITE_OK)
		rc = data_run_with(data, DATA_BLOCK_DELETE,
		                   (const int64_t[]){ trimming->bus->number, block->first_id }, 2);
	count(trimming, block->events, block->bytes);
	return rc;
}

static int trim(struct sluice_data *data, struct sluice_str name, struct trimming *trimming,
                bool *more)
{
	struct data_block block;
	bool by_age;
	int rc = data_find_name(data, name, &trimming->bus);
	if (rc != SQLITE_OK || !trimming->bus)
		return rc;
	while ((rc = next_block(data, trimming, &block, &by_age)) == SQLITE_ROW) {
		*more = trimming->left <= 0;
		if (*more)
			break;
		rc = trim_block(data, trimming, &block, by_age);
		if (rc != SQLITE_OK)
			return rc;
		/* It may be the one that is being filled, or the highest of all. */
		trimming->bus->block_known = false;
		data->next_block = -1;
	}
	return rc;
}

enum sluice_status sluice_archive_trim(struct sluice_data *data, struct sluice_str bus,
                                       int64_t before_ms, uint64_t max_bytes, size_t limit,
                                       bool *more, struct sluice_error *error)
{
	*more = false;
	struct trimming trimming = {
		.before_ms = before_ms,
		.max_bytes = max_bytes && max_bytes < INT64_MAX ? (int64_t)max_bytes : INT64_MAX,
		.left = limit && limit < INT64_MAX ? (int64_t)limit : INT64_MAX,
	};
	enum sluice_status status = data_change_begin(data, error);
	if (status != SLUICE_OK)
		return status;
	int rc = trim(data, bus, &trimming, more);
	return data_change_end(data, data_fault(data, rc, "can't be trimmed", error), error);
}
