/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Which leaves an alternative matches: one table an operator, and the addresses by themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "address.h"
#include "predicate.h"
#include "sluice/buffer.h"
#include "sluice/json.h"
#include "sluice/pattern.h"

struct example {
	const char *alternative; /* JSON */
	const char *leaf;        /* JSON */
	bool matches;
};

static bool matches(const char *alternative, const char *leaf)
{
	struct sluice_buffer text = { 0 };
	sluice_buffer_printf(&text, "{\"a\":[%s]}", alternative);
	struct sluice_error error;
	struct sluice_pattern *pattern;
	if (sluice_pattern_compile(sluice_buffer_str(&text), &pattern, &error) != SLUICE_OK)
		fail_msg("%s: %s: %s", text.data, error.place, error.message);
	struct sluice_json_doc *doc;
	if (sluice_json_parse(sluice_str(leaf), 0, 1, &doc, &error) != SLUICE_OK)
		fail_msg("%s: %s", leaf, error.message);
	const struct sluice_json *node = sluice_json_root(doc);
	struct sluice_value value = { .type = node->type, .text = node->string };
	if (node->type == SLUICE_JSON_NUMBER) {
		value.text = node->raw;
		sluice_number_read(node->raw, &value.number);
	}
	bool result = sluice_predicate_matches(&pattern->fields[0].alternatives[0], &value);
	sluice_json_destroy(doc);
	sluice_pattern_destroy(pattern);
	sluice_buffer_finish(&text);
	return result;
}

static void check(const struct example *examples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct example *example = &examples[i];
		if (matches(example->alternative, example->leaf) != example->matches)
			fail_msg("alternative %s, leaf %s: expected %s", example->alternative,
			         example->leaf, example->matches ? "match" : "no match");
	}
}

#define CHECK(examples) check(examples, sizeof(examples) / sizeof((examples)[0]))

static void test_equality_never_mixes_types(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "\"x\"", "\"x\"", true },
		{ "\"x\"", "\"X\"", false },
		{ "\"x\"", "\"x\\u0000\"", false },
		{ "\"\\u0000\"", "\"\\u0000\"", true },
		{ "\"\\ud83d\\ude00\"", "\"😀\"", true },
		{ "\"\\ud83d\"", "\"\\ud83d\"", true },
		{ "\"\\ud83d\"", "\"😀\"", false },
		{ "\"1\"", "1", false },
		{ "1", "\"1\"", false },
		{ "true", "true", true },
		{ "true", "\"true\"", false },
		{ "true", "false", false },
		{ "null", "null", true },
		{ "null", "\"\"", false },
		{ "false", "0", false },
		{ "{\"exactly\":\"x\"}", "\"x\"", true },
		{ "\"10.0.0.1\"", "\"10.0.0.01\"", false },
	};
	CHECK(examples);
}

static void test_numbers_are_equal_by_value_however_spelled(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "1", "1.0", true },
		{ "1", "10e-1", true },
		{ "-0", "0.0e5", true },
		{ "100", "1E+2", true },
		{ "9007199254740993", "9007199254740993.0", true },
		{ "9007199254740993", "9007199254740992", false },
		{ "1e400", "10e399", true },
		{ "1e400", "1e401", false },
	};
	CHECK(examples);
}

static void test_prefix_and_suffix_match_the_ends_of_strings(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "{\"prefix\":\"ab\"}", "\"abc\"", true },
		{ "{\"prefix\":\"ab\"}", "\"ab\"", true },
		{ "{\"prefix\":\"ab\"}", "\"a\"", false },
		{ "{\"prefix\":\"\"}", "\"\"", true },
		{ "{\"prefix\":\"\"}", "5", false },
		{ "{\"prefix\":\"1\"}", "12", false },
		{ "{\"prefix\":\"a\\\"\"}", "\"a\"", false },
		{ "{\"suffix\":\"bc\"}", "\"abc\"", true },
		{ "{\"suffix\":\"bc\"}", "\"c\"", false },
		{ "{\"suffix\":\"\"}", "\"x\"", true },
		{ "{\"suffix\":\"é\"}", "\"caf\\u00e9\"", true },
	};
	CHECK(examples);
}

