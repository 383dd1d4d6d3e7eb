/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#include "table.h"

enum { COUNT = 5000 };

/* Few hashes, so that most entries collide. */
static uint64_t hash_of(size_t i)
{
	return (i % 97) * UINT64_C(0x9e3779b97f4a7c15);
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
	static int entries[COUNT];
	struct sluice_table table = { 0 };
	(void)state;

	for (size_t i = 0; i < COUNT; i++) {
		assert_true(sluice_table_insert(&table, hash_of(i), &entries[i]));
		assert_true(is_in(&table, hash_of(i / 2), &entries[i / 2]));
	}
	for (size_t i = 0; i < COUNT; i++)
		assert_true(is_in(&table, hash_of(i), &entries[i]));
	assert_int_equal(sluice_table_count(&table), COUNT);
	sluice_table_finish(&table);
}

static void test_random_changes_agree_with_a_plain_list(void **state)
{
	static int entries[COUNT];
	static bool in[COUNT];
	struct sluice_table table = { 0 };
	size_t count = 0;
	(void)state;

	srand(7);
	for (int round = 0; round < 200000; round++) {
		size_t i = (size_t)rand() % COUNT;
		uint64_t hash = hash_of(i * 31);
		if (in[i]) {
			sluice_table_remove(&table, hash, &entries[i]);
			count--;
		} else {
			assert_true(sluice_table_insert(&table, hash, &entries[i]));
			count++;
		}
		in[i] = !in[i];
		size_t other = (size_t)rand() % COUNT;
		assert_int_equal(is_in(&table, hash_of(other * 31), &entries[other]), in[other]);
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
	static int entries[COUNT];
	struct sluice_table table = { 0 };
	(void)state;

	for (size_t i = 0; i < COUNT; i++) {
		size_t walked = 0;
		assert_true(
		        sluice_table_insert(&table, i * UINT64_C(0x9e3779b97f4a7c15), &entries[i]));
		if (i % 50 == 0) {
			sluice_table_each(&table, count_entry, &walked);
			assert_int_equal(walked, i + 1);
		}
	}
	sluice_table_finish(&table);
}

static void test_an_emptied_table_gives_its_memory_back(void **state)
{
	static int entries[COUNT];
	struct sluice_table table = { 0 };
	(void)state;

	for (size_t i = 0; i < COUNT; i++)
		assert_true(sluice_table_insert(&table, hash_of(i), &entries[i]));
	for (size_t i = 0; i < COUNT; i++)
		sluice_table_remove(&table, hash_of(i), &entries[i]);
	assert_int_equal(sluice_table_bytes(&table), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_inserted_is_found_while_the_table_grows),
		cmocka_unit_test(test_random_changes_agree_with_a_plain_list),
		cmocka_unit_test(test_each_entry_is_walked_once_while_a_table_moves),
		cmocka_unit_test(test_an_emptied_table_gives_its_memory_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
