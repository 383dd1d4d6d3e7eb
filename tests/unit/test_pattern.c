/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What the pattern compiler takes, what it makes of it, and how it refuses the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oom.h"
#include "predicate.h"
#include "sluice/buffer.h"
#include "sluice/pattern.h"

static enum sluice_status compile(struct sluice_str text, struct sluice_pattern **pattern,
                                  struct sluice_error *error)
{
	/* A copy of the exact size, so that the sanitizers see a read past its end. */
	char *copy = malloc(text.len ? text.len : 1);
	assert_non_null(copy);
	if (text.len)
		memcpy(copy, text.data, text.len);
	*error = (struct sluice_error){ .code = SLUICE_OK };
	enum sluice_status status =
	        sluice_pattern_compile((struct sluice_str){ copy, text.len }, pattern, error);
	free(copy);
	if (status != SLUICE_OK) {
		assert_null(*pattern);
		assert_int_equal(error->code, status);
	}
	return status;
}

static struct sluice_pattern *must_compile(const char *text)
{
	struct sluice_error error;
	struct sluice_pattern *pattern;
	if (compile(sluice_str(text), &pattern, &error) != SLUICE_OK)
		fail_msg("%s\n  refused: %s: %s", text, error.place, error.message);
	return pattern;
}

struct refusal {
	const char *pattern;
	const char *place;
	const char *message;
};

static void check_refusals(const struct refusal *cases, size_t count, enum sluice_status expected)
{
	for (size_t i = 0; i < count; i++) {
		struct sluice_error error;
		struct sluice_pattern *pattern;
		enum sluice_status status = compile(sluice_str(cases[i].pattern), &pattern, &error);
		if (status != expected || strcmp(error.place, cases[i].place) != 0 ||
		    strcmp(error.message, cases[i].message) != 0)
			fail_msg("%s\n  expected %s: %s: %s\n  got      %s: %s: %s",
			         cases[i].pattern, sluice_status_name(expected), cases[i].place,
			         cases[i].message, sluice_status_name(status),
			         status == SLUICE_OK ? "" : error.place,
			         status == SLUICE_OK ? "" : error.message);
	}
}

#define CHECK_REFUSALS(cases, status)                                                              \
	check_refusals(cases, sizeof(cases) / sizeof((cases)[0]), status)

static void test_shapes_that_are_no_pattern_are_refused_with_their_place(void **state)
{
	(void)state;
	static const struct refusal cases[] = {
		{ "5", "$", "a pattern is an object, this is a number" },
		{ "[1]", "$", "a pattern is an object, this is a list" },
		{ "{}", "$", "an empty object matches nothing" },
		{ "{\"a\":{\"b\":{}}}", "$.a.b", "an empty object matches nothing" },
		{ "{\"a\":[]}", "$.a", "an empty list of alternatives matches nothing" },
		{ "{\"a\":\"x\"}", "$.a",
		  "must be a list of alternatives or an object of fields, not a string" },
		{ "{\"a\":{\"b\":null}}", "$.a.b",
		  "must be a list of alternatives or an object of fields, not null" },
		{ "{\"a\":[1,[2]]}", "$.a[1]", "an alternative can't be a list" },
		{ "{\"a\":[\"x\",{}]}", "$.a[1]", "an empty object names no operator" },
	};
	CHECK_REFUSALS(cases, SLUICE_ERR_INVALID);
}

static void test_an_unknown_operator_is_named_with_the_nearest(void **state)
{
	(void)state;
	static const struct refusal cases[] = {
		{ "{\"detail\":{\"state\":[\"x\",{\"prefixx\":\"a\"}]}}", "$.detail.state[1]",
		  "unknown operator \"prefixx\", did you mean \"prefix\"?" },
		{ "{\"a\":[{\"Prefix\":\"a\"}]}", "$.a[0]",
		  "unknown operator \"Prefix\", did you mean \"prefix\"?" },
		{ "{\"a\":[{\"anything_but\":\"a\"}]}", "$.a[0]",
		  "unknown operator \"anything_but\", did you mean \"anything-but\"?" },
		{ "{\"a\":[{\"zzzzzz\":1}]}", "$.a[0]",
		  "unknown operator \"zzzzzz\"; there are exactly, prefix, suffix, "
		  "equals-ignore-case, wildcard, anything-but, numeric, cidr, exists and "
		  "mqtt-topic" },
		{ "{\"a\":[{\"anything-but\":{\"wildcart\":\"a\"}}]}", "$.a[0].anything-but",
		  "unknown operator \"wildcart\" in \"anything-but\", did you mean \"wildcard\"?" },
		{ "{\"a\":[{\"prefix\":\"a\",\"suffix\":\"b\"}]}", "$.a[0]",
		  "one operator to an object, not both \"prefix\" and \"suffix\"" },
		{ "{\"a\":[{\"a\\u0000b\\n\":1}]}", "$.a[0]",
		  "unknown operator \"a?b?\"; there are exactly, prefix, suffix, "
		  "equals-ignore-case, wildcard, anything-but, numeric, cidr, exists and "
		  "mqtt-topic" },
	};
	CHECK_REFUSALS(cases, SLUICE_ERR_INVALID);
}

