/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The revisions of queues, buses and rules: reading them, and what a caller's if_revision allows. */
#include "internal.h"

static int show_len(struct sluice_str text)
{
	return text.len > SLUICE_NAME_MAX ? SLUICE_NAME_MAX : (int)text.len;
}

enum sluice_status store_check_revision(struct sluice_store *store, enum sluice_store_kind kind,
                                        struct sluice_str name, int64_t revision,
                                        int64_t if_revision, struct sluice_error *error)
{
	if (if_revision == SLUICE_STORE_ANY_REVISION || if_revision == revision)
		return SLUICE_OK;
	if (revision == 0)
		return store_error(store, SLUICE_ERR_CONFLICT, error,
		                   "there is no %s \"%.*s\", so none of revision %lld",
		                   sluice_store_noun(kind), show_len(name), name.data,
		                   (long long)if_revision);
	if (if_revision == 0)
		return store_error(store, SLUICE_ERR_CONFLICT, error,
		                   "the %s \"%.*s\" exists already, with revision %lld",
		                   sluice_store_noun(kind), show_len(name), name.data,
		                   (long long)revision);
	return store_error(store, SLUICE_ERR_CONFLICT, error,
	                   "the %s \"%.*s\" has revision %lld, not %lld", sluice_store_noun(kind),
	                   show_len(name), name.data, (long long)revision, (long long)if_revision);
}

int store_revision(struct sluice_store *store, enum sluice_store_kind kind, struct sluice_str name,
                   int64_t *revision)
{
	int rc;
	*revision = 0;
	sqlite3_stmt *stmt = store_prepare_noun(store, kind, NOUN_REVISION, &rc);
	if (!stmt)
		return rc;
	rc = store_bind(stmt, 1, name);
	if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
		*revision = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

enum sluice_status store_not_found(struct sluice_store *store, enum sluice_store_kind kind,
                                   struct sluice_str name, struct sluice_error *error)
{
	return store_error(store, SLUICE_ERR_NOT_FOUND, error, "there is no %s \"%.*s\"",
	                   sluice_store_noun(kind), show_len(name), name.data);
}

enum sluice_status store_look_up(struct sluice_store *store, enum sluice_store_kind kind,
                                 struct sluice_str name, int64_t if_revision,
                                 struct sluice_error *error)
{
	char doing[32];
	int64_t now;
	int rc = store_revision(store, kind, name, &now);
	if (rc != SQLITE_OK)
		return store_fault(store, rc, store_doing(doing, kind, "read"), error);
	if (now == 0 && if_revision <= 0)
		return store_not_found(store, kind, name, error);
	return store_check_revision(store, kind, name, now, if_revision, error);
}
