/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Base64 (RFC 4648, section 4). */
#ifndef SLUICE_BASE64_H
#define SLUICE_BASE64_H

#include <stdbool.h>

#include "sluice/buffer.h"
#include "sluice/types.h"

/*
 * Decodes padded base64 into out, which has room for text.len / 4 * 3 bytes. False when a
 * character is not of the alphabet, padding is missing or misplaced, or bits that stand for
 * nothing are set (3.5).
 */
bool sluice_base64_decode(struct sluice_str text, char *out, size_t *len);

/* Bytes that size bytes take when encoded with padding. */
static inline size_t sluice_base64_length(size_t size)
{
	return (size + 2) / 3 * 4;
}

/* Encodes with padding into out, which has room for sluice_base64_length(data.len) bytes. */
void sluice_base64_encode(struct sluice_str data, char *out);

/* Appends it encoded with padding. Failure is in the buffer's `failed`. */
void sluice_buffer_append_base64(struct sluice_buffer *buf, struct sluice_str data);

#endif
