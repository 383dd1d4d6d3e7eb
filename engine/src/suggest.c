/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Optimal string alignment over three rows; at most 64 × 64 steps a word. */
#include "sluice/suggest.h"

#include <stdint.h>
#include <stdio.h>

enum { MAX_WORD = 64 };

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t distance(struct sluice_str a, struct sluice_str b)
{
	size_t rows[3][MAX_WORD + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b.len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			char x = lower(a.data[i - 1]), y = lower(b.data[j - 1]);
			size_t best = min_size(last[j] + 1, row[j - 1] + 1);

			best = min_size(best, last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == lower(b.data[j - 2]) &&
			    y == lower(a.data[i - 2]))
				best = min_size(best, before[j - 2] + 1);
			row[j] = best;
		}
		size_t *spare = before;
		before = last;
		last = row;
		row = spare;
	}
	return last[b.len];
}

const char *sluice_suggest(struct sluice_str text, const char *const *words)
{
	const char *nearest = NULL;
	size_t least = SIZE_MAX;

	if (text.len == 0 || text.len > MAX_WORD)
		return NULL;
	for (; *words; words++) {
		struct sluice_str word = sluice_str(*words);
		size_t longer = word.len > text.len ? word.len : text.len;

		if (longer > MAX_WORD)
			continue;
		size_t edits = distance(text, word);
		/* As many edits as the word has letters would make any word of any other. */
		if (edits < least && edits <= (longer + 2) / 3 && edits < word.len) {
			least = edits;
			nearest = *words;
		}
	}
	return nearest;
}

char *sluice_suggest_format(struct sluice_str text, const char *const *words, char *buf,
                            size_t size)
{
	const char *word = sluice_suggest(text, words);

	if (word)
		snprintf(buf, size, ", did you mean \"%s\"?", word);
	else if (size > 0)
		buf[0] = '\0';
	return buf;
}