static void test_ignore_case_folds_simply_and_both_ways(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "{\"equals-ignore-case\":\"aB\"}", "\"Ab\"", true },
		{ "{\"equals-ignore-case\":\"ab\"}", "\"abc\"", false },
		{ "{\"equals-ignore-case\":\"abc\"}", "\"ab\"", false },
		{ "{\"equals-ignore-case\":\"\"}", "\"\"", true },
		{ "{\"equals-ignore-case\":\"\"}", "\"x\"", false },
		{ "{\"equals-ignore-case\":\"ΣΊΣΥΦΟΣ\"}", "\"σίσυφος\"", true },
		{ "{\"equals-ignore-case\":\"ς\"}", "\"Σ\"", true },
		{ "{\"equals-ignore-case\":\"ſ\"}", "\"S\"", true },
		{ "{\"equals-ignore-case\":\"K\"}", "\"\xE2\x84\xAA\"", true },
		{ "{\"equals-ignore-case\":\"\xE2\x84\xAA\"}", "\"k\"", true },
		{ "{\"equals-ignore-case\":\"ẞ\"}", "\"ß\"", true },
		{ "{\"equals-ignore-case\":\"ß\"}", "\"ss\"", false },
		{ "{\"equals-ignore-case\":\"𐐀\"}", "\"𐐨\"", true },
		{ "{\"equals-ignore-case\":\"1\"}", "1", false },
		{ "{\"prefix\":{\"equals-ignore-case\":\"ÀB\"}}", "\"àbc\"", true },
		{ "{\"prefix\":{\"equals-ignore-case\":\"àbc\"}}", "\"ÀB\"", false },
		{ "{\"prefix\":{\"equals-ignore-case\":\"\"}}", "\"\"", true },
		{ "{\"suffix\":{\"equals-ignore-case\":\"\xE2\x84\xAAÉ\"}}", "\"xké\"", true },
		{ "{\"suffix\":{\"equals-ignore-case\":\"xké\"}}", "\"KÉ\"", false },
		{ "{\"suffix\":{\"equals-ignore-case\":\"\"}}", "\"a\"", true },
	};
	CHECK(examples);
}

static void test_a_wildcard_takes_any_run_at_its_stars(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "{\"wildcard\":\"\"}", "\"\"", true },
		{ "{\"wildcard\":\"\"}", "\"x\"", false },
		{ "{\"wildcard\":\"ab\"}", "\"ab\"", true },
		{ "{\"wildcard\":\"ab\"}", "\"abc\"", false },
		{ "{\"wildcard\":\"*\"}", "\"\"", true },
		{ "{\"wildcard\":\"*\"}", "5", false },
		{ "{\"wildcard\":\"a*b\"}", "\"ab\"", true },
		{ "{\"wildcard\":\"a*b\"}", "\"axxb\"", true },
		{ "{\"wildcard\":\"a*b\"}", "\"axxbc\"", false },
		{ "{\"wildcard\":\"a*a\"}", "\"a\"", false },
		{ "{\"wildcard\":\"ab*ba\"}", "\"aba\"", false },
		{ "{\"wildcard\":\"*b*\"}", "\"abc\"", true },
		{ "{\"wildcard\":\"*b*b*\"}", "\"abc\"", false },
		{ "{\"wildcard\":\"*ab*ab\"}", "\"abab\"", true },
		{ "{\"wildcard\":\"*ab*ab\"}", "\"ab\"", false },
		{ "{\"wildcard\":\"a*bc*c\"}", "\"abcbc\"", true },
		{ "{\"wildcard\":\"a*bc*c\"}", "\"abc\"", false },
		{ "{\"wildcard\":\"a\\\\*b\"}", "\"a*b\"", true },
		{ "{\"wildcard\":\"a\\\\*b\"}", "\"axb\"", false },
		{ "{\"wildcard\":\"\\\\\\\\*\"}", "\"\\\\x\"", true },
		{ "{\"wildcard\":\"\\\\**\"}", "\"*x\"", true },
		{ "{\"wildcard\":\"a*b\"}", "\"a\\u0000b\"", true },
	};
	CHECK(examples);
}

