/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "address.h"

/* Reads a dotted quad that fills all of text. */
static bool read_ipv4(struct sluice_str text, uint8_t out[4])
{
	size_t at = 0;
	for (int part = 0; part < 4; part++) {
		if (part > 0 && (at == text.len || text.data[at++] != '.'))
			return false;
		size_t start = at;
		unsigned value = 0;
		while (at < text.len && text.data[at] >= '0' && text.data[at] <= '9') {
			value = value * 10 + (unsigned)(text.data[at++] - '0');
			if (at - start > 3 || value > 255)
				return false;
		}
		if (at == start || (text.data[start] == '0' && at - start > 1))
			return false;
		out[part] = (uint8_t)value;
	}
	return at == text.len;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Reads one to four hexadecimal digits at *at and moves past them. */
static bool read_group(struct sluice_str text, size_t *at, uint8_t out[2])
{
	size_t start = *at;
	unsigned value = 0;
	while (*at < text.len && *at - start < 4 && hex_digit(text.data[*at]) >= 0)
		value = value << 4 | (unsigned)hex_digit(text.data[(*at)++]);
	out[0] = (uint8_t)(value >> 8);
	out[1] = (uint8_t)value;
	return *at > start;
}

/* Whether what stands at `at` up to the end has a dot before any colon: an embedded IPv4 address.
 */
static bool dotted(struct sluice_str text, size_t at)
{
	while (at < text.len && text.data[at] != ':' && text.data[at] != '.')
		at++;
	return at < text.len && text.data[at] == '.';
}

static bool read_ipv6(struct sluice_str text, uint8_t out[16])
{
	uint8_t bytes[16];
	size_t filled = 0;     /* bytes read, those behind "::" too */
	size_t gap = SIZE_MAX; /* bytes that were read before "::" */
	size_t at = 0;
	if (text.len >= 2 && text.data[0] == ':' && text.data[1] == ':') {
		gap = 0;
		at = 2;
	}
	while (at < text.len) {
		if (filled >= 16)
			return false;
		if (dotted(text, at)) {
			struct sluice_str rest = { text.data + at, text.len - at };
			if (filled > 12 || !read_ipv4(rest, bytes + filled))
				return false;
			filled += 4;
			at = text.len;
			break;
		}
		if (!read_group(text, &at, bytes + filled))
			return false;
		filled += 2;
		if (at == text.len)
			break;
		if (text.data[at++] != ':' || at == text.len)
			return false;
		if (text.data[at] == ':') {
			if (gap != SIZE_MAX)
				return false;
			gap = filled;
			at++;
		}
	}
	if (gap == SIZE_MAX ? filled != 16 : filled > 14)
		return false;
	memset(out, 0, 16);
	if (gap == SIZE_MAX)
		gap = filled;
	memcpy(out, bytes, gap);
	memcpy(out + 16 - (filled - gap), bytes + gap, filled - gap);
	return true;
}

bool sluice_address_read(struct sluice_str text, struct sluice_address *address)
{
	memset(address, 0, sizeof(*address));
	/* The longest spelling is eight groups, the last two as 255.255.255.255: 45 bytes. */
	if (text.len < 2 || text.len > 45)
		return false;
	if (memchr(text.data, ':', text.len)) {
		address->family = 6;
		return read_ipv6(text, address->bytes);
	}
	address->family = 4;
	return read_ipv4(text, address->bytes);
}

bool sluice_address_mapped(const struct sluice_address *address, struct sluice_address *mapped)
{
	static const uint8_t prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	if (address->family != 6 || memcmp(address->bytes, prefix, sizeof(prefix)) != 0)
		return false;
	struct sluice_address inner = { .family = 4 };
	memcpy(inner.bytes, address->bytes + sizeof(prefix), 4);
	*mapped = inner;
	return true;
}

bool sluice_address_same_block(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8;
	if (memcmp(a, b, whole) != 0)
		return false;
	unsigned rest = bits % 8;
	return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}
