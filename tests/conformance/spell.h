/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Writes a JSON tree as text: plainly, or in a random one of its many spellings. */
#ifndef SPELL_H
#define SPELL_H

#include "../oracle/tree.h"

/* Random numbers that are the same for the same seed everywhere (splitmix64). */
struct dice {
	uint64_t state;
};
uint64_t dice_roll(struct dice *dice);
/* 0 … sides - 1 */
size_t dice_below(struct dice *dice, size_t sides);
/* True `percent` times of 100. */
bool dice_chance(struct dice *dice, unsigned percent);

/* dice NULL: plainly (no spaces, only the escapes that must be). NUL-terminated. */
struct sluice_str spell(struct oracle_pool *pool, const struct oracle_json *json,
                        struct dice *dice);

#endif
