/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The statements of the store, its transactions, and what SQLite's codes mean to a caller. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

static const char *const texts[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN",
	[SQL_BEGIN_IMMEDIATE] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_DATA_VERSION] = "PRAGMA data_version",
	[SQL_SCHEMA_VERSION] = "PRAGMA schema_version",
	[SQL_USER_VERSION] = "PRAGMA user_version",
	[SQL_LAST_REVISION] = "SELECT last FROM revision_counter",
	[SQL_RULE_TARGETS] = "SELECT id, definition FROM targets WHERE rule = ?1"
	                     " ORDER BY position, id",
	[SQL_TARGETS_DELETE] = "DELETE FROM targets WHERE rule = ?1",
	[SQL_TARGET_INSERT] = "INSERT INTO targets (rule, id, position, definition)"
	                      " VALUES (?1, ?2, ?3, ?4)",
	[SQL_BUS_HAS_RULES] = "SELECT 1 FROM rules WHERE bus = ?1 LIMIT 1",
	[SQL_TOMBSTONES_SINCE] = "SELECT kind, name FROM tombstones WHERE revision > ?1",
	[SQL_SHARED_QUEUE] = "SELECT CASE queue WHEN '' THEN name ELSE queue END AS taken,"
	                     " min(name), max(name) FROM bridge_targets"
	                     " GROUP BY taken HAVING count(*) > 1 LIMIT 1",
	[SQL_ERROR_DELETE] = "DELETE FROM rule_errors WHERE kind = ?1 AND name = ?2"
	                     " AND revision <= ?3",
};

enum sluice_status store_status(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return SLUICE_OK;
	case SQLITE_NOMEM:
		return SLUICE_ERR_NOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return SLUICE_ERR_BUSY;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return SLUICE_ERR_READ_ONLY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR: /* our own SQL is sound: a table or column it names is not there */
	case SQLITE_SCHEMA:
		return SLUICE_ERR_CORRUPT;
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
		return SLUICE_ERR_INVALID;
	case SQLITE_TOOBIG:
		return SLUICE_ERR_LIMIT;
	default:
		return SLUICE_ERR_IO;
	}
}

enum sluice_status store_error(const struct sluice_store *store, enum sluice_status code,
                               struct sluice_error *error, const char *format, ...)
{
	char message[320];
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return sluice_error_set(error, code, SIZE_MAX, NULL, "%s: %s", store->path, message);
}

enum sluice_status store_fault(const struct sluice_store *store, int rc, const char *doing,
                               struct sluice_error *error)
{
	enum sluice_status status = store_status(rc);
	switch (status) {
	case SLUICE_OK:
		return SLUICE_OK;
	case SLUICE_ERR_NOMEM:
		return store_error(store, status, error, "%s: out of memory", doing);
	case SLUICE_ERR_BUSY:
		return store_error(store, status, error,
		                   "%s: another process holds the file locked", doing);
	default: {
		/* The connection's own message says more, when it is about this very failure. */
		const char *reason = sqlite3_errstr(rc);
		if (store->db && sqlite3_extended_errcode(store->db) == rc)
			reason = sqlite3_errmsg(store->db);
		return store_error(store, status, error, "%s: %s", doing, reason);
	}
	}
}

sqlite3_stmt *store_prepare_text(sqlite3 *db, sqlite3_stmt **stmt, const char *text, int *rc)
{
	*rc = SQLITE_OK;
	if (*stmt) {
		sqlite3_reset(*stmt);
		sqlite3_clear_bindings(*stmt);
	} else if (text) {
		*rc = sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
	} else {
		*rc = SQLITE_NOMEM;
	}
	return *stmt;
}

sqlite3_stmt *store_prepare(struct sluice_store *store, enum store_sql sql, int *rc)
{
	return store_prepare_text(store->db, &store->statements[sql], texts[sql], rc);
}

sqlite3_stmt *store_prepare_noun(struct sluice_store *store, enum sluice_store_kind kind,
                                 enum store_noun_sql sql, int *rc)
{
	sqlite3_stmt **stmt = &store->noun_statements[kind][sql];
	char *text = *stmt ? NULL : store_noun_sql(kind, sql);
	store_prepare_text(store->db, stmt, text, rc);
	sqlite3_free(text);
	return *stmt;
}

int store_finish(sqlite3_stmt *stmt)
{
	int rc;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
		;
	sqlite3_reset(stmt);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int store_run(struct sluice_store *store, enum store_sql sql)
{
	int rc;
	sqlite3_stmt *stmt = store_prepare(store, sql, &rc);
	return stmt ? store_finish(stmt) : rc;
}

static int integer(sqlite3_stmt *stmt, int64_t *value)
{
	int rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*value = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	/* Each such statement gives a row, unless somebody emptied revision_counter. */
	return rc == SQLITE_ROW ? SQLITE_OK : rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
}

int store_integer(struct sluice_store *store, enum store_sql sql, int64_t *value)
{
	int rc;
	sqlite3_stmt *stmt = store_prepare(store, sql, &rc);
	return stmt ? integer(stmt, value) : rc;
}

int store_noun_integer(struct sluice_store *store, enum sluice_store_kind kind,
                       enum store_noun_sql sql, int64_t *value)
{
	int rc;
	sqlite3_stmt *stmt = store_prepare_noun(store, kind, sql, &rc);
	return stmt ? integer(stmt, value) : rc;
}

char *store_doing(char buf[32], enum sluice_store_kind kind, const char *done)
{
	snprintf(buf, 32, "the %s can't be %s", sluice_store_noun(kind), done);
	return buf;
}

static void finalize(sqlite3_stmt **statements, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		sqlite3_finalize(statements[i]);
		statements[i] = NULL;
	}
}

