/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "oom.h"
#include "sluice/buffer.h"
#include "sluice/json.h"

static struct sluice_json_doc *parse(struct sluice_str text)
{
	struct sluice_json_doc *doc;
	struct sluice_error error = { 0 };
	enum sluice_status status =
	        sluice_json_parse(text, SLUICE_JSON_UNIQUE_KEYS, 64, &doc, &error);
	if (status)
		fail_msg("%.*s: %s: %s", (int)text.len, text.data, error.place, error.message);
	return doc;
}

static void assert_str(struct sluice_str actual, struct sluice_str expected)
{
	if (!sluice_str_equal(actual, expected))
		fail_msg("expected '%.*s', got '%.*s'", (int)expected.len, expected.data,
		         (int)actual.len, actual.data);
}

static void what_is_well_formed_is_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum sluice_json_type type;
	} cases[] = {
		{ "null", SLUICE_JSON_NULL },
		{ " true\n", SLUICE_JSON_TRUE },
		{ "\tfalse\r", SLUICE_JSON_FALSE },
		{ "0", SLUICE_JSON_NUMBER },
		{ "-0", SLUICE_JSON_NUMBER },
		{ "-0.0e+00", SLUICE_JSON_NUMBER },
		{ "12.5E-7", SLUICE_JSON_NUMBER },
		{ "\"\"", SLUICE_JSON_STRING },
		{ "\"\\u0000\\ud800\\\"\\/\"", SLUICE_JSON_STRING },
		{ "\"\xf0\x9f\x98\x80 \x7f\"", SLUICE_JSON_STRING },
		{ "[]", SLUICE_JSON_ARRAY },
		{ "[ ]", SLUICE_JSON_ARRAY },
		{ "[1 , [2],{} ]", SLUICE_JSON_ARRAY },
		{ "{}", SLUICE_JSON_OBJECT },
		{ "{ \"\" : 1 , \"b\":{ \"\":2 } }", SLUICE_JSON_OBJECT },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sluice_json_doc *doc = parse(sluice_str(cases[i].text));
		assert_int_equal(sluice_json_root(doc)->type, cases[i].type);
		sluice_json_destroy(doc);
	}
}

