/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>

#include "pattern.h"
#include "sluice/matcher.h" /* the limits */

/* That a leaf stands in element `index` of an array; all of its arrays are a chain. */
struct membership {
	size_t array, index;
	const struct membership *outer;
};

struct leaf {
	struct oracle_text path;
	struct oracle_leaf_value value;
	const struct membership *membership;
	struct leaf *next;
};

struct oracle_event {
	struct oracle_pool pool;
	struct leaf *leaves;
	size_t arrays;
	enum oracle_payload payload;
};

static void add_leaf(struct oracle_event *event, struct oracle_text path, enum oracle_type type,
                     struct oracle_text text, const struct membership *membership)
{
	struct leaf *leaf = oracle_alloc(&event->pool, sizeof(*leaf));
	leaf->path = path;
	leaf->value.type = type;
	leaf->value.text = text;
	if (type == ORACLE_NUMBER)
		oracle_number_read(&event->pool, text, &leaf->value.number);
	leaf->membership = membership;
	leaf->next = event->leaves;
	event->leaves = leaf;
}

static void flatten(struct oracle_event *event, const struct oracle_json *value,
                    const struct oracle_text *path, const struct membership *membership)
{
	if (value->type == ORACLE_OBJECT) {
		for (const struct oracle_json *m = value->first; m; m = m->next) {
			struct oracle_text below = oracle_path_join(&event->pool, path, m->key);
			if (path || !oracle_path_is_mqtt(below))
				flatten(event, m, &below, membership);
		}
	} else if (value->type == ORACLE_ARRAY) {
		size_t array = event->arrays++;
		size_t index = 0;
		for (const struct oracle_json *e = value->first; e; e = e->next, index++) {
			const struct membership *inner = membership;
			if (e->type == ORACLE_OBJECT || e->type == ORACLE_ARRAY) {
				struct membership *m = oracle_alloc(&event->pool, sizeof(*m));
				*m = (struct membership){ array, index, membership };
				inner = m;
			}
			flatten(event, e, path, inner);
		}
	} else {
		add_leaf(event, *path, value->type, value->text, membership);
	}
}

static struct oracle_text decode(struct oracle_event *event, struct sluice_str bytes)
{
	struct oracle_text text;
	if (!oracle_text_decode(&event->pool, bytes, true, &text))
		text = (struct oracle_text){ 0 };
	return text;
}

static struct oracle_text mqtt_path(struct oracle_event *event, const char *name)
{
	char path[64];
	snprintf(path, sizeof(path), "$mqtt.%s", name);
	return decode(event, sluice_str(path));
}

static void add_string(struct oracle_event *event, const char *name, struct sluice_str value)
{
	if (value.data)
		add_leaf(event, mqtt_path(event, name), ORACLE_STRING, decode(event, value), NULL);
}

static void add_number(struct oracle_event *event, const char *name, int value)
{
	char digits[16];
	if (value < 0)
		return;
	snprintf(digits, sizeof(digits), "%d", value);
	add_leaf(event, mqtt_path(event, name), ORACLE_NUMBER, decode(event, sluice_str(digits)),
	         NULL);
}

