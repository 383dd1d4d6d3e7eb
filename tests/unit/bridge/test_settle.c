/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* How a message becomes a delivery, and what becomes of that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include "link.h"
#include "oom.h"
#include "settle.h"

static const struct sluice_bridge_delivery usual = {
	.max_attempts = 5, .max_age_s = 100, .backoff_ms = 1000, .backoff_max_ms = 8000
};

enum { NOW_MS = 1000000000 };

static struct settlement decide(uint32_t attempt, int64_t age_ms, enum outcome outcome,
                                int64_t hint_ms, uint64_t random)
{
	struct delivery delivery = { .attempt = attempt, .vars.time_ms = NOW_MS - age_ms };
	struct settlement settlement;
	settle_decide(&delivery, outcome, hint_ms, "HTTP 503", &usual, NOW_MS, random, &settlement);
	return settlement;
}

static void test_what_fails_comes_again_later_and_later(void **state)
{
	(void)state;
	struct settlement settlement = decide(1, 0, OUTCOME_RETRY, DELIVERY_NO_HINT, 1000);
	assert_int_equal(settlement.verb, SETTLE_LATER);
	assert_int_equal(settlement.delay_ms, 1000);
	assert_string_equal(settlement.reason, "HTTP 503");
	assert_int_equal(decide(3, 0, OUTCOME_RETRY, DELIVERY_NO_HINT, 4000).delay_ms, 4000);
	assert_int_equal(decide(4, 0, OUTCOME_RETRY, DELIVERY_NO_HINT, 8000).delay_ms, 8000);
}

static void test_not_sooner_than_the_target_says(void **state)
{
	(void)state;
	assert_int_equal(decide(1, 0, OUTCOME_RETRY, 30000, 500).delay_ms, 30000);
	assert_int_equal(decide(4, 0, OUTCOME_RETRY, 3000, 8000).delay_ms, 8000);
	assert_int_equal(decide(1, 0, OUTCOME_LET_GO, 700, 5).delay_ms, 700);
	assert_int_equal(decide(1, 0, OUTCOME_LET_GO, 700, 5).verb, SETTLE_BACK);
	assert_int_equal(decide(1, 0, OUTCOME_LET_GO, DELIVERY_NO_HINT, 5).delay_ms, 0);
}

static void test_attempts_and_age_come_to_an_end(void **state)
{
	(void)state;
	struct settlement settlement = decide(5, 0, OUTCOME_RETRY, DELIVERY_NO_HINT, 0);
	assert_int_equal(settlement.verb, SETTLE_DEAD);
	assert_string_equal(settlement.reason, "5 attempts: HTTP 503");
	settlement = decide(1, 99500, OUTCOME_RETRY, DELIVERY_NO_HINT, 501);
	assert_int_equal(settlement.verb, SETTLE_DEAD);
	assert_string_equal(settlement.reason, "older than 100 s: HTTP 503");
	assert_int_equal(decide(1, 99500, OUTCOME_RETRY, DELIVERY_NO_HINT, 500).verb, SETTLE_LATER);
	/* It would only be tried when it is too late. */
	assert_int_equal(decide(1, 0, OUTCOME_RETRY, 100001, 0).verb, SETTLE_DEAD);
	/* Of an event whose time is not known the age is not either. */
	assert_int_equal(decide(1, NOW_MS, OUTCOME_RETRY, 100001, 0).verb, SETTLE_LATER);
}

static void test_what_can_not_go_well_is_not_tried_again(void **state)
{
	(void)state;
	struct settlement settlement = decide(1, 0, OUTCOME_PERMANENT, DELIVERY_NO_HINT, 0);
	assert_int_equal(settlement.verb, SETTLE_DEAD);
	assert_true(settlement.delay_ms >
	            0); /* where there is no such queue it comes again, not at once */
	assert_int_equal(decide(9, 500000, OUTCOME_DONE, DELIVERY_NO_HINT, 0).verb, SETTLE_ACK);
}

/* --- messages --- */

static void add(mosquitto_property **list, const char *name, const char *value)
{
	assert_int_equal(
	        mosquitto_property_add_string_pair(list, MQTT_PROP_USER_PROPERTY, name, value),
	        MOSQ_ERR_SUCCESS);
}