static void what_is_not_well_formed_is_refused_with_place_and_reason(void **state)
{
	(void)state;
	static const struct {
		struct sluice_str text;
		enum sluice_status status;
		size_t offset;
		const char *place;
		const char *message;
	} cases[] = {
#define CASE(text, status, offset, place, message)                                                 \
	{ { text, sizeof(text) - 1 }, SLUICE_ERR_##status, offset, place, message }
		CASE("", SYNTAX, 0, "$", "expected a JSON value, found the end of the text"),
		CASE("  ", SYNTAX, 2, "$", "expected a JSON value, found the end of the text"),
		CASE("\xef\xbb\xbf{}", SYNTAX, 0, "$",
		     "expected a JSON value, found a byte order mark"),
		CASE("{} x", SYNTAX, 3, "$",
		     "expected the end of the text after the value, found 'x'"),
		CASE("1\0", SYNTAX, 1, "$",
		     "expected the end of the text after the value, found the control character "
		     "U+0000"),
		CASE("{\"a\":[1,tru]}", SYNTAX, 8, "$.a[1]",
		     "expected a value after ',', found 'tru'"),
		CASE("truex", SYNTAX, 4, "$",
		     "expected the end of the text after the value, found 'x'"),
		CASE("01", SYNTAX, 0, "$", "expected a number without leading zeros, found '01'"),
		CASE("[-01]", SYNTAX, 2, "$[0]",
		     "expected a number without leading zeros, found '01'"),
		CASE("1.", SYNTAX, 2, "$",
		     "expected a digit after the decimal point, found the end of the text"),
		CASE("1.e5", SYNTAX, 2, "$",
		     "expected a digit after the decimal point, found 'e5'"),
		CASE("-", SYNTAX, 1, "$", "expected a digit after '-', found the end of the text"),
		CASE("-a", SYNTAX, 1, "$", "expected a digit after '-', found 'a'"),
		CASE("1e", SYNTAX, 2, "$",
		     "expected a digit in the exponent, found the end of the text"),
		CASE("1e+]", SYNTAX, 3, "$", "expected a digit in the exponent, found ']'"),
		CASE("+1", SYNTAX, 0, "$", "expected a JSON value, found '+1'"),
		CASE("NaN", SYNTAX, 0, "$", "expected a JSON value, found 'NaN'"),
		CASE("'a'", SYNTAX, 0, "$", "expected a JSON value, found '''"),
		CASE("\xe2\x80\x9c", SYNTAX, 0, "$", "expected a JSON value, found '\xe2\x80\x9c'"),
		CASE("\xff", SYNTAX, 0, "$",
		     "expected a JSON value, found the byte 0xff, which is not UTF-8"),
		CASE("[", SYNTAX, 1, "$[0]", "expected a value or ']', found the end of the text"),
		CASE("[1", SYNTAX, 2, "$",
		     "expected ',' or ']' after an element, found the end of the text"),
		CASE("[1 2]", SYNTAX, 3, "$", "expected ',' or ']' after an element, found '2'"),
		CASE("[1,]", SYNTAX, 3, "$[1]", "expected a value after ',', found ']'"),
		CASE("[1}", SYNTAX, 2, "$", "expected ',' or ']' after an element, found '}'"),
		CASE("{", SYNTAX, 1, "$",
		     "expected a name in quotes or '}', found the end of the text"),
		CASE("{a:1}", SYNTAX, 1, "$", "expected a name in quotes or '}', found 'a'"),
		CASE("{\"a\" 1}", SYNTAX, 5, "$.a", "expected ':' after the name, found '1'"),
		CASE("{\"a\":}", SYNTAX, 5, "$.a", "expected a value after ':', found '}'"),
		CASE("{\"a\":1,}", SYNTAX, 7, "$",
		     "expected a name in quotes after ',', found '}'"),
		CASE("{\"a\":1;\"b\":2}", SYNTAX, 6, "$",
		     "expected ',' or '}' after a member, found ';'"),
		CASE("\"a", SYNTAX, 2, "$",
		     "expected the closing quote of a string, found the end of the text"),
		CASE("\"a\n\"", SYNTAX, 2, "$",
		     "expected control characters in a string to be escaped, found the control "
		     "character U+000A"),
		CASE("\"\\x\"", SYNTAX, 2, "$",
		     "expected one of \" \\ / b f n r t u after '\\', found 'x'"),
		CASE("\"\\", SYNTAX, 2, "$",
		     "expected an escape after '\\', found the end of the text"),
		CASE("\"\\u12g4\"", SYNTAX, 5, "$",
		     "expected four hexadecimal digits after '\\u', found 'g4'"),
		CASE("\"\\u12", SYNTAX, 5, "$",
		     "expected four hexadecimal digits after '\\u', found the end of the text"),
		CASE("\"\xed\xa0\x80\"", SYNTAX, 1, "$",
		     "expected UTF-8 in a string, found the byte 0xed, which is not UTF-8"),
		CASE("\"\xc3\"", SYNTAX, 1, "$",
		     "expected UTF-8 in a string, found the byte 0xc3, which is not UTF-8"),
		CASE("\"\xc0\x80\"", SYNTAX, 1, "$",
		     "expected UTF-8 in a string, found the byte 0xc0, which is not UTF-8"),
		CASE("\"\x80\"", SYNTAX, 1, "$",
		     "expected UTF-8 in a string, found the byte 0x80, which is not UTF-8"),
		CASE("{\"a\":1,\"b\":[{\"c\":1,\"\\u0063\":2}]}", INVALID, 28, "$.b[0].c",
		     "the name \"c\" is repeated"),
		CASE("{\"0\":1,\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,\"7\":1,\"8\":1,"
		     "\"7\":3,\"6\":3}",
		     INVALID, 59, "$.7", "the name \"7\" is repeated"),
		CASE("[[[[[]]]]]", LIMIT, 4, "$[0][0][0][0]", "nested deeper than 5"),
#undef CASE
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sluice_json_doc *doc;
		struct sluice_error error;
		enum sluice_status status =
		        sluice_json_parse(cases[i].text, SLUICE_JSON_UNIQUE_KEYS, 5, &doc, &error);
		if (status != cases[i].status || error.code != status || doc ||
		    error.offset != cases[i].offset || strcmp(error.place, cases[i].place) != 0 ||
		    strcmp(error.message, cases[i].message) != 0)
			fail_msg("%s: got %s at %zu: %s: %s", cases[i].text.data,
			         sluice_status_name(status), error.offset, error.place,
			         error.message);
		assert_int_equal(
		        sluice_json_parse(cases[i].text, SLUICE_JSON_UNIQUE_KEYS, 5, &doc, NULL),
		        status);
	}
}

static void a_node_knows_its_text_its_name_and_its_neighbours(void **state)
{
	(void)state;
	struct sluice_json_doc *doc =
	        parse(SLUICE_STR(" {\"a\": [1.50, \"x\\ty\", {}], \"b\\u0000\": null } "));
	const struct sluice_json *root = sluice_json_root(doc);
	assert_null(root->parent);
	assert_null(root->key.data);
	assert_int_equal(root->count, 2);
	assert_str(root->raw, SLUICE_STR("{\"a\": [1.50, \"x\\ty\", {}], \"b\\u0000\": null }"));

	const struct sluice_json *array = root->first;
	assert_str(array->key, SLUICE_STR("a"));
	assert_str(array->raw, SLUICE_STR("[1.50, \"x\\ty\", {}]"));
	assert_int_equal(array->count, 3);
	assert_ptr_equal(array->parent, root);
	assert_null(array->string.data);

	const struct sluice_json *number = array->first;
	assert_str(number->raw, SLUICE_STR("1.50"));
	assert_null(number->key.data);
	const struct sluice_json *string = number->next;
	assert_str(string->raw, SLUICE_STR("\"x\\ty\""));
	assert_str(string->string, SLUICE_STR("x\ty"));
	assert_int_equal(string->index, 1);
	const struct sluice_json *object = string->next;
	assert_null(object->first);
	assert_null(object->next);
	assert_ptr_equal(object->parent, array);

	assert_str(array->next->key, SLUICE_STR("b\0"));
	assert_null(array->next->next);
	sluice_json_destroy(doc);
}

static void without_the_flag_repeated_names_stay_and_the_last_is_got(void **state)
{
	(void)state;
	struct sluice_json_doc *doc;
	assert_int_equal(sluice_json_parse(SLUICE_STR("{\"a\":1,\"a\":2}"), 0, 2, &doc, NULL), 0);
	assert_int_equal(sluice_json_root(doc)->count, 2);
	assert_str(sluice_json_get(sluice_json_root(doc), "a")->raw, SLUICE_STR("2"));
	assert_null(sluice_json_get(sluice_json_root(doc), "b"));
	assert_null(sluice_json_get(sluice_json_root(doc)->first, "a"));
	assert_null(sluice_json_get(NULL, "a"));
	sluice_json_destroy(doc);
}

static void depth_counts_from_scalars(void **state)
{
	(void)state;
	struct sluice_json_doc *doc;
	assert_int_equal(sluice_json_parse(SLUICE_STR("1"), 0, 1, &doc, NULL), SLUICE_OK);
	sluice_json_destroy(doc);
	assert_int_equal(sluice_json_parse(SLUICE_STR("[]"), 0, 1, &doc, NULL), SLUICE_ERR_LIMIT);
	assert_int_equal(sluice_json_parse(SLUICE_STR("[1]"), 0, 2, &doc, NULL), SLUICE_OK);
	sluice_json_destroy(doc);
	assert_int_equal(sluice_json_parse(SLUICE_STR("[{}]"), 0, 2, &doc, NULL), SLUICE_ERR_LIMIT);
}

static void a_million_open_brackets_cost_no_stack(void **state)
{
	(void)state;
	enum { COUNT = 1000000 };
	char *text = malloc(COUNT);
	assert_non_null(text);
	memset(text, '[', COUNT);
	struct sluice_json_doc *doc;
	struct sluice_error error;
	assert_int_equal(
	        sluice_json_parse((struct sluice_str){ text, COUNT }, 0, SIZE_MAX, &doc, &error),
	        SLUICE_ERR_SYNTAX);
	assert_int_equal(error.offset, COUNT);
	free(text);
}

static void integers_are_read_by_value_not_by_spelling(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int whole;
		int64_t value;
	} cases[] = {
		{ "0", 1, 0 },
		{ "-0", 1, 0 },
		{ "0e999999999999999999999", 1, 0 },
		{ "10", 1, 10 },
		{ "1e1", 1, 10 },
		{ "10.0", 1, 10 },
		{ "100e-1", 1, 10 },
		{ "0.0000000000000000000001e23", 1, 10 },
		{ "-7", 1, -7 },
		{ "1.5", 0, 0 },
		{ "0.1", 0, 0 },
		{ "1e-1", 0, 0 },
		{ "9223372036854775807", 1, INT64_MAX },
		{ "9223372036854775808", 0, 0 },
		{ "-9223372036854775808", 1, INT64_MIN },
		{ "-9223372036854775809", 0, 0 },
		{ "9999999999999999999", 0, 0 },
		{ "9223372036854775807.00", 1, INT64_MAX },
		{ "9223372036854775806.5", 0, 0 },
		{ "1e18", 1, INT64_C(1000000000000000000) },
		{ "1e19", 0, 0 },
		{ "1e99999999999999999999", 0, 0 },
		{ "\"1\"", 0, 0 },
		{ "true", 0, 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sluice_json_doc *doc = parse(sluice_str(cases[i].text));
		int64_t value = 0;
		bool whole =
		        sluice_json_integer(sluice_json_root(doc), INT64_MIN, INT64_MAX, &value);
		if (whole != cases[i].whole || value != cases[i].value)
			fail_msg("%s: got %d, %lld", cases[i].text, whole, (long long)value);
		sluice_json_destroy(doc);
	}
	struct sluice_json_doc *doc = parse(SLUICE_STR("5"));
	int64_t value;
	assert_true(sluice_json_integer(sluice_json_root(doc), 5, 5, &value));
	assert_false(sluice_json_integer(sluice_json_root(doc), 6, 9, &value));
	assert_false(sluice_json_integer(sluice_json_root(doc), 0, 4, &value));
	assert_false(sluice_json_integer(NULL, 0, 4, &value));
	sluice_json_destroy(doc);
}

static void a_place_reads_as_a_path(void **state)
{
	(void)state;
	struct sluice_json_doc *doc =
	        parse(SLUICE_STR("{\"$mqtt\":[0,{\"a b\":{\"\":{\"q\\\"\\\\\\u0007\\u0085\\ud800"
	                         "\xc3\xa4.\":{\"\xc3\xa4-1\":1}}}}]}"));
	const struct sluice_json *node = sluice_json_root(doc);
	char place[100];
	assert_string_equal(sluice_json_place(node, place, sizeof(place)), "$");
	while (node->first)
		node = node->first->next ? node->first->next : node->first;
	static const char whole[] =
	        "$.$mqtt[1][\"a b\"][\"\"][\"q\\\"\\\\???\xc3\xa4.\"].\xc3\xa4-1";
	assert_string_equal(sluice_json_place(node, place, sizeof(place)), whole);

	/* Cut to any size it is a beginning of the whole, never half a character. */
	for (size_t size = 1; size < sizeof(whole); size++) {
		memset(place, 'x', sizeof(place));
		sluice_json_place(node, place, size);
		assert_true(strlen(place) < size);
		assert_memory_equal(place, whole, strlen(place));
		assert_int_equal(place[size], 'x');
	}

	struct sluice_error error;
	assert_int_equal(sluice_json_error(node, &error, SLUICE_ERR_LIMIT, "too %s", "much\n"),
	                 SLUICE_ERR_LIMIT);
	assert_string_equal(error.place, whole);
	assert_string_equal(error.message, "too much?");
	assert_int_equal(error.offset, node->raw.data - sluice_json_root(doc)->raw.data);
	assert_int_equal(sluice_json_error(node, NULL, SLUICE_ERR_LIMIT, "x"), SLUICE_ERR_LIMIT);
	sluice_json_destroy(doc);
}

static void strings_are_written_so_that_they_read_the_same(void **state)
{
	(void)state;
	static const struct {
		struct sluice_str text;
		const char *written;
	} cases[] = {
#define CASE(text, written) { { text, sizeof(text) - 1 }, written }
		CASE("", "\"\""),
		CASE("plain \x7f/", "\"plain \x7f/\""),
		CASE("\"\\\b\f\n\r\t", "\"\\\"\\\\\\b\\f\\n\\r\\t\""),
		CASE("a\0b\x1f", "\"a\\u0000b\\u001f\""),
		CASE("\xc3\xa4\xf0\x9f\x98\x80", "\"\xc3\xa4\xf0\x9f\x98\x80\""),
		CASE("x\xed\xa0\x80y\xed\xbf\xbf", "\"x\\ud800y\\udfff\""),
		CASE("\xff.\xc3", "\"\xef\xbf\xbd.\xef\xbf\xbd\""),
#undef CASE
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sluice_buffer buf = { 0 };
		sluice_json_write_string(&buf, cases[i].text);
		assert_str(sluice_buffer_str(&buf), sluice_str(cases[i].written));
		struct sluice_json_doc *doc = parse(sluice_buffer_str(&buf));
		if (!memchr(cases[i].text.data, '\xff', cases[i].text.len))
			assert_str(sluice_json_root(doc)->string, cases[i].text);
		sluice_json_destroy(doc);
		sluice_buffer_finish(&buf);
	}
}

static void compact_text_loses_the_space_outside_its_strings(void **state)
{
	(void)state;
	struct sluice_buffer buf = { 0 };
	sluice_json_write_compact(
	        &buf, SLUICE_STR(" {\n\t\"a b\\\" \\\\\" :\r[ 1.50 , \" \" ] , \"c\":-0 } "));
	assert_str(sluice_buffer_str(&buf), SLUICE_STR("{\"a b\\\" \\\\\":[1.50,\" \"],\"c\":-0}"));
	sluice_buffer_finish(&buf);
}

static void any_allocation_may_fail(void **state)
{
	(void)state;
	static const char text[] =
	        "[[[[[[[[[[[[[[[[[[{\"a\":\"x\\n\",\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,"
	        "\"g\":1,\"h\":1,\"i\":[1,2,3,4,5,6,7,8,9,10,11]}]]]]]]]]]]]]]]]]]]";
	size_t n = 0;
	for (bool failed = true; failed;) {
		struct sluice_json_doc *doc;
		struct sluice_error error;
		oom_fail_at(++n);
		enum sluice_status status = sluice_json_parse(
		        SLUICE_STR(text), SLUICE_JSON_UNIQUE_KEYS, 64, &doc, &error);
		failed = oom_happened();
		assert_int_equal(status, failed ? SLUICE_ERR_NOMEM : SLUICE_OK);
		assert_int_equal(doc == NULL, failed);
		if (failed)
			assert_string_equal(error.message, "out of memory");
		sluice_json_destroy(doc);
	}
	assert_true(n > 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_well_formed_is_read),
		cmocka_unit_test(what_is_not_well_formed_is_refused_with_place_and_reason),
		cmocka_unit_test(a_node_knows_its_text_its_name_and_its_neighbours),
		cmocka_unit_test(without_the_flag_repeated_names_stay_and_the_last_is_got),
		cmocka_unit_test(depth_counts_from_scalars),
		cmocka_unit_test(a_million_open_brackets_cost_no_stack),
		cmocka_unit_test(integers_are_read_by_value_not_by_spelling),
		cmocka_unit_test(a_place_reads_as_a_path),
		cmocka_unit_test(strings_are_written_so_that_they_read_the_same),
		cmocka_unit_test(compact_text_loses_the_space_outside_its_strings),
		cmocka_unit_test(any_allocation_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
