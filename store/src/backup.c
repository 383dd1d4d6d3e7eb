/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Copies of the store while it is in use. Out: SQLite's online backup into one file that needs no
 * WAL. In: the rows that differ are put in place within one transaction, so that who follows the
 * store hears of just these, and a failure leaves everything as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"
#include "migrations.h"

enum { LOCKED_PAUSE_MS = 20 };

/* Copies all of `from` into `to`. Returns an SQLite code. */
static int copy_database(sqlite3 *to, sqlite3 *from)
{
	sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
	if (!backup)
		return sqlite3_extended_errcode(to);
	int rc = SQLITE_BUSY;
	for (int waited_ms = 0; waited_ms <= SLUICE_STORE_BUSY_TIMEOUT_MS;
	     waited_ms += LOCKED_PAUSE_MS) {
		rc = sqlite3_backup_step(backup, -1);
		if ((rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_LOCKED)
			break;
		sqlite3_sleep(LOCKED_PAUSE_MS);
	}
	int finished = sqlite3_backup_finish(backup);
	return rc == SQLITE_DONE ? finished : rc;
}

/* --- out --- */

static enum sluice_status copy_out(struct sluice_store *store, const char *part,
                                   struct sluice_error *error)
{
	sqlite3 *copy = NULL;
	char complaint[160] = "";
	int rc = sqlite3_open_v2(
	        part, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
	        NULL);
	if (rc == SQLITE_OK)
		rc = store_configure(copy);
	if (rc == SQLITE_OK)
		rc = copy_database(copy, store->db);
	/* The copy says, as the store does, that it has a WAL: it is to be one file. */
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(copy, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = store_quick_check(copy, complaint, sizeof(complaint));
	enum sluice_status status = SLUICE_OK;
	if (rc != SQLITE_OK)
		status = sluice_error_set(error, store_status(rc), SIZE_MAX, NULL,
		                          "%s: can't be written: %s", part,
		                          copy ? sqlite3_errmsg(copy) : sqlite3_errstr(rc));
	else if (complaint[0])
		status = store_error(store, SLUICE_ERR_CORRUPT, error, "damaged: %s", complaint);
	sqlite3_close(copy);
	return status;
}

static int sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder =
	        slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	free(folder);
	if (fd < 0)
		return -1;
	int result = fsync(fd);
	close(fd);
	return result;
}

/* Gives the finished copy its name, unless something has it. */
static enum sluice_status give_name(const char *part, const char *to, struct sluice_error *error)
{
	int fd = open(part, O_RDONLY | O_CLOEXEC);
	bool done = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	/* rename() would replace what is there. */
	done = done && link(part, to) == 0;
	if (!done && (errno == EPERM || errno == ENOTSUP)) {
		/* A file system without links. */
		if (access(to, F_OK) == 0)
			errno = EEXIST;
		else
			done = rename(part, to) == 0;
	}
	if (!done || sync_folder(to) != 0)
		return sluice_error_set(
		        error, errno == EEXIST ? SLUICE_ERR_CONFLICT : SLUICE_ERR_IO, SIZE_MAX,
		        NULL, "%s: can't be written: %s", to, strerror(errno));
	return SLUICE_OK;
}

enum sluice_status sluice_store_backup(struct sluice_store *store, const char *to,
                                       struct sluice_error *error)
{
	static const char suffix[] = ".XXXXXX";
	struct stat there;
	if (store->in_transaction)
		return store_error(store, SLUICE_ERR_BUSY, error,
		                   "can't be copied within a transaction of its own");
	if (lstat(to, &there) == 0)
		return sluice_error_set(error, SLUICE_ERR_CONFLICT, SIZE_MAX, NULL,
		                        "%s: exists already", to);
	enum sluice_status status = store_ensure_current(store, error);
	if (status != SLUICE_OK)
		return status;
	char *part = malloc(strlen(to) + sizeof(suffix));
	if (!part)
		return store_error(store, SLUICE_ERR_NOMEM, error, "out of memory");
	sprintf(part, "%s%s", to, suffix);
	int fd = mkstemp(part);
	if (fd < 0) {
		status = sluice_error_set(
		        error,
		        errno == EACCES || errno == EROFS ? SLUICE_ERR_READ_ONLY : SLUICE_ERR_IO,
		        SIZE_MAX, NULL, "%s: can't be made: %s", to, strerror(errno));
		free(part);
		return status;
	}
	if (!store_give_away(fd, store->path))
		status = sluice_error_set(error, SLUICE_ERR_IO, SIZE_MAX, NULL,
		                          "%s: can't be given to its owner: %s", to,
		                          strerror(errno));
	close(fd);
	if (status == SLUICE_OK)
		status = copy_out(store, part, error);
	if (status == SLUICE_OK)
		status = give_name(part, to, error);
	unlink(part);
	free(part);
	return status;
}

/* --- in --- */

/* The names of all that can be deleted, each with its length before it. */
static int collect_names(struct sluice_store *store, enum sluice_store_kind kind,
                         struct sluice_buffer *names)
{
	int rc;
	sqlite3_stmt *stmt = store_prepare_noun(store, kind, NOUN_NAMES, &rc);
	if (!stmt)
		return rc;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct sluice_str name = store_column(stmt, 0);
		if (sluice_store_is_fixed(kind, name))
			continue;
		sluice_buffer_append(names, &name.len, sizeof(name.len));
		sluice_buffer_append_str(names, name);
	}
	sqlite3_reset(stmt);
	if (rc == SQLITE_DONE)
		rc = names->failed ? SQLITE_NOMEM : SQLITE_OK;
	return rc;
}

