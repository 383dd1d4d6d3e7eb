/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "oom.h"
#include "sluice/json.h"
#include "sluice/pattern.h"
#include "sluice/transform.h"

static const struct sluice_property properties[] = { { { "tenant", 6 }, { "a\"c", 3 } } };

static struct sluice_event make_event(struct sluice_str payload)
{
	struct sluice_event event = SLUICE_EVENT_INIT;

	event.payload = payload;
	event.topic = SLUICE_STR("plants/\"x\"");
	event.user_properties = properties;
	event.user_property_count = 1;
	event.correlation_data = SLUICE_STR("\x00\xff\x10z");
	event.qos = 2;
	return event;
}

static const char *result_of(enum sluice_status status, const struct sluice_error *error,
                             const struct sluice_buffer *out)
{
	static char result[2048];

	if (status)
		snprintf(result, sizeof(result), "%s: %s%s%s", sluice_status_name(status),
		         error->place, error->place[0] ? ": " : "", error->message);
	else
		snprintf(result, sizeof(result), "%.*s", (int)out->len, out->data ? out->data : "");
	return result;
}

static const char *apply(struct sluice_transform *transform, struct sluice_str payload,
                         size_t limit)
{
	struct sluice_event event = make_event(payload);
	struct sluice_vars vars = { .event = &event,
		                    .rule = SLUICE_STR("hot"),
		                    .bus = SLUICE_STR("default"),
		                    .id = SLUICE_STR("id-1"),
		                    .time_ms = 1767323045678 };
	struct sluice_buffer out = { .limit = limit };
	struct sluice_error error = { 0 };
	enum sluice_status status = sluice_transform_apply(transform, &vars, &out, &error);
	const char *result = result_of(status, &error, &out);

	sluice_buffer_finish(&out);
	return result;
}

/* What a transformer, given as its JSON, makes of a payload; or its error. */
static const char *transform(const char *json, struct sluice_str payload)
{
	struct sluice_json_doc *doc;
	struct sluice_transform *made;
	struct sluice_error error = { 0 };
	const char *result;

	assert_int_equal(sluice_json_parse(sluice_str(json), 0, 64, &doc, &error), SLUICE_OK);
	enum sluice_status status =
	        sluice_transform_from_json(sluice_json_root(doc), &made, &error);
	sluice_json_destroy(doc);
	if (status) {
		assert_null(made);
		return result_of(status, &error, NULL);
	}
	result = apply(made, payload, 0);
	sluice_transform_destroy(made);
	return result;
}

static void assert_transforms(const char *json, struct sluice_str payload, const char *expected)
{
	const char *got = transform(json, payload);

	if (strcmp(got, expected) != 0)
		fail_msg("transformer %s\npayload     %.*s\nexpected    %s\ngot         %s", json,
		         (int)payload.len, payload.data, expected, got);
}

/* The example event of EventBridge's documentation, cut to what the templates name. */
static const char instance_json[] =
        "{ \"time\": \"2015-11-11T21:29:54Z\", \"resources\": [ \"arn:1\", \"arn:2\" ],\n"
        "  \"detail\": { \"instance-id\": \"i-0123456789\", \"state\": \"RUNNING\" } }";

#define PATHS                                                                                      \
	"{\"paths\":{\"timestamp\":\"$.time\",\"instance\":\"$.detail.instance-id\","              \
	"\"state\":\"$.detail.state\",\"detail\":\"$.detail\",\"second\":\"$.resources[1]\","      \
	"\"missing\":\"$.detail.nothing\"},\"template\":"

