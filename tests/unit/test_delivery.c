/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Delays and deduplication of targets and queues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "oom.h"
#include "sha256.h"
#include "sluice/delivery.h"

static const struct sluice_property properties[] = { { { "delay", 5 }, { "250", 3 } } };

static struct sluice_event make_event(const char *payload)
{
	struct sluice_event event = SLUICE_EVENT_INIT;

	event.payload = sluice_str(payload);
	event.topic = SLUICE_STR("a/b");
	event.user_properties = properties;
	event.user_property_count = 1;
	return event;
}

static enum sluice_status parse_delay(const char *text, struct sluice_delay **delay,
                                      struct sluice_error *error)
{
	struct sluice_json_doc *doc;

	assert_int_equal(sluice_json_parse(sluice_str(text), 0, 8, &doc, NULL), SLUICE_OK);
	enum sluice_status status = sluice_delay_from_json(sluice_json_root(doc), delay, error);
	sluice_json_destroy(doc);
	return status;
}

static struct sluice_deduplication *parse_deduplication(const char *text)
{
	struct sluice_json_doc *doc;
	struct sluice_deduplication *deduplication;
	struct sluice_error error = { 0 };

	assert_int_equal(sluice_json_parse(sluice_str(text), 0, 8, &doc, NULL), SLUICE_OK);
	if (sluice_deduplication_from_json(sluice_json_root(doc), &deduplication, &error))
		fail_msg("%s: %s", text, error.message);
	sluice_json_destroy(doc);
	return deduplication;
}

