/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What the files of the store share. */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include <sqlite3.h>
#include <sys/stat.h>

#include "migrations.h"
#include "noun.h"
#include "seen.h"
#include "sluice_store/store.h"

/* A flag beside SLUICE_STORE_CREATE and _READ_ONLY: an older schema is read as it is. */
enum { STORE_ANY_SCHEMA = 1 << 8 };

/* The statements, prepared when first used; their texts stand in sql.c in this order. */
enum store_sql {
	SQL_BEGIN,
	SQL_BEGIN_IMMEDIATE,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_DATA_VERSION,
	SQL_SCHEMA_VERSION,
	SQL_USER_VERSION,
	SQL_LAST_REVISION,
	SQL_RULE_TARGETS,
	SQL_TARGETS_DELETE,
	SQL_TARGET_INSERT,
	SQL_BUS_HAS_RULES,
	SQL_TOMBSTONES_SINCE,
	SQL_SHARED_QUEUE,
	SQL_ERROR_DELETE,
	SQL_COUNT
};

/* What sluice_store_report was told and the file does not hold yet. */
struct store_report {
	enum sluice_store_kind kind;
	size_t name_len;
	char name[SLUICE_NAME_MAX];
	int64_t revision;
	bool faulty;
	struct sluice_error fault; /* when faulty */
};

struct sluice_store {
	char *path; /* absolute; owned */
	unsigned flags;
	const struct store_schema *schema;
	sqlite3 *db; /* NULL after the file was replaced by one that could not be opened */
	sqlite3_stmt *statements[SQL_COUNT];
	sqlite3_stmt *noun_statements[SLUICE_STORE_KINDS][NOUN_SQL_COUNT];
	bool in_transaction; /* between sluice_store_begin and _commit */
	bool doomed;         /* a change within it was left half done: it can't be committed */
	bool put_target;     /* targets were put: no two may take from one queue at the commit */
	int64_t changes;     /* sqlite3_total_changes64 when the change began */

	/* The last attempt to open the file anew, if it failed: not repeated at once for the same
	 * file, since checking it may cost a while. */
	struct {
		enum sluice_status status; /* SLUICE_OK: it did not fail */
		struct sluice_error error;
		struct stat file;
		int64_t time_ms;
	} failed;

	struct stat opened; /* the file as it was when db was opened */
	bool immutable;     /* opened without locks, from a folder that can't be written */
	dev_t wal_dev;      /* the WAL that db made; 0 when unknown */
	ino_t wal_ino;

	/* Following: what the caller of sluice_store_poll was told. */
	struct store_seen seen;
	bool polled;  /* a poll has succeeded on this db */
	bool changed; /* this connection wrote since: data_version tells of others only */
	bool compare; /* the file was replaced: compare by content */
	int64_t data_version, schema_version, revision;

	struct store_report *reports; /* owned; report_count of report_capacity are used */
	size_t report_count, report_capacity;
};

/* --- sql.c --- */

/* Turns an SQLite code into a status and fills the error: "FILE: doing: reason". */
enum sluice_status store_fault(const struct sluice_store *store, int rc, const char *doing,
                               struct sluice_error *error);
