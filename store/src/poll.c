/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Following a store. What changed is found in three steps, each only when the one before gives
 * cause:
 *
 *	                                  told by                          costs
 *	1. nothing was committed since    stat and PRAGMA data_version     microseconds
 *	2. some rows changed              revision > the last one known,   what changed, and an
 *	                                  tombstones, and the count and    index scan
 *	                                  sum of all revisions
 *	3. the file was replaced, or      a hash of each row's text        all rows
 *	   step 2 does not add up (a
 *	   delete without triggers)
 *
 * Everything is read in one snapshot and put aside; it is told when nothing can fail any more.
 */
#include <stdlib.h>

#include "internal.h"
#include "migrations.h"

enum outcome {
	CHANGED, /* new, or other text than before */
	REVISED, /* another revision of the same text */
	GONE,
};

struct change {
	enum outcome outcome;
	enum sluice_store_kind kind;
	struct store_entry *entry; /* CHANGED: the new one, owned; else the one in the table */
	int64_t revision;
	size_t text, text_len; /* in changes.text */
	size_t error, error_len;
};

struct changes {
	struct change *list; /* owned */
	size_t count, capacity;
	size_t fresh; /* how many are of names that were unknown */
	struct sluice_buffer text;
	int64_t counts[SLUICE_STORE_KINDS]; /* what the table will hold after them */
	uint64_t sums[SLUICE_STORE_KINDS];
};

static void changes_reset(struct changes *changes, const struct store_seen *seen)
{
	for (size_t i = 0; i < changes->count; i++) {
		if (changes->list[i].outcome == CHANGED)
			store_entry_destroy(changes->list[i].entry);
	}
	changes->count = 0;
	changes->fresh = 0;
	sluice_buffer_reset(&changes->text);
	for (int kind = 0; kind < SLUICE_STORE_KINDS; kind++) {
		changes->counts[kind] = (int64_t)seen->counts[kind];
		changes->sums[kind] = seen->sums[kind];
	}
}

static void changes_finish(struct changes *changes, const struct store_seen *seen)
{
	changes_reset(changes, seen);
	free(changes->list);
	sluice_buffer_finish(&changes->text);
}

static struct change *changes_add(struct changes *changes)
{
	if (changes->count == changes->capacity) {
		size_t capacity = changes->capacity ? 2 * changes->capacity : 16;
		struct change *list = realloc(changes->list, capacity * sizeof(*list));
		if (!list)
			return NULL;
		changes->list = list;
		changes->capacity = capacity;
	}
	struct change *change = &changes->list[changes->count++];
	*change = (struct change){ .outcome = GONE };
	return change;
}

static uint64_t low_bits(int64_t revision)
{
	return (uint64_t)revision & 0xffffffffU;
}

/* Puts a row aside that may have changed. Returns an SQLite code. */
static int gather_row(struct sluice_store *store, struct changes *changes,
                      enum sluice_store_kind kind, const struct sluice_store_row *row, bool noted)
{
	struct store_seen *seen = &store->seen;
	struct store_entry *known = store_seen_get(seen, kind, row->name);
	uint64_t hash = store_seen_hash(seen, row->text);
	if (known) {
		known->round = seen->round;
		changes->sums[kind] -= low_bits(known->revision);
	} else {
		changes->counts[kind]++;
		changes->fresh++;
	}
	changes->sums[kind] += low_bits(row->revision);
	if (known && known->hash == hash && known->revision == row->revision && !store->compare)
		return SQLITE_OK;

	struct change *change = changes_add(changes);
	if (!change)
		return SQLITE_NOMEM;
	change->kind = kind;
	change->revision = row->revision;
	if (known && known->hash == hash) {
		change->outcome = REVISED;
		change->entry = known;
		return SQLITE_OK;
	}
	struct store_entry *entry = store_entry_create(kind, row->name);
	if (!entry)
		return SQLITE_NOMEM;
	change->outcome = CHANGED;
	change->entry = entry;
	entry->revision = row->revision;
	entry->hash = hash;
	entry->noted = noted;
	entry->round = seen->round;
	change->text = changes->text.len;
	change->text_len = row->text.len;
	sluice_buffer_append_str(&changes->text, row->text);
	change->error = changes->text.len;
	change->error_len = row->error.data ? row->error.len : 0;
	if (row->error.data)
		sluice_buffer_append_str(&changes->text, row->error);
	return changes->text.failed ? SQLITE_NOMEM : SQLITE_OK;
}

