/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Between the files of the pattern compiler. A pattern's JSON becomes an expression of its fields,
 *
 *	{"a":[1], "$or":[{"b":[2]}, {"c":[3],"d":[4]}]}      AND(a, OR(b, AND(c, d)))
 *
 * (pattern.c), its lists of alternatives become predicates (pattern_alternatives.c), and the
 * expression is multiplied out into conjunctions, {a b} {a c d} (pattern_or.c), whose number is
 * known, and held against its limit, before the first one is made.
 */
#ifndef SLUICE_PATTERN_COMPILE_H
#define SLUICE_PATTERN_COMPILE_H

#include "arena.h"
#include "predicate.h"

/* Fields of one conjunction: more than there may be paths only when paths are spelled twice. */
enum { SLUICE_PATTERN_MAX_CONJUNCTION = SLUICE_PATTERN_MAX_PATHS };

enum sluice_expression_kind { SLUICE_EXPR_FIELD, SLUICE_EXPR_AND, SLUICE_EXPR_OR };

struct sluice_expression {
	enum sluice_expression_kind kind;
	uint16_t field;                  /* SLUICE_EXPR_FIELD: index into the pattern's fields */
	struct sluice_expression *first; /* operands of AND and OR */
	struct sluice_expression *last;
	struct sluice_expression *next;
	size_t conjunctions; /* that it multiplies out to: at least 1 once complete */
	size_t fields;       /* in the longest of them */
};

/*
 * Allocated in `scratch`, without operands; NULL when out of memory. For SLUICE_EXPR_FIELD the
 * caller sets `field`.
 */
struct sluice_expression *sluice_expression_create(struct sluice_arena *scratch,
                                                   enum sluice_expression_kind kind);

/*
 * Adds an operand to an AND or OR and keeps its counts. `place` is named by the error when that
 * passes a limit (SLUICE_ERR_LIMIT).
 */
enum sluice_status sluice_expression_add(struct sluice_expression *expression,
                                         struct sluice_expression *operand,
                                         const struct sluice_json *place,
                                         struct sluice_error *error);

/* Multiplies out into pattern->conjunctions. pattern->fields must be complete. False when out of
 * memory. */
bool sluice_expression_multiply(const struct sluice_expression *expression,
                                struct sluice_pattern *pattern);

/*
 * Compiles a non-empty list of alternatives into field->alternatives and field->absent; what it
 * makes lives in `arena`, but slices of the pattern's text, which must live as long.
 */
enum sluice_status sluice_alternatives_compile(struct sluice_arena *arena,
                                               const struct sluice_json *list,
                                               struct sluice_field *field,
                                               struct sluice_error *error);

#endif
