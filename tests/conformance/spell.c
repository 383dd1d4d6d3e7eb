/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "spell.h"

#include <stdio.h>
#include <stdlib.h>

uint64_t dice_roll(struct dice *dice)
{
	uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

size_t dice_below(struct dice *dice, size_t sides)
{
	return (size_t)(dice_roll(dice) % sides);
}

bool dice_chance(struct dice *dice, unsigned percent)
{
	return dice_below(dice, 100) < percent;
}

struct writer {
	struct oracle_pool *pool;
	struct dice *dice;
	char *bytes;
	size_t len, room;
};

static void put(struct writer *w, struct sluice_str bytes)
{
	if (w->room - w->len <= bytes.len) {
		size_t room = (w->len + bytes.len) * 2 + 128;
		char *more = oracle_alloc(w->pool, room);
		if (w->len)
			memcpy(more, w->bytes, w->len);
		w->bytes = more;
		w->room = room;
	}
	if (bytes.len)
		memcpy(w->bytes + w->len, bytes.data, bytes.len);
	w->len += bytes.len;
}

static void put_text(struct writer *w, const char *text)
{
	put(w, sluice_str(text));
}

static void put_space(struct writer *w)
{
	static const char *const spaces[] = { " ", "\t", "\n", "\r\n", "  " };
	if (w->dice && dice_chance(w->dice, 4))
		put_text(w, spaces[dice_below(w->dice, 5)]);
}

static void put_unit(struct writer *w, uint32_t unit)
{
	char escape[8];
	snprintf(escape, sizeof(escape),
	         w->dice && dice_chance(w->dice, 50) ? "\\u%04X" : "\\u%04x", unit & 0xffff);
	put_text(w, escape);
}

static void put_string(struct writer *w, struct oracle_text text)
{
	static const char *const shorts[] = { "\"\\\"", "\\\\\\", "/\\/",  "\b\\b",
		                              "\f\\f",  "\n\\n",  "\r\\r", "\t\\t" };
	put_text(w, "\"");
	for (size_t i = 0; i < text.len; i++) {
		uint32_t c = text.chars[i];
		bool half = c >= 0xd800 && c <= 0xdfff;
		bool must = c < 0x20 || c == '"' || c == '\\' || half;
		size_t s = 0;
		if (!must && !(w->dice && dice_chance(w->dice, 3))) {
			struct oracle_text one = { &c, 1 };
			put(w, oracle_text_encode(w->pool, one));
			continue;
		}
		while (s < 8 && (uint32_t)(unsigned char)shorts[s][0] != c)
			s++;
		if (s < 8 && !(w->dice && dice_chance(w->dice, 30))) {
			put_text(w, shorts[s] + 1);
		} else if (c >= 0x10000) {
			put_unit(w, 0xd800 + (c - 0x10000) / 0x400);
			put_unit(w, 0xdc00 + (c - 0x10000) % 0x400);
		} else {
			put_unit(w, c);
		}
	}
	put_text(w, "\"");
}

static void put_value(struct writer *w, const struct oracle_json *json)
{
	static const char *const words[] = { "null", "false", "true" };
	bool object = json->type == ORACLE_OBJECT;
	put_space(w);
	switch (json->type) {
	case ORACLE_NULL:
	case ORACLE_FALSE:
	case ORACLE_TRUE:
		put_text(w, words[json->type]);
		break;
	case ORACLE_NUMBER:
		put(w, oracle_text_encode(w->pool, json->text));
		break;
	case ORACLE_STRING:
		put_string(w, json->text);
		break;
	case ORACLE_ARRAY:
	case ORACLE_OBJECT:
		put_text(w, object ? "{" : "[");
		put_space(w);
		for (const struct oracle_json *item = json->first; item; item = item->next) {
			if (object) {
				put_string(w, item->key);
				put_space(w);
				put_text(w, ":");
			}
			put_value(w, item);
			if (item->next) {
				put_text(w, ",");
				put_space(w);
			}
		}
		put_text(w, object ? "}" : "]");
		break;
	}
	put_space(w);
}

struct sluice_str spell(struct oracle_pool *pool, const struct oracle_json *json, struct dice *dice)
{
	struct writer w = { .pool = pool, .dice = dice };
	put_value(&w, json);
	put(&w, (struct sluice_str){ "", 1 });
	return (struct sluice_str){ w.bytes, w.len - 1 };
}
