/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "hmac.h"

static const char *code_of(struct sluice_str key, const struct sluice_str *parts, size_t count)
{
	static char text[2 * HMAC_BYTES + 1];
	unsigned char code[HMAC_BYTES];
	hmac_sha256(key, parts, count, code);
	for (size_t i = 0; i < HMAC_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", code[i]);
	return text;
}

static void test_codes_are_those_of_rfc_4231(void **state)
{
	/* A key and a text, each of one byte so many times, or a text in ASCII. */
	static const struct {
		int key, key_len;
		const char *key_text;
		int byte, len;
		const char *text, *code;
	} cases[] = {
		{ 0x0b, 20, NULL, 0, 0, "Hi There",
		  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
		{ 0, 0, "Jefe", 0, 0, "what do ya want for nothing?",
		  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
		{ 0xaa, 20, NULL, 0xdd, 50, NULL,
		  "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
		{ 0xaa, 131, NULL, 0, 0, "Test Using Larger Than Block-Size Key - Hash Key First",
		  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
	};
	char key[131], bytes[50];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(key, cases[i].key, sizeof(key));
		memset(bytes, cases[i].byte, sizeof(bytes));
		struct sluice_str text = cases[i].text ? sluice_str(cases[i].text)
		                                       : sluice_str_of(bytes, (size_t)cases[i].len);
		struct sluice_str secret = cases[i].key_text
		                                   ? sluice_str(cases[i].key_text)
		                                   : sluice_str_of(key, (size_t)cases[i].key_len);
		assert_string_equal(code_of(secret, &text, 1), cases[i].code);
		/* In parts it is the same. */
		const struct sluice_str parts[] = { sluice_str_of(text.data, 1),
			                            { NULL, 0 },
			                            sluice_str_of(text.data + 1, text.len - 1) };
		assert_string_equal(code_of(secret, parts, 3), cases[i].code);
	}
}

static void test_texts_are_compared_as_a_whole(void **state)
{
	(void)state;
	assert_true(hmac_equal(SLUICE_STR("abc"), SLUICE_STR("abc")));
	assert_true(hmac_equal(SLUICE_STR(""), SLUICE_STR("")));
	assert_false(hmac_equal(SLUICE_STR("abc"), SLUICE_STR("abd")));
	assert_false(hmac_equal(SLUICE_STR("abc"), SLUICE_STR("xbc")));
	assert_false(hmac_equal(SLUICE_STR("abc"), SLUICE_STR("ab")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes_are_those_of_rfc_4231),
		cmocka_unit_test(test_texts_are_compared_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
