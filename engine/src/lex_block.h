/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A few bytes looked at together: as many as a register of this machine holds.
 *
 *	text    " d e v - 4 2 " , " s …          lex_special of the block behind the quote
 *	mask      0 0 0 0 0 0 1 0 1 0 …          a mark where a run of plain characters ends
 *
 * A mask has LEX_STEP bits for each byte, the first byte's lowest; a byte that is meant has one of
 * them set. Masks are made by SSE2 (which every x86-64 has), by NEON, or by arithmetic on a
 * 64-bit word, which is what other machines and SLUICE_PORTABLE get. With the last only the lowest
 * mark of a mask is exact (a subtraction may borrow into the byte above): LEX_SIMD is 0.
 *
 * Wider registers would bring little: nearly all keys, strings and numbers of events end within
 * sixteen bytes.
 *
 * Nothing is read past the text's end: the last block is the text's last bytes, its mask shifted
 * into place; a text shorter than a block is looked at byte by byte.
 */
#ifndef SLUICE_LEX_BLOCK_H
#define SLUICE_LEX_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(SLUICE_PORTABLE)
#include <emmintrin.h>
#define LEX_SSE2 1
#define LEX_SIMD 1
#elif defined(__ARM_NEON) && defined(__aarch64__) && !defined(SLUICE_PORTABLE)
#include <arm_neon.h>
#define LEX_NEON 1
#define LEX_SIMD 1
#else
#define LEX_SIMD 0
#endif

#if defined(LEX_SSE2)

enum { LEX_BLOCK = 16, LEX_STEP = 1 };
typedef __m128i lex_block;

static inline lex_block lex_load(const unsigned char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* '"', '\\', a control character, or not ASCII: as a signed byte that is below ' ', so that the
 * difference, which does not wrap, has the bit that movemask takes. */
static inline uint64_t lex_special(lex_block block)
{
	__m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
	__m128i backslash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
	__m128i other = _mm_subs_epi8(block, _mm_set1_epi8(' '));

	return (uint32_t)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), other));
}

static inline uint64_t lex_not_digit(lex_block block)
{
	__m128i value = _mm_sub_epi8(block, _mm_set1_epi8('0'));
	__m128i digit = _mm_cmpeq_epi8(_mm_min_epu8(value, _mm_set1_epi8(9)), value);

	return (uint32_t)_mm_movemask_epi8(digit) ^ 0xFFFFu;
}

static inline uint64_t lex_dot(lex_block block)
{
	return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8('.')));
}

/* A mark for each byte in which two blocks differ. */
static inline uint64_t lex_differ(lex_block a, lex_block b)
{
	return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b)) ^ 0xFFFFu;
}

#elif defined(LEX_NEON)

enum { LEX_BLOCK = 16, LEX_STEP = 4 };
typedef uint8x16_t lex_block;

static inline lex_block lex_load(const unsigned char *p)
{
	return vld1q_u8(p);
}

/* NEON has no movemask; this narrowing, to four bits for each byte, is its cheapest like. */
static inline uint64_t lex_narrow(uint8x16_t marks)
{
	uint8x8_t nibbles = vshrn_n_u16(vreinterpretq_u16_u8(marks), 4);

	return vget_lane_u64(vreinterpret_u64_u8(nibbles), 0) & UINT64_C(0x1111111111111111);
}

static inline uint64_t lex_special(lex_block block)
{
	uint8x16_t quote = vceqq_u8(block, vdupq_n_u8('"'));
	uint8x16_t backslash = vceqq_u8(block, vdupq_n_u8('\\'));
	uint8x16_t other = vcltq_s8(vreinterpretq_s8_u8(block), vdupq_n_s8(' '));

	return lex_narrow(vorrq_u8(vorrq_u8(quote, backslash), other));
}

static inline uint64_t lex_not_digit(lex_block block)
{
	return lex_narrow(vcgtq_u8(vsubq_u8(block, vdupq_n_u8('0')), vdupq_n_u8(9)));
}

static inline uint64_t lex_dot(lex_block block)
{
	return lex_narrow(vceqq_u8(block, vdupq_n_u8('.')));
}

static inline uint64_t lex_differ(lex_block a, lex_block b)
{
	return lex_narrow(vmvnq_u8(vceqq_u8(a, b)));
}

#else

enum { LEX_BLOCK = 8, LEX_STEP = 8 };
typedef uint64_t lex_block;

#define LEX_ONES  UINT64_C(0x0101010101010101)
#define LEX_HIGHS UINT64_C(0x8080808080808080)

