/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Signatures of webhooks, with the examples that those who sign have published. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "oom.h"
#include "webhook/signature.h"

#define STANDARD_SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define STANDARD_BODY   "{\"test\": 2432232314}"
#define STANDARD_CODE   "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define SLACK_BODY                                                                                 \
	"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id="     \
	"G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2F"         \
	"webhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%" \
	"2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121."           \
	"803a0bc887a14d10d2c447fce8b6703c"
#define GITHUB_CODE "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

static struct signature *create(enum signature_scheme scheme, const char *secret,
                                const char *prefix)
{
	struct signature *signature;
	struct sluice_error error = { 0 };

	if (signature_create(scheme, sluice_str(secret), SLUICE_STR("X-Sig"), sluice_str(prefix),
	                     &signature, &error) != SLUICE_OK)
		fail_msg("%s: %s", secret, error.message);
	return signature;
}

/* "unread", "wrong", or "good at TIME". */
static const char *judge(const struct signature *signature, const char *text, const char *time,
                         const char *id, const char *body)
{
	static char said[64];
	struct signature_claim claim;
	const struct sluice_str parts[SIGNATURE_PARTS] = { sluice_str(text), sluice_str(time),
		                                           sluice_str(id) };
	const unsigned char *code;

	if (!signature_read(signature, parts, &claim))
		return "unread";
	if (!signature_holds(signature, &claim, sluice_str(body), &code))
		return "wrong";
	assert_non_null(code);
	snprintf(said, sizeof(said), "good at %lld", (long long)claim.time_s);
	return said;
}

static void test_standard_webhooks(void **state)
{
	static const struct {
		const char *signature, *time, *id, *body, *said;
	} cases[] = {
		{ STANDARD_CODE, "1614265330", "msg_p5jXN8AQM9LWM0D4loKWxJek", STANDARD_BODY,
		  "good at 1614265330" },
		{ "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,abc v1a,x " STANDARD_CODE,
		  "1614265330", "msg_p5jXN8AQM9LWM0D4loKWxJek", STANDARD_BODY,
		  "good at 1614265330" },
		{ STANDARD_CODE, "1614265331", "msg_p5jXN8AQM9LWM0D4loKWxJek", STANDARD_BODY,
		  "wrong" },
		{ STANDARD_CODE, "1614265330", "msg_p5jXN8AQM9LWM0D4loKWxJel", STANDARD_BODY,
		  "wrong" },
		{ STANDARD_CODE, "1614265330", "msg_p5jXN8AQM9LWM0D4loKWxJek", "{}", "wrong" },
		{ STANDARD_CODE, "1614265330", NULL, STANDARD_BODY, "unread" },
		{ STANDARD_CODE, "1614265330", "", STANDARD_BODY, "unread" },
		{ STANDARD_CODE, NULL, "i", STANDARD_BODY, "unread" },
		{ STANDARD_CODE, " 1614265330", "i", STANDARD_BODY, "unread" },
		{ STANDARD_CODE, "-1", "i", STANDARD_BODY, "unread" },
		{ STANDARD_CODE, "1e9", "i", STANDARD_BODY, "unread" },
		{ STANDARD_CODE, "1614265330161426533016142653301614265330", "i", STANDARD_BODY,
		  "unread" },
		{ NULL, "1614265330", "i", STANDARD_BODY, "unread" },
		{ "", "1614265330", "i", STANDARD_BODY, "unread" },
		{ "v1,", "1614265330", "i", STANDARD_BODY, "unread" },
		{ "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "1614265330", "i",
		  STANDARD_BODY, "unread" },
		{ "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE", "1614265330", "i",
		  STANDARD_BODY, "unread" },
	};
	struct signature *signature = create(SIGNATURE_STANDARD, STANDARD_SECRET, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *said = judge(signature, cases[i].signature, cases[i].time, cases[i].id,
		                         cases[i].body);
		if (strcmp(said, cases[i].said) != 0)
			fail_msg("%s %s %s: %s", cases[i].signature, cases[i].time, cases[i].id,
			         said);
	}
	signature_destroy(signature);
}

