/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "text.h"

size_t sluice_text_encode(uint32_t code_point, char out[4])
{
	if (code_point < 0x80) {
		out[0] = (char)code_point;
		return 1;
	}
	if (code_point < 0x800) {
		out[0] = (char)(0xc0 | code_point >> 6);
		out[1] = (char)(0x80 | (code_point & 0x3f));
		return 2;
	}
	if (code_point < 0x10000) {
		out[0] = (char)(0xe0 | code_point >> 12);
		out[1] = (char)(0x80 | (code_point >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code_point & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code_point >> 18);
	out[1] = (char)(0x80 | (code_point >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code_point >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code_point & 0x3f));
	return 4;
}

/* Four hex digits: of their characters the low nibbles, 9 more for letters, whose bit 6 is set; then
 * neighbours are joined, and those. */
static uint32_t read_hex4(const char *text)
{
	uint32_t word;

	memcpy(&word, text, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap32(word);
#endif
	word = (word & 0x0f0f0f0f) + (word >> 6 & 0x01010101) * 9;
	word = (word << 4 | word >> 8) & 0x00ff00ff;
	return (word & 0xff) << 8 | word >> 16;
}

size_t sluice_text_unescape(struct sluice_str text, char *out)
{
	char *to = out;
	const char *at = text.data;
	const char *end = text.data + text.len;
	while (at < end) {
		if (*at != '\\') { /* not where one escape follows another */
			const char *escape = memchr(at, '\\', (size_t)(end - at));
			size_t plain = (size_t)((escape ? escape : end) - at);
			memcpy(to, at, plain);
			to += plain;
			at += plain;
			if (!escape)
				break;
		}

		char c = at[1];
		at += 2;
		switch (c) {
		case 'b':
			*to++ = '\b';
			break;
		case 'f':
			*to++ = '\f';
			break;
		case 'n':
			*to++ = '\n';
			break;
		case 'r':
			*to++ = '\r';
			break;
		case 't':
			*to++ = '\t';
			break;
		case 'u': {
			uint32_t code_point = read_hex4(at);
			at += 4;
			if (code_point < 0x80) {
				*to++ = (char)code_point;
				break;
			}
			if (code_point >= 0xd800 && code_point < 0xdc00 && end - at >= 6 &&
			    at[0] == '\\' && at[1] == 'u') {
				uint32_t low = read_hex4(at + 2);
				if (low >= 0xdc00 && low < 0xe000) {
					code_point = 0x10000 + ((code_point - 0xd800) << 10) +
					             (low - 0xdc00);
					at += 6;
				}
			}
			to += sluice_text_encode(code_point, to);
			break;
		}
		default: /* '"', '\\', '/' stand for themselves */
			*to++ = c;
		}
	}
	return (size_t)(to - out);
}

static bool is_continuation(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* Bytes of the well-formed character at text (RFC 3629, section 4), 0 when there is none. */
static size_t character_length(const unsigned char *text, size_t len)
{
	unsigned char c = text[0];
	if (c < 0x80)
		return 1;
	if (c < 0xc2)
		return 0;
	if (c < 0xe0)
		return len >= 2 && is_continuation(text[1]) ? 2 : 0;
	if (c < 0xf0) {
		if (len < 3 || !is_continuation(text[1]) || !is_continuation(text[2]))
			return 0;
		bool overlong = c == 0xe0 && text[1] < 0xa0;
		bool surrogate = c == 0xed && text[1] >= 0xa0;
		return overlong || surrogate ? 0 : 3;
	}
	if (c > 0xf4 || len < 4 || !is_continuation(text[1]) || !is_continuation(text[2]) ||
	    !is_continuation(text[3]))
		return 0;
	bool overlong = c == 0xf0 && text[1] < 0x90;
	bool too_large = c == 0xf4 && text[1] >= 0x90;
	return overlong || too_large ? 0 : 4;
}

size_t sluice_text_utf8_length(struct sluice_str text)
{
	const unsigned char *data = (const unsigned char *)text.data;
	size_t i = 0;
	while (i < text.len) {
		uint64_t word;
		if (text.len - i >= sizeof(word)) {
			memcpy(&word, data + i, sizeof(word));
			if ((word & UINT64_C(0x8080808080808080)) == 0) {
				i += sizeof(word);
				continue;
			}
		}
		size_t length = character_length(data + i, text.len - i);
		if (length == 0)
			break;
		i += length;
	}
	return i;
}