static void test_templates_work_as_eventbridge_documents_them(void **state)
{
	static const char *const cases[][2] = {
		{ "\"\\\"instance <instance> is in <state>\\\"\"",
		  "\"instance i-0123456789 is in RUNNING\"" },
		{ "\"\\\"instance \\\\\\\"<instance>\\\\\\\" is in <state>\\\"\"",
		  "\"instance \\\"i-0123456789\\\" is in RUNNING\"" },
		{ "\"{\\n  \\\"instance\\\" : <instance>,\\n  \\\"state\\\": <state>\\n}\"",
		  "{\"instance\":\"i-0123456789\",\"state\":\"RUNNING\"}" },
		{ "\"{\\\"instance\\\":<instance>,\\\"state\\\":\\\"<state>\\\",\\\"s\\\":\\\"in "
		  "\\\\\\\"<instance>\\\\\\\" is <state>\\\"}\"",
		  "{\"instance\":\"i-0123456789\",\"state\":\"RUNNING\",\"s\":\"in "
		  "\\\"i-0123456789\\\" is RUNNING\"}" },
		{ "\"{\\\"state\\\": [ 9, <state>, true ], \\\"Transformed\\\" : \\\"Yes\\\"}\"",
		  "{\"state\":[9,\"RUNNING\",true],\"Transformed\":\"Yes\"}" },
		{ "\"{\\\"detail\\\": <detail>}\"",
		  "{\"detail\":{\"instance-id\":\"i-0123456789\",\"state\":\"RUNNING\"}}" },
		{ "\"{\\\"rule\\\": <aws.events.rule-name>, \\\"at\\\": "
		  "<aws.events.event.ingestion-time>}\"",
		  "{\"rule\":\"hot\",\"at\":\"2026-01-02T03:04:05.678Z\"}" },
		{ "\"{\\\"originalEvent\\\": <aws.events.event.json>}\"",
		  "{\"originalEvent\":{\"time\":\"2015-11-11T21:29:54Z\",\"resources\":[\"arn:1\","
		  "\"arn:2\"],\"detail\":{\"instance-id\":\"i-0123456789\",\"state\":\"RUNNING\"}}"
		  "}" },
		{ "\"\\\"<aws.events.rule-name> triggered\\\"\"", "\"hot triggered\"" },
		/* "If you specify a variable to match a JSON path that doesn't exist in the event,
		 * that variable isn't created and won't appear in the output." */
		{ "\"\\\"info from <missing>\\\"\"", "\"info from \"" },
		{ "\"{\\\"m\\\": <missing>}\"", "{\"m\":null}" },
		{ "\"<second> <missing>!\"", "arn:2 !" },
	};
	char json[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(json, sizeof(json), PATHS "%s}", cases[i][0]);
		assert_transforms(json, sluice_str(instance_json), cases[i][1]);
	}
}

