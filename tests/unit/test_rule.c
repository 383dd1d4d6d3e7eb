/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "oom.h"
#include "sluice/buffer.h"
#include "sluice/delivery.h"
#include "sluice/rule.h"
#include "sluice/schedule.h"

static struct sluice_rule *parse(const char *text)
{
	struct sluice_rule *rule;
	struct sluice_error error = { 0 };

	if (sluice_rule_parse(sluice_str(text), &rule, &error))
		fail_msg("rule %s\nis refused: %s: %s", text, error.place, error.message);
	return rule;
}

/* "status: place: message", or "ok". */
static const char *verdict(const char *text)
{
	static char result[640];
	struct sluice_rule *rule;
	struct sluice_error error = { 0 };
	enum sluice_status status = sluice_rule_parse(sluice_str(text), &rule, &error);

	if (!status) {
		sluice_rule_destroy(rule);
		return "ok";
	}
	assert_null(rule);
	assert_int_equal(error.code, status);
	snprintf(result, sizeof(result), "%s: %s: %s", sluice_status_name(status), error.place,
	         error.message);
	return result;
}

static void assert_verdict(const char *text, const char *expected)
{
	const char *got = verdict(text);

	if (strcmp(got, expected) != 0)
		fail_msg("rule     %s\nexpected %s\ngot      %s", text, expected, got);
}

static void assert_written(const char *text, const char *expected)
{
	struct sluice_rule *rule = parse(text);
	struct sluice_buffer buf = { 0 };

	sluice_rule_write(rule, &buf);
	assert_string_equal(buf.data, expected);
	sluice_rule_destroy(rule);
	/* What was written reads as the same rule. */
	rule = parse(buf.data);
	struct sluice_buffer again = { 0 };
	sluice_rule_write(rule, &again);
	assert_string_equal(again.data, buf.data);
	sluice_rule_destroy(rule);
	sluice_buffer_finish(&again);
	sluice_buffer_finish(&buf);
}

static void assert_str(struct sluice_str got, const char *expected)
{
	if (!sluice_str_equal(got, sluice_str(expected)))
		fail_msg("expected \"%s\", got \"%.*s\"", expected, (int)got.len, got.data);
}

static void test_a_small_rule_has_defaults(void **state)
{
	struct sluice_rule *rule = parse("{\"name\":\"r\",\"pattern\":{\"a\":[1]}}");

	(void)state;
	assert_str(rule->name, "r");
	assert_str(rule->bus, "default");
	assert_int_equal(rule->state, SLUICE_RULE_ENABLED);
	assert_null(rule->description.data);
	assert_false(rule->metrics);
	assert_int_equal(rule->target_count, 0);
	assert_int_equal(rule->metadata, 0);
	assert_str(sluice_pattern_text(rule->pattern), "{\"a\":[1]}");
	sluice_rule_destroy(rule);
}

static void test_a_rule_whose_pattern_was_taken_still_knows_its_text(void **state)
{
	struct sluice_rule *rule = parse("{\"name\":\"r\",\"pattern\":{\"a\":[1]}}");
	struct sluice_pattern *pattern = sluice_rule_take_pattern(rule);
	struct sluice_buffer buf = { 0 };

	(void)state;
	assert_str(sluice_pattern_text(pattern), "{\"a\":[1]}");
	sluice_pattern_destroy(pattern);
	assert_null(rule->pattern);
	assert_null(sluice_rule_take_pattern(rule));
	assert_str(rule->pattern_text, "{\"a\":[1]}");
	sluice_rule_write(rule, &buf);
	assert_str(sluice_buffer_str(&buf), "{\"name\":\"r\",\"bus\":\"default\",\"state\":"
	                                    "\"ENABLED\",\"pattern\":{\"a\":[1]},"
	                                    "\"targets\":[]}");
	sluice_buffer_finish(&buf);
	sluice_rule_destroy(rule);
}

