/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The JSON functions that the schema's checks call, by our own reader. SQLite's own (as of 3.40)
 * are not marked innocuous, and so can't be called from a schema that is not trusted; and a file
 * that anybody may write is not.
 */
#include "functions.h"

#include "sluice/json.h"

enum { JSON_MAX_DEPTH = 1000 };

static struct sluice_str argument(sqlite3_value *value)
{
	const unsigned char *text = sqlite3_value_text(value);
	return (struct sluice_str){ (const char *)text, (size_t)sqlite3_value_bytes(value) };
}

/* The document; NULL when there is none: NULL, malformed, or out of memory (the result is set). */
static struct sluice_json_doc *parse(sqlite3_context *context, sqlite3_value *value,
                                     bool *malformed)
{
	struct sluice_json_doc *doc = NULL;
	*malformed = false;
	if (sqlite3_value_type(value) == SQLITE_NULL)
		return NULL;
	struct sluice_str text = argument(value);
	enum sluice_status status = SLUICE_ERR_NOMEM;
	if (text.data)
		status = sluice_json_parse(text, 0, JSON_MAX_DEPTH, &doc, NULL);
	if (status == SLUICE_ERR_NOMEM)
		sqlite3_result_error_nomem(context);
	else
		*malformed = status != SLUICE_OK;
	return doc;
}

static void json_valid(sqlite3_context *context, int count, sqlite3_value **values)
{
	bool malformed;
	(void)count;
	struct sluice_json_doc *doc = parse(context, values[0], &malformed);
	if (doc || malformed)
		sqlite3_result_int(context, !malformed);
	sluice_json_destroy(doc);
}

static void json_type(sqlite3_context *context, int count, sqlite3_value **values)
{
	/* SQLite tells integer from real; no check of ours asks. */
	static const char *const names[] = { "null", "false", "true",  "real",
		                             "text", "array", "object" };
	bool malformed;
	(void)count;
	struct sluice_json_doc *doc = parse(context, values[0], &malformed);
	if (doc)
		sqlite3_result_text(context, names[sluice_json_root(doc)->type], -1, SQLITE_STATIC);
	else if (malformed)
		sqlite3_result_error(context, "malformed JSON", -1);
	sluice_json_destroy(doc);
}

/* A string member: json_extract(object, '$.name'); NULL for whatever else there may be. */
static void json_extract(sqlite3_context *context, int count, sqlite3_value **values)
{
	bool malformed;
	(void)count;
	struct sluice_json_doc *doc = parse(context, values[0], &malformed);
	const char *path = (const char *)sqlite3_value_text(values[1]);
	if (doc && path && path[0] == '$' && path[1] == '.') {
		const struct sluice_json *member = sluice_json_get(sluice_json_root(doc), path + 2);
		if (member && member->type == SLUICE_JSON_STRING)
			sqlite3_result_text64(context, member->string.data, member->string.len,
			                      SQLITE_TRANSIENT, SQLITE_UTF8);
	} else if (malformed) {
		sqlite3_result_error(context, "malformed JSON", -1);
	}
	sluice_json_destroy(doc);
}

int store_add_functions(sqlite3 *db)
{
	static const struct {
		const char *name;
		int arguments;
		void (*function)(sqlite3_context *, int, sqlite3_value **);
	} functions[] = {
		{ "json_valid", 1, json_valid },
		{ "json_type", 1, json_type },
		{ "json_extract", 2, json_extract },
	};
	int rc = SQLITE_OK;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]) && rc == SQLITE_OK; i++)
		rc = sqlite3_create_function_v2(db, functions[i].name, functions[i].arguments,
		                                SQLITE_UTF8 | SQLITE_DETERMINISTIC |
		                                        SQLITE_INNOCUOUS,
		                                NULL, functions[i].function, NULL, NULL, NULL);
	return rc;
}
