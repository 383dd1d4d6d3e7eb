/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "crowd.h"

#include <stdio.h>

#include "maker.h"
#include "operand.h"

/* --- values: the nth of a kind is always the same --- */

enum kind { TEXT, NUMBER, ADDRESS, TOPIC, WORD, KINDS };

static struct maker fixed_maker(const struct crowd *crowd, struct maker *m, enum kind kind,
                                size_t nth, struct dice *dice)
{
	dice->state = crowd->salt + ((uint64_t)nth * KINDS + kind) * UINT64_C(0xd1b54a32d192ed03);
	return (struct maker){ m->pool, dice };
}

static struct oracle_text joined(struct maker *m, struct oracle_text a, struct oracle_text b)
{
	struct oracle_text both = { oracle_alloc(m->pool, (a.len + b.len + 1) * sizeof(uint32_t)),
		                    a.len + b.len };
	for (size_t i = 0; i < both.len; i++)
		both.chars[i] = i < a.len ? a.chars[i] : b.chars[i - a.len];
	return both;
}

static struct oracle_text nth_text(const struct crowd *crowd, struct maker *m, size_t nth)
{
	static const char *const usual[] = { "a", "b", "ab", "ba", "aa", "x", "-", "/" };
	static const char *const odd[] = { "A",  "B", "é", "É", "\xe2\x84\xaa", "k", "ß", "😀",
		                           "\\", "*", ".", "0", "\"",           "\n" };
	struct dice dice;
	struct maker fixed = fixed_maker(crowd, m, TEXT, nth, &dice);
	size_t pieces = maker_below(&fixed, maker_chance(&fixed, 4) ? 60 : 7);
	struct oracle_text text = make_word(m, "");
	for (size_t i = 0; i < pieces; i++)
		text = joined(m, text,
		              make_word(m, maker_chance(&fixed, 88) ? ONE_OF(&fixed, usual)
		                                                    : ONE_OF(&fixed, odd)));
	return text;
}

/* The whole number times the power of ten, in one of its spellings. */
static struct oracle_json *spelled_number(struct maker *m, size_t whole, int power)
{
	char text[64];
	const char *sign = maker_chance(m, 20) ? "+" : "";
	struct oracle_json *json = make_node(m, ORACLE_NUMBER);
	if (whole == 0) {
		static const char *const zeros[] = { "0", "-0", "0.0", "0e7", "-0.00E-3" };
		json->text = make_word(m, ONE_OF(m, zeros));
		return json;
	}
	switch (maker_below(m, 6)) {
	case 0:
		snprintf(text, sizeof(text), "%zu.0e%d", whole, power);
		break;
	case 1:
		snprintf(text, sizeof(text), "%zu0E%d", whole, power - 1);
		break;
	case 2:
		snprintf(text, sizeof(text), "%zu00.00e%s%d", whole, power < 2 ? "" : sign,
		         power - 2);
		break;
	case 3:
		snprintf(text, sizeof(text), "0.%06zue%d", whole, power + 6);
		break;
	default:
		if (power)
			snprintf(text, sizeof(text), "%zue%d", whole, power);
		else
			snprintf(text, sizeof(text), "%zu", whole);
	}
	json->text = make_word(m, text);
	if (whole % 5 == 4)
		json->text = joined(m, make_word(m, "-"), json->text);
	return json;
}

/* Ascending with n, but for those that are negative. */
static struct oracle_json *nth_number(const struct crowd *crowd, struct maker *m, size_t nth)
{
	static const int powers[] = { 0, 0, -1, -2, 3, 18, -30, 400 };
	return spelled_number(m, nth, powers[crowd->salt % 8]);
}

static struct oracle_text nth_address(const struct crowd *crowd, struct maker *m, size_t nth)
{
	struct dice dice;
	struct maker fixed = fixed_maker(crowd, m, ADDRESS, nth, &dice);
	unsigned a = (unsigned)maker_below(&fixed, 2), b = (unsigned)maker_below(&fixed, 4),
	         c = (unsigned)maker_below(&fixed, 256);
	char text[64];
	if (nth % 8 == 7)
		return some_address(&fixed);
	if (nth % 4 == 3)
		snprintf(text, sizeof(text),
		         maker_chance(m, 70) ? "2001:db8:%x::%x:%x" : "2001:DB8:%X:0:0:0:%X:%X", a,
		         b, c);
	else
		snprintf(text, sizeof(text), nth % 8 == 6 ? "::ffff:10.%u.%u.%u" : "10.%u.%u.%u", a,
		         b, c);
	return make_word(m, text);
}

