/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "headers.h"
#include "kafka/config.h"
#include "oom.h"

static void test_properties_that_the_promises_rest_on_are_not_to_be_set(void **state)
{
	(void)state;
	static const char *const refused[] = {
		"enable.idempotence",
		"ssl.key.password",
		"plugin.library.paths",
		"ssl.engine.id",
		"sasl.kerberos.kinit.cmd",
		"rebalance_cb",
		"compression.codec",
		"test.mock.num.brokers",
		"ssl.key.pem",
		"enable.auto.offset.store",
	};
	static const char *const allowed[] = {
		"linger.ms",         "sasl.mechanisms", "security.protocol", "auto.offset.reset",
		"message.max.bytes", "password",        "ssl.cipher.suites",
	};
	const char *why = NULL;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		assert_false(kafka_property_allowed(sluice_str(refused[i]), &why));
		assert_non_null(why);
	}
	for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
		assert_true(kafka_property_allowed(sluice_str(allowed[i]), &why));
}

static void test_names_of_topics(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "readings", "readings" },
		{ "plants/7/a b", "plants.7.a_b" },
		{ "\xc3\xa9\n", "___" },
		{ ".", NULL },
		{ "..", NULL },
		{ "", NULL },
		{ "/", NULL },
		{ "...", "..." },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sluice_buffer topic = { 0 };
		bool made = kafka_topic(sluice_str(cases[i][0]), &topic);
		assert_int_equal(made, cases[i][1] != NULL);
		if (made)
			assert_string_equal(topic.data, cases[i][1]);
		sluice_buffer_finish(&topic);
	}
	static char long_name[250];
	memset(long_name, 'x', sizeof(long_name));
	struct sluice_buffer topic = { 0 };
	assert_false(kafka_topic(sluice_str_of(long_name, 250), &topic));
	assert_true(kafka_topic(sluice_str_of(long_name, 249), &topic));
	sluice_buffer_finish(&topic);
}

static void test_errors_say_whether_it_may_go_well_later(void **state)
{
	(void)state;
	assert_int_equal(kafka_outcome(RD_KAFKA_RESP_ERR_NO_ERROR), OUTCOME_DONE);
	assert_int_equal(kafka_outcome(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT), OUTCOME_RETRY);
	assert_int_equal(kafka_outcome(RD_KAFKA_RESP_ERR__QUEUE_FULL), OUTCOME_RETRY);
	assert_int_equal(kafka_outcome(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART), OUTCOME_RETRY);
	assert_int_equal(kafka_outcome(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE), OUTCOME_PERMANENT);
	assert_int_equal(kafka_outcome(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED),
	                 OUTCOME_PERMANENT);
}

static void test_headers_that_mqtt_can_not_carry_are_left_out(void **state)
{
	(void)state;
	struct headers headers = { 0 };
	for (int i = 0; i < 20; i++)
		headers_add(&headers, SLUICE_STR("a"), SLUICE_STR("b"));
	headers_add(&headers, SLUICE_STR(""), SLUICE_STR("b"));
	headers_add(&headers, SLUICE_STR("a"), SLUICE_STR("\xff"));
	headers_add(&headers, SLUICE_STR("a\n"), SLUICE_STR("b"));
	headers_add(&headers, SLUICE_STR("a"), sluice_str_of("b\0c", 3));
	headers_add(&headers, SLUICE_STR("e"), SLUICE_STR(""));
	assert_int_equal(headers.count, 21);
	assert_false(headers.failed);
	headers_finish(&headers);
	oom_fail_at(1);
	headers_add(&headers, SLUICE_STR("a"), SLUICE_STR("b"));
	assert_true(oom_happened());
	assert_true(headers.failed);
	headers_finish(&headers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_properties_that_the_promises_rest_on_are_not_to_be_set),
		cmocka_unit_test(test_names_of_topics),
		cmocka_unit_test(test_errors_say_whether_it_may_go_well_later),
		cmocka_unit_test(test_headers_that_mqtt_can_not_carry_are_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
