/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Opening a store: from a path, which may lead to anything, to a connection on a sound file of
 * the latest schema. The file itself is touched through SQLite alone: closing a descriptor of our
 * own would drop every POSIX lock that this process holds on it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "functions.h"
#include "internal.h"
#include "migrations.h"

enum {
	/* Larger files are not read from end to end at open; SQLite finds damage where it meets
	 * it. */
	QUICK_CHECK_MAX_BYTES = 64 << 20,
	WAL_ATTEMPT_PAUSE_MS = 10,
};

char *store_absolute_path(const char *path)
{
	if (path[0] == '/')
		return strdup(path);
	char *folder = getcwd(NULL, 0);
	if (!folder)
		return NULL;
	size_t size = strlen(folder) + strlen(path) + 2;
	char *absolute = malloc(size);
	if (absolute)
		snprintf(absolute, size, "%s/%s", folder, path);
	free(folder);
	return absolute;
}

/* The folder of an absolute path, in a buffer to be freed. */
static char *folder_of(const char *path)
{
	size_t len = (size_t)(strrchr(path, '/') - path);
	return strndup(path, len ? len : 1);
}

static bool folder_writable(const char *path)
{
	char *folder = folder_of(path);
	bool writable = !folder || access(folder, W_OK) == 0;
	free(folder);
	return writable;
}

bool store_give_away(int fd, const char *path)
{
	if (geteuid() != 0)
		return true;
	struct stat folder_stat;
	char *folder = folder_of(path);
	if (!folder)
		errno = ENOMEM;
	bool given = folder && stat(folder, &folder_stat) == 0 &&
	             fchown(fd, folder_stat.st_uid, folder_stat.st_gid) == 0;
	free(folder);
	return given;
}

/* Makes an empty file. SQLite gives the WAL the owner and the mode of the file. */
static enum sluice_status make_file(const struct sluice_store *store, struct sluice_error *error)
{
	int fd = open(store->path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0660);
	if (fd < 0 && errno == EEXIST)
		return SLUICE_OK; /* another process was faster */
	if (fd < 0)
		return store_error(store,
		                   errno == EACCES || errno == EROFS ? SLUICE_ERR_READ_ONLY
		                                                     : SLUICE_ERR_IO,
		                   error, "can't be made: %s", strerror(errno));
	int failure = store_give_away(fd, store->path) ? 0 : errno;
	close(fd);
	if (failure) {
		unlink(store->path);
		return store_error(store, SLUICE_ERR_IO, error,
		                   "can't be given to the owner of its folder: %s",
		                   strerror(failure));
	}
	return SLUICE_OK;
}

/* First column of the first row; -1 when there is none. */
static int query_integer(sqlite3 *db, const char *sql, int64_t *value)
{
	sqlite3_stmt *stmt = NULL;
	*value = -1;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	if (rc != SQLITE_OK)
		return rc;
	if (sqlite3_step(stmt) == SQLITE_ROW)
		*value = sqlite3_column_int64(stmt, 0);
	return sqlite3_finalize(stmt);
}

static int query_text(sqlite3 *db, const char *sql, char *text, size_t size)
{
	sqlite3_stmt *stmt = NULL;
	text[0] = 0;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	if (rc != SQLITE_OK)
		return rc;
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		const unsigned char *column = sqlite3_column_text(stmt, 0);
		snprintf(text, size, "%s", column ? (const char *)column : "");
	}
	return sqlite3_finalize(stmt);
}

int store_quick_check(sqlite3 *db, char *complaint, size_t size)
{
	sqlite3_stmt *stmt = NULL;
	complaint[0] = 0;
	int rc = sqlite3_prepare_v2(db, "PRAGMA quick_check", -1, &stmt, NULL);
	if (rc != SQLITE_OK)
		return rc;
	/* A row that breaks a CHECK is that row's fault, reported when it can't be compiled; it
	 * does not damage the file. */
	static const char *const about_rows[] = { "ok",   "CHECK constraint", "NULL value in",
		                                  "non-", "TEXT value in",    "NUMERIC value in" };
	while (sqlite3_step(stmt) == SQLITE_ROW && complaint[0] == 0) {
		const char *line = (const char *)sqlite3_column_text(stmt, 0);
		bool row = !line;
		for (size_t i = 0; !row && i < sizeof(about_rows) / sizeof(about_rows[0]); i++)
			row = strncmp(line, about_rows[i], strlen(about_rows[i])) == 0;
		if (!row)
			snprintf(complaint, size, "%s", line);
	}
	return sqlite3_finalize(stmt);
}

