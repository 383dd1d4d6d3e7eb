/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "generate.h"
#include "maker.h"
#include "operand.h"

#include "../oracle/value.h"

/* A string operator and an operand near `chars`. */
static const char *string_operator(struct maker *m, struct oracle_text chars,
                                   struct oracle_text *operand)
{
	switch (maker_below(m, 5)) {
	case 0:
		*operand = operand_part(m, chars, true);
		return "prefix";
	case 1:
		*operand = operand_part(m, chars, false);
		return "suffix";
	case 2:
		*operand = operand_recased(m, chars);
		return "equals-ignore-case";
	case 3:
		*operand = operand_filter(m, chars);
		return "mqtt-topic";
	default:
		*operand = operand_wildcard(m, chars);
		return "wildcard";
	}
}

static struct oracle_json *anything_but(struct maker *m, const struct oracle_json *leaf)
{
	struct oracle_json *list = make_node(m, ORACLE_ARRAY);
	size_t count = 1 + maker_below(m, 3);
	if (maker_chance(m, 40)) {
		struct oracle_text operand;
		const char *name = NULL;
		for (size_t i = 0; i < count; i++) {
			struct oracle_text chars =
			        leaf->type == ORACLE_STRING && maker_chance(m, 30) ? leaf->text
			                                                           : some_string(m);
			const char *drawn = string_operator(m, chars, &operand);
			if (name && name != drawn)
				continue;
			name = drawn;
			maker_append(list, make_string(m, operand));
		}
		if (list->count == 1 && maker_chance(m, 70))
			list = list->first;
		return make_operator(m, "anything-but", make_operator(m, name, list));
	}
	bool strings = leaf->type == ORACLE_STRING ? maker_chance(m, 80) : maker_chance(m, 40);
	for (size_t i = 0; i < count; i++)
		maker_append(list, strings ? make_string(m, some_string(m)) : some_number(m));
	if (count == 1 && maker_chance(m, 70))
		list = list->first;
	return make_operator(m, "anything-but", list);
}

/* Bounds around the number. */
static struct oracle_json *numeric(struct maker *m, const struct oracle_json *leaf)
{
	struct oracle_json *bounds[2] = { NULL, NULL };
	struct oracle_json *list = make_node(m, ORACLE_ARRAY);
	struct oracle_number value, other;
	oracle_number_read(m->pool, leaf->text, &value);
	for (size_t count = 1 + maker_below(m, 3); count > 0; count--) {
		struct oracle_json *bound =
		        maker_chance(m, 20) ? respell_number(m, leaf) : some_number(m);
		oracle_number_read(m->pool, bound->text, &other);
		int order = oracle_number_compare(&other, &value);
		bounds[order > 0 || (order == 0 && maker_chance(m, 50))] = bound;
	}
	if (maker_chance(m, 10)) {
		maker_append(list, make_string(m, make_word(m, "=")));
		maker_append(list, bounds[bounds[0] ? 0 : 1]);
		return make_operator(m, "numeric", list);
	}
	for (size_t i = 0; i < 2; i++) {
		if (!bounds[i])
			continue;
		const char *compare = i == 0 ? ">=" : "<=";
		struct oracle_text word = make_word(m, compare);
		word.len -= maker_chance(m, 40);
		maker_append(list, make_string(m, word));
		maker_append(list, bounds[i]);
	}
	return make_operator(m, "numeric", list);
}

/* An alternative that often matches the leaf. */
static struct oracle_json *alternative(struct maker *m, const struct oracle_json *leaf)
{
	if (maker_chance(m, 6))
		leaf = some_scalar(m);
	if (maker_chance(m, 8))
		return make_operator(
		        m, "exists",
		        make_node(m, maker_chance(m, 60) ? ORACLE_TRUE : ORACLE_FALSE));
	if (maker_chance(m, 12))
		return anything_but(m, leaf);
	if (leaf->type == ORACLE_NUMBER) {
		if (maker_chance(m, 40))
			return respell_number(m, leaf);
		return maker_chance(m, 8) ? nearby_number(m, leaf) : numeric(m, leaf);
	}
	if (leaf->type != ORACLE_STRING)
		return make_node(m, leaf->type);
	struct oracle_text operand;
	const char *name;
	switch (maker_below(m, 12)) {
	case 0:
	case 1:
	case 2:
		return make_string(m, leaf->text);
	case 3:
		return make_operator(m, "exactly", make_string(m, leaf->text));
	case 4:
		if (!leaf->text.len || leaf->text.chars[0] > ':' || leaf->text.chars[0] < '0')
			return make_string(m, leaf->text);
		return make_operator(m, "cidr", make_string(m, operand_block(m, leaf->text)));
	case 5:
		operand = operand_recased(m, operand_part(m, leaf->text, true));
		return make_operator(
		        m, "prefix",
		        make_operator(m, "equals-ignore-case", make_string(m, operand)));
	case 6:
		operand = operand_recased(m, operand_part(m, leaf->text, false));
		return make_operator(
		        m, "suffix",
		        make_operator(m, "equals-ignore-case", make_string(m, operand)));
	default:
		name = string_operator(m, leaf->text, &operand);
		return make_operator(m, name, make_string(m, operand));
	}
}

