/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What explanations say, word for word, and in which order many rules come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oom.h"
#include "sluice/explain.h"
#include "sluice/json.h"
#include "sluice/matcher.h"

static struct sluice_pattern *compile(const char *text)
{
	struct sluice_error error;
	struct sluice_pattern *pattern;
	if (sluice_pattern_compile(sluice_str(text), &pattern, &error) != SLUICE_OK)
		fail_msg("%s: %s: %s", text, error.place, error.message);
	return pattern;
}

static struct sluice_explanation *explain(const char *pattern_text,
                                          const struct sluice_event *event)
{
	struct sluice_pattern *pattern = compile(pattern_text);
	struct sluice_explanation *explanation;
	struct sluice_error error;
	assert_int_equal(sluice_explain(pattern, event, &explanation, &error), SLUICE_OK);
	sluice_pattern_destroy(pattern);
	return explanation;
}

static struct sluice_event payload(const char *text)
{
	struct sluice_event event = SLUICE_EVENT_INIT;
	event.payload = sluice_str(text);
	return event;
}

static void check_event(const char *pattern, const struct sluice_event *event, bool matched,
                        size_t failed, const char *expected)
{
	struct sluice_explanation *explanation = explain(pattern, event);
	struct sluice_buffer text = { 0 };
	struct sluice_buffer json = { 0 };
	sluice_explanation_write_text(explanation, &text);
	sluice_explanation_write_json(explanation, &json);
	assert_false(text.failed || json.failed);
	if (strcmp(text.data, expected) != 0)
		fail_msg("pattern %s\nevent %.*s\nexpected\n%sgot\n%s", pattern,
		         (int)event->payload.len, event->payload.data, expected, text.data);
	assert_int_equal(sluice_explanation_matched(explanation), matched);
	assert_int_equal(sluice_explanation_failed(explanation), failed);
	struct sluice_json_doc *doc;
	struct sluice_error error;
	if (sluice_json_parse(sluice_buffer_str(&json), SLUICE_JSON_UNIQUE_KEYS, 8, &doc, &error) !=
	    SLUICE_OK)
		fail_msg("%s: %s", json.data, error.message);
	sluice_json_destroy(doc);
	sluice_buffer_finish(&text);
	sluice_buffer_finish(&json);
	sluice_explanation_destroy(explanation);
}

static void check(const char *pattern, const char *event_text, size_t failed, const char *expected)
{
	struct sluice_event event = payload(event_text);
	check_event(pattern, &event, failed == 0, failed, expected);
}

static void test_a_failed_field_shows_its_leaf_and_alternative(void **state)
{
	(void)state;
	check("{\"temperature\":[{\"numeric\":[\">\",30]}]}", "{\"temperature\":21.5}", 1,
	      "$.temperature: 21.5 is not > 30\n");
	check("{\"site\":[\"berlin\"]}", "{\"temperature\":21.5}", 1, "$.site: absent\n");
	check("{\"a\":{\"b\":[\"x\",1,{\"prefix\":\"y\"}]}}", "{\"a\":{\"b\":\"z\"}}", 1,
	      "$.a.b: \"z\" is not \"x\", is not 1 (not a number), does not begin with \"y\"\n");
	check("{\"a\":[1],\"b\":[2]}", "{\"a\":1,\"b\":3}", 1, "$.a: 1 is 1\n$.b: 3 is not 2\n");
	check("{\"a\":[{\"exists\":false}]}", "{\"a\":null}", 1, "$.a: null is not absent\n");
	check("{\"a\":[1]}", "{\"a\":[]}", 1, "$.a: absent\n");
}

