/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "path.h"

static struct sluice_path_node *walk(struct sluice_path_trie *trie, const char *path)
{
	return sluice_path_walk(trie, trie->root, sluice_str(path));
}

static int start(void **state)
{
	static struct sluice_path_trie trie;

	*state = &trie;
	return sluice_path_trie_init(&trie) != SLUICE_OK;
}

static int stop(void **state)
{
	sluice_path_trie_finish(*state);
	return 0;
}

static void test_a_path_is_one_place_however_it_is_walked(void **state)
{
	struct sluice_path_trie *trie = *state;
	struct sluice_path_node *node = sluice_path_claim(trie, SLUICE_STR("a.b.c"));

	assert_ptr_equal(walk(trie, "a.b.c"), node);
	assert_ptr_equal(sluice_path_walk(trie, walk(trie, "a"), SLUICE_STR("b.c")), node);
	assert_ptr_equal(sluice_path_walk(trie, walk(trie, "a.b"), SLUICE_STR("c")), node);
	assert_null(walk(trie, "a.b.c.d"));
	assert_null(walk(trie, "b"));
	assert_null(walk(trie, "a..b"));
	assert_null(walk(trie, ""));
	sluice_path_release(trie, node);
}

static void test_empty_keys_are_empty_segments(void **state)
{
	struct sluice_path_trie *trie = *state;
	struct sluice_path_node *empty = sluice_path_claim(trie, SLUICE_STR(""));
	struct sluice_path_node *two = sluice_path_claim(trie, SLUICE_STR("."));
	struct sluice_path_node *end = sluice_path_claim(trie, SLUICE_STR("a."));

	assert_ptr_equal(walk(trie, ""), empty);
	assert_ptr_equal(sluice_path_walk(trie, empty, SLUICE_STR("")), two);
	assert_ptr_equal(walk(trie, "."), two);
	assert_ptr_equal(sluice_path_walk(trie, walk(trie, "a"), SLUICE_STR("")), end);
	sluice_path_release(trie, empty);
	sluice_path_release(trie, two);
	sluice_path_release(trie, end);
}

static void test_released_paths_leave_nothing_behind(void **state)
{
	struct sluice_path_trie *trie = *state;
	struct sluice_path_node *deep = sluice_path_claim(trie, SLUICE_STR("a.b.c.d"));
	struct sluice_path_node *middle = sluice_path_claim(trie, SLUICE_STR("a.b"));
	struct sluice_path_node *again = sluice_path_claim(trie, SLUICE_STR("a.b"));
	size_t empty;

	assert_ptr_equal(middle, again);
	sluice_path_release(trie, deep);
	assert_null(walk(trie, "a.b.c"));
	sluice_path_release(trie, again);
	assert_ptr_equal(walk(trie, "a.b"), middle);
	sluice_path_release(trie, middle);
	assert_null(walk(trie, "a"));
	assert_int_equal(sluice_table_count(&trie->table), 0);
	assert_int_equal(trie->root->children, 0);
	empty = trie->bytes;
	sluice_path_release(trie, sluice_path_claim(trie, SLUICE_STR("x.y")));
	assert_int_equal(trie->bytes, empty);
	assert_true(trie->ids.limit <= 5); /* ids are used again */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_path_is_one_place_however_it_is_walked,
		                                start, stop),
		cmocka_unit_test_setup_teardown(test_empty_keys_are_empty_segments, start, stop),
		cmocka_unit_test_setup_teardown(test_released_paths_leave_nothing_behind, start,
		                                stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
