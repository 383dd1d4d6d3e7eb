/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* An outbox is opened, and read. */
#include "sluice_store/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "outbox_internal.h"

enum { TRIM_MAX = 1000 };

enum sluice_status outbox_fault(const struct sluice_outbox *outbox, int rc, const char *doing,
                                struct sluice_error *error)
{
	enum sluice_status status;

	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		return sluice_out_of_memory(error);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return sluice_error_set(error, SLUICE_ERR_BUSY, SIZE_MAX, NULL,
		                        "%s: %s: another program holds it locked", outbox->path,
		                        doing);
	case SQLITE_READONLY:
	case SQLITE_PERM:
		status = SLUICE_ERR_READ_ONLY;
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		status = SLUICE_ERR_CORRUPT;
		break;
	default:
		status = SLUICE_ERR_IO;
	}
	return sluice_error_set(error, status, SIZE_MAX, NULL, "%s: %s: %s", outbox->path, doing,
	                        outbox->db && (sqlite3_errcode(outbox->db) & 0xff) == (rc & 0xff)
	                                ? sqlite3_errmsg(outbox->db)
	                                : sqlite3_errstr(rc));
}

enum sluice_status outbox_run(struct sluice_outbox *outbox, const char *sql, const char *doing,
                              struct sluice_error *error)
{
	int rc = sqlite3_exec(outbox->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? SLUICE_OK : outbox_fault(outbox, rc, doing, error);
}

sqlite3_stmt *outbox_prepare(struct sluice_outbox *outbox, const char *sql, int *rc)
{
	sqlite3_stmt *stmt = NULL;

	*rc = sqlite3_prepare_v2(outbox->db, sql, -1, &stmt, NULL);
	return stmt;
}

static void finish(struct sluice_outbox *outbox)
{
	sqlite3_finalize(outbox->read);
	sqlite3_finalize(outbox->data);
	sqlite3_finalize(outbox->schema);
	sqlite3_close(outbox->db);
	free(outbox->path);
	free(outbox);
}

enum sluice_status sluice_outbox_open(const char *path, struct sluice_outbox **outbox,
                                      struct sluice_error *error)
{
	struct sluice_outbox *made = calloc(1, sizeof(*made));
	enum sluice_status status = SLUICE_OK;
	int rc;

