/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* An outbox's tables and triggers: made, kept as they should be, removed. */
#include <stdlib.h>
#include <string.h>

#include "outbox_internal.h"

/*
 * AUTOINCREMENT: an id is never given twice, though its row was deleted. What is found without an outbox
 * but with readers is left of one that somebody dropped: its positions mean nothing any more.
 */
static const char tables_sql[] =
        "DROP TABLE IF EXISTS sluice_outbox_about;\n"
        "DROP TABLE IF EXISTS sluice_outbox_readers;\n"
        "DROP TABLE IF EXISTS sluice_outbox_replaced;\n"
        "CREATE TABLE sluice_outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL "
        "DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), \"table\" TEXT NOT NULL, op TEXT NOT "
        "NULL, keys TEXT NOT NULL, key_types TEXT NOT NULL, old TEXT, old_types TEXT, new TEXT, "
        "new_types TEXT);\n"
        "CREATE TABLE sluice_outbox_readers (name TEXT PRIMARY KEY NOT NULL, position INTEGER NOT "
        "NULL, time TEXT NOT NULL);\n"
        "CREATE TABLE sluice_outbox_replaced (\"table\" TEXT NOT NULL, row INTEGER, keys TEXT NOT "
        "NULL, key_types TEXT NOT NULL, old TEXT NOT NULL, old_types TEXT NOT NULL);\n"
        "CREATE TABLE sluice_outbox_about (id TEXT NOT NULL);\n"
        "INSERT INTO sluice_outbox_about VALUES (lower(hex(randomblob(8))));\n";

static const char drop_sql[] = "DROP TABLE IF EXISTS sluice_outbox;\n"
                               "DROP TABLE IF EXISTS sluice_outbox_readers;\n"
                               "DROP TABLE IF EXISTS sluice_outbox_replaced;\n"
                               "DROP TABLE IF EXISTS sluice_outbox_about;\n";

/* Writes within one transaction, which begins with the first write. */
struct change {
	struct sluice_outbox *outbox;
	bool begun;
	struct sluice_error *error;
};

static enum sluice_status run(struct change *change, const char *sql)
{
	enum sluice_status status = SLUICE_OK;

	if (!change->begun) {
		status = outbox_run(change->outbox, "BEGIN IMMEDIATE", "it can't be changed",
		                    change->error);
		change->begun = status == SLUICE_OK;
	}
	return status == SLUICE_OK
	               ? outbox_run(change->outbox, sql, "it can't be changed", change->error)
	               : status;
}

static enum sluice_status end(struct change *change, enum sluice_status status)
{
	if (change->begun && status == SLUICE_OK)
		status = outbox_run(change->outbox, "COMMIT", "it can't be changed", change->error);
	if (!sqlite3_get_autocommit(change->outbox->db))
		sqlite3_exec(change->outbox->db, "ROLLBACK", NULL, NULL, NULL);
	return status;
}

/* The SQL of a trigger that is there; absent when there is none. */
static enum sluice_status trigger_text(struct sluice_outbox *outbox, struct sluice_str name,
                                       struct sluice_buffer *text, struct sluice_error *error)
{
	int rc;
	sqlite3_stmt *stmt = outbox_prepare(
	        outbox, "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = ?1", &rc);

	if (stmt)
		rc = sqlite3_bind_text64(stmt, 1, name.data, name.len, SQLITE_STATIC, SQLITE_UTF8);
	if (stmt && rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		sluice_buffer_append_text(text, (const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	if (text->failed)
		rc = SQLITE_NOMEM;
	return rc == SQLITE_ROW || rc == SQLITE_DONE
	               ? SLUICE_OK
	               : outbox_fault(outbox, rc, "its triggers can't be read", error);
}

static void write_drop(struct sluice_buffer *sql, const struct sluice_buffer *name)
{
	sluice_buffer_append_text(sql, "DROP TRIGGER IF EXISTS ");
	sql->failed |= name->failed;
	if (!sql->failed)
		outbox_write_name(sql, name->data);
	sluice_buffer_append_text(sql, ";\n");
}

/* Makes one trigger what it should be. */
static enum sluice_status put_trigger(struct change *change, const struct outbox_table *table,
                                      enum outbox_trigger trigger)
{
	struct sluice_buffer name = { 0 }, wanted = { 0 }, there = { 0 }, sql = { 0 };
	enum sluice_status status;

	outbox_trigger_name(table->name, trigger, &name);
	outbox_trigger_write(table, trigger, &wanted);
	status = trigger_text(change->outbox, sluice_buffer_str(&name), &there, change->error);
	if (status == SLUICE_OK && (name.failed || wanted.failed))
		status = sluice_out_of_memory(change->error);
	if (status == SLUICE_OK &&
	    !sluice_str_equal(sluice_buffer_str(&there), sluice_buffer_str(&wanted))) {
		write_drop(&sql, &name);
		sluice_buffer_append_str(&sql, sluice_buffer_str(&wanted));
		status = sql.failed ? sluice_out_of_memory(change->error) : run(change, sql.data);
	}
	sluice_buffer_finish(&name);
	sluice_buffer_finish(&wanted);
	sluice_buffer_finish(&there);
	sluice_buffer_finish(&sql);
	return status;
}

static enum sluice_status put_table(struct change *change, struct sluice_str name)
{
	struct outbox_table table;
	enum sluice_status status = outbox_table_read(change->outbox, name, &table, change->error);

	for (int i = 0; status == SLUICE_OK && i < OUTBOX_TRIGGERS; i++)
		status = put_trigger(change, &table, (enum outbox_trigger)i);
	outbox_table_finish(&table);
	return status;
}

/* The first column of each row, as texts one after another, each ending in NUL. */
static enum sluice_status list(struct sluice_outbox *outbox, const char *sql,
                               struct sluice_buffer *names, struct sluice_error *error)
{
	int rc;
	sqlite3_stmt *stmt = outbox_prepare(outbox, sql, &rc);

	while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);
		if (name)
			sluice_buffer_append(names, name, strlen(name) + 1);
		rc = names->failed || !name ? SQLITE_NOMEM : SQLITE_OK;
	}
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? SLUICE_OK
	                         : outbox_fault(outbox, rc, "its tables can't be read", error);
}

static enum sluice_status put_all_tables(struct change *change)
{
	struct sluice_buffer names = { 0 };
	enum sluice_status status =
	        list(change->outbox,
	             "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' "
	             "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND "
	             "name NOT LIKE 'sluice\\_outbox%' ESCAPE '\\' ORDER BY name",
	             &names, change->error);