static void test_anything_but_matches_leaves_that_differ(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "{\"anything-but\":\"x\"}", "\"x\"", false },
		{ "{\"anything-but\":\"x\"}", "\"y\"", true },
		{ "{\"anything-but\":\"1\"}", "1", true },
		{ "{\"anything-but\":1}", "1.0", false },
		{ "{\"anything-but\":[1,2]}", "2", false },
		{ "{\"anything-but\":[1,2]}", "null", true },
		{ "{\"anything-but\":[\"a\",\"b\"]}", "\"b\"", false },
		{ "{\"anything-but\":{\"prefix\":\"a\"}}", "\"ab\"", false },
		{ "{\"anything-but\":{\"prefix\":[\"a\",\"b\"]}}", "\"ba\"", false },
		{ "{\"anything-but\":{\"prefix\":[\"a\",\"b\"]}}", "\"ca\"", true },
		{ "{\"anything-but\":{\"prefix\":\"a\"}}", "5", true },
		{ "{\"anything-but\":{\"suffix\":\"a\"}}", "\"ba\"", false },
		{ "{\"anything-but\":{\"wildcard\":[\"a*\",\"*b\"]}}", "\"xb\"", false },
		{ "{\"anything-but\":{\"wildcard\":\"*\"}}", "\"\"", false },
		{ "{\"anything-but\":{\"wildcard\":\"*\"}}", "false", true },
		{ "{\"anything-but\":{\"equals-ignore-case\":[\"A\",\"b\"]}}", "\"B\"", false },
		{ "{\"anything-but\":{\"equals-ignore-case\":\"\"}}", "\"x\"", true },
		{ "{\"anything-but\":{\"mqtt-topic\":\"a/#\"}}", "\"a/b\"", false },
		{ "{\"anything-but\":{\"mqtt-topic\":[\"a/#\",\"b\"]}}", "\"c\"", true },
		{ "{\"anything-but\":{\"mqtt-topic\":\"#\"}}", "\"a/#\"", true },
	};
	CHECK(examples);
}

static void test_numeric_ranges_are_exact(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "{\"numeric\":[\"=\",5]}", "5.00", true },
		{ "{\"numeric\":[\"=\",5]}", "5.000000000000000000001", false },
		{ "{\"numeric\":[\"=\",5]}", "\"5\"", false },
		{ "{\"numeric\":[\">\",0]}", "0", false },
		{ "{\"numeric\":[\">\",0]}", "1e-999999", true },
		{ "{\"numeric\":[\">\",0]}", "-0", false },
		{ "{\"numeric\":[\">=\",0]}", "-0", true },
		{ "{\"numeric\":[\"<\",0]}", "-1e-99", true },
		{ "{\"numeric\":[\"<=\",5]}", "5", true },
		{ "{\"numeric\":[\"<=\",5]}", "6", false },
		{ "{\"numeric\":[\">\",0,\"<=\",5]}", "5", true },
		{ "{\"numeric\":[\">\",0,\"<\",5]}", "5", false },
		{ "{\"numeric\":[\">\",9007199254740992]}", "9007199254740993", true },
		{ "{\"numeric\":[\"<\",0.1000000000000000055511151231257827]}",
		  "0.1000000000000000055511151231257826", true },
		{ "{\"numeric\":[\">\",1e400]}", "2e400", true },
	};
	CHECK(examples);
}

