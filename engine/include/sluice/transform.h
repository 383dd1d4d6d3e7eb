/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What a target makes of an event: its topic (a topic template) and its payload (whole, a part, a
 * constant, or an input transformer in EventBridge's semantics). Compiled once with the rule,
 * applied to each delivery; appends to a buffer the caller reuses.
 *
 *	struct sluice_vars vars = { .event = &event, .rule = SLUICE_STR("hot") };
 *	sluice_buffer_reset(&topic);
 *	if (sluice_topic_template_expand(tpl, &vars, &topic, &error) == SLUICE_OK)
 *		deliver(sluice_buffer_str(&topic), event.payload);
 *
 * Threads: what was compiled is immutable and may be shared; each thread has buffers of its own.
 */
#ifndef SLUICE_TRANSFORM_H
#define SLUICE_TRANSFORM_H

#include <stdbool.h>

#include "sluice/buffer.h"
#include "sluice/event.h"
#include "sluice/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a template may name beside the event. Nothing is owned. */
struct sluice_vars {
	const struct sluice_event *event;
	struct sluice_str rule;
	struct sluice_str bus;
	struct sluice_str consumer; /* absent when the target names none */
	struct sluice_str target;   /* the target's id */
	struct sluice_str id;       /* the event's id */
	int64_t time_ms;            /* when it was taken in, ms since the epoch */
};

enum {
	SLUICE_TRANSFORM_MAX_PATHS = 100,      /* paths of one input transformer */
	SLUICE_TRANSFORM_MAX_TEMPLATE = 65536, /* bytes of its template */
	SLUICE_TOPIC_MAX_VARIABLES = 64,       /* variables of one topic template */
	SLUICE_TIME_SIZE = 32,
};

/*
 * Writes a time as RFC 3339 in UTC with milliseconds, "2026-01-02T03:04:05.678Z".
 *
 * time_ms	milliseconds since 1970, may be negative; what is not in the years 1000 to 9999 is
 *		written as 1970-01-01T00:00:00.000Z
 * buf		gets 24 characters and a NUL
 *
 * Returns buf.
 */
SLUICE_API char *sluice_time_format(int64_t time_ms, char buf[SLUICE_TIME_SIZE]);

/*
 * A topic template: "consumers/{consumer}/{topic}". Variables: {rule} {bus} {consumer} {target}
 * {topic} {topic[N]} (level N, from 0) {client_id} {username} {$.path} (a string, number or boolean
 * of the event),
 * {$mqtt.…} as in patterns. `{{` and `}}` are literal braces.
 */
struct sluice_topic_template;

/*
 * Compiles a topic template.
 *
 * text		1 to 65,535 bytes, not beginning with '$', without '+', '#' and control characters,
 *		at most SLUICE_TOPIC_MAX_VARIABLES variables; it is copied
 * tpl		gets the template, the caller's to free with sluice_topic_template_destroy
 * error	its offset is the fault's in text
 *
 * Errors: SLUICE_ERR_SYNTAX (braces, a path), _INVALID, _LIMIT, _NOMEM.
 */
SLUICE_API enum sluice_status sluice_topic_template_compile(struct sluice_str text,
                                                            struct sluice_topic_template **tpl,
                                                            struct sluice_error *error);

/* Frees a template. NULL is allowed. */
SLUICE_API void sluice_topic_template_destroy(struct sluice_topic_template *tpl);

/*
 * Its literal beginning: what clients are kept from when target topics are protected. Up to and
 * including the last '/' before the first variable ("consumers/" of "consumers/{rule}"), so that
 * each topic it makes begins so; a template without variables gives its whole topic, which then
 * does not end in the '/' of a prefix unless the topic itself does. Empty when no '/' stands before
 * the first variable. Lives as long as the template.
 */
SLUICE_API struct sluice_str sluice_topic_template_prefix(const struct sluice_topic_template *tpl);

/* Which members of `$mqtt` it reads: SLUICE_META_* bits of sluice/pattern.h. */
SLUICE_API unsigned sluice_topic_template_metadata(const struct sluice_topic_template *tpl);

/*
 * Whether expanding it reads through the event's payload (some 0.3 to 1 GB/s): who delivers a large
 * event to many targets counts those bytes with the ones it sends.
 */
SLUICE_API bool sluice_topic_template_reads_payload(const struct sluice_topic_template *tpl);

/*
 * Makes the topic of an event. Only {topic} may bring levels; every other value that is empty or
 * holds '/', '+', '#', NUL or a control character is refused, and so is a result that is no valid
 * topic, is longer than 65,535 bytes, or begins with '$'.
 *
 * vars		its event must be set; of the others, those that the template names
 * out		the topic is appended (the caller resets it before); after an error what it holds
 *		means nothing
 * error	the message names the variable
 *
 * Errors: SLUICE_ERR_INVALID, _NOT_FOUND (the event has no such field), _LIMIT, _NOMEM.
 */
SLUICE_API enum sluice_status sluice_topic_template_expand(const struct sluice_topic_template *tpl,
                                                           const struct sluice_vars *vars,
                                                           struct sluice_buffer *out,
                                                           struct sluice_error *error);

/* input_path, input or input_transformer of a target. */
struct sluice_transform;
struct sluice_json;

/*
 * input_path: the part of the event that becomes the payload.
 *
 * path		a JSONPath such as "$.detail.items[0].name"; it is copied
 * transform	gets the transform, the caller's to free with sluice_transform_destroy
 * error	its offset is the fault's in path
 *
 * Errors: SLUICE_ERR_SYNTAX, _INVALID, _LIMIT, _NOMEM.
 */
SLUICE_API enum sluice_status sluice_transform_from_path(struct sluice_str path,
                                                         struct sluice_transform **transform,
                                                         struct sluice_error *error);

/*
 * input: a constant payload.
 *
 * json		a JSON value, nested at most SLUICE_PATTERN_MAX_DEPTH deep; it is copied verbatim
 * transform, error	as in sluice_transform_from_path
 *
 * Errors: SLUICE_ERR_SYNTAX, _LIMIT, _NOMEM.
 */
SLUICE_API enum sluice_status sluice_transform_from_constant(struct sluice_str json,
                                                             struct sluice_transform **transform,
                                                             struct sluice_error *error);

/*
 * input_transformer: a template with variables.
 *
 * input_transformer	{"paths":{"name":"$.path",…},"template":"…"}, at most
 *			SLUICE_TRANSFORM_MAX_PATHS paths; NULL is SLUICE_ERR_INVALID. Its document
 *			may go afterwards
 * transform		gets the transform, the caller's to free with sluice_transform_destroy
 * error		the place is in that document
 *
 * Errors: SLUICE_ERR_SYNTAX, _INVALID, _LIMIT, _NOMEM.
 */
SLUICE_API enum sluice_status sluice_transform_from_json(
        const struct sluice_json *input_transformer, struct sluice_transform **transform,
        struct sluice_error *error);

/* Frees a transform. NULL is allowed. */
SLUICE_API void sluice_transform_destroy(struct sluice_transform *transform);

/* As sluice_topic_template_metadata. */
SLUICE_API unsigned sluice_transform_metadata(const struct sluice_transform *transform);

/* As sluice_topic_template_reads_payload. */
SLUICE_API bool sluice_transform_reads_payload(const struct sluice_transform *transform);

/*
 * Makes the payload of a delivery.
 *
 * vars		as in sluice_topic_template_expand
 * out		the payload is appended (the caller resets it before); its limit bounds it; after an
 *		error what it holds means nothing
 *
 * Errors: SLUICE_ERR_LIMIT, _NOMEM; _NOT_FOUND: the payload is not well-formed JSON and a path
 * leads into it, or input_path finds nothing (in a template, a path that finds nothing is empty
 * text, or null); _INVALID: the whole event is asked for as JSON and is neither JSON nor UTF-8.
 */
SLUICE_API enum sluice_status sluice_transform_apply(const struct sluice_transform *transform,
                                                     const struct sluice_vars *vars,
                                                     struct sluice_buffer *out,
                                                     struct sluice_error *error);

#ifdef __cplusplus
}
#endif

#endif