	for (size_t at = 0; status == SLUICE_OK && at < names.len;
	     at += strlen(names.data + at) + 1)
		status = put_table(change, sluice_str(names.data + at));
	sluice_buffer_finish(&names);
	return status;
}

enum sluice_status sluice_outbox_check(struct sluice_outbox *outbox, struct sluice_error *error)
{
	int rc;
	sqlite3_stmt *stmt = outbox_prepare(
	        outbox,
	        "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'sluice_outbox'", &rc);

	if (stmt)
		rc = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	if (rc == SQLITE_DONE)
		return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, NULL,
		                        "%s has no outbox: sluice source add sqlite makes it",
		                        outbox->path);
	if (rc != SQLITE_ROW)
		return outbox_fault(outbox, rc, "it can't be read", error);
	stmt = outbox_prepare(outbox, "SELECT id FROM sluice_outbox_about", &rc);
	if (stmt)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		const char *id = (const char *)sqlite3_column_text(stmt, 0);
		size_t len = id ? strspn(id, "0123456789abcdef") : 0;
		/* A stranger's database may say anything. */
		if (len == 0 || id[len] != '\0' || len >= sizeof(outbox->id))
			rc = SQLITE_CORRUPT;
		else
			memcpy(outbox->id, id, len + 1);
	}
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? SLUICE_OK
	                        : outbox_fault(outbox, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc,
	                                       "its outbox has no id", error);
}

enum sluice_status sluice_outbox_install(struct sluice_outbox *outbox,
                                         const struct sluice_str *tables, size_t count,
                                         bool *changed, struct sluice_error *error)
{
	struct sluice_error own;
	struct change change = { outbox, false, error ? error : &own };
	enum sluice_status status = sluice_outbox_check(outbox, change.error);

	if (status == SLUICE_ERR_NOT_FOUND)
		status = run(&change, tables_sql);
	for (size_t i = 0; status == SLUICE_OK && i < count; i++)
		status = put_table(&change, tables[i]);
	if (status == SLUICE_OK && count == 0)
		status = put_all_tables(&change);
	status = end(&change, status);
	if (status == SLUICE_OK)
		status = sluice_outbox_check(outbox, change.error);
	if (changed)
		*changed = change.begun;
	return status;
}

static enum sluice_status drop_trigger(struct change *change, const struct sluice_buffer *name)
{
	struct sluice_buffer sql = { 0 };
	enum sluice_status status;

	write_drop(&sql, name);
	status = sql.failed ? sluice_out_of_memory(change->error) : run(change, sql.data);
	sluice_buffer_finish(&sql);
	return status;
}

static enum sluice_status drop_all(struct change *change)
{
	struct sluice_buffer names = { 0 };
	enum sluice_status status =
	        list(change->outbox,
	             "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND "
	             "name LIKE 'sluice\\_outbox\\_%' ESCAPE '\\'",
	             &names, change->error);

	for (size_t at = 0; status == SLUICE_OK && at < names.len;
	     at += strlen(names.data + at) + 1) {
		struct sluice_buffer name = { 0 };
		sluice_buffer_append_text(&name, names.data + at);
		status = drop_trigger(change, &name);
		sluice_buffer_finish(&name);
	}
	sluice_buffer_finish(&names);
	return status == SLUICE_OK ? run(change, drop_sql) : status;
}

enum sluice_status sluice_outbox_remove(struct sluice_outbox *outbox,
                                        const struct sluice_str *tables, size_t count,
                                        struct sluice_error *error)
{
	struct sluice_error own;
	struct change change = { outbox, false, error ? error : &own };
	enum sluice_status status = SLUICE_OK;

	for (size_t i = 0; status == SLUICE_OK && i < count; i++) {
		struct outbox_table table;
		status = outbox_table_read(outbox, tables[i], &table, change.error);
		for (int at = 0; status == SLUICE_OK && at < OUTBOX_TRIGGERS; at++) {
			struct sluice_buffer name = { 0 };
			outbox_trigger_name(table.name, (enum outbox_trigger)at, &name);
			status = drop_trigger(&change, &name);
			sluice_buffer_finish(&name);
		}
		outbox_table_finish(&table);
	}
	if (status == SLUICE_OK && count == 0)
		status = drop_all(&change);
	return end(&change, status);
}