static void test_cidr_matches_addresses_of_its_block(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "{\"cidr\":\"10.0.0.0/8\"}", "\"10.255.0.1\"", true },
		{ "{\"cidr\":\"10.0.0.0/8\"}", "\"11.0.0.0\"", false },
		{ "{\"cidr\":\"10.9.9.9/8\"}", "\"10.0.0.1\"", true },
		{ "{\"cidr\":\"10.1.128.0/17\"}", "\"10.1.127.255\"", false },
		{ "{\"cidr\":\"10.1.128.0/17\"}", "\"10.1.128.0\"", true },
		{ "{\"cidr\":\"10.0.0.1/32\"}", "\"10.0.0.1\"", true },
		{ "{\"cidr\":\"10.0.0.1/32\"}", "\"10.0.0.2\"", false },
		{ "{\"cidr\":\"0.0.0.0/0\"}", "\"255.255.255.255\"", true },
		{ "{\"cidr\":\"0.0.0.0/0\"}", "\"::1\"", false },
		{ "{\"cidr\":\"0.0.0.0/0\"}", "\"1.2.3\"", false },
		{ "{\"cidr\":\"10.0.0.0/8\"}", "\"010.0.0.1\"", false },
		{ "{\"cidr\":\"10.0.0.0/8\"}", "\"10.0.0.1 \"", false },
		{ "{\"cidr\":\"10.0.0.0/8\"}", "10.0", false },
		{ "{\"cidr\":\"10.0.0.0/8\"}", "\"::ffff:10.1.2.3\"", true },
		{ "{\"cidr\":\"10.0.0.0/8\"}", "\"::FFFF:0a01:0203\"", true },
		{ "{\"cidr\":\"10.0.0.0/8\"}", "\"::ffff:11.1.2.3\"", false },
		{ "{\"cidr\":\"10.0.0.0/8\"}", "\"::10.1.2.3\"", false },
		{ "{\"cidr\":\"2001:db8::/32\"}", "\"2001:0DB8:ffff::1\"", true },
		{ "{\"cidr\":\"2001:db8::/32\"}", "\"2001:db9::\"", false },
		{ "{\"cidr\":\"::1/128\"}", "\"0:0:0:0:0:0:0:1\"", true },
		{ "{\"cidr\":\"::1/128\"}", "\"::2\"", false },
		{ "{\"cidr\":\"::/0\"}", "\"1.2.3.4\"", false },
		{ "{\"cidr\":\"fe80::/10\"}", "\"fe80::1%eth0\"", false },
	};
	CHECK(examples);
}

static void test_mqtt_topic_matches_topics_only(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "{\"mqtt-topic\":\"a/+/c\"}", "\"a/b/c\"", true },
		{ "{\"mqtt-topic\":\"a/+/c\"}", "\"a/b/d\"", false },
		{ "{\"mqtt-topic\":\"a/#\"}", "\"a\"", true },
		{ "{\"mqtt-topic\":\"#\"}", "\"$SYS/x\"", false },
		{ "{\"mqtt-topic\":\"#\"}", "\"a/+\"", false },
		{ "{\"mqtt-topic\":\"#\"}", "\"\"", false },
		{ "{\"mqtt-topic\":\"#\"}", "\"a\\u0000b\"", false },
		{ "{\"mqtt-topic\":\"#\"}", "5", false },
	};
	CHECK(examples);
}

static void test_exists_matches_every_leaf_and_absent_none(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "{\"exists\":true}", "null", true },
		{ "{\"exists\":true}", "\"\"", true },
		{ "{\"exists\":false}", "null", false },
	};
	CHECK(examples);
}

