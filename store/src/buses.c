/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Buses: put, delete, get, list. */
#include "internal.h"
#include "sluice/json.h"

static bool is_default(struct sluice_str name)
{
	return sluice_str_equal(name, SLUICE_STR("default"));
}

static int compare_columns(struct sluice_store *store, const struct store_bus *bus, bool *same)
{
	int rc;
	*same = false;
	sqlite3_stmt *stmt = store_prepare(store, SQL_BUS, &rc);
	if (!stmt)
		return rc;
	store_bind(stmt, 1, bus->name);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		bool original = sqlite3_column_int64(stmt, BUS_DELIVER_ORIGINAL) != 0;
		*same = sluice_str_equal(store_column(stmt, BUS_DESCRIPTION), bus->description) &&
		        sluice_str_equal(store_column(stmt, BUS_TOPICS), bus->topics) &&
		        sluice_str_equal(store_column(stmt, BUS_EXCLUDE), bus->exclude) &&
		        original == bus->deliver_original;
		rc = SQLITE_DONE;
	}
	sqlite3_reset(stmt);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int write_columns(struct sluice_store *store, const struct store_bus *bus)
{
	int rc;
	sqlite3_stmt *stmt = store_prepare(store, SQL_BUS_UPSERT, &rc);
	if (!stmt)
		return rc;
	store_bind(stmt, 1, bus->name);
	store_bind(stmt, 2, bus->description.data ? bus->description : SLUICE_STR(""));
	store_bind(stmt, 3, bus->topics);
	store_bind(stmt, 4, bus->exclude);
	sqlite3_bind_int(stmt, 5, bus->deliver_original);
	return store_finish(stmt);
}

enum sluice_status store_put_bus_columns(struct sluice_store *store, const struct store_bus *bus,
                                         int64_t if_revision, int64_t *revision,
                                         struct sluice_error *error)
{
	static const char doing[] = "the bus can't be put";
	int64_t now;
	int rc = store_revision(store, SQL_BUS_REVISION, bus->name, &now);
	if (rc != SQLITE_OK)
		return store_fault(store, rc, doing, error);
	enum sluice_status status =
	        store_check_revision(store, SLUICE_STORE_BUS, bus->name, now, if_revision, error);
	if (status != SLUICE_OK)
		return status;
	bool same = false;
	if (now != 0)
		rc = compare_columns(store, bus, &same);
	if (rc == SQLITE_OK && !same) {
		rc = write_columns(store, bus);
		if (rc == SQLITE_OK)
			rc = store_revision(store, SQL_BUS_REVISION, bus->name, &now);
	}
	if (rc == SQLITE_OK && revision)
		*revision = now;
	return store_fault(store, rc, doing, error);
}

static void write_filters(struct sluice_buffer *buf, const struct sluice_str *filters, size_t count)
{
	sluice_buffer_append_text(buf, "[");
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			sluice_buffer_append_text(buf, ",");
		sluice_json_write_string(buf, filters[i]);
	}
	sluice_buffer_append_text(buf, "]");
}

enum sluice_status sluice_store_put_bus(struct sluice_store *store, const struct sluice_bus *bus,
                                        int64_t if_revision, int64_t *revision,
                                        struct sluice_error *error)
{
	struct sluice_buffer topics = { 0 }, exclude = { 0 };
	write_filters(&topics, bus->topics, bus->topic_count);
	write_filters(&exclude, bus->exclude, bus->exclude_count);
	enum sluice_status status;
	if (topics.failed || exclude.failed)
		status = store_error(store, SLUICE_ERR_NOMEM, error, "out of memory");
	else
		status = store_write_begin(store, error);
	if (status == SLUICE_OK) {
		struct store_bus columns = {
			.name = bus->name,
			.description = bus->description,
			.topics = sluice_buffer_str(&topics),
			.exclude = sluice_buffer_str(&exclude),
			.deliver_original = bus->deliver_original,
		};
		status = store_put_bus_columns(store, &columns, if_revision, revision, error);
		status = store_write_end(store, status, error);
	}
	sluice_buffer_finish(&topics);
	sluice_buffer_finish(&exclude);
	return status;
}