static struct oracle_text nth_topic(const struct crowd *crowd, struct maker *m, size_t nth)
{
	static const char *const levels[] = { "a", "b", "c", "d", "", "long level" };
	struct dice dice;
	struct maker fixed = fixed_maker(crowd, m, TOPIC, nth, &dice);
	size_t count = 1 + maker_below(&fixed, maker_chance(&fixed, 3) ? 80 : 6);
	struct oracle_text text = make_word(m, maker_chance(&fixed, 5) ? "$SYS" : "a");
	for (size_t i = 1; i < count; i++) {
		text = joined(m, text, make_word(m, "/"));
		text = joined(m, text, make_word(m, ONE_OF(&fixed, levels)));
	}
	return text;
}

static struct oracle_json *nth_word(struct maker *m, size_t nth)
{
	static const char *const words[] = { "on", "off", "", "null", "ON" };
	if (nth % 8 < 3)
		return make_node(m, (enum oracle_type)(nth % 8));
	return make_string(m, make_word(m, words[nth % 8 - 3]));
}

static struct oracle_json *crowd_value(const struct crowd *crowd, struct maker *m, enum kind kind)
{
	size_t nth = maker_below(m, crowd->spread);
	switch (kind) {
	case TEXT:
		return make_string(m, nth_text(crowd, m, nth));
	case NUMBER:
		return maker_chance(m, 6) ? some_number(m) : nth_number(crowd, m, nth);
	case ADDRESS:
		return make_string(m, nth_address(crowd, m, nth));
	case TOPIC:
		return make_string(m, nth_topic(crowd, m, nth));
	default:
		return nth_word(m, nth);
	}
}

/* --- what a rule says of a field --- */

static struct oracle_text wildcard(struct maker *m, struct oracle_text chars)
{
	struct oracle_text star = make_word(m, "*"), plain = { NULL, 0 };
	plain.chars = oracle_alloc(m->pool, (chars.len + 1) * sizeof(uint32_t));
	for (size_t i = 0; i < chars.len; i++)
		if (chars.chars[i] != '*' && chars.chars[i] != '\\')
			plain.chars[plain.len++] = chars.chars[i];
	struct oracle_text front = operand_part(m, plain, true);
	struct oracle_text back = operand_part(m, plain, false);
	struct oracle_text piece = operand_part(m, operand_part(m, plain, true), false);
	switch (maker_below(m, 6)) {
	case 0:
	case 1:
		return piece.len ? joined(m, joined(m, star, piece), star) : star;
	case 2:
		return back.len ? joined(m, star, back) : star;
	case 3:
		return joined(m, front, star);
	case 4: /* what comes before the star may come again behind it */
		return back.len ? joined(m, joined(m, front, star), back) : joined(m, front, star);
	default:
		return operand_wildcard(m, chars);
	}
}

static struct oracle_json *range(const struct crowd *crowd, struct maker *m)
{
	size_t low = maker_below(m, crowd->spread), high = low;
	switch (maker_below(m, 4)) {
	case 0:
		high += 1;
		break;
	case 1:
		high += 1 + maker_below(m, 5);
		break;
	default:
		high += maker_below(m, crowd->spread);
	}
	struct oracle_json *list = make_node(m, ORACLE_ARRAY);
	size_t ends = maker_below(m, 10);
	if (ends == 0) {
		maker_append(list, make_string(m, make_word(m, "=")));
		maker_append(list, nth_number(crowd, m, low));
		return make_operator(m, "numeric", list);
	}
	/* Every fifth number is negative: as a bound it would turn the range round. */
	low -= low % 5 == 4;
	high += high % 5 == 4;
	if (ends != 1) {
		maker_append(list, make_string(m, make_word(m, maker_chance(m, 50) ? ">=" : ">")));
		maker_append(list, nth_number(crowd, m, low));
	}
	if (ends != 2) {
		maker_append(list, make_string(m, make_word(m, maker_chance(m, 50) ? "<=" : "<")));
		maker_append(list, nth_number(crowd, m, high));
	}
	return make_operator(m, "numeric", list);
}

