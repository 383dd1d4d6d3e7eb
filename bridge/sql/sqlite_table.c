/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sqlite_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <sqlite3.h>

enum { BUSY_NAP_MS = 5, TABLE_MAX_PARAMETERS = 32766 /* SQLite's own bound */ };

struct sqlite_table {
	char *file;
	char *statement;
	size_t parameter_count;
	sqlite3 *db; /* NULL: it is to be opened */
	sqlite3_stmt *prepared;
	size_t *sources; /* of each of the statement's variables, from 0: which parameter */
	size_t source_count;
	/* Of the run. */
	const atomic_bool *stop;
	int64_t busy_ms;
};

static char *copy_text(struct sluice_str text)
{
	char *copy = malloc(text.len + 1);

	if (copy) {
		memcpy(copy, text.data, text.len);
		copy[text.len] = '\0';
	}
	return copy;
}

struct sqlite_table *sqlite_table_create(struct sluice_str file, struct sluice_str statement,
                                         size_t parameters)
{
	struct sqlite_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->file = copy_text(file);
	table->statement = copy_text(statement);
	table->parameter_count = parameters;
	if (!table->file || !table->statement) {
		sqlite_table_destroy(table);
		return NULL;
	}
	return table;
}

static void close_file(struct sqlite_table *table)
{
	sqlite3_finalize(table->prepared);
	sqlite3_close(table->db);
	free(table->sources);
	table->prepared = NULL;
	table->db = NULL;
	table->sources = NULL;
	table->source_count = 0;
}

void sqlite_table_destroy(struct sqlite_table *table)
{
	if (!table)
		return;
	close_file(table);
	free(table->file);
	free(table->statement);
	free(table);
}

/* --- outcomes --- */

/* What will be so again with the same row is PERMANENT; what is of the file or of others passes. */
static enum outcome outcome_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
		return OUTCOME_DONE;
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
	case SQLITE_ERROR:
		return OUTCOME_PERMANENT;
	default:
		return OUTCOME_RETRY;
	}
}

static void note(struct sqlite_table *table, int code, struct sqlite_result *result)
{
	struct sluice_error clean;

	result->outcome = outcome_of(code);
	result->reason[0] = '\0';
	if (result->outcome == OUTCOME_DONE)
		return;
	sluice_error_set(&clean, SLUICE_ERR_IO, SIZE_MAX, NULL, "SQLite: %s",
	                 table->db && sqlite3_errcode(table->db) == (code & 0xff)
	                         ? sqlite3_errmsg(table->db)
	                         : sqlite3_errstr(code));
	snprintf(result->reason, sizeof(result->reason), "%.*s", (int)sizeof(result->reason) - 1,
	         clean.message);
}

static void note_all(const struct sqlite_result *first, struct sqlite_result *results, size_t count)
{
	for (size_t i = 0; i < count; i++)
		results[i] = *first;
}

/* --- the file --- */

static bool stopped(const struct sqlite_table *table)
{
	return atomic_load_explicit(table->stop, memory_order_relaxed);
}

static int on_busy(void *arg, int tries)
{
	const struct sqlite_table *table = arg;

	if ((int64_t)tries * BUSY_NAP_MS >= table->busy_ms || stopped(table))
		return 0;
	nanosleep(&(struct timespec){ .tv_nsec = BUSY_NAP_MS * 1000000L }, NULL);
	return 1;
}

/* "$2" and "?2" are the second parameter, whatever their place; "?" is the next one. */
static bool find_sources(struct sqlite_table *table, struct sqlite_result *fault)
{
	int count = sqlite3_bind_parameter_count(table->prepared);

	table->sources = calloc((size_t)count + 1, sizeof(*table->sources));
	if (!table->sources) {
		note(table, SQLITE_NOMEM, fault);
		return false;
	}
	table->source_count = (size_t)count;
	for (int i = 0; i < count; i++) {
		const char *name = sqlite3_bind_parameter_name(table->prepared, i + 1);
		char *end = NULL;
		unsigned long number = name ? strtoul(name + 1, &end, 10) : (unsigned long)i + 1;

		if ((name && (end == name + 1 || *end)) || number < 1 ||
		    number > table->parameter_count || number > TABLE_MAX_PARAMETERS) {
			fault->outcome = OUTCOME_RETRY;
			snprintf(fault->reason, sizeof(fault->reason),
			         "the statement asks for %.40s, and the target has %zu parameters",
			         name ? name : "?", table->parameter_count);
			return false;
		}
		table->sources[i] = number - 1;
	}
	return true;
}