/* Deletes what the backup does not have. */
static int delete_others(struct sluice_store *store, struct sluice_store *backup,
                         enum sluice_store_kind kind)
{
	struct sluice_buffer names = { 0 };
	int rc = collect_names(store, kind, &names);
	for (size_t at = 0; rc == SQLITE_OK && at < names.len;) {
		struct sluice_str name;
		int64_t revision;
		memcpy(&name.len, names.data + at, sizeof(name.len));
		name.data = names.data + at + sizeof(name.len);
		at += sizeof(name.len) + name.len;
		rc = store_revision(backup, kind, name, &revision);
		if (rc == SQLITE_OK && revision == 0)
			rc = store_delete_row(store, kind, name);
	}
	sluice_buffer_finish(&names);
	return rc;
}

/* The targets of one rule, copied: the statement gives one at a time. */
struct targets {
	struct store_target *list; /* owned */
	size_t count, capacity;
	struct sluice_buffer bytes;
};

static int read_targets(struct sluice_store *backup, struct sluice_str rule,
                        struct targets *targets)
{
	int rc;
	sqlite3_stmt *stmt = store_prepare(backup, SQL_RULE_TARGETS, &rc);
	if (!stmt)
		return rc;
	store_bind(stmt, 1, rule);
	targets->count = 0;
	sluice_buffer_reset(&targets->bytes);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (targets->count == targets->capacity) {
			size_t capacity = targets->capacity ? 2 * targets->capacity : 4;
			struct store_target *list =
			        realloc(targets->list, capacity * sizeof(*list));
			if (!list)
				break;
			targets->list = list;
			targets->capacity = capacity;
		}
		struct store_target *target = &targets->list[targets->count++];
		target->id = store_column(stmt, 0);
		target->definition = store_column(stmt, 1);
		sluice_buffer_append_str(&targets->bytes, target->id);
		sluice_buffer_append_str(&targets->bytes, target->definition);
	}
	sqlite3_reset(stmt);
	if (rc == SQLITE_ROW || targets->bytes.failed)
		return SQLITE_NOMEM;
	const char *bytes = targets->bytes.data;
	for (size_t i = 0; i < targets->count; i++) {
		targets->list[i].id.data = bytes;
		bytes += targets->list[i].id.len;
		targets->list[i].definition.data = bytes;
		bytes += targets->list[i].definition.len;
	}
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static enum sluice_status put_rows(struct sluice_store *store, struct sluice_store *backup,
                                   enum sluice_store_kind kind, struct sluice_error *error)
{
	int rc;
	enum sluice_status status = SLUICE_OK;
	struct targets targets = { 0 };
	struct store_values values = { .kind = kind };
	sqlite3_stmt *stmt = store_prepare_noun(backup, kind, NOUN_SINCE, &rc);
	if (!stmt)
		return store_fault(backup, rc, "can't be read", error);
	sqlite3_bind_int64(stmt, 1, INT64_MIN);
	while (status == SLUICE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		store_values_of_row(&values, stmt);
		if (kind == SLUICE_STORE_RULE) {
			rc = read_targets(backup, values.list[0].text, &targets);
			if (rc != SQLITE_OK)
				break;
			values.targets = targets.list;
			values.target_count = targets.count;
		}
		status = store_put_values(store, &values, SLUICE_STORE_ANY_REVISION, NULL, error);
	}
	sqlite3_reset(stmt);
	free(targets.list);
	sluice_buffer_finish(&targets.bytes);
	return status != SLUICE_OK ? status : store_fault(backup, rc, "can't be read", error);
}

