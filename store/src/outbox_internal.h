/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What the files of the outbox share. */
#ifndef STORE_OUTBOX_INTERNAL_H
#define STORE_OUTBOX_INTERNAL_H

#include <sqlite3.h>
#include <sys/stat.h>

#include "sluice/buffer.h"
#include "sluice_store/outbox.h"

/* What the names of all that is ours begin with. */
#define OUTBOX_PREFIX "sluice_outbox"

struct outbox_column {
	char *name;  /* owned */
	int64_t key; /* its place in the primary key, from 1; 0 = none */
};

/* A unique index, as far as a conflict can be looked up by it. */
struct outbox_index {
	char *condition; /* x."a" = NEW."a" COLLATE … AND …; owned */
};

struct outbox_table {
	char *name; /* owned */
	bool without_rowid;
	const char *rowid;             /* a name that reaches it: no column's; NULL = none does */
	struct outbox_column *columns; /* owned */
	size_t column_count;
	size_t key_count;
	struct outbox_index *indexes; /* owned */
	size_t index_count;
	struct sluice_buffer unique; /* the columns of all of them: "a", "b" */
};

enum outbox_trigger {
	OUTBOX_BEFORE_INSERT,
	OUTBOX_AFTER_INSERT,
	OUTBOX_BEFORE_UPDATE,
	OUTBOX_AFTER_UPDATE,
	OUTBOX_AFTER_DELETE,
	OUTBOX_TRIGGERS
};

struct sluice_outbox {
	sqlite3 *db;
	char *path; /* owned */
	char id[33];
	struct stat file; /* as it was opened */
	bool polled;
	int64_t data_version, schema_version; /* at the last poll */
	sqlite3_stmt *read, *data, *schema;
};

/* Describes a table; to be finished, whatever it answers. */
enum sluice_status outbox_table_read(struct sluice_outbox *outbox, struct sluice_str name,
                                     struct outbox_table *table, struct sluice_error *error);
void outbox_table_finish(struct outbox_table *table);

/* Appends a trigger's name, without quotes; what makes it, nothing when the table needs no such. */
void outbox_trigger_name(const char *table, enum outbox_trigger trigger, struct sluice_buffer *out);
void outbox_trigger_write(const struct outbox_table *table, enum outbox_trigger trigger,
                          struct sluice_buffer *out);

/* Appends a name, or a text, as SQL quotes it. */
void outbox_write_name(struct sluice_buffer *out, const char *name);
void outbox_write_text(struct sluice_buffer *out, const char *text);

/* An error of SQLite's, told. */
enum sluice_status outbox_fault(const struct sluice_outbox *outbox, int rc, const char *doing,
                                struct sluice_error *error);
enum sluice_status outbox_run(struct sluice_outbox *outbox, const char *sql, const char *doing,
                              struct sluice_error *error);
/* A statement with a text and up to two numbers bound, those that it has places for. NULL with rc. */
sqlite3_stmt *outbox_prepare(struct sluice_outbox *outbox, const char *sql, int *rc);

#endif
