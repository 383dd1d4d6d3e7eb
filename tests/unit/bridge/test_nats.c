/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "nats/words.h"

/* What it makes, or "-". */
static const char *made(bool (*make)(struct sluice_str, struct sluice_buffer *), const char *text)
{
	static char result[128];
	struct sluice_buffer out = { 0 };
	strcpy(result, "-");
	if (make(sluice_str(text), &out))
		strcpy(result, out.data);
	sluice_buffer_finish(&out);
	return result;
}

static bool of_others(struct sluice_str text, struct sluice_buffer *out)
{
	return nats_subject(text, false, out);
}

static bool of_our_own(struct sluice_str text, struct sluice_buffer *out)
{
	return nats_subject(text, true, out);
}

static void test_topics_become_subjects_level_by_level(void **state)
{
	(void)state;
	assert_string_equal(made(nats_subject_of_topic, "plants/7/boiler"), "plants.7.boiler");
	assert_string_equal(made(nats_subject_of_topic, "a.b/c d/*/>"), "a_b.c_d._._");
	assert_string_equal(made(nats_subject_of_topic, "/a//b/"), "_.a._.b._");
	assert_string_equal(made(nats_subject_of_topic, "$JS/API/STREAM/DELETE/X"),
	                    "_JS.API.STREAM.DELETE.X");
	assert_string_equal(made(nats_subject_of_topic, ""), "-");
	assert_string_equal(made(nats_topic, "plants.7.a/b"), "plants/7/a_b");
	assert_string_equal(made(nats_topic, "$SYS.a+#"), "_SYS/a__");
}

static void test_subjects_of_templates_may_be_the_servers_own_where_the_template_is(void **state)
{
	(void)state;
	assert_string_equal(made(of_others, "a.b/c\r\nPUB x"), "a.b.c__PUB_x");
	assert_string_equal(made(of_others, "$KV.a"), "_KV.a");
	assert_string_equal(made(of_our_own, "$KV.a..b"), "$KV.a._.b");
}

static void test_headers_are_words_of_the_events_own(void **state)
{
	(void)state;
	static const struct {
		const char *name, *value;
		bool valid;
	} cases[] = {
		{ "tenant", "acme \xc3\xa9", true },
		{ "x", "", true },
		{ "", "x", false },
		{ "a b", "x", false },
		{ "a:b", "x", false },
		{ "\xc3\xa9", "x", false },
		{ "x", "a\r\nNats-Rollup: all", false },
		{ "Nats-Rollup", "all", false },
		{ "nats-msg-id", "1", false },
		{ "Nats", "x", true },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(
		        nats_header_valid(sluice_str(cases[i].name), sluice_str(cases[i].value)),
		        cases[i].valid);
	assert_false(nats_header_valid(SLUICE_STR("x"), sluice_str_of("a\0b", 3)));
}

static void test_answers_say_what_became_of_a_publish(void **state)
{
	(void)state;
	char text[NATS_TEXT_SIZE];
	static const struct {
		const char *json;
		enum outcome outcome;
		const char *text;
	} cases[] = {
		{ "{\"stream\":\"S\",\"seq\":1}", OUTCOME_DONE, "" },
		{ "{\"stream\":\"S\",\"seq\":1,\"duplicate\":true}", OUTCOME_DONE, "" },
		{ "{\"error\":{\"code\":400,\"description\":\"no\"}}", OUTCOME_PERMANENT,
		  "JetStream 400: no" },
		{ "{\"error\":{\"code\":503}}", OUTCOME_RETRY, "JetStream 503: no reason given" },
		{ "{\"error\":{\"code\":429,\"description\":\"slow\"}}", OUTCOME_RETRY,
		  "JetStream 429: slow" },
		{ "{}", OUTCOME_RETRY, "an answer that names no stream" },
		{ "[", OUTCOME_RETRY, "an answer that is none of JetStream's" },
		{ "", OUTCOME_RETRY, "an answer that is none of JetStream's" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		text[0] = '\0';
		assert_int_equal(nats_answer(sluice_str(cases[i].json), text), cases[i].outcome);
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_topics_become_subjects_level_by_level),
		cmocka_unit_test(
		        test_subjects_of_templates_may_be_the_servers_own_where_the_template_is),
		cmocka_unit_test(test_headers_are_words_of_the_events_own),
		cmocka_unit_test(test_answers_say_what_became_of_a_publish),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
