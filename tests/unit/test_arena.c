/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "arena.h"
#include "oom.h"

static void objects_are_zeroed_aligned_and_apart(void **state)
{
	(void)state;
	enum { COUNT = 300 };
	struct sluice_arena *arena = sluice_arena_create();
	assert_non_null(arena);
	for (int round = 0; round < 3; round++) {
		unsigned char *objects[COUNT];
		char *texts[COUNT];
		for (size_t i = 0; i < COUNT; i++) {
			size_t size = i % 7 * 11;
			objects[i] = sluice_arena_alloc(arena, 1, size);
			texts[i] = sluice_arena_bytes(arena, size);
			assert_non_null(objects[i]);
			assert_non_null(texts[i]);
			assert_int_equal((uintptr_t)objects[i] % alignof(max_align_t), 0);
			for (size_t j = 0; j < size; j++)
				assert_int_equal(objects[i][j], 0);
			memset(objects[i], (int)i, size);
			memset(texts[i], (int)(i + 1), size);
		}
		for (size_t i = 0; i < COUNT; i++)
			for (size_t j = 0; j < i % 7 * 11; j++) {
				assert_int_equal(objects[i][j], (unsigned char)i);
				assert_int_equal((unsigned char)texts[i][j],
				                 (unsigned char)(i + 1));
			}
		sluice_arena_reset(arena);
	}
	sluice_arena_destroy(arena);
}

static void a_reset_keeps_the_memory_for_the_next_use(void **state)
{
	(void)state;
	struct sluice_arena *arena = sluice_arena_create();
	assert_non_null(arena);
	size_t held = 0;
	for (int round = 0; round < 5; round++) {
		for (size_t size = 1; size < 100000; size *= 3)
			assert_non_null(sluice_arena_alloc(arena, size, 1));
		if (round == 0)
			held = sluice_arena_size(arena);
		assert_int_equal(sluice_arena_size(arena), held);
		sluice_arena_reset(arena);
	}
	assert_true(held >= 88573);
	sluice_arena_destroy(arena);
	sluice_arena_destroy(NULL);
}

static void a_copy_ends_in_nul_and_absent_stays_absent(void **state)
{
	(void)state;
	struct sluice_arena *arena = sluice_arena_create();
	assert_non_null(arena);
	struct sluice_str copy = sluice_arena_str(arena, SLUICE_STR("a\0b"));
	assert_int_equal(copy.len, 3);
	assert_memory_equal(copy.data, "a\0b", 4);
	copy = sluice_arena_str(arena, SLUICE_STR(""));
	assert_string_equal(copy.data, "");
	assert_null(sluice_arena_str(arena, (struct sluice_str){ NULL, 0 }).data);
	sluice_arena_destroy(arena);
}

static void sizes_that_overflow_are_refused(void **state)
{
	(void)state;
	struct sluice_arena *arena = sluice_arena_create();
	assert_non_null(arena);
	assert_null(sluice_arena_alloc(arena, SIZE_MAX, 1));
	assert_null(sluice_arena_alloc(arena, SIZE_MAX / 2, 3));
	assert_null(sluice_arena_alloc(arena, SIZE_MAX / 16 + 2, 16));
	assert_null(sluice_arena_bytes(arena, SIZE_MAX));
	assert_null(sluice_arena_bytes(arena, SIZE_MAX - 8));
	sluice_arena_destroy(arena);
}

static void without_memory_it_says_so_and_stays_usable(void **state)
{
	(void)state;
	oom_fail_at(1);
	assert_null(sluice_arena_create());
	assert_true(oom_happened());

	struct sluice_arena *arena = sluice_arena_create();
	assert_non_null(arena);
	oom_fail_at(1);
	assert_null(sluice_arena_alloc(arena, 5000, 1));
	assert_true(oom_happened());
	static const char text[5000];
	oom_fail_at(1);
	assert_null(sluice_arena_str(arena, (struct sluice_str){ text, sizeof(text) }).data);
	assert_true(oom_happened());
	assert_non_null(sluice_arena_alloc(arena, 1, 1));
	oom_fail_at(1);
	assert_null(sluice_arena_bytes(arena, 5000));
	assert_true(oom_happened());
	assert_non_null(sluice_arena_bytes(arena, 5000));
	sluice_arena_destroy(arena);
}

static void one_made_to_fit_takes_one_allocation(void **state)
{
	(void)state;
	enum { OBJECTS = 100, BYTES = 800 };
	oom_calls();
	struct sluice_arena *arena = sluice_arena_create_for(OBJECTS * 2 * alignof(max_align_t) +
	                                                     BYTES + alignof(max_align_t));
	assert_non_null(arena);
	for (int i = 0; i < OBJECTS; i++)
		assert_non_null(sluice_arena_alloc(arena, 1, alignof(max_align_t)));
	assert_non_null(sluice_arena_bytes(arena, BYTES));
	assert_int_equal(oom_calls().allocations, 1);
	sluice_arena_destroy(arena);
	assert_int_equal(oom_calls().frees, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_zeroed_aligned_and_apart),
		cmocka_unit_test(a_reset_keeps_the_memory_for_the_next_use),
		cmocka_unit_test(a_copy_ends_in_nul_and_absent_stays_absent),
		cmocka_unit_test(sizes_that_overflow_are_refused),
		cmocka_unit_test(without_memory_it_says_so_and_stays_usable),
		cmocka_unit_test(one_made_to_fit_takes_one_allocation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
