/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "oom.h"
#include "sluice/pattern.h"
#include "sluice/queue.h"

static struct sluice_queue *parse(const char *text)
{
	struct sluice_queue *queue;
	struct sluice_error error = { 0 };

	if (sluice_queue_parse(sluice_str(text), &queue, &error))
		fail_msg("queue %s\nis refused: %s: %s", text, error.place, error.message);
	return queue;
}

#define DEFAULTS                                                                                   \
	"\"visibility_timeout_s\":30,\"max_receives\":0,\"retention_s\":345600,\"max_events\":0,"  \
	"\"max_bytes\":0,\"max_in_flight\":100,\"delay_ms\":0,\"group_on_dead\":\"continue\""

static void test_a_queue_is_written_on_one_line_with_its_defaults(void **state)
{
	static const char *const cases[][2] = {
		{ "{ \"name\" : \"q\" }", "{\"name\":\"q\"," DEFAULTS "}" },
		{ "{\"batch\":{\"max_events\":10},\"deduplication\":{\"key\":\"content\"},"
		  "\"name\":\"q\"}",
		  "{\"name\":\"q\"," DEFAULTS
		  ",\"deduplication\":{\"key\":\"content\",\"window_s\":"
		  "300},\"batch\":{\"max_events\":10,\"max_bytes\":65536,\"max_wait_ms\":0}}" },
		{ "{\"name\":\"q\",\"description\":\"d\",\"visibility_timeout_s\":43200,"
		  "\"max_receives\":1000,\"dead_letter\":\"dead\",\"retention_s\":31536000,"
		  "\"max_events\":9223372036854775807,\"max_bytes\":1,\"max_in_flight\":10000,"
		  "\"delay_ms\":31536000000,\"group\":\"$.order['a b']\",\"group_on_dead\":"
		  "\"stop\",\"deduplication\":{\"key\":\"$mqtt.user_properties.id\",\"window_s\":"
		  "2592000},\"batch\":{\"max_events\":1000,\"max_bytes\":268435455,\"max_wait_ms\":"
		  "60000}}",
		  NULL }, /* as it is */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_queue *queue = parse(cases[i][0]);
		struct sluice_buffer buf = { 0 };

		sluice_queue_write(queue, &buf);
		assert_string_equal(buf.data, cases[i][1] ? cases[i][1] : cases[i][0]);
		sluice_queue_destroy(queue);
		sluice_queue_destroy(parse(buf.data));
		sluice_buffer_finish(&buf);
	}
}

static void test_every_member_is_read(void **state)
{
	struct sluice_queue *queue =
	        parse("{\"name\":\"q\",\"visibility_timeout_s\":1,\"max_receives\":2,"
	              "\"dead_letter\":\"d\",\"retention_s\":60,\"max_events\":3,\"max_bytes\":4,"
	              "\"max_in_flight\":5,\"delay_ms\":6,\"group\":\"$mqtt.client_id\","
	              "\"group_on_dead\":\"stop\",\"deduplication\":{\"key\":\"$mqtt.topic\"},"
	              "\"batch\":{\"max_events\":7,\"max_bytes\":8,\"max_wait_ms\":9}}");

	(void)state;
	assert_int_equal(queue->visibility_timeout_s, 1);
	assert_int_equal(queue->max_receives, 2);
	assert_true(sluice_str_equal(queue->dead_letter, SLUICE_STR("d")));
	assert_int_equal(queue->retention_s, 60);
	assert_int_equal(queue->max_events, 3);
	assert_int_equal(queue->max_bytes, 4);
	assert_int_equal(queue->max_in_flight, 5);
	assert_int_equal(queue->delay_ms, 6);
	assert_non_null(queue->group);
	assert_true(queue->group_stop);
	assert_int_equal(sluice_deduplication_window_ms(queue->deduplication), 300000);
	assert_int_equal(queue->batch.max_events, 7);
	assert_int_equal(queue->batch.max_bytes, 8);
	assert_int_equal(queue->batch.max_wait_ms, 9);
	sluice_queue_destroy(queue);
}