static int gather_rows(struct sluice_store *store, struct changes *changes,
                       enum sluice_store_kind kind, int64_t since)
{
	struct store_scratch scratch = { 0 };
	struct sluice_store_row row;
	int rc;
	int error_column = (int)store_nouns[kind].count + NOUN_ROW_ERROR_REVISION;
	sqlite3_stmt *stmt = store_prepare_noun(store, kind, NOUN_SINCE, &rc);
	if (!stmt)
		return rc;
	sqlite3_bind_int64(stmt, 1, since);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		bool noted = sqlite3_column_type(stmt, error_column) != SQLITE_NULL;
		rc = store_row(store, kind, stmt, &scratch, &row);
		if (rc == SQLITE_OK)
			rc = gather_row(store, changes, kind, &row, noted);
		if (rc != SQLITE_OK)
			break;
	}
	sqlite3_reset(stmt);
	store_scratch_finish(&scratch);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int gather_gone(struct sluice_store *store, struct changes *changes,
                       struct store_entry *entry)
{
	/* Met in this round: deleted and made again, or told gone already. */
	if (!entry || entry->round == store->seen.round)
		return SQLITE_OK;
	struct change *change = changes_add(changes);
	if (!change)
		return SQLITE_NOMEM;
	change->kind = entry->kind;
	change->entry = entry;
	entry->round = store->seen.round;
	changes->counts[entry->kind]--;
	changes->sums[entry->kind] -= low_bits(entry->revision);
	return SQLITE_OK;
}

static int gather_tombstones(struct sluice_store *store, struct changes *changes, int64_t since)
{
	int rc;
	sqlite3_stmt *stmt = store_prepare(store, SQL_TOMBSTONES_SINCE, &rc);
	if (!stmt)
		return rc;
	sqlite3_bind_int64(stmt, 1, since);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		enum sluice_store_kind kind;
		if (!sluice_store_kind_parse(store_column(stmt, 0), &kind))
			continue; /* no check of the schema lets that be */
		rc = gather_gone(store, changes,
		                 store_seen_get(&store->seen, kind, store_column(stmt, 1)));
		if (rc != SQLITE_OK)
			break;
	}
	sqlite3_reset(stmt);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int gather_unseen(struct sluice_store *store, struct changes *changes)
{
	int rc = SQLITE_OK;
	for (size_t i = 0; i < store->seen.capacity && rc == SQLITE_OK; i++)
		rc = gather_gone(store, changes, store->seen.slots[i]);
	return rc;
}

/* Whether the table, after these changes, will hold as many rows and revisions as the file. */
static int adds_up(struct sluice_store *store, const struct changes *changes, bool *right)
{
	*right = true;
	for (int kind = 0; kind < SLUICE_STORE_KINDS; kind++) {
		int rc;
		sqlite3_stmt *stmt =
		        store_prepare_noun(store, (enum sluice_store_kind)kind, NOUN_SUM, &rc);
		if (!stmt)
			return rc;
		rc = sqlite3_step(stmt);
		if (rc == SQLITE_ROW)
			*right = *right && sqlite3_column_int64(stmt, 0) == changes->counts[kind] &&
			         (uint64_t)sqlite3_column_int64(stmt, 1) == changes->sums[kind];
		sqlite3_reset(stmt);
		if (rc != SQLITE_ROW)
			return rc;
	}
	return SQLITE_OK;
}

