/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* A predicate that outlives its pattern, in as few bytes as its operator needs. */
#include <stddef.h>

#include "predicate.h"

size_t sluice_predicate_used(enum sluice_operator op)
{
	switch (op) {
	case SLUICE_OP_NUMBER:
		return offsetof(struct sluice_predicate, number) + sizeof(struct sluice_number);
	case SLUICE_OP_CIDR:
		return offsetof(struct sluice_predicate, cidr) + sizeof(struct sluice_cidr);
	case SLUICE_OP_NUMERIC:
	case SLUICE_OP_WILDCARD:
	case SLUICE_OP_BUT:
		return sizeof(struct sluice_predicate);
	default:
		return offsetof(struct sluice_predicate, number);
	}
}

/* Whether entries are told apart by their source, since their operands are many. */
static bool keeps_source(enum sluice_operator op)
{
	return op == SLUICE_OP_NUMERIC || op == SLUICE_OP_WILDCARD || op == SLUICE_OP_BUT;
}

static size_t padded(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

size_t sluice_predicate_copy_size(const struct sluice_predicate *predicate)
{
	size_t size = predicate->text.len;

	if (keeps_source(predicate->op))
		size += predicate->source.len;
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
	if (to->op == SLUICE_OP_WILDCARD) {
		struct sluice_str *pieces = (struct sluice_str *)(void *)room;
		room += to->wildcard.piece_count * sizeof(*pieces);
		for (size_t i = 0; i < to->wildcard.piece_count; i++) {
			pieces[i] = to->wildcard.pieces[i];
			copy_text(&pieces[i], &room);
		}
		to->wildcard.pieces = pieces;
	} else if (to->op == SLUICE_OP_BUT) {
		struct sluice_predicate *list = (struct sluice_predicate *)(void *)room;
		room += to->but.count * sizeof(*list);
		for (size_t i = 0; i < to->but.count; i++) {
			list[i] = to->but.list[i];
			copy_into(&list[i], room);
			room += padded(sluice_predicate_copy_size(&list[i]));
		}
		to->but.list = list;
	} else if (to->op == SLUICE_OP_NUMBER) {
		copy_text(&to->number.tail, &room);
	} else if (to->op == SLUICE_OP_NUMERIC) {
		copy_text(&to->range.lower.tail, &room);
		copy_text(&to->range.upper.tail, &room);
	}
	copy_text(&to->text, &room);
	if (keeps_source(to->op))
		copy_text(&to->source, &room);
}

void sluice_predicate_copy(struct sluice_predicate *to, const struct sluice_predicate *from,
                           char *room)
{
	memcpy(to, from, sluice_predicate_used(from->op));
	copy_into(to, room);
}
