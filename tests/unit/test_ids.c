/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ids.h"
#include "oom.h"

enum { COUNT = 20000 };

static void test_numbers_are_dense(void **state)
{
	struct sluice_ids ids = { 0 };
	uint32_t id;
	(void)state;

	for (uint32_t i = 0; i < COUNT; i++) {
		assert_true(sluice_ids_take(&ids, &id));
		assert_int_equal(id, i);
	}
	assert_int_equal(ids.limit, COUNT);
	sluice_ids_finish(&ids);
}

static void test_a_number_is_handed_out_once_until_it_is_given_back(void **state)
{
	static bool taken[COUNT];
	struct sluice_ids ids = { 0 };
	uint32_t held[COUNT], count = 0, most = 0;
	(void)state;

	srand(3);
	for (int round = 0; round < 400000; round++) {
		/* by turns rather more, and rather less */
		bool more = rand() % 8 < (round / 40000 % 2 ? 2 : 6);
		if (count < COUNT && (more || count == 0)) {
			uint32_t id;
			assert_true(sluice_ids_take(&ids, &id));
			assert_true(id < COUNT);
			assert_false(taken[id]);
			taken[id] = true;
			held[count++] = id;
		} else {
			uint32_t at = (uint32_t)rand() % count;
			sluice_ids_give(&ids, held[at]);
			taken[held[at]] = false;
			held[at] = held[--count];
		}
		if (count > most)
			most = count;
		assert_int_equal(ids.limit, most);
	}
	sluice_ids_finish(&ids);
}

static void test_without_memory_no_number_is_handed_out(void **state)
{
	struct sluice_ids ids = { 0 };
	(void)state;

	for (uint32_t i = 0; i < COUNT; i++)
		for (size_t n = 1;; n++) {
			uint32_t id;
			oom_fail_at(n);
			bool handed_out = sluice_ids_take(&ids, &id);
			bool failed = oom_happened();
			if (handed_out) {
				assert_int_equal(id, i);
				break;
			}
			assert_true(failed);
			assert_int_equal(ids.limit, i);
		}
	sluice_ids_finish(&ids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_are_dense),
		cmocka_unit_test(test_a_number_is_handed_out_once_until_it_is_given_back),
		cmocka_unit_test(test_without_memory_no_number_is_handed_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
