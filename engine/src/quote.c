/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "quote.h"

#include <stdbool.h>

#include "text.h"

char *sluice_quote(struct sluice_str text, char buf[SLUICE_QUOTE_SIZE])
{
	static const char ellipsis[] = "\u2026";
	const size_t room = SLUICE_QUOTE_SIZE - 3 - (sizeof(ellipsis) - 1); /* quotes and NUL */
	size_t out = 0;
	buf[out++] = '"';
	for (size_t at = 0; at < text.len;) {
		unsigned char c = (unsigned char)text.data[at];
		size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		if (length > text.len - at)
			length = 1;
		struct sluice_str character = { text.data + at, length };
		bool fit = c >= 0x20 && c != 0x7f && sluice_text_utf8_length(character) == length;
		if (out + (fit ? length : 1) > room) {
			memcpy(buf + out, ellipsis, sizeof(ellipsis) - 1);
			out += sizeof(ellipsis) - 1;
			break;
		}
		if (fit)
			memcpy(buf + out, character.data, length);
		else
			buf[out] = '?';
		out += fit ? length : 1;
		at += fit ? length : 1;
	}
	buf[out++] = '"';
	buf[out] = '\0';
	return buf;
}
