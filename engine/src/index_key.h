/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Under which hash an entry is kept, and how a leaf finds it: what the two sides of the index
 * (index.c keeps, probe.c looks up) must agree on.
 *
 * A hash is a walk (over a text forward, backward, or over the levels of a topic, begun with the
 * path's number) closed with the kind, so that one walk serves all kinds and lengths that share it.
 */
#ifndef SLUICE_INDEX_KEY_H
#define SLUICE_INDEX_KEY_H

#include "hash.h"
#include "index.h"

static inline uint64_t sluice_hash_byte(uint64_t hash, unsigned char byte)
{
	return (hash ^ byte) * UINT64_C(0x100000001b3);
}
static inline uint64_t sluice_hash_bytes(uint64_t hash, struct sluice_str text)
{
	for (size_t i = 0; i < text.len; i++)
		hash = sluice_hash_byte(hash, (unsigned char)text.data[i]);
	return hash;
}
static inline uint64_t sluice_hash_finish(uint64_t hash)
{
	hash ^= hash >> 32;
	hash *= UINT64_C(0xd6e8feb86659fd93);
	return hash ^ hash >> 32;
}

enum sluice_key_kind {
	SLUICE_KEY_HASH,   /* by the whole value */
	SLUICE_KEY_AFFIX,  /* by a beginning or end of it */
	SLUICE_KEY_SHAPE,  /* by the literal levels of a topic filter */
	SLUICE_KEY_RANGE,  /* by order */
	SLUICE_KEY_DIRECT, /* by the kind alone */
	SLUICE_KEY_LIST,   /* tried one by one */
};

struct sluice_key {
	enum sluice_key_kind kind;
	enum sluice_affix affix;
	struct sluice_str text;    /* of _AFFIX, but for blocks */
	uint32_t length;           /* of _AFFIX */
	struct sluice_shape shape; /* of _SHAPE; entries is 0 */
};

struct sluice_key sluice_key_of(const struct sluice_predicate *predicate);

/* The hash of an entry at the path of this number. */
uint64_t sluice_key_hash(uint32_t node_id, const struct sluice_predicate *predicate);

/* Whether the entry stands in a bucket, and the hash of that. */
bool sluice_key_is_bucket(const struct sluice_key *key);
uint64_t sluice_key_bucket(uint32_t node_id, const struct sluice_key *key);

bool sluice_shape_equal(const struct sluice_shape *a, const struct sluice_shape *b);

static inline uint64_t sluice_key_close(uint64_t walked, enum sluice_operator op)
{
	return sluice_hash_finish(walked + (uint64_t)op * UINT64_C(0x9e3779b97f4a7c15));
}

static inline uint64_t sluice_key_backward(uint64_t hash, struct sluice_str text)
{
	for (size_t i = text.len; i > 0; i--)
		hash = sluice_hash_byte(hash, (unsigned char)text.data[i - 1]);
	return hash;
}

/* The walk over the first `bits` bits of an address. */
uint64_t sluice_key_block(uint32_t node_id, const uint8_t *address, uint32_t bits);

/*
 * The levels of a topic or filter, each hashed by itself: at most SLUICE_SHAPE_LEVELS of them.
 * Returns how many there are.
 */
uint32_t sluice_key_levels(struct sluice_str topic, uint64_t hashes[SLUICE_SHAPE_LEVELS]);

/* The walk over the levels that a shape leaves closed. */
uint64_t sluice_key_shape(uint32_t node_id, const struct sluice_shape *shape,
                          const uint64_t hashes[SLUICE_SHAPE_LEVELS]);

#endif
