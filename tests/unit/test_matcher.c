/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What of the matcher the conformance data and the random comparison do not show: its life, limits
 * and memory. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oom.h"
#include "sluice/buffer.h"
#include "sluice/matcher.h"

struct bench {
	struct sluice_matcher *matcher;
	struct sluice_scratch *scratch;
	struct sluice_match result;
};

static int start(void **state)
{
	static struct bench bench;

	bench.matcher = sluice_matcher_create();
	bench.scratch = sluice_scratch_create();
	*state = &bench;
	return !bench.matcher || !bench.scratch;
}

static int stop(void **state)
{
	struct bench *bench = *state;

	sluice_scratch_destroy(bench->scratch);
	sluice_matcher_destroy(bench->matcher);
	return 0;
}

static void add(struct bench *bench, uint64_t id, const char *text)
{
	struct sluice_pattern *pattern;
	struct sluice_error error = { 0 };

	if (sluice_pattern_compile(sluice_str(text), &pattern, &error) != SLUICE_OK)
		fail_msg("%s: %s: %s", text, error.place, error.message);
	assert_int_equal(sluice_matcher_add(bench->matcher, id, pattern, &error), SLUICE_OK);
	sluice_pattern_destroy(pattern);
}

static size_t match_event(struct bench *bench, const struct sluice_event *event)
{
	assert_int_equal(sluice_match(bench->matcher, bench->scratch, event, &bench->result),
	                 SLUICE_OK);
	return bench->result.count;
}

static size_t match(struct bench *bench, const char *payload)
{
	struct sluice_event event = SLUICE_EVENT_INIT;

	event.payload = sluice_str(payload);
	return match_event(bench, &event);
}

static void test_an_id_is_taken_once_and_free_again_after_removal(void **state)
{
	struct bench *bench = *state;
	struct sluice_pattern *pattern;
	struct sluice_error error;

	add(bench, 7, "{\"a\":[1]}");
	assert_int_equal(sluice_pattern_compile(SLUICE_STR("{\"a\":[2]}"), &pattern, &error),
	                 SLUICE_OK);
	assert_int_equal(sluice_matcher_add(bench->matcher, 7, pattern, &error),
	                 SLUICE_ERR_CONFLICT);
	assert_int_equal(match(bench, "{\"a\":2}"), 0);
	assert_int_equal(sluice_matcher_remove(bench->matcher, 8), SLUICE_ERR_NOT_FOUND);
	assert_int_equal(sluice_matcher_remove(bench->matcher, 7), SLUICE_OK);
	assert_int_equal(sluice_matcher_add(bench->matcher, 7, pattern, &error), SLUICE_OK);
	sluice_pattern_destroy(pattern);
	assert_int_equal(match(bench, "{\"a\":1}"), 0);
	assert_int_equal(match(bench, "{\"a\":2}"), 1);
	assert_int_equal(bench->result.ids[0], 7);
}

static void test_removed_rules_give_their_memory_back(void **state)
{
	struct bench *bench = *state;
	size_t empty = sluice_matcher_bytes(bench->matcher);
	char text[256];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 2000; i++) {
			snprintf(text, sizeof(text),
			         "{\"d%d\":{\"x\":[%d,{\"prefix\":\"p%d\"},{\"exists\":false}]},"
			         "\"s\":[{\"anything-but\":[\"a\",\"b%d\"]},{\"wildcard\":\"*%d*\"}"
			         "],"
			         "\"$or\":[{\"o\":[{\"numeric\":[\">\",%d]}]},{\"q\":[\"v%d\"]}]}",
			         i % 50, i, i, i, i, i, i);
			add(bench, (uint64_t)i, text);
		}
		assert_int_equal(sluice_matcher_count(bench->matcher), 2000);
		for (int i = 0; i < 2000; i++)
			assert_int_equal(
			        sluice_matcher_remove(bench->matcher, (uint64_t)(i * 7 % 2000)),
			        SLUICE_OK);
		assert_int_equal(sluice_matcher_count(bench->matcher), 0);
		/* the table of paths keeps those of $mqtt, and may keep the size that it had */
		assert_true(sluice_matcher_bytes(bench->matcher) < empty + 16384);
	}
}