/* Eight bytes, the first one lowest, whatever the machine's order. */
static inline lex_block lex_load(const unsigned char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

static inline uint64_t lex_special(lex_block word)
{
	uint64_t quote = word ^ (LEX_ONES * '"');
	uint64_t backslash = word ^ (LEX_ONES * '\\');

	return ((word - LEX_ONES * 0x20) | (quote - LEX_ONES) | (backslash - LEX_ONES) | word) &
	       LEX_HIGHS;
}

static inline uint64_t lex_not_digit(lex_block word)
{
	return ((word + LEX_ONES * (0x7F - '9')) | (word - LEX_ONES * '0') | word) & LEX_HIGHS;
}

static inline uint64_t lex_dot(lex_block word)
{
	uint64_t dot = word ^ (LEX_ONES * '.');

	return (dot - LEX_ONES) & ~dot & LEX_HIGHS;
}

/* The marks are the bits that differ, not the bytes' highest. */
static inline uint64_t lex_differ(lex_block a, lex_block b)
{
	return a ^ b;
}

#undef LEX_ONES
#undef LEX_HIGHS

#endif

/* The block at p, with bytes that are special and no digits behind the text's end. */
static inline lex_block lex_load_short(const unsigned char *p, const unsigned char *end)
{
	unsigned char copy[LEX_BLOCK] = { 0 };

	for (size_t i = 0; i < (size_t)(end - p); i++)
		copy[i] = p[i];
	return lex_load(copy);
}

/*
 * The masks of what stands at p, fewer than LEX_BLOCK bytes before the end, with a mark at the end.
 * They are read off the text's last block, whose first bytes are before p; `begin` is where the
 * text begins.
 */
#define LEX_COLD __attribute__((noinline, cold, unused)) /* once or twice a text */
#if LEX_SIMD
#define LEX_TAIL(name)                                                                             \
	static LEX_COLD uint64_t name##_tail(const unsigned char *p, const unsigned char *begin,   \
	                                     const unsigned char *end)                             \
	{                                                                                          \
		size_t left = (size_t)(end - p);                                                   \
		if (end - begin < LEX_BLOCK || left == 0)                                          \
			return name(lex_load_short(p, end));                                       \
		return name(lex_load(end - LEX_BLOCK)) >> (LEX_BLOCK - left) * LEX_STEP |          \
		       UINT64_C(1) << left * LEX_STEP;                                             \
	}
#else
#define LEX_TAIL(name)                                                                             \
	static LEX_COLD uint64_t name##_tail(const unsigned char *p, const unsigned char *begin,   \
	                                     const unsigned char *end)                             \
	{                                                                                          \
		size_t left = (size_t)(end - p);                                                   \
		if (end - begin < LEX_BLOCK || left == 0)                                          \
			return name(lex_load_short(p, end));                                       \
		return name(lex_load(end - LEX_BLOCK) >> (LEX_BLOCK - left) * LEX_STEP);           \
	}

#endif
LEX_TAIL(lex_special)
LEX_TAIL(lex_not_digit)
#undef LEX_TAIL
#undef LEX_COLD

static inline uint64_t lex_special_at(const unsigned char *p, const unsigned char *begin,
                                      const unsigned char *end)
{
	return end - p >= LEX_BLOCK ? lex_special(lex_load(p)) : lex_special_tail(p, begin, end);
}

static inline uint64_t lex_not_digit_at(const unsigned char *p, const unsigned char *begin,
                                        const unsigned char *end)
{
	return end - p >= LEX_BLOCK ? lex_not_digit(lex_load(p))
	                            : lex_not_digit_tail(p, begin, end);
}

/* How many bytes stand before the first mark of a mask that has one. */
static inline size_t lex_first(uint64_t mask)
{
	return (size_t)__builtin_ctzll(mask) / LEX_STEP;
}

/* Where a text of `len` bytes ends in its last block: what lex_same is to be told. */
static inline unsigned lex_rest(size_t len)
{
	return 64 - ((unsigned)(len - 1) % LEX_BLOCK + 1) * LEX_STEP;
}

/*
 * Whether the first `len` bytes at both places are equal, of which there is at least one. Whole
 * blocks are read there, as many as the bytes reach into.
 */
static inline bool lex_same(const unsigned char *a, const unsigned char *b, size_t len,
                            unsigned rest)
{
	for (; len > LEX_BLOCK; len -= LEX_BLOCK, a += LEX_BLOCK, b += LEX_BLOCK)
		if (lex_differ(lex_load(a), lex_load(b)) != 0)
			return false;
	return lex_differ(lex_load(a), lex_load(b)) << rest == 0;
}

#endif
