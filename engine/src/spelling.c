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

/* Of what begins so: by its key, or by what of it stands before an escape. */
static uint32_t hash_of(uint64_t tag, const unsigned char *p)
{
	unsigned at = 1;

	while (at < SLUICE_SPELLING_TEXT - 1 && p[at] != '"')
		at++;
	p += at + 1;
	uint64_t special = lex_special(lex_load(p));
	struct sluice_segment key = sluice_segment_of(
	        (struct sluice_str){ (const char *)p, special ? lex_first(special) : LEX_BLOCK });
	return (uint32_t)sluice_hash_mix(key.head ^ SLUICE_HASH_A,
	                                 key.tail ^ key.text.len * SLUICE_HASH_C ^ tag);
}

/* The first of the places of what begins so. */
static uint16_t row_of(const unsigned char *p, uint32_t hash)
{
	enum {
		FIRSTS = SLUICE_SPELLING_FIRSTS / SLUICE_SPELLING_ROW,
		OTHERS = SLUICE_SPELLING_OTHERS / SLUICE_SPELLING_ROW,
	};
	uint64_t row = *p == '{' ? (uint64_t)hash * FIRSTS >> 32
	                         : FIRSTS + ((uint64_t)hash * OTHERS >> 32);

	return (uint16_t)(SLUICE_SPELLING_PLACES + row * SLUICE_SPELLING_ROW);
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
	const uint32_t hash = hash_of(tag, p);
	place = row_of(p, hash);
	for (unsigned i = 0; i < SLUICE_SPELLING_ROW; i++, place++) {
		const struct sluice_spelling *spelling = &spellings->all[place];
		if (spelling->hash == (uint16_t)hash && sluice_spelling_is(spelling, tag, p))
			return put_first(spellings, links, place);
	}
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
	const uint32_t hash = hash_of(tag, text);
	const uint16_t row = row_of(text, hash);
	unsigned i = 0;
	while (i < SLUICE_SPELLING_ROW && spellings->all[row + i].tag >> 32 == spellings->epoch)
		i++;
	if (i == SLUICE_SPELLING_ROW)
		i = spellings->turn++ % SLUICE_SPELLING_ROW;
	uint16_t place = (uint16_t)(row + i);
	struct sluice_spelling *spelling = &spellings->all[place];
	*spelling = (struct sluice_spelling){ .tag = tag,
		                              .len = (uint8_t)len,
		                              .rest = (uint8_t)lex_rest(len),
		                              .hash = (uint16_t)hash };
	memcpy(spelling->text, text, len);
	return put_first(spellings, links, place);
}
