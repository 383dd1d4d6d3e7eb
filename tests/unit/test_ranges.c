/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "index.h"
#include "oom.h"

enum { COUNT = 600, DIGITS = 8 };

static struct sluice_entry entries[COUNT];
static char texts[COUNT * 2][DIGITS];
static bool in[COUNT];

static struct sluice_number number_of(char *text, int value)
{
	struct sluice_number number;

	snprintf(text, DIGITS, "%d", value);
	sluice_number_read(sluice_str(text), &number);
	return number;
}

/* Ranges over few numbers, so that bounds are often the same. */
static void make_entries(void)
{
	srand(11);
	for (size_t i = 0; i < COUNT; i++) {
		struct sluice_range *range = &entries[i].predicate.range;
		int lower = rand() % 60 - 30;
		entries[i].id = (uint32_t)i;
		entries[i].predicate.op = SLUICE_OP_NUMERIC;
		range->has_lower = rand() % 4 != 0;
		range->has_upper = !range->has_lower || rand() % 4 != 0;
		range->lower_inclusive = rand() % 2;
		range->upper_inclusive = rand() % 2;
		range->lower = number_of(texts[2 * i], lower);
		range->upper = number_of(texts[2 * i + 1], lower + 1 + rand() % 20);
	}
}

struct found {
	struct sluice_value value;
	size_t count;
	bool seen[COUNT];
};

static void count_range(void *arg, struct sluice_entry *entry)
{
	struct found *found = arg;

	assert_false(found->seen[entry->id]);
	found->seen[entry->id] = true;
	found->count++;
	assert_true(sluice_predicate_matches(&entry->predicate, &found->value));
}

static void compare_with_a_list(const struct sluice_ranges *ranges, int value)
{
	struct found found = { .value.type = SLUICE_JSON_NUMBER };
	char text[DIGITS];
	size_t expected = 0;

	found.value.number = number_of(text, value);
	found.value.text = sluice_str(text);
	sluice_ranges_find(ranges, &found.value.number, count_range, &found);
	for (size_t i = 0; i < COUNT; i++)
		expected += in[i] && sluice_predicate_matches(&entries[i].predicate, &found.value);
	assert_int_equal(found.count, expected);
}

static void test_random_changes_agree_with_a_plain_list(void **state)
{
	struct sluice_ranges ranges = { 0 };
	(void)state;

	make_entries();
	for (int round = 0; round < 20000; round++) {
		size_t i = (size_t)rand() % COUNT;
		if (in[i])
			sluice_ranges_drop(&ranges, &entries[i]);
		else
			assert_true(sluice_ranges_add(&ranges, &entries[i]));
		in[i] = !in[i];
		compare_with_a_list(&ranges, rand() % 80 - 35);
	}
	for (size_t i = 0; i < COUNT; i++)
		if (in[i])
			sluice_ranges_drop(&ranges, &entries[i]);
	assert_null(ranges.root);
	assert_int_equal(ranges.bytes, 0);
}

static void test_a_failed_allocation_changes_nothing(void **state)
{
	struct sluice_ranges ranges = { 0 };
	(void)state;

	make_entries();
	oom_fail_at(1);
	assert_false(sluice_ranges_add(&ranges, &entries[0]));
	assert_true(oom_happened());
	assert_null(ranges.root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_changes_agree_with_a_plain_list),
		cmocka_unit_test(test_a_failed_allocation_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
