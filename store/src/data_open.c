/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Opening and closing the data's file: as a store is opened, with other settings. */
#include <stdlib.h>
#include <sys/stat.h>

#include "data_internal.h"

enum { DATA_BUSY_TIMEOUT_MS = 100 };

/*
 * NORMAL syncs the WAL before it is folded in, and not at each commit: what a power cut may take is
 * still in the journal, or was not promised. The WAL is folded in when it has 512 pages, 4 MB: often
 * enough that none of it takes long. Pages that become free are used again, so the file is as large
 * as the most that was ever in it.
 */
static const char settings[] = "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 512;"
                               "PRAGMA journal_size_limit = 33554432; PRAGMA cache_size = -8192;"
                               "PRAGMA temp_store = MEMORY";

static int configure(struct sluice_data *data, unsigned flags)
{
	int rc = sqlite3_exec(data->file.db, settings, NULL, NULL, NULL);
	if (rc == SQLITE_OK && flags & SLUICE_DATA_FULL_SYNC)
		rc = sqlite3_exec(data->file.db, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
	return rc;
}

static int read_progress(struct sluice_data *data, uint64_t *position, uint64_t *last_id)
{
	int64_t row[2];
	int rc = data_one_row(data, DATA_PROGRESS, DATA_NO_TEXT, NULL, 0, row, 2);
	if (rc == SQLITE_ROW) {
		*position = (uint64_t)row[0];
		*last_id = (uint64_t)row[1];
	}
	/* There is always a row, unless somebody emptied the table. */
	return rc == SQLITE_ROW ? SQLITE_OK : rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
}

static enum sluice_status open_file(struct sluice_data *data, unsigned flags,
                                    struct sluice_error *error)
{
	enum sluice_status status = store_connect(&data->file, &data->file.db, error);
	if (status != SLUICE_OK)
		return status;
	int rc = configure(data, flags);
	/* The journal waits for who holds the file, and must be cared for meanwhile. */
	if (rc == SQLITE_OK && !(flags & SLUICE_DATA_READ_ONLY))
		rc = sqlite3_busy_timeout(data->file.db, DATA_BUSY_TIMEOUT_MS);
	if (rc == SQLITE_OK)
		rc = read_progress(data, &data->position, &data->last_id);
	data->committed_id = data->stored_id = data->last_id;
	return data_fault(data, rc, "can't be read", error);
}

enum sluice_status sluice_data_open(const char *path, unsigned flags, struct sluice_data **data,
                                    struct sluice_error *error)
{
	*data = NULL;
	struct sluice_data *opened = calloc(1, sizeof(*opened));
	if (opened) {
		opened->file.path = store_absolute_path(path);
		opened->entries = calloc(DATA_BUCKETS, sizeof(struct data_entry *));
	}
	if (!opened || !opened->file.path || !opened->entries) {
		sluice_data_close(opened);
		return sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL,
		                        "%s: out of memory", path);
	}
	opened->file.schema = &store_data_schema;
	opened->file.flags =
	        flags & SLUICE_DATA_READ_ONLY ? SLUICE_STORE_READ_ONLY : SLUICE_STORE_CREATE;
	opened->next_block = -1;
	enum sluice_status status = open_file(opened, flags, error);
	if (status != SLUICE_OK) {
		sluice_data_close(opened);
		return status;
	}
	*data = opened;
	return SLUICE_OK;
}

void sluice_data_close(struct sluice_data *data)
{
	if (!data)
		return;
	if (data->entries)
		data_drop_all(data);
	data_forget_names(data);
	for (size_t i = 0; i < DATA_SQL_COUNT; i++)
		sqlite3_finalize(data->statements[i]);
	sqlite3_close(data->file.db); /* rolls a batch back */
	free(data->entries);
	free(data->file.path);
	free(data);
}

uint64_t sluice_data_last_id(struct sluice_data *data, struct sluice_error *error)
{
	uint64_t position, last_id = data->last_id;
	if (data->file.flags & SLUICE_STORE_READ_ONLY &&
	    data_fault(data, read_progress(data, &position, &last_id), "can't be read", error) !=
	            SLUICE_OK)
		return data->last_id;
	return last_id;
}

uint64_t sluice_data_bytes(struct sluice_data *data)
{
	uint64_t bytes = 0;
	struct stat file;
	char *wal = sqlite3_mprintf("%s-wal", data->file.path);
	if (stat(data->file.path, &file) == 0)
		bytes += (uint64_t)file.st_size;
	if (wal && stat(wal, &file) == 0)
		bytes += (uint64_t)file.st_size;
	sqlite3_free(wal);
	return bytes;
}