int store_configure(sqlite3 *db)
{
	/* Whatever stands in the file's schema is hostile: it may call no function with side
	 * effects. */
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
	sqlite3_busy_timeout(db, SLUICE_STORE_BUSY_TIMEOUT_MS);
	return store_add_functions(db);
}

int store_schema_complete(sqlite3 *db, const struct store_schema *schema, char *missing,
                          size_t size)
{
	sqlite3 *model = NULL;
	sqlite3_stmt *wanted = NULL, *found = NULL;
	missing[0] = 0;
	int rc = sqlite3_open_v2(":memory:", &model, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
	                         NULL);
	if (rc == SQLITE_OK)
		rc = store_configure(model);
	if (rc == SQLITE_OK)
		rc = store_migrate(model, schema->application_id, schema->migrations,
		                   *schema->migration_count);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(model,
		                        "SELECT type, name FROM sqlite_schema"
		                        " WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
		                        -1, &wanted, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db,
		                        "SELECT 1 FROM sqlite_schema WHERE type = ?1 AND name = ?2",
		                        -1, &found, NULL);
	while (rc == SQLITE_OK && missing[0] == 0 && sqlite3_step(wanted) == SQLITE_ROW) {
		sqlite3_bind_text(found, 1, (const char *)sqlite3_column_text(wanted, 0), -1,
		                  SQLITE_STATIC);
		sqlite3_bind_text(found, 2, (const char *)sqlite3_column_text(wanted, 1), -1,
		                  SQLITE_STATIC);
		if (sqlite3_step(found) != SQLITE_ROW)
			snprintf(missing, size, "%s %s", sqlite3_column_text(wanted, 0),
			         sqlite3_column_text(wanted, 1));
		rc = sqlite3_reset(found);
	}
	sqlite3_finalize(found);
	int finalized = sqlite3_finalize(wanted);
	sqlite3_close(model);
	return rc == SQLITE_OK ? finalized : rc;
}

struct identity {
	int64_t application_id, version, objects;
};

static int identify(sqlite3 *db, struct identity *identity)
{
	int rc = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = query_integer(db, "SELECT count(*) FROM sqlite_schema", &identity->objects);
	if (rc == SQLITE_OK)
		rc = query_integer(db, "PRAGMA application_id", &identity->application_id);
	if (rc == SQLITE_OK)
		rc = query_integer(db, "PRAGMA user_version", &identity->version);
	if (!sqlite3_get_autocommit(db)) {
		int committed = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
		rc = rc == SQLITE_OK ? committed : rc;
	}
	return rc;
}

static enum sluice_status check_identity(const struct sluice_store *store,
                                         const struct identity *identity,
                                         struct sluice_error *error)
{
	const struct store_schema *schema = store->schema;
	size_t latest = *schema->migration_count;
	if (identity->objects == 0 && identity->application_id == 0 && identity->version == 0) {
		if (store->flags & SLUICE_STORE_CREATE && !(store->flags & SLUICE_STORE_READ_ONLY))
			return SLUICE_OK;
		return store_error(store, SLUICE_ERR_CORRUPT, error, "an empty file, no store");
	}
	if (identity->application_id != schema->application_id)
		return store_error(store, SLUICE_ERR_CORRUPT, error,
		                   "an SQLite database, but not %s (application_id %lld)",
		                   schema->what, (long long)identity->application_id);
	if (identity->version > (int64_t)latest)
		return store_error(store, SLUICE_ERR_VERSION, error,
		                   "made by a newer Sluice (schema %lld; this one knows %zu)",
		                   (long long)identity->version, latest);
	if (store->flags & SLUICE_STORE_READ_ONLY && !(store->flags & STORE_ANY_SCHEMA) &&
	    identity->version < (int64_t)latest)
		return store_error(
		        store, SLUICE_ERR_READ_ONLY, error,
		        "made by an older Sluice (schema %lld), and may not be written to "
		        "bring it to schema %zu",
		        (long long)identity->version, latest);
	return SLUICE_OK;
}