static void test_operands_of_the_wrong_kind_are_refused(void **state)
{
	(void)state;
	static const struct refusal cases[] = {
		{ "{\"a\":[{\"exactly\":1}]}", "$.a[0].exactly", "\"exactly\" needs a string" },
		{ "{\"a\":[{\"prefix\":1.5}]}", "$.a[0].prefix", "\"prefix\" needs a string" },
		{ "{\"a\":[{\"suffix\":[\"a\"]}]}", "$.a[0].suffix", "\"suffix\" needs a string" },
		{ "{\"a\":[{\"prefix\":{}}]}", "$.a[0].prefix",
		  "an empty object names no operator" },
		{ "{\"a\":[{\"prefix\":{\"wildcard\":\"x\"}}]}", "$.a[0].prefix",
		  "\"prefix\" takes a string or {\"equals-ignore-case\": string}, not "
		  "\"wildcard\"" },
		{ "{\"a\":[{\"suffix\":{\"equals-ignore-case\":1}}]}",
		  "$.a[0].suffix.equals-ignore-case", "\"equals-ignore-case\" needs a string" },
		{ "{\"a\":[{\"equals-ignore-case\":true}]}", "$.a[0].equals-ignore-case",
		  "\"equals-ignore-case\" needs a string" },
		{ "{\"a\":[{\"wildcard\":null}]}", "$.a[0].wildcard",
		  "\"wildcard\" needs a string" },
		{ "{\"a\":[{\"cidr\":4}]}", "$.a[0].cidr", "\"cidr\" needs a string" },
		{ "{\"a\":[{\"mqtt-topic\":4}]}", "$.a[0].mqtt-topic",
		  "\"mqtt-topic\" needs a string" },
		{ "{\"a\":[{\"exists\":\"true\"}]}", "$.a[0].exists",
		  "\"exists\" is true or false" },
	};
	CHECK_REFUSALS(cases, SLUICE_ERR_INVALID);
}

static void test_wildcards_are_checked(void **state)
{
	(void)state;
	static const struct refusal cases[] = {
		{ "{\"a\":[{\"wildcard\":\"x**\"}]}", "$.a[0].wildcard",
		  "two stars in a row in a wildcard mean no more than one" },
		{ "{\"a\":[{\"wildcard\":\"x\\\\y\"}]}", "$.a[0].wildcard",
		  "in a wildcard a backslash stands before '*' or another backslash only" },
		{ "{\"a\":[{\"wildcard\":\"x\\\\\"}]}", "$.a[0].wildcard",
		  "in a wildcard a backslash stands before '*' or another backslash only" },
		{ "{\"a\":[{\"anything-but\":{\"wildcard\":[\"a\",\"**\"]}}]}",
		  "$.a[0].anything-but.wildcard[1]",
		  "two stars in a row in a wildcard mean no more than one" },
	};
	CHECK_REFUSALS(cases, SLUICE_ERR_INVALID);
}

static void test_anything_but_is_checked(void **state)
{
	(void)state;
	static const char kinds[] =
	        "\"anything-but\" takes strings or numbers, or an object with one operator";
	static const struct refusal cases[] = {
		{ "{\"a\":[{\"anything-but\":null}]}", "$.a[0].anything-but", kinds },
		{ "{\"a\":[{\"anything-but\":[true]}]}", "$.a[0].anything-but[0]", kinds },
		{ "{\"a\":[{\"anything-but\":[\"x\",null]}]}", "$.a[0].anything-but[1]", kinds },
		{ "{\"a\":[{\"anything-but\":[\"x\",5]}]}", "$.a[0].anything-but[1]",
		  "\"anything-but\" takes strings or numbers, not both in one list" },
		{ "{\"a\":[{\"anything-but\":[]}]}", "$.a[0].anything-but",
		  "an empty list in \"anything-but\"" },
		{ "{\"a\":[{\"anything-but\":{}}]}", "$.a[0].anything-but",
		  "an empty object names no operator" },
		{ "{\"a\":[{\"anything-but\":{\"prefix\":[]}}]}", "$.a[0].anything-but.prefix",
		  "an empty list in \"anything-but\"" },
		{ "{\"a\":[{\"anything-but\":{\"prefix\":\"\"}}]}", "$.a[0].anything-but.prefix",
		  "every string has the empty prefix: \"anything-but\" would leave none" },
		{ "{\"a\":[{\"anything-but\":{\"suffix\":[\"x\",\"\"]}}]}",
		  "$.a[0].anything-but.suffix[1]",
		  "every string has the empty suffix: \"anything-but\" would leave none" },
		{ "{\"a\":[{\"anything-but\":{\"prefix\":{\"equals-ignore-case\":\"a\"}}}]}",
		  "$.a[0].anything-but.prefix",
		  "\"prefix\" in \"anything-but\" needs a string or a list of strings" },
		{ "{\"a\":[{\"anything-but\":{\"cidr\":\"10.0.0.0/8\"}}]}", "$.a[0].anything-but",
		  "\"cidr\" can't stand in \"anything-but\", which takes prefix, suffix, "
		  "equals-ignore-case, wildcard and mqtt-topic" },
	};
	CHECK_REFUSALS(cases, SLUICE_ERR_INVALID);
}

