/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The durable state in SQLite (sluice-data.db beside the rules): messages of queues, the archive,
 * what deduplication has seen, when schedules ran. Only the plugin writes it, through records of the
 * journal, in their order; others may read it while it does (WAL).
 *
 * A handle belongs to one thread, and takes no call from within a callback. Rows are given as struct sluice_record of the kind ENQUEUE (or
 * ARCHIVE), with attempts, receipt, deadline_ms, due_ms, parked as they are now; texts are valid
 * during the callback. `dedup` of a message is not kept: SEEN is a record of its own.
 */
#ifndef SLUICE_STORE_DATA_H
#define SLUICE_STORE_DATA_H

#include "sluice_store/record.h"

struct sluice_data;

enum {
	SLUICE_DATA_READ_ONLY = 1, /* for commands that look: another connection of any process */
	SLUICE_DATA_FULL_SYNC = 2, /* a commit is on the disk (durability `power` and `batch`) */
};

/* Opens, makes (unless read-only), migrates (schemas/sql/data/), checks. A database that is damaged is
 * SLUICE_ERR_CORRUPT, and the message names it; nothing is overwritten. Else as sluice_store_open. */
enum sluice_status sluice_data_open(const char *path, unsigned flags, struct sluice_data **data,
                                    struct sluice_error *error);
void sluice_data_close(struct sluice_data *data);

/* --- carrying the journal over --- */

/* Up to where the journal was carried over; 0 in a new file. */
uint64_t sluice_data_position(const struct sluice_data *data);

/*
 * Begins a batch (a transaction), takes records into it in the order of the journal, and commits it
 * with the position that it reaches. A message that comes and goes within one batch need never touch
 * the disk: up to 8 MB of a batch are held in memory, what is left of them is written at the commit.
 * Records that say what is so already (after a crash) change nothing, nor do those about a message
 * that is not in that queue. A `reason` that is absent leaves the one before. After an error the batch
 * is rolled back: it has to be begun again, at the position of the last commit. Reading between begin
 * and commit sees what was applied, and costs the writing of it; what has a transaction of its own
 * (sluice_data_due, _forget_seen, sluice_archive_trim) is SLUICE_ERR_CONFLICT there.
 * SLUICE_ERR_IO (disk full), _READ_ONLY, _BUSY (another process writes), _CORRUPT, _NOMEM,
 * _LIMIT (an id past 2^63 - 1).
 */
enum sluice_status sluice_data_begin(struct sluice_data *data, struct sluice_error *error);
enum sluice_status sluice_data_apply(struct sluice_data *data, const struct sluice_record *record,
                                     struct sluice_error *error);
enum sluice_status sluice_data_commit(struct sluice_data *data, uint64_t position,
                                      struct sluice_error *error);

/* Ends a batch as an error does, for a caller that has one of its own. Without a batch: nothing. */
void sluice_data_cancel(struct sluice_data *data);

/* --- reading queues --- */

typedef bool (*sluice_data_row_fn)(void *arg, const struct sluice_record *row); /* false stops */

/* The highest id that was ever used, in the batch too. A writer's handle knows it, and can't fail; one
 * that only reads gives what it knew last, and fills the error. */
uint64_t sluice_data_last_id(struct sluice_data *data, struct sluice_error *error);

/* Messages of a queue that are ready (neither held nor parked), in the order of ids, beginning after
 * `after`; until `limit` rows or `bytes` bytes of payload were given (one at least; 0 = no bound). One
 * range of an index: what is held or parked costs nothing. */
enum sluice_status sluice_data_ready(struct sluice_data *data, struct sluice_str queue,
                                     uint64_t after, size_t limit, size_t bytes,
                                     sluice_data_row_fn fn, void *arg, struct sluice_error *error);

/* Those that were delivered (LEASE) and are neither acknowledged nor parked since, also when they were
 * released: they are in the broker's memory, and so never ready here. It asks for them when it starts
 * anew. */
enum sluice_status sluice_data_held(struct sluice_data *data, struct sluice_str queue,
                                    sluice_data_row_fn fn, void *arg, struct sluice_error *error);

/* The groups of `origin` that have dead letters in a queue: rows have group, the first one's
 * id, and how many there are in attempts. */
enum sluice_status sluice_data_dead_groups(struct sluice_data *data, struct sluice_str queue,
                                           struct sluice_str origin, sluice_data_row_fn fn,
                                           void *arg, struct sluice_error *error);

