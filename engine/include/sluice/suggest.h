/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* "did you mean …?": the word of a list that somebody who misspelt it may have meant. */
#ifndef SLUICE_SUGGEST_H
#define SLUICE_SUGGEST_H

#include "sluice/types.h"

/*
 * The word nearest to `text` by insertions, deletions, replacements and swaps of neighbours (case
 * costs nothing), or NULL when none is near enough: at most one edit for each three bytes of the
 * longer one, rounded up. `words` ends with NULL. Words past 64 bytes are never suggested.
 */
const char *sluice_suggest(struct sluice_str text, const char *const *words);

/*
 * Writes `, did you mean "word"?` into buf, or "" when there is nothing to suggest. Returns buf.
 * To be put at the end of a message.
 */
char *sluice_suggest_format(struct sluice_str text, const char *const *words, char *buf,
                            size_t size);

#endif
