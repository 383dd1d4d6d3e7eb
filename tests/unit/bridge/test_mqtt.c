/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "mqtt/properties.h"
#include "oom.h"
#include "via.h"

static const struct sluice_property users[] = {
	{ { "tenant", 6 }, { "acme", 4 } },
	{ { "sluice-id", 9 }, { "7", 1 } },
	{ { "tenant", 6 }, { "", 0 } },
};

static struct sluice_event full_event(void)
{
	struct sluice_event event = SLUICE_EVENT_INIT;
	event.content_type = SLUICE_STR("text/plain");
	event.response_topic = SLUICE_STR("answers");
	event.correlation_data = sluice_str_of("\0\1", 2);
	event.payload_format = 1;
	event.user_properties = users;
	event.user_property_count = 3;
	return event;
}

static void test_properties_go_out_and_come_back(void **state)
{
	(void)state;
	struct sluice_event event = full_event(), back = SLUICE_EVENT_INIT;
	struct mqtt_properties read;
	mosquitto_property *list;
	assert_int_equal(mqtt_properties_write(&event, false, &list, NULL), SLUICE_OK);
	assert_true(mqtt_properties_read(list, SLUICE_STR("me@there"), &read, &back));
	assert_true(sluice_str_equal(back.content_type, event.content_type));
	assert_true(sluice_str_equal(back.response_topic, event.response_topic));
	assert_true(sluice_str_equal(back.correlation_data, event.correlation_data));
	assert_int_equal(back.payload_format, 1);
	/* Without what the queue added, and with the mark behind. */
	assert_int_equal(back.user_property_count, 3);
	assert_true(sluice_str_equal(back.user_properties[0].value, SLUICE_STR("acme")));
	assert_int_equal(back.user_properties[1].value.len, 0);
	assert_true(sluice_str_equal(back.user_properties[2].name, SLUICE_STR("bridge-via")));
	assert_true(via_has(&back, SLUICE_STR("me@there")));
	assert_false(via_has(&back, SLUICE_STR("me@her")));
	mqtt_properties_finish(&read);
	mosquitto_property_free_all(&list);
}

static void test_an_event_without_properties_has_the_mark_alone(void **state)
{
	(void)state;
	struct sluice_event event = SLUICE_EVENT_INIT, back = SLUICE_EVENT_INIT;
	struct mqtt_properties read;
	mosquitto_property *list;
	assert_int_equal(mqtt_properties_write(&event, true, &list, NULL), SLUICE_OK);
	assert_null(list);
	assert_true(mqtt_properties_read(NULL, SLUICE_STR("x"), &read, &back));
	assert_int_equal(back.user_property_count, 1);
	assert_null(back.content_type.data);
	mqtt_properties_finish(&read);
}

static void test_what_mqtt_can_not_carry_is_refused(void **state)
{
	(void)state;
	static char long_text[65536];
	memset(long_text, 'x', sizeof(long_text));
	const struct sluice_str texts[] = { { "a\0b", 3 }, { long_text, sizeof(long_text) } };
	for (size_t i = 0; i < 2; i++) {
		struct sluice_event event = full_event();
		mosquitto_property *list;
		event.content_type = texts[i];
		assert_int_equal(mqtt_properties_write(&event, true, &list, NULL),
		                 SLUICE_ERR_INVALID);
		assert_null(list);
		event = full_event();
		const struct sluice_property user = { SLUICE_STR("a"), texts[i] };
		event.user_properties = &user;
		event.user_property_count = 1;
		assert_int_equal(mqtt_properties_write(&event, true, &list, NULL),
		                 SLUICE_ERR_INVALID);
	}
}

static void test_memory_that_ends_is_survived(void **state)
{
	(void)state;
	struct sluice_event event = full_event();
	mosquitto_property *list;
	for (size_t n = 1;; n++) {
		oom_fail_at(n);
		enum sluice_status status = mqtt_properties_write(&event, true, &list, NULL);
		if (!oom_happened()) {
			assert_int_equal(status, SLUICE_OK);
			break;
		}
		assert_int_equal(status, SLUICE_ERR_NOMEM);
		assert_null(list);
	}
	for (size_t n = 1;; n++) {
		struct sluice_event back = SLUICE_EVENT_INIT;
		struct mqtt_properties read;
		oom_fail_at(n);
		bool done = mqtt_properties_read(list, SLUICE_STR("x"), &read, &back);
		bool happened = oom_happened();
		assert_int_equal(done, !happened);
		if (done)
			mqtt_properties_finish(&read);
		if (!happened)
			break;
	}
	mosquitto_property_free_all(&list);
}

static void test_reasons_say_whether_it_may_go_well_later(void **state)
{
	(void)state;
	static const struct {
		int reason;
		enum outcome outcome;
	} cases[] = {
		{ 0, OUTCOME_DONE },         { 0x10, OUTCOME_DONE },
		{ 0x80, OUTCOME_RETRY },     { 0x83, OUTCOME_RETRY },
		{ 0x97, OUTCOME_RETRY },     { 0x96, OUTCOME_RETRY },
		{ 0x87, OUTCOME_PERMANENT }, { 0x90, OUTCOME_PERMANENT },
		{ 0x95, OUTCOME_PERMANENT }, { 0x99, OUTCOME_PERMANENT },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(mqtt_outcome(cases[i].reason), cases[i].outcome);
	assert_int_equal(mqtt_outcome_of_result(MOSQ_ERR_OVERSIZE_PACKET), OUTCOME_PERMANENT);
	assert_int_equal(mqtt_outcome_of_result(MOSQ_ERR_NO_CONN), OUTCOME_RETRY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_properties_go_out_and_come_back),
		cmocka_unit_test(test_an_event_without_properties_has_the_mark_alone),
		cmocka_unit_test(test_what_mqtt_can_not_carry_is_refused),
		cmocka_unit_test(test_memory_that_ends_is_survived),
		cmocka_unit_test(test_reasons_say_whether_it_may_go_well_later),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
