/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Tables as an outbox's triggers need to know them. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "outbox_internal.h"

void outbox_table_finish(struct outbox_table *table)
{
	for (size_t i = 0; i < table->column_count; i++)
		free(table->columns[i].name);
	for (size_t i = 0; i < table->index_count; i++)
		free(table->indexes[i].condition);
	free(table->columns);
	free(table->indexes);
	free(table->name);
	sluice_buffer_finish(&table->unique);
	memset(table, 0, sizeof(*table));
}

/* One more element; NULL when out of memory. */
static void *grow(void *array, size_t count, size_t size)
{
	return realloc(array, (count + 1) * size);
}

static const char *text_of(sqlite3_stmt *stmt, int column)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	return text ? text : "";
}

/* Names are given case by case: SQLite finds a table in any. */
static enum sluice_status read_kind(struct sluice_outbox *outbox, struct sluice_str name,
                                    struct outbox_table *table, struct sluice_error *error)
{
	enum sluice_status status = SLUICE_OK;
	int rc;
	sqlite3_stmt *stmt = outbox_prepare(outbox,
	                                    "SELECT name, type, wr FROM pragma_table_list WHERE "
	                                    "schema = 'main' AND name = ?1 COLLATE NOCASE",
	                                    &rc);

	if (!stmt)
		return outbox_fault(outbox, rc, "its tables can't be read", error);
	rc = sqlite3_bind_text64(stmt, 1, name.data, name.len, SQLITE_STATIC, SQLITE_UTF8);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_DONE) {
		status = sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, NULL,
		                          "there is no table \"%.*s\"", (int)name.len, name.data);
	} else if (rc != SQLITE_ROW) {
		status = outbox_fault(outbox, rc, "its tables can't be read", error);
	} else if (strcmp(text_of(stmt, 1), "table") != 0 ||
	           strncasecmp(text_of(stmt, 0), "sqlite_", 7) == 0 ||
	           strncasecmp(text_of(stmt, 0), OUTBOX_PREFIX, sizeof(OUTBOX_PREFIX) - 1) == 0) {
		status = sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                          "\"%.*s\" is no table that can have triggers",
		                          (int)name.len, name.data);
	} else {
		table->name = strdup(text_of(stmt, 0));
		table->without_rowid = sqlite3_column_int(stmt, 2) != 0;
		if (!table->name)
			status = sluice_out_of_memory(error);
	}
	sqlite3_finalize(stmt);
	return status;
}

static enum sluice_status read_columns(struct sluice_outbox *outbox, struct outbox_table *table,
                                       struct sluice_error *error)
{
	int rc;
	sqlite3_stmt *stmt = outbox_prepare(outbox,
	                                    "SELECT name, pk FROM pragma_table_xinfo(?1) WHERE "
	                                    "hidden <> 1 ORDER BY cid",
	                                    &rc);

	if (stmt)
		rc = sqlite3_bind_text(stmt, 1, table->name, -1, SQLITE_STATIC);
	while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct outbox_column *columns =
		        grow(table->columns, table->column_count, sizeof(*columns));
		rc = SQLITE_NOMEM;
		if (!columns)
			break;
		table->columns = columns;
		columns += table->column_count;
		columns->name = strdup(text_of(stmt, 0));
		columns->key = sqlite3_column_int64(stmt, 1);
		if (!columns->name)
			break;
		table->column_count++;
		table->key_count += columns->key > 0;
		rc = SQLITE_OK;
	}
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? SLUICE_OK
	                         : outbox_fault(outbox, rc, "its columns can't be read", error);
}

static bool has_column(const struct outbox_table *table, const char *name)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (strcasecmp(table->columns[i].name, name) == 0)
			return true;
	return false;
}

static void choose_rowid(struct outbox_table *table)
{
	static const char *const names[] = { "rowid", "_rowid_", "oid" };

	for (size_t i = 0; !table->without_rowid && i < 3 && !table->rowid; i++)
		if (!has_column(table, names[i]))
			table->rowid = names[i];
}

