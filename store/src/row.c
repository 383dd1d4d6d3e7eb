/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* From columns to a line of JSON. The columns may hold what no check of the schema would allow. */
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
	/* Reading the targets moves the statement's memory: the row needs a name of its own. */
	sluice_buffer_append_str(&scratch->name, name);
	sluice_buffer_append_text(&scratch->text, "{\"name\":");
	sluice_json_write_string(&scratch->text, name);
}

/* The row of rule_errors, if it is about this revision. */
static void write_error(sqlite3_stmt *stmt, int revision, int error_revision,
                        struct store_scratch *scratch, struct sluice_store_row *row)
{
	row->error = (struct sluice_str){ 0 };
	if (sqlite3_column_type(stmt, error_revision) == SQLITE_NULL ||
	    sqlite3_column_int64(stmt, error_revision) != sqlite3_column_int64(stmt, revision))
		return;
	struct sluice_str place = store_column(stmt, error_revision + 1);
	if (place.len > 0) {
		sluice_buffer_append_str(&scratch->error, place);
		sluice_buffer_append_text(&scratch->error, ": ");
	}
	sluice_buffer_append_str(&scratch->error, store_column(stmt, error_revision + 2));
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

int store_rule_row(struct sluice_store *store, sqlite3_stmt *stmt, struct store_scratch *scratch,
                   struct sluice_store_row *row)
{
	struct sluice_buffer *text = &scratch->text;
	reset(scratch);
	write_name(scratch, store_column(stmt, RULE_NAME));
	write_member(text, "bus", store_column(stmt, RULE_BUS));
	write_member(text, "state", store_column(stmt, RULE_STATE));
	struct sluice_str description = store_column(stmt, RULE_DESCRIPTION);
	if (description.len > 0)
		write_member(text, "description", description);
	if (sqlite3_column_int64(stmt, RULE_METRICS) != 0)
		sluice_buffer_append_text(text, ",\"metrics\":true");
	sluice_buffer_append_text(text, ",\"pattern\":");
	write_json(text, store_column(stmt, RULE_PATTERN));
	write_error(stmt, RULE_REVISION, RULE_ERROR_REVISION, scratch, row);

	int rc;
	sqlite3_stmt *targets = store_prepare(store, SQL_RULE_TARGETS, &rc);
	if (!targets)
		return rc;
	rc = store_bind(targets, 1, store_column(stmt, RULE_NAME));
	const char *before = ",\"targets\":[";
	while (rc == SQLITE_OK && (rc = sqlite3_step(targets)) == SQLITE_ROW) {
		sluice_buffer_append_text(text, before);
		write_json(text, store_column(targets, 1));
		before = ",";
		rc = SQLITE_OK;
	}
	sqlite3_reset(targets);
	if (rc != SQLITE_DONE)
		return rc;
	sluice_buffer_append_text(text, before[1] ? ",\"targets\":[]}" : "]}");
	return finish(scratch, sqlite3_column_int64(stmt, RULE_REVISION), row);
}

int store_bus_row(sqlite3_stmt *stmt, struct store_scratch *scratch, struct sluice_store_row *row)
{
	struct sluice_buffer *text = &scratch->text;
	reset(scratch);
	write_name(scratch, store_column(stmt, BUS_NAME));
	struct sluice_str description = store_column(stmt, BUS_DESCRIPTION);
	if (description.len > 0)
		write_member(text, "description", description);
	sluice_buffer_append_text(text, ",\"topics\":");
	write_json(text, store_column(stmt, BUS_TOPICS));
	sluice_buffer_append_text(text, ",\"exclude\":");
	write_json(text, store_column(stmt, BUS_EXCLUDE));
	bool original = sqlite3_column_int64(stmt, BUS_DELIVER_ORIGINAL) != 0;
	sluice_buffer_printf(text, ",\"deliver_original\":%s}", original ? "true" : "false");
	write_error(stmt, BUS_REVISION, BUS_ERROR_REVISION, scratch, row);
	return finish(scratch, sqlite3_column_int64(stmt, BUS_REVISION), row);
}
