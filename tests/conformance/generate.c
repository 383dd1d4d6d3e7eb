/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "generate.h"

#include <stdio.h>

struct maker {
	struct oracle_pool *pool;
	struct dice *dice;
};

static bool chance(struct maker *m, unsigned percent)
{
	return dice_chance(m->dice, percent);
}

static size_t below(struct maker *m, size_t sides)
{
	return dice_below(m->dice, sides);
}

/* A sluice_str that may stand in a static table. */
#define BYTES(literal)                                                                             \
	{                                                                                          \
		(literal), sizeof(literal) - 1                                                     \
	}

#define ONE_OF(m, list) ((list)[below((m), sizeof(list) / sizeof(*(list)))])

/* --- trees --- */

static struct oracle_json *node(struct maker *m, enum oracle_type type)
{
	struct oracle_json *json = oracle_alloc(m->pool, sizeof(*json));
	json->type = type;
	return json;
}

static void append(struct oracle_json *parent, struct oracle_json *child)
{
	struct oracle_json **end = &parent->first;
	while (*end)
		end = &(*end)->next;
	*end = child;
	parent->count++;
}

/* A text spelled with C escapes; "\xed…" makes half surrogates. */
static struct oracle_text text(struct maker *m, struct sluice_str bytes)
{
	struct oracle_text out;
	oracle_text_decode(m->pool, bytes, true, &out);
	return out;
}

static struct oracle_text ascii(struct maker *m, const char *word)
{
	return text(m, sluice_str(word));
}

static struct oracle_json *string(struct maker *m, struct oracle_text characters)
{
	struct oracle_json *json = node(m, ORACLE_STRING);
	json->text = characters;
	return json;
}

static struct oracle_json *member(struct maker *m, struct oracle_json *object, const char *key,
                                  struct oracle_json *value)
{
	value->key = ascii(m, key);
	append(object, value);
	return object;
}

static struct oracle_json *operator_of(struct maker *m, const char *name,
                                       struct oracle_json *operand)
{
	return member(m, node(m, ORACLE_OBJECT), name, operand);
}

/* --- values --- */

static struct oracle_text some_key(struct maker *m)
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
	if (chance(m, 92))
		return ascii(m, ONE_OF(m, usual));
	return text(m, ONE_OF(m, odd));
}

