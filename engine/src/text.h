/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Characters: the escapes of JSON, UTF-8, and simple case folding. */
#ifndef SLUICE_TEXT_H
#define SLUICE_TEXT_H

#include <stdbool.h>

#include "sluice/types.h"

/*
 * Decodes the inside of a well-formed JSON string (between its quotes) into `out`, which has room
 * for text.len bytes (the decoded form is never longer). A pair of surrogate escapes becomes its
 * character, half a pair its three-byte form (WTF-8). Returns the decoded length.
 */
size_t sluice_text_unescape(struct sluice_str text, char *out);

/* White space of JSON (RFC 8259, section 2). */
static inline bool sluice_text_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The number of bytes of `text`, from its start, that are well-formed UTF-8 (RFC 3629): text.len
 * when all are. */
size_t sluice_text_utf8_length(struct sluice_str text);

/*
 * Unicode simple case folding (CaseFolding.txt, statuses C and S) of the character at text
 * (UTF-8 or WTF-8, never empty). *length gets the character's bytes. A byte that belongs to no
 * character is one of its own: length 1, and a value past U+10FFFF that equals no character.
 */
uint32_t sluice_text_fold_next(struct sluice_str text, size_t *length);

/* The last character of text, folded; *length gets its bytes. */
uint32_t sluice_text_fold_last(struct sluice_str text, size_t *length);

/* Writes a code point as UTF-8 (WTF-8 for a surrogate); 1 to 4 bytes. Returns how many. */
size_t sluice_text_encode(uint32_t code_point, char out[4]);

/*
 * Folds all of text into out, which has room for 2 * text.len + 4 bytes. Returns the length. Bytes
 * that belong to no character stay as they are.
 */
size_t sluice_text_fold(struct sluice_str text, char *out);

#endif