static void test_every_member_is_read(void **state)
{
	struct sluice_rule *rule = parse(
	        "{\"name\":\"hot-boilers\",\"bus\":\"plant\",\"state\":\"SHADOW\",\"description\":"
	        "\"h\","
	        "\"metrics\":true,\"pattern\":{\"$mqtt\":{\"username\":[\"a\"]}},\"targets\":["
	        "{\"id\":\"a\",\"topic\":\"x/{topic}\",\"qos\":2,\"retain\":true,\"once\":true,"
	        "\"properties\":[\"sluice-rule\",\"sluice-time\"],\"expiry_s\":60,"
	        "\"content_type\":\"text/plain\",\"input\":\"hi\"},"
	        "{\"id\":\"b\",\"consumer\":\"pager\",\"qos\":\"inherit\",\"retain\":\"inherit\"},"
	        "{\"id\":\"c\",\"bus\":\"alarms\",\"input_path\":\"$.a\"},"
	        "{\"id\":\"d\",\"consumer\":\"x\",\"topic\":\"q/{consumer}/{client_id}\"}]}");

	(void)state;
	assert_str(rule->name, "hot-boilers");
	assert_str(rule->bus, "plant");
	assert_str(rule->description, "h");
	assert_int_equal(rule->state, SLUICE_RULE_SHADOW);
	assert_true(rule->metrics);
	assert_int_equal(rule->target_count, 4);
	assert_int_equal(rule->metadata,
	                 SLUICE_META_USERNAME | SLUICE_META_TOPIC | SLUICE_META_CLIENT_ID);

	const struct sluice_target *target = &rule->targets[0];
	assert_int_equal(target->kind, SLUICE_TARGET_TOPIC);
	assert_str(target->id, "a");
	assert_null(target->consumer.data);
	assert_int_equal(target->qos, 2);
	assert_int_equal(target->retain, 1);
	assert_true(target->once);
	assert_int_equal(target->properties, SLUICE_ADD_RULE | SLUICE_ADD_TIME);
	assert_int_equal(target->expiry_s, 60);
	assert_str(target->content_type, "text/plain");
	assert_non_null(target->transform);

	target = &rule->targets[1];
	assert_str(target->consumer, "pager");
	assert_str(sluice_topic_template_prefix(target->topic), "consumers/");
	assert_int_equal(target->qos, -1);
	assert_int_equal(target->retain, -1);
	assert_null(target->transform);
	assert_str(target->text, "{\"id\":\"b\",\"consumer\":\"pager\",\"qos\":\"inherit\","
	                         "\"retain\":\"inherit\"}");

	target = &rule->targets[2];
	assert_int_equal(target->kind, SLUICE_TARGET_BUS);
	assert_str(target->bus, "alarms");
	assert_null(target->topic);
	assert_non_null(target->transform);

	target = &rule->targets[3];
	assert_str(target->consumer, "x");
	assert_int_equal(target->qos, -1);
	assert_int_equal(target->retain, 0);
	sluice_rule_destroy(rule);
}

static void test_a_rule_is_written_back_verbatim_on_one_line(void **state)
{
	(void)state;
	assert_written("{\"pattern\": {\"a\": [1.00, \"x  \\u0041\\n\", 9007199254740993]},\n"
	               " \"name\": \"r\"}",
	               "{\"name\":\"r\",\"bus\":\"default\",\"state\":\"ENABLED\",\"pattern\":"
	               "{\"a\":[1.00,\"x  \\u0041\\n\",9007199254740993]},\"targets\":[]}");
	assert_written(
	        "{\"name\":\"r\",\"state\":\"DISABLED\",\"description\":\"a \\\"q\\\" \\u00e9\","
	        "\"metrics\":true,\"bus\":\"b\",\"pattern\":{\"a\":[null]},\"targets\":[\n"
	        "{ \"id\": \"t\", \"topic\": \"a b/{topic}\", \"qos\": 1.0 },\n"
	        "{ \"bus\": \"c\", \"id\": \"u\", \"input\": [ 1e0, \" \" ] } ]}",
	        "{\"name\":\"r\",\"bus\":\"b\",\"state\":\"DISABLED\",\"description\":"
	        "\"a \\\"q\\\" \xc3\xa9\",\"metrics\":true,\"pattern\":{\"a\":[null]},"
	        "\"targets\":[{\"id\":\"t\",\"topic\":\"a b/{topic}\",\"qos\":1.0},"
	        "{\"bus\":\"c\",\"id\":\"u\",\"input\":[1e0,\" \"]}]}");
}