#define Q(members) "{\"name\":\"q\"," members "}"

static void test_a_faulty_queue_is_refused_with_its_place(void **state)
{
	static const char *const cases[][2] = {
		{ "{}", "invalid: $: a queue must have a \"name\"" },
		{ "[]", "invalid: $: a queue must be an object" },
		{ "{\"name\":\"q/r\"}", "invalid: $.name: must be 1 to 64 of A-Z a-z 0-9 . _ -" },
		{ Q("\"name\":\"q\""), "invalid: $.name: the member \"name\" stands twice" },
		{ Q("\"dead_leter\":\"d\""),
		  "invalid: $.dead_leter: a queue has no member \"dead_leter\", did you mean "
		  "\"dead_letter\"?" },
		{ Q("\"dead_letter\":\"q\""),
		  "invalid: $.dead_letter: a queue can't be its own dead-letter queue" },
		{ Q("\"visibility_timeout_s\":0"),
		  "invalid: $.visibility_timeout_s: must be a whole number from 1 to 43200" },
		{ Q("\"max_receives\":1001"),
		  "invalid: $.max_receives: must be a whole number from 0 to 1000" },
		{ Q("\"retention_s\":59"),
		  "invalid: $.retention_s: must be a whole number from 60 to 31536000" },
		{ Q("\"max_events\":-1"), "invalid: $.max_events: must be a whole number from 0 to "
		                          "9223372036854775807" },
		{ Q("\"max_in_flight\":\"1\""),
		  "invalid: $.max_in_flight: must be a whole number from 1 to 10000" },
		{ Q("\"delay_ms\":\"$.delay\""),
		  "invalid: $.delay_ms: must be a whole number from 0 to 31536000000" },
		{ Q("\"group\":7"), "invalid: $.group: must be a string that holds a path" },
		{ Q("\"group\":\"order\""), "syntax: $.group: a path begins with \"$\"" },
		{ Q("\"group\":\"$..a\""),
		  "syntax: $.group: a path names one value: \"..\" is not supported" },
		{ Q("\"group_on_dead\":\"go\""),
		  "invalid: $.group_on_dead: must be \"continue\" or \"stop\"" },
		{ Q("\"deduplication\":\"content\""),
		  "invalid: $.deduplication: a deduplication must be an object" },
		{ Q("\"deduplication\":{}"),
		  "invalid: $.deduplication: a deduplication must have a \"key\"" },
		{ Q("\"deduplication\":{\"key\":\"contents\"}"),
		  "syntax: $.deduplication.key: a path begins with \"$\"" },
		{ Q("\"deduplication\":{\"key\":\"$\",\"window_s\":2592001}"),
		  "invalid: $.deduplication.window_s: must be a whole number from 1 to 2592000" },
		{ Q("\"batch\":{}"), "invalid: $.batch: a batch must have \"max_events\"" },
		{ Q("\"batch\":{\"max_events\":0}"),
		  "invalid: $.batch.max_events: must be a whole number from 1 to 1000" },
		{ Q("\"batch\":{\"max_events\":1,\"max\":1}"),
		  "invalid: $.batch.max: a batch has no member \"max\"" },
	};
	char got[640];
	struct sluice_error error;
	struct sluice_queue *queue;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_not_equal(sluice_queue_parse(sluice_str(cases[i][0]), &queue, &error),
		                     SLUICE_OK);
		assert_null(queue);
		snprintf(got, sizeof(got), "%s: %s: %s", sluice_status_name(error.code),
		         error.place, error.message);
		assert_string_equal(got, cases[i][1]);
	}
}