static int gather(struct sluice_store *store, struct changes *changes, bool all, int64_t since)
{
	changes_reset(changes, &store->seen);
	store->seen.round++;
	int rc = SQLITE_OK;
	for (int kind = 0; kind < SLUICE_STORE_KINDS && rc == SQLITE_OK; kind++)
		rc = gather_rows(store, changes, (enum sluice_store_kind)kind,
		                 all ? INT64_MIN : since);
	if (rc == SQLITE_OK)
		rc = all ? gather_unseen(store, changes) : gather_tombstones(store, changes, since);
	if (rc == SQLITE_OK && !all) {
		bool right;
		rc = adds_up(store, changes, &right);
		if (rc == SQLITE_OK && !right)
			return gather(store, changes, true, since);
	}
	return rc;
}

struct snapshot {
	int64_t data_version, schema_version, user_version, revision;
};

static int read_versions(struct sluice_store *store, struct snapshot *snapshot)
{
	int rc = store_integer(store, SQL_USER_VERSION, &snapshot->user_version);
	if (rc == SQLITE_OK)
		rc = store_integer(store, SQL_SCHEMA_VERSION, &snapshot->schema_version);
	return rc;
}

/* Within the snapshot: gathers what changed. */
static enum sluice_status look(struct sluice_store *store, struct snapshot *snapshot,
                               struct changes *changes, struct sluice_error *error)
{
	static const char doing[] = "changes can't be read";
	int rc = read_versions(store, snapshot);
	if (rc != SQLITE_OK)
		return store_fault(store, rc, doing, error);
	if (snapshot->user_version > (int64_t)store_migration_count)
		return store_error(store, SLUICE_ERR_VERSION, error,
		                   "was brought to a newer schema (%lld; this one knows %zu)",
		                   (long long)snapshot->user_version, store_migration_count);
	bool all = !store->polled || store->compare;
	if (store->polled && snapshot->schema_version != store->schema_version) {
		/* Somebody changed the schema, or sqlite3's .restore put another content in. */
		char missing[160];
		rc = store_schema_complete(store->db, store->schema, missing, sizeof(missing));
		if (rc == SQLITE_OK && missing[0])
			return store_error(store, SLUICE_ERR_CORRUPT, error,
			                   "damaged: the %s is missing from its schema", missing);
		all = true;
	}
	if (rc == SQLITE_OK)
		rc = store_integer(store, SQL_LAST_REVISION, &snapshot->revision);
	if (rc == SQLITE_OK)
		rc = gather(store, changes, all || snapshot->revision < store->revision,
		            store->revision);
	return store_fault(store, rc, doing, error);
}

static void tell(struct sluice_store *store, const struct changes *changes,
                 enum sluice_store_kind kind, enum outcome outcome, sluice_store_change_fn fn,
                 void *arg)
{
	for (size_t i = 0; i < changes->count; i++) {
		const struct change *change = &changes->list[i];
		struct store_entry *entry = change->entry;
		if (change->kind != kind || change->outcome != outcome)
			continue;
		struct sluice_store_row row = { .name = { entry->name, entry->name_len },
			                        .revision = change->revision };
		if (outcome == GONE) {
			row.revision = entry->revision;
			fn(arg, kind, &row);
			store_seen_remove(&store->seen, kind, row.name);
			continue;
		}
		row.text =
		        (struct sluice_str){ changes->text.data + change->text, change->text_len };
		if (change->error_len > 0)
			row.error = (struct sluice_str){ changes->text.data + change->error,
				                         change->error_len };
		store_seen_put(&store->seen, entry);
		fn(arg, kind, &row);
	}
}

/* Each kind's changed ones when all that they name is known, its gone ones while it still is. */
static void tell_all(struct sluice_store *store, const struct changes *changes,
                     sluice_store_change_fn fn, void *arg)
{
	static const struct {
		enum sluice_store_kind kind;
		enum outcome outcome;
	} order[] = {
		{ SLUICE_STORE_SOURCE, GONE },        { SLUICE_STORE_TARGET, GONE },
		{ SLUICE_STORE_QUEUE, CHANGED },      { SLUICE_STORE_BUS, CHANGED },
		{ SLUICE_STORE_RULE, GONE },          { SLUICE_STORE_RULE, CHANGED },
		{ SLUICE_STORE_CONNECTION, CHANGED }, { SLUICE_STORE_TARGET, CHANGED },
		{ SLUICE_STORE_SOURCE, CHANGED },     { SLUICE_STORE_CONNECTION, GONE },
		{ SLUICE_STORE_BUS, GONE },           { SLUICE_STORE_QUEUE, GONE },
	};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		tell(store, changes, order[i].kind, order[i].outcome, fn, arg);
}

