/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "oom.h"
#include "sluice/buffer.h"
#include "sluice/rule.h"

static struct sluice_bus *parse(const char *text)
{
	struct sluice_bus *bus;
	struct sluice_error error = { 0 };

	if (sluice_bus_parse(sluice_str(text), &bus, &error))
		fail_msg("bus %s\nis refused: %s: %s", text, error.place, error.message);
	return bus;
}

static void test_a_small_bus_takes_nothing_by_itself(void **state)
{
	struct sluice_bus *bus = parse("{\"name\":\"alarms\"}");

	(void)state;
	assert_true(sluice_str_equal(bus->name, SLUICE_STR("alarms")));
	assert_true(bus->deliver_original);
	assert_false(sluice_bus_takes(bus, SLUICE_STR("a")));
	sluice_bus_destroy(bus);
}

static void test_a_bus_takes_its_topics_without_those_it_excludes(void **state)
{
	static const struct {
		const char *topic;
		bool taken;
	} cases[] = {
		{ "a", true },
		{ "a/b/c", true },
		{ "consumers/x", false },
		{ "consumers", false },
		{ "queues/q", false },
		{ "queue/q", true },
		{ "$SYS/broker", false },
		{ "x/consumers", true },
	};
	struct sluice_bus *bus = parse("{\"name\":\"default\",\"topics\":[\"#\"],"
	                               "\"exclude\":[\"consumers/#\",\"queues/#\"]}");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (sluice_bus_takes(bus, sluice_str(cases[i].topic)) != cases[i].taken)
			fail_msg("%s should%s be taken", cases[i].topic,
			         cases[i].taken ? "" : " not");
	sluice_bus_destroy(bus);
}

static void test_a_bus_takes_wills_of_its_will_topics_without_those_it_excludes(void **state)
{
	struct sluice_bus *bus = parse("{\"name\":\"b\",\"topics\":[\"#\"],\"exclude\":[\"a/x\"],"
	                               "\"will_topics\":[\"a/+\"]}");

	(void)state;
	assert_true(sluice_bus_takes_will(bus, SLUICE_STR("a/b")));
	assert_false(sluice_bus_takes_will(bus, SLUICE_STR("a/x")));
	assert_false(sluice_bus_takes_will(bus, SLUICE_STR("b")));
	sluice_bus_destroy(bus);
}

static void test_will_topics_must_not_overlap(void **state)
{
	static const struct {
		const char *a, *b;
		bool overlap;
	} cases[] = {
		{ "a", "a", true },        { "a", "b", false },       { "a/b", "a", false },
		{ "a/#", "a", true },      { "a/#", "a/b/c", true },  { "a/#", "b/#", false },
		{ "a/+", "+/b", true },    { "a/+", "+", false },     { "a/+/c", "a/b/+", true },
		{ "a/+/c", "a/b", false }, { "#", "x/y", true },      { "+/#", "x", true },
		{ "a/+/#", "a", false },   { "a//b", "a/+/b", true }, { "a/", "a", false },
		{ "a/", "a/+", true },     { "ab", "a", false },
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		const char *a = cases[i / 2].a, *b = cases[i / 2].b;
		struct sluice_bus *bus;

		snprintf(text, sizeof(text), "{\"name\":\"b\",\"will_topics\":[\"%s\",\"%s\"]}",
		         i % 2 ? b : a, i % 2 ? a : b);
		enum sluice_status status = sluice_bus_parse(sluice_str(text), &bus, NULL);
		if (status != (cases[i / 2].overlap ? SLUICE_ERR_INVALID : SLUICE_OK))
			fail_msg("%s: %s", text, sluice_status_name(status));
		sluice_bus_destroy(bus);
	}
}