static void test_a_rule_matches_once_however_many_ways_lead_to_it(void **state)
{
	struct bench *bench = *state;

	add(bench, 1,
	    "{\"a\":[\"x\",{\"prefix\":\"x\"},{\"suffix\":\"x\"},{\"exists\":true}],\"$or\":["
	    "{\"b\":[1]},{\"b\":[{\"numeric\":[\">\",0]}]}]}");
	assert_int_equal(match(bench, "{\"a\":[\"x\",\"x\",\"xx\"],\"b\":[1,1.0]}"), 1);
}

static void test_only_the_metadata_that_rules_name_is_asked_for(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(sluice_matcher_metadata(bench->matcher), 0);
	add(bench, 1,
	    "{\"$mqtt\":{\"topic\":[{\"mqtt-topic\":\"a/"
	    "+\"}],\"user_properties\":{\"k\":[\"v\"]}}}");
	add(bench, 2, "{\"$mqtt\":{\"topic\":[\"a/b\"]}}");
	assert_int_equal(sluice_matcher_metadata(bench->matcher),
	                 SLUICE_META_TOPIC | SLUICE_META_USER_PROPERTIES);
	sluice_matcher_remove(bench->matcher, 1);
	assert_int_equal(sluice_matcher_metadata(bench->matcher), SLUICE_META_TOPIC);
}

static void test_a_payload_that_no_rule_names_is_not_scanned(void **state)
{
	struct bench *bench = *state;
	struct sluice_event event = SLUICE_EVENT_INIT;

	add(bench, 1, "{\"$mqtt\":{\"topic\":[\"a/b\"]}}");
	event.topic = SLUICE_STR("a/b");
	event.payload = SLUICE_STR("no json");
	assert_int_equal(match_event(bench, &event), 1);
	assert_true(bench->result.flags & SLUICE_MATCH_SKIPPED);
	add(bench, 2, "{\"x\":[1]}");
	assert_int_equal(match_event(bench, &event), 1);
	assert_true(bench->result.flags & SLUICE_MATCH_NOT_JSON);
}

static char *repeat(const char *head, const char *piece, size_t times, const char *tail)
{
	struct sluice_buffer buf = { 0 };

	sluice_buffer_append_text(&buf, head);
	for (size_t i = 0; i < times; i++)
		sluice_buffer_append_text(&buf, piece);
	sluice_buffer_append_text(&buf, tail);
	return sluice_buffer_take(&buf);
}

static void test_nesting_past_the_limit_is_as_if_not_well_formed(void **state)
{
	struct bench *bench = *state;
	char *open = repeat("", "[", SLUICE_EVENT_MAX_NESTING - 1, "");
	char *close = repeat("", "]", SLUICE_EVENT_MAX_NESTING - 1, "");
	struct sluice_buffer event = { 0 };

	add(bench, 1, "{\"b\":[1]}");
	sluice_buffer_printf(&event, "{\"a\":%s%s,\"b\":1}", open, close);
	assert_int_equal(match(bench, event.data), 1);
	assert_int_equal(bench->result.flags, 0);
	sluice_buffer_reset(&event);
	sluice_buffer_printf(&event, "{\"a\":[%s%s],\"b\":1}", open, close);
	assert_int_equal(match(bench, event.data), 0);
	assert_int_equal(bench->result.flags, SLUICE_MATCH_NOT_JSON | SLUICE_MATCH_TOO_DEEP);
	sluice_buffer_finish(&event);
	free(open);
	free(close);
}

