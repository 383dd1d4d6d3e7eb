/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "json_path.h"

#include "sluice/pattern.h"
#include "sluice/suggest.h"
#include "text.h"

struct parser {
	struct sluice_str text;
	size_t at;
	struct sluice_arena *arena;
	struct sluice_path_step steps[SLUICE_PATH_MAX_STEPS];
	size_t step_count;
	struct sluice_error *error;
};

static const struct {
	const char *name;
	unsigned metadata;
} metadata_names[] = {
	{ "topic", SLUICE_META_TOPIC },
	{ "client_id", SLUICE_META_CLIENT_ID },
	{ "username", SLUICE_META_USERNAME },
	{ "qos", SLUICE_META_QOS },
	{ "retain", SLUICE_META_RETAIN },
	{ "content_type", SLUICE_META_CONTENT_TYPE },
	{ "response_topic", SLUICE_META_RESPONSE_TOPIC },
	{ "correlation_data", SLUICE_META_CORRELATION_DATA },
	{ "payload_format", SLUICE_META_PAYLOAD_FORMAT },
	{ "user_properties", SLUICE_META_USER_PROPERTIES },
	{ "payload", SLUICE_META_PAYLOAD },
	{ "value", SLUICE_META_VALUE },
};

enum { METADATA_NAMES = sizeof(metadata_names) / sizeof(metadata_names[0]) };

static enum sluice_status syntax(struct parser *parser, const char *message)
{
	return sluice_error_set(parser->error, SLUICE_ERR_SYNTAX, parser->at, NULL, "%s", message);
}

static bool at_end(const struct parser *parser)
{
	return parser->at == parser->text.len;
}

static char peek(const struct parser *parser)
{
	return at_end(parser) ? '\0' : parser->text.data[parser->at];
}

/* What may stand in a name after a dot without quotes. */
static bool name_character(char c)
{
	return (unsigned char)c > ' ' && c != 0x7f && !strchr(".[]'\"\\*?(){}<>", c);
}

static enum sluice_status parse_name(struct parser *parser, struct sluice_path_step *step)
{
	size_t start = parser->at;

	while (!at_end(parser) && name_character(peek(parser)))
		parser->at++;
	if (parser->at == start) {
		if (peek(parser) == '*')
			return syntax(parser,
			              "a path names one value: wildcards are not supported");
		if (peek(parser) == '.')
			return syntax(parser, "a path names one value: \"..\" is not supported");
		return syntax(parser, at_end(parser) ? "the path ends where a name should be"
		                                     : "a name like this is written ['…']");
	}
	step->key = (struct sluice_str){ parser->text.data + start, parser->at - start };
	return SLUICE_OK;
}

static enum sluice_status parse_quoted(struct parser *parser, struct sluice_path_step *step)
{
	char quote = peek(parser);
	size_t start = ++parser->at, len = 0;

	while (!at_end(parser) && peek(parser) != quote)
		parser->at += peek(parser) == '\\' && parser->at + 1 < parser->text.len ? 2 : 1;
	if (at_end(parser))
		return syntax(parser, "a quote is not closed");
	char *key = sluice_arena_bytes(parser->arena, parser->at - start + 1);
	if (!key)
		return sluice_out_of_memory(parser->error);
	for (size_t i = start; i < parser->at; i++) {
		if (parser->text.data[i] == '\\')
			i++;
		key[len++] = parser->text.data[i];
	}
	step->key = (struct sluice_str){ key, len };
	parser->at++;
	return SLUICE_OK;
}

static enum sluice_status parse_index(struct parser *parser, struct sluice_path_step *step)
{
	size_t start = parser->at;

	while (peek(parser) >= '0' && peek(parser) <= '9' && parser->at - start < 9)
		step->index = step->index * 10 + (size_t)(parser->text.data[parser->at++] - '0');
	if (parser->at == start)
		return syntax(parser,
		              peek(parser) == '*'
		                      ? "a path names one value: wildcards are not supported"
		                      : "an index is a whole number from 0, a name is quoted");
	if (parser->text.data[start] == '0' && parser->at - start > 1)
		return syntax(parser, "an index has no leading zero");
	return SLUICE_OK;
}

static enum sluice_status parse_step(struct parser *parser)
{
	struct sluice_path_step *step = &parser->steps[parser->step_count];
	enum sluice_status status;

	if (parser->step_count == SLUICE_PATH_MAX_STEPS)
		return sluice_error_set(parser->error, SLUICE_ERR_LIMIT, parser->at, NULL,
		                        "the path has more than %d steps", SLUICE_PATH_MAX_STEPS);
	*step = (struct sluice_path_step){ 0 };
	parser->step_count++;
	switch (peek(parser)) {
	case '.':
		parser->at++;
		return parse_name(parser, step);
	case '[':
		parser->at++;
		if (peek(parser) == '\'' || peek(parser) == '"')
			status = parse_quoted(parser, step);
		else
			status = parse_index(parser, step);
		if (status)
			return status;
		if (peek(parser) != ']')
			return syntax(parser, "\"]\" is missing");
		parser->at++;
		return SLUICE_OK;
	default:
		return syntax(parser, "\".\" or \"[\" should be here");
	}
}

