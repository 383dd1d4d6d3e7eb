/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The oracle: a plain evaluator of event patterns, written from docs/patterns.md alone, against
 * which the engine is held. It parses the whole event into a tree, flattens that into leaves and
 * tries every assignment of leaves to fields. It shares no code with the engine (only the types
 * of its public headers) and is slow on purpose: nothing in it is clever.
 *
 * Out of memory ends the program; this is for tests.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include "sluice/event.h"
#include "sluice/types.h"

/* A pattern that was read. */
struct oracle_pattern;

/* An event cut into leaves. */
struct oracle_event;

enum oracle_verdict {
	ORACLE_NOMATCH,
	ORACLE_MATCH,
	ORACLE_UNKNOWN, /* too many assignments to try them all */
};

/*
 * Reads a pattern. NULL when it is invalid; then reason says why (NUL-terminated, cut to size).
 * Free with oracle_pattern_destroy.
 */
struct oracle_pattern *oracle_pattern_read(struct sluice_str text, char *reason, size_t size);
void oracle_pattern_destroy(struct oracle_pattern *pattern);

/* Flattens an event; copies what it needs. Free with oracle_event_destroy. */
struct oracle_event *oracle_event_read(const struct sluice_event *event);
void oracle_event_destroy(struct oracle_event *event);

/* What the payload is. */
enum oracle_payload {
	ORACLE_PAYLOAD_OBJECT,
	ORACLE_PAYLOAD_OTHER,    /* well-formed JSON of another kind */
	ORACLE_PAYLOAD_BAD,      /* not well-formed */
	ORACLE_PAYLOAD_TOO_DEEP, /* nested past 512, or not well-formed behind such a place */
	ORACLE_PAYLOAD_ABSENT,
};
enum oracle_payload oracle_event_payload(const struct oracle_event *event);

enum oracle_verdict oracle_match(const struct oracle_pattern *pattern,
                                 const struct oracle_event *event);

#endif
