/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "number.h"
#include "number_cases.h"

enum { CASE_COUNT = sizeof(number_cases) / sizeof(*number_cases) };

static int sign_of(int value)
{
	return (value > 0) - (value < 0);
}

static void numbers_are_ordered_by_their_exact_value(void **state)
{
	(void)state;
	struct sluice_number numbers[CASE_COUNT];
	for (size_t i = 0; i < CASE_COUNT; i++)
		sluice_number_read(sluice_str(number_cases[i].text), &numbers[i]);
	for (size_t i = 0; i < CASE_COUNT; i++)
		for (size_t j = 0; j < CASE_COUNT; j++) {
			int expected = sign_of(number_cases[i].rank - number_cases[j].rank);
			int got = sign_of(sluice_number_compare(&numbers[i], &numbers[j]));
			if (got != expected)
				fail_msg("%s against %s: expected %d, got %d", number_cases[i].text,
				         number_cases[j].text, expected, got);
			bool same_hash =
			        sluice_number_hash(&numbers[i]) == sluice_number_hash(&numbers[j]);
			if (same_hash != (expected == 0))
				fail_msg("%s and %s: hashes %s", number_cases[i].text,
				         number_cases[j].text, same_hash ? "equal" : "differ");
		}
}

static void a_number_is_its_sign_exponent_head_and_tail(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int sign;
		int64_t exponent;
		uint64_t head;
		const char *tail;
	} cases[] = {
		{ "-0.01250e2", -1, 1, UINT64_C(1250000000000000000), "" },
		{ "0", 0, 0, 0, "" },
		{ "-0.000e7", 0, 0, 0, "" },
		{ "10", 1, 2, UINT64_C(1000000000000000000), "" },
		{ "9999999999999999999", 1, 19, UINT64_C(9999999999999999999), "" },
		{ "99999999999999999990", 1, 20, UINT64_C(9999999999999999999), "" },
		{ "123456789012345678901.10200", 1, 21, UINT64_C(1234567890123456789), "01.102" },
		{ "1234567890123456789.0010", 1, 19, UINT64_C(1234567890123456789), "001" },
		{ "1234567890123456789.000", 1, 19, UINT64_C(1234567890123456789), "" },
		{ "12345678901234567890.0", 1, 20, UINT64_C(1234567890123456789), "" },
		{ "1e99999999999999999999", 1, SLUICE_NUMBER_MAX_EXPONENT,
		  UINT64_C(1000000000000000000), "" },
		{ "1e-99999999999999999999", 1, -SLUICE_NUMBER_MAX_EXPONENT,
		  UINT64_C(1000000000000000000), "" },
		{ "0.001e1000000000000000001", 1, INT64_C(999999999999999999),
		  UINT64_C(1000000000000000000), "" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sluice_number number;
		sluice_number_read(sluice_str(cases[i].text), &number);
		if (number.sign != cases[i].sign || number.exponent != cases[i].exponent ||
		    number.head != cases[i].head ||
		    !sluice_str_equal(number.tail, sluice_str(cases[i].tail)))
			fail_msg("%s: got %d, %lld, %llu, '%.*s'", cases[i].text, number.sign,
			         (long long)number.exponent, (unsigned long long)number.head,
			         (int)number.tail.len, number.tail.data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_ordered_by_their_exact_value),
		cmocka_unit_test(a_number_is_its_sign_exponent_head_and_tail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