static void test_numeric_is_checked(void **state)
{
	(void)state;
	static const char shape[] =
	        "\"numeric\" takes \"=\" alone, or one lower bound and then one upper bound";
	static const char names[] = "expected a comparison, one of \"=\" \">\" \">=\" \"<\" \"<=\"";
	static const char order[] = "the lower bound must be less than the upper one";
	static const struct refusal cases[] = {
		{ "{\"a\":[{\"numeric\":5}]}", "$.a[0].numeric",
		  "\"numeric\" needs a list, as in [\">\", 0, \"<=\", 5]" },
		{ "{\"a\":[{\"numeric\":[]}]}", "$.a[0].numeric",
		  "\"numeric\" needs a list, as in [\">\", 0, \"<=\", 5]" },
		{ "{\"a\":[{\"numeric\":[5]}]}", "$.a[0].numeric[0]", names },
		{ "{\"a\":[{\"numeric\":[\"==\",5]}]}", "$.a[0].numeric[0]", names },
		{ "{\"a\":[{\"numeric\":[\">\"]}]}", "$.a[0].numeric[0]",
		  "\">\" needs a number behind it" },
		{ "{\"a\":[{\"numeric\":[\">\",\"5\"]}]}", "$.a[0].numeric[1]",
		  "\">\" needs a number behind it" },
		{ "{\"a\":[{\"numeric\":[\">\",1,2]}]}", "$.a[0].numeric[2]", names },
		{ "{\"a\":[{\"numeric\":[\">\",1,\"=\",5]}]}", "$.a[0].numeric[2]", shape },
		{ "{\"a\":[{\"numeric\":[\"=\",1,\"<\",5]}]}", "$.a[0].numeric[2]", shape },
		{ "{\"a\":[{\"numeric\":[\"<\",5,\">\",1]}]}", "$.a[0].numeric[2]", shape },
		{ "{\"a\":[{\"numeric\":[\">\",1,\"<\",5,\"<\",9]}]}", "$.a[0].numeric[4]", shape },
		{ "{\"a\":[{\"numeric\":[\">\",9,\"<\",3]}]}", "$.a[0].numeric", order },
		{ "{\"a\":[{\"numeric\":[\">=\",3,\"<=\",3.0]}]}", "$.a[0].numeric", order },
		{ "{\"a\":[{\"numeric\":[\">\",9007199254740993,\"<\",9007199254740992.9]}]}",
		  "$.a[0].numeric", order },
	};
	CHECK_REFUSALS(cases, SLUICE_ERR_INVALID);
}

static void test_cidr_is_checked(void **state)
{
	(void)state;
	static const struct refusal cases[] = {
		{ "{\"a\":[{\"cidr\":\"10.0.0.0\"}]}", "$.a[0].cidr",
		  "\"cidr\" needs an address, '/' and a number of bits, as in \"10.0.0.0/8\"" },
		{ "{\"a\":[{\"cidr\":\"10.0.0/8\"}]}", "$.a[0].cidr",
		  "\"10.0.0\" is no IPv4 or IPv6 address" },
		{ "{\"a\":[{\"cidr\":\"10.0.0.010/8\"}]}", "$.a[0].cidr",
		  "\"10.0.0.010\" is no IPv4 or IPv6 address" },
		{ "{\"a\":[{\"cidr\":\"1::2::3/64\"}]}", "$.a[0].cidr",
		  "\"1::2::3\" is no IPv4 or IPv6 address" },
		{ "{\"a\":[{\"cidr\":\"fe80::1%eth0/64\"}]}", "$.a[0].cidr",
		  "\"fe80::1%eth0\" is no IPv4 or IPv6 address" },
		{ "{\"a\":[{\"cidr\":\"10.0.0.0/33\"}]}", "$.a[0].cidr",
		  "the bits of an IPv4 block are a number from 0 to 32, not \"33\"" },
		{ "{\"a\":[{\"cidr\":\"::/129\"}]}", "$.a[0].cidr",
		  "the bits of an IPv6 block are a number from 0 to 128, not \"129\"" },
		{ "{\"a\":[{\"cidr\":\"::/-1\"}]}", "$.a[0].cidr",
		  "the bits of an IPv6 block are a number from 0 to 128, not \"-1\"" },
		{ "{\"a\":[{\"cidr\":\"10.0.0.0/8/9\"}]}", "$.a[0].cidr",
		  "the bits of an IPv4 block are a number from 0 to 32, not \"8/9\"" },
		{ "{\"a\":[{\"cidr\":\"10.0.0.0/\"}]}", "$.a[0].cidr",
		  "the bits of an IPv4 block are a number from 0 to 32, not \"\"" },
	};
	CHECK_REFUSALS(cases, SLUICE_ERR_INVALID);
}

