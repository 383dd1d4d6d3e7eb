/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "maker.h"

#include <stdio.h>

bool maker_chance(struct maker *m, unsigned percent)
{
	return dice_chance(m->dice, percent);
}

size_t maker_below(struct maker *m, size_t sides)
{
	return dice_below(m->dice, sides);
}

/* --- trees --- */

struct oracle_json *make_node(struct maker *m, enum oracle_type type)
{
	struct oracle_json *json = oracle_alloc(m->pool, sizeof(*json));
	json->type = type;
	return json;
}

void maker_append(struct oracle_json *parent, struct oracle_json *child)
{
	struct oracle_json **end = &parent->first;
	while (*end)
		end = &(*end)->next;
	*end = child;
	parent->count++;
}

struct oracle_text make_text(struct maker *m, struct sluice_str bytes)
{
	struct oracle_text out;
	oracle_text_decode(m->pool, bytes, true, &out);
	return out;
}

struct oracle_text make_word(struct maker *m, const char *word)
{
	return make_text(m, sluice_str(word));
}

struct oracle_json *make_string(struct maker *m, struct oracle_text characters)
{
	struct oracle_json *json = make_node(m, ORACLE_STRING);
	json->text = characters;
	return json;
}

struct oracle_json *maker_member(struct maker *m, struct oracle_json *object, const char *key,
                                 struct oracle_json *value)
{
	value->key = make_word(m, key);
	maker_append(object, value);
	return object;
}

struct oracle_json *make_operator(struct maker *m, const char *name, struct oracle_json *operand)
{
	return maker_member(m, make_node(m, ORACLE_OBJECT), name, operand);
}

struct oracle_json *maker_find(struct oracle_json *object, struct oracle_text key)
{
	for (struct oracle_json *child = object->first; child; child = child->next)
		if (oracle_text_equal(child->key, key))
			return child;
	return NULL;
}

bool maker_insert(struct maker *m, struct oracle_json *pattern, const struct place *place,
                  struct oracle_json *value)
{
	for (size_t i = 0; i < place->count;) {
		struct oracle_text key = place->keys[i++];
		while (i < place->count && maker_chance(m, 15)) {
			struct oracle_text next = place->keys[i++];
			struct oracle_text both = { NULL, key.len + 1 + next.len };
			both.chars = oracle_alloc(m->pool, both.len * sizeof(uint32_t));
			for (size_t k = 0; k < both.len; k++)
				both.chars[k] = k < key.len    ? key.chars[k]
				                : k == key.len ? '.'
				                               : next.chars[k - key.len - 1];
			key = both;
		}
		struct oracle_json *below_key = maker_find(pattern, key);
		if (below_key && (i == place->count || below_key->type != ORACLE_OBJECT))
			return false;
		if (!below_key) {
			below_key = i == place->count ? value : make_node(m, ORACLE_OBJECT);
			below_key->key = key;
			maker_append(pattern, below_key);
		}
		pattern = below_key;
	}
	return true;
}

/* --- values --- */

/* Up to `most` characters of the alphabet. */
static struct oracle_text some_run(struct maker *m, const char *alphabet, size_t most)
{
	struct oracle_text all = make_text(m, sluice_str(alphabet));
	struct oracle_text run = { oracle_alloc(m->pool, (most + 1) * sizeof(uint32_t)),
		                   maker_below(m, most + 1) };
	for (size_t i = 0; i < run.len; i++)
		run.chars[i] = all.chars[maker_below(m, all.len)];
	return run;
}

struct oracle_text some_key(struct maker *m)
{
	static const char *const usual[] = { "a", "b", "c" };
	static const struct sluice_str odd[] = {
		BYTES("a.b"),
		BYTES(""),
		BYTES("b.c"),
		BYTES("."),
		BYTES("a."),
		BYTES("$mqtt"),
		BYTES("$mqttx"),
		BYTES("$mqtt.topic"),
		BYTES("prefix"),
		BYTES("é"),
		BYTES("a\0b"),
		BYTES("\xed\xa0\x80"),
		BYTES("😀"),
		BYTES("value"),
		BYTES("a long key, of more than 16"),
	};
	if (maker_chance(m, 92))
		return make_word(m, ONE_OF(m, usual));
	if (maker_chance(m, 15))
		return some_run(m, "aaaaaaaab.é\"", 24);
	return make_text(m, ONE_OF(m, odd));
}