/* RFC 4648, section 4. */
static struct sluice_str base64(struct oracle_event *event, struct sluice_str bytes)
{
	static const char alphabet[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *out = oracle_alloc(&event->pool, (bytes.len + 2) / 3 * 4 + 1);
	size_t len = 0;
	for (size_t i = 0; i < bytes.len; i += 3) {
		unsigned group = 0;
		for (size_t k = 0; k < 3; k++)
			group = group << 8 |
			        (i + k < bytes.len ? (unsigned char)bytes.data[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			out[len++] =
			        i + k <= bytes.len ? alphabet[group >> (18 - 6 * k) & 63] : '=';
	}
	return (struct sluice_str){ out, len };
}

static void add_metadata(struct oracle_event *event, const struct sluice_event *publish)
{
	add_string(event, "topic", publish->topic);
	add_string(event, "client_id", publish->client_id);
	add_string(event, "username", publish->username);
	add_string(event, "content_type", publish->content_type);
	add_string(event, "response_topic", publish->response_topic);
	if (publish->correlation_data.data)
		add_string(event, "correlation_data", base64(event, publish->correlation_data));
	add_number(event, "qos", publish->qos);
	add_number(event, "payload_format", publish->payload_format);
	if (publish->retain >= 0)
		add_leaf(event, mqtt_path(event, "retain"),
		         publish->retain ? ORACLE_TRUE : ORACLE_FALSE, (struct oracle_text){ 0 },
		         NULL);
	for (size_t i = 0; i < publish->user_property_count; i++) {
		struct oracle_text parent = mqtt_path(event, "user_properties");
		struct oracle_text name = decode(event, publish->user_properties[i].name);
		add_leaf(event, oracle_path_join(&event->pool, &parent, name), ORACLE_STRING,
		         decode(event, publish->user_properties[i].value), NULL);
	}
}

static void add_payload(struct oracle_event *event, struct sluice_str payload)
{
	struct oracle_json *root;
	struct oracle_text text;
	enum oracle_parsed parsed =
	        oracle_json_parse(&event->pool, payload, SLUICE_EVENT_MAX_NESTING, &root);
	if (parsed == ORACLE_PARSED && root->type == ORACLE_OBJECT) {
		event->payload = ORACLE_PAYLOAD_OBJECT;
		flatten(event, root, NULL, NULL);
		return;
	}
	event->payload = ORACLE_PAYLOAD_BAD;
	if (parsed == ORACLE_TOO_DEEP)
		event->payload = ORACLE_PAYLOAD_TOO_DEEP;
	if (oracle_text_decode(&event->pool, payload, false, &text))
		add_leaf(event, mqtt_path(event, "payload"), ORACLE_STRING, text, NULL);
	if (parsed == ORACLE_PARSED) {
		struct oracle_text path = mqtt_path(event, "value");
		event->payload = ORACLE_PAYLOAD_OTHER;
		flatten(event, root, &path, NULL);
	}
}

struct oracle_event *oracle_event_read(const struct sluice_event *publish)
{
	struct oracle_event *event = calloc(1, sizeof(*event));
	if (!event)
		abort();
	event->payload = ORACLE_PAYLOAD_ABSENT;
	if (publish->payload.data)
		add_payload(event, publish->payload);
	add_metadata(event, publish);
	return event;
}

void oracle_event_destroy(struct oracle_event *event)
{
	if (!event)
		return;
	oracle_free_all(&event->pool);
	free(event);
}

enum oracle_payload oracle_event_payload(const struct oracle_event *event)
{
	return event->payload;
}

static bool values_equal(const struct oracle_leaf_value *a, const struct oracle_leaf_value *b)
{
	if (a->type != b->type)
		return false;
	if (a->type == ORACLE_NUMBER)
		return oracle_number_compare(&a->number, &b->number) == 0;
	return a->type != ORACLE_STRING || oracle_text_equal(a->text, b->text);
}

static bool in_range(const struct oracle_alternative *range, const struct oracle_number *number)
{
	for (size_t i = 0; i < range->bounds; i++) {
		int order = oracle_number_compare(number, &range->bound[i]);
		const char *compare = range->compare[i];
		bool holds = (compare[0] == '<' && order < 0) || (compare[0] == '>' && order > 0);
		if (compare[0] == '=' || compare[1] == '=')
			holds = holds || order == 0;
		if (!holds)
			return false;
	}
	return true;
}

static bool alternative_matches(const struct oracle_alternative *alternative,
                                const struct oracle_leaf_value *leaf)
{
	struct oracle_text part = alternative->value.text;
	struct oracle_text text = leaf->text;
	bool string = leaf->type == ORACLE_STRING;
	switch (alternative->op) {
	case ORACLE_EQUALS:
		return values_equal(&alternative->value, leaf);
	case ORACLE_PREFIX:
		return string && oracle_text_has(text, 0, part, false);
	case ORACLE_SUFFIX:
		return string && oracle_text_has(text, text.len - part.len, part, false);
	case ORACLE_FOLDED:
		return string && text.len == part.len && oracle_text_has(text, 0, part, true);
	case ORACLE_FOLDED_PREFIX:
		return string && oracle_text_has(text, 0, part, true);
	case ORACLE_FOLDED_SUFFIX:
		return string && oracle_text_has(text, text.len - part.len, part, true);
	case ORACLE_WILDCARD:
		return string && oracle_wildcard_matches(part, text);
	case ORACLE_NUMERIC:
		return leaf->type == ORACLE_NUMBER && in_range(alternative, &leaf->number);
	case ORACLE_CIDR:
		return string && oracle_cidr_matches(&alternative->block, alternative->bits, text);
	case ORACLE_MQTT_TOPIC:
		return string && oracle_topic_matches(part, text);
	case ORACLE_EXISTS:
		return true;
	case ORACLE_ABSENT:
		return false;
	case ORACLE_ANYTHING_BUT:
		for (const struct oracle_alternative *but = alternative->but; but; but = but->next)
			if (alternative_matches(but, leaf))
				return false;
		return true;
	}
	return false;
}

/* No array has the two in different elements. */
static bool consistent(const struct leaf *a, const struct leaf *b)
{
	for (const struct membership *m = a->membership; m; m = m->outer)
		for (const struct membership *n = b->membership; n; n = n->outer)
			if (m->array == n->array && m->index != n->index)
				return false;
	return true;
}

/* The fields decided so far: each by a leaf, or (leaf NULL) by the absence of its path. */
struct choice {
	const struct oracle_item *field;
	const struct leaf *leaf;
	const struct choice *before;
};

/* The items that are still to be decided: a list, and what follows it. */
struct rest {
	const struct oracle_item *items;
	const struct rest *then;
};

struct search {
	const struct oracle_event *event;
	size_t steps;
};

enum { MAX_STEPS = 2000000 };

static bool consistent_with_all(const struct leaf *leaf, const struct choice *chosen)
{
	for (; chosen; chosen = chosen->before)
		if (chosen->leaf && !consistent(leaf, chosen->leaf))
			return false;
	return true;
}

/* Every field of `chosen` that is to be absent has no leaf beside the leaves chosen. */
static bool absences_hold(struct search *search, const struct choice *chosen)
{
	for (const struct choice *c = chosen; c; c = c->before) {
		if (c->leaf)
			continue;
		for (const struct leaf *leaf = search->event->leaves; leaf; leaf = leaf->next) {
			search->steps++;
			if (oracle_text_equal(leaf->path, c->field->path) &&
			    consistent_with_all(leaf, chosen))
				return false;
		}
	}
	return true;
}

static bool decide(struct search *search, const struct oracle_item *items, const struct rest *rest,
                   const struct choice *chosen);

static bool decide_field(struct search *search, const struct oracle_item *field,
                         const struct rest *rest, const struct choice *chosen)
{
	if (field->payload && search->event->payload != ORACLE_PAYLOAD_OBJECT)
		return false;
	bool may_be_absent = false;
	for (const struct oracle_alternative *a = field->alternatives; a; a = a->next)
		if (a->op == ORACLE_ABSENT)
			may_be_absent = true;
	struct choice choice = { field, NULL, chosen };
	if (may_be_absent && decide(search, field->next, rest, &choice))
		return true;
	for (const struct leaf *leaf = search->event->leaves; leaf; leaf = leaf->next) {
		bool matches = false;
		search->steps++;
		if (!oracle_text_equal(leaf->path, field->path))
			continue;
		for (const struct oracle_alternative *a = field->alternatives; a; a = a->next)
			if (alternative_matches(a, &leaf->value))
				matches = true;
		if (!matches || !consistent_with_all(leaf, chosen))
			continue;
		choice.leaf = leaf;
		if (decide(search, field->next, rest, &choice))
			return true;
	}
	return false;
}

static bool decide(struct search *search, const struct oracle_item *items, const struct rest *rest,
                   const struct choice *chosen)
{
	if (search->steps > MAX_STEPS)
		return false;
	if (!items)
		return rest ? decide(search, rest->items, rest->then, chosen)
		            : absences_hold(search, chosen);
	if (items->alternatives)
		return decide_field(search, items, rest, chosen);
	struct rest after = { items->next, rest };
	for (const struct oracle_branch *b = items->branches; b; b = b->next)
		if (decide(search, b->items, &after, chosen))
			return true;
	return false;
}

enum oracle_verdict oracle_match(const struct oracle_pattern *pattern,
                                 const struct oracle_event *event)
{
	struct search search = { event, 0 };
	bool matched = decide(&search, pattern->items, NULL, NULL);
	if (matched)
		return ORACLE_MATCH;
	return search.steps > MAX_STEPS ? ORACLE_UNKNOWN : ORACLE_NOMATCH;
}
