/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "internal.h"

/* Adds the first number of a noun's statement. */
static int add_number(struct sluice_store *store, enum sluice_store_kind kind,
                      enum store_noun_sql sql, uint64_t *number)
{
	int64_t value = 0;
	int rc = store_noun_integer(store, kind, sql, &value);
	*number += (uint64_t)value;
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
	int rc = SQLITE_OK;
	for (int i = 0; i < SLUICE_STORE_KINDS && rc == SQLITE_OK; i++) {
		enum sluice_store_kind kind = (enum sluice_store_kind)i;
		rc = add_number(store, kind, NOUN_SUM, &stats->counts[kind]);
		if (rc == SQLITE_OK)
			rc = add_number(store, kind, NOUN_ERROR_COUNT, &stats->errors);
	}
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