struct oracle_text some_string(struct maker *m)
{
	static const struct sluice_str usual[] = {
		BYTES("a"),   BYTES("ab"), BYTES("abc"), BYTES("ba"),
		BYTES("aab"), BYTES("AB"), BYTES("aBa"), BYTES(""),
	};
	static const struct sluice_str odd[] = {
		BYTES("É"),
		BYTES("éa"),
		BYTES("ß"),
		BYTES("ẞa"),
		BYTES("σς"),
		BYTES("ΣΣ"),
		BYTES("K"),
		BYTES("\xe2\x84\xaa"),
		BYTES("ſ"),
		BYTES("S"),
		BYTES("Ⱥ"),
		BYTES("ⱥ"),
		BYTES("𐐀"),
		BYTES("𐐨"),
		BYTES("😀a"),
		BYTES("\xed\xa0\xbd"),
		BYTES("\xed\xb8\x80"),
		BYTES("a\0b"),
		BYTES("a\0"),
		BYTES("\\"),
		BYTES("*"),
		BYTES("a*b"),
		BYTES("\""),
		BYTES("\n"),
		BYTES("10.1.2.3"),
		BYTES("10.200.0.1"),
		BYTES("10.1.2.03"),
		BYTES("::ffff:10.1.2.3"),
		BYTES("2001:db8::1"),
		BYTES("2001:DB8:0:0:0:0:0:1"),
		BYTES("::"),
		BYTES("a/b"),
		BYTES("a/b/c"),
		BYTES("a/"),
		BYTES("/a"),
		BYTES("$SYS/a"),
		BYTES("a/+"),
		BYTES("1"),
		BYTES("1e3"),
		BYTES("true"),
		BYTES("null"),
		BYTES("a string that is longer than sixteen bytes, aab"),
	};
	struct oracle_text chars =
	        make_text(m, maker_chance(m, 70) ? ONE_OF(m, usual) : ONE_OF(m, odd));
	if (maker_chance(m, 5))
		return some_address(m);
	if (maker_chance(m, 4))
		return some_run(m, "aab/", 12);
	if (maker_chance(m, 4))
		return some_run(m, "aaaaaaaaaaaaaabbbAB*\\\"\n\x01/é東😀ß", 40);
	if (maker_chance(m, 8)) {
		struct oracle_text more = make_text(m, ONE_OF(m, usual));
		struct oracle_text both = { NULL, chars.len + more.len };
		both.chars = oracle_alloc(m->pool, (both.len + 1) * sizeof(*both.chars));
		for (size_t i = 0; i < both.len; i++)
			both.chars[i] = i < chars.len ? chars.chars[i] : more.chars[i - chars.len];
		return both;
	}
	return chars;
}

/* Spellings of one value each, ascending. */
static const char *const numbers[][5] = {
	{ "-1e400", "-10e399", "-0.1E401", "-1e+400", "-1.000e400" },
	{ "-9007199254740993", "-9007199254740993.0", "-9007199254740993e0",
	  "-9.007199254740993e15", "-90071992547409930e-1" },
	{ "-123456789012345678901.5", "-1234567890123456789015e-1", "-1.234567890123456789015e20",
	  "-123456789012345678901.50", "-0.1234567890123456789015E21" },
	{ "-1", "-1.0", "-1e0", "-10e-1", "-0.1e1" },
	{ "-1e-400", "-10e-401", "-0.1E-399", "-1.0e-400", "-1e-0400" },
	{ "0", "-0", "0.0", "0e99999999999999999999", "-0.000e-7" },
	{ "1e-99999999999999999999", "1e-99999999999999999998", "1.0e-99999999999999999999",
	  "1E-9999999999999999999999", "10e-99999999999999999999" },
	{ "0.1", "1e-1", "0.10", "10E-2", "0.01e1" },
	{ "0.1000000000000000055511151231257827", "1000000000000000055511151231257827e-34",
	  "0.10000000000000000555111512312578270", "1.000000000000000055511151231257827e-1",
	  "0.01000000000000000055511151231257827e1" },
	{ "1", "1.0", "1e0", "10e-1", "0.1E+1" },
	{ "1.00000000000000000001", "1.000000000000000000010", "100000000000000000001e-20",
	  "10000000000000000000.1e-19", "0.100000000000000000001e1" },
	{ "2", "2.0", "2e0", "20e-1", "0.2e1" },
	{ "1000", "1e3", "1E+3", "1000.000", "0.001e6" },
	{ "9007199254740992", "9007199254740992.0", "9.007199254740992e15", "90071992547409920E-1",
	  "9007199254740992e0" },
	{ "9007199254740993", "9007199254740993.0", "9.007199254740993e15", "90071992547409930E-1",
	  "9007199254740993e0" },
	{ "12345678901234567890123", "12345678901234567890123.0", "1.2345678901234567890123e22",
	  "123456789012345678901230e-1", "12345678901234567890123e0" },
	{ "12345678901234567890124", "12345678901234567890124.0", "1.2345678901234567890124e22",
	  "123456789012345678901240e-1", "12345678901234567890124e0" },
	{ "1e400", "10e399", "0.1E401", "1e+400", "1.000e400" },
	{ "1e99999999999999999999", "1e99999999999999999998", "1.0e99999999999999999999",
	  "1E9999999999999999999999", "10e99999999999999999999" },
};
enum { NUMBERS = sizeof(numbers) / sizeof(*numbers), FIRST_USUAL = 5, USUAL = 7 };

