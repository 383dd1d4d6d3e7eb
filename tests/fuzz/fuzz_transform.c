/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What a target makes of an event, on any target and any event. The input is a target's JSON, a NUL
 * and a payload. What a JSON template gives is JSON; a topic is one that may be published to and
 * begins with its template's literal beginning; the walk over the payload takes what the reader
 * takes and finds what it finds.
 */
#include <stdint.h>
#include <stdlib.h>

#include "json_path.h"
#include "sluice/json.h"
#include "sluice/matcher.h"
#include "sluice/rule.h"
#include "sluice/topic.h"
#include "target.h"

enum { LIMIT = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool well_formed(struct sluice_str text, size_t max_depth)
{
	struct sluice_json_doc *doc;
	enum sluice_status status = sluice_json_parse(text, 0, max_depth, &doc, NULL);

	sluice_json_destroy(doc);
	return status == SLUICE_OK;
}

/* The walk and the reader agree about the payload. */
static void check_walk(struct sluice_str payload)
{
	static const char *const texts[] = { "$", "$.a", "$.a.b[0]", "$[0]", "$['']", "$[1].a" };
	enum { PATHS = sizeof(texts) / sizeof(texts[0]) };
	struct sluice_arena *arena = sluice_arena_create();
	struct sluice_json_path paths[PATHS];
	struct sluice_path_value values[PATHS];

	check(arena != NULL);
	for (size_t i = 0; i < PATHS; i++)
		check(sluice_json_path_compile(sluice_str(texts[i]), arena, &paths[i], NULL) ==
		      SLUICE_OK);
	bool walked = sluice_json_walk(payload, paths, PATHS, values) != SLUICE_PAYLOAD_MALFORMED;
	/* The reader counts a scalar as a level, the event's limit does not. */
	check(walked == well_formed(payload, SLUICE_EVENT_MAX_NESTING + 1));
	for (size_t i = 0; i < PATHS; i++)
		check(values[i].kind == SLUICE_PATH_ABSENT ||
		      (walked && well_formed(values[i].text, SLUICE_EVENT_MAX_NESTING + 1)));
	sluice_arena_destroy(arena);
}

static bool template_is_json(const struct sluice_json *node)
{
	const struct sluice_json *tpl =
	        sluice_json_get(sluice_json_get(node, "input_transformer"), "template");

	if (!tpl)
		return true; /* a part or a constant */
	for (size_t i = 0; i < tpl->string.len; i++)
		if (!strchr(" \t\r\n", tpl->string.data[i]))
			return strchr("{[\"", tpl->string.data[i]) != NULL;
	return false;
}

static void check_topic(const struct sluice_target *target, const struct sluice_vars *vars)
{
	struct sluice_buffer out = { 0 };

	if (sluice_topic_template_expand(target->topic, vars, &out, NULL) == SLUICE_OK) {
		struct sluice_str topic = sluice_buffer_str(&out);
		struct sluice_str prefix = sluice_topic_template_prefix(target->topic);

		check(sluice_topic_valid(topic) && topic.data[0] != '$');
		check(topic.len >= prefix.len && memcmp(topic.data, prefix.data, prefix.len) == 0);
	}
	sluice_buffer_finish(&out);
}

static void check_target(const struct sluice_json *node, struct sluice_str payload)
{
	static const struct sluice_property property = { { "p", 1 }, { "\"\\\n/", 4 } };
	struct sluice_arena *arena = sluice_arena_create();
	struct sluice_buffer out = { .limit = LIMIT };
	struct sluice_event event = SLUICE_EVENT_INIT;
	struct sluice_target target;
	struct sluice_error error = { 0 };

	check(arena != NULL);
	event.payload = payload;
	event.topic = SLUICE_STR("a/\"b\\c\"/<d>");
	event.client_id = SLUICE_STR("c\"1");
	event.correlation_data = payload;
	event.user_properties = &property;
	event.user_property_count = 1;
	struct sluice_vars vars = { .event = &event,
		                    .rule = SLUICE_STR("r"),
		                    .bus = SLUICE_STR("b"),
		                    .id = SLUICE_STR("i") };
	if (sluice_target_read(&target, node, &error) == SLUICE_OK) {
		check(sluice_target_keep(&target, arena));
		vars.consumer = target.consumer;
		vars.target = target.id;
		if (target.topic)
			check_topic(&target, &vars);
		if (target.transform) {
			enum sluice_status status =
			        sluice_transform_apply(target.transform, &vars, &out, &error);

			check(status || out.len <= LIMIT);
			/* A value of 512 levels may stand within those of the template. */
			check(status || !template_is_json(node) ||
			      well_formed(sluice_buffer_str(&out), 1024));
		}
	} else {
		check(error.message[0] != '\0');
	}
	sluice_target_finish(&target);
	sluice_buffer_finish(&out);
	sluice_arena_destroy(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
	size_t len = nul ? (size_t)(nul - data) : size;
	struct sluice_str text = { (const char *)data, len };
	struct sluice_str payload = { nul ? (const char *)nul + 1 : "", nul ? size - len - 1 : 0 };
	struct sluice_json_doc *doc;

	check_walk(payload);
	if (sluice_json_parse(text, 0, 64, &doc, NULL) == SLUICE_OK)
		check_target(sluice_json_root(doc), payload);
	sluice_json_destroy(doc);
	return 0;
}
