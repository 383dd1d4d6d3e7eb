/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A hash that eats eight bytes at a time, by the folded product of two words (as wyhash and its
 * kin do):
 *
 *	text    [ word 0 ][ word 1 ] … [ rest: fewer than 8 bytes, zeros behind ]
 *	hash    close(step(step(start, word 0), word 1) …, rest, length)
 *
 * so that the hashes of all beginnings of a text come from one walk over its words. It guards no
 * secret: equal hashes are always followed by a comparison, and what is stored under them comes
 * from rules, not from events.
 */
#ifndef SLUICE_HASH_H
#define SLUICE_HASH_H

#include <stdbool.h>

#include "sluice/types.h"

#define SLUICE_HASH_A UINT64_C(0x9e3779b97f4a7c15)
#define SLUICE_HASH_B UINT64_C(0xd6e8feb86659fd93)
#define SLUICE_HASH_C UINT64_C(0xa0761d6478bd642f)

/* The halves of the 128-bit product, folded. */
static inline uint64_t sluice_hash_mix(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
	__extension__ typedef unsigned __int128 product_type;
	product_type product = (product_type)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
	uint64_t low = (a & UINT32_MAX) * (b & UINT32_MAX);
	uint64_t cross = (a >> 32) * (b & UINT32_MAX) + (low >> 32);
	uint64_t other = (a & UINT32_MAX) * (b >> 32) + (cross & UINT32_MAX);
	return ((other << 32) | (low & UINT32_MAX)) ^
	       ((a >> 32) * (b >> 32) + (cross >> 32) + (other >> 32));
#endif
}

/* Where a walk begins: another number, another walk. */
static inline uint64_t sluice_hash_start(uint64_t seed)
{
	return sluice_hash_mix(seed ^ SLUICE_HASH_A, SLUICE_HASH_B);
}

static inline uint64_t sluice_hash_step(uint64_t hash, uint64_t word)
{
	return sluice_hash_mix(hash ^ word, SLUICE_HASH_A);
}

static inline uint64_t sluice_hash_close(uint64_t hash, uint64_t rest, uint64_t length)
{
	return sluice_hash_mix(hash ^ rest, length ^ SLUICE_HASH_C);
}

static inline uint64_t sluice_word(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* A word of the fewer than eight bytes at p, which reads no others. */
static inline uint64_t sluice_word_part(const char *p, size_t len)
{
	if (len >= 4) {
		uint32_t first, last; /* they overlap, and agree where they do */
		memcpy(&first, p, sizeof(first));
		memcpy(&last, p + len - 4, sizeof(last));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		first = __builtin_bswap32(first);
		last = __builtin_bswap32(last);
#endif
		return first | (uint64_t)last << 8 * (len - 4);
	}
	if (len == 0)
		return 0;
	return (uint64_t)(unsigned char)p[0] |
	       (uint64_t)(unsigned char)p[len / 2] << 8 * (len / 2) |
	       (uint64_t)(unsigned char)p[len - 1] << 8 * (len - 1);
}

/* The hash of a whole text. */
static inline uint64_t sluice_hash_text(uint64_t start, struct sluice_str text)
{
	size_t at = 0;

	for (; text.len - at >= 8; at += 8)
		start = sluice_hash_step(start, sluice_word(text.data + at));
	return sluice_hash_close(start, sluice_word_part(text.data + at, text.len - at), text.len);
}

/* The hash of a number. */
static inline uint64_t sluice_hash_number(uint64_t number)
{
	return sluice_hash_mix(number ^ SLUICE_HASH_C, SLUICE_HASH_A);
}

/* Which hashes may be there: a bit for each that is, or was while there were others. */
struct sluice_filter {
	uint64_t bits[16];
};

static inline void sluice_filter_add(struct sluice_filter *filter, uint64_t hash)
{
	filter->bits[hash >> 60] |= UINT64_C(1) << (hash >> 54 & 63);
}

static inline bool sluice_filter_has(const struct sluice_filter *filter, uint64_t hash)
{
	return filter->bits[hash >> 60] >> (hash >> 54 & 63) & 1;
}

#endif