/* Any messages, for people: all states, in the order of ids, without changing anything. 0 = no limit. */
enum sluice_status sluice_data_peek(struct sluice_data *data, struct sluice_str queue,
                                    uint64_t after, size_t limit, sluice_data_row_fn fn, void *arg,
                                    struct sluice_error *error);

struct sluice_data_counts {
	uint64_t ready, held, parked;
	uint64_t bytes;    /* of payloads */
	int64_t oldest_ms; /* enqueued_ms of the one with the lowest id; 0 = none */
};
/* Reads a counter, and looks up the oldest: costs the same however many there are. */
enum sluice_status sluice_data_count(struct sluice_data *data, struct sluice_str queue,
                                     struct sluice_data_counts *counts, struct sluice_error *error);

/* Parked messages of any queue whose time has come, at most `limit` (0 = all), in the order of their
 * times. They are not parked any more, and due at once, when the call returns SLUICE_OK (its own
 * transaction, not within a batch); rows are given so. When it fails, all that were given are parked
 * still. */
enum sluice_status sluice_data_due(struct sluice_data *data, int64_t now_ms, size_t limit,
                                   sluice_data_row_fn fn, void *arg, struct sluice_error *error);
/* When the next is due, ms since the epoch; INT64_MAX = never; 0 when it can't be read: then
 * sluice_data_due says why. */
int64_t sluice_data_next_due(struct sluice_data *data);

/* Deletes at most `limit` (not 0) rows of what was purged: a purge of a long queue only notes that they
 * are gone. *more says whether to call again. A transaction of its own, as sluice_archive_trim. */
enum sluice_status sluice_data_purge_part(struct sluice_data *data, size_t limit, bool *more,
                                          struct sluice_error *error);

/* --- deduplication, schedules --- */

/* What was seen and counts still: rows have queue (the scope), dedup, dedup_until_ms. Of a scope in the
 * order of their ends; a key that was seen anew comes again with its later one. */
enum sluice_status sluice_data_seen(struct sluice_data *data, int64_t now_ms, sluice_data_row_fn fn,
                                    void *arg, struct sluice_error *error);
/* When the rule's schedule ran last; 0 = never, -1 = it can't be read. */
int64_t sluice_data_fired(struct sluice_data *data, struct sluice_str rule);

/* --- the archive --- */

/*
 * Events are given in the order of their ids, which is that in which they were taken in, and chosen by
 * the time that was stamped on them, exactly: where the clock was set back, times of the answer go
 * back, too. Ids of one bus grow: an ARCHIVE with one that is not above the bus's last is there
 * already.
 */
struct sluice_archive_query {
	struct sluice_str bus;
	int64_t from_ms, to_ms; /* [from, to); to 0 = no end */
	uint64_t after;         /* ids after this one: the next page */
	size_t limit;           /* rows; 0 = none */
	size_t bytes;           /* of payload; 0 = no limit */
};
enum sluice_status sluice_archive_read(struct sluice_data *data,
                                       const struct sluice_archive_query *query,
                                       sluice_data_row_fn fn, void *arg,
                                       struct sluice_error *error);

struct sluice_archive_stats {
	uint64_t events;
	uint64_t bytes; /* of texts, properties and payloads, and 32 for each event */
	uint64_t first_id, last_id;
	int64_t first_ms, last_ms; /* the earliest and the latest */
};
enum sluice_status sluice_archive_stats(struct sluice_data *data, struct sluice_str bus,
                                        struct sluice_archive_stats *stats,
                                        struct sluice_error *error);
/* The names of all buses that have events. */
typedef void (*sluice_data_name_fn)(void *arg, struct sluice_str name);
enum sluice_status sluice_archive_buses(struct sluice_data *data, sluice_data_name_fn fn, void *arg,
                                        struct sluice_error *error);

/* Removes events stamped before before_ms, then those of the lowest ids until no more than max_bytes
 * (as in the stats) are left (0 = no bound); forgets what deduplication need not know any more. At most
 * `limit` rows a call (0 = no bound), so that a batch never waits long. *more says whether there is
 * more to do. */
enum sluice_status sluice_archive_trim(struct sluice_data *data, struct sluice_str bus,
                                       int64_t before_ms, uint64_t max_bytes, size_t limit,
                                       bool *more, struct sluice_error *error);
enum sluice_status sluice_data_forget_seen(struct sluice_data *data, int64_t now_ms, size_t limit,
                                           bool *more, struct sluice_error *error);

/* Bytes of the file and its WAL. What is freed is used again, not given back: the file keeps the size
 * of the most that was ever in it. */
uint64_t sluice_data_bytes(struct sluice_data *data);

#endif
