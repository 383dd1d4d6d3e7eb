/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#include "histogram.h"

static void test_an_empty_histogram_says_zero(void **state)
{
	static struct histogram histogram;
	(void)state;

	assert_int_equal(histogram_percentile(&histogram, 0.99), 0);
	assert_int_equal(histogram_max(&histogram), 0);
}

static void test_a_percentile_is_at_most_an_eighth_too_high(void **state)
{
	(void)state;

	for (uint64_t value = 1; value < UINT64_C(1) << 39; value = value * 3 / 2 + 1) {
		static const struct histogram empty;
		struct histogram histogram = empty;
		histogram_record(&histogram, value);
		histogram_record(&histogram, value * 2);
		uint64_t median = histogram_percentile(&histogram, 0.5);
		assert_in_range(median, value, value + value / 8);
		assert_int_equal(histogram_max(&histogram), value * 2);
	}
}

static void test_percentiles_are_those_of_a_sorted_list(void **state)
{
	static struct histogram histogram;
	(void)state;

	for (uint64_t i = 1; i <= 10000; i++)
		histogram_record(&histogram, i);
	assert_in_range(histogram_percentile(&histogram, 0.5), 5000, 5625);
	assert_in_range(histogram_percentile(&histogram, 0.99), 9900, 10000);
	assert_int_equal(histogram_percentile(&histogram, 1.0), 10000);
}

static void test_what_is_too_large_counts_as_the_largest(void **state)
{
	static struct histogram histogram;
	(void)state;

	histogram_record(&histogram, 1);
	histogram_record(&histogram, UINT64_MAX);
	assert_int_equal(histogram_max(&histogram), UINT64_MAX);
	assert_true(histogram_percentile(&histogram, 1.0) >= (UINT64_C(1) << 40) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_histogram_says_zero),
		cmocka_unit_test(test_a_percentile_is_at_most_an_eighth_too_high),
		cmocka_unit_test(test_percentiles_are_those_of_a_sorted_list),
		cmocka_unit_test(test_what_is_too_large_counts_as_the_largest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
