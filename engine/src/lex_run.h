/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Runs of numbers in arrays in arrays, as coordinates are, sixty-four bytes at once: a mask for each
 * kind of byte, and the grammar as arithmetic on masks.
 *
 *	text     1 2 . 5 , [ - 7 , 0 . 0 ] , [ 8 1 , …
 *	digits   1 1 0 1 0 0 0 1 0 1 0 1 0 0 0 1 1 0
 *	starts   1 0 0 0 0 1 1 0 0 1 0 0 0 0 1 1 0 0    where a value begins: behind '[' and ','
 *
 * Where a number has a point, adding the bit behind it to the digits carries to the end of its
 * fraction, where no other point may stand. A block is taken up to its last comma, or not at all:
 * whatever is not of this kind (an exponent, white space but a blank behind a comma, a bracket that
 * closes the outermost array, an error) is left to the tokens of lex.h, which decide.
 *
 * Cost: about five instructions a byte, and no branch that depends on how long numbers are. Where
 * there is no SSE2, tokens are all there is: LEX_HAS_RUNS is 0.
 */
#ifndef SLUICE_LEX_RUN_H
#define SLUICE_LEX_RUN_H

#include "lex_block.h"

enum { LEX_RUN = 64 };

#if defined(LEX_SSE2)
#define LEX_HAS_RUNS 1

struct lex_wide {
	__m128i part[4];
};

static inline struct lex_wide lex_load_wide(const unsigned char *p)
{
	return (struct lex_wide){ { lex_load(p), lex_load(p + 16), lex_load(p + 32),
		                    lex_load(p + 48) } };
}

static inline uint64_t lex_join(__m128i a, __m128i b, __m128i c, __m128i d)
{
	return (uint64_t)(uint32_t)_mm_movemask_epi8(a) |
	       (uint64_t)(uint32_t)_mm_movemask_epi8(b) << 16 |
	       (uint64_t)(uint32_t)_mm_movemask_epi8(c) << 32 |
	       (uint64_t)(uint32_t)_mm_movemask_epi8(d) << 48;
}

static inline uint64_t lex_equal_wide(const struct lex_wide *wide, char c)
{
	const __m128i sample = _mm_set1_epi8(c);

	return lex_join(
	        _mm_cmpeq_epi8(wide->part[0], sample), _mm_cmpeq_epi8(wide->part[1], sample),
	        _mm_cmpeq_epi8(wide->part[2], sample), _mm_cmpeq_epi8(wide->part[3], sample));
}

/* '0' to '9' are moved to the lowest signed bytes. */
static inline __m128i lex_digits_in(__m128i part)
{
	return _mm_cmplt_epi8(_mm_add_epi8(part, _mm_set1_epi8((char)(-128 - '0'))),
	                      _mm_set1_epi8(-128 + 10));
}

static inline uint64_t lex_digits_wide(const struct lex_wide *wide)
{
	return lex_join(lex_digits_in(wide->part[0]), lex_digits_in(wide->part[1]),
	                lex_digits_in(wide->part[2]), lex_digits_in(wide->part[3]));
}

#else
#define LEX_HAS_RUNS 0
#endif

#if LEX_HAS_RUNS

static inline unsigned lex_count(uint64_t bits)
{
	unsigned count = 0;

	for (; bits; bits &= bits - 1)
		count++;
	return count;
}

/*
 * p is where a value begins, in `arrays` arrays in each other, of which there is at least one. Passes
 * values, brackets and commas, and stops behind a comma, with *arrays of them open then: at least
 * one, and never more than `limit`. LEX_RUN bytes can be read from p and from anywhere before `safe`.
 */
static inline const unsigned char *lex_run(const unsigned char *p, const unsigned char *safe,
                                           unsigned *arrays, unsigned limit)
{
	for (;; p += *p == ' ') {
		if (p > safe)
			return p;
		const struct lex_wide wide = lex_load_wide(p);
		const uint64_t digit = lex_digits_wide(&wide);
		const uint64_t zero = lex_equal_wide(&wide, '0');
		const uint64_t point = lex_equal_wide(&wide, '.');
		const uint64_t minus = lex_equal_wide(&wide, '-');
		const uint64_t comma = lex_equal_wide(&wide, ',');
		const uint64_t open = lex_equal_wide(&wide, '[');
		const uint64_t close = lex_equal_wide(&wide, ']');
		const uint64_t gap = lex_equal_wide(&wide, ' ') & comma << 1;
		const uint64_t foreign = ~(digit | point | minus | comma | open | close | gap);

		/* A bracket that closes where the next one opens leaves as many open. The others
		 * may not close all: else the block is taken to before the first of them. */
		const uint64_t turn = close & comma >> 1 & open >> 2;
		const uint64_t wide_turn = close & comma >> 1 & gap >> 2 & open >> 3;
		const uint64_t closes = close & ~(*arrays < 2 ? 0 : turn | wide_turn);
		uint64_t known = (foreign & (0 - foreign)) - 1;
		if (lex_count(closes & known) + 2 > *arrays)
			known &= (closes & (0 - closes)) - 1;
		if (!(comma & known))
			return p;
		known = ~UINT64_C(0) >> __builtin_clzll(comma & known); /* to the last comma */

		/* each byte beside the one before it */
		const uint64_t start = ((comma | open | gap) << 1 | 1) & ~gap;
		const uint64_t whole =
		        digit & ~((digit | point) << 1); /* an integer's first digit */
		const uint64_t fraction = point << 1;
		uint64_t bad = start & (point | comma);
		bad |= start & close & ~(open << 1);
		bad |= (minus | open) & ~start;
		bad |= (minus << 1 | fraction) & ~digit;
		bad |= point & ~(digit << 1);
		bad |= close << 1 & ~(comma | close);
		bad |= whole << 1 & zero << 1 & digit;
		bad |= (digit + fraction) & ~digit & point;
		if (bad & known)
			return p;

		const uint64_t turned = (turn << 2 | wide_turn << 3) & known;
		const unsigned opened = lex_count(open & ~turned & known);
		const unsigned closed = lex_count(close & ~(turned >> 2 & turn) &
		                                  ~(turned >> 3 & wide_turn) & known);
		if (*arrays + opened > limit)
			return p;
		*arrays += opened - closed;
		p += 64 - __builtin_clzll(known);
	}
}

#endif

#endif
