/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#include "queue/receipt.h"
#include "queue/wire.h"

static void test_topics_of_queues_are_told_apart(void **state)
{
	static const struct {
		const char *topic;
		bool below;
		enum queue_verb verb;
		const char *queue, *receipt;
	} cases[] = {
		{ "queues/jobs/ready", true, QUEUE_VERB_READY, "jobs", NULL },
		{ "queues/jobs/ready/x", true, QUEUE_VERB_NONE, "jobs", "x" },
		{ "queues/jobs/ack", true, QUEUE_VERB_ACK, "jobs", NULL },
		{ "queues/jobs/ack/r", true, QUEUE_VERB_ACK, "jobs", "r" },
		{ "queues/jobs/ack/", true, QUEUE_VERB_ACK, "jobs", "" },
		{ "queues/jobs/nack/r", true, QUEUE_VERB_NACK, "jobs", "r" },
		{ "queues/jobs/nack", true, QUEUE_VERB_NONE, "jobs", NULL },
		{ "queues/jobs/extend/r", true, QUEUE_VERB_EXTEND, "jobs", "r" },
		{ "queues/jobs/in", true, QUEUE_VERB_IN, "jobs", NULL },
		{ "queues/jobs/out/r", true, QUEUE_VERB_OUT, "jobs", "r" },
		{ "queues/jobs/out", true, QUEUE_VERB_OUT, "jobs", NULL },
		{ "queues/jobs", true, QUEUE_VERB_NONE, "jobs", NULL },
		{ "queues//in", true, QUEUE_VERB_IN, "", NULL },
		{ "queues/", true, QUEUE_VERB_NONE, "", NULL },
		{ "queues", false, QUEUE_VERB_NONE, NULL, NULL },
		{ "queue/jobs/in", false, QUEUE_VERB_NONE, NULL, NULL },
		{ "", false, QUEUE_VERB_NONE, NULL, NULL },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct queue_topic topic;
		assert_int_equal(queue_topic_read(sluice_str(cases[i].topic), &topic),
		                 cases[i].below);
		assert_int_equal(topic.verb, cases[i].verb);
		assert_true(sluice_str_equal(topic.queue, sluice_str(cases[i].queue)));
		assert_true(!topic.receipt.data == !cases[i].receipt);
		assert_true(sluice_str_equal(topic.receipt, sluice_str(cases[i].receipt)));
	}
}

static void test_subscriptions_to_deliveries_are_told_apart(void **state)
{
	static const struct {
		const char *filter;
		const char *queue;
	} cases[] = {
		{ "queues/jobs/out/+", "jobs" },
		{ "queues/jobs/out/#", "jobs" },
		{ "$share/g/queues/jobs/out/+", "jobs" },
		{ "queues/+/out/+", NULL },
		{ "queues/jobs/#", NULL },
		{ "queues/jobs/out", NULL },
		{ "queues/jobs/out/x", NULL },
		{ "#", NULL },
		{ "$share/g", NULL },
		{ "$share/g/other/jobs/out/+", NULL },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sluice_str queue;
		bool is = queue_subscription_read(sluice_str(cases[i].filter), &queue);
		assert_int_equal(is, cases[i].queue != NULL);
		assert_true(!is || sluice_str_equal(queue, sluice_str(cases[i].queue)));
	}
}

static void test_credit_is_a_number_or_an_object(void **state)
{
	static const struct {
		const char *payload;
		enum sluice_status status;
		struct queue_ready ready;
	} cases[] = {
		{ "", SLUICE_OK, { 1, 0, 0 } },
		{ "10", SLUICE_OK, { 10, 0, 0 } },
		{ "10\n", SLUICE_OK, { 10, 0, 0 } },
		{ "0", SLUICE_OK, { 0, 0, 0 } },
		{ "{\"credit\":5,\"lease_s\":60,\"batch\":3}", SLUICE_OK, { 5, 3, 60000 } },
		{ "{}", SLUICE_OK, { 1, 0, 0 } },
		{ "-1", SLUICE_ERR_INVALID, { 0, 0, 0 } },
		{ "10001", SLUICE_ERR_INVALID, { 0, 0, 0 } },
		{ "99999999999999999999999", SLUICE_ERR_INVALID, { 0, 0, 0 } },
		{ "10 x", SLUICE_ERR_INVALID, { 0, 0, 0 } },
		{ "ten", SLUICE_ERR_INVALID, { 0, 0, 0 } },
		{ "{\"credit\":1.5}", SLUICE_ERR_INVALID, { 0, 0, 0 } },
		{ "{\"credits\":1}", SLUICE_ERR_INVALID, { 0, 0, 0 } },
		{ "{\"credit\":1", SLUICE_ERR_SYNTAX, { 0, 0, 0 } },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct queue_ready ready;
		struct sluice_error error;
		assert_int_equal(queue_ready_read(sluice_str(cases[i].payload), &ready, &error),
		                 cases[i].status);
		assert_int_equal(ready.credit, cases[i].ready.credit);
		assert_int_equal(ready.batch, cases[i].ready.batch);
		assert_int_equal(ready.lease_ms, cases[i].ready.lease_ms);
	}
}

