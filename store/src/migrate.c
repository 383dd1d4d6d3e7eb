/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "migrations.h"

#include <stdio.h>

static int user_version(sqlite3 *db, int *version)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &stmt, NULL);
	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*version = sqlite3_column_int(stmt, 0);
	int finalized = sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? SQLITE_OK : finalized;
}

static int apply(sqlite3 *db, const struct store_migration *migration)
{
	int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return rc;
	/* Another process may have applied it while this one waited for the lock. */
	int version = 0;
	rc = user_version(db, &version);
	if (rc == SQLITE_OK && version < migration->version) {
		rc = sqlite3_exec(db, migration->sql, NULL, NULL, NULL);
		if (rc == SQLITE_OK) {
			char marks[96];
			snprintf(marks, sizeof(marks),
			         "PRAGMA application_id = %d; PRAGMA user_version = %d",
			         STORE_APPLICATION_ID, migration->version);
			rc = sqlite3_exec(db, marks, NULL, NULL, NULL);
		}
	}
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	if (rc != SQLITE_OK && !sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

int store_migrate(sqlite3 *db, const struct store_migration *migrations, size_t count)
{
	int version = 0;
	int rc = user_version(db, &version);
	for (size_t i = 0; i < count && rc == SQLITE_OK; i++) {
		if (migrations[i].version > version)
			rc = apply(db, &migrations[i]);
	}
	return rc;
}
