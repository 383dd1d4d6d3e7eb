/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What the files of the durable state share.
 *
 * A batch is held in memory until it is committed, as far as it concerns messages:
 *
 *	record --> entries by id --(what is left at the commit, or more than DATA_HELD_BYTES)--> SQLite
 *
 * An entry is either a message that is new, or what is to become of one that SQLite has (`stored`).
 * What is not there in memory is looked for in SQLite, so that both give one answer. A message whose
 * id is not above all that were written before may be in SQLite already (a batch that is applied
 * again): such a one is never held as new.
 */
#ifndef DATA_INTERNAL_H
#define DATA_INTERNAL_H

#include "internal.h"
#include "sluice_store/data.h"

/* The statements, prepared when first used; their texts stand in data_sql.c in this order. */
enum data_sql {
	DATA_BEGIN,
	DATA_BEGIN_IMMEDIATE,
	DATA_COMMIT,
	DATA_ROLLBACK,
	DATA_PROGRESS,
	DATA_PROGRESS_SET,
	DATA_NAME,
	DATA_NAME_ADD,
	DATA_QUEUE_SET,
	DATA_ARCHIVE_SET,
	DATA_MESSAGE_ADD,
	DATA_MESSAGE_MOVE,
	DATA_MESSAGE_DELETE,
	DATA_ENTRY_ADD,
	DATA_ENTRY,
	DATA_ENTRY_SET,
	DATA_ENTRY_MOVE,
	DATA_ENTRY_DELETE,
	DATA_PURGE_COUNT,
	DATA_PURGE_SET,
	DATA_PURGE_NEWER,
	DATA_PURGE_NEXT,
	DATA_PURGE_PART,
	DATA_PURGE_END,
	DATA_PURGE_MESSAGES,
	DATA_PURGE_ENTRIES,
	DATA_READY,
	DATA_HELD,
	DATA_PEEK,
	DATA_COUNT,
	DATA_DEAD_GROUPS,
	DATA_DUE,
	DATA_NEXT_DUE,
	DATA_SEEN_ADD,
	DATA_SEEN,
	DATA_SEEN_OLD,
	DATA_SEEN_FORGET,
	DATA_FIRED,
	DATA_FIRED_SET,
	DATA_EVENT_ADD,
	DATA_EVENTS,
	DATA_EVENT_DELETE,
	DATA_EVENTS_DELETE,
	DATA_EVENTS_SUM,
	DATA_NEXT_BLOCK,
	DATA_BLOCK_LAST,
	DATA_BLOCK_OLD,
	DATA_BLOCK_FIRST,
	DATA_BLOCK_SET,
	DATA_BLOCK_DELETE,
	DATA_BLOCKS,
	DATA_ARCHIVE_STATS,
	DATA_ARCHIVE_EDGE,
	DATA_ARCHIVE_BUSES,
	DATA_SQL_COUNT
};

/* Columns of an event, wherever it is: bound and read by data_bind_event and data_read_event. */
#define DATA_EVENT_COLUMNS                                                                         \
	"event_id, time_ms, rule, target, topic, client_id, username, flags, properties, payload"
enum { DATA_EVENT_COLUMN_COUNT = 10 };

#define DATA_NO_TEXT ((struct sluice_str){ NULL, 0 })

enum data_state { DATA_STATE_READY, DATA_STATE_HELD, DATA_STATE_PARKED, DATA_STATE_COUNT };

enum {
	DATA_HELD_BYTES = 8 << 20,               /* of a batch in memory */
	DATA_LARGE_BYTES = DATA_HELD_BYTES / 16, /* such a message goes to SQLite at once */
	DATA_BUCKETS = 1 << 14, /* of entries: more than there is room for small ones */
	DATA_NAME_BUCKETS = 1 << 10,
	DATA_BLOCK_ROWS = 1 << 10,
};

/* A block of the archive, see schemas/sql/data. */
struct data_block {
	int64_t block, used;
	int64_t first_id, last_id;
	int64_t events, bytes;
	int64_t min_ms, max_ms;
};

/* A name, its number, and what is counted under it. */
struct data_name {
	struct data_name *next; /* in its bucket */
	int64_t number;
	int64_t counts[DATA_STATE_COUNT]; /* messages of a queue that SQLite has */
	int64_t bytes;
	uint64_t purged_to;               /* up to here there is none, whatever rows there are */
	int64_t archived, archived_bytes; /* events of a bus */
	uint64_t archived_id;             /* the highest that ever came */
	struct data_block block;          /* that is being filled */
	bool block_known, block_there;    /* whether it was looked for; whether there is one */
	bool queue_changed, archive_changed, block_changed; /* and not written yet */
	size_t len;
	char name[];
};

/* A message in memory. */
struct data_entry {
	struct data_entry *hash_next;
	struct data_entry *previous, *next; /* in the order in which they came */
	struct data_name *queue;
	bool stored; /* SQLite has the message: id, state, and record's members that change count */
	enum data_state state;
	size_t bytes;                /* that it takes of DATA_HELD_BYTES */
	struct sluice_record record; /* id as it is now; texts are in `texts` and `notes` */
	char *notes; /* owned: worker, reason, origin, error, which change while it waits */
	size_t notes_size;
	char texts[];
};

