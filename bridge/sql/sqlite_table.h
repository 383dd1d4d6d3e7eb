/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Rows into an SQLite file, by one prepared statement, many in a transaction. It waits for a disk and
 * for locks: not on the loop's thread. One thread at a time.
 */
#ifndef BRIDGE_SQL_SQLITE_TABLE_H
#define BRIDGE_SQL_SQLITE_TABLE_H

#include <stdatomic.h>

#include "delivery.h"
#include "row.h"

enum { SQLITE_REASON_SIZE = 200 };

struct sqlite_table;

/* How a row went. */
struct sqlite_result {
	enum outcome outcome;
	char reason[SQLITE_REASON_SIZE]; /* when it is not DONE */
};

/* Copies the texts; opens nothing yet. NULL when out of memory. */
struct sqlite_table *sqlite_table_create(struct sluice_str file, struct sluice_str statement,
                                         size_t parameters);
void sqlite_table_destroy(struct sqlite_table *table);

/*
 * Runs the statement for each row, in one transaction. One that can't be does not keep the others
 * from being there. The file is opened when it is not; it is never made.
 *
 * stop		once it is true nothing more is done, and what was is undone where it can be
 * results	one for each row
 */
void sqlite_table_run(struct sqlite_table *table, struct sql_row *const *rows, size_t count,
                      int64_t busy_ms, const atomic_bool *stop, struct sqlite_result *results);

#endif
