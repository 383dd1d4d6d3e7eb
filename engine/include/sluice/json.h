/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A strict reader of JSON (RFC 8259) that keeps the text it was given: every
 * node knows its slice of the source, so a pattern or a constant is stored and
 * given back verbatim, numbers keep their digits and strings their NULs. It
 * serves patterns, rules and commands; events are scanned in place by the
 * matcher and never pass here.
 *
 * Strict: UTF-8 only, no byte order mark, nothing after the value, no raw
 * control characters in strings, no `01`, no `1.`. Half a surrogate pair
 * (`\ud800`) is well-formed and decodes to its three-byte form (WTF-8), which
 * no well-formed UTF-8 can equal.
 *
 *	struct sluice_json_doc *doc;
 *	if (sluice_json_parse(text, 0, 64, &doc, &error) == SLUICE_OK) {
 *		const struct sluice_json *name = sluice_json_get(sluice_json_root(doc), "name");
 *		if (name && name->type == SLUICE_JSON_STRING)
 *			use(name->string);
 *		sluice_json_destroy(doc);
 *	}
 *
 * Threads: a document is immutable; any number of threads may read it.
 */
#ifndef SLUICE_JSON_H
#define SLUICE_JSON_H

#include <stdbool.h>

#include "sluice/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sluice_buffer;

enum sluice_json_type {
	SLUICE_JSON_NULL,
	SLUICE_JSON_FALSE,
	SLUICE_JSON_TRUE,
	SLUICE_JSON_NUMBER,
	SLUICE_JSON_STRING,
	SLUICE_JSON_ARRAY,
	SLUICE_JSON_OBJECT,
};

/* One value. All pointers live as long as its document. */
struct sluice_json {
	enum sluice_json_type type;
	struct sluice_str raw;    /* its slice of the source text, quotes and brackets included */
	struct sluice_str string; /* a string's decoded characters; absent for others */
	struct sluice_str key; /* its decoded name, when it is a member of an object; else absent */
	const struct sluice_json *first; /* first element or member of an array or object */
	const struct sluice_json *next;  /* next sibling */
	const struct sluice_json *parent;
	size_t count; /* elements or members */
	size_t index; /* its position among its siblings, from 0 */
};

struct sluice_json_doc;

/* What sluice_json_parse is to refuse beyond the grammar. */
enum {
	SLUICE_JSON_UNIQUE_KEYS =
	        1, /* a repeated key is SLUICE_ERR_INVALID, and the error names it */
};

/*
 * Parses a JSON text. Takes time O(n log n), and for each value some 100 bytes: up to 50 times the
 * text (`[0,0,0…`), so whoever reads a stranger's text bounds its length first.
 *
 * text		one value with white space around it; it must outlive the document, whose nodes
 *		point into it
 * flags	0 or SLUICE_JSON_UNIQUE_KEYS
 * max_depth	how deep values may nest: 1 takes scalars only, 2 an array of scalars. Nothing
 *		recurses: SIZE_MAX is safe
 * doc		gets the document, the caller's to free with sluice_json_destroy
 * error	offset and place say where
 *
 * Errors: SLUICE_ERR_SYNTAX, _INVALID (repeated key), _LIMIT (max_depth), _NOMEM.
 */
SLUICE_API enum sluice_status sluice_json_parse(struct sluice_str text, unsigned flags,
                                                size_t max_depth, struct sluice_json_doc **doc,
                                                struct sluice_error *error);

/* Frees a document and all its nodes. NULL is allowed. */
SLUICE_API void sluice_json_destroy(struct sluice_json_doc *doc);

/* The document's value. Never NULL; it lives as long as the document. */
SLUICE_API const struct sluice_json *sluice_json_root(const struct sluice_json_doc *doc);

/*
 * An object's member by name, the last one of that name. Linear in the number of members.
 *
 * object	NULL, or a node that is no object: has no members
 * name		NUL-terminated, as it reads when decoded
 *
 * Returns NULL when there is none.
 */
SLUICE_API const struct sluice_json *sluice_json_get(const struct sluice_json *object,
                                                     const char *name);

/*
 * A whole number within [min, max], in any spelling of exact value (`10`, `1e1`, `10.0`).
 *
 * node		may be NULL
 * value	gets the number; untouched on false
 *
 * Returns false when node is NULL, no number, not whole or outside.
 */
SLUICE_API bool sluice_json_integer(const struct sluice_json *node, int64_t min, int64_t max,
                                    int64_t *value);

/*
 * Writes the node's place in its document, "$.targets[0].topic", into buf, NUL-terminated, cut to
 * size (0 writes nothing), control characters shown as '?'. Returns buf.
 */
SLUICE_API char *sluice_json_place(const struct sluice_json *node, char *buf, size_t size);

/*
 * Fills an error with a node's place and offset, and returns code.
 *
 * node		what is wrong, of a document that still lives
 * error, code, format	as in sluice_error_set
 */
SLUICE_API enum sluice_status sluice_json_error(const struct sluice_json *node,
                                                struct sluice_error *error, enum sluice_status code,
                                                const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/*
 * Appends `text` as a JSON string, quotes included, to *buf (see sluice/buffer.h; failure is in
 * its `failed`). WTF-8 halves are written as \udXXX, bytes that are not UTF-8 as U+FFFD.
 */
SLUICE_API void sluice_json_write_string(struct sluice_buffer *buf, struct sluice_str text);

/* Appends JSON text with all white space outside its strings left out; the text must be
 * well-formed. */
SLUICE_API void sluice_json_write_compact(struct sluice_buffer *buf, struct sluice_str text);

#ifdef __cplusplus
}
#endif

#endif