static void test_each_operator_has_its_words(void **state)
{
	(void)state;
	static const struct {
		const char *alternative, *leaf, *why;
		bool matches;
	} cases[] = {
		{ "true", "false", "is not true", false },
		{ "null", "null", "is null", true },
		{ "{\"exactly\":\"x\"}", "\"y\"", "is not \"x\"", false },
		{ "{\"suffix\":\"x\"}", "\"y\"", "does not end with \"x\"", false },
		{ "{\"suffix\":\"x\"}", "5", "does not end with \"x\" (not a string)", false },
		{ "{\"equals-ignore-case\":\"Xy\"}", "\"z\"",
		  "is not \"Xy\" in any case of letters", false },
		{ "{\"prefix\":{\"equals-ignore-case\":\"Xy\"}}", "\"xYz\"",
		  "begins with \"Xy\" in any case of letters", true },
		{ "{\"wildcard\":\"a*\\\\*\"}", "\"b\"", "does not match \"a*\\\\*\"", false },
		{ "{\"numeric\":[\">\",0,\"<=\",5e0]}", "6", "is not > 0 and <= 5e0", false },
		{ "{\"numeric\":[\"=\",5]}", "5.0", "is = 5", true },
		{ "{\"numeric\":[\"=\",5]}", "\"5\"", "is not = 5 (not a number)", false },
		{ "{\"cidr\":\"10.1.2.3/8\"}", "\"11.0.0.1\"", "is not in 10.1.2.3/8", false },
		{ "{\"cidr\":\"10.1.2.3/8\"}", "\"x\"", "is not in 10.1.2.3/8 (not an address)",
		  false },
		{ "{\"mqtt-topic\":\"a/#\"}", "\"b\"", "does not match \"a/#\"", false },
		{ "{\"mqtt-topic\":\"a/#\"}", "\"a/+\"", "does not match \"a/#\" (not a topic)",
		  false },
		{ "{\"exists\":true}", "5", "exists", true },
		{ "{\"anything-but\":\"x\"}", "\"x\"",
		  "is \"x\", which \"anything-but\" leaves out", false },
		{ "{\"anything-but\":{\"prefix\":[\"a\",\"x\"]}}", "\"xy\"",
		  "begins with \"x\", which \"anything-but\" leaves out", false },
		{ "{\"anything-but\":[1, 2]}", "3", "fits {\"anything-but\":[1,2]}", true },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char pattern[200], event[200], expected[200];
		snprintf(pattern, sizeof(pattern), "{\"a\":[%s]}", cases[i].alternative);
		snprintf(event, sizeof(event), "{\"a\":%s}", cases[i].leaf);
		snprintf(expected, sizeof(expected), "$.a: %s %s\n", cases[i].leaf, cases[i].why);
		check(pattern, event, cases[i].matches ? 0 : 1, expected);
	}
}

static void test_what_is_known_of_the_publish_is_explained(void **state)
{
	(void)state;
	struct sluice_event event = payload("{\"a\":1}");
	event.topic = SLUICE_STR("a/b");
	event.qos = 1;
	check_event("{\"$mqtt\":{\"topic\":[{\"mqtt-topic\":\"plants/#\"}]}}", &event, false, 1,
	            "$mqtt.topic: \"a/b\" does not match \"plants/#\"\n");
	check_event("{\"$mqtt\":{\"qos\":[1],\"username\":[\"x\"]},\"a\":[1]}", &event, false, 1,
	            "$mqtt.qos: 1 is 1\n$mqtt.username: absent\n$.a: 1 is 1\n");
}

static void test_fields_in_different_elements_name_the_array(void **state)
{
	(void)state;
	check("{\"items\":{\"b\":[1],\"c\":[2]}}",
	      "{\"items\":[{\"b\":1,\"c\":3},{\"b\":2,\"c\":2}]}", 1,
	      "$.items.b: 1 is 1\n$.items.c: 2 is 2\n"
	      "fields match, but in different elements of $.items\n");
	/* The outer elements agree, the inner ones part. */
	check("{\"a\":{\"b\":{\"x\":[1],\"y\":[2]},\"z\":[3]}}",
	      "{\"a\":[{\"z\":3,\"b\":[{\"x\":1},{\"y\":2}]},{\"z\":4}]}", 1,
	      "$.a.b.x: 1 is 1\n$.a.b.y: 2 is 2\n$.a.z: 3 is 3\n"
	      "fields match, but in different elements of $.a.b\n");
	/* In the element where b matches, c is there; in the other it is not. */
	check("{\"items\":{\"b\":[1],\"c\":[{\"exists\":false}]}}",
	      "{\"items\":[{\"b\":1,\"c\":3},{\"b\":2}]}", 1,
	      "$.items.b: 1 is 1\n$.items.c: absent in that element, which matches\n"
	      "fields match, but in different elements of $.items\n");
	check("{\"items\":{\"b\":[1],\"c\":[{\"exists\":false}]}}",
	      "{\"items\":[{\"b\":2,\"c\":3},{\"b\":1}]}", 0,
	      "$.items.b: 1 is 1\n$.items.c: absent in that element, which matches\n");
}

