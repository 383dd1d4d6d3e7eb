/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What a target makes of an event: its topic (a topic template) and its payload (whole, a part, a
 * constant, or an input transformer in EventBridge's semantics). Compiled once with the rule,
 * applied to each delivery; appends to a buffer the caller reuses.
 */
#ifndef SLUICE_TRANSFORM_H
#define SLUICE_TRANSFORM_H

#include <stdbool.h>

#include "sluice/buffer.h"
#include "sluice/event.h"
#include "sluice/types.h"

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

/* Writes a time as RFC 3339 in UTC with milliseconds, "2026-01-02T03:04:05.678Z". Returns buf. */
char *sluice_time_format(int64_t time_ms, char buf[SLUICE_TIME_SIZE]);

/*
 * A topic template: "consumers/{consumer}/{topic}". Variables: {rule} {bus} {consumer} {target}
 * {topic} {topic[N]} (level N, from 0) {client_id} {username} {$.path} (a string, number or boolean
 * of the event),
 * {$mqtt.…} as in patterns. `{{` and `}}` are literal braces.
 */
struct sluice_topic_template;

enum sluice_status sluice_topic_template_compile(struct sluice_str text,
                                                 struct sluice_topic_template **tpl,
                                                 struct sluice_error *error);
void sluice_topic_template_destroy(struct sluice_topic_template *tpl);

/*
 * Its literal beginning: what clients are kept from when target topics are protected. Up to and
 * including the last '/' before the first variable ("consumers/" of "consumers/{rule}"), so that
 * each topic it makes begins so; a template without variables gives its whole topic, which then
 * does not end in the '/' of a prefix unless the topic itself does. Empty when no '/' stands before
 * the first variable.
 */
struct sluice_str sluice_topic_template_prefix(const struct sluice_topic_template *tpl);

/* Which members of `$mqtt` it reads: SLUICE_META_* bits of sluice/pattern.h. */
unsigned sluice_topic_template_metadata(const struct sluice_topic_template *tpl);

/*
 * Whether expanding it reads through the event's payload (some 0.3 to 1 GB/s): who delivers a large
 * event to many targets counts those bytes with the ones it sends.
 */
bool sluice_topic_template_reads_payload(const struct sluice_topic_template *tpl);

/*
 * Appends the topic to `out` (reset by the caller). Only {topic} may bring levels; every other
 * value that is empty or holds '/', '+', '#', NUL or a control character is refused, and so is a
 * result that is no valid topic, is longer than 65,535 bytes, or begins with '$'. Errors:
 * SLUICE_ERR_INVALID (message names the variable), _NOT_FOUND (the event has no such field),
 * _LIMIT, _NOMEM.
 */
enum sluice_status sluice_topic_template_expand(const struct sluice_topic_template *tpl,
                                                const struct sluice_vars *vars,
                                                struct sluice_buffer *out,
                                                struct sluice_error *error);

/* input_path, input or input_transformer of a target. */
struct sluice_transform;
struct sluice_json;

/* A JSONPath such as "$.detail.items[0].name": the part of the event that becomes the payload. */
enum sluice_status sluice_transform_from_path(struct sluice_str path,
                                              struct sluice_transform **transform,
                                              struct sluice_error *error);
/* A constant JSON value, kept verbatim. */
enum sluice_status sluice_transform_from_constant(struct sluice_str json,
                                                  struct sluice_transform **transform,
                                                  struct sluice_error *error);
/* {"paths":{"name":"$.path",…},"template":"…"} */
enum sluice_status sluice_transform_from_json(const struct sluice_json *input_transformer,
                                              struct sluice_transform **transform,
                                              struct sluice_error *error);
void sluice_transform_destroy(struct sluice_transform *transform);

unsigned sluice_transform_metadata(const struct sluice_transform *transform);

/* As sluice_topic_template_reads_payload. */
bool sluice_transform_reads_payload(const struct sluice_transform *transform);

/*
 * Appends the payload to `out` (reset by the caller, whose limit bounds it; after an error what it
 * holds means nothing). Errors: SLUICE_ERR_LIMIT, _NOMEM; _NOT_FOUND: the payload is not
 * well-formed JSON and a path leads into it, or input_path finds nothing (in a template, a path
 * that finds nothing is empty text, or null); _INVALID: the whole event is asked for as JSON and is
 * neither JSON nor UTF-8.
 */
enum sluice_status sluice_transform_apply(const struct sluice_transform *transform,
                                          const struct sluice_vars *vars, struct sluice_buffer *out,
                                          struct sluice_error *error);

#endif
