/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "value.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define MAX_EXPONENT INT64_C(1000000000000000000)

void oracle_number_read(struct oracle_pool *pool, struct oracle_text text,
                        struct oracle_number *number)
{
	size_t i = 0;
	bool point = false;
	*number = (struct oracle_number){ .sign = 1 };
	number->digits = oracle_alloc(pool, text.len + 1);
	if (text.len && text.chars[0] == '-') {
		number->sign = -1;
		i++;
	}
	for (; i < text.len && text.chars[i] != 'e' && text.chars[i] != 'E'; i++) {
		if (text.chars[i] == '.') {
			point = true;
			continue;
		}
		if (number->count == 0 && text.chars[i] == '0') {
			number->exponent -= point;
			continue;
		}
		number->digits[number->count++] = (char)text.chars[i];
		number->exponent += !point;
	}
	while (number->count && number->digits[number->count - 1] == '0')
		number->count--;
	if (number->count == 0) {
		*number = (struct oracle_number){ 0 };
		return;
	}
	int64_t written = 0;
	bool negative = false;
	for (i++; i < text.len; i++) {
		if (text.chars[i] == '-')
			negative = true;
		else if (text.chars[i] != '+' && written < 4 * MAX_EXPONENT / 10)
			written = written * 10 + (int64_t)(text.chars[i] - '0');
		else if (text.chars[i] != '+')
			written = 4 * MAX_EXPONENT;
	}
	number->exponent += negative ? -written : written;
	if (number->exponent > MAX_EXPONENT)
		number->exponent = MAX_EXPONENT;
	if (number->exponent < -MAX_EXPONENT)
		number->exponent = -MAX_EXPONENT;
}

static int compare_magnitude(const struct oracle_number *a, const struct oracle_number *b)
{
	if (a->exponent != b->exponent)
		return a->exponent < b->exponent ? -1 : 1;
	for (size_t i = 0; i < a->count || i < b->count; i++) {
		char x = i < a->count ? a->digits[i] : '0';
		char y = i < b->count ? b->digits[i] : '0';
		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

int oracle_number_compare(const struct oracle_number *a, const struct oracle_number *b)
{
	if (a->sign != b->sign)
		return a->sign < b->sign ? -1 : 1;
	return a->sign == 0 ? 0 : a->sign * compare_magnitude(a, b);
}

struct fold {
	uint32_t from, to;
};

static const struct fold folds[] = {
#include "casefold.inc"
};

static int compare_fold(const void *key, const void *element)
{
	uint32_t c = *(const uint32_t *)key;
	uint32_t from = ((const struct fold *)element)->from;
	return c < from ? -1 : c > from;
}

uint32_t oracle_fold(uint32_t c)
{
	const struct fold *fold =
	        bsearch(&c, folds, sizeof(folds) / sizeof(*folds), sizeof(*folds), compare_fold);
	return fold ? fold->to : c;
}

bool oracle_text_has(struct oracle_text text, size_t at, struct oracle_text part, bool fold)
{
	if (at > text.len || part.len > text.len - at)
		return false;
	for (size_t i = 0; i < part.len; i++) {
		uint32_t x = text.chars[at + i];
		uint32_t y = part.chars[i];
		if (fold ? oracle_fold(x) != oracle_fold(y) : x != y)
			return false;
	}
	return true;
}

bool oracle_wildcard_valid(struct oracle_text wildcard, size_t *stars)
{
	*stars = 0;
	for (size_t i = 0; i < wildcard.len; i++) {
		uint32_t next = i + 1 < wildcard.len ? wildcard.chars[i + 1] : UINT32_MAX;
		if (wildcard.chars[i] == '*') {
			if (next == '*')
				return false;
			(*stars)++;
		} else if (wildcard.chars[i] == '\\') {
			if (next != '*' && next != '\\')
				return false;
			i++;
		}
	}
	return true;
}

/* reached[i]: the part of the wildcard read so far matches the first i characters. */
bool oracle_wildcard_matches(struct oracle_text wildcard, struct oracle_text text)
{
	bool *reached = calloc(text.len + 1, sizeof(*reached));
	if (!reached)
		abort();
	reached[0] = true;
	for (size_t w = 0; w < wildcard.len; w++) {
		if (wildcard.chars[w] == '*') {
			for (size_t i = 1; i <= text.len; i++)
				reached[i] = reached[i] || reached[i - 1];
			continue;
		}
		if (wildcard.chars[w] == '\\')
			w++;
		for (size_t i = text.len; i > 0; i--)
			reached[i] = reached[i - 1] && text.chars[i - 1] == wildcard.chars[w];
		reached[0] = false;
	}
	bool whole = reached[text.len];
	free(reached);
	return whole;
}

/* The text as ASCII in buf; false when it is no ASCII, has a NUL or is too long. */
static bool to_ascii(struct oracle_text text, char *buf, size_t size)
{
	if (text.len >= size)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.chars[i] == 0 || text.chars[i] > 0x7e)
			return false;
		buf[i] = (char)text.chars[i];
	}
	buf[text.len] = '\0';
	return true;
}