enum trait {
	EXACT_TEXT,
	EXACT_NUMBER,
	EXACT_WORD,
	PREFIX,
	SUFFIX,
	IGNORE_CASE,
	PREFIX_IGNORE_CASE,
	SUFFIX_IGNORE_CASE,
	WILDCARD,
	NUMERIC,
	CIDR,
	MQTT_TOPIC,
	EXISTS,
	BUT_TEXT,
	BUT_NUMBER,
	BUT_PREFIX,
	BUT_SUFFIX,
	BUT_IGNORE_CASE,
	BUT_WILDCARD,
	TRAITS,
};

static enum kind kind_of(size_t trait)
{
	switch (trait) {
	case EXACT_NUMBER:
	case NUMERIC:
	case BUT_NUMBER:
		return NUMBER;
	case EXACT_WORD:
	case EXISTS:
		return WORD;
	case CIDR:
		return ADDRESS;
	case MQTT_TOPIC:
		return TOPIC;
	default:
		return TEXT;
	}
}

static struct oracle_json *ignoring_case(struct maker *m, struct oracle_text chars)
{
	return make_operator(m, "equals-ignore-case", make_string(m, operand_recased(m, chars)));
}

/* {"anything-but": …}; `name` NULL: of plain values. */
static struct oracle_json *but(const struct crowd *crowd, struct maker *m, size_t trait,
                               const char *name)
{
	struct oracle_json *list = make_node(m, ORACLE_ARRAY);
	for (size_t count = 1 + maker_below(m, 3); count > 0; count--) {
		struct oracle_json *value = crowd_value(crowd, m, kind_of(trait));
		if (trait == BUT_PREFIX || trait == BUT_SUFFIX)
			value->text = operand_part(m, value->text, trait == BUT_PREFIX);
		else if (trait == BUT_IGNORE_CASE)
			value->text = operand_recased(m, value->text);
		else if (trait == BUT_WILDCARD)
			value->text = wildcard(m, value->text);
		maker_append(list, value);
	}
	if (list->count == 1 && maker_chance(m, 50))
		list = list->first;
	return make_operator(m, "anything-but", name ? make_operator(m, name, list) : list);
}

static struct oracle_json *alternative(const struct crowd *crowd, struct maker *m, size_t trait)
{
	struct oracle_json *value = crowd_value(crowd, m, kind_of(trait));
	bool front = trait == PREFIX || trait == PREFIX_IGNORE_CASE;
	switch (trait) {
	case IGNORE_CASE:
		return ignoring_case(m, value->text);
	case PREFIX:
	case SUFFIX:
	case PREFIX_IGNORE_CASE:
	case SUFFIX_IGNORE_CASE:
		value->text = operand_part(m, value->text, front);
		if (trait == PREFIX_IGNORE_CASE || trait == SUFFIX_IGNORE_CASE)
			value = ignoring_case(m, value->text);
		return make_operator(m, front ? "prefix" : "suffix", value);
	case WILDCARD:
		return make_operator(m, "wildcard", make_string(m, wildcard(m, value->text)));
	case NUMERIC:
		return range(crowd, m);
	case CIDR:
		return make_operator(m, "cidr", make_string(m, operand_block(m, value->text)));
	case MQTT_TOPIC:
		return make_operator(m, "mqtt-topic",
		                     make_string(m, operand_filter(m, value->text)));
	case EXISTS:
		return make_operator(
		        m, "exists",
		        make_node(m, maker_chance(m, 50) ? ORACLE_TRUE : ORACLE_FALSE));
	case BUT_PREFIX:
		return but(crowd, m, trait, "prefix");
	case BUT_SUFFIX:
		return but(crowd, m, trait, "suffix");
	case BUT_IGNORE_CASE:
		return but(crowd, m, trait, "equals-ignore-case");
	case BUT_WILDCARD:
		return but(crowd, m, trait, "wildcard");
	case BUT_TEXT:
	case BUT_NUMBER:
		return but(crowd, m, trait, NULL);
	default:
		return value;
	}
}

