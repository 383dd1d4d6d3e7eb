/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The text of an outbox's triggers.
 *
 * INSERT OR REPLACE takes rows away without firing a trigger, as long as recursive_triggers is off, as
 * it is in most programs. So a trigger before the INSERT puts the rows that stand in its way, by the
 * primary key or a unique index, into sluice_outbox_replaced; the one after it sees which of those are
 * gone. Nothing is concluded before: an INSERT may still be ignored, or become an UPDATE. The same with
 * UPDATE OR REPLACE, where it touches a unique column.
 *
 * Other things that shape the text: a function takes at most 127 arguments; json_object refuses blobs,
 * and prints reals with 15 digits; SQLite before 3.44 has no other way to say what type a value has
 * than to say it beside it. The text must hold on the SQLite of whoever writes the table.
 */
#include <string.h>

#include "outbox_internal.h"

enum { PAIRS_MAX = 60, TYPES_MAX = 100 };

void outbox_write_name(struct sluice_buffer *out, const char *name)
{
	sluice_buffer_append_text(out, "\"");
	for (; *name; name++)
		sluice_buffer_append(out, *name == '"' ? "\"\"" : name, *name == '"' ? 2 : 1);
	sluice_buffer_append_text(out, "\"");
}

void outbox_write_text(struct sluice_buffer *out, const char *text)
{
	sluice_buffer_append_text(out, "'");
	for (; *text; text++)
		sluice_buffer_append(out, *text == '\'' ? "''" : text, *text == '\'' ? 2 : 1);
	sluice_buffer_append_text(out, "'");
}

static void write_column(struct sluice_buffer *out, const char *row, const char *column)
{
	sluice_buffer_append_text(out, row);
	sluice_buffer_append_text(out, ".");
	outbox_write_name(out, column);
}

/* A value that json_object takes, and from which the value can be told: 17 digits tell every real. */
static void write_value(struct sluice_buffer *out, const char *row, const char *column)
{
	struct sluice_buffer value = { 0 };

	write_column(&value, row, column);
	out->failed |= value.failed;
	if (!out->failed)
		sluice_buffer_printf(out,
		                     "CASE typeof(%s) WHEN 'blob' THEN hex(%s) WHEN 'real' THEN "
		                     "CASE WHEN %s = CAST(CAST(%s AS TEXT) AS REAL) THEN %s ELSE "
		                     "printf('%%!.17g', %s) END ELSE %s END",
		                     value.data, value.data, value.data, value.data, value.data,
		                     value.data, value.data);
	sluice_buffer_finish(&value);
}

/* The columns of an image, or of the key, in their order. */
static const struct outbox_column *next_column(const struct outbox_table *table, bool keys,
                                               size_t *at)
{
	while (*at < table->column_count) {
		const struct outbox_column *column = &table->columns[(*at)++];
		if (!keys || column->key > 0)
			return column;
	}
	return NULL;
}

/*
 * An object of the row's columns. More than fit into one call are made of several: of objects with
 * scalars in them the outer brackets are the only ones at either end.
 */
static void write_object(const struct outbox_table *table, const char *row, bool keys,
                         struct sluice_buffer *out)
{
	const struct outbox_column *column;
	size_t count = keys ? table->key_count : table->column_count, at = 0, written = 0;

	if (keys && count == 0) {
		/* A row without a key is known by its number. */
		if (table->rowid)
			sluice_buffer_printf(out, "json_object('rowid', %s.%s)", row, table->rowid);
		else
			sluice_buffer_append_text(out, "'{}'");
		return;
	}
	while ((column = next_column(table, keys, &at)) != NULL) {
		bool begins = written % PAIRS_MAX == 0;
		bool is_last = written / PAIRS_MAX == (count - 1) / PAIRS_MAX;
		if (begins && written > 0)
			sluice_buffer_append_text(out, " || ',' || ltrim(");
		if (begins && !is_last)
			sluice_buffer_append_text(out, "rtrim(");
		sluice_buffer_append_text(out, begins ? "json_object(" : ", ");
		outbox_write_text(out, column->name);
		sluice_buffer_append_text(out, ", ");
		write_value(out, row, column->name);
		written++;
		if (written % PAIRS_MAX == 0 || written == count) {
			sluice_buffer_append_text(out, ")");
			if (!is_last)
				sluice_buffer_append_text(out, ", '}')");
			if (written > PAIRS_MAX)
				sluice_buffer_append_text(out, ", '{')");
		}
	}
}

