/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Queues, buses, rules, and what the bridge is told, in SQLite: the one truth of what Sluice routes. Anybody may write the file (the
 * plugin's store thread, the CLI, a person with sqlite3); whoever follows it with
 * sluice_store_poll hears of each change.
 *
 * A store belongs to one thread at a time. Several processes may have the same file open.
 * They come out as their JSON text (sluice/rule.h, queue.h); pattern and targets come back verbatim.
 */
#ifndef SLUICE_STORE_H
#define SLUICE_STORE_H

#include <stdbool.h>

#include "sluice/buffer.h"
#include "sluice/types.h"
#include "sluice_store/definition.h"

struct sluice_store;

enum {
	SLUICE_STORE_CREATE = 1, /* make the file when there is none (owner and group: its folder's,
	                            when root makes it) */
	SLUICE_STORE_READ_ONLY = 2, /* never write, not even a migration */
	/* Connections come out with their secrets, for the bridge that uses them. Without it a
	 * secret that is a string comes out as null, whoever asks. */
	SLUICE_STORE_SECRETS = 4,
};

enum { SLUICE_STORE_BUSY_TIMEOUT_MS = 2000 }; /* how long a write waits for another's transaction */

/*
 * Opens the store, applies the migrations that are missing (built in from schemas/sql), checks the
 * file. `path` is copied. Errors: SLUICE_ERR_NOT_FOUND (no file, and not _CREATE), _CORRUPT (no
 * database, another program's, or damaged), _INVALID (no regular file), _VERSION (newer schema),
 * _READ_ONLY, _BUSY, _IO; the message names the file. Nothing is ever overwritten.
 */
enum sluice_status sluice_store_open(const char *path, unsigned flags, struct sluice_store **store,
                                     struct sluice_error *error);

/* NULL is allowed. */
void sluice_store_close(struct sluice_store *store);

/* --- changing; each call is a transaction of its own, unless inside begin … commit --- */

/*
 * SLUICE_ERR_BUSY when another writer holds the file past the busy timeout. A change that fails
 * before it touched anything (no such rule, another revision) leaves the transaction as it was;
 * after any other failure it can't be committed any more (SLUICE_ERR_IO).
 */
enum sluice_status sluice_store_begin(struct sluice_store *store, struct sluice_error *error);
enum sluice_status sluice_store_commit(struct sluice_store *store, struct sluice_error *error);
void sluice_store_rollback(struct sluice_store *store);

enum { SLUICE_STORE_ANY_REVISION = -1 };

/*
 * Puts a definition (insert or replace), which stays the caller's. if_revision:
 * SLUICE_STORE_ANY_REVISION, or the revision it must have (0: must not exist), else
 * SLUICE_ERR_CONFLICT. *revision (may be NULL) gets the new one. A rule on a bus that does not exist
 * is SLUICE_ERR_NOT_FOUND. What is the same as before, but for white space, keeps its text and its
 * revision. A connection's secret that is null stays what it is in the store; SLUICE_ERR_INVALID
 * when the store has none of that name and kind. Two targets that take from one queue are
 * SLUICE_ERR_CONFLICT, within a transaction at its commit.
 */
enum sluice_status sluice_store_put(struct sluice_store *store, struct sluice_definition definition,
                                    int64_t if_revision, int64_t *revision,
                                    struct sluice_error *error);
/* Replaces only the state, of what has one (sluice_store_has_state); SHADOW is of rules alone, else
 * SLUICE_ERR_INVALID. Also SLUICE_ERR_NOT_FOUND. */
enum sluice_status sluice_store_set_state(struct sluice_store *store, enum sluice_store_kind kind,
                                          struct sluice_str name, enum sluice_rule_state state,
                                          int64_t if_revision, int64_t *revision,
                                          struct sluice_error *error);
/* SLUICE_ERR_NOT_FOUND; of a bus SLUICE_ERR_CONFLICT while rules are on it, _INVALID for "default".
 * Queues are named, not owned: one goes whoever names it. */
enum sluice_status sluice_store_delete(struct sluice_store *store, enum sluice_store_kind kind,
                                       struct sluice_str name, int64_t if_revision,
                                       struct sluice_error *error);

/* --- reading --- */

/* A row, valid during the callback only. */
struct sluice_store_row {
	struct sluice_str name;
	struct sluice_str text; /* the definition as one line of JSON; absent when the row is gone
	                           (poll only) */
	int64_t revision;
	/* its row in rule_errors, if it has one: why the row as it stands is not in force;
	 * else absent */
	struct sluice_str error;
};

/* Returns false to stop; the call then returns SLUICE_OK. Must not call the store. */
typedef bool (*sluice_store_row_fn)(void *arg, const struct sluice_store_row *row);

enum sluice_status sluice_store_get(struct sluice_store *store, enum sluice_store_kind kind,
                                    struct sluice_str name, sluice_store_row_fn fn, void *arg,
                                    struct sluice_error *error);

/* Which of a kind sluice_store_list gives; absent members and -1 mean any. In the order of names. */
struct sluice_store_query {
	struct sluice_str prefix; /* names that begin so */
	struct sluice_str bus;    /* of rules */
	int state;                /* of rules: enum sluice_rule_state, or -1 */
	struct sluice_str after;  /* names after this one: the next page */
	size_t limit;             /* 0 = no limit */
};
/* query == NULL: all. */
enum sluice_status sluice_store_list(struct sluice_store *store, enum sluice_store_kind kind,
                                     const struct sluice_store_query *query, sluice_store_row_fn fn,
                                     void *arg, struct sluice_error *error);

/* --- following --- */

/*
 * Tells fn of every definition that changed, whoever changed it (this store too), since the last
 * call; at the first call of all of them. Kinds that changed come in their order, what is gone in the
 * reverse one: a gone rule before a changed one, gone buses and queues after both.
 * Costs next to nothing when nothing was committed since (PRAGMA data_version and the file's
 * inode), and what changed otherwise. A file that was replaced (mv, restore) is opened anew and
 * compared by content, so only what differs is told. When it fails (locked, damaged, gone) nothing
 * was told and the caller goes on with what it has; the next call tries again. Errors as for open.
 * A row whose text is as it was told is not told again, though its revision may have grown. fn may
 * call sluice_store_report, nothing else of the store. Not within a transaction (SLUICE_ERR_BUSY).
 */
typedef void (*sluice_store_change_fn)(void *arg, enum sluice_store_kind kind,
                                       const struct sluice_store_row *row);
enum sluice_status sluice_store_poll(struct sluice_store *store, sluice_store_change_fn fn,
                                     void *arg, struct sluice_error *error);

/*
 * Notes in rule_errors that the row of this revision can't be compiled, or (fault
 * == NULL) that it can. May be called from within the poll's fn. It is written at the end of that
 * poll, else at the next poll, reading or close, many in one transaction. Best effort: a locked or
 * read-only file is no error here, and is tried again at the next poll.
 */
void sluice_store_report(struct sluice_store *store, enum sluice_store_kind kind,
                         struct sluice_str name, int64_t revision,
                         const struct sluice_error *fault);

/* --- the file --- */

struct sluice_store_stats {
	uint64_t counts[SLUICE_STORE_KINDS];
	uint64_t errors;
	int64_t revision; /* the highest there is */
	int schema_version;
	uint64_t bytes; /* of the file and its WAL */
};
enum sluice_status sluice_store_stats(struct sluice_store *store, struct sluice_store_stats *stats,
                                      struct sluice_error *error);

/* Copies the store into a new file, while others read and write it. SLUICE_ERR_CONFLICT when `to`
 * exists. */
enum sluice_status sluice_store_backup(struct sluice_store *store, const char *to,
                                       struct sluice_error *error);

/*
 * Puts the backup file's content in the store's place, all or nothing, while a broker may have it
 * open: it hears of just what differs. The backup is checked first (migrated in a copy when it is
 * older).
 */
enum sluice_status sluice_store_restore(struct sluice_store *store, const char *from,
                                        struct sluice_error *error);

#endif
