/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Staying on the file that is at the path, whatever others do to it: moved, removed, truncated. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

enum { OPEN_INTERVAL_MS = 1000 }; /* between attempts to open the same bad file anew */

/* The name of the WAL, in a buffer to be freed with sqlite3_free. */
static char *wal_name(const struct sluice_store *store)
{
	return sqlite3_mprintf("%s-wal", sqlite3_db_filename(store->db, "main"));
}

void store_note_wal(struct sluice_store *store)
{
	struct stat wal;
	char *name = wal_name(store);
	if (name && stat(name, &wal) == 0) {
		store->wal_dev = wal.st_dev;
		store->wal_ino = wal.st_ino;
	}
	sqlite3_free(name);
}

/*
 * Closes a connection whose file is no longer at its path. The WAL that it leaves there belongs to
 * the file that is gone: SQLite would take it for the new file's and write its pages over it.
 */
static void close_replaced(struct sluice_store *store)
{
	int moved = 0;
	struct stat wal;
	char *name = wal_name(store);
	sqlite3_file_control(store->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	bool stale = moved && store->wal_ino != 0 && name && stat(name, &wal) == 0 &&
	             wal.st_ino == store->wal_ino && wal.st_dev == store->wal_dev;
	store_finalize_all(store);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_close(store->db);
	store->db = NULL;
	if (stale) {
		unlink(name);
		size_t len = strlen(name);
		memcpy(name + len - 3, "shm", 3);
		unlink(name);
	}
	sqlite3_free(name);
	store->wal_ino = 0;
}

static bool is_replaced(const struct sluice_store *store, const struct stat *now)
{
	const struct stat *opened = &store->opened;
	if (now->st_ino != opened->st_ino || now->st_dev != opened->st_dev)
		return true;
	/* A file that shrank was truncated (or vacuumed, which is rare): look at it anew. */
	if (now->st_size < opened->st_size)
		return true;
	return store->immutable && (now->st_mtim.tv_sec != opened->st_mtim.tv_sec ||
	                            now->st_mtim.tv_nsec != opened->st_mtim.tv_nsec);
}

static int64_t monotonic_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Opens the file that is there now, of which nothing has been told yet. */
static enum sluice_status reopen(struct sluice_store *store, const struct stat *now,
                                 struct sluice_error *error)
{
	struct sluice_error failure;
	int64_t now_ms = monotonic_ms();
	if (store->failed.status != SLUICE_OK && same_file(now, &store->failed.file) &&
	    now_ms - store->failed.time_ms < OPEN_INTERVAL_MS) {
		if (error)
			*error = store->failed.error;
		return store->failed.status;
	}
	store->compare = true;
	store->polled = false;
	enum sluice_status status = store_connect(store, &store->db, &failure);
	store->failed.status = status;
	if (status == SLUICE_OK) {
		store_note_wal(store);
		return SLUICE_OK;
	}
	store->failed.error = failure;
	store->failed.file = *now;
	store->failed.time_ms = now_ms;
	if (error)
		*error = failure;
	return status;
}

enum sluice_status store_ensure_current(struct sluice_store *store, struct sluice_error *error)
{
	struct stat now;
	/* Not SLUICE_ERR_NOT_FOUND: the asker would take that for a rule that does not exist. */
	if (stat(store->path, &now) != 0)
		return store_error(store, SLUICE_ERR_IO, error, "the file is gone: %s",
		                   strerror(errno));
	if (store->db && !is_replaced(store, &now)) {
		store->opened.st_size = now.st_size;
		return SLUICE_OK;
	}
	if (store->db)
		close_replaced(store);
	return reopen(store, &now, error);
}