/* A letter for each of them: n, i, r, t, b. */
static void write_types(const struct outbox_table *table, const char *row, bool keys,
                        struct sluice_buffer *out)
{
	const struct outbox_column *column;
	size_t count = keys ? table->key_count : table->column_count, at = 0, written = 0;

	if (keys && count == 0) {
		sluice_buffer_append_text(out, table->rowid ? "'i'" : "''");
		return;
	}
	while ((column = next_column(table, keys, &at)) != NULL) {
		if (written % TYPES_MAX == 0) {
			size_t left = count - written;
			sluice_buffer_append_text(out, written > 0 ? " || printf('" : "printf('");
			for (size_t i = 0; i < left && i < TYPES_MAX; i++)
				sluice_buffer_append_text(out, "%.1s");
			sluice_buffer_append_text(out, "'");
		}
		sluice_buffer_append_text(out, ", typeof(");
		write_column(out, row, column->name);
		sluice_buffer_append_text(out, ")");
		written++;
		if (written % TYPES_MAX == 0 || written == count)
			sluice_buffer_append_text(out, ")");
	}
}

static void write_image(const struct outbox_table *table, const char *row,
                        struct sluice_buffer *out)
{
	write_object(table, row, false, out);
	sluice_buffer_append_text(out, ", ");
	write_types(table, row, false, out);
}

static void write_keys(const struct outbox_table *table, const char *row, struct sluice_buffer *out)
{
	write_object(table, row, true, out);
	sluice_buffer_append_text(out, ", ");
	write_types(table, row, true, out);
}

/* --- rows that are replaced --- */

static bool can_replace(const struct outbox_table *table)
{
	return table->rowid || table->key_count > 0;
}

static void write_forget(const struct outbox_table *table, struct sluice_buffer *out)
{
	sluice_buffer_append_text(out, "DELETE FROM sluice_outbox_replaced WHERE \"table\" = ");
	outbox_write_text(out, table->name);
	sluice_buffer_append_text(out, ";\n");
}

/* The row is not OLD, which an UPDATE is about. */
static void write_not_old(const struct outbox_table *table, struct sluice_buffer *out)
{
	sluice_buffer_append_text(out, " AND ");
	if (table->rowid) {
		sluice_buffer_printf(out, "x.%s <> OLD.%s", table->rowid, table->rowid);
		return;
	}
	write_object(table, "x", true, out);
	sluice_buffer_append_text(out, " <> ");
	write_object(table, "OLD", true, out);
}

/* Remembers the rows that NEW would take the place of. */
static void write_remember(const struct outbox_table *table, bool is_update,
                           struct sluice_buffer *out)
{
	bool any = false;

	write_forget(table, out);
	sluice_buffer_append_text(out, "INSERT INTO sluice_outbox_replaced (\"table\", row, keys, "
	                               "key_types, old, old_types) SELECT ");
	outbox_write_text(out, table->name);
	sluice_buffer_printf(out, ", %s%s, ", table->rowid ? "x." : "",
	                     table->rowid ? table->rowid : "NULL");
	write_keys(table, "x", out);
	sluice_buffer_append_text(out, ", ");
	write_image(table, "x", out);
	sluice_buffer_append_text(out, " FROM ");
	outbox_write_name(out, table->name);
	sluice_buffer_append_text(out, " AS x WHERE (");
	if (table->rowid) {
		sluice_buffer_printf(out, "x.%s = NEW.%s", table->rowid, table->rowid);
		any = true;
	}
	for (size_t i = 0; i < table->index_count; i++) {
		sluice_buffer_append_text(out, any ? " OR " : "");
		sluice_buffer_append_text(out, table->indexes[i].condition);
		any = true;
	}
	sluice_buffer_append_text(out, any ? ")" : "0)");
	if (is_update)
		write_not_old(table, out);
	sluice_buffer_append_text(out, ";\n");
}

