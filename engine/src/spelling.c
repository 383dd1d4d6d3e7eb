/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "spelling.h"

void sluice_spellings_begin(struct sluice_spellings *spellings, uint64_t generation)
{
	if (spellings->generation != generation) {
		spellings->generation = generation;
		if (++spellings->epoch == 0) {
			memset(spellings->all, 0, sizeof(spellings->all));
			spellings->epoch = 1;
		}
	}
	spellings->credit += SLUICE_SPELLING_INCOME;
	if (spellings->credit > SLUICE_SPELLING_CREDIT)
		spellings->credit = SLUICE_SPELLING_CREDIT;
}

/* The first of the two places of what begins so: by eight bytes, but none behind the key. */
static uint16_t place_of(uint64_t tag, const unsigned char *p)
{
	uint64_t word = 0;
	unsigned quotes = 0;

	for (unsigned i = 0; i < sizeof(word) && quotes < 2; i++) {
		word = word << 8 | p[i];
		quotes += p[i] == '"';
	}
	uint64_t hash = sluice_hash_mix(word ^ SLUICE_HASH_A, tag ^ SLUICE_HASH_C) & UINT32_MAX;
	if (*p == '{')
		return SLUICE_SPELLING_PLACES + (uint16_t)(hash * SLUICE_SPELLING_FIRSTS >> 32);
	return SLUICE_SPELLING_PLACES + SLUICE_SPELLING_FIRSTS +
	       (uint16_t)(hash * SLUICE_SPELLING_OTHERS >> 32);
}

static uint16_t other_place(uint16_t place)
{
	_Static_assert(
	        (SLUICE_SPELLING_PLACES | SLUICE_SPELLING_FIRSTS | SLUICE_SPELLING_OTHERS) % 2 == 0,
	        "places are pairs");
	return place ^ 1;
}

static struct sluice_spelling *put_first(struct sluice_spellings *spellings, uint16_t links[2],
                                         uint16_t place)
{
	links[1] = links[0];
	links[0] = place;
	return &spellings->all[place];
}

struct sluice_spelling *sluice_spellings_find(struct sluice_spellings *spellings, uint16_t links[2],
                                              uint64_t tag, const unsigned char *p)
{
	uint16_t place = links[1];

	if (sluice_spelling_is(&spellings->all[place], tag, p))
		return put_first(spellings, links, place);
	place = place_of(tag, p);
	if (sluice_spelling_is(&spellings->all[place], tag, p))
		return put_first(spellings, links, place);
	place = other_place(place);
	if (sluice_spelling_is(&spellings->all[place], tag, p))
		return put_first(spellings, links, place);
	spellings->credit--;
	return NULL;
}

struct sluice_spelling *sluice_spellings_learn(struct sluice_spellings *spellings,
                                               uint16_t links[2], uint64_t tag,
                                               const unsigned char *text, const unsigned char *end)
{
	size_t len = (size_t)(end - text);

	if (len > SLUICE_SPELLING_TEXT)
		return &spellings->all[SLUICE_SPELLING_NONE];
	uint16_t place = place_of(tag, text);
	if (spellings->all[place].tag >> 32 == spellings->epoch)
		place = other_place(place);
	struct sluice_spelling *spelling = &spellings->all[place];
	*spelling = (struct sluice_spelling){ .tag = tag,
		                              .len = (uint16_t)len,
		                              .rest = (uint16_t)lex_rest(len) };
	memcpy(spelling->text, text, len);
	return put_first(spellings, links, place);
}
