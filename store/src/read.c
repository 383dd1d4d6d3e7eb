/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Reading queues, buses and rules: one by its name, or a list. */
#include "internal.h"

enum sluice_status sluice_store_get(struct sluice_store *store, enum sluice_store_kind kind,
                                    struct sluice_str name, sluice_store_row_fn fn, void *arg,
                                    struct sluice_error *error)
{
	struct store_scratch scratch = { 0 };
	struct sluice_store_row row;
	char doing[32];
	enum sluice_status status = store_read_begin(store, error);
	if (status != SLUICE_OK)
		return status;
	int rc;
	sqlite3_stmt *stmt = store_prepare_noun(store, kind, NOUN_GET, &rc);
	if (stmt) {
		store_bind(stmt, 1, name);
		rc = sqlite3_step(stmt);
		if (rc == SQLITE_ROW)
			rc = store_row(store, kind, stmt, &scratch, &row);
		sqlite3_reset(stmt);
	}
	store_read_end(store);
	if (rc == SQLITE_OK)
		fn(arg, &row);
	else if (rc == SQLITE_DONE)
		status = store_not_found(store, kind, name, error);
	else
		status = store_fault(store, rc, store_doing(doing, kind, "read"), error);
	store_scratch_finish(&scratch);
	return status;
}

/* The smallest name that does not begin with prefix but follows all that do; absent when there is
 * no end. `end` has room for the prefix. */
static struct sluice_str prefix_end(struct sluice_str prefix, char *end)
{
	memcpy(end, prefix.data, prefix.len);
	for (size_t len = prefix.len; len > 0; len--) {
		if ((unsigned char)end[len - 1] < 0xff) {
			end[len - 1] = (char)(end[len - 1] + 1);
			return (struct sluice_str){ end, len };
		}
	}
	return (struct sluice_str){ 0 };
}

static int list_rows(struct sluice_store *store, enum sluice_store_kind kind, sqlite3_stmt *stmt,
                     sluice_store_row_fn fn, void *arg)
{
	struct store_scratch scratch = { 0 };
	struct sluice_store_row row;
	int rc;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		rc = store_row(store, kind, stmt, &scratch, &row);
		if (rc != SQLITE_OK || !fn(arg, &row))
			break;
	}
	store_scratch_finish(&scratch);
	sqlite3_reset(stmt);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

enum sluice_status sluice_store_list(struct sluice_store *store, enum sluice_store_kind kind,
                                     const struct sluice_store_query *query, sluice_store_row_fn fn,
                                     void *arg, struct sluice_error *error)
{
	static const struct sluice_store_query all = { .state = -1 };
	char end[SLUICE_NAME_MAX], doing[32];
	if (!query)
		query = &all;
	if (query->prefix.len > sizeof(end))
		return SLUICE_OK; /* longer than any name */
	enum sluice_status status = store_read_begin(store, error);
	if (status != SLUICE_OK)
		return status;
	int rc;
	sqlite3_stmt *stmt = store_prepare_noun(store, kind, NOUN_LIST, &rc);
	if (stmt) {
		store_bind(stmt, 1, query->after.data ? query->after : SLUICE_STR(""));
		store_bind(stmt, 2, query->prefix.data ? query->prefix : SLUICE_STR(""));
		if (query->prefix.len > 0)
			store_bind(stmt, 3, prefix_end(query->prefix, end));
		sqlite3_bind_int64(
		        stmt, 4,
		        query->limit == 0 || query->limit > INT64_MAX ? -1 : (int64_t)query->limit);
		if (kind == SLUICE_STORE_RULE)
			store_bind(stmt, 5, query->bus);
		if (kind == SLUICE_STORE_RULE && query->state >= 0)
			store_bind(stmt, 6,
			           sluice_str(sluice_rule_state_name(
			                   (enum sluice_rule_state)query->state)));
		rc = list_rows(store, kind, stmt, fn, arg);
	}
	status = store_fault(store, rc, store_doing(doing, kind, "read"), error);
	store_read_end(store);
	return status;
}
