/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sluice/pattern.h"
#include "sluice/topic.h"
#include "sluice/transform.h"

static const struct sluice_property properties[] = {
	{ { "tenant", 6 }, { "acme", 4 } },
	{ { "tenant", 6 }, { "emca", 4 } },
	{ { "bad", 3 }, { "a/b", 3 } },
};

static struct sluice_event make_event(const char *payload)
{
	struct sluice_event event = SLUICE_EVENT_INIT;

	event.payload = sluice_str(payload);
	event.topic = SLUICE_STR("plants/berlin/boiler");
	event.client_id = SLUICE_STR("boiler-7");
	event.user_properties = properties;
	event.user_property_count = 3;
	event.qos = 1;
	event.retain = 0;
	return event;
}

static struct sluice_vars make_vars(const struct sluice_event *event)
{
	return (struct sluice_vars){ .event = event,
		                     .rule = SLUICE_STR("hot"),
		                     .bus = SLUICE_STR("default"),
		                     .consumer = SLUICE_STR("maintenance"),
		                     .target = SLUICE_STR("t1"),
		                     .id = SLUICE_STR("0001"),
		                     .time_ms = 0 };
}

/* The topic, or the error as "status: message", in a buffer that the next call overwrites. */
static const char *expand(const char *template, const struct sluice_event *event)
{
	static char result[512];
	struct sluice_topic_template *tpl;
	struct sluice_buffer out = { 0 };
	struct sluice_error error = { 0 };
	struct sluice_vars vars = make_vars(event);
	enum sluice_status status =
	        sluice_topic_template_compile(sluice_str(template), &tpl, &error);

	if (!status) {
		status = sluice_topic_template_expand(tpl, &vars, &out, &error);
		sluice_topic_template_destroy(tpl);
	}
	if (status)
		snprintf(result, sizeof(result), "%s: %s", sluice_status_name(status),
		         error.message);
	else
		snprintf(result, sizeof(result), "%.*s", (int)out.len, out.data);
	sluice_buffer_finish(&out);
	return result;
}

static void assert_expands(const char *template, const struct sluice_event *event,
                           const char *expected)
{
	const char *got = expand(template, event);

	if (strcmp(got, expected) != 0)
		fail_msg("template %s\npayload  %.*s\nexpected %s\ngot      %s", template,
		         (int)event->payload.len, event->payload.data, expected, got);
}

static const char event_json[] =
        "{\"site\":\"west\",\"n\":-1.50,\"on\":true,\"none\":null,\"list\":[\"a\",{\"b\":7}],"
        "\"esc\":\"\\u0041\\u00e9\",\"key.with.dots\":\"dots\",\"it's\":\"quote\",\"}\":\"brace\","
        "\"empty\":\"\",\"slash\":\"a/b\",\"escaped-slash\":\"a\\/b\",\"plus\":\"+\","
        "\"hash\":\"a#\",\"nul\":\"a\\u0000b\",\"newline\":\"a\\nb\",\"c1\":\"a\\u0085b\","
        "\"half\":\"\\ud800\",\"exp\":1e+5,\"$mqtt\":{\"topic\":\"forged\"}}";

static void test_variables_stand_for_what_is_known(void **state)
{
	static const char *const cases[][2] = {
		{ "fixed/topic", "fixed/topic" },
		{ "consumers/{consumer}/{rule}/{topic}",
		  "consumers/maintenance/hot/plants/berlin/boiler" },
		{ "{bus}-{target}", "default-t1" },
		{ "x/{client_id}", "x/boiler-7" },
		{ "x/{topic[0]}/{topic[2]}", "x/plants/boiler" },
		{ "{topic}", "plants/berlin/boiler" },
		{ "x/{$.site}", "x/west" },
		{ "x/{$.n}", "x/-1.50" },
		{ "x/{$.on}", "x/true" },
		{ "x/{$.list[0]}", "x/a" },
		{ "x/{$.list[1].b}", "x/7" },
		{ "x/{$.esc}", "x/A\xc3\xa9" },
		{ "x/{$['key.with.dots']}", "x/dots" },
		{ "x/{$['it\\'s']}", "x/quote" },
		{ "x/{$[\"it's\"]}", "x/quote" },
		{ "x/{$['}']}", "x/brace" },
		{ "x/{$mqtt.client_id}", "x/boiler-7" },
		{ "x/{$.$mqtt.qos}", "x/1" },
		{ "x/{$['$mqtt'].retain}", "x/false" },
		{ "x/{$mqtt.user_properties.tenant}", "x/acme" },
		{ "x/{$mqtt.user_properties.tenant[1]}", "x/emca" },
		{ "{{{rule}}}", "{hot}" },
		{ "{{rule}}", "{rule}" },
	};
	struct sluice_event event = make_event(event_json);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_expands(cases[i][0], &event, cases[i][1]);
}

