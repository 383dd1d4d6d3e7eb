/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "event_path.h"

enum sluice_status sluice_event_path_read(const struct sluice_json *node,
                                          struct sluice_arena *arena,
                                          struct sluice_event_path **path,
                                          struct sluice_error *error)
{
	enum sluice_status status;

	if (!node)
		return SLUICE_OK;
	if (node->type != SLUICE_JSON_STRING)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "must be a string that holds a path");
	*path = sluice_arena_alloc(arena, 1, sizeof(**path));
	if (!*path)
		return sluice_out_of_memory(error);
	(*path)->text = sluice_arena_str(arena, node->string);
	if (!(*path)->text.data)
		return sluice_out_of_memory(error);
	status = sluice_json_path_compile(node->string, arena, &(*path)->path, error);
	if (status && error && status != SLUICE_ERR_NOMEM)
		sluice_json_place(node, error->place, sizeof(error->place));
	return status;
}

bool sluice_event_path_find(const struct sluice_event_path *path, const struct sluice_event *event,
                            struct sluice_path_value *value)
{
	/* A payload that is not well-formed has nothing. */
	if (sluice_json_path_find(&path->path, 1, event, value, NULL))
		return false;
	return value->kind != SLUICE_PATH_ABSENT &&
	       !(value->kind == SLUICE_PATH_JSON &&
	         sluice_str_equal(value->text, SLUICE_STR("null")));
}