static void test_the_group_is_the_value_at_its_path(void **state)
{
	static const struct {
		const char *path, *payload, *group; /* NULL = none */
	} cases[] = {
		{ "$.g", "{\"g\":\"a\\u00e9\\n\"}", "a\xc3\xa9\n" },
		{ "$.g", "{\"g\":1.0}", "1.0" },
		{ "$.g", "{\"g\":[1, \"b\"]}", "[1,\"b\"]" },
		{ "$.g", "{\"g\":\"\"}", "" },
		{ "$.g", "{\"g\":null}", NULL },
		{ "$.g", "{}", NULL },
		{ "$.g", "{\"g\":1", NULL },
		{ "$.g", "on", NULL },
		{ "$mqtt.value", "on", NULL },
		{ "$mqtt.payload", "on", "on" },
		{ "$mqtt.topic", "on", "plants/1" },
		{ "$mqtt.user_properties.tenant", "on", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[96];
		struct sluice_event event = SLUICE_EVENT_INIT;
		struct sluice_vars vars = { .event = &event };
		struct sluice_buffer out = { 0 };

		event.topic = SLUICE_STR("plants/1");
		event.payload = sluice_str(cases[i].payload);
		snprintf(text, sizeof(text), "{\"name\":\"q\",\"group\":\"%s\"}", cases[i].path);
		struct sluice_queue *queue = parse(text);
		bool found = sluice_queue_group(queue, &vars, &out);
		if (found != (cases[i].group != NULL) ||
		    (found &&
		     !sluice_str_equal(sluice_buffer_str(&out), sluice_str(cases[i].group))))
			fail_msg("%s of %s: expected %s, got %s%.*s", cases[i].path,
			         cases[i].payload, cases[i].group ? cases[i].group : "none",
			         found ? "" : "none ", (int)out.len, sluice_buffer_str(&out).data);
		sluice_buffer_finish(&out);
		sluice_queue_destroy(queue);
	}
}

static void test_a_long_group_is_given_as_its_hash(void **state)
{
	struct sluice_queue *queue = parse("{\"name\":\"q\",\"group\":\"$mqtt.topic\"}");
	struct sluice_event event = SLUICE_EVENT_INIT;
	struct sluice_vars vars = { .event = &event };
	struct sluice_buffer out = { 0 };
	char topic[SLUICE_GROUP_MAX_BYTES + 1];

	(void)state;
	memset(topic, 'a', sizeof(topic));
	event.topic = (struct sluice_str){ topic, SLUICE_GROUP_MAX_BYTES };
	sluice_buffer_append_text(&out, "before ");
	assert_true(sluice_queue_group(queue, &vars, &out));
	assert_int_equal(out.len, 7 + SLUICE_GROUP_MAX_BYTES);
	sluice_buffer_reset(&out);
	sluice_buffer_append_text(&out, "before ");
	event.topic.len++;
	assert_true(sluice_queue_group(queue, &vars, &out));
	assert_string_equal(out.data, "before sha256:c12cb024a2e5551cca0e08fce8f1c5e314555cc3"
	                              "fef6329ee994a3db752166ae");
	sluice_buffer_finish(&out);
	sluice_queue_destroy(queue);
}

static void test_any_allocation_may_fail(void **state)
{
	size_t n = 0;

	(void)state;
	for (bool failed = true; failed;) {
		struct sluice_queue *queue;
		struct sluice_error error;

		oom_fail_at(++n);
		enum sluice_status status = sluice_queue_parse(
		        SLUICE_STR("{\"name\":\"q\",\"description\":\"d\",\"dead_letter\":\"e\","
		                   "\"group\":\"$.a['b']\",\"deduplication\":{\"key\":\"$.a\"},"
		                   "\"batch\":{\"max_events\":1}}"),
		        &queue, &error);
		failed = oom_happened();
		assert_int_equal(status, failed ? SLUICE_ERR_NOMEM : SLUICE_OK);
		assert_int_equal(queue == NULL, failed);
		sluice_queue_destroy(queue);
	}
	assert_true(n > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_queue_is_written_on_one_line_with_its_defaults),
		cmocka_unit_test(test_every_member_is_read),
		cmocka_unit_test(test_a_faulty_queue_is_refused_with_its_place),
		cmocka_unit_test(test_the_group_is_the_value_at_its_path),
		cmocka_unit_test(test_a_long_group_is_given_as_its_hash),
		cmocka_unit_test(test_any_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
