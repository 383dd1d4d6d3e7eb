/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What topic templates and text templates share: text with variables in braces, cut once into
 * pieces, each a run of literal text or one variable:
 *
 *	consumers/{consumer}/{$.site}/in
 *	[literal ][CONSUMER ][/][PATH 0][literal]
 */
#ifndef ENGINE_TEMPLATE_H
#define ENGINE_TEMPLATE_H

#include "arena.h"
#include "json_path.h"
#include "sluice/transform.h"

enum template_piece_kind {
	TEMPLATE_LITERAL,
	TEMPLATE_RULE,
	TEMPLATE_BUS,
	TEMPLATE_CONSUMER,
	TEMPLATE_TARGET,
	TEMPLATE_TOPIC,
	TEMPLATE_LEVEL,
	TEMPLATE_CLIENT_ID,
	TEMPLATE_USERNAME,
	TEMPLATE_PATH,
	/* In text alone: */
	TEMPLATE_ID,
	TEMPLATE_TIME,
	TEMPLATE_PAYLOAD,
};

struct template_piece {
	enum template_piece_kind kind;
	uint32_t index;         /* LEVEL: which; PATH: index into paths */
	struct sluice_str text; /* a literal's characters; a variable as spelled, with its braces */
};

struct template
{
	struct sluice_arena *arena; /* owns it and all it points to */
	struct template_piece *pieces;
	size_t piece_count;
	struct sluice_json_path *paths;
	size_t path_count;
	unsigned metadata; /* SLUICE_META_* bits that it reads */
};

/* An arena that holds a template of `size` bytes and its pieces; NULL when out of memory. */
struct sluice_arena *sluice_template_arena(struct sluice_str text, size_t size);

/*
 * Cuts a text. `template` is in that arena, zeroed, and owned with it: on failure the caller destroys
 * the arena. `what` is "a topic", "a text", for messages; `is_text` admits {id}, {time}, {payload}.
 *
 * Errors: SLUICE_ERR_SYNTAX (braces, a path), _INVALID (no such variable), _LIMIT, _NOMEM.
 */
enum sluice_status sluice_template_cut(struct template *template, struct sluice_arena *arena,
                                       struct sluice_str text, const char *what, bool is_text,
                                       struct sluice_error *error);

/* Looks up all its paths, in found[SLUICE_TOPIC_MAX_VARIABLES]. False: a path leads into a payload
 * that is not well-formed JSON. */
bool sluice_template_find(const struct template *template, const struct sluice_event *event,
                          struct sluice_path_value *found);

/* What a variable stands for, but a PATH; absent when the event has none. `time` is room for TIME's. */
struct sluice_str sluice_template_value(const struct template_piece *piece,
                                        const struct sluice_vars *vars,
                                        char time[SLUICE_TIME_SIZE]);

/* Whether expanding it reads through the payload. */
bool sluice_template_reads_payload(const struct template *template);

#endif
