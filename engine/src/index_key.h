/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Under which hash an entry is kept, and how a leaf finds it: what the two sides of the index
 * (index.c keeps, probe.c looks up) must agree on.
 *
 * A hash is a walk (over the words of a text from its beginning or its end, or over the levels of a
 * topic, begun with the path's seed) closed with the length and the kind, so that one walk serves
 * all lengths.
 */
#ifndef SLUICE_INDEX_KEY_H
#define SLUICE_INDEX_KEY_H

#include "hash.h"
#include "index.h"

enum sluice_key_kind {
	SLUICE_KEY_VALUE,    /* by the whole value */
	SLUICE_KEY_AFFIX,    /* by a beginning or end of it */
	SLUICE_KEY_WILDCARD, /* by a piece */
	SLUICE_KEY_SHAPE,    /* by the literal levels of a topic filter */
	SLUICE_KEY_RANGE,    /* by order */
	SLUICE_KEY_DIRECT,   /* by the kind alone */
	SLUICE_KEY_LIST,     /* tried one by one */
};

struct sluice_key {
	enum sluice_key_kind kind;
	enum sluice_affix affix;   /* of _AFFIX */
	uint32_t length;           /* of _AFFIX */
	struct sluice_shape shape; /* of _SHAPE; entries is 0 */
};

struct sluice_key sluice_key_of(const struct sluice_predicate *predicate);

/* The hash of an entry at the path. */
uint64_t sluice_key_hash(const struct sluice_path_node *node,
                         const struct sluice_predicate *predicate);

bool sluice_shape_equal(const struct sluice_shape *a, const struct sluice_shape *b);

/* A walk over a text, as far as whole words. */
struct sluice_walk {
	uint64_t hash;
	size_t at;
};

/* The hash of the first `length` bytes of a text, for a walk that has not gone past them. */
static inline uint64_t sluice_key_beginning(struct sluice_walk *walk, struct sluice_str text,
                                            size_t length, unsigned kind)
{
	for (; length - walk->at >= 8; walk->at += 8)
		walk->hash = sluice_hash_step(walk->hash, sluice_word(text.data + walk->at));
	return sluice_hash_close(walk->hash,
	                         sluice_word_part(text.data + walk->at, length - walk->at),
	                         length | (uint64_t)kind << 40);
}

/* The hash of the last `length` bytes. */
static inline uint64_t sluice_key_end(struct sluice_walk *walk, struct sluice_str text,
                                      size_t length, unsigned kind)
{
	const char *end = text.data + text.len;

	for (; length - walk->at >= 8; walk->at += 8)
		walk->hash = sluice_hash_step(walk->hash, sluice_word(end - walk->at - 8));
	return sluice_hash_close(walk->hash, sluice_word_part(end - length, length - walk->at),
	                         length | (uint64_t)kind << 40);
}

/* What tells the hashes of a wildcard's pieces from those of entries. */
static inline unsigned sluice_key_piece_kind(enum sluice_affix affix)
{
	return SLUICE_OP_COUNT + (unsigned)affix;
}

/* The hash of a piece between stars, of at most SLUICE_INNER_BYTES. */
static inline uint64_t sluice_key_inner(const struct sluice_path_node *node, const char *piece,
                                        size_t length)
{
	return sluice_hash_mix(node->seed ^ sluice_word_part(piece, length),
	                       SLUICE_HASH_B ^ length);
}

/* A piece of a wildcard, and how many events it is expected to find it for, in no unit. */
struct sluice_piece {
	uint64_t hash;
	enum sluice_affix affix; /* SLUICE_AFFIX_NONE: there is none */
	uint32_t length;
	double cost;
};

/* The piece that a wildcard is best found by: a long one, that finds few others. */
struct sluice_piece sluice_piece_choose(const struct sluice_entries *entries,
                                        const struct sluice_entry *entry);

/* The place of an inner piece in its path's filter: a word, and the bit of it. */
static inline uint64_t *sluice_key_filter(const struct sluice_index *index, uint64_t hash)
{
	return &index->inner_filter[hash >> (64 - SLUICE_INNER_FILTER_BITS) >> 6];
}

static inline uint64_t sluice_key_filter_bit(uint64_t hash)
{
	return UINT64_C(1) << (hash >> (64 - SLUICE_INNER_FILTER_BITS)) % 64;
}

/* An address as two numbers. */
struct sluice_key_words {
	uint64_t first, second;
};

static inline uint64_t sluice_key_word(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

static inline struct sluice_key_words sluice_key_words(const uint8_t address[16])
{
	return (struct sluice_key_words){ sluice_key_word(address), sluice_key_word(address + 8) };
}

/* The hash of the first `bits` bits of an address. */
static inline uint64_t sluice_key_block(const struct sluice_path_node *node,
                                        struct sluice_key_words address, uint32_t bits)
{
	uint64_t hash = node->seed;

	if (bits > 64) {
		hash = sluice_hash_step(hash, address.first);
		address.first = address.second;
	}
	if (bits % 64 != 0)
		address.first &= ~UINT64_C(0) << (64 - bits % 64);
	else if (bits == 0)
		address.first = 0;
	return sluice_hash_close(hash, address.first, bits | (uint64_t)SLUICE_OP_CIDR << 40);
}

/*
 * The 32 bits of an address by which checks tell blocks apart: all of IPv4, the second 32 of IPv6, of
 * which the first are those of a network that all events come from. `bits` of the address are known:
 * *mask gets which of the result's are.
 */
uint32_t sluice_key_address(unsigned family, const uint8_t *address, uint32_t bits, uint32_t *mask);

/*
 * The levels of a topic or filter, each hashed by itself: at most SLUICE_SHAPE_LEVELS of them.
 * Returns how many there are.
 */
uint32_t sluice_key_levels(struct sluice_str topic, uint64_t hashes[SLUICE_SHAPE_LEVELS]);

/* The hash of the levels that a shape leaves closed. */
uint64_t sluice_key_shape(const struct sluice_path_node *node, const struct sluice_shape *shape,
                          const uint64_t hashes[SLUICE_SHAPE_LEVELS]);

#endif
