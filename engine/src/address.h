/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Internet addresses as text, read strictly: what another program might read differently is none.
 */
#ifndef SLUICE_ADDRESS_H
#define SLUICE_ADDRESS_H

#include <stdbool.h>

#include "sluice/types.h"

struct sluice_address {
	uint8_t family;    /* 4 or 6 */
	uint8_t bytes[16]; /* in network order; an IPv4 address fills the first four */
};

/*
 * IPv4: four decimal numbers 0 to 255 without leading zeros (RFC 6943, section 3.1.1: what "010"
 * means depends on who reads it). IPv6 as in RFC 4291, section 2.2: one to four hexadecimal
 * digits a group, at most one "::", which stands for at least one group, an IPv4 address in place
 * of the last two. No zone id, no brackets, no blanks. False when text is neither.
 */
bool sluice_address_read(struct sluice_str text, struct sluice_address *address);

/* True, with the IPv4 address in *mapped (which may be address), when address is ::ffff:a.b.c.d
 * (RFC 4291, section 2.5.5.2). */
bool sluice_address_mapped(const struct sluice_address *address, struct sluice_address *mapped);

/* Whether the first `bits` bits of both are the same. */
bool sluice_address_same_block(const uint8_t *a, const uint8_t *b, unsigned bits);

#endif
