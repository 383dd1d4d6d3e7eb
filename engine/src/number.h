/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Numbers by their exact decimal value, in any spelling and of any size.
 *
 *	value = sign × 0.d1 d2 d3 … × 10^exponent, d1 not zero
 *
 *	  "-0.01250e2":   sign -1   exponent 1   digits 1 2 5
 *	                  head 1250000000000000000 (the first 19 digits, left-aligned), no tail
 *
 * Two numbers compare by sign, exponent, head and, only where all of those tie, by the digits past
 * the 19th, which are read from the text. So no float rounds, and a comparison costs a few words
 * but for numbers with long equal digits, where it costs their digits.
 */
#ifndef SLUICE_NUMBER_H
#define SLUICE_NUMBER_H

#include <stdbool.h>

#include "sluice/types.h"

/* Exponents saturate at ± this, so that none costs more than its digits. */
#define SLUICE_NUMBER_MAX_EXPONENT INT64_C(1000000000000000000)

struct lex_number;

struct sluice_number {
	int8_t sign; /* -1, 0 (zero: everything else is 0 too), 1 */
	int64_t exponent;
	uint64_t head;
	struct sluice_str tail; /* text from the 20th significant digit to the last non-zero one;
	                           may hold a '.'; empty when none. Points into the text read */
};

/* Reads a number's text, which must be well-formed by RFC 8259's grammar (the scanner has checked
 * it). */
void sluice_number_read(struct sluice_str text, struct sluice_number *number);

/*
 * The same, where the scanner has just passed it: `text` is what `lexed` was read from, and stands in
 * a text that begins at `begin`.
 */
void sluice_number_read_lexed(struct sluice_str text, const struct lex_number *lexed,
                              const unsigned char *begin, struct sluice_number *number);

/* <0, 0, >0 */
int sluice_number_compare(const struct sluice_number *a, const struct sluice_number *b);

/*
 * A key that orders as numbers do: a smaller number's is never greater. It holds the sign, the
 * decimal exponent (within ±512) and about sixteen digits.
 */
int64_t sluice_number_key(const struct sluice_number *number);

/* About the number, to fifteen digits; NaN where it is past about 1e±20. */
double sluice_number_near(const struct sluice_number *number);

/* Equal numbers have equal hashes, however spelled. */
uint64_t sluice_number_hash(const struct sluice_number *number);

#endif