static void test_too_many_leaves_leave_the_metadata_alone(void **state)
{
	struct bench *bench = *state;
	struct sluice_event event = SLUICE_EVENT_INIT;
	char *most = repeat("{\"a\":[1", ",1", SLUICE_EVENT_MAX_LEAVES - 1, "],\"b\":[1,2,3]}");
	char *more = repeat("{\"a\":[1", ",1", SLUICE_EVENT_MAX_LEAVES, "],\"b\":[1,2,3]}");

	add(bench, 1, "{\"a\":[1]}");
	add(bench, 2, "{\"$mqtt\":{\"topic\":[\"t\"]}}");
	event.topic = SLUICE_STR("t");
	event.payload = sluice_str(most);
	assert_int_equal(match_event(bench, &event), 2);
	event.payload = sluice_str(more);
	assert_int_equal(match_event(bench, &event), 1);
	assert_int_equal(bench->result.ids[0], 2);
	assert_true(bench->result.flags & SLUICE_MATCH_TOO_MANY);
	/* and the next event is as any other */
	assert_int_equal(match(bench, "{\"a\":1}"), 1);
	assert_int_equal(bench->result.flags, 0);
	free(most);
	free(more);
}

static void test_elements_in_reach_are_found_in_linear_time(void **state)
{
	struct bench *bench = *state;
	char *event = repeat("{\"x\":[{\"a\":1,\"b\":2}", ",{\"a\":1},{\"b\":1}", 10000,
	                     ",{\"b\":1,\"c\":{\"d\":[{\"e\":1},{\"e\":2,\"f\":3}]},\"a\":5}]}");

	add(bench, 1, "{\"x\":{\"a\":[1],\"b\":[1]}}");
	add(bench, 2, "{\"x\":{\"a\":[1],\"b\":[2]}}");
	add(bench, 3, "{\"x\":{\"b\":[1],\"c\":{\"d\":{\"e\":[2],\"f\":[3]}}}}");
	add(bench, 4, "{\"x\":{\"b\":[1],\"c\":{\"d\":{\"e\":[1],\"f\":[3]}}}}");
	add(bench, 5, "{\"x\":{\"b\":[1],\"a\":[{\"exists\":false}]}}");
	add(bench, 6, "{\"x\":{\"b\":[2],\"a\":[{\"exists\":false}]}}");
	assert_int_equal(match(bench, event), 3);
	assert_int_equal(bench->result.undecided, 0);
	assert_int_equal(bench->result.flags, 0);
	for (size_t i = 0; i < 3; i++)
		assert_true(bench->result.ids[i] == 2 || bench->result.ids[i] == 3 ||
		            bench->result.ids[i] == 5);
	free(event);
}

/*
 * Arrays under one repeated key are the variables of a satisfiability problem, fields its clauses:
 * no choice of elements has all of f0 … f19, and nobody can know that without trying.
 */
static void test_an_event_made_to_hurt_is_undecided_and_told(void **state)
{
	struct bench *bench = *state;
	struct sluice_buffer rule = { 0 }, event = { 0 };

	sluice_buffer_append_text(&rule, "{\"a\":{");
	for (int i = 0; i < 30; i++)
		sluice_buffer_printf(&rule, "%s\"f%d\":[1]", i ? "," : "", i);
	sluice_buffer_append_text(&rule, "}}");
	add(bench, 1, rule.data);
	add(bench, 2, "{\"last\":[1]}");
	sluice_buffer_append_text(&event, "{");
	for (int array = 0; array < 29; array++) {
		sluice_buffer_append_text(&event, "\"a\":[");
		for (int i = 0; i < 30; i++)
			sluice_buffer_printf(&event, "%s{\"f%d\":1}", i ? "," : "", i);
		sluice_buffer_append_text(&event, "],");
	}
	sluice_buffer_append_text(&event, "\"last\":1}");
	assert_int_equal(match(bench, event.data), 1);
	assert_int_equal(bench->result.ids[0], 2);
	assert_int_equal(bench->result.undecided, 1);
	assert_true(bench->result.flags & SLUICE_MATCH_UNDECIDED);
	sluice_buffer_finish(&rule);
	sluice_buffer_finish(&event);
}