/* SQLite does not wait for others when it is to switch to WAL: so we do. */
static int use_wal(sqlite3 *db)
{
	char mode[16];
	int rc = SQLITE_BUSY;
	for (int waited_ms = 0; waited_ms <= SLUICE_STORE_BUSY_TIMEOUT_MS;
	     waited_ms += WAL_ATTEMPT_PAUSE_MS) {
		rc = query_text(db, "PRAGMA journal_mode = WAL", mode, sizeof(mode));
		if ((rc & 0xff) != SQLITE_BUSY)
			break;
		sqlite3_sleep(WAL_ATTEMPT_PAUSE_MS);
	}
	/* Where WAL can't be (a network file system without shared memory) the old journal serves:
	 * slower, and as safe. */
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
	return rc;
}

static enum sluice_status check_file(struct sluice_store *store, sqlite3 *db, const char **doing,
                                     int *rc, struct sluice_error *error)
{
	struct identity identity = { 0 };
	bool read_only = store->flags & SLUICE_STORE_READ_ONLY;

	*doing = "can't be read";
	*rc = identify(db, &identity);
	if (*rc != SQLITE_OK)
		return store_status(*rc);
	enum sluice_status status = check_identity(store, &identity, error);
	if (status != SLUICE_OK)
		return status;
	if (!read_only && sqlite3_db_readonly(db, "main") == 1)
		return store_error(store, SLUICE_ERR_READ_ONLY, error, "can't be written");

	char complaint[160];
	*doing = "can't be checked";
	if (identity.objects > 0 && store->opened.st_size <= QUICK_CHECK_MAX_BYTES) {
		*rc = store_quick_check(db, complaint, sizeof(complaint));
		if (*rc == SQLITE_OK && complaint[0])
			return store_error(store, SLUICE_ERR_CORRUPT, error, "damaged: %s",
			                   complaint);
		if (*rc != SQLITE_OK)
			return store_status(*rc);
	}
	*doing = "can't be brought to the latest schema";
	if (!read_only && identity.objects == 0 && store->schema->layout)
		*rc = sqlite3_exec(db, store->schema->layout, NULL, NULL, NULL);
	if (*rc == SQLITE_OK && !read_only)
		*rc = store_migrate(db, store->schema->application_id, store->schema->migrations,
		                    *store->schema->migration_count);
	if (*rc != SQLITE_OK)
		return store_status(*rc);
	if (store->flags & STORE_ANY_SCHEMA)
		return SLUICE_OK;
	*doing = "can't be checked";
	*rc = store_schema_complete(db, store->schema, complaint, sizeof(complaint));
	if (*rc == SQLITE_OK && complaint[0])
		return store_error(store, SLUICE_ERR_CORRUPT, error,
		                   "damaged: the %s is missing from its schema", complaint);
	if (*rc != SQLITE_OK)
		return store_status(*rc);
	*doing = "can't be set to write-ahead logging";
	if (!read_only)
		*rc = use_wal(db);
	return store_status(*rc);
}

/* Whether there are changes that are not folded into the file yet: without locks they would not be
 * seen. */
static bool has_wal(const char *path)
{
	struct stat wal;
	char *name = sqlite3_mprintf("%s-wal", path);
	bool has = !name || (stat(name, &wal) == 0 && wal.st_size > 0);
	sqlite3_free(name);
	return has;
}

/* An existing WAL database in a folder that can't be written can be read only without locks. */
static int open_immutable(const char *path, sqlite3 **db)
{
	static const char scheme[] = "file:", option[] = "?immutable=1";
	char *uri = malloc(sizeof(scheme) + 3 * strlen(path) + sizeof(option));
	if (!uri)
		return SQLITE_NOMEM;
	char *end = uri + sprintf(uri, "%s", scheme);
	for (const char *c = path; *c; c++) {
		if (strchr("%?#", *c))
			end += sprintf(end, "%%%02X", (unsigned)(unsigned char)*c);
		else
			*end++ = *c;
	}
	memcpy(end, option, sizeof(option));
	int rc = sqlite3_open_v2(uri, db,
	                         SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
	                                 SQLITE_OPEN_EXRESCODE,
	                         NULL);
	free(uri);
	return rc;
}