	*outbox = NULL;
	if (!made)
		return sluice_out_of_memory(error);
	made->path = strdup(path);
	if (!made->path) {
		finish(made);
		return sluice_out_of_memory(error);
	}
	/* Not created: a path that is misspelt would else be watched for ever. */
	rc = sqlite3_open_v2(path, &made->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(made->db, SLUICE_OUTBOX_WAIT_MS);
	/* Its schema is a stranger's: nothing in it is run that could do harm. */
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(made->db, "PRAGMA trusted_schema = OFF", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(made->db, "SELECT 1 FROM sqlite_schema LIMIT 1", NULL, NULL,
		                  NULL);
	if (rc != SQLITE_OK)
		status = outbox_fault(made, rc, "it can't be opened", error);
	else if (stat(path, &made->file) != 0)
		status = outbox_fault(made, SQLITE_CANTOPEN, "it can't be opened", error);
	if (status != SLUICE_OK)
		finish(made);
	else
		*outbox = made;
	return status;
}

void sluice_outbox_close(struct sluice_outbox *outbox)
{
	if (outbox)
		finish(outbox);
}

const char *sluice_outbox_id(const struct sluice_outbox *outbox)
{
	return outbox->id;
}

static int read_integer(struct sluice_outbox *outbox, sqlite3_stmt **stmt, const char *sql,
                        int64_t *value)
{
	int rc = SQLITE_OK;

	if (!*stmt)
		*stmt = outbox_prepare(outbox, sql, &rc);
	if (!*stmt)
		return rc;
	rc = sqlite3_step(*stmt);
	if (rc == SQLITE_ROW)
		*value = sqlite3_column_int64(*stmt, 0);
	sqlite3_reset(*stmt);
	return rc == SQLITE_ROW ? SQLITE_OK : rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
}

enum sluice_status sluice_outbox_poll(struct sluice_outbox *outbox, struct sluice_outbox_news *news,
                                      struct sluice_error *error)
{
	struct stat now;
	int64_t data = 0, schema = outbox->schema_version;
	int rc;

	memset(news, 0, sizeof(*news));
	/* A file that was moved here in the place of ours never changes data_version. */
	if (stat(outbox->path, &now) != 0 || now.st_ino != outbox->file.st_ino ||
	    now.st_dev != outbox->file.st_dev) {
		news->replaced = true;
		return SLUICE_OK;
	}
	rc = read_integer(outbox, &outbox->data, "PRAGMA data_version", &data);
	if (rc == SQLITE_OK && (!outbox->polled || data != outbox->data_version))
		rc = read_integer(outbox, &outbox->schema, "PRAGMA schema_version", &schema);
	if (rc != SQLITE_OK)
		return outbox_fault(outbox, rc, "it can't be read", error);
	news->data = !outbox->polled || data != outbox->data_version;
	news->schema = !outbox->polled || schema != outbox->schema_version;
	outbox->polled = true;
	outbox->data_version = data;
	outbox->schema_version = schema;
	return SLUICE_OK;
}

static struct sluice_str column(sqlite3_stmt *stmt, int at)
{
	const char *text = (const char *)sqlite3_column_text(stmt, at);

	return sluice_str_of(text, text ? (size_t)sqlite3_column_bytes(stmt, at) : 0);
}

enum sluice_status sluice_outbox_read(struct sluice_outbox *outbox, int64_t after, int64_t limit,
                                      sluice_outbox_row_fn fn, void *arg,
                                      struct sluice_error *error)
{
	sqlite3_stmt *stmt = outbox->read;
	bool goes_on = true;
	int rc = SQLITE_OK;

	if (!stmt)
		stmt = outbox->read = outbox_prepare(
		        outbox,
		        "SELECT id, time, \"table\", op, keys, key_types, old, old_types, new, "
		        "new_types FROM sluice_outbox WHERE id > ?1 ORDER BY id LIMIT ?2",
		        &rc);
	if (stmt) {
		sqlite3_bind_int64(stmt, 1, after);
		sqlite3_bind_int64(stmt, 2, limit);
	}
	while (rc == SQLITE_OK && goes_on && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct sluice_outbox_row row = {
			.id = sqlite3_column_int64(stmt, 0),
			.time = column(stmt, 1),
			.table = column(stmt, 2),
			.operation = column(stmt, 3),
			.keys = column(stmt, 4),
			.key_types = column(stmt, 5),
			.old_image = column(stmt, 6),
			.old_types = column(stmt, 7),
			.new_image = column(stmt, 8),
			.new_types = column(stmt, 9),
		};
		rc = SQLITE_OK;
		goes_on = fn(arg, &row);
	}
	/* No lock is held between two reads. */
	sqlite3_reset(stmt);
	return rc == SQLITE_OK || rc == SQLITE_DONE
	               ? SLUICE_OK
	               : outbox_fault(outbox, rc, "its outbox can't be read", error);
}

enum sluice_status sluice_outbox_position(struct sluice_outbox *outbox, struct sluice_str reader,
                                          bool latest, int64_t *position, int64_t *lost,
                                          struct sluice_error *error)
{
	int rc;
	int64_t first = 0, last = 0;
	bool known = false;
	sqlite3_stmt *stmt = outbox_prepare(
	        outbox,
	        "SELECT (SELECT position FROM sluice_outbox_readers WHERE name = ?1), (SELECT "
	        "min(id) "
	        "FROM sluice_outbox), ifnull((SELECT seq FROM sqlite_sequence WHERE name = "
	        "'sluice_outbox'), 0)",
	        &rc);

	if (stmt)
		rc = sqlite3_bind_text64(stmt, 1, reader.data, reader.len, SQLITE_STATIC,
		                         SQLITE_UTF8);
	if (stmt && rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		known = sqlite3_column_type(stmt, 0) != SQLITE_NULL;
		*position = sqlite3_column_int64(stmt, 0);
		last = sqlite3_column_int64(stmt, 2);
		first = sqlite3_column_type(stmt, 1) == SQLITE_NULL ? last + 1
		                                                    : sqlite3_column_int64(stmt, 1);
	}
	sqlite3_finalize(stmt);
	if (rc != SQLITE_ROW)
		return outbox_fault(outbox, rc, "its outbox can't be read", error);
	*lost = known && first > *position + 1 ? first - *position - 1 : 0;
	if (!known)
		*position = latest ? last : first - 1;
	return SLUICE_OK;
}

enum sluice_status sluice_outbox_confirm(struct sluice_outbox *outbox, struct sluice_str reader,
                                         int64_t position, struct sluice_error *error)
{
	int rc;
	sqlite3_stmt *stmt = outbox_prepare(
	        outbox,
	        "INSERT INTO sluice_outbox_readers VALUES (?1, ?2, strftime('%Y-%m-%dT%H:%M:%fZ', "
	        "'now')) ON CONFLICT (name) DO UPDATE SET position = max(position, "
	        "excluded.position), time = "
	        "excluded.time",
	        &rc);

	if (stmt)
		rc = sqlite3_bind_text64(stmt, 1, reader.data, reader.len, SQLITE_STATIC,
		                         SQLITE_UTF8);
	if (stmt && rc == SQLITE_OK)
		rc = sqlite3_bind_int64(stmt, 2, position);
	if (stmt && rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? SLUICE_OK
	                         : outbox_fault(outbox, rc, "a position can't be kept", error);
}

enum sluice_status sluice_outbox_trim(struct sluice_outbox *outbox, int64_t up_to, int64_t keep_s,
                                      bool *more, struct sluice_error *error)
{
	int rc;
	/* Ids and times go together: a look at the first few says whether there is anything to do. */
	sqlite3_stmt *stmt = outbox_prepare(
	        outbox,
	        "DELETE FROM sluice_outbox WHERE id <= (SELECT max(id) FROM (SELECT id, time FROM "
	        "sluice_outbox WHERE id <= ?1 ORDER BY id LIMIT ?2) WHERE time <= "
	        "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-' || ?3 || ' seconds'))",
	        &rc);

	*more = false;
	if (stmt) {
		sqlite3_bind_int64(stmt, 1, up_to);
		sqlite3_bind_int64(stmt, 2, TRIM_MAX);
		sqlite3_bind_int64(stmt, 3, keep_s);
		rc = sqlite3_step(stmt);
	}
	sqlite3_finalize(stmt);
	if (rc != SQLITE_DONE)
		return outbox_fault(outbox, rc, "its outbox can't be trimmed", error);
	*more = sqlite3_changes(outbox->db) >= TRIM_MAX;
	return SLUICE_OK;
}
