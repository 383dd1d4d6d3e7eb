/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The tables of queues, buses, rules and their like, as tables: which columns each has, and which member of the
 * JSON each column is. All that is done with a row alike is done from here: a new column is a line
 * in noun.c and in a migration.
 */
#ifndef STORE_NOUN_H
#define STORE_NOUN_H

#include <sqlite3.h>
#include <stdbool.h>

#include "sluice/json.h"
#include "sluice_store/definition.h"

enum store_type {
	STORE_TEXT,    /* a string */
	STORE_INTEGER, /* a whole number */
	STORE_BOOL,    /* 0 or 1 */
	STORE_JSON,    /* any JSON, as text; NULL = absent */
	STORE_SECRETS, /* the same, an object of secrets */
};

struct store_column {
	const char *name;
	const char *member;
	enum store_type type;
	bool optional; /* '' or 0 is the absent member */
};

enum { STORE_COLUMNS_MAX = 16 };

struct store_noun {
	const struct store_column *columns; /* the first is the name */
	size_t count;
	const char *table;
	const char *order; /* the column in whose order all are read */
};

extern const struct store_noun store_nouns[SLUICE_STORE_KINDS];

/* The statements that each noun has; see store_noun_sql. */
enum store_noun_sql {
	NOUN_GET,
	NOUN_SINCE,
	NOUN_LIST,
	NOUN_UPSERT,
	NOUN_DELETE,
	NOUN_REVISION,
	NOUN_NAMES,
	NOUN_SUM,
	NOUN_ERROR_PUT,
	NOUN_ERROR_COUNT,
	NOUN_STATE,
	NOUN_SQL_COUNT
};

/* What NOUN_GET, _SINCE and _LIST give behind the noun's columns. */
enum { NOUN_ROW_REVISION, NOUN_ROW_ERROR_REVISION, NOUN_ROW_ERROR_PLACE, NOUN_ROW_ERROR_MESSAGE };

/* The text of a statement, to be freed with sqlite3_free; NULL when out of memory. */
char *store_noun_sql(enum sluice_store_kind kind, enum store_noun_sql sql);

/* --- rows on their way into the store --- */

struct store_value {
	struct sluice_str text; /* absent = NULL, or '' where the column may not be NULL */
	int64_t integer;        /* STORE_INTEGER, STORE_BOOL */
};

struct store_target {
	struct sluice_str id, definition;
};

/* A row, with a rule's targets. Nothing is owned. */
struct store_values {
	enum sluice_store_kind kind;
	struct store_value list[STORE_COLUMNS_MAX];
	const struct store_target *targets;
	size_t target_count;
};

/* The values of an object's members; they point into its document. */
void store_values_of_json(struct store_values *values, const struct sluice_json *object);
/* Those of the row that a statement stands on; valid until it moves. */
void store_values_of_row(struct store_values *values, sqlite3_stmt *stmt);
/* Whether the row that a statement stands on holds them; JSON may be laid out otherwise. */
bool store_values_same(const struct store_values *values, sqlite3_stmt *stmt);
/* Binds them to the parameters of NOUN_UPSERT. */
int store_values_bind(const struct store_values *values, sqlite3_stmt *stmt);

/* Whether two texts are the same JSON but for white space. */
bool store_same_json(struct sluice_str a, struct sluice_str b);

#endif