/* Whether the remembered row r is gone; `taken`: NEW stands where it stood. */
static void write_is_gone(const struct outbox_table *table, bool is_update,
                          struct sluice_buffer *out)
{
	if (table->rowid) {
		sluice_buffer_printf(out, "(r.row = NEW.%s%s%s%s%s OR NOT EXISTS (SELECT 1 FROM ",
		                     table->rowid, is_update ? " AND NEW." : "",
		                     is_update ? table->rowid : "", is_update ? " <> OLD." : "",
		                     is_update ? table->rowid : "");
		outbox_write_name(out, table->name);
		sluice_buffer_printf(out, " AS x WHERE x.%s = r.row))", table->rowid);
		return;
	}
	if (is_update) {
		sluice_buffer_append_text(out, "(r.keys = ");
		write_object(table, "NEW", true, out);
		sluice_buffer_append_text(out, " AND r.keys <> ");
		write_object(table, "OLD", true, out);
		sluice_buffer_append_text(out, " OR ");
	}
	sluice_buffer_append_text(out, "NOT EXISTS (SELECT 1 FROM ");
	outbox_write_name(out, table->name);
	sluice_buffer_append_text(out, " AS x WHERE ");
	write_object(table, "x", true, out);
	sluice_buffer_append_text(out, is_update ? " = r.keys))" : " = r.keys)");
}

/* A REMOVE for each remembered row that is gone; one with NEW's keys was modified, by an INSERT. */
static void write_removed(const struct outbox_table *table, bool is_update,
                          struct sluice_buffer *out)
{
	sluice_buffer_append_text(out, "INSERT INTO sluice_outbox (\"table\", op, keys, key_types, "
	                               "old, old_types) SELECT r.\"table\", 'REMOVE', r.keys, "
	                               "r.key_types, r.old, r.old_types FROM "
	                               "sluice_outbox_replaced AS r WHERE r.\"table\" = ");
	outbox_write_text(out, table->name);
	if (!is_update) {
		sluice_buffer_append_text(out, " AND r.keys <> ");
		write_object(table, "NEW", true, out);
	}
	sluice_buffer_append_text(out, " AND ");
	write_is_gone(table, is_update, out);
	sluice_buffer_append_text(out, ";\n");
}

/* --- the triggers --- */

static void write_after_insert(const struct outbox_table *table, struct sluice_buffer *out)
{
	bool replaces = can_replace(table);

	if (replaces)
		write_removed(table, false, out);
	sluice_buffer_append_text(out, "INSERT INTO sluice_outbox (\"table\", op, keys, key_types, "
	                               "new, new_types, old, old_types) SELECT ");
	outbox_write_text(out, table->name);
	sluice_buffer_append_text(out, replaces ? ", CASE WHEN r.keys IS NULL THEN 'INSERT' ELSE "
	                                          "'MODIFY' END, "
	                                        : ", 'INSERT', ");
	write_keys(table, "NEW", out);
	sluice_buffer_append_text(out, ", ");
	write_image(table, "NEW", out);
	if (!replaces) {
		sluice_buffer_append_text(out, ", NULL, NULL;\n");
		return;
	}
	sluice_buffer_append_text(out, ", r.old, r.old_types FROM (SELECT 1) LEFT JOIN "
	                               "sluice_outbox_replaced AS r ON r.\"table\" = ");
	outbox_write_text(out, table->name);
	sluice_buffer_append_text(out, " AND r.keys = ");
	write_object(table, "NEW", true, out);
	sluice_buffer_append_text(out, " LIMIT 1;\n");
	write_forget(table, out);
}

