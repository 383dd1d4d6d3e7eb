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

/* An entry, and behind it its predicate. */
static _Alignas(struct sluice_entry) char blocks[COUNT][sizeof(struct sluice_entry) +
                                                        sizeof(struct sluice_predicate)];
static char texts[COUNT * 2][DIGITS];
static bool in[COUNT];
static struct sluice_path_node node = { .seed = 12345 };

static struct sluice_entry *entry_at(size_t i)
{
	return (struct sluice_entry *)(void *)blocks[i];
}

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
		struct sluice_entry *entry = entry_at(i);
		struct sluice_range *range = &sluice_entry_whole(entry)->range;
		int lower = rand() % 60 - 30;
		entry->id = (uint32_t)i;
		entry->node = &node;
		entry->op = sluice_entry_whole(entry)->op = SLUICE_OP_NUMERIC;
		entry->whole = true;
		entry->several = true; /* so that there is nothing to check */
		range->has_lower = rand() % 4 != 0;
		range->has_upper = !range->has_lower || rand() % 4 != 0;
		range->lower_inclusive = rand() % 2;
		range->upper_inclusive = rand() % 2;
		range->lower = number_of(texts[2 * i], lower);
		range->upper = number_of(texts[2 * i + 1], lower + 1 + rand() % 20);
	}
}

/* What checks of nothing look at. */
static struct sluice_place root = { .bits = { UINT64_MAX } };
static struct sluice_leaves leaves = { .places = &root };

/* A search that notes what it finds. */
struct found {
	struct sluice_probe probe;
	struct sluice_value value;
	size_t count;
	bool seen[COUNT];
};

static bool note(struct sluice_probe *probe, struct sluice_entry *entry, uint32_t leaf)
{
	struct found *found = (struct found *)probe;

	assert_int_equal(leaf, 7);
	assert_false(found->seen[entry->id]);
	found->seen[entry->id] = true;
	found->count++;
	assert_true(sluice_entry_matches(entry, &found->value));
	return true;
}

static bool go_on(struct sluice_probe *probe, size_t steps)
{
	(void)probe;
	(void)steps;
	return true;
}

static bool stop(struct sluice_probe *probe, size_t steps)
{
	(void)probe;
	(void)steps;
	return false;
}

static void compare_with_a_list(const struct sluice_ranges *ranges,
                                const struct sluice_table *cells, int value)
{
	struct found found = { .probe = { .hit = note, .spend = go_on, .leaves = &leaves },
		               .value.type = SLUICE_JSON_NUMBER };
	char text[DIGITS];
	size_t expected = 0;

	found.value.number = number_of(text, value);
	found.value.text = sluice_str(text);
	sluice_ranges_find(ranges, cells, &node, &found.value, 7, &found.probe);
	for (size_t i = 0; i < COUNT; i++)
		expected += in[i] && sluice_entry_matches(entry_at(i), &found.value);
	assert_int_equal(found.count, expected);
}

static void test_random_changes_agree_with_a_plain_list(void **state)
{
	struct sluice_ranges ranges = { 0 };
	struct sluice_table cells = { .hash_of = sluice_ranges_cell_hash };
	(void)state;

	make_entries();
	for (int round = 0; round < 20000; round++) {
		size_t i = (size_t)rand() % COUNT;
		if (in[i])
			sluice_ranges_drop(&ranges, &cells, entry_at(i));
		else
			assert_true(sluice_ranges_add(&ranges, &cells, entry_at(i)));
		in[i] = !in[i];
		compare_with_a_list(&ranges, &cells, rand() % 80 - 35);
	}
	for (size_t i = 0; i < COUNT; i++)
		if (in[i])
			sluice_ranges_drop(&ranges, &cells, entry_at(i));
	assert_int_equal(sluice_table_count(&cells), 0);
	assert_int_equal(ranges.lower.count + ranges.upper.count, 0);
	assert_int_equal(ranges.used, 0);
	sluice_ranges_finish(&ranges);
}

static void test_a_search_without_budget_ends(void **state)
{
	struct sluice_ranges ranges = { 0 };
	struct sluice_table cells = { .hash_of = sluice_ranges_cell_hash };
	struct found found = { .probe = { .hit = note, .spend = stop },
		               .value.type = SLUICE_JSON_NUMBER };
	char text[DIGITS];
	(void)state;

	make_entries();
	for (size_t i = 0; i < COUNT; i++)
		assert_true(sluice_ranges_add(&ranges, &cells, entry_at(i)));
	found.value.number = number_of(text, 0);
	sluice_ranges_find(&ranges, &cells, &node, &found.value, 7, &found.probe);
	assert_int_equal(found.count, 0);
	for (size_t i = 0; i < COUNT; i++)
		sluice_ranges_drop(&ranges, &cells, entry_at(i));
	sluice_ranges_finish(&ranges);
}

static void test_a_failed_allocation_changes_nothing(void **state)
{
	(void)state;

	make_entries();
	for (size_t i = 0; i < COUNT; i++) {
		for (size_t n = 1;; n++) {
			struct sluice_ranges ranges = { 0 };
			struct sluice_table cells = { .hash_of = sluice_ranges_cell_hash };
			oom_fail_at(n);
			bool added = sluice_ranges_add(&ranges, &cells, entry_at(i));
			bool failed = oom_happened();
			assert_int_equal(added, !failed);
			if (added)
				sluice_ranges_drop(&ranges, &cells, entry_at(i));
			assert_int_equal(sluice_table_count(&cells), 0);
			assert_int_equal(ranges.used, 0);
			assert_int_equal(ranges.lower.count + ranges.upper.count, 0);
			sluice_ranges_finish(&ranges);
			sluice_table_finish(&cells);
			if (!failed)
				break;
		}
	}
}

static void test_a_share_is_a_part_of_the_span(void **state)
{
	struct sluice_span span = { 0 };
	struct sluice_range range = { .has_lower = true, .has_upper = true };
	char texts_[2][DIGITS];
	(void)state;

	range.lower = number_of(texts_[0], -10);
	range.upper = number_of(texts_[1], 30);
	assert_true(sluice_span_share(&span, &range) == 0.5);
	sluice_span_add(&span, &range);
	assert_true(sluice_span_share(&span, &range) == 1);
	range.lower = number_of(texts_[0], 20);
	assert_true(sluice_span_share(&span, &range) == 0.25);
	range.has_upper = false;
	assert_true(sluice_span_share(&span, &range) == 0.25);
	range.lower = number_of(texts_[0], 99);
	assert_true(sluice_span_share(&span, &range) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_changes_agree_with_a_plain_list),
		cmocka_unit_test(test_a_search_without_budget_ends),
		cmocka_unit_test(test_a_failed_allocation_changes_nothing),
		cmocka_unit_test(test_a_share_is_a_part_of_the_span),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
