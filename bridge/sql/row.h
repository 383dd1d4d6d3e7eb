/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* A statement's parameters: compiled once, and the values that an event gives. */
#ifndef BRIDGE_SQL_ROW_H
#define BRIDGE_SQL_ROW_H

#include <stdbool.h>

#include "sluice/buffer.h"
#include "sluice/json.h"
#include "sluice/transform.h"

struct sql_parameters;

enum sql_type {
	SQL_NULL,
	SQL_NUMBER, /* in JSON's digits */
	SQL_BOOL,   /* "true" or "false" */
	SQL_TEXT,
	SQL_BYTES, /* text that holds a NUL, or is no UTF-8 */
};

/* Its text has a NUL behind it. */
struct sql_value {
	enum sql_type type;
	struct sluice_str text;
};

struct sql_row {
	size_t count;
	char *text; /* all that the values point to; owned */
	struct sql_value values[];
};

/*
 * Compiles an array of text templates and {"path": "$.x"}; NULL is an empty one.
 *
 * Errors: of sluice_text_template_compile and of paths.
 */
enum sluice_status sql_parameters_create(const struct sluice_json *list,
                                         struct sql_parameters **parameters,
                                         struct sluice_error *error);
void sql_parameters_destroy(struct sql_parameters *parameters);
size_t sql_parameters_count(const struct sql_parameters *parameters);

/*
 * The values for an event. A template gives text. A path gives what it finds: a number, text, true or
 * false, an object or array as its JSON, and null, as does nothing.
 *
 * json		which parameters are to be JSON, in which a text has its quotes; may be NULL: none.
 *		A template's text is taken for JSON as it is
 * row		is the caller's, to free with sql_row_destroy
 *
 * Errors: SLUICE_ERR_NOT_FOUND (a path leads into a payload that is not well-formed JSON), _NOMEM.
 */
enum sluice_status sql_row_create(const struct sql_parameters *parameters,
                                  const struct sluice_vars *vars, const bool *json,
                                  struct sql_row **row, struct sluice_error *error);
void sql_row_destroy(struct sql_row *row);

#endif