static bool key_is(const struct sluice_path_step *step, const char *name)
{
	return step->key.data && sluice_str_equal(step->key, sluice_str(name));
}

/* Reads the steps behind $mqtt: a member's name, and what may follow it. */
static enum sluice_status resolve_metadata(struct parser *parser,
                                           const struct sluice_path_step *steps, size_t count,
                                           struct sluice_json_path *path)
{
	const char *names[METADATA_NAMES + 1];
	char meant[96];
	size_t i = 0;

	for (size_t n = 0; n < METADATA_NAMES; n++)
		names[n] = metadata_names[n].name;
	names[METADATA_NAMES] = NULL;
	if (count == 0 || !steps[0].key.data)
		return sluice_error_set(
		        parser->error, SLUICE_ERR_INVALID, 0, NULL,
		        "$mqtt must be followed by one of its members, such as .topic");
	while (i < METADATA_NAMES && !key_is(&steps[0], metadata_names[i].name))
		i++;
	if (i == METADATA_NAMES)
		return sluice_error_set(
		        parser->error, SLUICE_ERR_INVALID, 0, NULL,
		        "$mqtt has no member \"%.*s\"%s",
		        (int)(steps[0].key.len < 64 ? steps[0].key.len : 64), steps[0].key.data,
		        sluice_suggest_format(steps[0].key, names, meant, sizeof(meant)));
	path->metadata = metadata_names[i].metadata;
	path->steps = NULL;
	path->step_count = 0;
	if (path->metadata == SLUICE_META_VALUE) {
		path->steps = steps + 1;
		path->step_count = count - 1;
	} else if (path->metadata == SLUICE_META_USER_PROPERTIES) {
		if (count < 2 || !steps[1].key.data)
			return sluice_error_set(
			        parser->error, SLUICE_ERR_INVALID, 0, NULL,
			        "$mqtt.user_properties must be followed by the name of one");
		if (count > 3 || (count == 3 && steps[2].key.data))
			return sluice_error_set(parser->error, SLUICE_ERR_INVALID, 0, NULL,
			                        "a user property has nothing below it but [index]");
		path->property = steps[1].key;
		path->property_index = count == 3 ? steps[2].index : 0;
	} else if (count > 1) {
		return sluice_error_set(parser->error, SLUICE_ERR_INVALID, 0, NULL,
		                        "$mqtt.%s has nothing below it", metadata_names[i].name);
	}
	return SLUICE_OK;
}

/* "$mqtt.topic" is short for "$.$mqtt.topic". */
static bool begins_with_mqtt(struct sluice_str text)
{
	return text.len >= 5 && memcmp(text.data, "$mqtt", 5) == 0 &&
	       (text.len == 5 || text.data[5] == '.' || text.data[5] == '[');
}

enum sluice_status sluice_json_path_compile(struct sluice_str text, struct sluice_arena *arena,
                                            struct sluice_json_path *path,
                                            struct sluice_error *error)
{
	struct parser parser = { .arena = arena, .error = error };
	bool mqtt = begins_with_mqtt(text);

	*path = (struct sluice_json_path){ 0 };
	if (text.len > SLUICE_PATH_MAX_BYTES)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, SLUICE_PATH_MAX_BYTES, NULL,
		                        "the path is longer than %d bytes", SLUICE_PATH_MAX_BYTES);
	if (text.len == 0 || text.data[0] != '$')
		return sluice_error_set(error, SLUICE_ERR_SYNTAX, 0, NULL,
		                        "a path begins with \"$\"");
	if (sluice_text_utf8_length(text) != text.len)
		return sluice_error_set(error, SLUICE_ERR_SYNTAX, sluice_text_utf8_length(text),
		                        NULL, "the path is not UTF-8");
	parser.text = sluice_arena_str(arena, text);
	if (!parser.text.data)
		return sluice_out_of_memory(error);
	parser.at = mqtt ? 5 : 1;
	while (!at_end(&parser)) {
		enum sluice_status status = parse_step(&parser);

		if (status)
			return status;
	}

	struct sluice_path_step *steps =
	        sluice_arena_alloc(arena, parser.step_count + 1, sizeof(*steps));
	if (!steps)
		return sluice_out_of_memory(error);
	memcpy(steps, parser.steps, parser.step_count * sizeof(*steps));
	if (mqtt)
		return resolve_metadata(&parser, steps, parser.step_count, path);
	if (parser.step_count > 0 && key_is(&steps[0], "$mqtt"))
		return resolve_metadata(&parser, steps + 1, parser.step_count - 1, path);
	if (parser.step_count > 0 && steps[0].key.len > 6 &&
	    memcmp(steps[0].key.data, "$mqtt.", 6) == 0)
		return sluice_error_set(
		        error, SLUICE_ERR_INVALID, 0, NULL,
		        "nothing in a payload may stand for $mqtt; write $.$mqtt.…");
	path->steps = steps;
	path->step_count = parser.step_count;
	return SLUICE_OK;
}