static void test_a_payload_without_fields_says_why(void **state)
{
	(void)state;
	static const char pattern[] = "{\"a\":[{\"exists\":false}]}";
	check(pattern, "hello", 1, "$.a: the payload is not JSON\n");
	check(pattern, "[1]", 1, "$.a: the payload is JSON, but not an object\n");
	check(pattern, "", 1, "$.a: the payload is empty\n");
	struct sluice_event none = SLUICE_EVENT_INIT;
	check_event(pattern, &none, false, 1, "$.a: there is no payload\n");
	struct sluice_buffer deep = { 0 };
	for (int i = 0; i < 600; i++)
		sluice_buffer_append_text(&deep, "{\"b\":");
	sluice_buffer_append_text(&deep, "1");
	for (int i = 0; i < 600; i++)
		sluice_buffer_append_text(&deep, "}");
	check(pattern, deep.data, 1, "$.a: the payload is nested too deep\n");
	sluice_buffer_finish(&deep);
	struct sluice_buffer wide = { 0 };
	sluice_buffer_append_text(&wide, "{\"a\":[0");
	for (int i = 0; i < SLUICE_EVENT_MAX_LEAVES; i++)
		sluice_buffer_append_text(&wide, ",0");
	sluice_buffer_append_text(&wide, "]}");
	check("{\"a\":[1]}", wide.data, 1,
	      "$.a: the payload has too many values at the paths that are named\n");
	sluice_buffer_finish(&wide);
	check("{\"$mqtt.value\":[2],\"$mqtt.payload\":[{\"prefix\":\"x\"}]}", "1", 2,
	      "$mqtt.value: 1 is not 2\n$mqtt.payload: \"1\" does not begin with \"x\"\n");
}

static void test_many_leaves_and_alternatives_are_counted(void **state)
{
	(void)state;
	check("{\"a\":[9]}", "{\"a\":[0,1,2,3,4,5,6,7,8,10]}", 1,
	      "$.a: 0 is not 9\n$.a: 1 is not 9\n$.a: 2 is not 9\n$.a: 3 is not 9\n"
	      "$.a: 4 is not 9\n$.a: 5 is not 9\n$.a: 6 is not 9\n$.a: 7 is not 9\n"
	      "$.a: and 2 more values, none of which matches\n");
	check("{\"a\":[0,1,2,3,4,5,6,7,8,9]}", "{\"a\":10}", 1,
	      "$.a: 10 is not 0, is not 1, is not 2, is not 3, is not 4, is not 5, is not 6, "
	      "is not 7, nor any of 2 more\n");
	check("{\"a\":[9]}", "{\"a\":[0,1,2,3,4,5,6,7,8,9]}", 0, "$.a: 9 is 9\n");
}

static void test_long_values_are_cut_between_characters(void **state)
{
	(void)state;
	char event[400] = "{\"a\":\"x", expected[400] = "$.a: \"x";
	for (int i = 0; i < 100; i++)
		strcat(event, "é");
	strcat(event, "\"}");
	/* 120 bytes: one of x, 59 characters of two, and no half of the next */
	for (int i = 0; i < 59; i++)
		strcat(expected, "é");
	strcat(expected, "…\" is not 1 (not a number)\n");
	check("{\"a\":[1]}", event, 1, expected);
	check("{\"a\\nb\":[1]}", "{\"a\\nb\":\"\\u0000\\ud800\"}", 1,
	      "$.a?b: \"\\u0000\\ud800\" is not 1 (not a number)\n");
}

static void test_the_nearest_way_through_or_is_shown(void **state)
{
	(void)state;
	check("{\"z\":[1],\"$or\":[{\"a\":[1],\"b\":[1],\"c\":[1]},{\"d\":[1],\"e\":[1]}]}",
	      "{\"z\":1,\"a\":1,\"b\":1,\"c\":2}", 1,
	      "nearest of 2 ways through \"$or\":\n"
	      "$.z: 1 is 1\n$.a: 1 is 1\n$.b: 1 is 1\n$.c: 2 is not 1\n");
	check("{\"$or\":[{\"a\":[1]},{\"b\":[2]}]}", "{\"a\":3,\"b\":2}", 0, "$.b: 2 is 2\n");
}

