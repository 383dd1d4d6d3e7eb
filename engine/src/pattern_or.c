/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * `$or`: expressions of fields, and how they are multiplied out.
 *
 * The number of conjunctions of an expression is known without making one: an AND has the product
 * of its operands', an OR the sum. So conjunction number n is that expression read in a mixed
 * radix, each AND handing every operand its own digit of n and each OR the one operand that n falls
 * into; each conjunction is written once, into memory of its final size.
 */
#include "pattern_compile.h"

struct sluice_expression *sluice_expression_create(struct sluice_arena *scratch,
                                                   enum sluice_expression_kind kind)
{
	struct sluice_expression *expression = sluice_arena_alloc(scratch, 1, sizeof(*expression));
	if (!expression)
		return NULL;
	expression->kind = kind;
	expression->conjunctions = kind == SLUICE_EXPR_OR ? 0 : 1;
	expression->fields = kind == SLUICE_EXPR_FIELD ? 1 : 0;
	return expression;
}

enum sluice_status sluice_expression_add(struct sluice_expression *expression,
                                         struct sluice_expression *operand,
                                         const struct sluice_json *place,
                                         struct sluice_error *error)
{
	if (expression->last)
		expression->last->next = operand;
	else
		expression->first = operand;
	expression->last = operand;
	/* Neither can overflow: both sides are within the limits. */
	if (expression->kind == SLUICE_EXPR_AND) {
		expression->conjunctions *= operand->conjunctions;
		expression->fields += operand->fields;
	} else {
		expression->conjunctions += operand->conjunctions;
		if (operand->fields > expression->fields)
			expression->fields = operand->fields;
	}
	if (expression->conjunctions > SLUICE_PATTERN_MAX_CONJUNCTIONS)
		return sluice_json_error(place, error, SLUICE_ERR_LIMIT,
		                         "multiplied out, \"$or\" makes more than %d conjunctions",
		                         SLUICE_PATTERN_MAX_CONJUNCTIONS);
	if (expression->fields > SLUICE_PATTERN_MAX_CONJUNCTION)
		return sluice_json_error(place, error, SLUICE_ERR_LIMIT,
		                         "more than %d fields must match together",
		                         SLUICE_PATTERN_MAX_CONJUNCTION);
	return SLUICE_OK;
}

/* Writes the fields of conjunction number `n` to fields[*count…]: ascending, since the fields were
 * numbered in the order of the text. */
static void pick(const struct sluice_expression *expression, size_t n, uint16_t *fields,
                 size_t *count)
{
	const struct sluice_expression *operand = expression->first;
	switch (expression->kind) {
	case SLUICE_EXPR_FIELD:
		fields[(*count)++] = expression->field;
		break;
	case SLUICE_EXPR_AND:
		for (; operand; operand = operand->next) {
			pick(operand, n % operand->conjunctions, fields, count);
			n /= operand->conjunctions;
		}
		break;
	case SLUICE_EXPR_OR:
		while (n >= operand->conjunctions) {
			n -= operand->conjunctions;
			operand = operand->next;
		}
		pick(operand, n, fields, count);
		break;
	}
}

bool sluice_expression_multiply(const struct sluice_expression *expression,
                                struct sluice_pattern *pattern)
{
	size_t count = expression->conjunctions;
	struct sluice_conjunction *conjunctions =
	        sluice_arena_alloc(pattern->arena, count, sizeof(*conjunctions));
	if (!conjunctions)
		return false;
	for (size_t n = 0; n < count; n++) {
		uint16_t picked[SLUICE_PATTERN_MAX_CONJUNCTION];
		size_t length = 0;
		pick(expression, n, picked, &length);
		uint16_t *fields = sluice_arena_alloc(pattern->arena, length, sizeof(*fields));
		if (!fields)
			return false;
		memcpy(fields, picked, length * sizeof(*fields));
		conjunctions[n].fields = fields;
		conjunctions[n].field_count = length;
		for (size_t i = 0; i < length; i++) {
			if (pattern->fields[fields[i]].payload)
				conjunctions[n].payload = true;
		}
	}
	pattern->conjunctions = conjunctions;
	pattern->conjunction_count = count;
	return true;
}