static void test_the_delay_of_an_event_is_what_it_says_or_the_number_given(void **state)
{
	static const struct {
		const char *delay, *payload;
		int64_t ms; /* -1 = refused */
	} cases[] = {
		{ "0", "{}", 0 },
		{ "31536000000", "{}", SLUICE_DELAY_MAX_MS },
		{ "\"$.d\"", "{\"d\":1500}", 1500 },
		{ "\"$.d\"", "{\"d\":1.5e3}", 1500 },
		{ "\"$.d\"", "{\"d\":\"1500\"}", 1500 },
		{ "\"$.d\"", "{\"d\":31536000000}", SLUICE_DELAY_MAX_MS },
		{ "\"$.d\"", "{\"d\":31536000001}", -1 },
		{ "\"$.d\"", "{\"d\":-1}", -1 },
		{ "\"$.d\"", "{\"d\":0.5}", -1 },
		{ "\"$.d\"", "{\"d\":\"soon\"}", -1 },
		{ "\"$.d\"", "{\"d\":\"\"}", -1 },
		{ "\"$.d\"", "{\"d\":true}", -1 },
		{ "\"$.d\"", "{\"d\":[1]}", -1 },
		{ "\"$.d\"", "{\"d\":1e99999999999999999999}", -1 },
		{ "\"$.d\"", "{\"d\":null}", 0 },
		{ "\"$.d\"", "{}", 0 },
		{ "\"$.d\"", "no JSON", 0 },
		{ "\"$mqtt.user_properties.delay\"", "", 250 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_event event = make_event(cases[i].payload);
		struct sluice_delay *delay;
		struct sluice_error error;
		int64_t ms = -2;

		assert_int_equal(parse_delay(cases[i].delay, &delay, &error), SLUICE_OK);
		enum sluice_status status = sluice_delay_of(delay, &event, &ms, &error);
		if ((status == SLUICE_OK) != (cases[i].ms >= 0) ||
		    (status == SLUICE_OK && ms != cases[i].ms))
			fail_msg("%s of %s: %s %lld", cases[i].delay, cases[i].payload,
			         sluice_status_name(status), (long long)ms);
		sluice_delay_destroy(delay);
	}
}

static void test_a_delay_is_a_number_up_to_a_year_or_a_path(void **state)
{
	static const char *const cases[][2] = {
		{ "31536000001", "must be a whole number of milliseconds, at most a year "
		                 "(31536000000), or a path" },
		{ "-1", "must be a whole number of milliseconds, at most a year (31536000000), or "
		        "a path" },
		{ "[]", "must be a whole number of milliseconds, at most a year (31536000000), or "
		        "a path" },
		{ "\"5\"", "a path begins with \"$\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_delay *delay;
		struct sluice_error error;

		assert_int_not_equal(parse_delay(cases[i][0], &delay, &error), SLUICE_OK);
		assert_null(delay);
		assert_string_equal(error.message, cases[i][1]);
	}
}

/* The key of an event whose payload is this; false when it has none. */
static bool key_of(const struct sluice_deduplication *deduplication, const char *payload,
                   unsigned char key[SLUICE_DEDUPLICATION_BYTES])
{
	struct sluice_event event = make_event(payload);
	struct sluice_buffer scratch = { 0 };
	enum sluice_status status =
	        sluice_deduplication_key(deduplication, &event, event.payload, &scratch, key);

	sluice_buffer_finish(&scratch);
	assert_true(status == SLUICE_OK || status == SLUICE_ERR_NOT_FOUND);
	return status == SLUICE_OK;
}

static void test_events_count_as_one_when_their_keys_are_written_alike(void **state)
{
	static const struct {
		const char *key, *first, *second;
		bool same;
	} cases[] = {
		{ "content", "{\"a\":1}", "{\"a\":1}", true },
		{ "content", "{\"a\":1}", "{\"a\": 1}", false },
		{ "content", "", "", true },
		{ "$.id", "{\"id\":7,\"n\":1}", "{\"n\":2,\"id\":7}", true },
		{ "$.id", "{\"id\":7}", "{\"id\":\"7\"}", true },
		{ "$.id", "{\"id\":7}", "{\"id\":7.0}", false },
		{ "$.id", "{\"id\":\"\\u0041\"}", "{\"id\":\"A\"}", true },
		{ "$.id", "{\"id\":{\"a\":1}}", "{\"id\":{ \"a\" : 1 }}", true },
		{ "$mqtt.topic", "1", "2", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[64];
		unsigned char first[SLUICE_DEDUPLICATION_BYTES], second[sizeof(first)];

		snprintf(text, sizeof(text), "{\"key\":\"%s\"}", cases[i].key);
		struct sluice_deduplication *deduplication = parse_deduplication(text);
		assert_true(key_of(deduplication, cases[i].first, first));
		assert_true(key_of(deduplication, cases[i].second, second));
		if ((memcmp(first, second, sizeof(first)) == 0) != cases[i].same)
			fail_msg("%s: %s and %s", cases[i].key, cases[i].first, cases[i].second);
		sluice_deduplication_destroy(deduplication);
	}
}

static void test_an_event_without_a_key_is_no_duplicate(void **state)
{
	static const char *const payloads[] = { "{}", "{\"id\":null}", "[]", "on", "" };
	struct sluice_deduplication *deduplication = parse_deduplication("{\"key\":\"$.id\"}");
	unsigned char key[SLUICE_DEDUPLICATION_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
		assert_false(key_of(deduplication, payloads[i], key));
	sluice_deduplication_destroy(deduplication);
}

static void test_a_hash_is_that_of_fips_180(void **state)
{
	/* Of the bytes 0, 7, 14, … modulo 256; the lengths are those around the padding's borders. */
	static const struct {
		size_t len;
		const char *hash;
	} cases[] = {
		{ 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ 3, "b361d0f9a938a2bb4fbdc9c21dc5a859788041b0040919d8a811c1888184f4df" },
		{ 55, "576a1bf8d4478657e6dc4af9398544765c2a92cde28478b019235cfed315fc09" },
		{ 56, "9b20501dfd1d99161c257950f3444f3e49230c351c5c8e0943ef369f85f5205d" },
		{ 63, "30b345906b493f06f69444b6521113511c242f30e29840462950035043682f1e" },
		{ 64, "d8bc63b4fc1156e5e7d95a418b9bf54cd3174bedbc2db40f74895349b229b3c0" },
		{ 65, "1ee23b0fbcaecc1aff4a9e8f1645f35ab2c8e13609cd73b68df8b5e3f63ce073" },
		{ 119, "7a6589821178918ca8d9edaba5abfc1e9b2669564f4469b66885379c1530b2c8" },
		{ 120, "655250427d56b1b0eeb8497d21428704273458a01772d6881b65c0abac0f8a98" },
		{ 1000, "89f4ff56a25dd1db06a4ce6033603775d705fb96f30f8693733fef602a1ca532" },
	};
	char bytes[1000];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(unsigned char)(i * 7);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned char hash[SLUICE_SHA256_BYTES];
		char text[2 * SLUICE_SHA256_BYTES + 1];

		sluice_sha256((struct sluice_str){ bytes, cases[i].len }, hash);
		for (size_t b = 0; b < sizeof(hash); b++)
			snprintf(text + 2 * b, 3, "%02x", hash[b]);
		assert_string_equal(text, cases[i].hash);
	}
}

static void test_a_hash_of_pieces_is_that_of_the_whole(void **state)
{
	char bytes[200];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(unsigned char)(i * 7);
	for (size_t first = 0; first <= sizeof(bytes); first++) {
		unsigned char whole[SLUICE_SHA256_BYTES], pieces[SLUICE_SHA256_BYTES];
		size_t second = (sizeof(bytes) - first) / 3;
		struct sluice_sha256 sha256;

		sluice_sha256((struct sluice_str){ bytes, sizeof(bytes) }, whole);
		sluice_sha256_init(&sha256);
		sluice_sha256_add(&sha256, (struct sluice_str){ bytes, first });
		sluice_sha256_add(&sha256, (struct sluice_str){ 0 });
		sluice_sha256_add(&sha256, (struct sluice_str){ bytes + first, second });
		sluice_sha256_add(&sha256, (struct sluice_str){ bytes + first + second,
		                                                sizeof(bytes) - first - second });
		sluice_sha256_end(&sha256, pieces);
		assert_memory_equal(whole, pieces, sizeof(whole));
	}
}

static void test_any_allocation_may_fail(void **state)
{
	struct sluice_event event = make_event("{\"id\":\"an id that is long enough\",\"d\":5}");
	struct sluice_json_doc *doc;

	(void)state;
	assert_int_equal(sluice_json_parse(SLUICE_STR("{\"key\":\"$.id\"}"), 0, 8, &doc, NULL),
	                 SLUICE_OK);
	for (size_t n = 1;; n++) {
		struct sluice_deduplication *deduplication;
		struct sluice_buffer scratch = { 0 };
		unsigned char key[SLUICE_DEDUPLICATION_BYTES];

		oom_fail_at(n);
		enum sluice_status status =
		        sluice_deduplication_from_json(sluice_json_root(doc), &deduplication, NULL);
		if (status == SLUICE_OK)
			status = sluice_deduplication_key(deduplication, &event, event.payload,
			                                  &scratch, key);
		bool failed = oom_happened();
		assert_int_equal(status, failed ? SLUICE_ERR_NOMEM : SLUICE_OK);
		sluice_buffer_finish(&scratch);
		sluice_deduplication_destroy(deduplication);
		if (!failed)
			break;
	}
	sluice_json_destroy(doc);
	for (size_t n = 1;; n++) {
		struct sluice_delay *delay = NULL;
		struct sluice_error error;
		int64_t ms;

		assert_int_equal(sluice_json_parse(SLUICE_STR("\"$.d\""), 0, 8, &doc, NULL),
		                 SLUICE_OK);
		oom_fail_at(n);
		enum sluice_status status =
		        sluice_delay_from_json(sluice_json_root(doc), &delay, &error);
		if (status == SLUICE_OK)
			status = sluice_delay_of(delay, &event, &ms, &error);
		bool failed = oom_happened();
		assert_int_equal(status, failed ? SLUICE_ERR_NOMEM : SLUICE_OK);
		sluice_delay_destroy(delay);
		sluice_json_destroy(doc);
		if (!failed)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_delay_of_an_event_is_what_it_says_or_the_number_given),
		cmocka_unit_test(test_a_delay_is_a_number_up_to_a_year_or_a_path),
		cmocka_unit_test(test_events_count_as_one_when_their_keys_are_written_alike),
		cmocka_unit_test(test_an_event_without_a_key_is_no_duplicate),
		cmocka_unit_test(test_a_hash_is_that_of_fips_180),
		cmocka_unit_test(test_a_hash_of_pieces_is_that_of_the_whole),
		cmocka_unit_test(test_any_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