static void test_a_malformed_or_is_refused(void **state)
{
	(void)state;
	static const char shape[] = "\"$or\" must be a list of two or more pattern objects";
	static const struct refusal cases[] = {
		{ "{\"$or\":{\"x\":[1]}}", "$.$or", shape },
		{ "{\"$or\":[]}", "$.$or", shape },
		{ "{\"a\":{\"$or\":[{\"b\":[1]}]}}", "$.a.$or", shape },
		{ "{\"$or\":[{\"a\":[1]},\"x\"]}", "$.$or[1]",
		  "\"$or\" lists pattern objects, this is a string" },
		{ "{\"$or\":[{\"a\":[1]},{}]}", "$.$or[1]", "an empty object matches nothing" },
		{ "{\"$or\":[{\"prefix\":\"a\"},{\"a\":[1]}]}", "$.$or[0].prefix",
		  "must be a list of alternatives or an object of fields, not a string" },
		{ "{\"$or\":[{\"a\":[{\"foo\":1}]},{\"b\":[2]}]}", "$.$or[0].a[0]",
		  "unknown operator \"foo\"; there are exactly, prefix, suffix, "
		  "equals-ignore-case, wildcard, anything-but, numeric, cidr, exists and "
		  "mqtt-topic" },
	};
	CHECK_REFUSALS(cases, SLUICE_ERR_INVALID);
}

static void test_what_is_not_known_of_a_publish_is_refused(void **state)
{
	(void)state;
	static const char itself[] =
	        "$mqtt is no field itself; name a member, as in {\"$mqtt\":{\"topic\":[\u2026]}}";
	static const struct refusal cases[] = {
		{ "{\"$mqtt\":[\"x\"]}", "$.$mqtt", itself },
		{ "{\"$mqtt\":{\"topics\":[\"x\"]}}", "$.$mqtt.topics",
		  "$mqtt has no member \"topics\", did you mean \"topic\"?" },
		{ "{\"$mqtt\":{\"clientid\":{\"a\":[\"x\"]}}}", "$.$mqtt.clientid.a",
		  "$mqtt has no member \"clientid\", did you mean \"client_id\"?" },
		{ "{\"$mqtt\":{\"$or\":[{\"qos\":[1]},{\"retained\":[true]}]}}",
		  "$.$mqtt.$or[1].retained",
		  "$mqtt has no member \"retained\", did you mean \"retain\"?" },
		{ "{\"$mqtt\":{\"\":[1]}}", "$.$mqtt[\"\"]",
		  "$mqtt has no member \"\"; it has topic, client_id, username, qos, retain, "
		  "content_type, response_topic, correlation_data, payload_format, "
		  "user_properties, payload and value" },
		{ "{\"$mqtt\":{\"topic\":{\"a\":[1]}}}", "$.$mqtt.topic.a",
		  "nothing stands below $mqtt.topic" },
		{ "{\"$mqtt\":{\"user_properties\":[\"x\"]}}", "$.$mqtt.user_properties",
		  "$mqtt.user_properties is no field itself; name a property, as in "
		  "{\"user_properties\":{\"tenant\":[\u2026]}}" },
	};
	CHECK_REFUSALS(cases, SLUICE_ERR_INVALID);
}

static void test_a_repeated_key_is_refused_and_named(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"{\"a\":[1],\"\\u0061\":[2]}",
		"{\"b\":{\"a\":[1],\"a\":[1]}}",
		"{\"a\":[{\"prefix\":\"a\",\"prefix\":\"a\"}]}",
	};
	static const char *const keys[] = { "\"a\"", "\"a\"", "\"prefix\"" };
	for (size_t i = 0; i < 3; i++) {
		struct sluice_error error;
		struct sluice_pattern *pattern;
		assert_int_equal(compile(sluice_str(cases[i]), &pattern, &error),
		                 SLUICE_ERR_INVALID);
		if (!strstr(error.message, keys[i]))
			fail_msg("%s\n  the error does not name %s: %s", cases[i], keys[i],
			         error.message);
	}
}