static bool open_file(struct sqlite_table *table, struct sqlite_result *fault)
{
	const char *rest = NULL;
	int code;

	if (table->db)
		return true;
	code = sqlite3_open_v2(table->file, &table->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
	                       NULL);
	if (code == SQLITE_OK)
		code = sqlite3_busy_handler(table->db, on_busy, table);
	/* What the tables' definitions say of others holds here, too. */
	if (code == SQLITE_OK)
		code = sqlite3_exec(table->db, "PRAGMA foreign_keys = ON", NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_prepare_v3(table->db, table->statement, -1,
		                          SQLITE_PREPARE_PERSISTENT, &table->prepared, &rest);
	if (code == SQLITE_OK && !table->prepared)
		code = SQLITE_MISUSE;
	if (code != SQLITE_OK) {
		note(table, code, fault);
	} else if (rest[strspn(rest, " \t\r\n;")]) {
		fault->outcome = OUTCOME_RETRY;
		snprintf(fault->reason, sizeof(fault->reason), "there is more than one statement");
	} else if (find_sources(table, fault)) {
		return true;
	}
	close_file(table);
	return false;
}

/* --- rows --- */

static int bind_number(sqlite3_stmt *prepared, int index, const char *digits)
{
	if (!strpbrk(digits, ".eE")) {
		errno = 0;
		long long whole = strtoll(digits, NULL, 10);
		if (errno == 0)
			return sqlite3_bind_int64(prepared, index, whole);
	}
	return sqlite3_bind_double(prepared, index, strtod(digits, NULL));
}

static int bind_value(sqlite3_stmt *prepared, int index, const struct sql_value *value)
{
	const struct sluice_str text = value->text;

	switch (value->type) {
	case SQL_NULL:
		break;
	case SQL_NUMBER:
		return bind_number(prepared, index, text.data);
	case SQL_BOOL:
		return sqlite3_bind_int(prepared, index, text.data[0] == 't');
	case SQL_TEXT:
		return sqlite3_bind_text64(prepared, index, text.data, text.len, SQLITE_STATIC,
		                           SQLITE_UTF8);
	case SQL_BYTES:
		return sqlite3_bind_blob64(prepared, index, text.data, text.len, SQLITE_STATIC);
	}
	return sqlite3_bind_null(prepared, index);
}

static int run_row(struct sqlite_table *table, const struct sql_row *row,
                   struct sqlite_result *result)
{
	int code = SQLITE_OK;

	for (size_t i = 0; i < table->source_count && code == SQLITE_OK; i++)
		code = bind_value(table->prepared, (int)i + 1, &row->values[table->sources[i]]);
	if (code == SQLITE_OK) {
		/* Rows that it returns are nobody's. */
		do {
			code = sqlite3_step(table->prepared);
		} while (code == SQLITE_ROW);
	}
	note(table, code, result);
	sqlite3_reset(table->prepared);
	return code;
}

static int execute(struct sqlite_table *table, const char *what)
{
	return sqlite3_exec(table->db, what, NULL, NULL, NULL);
}

/* What a trigger or the statement itself ("OR ROLLBACK") or a full disk may do. */
static bool transaction_is_gone(const struct sqlite_table *table)
{
	return sqlite3_get_autocommit(table->db);
}

enum together {
	TOGETHER_DONE,
	TOGETHER_FAILED, /* by what concerns all of them: the results say so */
	TOGETHER_APART,  /* one of them, nobody can say which, does not go with the others */
};

static enum together run_together(struct sqlite_table *table, struct sql_row *const *rows,
                                  size_t count, struct sqlite_result *results)
{
	int code = execute(table, "BEGIN IMMEDIATE");
	struct sqlite_result fault;

	if (code != SQLITE_OK) {
		note(table, code, &fault);
		note_all(&fault, results, count);
		return TOGETHER_FAILED;
	}
	for (size_t i = 0; i < count; i++) {
		if (stopped(table)) {
			execute(table, "ROLLBACK");
			fault = (struct sqlite_result){ OUTCOME_RETRY, "stopped" };
			note_all(&fault, results, count);
			return TOGETHER_FAILED;
		}
		code = run_row(table, rows[i], &results[i]);
		if (results[i].outcome == OUTCOME_RETRY) {
			fault = results[i];
			if (!transaction_is_gone(table))
				execute(table, "ROLLBACK");
			note_all(&fault, results, count);
			return TOGETHER_FAILED;
		}
		/* A row that fails alone took nothing of the others with it: a statement undoes
		 * itself. */
		if (transaction_is_gone(table))
			return TOGETHER_APART;
	}
	code = execute(table, "COMMIT");
	if (code == SQLITE_OK)
		return TOGETHER_DONE;
	note(table, code, &fault);
	if (!transaction_is_gone(table))
		execute(table, "ROLLBACK");
	if (fault.outcome == OUTCOME_PERMANENT)
		return TOGETHER_APART; /* a constraint that is looked at in the end */
	note_all(&fault, results, count);
	return TOGETHER_FAILED;
}

static void run_apart(struct sqlite_table *table, struct sql_row *const *rows, size_t count,
                      struct sqlite_result *results)
{
	for (size_t i = 0; i < count; i++) {
		if (stopped(table))
			results[i] = (struct sqlite_result){ OUTCOME_RETRY, "stopped" };
		else
			run_row(table, rows[i], &results[i]);
	}
}

void sqlite_table_run(struct sqlite_table *table, struct sql_row *const *rows, size_t count,
                      int64_t busy_ms, const atomic_bool *stop, struct sqlite_result *results)
{
	struct sqlite_result fault;
	enum together together;

	table->stop = stop;
	table->busy_ms = busy_ms;
	if (!open_file(table, &fault)) {
		note_all(&fault, results, count);
		return;
	}
	together = run_together(table, rows, count, results);
	if (together == TOGETHER_APART)
		run_apart(table, rows, count, results);
	/* The file may be another by now, or its disk. */
	if (together == TOGETHER_FAILED)
		close_file(table);
}
