/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The tokens of JSON (RFC 8259), checked where they stand. Each function takes a place in the text
 * and its end, and returns the place behind the token, or NULL where it is not well-formed. Inline:
 * they are the inner loop of every event. Runs of plain characters and of digits are passed a block
 * at a time (lex_block.h), for which the place where the whole text begins must be known.
 */
#ifndef SLUICE_LEX_H
#define SLUICE_LEX_H

#include "lex_block.h"

#define LEX_LIKELY(condition) __builtin_expect(!!(condition), 1)

static inline bool lex_is_space(unsigned char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Behind the white space at p, where something else is known to follow. */
static inline const unsigned char *lex_gap(const unsigned char *p)
{
	while (!LEX_LIKELY(*p > ' ') && lex_is_space(*p))
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

/*
 * Whether four hex digits stand at p: in each byte the highest bit says whether it is past the
 * lower bound and not past the upper one, of digits and of letters. A byte that is not ASCII, whose
 * sum would carry, has the bit itself.
 */
static inline bool lex_is_hex4(const unsigned char *p)
{
	const uint32_t ones = 0x01010101, highs = 0x80808080;
	uint32_t word;

	memcpy(&word, p, sizeof(word));
	if (word & highs)
		return false;
	uint32_t digit = (word + ones * (0x80 - '0')) & ~(word + ones * (0x7F - '9'));
	word |= ones * 0x20;
	uint32_t letter = (word + ones * (0x80 - 'a')) & ~(word + ones * (0x7F - 'f'));
	return ((digit | letter) & highs) == highs;
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
		return end - p >= 6 && lex_is_hex4(p + 2) ? p + 6 : NULL;
	default:
		return NULL;
	}
}

/* lex_string for what the first block does not settle. */
static __attribute__((noinline, unused)) const unsigned char *lex_long_string(
        const unsigned char *p, const unsigned char *begin, const unsigned char *end, bool *escaped)
{
	for (;;) {
		uint64_t special = lex_special_at(p, begin, end);
		if (!special) {
			p += LEX_BLOCK;
			continue;
		}
		p += lex_first(special);
		if (p >= end)
			return NULL;
		if (*p == '"')
			return p + 1;
		if (*p == '\\') {
			*escaped = true;
			do
				p = lex_escape(p, end);
			while (p && p < end && *p == '\\');
		} else if (*p >= 0x80) {
			do
				p = lex_utf8(p, end);
			while (p && p < end && *p >= 0x80);
		} else {
			return NULL;
		}
		if (!p)
			return NULL;
	}
}

/* lex_string for one without escapes that ends within the two blocks at p; NULL: it does not. */
static inline const unsigned char *lex_short_string(const unsigned char *p)
{
	uint64_t special = lex_special(lex_load(p));

	if (!LEX_LIKELY(special != 0)) {
		p += LEX_BLOCK;
		special = lex_special(lex_load(p));
		if (special == 0)
			return NULL;
	}
	p += lex_first(special);
	return *p == '"' ? p + 1 : NULL;
}

/*
 * p is behind the opening quote; the result is behind the closing one. Sets *escaped when it meets
 * an escape.
 */
static inline const unsigned char *lex_string(const unsigned char *p, const unsigned char *begin,
                                              const unsigned char *end, bool *escaped)
{
	const unsigned char *behind =
	        LEX_LIKELY(end - p >= 2 * LEX_BLOCK) ? lex_short_string(p) : NULL;

	return LEX_LIKELY(behind != NULL) ? behind : lex_long_string(p, begin, end, escaped);
}

/* How a number is spelled: "-12.5e3" has 2 digits, 1 in its fraction, and an exponent. */
struct lex_number {
	const unsigned char *digits; /* behind the sign */
	size_t integer, fraction;    /* digits before and behind the point */
	bool exponent;
};

/* Behind the digits at p. */
static inline const unsigned char *lex_digits(const unsigned char *p, const unsigned char *begin,
                                              const unsigned char *end)
{
	uint64_t other;

	while (!(other = lex_not_digit_at(p, begin, end)))
		p += LEX_BLOCK;
	return p + lex_first(other);
}

static inline bool lex_begins_number(unsigned char c)
{
	return (unsigned char)(c - '0') <= 9 || c == '-';
}

/* lex_number for what the one block at hand does not settle. */
static __attribute__((noinline, cold, unused)) const unsigned char *lex_long_number(
        const unsigned char *p, const unsigned char *begin, const unsigned char *end,
        struct lex_number *number)
{
	const unsigned char *start = p;

	p = lex_digits(p, begin, end);
	*number = (struct lex_number){ .digits = start, .integer = (size_t)(p - start) };
	if (number->integer == 0 || (*start == '0' && number->integer > 1))
		return NULL;
	if (p < end && *p == '.') {
		start = ++p;
		p = lex_digits(p, begin, end);
		number->fraction = (size_t)(p - start);
		if (number->fraction == 0)
			return NULL;
	}
	if (p < end && (*p | 0x20) == 'e') {
		number->exponent = true;
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		start = p;
		p = lex_digits(p, begin, end);
		if (p == start)
			return NULL;
	}
	return p;
}

#if LEX_SIMD
/*
 * lex_number for one without exponent that ends within the block behind its sign; NULL: it does
 * not. How many digits stand before the point goes into *integer.
 */
static inline const unsigned char *lex_short_number(const unsigned char *p, size_t *integer)
{
	p += *p == '-';
	/* a mark where the integer ends, and one where the fraction does */
	uint64_t other = lex_not_digit(lex_load(p)) | UINT64_C(1) << 63;
	size_t length = lex_first(other);
	*integer = length;
	if (*p == '0' ? length != 1 : length == 0 || length >= LEX_BLOCK)
		return NULL;
	if (p[length] == '.') {
		other &= other - 1;
		size_t digits = lex_first(other | UINT64_C(1) << 63);
		if (digits == length + 1 || digits >= LEX_BLOCK)
			return NULL;
		length = digits;
	}
	return (p[length] | 0x20) == 'e' ? NULL : p + length;
}
#else
static inline const unsigned char *lex_short_number(const unsigned char *p, size_t *integer)
{
	(void)p;
	*integer = 0;
	return NULL;
}
#endif

/* What lex_short_number found at p. */
static inline struct lex_number lex_short_parts(const unsigned char *p, size_t integer,
                                                const unsigned char *behind)
{
	const unsigned char *digits = p + (*p == '-');
	size_t rest = (size_t)(behind - digits) - integer;

	return (struct lex_number){ digits, integer, rest ? rest - 1 : 0, false };
}

/* p is at '-' or a digit (section 6). */
static inline const unsigned char *lex_number(const unsigned char *p, const unsigned char *begin,
                                              const unsigned char *end, struct lex_number *number)
{
	if (LEX_LIKELY(end - p > LEX_BLOCK + 1)) {
		size_t integer;
		const unsigned char *behind = lex_short_number(p, &integer);
		if (LEX_LIKELY(behind != NULL)) {
			*number = lex_short_parts(p, integer, behind);
			return behind;
		}
	}
	return lex_long_number(p + (*p == '-'), begin, end, number);
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

#endif