static struct oracle_text some_string(struct maker *m)
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
	struct oracle_text chars = text(m, chance(m, 70) ? ONE_OF(m, usual) : ONE_OF(m, odd));
	if (chance(m, 8)) {
		struct oracle_text more = text(m, ONE_OF(m, usual));
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
enum { NUMBERS = sizeof(numbers) / sizeof(*numbers), ZERO = 4, TWO = 10 };

static size_t some_number_value(struct maker *m)
{
	return chance(m, 70) ? ZERO + below(m, TWO - ZERO + 1) : below(m, NUMBERS);
}

static struct oracle_json *number(struct maker *m, size_t value)
{
	struct oracle_json *json = node(m, ORACLE_NUMBER);
	json->text = ascii(m, numbers[value][chance(m, 60) ? 0 : below(m, 5)]);
	return json;
}

/* Which of `numbers` it is. */
static size_t number_value(struct maker *m, const struct oracle_json *json)
{
	for (size_t i = 0; i < NUMBERS; i++)
		for (size_t k = 0; k < 5; k++)
			if (oracle_text_is(json->text, numbers[i][k]))
				return i;
	return some_number_value(m);
}

static struct oracle_json *scalar(struct maker *m)
{
	size_t kind = below(m, 10);
	if (kind < 5)
		return string(m, some_string(m));
	if (kind < 8)
		return number(m, some_number_value(m));
	return node(m, (enum oracle_type)below(m, 3));
}

static struct oracle_json *value(struct maker *m, int depth);

static struct oracle_json *object(struct maker *m, int depth)
{
	struct oracle_json *json = node(m, ORACLE_OBJECT);
	size_t count = chance(m, 4) ? 0 : 1 + below(m, 3);
	for (size_t i = 0; i < count; i++) {
		struct oracle_json *child = value(m, depth - 1);
		child->key = some_key(m);
		append(json, child);
	}
	return json;
}

static struct oracle_json *array(struct maker *m, int depth)
{
	struct oracle_json *json = node(m, ORACLE_ARRAY);
	size_t count = chance(m, 5) ? 0 : 1 + below(m, 3);
	bool objects = chance(m, 60);
	for (size_t i = 0; i < count; i++)
		append(json, objects && depth > 1 && chance(m, 85) ? object(m, depth - 1)
		                                                   : value(m, depth - 1));
	return json;
}

static struct oracle_json *value(struct maker *m, int depth)
{
	size_t kind = below(m, 100);
	if (depth <= 0 || kind < 40)
		return scalar(m);
	return kind < 65 ? object(m, depth) : array(m, depth);
}

/* --- events --- */

static struct sluice_str bytes_of(struct maker *m, struct oracle_text chars)
{
	/* What MQTT strings can't hold is left out. */
	struct oracle_text kept = { oracle_alloc(m->pool, (chars.len + 1) * sizeof(uint32_t)), 0 };
	for (size_t i = 0; i < chars.len; i++)
		if (chars.chars[i] != 0 && (chars.chars[i] < 0xd800 || chars.chars[i] > 0xdfff))
			kept.chars[kept.len++] = chars.chars[i];
	return oracle_text_encode(m->pool, kept);
}

static struct sluice_str some_topic(struct maker *m)
{
	static const char *const topics[] = { "a", "a/b", "a/b/c", "a/", "/a", "$SYS/a", "b/c" };
	return sluice_str(ONE_OF(m, topics));
}

static void make_metadata(struct maker *m, struct sluice_event *event)
{
	static const char *const names[] = { "a", "b", "a.b", "" };
	if (chance(m, 90))
		event->topic = some_topic(m);
	if (chance(m, 50))
		event->client_id = bytes_of(m, some_string(m));
	if (chance(m, 30))
		event->username = bytes_of(m, some_string(m));
	if (chance(m, 30))
		event->content_type = bytes_of(m, some_string(m));
	if (chance(m, 30))
		event->response_topic = some_topic(m);
	if (chance(m, 30))
		event->correlation_data = bytes_of(m, some_string(m));
	event->qos = (int8_t)((int)below(m, 4) - 1);
	event->retain = (int8_t)((int)below(m, 3) - 1);
	event->payload_format = (int8_t)((int)below(m, 3) - 1);
	size_t count = below(m, 4);
	struct sluice_property *properties = oracle_alloc(m->pool, 4 * sizeof(*properties));
	for (size_t i = 0; i < count; i++)
		properties[i] = (struct sluice_property){ sluice_str(ONE_OF(m, names)),
			                                  bytes_of(m, some_string(m)) };
	event->user_properties = properties;
	event->user_property_count = count;
}

/* Changes, drops or doubles a byte. */
static struct sluice_str damage(struct maker *m, struct sluice_str payload)
{
	static const char bytes[] = "{}[]\",:\\0e.-x \x80\xff\x01";
	char *out = oracle_alloc(m->pool, payload.len + 2);
	size_t at = below(m, payload.len);
	size_t len = 0;
	size_t how = below(m, 3);
	for (size_t i = 0; i < payload.len; i++) {
		if (i == at && how != 2)
			out[len++] = bytes[below(m, sizeof(bytes) - 1)];
		if (i != at || how == 1)
			out[len++] = payload.data[i];
	}
	return (struct sluice_str){ out, len };
}

void make_event(struct oracle_pool *pool, struct dice *dice, struct made_event *made)
{
	struct maker m = { pool, dice };
	size_t kind = below(&m, 100);
	made->event = SLUICE_EVENT_INIT;
	made->tree = kind < 90 ? object(&m, 4) : kind < 96 ? array(&m, 3) : scalar(&m);
	made->event.payload = spell(pool, made->tree, chance(&m, 50) ? dice : NULL);
	if (chance(&m, 5)) {
		made->event.payload = damage(&m, made->event.payload);
		made->tree = NULL;
	}
	if (chance(&m, 35))
		make_metadata(&m, &made->event);
}

/* --- patterns --- */

static struct oracle_text part_of(struct maker *m, struct oracle_text chars, bool from_start)
{
	size_t len = below(m, chars.len + 1);
	return (struct oracle_text){ chars.chars + (from_start ? 0 : chars.len - len), len };
}

/* The same letters, some in another case. */
static struct oracle_text recase(struct maker *m, struct oracle_text chars)
{
	static const uint32_t pairs[][2] = { { 0xc9, 0xe9 },    { 0xdf, 0x1e9e },
		                             { 0x3c3, 0x3c2 },  { 0x3a3, 0x3c3 },
		                             { 'K', 0x212a },   { 'S', 0x17f },
		                             { 0x23a, 0x2c65 }, { 0x10400, 0x10428 } };
	struct oracle_text out = { oracle_alloc(m->pool, (chars.len + 1) * sizeof(uint32_t)),
		                   chars.len };
	for (size_t i = 0; i < chars.len; i++) {
		uint32_t c = chars.chars[i];
		if (chance(m, 50) && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
			c ^= 0x20;
		for (size_t k = 0; k < sizeof(pairs) / sizeof(*pairs); k++) {
			if (c == pairs[k][0] || c == pairs[k][1]) {
				c = pairs[k][below(m, 2)];
				break;
			}
		}
		out.chars[i] = c;
	}
	return out;
}

/* A wildcard that matches the characters: runs of them become stars. */
static struct oracle_text wildcard_of(struct maker *m, struct oracle_text chars)
{
	struct oracle_text out = { oracle_alloc(m->pool, (chars.len * 3 + 2) * sizeof(uint32_t)),
		                   0 };
	for (size_t i = 0; i <= chars.len; i++) {
		bool after_star = out.len && out.chars[out.len - 1] == '*' &&
		                  (out.len < 2 || out.chars[out.len - 2] != '\\');
		if (!after_star && chance(m, 30)) {
			out.chars[out.len++] = '*';
			i += chance(m, 50) ? below(m, 3) : 0;
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
	return ascii(m, filters[below(m, chance(m, 98) ? 11 : 12)]);
}

static struct oracle_text some_block(struct maker *m)
{
	static const char *const blocks[] = {
		"10.0.0.0/8",    "10.1.2.3/32",   "0.0.0.0/0",       "10.128.0.0/9", "::/0",
		"2001:db8::/32", "::ffff:0:0/96", "2001:db8::1/128", "10.0.0.0/08"
	};
	return ascii(m, blocks[below(m, chance(m, 98) ? 8 : 9)]);
}

/* A string operator and an operand near `chars`. */
static const char *string_operator(struct maker *m, struct oracle_text chars,
                                   struct oracle_text *operand)
{
	switch (below(m, 5)) {
	case 0:
		*operand = part_of(m, chars, true);
		return "prefix";
	case 1:
		*operand = part_of(m, chars, false);
		return "suffix";
	case 2:
		*operand = recase(m, chars);
		return "equals-ignore-case";
	case 3:
		*operand = some_filter(m);
		return "mqtt-topic";
	default:
		*operand = wildcard_of(m, chars);
		return "wildcard";
	}
}

static struct oracle_json *anything_but(struct maker *m, const struct oracle_json *leaf)
{
	struct oracle_json *list = node(m, ORACLE_ARRAY);
	size_t count = 1 + below(m, 3);
	if (chance(m, 40)) {
		struct oracle_text operand;
		const char *name = NULL;
		for (size_t i = 0; i < count; i++) {
			struct oracle_text chars = leaf->type == ORACLE_STRING && chance(m, 30)
			                                   ? leaf->text
			                                   : some_string(m);
			const char *drawn = string_operator(m, chars, &operand);
			if (name && name != drawn)
				continue;
			name = drawn;
			append(list, string(m, operand));
		}
		if (list->count == 1 && chance(m, 70))
			list = list->first;
		return operator_of(m, "anything-but", operator_of(m, name, list));
	}
	bool strings = leaf->type == ORACLE_STRING ? chance(m, 80) : chance(m, 40);
	for (size_t i = 0; i < count; i++)
		append(list, strings ? string(m, some_string(m)) : number(m, some_number_value(m)));
	if (count == 1 && chance(m, 70))
		list = list->first;
	return operator_of(m, "anything-but", list);
}

static struct oracle_json *numeric(struct maker *m, size_t value)
{
	static const char *const lower[] = { ">", ">=" };
	static const char *const upper[] = { "<", "<=" };
	struct oracle_json *list = node(m, ORACLE_ARRAY);
	size_t low = below(m, value + 1);
	size_t high = value + below(m, NUMBERS - value);
	size_t kind = below(m, 10);
	if (kind == 0) {
		append(list, string(m, ascii(m, "=")));
		append(list, number(m, value));
		return operator_of(m, "numeric", list);
	}
	if (kind < 7) {
		append(list, string(m, ascii(m, ONE_OF(m, lower))));
		append(list, number(m, low));
	}
	if (kind >= 4) {
		append(list, string(m, ascii(m, ONE_OF(m, upper))));
		append(list, number(m, high));
	}
	return operator_of(m, "numeric", list);
}

/* An alternative that often matches the leaf. */
static struct oracle_json *alternative(struct maker *m, const struct oracle_json *leaf)
{
	if (chance(m, 10))
		leaf = scalar(m);
	if (chance(m, 8))
		return operator_of(m, "exists",
		                   node(m, chance(m, 60) ? ORACLE_TRUE : ORACLE_FALSE));
	if (chance(m, 12))
		return anything_but(m, leaf);
	if (leaf->type == ORACLE_NUMBER) {
		size_t value = number_value(m, leaf);
		return chance(m, 50) ? number(m, value) : numeric(m, value);
	}
	if (leaf->type != ORACLE_STRING)
		return node(m, leaf->type);
	struct oracle_text operand;
	const char *name;
	switch (below(m, 12)) {
	case 0:
	case 1:
	case 2:
		return string(m, leaf->text);
	case 3:
		return operator_of(m, "exactly", string(m, leaf->text));
	case 4:
		return operator_of(m, "cidr", string(m, some_block(m)));
	case 5:
		operand = recase(m, part_of(m, leaf->text, true));
		return operator_of(m, "prefix",
		                   operator_of(m, "equals-ignore-case", string(m, operand)));
	case 6:
		operand = recase(m, part_of(m, leaf->text, false));
		return operator_of(m, "suffix",
		                   operator_of(m, "equals-ignore-case", string(m, operand)));
	default:
		name = string_operator(m, leaf->text, &operand);
		return operator_of(m, name, string(m, operand));
	}
}

/* A leaf of a tree, and the keys on the way to it. */
struct place {
	struct oracle_text keys[8];
	size_t count;
	const struct oracle_json *leaf;
};

/* Walks down at random; stops at a scalar, or at something empty (then leaf is NULL). */
static void some_place(struct maker *m, const struct oracle_json *tree, struct place *place)
{
	while (tree && (tree->type == ORACLE_OBJECT || tree->type == ORACLE_ARRAY)) {
		const struct oracle_json *child = tree->first;
		for (size_t skip = tree->count ? below(m, tree->count) : 0; skip > 0; skip--)
			child = child->next;
		if (child && tree->type == ORACLE_OBJECT && place->count < 8)
			place->keys[place->count++] = child->key;
		tree = child;
	}
	place->leaf = tree;
}

static void mqtt_place(struct maker *m, const struct made_event *near, struct place *place)
{
	static const char *const names[] = { "topic",        "client_id",       "username",
		                             "content_type", "response_topic",  "correlation_data",
		                             "qos",          "retain",          "payload_format",
		                             "payload",      "user_properties", "topik" };
	const struct sluice_event *event = &near->event;
	const struct sluice_str strings[] = { event->topic, event->client_id, event->username,
		                              event->content_type, event->response_topic };
	size_t which = below(m, chance(m, 98) ? 11 : 12);
	place->keys[place->count++] = ascii(m, "$mqtt");
	place->keys[place->count++] = ascii(m, names[which]);
	if (which < 5 && strings[which].data)
		place->leaf = string(m, text(m, strings[which]));
	else if (which == 6)
		place->leaf = number(m, chance(m, 50) ? TWO : ZERO);
	else if (which == 7)
		place->leaf = node(m, chance(m, 50) ? ORACLE_TRUE : ORACLE_FALSE);
	else if (which == 10)
		place->keys[place->count++] = some_key(m);
}

static struct oracle_json *find(struct oracle_json *object, struct oracle_text key)
{
	for (struct oracle_json *child = object->first; child; child = child->next)
		if (oracle_text_equal(child->key, key))
			return child;
	return NULL;
}

/* Puts the list at the place, joining some keys by a dot; false when something else is there. */
static bool insert(struct maker *m, struct oracle_json *pattern, const struct place *place,
                   struct oracle_json *list)
{
	for (size_t i = 0; i < place->count;) {
		struct oracle_text key = place->keys[i++];
		while (i < place->count && chance(m, 15)) {
			struct oracle_text next = place->keys[i++];
			struct oracle_text both = { NULL, key.len + 1 + next.len };
			both.chars = oracle_alloc(m->pool, both.len * sizeof(uint32_t));
			for (size_t k = 0; k < both.len; k++)
				both.chars[k] = k < key.len    ? key.chars[k]
				                : k == key.len ? '.'
				                               : next.chars[k - key.len - 1];
			key = both;
		}
		struct oracle_json *below_key = find(pattern, key);
		if (below_key && (i == place->count || below_key->type != ORACLE_OBJECT))
			return false;
		if (!below_key) {
			below_key = i == place->count ? list : node(m, ORACLE_OBJECT);
			below_key->key = key;
			append(pattern, below_key);
		}
		pattern = below_key;
	}
	return true;
}

static void add_field(struct maker *m, struct oracle_json *pattern, const struct made_event *near,
                      const struct oracle_json *tree)
{
	struct place place = { .count = 0 };
	if (!tree && (near->event.topic.data || chance(m, 30)) && chance(m, 25)) {
		mqtt_place(m, near, &place);
	} else {
		if (!tree)
			tree = near->tree;
		if (near->tree && near->tree->type != ORACLE_OBJECT && tree == near->tree) {
			place.keys[place.count++] = ascii(m, "$mqtt");
			place.keys[place.count++] = ascii(m, "value");
		}
		if (tree && chance(m, 90))
			some_place(m, tree, &place);
		while (place.count < 3 && (place.count == 0 || chance(m, 12)))
			place.keys[place.count++] = some_key(m);
	}
	struct oracle_json *list = node(m, ORACLE_ARRAY);
	size_t count = chance(m, 60) ? 1 : 1 + below(m, 3);
	for (size_t i = 0; i < count; i++)
		append(list, alternative(m, place.leaf && (i == 0 || chance(m, 40)) ? place.leaf
		                                                                    : scalar(m)));
	if (chance(m, place.leaf ? 6 : 60))
		append(list, operator_of(m, "exists", node(m, ORACLE_FALSE)));
	insert(m, pattern, &place, list);
}

/* An object with several members, somewhere in the tree: fields below it are those of one rule that
 * an array holds together. */
static const struct oracle_json *some_object(struct maker *m, const struct oracle_json *tree,
                                             struct place *place)
{
	while (tree && tree->count) {
		const struct oracle_json *child = tree->first;
		for (size_t skip = below(m, tree->count); skip > 0; skip--)
			child = child->next;
		if (tree->type == ORACLE_OBJECT) {
			if (child->type != ORACLE_OBJECT && child->type != ORACLE_ARRAY)
				return tree;
			if (place->count == 4 || (place->count && chance(m, 30)))
				return tree;
			place->keys[place->count++] = child->key;
		}
		tree = child;
	}
	return NULL;
}

static void add_fields(struct maker *m, struct oracle_json *pattern, const struct made_event *near,
                       int depth)
{
	size_t count = 1 + below(m, 3);
	struct place place = { .count = 0 };
	const struct oracle_json *inside = NULL;
	if (near->tree && near->tree->type == ORACLE_OBJECT && chance(m, 35))
		inside = some_object(m, near->tree, &place);
	if (inside && place.count && inside->type == ORACLE_OBJECT) {
		struct oracle_json *branch = node(m, ORACLE_OBJECT);
		for (size_t i = 0; i < count; i++)
			add_field(m, branch, near, inside);
		if (branch->count)
			insert(m, pattern, &place, branch);
	} else {
		for (size_t i = 0; i < count; i++)
			add_field(m, pattern, near, NULL);
	}
	if (depth > 0 && chance(m, 15)) {
		struct oracle_json *list = node(m, ORACLE_ARRAY);
		size_t branches = chance(m, 97) ? 2 + below(m, 2) : 1;
		for (size_t i = 0; i < branches; i++) {
			struct oracle_json *branch = node(m, ORACLE_OBJECT);
			add_fields(m, branch, near, depth - 1);
			append(list, branch);
		}
		/* Beside the fields at the top, or under one key of them. */
		struct oracle_json *under = pattern;
		if (chance(m, 30) && pattern->first && pattern->first->type == ORACLE_OBJECT)
			under = pattern->first;
		if (!find(under, ascii(m, "$or")))
			member(m, under, "$or", list);
	}
}

struct sluice_str make_pattern(struct oracle_pool *pool, struct dice *dice,
                               const struct made_event *near)
{
	struct maker m = { pool, dice };
	struct oracle_json *pattern = node(&m, ORACLE_OBJECT);
	add_fields(&m, pattern, near, 3);
	struct sluice_str spelled = spell(pool, pattern, chance(&m, 50) ? dice : NULL);
	return chance(&m, 1) ? damage(&m, spelled) : spelled;
}
