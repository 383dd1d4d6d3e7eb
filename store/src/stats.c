/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "internal.h"

/* The count that comes first in SQL_RULES_SUM and its like. */
static int read_number(struct sluice_store *store, enum store_sql sql, uint64_t *number)
{
	int64_t value = 0;
	int rc = store_integer(store, sql, &value);
	*number = (uint64_t)value;
	return rc;
}

enum sluice_status sluice_store_stats(struct sluice_store *store, struct sluice_store_stats *stats,
                                      struct sluice_error *error)
{
	*stats = (struct sluice_store_stats){ 0 };
	enum sluice_status status = store_read_begin(store, error);
	if (status != SLUICE_OK)
		return status;
	int64_t version = 0;
	int rc = read_number(store, SQL_RULES_SUM, &stats->rules);
	if (rc == SQLITE_OK)
		rc = read_number(store, SQL_BUSES_SUM, &stats->buses);
	if (rc == SQLITE_OK)
		rc = read_number(store, SQL_ERROR_COUNT, &stats->errors);
	if (rc == SQLITE_OK)
		rc = store_integer(store, SQL_LAST_REVISION, &stats->revision);
	if (rc == SQLITE_OK)
		rc = store_integer(store, SQL_USER_VERSION, &version);
	status = store_fault(store, rc, "can't be read", error);
	store_read_end(store);
	stats->schema_version = (int)version;

	struct stat file;
	const char *path = sqlite3_db_filename(store->db, "main");
	if (stat(path, &file) == 0)
		stats->bytes = (uint64_t)file.st_size;
	char *wal = sqlite3_mprintf("%s-wal", path);
	if (wal && stat(wal, &file) == 0)
		stats->bytes += (uint64_t)file.st_size;
	sqlite3_free(wal);
	return status;
}