#define RULE(members)    "{\"name\":\"r\",\"pattern\":{\"a\":[1]}" members "}"
#define TARGET(members)  RULE(",\"targets\":[{\"id\":\"t\"," members "}]")
#define TOPIC_T(members) TARGET("\"topic\":\"x\"," members)

#define TIMED(schedule, members) "{\"name\":\"r\",\"schedule\":\"" schedule "\"" members "}"

/* What the event of a schedule is. */
static void assert_input(const char *text, const char *expected)
{
	struct sluice_rule *rule = parse(text);
	struct sluice_event event = SLUICE_EVENT_INIT;
	struct sluice_vars vars = { .event = &event,
		                    .rule = rule->name,
		                    .bus = rule->bus,
		                    .time_ms = INT64_C(1767323045678) };
	struct sluice_buffer out = { 0 };
	struct sluice_error error;

	assert_int_equal(sluice_transform_apply(rule->schedule.input, &vars, &out, &error),
	                 SLUICE_OK);
	assert_str(sluice_buffer_str(&out), expected);
	sluice_buffer_finish(&out);
	sluice_rule_destroy(rule);
}

static void test_a_rule_may_have_a_schedule_in_the_place_of_a_pattern(void **state)
{
	static const char text[] =
	        "{\"name\":\"r\",\"bus\":\"default\",\"state\":\"ENABLED\",\"schedule\":\"cron(0 8 "
	        "? "
	        "* MON "
	        "*)\",\"timezone\":\"Europe/Berlin\",\"input_transformer\":{\"template\":\"at "
	        "<sluice.time>\"},\"missed\":\"run-once\",\"targets\":[]}";
	struct sluice_rule *rule = parse(text);
	struct sluice_buffer buf = { 0 };

	(void)state;
	assert_null(rule->pattern);
	assert_null(rule->pattern_text.data);
	assert_null(sluice_rule_take_pattern(rule));
	assert_true(rule->schedule.run_missed);
	/* 2026-01-05 is a Monday; 8:00 in Berlin is 7:00. */
	assert_true(sluice_schedule_next(rule->schedule.times, INT64_C(1767225600000)) ==
	            INT64_C(1767596400000));
	sluice_rule_write(rule, &buf);
	assert_str(sluice_buffer_str(&buf), text);
	sluice_buffer_finish(&buf);
	sluice_rule_destroy(rule);
	assert_input(text, "at 2026-01-02T03:04:05.678Z");
	assert_input(TIMED("rate(1 day)", ",\"input\":{ \"a\" : \"<sluice.time>\" }"),
	             "{ \"a\" : \"<sluice.time>\" }");
	assert_input(TIMED("rate(1 day)", ""),
	             "{\"rule\":\"r\",\"time\":\"2026-01-02T03:04:05.678Z\"}");
}

static void test_any_allocation_of_a_schedule_may_fail(void **state)
{
	(void)state;
	for (size_t n = 1;; n++) {
		struct sluice_rule *rule;
		struct sluice_error error;

		oom_fail_at(n);
		enum sluice_status status = sluice_rule_parse(
		        SLUICE_STR(TIMED("rate(1 day)", ",\"timezone\":\"Asia/Tokyo\"")), &rule,
		        &error);
		bool failed = oom_happened();
		assert_int_equal(status, failed ? SLUICE_ERR_NOMEM : SLUICE_OK);
		assert_int_equal(rule == NULL, failed);
		sluice_rule_destroy(rule);
		if (!failed)
			break;
	}
}

