/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "oom.h"
#include "sluice/text_template.h"

static const struct sluice_property properties[] = { { { "tenant", 6 }, { "a b", 3 } } };

static struct sluice_vars vars_of(struct sluice_event *event, const char *payload)
{
	*event = SLUICE_EVENT_INIT;
	event->payload = sluice_str(payload);
	event->topic = SLUICE_STR("plants/berlin/17");
	event->user_properties = properties;
	event->user_property_count = 1;
	return (struct sluice_vars){ .event = event,
		                     .rule = SLUICE_STR("hot"),
		                     .target = SLUICE_STR("mail"),
		                     .id = SLUICE_STR("id-1"),
		                     .time_ms = 1767323045678 };
}

/* What the template makes of an event, or the error's message. */
static const char *expand(const char *text, const char *payload, enum sluice_encoding encoding,
                          size_t limit)
{
	static char result[512];
	struct sluice_text_template *tpl;
	struct sluice_event event;
	struct sluice_error error = { 0 };
	struct sluice_vars vars = vars_of(&event, payload);
	struct sluice_buffer out = { .limit = limit };
	enum sluice_status status = sluice_text_template_compile(sluice_str(text), &tpl, &error);

	if (!status) {
		status = sluice_text_template_expand(tpl, &vars, encoding, &out, &error);
		sluice_text_template_destroy(tpl);
	}
	if (status)
		snprintf(result, sizeof(result), "%s at %d: %s", sluice_status_name(status),
		         error.offset == SIZE_MAX ? -1 : (int)error.offset, error.message);
	else
		snprintf(result, sizeof(result), "%.*s", (int)out.len, out.len ? out.data : "");
	sluice_buffer_finish(&out);
	return result;
}