/* --- paths --- */

static const char *const paths[][3] = { { "a" },
	                                { "b" },
	                                { "n", "a" },
	                                { "n", "b" },
	                                { "$mqtt", "topic" },
	                                { "l", "k" },
	                                { "l", "v" },
	                                { "l", "n", "a" },
	                                { "a.b" },
	                                { "$mqtt", "user_properties", "p" },
	                                { "t" },
	                                { "é \"" },
	                                { "$mqtt", "payload" } };
enum { PATHS = sizeof(paths) / sizeof(*paths) };

static struct place some_place(const struct crowd *crowd, struct maker *m)
{
	struct place place = { .count = 0 };
	if (crowd->numbered && maker_chance(m, 80)) {
		size_t number = maker_below(m, CROWD_PATHS);
		char name[24];
		if (number % 3 == 0)
			place.keys[place.count++] = make_word(m, number % 2 ? "n" : "m");
		snprintf(name, sizeof(name), "p%zu", number);
		place.keys[place.count++] = make_word(m, name);
		return place;
	}
	const char *const *keys =
	        paths[(crowd->first_path + maker_below(m, crowd->path_count)) % PATHS];
	for (size_t i = 0; i < 3 && keys[i]; i++)
		place.keys[place.count++] = make_word(m, keys[i]);
	return place;
}

static bool is_key(const struct place *place, size_t at, const char *key)
{
	return at < place->count && oracle_text_is(place->keys[at], key);
}

/* --- events --- */

/* A value as rules of the crowd look for, or an array of some. */
static struct oracle_json *event_value(const struct crowd *crowd, struct maker *m, int depth)
{
	if (depth > 0 && maker_chance(m, 15)) {
		struct oracle_json *array = make_node(m, ORACLE_ARRAY);
		for (size_t count = maker_below(m, 4); count > 0; count--)
			maker_append(array, event_value(crowd, m, depth - 1));
		return array;
	}
	if (maker_chance(m, 4))
		return some_scalar(m);
	size_t trait = maker_chance(m, 85) ? ONE_OF(m, crowd->traits) : maker_below(m, TRAITS);
	return crowd_value(crowd, m, kind_of(trait));
}

/* The objects of "l", in which two fields of a rule must be one element's. */
static struct oracle_json *event_list(const struct crowd *crowd, struct maker *m)
{
	static const char *const keys[] = { "k", "v" };
	struct oracle_json *list = make_node(m, ORACLE_ARRAY);
	for (size_t count = maker_below(m, 4); count > 0; count--) {
		struct oracle_json *object = make_node(m, ORACLE_OBJECT);
		for (size_t i = 0; i < 2; i++)
			if (maker_chance(m, 85))
				maker_member(m, object, keys[i], event_value(crowd, m, 1));
		if (maker_chance(m, 50))
			maker_member(m, object, "n",
			             maker_member(m, make_node(m, ORACLE_OBJECT), "a",
			                          event_value(crowd, m, 1)));
		maker_append(list, object);
	}
	return list;
}

static struct sluice_str mqtt_bytes(struct maker *m, const struct oracle_json *value)
{
	struct oracle_text kept = make_word(m, "");
	kept.chars = oracle_alloc(m->pool, (value->text.len + 1) * sizeof(uint32_t));
	for (size_t i = 0; i < value->text.len; i++)
		if (value->text.chars[i] != 0 && (value->text.chars[i] & 0xfffff800) != 0xd800)
			kept.chars[kept.len++] = value->text.chars[i];
	return oracle_text_encode(m->pool, kept);
}

