/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sluice/topic.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void a_topic_is_utf8_without_nul_nor_wildcards(void **state)
{
	(void)state;
	static const struct sluice_str good[] = {
		{ "a", 1 },
		{ "/", 1 },
		{ "a//b/", 5 },
		{ "$SYS/x", 6 },
		{ " ", 1 },
		{ "\xc3\xa4/\xf0\x9f\x98\x80", 7 },
		{ "a\x01\x7f"
		  "b",
		  4 },
		{ "$share/g", 8 },
	};
	static const struct sluice_str bad[] = {
		{ "", 0 },     { NULL, 0 },           { "a+", 2 },   { "#", 1 },    { "a/#", 3 },
		{ "a\0b", 3 }, { "\xed\xa0\x80", 3 }, { "\xff", 1 }, { "\xc3", 1 },
	};
	for (size_t i = 0; i < COUNT(good); i++)
		if (!sluice_topic_valid(good[i]))
			fail_msg("%s is a topic", good[i].data);
	for (size_t i = 0; i < COUNT(bad); i++)
		if (sluice_topic_valid(bad[i]))
			fail_msg("%s is no topic", bad[i].data);
}

static void a_topic_has_at_most_65535_bytes(void **state)
{
	(void)state;
	static char text[65536];
	memset(text, 'a', sizeof(text));
	assert_true(sluice_topic_valid((struct sluice_str){ text, 65535 }));
	assert_false(sluice_topic_valid((struct sluice_str){ text, 65536 }));
	struct sluice_error error;
	assert_true(sluice_topic_filter_valid((struct sluice_str){ text, 65535 }, &error));
	assert_false(sluice_topic_filter_valid((struct sluice_str){ text, 65536 }, &error));
	assert_string_equal(error.message, "a topic filter must not be longer than 65535 bytes");
}

static void a_filter_has_its_wildcards_as_whole_levels(void **state)
{
	(void)state;
	static const char *const good[] = {
		"#", "+", "+/+", "/", "a/#", "+/#", "/+", "+/", "a/+/b", "$SYS/#", "$share", "a",
	};
	static const struct {
		struct sluice_str text;
		size_t offset;
		const char *message;
	} bad[] = {
		{ { "", 0 }, 0, "a topic filter must not be empty" },
		{ { "a+", 2 }, 1, "'+' in a topic filter must be a whole level" },
		{ { "+a", 2 }, 0, "'+' in a topic filter must be a whole level" },
		{ { "a/b#", 4 }, 3, "'#' in a topic filter must be a whole level" },
		{ { "#/a", 3 }, 0, "'#' in a topic filter must be the last level" },
		{ { "a/##", 4 }, 2, "'#' in a topic filter must be a whole level" },
		{ { "a\0", 2 }, 1, "a topic filter must be UTF-8 without NUL" },
		{ { "a\xff\0", 3 }, 1, "a topic filter must be UTF-8 without NUL" },
		{ { "$share/g/a", 10 }, 0, "a shared subscription ($share/) is no topic filter" },
	};
	for (size_t i = 0; i < COUNT(good); i++)
		if (!sluice_topic_filter_valid(sluice_str(good[i]), NULL))
			fail_msg("%s is a filter", good[i]);
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct sluice_error error;
		if (sluice_topic_filter_valid(bad[i].text, &error) ||
		    error.code != SLUICE_ERR_INVALID || error.offset != bad[i].offset ||
		    strcmp(error.message, bad[i].message) != 0)
			fail_msg("%s: got %s at %zu", bad[i].text.data, error.message,
			         error.offset);
	}
}

static void a_filter_matches_as_the_standard_says(void **state)
{
	(void)state;
	static const struct {
		const char *filter;
		const char *topic;
		bool matches;
	} cases[] = {
		/* MQTT 5.0, 4.7.1.2 and 4.7.1.3 */
		{ "sport/tennis/player1/#", "sport/tennis/player1", true },
		{ "sport/tennis/player1/#", "sport/tennis/player1/ranking", true },
		{ "sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true },
		{ "sport/#", "sport", true },
		{ "#", "a/b/c", true },
		{ "sport/tennis/+", "sport/tennis/player1", true },
		{ "sport/tennis/+", "sport/tennis/player1/ranking", false },
		{ "sport/+", "sport", false },
		{ "sport/+", "sport/", true },
		{ "+/+", "/finance", true },
		{ "/+", "/finance", true },
		{ "+", "/finance", false },
		/* 4.7.2 */
		{ "#", "$SYS/x", false },
		{ "+/monitor/Clients", "$SYS/monitor/Clients", false },
		{ "$SYS/#", "$SYS/x", true },
		{ "$SYS/#", "$SYS", true },
		{ "$SYS/monitor/+", "$SYS/monitor/Clients", true },
		{ "a/#", "a/$b", true },
		/* levels are whole, and may be empty */
		{ "a", "a", true },
		{ "a", "A", false },
		{ "a", "ab", false },
		{ "ab", "a", false },
		{ "a/", "a", false },
		{ "a", "a/", false },
		{ "a/", "a/", true },
		{ "a//b", "a//b", true },
		{ "a/+/b", "a//b", true },
		{ "a/b/#", "a", false },
		{ "a/+/#", "a", false },
		{ "a/+/#", "a/b", true },
		{ "a/+/#", "a/", true },
		{ "a/#", "ab", false },
		{ "a/#", "a/", true },
		{ "/#", "/", true },
		{ "/#", "a", false },
		{ "/", "/", true },
		{ "+/", "a/", true },
		{ "+/b", "a/c", false },
		{ "#", "", false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		/* On the heap at their exact sizes: an overrun is then found. */
		size_t filter_len = strlen(cases[i].filter);
		size_t topic_len = strlen(cases[i].topic);
		char *filter = malloc(filter_len);
		char *topic = malloc(topic_len + 1);
		assert_non_null(filter);
		assert_non_null(topic);
		memcpy(filter, cases[i].filter, filter_len);
		memcpy(topic + 1, cases[i].topic, topic_len);
		if (sluice_topic_matches((struct sluice_str){ filter, filter_len },
		                         (struct sluice_str){ topic + 1, topic_len }) !=
		    cases[i].matches)
			fail_msg("%s on %s: expected %d", cases[i].filter, cases[i].topic,
			         cases[i].matches);
		free(filter);
		free(topic);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_topic_is_utf8_without_nul_nor_wildcards),
		cmocka_unit_test(a_topic_has_at_most_65535_bytes),
		cmocka_unit_test(a_filter_has_its_wildcards_as_whole_levels),
		cmocka_unit_test(a_filter_matches_as_the_standard_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
