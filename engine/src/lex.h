/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The tokens of JSON (RFC 8259), checked where they stand. Each function takes a place in the text
 * and its end, and returns the place behind the token, or NULL where it is not well-formed. Inline:
 * they are the inner loop of every event.
 *
 * Runs of plain characters and of digits are passed eight bytes at a time, as one word: a byte that
 * ends the run sets its high bit in a mask. The subtractions may borrow into the byte above, so
 * only the lowest bit of a mask is exact, and only that is used.
 */
#ifndef SLUICE_LEX_H
#define SLUICE_LEX_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LEX_ONES  UINT64_C(0x0101010101010101)
#define LEX_HIGHS UINT64_C(0x8080808080808080)

/* Eight bytes, the first one lowest, whatever the machine's order. */
static inline uint64_t lex_word(const unsigned char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

/* Which bytes end a run of plain characters: '"', '\\', a control character, or not ASCII. */
static inline uint64_t lex_special(uint64_t word)
{
	uint64_t quote = word ^ (LEX_ONES * '"');
	uint64_t backslash = word ^ (LEX_ONES * '\\');

	return ((word - LEX_ONES * 0x20) | (quote - LEX_ONES) | (backslash - LEX_ONES) | word) &
	       LEX_HIGHS;
}

/* Which bytes are no digits. */
static inline uint64_t lex_not_digits(uint64_t word)
{
	return ((word + LEX_ONES * (0x7F - '9')) | (word - LEX_ONES * '0') | word) & LEX_HIGHS;
}

/* How many bytes stand before the first marked one. */
static inline size_t lex_first(uint64_t mask)
{
	return (size_t)__builtin_ctzll(mask) / 8;
}

static inline const unsigned char *lex_space(const unsigned char *p, const unsigned char *end)
{
	while (p < end && *p <= ' ' && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

static inline bool lex_is_continuation(unsigned char byte)
{
	return (byte & 0xC0) == 0x80;
}

/* Behind the character of several bytes at p (RFC 3629, section 4). */
static inline const unsigned char *lex_utf8(const unsigned char *p, const unsigned char *end)
{
	size_t left = (size_t)(end - p);

	if (p[0] >= 0xC2 && p[0] <= 0xDF)
		return left >= 2 && lex_is_continuation(p[1]) ? p + 2 : NULL;
	if (p[0] >= 0xE0 && p[0] <= 0xEF) {
		if (left < 3 || !lex_is_continuation(p[1]) || !lex_is_continuation(p[2]))
			return NULL;
		if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F))
			return NULL;
		return p + 3;
	}
	if (p[0] >= 0xF0 && p[0] <= 0xF4) {
		if (left < 4 || !lex_is_continuation(p[1]) || !lex_is_continuation(p[2]) ||
		    !lex_is_continuation(p[3]))
			return NULL;
		if ((p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
			return NULL;
		return p + 4;
	}
	return NULL;
}

static inline bool lex_is_hex(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Behind the escape at p, which is a backslash (section 7). */
static inline const unsigned char *lex_escape(const unsigned char *p, const unsigned char *end)
{
	if (end - p < 2)
		return NULL;
	switch (p[1]) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return p + 2;
	case 'u':
		return end - p >= 6 && lex_is_hex(p[2]) && lex_is_hex(p[3]) && lex_is_hex(p[4]) &&
		                       lex_is_hex(p[5])
		               ? p + 6
		               : NULL;
	default:
		return NULL;
	}
}

/*
 * p is behind the opening quote; the result is behind the closing one. Sets *escaped when it meets
 * an escape.
 */
static inline const unsigned char *lex_string(const unsigned char *p, const unsigned char *end,
                                              bool *escaped)
{
	for (;;) {
		while (end - p >= 8) {
			uint64_t special = lex_special(lex_word(p));
			if (special) {
				p += lex_first(special);
				break;
			}
			p += 8;
		}
		if (p >= end)
			return NULL;
		if (*p == '"')
			return p + 1;
		if (*p == '\\') {
			*escaped = true;
			p = lex_escape(p, end);
		} else if (*p >= 0x80) {
			do
				p = lex_utf8(p, end);
			while (p && p < end && *p >= 0x80);
		} else if (*p >= 0x20) {
			p++; /* one of the last seven bytes */
		} else {
			return NULL;
		}
		if (!p)
			return NULL;
	}
}

static inline const unsigned char *lex_digits(const unsigned char *p, const unsigned char *end)
{
	while (end - p >= 8) {
		uint64_t other = lex_not_digits(lex_word(p));
		if (other)
			return p + lex_first(other);
		p += 8;
	}
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* p is at '-' or a digit (section 6). */
static inline const unsigned char *lex_number(const unsigned char *p, const unsigned char *end)
{
	const unsigned char *start;

	if (*p == '-')
		p++;
	start = p;
	if (p < end && *p == '0')
		p++;
	else
		p = lex_digits(p, end);
	if (p == start)
		return NULL;
	if (p < end && *p == '.') {
		start = ++p;
		p = lex_digits(p, end);
		if (p == start)
			return NULL;
	}
	if (p < end && (*p | 0x20) == 'e') {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		start = p;
		p = lex_digits(p, end);
		if (p == start)
			return NULL;
	}
	return p;
}

/* The word true, false or null; p is at its first letter. */
static inline const unsigned char *lex_literal(const unsigned char *p, const unsigned char *end)
{
	if (*p == 'f')
		return end - p >= 5 && memcmp(p, "false", 5) == 0 ? p + 5 : NULL;
	if (end - p >= 4 && (memcmp(p, "true", 4) == 0 || memcmp(p, "null", 4) == 0))
		return p + 4;
	return NULL;
}

#undef LEX_ONES
#undef LEX_HIGHS

#endif
