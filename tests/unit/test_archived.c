/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Archived events as events again; the rule that stands for a replay's topic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "archived.h"
#include "oom.h"
#include "properties_pack.h"
#include "replay.h"

enum { USERS = 20 };

static void pack(struct sluice_buffer *out)
{
	struct sluice_property users[USERS];
	struct sluice_event event = SLUICE_EVENT_INIT;
	for (size_t i = 0; i < USERS; i++)
		users[i] = (struct sluice_property){ SLUICE_STR("name"), SLUICE_STR("value") };
	event.content_type = SLUICE_STR("text/plain");
	event.response_topic = SLUICE_STR("answers");
	event.correlation_data = SLUICE_STR("\xff");
	event.payload_format = 1;
	event.user_properties = users;
	event.user_property_count = USERS;
	properties_pack(&event, false, (struct sluice_str){ 0 }, out);
	assert_false(out->failed);
}

static void test_an_archived_event_is_what_it_was(void **state)
{
	struct sluice_buffer properties = { 0 };
	struct archived archived = { 0 };
	(void)state;
	pack(&properties);
	struct sluice_record record = { .topic = SLUICE_STR("a/b"),
		                        .client_id = SLUICE_STR("c"),
		                        .qos = 1,
		                        .retain = true,
		                        .payload = SLUICE_STR("{}"),
		                        .properties = sluice_buffer_str(&properties) };
	assert_true(archived_read(&archived, &record));
	const struct sluice_event *event = &archived.event;
	assert_true(sluice_str_equal(event->topic, SLUICE_STR("a/b")));
	assert_true(sluice_str_equal(event->client_id, SLUICE_STR("c")));
	assert_null(event->username.data);
	assert_int_equal(event->qos, 1);
	assert_int_equal(event->retain, 1);
	assert_int_equal(event->payload_format, 1);
	assert_true(sluice_str_equal(event->content_type, SLUICE_STR("text/plain")));
	assert_true(sluice_str_equal(event->response_topic, SLUICE_STR("answers")));
	assert_true(sluice_str_equal(event->correlation_data, SLUICE_STR("\xff")));
	assert_int_equal(event->user_property_count, USERS);
	assert_true(sluice_str_equal(event->user_properties[USERS - 1].value, SLUICE_STR("value")));
	/* The next one has none of it. */
	assert_true(archived_read(&archived, &(struct sluice_record){ .topic = SLUICE_STR("a") }));
	assert_int_equal(event->user_property_count, 0);
	assert_null(event->content_type.data);
	assert_int_equal(event->payload_format, -1);
	assert_non_null(event->payload.data);
	assert_int_equal(event->payload.len, 0);
	archived_finish(&archived);
	sluice_buffer_finish(&properties);
}

static void test_damaged_properties_end_where_they_are_damaged(void **state)
{
	struct sluice_buffer properties = { 0 };
	(void)state;
	pack(&properties);
	for (size_t len = 0; len <= properties.len; len++) {
		struct archived archived = { 0 };
		struct sluice_record record = { .topic = SLUICE_STR("a"),
			                        .properties = { properties.data, len } };
		assert_true(archived_read(&archived, &record));
		archived_finish(&archived);
	}
	sluice_buffer_finish(&properties);
}

static void test_any_allocation_may_fail(void **state)
{
	struct sluice_buffer properties = { 0 };
	bool happened = true;
	(void)state;
	pack(&properties);
	struct sluice_record record = { .topic = SLUICE_STR("a"),
		                        .properties = sluice_buffer_str(&properties) };
	for (size_t n = 1; happened; n++) {
		struct archived archived = { 0 };
		oom_fail_at(n);
		bool read = archived_read(&archived, &record);
		happened = oom_happened();
		assert_int_equal(read, !happened);
		archived_finish(&archived);
	}
	happened = true;
	for (size_t n = 1; happened; n++) {
		struct sluice_rule *rule;
		struct sluice_error error;
		oom_fail_at(n);
		enum sluice_status status = replay_rule(SLUICE_STR("r"), SLUICE_STR("b"),
		                                        SLUICE_STR("t/{topic}"), &rule, &error);
		happened = oom_happened();
		assert_int_equal(status, happened ? SLUICE_ERR_NOMEM : SLUICE_OK);
		sluice_rule_destroy(rule);
	}
	sluice_buffer_finish(&properties);
}

static void test_a_replays_topic_is_checked(void **state)
{
	static const char *const wrong[] = { "", "a/#", "$SYS/a", "a/{nothing}", "{" };
	struct sluice_rule *rule;
	struct sluice_error error;
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_int_not_equal(replay_rule(SLUICE_STR("r"), SLUICE_STR("b"),
		                                 sluice_str(wrong[i]), &rule, &error),
		                     SLUICE_OK);
		assert_string_equal(error.place, "$.topic");
		assert_null(rule);
	}
	assert_int_equal(replay_rule(SLUICE_STR("r"), SLUICE_STR("b"), SLUICE_STR("a\"/{topic}"),
	                             &rule, &error),
	                 SLUICE_OK);
	assert_int_equal(rule->target_count, 1);
	sluice_rule_destroy(rule);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_archived_event_is_what_it_was),
		cmocka_unit_test(test_damaged_properties_end_where_they_are_damaged),
		cmocka_unit_test(test_any_allocation_may_fail),
		cmocka_unit_test(test_a_replays_topic_is_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
