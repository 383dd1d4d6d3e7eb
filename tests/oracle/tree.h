/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The oracle's JSON: a strict parser (RFC 8259) into a tree, strings as code points. */
#ifndef ORACLE_TREE_H
#define ORACLE_TREE_H

#include <stdbool.h>

#include "sluice/types.h"

/* Memory that is freed together. */
struct oracle_pool {
	struct oracle_block *blocks;
};
void *oracle_alloc(struct oracle_pool *pool, size_t size); /* zeroed; never NULL */
void oracle_free_all(struct oracle_pool *pool);

/* Characters: code points, half surrogates as themselves. */
struct oracle_text {
	uint32_t *chars;
	size_t len;
};
bool oracle_text_equal(struct oracle_text a, struct oracle_text b);
/* Whether the code points are those of an ASCII string. */
bool oracle_text_is(struct oracle_text text, const char *ascii);
/* UTF-8 into code points; false when it is not well-formed (`halves`: surrogates are let pass). */
bool oracle_text_decode(struct oracle_pool *pool, struct sluice_str bytes, bool halves,
                        struct oracle_text *text);

/* Code points into UTF-8 (half surrogates as three bytes), NUL-terminated. */
struct sluice_str oracle_text_encode(struct oracle_pool *pool, struct oracle_text text);

enum oracle_type {
	ORACLE_NULL,
	ORACLE_FALSE,
	ORACLE_TRUE,
	ORACLE_NUMBER,
	ORACLE_STRING,
	ORACLE_ARRAY,
	ORACLE_OBJECT,
};

struct oracle_json {
	enum oracle_type type;
	struct oracle_text text; /* a string's characters, a number's digits as spelled */
	struct oracle_text key;  /* when it is a member of an object */
	struct oracle_text raw;  /* as it stands in the source */
	struct oracle_json *first, *next;
	size_t count;
};

enum oracle_parsed { ORACLE_PARSED, ORACLE_MALFORMED, ORACLE_TOO_DEEP };

/* A member by its name, or NULL. */
const struct oracle_json *oracle_json_get(const struct oracle_json *object, const char *name);

/* Parses a text whose arrays and objects nest at most max_depth deep. */
enum oracle_parsed oracle_json_parse(struct oracle_pool *pool, struct sluice_str text,
                                     size_t max_depth, struct oracle_json **root);

#endif