/* Rows whose text is the same: the caller has them, but a fault noted for the old revision is noted
 * for the new one. */
static void revise(struct sluice_store *store, const struct changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		const struct change *change = &changes->list[i];
		if (change->outcome != REVISED)
			continue;
		struct store_entry *entry = change->entry;
		store_seen_revise(&store->seen, entry, change->revision);
		if (entry->fault)
			store_queue_report(store, entry->kind,
			                   (struct sluice_str){ entry->name, entry->name_len },
			                   entry->revision, entry->fault);
	}
}

/*
 * Folds the WAL into the file and empties it, when nobody is busy with it. A file that is moved
 * into this one's place would be taken to belong to a WAL that was left full.
 */
static void empty_wal(struct sluice_store *store)
{
	struct stat wal;
	if (store->flags & SLUICE_STORE_READ_ONLY)
		return;
	char *name = sqlite3_mprintf("%s-wal", sqlite3_db_filename(store->db, "main"));
	if (name && stat(name, &wal) == 0) {
		store->wal_dev = wal.st_dev;
		store->wal_ino = wal.st_ino;
		if (wal.st_size > 0) {
			sqlite3_busy_timeout(store->db, 0);
			sqlite3_wal_checkpoint_v2(store->db, "main", SQLITE_CHECKPOINT_TRUNCATE,
			                          NULL, NULL);
			sqlite3_busy_timeout(store->db, SLUICE_STORE_BUSY_TIMEOUT_MS);
		}
	}
	sqlite3_free(name);
}

static enum sluice_status poll_changes(struct sluice_store *store, struct snapshot *snapshot,
                                       sluice_store_change_fn fn, void *arg,
                                       struct sluice_error *error)
{
	struct changes changes = { 0 };
	enum sluice_status status =
	        store_fault(store, store_run(store, SQL_BEGIN), "changes can't be read", error);
	if (status != SLUICE_OK)
		return status;
	status = look(store, snapshot, &changes, error);
	store_run(store, SQL_ROLLBACK);
	/* Whoever wrote may have made a WAL: it is to be known before the file is replaced. */
	store_note_wal(store);
	if (status == SLUICE_OK && !store_seen_reserve(&store->seen, changes.fresh))
		status = store_error(store, SLUICE_ERR_NOMEM, error, "out of memory");
	if (status == SLUICE_OK) {
		revise(store, &changes);
		tell_all(store, &changes, fn, arg);
		changes.count = 0; /* the entries are the table's now */
		store->polled = true;
		store->compare = false;
		store->changed = false;
		store->revision = snapshot->revision;
		store->schema_version = snapshot->schema_version;
		store->data_version = snapshot->data_version;
	}
	changes_finish(&changes, &store->seen);
	return status;
}

enum sluice_status sluice_store_poll(struct sluice_store *store, sluice_store_change_fn fn,
                                     void *arg, struct sluice_error *error)
{
	if (store->in_transaction)
		return store_error(store, SLUICE_ERR_BUSY, error,
		                   "can't be polled within a transaction of its own");
	enum sluice_status status = store_ensure_current(store, error);
	if (status != SLUICE_OK)
		return status;
	struct snapshot snapshot = { 0 };
	/* Before the snapshot: what is committed in between is found at the next poll. */
	status = store_fault(store, store_integer(store, SQL_DATA_VERSION, &snapshot.data_version),
	                     "changes can't be read", error);
	if (status != SLUICE_OK)
		return status;
	if (store->polled && !store->compare && !store->changed &&
	    snapshot.data_version == store->data_version)
		empty_wal(store);
	else
		status = poll_changes(store, &snapshot, fn, arg, error);
	if (status == SLUICE_OK)
		store_flush_reports(store);
	return status;
}
