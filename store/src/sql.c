/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The statements of the store, its transactions, and what SQLite's codes mean to a caller. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

#define RULE_COLUMNS                                                                               \
	"SELECT r.name, r.bus, r.state, r.description, r.metrics, r.pattern, r.revision,"          \
	" e.revision, e.place, e.message FROM rules r"                                             \
	" LEFT JOIN rule_errors e ON e.kind = 'rule' AND e.name = r.name "
#define BUS_COLUMNS                                                                                \
	"SELECT b.name, b.description, b.topics, b.exclude, b.deliver_original, b.revision,"       \
	" e.revision, e.place, e.message FROM buses b"                                             \
	" LEFT JOIN rule_errors e ON e.kind = 'bus' AND e.name = b.name "
#define ERROR_PUT(kind, table)                                                                     \
	"INSERT INTO rule_errors (kind, name, revision, code, place, message)"                     \
	" SELECT '" kind "', ?1, ?2, ?3, ?4, ?5"                                                   \
	" WHERE EXISTS (SELECT 1 FROM " table " WHERE name = ?1 AND revision = ?2)"                \
	" ON CONFLICT (kind, name) DO UPDATE SET revision = excluded.revision,"                    \
	" code = excluded.code, place = excluded.place, message = excluded.message,"               \
	" time = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"                                            \
	" WHERE (revision, code, place, message) IS NOT"                                           \
	" (excluded.revision, excluded.code, excluded.place, excluded.message)"

static const char *const texts[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN",
	[SQL_BEGIN_IMMEDIATE] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_DATA_VERSION] = "PRAGMA data_version",
	[SQL_SCHEMA_VERSION] = "PRAGMA schema_version",
	[SQL_USER_VERSION] = "PRAGMA user_version",
	[SQL_LAST_REVISION] = "SELECT last FROM revision_counter",
	[SQL_RULE] = RULE_COLUMNS "WHERE r.name = ?1",
	[SQL_RULE_TARGETS] = "SELECT id, definition FROM targets WHERE rule = ?1"
	                     " ORDER BY position, id",
	[SQL_RULES_LIST] = RULE_COLUMNS "WHERE r.name > ?1 AND r.name >= ?2"
	                                " AND (?3 IS NULL OR r.name < ?3)"
	                                " AND (?4 IS NULL OR r.bus = ?4)"
	                                " AND (?5 IS NULL OR r.state = ?5)"
	                                " ORDER BY r.name LIMIT ?6",
	[SQL_RULES_SINCE] = RULE_COLUMNS "WHERE r.revision > ?1 ORDER BY r.revision",
	[SQL_RULE_NAMES] = "SELECT name FROM rules",
	[SQL_BUS_NAMES] = "SELECT name FROM buses WHERE name <> 'default'",
	[SQL_RULE_UPSERT] = "INSERT INTO rules (name, bus, state, description, metrics, pattern)"
	                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO UPDATE SET"
	                    " bus = ?2, state = ?3, description = ?4, metrics = ?5, pattern = ?6",
	[SQL_RULE_STATE] = "UPDATE rules SET state = ?2 WHERE name = ?1",
	[SQL_RULE_DELETE] = "DELETE FROM rules WHERE name = ?1",
	[SQL_RULE_REVISION] = "SELECT revision FROM rules WHERE name = ?1",
	[SQL_TARGETS_DELETE] = "DELETE FROM targets WHERE rule = ?1",
	[SQL_TARGET_INSERT] = "INSERT INTO targets (rule, id, position, definition)"
	                      " VALUES (?1, ?2, ?3, ?4)",
	[SQL_BUS] = BUS_COLUMNS "WHERE b.name = ?1",
	[SQL_BUSES_SINCE] = BUS_COLUMNS "WHERE b.revision > ?1 ORDER BY b.name",
	[SQL_BUS_UPSERT] =
	        "INSERT INTO buses (name, description, topics, exclude, deliver_original)"
	        " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (name) DO UPDATE SET"
	        " description = ?2, topics = ?3, exclude = ?4, deliver_original = ?5",
	[SQL_BUS_DELETE] = "DELETE FROM buses WHERE name = ?1",
	[SQL_BUS_REVISION] = "SELECT revision FROM buses WHERE name = ?1",
	[SQL_BUS_HAS_RULES] = "SELECT 1 FROM rules WHERE bus = ?1 LIMIT 1",
	[SQL_TOMBSTONES_SINCE] = "SELECT kind = 'rule', name FROM tombstones WHERE revision > ?1",
	[SQL_RULES_SUM] = "SELECT count(*), sum(revision & 4294967295) FROM rules",
	[SQL_BUSES_SUM] = "SELECT count(*), sum(revision & 4294967295) FROM buses",
	[SQL_ERROR_PUT_RULE] = ERROR_PUT("rule", "rules"),
	[SQL_ERROR_PUT_BUS] = ERROR_PUT("bus", "buses"),
	[SQL_ERROR_DELETE] = "DELETE FROM rule_errors WHERE kind = ?1 AND name = ?2"
	                     " AND revision <= ?3",
	[SQL_ERROR_COUNT] = "SELECT (SELECT count(*) FROM rule_errors e JOIN rules r"
	                    " ON r.name = e.name AND r.revision = e.revision WHERE e.kind = 'rule')"
	                    " + (SELECT count(*) FROM rule_errors e JOIN buses b"
	                    " ON b.name = e.name AND b.revision = e.revision WHERE e.kind = 'bus')",
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
	if (!*stmt) {
		*rc = sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
		if (*rc != SQLITE_OK)
			return NULL;
	} else {
		sqlite3_reset(*stmt);
		sqlite3_clear_bindings(*stmt);
	}
	return *stmt;
}

sqlite3_stmt *store_prepare(struct sluice_store *store, enum store_sql sql, int *rc)
{
	return store_prepare_text(store->db, &store->statements[sql], texts[sql], rc);
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

int store_integer(struct sluice_store *store, enum store_sql sql, int64_t *value)
{
	int rc;
	sqlite3_stmt *stmt = store_prepare(store, sql, &rc);
	if (!stmt)
		return rc;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*value = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	/* Each such statement gives a row, unless somebody emptied revision_counter. */
	return rc == SQLITE_ROW ? SQLITE_OK : rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
}

void store_finalize_all(struct sluice_store *store)
{
	for (size_t i = 0; i < SQL_COUNT; i++) {
		sqlite3_finalize(store->statements[i]);
		store->statements[i] = NULL;
	}
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
	if (!sqlite3_get_autocommit(store->db))
		store_run(store, SQL_ROLLBACK);
}
