/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* From columns to a line of JSON. The columns may hold what no check of the schema would allow. */
#include <inttypes.h>

#include "internal.h"
#include "sluice/json.h"

enum {
	JSON_MAX_DEPTH = 1000, /* deeper than any pattern may be: the engine says so, not we */
	ROW_MAX_BYTES = 4 << 20,
};

void store_scratch_finish(struct store_scratch *scratch)
{
	sluice_buffer_finish(&scratch->text);
	sluice_buffer_finish(&scratch->error);
	sluice_buffer_finish(&scratch->name);
}

static void write_json(struct sluice_buffer *buf, struct sluice_str text)
{
	struct sluice_json_doc *doc;
	enum sluice_status status = sluice_json_parse(text, 0, JSON_MAX_DEPTH, &doc, NULL);
	if (status == SLUICE_OK)
		sluice_json_write_compact(buf, text);
	else if (status == SLUICE_ERR_NOMEM)
		buf->failed = true;
	else
		sluice_json_write_string(buf, text);
	sluice_json_destroy(doc);
}

static void write_member(struct sluice_buffer *buf, const char *name, struct sluice_str text)
{
	sluice_buffer_printf(buf, ",\"%s\":", name);
	sluice_json_write_string(buf, text);
}

static void reset(struct store_scratch *scratch)
{
	sluice_buffer_reset(&scratch->text);
	sluice_buffer_reset(&scratch->error);
	sluice_buffer_reset(&scratch->name);
	scratch->text.limit = ROW_MAX_BYTES;
}

static void write_name(struct store_scratch *scratch, struct sluice_str name)
{
	/* Reading other columns may move the statement's memory: the row needs a name of its own. */
	sluice_buffer_append_str(&scratch->name, name);
	sluice_buffer_append_text(&scratch->text, "{\"name\":");
	sluice_json_write_string(&scratch->text, name);
}

/* The row of rule_errors, if it is about this revision. */
static void write_error(sqlite3_stmt *stmt, int revision, struct store_scratch *scratch,
                        struct sluice_store_row *row)
{
	const int error_revision = revision + NOUN_ROW_ERROR_REVISION;
	row->error = (struct sluice_str){ 0 };
	if (sqlite3_column_type(stmt, error_revision) == SQLITE_NULL ||
	    sqlite3_column_int64(stmt, error_revision) != sqlite3_column_int64(stmt, revision))
		return;
	struct sluice_str place = store_column(stmt, revision + NOUN_ROW_ERROR_PLACE);
	if (place.len > 0) {
		sluice_buffer_append_str(&scratch->error, place);
		sluice_buffer_append_text(&scratch->error, ": ");
	}
	sluice_buffer_append_str(&scratch->error,
	                         store_column(stmt, revision + NOUN_ROW_ERROR_MESSAGE));
	row->error = sluice_buffer_str(&scratch->error);
}

static int finish(struct store_scratch *scratch, int64_t revision, struct sluice_store_row *row)
{
	if (scratch->text.over_limit) {
		struct sluice_str name = sluice_buffer_str(&scratch->name);
		sluice_buffer_reset(&scratch->text);
		sluice_buffer_append_text(&scratch->text, "{\"name\":");
		sluice_json_write_string(&scratch->text, name);
		sluice_buffer_append_text(&scratch->text, ",\"pattern\":\"more than 4 MiB\"}");
	}
	if (scratch->text.failed || scratch->error.failed || scratch->name.failed)
		return SQLITE_NOMEM;
	row->name = sluice_buffer_str(&scratch->name);
	row->text = sluice_buffer_str(&scratch->text);
	row->revision = revision;
	return SQLITE_OK;
}

static void write_column(struct sluice_buffer *text, const struct store_column *column,
                         sqlite3_stmt *stmt, int at, bool secrets)
{
	struct sluice_str value = store_column(stmt, at);
	int64_t number = sqlite3_column_int64(stmt, at);
	switch (column->type) {
	case STORE_TEXT:
		if (value.len > 0 || !column->optional)
			write_member(text, column->member, value);
		break;
	case STORE_INTEGER:
		sluice_buffer_printf(text, ",\"%s\":%" PRId64, column->member, number);
		break;
	case STORE_BOOL:
		if (number != 0 || !column->optional)
			sluice_buffer_printf(text, ",\"%s\":%s", column->member,
			                     number != 0 ? "true" : "false");
		break;
	case STORE_JSON:
	case STORE_SECRETS:
		if (!value.data)
			break;
		sluice_buffer_printf(text, ",\"%s\":", column->member);
		if (column->type == STORE_SECRETS && !secrets)
			store_show_secrets(text, value);
		else
			write_json(text, value);
		break;
	}
}

static int write_targets(struct sluice_store *store, struct sluice_str rule,
                         struct sluice_buffer *text)
{
	int rc;
	sqlite3_stmt *targets = store_prepare(store, SQL_RULE_TARGETS, &rc);
	if (!targets)
		return rc;
	rc = store_bind(targets, 1, rule);
	const char *before = ",\"targets\":[";
	while (rc == SQLITE_OK && (rc = sqlite3_step(targets)) == SQLITE_ROW) {
		sluice_buffer_append_text(text, before);
		write_json(text, store_column(targets, 1));
		before = ",";
		rc = SQLITE_OK;
	}
	sqlite3_reset(targets);
	sluice_buffer_append_text(text, before[1] ? ",\"targets\":[]" : "]");
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int store_row(struct sluice_store *store, enum sluice_store_kind kind, sqlite3_stmt *stmt,
              struct store_scratch *scratch, struct sluice_store_row *row)
{
	const struct store_noun *noun = &store_nouns[kind];
	struct sluice_buffer *text = &scratch->text;
	int revision = (int)noun->count + NOUN_ROW_REVISION, rc = SQLITE_OK;
	reset(scratch);
	write_name(scratch, store_column(stmt, 0));
	for (size_t i = 1; i < noun->count; i++)
		write_column(text, &noun->columns[i], stmt, (int)i,
		             store->flags & SLUICE_STORE_SECRETS);
	write_error(stmt, revision, scratch, row);
	if (kind == SLUICE_STORE_RULE)
		rc = write_targets(store, store_column(stmt, 0), text);
	sluice_buffer_append_text(text, "}");
	return rc == SQLITE_OK ? finish(scratch, sqlite3_column_int64(stmt, revision), row) : rc;
}
