/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A path in a definition, by which each event gives one value: a group key, what tells duplicates, a
 * delay. The words are those of an input transformer's paths.
 */
#ifndef SLUICE_EVENT_PATH_H
#define SLUICE_EVENT_PATH_H

#include "json_path.h"
#include "sluice/buffer.h"
#include "sluice/json.h"

/* Lives in the arena that it was read into. */
struct sluice_event_path {
	struct sluice_json_path path;
	struct sluice_str text; /* as it was written */
};

/* The node must be a string that holds a path; NULL leaves *path as it is. */
enum sluice_status sluice_event_path_read(const struct sluice_json *node,
                                          struct sluice_arena *arena,
                                          struct sluice_event_path **path,
                                          struct sluice_error *error);

/* False when the event has nothing there, or null. */
bool sluice_event_path_find(const struct sluice_event_path *path, const struct sluice_event *event,
                            struct sluice_path_value *value);

#endif
