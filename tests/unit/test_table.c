/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oom.h"
#include "table.h"

enum { COUNT = 5000 };

/* Few hashes, so that most entries collide. */
static uint64_t few_hashes(size_t i)
{
	return (i % 97) * UINT64_C(0x9e3779b97f4a7c15);
}

/* An entry that knows its hash. */
struct item {
	uint64_t hash;
};

static uint64_t hash_of_item(const void *entry)
{
	return ((const struct item *)entry)->hash;
}

/* COUNT of them; hash says how an item's follows from its number. */
static struct item *make_items(uint64_t (*hash)(size_t i))
{
	static struct item items[COUNT];

	for (size_t i = 0; i < COUNT; i++)
		items[i].hash = hash(i);
	return items;
}

static uint64_t spread_hash(size_t i)
{
	return i * UINT64_C(0x9e3779b97f4a7c15);
}

static bool is_in(const struct sluice_table *table, uint64_t hash, const void *entry)
{
	struct sluice_cursor cursor = { 0 };
	const void *found;
	int times = 0;

	while ((found = sluice_table_next(table, hash, &cursor)))
		times += found == entry;
	assert_true(times <= 1);
	return times == 1;
}

static void test_what_is_inserted_is_found_while_the_table_grows(void **state)
{
	struct item *items = make_items(few_hashes);
	struct sluice_table table = { .hash_of = hash_of_item };
	(void)state;

	for (size_t i = 0; i < COUNT; i++) {
		assert_true(sluice_table_insert(&table, items[i].hash, &items[i]));
		assert_true(is_in(&table, items[i / 2].hash, &items[i / 2]));
	}
	for (size_t i = 0; i < COUNT; i++)
		assert_true(is_in(&table, items[i].hash, &items[i]));
	assert_int_equal(sluice_table_count(&table), COUNT);
	sluice_table_finish(&table);
}

static void test_random_changes_agree_with_a_plain_list(void **state)
{
	struct item *items = make_items(few_hashes);
	static bool in[COUNT];
	struct sluice_table table = { .hash_of = hash_of_item };
	size_t count = 0;
	(void)state;

	srand(7);
	for (int round = 0; round < 200000; round++) {
		size_t i = (size_t)rand() % COUNT;
		uint64_t hash = items[i].hash;
		if (in[i]) {
			sluice_table_remove(&table, hash, &items[i]);
			count--;
		} else {
			assert_true(sluice_table_insert(&table, hash, &items[i]));
			count++;
		}
		in[i] = !in[i];
		size_t other = (size_t)rand() % COUNT;
		assert_int_equal(is_in(&table, items[other].hash, &items[other]), in[other]);
		assert_int_equal(sluice_table_count(&table), count);
	}
	sluice_table_finish(&table);
}

static void count_entry(void *arg, void *entry)
{
	(void)entry;
	++*(size_t *)arg;
}

static void test_each_entry_is_walked_once_while_a_table_moves(void **state)
{
	struct item *items = make_items(spread_hash);
	struct sluice_table table = { .hash_of = hash_of_item };
	(void)state;

	for (size_t i = 0; i < COUNT; i++) {
		size_t walked = 0;
		assert_true(sluice_table_insert(&table, items[i].hash, &items[i]));
		if (i % 50 == 0) {
			sluice_table_each(&table, count_entry, &walked);
			assert_int_equal(walked, i + 1);
		}
	}
	sluice_table_finish(&table);
}

static void test_an_emptied_table_gives_its_memory_back(void **state)
{
	struct item *items = make_items(few_hashes);
	struct sluice_table table = { .hash_of = hash_of_item };
	(void)state;

	for (size_t i = 0; i < COUNT; i++)
		assert_true(sluice_table_insert(&table, items[i].hash, &items[i]));
	for (size_t i = 0; i < COUNT; i++)
		sluice_table_remove(&table, items[i].hash, &items[i]);
	assert_int_equal(sluice_table_bytes(&table), 0);
}

static void test_a_table_without_memory_is_as_it_was(void **state)
{
	struct item *items = make_items(few_hashes);
	struct sluice_table table = { .hash_of = hash_of_item };
	(void)state;

	for (size_t i = 0; i < COUNT; i++)
		for (size_t n = 1;; n++) {
			oom_fail_at(n);
			bool inserted = sluice_table_insert(&table, items[i].hash, &items[i]);
			bool failed = oom_happened();
			assert_int_equal(inserted, is_in(&table, items[i].hash, &items[i]));
			if (inserted)
				break;
			assert_true(failed);
			assert_int_equal(sluice_table_count(&table), i);
		}
	/* what can't be made smaller stays as large */
	for (size_t i = 0; i < COUNT; i++) {
		oom_fail_at(1 + i % 2);
		sluice_table_remove(&table, items[i].hash, &items[i]);
		oom_happened();
		assert_false(is_in(&table, items[i].hash, &items[i]));
		for (size_t k = i + 1; k < COUNT; k += 97)
			assert_true(is_in(&table, items[k].hash, &items[k]));
	}
	assert_int_equal(sluice_table_bytes(&table), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_inserted_is_found_while_the_table_grows),
		cmocka_unit_test(test_random_changes_agree_with_a_plain_list),
		cmocka_unit_test(test_each_entry_is_walked_once_while_a_table_moves),
		cmocka_unit_test(test_an_emptied_table_gives_its_memory_back),
		cmocka_unit_test(test_a_table_without_memory_is_as_it_was),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