static enum sluice_status replace_rows(struct sluice_store *store, struct sluice_store *backup,
                                       struct sluice_error *error)
{
	enum sluice_status status = SLUICE_OK;
	int rc = SQLITE_OK;
	for (int kind = 0; kind < SLUICE_STORE_KINDS && status == SLUICE_OK; kind++)
		status = put_rows(store, backup, (enum sluice_store_kind)kind, error);
	if (status != SLUICE_OK)
		return status;
	for (int kind = SLUICE_STORE_KINDS - 1; kind >= 0 && rc == SQLITE_OK; kind--)
		rc = delete_others(store, backup, (enum sluice_store_kind)kind);
	return store_fault(store, rc, "can't be restored", error);
}

/*
 * Replaces the connection of an opened backup by one on a temporary copy of it, of the latest
 * schema and checked from end to end: the backup itself is never written.
 */
static enum sluice_status check_copy(struct sluice_store *backup, struct sluice_error *error)
{
	sqlite3 *copy = NULL;
	char complaint[160] = "";
	int rc = sqlite3_open_v2("", &copy,
	                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
	                                 SQLITE_OPEN_EXRESCODE,
	                         NULL);
	if (rc == SQLITE_OK)
		rc = store_configure(copy);
	if (rc == SQLITE_OK)
		rc = copy_database(copy, backup->db);
	store_finalize_all(backup);
	sqlite3_close(backup->db);
	backup->db = copy;
	if (rc == SQLITE_OK)
		rc = store_quick_check(copy, complaint, sizeof(complaint));
	if (rc == SQLITE_OK && complaint[0])
		return store_error(backup, SLUICE_ERR_CORRUPT, error, "damaged: %s", complaint);
	if (rc == SQLITE_OK)
		rc = store_migrate(copy, store_migrations, store_migration_count);
	if (rc == SQLITE_OK)
		rc = store_schema_complete(copy, complaint, sizeof(complaint));
	if (rc == SQLITE_OK && complaint[0])
		return store_error(backup, SLUICE_ERR_CORRUPT, error,
		                   "damaged: the %s is missing from its schema", complaint);
	return store_fault(backup, rc, "can't be read", error);
}

enum sluice_status sluice_store_restore(struct sluice_store *store, const char *from,
                                        struct sluice_error *error)
{
	struct sluice_store *backup;
	enum sluice_status status =
	        sluice_store_open(from, SLUICE_STORE_READ_ONLY | STORE_ANY_SCHEMA, &backup, error);
	if (status != SLUICE_OK)
		return status;
	if (backup->opened.st_ino == store->opened.st_ino &&
	    backup->opened.st_dev == store->opened.st_dev)
		status = store_error(store, SLUICE_ERR_INVALID, error,
		                     "can't be restored from itself");
	if (status == SLUICE_OK)
		status = check_copy(backup, error);
	if (status == SLUICE_OK)
		status = store_write_begin(store, error);
	if (status == SLUICE_OK) {
		status = replace_rows(store, backup, error);
		status = store_write_end(store, status, error);
	}
	sluice_store_close(backup);
	return status;
}
