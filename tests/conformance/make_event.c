/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "generate.h"
#include "maker.h"

static struct oracle_json *value(struct maker *m, int depth);

static struct oracle_json *object(struct maker *m, int depth)
{
	struct oracle_json *json = make_node(m, ORACLE_OBJECT);
	size_t count = maker_chance(m, 4) ? 0 : 1 + maker_below(m, 3);
	for (size_t i = 0; i < count; i++) {
		struct oracle_json *child = value(m, depth - 1);
		child->key = some_key(m);
		maker_append(json, child);
	}
	return json;
}

static struct oracle_json *array(struct maker *m, int depth)
{
	struct oracle_json *json = make_node(m, ORACLE_ARRAY);
	size_t count = maker_chance(m, 5) ? 0 : 1 + maker_below(m, 3);
	bool objects = maker_chance(m, 60);
	for (size_t i = 0; i < count; i++)
		maker_append(json, objects && depth > 1 && maker_chance(m, 85)
		                           ? object(m, depth - 1)
		                           : value(m, depth - 1));
	return json;
}

static struct oracle_json *value(struct maker *m, int depth)
{
	size_t kind = maker_below(m, 100);
	if (depth <= 0 || kind < 40)
		return some_scalar(m);
	return kind < 65 ? object(m, depth) : array(m, depth);
}

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
	if (maker_chance(m, 90))
		event->topic = some_topic(m);
	if (maker_chance(m, 50))
		event->client_id = bytes_of(m, some_string(m));
	if (maker_chance(m, 30))
		event->username = bytes_of(m, some_string(m));
	if (maker_chance(m, 30))
		event->content_type = bytes_of(m, some_string(m));
	if (maker_chance(m, 30))
		event->response_topic = some_topic(m);
	if (maker_chance(m, 30))
		event->correlation_data = bytes_of(m, some_string(m));
	event->qos = (int8_t)((int)maker_below(m, 4) - 1);
	event->retain = (int8_t)((int)maker_below(m, 3) - 1);
	event->payload_format = (int8_t)((int)maker_below(m, 3) - 1);
	size_t count = maker_below(m, 4);
	struct sluice_property *properties = oracle_alloc(m->pool, 4 * sizeof(*properties));
	for (size_t i = 0; i < count; i++)
		properties[i] = (struct sluice_property){ sluice_str(ONE_OF(m, names)),
			                                  bytes_of(m, some_string(m)) };
	event->user_properties = properties;
	event->user_property_count = count;
}

/* A copy in which some values are others, some are missing and some stand twice. */
static struct oracle_json *vary(struct maker *m, const struct oracle_json *json, int depth)
{
	struct oracle_json *copy = make_node(m, json->type);
	copy->text = json->text;
	for (const struct oracle_json *child = json->first; child; child = child->next) {
		struct oracle_json *varied;
		if (maker_chance(m, 6))
			continue;
		for (int times = maker_chance(m, 5) ? 2 : 1; times > 0; times--) {
			bool scalar_child = child->type < ORACLE_ARRAY;
			varied = maker_chance(m, scalar_child ? 12 : 3) ? value(m, depth - 1)
			                                                : vary(m, child, depth - 1);
			varied->key = child->key;
			maker_append(copy, varied);
		}
	}
	return copy;
}

void make_event(struct oracle_pool *pool, struct dice *dice, const struct made_event *like,
                struct made_event *made)
{
	struct maker m = { pool, dice };
	size_t kind = maker_below(&m, 100);
	made->event = SLUICE_EVENT_INIT;
	if (like && like->tree)
		made->tree = vary(&m, like->tree, 3);
	else
		made->tree = kind < 90 ? object(&m, 4) : kind < 96 ? array(&m, 3) : some_scalar(&m);
	made->event.payload = spell(pool, made->tree, maker_chance(&m, 50) ? dice : NULL);
	if (maker_chance(&m, 5)) {
		made->event.payload = make_damaged(&m, made->event.payload);
		made->tree = NULL;
	}
	if (maker_chance(&m, 35))
		make_metadata(&m, &made->event);
}
