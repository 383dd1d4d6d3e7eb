/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#define _GNU_SOURCE /* memmem */
#include "predicate.h"

#include "address.h"
#include "sluice/topic.h"
#include "text.h"

static bool begins_with(struct sluice_str text, struct sluice_str prefix)
{
	return text.len >= prefix.len &&
	       (prefix.len == 0 || memcmp(text.data, prefix.data, prefix.len) == 0);
}

static bool ends_with(struct sluice_str text, struct sluice_str suffix)
{
	return text.len >= suffix.len &&
	       (suffix.len == 0 ||
	        memcmp(text.data + text.len - suffix.len, suffix.data, suffix.len) == 0);
}

/*
 * How many bytes of text, from its start, fold to all of `folded`; SIZE_MAX when they don't. A
 * character's folded form may be longer or shorter than itself, so lengths say nothing.
 */
static size_t fold_prefix(struct sluice_str text, struct sluice_str folded)
{
	size_t at = 0;
	size_t matched = 0;
	while (matched < folded.len) {
		if (at == text.len)
			return SIZE_MAX;
		unsigned char c = (unsigned char)text.data[at];
		if (c < 0x80) { /* folds to one byte, as most do */
			if (c >= 'A' && c <= 'Z')
				c |= 0x20;
			if (c != (unsigned char)folded.data[matched])
				return SIZE_MAX;
			matched++;
			at++;
			continue;
		}
		char bytes[4];
		size_t length;
		struct sluice_str rest = { text.data + at, text.len - at };
		size_t size = sluice_text_encode(sluice_text_fold_next(rest, &length), bytes);
		if (size > folded.len - matched || memcmp(folded.data + matched, bytes, size) != 0)
			return SIZE_MAX;
		matched += size;
		at += length;
	}
	return at;
}

static bool fold_suffix(struct sluice_str text, struct sluice_str folded)
{
	while (folded.len > 0) {
		if (text.len == 0)
			return false;
		char bytes[4];
		size_t length;
		size_t size = sluice_text_encode(sluice_text_fold_last(text, &length), bytes);
		if (size > folded.len || memcmp(folded.data + folded.len - size, bytes, size) != 0)
			return false;
		folded.len -= size;
		text.len -= length;
	}
	return true;
}

/*
 * The first piece is anchored at the start, the last at the end; each one between takes its
 * leftmost place behind the one before, which leaves the most room for those that follow: no
 * place has to be tried twice, and the cost is that of one search for each piece.
 */
static bool wildcard_matches(const struct sluice_wildcard *wildcard, struct sluice_str text)
{
	const struct sluice_str *pieces = wildcard->pieces;
	size_t last = wildcard->piece_count - 1;
	if (last == 0)
		return sluice_str_equal(text, pieces[0]);
	if (!begins_with(text, pieces[0]))
		return false;
	text.data += pieces[0].len;
	text.len -= pieces[0].len;
	if (!ends_with(text, pieces[last]))
		return false;
	text.len -= pieces[last].len;
	for (size_t i = 1; i < last; i++) {
		if (pieces[i].len > text.len)
			return false;
		const char *found = memmem(text.data, text.len, pieces[i].data, pieces[i].len);
		if (!found)
			return false;
		size_t used = (size_t)(found - text.data) + pieces[i].len;
		text.data += used;
		text.len -= used;
	}
	return true;
}

static bool in_range(const struct sluice_range *range, const struct sluice_number *number)
{
	if (range->has_lower) {
		int order = sluice_number_compare(number, &range->lower);
		if (order < 0 || (order == 0 && !range->lower_inclusive))
			return false;
	}
	if (range->has_upper) {
		int order = sluice_number_compare(number, &range->upper);
		if (order > 0 || (order == 0 && !range->upper_inclusive))
			return false;
	}
	return true;
}

static bool in_block(const struct sluice_cidr *cidr, struct sluice_str text)
{
	struct sluice_address address;
	if (!sluice_address_read(text, &address))
		return false;
	if (address.family != cidr->family && !sluice_address_mapped(&address, &address))
		return false;
	return address.family == cidr->family &&
	       sluice_address_same_block(cidr->address, address.bytes, cidr->bits);
}