static void test_strings_with_escapes_match_as_their_characters(void **state)
{
	struct bench *bench = *state;

	add(bench, 1, "{\"k\\u00e9y\":[\"a\\u0000b\"]}");
	add(bench, 2, "{\"k\xc3\xa9y\":[{\"suffix\":\"\\ud800\"}]}");
	assert_int_equal(match(bench, "{\"\\u006b\\u00E9y\":\"\\u0061\\u0000b\"}"), 1);
	assert_int_equal(bench->result.ids[0], 1);
	assert_int_equal(match(bench, "{\"k\xc3\xa9y\":\"x\\uD800\"}"), 1);
	assert_int_equal(bench->result.ids[0], 2);
	assert_int_equal(match(bench, "{\"k\xc3\xa9y\":\"x\\uD800\\uDC00\"}"), 0);
}

/* Blocks are the second field of these rules, by which candidates are dismissed unseen. */
static void test_blocks_tell_addresses_beside_other_values_apart(void **state)
{
	struct bench *bench = *state;

	add(bench, 4, "{\"k\":[\"x\"],\"a\":[{\"cidr\":\"10.1.0.0/16\"}]}");
	add(bench, 6, "{\"k\":[\"x\"],\"a\":[{\"cidr\":\"2001:db8:a000::/36\"}]}");
	add(bench, 7, "{\"k\":[\"x\"],\"a\":[{\"cidr\":\"::ffff:10.2.0.0/112\"}]}");
	add(bench, 8, "{\"k\":[\"x\"],\"a\":[{\"numeric\":[\"<\",5]}]}");
	const struct {
		const char *a;
		size_t count;
		uint64_t id;
	} cases[] = {
		{ "\"10.1.255.1\"", 1, 4 },
		{ "\"10.2.0.1\"", 0, 0 },
		{ "\"::ffff:10.1.0.9\"", 1, 4 },
		{ "\"::ffff:10.2.0.9\"", 1, 7 },
		{ "\"2001:db8:afff::1\"", 1, 6 },
		{ "\"2001:db8:b000::1\"", 0, 0 },
		{ "\"no address\"", 0, 0 },
		{ "167837697", 0, 0 }, /* 10.1.0.1 as a number */
		{ "-1e300", 1, 8 },
		{ "1e300", 0, 0 },
		{ "[\"10.9.0.1\",\"10.1.0.1\"]", 1, 4 },
		{ "[4,\"10.9.0.1\"]", 1, 8 },
		{ "[9,\"2001:db8:a000::\"]", 1, 6 },
		{ "[\"x\",\"10.1.0.1\",null]", 1, 4 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char payload[128];
		snprintf(payload, sizeof(payload), "{\"a\":%s,\"k\":\"x\"}", cases[i].a);
		if (match(bench, payload) != cases[i].count)
			fail_msg("%s: %zu", payload, bench->result.count);
		if (cases[i].count)
			assert_int_equal(bench->result.ids[0], cases[i].id);
	}
}

static void test_an_anything_but_beside_another_field_needs_one_leaf_that_is_none_of_it(
        void **state)
{
	struct bench *bench = *state;

	add(bench, 1, "{\"k\":[\"x\"],\"a\":[{\"anything-but\":[\"b\",\"c\"]}]}");
	add(bench, 2, "{\"k\":[\"x\"],\"a\":[{\"anything-but\":\"b\"}]}");
	assert_int_equal(match(bench, "{\"k\":\"x\",\"a\":\"b\"}"), 0);
	assert_int_equal(match(bench, "{\"k\":\"x\",\"a\":\"c\"}"), 1);
	assert_int_equal(match(bench, "{\"k\":\"x\",\"a\":\"d\"}"), 2);
	assert_int_equal(match(bench, "{\"k\":\"x\",\"a\":1}"), 2);
	assert_int_equal(match(bench, "{\"k\":\"x\",\"a\":[\"d\",\"b\"]}"), 2);
	assert_int_equal(match(bench, "{\"k\":\"x\",\"a\":[\"b\",\"c\"]}"), 1);
	assert_int_equal(match(bench, "{\"k\":\"x\"}"), 0);
	assert_int_equal(sluice_matcher_remove(bench->matcher, 1), SLUICE_OK);
	assert_int_equal(match(bench, "{\"k\":\"x\",\"a\":\"c\"}"), 1);
}

static void test_one_matcher_serves_two_scratches(void **state)
{
	struct bench *bench = *state;
	struct sluice_scratch *other = sluice_scratch_create();
	struct sluice_match result;
	struct sluice_event event = SLUICE_EVENT_INIT;

	add(bench, 1, "{\"a\":[1]}");
	assert_int_equal(match(bench, "{\"a\":1}"), 1);
	event.payload = SLUICE_STR("{\"a\":2}");
	assert_int_equal(sluice_match(bench->matcher, other, &event, &result), SLUICE_OK);
	assert_int_equal(result.count, 0);
	assert_int_equal(bench->result.count, 1);
	sluice_scratch_destroy(other);
}

/* One of each kind, on fields that the event below has. */
static const char *const every_kind[] = {
	"{\"s\":[\"hello\"],\"n\":[1]}",
	"{\"s\":[{\"prefix\":\"he\"},{\"suffix\":\"lo\"},{\"equals-ignore-case\":\"HELLO\"}]}",
	"{\"s\":[{\"prefix\":{\"equals-ignore-case\":\"HE\"}},{\"suffix\":{\"equals-ignore-case\":"
	"\"X\"}}]}",
	"{\"s\":[{\"wildcard\":\"h*l*\"},{\"wildcard\":\"*z*\"}]}",
	"{\"s\":[{\"anything-but\":[\"a\",\"b\"]},{\"anything-but\":{\"wildcard\":[\"x*\",\"*y\"]}}"
	"]}",
	"{\"n\":[{\"numeric\":[\">\",0,\"<=\",9007199254740993.00000000001]},"
	"12345678901234567890123]}",
	"{\"ip\":[{\"cidr\":\"10.0.0.0/8\"}],\"gone\":[{\"exists\":false}]}",
	"{\"items\":{\"a\":[1],\"b\":[2,{\"exists\":false}]},\"$or\":[{\"t\":[true]},{\"t\":[null]}"
	"]}",
	"{\"$mqtt\":{\"topic\":[{\"mqtt-topic\":\"a/+/"
	"#\"}],\"correlation_data\":[{\"exists\":true}]}}",
	"{\"gone\":[{\"exists\":false}]}",
};
enum { KINDS = sizeof(every_kind) / sizeof(*every_kind) };

static struct sluice_event every_kind_event(void)
{
	struct sluice_event event = SLUICE_EVENT_INIT;

	event.topic = SLUICE_STR("a/b/c");
	event.correlation_data = SLUICE_STR("1234");
	event.payload =
	        SLUICE_STR("{\"s\":\"h\\u0065llo\",\"n\":1.0,\"ip\":\"10.1.2.3\",\"t\":true,"
	                   "\"items\":[{\"a\":1,\"b\":1},{\"a\":2,\"b\":2},{\"a\":1,\"b\":2}]}");
	return event;
}

static void test_matching_allocates_nothing(void **state)
{
	struct bench *bench = *state;
	struct sluice_event event = every_kind_event();

	for (uint64_t i = 0; i < KINDS; i++)
		add(bench, i, every_kind[i]);
	assert_int_equal(match_event(bench, &event),
	                 KINDS); /* the scratch takes the matcher's size */
	oom_fail_at(1);
	assert_int_equal(match_event(bench, &event), KINDS);
	assert_false(oom_happened());
}

static void test_a_failed_allocation_leaves_the_matcher_as_it_was(void **state)
{
	struct bench *bench = *state;
	struct sluice_event event = every_kind_event();
	struct sluice_pattern *pattern;

	for (uint64_t i = 0; i < KINDS; i++) {
		assert_int_equal(sluice_pattern_compile(sluice_str(every_kind[i]), &pattern, NULL),
		                 SLUICE_OK);
		size_t before = sluice_matcher_bytes(bench->matcher);
		for (size_t n = 1;; n++) {
			oom_fail_at(n);
			enum sluice_status status =
			        sluice_matcher_add(bench->matcher, i, pattern, NULL);
			if (!oom_happened()) {
				assert_int_equal(status, SLUICE_OK);
				break;
			}
			assert_int_equal(status, SLUICE_ERR_NOMEM);
			assert_int_equal(sluice_matcher_count(bench->matcher), i);
			/* tables may have grown, for the next try */
			assert_true(sluice_matcher_bytes(bench->matcher) <= before + 4096);
			assert_int_equal(match_event(bench, &event), i);
		}
		sluice_pattern_destroy(pattern);
		assert_int_equal(match_event(bench, &event), i + 1);
	}
	for (uint64_t i = 0; i < KINDS; i++)
		assert_int_equal(sluice_matcher_remove(bench->matcher, i), SLUICE_OK);
}

static void test_an_event_without_memory_matches_nothing_and_says_so(void **state)
{
	struct bench *bench = *state;
	struct sluice_event event = every_kind_event();
	struct sluice_match result;

	for (uint64_t i = 0; i < KINDS; i++)
		add(bench, i, every_kind[i]);
	for (size_t n = 1;; n++) {
		oom_fail_at(n);
		struct sluice_scratch *scratch = sluice_scratch_create();
		enum sluice_status status =
		        scratch ? sluice_match(bench->matcher, scratch, &event, &result)
		                : SLUICE_ERR_NOMEM;
		if (!oom_happened()) {
			assert_int_equal(status, SLUICE_OK);
			assert_int_equal(result.count, KINDS);
			sluice_scratch_destroy(scratch);
			break;
		}
		assert_int_equal(status, SLUICE_ERR_NOMEM);
		if (scratch)
			assert_int_equal(result.count, 0);
		sluice_scratch_destroy(scratch);
		scratch = NULL;
	}
	oom_fail_at(1);
	assert_null(sluice_matcher_create());
	assert_true(oom_happened());
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(test_an_id_is_taken_once_and_free_again_after_removal),
		TEST(test_removed_rules_give_their_memory_back),
		TEST(test_a_rule_matches_once_however_many_ways_lead_to_it),
		TEST(test_only_the_metadata_that_rules_name_is_asked_for),
		TEST(test_a_payload_that_no_rule_names_is_not_scanned),
		TEST(test_nesting_past_the_limit_is_as_if_not_well_formed),
		TEST(test_too_many_leaves_leave_the_metadata_alone),
		TEST(test_elements_in_reach_are_found_in_linear_time),
		TEST(test_an_event_made_to_hurt_is_undecided_and_told),
		TEST(test_strings_with_escapes_match_as_their_characters),
		TEST(test_blocks_tell_addresses_beside_other_values_apart),
		TEST(test_an_anything_but_beside_another_field_needs_one_leaf_that_is_none_of_it),
		TEST(test_one_matcher_serves_two_scratches),
		TEST(test_matching_allocates_nothing),
		TEST(test_a_failed_allocation_leaves_the_matcher_as_it_was),
		TEST(test_an_event_without_memory_matches_nothing_and_says_so),
	};
#undef TEST
	return cmocka_run_group_tests(tests, NULL, NULL);
}