static void test_addresses_are_read_strictly(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint8_t family; /* 0 = none */
		uint8_t bytes[16];
	} cases[] = {
		{ "0.0.0.0", 4, { 0 } },
		{ "255.254.253.252", 4, { 255, 254, 253, 252 } },
		{ "::", 6, { 0 } },
		{ "1::", 6, { 0, 1 } },
		{ "::1", 6, { [15] = 1 } },
		{ "1:2:3:4:5:6:7:8", 6, { 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8 } },
		{ "1:2:3:4:5:6:7::", 6, { 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7 } },
		{ "::2:3:4:5:6:7:8", 6, { 0, 0, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8 } },
		{ "aB::00cD", 6, { 0, 0xab, [15] = 0xcd } },
		{ "::1.2.3.4", 6, { [12] = 1, 2, 3, 4 } },
		{ "1:2:3:4:5:6:7.8.9.10", 6, { 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 7, 8, 9, 10 } },
		{ "0000:0000:0000:0000:0000:ffff:255.255.255.255",
		  6,
		  { [10] = 255, 255, 255, 255, 255, 255 } },
		{ "", 0, { 0 } },
		{ ".", 0, { 0 } },
		{ "1.2.3", 0, { 0 } },
		{ "1.2.3.4.", 0, { 0 } },
		{ "1.2.3.4.5", 0, { 0 } },
		{ "1..2.3", 0, { 0 } },
		{ "1.2.3.256", 0, { 0 } },
		{ "01.2.3.4", 0, { 0 } },
		{ "1.2.3.04", 0, { 0 } },
		{ "1.2.3.0x4", 0, { 0 } },
		{ "+1.2.3.4", 0, { 0 } },
		{ "4294967295", 0, { 0 } },
		{ ":", 0, { 0 } },
		{ ":::", 0, { 0 } },
		{ "1:", 0, { 0 } },
		{ ":1", 0, { 0 } },
		{ "1:2:3:4:5:6:7", 0, { 0 } },
		{ "1:2:3:4:5:6:7:8:9", 0, { 0 } },
		{ "1:2:3:4:5:6:7:8::", 0, { 0 } },
		{ "::1:2:3:4:5:6:7:8", 0, { 0 } },
		{ "1::2::3", 0, { 0 } },
		{ "12345::", 0, { 0 } },
		{ "g::", 0, { 0 } },
		{ "1.2.3.4::", 0, { 0 } },
		{ "::1.2.3.4:5", 0, { 0 } },
		{ "1:2:3:4:5:6:7:1.2.3.4", 0, { 0 } },
		{ "::1.2.3", 0, { 0 } },
		{ "[::1]", 0, { 0 } },
		{ "::1%1", 0, { 0 } },
		{ "::1 ", 0, { 0 } },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_address address;
		bool read = sluice_address_read(sluice_str(cases[i].text), &address);
		if (read != (cases[i].family != 0) ||
		    (read && (address.family != cases[i].family ||
		              memcmp(address.bytes, cases[i].bytes, 16) != 0)))
			fail_msg("%s: read as IPv%d", cases[i].text, read ? address.family : 0);
	}
}

static void test_a_wildcard_made_to_backtrack_costs_no_more_than_a_search(void **state)
{
	(void)state;
	struct sluice_buffer leaf = { 0 };
	struct sluice_buffer alternative = { 0 };
	sluice_buffer_append_text(&leaf, "\"");
	for (int i = 0; i < 1000000; i++)
		sluice_buffer_append_text(&leaf, "a");
	sluice_buffer_append_text(&leaf, "\"");
	sluice_buffer_append_text(&alternative, "{\"wildcard\":\"");
	for (int i = 0; i < 31; i++)
		sluice_buffer_append_text(&alternative, "*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
	sluice_buffer_append_text(&alternative, "*\"}");
	clock_t start = clock();
	assert_false(matches(alternative.data, leaf.data));
	assert_true(clock() - start < 5 * CLOCKS_PER_SEC);
	sluice_buffer_finish(&leaf);
	sluice_buffer_finish(&alternative);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equality_never_mixes_types),
		cmocka_unit_test(test_numbers_are_equal_by_value_however_spelled),
		cmocka_unit_test(test_prefix_and_suffix_match_the_ends_of_strings),
		cmocka_unit_test(test_ignore_case_folds_simply_and_both_ways),
		cmocka_unit_test(test_a_wildcard_takes_any_run_at_its_stars),
		cmocka_unit_test(test_anything_but_matches_leaves_that_differ),
		cmocka_unit_test(test_numeric_ranges_are_exact),
		cmocka_unit_test(test_cidr_matches_addresses_of_its_block),
		cmocka_unit_test(test_mqtt_topic_matches_topics_only),
		cmocka_unit_test(test_exists_matches_every_leaf_and_absent_none),
		cmocka_unit_test(test_addresses_are_read_strictly),
		cmocka_unit_test(test_a_wildcard_made_to_backtrack_costs_no_more_than_a_search),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
