/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdbool.h>
#include <string.h>

#include "text.h"

struct fold_range {
	uint32_t first, last;
	uint32_t step;
	int32_t distance;
};

#include "casefold_table.h"

enum {
	/* A byte that belongs to no character folds to this plus itself, which no character is. */
	NO_CHARACTER = 0x110000,
};

static uint32_t fold(uint32_t code_point)
{
	if (code_point < 0x80)
		return code_point >= 'A' && code_point <= 'Z' ? code_point + ('a' - 'A')
		                                              : code_point;
	/* The last range that begins at or before it. */
	size_t low = 0;
	size_t high = sizeof(fold_ranges) / sizeof(*fold_ranges);
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (fold_ranges[middle].first <= code_point)
			low = middle;
		else
			high = middle;
	}
	const struct fold_range *range = &fold_ranges[low];
	if (code_point > range->last || (code_point - range->first) % range->step != 0)
		return code_point;
	return (uint32_t)((int32_t)code_point + range->distance);
}

static uint32_t decode(struct sluice_str text, size_t *length)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *data = (const unsigned char *)text.data;
	unsigned char c = data[0];
	*length = 1;
	if (c < 0x80)
		return c;

	size_t bytes = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf8 ? 4 : 1;
	if (bytes == 1 || bytes > text.len)
		return NO_CHARACTER + c;
	uint32_t code_point = c & (0x7fU >> bytes);
	for (size_t i = 1; i < bytes; i++) {
		if ((data[i] & 0xc0) != 0x80)
			return NO_CHARACTER + c;
		code_point = code_point << 6 | (data[i] & 0x3f);
	}
	if (code_point < smallest[bytes] || code_point >= NO_CHARACTER)
		return NO_CHARACTER + c;
	*length = bytes;
	return code_point;
}

uint32_t sluice_text_fold_next(struct sluice_str text, size_t *length)
{
	return fold(decode(text, length));
}

uint32_t sluice_text_fold_last(struct sluice_str text, size_t *length)
{
	size_t bytes = 1;
	while (bytes < 4 && bytes < text.len &&
	       ((unsigned char)text.data[text.len - bytes] & 0xc0) == 0x80)
		bytes++;
	uint32_t code_point =
	        decode((struct sluice_str){ text.data + text.len - bytes, bytes }, length);
	if (*length == bytes)
		return fold(code_point);
	*length = 1;
	return NO_CHARACTER + (unsigned char)text.data[text.len - 1];
}

/* Eight bytes of ASCII, folded: those from 'A' to 'Z' get the bit that makes them small. */
static uint64_t fold_word(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t from_a = word + (0x80 - 'A') * ones;
	uint64_t past_z = word + (0x80 - 'Z' - 1) * ones;

	return word | (from_a & ~past_z & 0x80 * ones) >> 2;
}

size_t sluice_text_fold(struct sluice_str text, char *out)
{
	char *to = out;
	for (size_t i = 0, length; i < text.len; i += length) {
		uint64_t word;
		if (text.len - i >= sizeof(word)) {
			memcpy(&word, text.data + i, sizeof(word));
			if ((word & UINT64_C(0x8080808080808080)) == 0) {
				word = fold_word(word);
				memcpy(to, &word, sizeof(word));
				to += sizeof(word);
				length = sizeof(word);
				continue;
			}
		}
		if (!(text.data[i] & 0x80)) {
			*to++ = (char)fold((unsigned char)text.data[i]);
			length = 1;
			continue;
		}
		uint32_t folded = sluice_text_fold_next(
		        (struct sluice_str){ text.data + i, text.len - i }, &length);
		if (folded < NO_CHARACTER)
			to += sluice_text_encode(folded, to);
		else
			*to++ = text.data[i];
	}
	return (size_t)(to - out);
}
