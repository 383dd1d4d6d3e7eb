/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What the scan makes of an event must not depend on the events before it (spelling.h), nor on how
 * many bytes it looks at at once. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oom.h"
#include "sluice/json.h"
#include "sluice/matcher.h"

static void add(struct sluice_matcher *matcher, uint64_t id, const char *text)
{
	struct sluice_pattern *pattern = NULL;

	assert_int_equal(sluice_pattern_compile(sluice_str(text), &pattern, NULL), SLUICE_OK);
	assert_int_equal(sluice_matcher_add(matcher, id, pattern, NULL), SLUICE_OK);
	sluice_pattern_destroy(pattern);
}

/* A bit for each rule that matches, and the flags above. */
static uint64_t match(const struct sluice_matcher *matcher, struct sluice_scratch *scratch,
                      const char *payload)
{
	struct sluice_event event = SLUICE_EVENT_INIT;
	struct sluice_match result;
	uint64_t bits = 0;

	event.payload = sluice_str(payload);
	assert_int_equal(sluice_match(matcher, scratch, &event, &result), SLUICE_OK);
	for (size_t i = 0; i < result.count; i++)
		bits |= UINT64_C(1) << result.ids[i];
	return bits | (uint64_t)result.flags << 32;
}

static const char *const rules[] = {
	"{\"a\":[1]}",
	"{\"a\":{\"a\":[1]}}",
	"{\"b\":{\"c\":[\"x\"],\"d\":[2]}}",
	"{\"a.b\":[true]}",
	"{\"\":[{\"exists\":true}]}",
	"{\"temperature\":[{\"exists\":false}]}",
	"{\"a\\\"\":[null]}",
	"{\"$mqttx\":[1]}",
};
enum { RULES = sizeof(rules) / sizeof(*rules) };

/* Alike in what they begin with, and yet others; some are no JSON. */
static const char *const events[] = {
	"{\"a\":1}",
	"{\"a\": 1}",
	"{\"a\":  1}",
	"{ \"a\":1}",
	"{\"a\":1,\"b\":{\"c\":\"x\",\"d\":2}}",
	"{\"a\":1,\"b\":{\"c\":\"x\",\"d\":3}}",
	"{\"a\":1,\"b\":[{\"c\":\"x\",\"d\":3},{\"c\":\"y\",\"d\":2}]}",
	"{\"a\":1,\"b\":[{\"c\":\"x\"},[{\"d\":2,\"c\":\"x\"}]]}",
	"{\"a\":1{\"b\":2}",
	"{\"a\":1{}",
	"{\"a\":1,}",
	"{\"a\":1,\"a\":{\"a\":1}}",
	"{\"a\":{\"a\":1}}",
	"{\"a\":{\"a\":{\"a\":1}}}",
	"{\"a\":{\"a\":1},\"b\":1,\"a\":2}",
	"{,\"a\":1}",
	"{\"a\":\n1\n,\n\"b\":\n{\n\"c\":\"x\",\"d\":2}}",
	"{\"a\":}",
	"{\"a\":,\"b\":1}",
	"{\"a.b\":true,\"temperature\":20}",
	"{\"a.b\":true,\"temperature_inside\":20}",
	"{\"a.b\":true,\"temperature_insidf\":20}",
	"{\"a\\\"\":null,\"a\":1}",
	"{\"a\\u0022\":null,\"a\":1}",
	"{\"\":[]}",
	"{\"\":{}}",
	"{\"\" :0}",
	"{\"$mqtt\":1,\"$mqttx\":1}",
	"{\"$mqttx\":1,\"$mqtt\":{\"topic\":1}}",
	"{\"a_key_that_is_longer_than_what_is_remembered\":1,\"a\":1}",
	"{}",
	"[{\"a\":1}]",
	"{\"a\":1} {",
};
enum { EVENTS = sizeof(events) / sizeof(*events) };

static void test_an_event_is_what_it_is_after_any_two_others(void **state)
{
	struct sluice_matcher *matcher = sluice_matcher_create();
	uint64_t expected[EVENTS];
	(void)state;

	for (size_t i = 0; i < RULES; i++)
		add(matcher, i, rules[i]);
	for (size_t i = 0; i < EVENTS; i++) {
		struct sluice_scratch *fresh = sluice_scratch_create();
		expected[i] = match(matcher, fresh, events[i]);
		sluice_scratch_destroy(fresh);
	}
	struct sluice_scratch *scratch = sluice_scratch_create();
	for (size_t i = 0; i < EVENTS * EVENTS; i++) {
		const size_t turn[] = { i / EVENTS, i % EVENTS, i / EVENTS };
		for (size_t k = 0; k < 3; k++)
			if (match(matcher, scratch, events[turn[k]]) != expected[turn[k]])
				fail_msg("%s after %s", events[turn[k]], events[turn[(k + 2) % 3]]);
	}
	sluice_scratch_destroy(scratch);
	sluice_matcher_destroy(matcher);
}

static void test_what_is_remembered_goes_with_the_path(void **state)
{
	struct sluice_scratch *scratch = sluice_scratch_create();
	(void)state;

	for (int time = 0; time < 3; time++) {
		struct sluice_matcher *matcher = sluice_matcher_create();
		add(matcher, 0, "{\"b\":[2]}");
		assert_int_equal(match(matcher, scratch, "{\"a\":1,\"b\":2}"), 1);
		add(matcher, 1, "{\"a\":[1]}");
		assert_int_equal(match(matcher, scratch, "{\"a\":1,\"b\":2}"), 3);
		assert_int_equal(sluice_matcher_remove(matcher, 0), SLUICE_OK);
		assert_int_equal(match(matcher, scratch, "{\"a\":1,\"b\":2}"), 2);
		add(matcher, 2, "{\"b\":[{\"exists\":true}]}");
		assert_int_equal(match(matcher, scratch, "{\"a\":1,\"b\":2}"), 6);
		sluice_matcher_destroy(matcher);
	}
	sluice_scratch_destroy(scratch);
}

