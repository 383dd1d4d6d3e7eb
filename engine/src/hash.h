/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A hash that is fed byte by byte (FNV-1a, 64 bits, with a final mix), so that the hashes of all
 * prefixes of a string come from one walk over it. It guards no secret: equal hashes are always
 * followed by a comparison, and what is stored under them comes from rules, not from events.
 */
#ifndef SLUICE_HASH_H
#define SLUICE_HASH_H

#include "sluice/types.h"

static inline uint64_t sluice_hash_byte(uint64_t hash, unsigned char byte)
{
	return (hash ^ byte) * UINT64_C(0x100000001b3);
}

static inline uint64_t sluice_hash_start(uint64_t seed)
{
	return (seed ^ UINT64_C(0xcbf29ce484222325)) * UINT64_C(0x9e3779b97f4a7c15);
}

static inline uint64_t sluice_hash_bytes(uint64_t hash, struct sluice_str text)
{
	for (size_t i = 0; i < text.len; i++)
		hash = sluice_hash_byte(hash, (unsigned char)text.data[i]);
	return hash;
}

/* Spreads what the last bytes changed over all bits. */
static inline uint64_t sluice_hash_finish(uint64_t hash)
{
	hash ^= hash >> 32;
	hash *= UINT64_C(0xd6e8feb86659fd93);
	return hash ^ hash >> 32;
}

#endif