enum sluice_status store_status(int rc);
/* Fills the error with "FILE: message". */
enum sluice_status store_error(const struct sluice_store *store, enum sluice_status code,
                               struct sluice_error *error, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* The statement, reset and without parameters; prepared from `text` when *stmt is NULL. NULL on
 * failure, *rc then says why. */
sqlite3_stmt *store_prepare_text(sqlite3 *db, sqlite3_stmt **stmt, const char *text, int *rc);
/* The same of one of the store's. */
sqlite3_stmt *store_prepare(struct sluice_store *store, enum store_sql sql, int *rc);
sqlite3_stmt *store_prepare_noun(struct sluice_store *store, enum sluice_store_kind kind,
                                 enum store_noun_sql sql, int *rc);
/* Runs a statement that gives no rows and takes no parameters. */
int store_run(struct sluice_store *store, enum store_sql sql);
/* Runs a statement that gives one integer, the first of its row. */
int store_integer(struct sluice_store *store, enum store_sql sql, int64_t *value);
int store_noun_integer(struct sluice_store *store, enum sluice_store_kind kind,
                       enum store_noun_sql sql, int64_t *value);
/* Writes "the rule can't be put" into buf. Returns buf. */
char *store_doing(char buf[32], enum sluice_store_kind kind, const char *done);
/* Steps to the end and resets. */
int store_finish(sqlite3_stmt *stmt);
void store_finalize_all(struct sluice_store *store);
int store_bind(sqlite3_stmt *stmt, int index, struct sluice_str text);
struct sluice_str store_column(sqlite3_stmt *stmt, int column);

/* Begins a change: a transaction of its own, or a part of the caller's; checks that the store may
 * be written. */
enum sluice_status store_write_begin(struct sluice_store *store, struct sluice_error *error);
/* Ends it: keeps what was done when status is SLUICE_OK, else undoes it (in the caller's
 * transaction, by not letting that be committed, if anything was done). Returns the outcome. */
enum sluice_status store_write_end(struct sluice_store *store, enum sluice_status status,
                                   struct sluice_error *error);

/* A snapshot to read from (the caller's transaction, when one is open); ended by store_read_end. */
enum sluice_status store_read_begin(struct sluice_store *store, struct sluice_error *error);
void store_read_end(struct sluice_store *store);

/* --- open.c --- */

/*
 * Opens and checks the file at the store's path, as its flags say: on success *db is a connection
 * to a sound store of the latest schema. Sets store->opened and ->immutable.
 */
enum sluice_status store_connect(struct sluice_store *store, sqlite3 **db,
                                 struct sluice_error *error);
/* NULL when out of memory; to be freed. */
char *store_absolute_path(const char *path);
/* What every connection of ours is given. Returns an SQLite code. */
int store_configure(sqlite3 *db);
/* Whether every table and trigger of the latest schema is there; else *missing names one. */
int store_schema_complete(sqlite3 *db, const struct store_schema *schema, char *missing,
                          size_t size);
/* PRAGMA quick_check's first complaint about the file's structure, or "". */
int store_quick_check(sqlite3 *db, char *complaint, size_t size);
/* Gives a file that root makes at path to the owner of its folder: a broker that gave up its
 * privileges must be able to write it. False: errno says why. */
bool store_give_away(int fd, const char *path);

/* --- current.c --- */

/* Makes sure that db is the file that is at the path now. Not within a transaction. */
enum sluice_status store_ensure_current(struct sluice_store *store, struct sluice_error *error);
/* Remembers which WAL is this connection's. */
void store_note_wal(struct sluice_store *store);

/* --- rows --- */

/* Where a row is put together; zeroed memory is ready for use. */
struct store_scratch {
	struct sluice_buffer text, error, name;
};
void store_scratch_finish(struct store_scratch *scratch);

/*
 * Makes the row that a statement stands on: JSON that is well-formed whatever the columns hold (a
 * pattern, target or list that is not well-formed is given as a JSON string, which no reader of
 * rules takes for one). Valid until the next use of the scratch. Returns an SQLite code.
 */
int store_row(struct sluice_store *store, enum sluice_store_kind kind, sqlite3_stmt *stmt,
              struct store_scratch *scratch, struct sluice_store_row *row);

/* Puts a row if it differs from what is there; for a caller that has called store_write_begin. */
enum sluice_status store_put_values(struct sluice_store *store, const struct store_values *values,
                                    int64_t if_revision, int64_t *revision,
                                    struct sluice_error *error);

/* Deletes the row of that name, if there is one. Returns an SQLite code. */
int store_delete_row(struct sluice_store *store, enum sluice_store_kind kind,
                     struct sluice_str name);

/* --- secrets.c --- */

/*
 * Puts what the store has in the place of the secrets that are null, in a connection that is about
 * to be put: *merged holds the new text of the value, and must outlive the put. SLUICE_ERR_INVALID
 * when there is none to keep.
 */
enum sluice_status store_keep_secrets(struct sluice_store *store, struct store_values *values,
                                      struct sluice_buffer *merged, struct sluice_error *error);
/* Appends a column of secrets as it may be shown. */
void store_show_secrets(struct sluice_buffer *buf, struct sluice_str text);

/* --- revision.c --- */

/* Whether an if_revision given by a caller allows a change of what has this revision (0: nothing
 * is there). */
enum sluice_status store_check_revision(struct sluice_store *store, enum sluice_store_kind kind,
                                        struct sluice_str name, int64_t revision,
                                        int64_t if_revision, struct sluice_error *error);
/* The revision of what has that name, 0 when there is none. Returns an SQLite code. */
int store_revision(struct sluice_store *store, enum sluice_store_kind kind, struct sluice_str name,
                   int64_t *revision);
/* Looks it up for a change: SLUICE_ERR_NOT_FOUND, _CONFLICT. */
enum sluice_status store_look_up(struct sluice_store *store, enum sluice_store_kind kind,
                                 struct sluice_str name, int64_t if_revision,
                                 struct sluice_error *error);
/* SLUICE_ERR_NOT_FOUND, with its message. */
enum sluice_status store_not_found(struct sluice_store *store, enum sluice_store_kind kind,
                                   struct sluice_str name, struct sluice_error *error);

/* --- report.c --- */

/* Writes the pending reports into rule_errors; waits for nobody, keeps what could not be written.
 */
void store_flush_reports(struct sluice_store *store);
void store_queue_report(struct sluice_store *store, enum sluice_store_kind kind,
                        struct sluice_str name, int64_t revision, const struct sluice_error *fault);

#endif