static bool string_matches(const struct sluice_predicate *predicate, struct sluice_str text)
{
	switch (predicate->op) {
	case SLUICE_OP_STRING:
		return sluice_str_equal(text, predicate->text);
	case SLUICE_OP_PREFIX:
		return begins_with(text, predicate->text);
	case SLUICE_OP_SUFFIX:
		return ends_with(text, predicate->text);
	case SLUICE_OP_FOLD:
		return fold_prefix(text, predicate->text) == text.len;
	case SLUICE_OP_FOLD_PREFIX:
		return fold_prefix(text, predicate->text) != SIZE_MAX;
	case SLUICE_OP_FOLD_SUFFIX:
		return fold_suffix(text, predicate->text);
	case SLUICE_OP_WILDCARD:
		return wildcard_matches(&predicate->wildcard, text);
	case SLUICE_OP_CIDR:
		return in_block(&predicate->cidr, text);
	case SLUICE_OP_MQTT_TOPIC:
		return sluice_topic_valid(text) && sluice_topic_matches(predicate->text, text);
	default:
		return false;
	}
}

bool sluice_predicate_matches(const struct sluice_predicate *predicate,
                              const struct sluice_value *value)
{
	switch (predicate->op) {
	case SLUICE_OP_NUMBER:
		return value->type == SLUICE_JSON_NUMBER &&
		       sluice_number_compare(&value->number, &predicate->number) == 0;
	case SLUICE_OP_NUMERIC:
		return value->type == SLUICE_JSON_NUMBER &&
		       in_range(&predicate->range, &value->number);
	case SLUICE_OP_TRUE:
		return value->type == SLUICE_JSON_TRUE;
	case SLUICE_OP_FALSE:
		return value->type == SLUICE_JSON_FALSE;
	case SLUICE_OP_NULL:
		return value->type == SLUICE_JSON_NULL;
	case SLUICE_OP_EXISTS:
		return true;
	case SLUICE_OP_ABSENT:
		return false;
	case SLUICE_OP_BUT:
		for (size_t i = 0; i < predicate->but.count; i++) {
			if (sluice_predicate_matches(&predicate->but.list[i], value))
				return false;
		}
		return true;
	default:
		return value->type == SLUICE_JSON_STRING && string_matches(predicate, value->text);
	}
}

static bool same_range(const struct sluice_range *a, const struct sluice_range *b)
{
	if (a->has_lower != b->has_lower || a->has_upper != b->has_upper)
		return false;
	if (a->has_lower && (a->lower_inclusive != b->lower_inclusive ||
	                     sluice_number_compare(&a->lower, &b->lower) != 0))
		return false;
	return !a->has_upper || (a->upper_inclusive == b->upper_inclusive &&
	                         sluice_number_compare(&a->upper, &b->upper) == 0);
}

static bool same_pieces(const struct sluice_wildcard *a, const struct sluice_wildcard *b)
{
	if (a->piece_count != b->piece_count)
		return false;
	for (size_t i = 0; i < a->piece_count; i++)
		if (!sluice_str_equal(a->pieces[i], b->pieces[i]))
			return false;
	return true;
}

/* What anything-but lists has no list of its own. */
bool sluice_predicate_same(const struct sluice_predicate *a, const struct sluice_predicate *b)
{
	if (a->op != b->op)
		return false;
	switch (a->op) {
	case SLUICE_OP_TRUE:
	case SLUICE_OP_FALSE:
	case SLUICE_OP_NULL:
	case SLUICE_OP_EXISTS:
	case SLUICE_OP_ABSENT:
		return true;
	case SLUICE_OP_NUMBER:
		return sluice_number_compare(&a->number, &b->number) == 0;
	case SLUICE_OP_CIDR:
		return a->cidr.family == b->cidr.family && a->cidr.bits == b->cidr.bits &&
		       sluice_address_same_block(a->cidr.address, b->cidr.address, a->cidr.bits);
	case SLUICE_OP_WILDCARD:
		return same_pieces(&a->wildcard, &b->wildcard);
	case SLUICE_OP_NUMERIC:
		return same_range(&a->range, &b->range);
	case SLUICE_OP_BUT:
		if (a->but.count != b->but.count)
			return false;
		for (size_t i = 0; i < a->but.count; i++)
			if (!sluice_predicate_same(&a->but.list[i], &b->but.list[i]))
				return false;
		return true;
	default:
		return sluice_str_equal(a->text, b->text);
	}
}
