/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Change capture of any SQLite database, which other programs write: triggers on its tables put each
 * change into a table beside them, in the same transaction, and readers take it from there.
 *
 *	program ── INSERT, UPDATE, DELETE ──> table ── trigger ──> sluice_outbox ── sluice_outbox_read ──>
 *	                                                           sluice_outbox_readers: how far each is
 *
 * Ids of the outbox are in the order of the changes: SQLite has one writer at a time.
 *
 * Threads: an outbox is one thread's at a time. Everything here may wait for a disk, and up to
 * SLUICE_OUTBOX_WAIT_MS for another's lock; then it is SLUICE_ERR_BUSY, and may be tried again.
 */
#ifndef SLUICE_STORE_OUTBOX_H
#define SLUICE_STORE_OUTBOX_H

#include <stdbool.h>

#include "sluice/types.h"

enum { SLUICE_OUTBOX_WAIT_MS = 1000 };

struct sluice_outbox;

/* Opens a database, which must be there. Nothing is written. Errors: SLUICE_ERR_IO, _CORRUPT (no
 * database), _NOMEM. */
enum sluice_status sluice_outbox_open(const char *path, struct sluice_outbox **outbox,
                                      struct sluice_error *error);
void sluice_outbox_close(struct sluice_outbox *outbox);

/*
 * Makes the outbox where there is none, and the triggers of the tables, anew where the table was
 * changed. Those of other tables stay. All in one transaction; nothing is written when all is well.
 *
 * tables	their names; none: every table that is one
 * changed	gets whether anything was; may be NULL
 *
 * Errors: SLUICE_ERR_NOT_FOUND (no such table), _INVALID (a view, a virtual table), _BUSY, …
 */
enum sluice_status sluice_outbox_install(struct sluice_outbox *outbox,
                                         const struct sluice_str *tables, size_t count,
                                         bool *changed, struct sluice_error *error);

/* Removes the triggers of those tables. Without any: of all, and the outbox and its readers too. */
enum sluice_status sluice_outbox_remove(struct sluice_outbox *outbox,
                                        const struct sluice_str *tables, size_t count,
                                        struct sluice_error *error);

/* SLUICE_ERR_NOT_FOUND when there is no outbox. */
enum sluice_status sluice_outbox_check(struct sluice_outbox *outbox, struct sluice_error *error);

/* What happened since the call before. All are true the first time. */
struct sluice_outbox_news {
	bool data;     /* another connection has committed something */
	bool schema;   /* that was a change of tables */
	bool replaced; /* the path leads to another file now: open anew */
};
enum sluice_status sluice_outbox_poll(struct sluice_outbox *outbox, struct sluice_outbox_news *news,
                                      struct sluice_error *error);

/* A hexadecimal number that no other outbox has; read by install and check. */
const char *sluice_outbox_id(const struct sluice_outbox *outbox);

/*
 * A change. Images are JSON objects, all of whose values are scalars; of each value the type's first
 * letter stands in the text beside it (null, integer, real, text, blob): a blob is a string of
 * hexadecimal digits, a real perhaps a string of its digits.
 */
struct sluice_outbox_row {
	int64_t id;
	struct sluice_str time; /* RFC 3339 */
	struct sluice_str table;
	struct sluice_str operation; /* INSERT, MODIFY, REMOVE */
	struct sluice_str keys, key_types;
	struct sluice_str old_image, old_types; /* absent: there was no row */
	struct sluice_str new_image, new_types;
};

/* Returns false to stop before the next one. The row is valid during the call. */
typedef bool (*sluice_outbox_row_fn)(void *arg, const struct sluice_outbox_row *row);

/* Reads what comes after a position, in order, at most `limit` rows. */
enum sluice_status sluice_outbox_read(struct sluice_outbox *outbox, int64_t after, int64_t limit,
                                      sluice_outbox_row_fn fn, void *arg,
                                      struct sluice_error *error);

/*
 * Where a reader goes on: after this id. One that was never here begins before the first row that is
 * there, or, with `latest`, after the last.
 *
 * lost		gets how many rows were deleted that it had not read
 */
enum sluice_status sluice_outbox_position(struct sluice_outbox *outbox, struct sluice_str reader,
                                          bool latest, int64_t *position, int64_t *lost,
                                          struct sluice_error *error);

/* Remembers where a reader is. */
enum sluice_status sluice_outbox_confirm(struct sluice_outbox *outbox, struct sluice_str reader,
                                         int64_t position, struct sluice_error *error);

/*
 * Deletes rows up to an id that are older than keep_s; a thousand at most, so that nobody waits long.
 * *more gets whether there may be others.
 */
enum sluice_status sluice_outbox_trim(struct sluice_outbox *outbox, int64_t up_to, int64_t keep_s,
                                      bool *more, struct sluice_error *error);

#endif
