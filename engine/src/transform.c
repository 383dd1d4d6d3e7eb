/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sluice/transform.h"

#include "arena.h"
#include "input_template.h"
#include "json_path.h"
#include "path_value.h"
#include "sluice/json.h"
#include "sluice/members.h"
#include "sluice/pattern.h"

enum kind { PART, CONSTANT, TEMPLATE };

struct sluice_transform {
	enum kind kind;
	struct sluice_arena *arena;        /* owns this and all it points to */
	struct sluice_json_path path;      /* PART */
	struct sluice_str constant;        /* CONSTANT */
	struct sluice_input_template *tpl; /* TEMPLATE */
};

enum { NAME_MAX_BYTES = 256 };

static struct sluice_transform *create(enum kind kind)
{
	struct sluice_arena *arena = sluice_arena_create();
	struct sluice_transform *transform = NULL;

	if (arena)
		transform = sluice_arena_alloc(arena, 1, sizeof(*transform));
	if (!transform) {
		sluice_arena_destroy(arena);
		return NULL;
	}
	transform->kind = kind;
	transform->arena = arena;
	return transform;
}

void sluice_transform_destroy(struct sluice_transform *transform)
{
	if (transform)
		sluice_arena_destroy(transform->arena);
}

/* Hands the transform over, or frees it when it came to nothing. */
static enum sluice_status finish(struct sluice_transform *transform, enum sluice_status status,
                                 struct sluice_transform **result)
{
	*result = status ? NULL : transform;
	if (status)
		sluice_transform_destroy(transform);
	return status;
}

enum sluice_status sluice_transform_from_path(struct sluice_str path,
                                              struct sluice_transform **transform,
                                              struct sluice_error *error)
{
	struct sluice_transform *made = create(PART);

	*transform = NULL;
	if (!made)
		return sluice_out_of_memory(error);
	return finish(made, sluice_json_path_compile(path, made->arena, &made->path, error),
	              transform);
}

enum sluice_status sluice_transform_from_constant(struct sluice_str json,
                                                  struct sluice_transform **transform,
                                                  struct sluice_error *error)
{
	struct sluice_transform *made;
	struct sluice_json_doc *doc;
	enum sluice_status status =
	        sluice_json_parse(json, 0, SLUICE_PATTERN_MAX_DEPTH, &doc, error);

	*transform = NULL;
	sluice_json_destroy(doc);
	if (status)
		return status;
	made = create(CONSTANT);
	if (!made)
		return sluice_out_of_memory(error);
	made->constant = sluice_arena_str(made->arena, json);
	return finish(made, made->constant.data ? SLUICE_OK : sluice_out_of_memory(error),
	              transform);
}

/* Gives an error that has only an offset the place of the node it was found in. */
static enum sluice_status placed(const struct sluice_json *node, struct sluice_error *error,
                                 enum sluice_status status)
{
	if (status && error && status != SLUICE_ERR_NOMEM)
		sluice_json_place(node, error->place, sizeof(error->place));
	return status;
}

/* 1 to 256 of A-Z a-z 0-9 _ -, as in EventBridge. */
static bool variable_name_valid(struct sluice_str name)
{
	if (name.len == 0 || name.len > NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    c != '_' && c != '-')
			return false;
	}
	return true;
}

static enum sluice_status read_path(const struct sluice_json *member, struct sluice_arena *arena,
                                    struct sluice_template_variable *variable,
                                    struct sluice_error *error)
{
	if (!variable_name_valid(member->key))
		return sluice_json_error(member, error, SLUICE_ERR_INVALID,
		                         "a variable's name is 1 to %d of A-Z a-z 0-9 _ -",
		                         NAME_MAX_BYTES);
	for (const struct sluice_json *other = member->parent->first; other != member;
	     other = other->next)
		if (sluice_str_equal(other->key, member->key))
			return sluice_json_error(member, error, SLUICE_ERR_INVALID,
			                         "the variable stands twice");
	if (member->type != SLUICE_JSON_STRING)
		return sluice_json_error(member, error, SLUICE_ERR_INVALID,
		                         "must be a string that holds a path");
	variable->name = sluice_arena_str(arena, member->key);
	if (!variable->name.data)
		return sluice_out_of_memory(error);
	return placed(member, error,
	              sluice_json_path_compile(member->string, arena, &variable->path, error));
}

static enum sluice_status read_paths(const struct sluice_json *paths, struct sluice_arena *arena,
                                     struct sluice_template_variable **variables,
                                     struct sluice_error *error)
{
	size_t i = 0;