static void test_variables(void **state)
{
	(void)state;
	static const char payload[] = "{\"a\":{\"b\":\"x \\\"y\\\"\\u00e9\"},\"n\":1.50,\"t\":true,"
	                              "\"z\":null,\"e\":\"\",\"list\":[1, 2]}";
	static const char *const cases[][2] = {
		{ "", "" },
		{ "plain {{text}} + # /", "plain {text} + # /" },
		{ "{$.a.b}|{$.n}|{$.t}", "x \"y\"é|1.50|true" },
		{ "[{$.z}{$.e}{$.nothing}]", "[]" },
		{ "{$.a} {$.list}", "{\"b\":\"x \\\"y\\\"\\u00e9\"} [1, 2]" },
		{ "{topic} {topic[1]} {topic[9]}", "plants/berlin/17 berlin " },
		{ "{rule} {target} {bus}{consumer}", "hot mail " },
		{ "{id} {time}", "id-1 2026-01-02T03:04:05.678Z" },
		{ "{client_id}{username}", "" },
		{ "{$mqtt.user_properties.tenant}", "a b" },
		{ "{$mqtt.topic}", "plants/berlin/17" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(expand(cases[i][0], payload, SLUICE_ENCODE_NONE, 0),
		                    cases[i][1]);
	assert_string_equal(expand("<{payload}>", "no JSON", SLUICE_ENCODE_NONE, 0), "<no JSON>");
}

static void test_values_are_encoded_and_literal_text_is_not(void **state)
{
	(void)state;
	static const char payload[] = "{\"v\":\"a/b?c=<d>&\\\"e'\\u00e9~\\\\\"}";

	assert_string_equal(expand("/?{$.v}", payload, SLUICE_ENCODE_URL, 0),
	                    "/?a%2Fb%3Fc%3D%3Cd%3E%26%22e%27%C3%A9~%5C");
	assert_string_equal(expand("<b>{$.v}</b>", payload, SLUICE_ENCODE_HTML, 0),
	                    "<b>a/b?c=&lt;d&gt;&amp;&quot;e&#39;é~\\</b>");
	assert_string_equal(expand("{{\"x\":\"{$.v}\"}}", payload, SLUICE_ENCODE_STRING, 0),
	                    "{\"x\":\"a/b?c=<d>&\\\"e'é~\\\\\"}");
	assert_string_equal(expand("{$.v}", payload, SLUICE_ENCODE_LINE, 0), "a/b?c=<d>&\"e'é~\\");
}

static void test_a_line_is_not_broken_by_a_value(void **state)
{
	(void)state;
	static const char *const payloads[] = { "{\"v\":\"a\\r\\nBcc: x\"}", "{\"v\":\"a\\nb\"}",
		                                "{\"v\":\"a\\u007f\"}", "{\"v\":\"a\\u0000b\"}" };

	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
		assert_string_equal(expand("Subject: {$.v}", payloads[i], SLUICE_ENCODE_LINE, 0),
		                    "invalid at -1: {$.v} holds a control character");
	assert_string_equal(expand("{$.v}", "{\"v\":\"a\\tb\"}", SLUICE_ENCODE_LINE, 0), "a\tb");
}

static void test_errors_say_where(void **state)
{
	(void)state;
	assert_string_equal(expand("a{b", "", SLUICE_ENCODE_NONE, 0),
	                    "syntax at 1: \"{\" is not closed; a literal one is written \"{{\"");
	assert_string_equal(expand("a}b", "", SLUICE_ENCODE_NONE, 0),
	                    "syntax at 1: \"}\" closes nothing; a literal one is written \"}}\"");
	assert_string_equal(expand("ab{tpic}", "", SLUICE_ENCODE_NONE, 0),
	                    "invalid at 2: there is no variable {tpic}, did you mean \"topic\"?");
	assert_string_equal(expand("\xff", "", SLUICE_ENCODE_NONE, 0),
	                    "invalid at -1: a template must be UTF-8");
	assert_string_equal(expand("{$.x}", "{", SLUICE_ENCODE_NONE, 0),
	                    "not-found at -1: the payload is not well-formed JSON");
	assert_string_equal(expand("12345678{$.x}", "{\"x\":123}", SLUICE_ENCODE_NONE, 10),
	                    "limit at -1: the text is longer than 10 bytes");
}

static void test_what_is_constant_is_known(void **state)
{
	(void)state;
	struct sluice_text_template *tpl;

	assert_int_equal(sluice_text_template_compile(SLUICE_STR("a {{b}}"), &tpl, NULL),
	                 SLUICE_OK);
	assert_true(sluice_str_equal(sluice_text_template_constant(tpl), SLUICE_STR("a {b}")));
	sluice_text_template_destroy(tpl);
	assert_int_equal(sluice_text_template_compile(SLUICE_STR(""), &tpl, NULL), SLUICE_OK);
	assert_int_equal(sluice_text_template_constant(tpl).len, 0);
	assert_non_null(sluice_text_template_constant(tpl).data);
	sluice_text_template_destroy(tpl);
	assert_int_equal(sluice_text_template_compile(SLUICE_STR("a {id}"), &tpl, NULL), SLUICE_OK);
	assert_null(sluice_text_template_constant(tpl).data);
	sluice_text_template_destroy(tpl);
	sluice_text_template_destroy(NULL);
}

static void test_out_of_memory(void **state)
{
	(void)state;
	const char *result;
	size_t nth = 0;
	bool failed;

	do {
		oom_fail_at(++nth);
		result = expand("{$.v} {$mqtt.topic} {id}", "{\"v\":\"a\\nb\"}",
		                SLUICE_ENCODE_STRING, 0);
		failed = oom_happened();
		if (failed)
			assert_string_equal(result, "no-memory at -1: out of memory");
	} while (failed);
	assert_string_equal(result, "a\\nb plants/berlin/17 id-1");
	assert_true(nth > 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_values_are_encoded_and_literal_text_is_not),
		cmocka_unit_test(test_a_line_is_not_broken_by_a_value),
		cmocka_unit_test(test_errors_say_where),
		cmocka_unit_test(test_what_is_constant_is_known),
		cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