static enum sluice_status connect_once(struct sluice_store *store, bool immutable, sqlite3 **db,
                                       int *rc, struct sluice_error *error)
{
	const char *doing = "can't be opened";
	*db = NULL;
	if (immutable)
		*rc = open_immutable(store->path, db);
	else
		*rc = sqlite3_open_v2(store->path, db,
		                      (store->flags & SLUICE_STORE_READ_ONLY
		                               ? SQLITE_OPEN_READONLY
		                               : SQLITE_OPEN_READWRITE) |
		                              SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
		                      NULL);
	enum sluice_status status = store_status(*rc);
	if (status == SLUICE_OK) {
		/* Until the file is known to be ours, closing it must not fold its WAL in. */
		sqlite3_db_config(*db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		*rc = store_configure(*db);
		status = *rc == SQLITE_OK ? check_file(store, *db, &doing, rc, error)
		                          : store_status(*rc);
	}
	if (status == SLUICE_OK) {
		sqlite3_db_config(*db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
		return SLUICE_OK;
	}
	if (*rc != SQLITE_OK) {
		if ((*rc & 0xff) == SQLITE_CANTOPEN && !folder_writable(store->path))
			status = store_error(store, SLUICE_ERR_READ_ONLY, error,
			                     "can't be opened: its folder can't be written");
		else if (status == SLUICE_ERR_BUSY || status == SLUICE_ERR_NOMEM)
			status = store_fault(store, *rc, doing, error);
		else
			status = store_error(store, status, error, "%s: %s", doing,
			                     *db && sqlite3_extended_errcode(*db) == *rc
			                             ? sqlite3_errmsg(*db)
			                             : sqlite3_errstr(*rc));
	}
	sqlite3_close(*db);
	*db = NULL;
	return status;
}

enum sluice_status store_connect(struct sluice_store *store, sqlite3 **db,
                                 struct sluice_error *error)
{
	bool read_only = store->flags & SLUICE_STORE_READ_ONLY;
	*db = NULL;
	if (stat(store->path, &store->opened) != 0) {
		if (errno != ENOENT || !(store->flags & SLUICE_STORE_CREATE) || read_only)
			return store_error(store,
			                   errno == ENOENT ? SLUICE_ERR_NOT_FOUND : SLUICE_ERR_IO,
			                   error, "can't be opened: %s", strerror(errno));
		enum sluice_status status = make_file(store, error);
		if (status != SLUICE_OK)
			return status;
		if (stat(store->path, &store->opened) != 0)
			return store_error(store, SLUICE_ERR_IO, error, "can't be opened: %s",
			                   strerror(errno));
	}
	/* SQLite would wait for ever for somebody to write into a FIFO. */
	if (!S_ISREG(store->opened.st_mode))
		return store_error(store, SLUICE_ERR_INVALID, error, "not a regular file");
	int rc = SQLITE_OK;
	store->immutable = false;
	enum sluice_status status = connect_once(store, false, db, &rc, error);
	if (status != SLUICE_OK && read_only && rc != SQLITE_OK && !has_wal(store->path) &&
	    !folder_writable(store->path)) {
		status = connect_once(store, true, db, &rc, error);
		store->immutable = status == SLUICE_OK;
	}
	if (status != SLUICE_OK)
		return status;
	/* If the file was replaced between stat and open, the numbers are another file's. */
	int moved = 0;
	struct stat now;
	sqlite3_file_control(*db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	if (moved || stat(store->path, &now) != 0 || now.st_ino != store->opened.st_ino ||
	    now.st_dev != store->opened.st_dev) {
		sqlite3_close(*db);
		*db = NULL;
		return store_error(store, SLUICE_ERR_BUSY, error,
		                   "was replaced while it was being opened");
	}
	store->opened = now;
	return SLUICE_OK;
}

enum sluice_status sluice_store_open(const char *path, unsigned flags, struct sluice_store **store,
                                     struct sluice_error *error)
{
	*store = NULL;
	struct sluice_store *opened = calloc(1, sizeof(*opened));
	if (opened)
		opened->path = store_absolute_path(path);
	if (!opened || !opened->path) {
		free(opened);
		return sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL,
		                        "%s: out of memory", path);
	}
	opened->flags = flags;
	opened->schema = &store_rules_schema;
	enum sluice_status status = store_connect(opened, &opened->db, error);
	if (status != SLUICE_OK) {
		sluice_store_close(opened);
		return status;
	}
	/* Only the first opening may make the file: who removes it later means it. */
	opened->flags &= ~(unsigned)SLUICE_STORE_CREATE;
	store_note_wal(opened);
	*store = opened;
	return SLUICE_OK;
}

void sluice_store_close(struct sluice_store *store)
{
	if (!store)
		return;
	sluice_store_rollback(store);
	if (store->db) {
		store_flush_reports(store);
		store_finalize_all(store);
		sqlite3_close(store->db);
	}
	store_seen_finish(&store->seen);
	free(store->reports);
	free(store->path);
	free(store);
}
