/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>

#include "ring.h"

enum { ITEMS = 1000000 };

static void test_an_empty_ring_gives_nothing(void **state)
{
	struct ring ring;
	(void)state;

	assert_true(ring_init(&ring, 4));
	assert_true(ring_empty(&ring));
	assert_null(ring_pop(&ring));
	ring_finish(&ring);
}

static void test_a_full_ring_refuses_and_keeps_what_it_has(void **state)
{
	struct ring ring;
	int items[5];
	(void)state;

	assert_true(ring_init(&ring, 4));
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 4; i++)
			assert_true(ring_push(&ring, &items[i]));
		assert_false(ring_push(&ring, &items[4]));
		for (int i = 0; i < 4; i++)
			assert_ptr_equal(ring_pop(&ring), &items[i]);
		assert_null(ring_pop(&ring));
	}
	ring_finish(&ring);
}

static void *push_all(void *arg)
{
	for (uintptr_t i = 1; i <= ITEMS; i++) {
		while (!ring_push(arg, (void *)i))
			sched_yield();
	}
	return NULL;
}

static void test_another_thread_gets_everything_in_order(void **state)
{
	struct ring ring;
	pthread_t thread;
	(void)state;

	assert_true(ring_init(&ring, 64));
	assert_int_equal(pthread_create(&thread, NULL, push_all, &ring), 0);
	for (uintptr_t i = 1; i <= ITEMS; i++) {
		void *item;
		while (!(item = ring_pop(&ring)))
			sched_yield();
		assert_int_equal((uintptr_t)item, i);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(ring_empty(&ring));
	ring_finish(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_ring_gives_nothing),
		cmocka_unit_test(test_a_full_ring_refuses_and_keeps_what_it_has),
		cmocka_unit_test(test_another_thread_gets_everything_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