static void test_no_value_breaks_out_of_its_place(void **state)
{
	static const char *const values[][4] = {
		/* value, as a value, in a string, in plain text */
		{ "\"\\\",\\\"admin\\\":true,\\\"x\\\":\\\"\"",
		  "\"\\\",\\\"admin\\\":true,\\\"x\\\":\\\"\"",
		  "\\\",\\\"admin\\\":true,\\\"x\\\":\\\"", "\",\"admin\":true,\"x\":\"" },
		{ "\"a\\\\\"", "\"a\\\\\"", "a\\\\", "a\\" },
		{ "\"\\u0022\\u005c\"", "\"\\u0022\\u005c\"", "\\u0022\\u005c", "\"\\" },
		{ "\"a\\nb\\tc\"", "\"a\\nb\\tc\"", "a\\nb\\tc", "a\nb\tc" },
		{ "\"<v>\"", "\"<v>\"", "<v>", "<v>" },
		{ "\"\\ud800\"", "\"\\ud800\"", "\\ud800", "\xef\xbf\xbd" },
		{ "{ \"k\" : [ \"a b\", \"\\\"\", \"\\\\\\n\" ] }",
		  "{\"k\":[\"a b\",\"\\\"\",\"\\\\\\n\"]}",
		  "{\\\"k\\\":[\\\"a b\\\",\\\"\\\\\\\"\\\",\\\"\\\\\\\\\\\\n\\\"]}",
		  "{\"k\":[\"a b\",\"\\\"\",\"\\\\\\n\"]}" },
		{ "9007199254740993.10e+400", "9007199254740993.10e+400",
		  "9007199254740993.10e+400", "9007199254740993.10e+400" },
		{ "true", "true", "true", "true" },
		{ "null", "null", "null", "null" },
		{ "[]", "[]", "[]", "[]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char payload[256], expected[256];

		snprintf(payload, sizeof(payload), "{\"v\":%s}", values[i][0]);
		snprintf(expected, sizeof(expected), "{\"x\":%s}", values[i][1]);
		assert_transforms("{\"paths\":{\"v\":\"$.v\"},\"template\":\"{\\\"x\\\":<v>}\"}",
		                  sluice_str(payload), expected);
		snprintf(expected, sizeof(expected), "{\"x\":\"[%s]\"}", values[i][2]);
		assert_transforms(
		        "{\"paths\":{\"v\":\"$.v\"},\"template\":\"{\\\"x\\\":\\\"[<v>]\\\"}\"}",
		        sluice_str(payload), expected);
		snprintf(expected, sizeof(expected), "x=%s;", values[i][3]);
		assert_transforms("{\"paths\":{\"v\":\"$.v\"},\"template\":\"x=<v>;\"}",
		                  sluice_str(payload), expected);
	}
}

static void test_metadata_is_escaped_too(void **state)
{
	(void)state;
	assert_transforms(
	        "{\"paths\":{\"t\":\"$.$mqtt.topic\",\"p\":\"$mqtt.user_properties.tenant\","
	        "\"q\":\"$['$mqtt'].qos\",\"c\":\"$mqtt.correlation_data\","
	        "\"u\":\"$mqtt.username\"},"
	        "\"template\":\"[<t>,\\\"<p>\\\",<q>,<c>,\\\"<c>\\\",<u>,<sluice.topic>]\"}",
	        SLUICE_STR("{}"),
	        "[\"plants/\\\"x\\\"\",\"a\\\"c\",2,\"AP8Qeg==\",\"AP8Qeg==\",null,"
	        "\"plants/\\\"x\\\"\"]");
}

static void test_reserved_variables_need_no_path(void **state)
{
	(void)state;
	assert_transforms("{\"template\":\"<sluice.rule> <sluice.bus> <sluice.topic> <sluice.id> "
	                  "<sluice.time> <sluice.event>\"}",
	                  SLUICE_STR("{ \"a\": 1 }"),
	                  "hot default plants/\"x\" id-1 2026-01-02T03:04:05.678Z { \"a\": 1 }");
	assert_transforms("{\"template\":\"[<sluice.rule>,<sluice.bus>,<sluice.id>]\"}",
	                  SLUICE_STR(""), "[\"hot\",\"default\",\"id-1\"]");
}

static void test_the_whole_event_keeps_its_kind(void **state)
{
	static const char json[] =
	        "{\"template\":\"{\\\"e\\\":<sluice.event>,\\\"s\\\":\\\"<sluice.event>\\\"}\"}";

	(void)state;
	assert_transforms(json, SLUICE_STR(" { \"a\" : \"b c\" } "),
	                  "{\"e\":{\"a\":\"b c\"},\"s\":\"{\\\"a\\\":\\\"b c\\\"}\"}");
	assert_transforms(json, SLUICE_STR(" 21.50 "), "{\"e\":21.50,\"s\":\"21.50\"}");
	assert_transforms(json, SLUICE_STR(" \"on\" "), "{\"e\":\"on\",\"s\":\"on\"}");
	assert_transforms(json, SLUICE_STR("not \"json\"\n"),
	                  "{\"e\":\"not \\\"json\\\"\\n\",\"s\":\"not \\\"json\\\"\\u000a\"}");
	assert_transforms(json, SLUICE_STR(""), "{\"e\":\"\",\"s\":\"\"}");
	assert_transforms(
	        json, SLUICE_STR("\xff\xfe"),
	        "invalid: the payload is neither JSON nor UTF-8, and the template asks for "
	        "all of it");
	assert_transforms("{\"template\":\"raw: <sluice.event>\"}", SLUICE_STR("\xff\xfe"),
	                  "raw: \xff\xfe");
}

static void test_a_path_into_a_malformed_payload_is_not_found(void **state)
{
	static const char json[] = "{\"paths\":{\"a\":\"$.a\"},\"template\":\"<a>\"}";

	(void)state;
	assert_transforms(json, SLUICE_STR("{\"a\":1"),
	                  "not-found: the payload is not well-formed JSON");
	assert_transforms(json, SLUICE_STR("{\"a\":1} x"),
	                  "not-found: the payload is not well-formed JSON");
	assert_transforms(json, SLUICE_STR("[]"), "");
	assert_transforms("{\"paths\":{\"a\":\"$.a\"},\"template\":\"constant\"}",
	                  SLUICE_STR("{\"a\":1"), "constant");
}

static void test_an_angle_bracket_can_be_itself(void **state)
{
	static const char *const cases[][2] = {
		{ "a < b, 1 <= 2, <3, <>, a>b", "a < b, 1 <= 2, <3, <>, a>b" },
		{ "\\\\<b\\\\> <sluice.rule>", "<b> hot" },
		{ "{\\\"h\\\":\\\"\\\\<b\\\\><sluice.rule> < 3\\\"}", "{\"h\":\"<b>hot < 3\"}" },
		{ "C:\\\\x \\\\\\\\<sluice.rule>", "C:\\x \\hot" },
		{ "{\\\"a\\\":\\\"\\\\\\\\<sluice.rule>\\\"}", "{\"a\":\"\\\\hot\"}" },
		{ "{\\\"\\u003c\\\":1}", "{\"<\":1}" },
	};
	char json[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(json, sizeof(json), "{\"template\":\"%s\"}", cases[i][0]);
		assert_transforms(json, SLUICE_STR("{}"), cases[i][1]);
	}
}

static void test_a_faulty_transformer_is_refused_with_its_place(void **state)
{
	static const char *const cases[][2] = {
		{ "{}", "invalid: $: an input transformer must have a \"template\"" },
		{ "[]", "invalid: $: an input transformer must be an object" },
		{ "{\"template\":{}}",
		  "invalid: $.template: must be a string, even where it holds JSON" },
		{ "{\"tempalte\":\"\"}", "invalid: $.tempalte: an input transformer has no member "
		                         "\"tempalte\", did you mean "
		                         "\"template\"?" },
		{ "{\"template\":\"<temp>\",\"paths\":{\"temps\":\"$.t\"}}",
		  "invalid: $.template: no variable <temp> is among the paths, did you mean "
		  "\"temps\"?" },
		{ "{\"template\":\"<sluice.rul>\"}",
		  "invalid: $.template: no variable <sluice.rul> is among the paths, did you mean "
		  "\"sluice.rule\"?" },
		{ "{\"template\":\"<aws.events.rule-arn>\"}",
		  "invalid: $.template: rules have no ARN here; <aws.events.rule-name> is the "
		  "rule's "
		  "name" },
		{ "{\"template\":\"<temp is\"}",
		  "syntax: $.template: \"<temp\" is not closed by \">\"; a literal one is written "
		  "\"\\<\"" },
		{ "{\"template\":\"{\\\"a\\\":<sluice.rule>\"}",
		  "syntax: $.template: the template, with its variables filled in, is no JSON" },
		{ "{\"template\":\"{\\\"a\\\":1<sluice.rule>}\"}",
		  "syntax: $.template: the template, with its variables filled in, is no JSON" },
		{ "{\"template\":\"[1 2]\"}",
		  "syntax: $.template: the template, with its variables filled in, is no JSON" },
		{ "{\"template\":\"[<sluice.rule><sluice.rule>]\"}",
		  "syntax: $.template: the template, with its variables filled in, is no JSON" },
		{ "{\"template\":\"{\\\"a\\\":01}\"}",
		  "syntax: $.template: the template, with its variables filled in, is no JSON" },
		{ "{\"template\":\"{<sluice.rule>:1}\"}",
		  "syntax: $.template: the template, with its variables filled in, is no JSON" },
		{ "{\"template\":\"{\\\"<sluice.rule>\\\" :1}\"}",
		  "invalid: $.template: a variable can't stand in a member's name" },
		{ "{\"template\":\"{\\\"a\\\":\\\"<sluice.rule>}\"}",
		  "syntax: $.template: a string in the template is not closed" },
		{ "{\"template\":\"x\",\"paths\":[]}",
		  "invalid: $.paths: must be an object of names and paths" },
		{ "{\"template\":\"x\",\"paths\":{\"a b\":\"$.a\"}}",
		  "invalid: $.paths[\"a b\"]: a variable's name is 1 to 256 of A-Z a-z 0-9 _ -" },
		{ "{\"template\":\"x\",\"paths\":{\"a\":\"$.a\",\"a\":\"$.b\"}}",
		  "invalid: $.paths.a: the variable stands twice" },
		{ "{\"template\":\"x\",\"paths\":{\"a\":1}}",
		  "invalid: $.paths.a: must be a string that holds a path" },
		{ "{\"template\":\"x\",\"paths\":{\"a\":\"a.b\"}}",
		  "syntax: $.paths.a: a path begins with \"$\"" },
		{ "{\"template\":\"x\",\"paths\":{\"a\":\"$.a[?(@.b)]\"}}",
		  "syntax: $.paths.a: an index is a whole number from 0, a name is quoted" },
		{ "{\"template\":\"x\",\"paths\":{\"a\":\"$.$mqtt.topc\"}}",
		  "invalid: $.paths.a: $mqtt has no member \"topc\", did you mean \"topic\"?" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = transform(cases[i][0], SLUICE_STR("{}"));

		if (strncmp(got, cases[i][1], strlen(cases[i][1])) != 0)
			fail_msg("transformer %s\nexpected    %s\ngot         %s", cases[i][0],
			         cases[i][1], got);
	}
}

static void test_a_hundred_paths_are_looked_up_together(void **state)
{
	char json[8192] = "{\"paths\":{", template[4096] = "", payload[4096] = "{";
	char expected[4096] = "";
	size_t at = strlen(json);

	(void)state;
	for (int i = 0; i < 100; i++) {
		at += (size_t)snprintf(json + at, sizeof(json) - at, "%s\"v%d\":\"$.a%d[%d]\"",
		                       i ? "," : "", i, i / 10, i % 10);
		sprintf(template + strlen(template), "<v%d>,", i);
		sprintf(expected + strlen(expected), "%d,", i);
		sprintf(payload + strlen(payload), "%s%d%s", i % 10 ? "," : "", i,
		        i == 99       ? "]}"
		        : i % 10 == 9 ? "]"
		                      : "");
		if (i % 10 == 0) {
			char *end = payload + strlen(payload) - (i >= 10 ? 2 : 1);

			sprintf(end, "%s\"a%d\":[%d", i ? "," : "", i / 10, i);
		}
	}
	snprintf(json + at, sizeof(json) - at, "},\"template\":\"%s\"}", template);
	assert_transforms(json, sluice_str(payload), expected);
}

static void test_more_than_a_hundred_paths_are_too_many(void **state)
{
	char json[4096] = "{\"template\":\"x\",\"paths\":{";

	(void)state;
	for (int i = 0; i <= SLUICE_TRANSFORM_MAX_PATHS; i++)
		sprintf(json + strlen(json), "%s\"v%d\":\"$\"", i ? "," : "", i);
	strcat(json, "}}");
	assert_string_equal(transform(json, SLUICE_STR("{}")),
	                    "limit: $.paths: an input transformer has at most 100 paths");
}

static const char *part(const char *path, struct sluice_str payload)
{
	struct sluice_transform *made;
	struct sluice_error error = { 0 };
	enum sluice_status status = sluice_transform_from_path(sluice_str(path), &made, &error);
	const char *result;

	if (status)
		return result_of(status, &error, NULL);
	result = apply(made, payload, 0);
	sluice_transform_destroy(made);
	return result;
}

static void test_an_input_path_gives_a_part_as_json(void **state)
{
	static const char *const cases[][2] = {
		{ "$", "{\"a\":{\"b\":[1.0,\"x y\"]},\"a.b\":2}" },
		{ "$.a", "{\"b\":[1.0,\"x y\"]}" },
		{ "$.a.b[0]", "1.0" },
		{ "$.a.b[1]", "\"x y\"" },
		{ "$['a.b']", "2" },
		{ "$.$mqtt.topic", "\"plants/\\\"x\\\"\"" },
		{ "$mqtt.qos", "2" },
		{ "$.a.c", "not-found: the event has nothing at the input path" },
		{ "$.a.b.c", "not-found: the event has nothing at the input path" },
		{ "$mqtt.retain", "not-found: the event has nothing at the input path" },
		{ "a", "syntax: a path begins with \"$\"" },
		{ "", "syntax: a path begins with \"$\"" },
		{ "$['a", "syntax: a quote is not closed" },
		{ "$['a'", "syntax: \"]\" is missing" },
		{ "$.a b", "syntax: \".\" or \"[\" should be here" },
	};
	struct sluice_str payload =
	        SLUICE_STR("{ \"a\": { \"b\": [ 1.0, \"x y\" ] }, \"a.b\": 2 }");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(part(cases[i][0], payload), cases[i][1]);
	assert_string_equal(part("$.a", SLUICE_STR("{")),
	                    "not-found: the payload is not well-formed JSON");
}

static void test_a_constant_is_kept_verbatim(void **state)
{
	struct sluice_transform *made;
	struct sluice_error error;

	(void)state;
	assert_int_equal(sluice_transform_from_constant(SLUICE_STR("{ \"n\": 1.00 }"), &made, NULL),
	                 SLUICE_OK);
	assert_string_equal(apply(made, SLUICE_STR("\xff"), 0), "{ \"n\": 1.00 }");
	assert_string_equal(apply(made, SLUICE_STR("\xff"), 5),
	                    "limit: the payload would be longer than 5 bytes");
	assert_int_equal(sluice_transform_metadata(made), 0);
	assert_false(sluice_transform_reads_payload(made));
	sluice_transform_destroy(made);
	assert_int_equal(sluice_transform_from_constant(SLUICE_STR("{"), &made, &error),
	                 SLUICE_ERR_SYNTAX);
	assert_null(made);
}

static void test_the_limit_of_the_buffer_bounds_the_payload(void **state)
{
	struct sluice_json_doc *doc;
	struct sluice_transform *made;

	(void)state;
	assert_int_equal(
	        sluice_json_parse(
	                SLUICE_STR("{\"template\":\"<sluice.event><sluice.event><sluice.event>\"}"),
	                0, 8, &doc, NULL),
	        SLUICE_OK);
	assert_int_equal(sluice_transform_from_json(sluice_json_root(doc), &made, NULL), SLUICE_OK);
	sluice_json_destroy(doc);
	assert_false(sluice_transform_reads_payload(made)); /* it only copies */
	assert_string_equal(apply(made, SLUICE_STR("0123456789"), 30),
	                    "012345678901234567890123456789");
	assert_string_equal(apply(made, SLUICE_STR("0123456789"), 29),
	                    "limit: the payload would be longer than 29 bytes");
	sluice_transform_destroy(made);
}

static void test_a_transformer_tells_which_metadata_it_reads(void **state)
{
	struct sluice_json_doc *doc;
	struct sluice_transform *made;

	(void)state;
	assert_int_equal(sluice_json_parse(SLUICE_STR("{\"template\":\"<sluice.topic><a>\","
	                                              "\"paths\":{\"a\":\"$mqtt.qos\","
	                                              "\"unused\":\"$mqtt.username\"}}"),
	                                   0, 8, &doc, NULL),
	                 SLUICE_OK);
	assert_int_equal(sluice_transform_from_json(sluice_json_root(doc), &made, NULL), SLUICE_OK);
	sluice_json_destroy(doc);
	assert_int_equal(sluice_transform_metadata(made), SLUICE_META_TOPIC | SLUICE_META_QOS);
	assert_false(sluice_transform_reads_payload(made));
	sluice_transform_destroy(made);
}

static void test_times_are_written_as_rfc_3339(void **state)
{
	char buf[SLUICE_TIME_SIZE];

	(void)state;
	assert_string_equal(sluice_time_format(0, buf), "1970-01-01T00:00:00.000Z");
	assert_string_equal(sluice_time_format(1767323045678, buf), "2026-01-02T03:04:05.678Z");
	assert_string_equal(sluice_time_format(-1, buf), "1969-12-31T23:59:59.999Z");
	assert_string_equal(sluice_time_format(INT64_MAX, buf), "1970-01-01T00:00:00.000Z");
	assert_string_equal(sluice_time_format(INT64_MIN, buf), "1970-01-01T00:00:00.000Z");
}

static void test_any_allocation_may_fail_while_applying(void **state)
{
	struct sluice_event event = make_event(SLUICE_STR("{\"a\":\"\\u0041\",\"b\":[1]}"));
	struct sluice_vars vars = { .event = &event, .rule = SLUICE_STR("hot") };
	struct sluice_json_doc *doc;
	struct sluice_transform *made;
	size_t n = 0;

	(void)state;
	assert_int_equal(
	        sluice_json_parse(SLUICE_STR("{\"paths\":{\"a\":\"$.a\",\"b\":\"$.b\"},"
	                                     "\"template\":\"<a><b><a><b><sluice.event><sluice."
	                                     "event><sluice.event><sluice.event><sluice.event>\"}"),
	                          0, 8, &doc, NULL),
	        SLUICE_OK);
	assert_int_equal(sluice_transform_from_json(sluice_json_root(doc), &made, NULL), SLUICE_OK);
	sluice_json_destroy(doc);
	for (bool failed = true; failed;) {
		struct sluice_buffer out = { 0 };

		oom_fail_at(++n);
		enum sluice_status status = sluice_transform_apply(made, &vars, &out, NULL);
		failed = oom_happened();
		assert_int_equal(status, failed ? SLUICE_ERR_NOMEM : SLUICE_OK);
		sluice_buffer_finish(&out);
	}
	sluice_transform_destroy(made);
	assert_true(n > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_templates_work_as_eventbridge_documents_them),
		cmocka_unit_test(test_no_value_breaks_out_of_its_place),
		cmocka_unit_test(test_metadata_is_escaped_too),
		cmocka_unit_test(test_reserved_variables_need_no_path),
		cmocka_unit_test(test_the_whole_event_keeps_its_kind),
		cmocka_unit_test(test_a_path_into_a_malformed_payload_is_not_found),
		cmocka_unit_test(test_an_angle_bracket_can_be_itself),
		cmocka_unit_test(test_a_faulty_transformer_is_refused_with_its_place),
		cmocka_unit_test(test_a_hundred_paths_are_looked_up_together),
		cmocka_unit_test(test_more_than_a_hundred_paths_are_too_many),
		cmocka_unit_test(test_an_input_path_gives_a_part_as_json),
		cmocka_unit_test(test_a_constant_is_kept_verbatim),
		cmocka_unit_test(test_the_limit_of_the_buffer_bounds_the_payload),
		cmocka_unit_test(test_a_transformer_tells_which_metadata_it_reads),
		cmocka_unit_test(test_times_are_written_as_rfc_3339),
		cmocka_unit_test(test_any_allocation_may_fail_while_applying),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
