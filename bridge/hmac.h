/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* HMAC-SHA-256 (RFC 2104, FIPS 180-4), and comparing what must not be guessed byte by byte. */
#ifndef BRIDGE_HMAC_H
#define BRIDGE_HMAC_H

#include <stdbool.h>

#include "sluice/types.h"

enum { HMAC_BYTES = 32 };

/* The code of the parts, one behind the other, which need not be copied together for it. */
void hmac_sha256(struct sluice_str key, const struct sluice_str *parts, size_t count,
                 unsigned char code[HMAC_BYTES]);

/* Whether both are the same: in a time that tells their lengths, and nothing of what is in them. */
bool hmac_equal(struct sluice_str a, struct sluice_str b);

#endif