static void test_text_that_is_not_json_is_a_syntax_error(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"", "{", "{\"a\":[1]", "{a:[1]}", "{\"a\":[01]}", "{\"a\":[1]} x", "{\"a\":[1],}"
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_error error;
		struct sluice_pattern *pattern;
		if (compile(sluice_str(cases[i]), &pattern, &error) != SLUICE_ERR_SYNTAX)
			fail_msg("%s: %s", cases[i], sluice_status_name(error.code));
		assert_true(error.message[0] != '\0');
	}
	struct sluice_error error;
	struct sluice_pattern *pattern;
	assert_int_equal(compile((struct sluice_str){ NULL, 0 }, &pattern, &error),
	                 SLUICE_ERR_SYNTAX);
}

static void check_limit(struct sluice_buffer *text, const char *message)
{
	assert_false(text->failed);
	struct sluice_error error;
	struct sluice_pattern *pattern = NULL;
	enum sluice_status status = compile(sluice_buffer_str(text), &pattern, &error);
	if (!message && status != SLUICE_OK)
		fail_msg("%s: %s", error.place, error.message);
	if (message) {
		assert_int_equal(status, SLUICE_ERR_LIMIT);
		assert_string_equal(error.message, message);
	}
	sluice_pattern_destroy(pattern);
	sluice_buffer_finish(text);
}

static void test_a_pattern_has_at_most_65536_bytes(void **state)
{
	(void)state;
	for (size_t extra = 0; extra < 2; extra++) {
		struct sluice_buffer text = { 0 };
		sluice_buffer_append_text(&text, "{\"a\":[1]}");
		while (text.len < 65536 + extra)
			sluice_buffer_append_text(&text, " ");
		check_limit(&text,
		            extra ? "a pattern has at most 65536 bytes, this one has 65537" : NULL);
	}
}

static void test_a_pattern_names_at_most_256_paths(void **state)
{
	(void)state;
	for (int extra = 0; extra < 2; extra++) {
		struct sluice_buffer text = { 0 };
		/* Two spellings of a path count once. */
		sluice_buffer_append_text(&text, "{\"$or\":[{\"p\":{\"q\":[1]}}");
		for (int i = 0; i < 300; i++)
			sluice_buffer_append_text(&text, ",{\"p.q\":[2]}");
		for (int i = 0; i < 255 + extra; i++)
			sluice_buffer_printf(&text, ",{\"p%d\":[1]}", i);
		sluice_buffer_append_text(&text, "]}");
		check_limit(&text, extra ? "a pattern names at most 256 paths" : NULL);
	}
}

static void test_lists_and_objects_are_nested_at_most_512_deep(void **state)
{
	(void)state;
	for (int extra = 0; extra < 2; extra++) {
		struct sluice_buffer text = { 0 };
		for (int i = 0; i < 511 + extra; i++)
			sluice_buffer_append_text(&text, "{\"a\":");
		sluice_buffer_append_text(&text, "[1]");
		for (int i = 0; i < 511 + extra; i++)
			sluice_buffer_append_text(&text, "}");
		check_limit(&text,
		            extra ? "lists and objects of a pattern are nested at most 512 deep"
		                  : NULL);
	}
}

static void test_or_is_nested_at_most_64_deep(void **state)
{
	(void)state;
	for (int extra = 0; extra < 2; extra++) {
		struct sluice_buffer text = { 0 };
		for (int i = 0; i < 64 + extra; i++)
			sluice_buffer_append_text(&text, "{\"$or\":[{\"a\":[1]},");
		sluice_buffer_append_text(&text, "{\"b\":[1]}");
		for (int i = 0; i < 64 + extra; i++)
			sluice_buffer_append_text(&text, "]}");
		check_limit(&text, extra ? "\"$or\" is nested at most 64 deep" : NULL);
	}
}

static void test_a_wildcard_has_at_most_32_stars(void **state)
{
	(void)state;
	for (int extra = 0; extra < 2; extra++) {
		struct sluice_buffer text = { 0 };
		sluice_buffer_append_text(&text, "{\"a\":[{\"wildcard\":\"\\\\*");
		for (int i = 0; i < 32 + extra; i++)
			sluice_buffer_append_text(&text, "x*");
		sluice_buffer_append_text(&text, "\"}]}");
		check_limit(&text,
		            extra ? "a wildcard has at most 32 stars, this one has 33" : NULL);
	}
}

/* "n":{"$or":[…]} with `branches` branches. */
static void append_or(struct sluice_buffer *text, int name, int branches)
{
	sluice_buffer_printf(text, "\"n%d\":{\"$or\":[", name);
	for (int i = 0; i < branches; i++)
		sluice_buffer_printf(text, "%s{\"b%d\":[1]}", i ? "," : "", i);
	sluice_buffer_append_text(text, "]}");
}

