/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The schemas' versions, built in from schemas/sql, and how a file is brought to the latest. */
#ifndef STORE_MIGRATIONS_H
#define STORE_MIGRATIONS_H

#include <sqlite3.h>
#include <stddef.h>

struct store_migration {
	int version; /* its place in the list, from 1; PRAGMA user_version once it is applied */
	const char *sql;
};

extern const struct store_migration store_migrations[], data_migrations[];
extern const size_t store_migration_count, data_migration_count;

/* "SLCE" and "SLCD" in a file's header tell a store, and its data, from any other database (PRAGMA
 * application_id). */
enum { STORE_APPLICATION_ID = 0x534C4345, DATA_APPLICATION_ID = 0x534C4344 };

/* What a file of one kind is to be. */
struct store_schema {
	const char *what; /* "a Sluice store" */
	int application_id;
	const struct store_migration *migrations;
	const size_t *migration_count;
	const char *layout; /* SQL for a file that is empty yet; NULL = none */
};

extern const struct store_schema store_rules_schema, store_data_schema;

/*
 * Applies, each in a transaction of its own, those of the first `count` migrations that the file lacks.
 * A crash at any point leaves the last complete version. Several processes may call it at once:
 * each migration is applied by one of them. Returns an SQLite code; the connection holds the
 * message.
 */
int store_migrate(sqlite3 *db, int application_id, const struct store_migration *migrations,
                  size_t count);

#endif
