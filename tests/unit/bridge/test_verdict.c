/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "private_address.h"
#include "verdict.h"

static void test_a_status_is_done_for_later_or_hopeless(void **state)
{
	(void)state;
	static const struct {
		long status;
		enum outcome outcome;
	} cases[] = {
		{ 200, OUTCOME_DONE },      { 201, OUTCOME_DONE },      { 204, OUTCOME_DONE },
		{ 299, OUTCOME_DONE },      { 301, OUTCOME_PERMANENT }, { 304, OUTCOME_PERMANENT },
		{ 400, OUTCOME_PERMANENT }, { 401, OUTCOME_PERMANENT }, { 404, OUTCOME_PERMANENT },
		{ 408, OUTCOME_RETRY },     { 409, OUTCOME_PERMANENT }, { 410, OUTCOME_PERMANENT },
		{ 413, OUTCOME_PERMANENT }, { 425, OUTCOME_RETRY },     { 429, OUTCOME_RETRY },
		{ 500, OUTCOME_RETRY },     { 501, OUTCOME_RETRY },     { 503, OUTCOME_RETRY },
		{ 599, OUTCOME_RETRY },     { 999, OUTCOME_RETRY },     { 0, OUTCOME_PERMANENT },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct verdict verdict;
		verdict_of_status(&verdict, cases[i].status, "h", 1500);
		if (verdict.outcome != cases[i].outcome)
			fail_msg("HTTP %ld: %d", cases[i].status, verdict.outcome);
		assert_int_equal(verdict.hint_ms,
		                 cases[i].outcome == OUTCOME_RETRY ? 1500 : DELIVERY_NO_HINT);
	}
	struct verdict verdict;
	verdict_of_status(&verdict, 503, "hooks.example.com:8443", DELIVERY_NO_HINT);
	assert_string_equal(verdict.reason, "HTTP 503 from hooks.example.com:8443");
}

