/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "row.h"

#include <stdlib.h>

#include "arena.h"
#include "json_path.h"
#include "path_value.h"
#include "sluice/text_template.h"
#include "text.h"

struct sql_parameters {
	size_t count;
	/* One for each; NULL where it is a path. */
	struct sluice_text_template **templates;
	/* The paths alone, in the order of their parameters. */
	struct sluice_json_path *paths;
	size_t path_count;
	struct sluice_arena *arena;
};

static enum sluice_status read_path(struct sql_parameters *parameters,
                                    const struct sluice_json *node, struct sluice_error *error)
{
	const struct sluice_json *path = sluice_json_get(node, "path");
	enum sluice_status status;

	if (!path || path->type != SLUICE_JSON_STRING)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "a parameter is a template, or has a \"path\"");
	status = sluice_json_path_compile(path->string, parameters->arena,
	                                  &parameters->paths[parameters->path_count++], error);
	if (status && error && status != SLUICE_ERR_NOMEM)
		sluice_json_place(path, error->place, sizeof(error->place));
	return status;
}

enum sluice_status sql_parameters_create(const struct sluice_json *list,
                                         struct sql_parameters **parameters,
                                         struct sluice_error *error)
{
	struct sluice_arena *arena = sluice_arena_create();
	struct sql_parameters *made = arena ? sluice_arena_alloc(arena, 1, sizeof(*made)) : NULL;
	size_t count = list ? list->count : 0;
	enum sluice_status status = SLUICE_OK;

	*parameters = NULL;
	if (made) {
		made->arena = arena;
		made->templates = sluice_arena_alloc(arena, count + 1, sizeof(*made->templates));
		made->paths = sluice_arena_alloc(arena, count + 1, sizeof(*made->paths));
	}
	if (!made || !made->templates || !made->paths) {
		sluice_arena_destroy(arena);
		return sluice_out_of_memory(error);
	}
	for (const struct sluice_json *node = list ? list->first : NULL; node && !status;
	     node = node->next) {
		if (node->type == SLUICE_JSON_STRING)
			status = sluice_text_template_compile(node->string,
			                                      &made->templates[made->count], error);
		else
			status = read_path(made, node, error);
		made->count++;
	}
	if (status) {
		sql_parameters_destroy(made);
		return status;
	}
	*parameters = made;
	return SLUICE_OK;
}

void sql_parameters_destroy(struct sql_parameters *parameters)
{
	if (!parameters)
		return;
	for (size_t i = 0; i < parameters->count; i++)
		sluice_text_template_destroy(parameters->templates[i]);
	sluice_arena_destroy(parameters->arena);
}

size_t sql_parameters_count(const struct sql_parameters *parameters)
{
	return parameters->count;
}

/* --- a row --- */

static enum sql_type type_of(struct sluice_path_value value)
{
	if (value.kind == SLUICE_PATH_ABSENT)
		return SQL_NULL;
	if (value.kind != SLUICE_PATH_JSON)
		return SQL_TEXT;
	switch (value.text.data[0]) {
	case 'n':
		return SQL_NULL;
	case 't':
	case 'f':
		return SQL_BOOL;
	case '"':
	case '{':
	case '[':
		return SQL_TEXT;
	default:
		return SQL_NUMBER;
	}
}

static void write_path_value(struct sluice_path_value found, bool json, struct sluice_buffer *text,
                             struct sql_value *value)
{
	value->type = type_of(found);
	if (value->type == SQL_NULL)
		return;
	if (json) {
		value->type = SQL_TEXT;
		sluice_path_value_write_json(found, text);
	} else {
		sluice_path_value_write_plain(found, text);
	}
}

/* Values get their lengths alone: the text may still move. */
static enum sluice_status write_values(const struct sql_parameters *parameters,
                                       const struct sluice_vars *vars,
                                       const struct sluice_path_value *found, const bool *json,
                                       struct sluice_buffer *text, struct sql_row *row,
                                       struct sluice_error *error)
{
	size_t path = 0;

	for (size_t i = 0; i < parameters->count; i++) {
		struct sql_value *value = &row->values[i];
		size_t start = text->len;
		enum sluice_status status = SLUICE_OK;

		if (parameters->templates[i]) {
			value->type = SQL_TEXT;
			status = sluice_text_template_expand(parameters->templates[i], vars,
			                                     SLUICE_ENCODE_NONE, text, error);
		} else {
			write_path_value(found[path++], json && json[i], text, value);
		}
		if (status)
			return status;
		value->text.len = text->len - start;
		sluice_buffer_append(text, "", 1);
	}
	return text->failed ? sluice_out_of_memory(error) : SLUICE_OK;
}

static void point_values(struct sql_row *row)
{
	const char *at = row->text;

	for (size_t i = 0; i < row->count; i++) {
		struct sql_value *value = &row->values[i];

		value->text.data = at;
		at += value->text.len + 1;
		if (value->type == SQL_TEXT && value->text.len > 0 &&
		    (memchr(value->text.data, '\0', value->text.len) ||
		     sluice_text_utf8_length(value->text) != value->text.len))
			value->type = SQL_BYTES;
	}
}

static enum sluice_status find_paths(const struct sql_parameters *parameters,
                                     const struct sluice_vars *vars,
                                     struct sluice_path_value *found, struct sluice_error *error)
{
	for (size_t i = 0; i < parameters->path_count; i += SLUICE_PATH_MAX_SET) {
		size_t left = parameters->path_count - i;

		if (sluice_json_path_find(parameters->paths + i,
		                          left < SLUICE_PATH_MAX_SET ? left : SLUICE_PATH_MAX_SET,
		                          vars->event, found + i, NULL))
			return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, NULL,
			                        "the event is no JSON that a path could lead into");
	}
	return SLUICE_OK;
}

enum sluice_status sql_row_create(const struct sql_parameters *parameters,
                                  const struct sluice_vars *vars, const bool *json,
                                  struct sql_row **row, struct sluice_error *error)
{
	struct sql_row *made = calloc(1, sizeof(*made) + parameters->count * sizeof(*made->values));
	struct sluice_path_value *found = calloc(parameters->path_count + 1, sizeof(*found));
	struct sluice_buffer text = { 0 };
	enum sluice_status status;

	*row = NULL;
	if (!made || !found) {
		status = sluice_out_of_memory(error);
	} else {
		made->count = parameters->count;
		status = find_paths(parameters, vars, found, error);
		if (status == SLUICE_OK)
			status = write_values(parameters, vars, found, json, &text, made, error);
	}
	free(found);
	if (status == SLUICE_OK) {
		made->text = sluice_buffer_take(&text);
		if (!made->text)
			status = sluice_out_of_memory(error);
	}
	sluice_buffer_finish(&text);
	if (status) {
		free(made);
		return status;
	}
	point_values(made);
	*row = made;
	return SLUICE_OK;
}

void sql_row_destroy(struct sql_row *row)
{
	if (!row)
		return;
	free(row->text);
	free(row);
}