void store_finalize_all(struct sluice_store *store)
{
	finalize(store->statements, SQL_COUNT);
	for (int kind = 0; kind < SLUICE_STORE_KINDS; kind++)
		finalize(store->noun_statements[kind], NOUN_SQL_COUNT);
}

int store_bind(sqlite3_stmt *stmt, int index, struct sluice_str text)
{
	if (!text.data)
		return sqlite3_bind_null(stmt, index);
	return sqlite3_bind_text64(stmt, index, text.data, text.len, SQLITE_STATIC, SQLITE_UTF8);
}

struct sluice_str store_column(sqlite3_stmt *stmt, int column)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);
	size_t len = (size_t)sqlite3_column_bytes(stmt, column);
	return (struct sluice_str){ (const char *)text, text ? len : 0 };
}

static enum sluice_status undone(const struct sluice_store *store, struct sluice_error *error)
{
	return store_error(store, SLUICE_ERR_IO, error,
	                   "the transaction was undone by an earlier failure");
}

/* A full disk, for one, makes SQLite roll all of a transaction back. */
static bool is_undone(const struct sluice_store *store)
{
	return store->doomed || sqlite3_get_autocommit(store->db);
}

enum sluice_status store_write_begin(struct sluice_store *store, struct sluice_error *error)
{
	if (store->flags & SLUICE_STORE_READ_ONLY)
		return store_error(store, SLUICE_ERR_READ_ONLY, error, "opened for reading only");
	if (store->in_transaction) {
		/* No savepoint: it would copy each page that an import touches, again and again. */
		if (is_undone(store))
			return undone(store, error);
		store->changes = sqlite3_total_changes64(store->db);
		return SLUICE_OK;
	}
	enum sluice_status status = store_ensure_current(store, error);
	if (status != SLUICE_OK)
		return status;
	return store_fault(store, store_run(store, SQL_BEGIN_IMMEDIATE), "begin", error);
}

/* Two targets on one queue would each get a part of its events. Seen at the commit, so that an
 * import may hand a queue from one to the other. */
static enum sluice_status check_targets(struct sluice_store *store, struct sluice_error *error)
{
	int rc;
	enum sluice_status status = SLUICE_OK;
	sqlite3_stmt *stmt;
	if (!store->put_target)
		return SLUICE_OK;
	stmt = store_prepare(store, SQL_SHARED_QUEUE, &rc);
	if (stmt && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
		status = store_error(store, SLUICE_ERR_CONFLICT, error,
		                     "the targets \"%s\" and \"%s\" take from the same queue, "
		                     "\"%s\"",
		                     (const char *)sqlite3_column_text(stmt, 1),
		                     (const char *)sqlite3_column_text(stmt, 2),
		                     (const char *)sqlite3_column_text(stmt, 0));
	sqlite3_reset(stmt);
	if (rc == SQLITE_ROW)
		return status;
	return store_fault(store, rc, "the targets can't be checked", error);
}

enum sluice_status store_write_end(struct sluice_store *store, enum sluice_status status,
                                   struct sluice_error *error)
{
	if (store->in_transaction) {
		if (status == SLUICE_OK)
			store->changed = true;
		else if (sqlite3_total_changes64(store->db) != store->changes)
			store->doomed = true;
		return status;
	}
	if (status == SLUICE_OK)
		status = check_targets(store, error);
	store->put_target = false;
	if (status == SLUICE_OK) {
		status = store_fault(store, store_run(store, SQL_COMMIT), "commit", error);
		if (status == SLUICE_OK) {
			store->changed = true;
			return SLUICE_OK;
		}
	}
	if (!sqlite3_get_autocommit(store->db))
		store_run(store, SQL_ROLLBACK);
	return status;
}

enum sluice_status store_read_begin(struct sluice_store *store, struct sluice_error *error)
{
	if (store->in_transaction)
		return SLUICE_OK;
	enum sluice_status status = store_ensure_current(store, error);
	if (status != SLUICE_OK)
		return status;
	store_flush_reports(store);
	return store_fault(store, store_run(store, SQL_BEGIN), "can't be read", error);
}

void store_read_end(struct sluice_store *store)
{
	if (!store->in_transaction && !sqlite3_get_autocommit(store->db))
		store_run(store, SQL_ROLLBACK);
}

enum sluice_status sluice_store_begin(struct sluice_store *store, struct sluice_error *error)
{
	if (store->in_transaction)
		return store_error(store, SLUICE_ERR_CONFLICT, error,
		                   "a transaction is open already");
	enum sluice_status status = store_write_begin(store, error);
	store->in_transaction = status == SLUICE_OK;
	store->doomed = false;
	return status;
}

enum sluice_status sluice_store_commit(struct sluice_store *store, struct sluice_error *error)
{
	if (!store->in_transaction)
		return store_error(store, SLUICE_ERR_CONFLICT, error, "no transaction is open");
	if (is_undone(store)) {
		sluice_store_rollback(store);
		return undone(store, error);
	}
	store->in_transaction = false;
	return store_write_end(store, SLUICE_OK, error);
}

void sluice_store_rollback(struct sluice_store *store)
{
	if (!store->in_transaction)
		return;
	store->in_transaction = false;
	store->put_target = false;
	if (!sqlite3_get_autocommit(store->db))
		store_run(store, SQL_ROLLBACK);
}