	*variables = NULL;
	if (!paths)
		return SLUICE_OK;
	if (paths->type != SLUICE_JSON_OBJECT)
		return sluice_json_error(paths, error, SLUICE_ERR_INVALID,
		                         "must be an object of names and paths");
	if (paths->count > SLUICE_TRANSFORM_MAX_PATHS)
		return sluice_json_error(paths, error, SLUICE_ERR_LIMIT,
		                         "an input transformer has at most %d paths",
		                         SLUICE_TRANSFORM_MAX_PATHS);
	*variables = sluice_arena_alloc(arena, paths->count + 1, sizeof(**variables));
	if (!*variables)
		return sluice_out_of_memory(error);
	for (const struct sluice_json *member = paths->first; member; member = member->next) {
		enum sluice_status status = read_path(member, arena, &(*variables)[i++], error);

		if (status)
			return status;
	}
	return SLUICE_OK;
}

enum sluice_status sluice_transform_from_json(const struct sluice_json *input_transformer,
                                              struct sluice_transform **transform,
                                              struct sluice_error *error)
{
	enum { PATHS, TEMPLATE_TEXT, MEMBERS };
	static const char *const names[] = { "paths", "template", NULL };
	const struct sluice_json *found[MEMBERS];
	struct sluice_template_variable *variables;
	struct sluice_transform *made;
	enum sluice_status status;

	*transform = NULL;
	status =
	        sluice_members_read(input_transformer, "an input transformer", names, found, error);
	if (status)
		return status;
	if (!found[TEMPLATE_TEXT])
		return sluice_json_error(input_transformer, error, SLUICE_ERR_INVALID,
		                         "an input transformer must have a \"template\"");
	if (found[TEMPLATE_TEXT]->type != SLUICE_JSON_STRING)
		return sluice_json_error(found[TEMPLATE_TEXT], error, SLUICE_ERR_INVALID,
		                         "must be a string, even where it holds JSON");
	made = create(TEMPLATE);
	if (!made)
		return sluice_out_of_memory(error);
	status = read_paths(found[PATHS], made->arena, &variables, error);
	if (!status)
		status = placed(
		        found[TEMPLATE_TEXT], error,
		        sluice_input_template_compile(found[TEMPLATE_TEXT]->string, variables,
		                                      found[PATHS] ? found[PATHS]->count : 0,
		                                      made->arena, &made->tpl, error));
	return finish(made, status, transform);
}

unsigned sluice_transform_metadata(const struct sluice_transform *transform)
{
	switch (transform->kind) {
	case PART:
		return transform->path.metadata;
	case TEMPLATE:
		return sluice_input_template_metadata(transform->tpl);
	case CONSTANT:
		break;
	}
	return 0;
}

bool sluice_transform_reads_payload(const struct sluice_transform *transform)
{
	switch (transform->kind) {
	case PART:
		return sluice_json_path_reads_payload(&transform->path);
	case TEMPLATE:
		return sluice_input_template_reads_payload(transform->tpl);
	case CONSTANT:
		break;
	}
	return false;
}

static enum sluice_status apply_part(const struct sluice_json_path *path,
                                     const struct sluice_vars *vars, struct sluice_buffer *out,
                                     struct sluice_error *error)
{
	struct sluice_path_value value;

	if (sluice_json_path_find(path, 1, vars->event, &value, NULL))
		return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, NULL,
		                        "the payload is not well-formed JSON");
	if (value.kind == SLUICE_PATH_ABSENT)
		return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, NULL,
		                        "the event has nothing at the input path");
	sluice_path_value_write_json(value, out);
	return SLUICE_OK;
}

enum sluice_status sluice_transform_apply(const struct sluice_transform *transform,
                                          const struct sluice_vars *vars, struct sluice_buffer *out,
                                          struct sluice_error *error)
{
	enum sluice_status status = SLUICE_OK;

	switch (transform->kind) {
	case PART:
		status = apply_part(&transform->path, vars, out, error);
		break;
	case CONSTANT:
		sluice_buffer_append_str(out, transform->constant);
		break;
	case TEMPLATE:
		status = sluice_input_template_apply(transform->tpl, vars, out, error);
		break;
	}
	if (status || !out->failed)
		return status;
	if (out->over_limit)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, NULL,
		                        "the payload would be longer than %zu bytes", out->limit);
	return sluice_out_of_memory(error);
}