static void test_many_literal_braces_leave_room_for_a_path(void **state)
{
	enum { PAIRS = 64 };
	char template[2 * PAIRS + 8] = "", expected[PAIRS + 8] = "";
	struct sluice_event event = make_event("{\"a\":\"x\"}");

	(void)state;
	memset(template, '{', (size_t)2 * PAIRS);
	memcpy(template + (size_t)2 * PAIRS, "{$.a}", 6);
	memset(expected, '{', PAIRS);
	memcpy(expected + PAIRS, "x", 2);
	assert_expands(template, &event, expected);
}

static void test_what_could_leave_its_level_is_refused(void **state)
{
	static const char *const cases[][2] = {
		{ "x/{$.slash}", "invalid: {$.slash} holds one of / + #" },
		{ "x/{$['escaped-slash']}", "invalid: {$['escaped-slash']} holds one of / + #" },
		{ "x/{$.plus}", "invalid: {$.plus} holds one of / + #" },
		{ "x/{$.hash}", "invalid: {$.hash} holds one of / + #" },
		{ "x/{$.exp}", "invalid: {$.exp} holds one of / + #" },
		{ "x/{$.empty}", "invalid: {$.empty} is empty" },
		{ "x/{$.nul}", "invalid: {$.nul} holds a control character" },
		{ "x/{$.newline}", "invalid: {$.newline} holds a control character" },
		{ "x/{$.c1}", "invalid: {$.c1} holds a control character" },
		{ "x/{$.half}", "invalid: the result is no valid topic" },
		{ "x/{$.list}", "invalid: {$.list} is no string, number or boolean" },
		{ "x/{$.list[1]}", "invalid: {$.list[1]} is no string, number or boolean" },
		{ "x/{$.none}", "invalid: {$.none} is no string, number or boolean" },
		{ "x/{$mqtt.topic}", "invalid: {$mqtt.topic} holds one of / + #" },
		{ "x/{$mqtt.user_properties.bad}",
		  "invalid: {$mqtt.user_properties.bad} holds one of / + #" },
		{ "x/{$.absent}", "not-found: {$.absent} is not known of this event" },
		{ "x/{$.site.below}", "not-found: {$.site.below} is not known of this event" },
		{ "x/{$.list[2]}", "not-found: {$.list[2]} is not known of this event" },
		{ "x/{topic[3]}", "not-found: {topic[3]} is not known of this event" },
		{ "x/{username}", "not-found: {username} is not known of this event" },
		{ "x/{$mqtt.user_properties.tenant[2]}",
		  "not-found: {$mqtt.user_properties.tenant[2]} is not known of this event" },
	};
	struct sluice_event event = make_event(event_json);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_expands(cases[i][0], &event, cases[i][1]);
}

static void test_the_result_never_begins_with_a_dollar(void **state)
{
	struct sluice_event event = make_event("{\"x\":\"$SYS\"}");

	(void)state;
	assert_expands("{$.x}/a", &event, "invalid: the topic would begin with \"$\"");
	assert_expands("a{$.x}", &event, "a$SYS");
	event.topic = SLUICE_STR("$SYS/broker");
	assert_expands("{topic}", &event, "invalid: the topic would begin with \"$\"");
	assert_expands("x/{topic}", &event, "x/$SYS/broker");
}

static void test_an_empty_level_of_the_topic_is_refused(void **state)
{
	struct sluice_event event = make_event("{}");

	(void)state;
	event.topic = SLUICE_STR("/a//b/");
	assert_expands("x{topic}", &event, "x/a//b/");
	assert_expands("x/{topic[1]}", &event, "x/a");
	assert_expands("x/{topic[0]}", &event, "invalid: {topic[0]} is empty");
	assert_expands("x/{topic[2]}", &event, "invalid: {topic[2]} is empty");
	assert_expands("x/{topic[4]}", &event, "invalid: {topic[4]} is empty");
	assert_expands("x/{topic[5]}", &event, "not-found: {topic[5]} is not known of this event");
}

static void test_a_malformed_payload_has_no_fields(void **state)
{
	static const char *const payloads[] = { "",
		                                "{",
		                                "{\"a\":1}}",
		                                "{\"a\":01}",
		                                "{\"a\":1,}",
		                                "[1 2]",
		                                "{\"a\" 1}",
		                                "\xef\xbb\xbf{}",
		                                "{\"a\":\"\t\"}",
		                                "{\"a\":tru}",
		                                "{\"a\":\"\\x\"}",
		                                "{\"a\":\"\xff\"}",
		                                "{\"a\":1.}",
		                                "{\"a\":\"\\u12g4\"}" };

	(void)state;
	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		struct sluice_event event = make_event(payloads[i]);

		assert_expands("x/{$.a}", &event, "not-found: the payload is not well-formed JSON");
		assert_expands("x/{rule}", &event, "x/hot");
		assert_expands("x/{$mqtt.qos}", &event, "x/1");
	}
}

