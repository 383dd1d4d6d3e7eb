/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What is made of events: signatures, CloudEvents, notes; and requests when memory runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http/cloudevents.h"
#include "http/request.h"
#include "http/sign.h"
#include "oom.h"
#include "push/services.h"

static const char slack_body[] =
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&"
        "channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&"
        "command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2F"
        "T1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121."
        "803a0bc887a14d10d2c447fce8b6703c";

/* As the schemes' own documents and libraries have them. */
static const struct {
	struct signer signer;
	const char *id;
	int64_t now_s;
	const char *body;
	const char *header, *value;
} signatures[] = {
	{ { "standard", "", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" },
	  "msg_p5jXN8AQM9LWM0D4loKWxJek",
	  1614265330,
	  "{\"test\": 2432232314}",
	  "webhook-signature",
	  "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" },
	{ { "github", "", "It's a Secret to Everybody" },
	  "id",
	  1,
	  "Hello, World!",
	  "X-Hub-Signature-256",
	  "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17" },
	{ { "hmac", "X-Mine", "It's a Secret to Everybody" },
	  "id",
	  1,
	  "Hello, World!",
	  "X-Mine",
	  "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17" },
	{ { "slack", "", "8f742231b10e8888abcd99yyyzzz85a5" },
	  "id",
	  1531420618,
	  slack_body,
	  "X-Slack-Signature",
	  "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503" },
};

static void test_signatures_are_those_of_the_published_examples(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
		struct http_message message;
		http_message_init(&message);
		assert_true(signer_is_valid(&signatures[i].signer));
		sign(&signatures[i].signer, sluice_str(signatures[i].id), signatures[i].now_s,
		     sluice_str(signatures[i].body), &message);
		const char *value = http_message_find(&message, signatures[i].header);
		assert_non_null(value);
		assert_string_equal(value, signatures[i].value);
		http_message_finish(&message);
	}
}

static void test_a_secret_of_standard_webhooks_must_be_base64(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "   ", "whsec_", "whsec_!!!!",
		                           "whsec_MfKQ no/good!" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct signer signer = { "standard", "", bad[i] };
		assert_false(signer_is_valid(&signer));
	}
	char longest[3000];
	memset(longest, 'A', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	const struct signer signer = { "standard", "", longest };
	assert_false(signer_is_valid(&signer));
}

/* --- events --- */

static struct delivery *delivery_of(const char *payload)
{
	static struct delivery delivery;
	memset(&delivery, 0, sizeof(delivery));
	delivery.event = SLUICE_EVENT_INIT;
	delivery.event.payload = sluice_str(payload);
	delivery.event.topic = SLUICE_STR("plants/b n/\xc3\xa4");
	delivery.attempt = 2;
	delivery.vars = (struct sluice_vars){ .event = &delivery.event,
		                              .rule = SLUICE_STR("hot"),
		                              .id = SLUICE_STR("id-1"),
		                              .time_ms = 1767323045678 };
	return &delivery;
}

/* Of tests that make none: delivery.c's reads messages of libmosquitto. */
static void assert_event(const char *payload, const char *type, const char *rest)
{
	static const char begin[] =
	        "{\"specversion\":\"1.0\",\"id\":\"id-1\",\"source\":\"/plants/b%20n/%C3%A4\","
	        "\"type\":\"sluice.rule.hot\",\"subject\":\"plants/b n/\xc3\xa4\","
	        "\"time\":\"2026-01-02T03:04:05.678Z\"";
	char expected[1024];
	struct sluice_buffer out = { 0 };
	cloudevent_write(delivery_of(payload), sluice_str(payload), sluice_str(type), &out);
	snprintf(expected, sizeof(expected), "%s%s}", begin, rest);
	assert_string_equal(out.data, expected);
	sluice_buffer_finish(&out);
}

static void test_cloudevents_hold_json_as_it_is_text_as_text_and_bytes_as_base64(void **state)
{
	(void)state;
	assert_event("{\"n\": 1.50}", "application/json",
	             ",\"datacontenttype\":\"application/json\",\"data\":{\"n\": 1.50}");
	assert_event("{\"n\": 1}", "application/vnd.x+json; charset=utf-8",
	             ",\"datacontenttype\":\"application/vnd.x+json; charset=utf-8\","
	             "\"data\":{\"n\": 1}");
	assert_event("7", NULL, ",\"data\":7");
	assert_event("7", "text/plain", ",\"datacontenttype\":\"text/plain\",\"data\":\"7\"");
	assert_event("7", "image/x", ",\"datacontenttype\":\"image/x\",\"data_base64\":\"Nw==\"");
	assert_event("\xff", "text/plain",
	             ",\"datacontenttype\":\"text/plain\",\"data_base64\":\"/w==\"");
	assert_event("no json", NULL, ",\"data_base64\":\"bm8ganNvbg==\"");
	assert_event("", NULL, "");
}

static void test_cloudevents_in_headers_are_printable_ascii(void **state)
{
	(void)state;
	struct http_message message;
	http_message_init(&message);
	cloudevent_headers(delivery_of("{}"), &message);
	assert_string_equal(http_message_find(&message, "ce-specversion"), "1.0");
	assert_string_equal(http_message_find(&message, "ce-subject"), "plants/b%20n/%C3%A4");
	assert_string_equal(http_message_find(&message, "ce-source"), "/plants/b%2520n/%25C3%25A4");
	assert_string_equal(http_message_find(&message, "CE-Type"), "sluice.rule.hot");
	http_message_finish(&message);
}