static void test_a_bus_is_written_on_one_line(void **state)
{
	static const char *const cases[][2] = {
		{ "{ \"name\" : \"b\" }",
		  "{\"name\":\"b\",\"topics\":[],\"exclude\":[],\"deliver_original\":true}" },
		{ "{\"deliver_original\":false,\"topics\":[\"a/+\",\"\\u00e9/#\"],\"exclude\":[\"a/"
		  "b\"],"
		  "\"description\":\"\",\"name\":\"b\"}",
		  "{\"name\":\"b\",\"description\":\"\",\"topics\":[\"a/+\",\"\xc3\xa9/#\"],"
		  "\"exclude\":[\"a/b\"],\"deliver_original\":false}" },
		{ "{\"name\":\"b\",\"archive\":{}}",
		  "{\"name\":\"b\",\"topics\":[],\"exclude\":[],\"deliver_original\":true,"
		  "\"archive\":{\"retention_s\":86400,\"max_bytes\":0}}" },
		{ "{\"name\":\"b\",\"archive\":{\"max_bytes\":5,\"retention_s\":7,\"pattern\":"
		  "{ \"a\" : [1.0] }}}",
		  "{\"name\":\"b\",\"topics\":[],\"exclude\":[],\"deliver_original\":true,"
		  "\"archive\":{\"pattern\":{\"a\":[1.0]},\"retention_s\":7,\"max_bytes\":5}}" },
		{ "{\"name\":\"b\",\"will_topics\":[\"a/+\",\"b\"]}",
		  "{\"name\":\"b\",\"topics\":[],\"exclude\":[],\"deliver_original\":true,"
		  "\"will_topics\":[\"a/+\",\"b\"]}" },
		{ "{\"name\":\"b\",\"will_topics\":[]}",
		  "{\"name\":\"b\",\"topics\":[],\"exclude\":[],\"deliver_original\":true}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_bus *bus = parse(cases[i][0]);
		struct sluice_buffer buf = { 0 };

		sluice_bus_write(bus, &buf);
		assert_string_equal(buf.data, cases[i][1]);
		sluice_bus_destroy(bus);
		sluice_bus_destroy(parse(buf.data));
		sluice_buffer_finish(&buf);
	}
}

static void test_a_faulty_bus_is_refused_with_its_place(void **state)
{
	static const char *const cases[][2] = {
		{ "{}", "invalid: $: a bus must have a \"name\"" },
		{ "7", "invalid: $: a bus must be an object" },
		{ "{\"name\":\"b\",\"topic\":[]}",
		  "invalid: $.topic: a bus has no member \"topic\", did you mean \"topics\"?" },
		{ "{\"name\":\"b/c\"}", "invalid: $.name: must be 1 to 64 of A-Z a-z 0-9 . _ -" },
		{ "{\"name\":\"b\",\"topics\":\"#\"}",
		  "invalid: $.topics: must be a list of topic filters" },
		{ "{\"name\":\"b\",\"topics\":[7]}",
		  "invalid: $.topics[0]: must be a topic filter" },
		{ "{\"name\":\"b\",\"deliver_original\":\"no\"}",
		  "invalid: $.deliver_original: must be true or false" },
		{ "{\"name\":\"b\",\"archive\":true}",
		  "invalid: $.archive: an archive must be an object" },
		{ "{\"name\":\"b\",\"archive\":{\"pattern\":[]}}",
		  "invalid: $.archive.pattern: a pattern must be an object" },
		{ "{\"name\":\"b\",\"archive\":{\"pattern\":{\"a\":[{\"prefixx\":1}]}}}",
		  "invalid: $.archive.pattern.a[0]: unknown operator \"prefixx\", did you mean "
		  "\"prefix\"?" },
		{ "{\"name\":\"b\",\"archive\":{\"retention_s\":0}}",
		  "invalid: $.archive.retention_s: must be a whole number from 1 to 315360000" },
		{ "{\"name\":\"b\",\"will_topics\":[\"a\",\"$SYS/#\"]}",
		  "invalid: $.will_topics[1]: a will's topic must not begin with \"$\"" },
		{ "{\"name\":\"b\",\"will_topics\":[\"x\",\"a/+\",\"+/b/#\"]}",
		  "invalid: $.will_topics[2]: there are topics that filter 1 matches too: a will "
		  "of "
		  "one would come twice" },
		{ "{\"name\":\"b\",\"archive\":{\"bytes\":0}}",
		  "invalid: $.archive.bytes: an archive has no member \"bytes\"" },
	};
	static const char *const filters[] = { "", "a/#/b", "a+", "$share/g/a", "a#", "\\u0000" };
	char text[128], got[640];
	struct sluice_error error;
	struct sluice_bus *bus;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_not_equal(sluice_bus_parse(sluice_str(cases[i][0]), &bus, &error),
		                     SLUICE_OK);
		assert_null(bus);
		snprintf(got, sizeof(got), "%s: %s: %s", sluice_status_name(error.code),
		         error.place, error.message);
		assert_string_equal(got, cases[i][1]);
	}
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		snprintf(text, sizeof(text), "{\"name\":\"b\",\"exclude\":[\"a\",\"%s\"]}",
		         filters[i]);
		assert_int_equal(sluice_bus_parse(sluice_str(text), &bus, &error),
		                 SLUICE_ERR_INVALID);
		assert_string_equal(error.place, "$.exclude[1]");
	}
}

static void test_more_than_256_filters_are_too_many(void **state)
{
	struct sluice_buffer buf = { 0 };
	struct sluice_error error;
	struct sluice_bus *bus;

	(void)state;
	sluice_buffer_append_text(&buf, "{\"name\":\"b\",\"topics\":[\"a\"");
	for (int i = 0; i < SLUICE_BUS_MAX_FILTERS; i++)
		sluice_buffer_append_text(&buf, ",\"a\"");
	sluice_buffer_append_text(&buf, "]}");
	assert_int_equal(sluice_bus_parse(sluice_buffer_str(&buf), &bus, &error), SLUICE_ERR_LIMIT);
	assert_string_equal(error.place, "$.topics");
	sluice_buffer_finish(&buf);
}

static void test_any_allocation_may_fail(void **state)
{
	size_t n = 0;

	(void)state;
	for (bool failed = true; failed;) {
		struct sluice_bus *bus;
		struct sluice_error error;

		oom_fail_at(++n);
		enum sluice_status status = sluice_bus_parse(
		        SLUICE_STR("{\"name\":\"b\",\"description\":\"d\",\"topics\":[\"a\",\"b\"],"
		                   "\"exclude\":[\"c\"],\"will_topics\":[\"w\"],"
		                   "\"archive\":{\"pattern\":{\"a\":[1]}}}"),
		        &bus, &error);
		failed = oom_happened();
		assert_int_equal(status, failed ? SLUICE_ERR_NOMEM : SLUICE_OK);
		assert_int_equal(bus == NULL, failed);
		sluice_bus_destroy(bus);
	}
	assert_true(n > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_small_bus_takes_nothing_by_itself),
		cmocka_unit_test(test_a_bus_takes_its_topics_without_those_it_excludes),
		cmocka_unit_test(
		        test_a_bus_takes_wills_of_its_will_topics_without_those_it_excludes),
		cmocka_unit_test(test_will_topics_must_not_overlap),
		cmocka_unit_test(test_a_bus_is_written_on_one_line),
		cmocka_unit_test(test_a_faulty_bus_is_refused_with_its_place),
		cmocka_unit_test(test_more_than_256_filters_are_too_many),
		cmocka_unit_test(test_any_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