static void test_a_payload_that_is_no_object_is_known_as_value_and_text(void **state)
{
	struct sluice_event event = make_event(" 21.5 ");

	(void)state;
	assert_expands("x/{$mqtt.value}", &event, "x/21.5");
	assert_expands("x/{$}", &event, "x/21.5");
	event = make_event("[1,{\"a\":\"b\"}]");
	assert_expands("x/{$mqtt.value[1].a}", &event, "x/b");
	assert_expands("x/{$[0]}", &event, "x/1");
	event = make_event("open");
	assert_expands("x/{$mqtt.payload}", &event, "x/open");
	assert_expands("x/{$mqtt.value}", &event,
	               "not-found: {$mqtt.value} is not known of this event");
	event = make_event("{\"a\":1}");
	assert_expands("x/{$mqtt.value.a}", &event,
	               "not-found: {$mqtt.value.a} is not known of this event");
	assert_expands("x/{$mqtt.payload}", &event,
	               "not-found: {$mqtt.payload} is not known of this event");
}

static void test_the_first_of_several_values_is_taken(void **state)
{
	struct sluice_event event =
	        make_event("{\"a\":{\"x\":1},\"a\":{\"b\":\"first\"},\"a\":{\"b\":\"second\"},"
	                   "\"\\u0061\":{\"b\":\"third\"}}");

	(void)state;
	assert_expands("x/{$.a.b}", &event, "x/first");
}

static void test_a_result_past_the_limit_is_refused(void **state)
{
	struct sluice_event event = SLUICE_EVENT_INIT;
	char *level = malloc(SLUICE_TOPIC_MAX_BYTES);

	(void)state;
	assert_non_null(level);
	memset(level, 'a', SLUICE_TOPIC_MAX_BYTES);
	event.topic = (struct sluice_str){ level, SLUICE_TOPIC_MAX_BYTES };
	assert_expands("x/{topic}", &event, "limit: the topic would be longer than 65535 bytes");
	event.client_id = (struct sluice_str){ level, SLUICE_TOPIC_MAX_BYTES };
	assert_expands("x/{client_id}", &event,
	               "limit: the topic would be longer than 65535 bytes");
	free(level);
}

static void test_a_faulty_template_is_refused_when_compiled(void **state)
{
	static const char *const cases[][2] = {
		{ "", "invalid: a topic must not be empty" },
		{ "$SYS/x", "invalid: a target's topic must not begin with \"$\"" },
		{ "a/+/b", "invalid: a topic that is published to holds no '+'" },
		{ "a/#", "invalid: a topic that is published to holds no '#'" },
		{ "a/{rule", "syntax: \"{\" is not closed; a literal one is written \"{{\"" },
		{ "a/rule}", "syntax: \"}\" closes nothing; a literal one is written \"}}\"" },
		{ "a/{rul}", "invalid: there is no variable {rul}, did you mean \"rule\"?" },
		{ "a/{}", "invalid: there is no variable {}" },
		{ "a/{topic[x]}",
		  "invalid: there is no variable {topic[x]}, did you mean \"topic\"?" },
		{ "a/{$.a[*]}", "syntax: a path names one value: wildcards are not supported" },
		{ "a/{$.*}", "syntax: a path names one value: wildcards are not supported" },
		{ "a/{$..a}", "syntax: a path names one value: \"..\" is not supported" },
		{ "a/{$.}", "syntax: the path ends where a name should be" },
		{ "a/{$x}", "syntax: \".\" or \"[\" should be here" },
		{ "a/{$.a[01]}", "syntax: an index has no leading zero" },
		{ "a/{$.a[-1]}", "syntax: an index is a whole number from 0, a name is quoted" },
		{ "a/{$.a[1}", "syntax: \"]\" is missing" },
		{ "a/{$mqtt}",
		  "invalid: $mqtt must be followed by one of its members, such as .topic" },
		{ "a/{$mqtt.clientid}",
		  "invalid: $mqtt has no member \"clientid\", did you mean \"client_id\"?" },
		{ "a/{$.$mqtt.topic.x}", "invalid: $mqtt.topic has nothing below it" },
		{ "a/{$mqtt.user_properties}",
		  "invalid: $mqtt.user_properties must be followed by the name of one" },
		{ "a/{$mqtt.correlation_data}",
		  "invalid: correlation data is bytes: it can't be in a topic" },
		{ "a/{$['$mqtt.topic']}",
		  "invalid: nothing in a payload may stand for $mqtt; write $.$mqtt.…" },
		{ "a\x01",
		  "invalid: a topic holds neither control characters nor what is no UTF-8" },
		{ "a\xff",
		  "invalid: a topic holds neither control characters nor what is no UTF-8" },
	};
	struct sluice_event event = make_event("{}");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_expands(cases[i][0], &event, cases[i][1]);
}