/* Walks down at random; stops at a scalar, or at something empty (then leaf is NULL). */
static void some_place(struct maker *m, const struct oracle_json *tree, struct place *place)
{
	while (tree && (tree->type == ORACLE_OBJECT || tree->type == ORACLE_ARRAY)) {
		const struct oracle_json *child = tree->first;
		for (size_t skip = tree->count ? maker_below(m, tree->count) : 0; skip > 0; skip--)
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
	size_t which = maker_below(m, maker_chance(m, 98) ? 11 : 12);
	place->keys[place->count++] = make_word(m, "$mqtt");
	place->keys[place->count++] = make_word(m, names[which]);
	if (which < 5 && strings[which].data)
		place->leaf = make_string(m, make_text(m, strings[which]));
	else if (which == 6)
		place->leaf = some_number(m);
	else if (which == 7)
		place->leaf = make_node(m, maker_chance(m, 50) ? ORACLE_TRUE : ORACLE_FALSE);
	else if (which == 10)
		place->keys[place->count++] = some_key(m);
}

static void add_field(struct maker *m, struct oracle_json *pattern, const struct made_event *near,
                      const struct oracle_json *tree)
{
	struct place place = { .count = 0 };
	if (!tree && (near->event.topic.data || maker_chance(m, 30)) && maker_chance(m, 25)) {
		mqtt_place(m, near, &place);
	} else {
		if (!tree)
			tree = near->tree;
		if (near->tree && near->tree->type != ORACLE_OBJECT && tree == near->tree) {
			place.keys[place.count++] = make_word(m, "$mqtt");
			place.keys[place.count++] = make_word(m, "value");
		}
		if (tree && maker_chance(m, 90))
			some_place(m, tree, &place);
		while (place.count < 3 &&
		       (place.count == 0 || maker_chance(m, place.leaf ? 4 : 30)))
			place.keys[place.count++] = some_key(m);
	}
	struct oracle_json *list = make_node(m, ORACLE_ARRAY);
	size_t count = maker_chance(m, 60) ? 1 : 1 + maker_below(m, 3);
	for (size_t i = 0; i < count; i++)
		maker_append(list, alternative(m, place.leaf && (i == 0 || maker_chance(m, 40))
		                                          ? place.leaf
		                                          : some_scalar(m)));
	if (maker_chance(m, place.leaf ? 6 : 60))
		maker_append(list, make_operator(m, "exists", make_node(m, ORACLE_FALSE)));
	maker_insert(m, pattern, &place, list);
}

/* An object with several members, somewhere in the tree: fields below it are those of one rule that
 * an array holds together. */
static const struct oracle_json *some_object(struct maker *m, const struct oracle_json *tree,
                                             struct place *place)
{
	while (tree && tree->count) {
		const struct oracle_json *child = tree->first;
		for (size_t skip = maker_below(m, tree->count); skip > 0; skip--)
			child = child->next;
		if (tree->type == ORACLE_OBJECT) {
			if (child->type != ORACLE_OBJECT && child->type != ORACLE_ARRAY)
				return tree;
			if (place->count == 4 || (place->count && maker_chance(m, 30)))
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
	size_t count = maker_chance(m, 50) ? 1 : 2 + maker_below(m, 2);
	struct place place = { .count = 0 };
	const struct oracle_json *inside = NULL;
	if (near->tree && near->tree->type == ORACLE_OBJECT && maker_chance(m, 35))
		inside = some_object(m, near->tree, &place);
	if (inside && place.count && inside->type == ORACLE_OBJECT) {
		struct oracle_json *branch = make_node(m, ORACLE_OBJECT);
		for (size_t i = 0; i < count; i++)
			add_field(m, branch, near, inside);
		if (branch->count)
			maker_insert(m, pattern, &place, branch);
	} else {
		for (size_t i = 0; i < count; i++)
			add_field(m, pattern, near, NULL);
	}
	if (depth > 0 && maker_chance(m, 15)) {
		struct oracle_json *list = make_node(m, ORACLE_ARRAY);
		size_t branches = maker_chance(m, 97) ? 2 + maker_below(m, 2) : 1;
		for (size_t i = 0; i < branches; i++) {
			struct oracle_json *branch = make_node(m, ORACLE_OBJECT);
			add_fields(m, branch, near, depth - 1);
			maker_append(list, branch);
		}
		/* Beside the fields at the top, or under one key of them. */
		struct oracle_json *under = pattern;
		if (maker_chance(m, 30) && pattern->first && pattern->first->type == ORACLE_OBJECT)
			under = pattern->first;
		if (!maker_find(under, make_word(m, "$or")))
			maker_member(m, under, "$or", list);
	}
}

struct sluice_str make_pattern(struct oracle_pool *pool, struct dice *dice,
                               const struct made_event *near)
{
	struct maker m = { pool, dice };
	struct oracle_json *pattern = make_node(&m, ORACLE_OBJECT);
	add_fields(&m, pattern, near, 3);
	struct sluice_str spelled = spell(pool, pattern, maker_chance(&m, 50) ? dice : NULL);
	return maker_chance(&m, 1) ? make_damaged(&m, spelled) : spelled;
}