struct sluice_data {
	struct sluice_store
	        file; /* its path, flags, schema and connection; the rest of it is unused */
	sqlite3_stmt *statements[DATA_SQL_COUNT];
	uint64_t position;
	uint64_t last_id;      /* with what the batch brought */
	uint64_t committed_id; /* the last one at the last commit */
	uint64_t stored_id;    /* what has an id above this one is not in SQLite */
	bool in_batch;
	int64_t next_block; /* -1 = not known */
	struct data_name *names[DATA_NAME_BUCKETS];
	struct data_entry **entries; /* owned, and what they point to; DATA_BUCKETS */
	struct data_entry *first, *last;
	size_t held_bytes;
};

/* --- data_sql.c --- */

/* As store_prepare, store_fault. */
sqlite3_stmt *data_prepare(struct sluice_data *data, enum data_sql sql, int *rc);
enum sluice_status data_fault(const struct sluice_data *data, int rc, const char *doing,
                              struct sluice_error *error);
int data_run(struct sluice_data *data, enum data_sql sql);
void data_bind_numbers(sqlite3_stmt *stmt, int first, const int64_t *numbers, size_t count);
/* Prepares, binds the numbers from ?1 on, steps to the end. */
int data_run_with(struct sluice_data *data, enum data_sql sql, const int64_t *numbers,
                  size_t count);
/* The same, for a statement that gives a row of numbers, or none: SQLITE_ROW when `row` was filled,
 * SQLITE_DONE when not. A text that is there goes before the numbers. */
int data_one_row(struct sluice_data *data, enum data_sql sql, struct sluice_str text,
                 const int64_t *numbers, size_t count, int64_t *row, size_t columns);
void data_bind_event(sqlite3_stmt *stmt, int first, const struct sluice_record *record);
void data_read_event(sqlite3_stmt *stmt, int first, struct sluice_record *record);
void data_bind_blob(sqlite3_stmt *stmt, int index, struct sluice_str bytes);
struct sluice_str data_blob(sqlite3_stmt *stmt, int column);

/* --- data_names.c --- */

/* Looks it up, gives it a number if it has none. For a writer within a transaction. */
int data_name(struct sluice_data *data, struct sluice_str text, struct data_name **name);
/* As data_name, but leaves *name NULL when nothing is known of it. */
int data_find_name(struct sluice_data *data, struct sluice_str text, struct data_name **name);
/* Writes what was counted. */
int data_write_names(struct sluice_data *data);
void data_forget_names(struct sluice_data *data);

/* --- data_batch.c --- */

/* A transaction that writes: a batch, or a change by itself. */
enum sluice_status data_change_begin(struct sluice_data *data, struct sluice_error *error);
/* Commits when status is SLUICE_OK, else rolls back and forgets what was in memory. */
enum sluice_status data_change_end(struct sluice_data *data, enum sluice_status status,
                                   struct sluice_error *error);
/* A snapshot to read from: the batch's, with all of it written, or the last commit's. */
enum sluice_status data_read_begin(struct sluice_data *data, struct sluice_error *error);
/* Ends it. Returns what rc means. */
enum sluice_status data_read_end(struct sluice_data *data, int rc, struct sluice_error *error);

/* --- data_memory.c --- */

struct data_entry *data_pending(struct sluice_data *data, uint64_t id);
/* Takes a message into memory; NULL when out of memory. */
struct data_entry *data_hold(struct sluice_data *data, const struct sluice_record *record,
                             struct data_name *queue);
/* Notes what is to become of a message that SQLite may have. */
struct data_entry *data_hold_change(struct sluice_data *data, uint64_t id, struct data_name *queue);
/* Makes it what the record (LEASE, RELEASE, MOVE) says; false when out of memory. */
bool data_change_pending(struct sluice_data *data, struct data_entry *entry,
                         const struct sluice_record *record);
/* Gives it another id and queue. */
void data_rename_pending(struct sluice_data *data, struct data_entry *entry, uint64_t id,
                         struct data_name *queue);
void data_drop(struct sluice_data *data, struct data_entry *entry);
void data_drop_all(struct sluice_data *data);

/* --- data_messages.c --- */

/* These return an SQLite code. What is not there is left so. */
int data_write_entry(struct sluice_data *data, const struct data_entry *entry);
int data_delete_message(struct sluice_data *data, struct data_name *queue, uint64_t id);
int data_move_message(struct sluice_data *data, struct data_name *queue, struct data_name *to,
                      const struct sluice_record *record);
/* All up to that id; of a long queue the rows go later (data_purge.c). */
int data_purge_messages(struct sluice_data *data, struct data_name *queue, uint64_t id);
/* So many more are in that state, with so many bytes. */
void data_count(struct data_name *queue, enum data_state state, int64_t messages, int64_t bytes);
/* A message of a queue that SQLite has enters another state. */
void data_count_change(struct data_name *queue, enum data_state from, enum data_state to);

/* --- data_read.c --- */

/* Fills a row from one of the statements that read messages; false: the message is missing. */
bool data_read_row(sqlite3_stmt *stmt, struct sluice_record *row);

/* --- data_archive.c, data_seen.c --- */

int data_archive_add(struct sluice_data *data, const struct sluice_record *record);
int data_write_block(struct sluice_data *data, const struct data_name *bus,
                     const struct data_block *block);
/* The first block that the statement finds. SQLITE_ROW, SQLITE_DONE when there is none. */
int data_read_block(struct sluice_data *data, enum data_sql sql, const int64_t *numbers,
                    size_t count, struct data_block *block);
int data_seen_add(struct sluice_data *data, const struct sluice_record *record);
int data_fired_set(struct sluice_data *data, const struct sluice_record *record);

#endif