int store_delete_bus_row(struct sluice_store *store, struct sluice_str name)
{
	int rc;
	sqlite3_stmt *stmt = store_prepare(store, SQL_BUS_DELETE, &rc);
	if (!stmt)
		return rc;
	store_bind(stmt, 1, name);
	return store_finish(stmt);
}

static enum sluice_status delete_bus(struct sluice_store *store, struct sluice_str name,
                                     int64_t if_revision, struct sluice_error *error)
{
	static const char doing[] = "the bus can't be deleted";
	int64_t rule;
	enum sluice_status status =
	        store_look_up(store, SLUICE_STORE_BUS, name, if_revision, error);
	if (status != SLUICE_OK)
		return status;
	int rc = store_revision(store, SQL_BUS_HAS_RULES, name, &rule);
	if (rc == SQLITE_OK && rule != 0)
		return store_error(store, SLUICE_ERR_CONFLICT, error,
		                   "the bus \"%.*s\" has rules: delete or move them first",
		                   (int)name.len, name.data);
	if (rc == SQLITE_OK)
		rc = store_delete_bus_row(store, name);
	return store_fault(store, rc, doing, error);
}

enum sluice_status sluice_store_delete_bus(struct sluice_store *store, struct sluice_str name,
                                           int64_t if_revision, struct sluice_error *error)
{
	if (is_default(name))
		return store_error(store, SLUICE_ERR_INVALID, error,
		                   "the bus \"default\" can't be deleted");
	enum sluice_status status = store_write_begin(store, error);
	if (status != SLUICE_OK)
		return status;
	status = delete_bus(store, name, if_revision, error);
	return store_write_end(store, status, error);
}

enum sluice_status sluice_store_get_bus(struct sluice_store *store, struct sluice_str name,
                                        sluice_store_row_fn fn, void *arg,
                                        struct sluice_error *error)
{
	struct store_scratch scratch = { 0 };
	struct sluice_store_row row;
	enum sluice_status status = store_read_begin(store, error);
	if (status != SLUICE_OK)
		return status;
	int rc;
	sqlite3_stmt *stmt = store_prepare(store, SQL_BUS, &rc);
	if (stmt) {
		store_bind(stmt, 1, name);
		rc = sqlite3_step(stmt);
		if (rc == SQLITE_ROW)
			rc = store_bus_row(stmt, &scratch, &row);
		sqlite3_reset(stmt);
	}
	store_read_end(store);
	if (rc == SQLITE_OK)
		fn(arg, &row);
	else if (rc == SQLITE_DONE)
		status = store_not_found(store, SLUICE_STORE_BUS, name, error);
	else
		status = store_fault(store, rc, "the bus can't be read", error);
	store_scratch_finish(&scratch);
	return status;
}

enum sluice_status sluice_store_list_buses(struct sluice_store *store, sluice_store_row_fn fn,
                                           void *arg, struct sluice_error *error)
{
	struct store_scratch scratch = { 0 };
	struct sluice_store_row row;
	enum sluice_status status = store_read_begin(store, error);
	if (status != SLUICE_OK)
		return status;
	int rc;
	sqlite3_stmt *stmt = store_prepare(store, SQL_BUSES_SINCE, &rc);
	if (stmt) {
		sqlite3_bind_int64(stmt, 1, INT64_MIN);
		while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
			rc = store_bus_row(stmt, &scratch, &row);
			if (rc != SQLITE_OK || !fn(arg, &row))
				break;
		}
		sqlite3_reset(stmt);
	}
	status = store_fault(store, rc == SQLITE_DONE ? SQLITE_OK : rc, "the buses can't be read",
	                     error);
	store_read_end(store);
	store_scratch_finish(&scratch);
	return status;
}