/* NULL when out of memory. */
static struct delivery *make(const char *payload)
{
	mosquitto_property *list = NULL;
	add(&list, "tenant", "a");
	add(&list, "sluice-id", "forged");
	mosquitto_property_add_string(&list, MQTT_PROP_CONTENT_TYPE, "application/json");
	mosquitto_property_add_binary(&list, MQTT_PROP_CORRELATION_DATA, "\x00\x01", 2);
	mosquitto_property_add_byte(&list, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR, 1);
	mosquitto_property_add_int32(&list, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, 60);
	add(&list, "sluice-id", "01J");
	add(&list, "sluice-attempt", "3");
	add(&list, "sluice-rule", "hot");
	add(&list, "sluice-topic", "plants/berlin");
	add(&list, "sluice-time", "2026-01-02T03:04:05.678Z");
	const struct link_message message = { .topic = "queues/q/out/R",
		                              .payload = sluice_str(payload),
		                              .properties = list };
	struct delivery *delivery = delivery_create(NULL, &message, SLUICE_STR("R"), 77);
	mosquitto_property_free_all(&list);
	return delivery;
}

#define IS(text, expected) assert_true(sluice_str_equal(text, SLUICE_STR(expected)))

static void test_a_message_is_read(void **state)
{
	(void)state;
	struct delivery *delivery = make("{\"n\":1}");
	IS(delivery->event.payload, "{\"n\":1}");
	IS(delivery->event.topic, "plants/berlin");
	IS(delivery->event.content_type, "application/json");
	IS(delivery->event.correlation_data, "\x00\x01");
	assert_int_equal(delivery->event.payload_format, 1);
	assert_int_equal(delivery->event.user_property_count, 7);
	IS(delivery->vars.id, "01J");
	IS(delivery->vars.rule, "hot");
	IS(delivery->receipt, "R");
	assert_int_equal(delivery->attempt, 3);
	assert_int_equal(delivery->lease_ms, 60000);
	assert_int_equal(delivery->vars.time_ms, 1767323045678);
	IS(delivery_property(delivery, "tenant"), "a");
	IS(delivery_property(delivery, "sluice-id"), "01J");
	assert_null(delivery_property(delivery, "nothing").data);
	delivery_destroy(delivery);
}

static void test_a_message_without_properties_is_read(void **state)
{
	(void)state;
	const struct link_message message = { .topic = "queues/q/out/R", .payload = { "", 0 } };
	struct delivery *delivery = delivery_create(NULL, &message, SLUICE_STR("R"), 77);
	assert_int_equal(delivery->attempt, 1);
	assert_int_equal(delivery->event.payload.len, 0);
	assert_null(delivery->vars.id.data);
	assert_int_equal(delivery->vars.time_ms, 0);
	delivery_destroy(delivery);
}

/* --- enrichment --- */

static const char *enrich(const char *payload, const char *into, const char *response)
{
	static char result[256];
	struct delivery *delivery = make(payload);
	struct sluice_error error = { 0 };
	struct sluice_str path = into ? sluice_str(into) : (struct sluice_str){ NULL, 0 };
	enum sluice_status status =
	        settle_enrich(delivery, path, strdup(response), strlen(response), &error);
	snprintf(result, sizeof result, "%.*s",
	         status ? (int)sizeof result : (int)delivery->event.payload.len,
	         status ? error.message : delivery->event.payload.data);
	delivery_destroy(delivery);
	return result;
}

static void test_a_response_replaces_the_event_or_joins_it(void **state)
{
	(void)state;
	assert_string_equal(enrich("{\"n\":1}", NULL, "any text"), "any text");
	assert_string_equal(enrich("{\"n\":1}", "$.who", "{\"x\": 2}"),
	                    "{\"n\":1,\"who\":{\"x\": 2}}");
	assert_string_equal(enrich("{ \"who\":1, \"n\" : 2 }", "$.who", "no JSON"),
	                    "{\"n\":2,\"who\":\"no JSON\"}");
	assert_string_equal(enrich("{}", "$.who", "null"), "{\"who\":null}");
	assert_string_equal(enrich("[1]", "$.who", "null"), "the event is no JSON object");
	assert_string_equal(enrich("{", "$.who", "null"), "the event is no JSON object");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_fails_comes_again_later_and_later),
		cmocka_unit_test(test_not_sooner_than_the_target_says),
		cmocka_unit_test(test_attempts_and_age_come_to_an_end),
		cmocka_unit_test(test_what_can_not_go_well_is_not_tried_again),
		cmocka_unit_test(test_a_message_is_read),
		cmocka_unit_test(test_a_message_without_properties_is_read),
		cmocka_unit_test(test_a_response_replaces_the_event_or_joins_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
