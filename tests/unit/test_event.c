/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "oom.h"
#include "sluice/base64.h"
#include "sluice/event.h"
#include "sluice/json.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void assert_str(struct sluice_str actual, const char *expected)
{
	if (!actual.data || !sluice_str_equal(actual, sluice_str(expected)))
		fail_msg("expected '%s', got '%.*s'", expected, (int)actual.len, actual.data);
}

static struct sluice_json_doc *parse(const char *text)
{
	struct sluice_json_doc *doc;
	assert_int_equal(sluice_json_parse(sluice_str(text), 0, 64, &doc, NULL), SLUICE_OK);
	return doc;
}

static void every_member_is_read(void **state)
{
	(void)state;
	struct sluice_json_doc *doc =
	        parse("{\"topic\":\"a/b\",\"payload\":{\"x\": 1.50},\"qos\":1e0,\"retain\":true,"
	              "\"client_id\":\"c\",\"username\":\"\",\"content_type\":\"t\\u0041\","
	              "\"response_topic\":\"r\",\"correlation_data\":\"AP8=\",\"payload_format\":0,"
	              "\"user_properties\":{\"k\":[\"v1\",\"v2\"],\"e\":[],\"l\":\"w\"}}");
	struct sluice_event event;
	void *storage;
	assert_int_equal(sluice_event_from_json(sluice_json_root(doc), &event, &storage, NULL),
	                 SLUICE_OK);
	assert_str(event.topic, "a/b");
	assert_str(event.payload, "{\"x\": 1.50}");
	assert_str(event.client_id, "c");
	assert_str(event.username, "");
	assert_str(event.content_type, "tA");
	assert_str(event.response_topic, "r");
	assert_int_equal(event.correlation_data.len, 2);
	assert_memory_equal(event.correlation_data.data, "\0\xff", 2);
	assert_int_equal(event.qos, 1);
	assert_int_equal(event.retain, 1);
	assert_int_equal(event.payload_format, 0);
	assert_int_equal(event.user_property_count, 3);
	assert_str(event.user_properties[0].name, "k");
	assert_str(event.user_properties[0].value, "v1");
	assert_str(event.user_properties[1].name, "k");
	assert_str(event.user_properties[1].value, "v2");
	assert_str(event.user_properties[2].name, "l");
	assert_str(event.user_properties[2].value, "w");
	free(storage);
	sluice_json_destroy(doc);
}

static void what_is_not_given_is_absent(void **state)
{
	(void)state;
	struct sluice_json_doc *doc = parse("{}");
	struct sluice_event event;
	void *storage;
	assert_int_equal(sluice_event_from_json(sluice_json_root(doc), &event, &storage, NULL),
	                 SLUICE_OK);
	assert_null(event.payload.data);
	assert_null(event.topic.data);
	assert_null(event.correlation_data.data);
	assert_int_equal(event.user_property_count, 0);
	assert_int_equal(event.qos, -1);
	assert_int_equal(event.retain, -1);
	assert_int_equal(event.payload_format, -1);
	free(storage);
	sluice_json_destroy(doc);
}