static struct sluice_path_value text_value(struct sluice_str text)
{
	if (!text.data)
		return (struct sluice_path_value){ .kind = SLUICE_PATH_ABSENT };
	return (struct sluice_path_value){ SLUICE_PATH_TEXT, text };
}

/* A small number of the publish; -1 is absent. */
static struct sluice_path_value number_value(int8_t number, const char *const *names)
{
	if (number < 0)
		return (struct sluice_path_value){ .kind = SLUICE_PATH_ABSENT };
	return (struct sluice_path_value){ SLUICE_PATH_JSON, sluice_str(names[number]) };
}

static struct sluice_path_value property_value(const struct sluice_event *event,
                                               const struct sluice_json_path *path)
{
	size_t left = path->property_index;

	for (size_t i = 0; i < event->user_property_count; i++)
		if (sluice_str_equal(event->user_properties[i].name, path->property) && left-- == 0)
			return text_value(event->user_properties[i].value);
	return (struct sluice_path_value){ .kind = SLUICE_PATH_ABSENT };
}

/* Everything but what lies in the payload. */
static struct sluice_path_value publish_value(const struct sluice_event *event,
                                              const struct sluice_json_path *path)
{
	static const char *const digits[] = { "0", "1", "2" };
	static const char *const truths[] = { "false", "true" };

	switch (path->metadata) {
	case SLUICE_META_TOPIC:
		return text_value(event->topic);
	case SLUICE_META_CLIENT_ID:
		return text_value(event->client_id);
	case SLUICE_META_USERNAME:
		return text_value(event->username);
	case SLUICE_META_QOS:
		return number_value(event->qos, digits);
	case SLUICE_META_RETAIN:
		return number_value(event->retain, truths);
	case SLUICE_META_CONTENT_TYPE:
		return text_value(event->content_type);
	case SLUICE_META_RESPONSE_TOPIC:
		return text_value(event->response_topic);
	case SLUICE_META_CORRELATION_DATA:
		if (!event->correlation_data.data)
			break;
		return (struct sluice_path_value){ SLUICE_PATH_BASE64, event->correlation_data };
	case SLUICE_META_PAYLOAD_FORMAT:
		return number_value(event->payload_format, digits);
	case SLUICE_META_USER_PROPERTIES:
		return property_value(event, path);
	default:
		break;
	}
	return (struct sluice_path_value){ .kind = SLUICE_PATH_ABSENT };
}

bool sluice_json_path_reads_payload(const struct sluice_json_path *path)
{
	return path->metadata == 0 || path->metadata == SLUICE_META_VALUE ||
	       path->metadata == SLUICE_META_PAYLOAD;
}

enum sluice_status sluice_json_path_find(const struct sluice_json_path *paths, size_t count,
                                         const struct sluice_event *event,
                                         struct sluice_path_value *values,
                                         enum sluice_payload_kind *payload)
{
	enum sluice_payload_kind kind = SLUICE_PAYLOAD_MALFORMED;
	bool walk = payload != NULL, into = false;

	for (size_t i = 0; i < count; i++) {
		into |= paths[i].metadata == 0;
		walk |= sluice_json_path_reads_payload(&paths[i]);
	}
	if (walk)
		kind = sluice_json_walk(event->payload, paths, count, values);
	if (payload)
		*payload = kind;
	for (size_t i = 0; i < count; i++) {
		if (paths[i].metadata == 0)
			continue;
		if (paths[i].metadata == SLUICE_META_VALUE) {
			if (kind != SLUICE_PAYLOAD_OTHER)
				values[i].kind = SLUICE_PATH_ABSENT;
		} else if (paths[i].metadata == SLUICE_META_PAYLOAD) {
			bool shown = kind != SLUICE_PAYLOAD_OBJECT &&
			             sluice_text_utf8_length(event->payload) == event->payload.len;

			values[i] = text_value(shown ? event->payload : (struct sluice_str){ 0 });
		} else {
			values[i] = publish_value(event, &paths[i]);
		}
	}
	return into && kind == SLUICE_PAYLOAD_MALFORMED ? SLUICE_ERR_NOT_FOUND : SLUICE_OK;
}