static void test_any_of_several_secrets_will_do(void **state)
{
	static const char *const secrets[] = {
		"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"whsec_b3RoZXI= " STANDARD_SECRET,
		STANDARD_SECRET "\nwhsec_b3RoZXI\n",
		"\r\n  whsec_b3RoZXI=\r\n\r\n" STANDARD_SECRET "\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		struct signature *signature = create(SIGNATURE_STANDARD, secrets[i], NULL);
		assert_string_equal(judge(signature, STANDARD_CODE, "1614265330",
		                          "msg_p5jXN8AQM9LWM0D4loKWxJek", STANDARD_BODY),
		                    "good at 1614265330");
		signature_destroy(signature);
	}
	/* Those of the others may hold blanks: a line each. */
	struct signature *signature =
	        create(SIGNATURE_GITHUB, "old\nIt's a Secret to Everybody", NULL);
	assert_string_equal(judge(signature, "sha256=" GITHUB_CODE, NULL, NULL, "Hello, World!"),
	                    "good at 0");
	signature_destroy(signature);
}

static void test_github_and_hmac(void **state)
{
	struct signature *github = create(SIGNATURE_GITHUB, "It's a Secret to Everybody", NULL);
	struct signature *plain = create(SIGNATURE_HMAC, "It's a Secret to Everybody", NULL);
	struct signature *prefixed = create(SIGNATURE_HMAC, "It's a Secret to Everybody", "sig=");

	(void)state;
	assert_string_equal(judge(github, "sha256=" GITHUB_CODE, NULL, NULL, "Hello, World!"),
	                    "good at 0");
	assert_string_equal(judge(github, "sha256=" GITHUB_CODE, NULL, NULL, "Hello, World?"),
	                    "wrong");
	assert_string_equal(judge(github, GITHUB_CODE, NULL, NULL, "Hello, World!"), "unread");
	assert_string_equal(judge(github, "sha256=" GITHUB_CODE "0", NULL, NULL, ""), "unread");
	assert_string_equal(judge(github, "sha1=" GITHUB_CODE, NULL, NULL, ""), "unread");
	assert_string_equal(judge(plain, GITHUB_CODE, NULL, NULL, "Hello, World!"), "good at 0");
	assert_string_equal(judge(plain, "dXEH6g6yUJ/CESIczphLijdXC211hsIsRvQ3nIsEPhc=", NULL, NULL,
	                          "Hello, World!"),
	                    "good at 0");
	assert_string_equal(judge(prefixed, "sig=" GITHUB_CODE, NULL, NULL, "Hello, World!"),
	                    "good at 0");
	assert_string_equal(judge(prefixed, GITHUB_CODE, NULL, NULL, "Hello, World!"), "unread");
	assert_string_equal(signature_header(github, SIGNATURE_PART_SIGNATURE),
	                    "X-Hub-Signature-256");
	assert_string_equal(signature_header(plain, SIGNATURE_PART_SIGNATURE), "X-Sig");
	assert_null(signature_header(plain, SIGNATURE_PART_TIME));
	signature_destroy(github);
	signature_destroy(plain);
	signature_destroy(prefixed);
}

static void test_slack(void **state)
{
	static const char code[] =
	        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
	struct signature *signature =
	        create(SIGNATURE_SLACK, "8f742231b10e8888abcd99yyyzzz85a5", NULL);

	(void)state;
	assert_string_equal(judge(signature, code, "1531420618", NULL, SLACK_BODY),
	                    "good at 1531420618");
	assert_string_equal(judge(signature, code, "1531420619", NULL, SLACK_BODY), "wrong");
	assert_string_equal(judge(signature, code, NULL, NULL, SLACK_BODY), "unread");
	assert_string_equal(judge(signature, code + 3, "1531420618", NULL, SLACK_BODY), "unread");
	signature_destroy(signature);
}

static void test_stripe(void **state)
{
	/* openssl dgst -sha256 -hmac whsec_test over "1492774577.{}" */
	static const char hex[] =
	        "0d0602f6611bd2252dd4b74b58a4528355a7380639a15e6cc21e3059d56d5b8b";
	struct signature *signature = create(SIGNATURE_STRIPE, "whsec_test", NULL);
	char text[512];

	(void)state;
	snprintf(text, sizeof(text), "t=1492774577,v1=%s", hex);
	assert_string_equal(judge(signature, text, NULL, NULL, "{}"), "good at 1492774577");
	snprintf(text, sizeof(text), "v0=x,v1=%064d,v1=%s,t=1492774577", 0, hex);
	assert_string_equal(judge(signature, text, NULL, NULL, "{}"), "good at 1492774577");
	assert_string_equal(judge(signature, text, NULL, NULL, "{} "), "wrong");
	snprintf(text, sizeof(text), "t=1492774577,t=1,v1=%s", hex);
	assert_string_equal(judge(signature, text, NULL, NULL, "{}"), "unread");
	snprintf(text, sizeof(text), "v1=%s", hex);
	assert_string_equal(judge(signature, text, NULL, NULL, "{}"), "unread");
	assert_string_equal(judge(signature, "t=1492774577", NULL, NULL, "{}"), "unread");
	assert_string_equal(judge(signature, ",,,", NULL, NULL, "{}"), "unread");
	signature_destroy(signature);
}