void crowd_event(const struct crowd *crowd, struct oracle_pool *pool, struct dice *dice,
                 struct made_event *made)
{
	struct maker m = { pool, dice };
	made->event = SLUICE_EVENT_INIT;
	made->tree = make_node(&m, ORACLE_OBJECT);
	size_t fields = crowd->numbered ? 12 : crowd->path_count * 2;
	for (size_t i = 0; i < fields; i++) {
		struct place place = some_place(crowd, &m);
		if (is_key(&place, 0, "l"))
			place.count = 1;
		if (!is_key(&place, 0, "$mqtt"))
			maker_insert(&m, made->tree, &place,
			             is_key(&place, 0, "l") ? event_list(crowd, &m)
			                                    : event_value(crowd, &m, 2));
	}
	struct sluice_property *properties = oracle_alloc(pool, 3 * sizeof(*properties));
	made->event.user_property_count = maker_below(&m, 3);
	for (size_t i = 0; i < made->event.user_property_count; i++)
		properties[i] =
		        (struct sluice_property){ SLUICE_STR("p"),
			                          mqtt_bytes(&m, event_value(crowd, &m, 0)) };
	made->event.user_properties = properties;
	made->event.topic = mqtt_bytes(&m, maker_chance(&m, 60) ? crowd_value(crowd, &m, TOPIC)
	                                                        : event_value(crowd, &m, 0));
	made->event.payload = spell(pool, made->tree, maker_chance(&m, 50) ? dice : NULL);
	if (maker_chance(&m, 3)) {
		made->event.payload = make_damaged(&m, made->event.payload);
		made->tree = NULL;
	}
}

/* --- patterns --- */

static void add_fields(const struct crowd *crowd, struct maker *m, struct oracle_json *pattern,
                       size_t fields)
{
	for (; fields > 0; fields--) {
		struct place place = some_place(crowd, m);
		struct oracle_json *list = make_node(m, ORACLE_ARRAY);
		/* The first trait as often as all others together. */
		size_t trait = crowd->traits[maker_chance(m, 50) ? 0 : maker_below(m, 3)];
		size_t count = maker_chance(m, 70) ? 1 : 1 + maker_below(m, 4);
		for (size_t i = 0; i < count; i++)
			maker_append(
			        list,
			        alternative(crowd, m,
			                    maker_chance(m, 90) ? trait : maker_below(m, TRAITS)));
		maker_insert(m, pattern, &place, list);
	}
}

struct sluice_str crowd_pattern(const struct crowd *crowd, struct oracle_pool *pool,
                                struct dice *dice, const struct made_event *near)
{
	struct maker m = { pool, dice };
	if (crowd->wild && maker_chance(&m, 30))
		return make_pattern(pool, dice, near);
	struct oracle_json *pattern = make_node(&m, ORACLE_OBJECT);
	add_fields(crowd, &m, pattern, 1 + maker_below(&m, crowd->fields));
	if (maker_chance(&m, 6)) {
		struct oracle_json *list = make_node(&m, ORACLE_ARRAY);
		for (size_t branches = 2 + maker_below(&m, 3); branches > 0; branches--) {
			struct oracle_json *branch = make_node(&m, ORACLE_OBJECT);
			add_fields(crowd, &m, branch, 1 + maker_below(&m, 2));
			maker_append(list, branch);
		}
		maker_member(&m, pattern, "$or", list);
	}
	return spell(pool, pattern, maker_chance(&m, 30) ? dice : NULL);
}

void crowd_draw(struct dice *dice, struct crowd *crowd)
{
	static const size_t spreads[] = { 1, 2, 4, 12, 50, 300, 3000 };
	struct maker m = { NULL, dice };
	*crowd = (struct crowd){ .salt = dice_roll(dice),
		                 .spread = ONE_OF(&m, spreads),
		                 .first_path = maker_below(&m, PATHS),
		                 .path_count = 1 + maker_below(&m, 5),
		                 .numbered = maker_chance(&m, 10),
		                 .fields = 1 + maker_below(&m, 4),
		                 .wild = maker_chance(&m, 20) };
	/* All of one sort, or one beside two others. */
	for (size_t i = 0; i < 3; i++)
		crowd->traits[i] = maker_below(&m, TRAITS);
	if (maker_chance(&m, 40))
		crowd->traits[1] = crowd->traits[2] = crowd->traits[0];
}