static void test_a_faulty_rule_is_refused_with_its_place(void **state)
{
	static const char *const cases[][2] = {
		{ "[]", "invalid: $: a rule must be an object" },
		{ "{}", "invalid: $: a rule must have a \"name\"" },
		{ "{\"name\":\"r\"}",
		  "invalid: $: a rule must have a \"pattern\" or a \"schedule\"" },
		{ RULE(",\"patern\":1"),
		  "invalid: $.patern: a rule has no member \"patern\", did you mean \"pattern\"?" },
		{ RULE(",\"name\":\"r\""), "invalid: $.name: the member \"name\" stands twice" },
		{ "{\"name\":\"a/b\",\"pattern\":{\"a\":[1]}}",
		  "invalid: $.name: must be 1 to 64 of A-Z a-z 0-9 . _ -" },
		{ "{\"name\":7,\"pattern\":{\"a\":[1]}}", "invalid: $.name: must be a string" },
		{ RULE(",\"bus\":\"\""), "invalid: $.bus: must be 1 to 64 of A-Z a-z 0-9 . _ -" },
		{ RULE(",\"state\":\"enabled\""),
		  "invalid: $.state: must be \"ENABLED\", \"DISABLED\" or \"SHADOW\"" },
		{ RULE(",\"metrics\":1"), "invalid: $.metrics: must be true or false" },
		{ RULE(",\"description\":null"), "invalid: $.description: must be a string" },
		{ RULE(",\"description\":\"\\u0000\""),
		  "invalid: $.description: holds the character U+0000" },
		{ RULE(",\"description\":\"\\ud800\""),
		  "invalid: $.description: holds half a surrogate pair" },
		{ RULE(",\"targets\":{}"), "invalid: $.targets: must be a list of targets" },
		{ RULE(",\"targets\":[1]"), "invalid: $.targets[0]: a target must be an object" },
		{ RULE(",\"targets\":[{}]"),
		  "invalid: $.targets[0]: a target must have an \"id\"" },
		{ RULE(",\"targets\":[{\"id\":\"t\"}]"),
		  "invalid: $.targets[0]: a target must have a \"topic\", a \"consumer\", a "
		  "\"queue\" or a \"bus\"" },
		{ RULE(",\"targets\":[{\"id\":\"t\",\"topic\":\"x\"},{\"id\":\"t\",\"topic\":\"y\"}"
		       "]"),
		  "invalid: $.targets[1].id: another target of this rule has the id \"t\"" },
		{ TARGET("\"topic\":\"x\",\"bus\":\"b\""),
		  "invalid: $.targets[0]: a target is one of \"topic\", \"queue\" and "
		  "\"bus\"" },
		{ TARGET("\"consumer\":\"c\",\"queue\":\"q\""),
		  "invalid: $.targets[0]: a target is one of \"topic\", \"queue\" and \"bus\"" },
		{ TARGET("\"queue\":\"a b\""),
		  "invalid: $.targets[0].queue: must be 1 to 64 of A-Z a-z 0-9 . _ -" },
		{ TARGET("\"queue\":\"q\",\"qos\":1"),
		  "invalid: $.targets[0].qos: \"qos\" means nothing for a queue" },
		{ TARGET("\"queue\":\"q\",\"properties\":[]"),
		  "invalid: $.targets[0].properties: \"properties\" means nothing for a queue" },
		{ TARGET("\"queue\":\"q\",\"content_type\":\"a\""),
		  "invalid: $.targets[0].content_type: \"content_type\" is for a transformed "
		  "payload: the target has none of \"input_path\", \"input\" and "
		  "\"input_transformer\"" },
		{ TARGET("\"bus\":\"b\",\"delay_ms\":1"),
		  "invalid: $.targets[0].delay_ms: \"delay_ms\" means nothing for a bus" },
		{ TOPIC_T("\"delay_ms\":31536000001"), "invalid: $.targets[0].delay_ms: must be a "
		                                       "whole number of milliseconds, at most a "
		                                       "year (31536000000), or a path" },
		{ TOPIC_T("\"deduplication\":{\"key\":\"id\"}"),
		  "syntax: $.targets[0].deduplication.key: a path begins with \"$\"" },
		{ RULE(",\"schedule\":\"rate(1 day)\""),
		  "invalid: $.schedule: a rule has either a \"pattern\" or a \"schedule\"" },
		{ RULE(",\"timezone\":\"UTC\""),
		  "invalid: $.timezone: \"timezone\" is for a rule with a \"schedule\"" },
		{ RULE(",\"missed\":\"skip\""),
		  "invalid: $.missed: \"missed\" is for a rule with a \"schedule\"" },
		{ TIMED("rate(0 days)", ""),
		  "syntax: $.schedule: a rate begins with a number from 1" },
		{ TIMED("rate(1 day)", ",\"timezone\":\"Europe/Atlantis\""),
		  "invalid: $.timezone: there is no time zone \"Europe/Atlantis\" in "
		  "/usr/share/zoneinfo/" },
		{ TIMED("rate(1 day)", ",\"missed\":true"),
		  "invalid: $.missed: must be \"skip\" or \"run-once\"" },
		{ TIMED("rate(1 day)", ",\"input\":1,\"input_transformer\":{\"template\":\"x\"}"),
		  "invalid: $.input_transformer: a rule has at most one of \"input\" and "
		  "\"input_transformer\"" },
		{ TIMED("rate(1 day)", ",\"input_transformer\":{\"template\":\"<sluice.topic>\"}"),
		  "invalid: $.input_transformer: a schedule has no event that it could read from: "
		  "there are <sluice.rule>, <sluice.bus>, <sluice.id> and <sluice.time>" },
		{ RULE(",\"dead_letter\":\"\""),
		  "invalid: $.dead_letter: must be 1 to 64 of A-Z a-z 0-9 . _ -" },
		{ TARGET("\"bus\":\"default\""),
		  "invalid: $.targets[0].bus: a rule can't feed the bus that it is on" },
		{ TARGET("\"bus\":\"b\",\"qos\":1"),
		  "invalid: $.targets[0].qos: \"qos\" means nothing for a bus" },
		{ TARGET("\"topic\":\"x/{consumer}\""),
		  "invalid: $.targets[0].topic: the topic names {consumer}, but the target has no "
		  "\"consumer\"" },
		{ TARGET("\"topic\":\"x/{rul}\""), "invalid: $.targets[0].topic: there is no "
		                                   "variable {rul}, did you mean \"rule\"?" },
		{ TARGET("\"topic\":7"), "invalid: $.targets[0].topic: must be a string" },
		{ TARGET("\"consumer\":\"a b\""),
		  "invalid: $.targets[0].consumer: must be 1 to 64 of A-Z a-z 0-9 . _ -" },
		{ TOPIC_T("\"qos\":3"),
		  "invalid: $.targets[0].qos: must be 0, 1, 2 or \"inherit\"" },
		{ TOPIC_T("\"qos\":1.5"),
		  "invalid: $.targets[0].qos: must be 0, 1, 2 or \"inherit\"" },
		{ TOPIC_T("\"retain\":1"),
		  "invalid: $.targets[0].retain: must be true, false or \"inherit\"" },
		{ TOPIC_T("\"once\":\"yes\""),
		  "invalid: $.targets[0].once: must be true or false" },
		{ TOPIC_T("\"expiry_s\":0"),
		  "invalid: $.targets[0].expiry_s: must be a whole number from 1 to 4294967295" },
		{ TOPIC_T("\"expiry_s\":4294967296"),
		  "invalid: $.targets[0].expiry_s: must be a whole number from 1 to 4294967295" },
		{ TOPIC_T("\"properties\":[\"sluice-rul\"]"),
		  "invalid: $.targets[0].properties[0]: there is no property \"sluice-rul\", did "
		  "you "
		  "mean \"sluice-rule\"?; there are sluice-rule, sluice-topic, sluice-id and "
		  "sluice-time" },
		{ TOPIC_T("\"properties\":[\"sluice-id\",\"sluice-id\"]"),
		  "invalid: $.targets[0].properties[1]: the property stands twice" },
		{ TOPIC_T("\"properties\":\"sluice-id\""),
		  "invalid: $.targets[0].properties: must be a list of property names" },
		{ TOPIC_T("\"content_type\":\"a\""),
		  "invalid: $.targets[0].content_type: \"content_type\" is for a transformed "
		  "payload: "
		  "the target has none of \"input_path\", \"input\" and \"input_transformer\"" },
		{ TOPIC_T("\"input\":1,\"content_type\":\"\""),
		  "invalid: $.targets[0].content_type: must not be empty" },
		{ TOPIC_T("\"input\":1,\"input_path\":\"$\""),
		  "invalid: $.targets[0].input: a target has at most one of \"input_path\", "
		  "\"input\" "
		  "and \"input_transformer\"" },
		{ TOPIC_T("\"input_path\":\"x\""),
		  "syntax: $.targets[0].input_path: a path begins with \"$\"" },
		{ TOPIC_T("\"input_transformer\":{\"template\":\"<x>\"}"),
		  "invalid: $.targets[0].input_transformer.template: no variable <x> is among the "
		  "paths" },
		{ TOPIC_T("\"input_transformer\":{\"template\":\"\",\"paths\":{\"a\":\"b\"}}"),
		  "syntax: $.targets[0].input_transformer.paths.a: a path begins with \"$\"" },
		{ "{\"name\":\"r\",\"pattern\":[]}",
		  "invalid: $.pattern: a pattern must be an object" },
		{ "{\"name\":\"r\",\"pattern\":{\"a\":{\"b\":[1,{\"prefixx\":\"x\"}]}}}",
		  "invalid: $.pattern.a.b[1]: unknown operator \"prefixx\", did you mean "
		  "\"prefix\"?" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_verdict(cases[i][0], cases[i][1]);
}

static void test_a_queue_target_has_all_that_may_come_with_it(void **state)
{
	struct sluice_rule *rule = parse(
	        "{\"name\":\"r\",\"pattern\":{\"a\":[1]},\"dead_letter\":\"dead\",\"targets\":[{"
	        "\"id\":\"t\",\"queue\":\"q\",\"delay_ms\":\"$mqtt.username\",\"deduplication\":{"
	        "\"key\":\"$mqtt.client_id\",\"window_s\":7},\"input\":1,\"content_type\":\"x\"}]"
	        "}");
	const struct sluice_target *target = &rule->targets[0];

	(void)state;
	assert_str(rule->dead_letter, "dead");
	assert_int_equal(target->kind, SLUICE_TARGET_QUEUE);
	assert_str(target->queue, "q");
	assert_str(target->content_type, "x");
	assert_int_equal(target->properties,
	                 SLUICE_ADD_RULE | SLUICE_ADD_TOPIC | SLUICE_ADD_ID | SLUICE_ADD_TIME);
	assert_non_null(target->delay);
	assert_int_equal(sluice_deduplication_window_ms(target->deduplication), 7000);
	assert_int_equal(rule->metadata, SLUICE_META_USERNAME | SLUICE_META_CLIENT_ID);
	sluice_rule_destroy(rule);
}

static void test_text_that_is_no_json_is_refused(void **state)
{
	static const char *const cases[] = { "",    "{",     "{\"name\":\"r\",}",
		                             "nul", "{} {}", "\xef\xbb\xbf{}" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (strncmp(verdict(cases[i]), "syntax: ", 8) != 0)
			fail_msg("rule %s: %s", cases[i], verdict(cases[i]));
}

static void test_more_than_64_targets_are_too_many(void **state)
{
	struct sluice_buffer buf = { 0 };

	(void)state;
	for (int count = SLUICE_RULE_MAX_TARGETS; count <= SLUICE_RULE_MAX_TARGETS + 1; count++) {
		sluice_buffer_reset(&buf);
		sluice_buffer_append_text(&buf,
		                          "{\"name\":\"r\",\"pattern\":{\"a\":[1]},\"targets\":[");
		for (int i = 0; i < count; i++)
			sluice_buffer_printf(&buf, "%s{\"id\":\"t%d\",\"topic\":\"x\"}",
			                     i ? "," : "", i);
		sluice_buffer_append_text(&buf, "]}");
		assert_verdict(buf.data,
		               count == SLUICE_RULE_MAX_TARGETS
		                       ? "ok"
		                       : "limit: $.targets: a rule has at most 64 targets");
	}
	sluice_buffer_finish(&buf);
}

static void test_a_rule_past_a_megabyte_is_too_long(void **state)
{
	struct sluice_buffer buf = { 0 };
	char blank[1024];

	(void)state;
	memset(blank, ' ', sizeof(blank));
	sluice_buffer_append_text(&buf, "{\"name\":\"r\",\"pattern\":{\"a\":[1]}}");
	while (buf.len <= SLUICE_RULE_MAX_BYTES)
		sluice_buffer_append(&buf, blank, sizeof(blank));
	assert_verdict(buf.data, "limit: $: a rule is longer than 1048576 bytes");
	sluice_buffer_finish(&buf);
}

static void test_a_deep_pattern_is_the_patterns_own_affair(void **state)
{
	struct sluice_buffer buf = { 0 };

	(void)state;
	for (int depth = SLUICE_PATTERN_MAX_DEPTH - 1; depth <= SLUICE_PATTERN_MAX_DEPTH; depth++) {
		sluice_buffer_reset(&buf);
		sluice_buffer_append_text(&buf, "{\"name\":\"r\",\"pattern\":");
		for (int i = 0; i < depth; i++)
			sluice_buffer_append_text(&buf, "{\"a\":");
		sluice_buffer_append_text(&buf, "[1]");
		for (int i = 0; i <= depth; i++)
			sluice_buffer_append_text(&buf, "}");
		if (depth < SLUICE_PATTERN_MAX_DEPTH)
			assert_verdict(buf.data, "ok");
		else
			assert_memory_equal(verdict(buf.data), "limit: ", 7);
	}
	sluice_buffer_finish(&buf);
}

static void test_a_node_of_a_larger_document_has_places_of_its_own(void **state)
{
	struct sluice_json_doc *doc;
	struct sluice_rule *rule;
	struct sluice_error error;
	const char text[] =
	        "{\"commands\":[{\"rule\":{\"name\":\"r\",\"pattern\":{\"a\":{\"b\":[{}]}},"
	        "\"targets\":[]}},{\"rule\":{\"name\":\"r\",\"bus\":1}}]}";

	(void)state;
	assert_int_equal(sluice_json_parse(sluice_str(text), 0, 64, &doc, NULL), SLUICE_OK);
	const struct sluice_json *command =
	        sluice_json_get(sluice_json_root(doc), "commands")->first;
	assert_int_equal(sluice_rule_from_json(sluice_json_get(command, "rule"), &rule, &error),
	                 SLUICE_ERR_INVALID);
	assert_string_equal(error.place, "$.pattern.a.b[0]");
	assert_int_equal(
	        sluice_rule_from_json(sluice_json_get(command->next, "rule"), &rule, &error),
	        SLUICE_ERR_INVALID);
	assert_string_equal(error.place, "$");
	assert_int_equal(sluice_rule_from_json(sluice_json_get(command->next, "rule"), &rule, NULL),
	                 SLUICE_ERR_INVALID);
	assert_null(rule);
	sluice_json_destroy(doc);
}

static void test_names_are_1_to_64_plain_characters(void **state)
{
	char name[SLUICE_NAME_MAX + 1];

	(void)state;
	memset(name, 'a', sizeof(name));
	assert_true(sluice_name_valid((struct sluice_str){ name, SLUICE_NAME_MAX }));
	assert_false(sluice_name_valid((struct sluice_str){ name, SLUICE_NAME_MAX + 1 }));
	assert_true(sluice_name_valid(SLUICE_STR("A.b_c-9")));
	assert_false(sluice_name_valid(SLUICE_STR("")));
	assert_false(sluice_name_valid(SLUICE_STR("a b")));
	assert_false(sluice_name_valid(SLUICE_STR("a\0b")));
	assert_false(sluice_name_valid(SLUICE_STR("\xc3\xa9")));
}

static void test_states_have_names(void **state)
{
	enum sluice_rule_state parsed;

	(void)state;
	for (int i = 0; i < 3; i++) {
		const char *name = sluice_rule_state_name((enum sluice_rule_state)i);

		assert_true(sluice_rule_state_parse(sluice_str(name), &parsed));
		assert_int_equal(parsed, i);
	}
	assert_false(sluice_rule_state_parse(SLUICE_STR("Enabled"), &parsed));
	assert_false(sluice_rule_state_parse(SLUICE_STR(""), &parsed));
}

static void test_any_allocation_may_fail(void **state)
{
	static const char text[] =
	        "{\"name\":\"r\",\"bus\":\"b\",\"description\":\"d\",\"pattern\":{\"a\":[{"
	        "\"wildcard\":\"x*\"}],"
	        "\"$or\":[{\"b\":[1]},{\"c\":[{\"numeric\":[\">\",1]}]}]},\"targets\":["
	        "{\"id\":\"a\",\"topic\":\"x/{$['k']}/{$.a.b[0]}\",\"input_path\":\"$.a\"},"
	        "{\"id\":\"b\",\"consumer\":\"c\",\"input\":[1],\"content_type\":\"t\"},"
	        "{\"id\":\"c\",\"bus\":\"o\",\"input_transformer\":{\"paths\":{\"x\":\"$.x\"},"
	        "\"template\":\"{\\\"x\\\":<x>}\"}},{\"id\":\"q\",\"queue\":\"q\",\"delay_ms\":"
	        "\"$.d\",\"deduplication\":{\"key\":\"$.e\"}}],\"dead_letter\":\"dead\"}";
	size_t n = 0;

	(void)state;
	for (bool failed = true; failed;) {
		struct sluice_rule *rule;
		struct sluice_error error;

		oom_fail_at(++n);
		enum sluice_status status = sluice_rule_parse(SLUICE_STR(text), &rule, &error);
		failed = oom_happened();
		assert_int_equal(status, failed ? SLUICE_ERR_NOMEM : SLUICE_OK);
		assert_int_equal(rule == NULL, failed);
		if (failed)
			assert_string_equal(error.message, "out of memory");
		sluice_rule_destroy(rule);
	}
	assert_true(n > 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_small_rule_has_defaults),
		cmocka_unit_test(test_a_rule_whose_pattern_was_taken_still_knows_its_text),
		cmocka_unit_test(test_every_member_is_read),
		cmocka_unit_test(test_a_rule_is_written_back_verbatim_on_one_line),
		cmocka_unit_test(test_a_faulty_rule_is_refused_with_its_place),
		cmocka_unit_test(test_a_rule_may_have_a_schedule_in_the_place_of_a_pattern),
		cmocka_unit_test(test_any_allocation_of_a_schedule_may_fail),
		cmocka_unit_test(test_a_queue_target_has_all_that_may_come_with_it),
		cmocka_unit_test(test_text_that_is_no_json_is_refused),
		cmocka_unit_test(test_more_than_64_targets_are_too_many),
		cmocka_unit_test(test_a_rule_past_a_megabyte_is_too_long),
		cmocka_unit_test(test_a_deep_pattern_is_the_patterns_own_affair),
		cmocka_unit_test(test_a_node_of_a_larger_document_has_places_of_its_own),
		cmocka_unit_test(test_names_are_1_to_64_plain_characters),
		cmocka_unit_test(test_states_have_names),
		cmocka_unit_test(test_any_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