/* --- requests --- */

static const struct sluice_bridge_target *target_of(const char *settings)
{
	static struct sluice_bridge_target *target;
	static struct sluice_json_doc *doc;
	static char text[1024];
	struct sluice_error error;
	sluice_bridge_target_destroy(target);
	sluice_json_destroy(doc);
	snprintf(text, sizeof(text), "{\"name\":\"t\",\"kind\":\"http\",\"settings\":%s}",
	         settings);
	assert_int_equal(sluice_json_parse(sluice_str(text), 0, 64, &doc, &error), SLUICE_OK);
	if (sluice_bridge_target_from_json(sluice_json_root(doc), &target, &error))
		fail_msg("%s: %s", error.place, error.message);
	return target;
}

static void test_settings_that_can_not_be_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *settings;
		bool batch;
	} cases[] = {
		{ "{\"url\":\"example.com\"}", false },
		{ "{\"url\":\"https://u@example.com/\"}", false },
		{ "{\"url\":\"https://a b/\"}", false },
		{ "{\"url\":\"https://a/\",\"headers\":{\"A:B\":\"1\"}}", false },
		{ "{\"url\":\"https://a/\",\"headers\":{\"content-length\":\"1\"}}", false },
		{ "{\"url\":\"https://a/\",\"content_type\":\"a\\r\\nb\"}", false },
		{ "{\"url\":\"https://a/\",\"cloudevents\":\"binary\"}", true },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct sluice_bridge_target *target = target_of(cases[i].settings);
		struct http_request *request;
		struct sluice_error error;
		enum sluice_status status = http_request_create(target->kind, target->settings,
		                                                cases[i].batch, &request, &error);
		if (status != SLUICE_ERR_INVALID)
			fail_msg("%s: %s", cases[i].settings, sluice_status_name(status));
		assert_null(request);
	}
}

static void test_a_request_is_whole_or_not_at_all_when_memory_runs_out(void **state)
{
	(void)state;
	const struct sluice_bridge_target *target = target_of(
	        "{\"url\":\"https://a/{$.n}#x\",\"headers\":{\"A\":\"{topic}\"},"
	        "\"query\":{\"q\":\"{id}\"},\"cloudevents\":\"structured\",\"body\":\"[{$.n}]\"}");
	struct delivery *delivery = delivery_of("{\"n\":1}");
	for (size_t n = 1;; n++) {
		struct http_request *request = NULL;
		struct http_message message;
		struct sluice_error error;
		http_message_init(&message);
		oom_fail_at(n);
		enum sluice_status status = http_request_create(target->kind, target->settings,
		                                                false, &request, &error);
		if (!status)
			status = http_request_make(request, &delivery, 1, &message, &error);
		bool happened = oom_happened();
		if (!happened) {
			assert_int_equal(status, SLUICE_OK);
			assert_string_equal(message.url.data, "https://a/1?q=id-1");
			assert_non_null(strstr(message.body.data, "\"data\":[1]"));
		} else if (status) {
			assert_int_equal(status, SLUICE_ERR_NOMEM);
		}
		http_message_finish(&message);
		http_request_destroy(request);
		if (!happened)
			break;
	}
	target_of("{\"url\":\"https://a/\"}");
}

/* --- notes --- */

static void test_notes(void **state)
{
	(void)state;
	const struct {
		const char *service;
		struct push_note note;
		const char *body;
	} cases[] = {
		{ "slack",
		  { { NULL, 0 }, SLUICE_STR("<!channel> a & b"), 0 },
		  "{\"text\":\"&lt;!channel&gt; a &amp; b\"}" },
		{ "ntfy",
		  { { NULL, 0 }, SLUICE_STR("say \"x\""), 1 },
		  "{\"topic\":\"n\",\"message\":\"say \\\"x\\\"\",\"priority\":1}" },
		{ "fcm",
		  { SLUICE_STR("t"), SLUICE_STR("m"), 2 },
		  "{\"message\":{\"topic\":\"n\",\"notification\":{\"body\":\"m\",\"title\":\"t\"},"
		  "\"android\":{\"priority\":\"normal\"}}}" },
		{ "twilio",
		  { SLUICE_STR("a&b"), SLUICE_STR("c d"), 0 },
		  "To=%2B1&From=&Body=a%26b%0Ac%20d" },
	};
	const struct push_address address = { .name = SLUICE_STR("n"), .to = SLUICE_STR("+1") };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_buffer out = { 0 };
		const struct push_service *service =
		        push_service_find(sluice_str(cases[i].service));
		assert_non_null(service);
		service->write(&address, &cases[i].note, &out);
		assert_string_equal(out.data, cases[i].body);
		sluice_buffer_finish(&out);
	}
	assert_null(push_service_find(SLUICE_STR("pager")));
	assert_int_equal(push_cut(SLUICE_STR("a\xc3\xa4\xc3\xa4"), 4).len, 3);
	assert_int_equal(push_cut(SLUICE_STR("abc"), 3).len, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signatures_are_those_of_the_published_examples),
		cmocka_unit_test(test_a_secret_of_standard_webhooks_must_be_base64),
		cmocka_unit_test(
		        test_cloudevents_hold_json_as_it_is_text_as_text_and_bytes_as_base64),
		cmocka_unit_test(test_cloudevents_in_headers_are_printable_ascii),
		cmocka_unit_test(test_settings_that_can_not_be_are_refused),
		cmocka_unit_test(test_a_request_is_whole_or_not_at_all_when_memory_runs_out),
		cmocka_unit_test(test_notes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