static void test_a_time_is_fresh_within_the_tolerance(void **state)
{
	struct signature_claim claim = { .time = SLUICE_STR("1000"), .time_s = 1000 };

	(void)state;
	assert_true(signature_is_fresh(&claim, 1300, 300));
	assert_true(signature_is_fresh(&claim, 700, 300));
	assert_false(signature_is_fresh(&claim, 1301, 300));
	assert_false(signature_is_fresh(&claim, 699, 300));
	claim.time_s = 999999999999999;
	assert_false(signature_is_fresh(&claim, 1000, 300));
	claim.time = (struct sluice_str){ 0 };
	assert_true(signature_is_fresh(&claim, 1000, 300));
}

static void test_reading_takes_no_memory(void **state)
{
	struct signature *signature = create(SIGNATURE_STANDARD, STANDARD_SECRET, NULL);

	(void)state;
	oom_calls();
	judge(signature, STANDARD_CODE, "1614265330", "msg_p5jXN8AQM9LWM0D4loKWxJek",
	      STANDARD_BODY);
	judge(signature, "v1,x v1,y", "1", "i", STANDARD_BODY);
	assert_int_equal(oom_calls().allocations, 0);
	signature_destroy(signature);
}

static void test_what_is_no_secret_is_refused(void **state)
{
	static const struct {
		enum signature_scheme scheme;
		const char *secret, *header, *message;
	} cases[] = {
		{ SIGNATURE_GITHUB, "", "h", "the connection has no secret" },
		{ SIGNATURE_GITHUB, "\n\n", "h", "the connection has no secret" },
		{ SIGNATURE_STANDARD, "whsec_", "h",
		  "a secret of \"standard\" must be base64, as a rule with \"whsec_\" before it" },
		{ SIGNATURE_STANDARD, "whsec_!!!!", "h",
		  "a secret of \"standard\" must be base64, as a rule with \"whsec_\" before it" },
		{ SIGNATURE_GITHUB, "1\n2\n3\n4\n5\n6\n7\n8\n9", "h",
		  "there are more than 8 secrets" },
		{ SIGNATURE_HMAC, "s", "", "\"hmac\" needs a \"header\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct signature *signature;
		struct sluice_error error;
		assert_int_not_equal(signature_create(cases[i].scheme, sluice_str(cases[i].secret),
		                                      sluice_str(cases[i].header),
		                                      (struct sluice_str){ 0 }, &signature, &error),
		                     SLUICE_OK);
		assert_null(signature);
		assert_string_equal(error.message, cases[i].message);
	}
}

static void test_any_allocation_may_fail(void **state)
{
	size_t n = 0;

	(void)state;
	for (bool failed = true; failed;) {
		struct signature *signature;
		oom_fail_at(++n);
		enum sluice_status status =
		        signature_create(SIGNATURE_HMAC, SLUICE_STR("a\nb"), SLUICE_STR("h"),
		                         SLUICE_STR("p"), &signature, NULL);
		failed = oom_happened();
		assert_int_equal(status, failed ? SLUICE_ERR_NOMEM : SLUICE_OK);
		signature_destroy(signature);
	}
	assert_true(n > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_standard_webhooks),
		cmocka_unit_test(test_any_of_several_secrets_will_do),
		cmocka_unit_test(test_github_and_hmac),
		cmocka_unit_test(test_slack),
		cmocka_unit_test(test_stripe),
		cmocka_unit_test(test_a_time_is_fresh_within_the_tolerance),
		cmocka_unit_test(test_reading_takes_no_memory),
		cmocka_unit_test(test_what_is_no_secret_is_refused),
		cmocka_unit_test(test_any_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
