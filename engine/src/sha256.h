/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* SHA-256 (FIPS 180-4), for what must be told apart though anybody may choose it. */
#ifndef SLUICE_SHA256_H
#define SLUICE_SHA256_H

#include "sluice/types.h"

enum { SLUICE_SHA256_BYTES = 32 };

/* Some 4 ns a byte without the processor's help. */
void sluice_sha256(struct sluice_str text, unsigned char hash[SLUICE_SHA256_BYTES]);

#endif