bool oracle_address_read(struct oracle_text text, struct oracle_address *address)
{
	char buf[64];
	memset(address, 0, sizeof(*address));
	if (!to_ascii(text, buf, sizeof(buf)))
		return false;
	address->family = strchr(buf, ':') ? 6 : 4;
	return inet_pton(address->family == 6 ? AF_INET6 : AF_INET, buf, address->bytes) == 1;
}

bool oracle_cidr_read(struct oracle_text text, struct oracle_address *address, unsigned *bits)
{
	size_t slash = 0;
	while (slash < text.len && text.chars[slash] != '/')
		slash++;
	if (slash == text.len ||
	    !oracle_address_read((struct oracle_text){ text.chars, slash }, address))
		return false;
	struct oracle_text digits = { text.chars + slash + 1, text.len - slash - 1 };
	if (digits.len < 1 || digits.len > 3 || (digits.len > 1 && digits.chars[0] == '0'))
		return false;
	*bits = 0;
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.chars[i] < '0' || digits.chars[i] > '9')
			return false;
		*bits = *bits * 10 + (digits.chars[i] - '0');
	}
	return *bits <= (address->family == 6 ? 128u : 32u);
}

bool oracle_cidr_matches(const struct oracle_address *block, unsigned bits, struct oracle_text text)
{
	static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	struct oracle_address address;
	if (!oracle_address_read(text, &address))
		return false;
	if (block->family == 4 && address.family == 6) {
		/* ::ffff:a.b.c.d is the IPv4 address a.b.c.d (RFC 4291, 2.5.5.2). */
		if (memcmp(address.bytes, mapped, sizeof(mapped)) != 0)
			return false;
		memmove(address.bytes, address.bytes + 12, 4);
		address.family = 4;
	}
	if (block->family != address.family)
		return false;
	for (unsigned i = 0; i < bits; i++) {
		unsigned char mask = (unsigned char)(0x80u >> i % 8);
		if ((block->bytes[i / 8] & mask) != (address.bytes[i / 8] & mask))
			return false;
	}
	return true;
}

/* MQTT 5.0, 1.5.4 and 4.7.3: not empty, at most 65,535 bytes of UTF-8, no NUL. */
static bool topic_text(struct oracle_text text)
{
	size_t bytes = 0;
	for (size_t i = 0; i < text.len; i++) {
		uint32_t c = text.chars[i];
		if (c == 0 || (c >= 0xd800 && c <= 0xdfff))
			return false;
		bytes += c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	}
	return bytes >= 1 && bytes <= 65535;
}

/* Cuts the next level off a topic; false when there is none left. */
static bool next_level(struct oracle_text topic, size_t *at, struct oracle_text *level)
{
	if (*at > topic.len)
		return false;
	size_t end = *at;
	while (end < topic.len && topic.chars[end] != '/')
		end++;
	*level = (struct oracle_text){ topic.chars + *at, end - *at };
	*at = end + 1;
	return true;
}

static bool text_holds(struct oracle_text text, uint32_t c)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.chars[i] == c)
			return true;
	return false;
}

bool oracle_topic_filter_valid(struct oracle_text filter)
{
	size_t at = 0;
	struct oracle_text level;
	if (!topic_text(filter))
		return false;
	for (bool first = true; next_level(filter, &at, &level); first = false) {
		if (first && at <= filter.len && oracle_text_is(level, "$share"))
			return false;
		if (text_holds(level, '+') && level.len != 1)
			return false;
		if (text_holds(level, '#') && (level.len != 1 || at <= filter.len))
			return false;
	}
	return true;
}

bool oracle_topic_matches(struct oracle_text filter, struct oracle_text topic)
{
	size_t f = 0, t = 0;
	struct oracle_text want, have;
	if (!topic_text(topic) || text_holds(topic, '+') || text_holds(topic, '#'))
		return false;
	if (topic.chars[0] == '$' && (filter.chars[0] == '+' || filter.chars[0] == '#'))
		return false;
	while (next_level(filter, &f, &want)) {
		if (oracle_text_is(want, "#"))
			return true; /* "a/#" matches "a" too (4.7.1.2) */
		if (!next_level(topic, &t, &have))
			return false;
		if (!oracle_text_is(want, "+") && !oracle_text_equal(want, have))
			return false;
	}
	return !next_level(topic, &t, &have);
}