static void a_payload_is_the_characters_of_a_string_or_the_text_of_a_value(void **state)
{
	(void)state;
	static const struct {
		const char *publish;
		const char *payload;
	} cases[] = {
		{ "{\"payload\":\"\"}", "" },
		{ "{\"payload\":\"a\\nb\"}", "a\nb" },
		{ "{\"payload\": -0.0 }", "-0.0" },
		{ "{\"payload\":null}", "null" },
		{ "{\"payload\":[1, \"\\u0041\"]}", "[1, \"\\u0041\"]" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sluice_json_doc *doc = parse(cases[i].publish);
		struct sluice_event event;
		void *storage;
		assert_int_equal(
		        sluice_event_from_json(sluice_json_root(doc), &event, &storage, NULL),
		        SLUICE_OK);
		assert_str(event.payload, cases[i].payload);
		free(storage);
		sluice_json_destroy(doc);
	}
}

static void what_means_nothing_is_refused_with_its_place(void **state)
{
	(void)state;
	static const struct {
		const char *publish;
		const char *place;
		const char *message;
	} cases[] = {
		{ "[]", "$", "must be an object" },
		{ "{\"topics\":\"a\"}", "$.topics", "unknown member" },
		{ "{\"topic\":1}", "$.topic", "must be a string" },
		{ "{\"client_id\":null}", "$.client_id", "must be a string" },
		{ "{\"qos\":3}", "$.qos", "must be a whole number from 0 to 2" },
		{ "{\"qos\":true}", "$.qos", "must be a whole number from 0 to 2" },
		{ "{\"retain\":1}", "$.retain", "must be true or false" },
		{ "{\"payload_format\":2}", "$.payload_format",
		  "must be a whole number from 0 to 1" },
		{ "{\"correlation_data\":\"AA\"}", "$.correlation_data",
		  "must be base64 (RFC 4648), padded" },
		{ "{\"correlation_data\":[\"AAAA\"]}", "$.correlation_data", "must be a string" },
		{ "{\"user_properties\":[]}", "$.user_properties", "must be an object" },
		{ "{\"user_properties\":{\"a\":1}}", "$.user_properties.a", "must be a string" },
		{ "{\"user_properties\":{\"a\":[\"x\",{}]}}", "$.user_properties.a[1]",
		  "must be a string" },
		{ "{\"user_properties\":{\"a\":[\"x\",\"y\"]},\"user_properties\":{}}",
		  "$.user_properties", "the name \"user_properties\" is repeated" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sluice_json_doc *doc = parse(cases[i].publish);
		struct sluice_event event;
		struct sluice_error error;
		void *storage;
		enum sluice_status status =
		        sluice_event_from_json(sluice_json_root(doc), &event, &storage, &error);
		if (status != SLUICE_ERR_INVALID || storage ||
		    strcmp(error.place, cases[i].place) != 0 ||
		    strcmp(error.message, cases[i].message) != 0)
			fail_msg("%s: got %s: %s", cases[i].publish, error.place, error.message);
		sluice_json_destroy(doc);
	}
}

static void without_memory_there_is_no_event(void **state)
{
	(void)state;
	struct sluice_json_doc *doc = parse("{\"topic\":\"a\"}");
	struct sluice_event event;
	void *storage;
	oom_fail_at(1);
	assert_int_equal(sluice_event_from_json(sluice_json_root(doc), &event, &storage, NULL),
	                 SLUICE_ERR_NOMEM);
	assert_true(oom_happened());
	assert_null(storage);
	sluice_json_destroy(doc);
}

static void base64_goes_there_and_back(void **state)
{
	(void)state;
	/* RFC 4648, section 10 */
	static const char *const cases[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xfb\xff\xbf", "+/+/" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char out[16];
		size_t len = strlen(cases[i][0]);
		assert_int_equal(sluice_base64_length(len), strlen(cases[i][1]));
		sluice_base64_encode(sluice_str(cases[i][0]), out);
		assert_memory_equal(out, cases[i][1], strlen(cases[i][1]));
		assert_true(sluice_base64_decode(sluice_str(cases[i][1]), out, &len));
		assert_int_equal(len, strlen(cases[i][0]));
		assert_memory_equal(out, cases[i][0], len);
	}
}

static void base64_with_any_fault_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = { "Z",    "Zg",       "Zg=",   "Zg===", "=",
		                             "====", "Z===",     "Zh==",  "Zm9=",  "Zg==Zg==",
		                             "Zg=a", "Zm9v\n",   "Zm 9v", "Zm-_",  "Zm9v====",
		                             "Z=9v", "Zm9vZm9\n" };
	for (size_t i = 0; i < COUNT(cases); i++) {
		char out[16];
		size_t len;
		if (sluice_base64_decode(sluice_str(cases[i]), out, &len))
			fail_msg("'%s' was decoded", cases[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_member_is_read),
		cmocka_unit_test(what_is_not_given_is_absent),
		cmocka_unit_test(a_payload_is_the_characters_of_a_string_or_the_text_of_a_value),
		cmocka_unit_test(what_means_nothing_is_refused_with_its_place),
		cmocka_unit_test(without_memory_there_is_no_event),
		cmocka_unit_test(base64_goes_there_and_back),
		cmocka_unit_test(base64_with_any_fault_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
