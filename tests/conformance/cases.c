/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "cases.h"

#include <stdio.h>
#include <stdlib.h>

struct sluice_str cases_read_file(struct oracle_pool *pool, const char *path)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		return (struct sluice_str){ NULL, 0 };
	fseek(file, 0, SEEK_END);
	size_t size = (size_t)ftell(file);
	rewind(file);
	char *bytes = oracle_alloc(pool, size + 1);
	size_t len = fread(bytes, 1, size, file);
	fclose(file);
	return (struct sluice_str){ bytes, len };
}

/* A string's characters, any other value's text; absent when json is NULL. */
static struct sluice_str text_of(struct oracle_pool *pool, const struct oracle_json *json)
{
	if (!json)
		return (struct sluice_str){ NULL, 0 };
	return oracle_text_encode(pool, json->type == ORACLE_STRING ? json->text : json->raw);
}

static int small_number(struct oracle_pool *pool, const struct oracle_json *json)
{
	return json ? atoi(text_of(pool, json).data) : -1;
}

/* RFC 4648, section 4; the files hold none that is malformed. */
static struct sluice_str decode_base64(struct oracle_pool *pool, struct sluice_str text)
{
	static const char alphabet[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	if (!text.data)
		return text;
	char *out = oracle_alloc(pool, text.len + 1);
	size_t len = 0;
	unsigned bits = 0;
	unsigned have = 0;
	for (size_t i = 0; i < text.len && text.data[i] != '='; i++) {
		bits = bits << 6 | (unsigned)(strchr(alphabet, text.data[i]) - alphabet);
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[len++] = (char)(bits >> have & 0xff);
		}
	}
	return (struct sluice_str){ out, len };
}

static void read_properties(struct oracle_pool *pool, const struct oracle_json *json,
                            struct sluice_event *event)
{
	size_t count = 0;
	for (const struct oracle_json *m = json ? json->first : NULL; m; m = m->next)
		count += m->type == ORACLE_ARRAY ? m->count : 1;
	struct sluice_property *properties = oracle_alloc(pool, (count + 1) * sizeof(*properties));
	size_t n = 0;
	for (const struct oracle_json *m = json ? json->first : NULL; m; m = m->next) {
		struct sluice_str name = oracle_text_encode(pool, m->key);
		if (m->type != ORACLE_ARRAY) {
			properties[n++] = (struct sluice_property){ name, text_of(pool, m) };
			continue;
		}
		for (const struct oracle_json *v = m->first; v; v = v->next)
			properties[n++] = (struct sluice_property){ name, text_of(pool, v) };
	}
	event->user_properties = properties;
	event->user_property_count = n;
}

static void read_publish(struct oracle_pool *pool, const struct oracle_json *json,
                         struct sluice_event *event)
{
	event->payload = text_of(pool, oracle_json_get(json, "payload"));
	event->topic = text_of(pool, oracle_json_get(json, "topic"));
	event->client_id = text_of(pool, oracle_json_get(json, "client_id"));
	event->username = text_of(pool, oracle_json_get(json, "username"));
	event->content_type = text_of(pool, oracle_json_get(json, "content_type"));
	event->response_topic = text_of(pool, oracle_json_get(json, "response_topic"));
	event->correlation_data =
	        decode_base64(pool, text_of(pool, oracle_json_get(json, "correlation_data")));
	event->qos = (int8_t)small_number(pool, oracle_json_get(json, "qos"));
	event->payload_format = (int8_t)small_number(pool, oracle_json_get(json, "payload_format"));
	const struct oracle_json *retain = oracle_json_get(json, "retain");
	event->retain = (int8_t)(retain ? retain->type == ORACLE_TRUE : -1);
	read_properties(pool, oracle_json_get(json, "user_properties"), event);
}

bool cases_from_json(struct oracle_pool *pool, const struct oracle_json *json,
                     struct test_case *out)
{
	const struct oracle_json *ruler = oracle_json_get(json, "ruler");
	const struct oracle_json *id = ruler ? ruler : oracle_json_get(json, "id");
	const struct oracle_json *pattern = oracle_json_get(json, "pattern");
	const struct oracle_json *event = oracle_json_get(json, "event");
	const struct oracle_json *publish = oracle_json_get(json, "publish");
	const struct oracle_json *verdict = oracle_json_get(json, "verdict");
	if (!verdict || (!ruler && (!pattern || !event == !publish)))
		return false;
	*out = (struct test_case){ .event = SLUICE_EVENT_INIT };
	out->id = id ? atol(text_of(pool, id).data) : -1;
	out->ruler = ruler;
	out->group = text_of(pool, oracle_json_get(json, "group")).data;
	out->quirk = text_of(pool, oracle_json_get(json, "quirk")).data;
	out->verdict = text_of(pool, verdict).data;
	out->pattern = text_of(pool, pattern);
	if (publish) {
		read_publish(pool, publish, &out->event);
		out->publish = text_of(pool, publish);
	} else {
		out->event.payload = text_of(pool, event);
	}
	return true;
}

/* Takes the line at *at, without its end, and goes on to the next one. */
static struct sluice_str next_line(struct sluice_str file, size_t *at)
{
	const char *end = memchr(file.data + *at, '\n', file.len - *at);
	size_t len = end ? (size_t)(end - file.data) - *at : file.len - *at;
	struct sluice_str line = { file.data + *at, len };
	*at += len + 1;
	return line;
}

/* Finds the next block of Markdown that is a case; false when there is none. */
static bool next_block(struct sluice_str file, size_t *at, struct sluice_str *block)
{
	while (*at < file.len) {
		if (!sluice_str_equal(next_line(file, at), SLUICE_STR("```json case")))
			continue;
		size_t from = *at;
		for (size_t to = *at; *at < file.len; to = *at) {
			if (!sluice_str_equal(next_line(file, at), SLUICE_STR("```")))
				continue;
			*block = (struct sluice_str){ file.data + from, to - from };
			return true;
		}
	}
	return false;
}

static bool is_markdown(const char *path)
{
	size_t len = strlen(path);
	return len > 3 && strcmp(path + len - 3, ".md") == 0;
}

bool cases_load(const char *path, struct test_cases *cases)
{
	*cases = (struct test_cases){ 0 };
	struct sluice_str file = cases_read_file(&cases->pool, path);
	size_t lines = 1;
	if (!file.data) {
		fprintf(stderr, "%s: can't be read\n", path);
		return false;
	}
	for (size_t i = 0; i < file.len; i++)
		lines += file.data[i] == '\n';
	cases->list = oracle_alloc(&cases->pool, lines * sizeof(*cases->list));
	for (size_t at = 0; at < file.len;) {
		struct sluice_str text;
		struct oracle_json *json;
		if (!is_markdown(path))
			text = next_line(file, &at);
		else if (!next_block(file, &at, &text))
			break;
		if (oracle_json_parse(&cases->pool, text, 100, &json) != ORACLE_PARSED ||
		    !cases_from_json(&cases->pool, json, &cases->list[cases->count])) {
			fprintf(stderr, "%s: no case: %.*s\n", path, (int)text.len, text.data);
			cases_unload(cases);
			return false;
		}
		cases->count++;
	}
	return true;
}

void cases_unload(struct test_cases *cases)
{
	oracle_free_all(&cases->pool);
	*cases = (struct test_cases){ 0 };
}
