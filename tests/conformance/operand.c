/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "operand.h"

#include <stdio.h>

#include "../oracle/value.h"

struct oracle_text operand_part(struct maker *m, struct oracle_text chars, bool from_start)
{
	size_t len = maker_below(m, chars.len + 1);
	return (struct oracle_text){ chars.chars + (from_start ? 0 : chars.len - len), len };
}

struct oracle_text operand_recased(struct maker *m, struct oracle_text chars)
{
	static const uint32_t pairs[][2] = { { 0xc9, 0xe9 },    { 0xdf, 0x1e9e },
		                             { 0x3c3, 0x3c2 },  { 0x3a3, 0x3c3 },
		                             { 'K', 0x212a },   { 'S', 0x17f },
		                             { 0x23a, 0x2c65 }, { 0x10400, 0x10428 } };
	struct oracle_text out = { oracle_alloc(m->pool, (chars.len + 1) * sizeof(uint32_t)),
		                   chars.len };
	for (size_t i = 0; i < chars.len; i++) {
		uint32_t c = chars.chars[i];
		if (maker_chance(m, 50) && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
			c ^= 0x20;
		for (size_t k = 0; k < sizeof(pairs) / sizeof(*pairs); k++) {
			if (c == pairs[k][0] || c == pairs[k][1]) {
				c = pairs[k][maker_below(m, 2)];
				break;
			}
		}
		out.chars[i] = c;
	}
	return out;
}

struct oracle_text operand_wildcard(struct maker *m, struct oracle_text chars)
{
	struct oracle_text out = { oracle_alloc(m->pool, (chars.len * 3 + 2) * sizeof(uint32_t)),
		                   0 };
	for (size_t i = 0; i <= chars.len; i++) {
		bool after_star = out.len && out.chars[out.len - 1] == '*' &&
		                  (out.len < 2 || out.chars[out.len - 2] != '\\');
		if (!after_star && maker_chance(m, 30)) {
			out.chars[out.len++] = '*';
			i += maker_chance(m, 50) ? maker_below(m, 3) : 0;
		}
		if (i >= chars.len)
			break;
		if (chars.chars[i] == '*' || chars.chars[i] == '\\')
			out.chars[out.len++] = '\\';
		out.chars[out.len++] = chars.chars[i];
	}
	return out;
}

static struct oracle_text some_filter(struct maker *m)
{
	static const char *const filters[] = { "#",   "+",  "a/#", "a/+",    "+/b",   "+/+",
		                               "a/b", "/+", "a/",  "$SYS/#", "+/b/#", "#a" };
	return make_word(m, filters[maker_below(m, maker_chance(m, 98) ? 11 : 12)]);
}

struct oracle_text operand_filter(struct maker *m, struct oracle_text chars)
{
	struct oracle_text out = { oracle_alloc(m->pool, (chars.len + 2) * sizeof(uint32_t)), 0 };
	if (chars.len == 0 || maker_chance(m, 20))
		return some_filter(m);
	for (size_t i = 0; i <= chars.len; i++) {
		bool level = i == 0 || chars.chars[i - 1] == '/';
		if (level && maker_chance(m, 30)) {
			bool all = maker_chance(m, 40);
			out.chars[out.len++] = all ? '#' : '+';
			if (all)
				break;
			while (i < chars.len && chars.chars[i] != '/')
				i++;
		}
		if (i < chars.len)
			out.chars[out.len++] = chars.chars[i];
	}
	return out;
}

struct oracle_text operand_block(struct maker *m, struct oracle_text address)
{
	static const unsigned lengths[] = { 0, 1, 8, 9, 24, 31, 32, 33, 64, 96, 127, 128 };
	struct oracle_text mapped = make_word(m, "::ffff:");
	if (maker_chance(m, 20)) {
		address = some_address(m);
	} else if (oracle_text_has(address, 0, mapped, false) && maker_chance(m, 60)) {
		address.chars += mapped.len;
		address.len -= mapped.len;
	}
	bool colon = false;
	for (size_t i = 0; i < address.len; i++)
		colon = colon || address.chars[i] == ':';
	unsigned length = lengths[maker_below(m, maker_chance(m, 2) || colon ? 12 : 7)];
	char text[16];
	snprintf(text, sizeof(text), maker_chance(m, 99) ? "/%u" : "/0%u", length);
	struct oracle_text slash = make_word(m, text);
	struct oracle_text block = { oracle_alloc(m->pool,
		                                  (address.len + slash.len) * sizeof(uint32_t)),
		                     address.len + slash.len };
	for (size_t i = 0; i < block.len; i++)
		block.chars[i] = i < address.len ? address.chars[i] : slash.chars[i - address.len];
	return block;
}