static void test_a_failure_is_for_later_unless_it_is_the_address(void **state)
{
	(void)state;
	static const struct {
		struct transfer_failure failure;
		enum outcome outcome;
		const char *reason;
	} cases[] = {
		{ { .code = CURLE_URL_MALFORMAT, .host = "" },
		  OUTCOME_PERMANENT,
		  "the address is no URL" },
		{ { .code = CURLE_UNSUPPORTED_PROTOCOL, .host = "h" },
		  OUTCOME_PERMANENT,
		  "the URL's protocol is none that this kind of target speaks" },
		{ { .code = CURLE_UNSUPPORTED_PROTOCOL, .host = "h", .connected = true },
		  OUTCOME_RETRY,
		  "what answers is no HTTP server: h" },
		{ { .code = CURLE_UNSUPPORTED_PROTOCOL, .host = "h", .status = 302 },
		  OUTCOME_PERMANENT,
		  "a redirect to a protocol that is not allowed" },
		{ { .code = CURLE_COULDNT_RESOLVE_HOST, .host = "h" },
		  OUTCOME_RETRY,
		  "the name can't be resolved: h" },
		{ { .code = CURLE_COULDNT_CONNECT, .host = "h:1", .os_error = ECONNREFUSED },
		  OUTCOME_RETRY,
		  "can't connect to h:1: Connection refused" },
		{ { .code = CURLE_OPERATION_TIMEDOUT, .host = "h", .timeout_ms = 200 },
		  OUTCOME_RETRY,
		  "no connection in time to h" },
		{ { .code = CURLE_OPERATION_TIMEDOUT,
		    .host = "h",
		    .timeout_ms = 200,
		    .connected = true },
		  OUTCOME_RETRY,
		  "no answer from h within 200 ms" },
		{ { .code = CURLE_PEER_FAILED_VERIFICATION,
		    .host = "h",
		    .detail = "SSL certificate problem: self-signed certificate" },
		  OUTCOME_RETRY,
		  "can't trust the certificate of h: SSL certificate problem: self-signed "
		  "certificate" },
		{ { .code = CURLE_GOT_NOTHING, .host = "h" },
		  OUTCOME_RETRY,
		  "the connection was cut by h" },
		{ { .code = CURLE_READ_ERROR, .host = "h", .detail = "with a secret" },
		  OUTCOME_RETRY,
		  "failed: h: Failed to open/read local data from file/application" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct transfer_failure failure = cases[i].failure;
		if (!failure.detail)
			failure.detail = "";
		struct verdict verdict;
		verdict_of_failure(&verdict, &failure);
		assert_string_equal(verdict.reason, cases[i].reason);
		assert_int_equal(verdict.outcome, cases[i].outcome);
		assert_int_equal(verdict.hint_ms, DELIVERY_NO_HINT);
	}
}

static void test_a_reason_is_one_line_of_bounded_length(void **state)
{
	(void)state;
	char host[1000];
	memset(host, 'h', sizeof(host));
	host[0] = '\n';
	host[1] = 0x1b;
	host[sizeof(host) - 1] = '\0';
	struct verdict verdict;
	verdict_of_status(&verdict, 404, host, DELIVERY_NO_HINT);
	assert_int_equal(strlen(verdict.reason), VERDICT_REASON_SIZE - 1);
	assert_memory_equal(verdict.reason, "HTTP 404 from ??hh", 18);
}

static void test_retry_after_is_seconds_or_a_date(void **state)
{
	(void)state;
	/* RFC 9110, 5.6.7: one time in its three forms, 784111777 s since 1970. */
	const int64_t now_ms = 784111777000 - 37000;
	static const struct {
		const char *value;
		int64_t ms;
	} cases[] = {
		{ "0", 0 },
		{ "120", 120000 },
		{ "43200", 43200000 },
		{ "43201", 43200000 },
		{ "99999999999999999999999999", 43200000 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 37000 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", 37000 },
		{ "Sun Nov  6 08:49:37 1994", 37000 },
		{ "Sun, 06 Nov 1994 08:00:00 GMT", 0 },
		{ "Sun, 06 Nov 2044 08:00:00 GMT", 43200000 },
		{ "", DELIVERY_NO_HINT },
		{ "-1", DELIVERY_NO_HINT },
		{ "1.5", DELIVERY_NO_HINT },
		{ "5 minutes", DELIVERY_NO_HINT },
		{ "soon", DELIVERY_NO_HINT },
		{ "20261126", 43200000 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t ms = retry_after_ms(cases[i].value, now_ms);
		if (ms != cases[i].ms)
			fail_msg("%s: %lld", cases[i].value, (long long)ms);
	}
}

static void test_addresses_behind_the_firewall_are_private(void **state)
{
	(void)state;
	static const char *const private[] = {
		"0.0.0.0",
		"10.1.2.3",
		"100.64.0.1",
		"100.127.255.255",
		"127.0.0.1",
		"127.255.0.9",
		"169.254.169.254",
		"172.16.0.1",
		"172.31.255.255",
		"192.168.0.1",
		"198.18.0.1",
		"224.0.0.1",
		"255.255.255.255",
		"::",
		"::1",
		"::ffff:127.0.0.1",
		"::ffff:192.168.7.7",
		"::127.0.0.1",
		"fc00::1",
		"fd12:3456::1",
		"fe80::1",
		"ff02::1",
		"64:ff9b::10.0.0.1",
		"2002:7f00:1::",
		"2001::1",
		"2001:db8::1",
		"not an address",
		"",
		"127.1",
		"fe80::1%eth0",
	};
	static const char *const public[] = {
		"1.1.1.1",         "9.255.255.255",     "11.0.0.0",       "100.63.255.255",
		"100.128.0.0",     "126.255.255.255",   "128.0.0.1",      "169.253.0.1",
		"172.15.255.255",  "172.32.0.0",        "192.167.1.1",    "223.255.255.255",
		"2606:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
		"2002:808:808::1", "2001:4860::8888",   "2003:e5:1::1",
	};
	for (size_t i = 0; i < sizeof(private) / sizeof(private[0]); i++) {
		if (!address_text_is_private(private[i]))
			fail_msg("%s is taken for public", private[i]);
	}
	for (size_t i = 0; i < sizeof(public) / sizeof(public[0]); i++) {
		if (address_text_is_private(public[i]))
			fail_msg("%s is taken for private", public[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_status_is_done_for_later_or_hopeless),
		cmocka_unit_test(test_a_failure_is_for_later_unless_it_is_the_address),
		cmocka_unit_test(test_a_reason_is_one_line_of_bounded_length),
		cmocka_unit_test(test_retry_after_is_seconds_or_a_date),
		cmocka_unit_test(test_addresses_behind_the_firewall_are_private),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
