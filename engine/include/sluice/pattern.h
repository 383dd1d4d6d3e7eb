/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Event patterns, compiled. The language is EventBridge's, as docs/patterns.md
 * defines it. Compiling is pure and may run on any thread; a compiled pattern is
 * immutable and may be shared between threads.
 *
 *	struct sluice_pattern *pattern;
 *	struct sluice_error error;
 *	char text[640];
 *	if (sluice_pattern_compile(SLUICE_STR("{\"state\":[\"on\"]}"), &pattern, &error))
 *		puts(sluice_error_format(&error, "pattern", text, sizeof(text)));
 */
#ifndef SLUICE_PATTERN_H
#define SLUICE_PATTERN_H

#include "sluice/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Limits of one pattern; past each is SLUICE_ERR_LIMIT with a message of its own. */
enum {
	SLUICE_PATTERN_MAX_BYTES = 65536,
	SLUICE_PATTERN_MAX_PATHS = 256,
	SLUICE_PATTERN_MAX_CONJUNCTIONS = 1024, /* after $or is multiplied out */
	SLUICE_PATTERN_MAX_WILDCARDS = 32,      /* '*' in one string */
	SLUICE_PATTERN_MAX_NESTING = 64,        /* `$or` within `$or` */
	SLUICE_PATTERN_MAX_DEPTH = 512,         /* arrays and objects: as deep as an event may be */
};

/* Members of `$mqtt`, as bits of sluice_pattern_metadata. */
enum {
	SLUICE_META_TOPIC = 1 << 0,
	SLUICE_META_CLIENT_ID = 1 << 1,
	SLUICE_META_USERNAME = 1 << 2,
	SLUICE_META_QOS = 1 << 3,
	SLUICE_META_RETAIN = 1 << 4,
	SLUICE_META_CONTENT_TYPE = 1 << 5,
	SLUICE_META_RESPONSE_TOPIC = 1 << 6,
	SLUICE_META_CORRELATION_DATA = 1 << 7,
	SLUICE_META_PAYLOAD_FORMAT = 1 << 8,
	SLUICE_META_USER_PROPERTIES = 1 << 9,
	SLUICE_META_PAYLOAD = 1 << 10,
	SLUICE_META_VALUE = 1 << 11,
};

struct sluice_pattern;

/*
 * Compiles the JSON text of a pattern.
 *
 * text		at most SLUICE_PATTERN_MAX_BYTES; it is copied, the caller keeps its own
 * pattern	gets the pattern, the caller's to free with sluice_pattern_destroy
 * error	the place is the JSON path of the fault: `$.detail.state[1]`, message
 *		`unknown operator "prefixx", did you mean "prefix"?`
 *
 * Errors: SLUICE_ERR_SYNTAX (no JSON), _INVALID (no pattern), _LIMIT, _NOMEM.
 */
SLUICE_API enum sluice_status sluice_pattern_compile(struct sluice_str text,
                                                     struct sluice_pattern **pattern,
                                                     struct sluice_error *error);

/* Frees a pattern. NULL is allowed. Matchers that it was added to have what they need. */
SLUICE_API void sluice_pattern_destroy(struct sluice_pattern *pattern);

/* The text as it was given. Lives as long as the pattern. */
SLUICE_API struct sluice_str sluice_pattern_text(const struct sluice_pattern *pattern);

/* Which members of `$mqtt` it names: SLUICE_META_* bits. */
SLUICE_API unsigned sluice_pattern_metadata(const struct sluice_pattern *pattern);

#ifdef __cplusplus
}
#endif

#endif