static void test_or_multiplies_to_at_most_1024_conjunctions(void **state)
{
	(void)state;
	static const char message[] = "multiplied out, \"$or\" makes more than 1024 conjunctions";
	/* 2^10, 2^11, and the 2^64 and more that no computer could write out. */
	static const int factors[] = { 10, 11, 64, 100 };
	for (size_t i = 0; i < 4; i++) {
		struct sluice_buffer text = { 0 };
		sluice_buffer_append_text(&text, "{");
		for (int n = 0; n < factors[i]; n++) {
			if (n)
				sluice_buffer_append_text(&text, ",");
			append_or(&text, n, 2);
		}
		sluice_buffer_append_text(&text, "}");
		check_limit(&text, i ? message : NULL);
	}
	/* As a sum. */
	for (int extra = 0; extra < 2; extra++) {
		struct sluice_buffer text = { 0 };
		sluice_buffer_append_text(&text, "{\"$or\":[");
		for (int n = 0; n < 1024 + extra; n++)
			sluice_buffer_printf(&text, "%s{\"a\":[%d]}", n ? "," : "", n);
		sluice_buffer_append_text(&text, "]}");
		check_limit(&text, extra ? message : NULL);
	}
}

static void test_at_most_256_fields_must_match_together(void **state)
{
	(void)state;
	/* Within the limit on paths, since one is spelled twice. */
	for (int extra = 0; extra < 2; extra++) {
		struct sluice_buffer text = { 0 };
		sluice_buffer_append_text(&text, "{\"a.b\":[1],\"a\":{\"b\":[1]}");
		for (int i = 0; i < 254 + extra; i++)
			sluice_buffer_printf(&text, ",\"p%d\":[1]", i);
		sluice_buffer_append_text(&text, "}");
		check_limit(&text, extra ? "more than 256 fields must match together" : NULL);
	}
}

/* The pattern as "{path path} {path …}", one group a conjunction. */
static void check_conjunctions(const char *text, const char *expected)
{
	struct sluice_pattern *pattern = must_compile(text);
	struct sluice_buffer out = { 0 };
	for (size_t i = 0; i < pattern->conjunction_count; i++) {
		const struct sluice_conjunction *conjunction = &pattern->conjunctions[i];
		sluice_buffer_append_text(&out, conjunction->payload ? "{" : "meta{");
		for (size_t j = 0; j < conjunction->field_count; j++) {
			if (j > 0) {
				assert_true(conjunction->fields[j] > conjunction->fields[j - 1]);
				sluice_buffer_append_text(&out, " ");
			}
			sluice_buffer_append_str(&out,
			                         pattern->fields[conjunction->fields[j]].path);
		}
		sluice_buffer_append_text(&out, "}");
	}
	if (strcmp(out.data, expected) != 0)
		fail_msg("%s\n  expected %s\n  got      %s", text, expected, out.data);
	sluice_buffer_finish(&out);
	sluice_pattern_destroy(pattern);
}

static void test_or_is_multiplied_out_into_conjunctions(void **state)
{
	(void)state;
	check_conjunctions("{\"a\":[1]}", "{a}");
	check_conjunctions("{\"a\":[1],\"b\":{\"c\":[2],\"d\":[3]}}", "{a b.c b.d}");
	check_conjunctions("{\"a\":[1],\"$or\":[{\"b\":[2]},{\"c\":[3],\"d\":[4]}]}",
	                   "{a b}{a c d}");
	check_conjunctions("{\"a\":{\"$or\":[{\"b\":[2]},{\"c\":[3]}]},"
	                   "\"$or\":[{\"d\":[4]},{\"e\":[5]}]}",
	                   "{a.b d}{a.c d}{a.b e}{a.c e}");
	check_conjunctions("{\"$or\":[{\"$or\":[{\"a\":[1]},{\"b\":[1]}]},{\"c\":[1]}],"
	                   "\"a\":[7]}",
	                   "{a a}{b a}{c a}");
	check_conjunctions("{\"$mqtt\":{\"$or\":[{\"qos\":[1]},{\"topic\":[\"a\"]}]},"
	                   "\"$or\":[{\"a\":[1]},{\"$mqtt.retain\":[true]}]}",
	                   "{$mqtt.qos a}{$mqtt.topic a}meta{$mqtt.qos $mqtt.retain}"
	                   "meta{$mqtt.topic $mqtt.retain}");
}

static void test_dotted_keys_and_nested_objects_spell_the_same_paths(void **state)
{
	(void)state;
	check_conjunctions("{\"a.b\":{\"c\":[1]},\"a\":{\"b.c\":[1]}}", "{a.b.c a.b.c}");
	check_conjunctions("{\"\":[1],\"a\":{\"\":[1]}}", "{ a.}");
	check_conjunctions("{\"\":{\"\":[1]}}", "{.}");
	check_conjunctions("{\"prefix\":{\"numeric\":[1]}}", "{prefix.numeric}");
}