/* A text before it takes all of a scratch's first memory but some bytes, then more. */
static void test_a_key_that_there_was_no_memory_to_decode_is_not_remembered(void **state)
{
	enum { FIRST_MEMORY = 512 };
	struct sluice_matcher *matcher = sluice_matcher_create();
	struct sluice_event event = SLUICE_EVENT_INIT;
	struct sluice_match result;
	char text[FIRST_MEMORY + 64];
	(void)state;

	add(matcher, 0, "{\"n\":[{\"exists\":true}],\"caf\\u00e9\":[\"x\"]}");
	for (int len = 0; len < FIRST_MEMORY; len++) {
		int whole = snprintf(text, sizeof(text), "{\"n\":\"\\n%*s\",\"caf\\u00e9\":\"x\"}",
		                     len, "");
		event.payload = (struct sluice_str){ text, (size_t)whole };
		bool failed = true;
		for (size_t n = 1; failed; n++) {
			struct sluice_scratch *scratch = sluice_scratch_create();
			oom_fail_at(n);
			enum sluice_status status = sluice_match(matcher, scratch, &event, &result);
			failed = oom_happened();
			assert_int_equal(status, failed ? SLUICE_ERR_NOMEM : SLUICE_OK);
			assert_int_equal(match(matcher, scratch, text), 1);
			sluice_scratch_destroy(scratch);
		}
	}
	sluice_matcher_destroy(matcher);
}

static void test_keys_that_are_new_each_time_are_found(void **state)
{
	struct sluice_matcher *matcher = sluice_matcher_create();
	struct sluice_scratch *scratch = sluice_scratch_create();
	char payload[128];
	(void)state;

	add(matcher, 0, "{\"last\":[1]}");
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(payload, sizeof(payload),
		         "{\"k%u\":%u,\"%u\":{\"%ux\":[{\"y%u\":1}]},\"last\":1}", i, i, i * 7,
		         i % 97, i);
		assert_int_equal(match(matcher, scratch, payload), 1);
	}
	sluice_scratch_destroy(scratch);
	sluice_matcher_destroy(matcher);
}

/* It is taken for JSON by the matcher, or not, as by the reader of rules. */
static void compare(const struct sluice_matcher *matcher, struct sluice_scratch *scratch,
                    const char *payload)
{
	struct sluice_json_doc *doc = NULL;
	bool bad = sluice_json_parse(sluice_str(payload), 0, SLUICE_EVENT_MAX_NESTING, &doc,
	                             NULL) != SLUICE_OK;

	if (match(matcher, scratch, payload) != (bad ? (uint64_t)SLUICE_MATCH_NOT_JSON << 32 : 0))
		fail_msg("%s: %s", bad ? "taken" : "refused", payload);
	sluice_json_destroy(doc);
}

static void test_arrays_of_numbers_are_taken_where_they_are_well_formed(void **state)
{
	static const char *const texts[] = {
		"[[12.1368226,47.21941547,0.0],[12.14749113,47.21100249,-0.5],[12.14224888,47.2,0]"
		"]",
		"[1287,15632,15877,-6290,-2132,15893,-6411,0,-10458,11698,-450,100,12,1,2,3,4,5,6,"
		"7]",
		"[[[1, 2], [3, 40], [500, 6], [], [7, 8.25]], [[9, 10], [11, 12], [13.5, 140]], "
		"[1]]",
		"[[],[[]],[[[1]]],[[[[2,3]]]],[[[4,5]],6],7,[8,[9,[10,[11,[12,[13]]]]]],14,15,16,"
		"17]",
		"[0.1,10.25,-0,0,0.0,1e5,12,1.5E-7,3,[4,5],-1,-2,-3.75,[-4],[0.5],[1,0,1,0,1,0],9,"
		"8]",
	};
	static const char bytes[] = "0159.-+,[] eE\"{}:xt\n";
	enum { BYTES = sizeof(bytes) - 1, CHANGES = 2 * BYTES + 1 };
	struct sluice_matcher *matcher = sluice_matcher_create();
	struct sluice_scratch *scratch = sluice_scratch_create();
	char payload[512];
	(void)state;

	add(matcher, 0, "{\"last\":[1]}");
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		for (size_t place = 0; place < strlen(texts[i]); place++)
			for (size_t k = 0; k < CHANGES; k++) {
				/* another byte in its place, or before it; or none */
				const char *rest = texts[i] + place + (k < BYTES || k == 2 * BYTES);
				snprintf(payload, sizeof(payload), "{\"p\":[%.*s%.*s%s,%s]%s",
				         (int)place, texts[i], k < 2 * BYTES, bytes + k % BYTES,
				         rest, texts[i], k % 2 ? "}" : ",\"q\":\"behind\"}");
				compare(matcher, scratch, payload);
			}
	sluice_scratch_destroy(scratch);
	sluice_matcher_destroy(matcher);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_event_is_what_it_is_after_any_two_others),
		cmocka_unit_test(test_what_is_remembered_goes_with_the_path),
		cmocka_unit_test(test_a_key_that_there_was_no_memory_to_decode_is_not_remembered),
		cmocka_unit_test(test_keys_that_are_new_each_time_are_found),
		cmocka_unit_test(test_arrays_of_numbers_are_taken_where_they_are_well_formed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
