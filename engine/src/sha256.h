/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* SHA-256 (FIPS 180-4), for what must be told apart though anybody may choose it. */
#ifndef SLUICE_SHA256_H
#define SLUICE_SHA256_H

#include "sluice/types.h"

enum { SLUICE_SHA256_BYTES = 32, SLUICE_SHA256_BLOCK = 64 };

/* Some 4 ns a byte without the processor's help. */
void sluice_sha256(struct sluice_str text, unsigned char hash[SLUICE_SHA256_BYTES]);

/* The same of a text that comes in pieces: init, add for each, end. */
struct sluice_sha256 {
	uint32_t state[8];
	uint64_t len;                             /* of all so far */
	unsigned char block[SLUICE_SHA256_BLOCK]; /* its last len % SLUICE_SHA256_BLOCK bytes */
};

void sluice_sha256_init(struct sluice_sha256 *sha256);
void sluice_sha256_add(struct sluice_sha256 *sha256, struct sluice_str piece);
void sluice_sha256_end(struct sluice_sha256 *sha256, unsigned char hash[SLUICE_SHA256_BYTES]);

#endif