static void test_only_a_first_segment_mqtt_is_metadata(void **state)
{
	(void)state;
	check_conjunctions("{\"$mqtt.topic\":[\"a\"]}", "meta{$mqtt.topic}");
	check_conjunctions("{\"\\u0024mqtt\":{\"topic\":[\"a\"]}}", "meta{$mqtt.topic}");
	check_conjunctions("{\"$mqttx\":[\"a\"]}", "{$mqttx}");
	check_conjunctions("{\"a\":{\"$mqtt\":[1]}}", "{a.$mqtt}");
	check_conjunctions("{\"$mqtt\":{\"value.a.b\":[1],\"value\":[1],"
	                   "\"user_properties\":{\"x\":[\"1\"],\"y.z\":[\"2\"]}}}",
	                   "meta{$mqtt.value.a.b $mqtt.value $mqtt.user_properties.x "
	                   "$mqtt.user_properties.y.z}");
}

static void test_the_metadata_that_it_names_is_known(void **state)
{
	(void)state;
	static const struct {
		const char *pattern;
		unsigned metadata;
	} cases[] = {
		{ "{\"a\":[1]}", 0 },
		{ "{\"$mqtt\":{\"topic\":[\"a\"],\"qos\":[1]}}",
		  SLUICE_META_TOPIC | SLUICE_META_QOS },
		{ "{\"$mqtt\":{\"client_id\":[\"a\"],\"username\":[\"a\"],\"retain\":[true]}}",
		  SLUICE_META_CLIENT_ID | SLUICE_META_USERNAME | SLUICE_META_RETAIN },
		{ "{\"$mqtt\":{\"content_type\":[\"a\"],\"response_topic\":[\"a\"],"
		  "\"correlation_data\":[\"a\"],\"payload_format\":[1]}}",
		  SLUICE_META_CONTENT_TYPE | SLUICE_META_RESPONSE_TOPIC |
		          SLUICE_META_CORRELATION_DATA | SLUICE_META_PAYLOAD_FORMAT },
		{ "{\"$or\":[{\"$mqtt.value.a\":[1]},{\"$mqtt\":{\"payload\":[\"\"],"
		  "\"user_properties.t\":[\"x\"]}}]}",
		  SLUICE_META_VALUE | SLUICE_META_PAYLOAD | SLUICE_META_USER_PROPERTIES },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_pattern *pattern = must_compile(cases[i].pattern);
		assert_int_equal(sluice_pattern_metadata(pattern), cases[i].metadata);
		sluice_pattern_destroy(pattern);
	}
}

static void test_the_text_is_kept_verbatim(void **state)
{
	(void)state;
	static const char text[] = " {\t\"\\u0061\" : [ 1.0e0, \"\\u0000\" ] }\n";
	struct sluice_pattern *pattern = must_compile(text);
	assert_int_equal(sluice_pattern_text(pattern).len, sizeof(text) - 1);
	assert_memory_equal(sluice_pattern_text(pattern).data, text, sizeof(text) - 1);
	assert_true(sluice_str_equal(pattern->fields[0].path, SLUICE_STR("a")));
	assert_true(
	        sluice_str_equal(pattern->fields[0].alternatives[0].source, SLUICE_STR("1.0e0")));
	assert_true(sluice_str_equal(pattern->fields[0].alternatives[1].text, SLUICE_STR("\0")));
	sluice_pattern_destroy(pattern);
}

