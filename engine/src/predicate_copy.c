/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* A predicate that outlives its pattern, in as few bytes as its operator needs. */
#include <stddef.h>

#include "predicate.h"

static size_t padded(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

static size_t used(enum sluice_operator op)
{
	const size_t operand = offsetof(struct sluice_predicate, number);

	switch (op) {
	case SLUICE_OP_NUMBER:
		return operand + sizeof(struct sluice_number);
	case SLUICE_OP_CIDR:
		return operand + sizeof(struct sluice_cidr);
	case SLUICE_OP_NUMERIC:
		return operand + sizeof(struct sluice_range);
	case SLUICE_OP_WILDCARD:
		return operand + sizeof(struct sluice_wildcard);
	case SLUICE_OP_BUT:
		return operand + sizeof(((struct sluice_predicate *)0)->but);
	case SLUICE_OP_TRUE:
	case SLUICE_OP_FALSE:
	case SLUICE_OP_NULL:
	case SLUICE_OP_EXISTS:
	case SLUICE_OP_ABSENT:
		return operand;
	default: /* its text */
		return offsetof(struct sluice_predicate, source);
	}
}

size_t sluice_predicate_used(enum sluice_operator op)
{
	return padded(used(op));
}

static bool has_text(enum sluice_operator op)
{
	return used(op) > offsetof(struct sluice_predicate, text);
}

size_t sluice_predicate_copy_size(const struct sluice_predicate *predicate)
{
	size_t size = 0;

	switch (predicate->op) {
	case SLUICE_OP_NUMBER:
		size += predicate->number.tail.len;
		break;
	case SLUICE_OP_NUMERIC:
		size += predicate->range.lower.tail.len + predicate->range.upper.tail.len;
		break;
	case SLUICE_OP_WILDCARD:
		size += predicate->wildcard.piece_count * sizeof(struct sluice_str);
		for (size_t i = 0; i < predicate->wildcard.piece_count; i++)
			size += predicate->wildcard.pieces[i].len;
		break;
	case SLUICE_OP_BUT:
		size += predicate->but.count * sizeof(struct sluice_predicate);
		for (size_t i = 0; i < predicate->but.count; i++)
			size += padded(sluice_predicate_copy_size(&predicate->but.list[i]));
		break;
	default:
		size = has_text(predicate->op) ? predicate->text.len : 0;
		break;
	}
	return size;
}

static void copy_text(struct sluice_str *text, char **room)
{
	if (text->len)
		memcpy(*room, text->data, text->len);
	text->data = *room;
	*room += text->len;
}

/* Copies what the predicate `to`, a plain copy, points to into room: arrays first, so that they are
 * aligned, then texts. */
static void copy_into(struct sluice_predicate *to, char *room)
{
	struct sluice_str *pieces;
	struct sluice_predicate *list;

	switch (to->op) {
	case SLUICE_OP_WILDCARD:
		pieces = (struct sluice_str *)(void *)room;
		room += to->wildcard.piece_count * sizeof(*pieces);
		for (size_t i = 0; i < to->wildcard.piece_count; i++) {
			pieces[i] = to->wildcard.pieces[i];
			copy_text(&pieces[i], &room);
		}
		to->wildcard.pieces = pieces;
		break;
	case SLUICE_OP_BUT:
		list = (struct sluice_predicate *)(void *)room;
		room += to->but.count * sizeof(*list);
		for (size_t i = 0; i < to->but.count; i++) {
			list[i] = to->but.list[i];
			list[i].source = (struct sluice_str){ NULL, 0 };
			copy_into(&list[i], room);
			room += padded(sluice_predicate_copy_size(&list[i]));
		}
		to->but.list = list;
		break;
	case SLUICE_OP_NUMBER:
		copy_text(&to->number.tail, &room);
		break;
	case SLUICE_OP_NUMERIC:
		copy_text(&to->range.lower.tail, &room);
		copy_text(&to->range.upper.tail, &room);
		break;
	default:
		if (has_text(to->op))
			copy_text(&to->text, &room);
		break;
	}
}

void sluice_predicate_copy(struct sluice_predicate *to, const struct sluice_predicate *from,
                           char *room)
{
	memcpy(to, from, sluice_predicate_used(from->op));
	copy_into(to, room);
}