static void write_after_update(const struct outbox_table *table, struct sluice_buffer *out)
{
	if (can_replace(table))
		write_removed(table, true, out);
	sluice_buffer_append_text(out, "INSERT INTO sluice_outbox (\"table\", op, keys, key_types, "
	                               "new, new_types, old, old_types) VALUES (");
	outbox_write_text(out, table->name);
	sluice_buffer_append_text(out, ", 'MODIFY', ");
	write_keys(table, "NEW", out);
	sluice_buffer_append_text(out, ", ");
	write_image(table, "NEW", out);
	sluice_buffer_append_text(out, ", ");
	write_image(table, "OLD", out);
	sluice_buffer_append_text(out, ");\n");
	if (can_replace(table))
		write_forget(table, out);
}

static void write_after_delete(const struct outbox_table *table, struct sluice_buffer *out)
{
	/* With recursive_triggers a replaced row comes here: it is told of once. */
	if (can_replace(table)) {
		sluice_buffer_append_text(out, "DELETE FROM sluice_outbox_replaced WHERE "
		                               "\"table\" = ");
		outbox_write_text(out, table->name);
		sluice_buffer_append_text(out, " AND keys = ");
		write_object(table, "OLD", true, out);
		sluice_buffer_append_text(out, ";\n");
	}
	sluice_buffer_append_text(out, "INSERT INTO sluice_outbox (\"table\", op, keys, key_types, "
	                               "old, old_types) VALUES (");
	outbox_write_text(out, table->name);
	sluice_buffer_append_text(out, ", 'REMOVE', ");
	write_keys(table, "OLD", out);
	sluice_buffer_append_text(out, ", ");
	write_image(table, "OLD", out);
	sluice_buffer_append_text(out, ");\n");
}

static const struct {
	const char *name, *when;
} triggers[OUTBOX_TRIGGERS] = {
	[OUTBOX_BEFORE_INSERT] = { "before_insert", "BEFORE INSERT" },
	[OUTBOX_AFTER_INSERT] = { "after_insert", "AFTER INSERT" },
	[OUTBOX_BEFORE_UPDATE] = { "before_update", "BEFORE UPDATE OF " },
	[OUTBOX_AFTER_UPDATE] = { "after_update", "AFTER UPDATE" },
	[OUTBOX_AFTER_DELETE] = { "after_delete", "AFTER DELETE" },
};

void outbox_trigger_name(const char *table, enum outbox_trigger trigger, struct sluice_buffer *out)
{
	sluice_buffer_printf(out, OUTBOX_PREFIX "_%s_%s", triggers[trigger].name, table);
}

void outbox_trigger_write(const struct outbox_table *table, enum outbox_trigger trigger,
                          struct sluice_buffer *out)
{
	struct sluice_buffer name = { 0 };

	if ((trigger == OUTBOX_BEFORE_INSERT && !can_replace(table)) ||
	    (trigger == OUTBOX_BEFORE_UPDATE && (!can_replace(table) || table->unique.len == 0)))
		return;
	outbox_trigger_name(table->name, trigger, &name);
	/* As sqlite_schema keeps it, so that the two can be compared. */
	sluice_buffer_append_text(out, "CREATE TRIGGER ");
	out->failed |= name.failed;
	if (!out->failed)
		outbox_write_name(out, name.data);
	sluice_buffer_finish(&name);
	sluice_buffer_printf(out, " %s", triggers[trigger].when);
	if (trigger == OUTBOX_BEFORE_UPDATE)
		sluice_buffer_append_str(out, sluice_buffer_str(&table->unique));
	sluice_buffer_append_text(out, " ON ");
	outbox_write_name(out, table->name);
	sluice_buffer_append_text(out, " FOR EACH ROW BEGIN\n");
	switch (trigger) {
	case OUTBOX_BEFORE_INSERT:
		write_remember(table, false, out);
		break;
	case OUTBOX_AFTER_INSERT:
		write_after_insert(table, out);
		break;
	case OUTBOX_BEFORE_UPDATE:
		write_remember(table, true, out);
		break;
	case OUTBOX_AFTER_UPDATE:
		write_after_update(table, out);
		break;
	case OUTBOX_AFTER_DELETE:
		write_after_delete(table, out);
		break;
	case OUTBOX_TRIGGERS:
		break;
	}
	sluice_buffer_append_text(out, "END");
}