/* Digits from an alphabet so small that two numbers are often near each other. */
static struct oracle_text some_decimal(struct maker *m)
{
	struct oracle_text whole = some_run(m, "09", 25);
	struct oracle_text fraction = some_run(m, "09", 25);
	char text[80];
	int exponent = (int)maker_below(m, 61) - 30;
	size_t at = 0;
	if (maker_chance(m, 20))
		text[at++] = '-';
	text[at++] = (char)('0' + maker_below(m, 3));
	for (size_t i = 0; i < whole.len && text[at - 1] != '0'; i++)
		text[at++] = (char)whole.chars[i];
	if (fraction.len)
		text[at++] = '.';
	for (size_t i = 0; i < fraction.len; i++)
		text[at++] = (char)fraction.chars[i];
	text[at] = '\0';
	if (maker_chance(m, 40))
		snprintf(text + at, sizeof(text) - at, "e%d", exponent);
	return make_word(m, text);
}

struct oracle_json *some_number(struct maker *m)
{
	struct oracle_json *json = make_node(m, ORACLE_NUMBER);
	size_t row =
	        maker_chance(m, 70) ? FIRST_USUAL + maker_below(m, USUAL) : maker_below(m, NUMBERS);
	json->text = make_word(m, numbers[row][maker_chance(m, 60) ? 0 : maker_below(m, 5)]);
	if (maker_chance(m, 25))
		json->text = some_decimal(m);
	return json;
}

struct oracle_json *respell_number(struct maker *m, const struct oracle_json *number)
{
	struct oracle_json *json = make_node(m, ORACLE_NUMBER);
	json->text = number->text;
	for (size_t row = 0; row < NUMBERS; row++)
		for (size_t i = 0; i < 5; i++)
			if (oracle_text_is(number->text, numbers[row][i]))
				json->text = make_word(m, numbers[row][maker_below(m, 5)]);
	return json;
}

struct oracle_json *nearby_number(struct maker *m, const struct oracle_json *number)
{
	struct oracle_json *json = make_node(m, ORACLE_NUMBER);
	size_t len = number->text.len;
	size_t at = maker_chance(m, 50) ? len - 1 : maker_below(m, len);
	json->text = (struct oracle_text){ oracle_alloc(m->pool, len * sizeof(uint32_t)), len };
	memcpy(json->text.chars, number->text.chars, len * sizeof(uint32_t));
	if (json->text.chars[at] >= '0' && json->text.chars[at] <= '9')
		json->text.chars[at] = (uint32_t)('1' + maker_below(m, 9));
	return json;
}

struct oracle_text some_address(struct maker *m)
{
	static const unsigned bytes[] = { 0, 1, 10, 127, 128, 192, 255 };
	char text[64];
	unsigned b[4];
	for (size_t i = 0; i < 4; i++)
		b[i] = ONE_OF(m, bytes);
	switch (maker_below(m, 6)) {
	case 0:
		snprintf(text, sizeof(text), "::ffff:%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
		break;
	case 1:
		snprintf(text, sizeof(text), "2001:db8::%x:%X", b[0] << 8 | b[1], b[2] << 8 | b[3]);
		break;
	case 2:
		snprintf(text, sizeof(text), "%x:%x:0:0:%x::%u.%u.%u.%u", b[0] << 8, b[1], b[2],
		         b[0], b[1], b[2], b[3]);
		break;
	default:
		snprintf(text, sizeof(text), maker_chance(m, 97) ? "%u.%u.%u.%u" : "%u.%u.%u.0%u",
		         b[0], b[1], b[2], b[3]);
		break;
	}
	return make_word(m, text);
}

struct oracle_json *some_scalar(struct maker *m)
{
	size_t kind = maker_below(m, 10);
	if (kind < 5)
		return make_string(m, some_string(m));
	if (kind < 8)
		return some_number(m);
	return make_node(m, (enum oracle_type)maker_below(m, 3));
}

struct sluice_str make_damaged(struct maker *m, struct sluice_str payload)
{
	static const char bytes[] = "{}[]\",:\\0e.-x \x80\xff\x01";
	char *out = oracle_alloc(m->pool, payload.len + 2);
	size_t at = maker_below(m, payload.len);
	size_t len = 0;
	size_t how = maker_below(m, 3);
	for (size_t i = 0; i < payload.len; i++) {
		if (i == at && how != 2)
			out[len++] = bytes[maker_below(m, sizeof(bytes) - 1)];
		if (i != at || how == 1)
			out[len++] = payload.data[i];
	}
	return (struct sluice_str){ out, len };
}