static void test_an_error_knows_its_offset(void **state)
{
	struct sluice_topic_template *tpl;
	struct sluice_error error;

	(void)state;
	assert_int_equal(sluice_topic_template_compile(SLUICE_STR("abc/{$.a[x]}"), &tpl, &error),
	                 SLUICE_ERR_SYNTAX);
	assert_null(tpl);
	assert_int_equal(error.offset, 9);
}

static void test_the_literal_beginning_is_what_can_be_protected(void **state)
{
	static const char *const cases[][2] = {
		{ "consumers/{consumer}/{topic}", "consumers/" },
		{ "consumers/a-{rule}/x", "consumers/" },
		{ "a/b/c", "a/b/c" },
		{ "a{rule}", "" },
		{ "{topic}", "" },
		{ "a/{{b}}/c/{rule}", "a/{b}/c/" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_topic_template *tpl;

		assert_int_equal(sluice_topic_template_compile(sluice_str(cases[i][0]), &tpl, NULL),
		                 SLUICE_OK);
		struct sluice_str prefix = sluice_topic_template_prefix(tpl);
		assert_true(sluice_str_equal(prefix, sluice_str(cases[i][1])));
		sluice_topic_template_destroy(tpl);
	}
}

static void test_a_template_tells_which_metadata_it_reads(void **state)
{
	struct sluice_topic_template *tpl;

	(void)state;
	assert_int_equal(
	        sluice_topic_template_compile(
	                SLUICE_STR("{topic[1]}/{client_id}/{$mqtt.user_properties.a}/{$.b}"), &tpl,
	                NULL),
	        SLUICE_OK);
	assert_int_equal(sluice_topic_template_metadata(tpl),
	                 SLUICE_META_TOPIC | SLUICE_META_CLIENT_ID | SLUICE_META_USER_PROPERTIES);
	sluice_topic_template_destroy(tpl);
}

static void test_a_template_tells_whether_it_reads_the_payload(void **state)
{
	static const struct {
		const char *text;
		bool reads;
	} cases[] = { { "x/{topic}/{$mqtt.qos}", false },
		      { "x/{$.a}", true },
		      { "x/{$mqtt.value}", true },
		      { "x/{$mqtt.payload}", true } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_topic_template *tpl;

		assert_int_equal(
		        sluice_topic_template_compile(sluice_str(cases[i].text), &tpl, NULL),
		        SLUICE_OK);
		assert_int_equal(sluice_topic_template_reads_payload(tpl), cases[i].reads);
		sluice_topic_template_destroy(tpl);
	}
}

static void test_deep_nesting_costs_no_stack(void **state)
{
	enum { DEPTH = 100000 };
	char *payload = malloc(DEPTH + 1);
	struct sluice_event event;

	(void)state;
	assert_non_null(payload);
	memset(payload, '[', DEPTH);
	payload[DEPTH] = '\0';
	event = make_event(payload);
	assert_expands("x/{$[0][0][0][0]}", &event,
	               "not-found: the payload is not well-formed JSON");
	memset(payload, '[', 512);
	memset(payload + 512, ']', 512);
	payload[1024] = '\0';
	event = make_event(payload);
	assert_expands("x/{$.a}", &event, "not-found: {$.a} is not known of this event");
	memset(payload, '[', 513);
	memset(payload + 513, ']', 513);
	payload[1026] = '\0';
	event = make_event(payload);
	assert_expands("x/{$.a}", &event, "not-found: the payload is not well-formed JSON");
	free(payload);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_variables_stand_for_what_is_known),
		cmocka_unit_test(test_many_literal_braces_leave_room_for_a_path),
		cmocka_unit_test(test_what_could_leave_its_level_is_refused),
		cmocka_unit_test(test_the_result_never_begins_with_a_dollar),
		cmocka_unit_test(test_an_empty_level_of_the_topic_is_refused),
		cmocka_unit_test(test_a_malformed_payload_has_no_fields),
		cmocka_unit_test(test_a_payload_that_is_no_object_is_known_as_value_and_text),
		cmocka_unit_test(test_the_first_of_several_values_is_taken),
		cmocka_unit_test(test_a_result_past_the_limit_is_refused),
		cmocka_unit_test(test_a_faulty_template_is_refused_when_compiled),
		cmocka_unit_test(test_an_error_knows_its_offset),
		cmocka_unit_test(test_the_literal_beginning_is_what_can_be_protected),
		cmocka_unit_test(test_a_template_tells_which_metadata_it_reads),
		cmocka_unit_test(test_a_template_tells_whether_it_reads_the_payload),
		cmocka_unit_test(test_deep_nesting_costs_no_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