static void test_json_has_what_the_text_says(void **state)
{
	(void)state;
	struct sluice_event event = payload("{\"a\":[21.50,\"x\"],\"i\":[{\"b\":1},{\"c\":1}]}");
	static const struct {
		const char *pattern, *json;
	} cases[] = {
		{ "{\"a\":[{\"numeric\":[\">\",30]}],\"site\":[\"b\"]}",
		  "{\"match\":false,\"failed\":2,\"payload\":\"object\",\"fields\":["
		  "{\"path\":\"a\",\"place\":\"$.a\",\"match\":false,\"leaves\":["
		  "{\"value\":21.50,\"why\":\"is not > 30\"},"
		  "{\"value\":\"x\",\"why\":\"is not > 30 (not a number)\"}],\"leaf_count\":2},"
		  "{\"path\":\"site\",\"place\":\"$.site\",\"match\":false,\"why\":\"absent\","
		  "\"leaves\":[],\"leaf_count\":0}]}" },
		{ "{\"i\":{\"b\":[1],\"c\":[1]}}",
		  "{\"match\":false,\"failed\":1,\"payload\":\"object\",\"fields\":["
		  "{\"path\":\"i.b\",\"place\":\"$.i.b\",\"match\":true,\"leaves\":["
		  "{\"value\":1,\"why\":\"is 1\"}],\"leaf_count\":1},"
		  "{\"path\":\"i.c\",\"place\":\"$.i.c\",\"match\":true,\"leaves\":["
		  "{\"value\":1,\"why\":\"is 1\"}],\"leaf_count\":1}],"
		  "\"why\":\"fields match, but in different elements of $.i\",\"array\":\"i\"}" },
		{ "{\"$or\":[{\"$mqtt.qos\":[1]},{\"$mqtt.retain\":[true]}]}",
		  "{\"match\":false,\"failed\":1,\"payload\":\"not-read\","
		  "\"or\":{\"shown\":0,\"of\":2},\"fields\":[{\"path\":\"$mqtt.qos\","
		  "\"place\":\"$.$or[0][\\\"$mqtt.qos\\\"]\",\"match\":false,\"why\":\"absent\","
		  "\"leaves\":[],\"leaf_count\":0}]}" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_explanation *explanation = explain(cases[i].pattern, &event);
		struct sluice_buffer json = { 0 };
		sluice_explanation_write_json(explanation, &json);
		if (strcmp(json.data, cases[i].json) != 0)
			fail_msg("%s\nexpected\n%s\ngot\n%s", cases[i].pattern, cases[i].json,
			         json.data);
		sluice_buffer_finish(&json);
		sluice_explanation_destroy(explanation);
	}
}

static void test_many_rules_come_matches_first_and_then_the_nearest_misses(void **state)
{
	(void)state;
	enum { RULES = 203 };
	static const char *const shapes[] = {
		"{\"a\":[0],\"b\":[0],\"c\":[0]}", /* fails 3 */
		"{\"a\":[1],\"b\":[0],\"c\":[0]}", /* fails 2 */
		"{\"a\":[1],\"b\":[1],\"c\":[1]}", /* matches */
		"{\"a\":[1],\"b\":[1],\"c\":[0]}", /* fails 1 */
	};
	struct sluice_explain_rule rules[RULES];
	for (size_t i = 0; i < RULES; i++) {
		/* Far ones first, so that nearer ones drive them out. */
		size_t shape = i < 100 ? 0 : i < 200 ? 1 : i == 201 ? 2 : 3;
		rules[i] = (struct sluice_explain_rule){ .name = SLUICE_STR("r"),
			                                 .pattern = compile(shapes[shape]) };
	}
	struct sluice_event event = payload("{\"a\":1,\"b\":1,\"c\":1}");
	static const size_t expected[] = { 201, 200, 202, 100, 101 };
	struct sluice_explain_ranked *ranked;
	size_t count;
	struct sluice_error error;
	assert_int_equal(
	        sluice_explain_many(rules, RULES, &event, 4, NULL, NULL, &ranked, &count, &error),
	        SLUICE_OK);
	assert_int_equal(count, 5);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(ranked[i].rule, expected[i]);
	assert_true(sluice_explanation_matched(ranked[0].explanation));
	assert_int_equal(sluice_explanation_failed(ranked[3].explanation), 2);
	sluice_explain_ranked_destroy(ranked, count);
	assert_int_equal(
	        sluice_explain_many(rules, RULES, &event, 0, NULL, NULL, &ranked, &count, &error),
	        SLUICE_OK);
	assert_int_equal(count, 1);
	sluice_explain_ranked_destroy(ranked, count);
	for (size_t i = 0; i < RULES; i++)
		sluice_pattern_destroy((struct sluice_pattern *)rules[i].pattern);
	assert_int_equal(
	        sluice_explain_many(NULL, 0, &event, 4, NULL, NULL, &ranked, &count, &error),
	        SLUICE_OK);
	assert_int_equal(count, 0);
	sluice_explain_ranked_destroy(ranked, count);
}

static bool count_down(void *arg)
{
	int *left = arg;
	return (*left)-- == 0;
}

static void test_many_rules_can_be_cancelled(void **state)
{
	(void)state;
	struct sluice_explain_rule rules[100];
	struct sluice_pattern *pattern = compile("{\"a\":[1]}");
	for (size_t i = 0; i < 100; i++)
		rules[i] =
		        (struct sluice_explain_rule){ .name = SLUICE_STR("r"), .pattern = pattern };
	struct sluice_event event = payload("{\"a\":1}");
	struct sluice_explain_ranked *ranked;
	size_t count;
	struct sluice_error error;
	int left = 1;
	assert_int_equal(sluice_explain_many(rules, 100, &event, 4, count_down, &left, &ranked,
	                                     &count, &error),
	                 SLUICE_ERR_BUSY);
	assert_null(ranked);
	sluice_pattern_destroy(pattern);
}

static void test_running_out_of_memory_is_an_error_and_leaks_nothing(void **state)
{
	(void)state;
	struct sluice_pattern *patterns[2] = {
		compile("{\"$or\":[{\"i\":{\"b\":[1],\"c\":[{\"numeric\":[\">\",1]}]}},"
		        "{\"d\":[{\"anything-but\":[\"x\",\"y\"]}],\"e\":[1]}]}"),
		compile("{\"d\":[{\"anything-but\":[\"x\"]}]}"),
	};
	struct sluice_explain_rule rules[2] = { { .name = SLUICE_STR("a"), .pattern = patterns[0] },
		                                { .name = SLUICE_STR("b"),
		                                  .text = sluice_pattern_text(patterns[1]) } };
	struct sluice_event event = payload("{\"i\":[{\"b\":1},{\"c\":\"\\u0032\"},{\"c\":2}],"
	                                    "\"d\":\"z\"}");
	for (size_t n = 1;; n++) {
		struct sluice_explanation *explanation;
		struct sluice_error error;
		oom_fail_at(n);
		enum sluice_status status =
		        sluice_explain(patterns[0], &event, &explanation, &error);
		if (!oom_happened()) {
			assert_int_equal(status, SLUICE_OK);
			sluice_explanation_destroy(explanation);
			break;
		}
		if (status == SLUICE_OK) /* it could do without */
			sluice_explanation_destroy(explanation);
		else
			assert_int_equal(status, SLUICE_ERR_NOMEM);
	}
	for (size_t n = 1;; n++) {
		struct sluice_explain_ranked *ranked;
		size_t count;
		struct sluice_error error;
		oom_fail_at(n);
		enum sluice_status status = sluice_explain_many(rules, 2, &event, 2, NULL, NULL,
		                                                &ranked, &count, &error);
		bool happened = oom_happened();
		if (status == SLUICE_OK)
			sluice_explain_ranked_destroy(ranked, count);
		else
			assert_int_equal(status, SLUICE_ERR_NOMEM);
		if (!happened)
			break;
	}
	sluice_pattern_destroy(patterns[0]);
	sluice_pattern_destroy(patterns[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_failed_field_shows_its_leaf_and_alternative),
		cmocka_unit_test(test_each_operator_has_its_words),
		cmocka_unit_test(test_what_is_known_of_the_publish_is_explained),
		cmocka_unit_test(test_fields_in_different_elements_name_the_array),
		cmocka_unit_test(test_a_payload_without_fields_says_why),
		cmocka_unit_test(test_many_leaves_and_alternatives_are_counted),
		cmocka_unit_test(test_long_values_are_cut_between_characters),
		cmocka_unit_test(test_the_nearest_way_through_or_is_shown),
		cmocka_unit_test(test_json_has_what_the_text_says),
		cmocka_unit_test(test_many_rules_come_matches_first_and_then_the_nearest_misses),
		cmocka_unit_test(test_many_rules_can_be_cancelled),
		cmocka_unit_test(test_running_out_of_memory_is_an_error_and_leaks_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
