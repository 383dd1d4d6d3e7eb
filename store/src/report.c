/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Which rows are not in force, and why: the table rule_errors. */
#include <stdlib.h>

#include "internal.h"

void store_queue_report(struct sluice_store *store, enum sluice_store_kind kind,
                        struct sluice_str name, int64_t revision, const struct sluice_error *fault)
{
	/* No row has such a name while the schema's checks are on. */
	if (name.len > SLUICE_NAME_MAX || name.len == 0)
		return;
	if (store->report_count == store->report_capacity) {
		size_t capacity = store->report_capacity ? 2 * store->report_capacity : 4;
		struct store_report *reports = realloc(store->reports, capacity * sizeof(*reports));
		if (!reports)
			return;
		store->reports = reports;
		store->report_capacity = capacity;
	}
	struct store_report *report = &store->reports[store->report_count++];
	report->kind = kind;
	report->name_len = name.len;
	memcpy(report->name, name.data, name.len);
	report->revision = revision;
	report->faulty = fault != NULL;
	if (fault)
		report->fault = *fault;
}

void sluice_store_report(struct sluice_store *store, enum sluice_store_kind kind,
                         struct sluice_str name, int64_t revision, const struct sluice_error *fault)
{
	struct store_entry *entry = store_seen_get(&store->seen, kind, name);
	if (entry && entry->revision == revision) {
		if (!fault && !entry->noted)
			return; /* nothing to take back: the usual case, without a write */
		free(entry->fault);
		entry->fault = NULL;
		entry->noted = fault != NULL;
		if (fault) {
			/* Kept for a file that takes this one's place; without memory it is noted
			 * in this file alone. */
			entry->fault = malloc(sizeof(*entry->fault));
			if (entry->fault)
				*entry->fault = *fault;
		}
	}
	store_queue_report(store, kind, name, revision, fault);
}

static int write_report(struct sluice_store *store, const struct store_report *report)
{
	int rc;
	struct sluice_str name = { report->name, report->name_len };
	sqlite3_stmt *stmt;
	if (report->faulty) {
		stmt = store_prepare_noun(store, report->kind, NOUN_ERROR_PUT, &rc);
		if (!stmt)
			return rc;
		store_bind(stmt, 1, name);
		sqlite3_bind_int64(stmt, 2, report->revision);
		store_bind(stmt, 3, sluice_str(sluice_status_name(report->fault.code)));
		store_bind(stmt, 4, sluice_str(report->fault.place));
		store_bind(stmt, 5, sluice_str(report->fault.message));
	} else {
		stmt = store_prepare(store, SQL_ERROR_DELETE, &rc);
		if (!stmt)
			return rc;
		store_bind(stmt, 1, sluice_str(sluice_store_noun(report->kind)));
		store_bind(stmt, 2, name);
		sqlite3_bind_int64(stmt, 3, report->revision);
	}
	return store_finish(stmt);
}

void store_flush_reports(struct sluice_store *store)
{
	if (store->flags & SLUICE_STORE_READ_ONLY)
		store->report_count = 0;
	if (store->report_count == 0 || !store->db || store->in_transaction)
		return;
	sqlite3_busy_timeout(store->db, 0);
	int rc = store_run(store, SQL_BEGIN_IMMEDIATE);
	for (size_t i = 0; i < store->report_count && rc == SQLITE_OK; i++)
		rc = write_report(store, &store->reports[i]);
	if (rc == SQLITE_OK)
		rc = store_run(store, SQL_COMMIT);
	if (!sqlite3_get_autocommit(store->db))
		store_run(store, SQL_ROLLBACK);
	sqlite3_busy_timeout(store->db, SLUICE_STORE_BUSY_TIMEOUT_MS);
	if (rc == SQLITE_OK)
		store->report_count = 0;
}