static void test_a_nack_has_a_delay_and_a_reason(void **state)
{
	static const struct {
		const char *payload;
		enum sluice_status status;
		int64_t delay_ms;
		const char *reason;
	} cases[] = {
		{ "", SLUICE_OK, 0, "" },
		{ "500", SLUICE_OK, 500, "" },
		{ "500 disk full", SLUICE_OK, 500, "disk full" },
		{ "disk full", SLUICE_OK, 0, "disk full" },
		{ "500disks", SLUICE_OK, 0, "500disks" },
		{ "99999999999 too long", SLUICE_OK, 0, "99999999999 too long" },
		{ "{\"delay_ms\":7,\"reason\":\"a\\u00e4\"}", SLUICE_OK, 7, "aä" },
		{ "{\"dead_letter\":true,\"reason\":\"!dead\"}", SLUICE_OK, 0, "!dead" },
		{ "{\"dead_letter\":1}", SLUICE_ERR_INVALID, 0, "" },
		{ "{\"delay_ms\":-7}", SLUICE_ERR_INVALID, 0, "" },
		{ "{\"delay\":7}", SLUICE_ERR_INVALID, 0, "" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct queue_nack nack;
		struct sluice_error error;
		assert_int_equal(queue_nack_read(sluice_str(cases[i].payload), &nack, &error),
		                 cases[i].status);
		assert_int_equal(nack.delay_ms, cases[i].delay_ms);
		assert_string_equal(nack.reason, cases[i].reason);
		assert_int_equal(nack.dead_letter, cases[i].reason[0] == '!');
	}
}

static void test_a_long_reason_is_cut_at_a_character(void **state)
{
	char payload[1001];
	struct queue_nack nack;
	struct sluice_error error;
	(void)state;

	for (size_t i = 0; i < 1000; i += 2)
		memcpy(payload + i, "\xc3\xa4", 2);
	memcpy(payload, "x", 1);
	memcpy(payload + 1, "\0", 1);
	assert_int_equal(queue_nack_read((struct sluice_str){ payload, 1000 }, &nack, &error),
	                 SLUICE_OK);
	assert_int_equal(strlen(nack.reason), 256);
	assert_int_equal(queue_nack_read((struct sluice_str){ payload, 5000 }, &nack, &error),
	                 SLUICE_ERR_LIMIT);
}

static void test_more_time_is_in_seconds(void **state)
{
	static const struct {
		const char *payload;
		enum sluice_status status;
		int64_t lease_ms;
	} cases[] = {
		{ "", SLUICE_OK, 30000 },
		{ "60", SLUICE_OK, 60000 },
		{ "{\"lease_s\":60}", SLUICE_OK, 60000 },
		{ "{}", SLUICE_OK, 30000 },
		{ "0", SLUICE_ERR_INVALID, 30000 },
		{ "43201", SLUICE_ERR_INVALID, 30000 },
		{ "long", SLUICE_ERR_INVALID, 30000 },
		{ "{\"lease_s\":0}", SLUICE_ERR_INVALID, 30000 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t lease_ms;
		struct sluice_error error;
		assert_int_equal(
		        queue_extend_read(sluice_str(cases[i].payload), 30000, &lease_ms, &error),
		        cases[i].status);
		assert_int_equal(lease_ms, cases[i].lease_ms);
	}
}

static void test_receipts_are_read_letter_for_letter(void **state)
{
	struct receipt receipt = { .id = 1234, .secret = { 1, 2, 0xff } }, back;
	char text[RECEIPT_TEXT_SIZE];
	(void)state;

	receipt_write(&receipt, text);
	assert_string_equal(text, "00000000000004d20102ff000000000000000000");
	assert_true(receipt_read(sluice_str(text), &back));
	assert_memory_equal(&receipt, &back, sizeof back);
	receipt.batch = true;
	receipt_write(&receipt, text);
	assert_true(receipt_read(sluice_str(text), &back) && back.batch && back.id == 1234);
	text[10] = 'G';
	assert_false(receipt_read(sluice_str(text), &back));
	assert_false(receipt_read(SLUICE_STR(""), &back));
	assert_false(receipt_read(SLUICE_STR("00000000000004d2"), &back));
	assert_false(receipt_read(SLUICE_STR("00000000000004D20102ff000000000000000000"), &back));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_topics_of_queues_are_told_apart),
		cmocka_unit_test(test_subscriptions_to_deliveries_are_told_apart),
		cmocka_unit_test(test_credit_is_a_number_or_an_object),
		cmocka_unit_test(test_receipts_are_read_letter_for_letter),
		cmocka_unit_test(test_a_nack_has_a_delay_and_a_reason),
		cmocka_unit_test(test_a_long_reason_is_cut_at_a_character),
		cmocka_unit_test(test_more_time_is_in_seconds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
