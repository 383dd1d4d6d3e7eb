/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Paths into an event, for topic templates and transformers: the JSONPaths that name one value.
 *
 *	$                        the payload
 *	$.a.b[0]['x.y']          members and elements of it
 *	$.$mqtt.topic            what is known of the publish (also $['$mqtt'].topic, $mqtt.topic)
 *	$mqtt.user_properties.n  the first value of the user property n; …n[1] the second
 *	$mqtt.value[0]           into a payload that is JSON but no object
 *
 * All paths of a template are looked up together, in one walk over the payload's text that checks
 * it as strictly as sluice/json.h and builds nothing: what is found are slices of the payload.
 */
#ifndef SLUICE_JSON_PATH_H
#define SLUICE_JSON_PATH_H

#include <stdbool.h>

#include "arena.h"
#include "sluice/event.h"
#include "sluice/types.h"

enum {
	SLUICE_PATH_MAX_BYTES = 1024,
	SLUICE_PATH_MAX_STEPS = 64,
	SLUICE_PATH_MAX_SET = 128, /* paths looked up together */
};

struct sluice_path_step {
	struct sluice_str key; /* a member's decoded name; absent for an element */
	size_t index;          /* an element's, from 0 */
};

/* Its pointers live in the arena that it was compiled into. */
struct sluice_json_path {
	unsigned metadata; /* 0: into the payload; else the one SLUICE_META_* bit it reads */
	struct sluice_str property;           /* SLUICE_META_USER_PROPERTIES: whose values */
	size_t property_index;                /* and which of them */
	const struct sluice_path_step *steps; /* into the payload, or below $mqtt.value */
	size_t step_count;
};

/* Errors: SLUICE_ERR_SYNTAX, _INVALID, _LIMIT, _NOMEM; with the offset in `text`, without a place.
 */
enum sluice_status sluice_json_path_compile(struct sluice_str text, struct sluice_arena *arena,
                                            struct sluice_json_path *path,
                                            struct sluice_error *error);

/* Whether looking it up walks through the payload. */
bool sluice_json_path_reads_payload(const struct sluice_json_path *path);

enum sluice_path_kind {
	SLUICE_PATH_ABSENT,
	SLUICE_PATH_JSON,   /* text is well-formed JSON, verbatim */
	SLUICE_PATH_TEXT,   /* text is a string's characters, as they are */
	SLUICE_PATH_BASE64, /* text is bytes that stand for a string in base64 */
};

struct sluice_path_value {
	enum sluice_path_kind kind;
	struct sluice_str text; /* points into the event */
};

/* What the payload is. */
enum sluice_payload_kind {
	SLUICE_PAYLOAD_MALFORMED, /* not well-formed JSON, or nested past SLUICE_EVENT_MAX_NESTING
	                           */
	SLUICE_PAYLOAD_OBJECT,
	SLUICE_PAYLOAD_OTHER, /* well-formed JSON, but no object */
};

/*
 * values[i] gets what paths[i] finds: the first one, when repeated members make it several. At
 * most SLUICE_PATH_MAX_SET paths. `payload` (may be NULL) gets what the payload is; when it is NULL
 * and no path needs it the payload is not looked at. Allocates nothing. Takes time linear in the
 * payload, times the number of paths in the worst case.
 * SLUICE_ERR_NOT_FOUND when a path leads into a payload that is malformed; the values are filled
 * all the same.
 */
enum sluice_status sluice_json_path_find(const struct sluice_json_path *paths, size_t count,
                                         const struct sluice_event *event,
                                         struct sluice_path_value *values,
                                         enum sluice_payload_kind *payload);

/*
 * The walk below it: checks that `text` is one JSON value and fills values[i] (SLUICE_PATH_JSON or
 * _ABSENT) for each path by its steps alone.
 */
enum sluice_payload_kind sluice_json_walk(struct sluice_str text,
                                          const struct sluice_json_path *paths, size_t count,
                                          struct sluice_path_value *values);

#endif
