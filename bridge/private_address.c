/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "private_address.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

/* IANA's registries of special-purpose addresses (RFC 6890), those that are not globally reachable. */
static const struct {
	uint32_t address;
	unsigned bits;
} ranges4[] = {
	{ 0x00000000, 8 },  /* 0.0.0.0/8: this host; Linux connects to itself by it */
	{ 0x0a000000, 8 },  /* 10.0.0.0/8 */
	{ 0x64400000, 10 }, /* 100.64.0.0/10: shared by providers */
	{ 0x7f000000, 8 },  /* 127.0.0.0/8 */
	{ 0xa9fe0000, 16 }, /* 169.254.0.0/16: link-local, the clouds' metadata services */
	{ 0xac100000, 12 }, /* 172.16.0.0/12 */
	{ 0xc0000000, 24 }, /* 192.0.0.0/24: protocol assignments */
	{ 0xc0000200, 24 }, /* 192.0.2.0/24: documentation, as the two below */
	{ 0xc0a80000, 16 }, /* 192.168.0.0/16 */
	{ 0xc6120000, 15 }, /* 198.18.0.0/15: benchmarks */
	{ 0xc6336400, 24 }, /* 198.51.100.0/24 */
	{ 0xcb007100, 24 }, /* 203.0.113.0/24 */
	{ 0xe0000000, 3 },  /* 224.0.0.0/4 multicast, 240.0.0.0/4 reserved, broadcast */
};

static bool private4(uint32_t address)
{
	for (size_t i = 0; i < sizeof(ranges4) / sizeof(ranges4[0]); i++) {
		if ((address ^ ranges4[i].address) >> (32 - ranges4[i].bits) == 0)
			return true;
	}
	return false;
}

static uint32_t inner4(const unsigned char *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static bool private6(const unsigned char a[16])
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff }; /* ::ffff:0:0/96 */
	static const unsigned char nat64[12] = { 0, 0x64, 0xff, 0x9b };       /* 64:ff9b::/96 */
	if (memcmp(a, mapped, sizeof(mapped)) == 0 || memcmp(a, nat64, sizeof(nat64)) == 0)
		return private4(inner4(a + 12));
	if (a[0] == 0x20 && a[1] == 0x02) /* 2002::/16, 6to4 */
		return private4(inner4(a + 2));
	/* Only 2000::/3 is given out as global; of it, 2001::/23 is for protocols (Teredo, which hides an
	 * IPv4 address, is in it), 2001:db8::/32 for documentation. What lies outside of 2000::/3 are ::1,
	 * fc00::/7, fe80::/10, ff00::/8 and what nobody has. */
	if ((a[0] & 0xe0) != 0x20)
		return true;
	return a[0] == 0x20 && a[1] == 0x01 &&
	       ((a[2] & 0xfe) == 0 || (a[2] == 0x0d && a[3] == 0xb8));
}

bool address_is_private(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, address, sizeof(in));
		return private4(ntohl(in.sin_addr.s_addr));
	}
	if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, address, sizeof(in6));
		return private6(in6.sin6_addr.s6_addr);
	}
	return true;
}

bool address_text_is_private(const char *text)
{
	struct in_addr in;
	if (inet_pton(AF_INET, text, &in) == 1)
		return private4(ntohl(in.s_addr));
	struct in6_addr in6;
	if (inet_pton(AF_INET6, text, &in6) == 1)
		return private6(in6.s6_addr);
	return true;
}
