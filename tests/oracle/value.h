/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The oracle's comparisons: numbers digit by digit, folded text, wildcards, addresses, topics. */
#ifndef ORACLE_VALUE_H
#define ORACLE_VALUE_H

#include "tree.h"

/* A decimal number: sign * 0.d1 d2 d3 ... * 10^exponent; d1 and the last digit are not '0'. */
struct oracle_number {
	int sign; /* -1, 0, 1; zero has no digits */
	int64_t exponent;
	char *digits;
	size_t count;
};
void oracle_number_read(struct oracle_pool *pool, struct oracle_text text,
                        struct oracle_number *number);
int oracle_number_compare(const struct oracle_number *a, const struct oracle_number *b);

/* Unicode simple case folding of one character. */
uint32_t oracle_fold(uint32_t c);

/* Whether text has `part` at `at`, folded on both sides where asked. */
bool oracle_text_has(struct oracle_text text, size_t at, struct oracle_text part, bool fold);

/* Whether a wildcard is well-formed; the number of its stars. */
bool oracle_wildcard_valid(struct oracle_text wildcard, size_t *stars);
bool oracle_wildcard_matches(struct oracle_text wildcard, struct oracle_text text);

struct oracle_address {
	int family; /* 4 or 6 */
	unsigned char bytes[16];
};
bool oracle_address_read(struct oracle_text text, struct oracle_address *address);
/* "address/bits" */
bool oracle_cidr_read(struct oracle_text text, struct oracle_address *address, unsigned *bits);
bool oracle_cidr_matches(const struct oracle_address *block, unsigned bits,
                         struct oracle_text text);

bool oracle_topic_filter_valid(struct oracle_text filter);
bool oracle_topic_matches(struct oracle_text filter, struct oracle_text topic);

#endif