/* `x."a" = NEW."a" COLLATE …` for each column; nothing when one of them is an expression. */
static int read_index(struct sluice_outbox *outbox, struct outbox_table *table, const char *index,
                      struct sluice_buffer *condition)
{
	struct sluice_buffer columns = { 0 };
	int rc;
	sqlite3_stmt *stmt = outbox_prepare(
	        outbox,
	        "SELECT cid, name, coll FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno", &rc);
	bool plain = true;

	if (stmt)
		rc = sqlite3_bind_text(stmt, 1, index, -1, SQLITE_STATIC);
	while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *name = text_of(stmt, 1);
		rc = SQLITE_OK;
		if (sqlite3_column_int64(stmt, 0) < 0) {
			plain = false;
			continue;
		}
		sluice_buffer_append_text(condition, condition->len > 0 ? " AND x." : "(x.");
		outbox_write_name(condition, name);
		sluice_buffer_append_text(condition, " = NEW.");
		outbox_write_name(condition, name);
		sluice_buffer_append_text(condition, " COLLATE ");
		outbox_write_name(condition, text_of(stmt, 2));
		sluice_buffer_append_text(&columns,
		                          columns.len + table->unique.len > 0 ? ", " : "");
		outbox_write_name(&columns, name);
	}
	sqlite3_finalize(stmt);
	sluice_buffer_append_text(condition, ")");
	if (!plain)
		sluice_buffer_reset(condition);
	else
		sluice_buffer_append_str(&table->unique, sluice_buffer_str(&columns));
	if (columns.failed || condition->failed || table->unique.failed)
		rc = SQLITE_NOMEM;
	sluice_buffer_finish(&columns);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int add_index(struct outbox_table *table, struct sluice_buffer *condition)
{
	struct outbox_index *indexes;

	if (condition->len == 0)
		return SQLITE_OK;
	indexes = grow(table->indexes, table->index_count, sizeof(*indexes));
	if (!indexes)
		return SQLITE_NOMEM;
	table->indexes = indexes;
	indexes[table->index_count].condition = sluice_buffer_take(condition);
	if (!indexes[table->index_count].condition)
		return SQLITE_NOMEM;
	table->index_count++;
	return SQLITE_OK;
}

/* A part's uniqueness can't be looked up without reading the whole table: such an index is left out. */
static enum sluice_status read_indexes(struct sluice_outbox *outbox, struct outbox_table *table,
                                       struct sluice_error *error)
{
	int rc;
	sqlite3_stmt *stmt = outbox_prepare(outbox,
	                                    "SELECT name FROM pragma_index_list(?1) WHERE "
	                                    "\"unique\" AND NOT partial ORDER BY name",
	                                    &rc);

	if (stmt)
		rc = sqlite3_bind_text(stmt, 1, table->name, -1, SQLITE_STATIC);
	while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct sluice_buffer condition = { 0 };
		rc = read_index(outbox, table, text_of(stmt, 0), &condition);
		if (rc == SQLITE_OK)
			rc = add_index(table, &condition);
		sluice_buffer_finish(&condition);
	}
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? SLUICE_OK
	                         : outbox_fault(outbox, rc, "its indexes can't be read", error);
}

/* An INTEGER PRIMARY KEY has no index. */
static void add_key_columns(struct outbox_table *table)
{
	for (size_t i = 0; i < table->column_count; i++) {
		if (table->columns[i].key == 0)
			continue;
		sluice_buffer_append_text(&table->unique, table->unique.len > 0 ? ", " : "");
		outbox_write_name(&table->unique, table->columns[i].name);
	}
}

enum sluice_status outbox_table_read(struct sluice_outbox *outbox, struct sluice_str name,
                                     struct outbox_table *table, struct sluice_error *error)
{
	enum sluice_status status;

	memset(table, 0, sizeof(*table));
	status = read_kind(outbox, name, table, error);
	if (status == SLUICE_OK)
		status = read_columns(outbox, table, error);
	if (status == SLUICE_OK) {
		choose_rowid(table);
		add_key_columns(table);
		status = read_indexes(outbox, table, error);
	}
	if (status == SLUICE_OK && table->unique.failed)
		status = sluice_out_of_memory(error);
	return status;
}