static void test_each_operator_is_compiled(void **state)
{
	(void)state;
	struct sluice_pattern *pattern = must_compile(
	        "{\"a\":[\"x\",{\"exactly\":\"y\"},1,true,false,null,{\"prefix\":\"\"},"
	        "{\"suffix\":\"x\"},{\"equals-ignore-case\":\"XY\"},"
	        "{\"prefix\":{\"equals-ignore-case\":\"X\"}},"
	        "{\"suffix\":{\"equals-ignore-case\":\"X\"}},{\"wildcard\":\"a*\\\\**\"},"
	        "{\"numeric\":[\">\",1]},{\"cidr\":\"10.1.2.3/12\"},{\"mqtt-topic\":\"a/#\"},"
	        "{\"exists\":true},{\"exists\":false},{\"anything-but\":[1,2]}]}");
	static const enum sluice_operator expected[] = {
		SLUICE_OP_STRING,  SLUICE_OP_STRING,      SLUICE_OP_NUMBER,      SLUICE_OP_TRUE,
		SLUICE_OP_FALSE,   SLUICE_OP_NULL,        SLUICE_OP_PREFIX,      SLUICE_OP_SUFFIX,
		SLUICE_OP_FOLD,    SLUICE_OP_FOLD_PREFIX, SLUICE_OP_FOLD_SUFFIX, SLUICE_OP_WILDCARD,
		SLUICE_OP_NUMERIC, SLUICE_OP_CIDR,        SLUICE_OP_MQTT_TOPIC,  SLUICE_OP_EXISTS,
		SLUICE_OP_ABSENT,  SLUICE_OP_BUT,
	};
	const struct sluice_field *field = &pattern->fields[0];
	assert_int_equal(field->alternative_count, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < field->alternative_count; i++)
		assert_int_equal(field->alternatives[i].op, expected[i]);
	assert_true(field->absent);
	assert_true(field->payload);
	assert_true(sluice_str_equal(field->place, SLUICE_STR("$.a")));
	assert_true(sluice_str_equal(field->alternatives[8].text, SLUICE_STR("xy")));
	const struct sluice_wildcard *wildcard = &field->alternatives[11].wildcard;
	assert_int_equal(wildcard->piece_count, 3);
	assert_true(sluice_str_equal(wildcard->pieces[0], SLUICE_STR("a")));
	assert_true(sluice_str_equal(wildcard->pieces[1], SLUICE_STR("*")));
	assert_true(sluice_str_equal(wildcard->pieces[2], SLUICE_STR("")));
	const struct sluice_cidr *cidr = &field->alternatives[13].cidr;
	static const uint8_t block[16] = { 10, 0 };
	assert_int_equal(cidr->family, 4);
	assert_int_equal(cidr->bits, 12);
	assert_memory_equal(cidr->address, block, 16);
	assert_true(sluice_str_equal(field->alternatives[17].source,
	                             SLUICE_STR("{\"anything-but\":[1,2]}")));
	sluice_pattern_destroy(pattern);
}

static void test_running_out_of_memory_is_an_error_and_leaks_nothing(void **state)
{
	(void)state;
	static const char text[] =
	        "{\"a\":[\"x\",1,{\"equals-ignore-case\":\"X\"},{\"wildcard\":\"a*b\"},"
	        "{\"anything-but\":{\"prefix\":[\"x\",\"y\"]}},{\"mqtt-topic\":\"a/#\"}],"
	        "\"$or\":[{\"b\":[1]},{\"$mqtt\":{\"topic\":[\"t\"]}},{\"c.d\":{\"e\":[2]}}]}";
	for (size_t n = 1;; n++) {
		struct sluice_pattern *pattern;
		struct sluice_error error;
		oom_fail_at(n);
		enum sluice_status status =
		        sluice_pattern_compile(sluice_str(text), &pattern, &error);
		if (!oom_happened()) {
			assert_int_equal(status, SLUICE_OK);
			sluice_pattern_destroy(pattern);
			break;
		}
		assert_int_equal(status, SLUICE_ERR_NOMEM);
		assert_null(pattern);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shapes_that_are_no_pattern_are_refused_with_their_place),
		cmocka_unit_test(test_an_unknown_operator_is_named_with_the_nearest),
		cmocka_unit_test(test_operands_of_the_wrong_kind_are_refused),
		cmocka_unit_test(test_wildcards_are_checked),
		cmocka_unit_test(test_anything_but_is_checked),
		cmocka_unit_test(test_numeric_is_checked),
		cmocka_unit_test(test_cidr_is_checked),
		cmocka_unit_test(test_a_malformed_or_is_refused),
		cmocka_unit_test(test_what_is_not_known_of_a_publish_is_refused),
		cmocka_unit_test(test_a_repeated_key_is_refused_and_named),
		cmocka_unit_test(test_text_that_is_not_json_is_a_syntax_error),
		cmocka_unit_test(test_a_pattern_has_at_most_65536_bytes),
		cmocka_unit_test(test_a_pattern_names_at_most_256_paths),
		cmocka_unit_test(test_lists_and_objects_are_nested_at_most_512_deep),
		cmocka_unit_test(test_or_is_nested_at_most_64_deep),
		cmocka_unit_test(test_a_wildcard_has_at_most_32_stars),
		cmocka_unit_test(test_or_multiplies_to_at_most_1024_conjunctions),
		cmocka_unit_test(test_at_most_256_fields_must_match_together),
		cmocka_unit_test(test_or_is_multiplied_out_into_conjunctions),
		cmocka_unit_test(test_dotted_keys_and_nested_objects_spell_the_same_paths),
		cmocka_unit_test(test_only_a_first_segment_mqtt_is_metadata),
		cmocka_unit_test(test_the_metadata_that_it_names_is_known),
		cmocka_unit_test(test_the_text_is_kept_verbatim),
		cmocka_unit_test(test_each_operator_is_compiled),
		cmocka_unit_test(test_running_out_of_memory_is_an_error_and_leaks_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
