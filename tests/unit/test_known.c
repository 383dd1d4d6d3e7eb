/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What the values of a path are known to match, through entries that come and go. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "index.h"

enum { KINDS = 1200, TEXT = 16 };

/* Values and predicates by number, and which of them there are. */
struct path {
	struct sluice_entries entries;
	struct sluice_path_node *node;
	struct sluice_entry *claimed[KINDS];
	uint32_t posts[KINDS];
	char texts[KINDS][TEXT];
};

static int start(void **state)
{
	struct path *path = calloc(1, sizeof(*path));

	assert_non_null(path);
	sluice_entries_init(&path->entries);
	path->node = calloc(1, sizeof(*path->node));
	assert_non_null(path->node);
	path->node->seed = 99;
	*state = path;
	return 0;
}

static void post(struct path *path, size_t i)
{
	struct sluice_posting posting = { .checks.what = { SLUICE_CHECK_NOTHING,
		                                           SLUICE_CHECK_NOTHING } };
	uint32_t at;

	assert_true(sluice_entry_post(&path->entries, path->claimed[i], posting, &at));
	assert_int_equal(at, path->posts[i]++);
}

static void unpost(struct path *path, size_t i)
{
	struct sluice_posting moved;

	sluice_entry_unpost(&path->entries, path->claimed[i], --path->posts[i], &moved);
}

static void claim(struct path *path, size_t i, enum sluice_operator op)
{
	struct sluice_predicate predicate = { .op = op };

	snprintf(path->texts[i], TEXT, "%zx", i * 7919 % 4096);
	predicate.text = predicate.source = sluice_str(path->texts[i]);
	if (op == SLUICE_OP_NUMBER)
		sluice_number_read(SLUICE_STR("17"), &predicate.number);
	path->claimed[i] = sluice_entry_claim(&path->entries, path->node, &predicate);
	assert_non_null(path->claimed[i]);
}

static void release(struct path *path, size_t i)
{
	while (path->posts[i])
		unpost(path, i);
	sluice_entry_release(&path->entries, path->claimed[i]);
	path->claimed[i] = NULL;
}

static int stop(void **state)
{
	struct path *path = *state;

	for (size_t i = 0; i < KINDS; i++)
		if (path->claimed[i])
			release(path, i);
	assert_null(path->node->index);
	assert_int_equal(path->entries.bytes, 0);
	sluice_entries_finish(&path->entries);
	free(path->node);
	free(path);
	return 0;
}

static void check_row(const struct path *path, const struct sluice_entry *value)
{
	const struct sluice_known *known = &path->node->index->known;
	struct sluice_value leaf = { .type = SLUICE_JSON_STRING, .text = sluice_entry_text(value) };

	if (value->op == SLUICE_OP_NUMBER)
		leaf = (struct sluice_value){ .type = SLUICE_JSON_NUMBER,
			                      .number = sluice_entry_whole(value)->number };
	assert_ptr_equal(known->values[value->known_at], value);
	for (uint16_t i = 0; i < known->column_count; i++)
		assert_int_equal(sluice_known_has(&known->rows[value->known_at], i),
		                 sluice_entry_matches(known->columns[i].entry, &leaf));
}

/* Whether every bit is what trying tells, and all that leads on has a column. */
static void check(const struct path *path)
{
	for (size_t i = 0; i < KINDS; i++) {
		const struct sluice_entry *entry = path->claimed[i];
		if (!entry || path->node->index->known.given_up)
			continue;
		const struct sluice_known *known = &path->node->index->known;
		if (sluice_entry_is_value(entry)) {
			check_row(path, entry);
			continue;
		}
		if (path->posts[i])
			assert_int_not_equal(entry->known_at, SLUICE_NOT_KNOWN);
		if (entry->known_at == SLUICE_NOT_KNOWN)
			continue;
		assert_ptr_equal(known->columns[entry->known_at].entry, entry);
		assert_int_equal(sluice_known_has(&known->active, entry->known_at),
		                 path->posts[i] > 0);
	}
}

static enum sluice_operator kind_of(size_t i)
{
	static const enum sluice_operator kinds[] = { SLUICE_OP_STRING, SLUICE_OP_PREFIX,
		                                      SLUICE_OP_SUFFIX, SLUICE_OP_FOLD_PREFIX };

	return i == 0 ? SLUICE_OP_NUMBER : kinds[i % 4];
}

static void test_each_bit_is_what_trying_tells_whatever_comes_and_goes(void **state)
{
	struct path *path = *state;

	srand(3);
	for (int round = 0; round < 4000; round++) {
		size_t i = (size_t)rand() % (round < 3000 ? 300 : 900);
		if (!path->claimed[i])
			claim(path, i, kind_of(i));
		else if (rand() % 2)
			post(path, i);
		else if (path->posts[i])
			unpost(path, i);
		else
			release(path, i);
		if (round % 64 == 0 && path->node->index)
			check(path);
	}
	check(path);
	assert_false(path->node->index->known.given_up);
	assert_true(path->node->index->known.column_count > 64);
}

static void test_a_predicate_with_postings_takes_the_column_of_one_without(void **state)
{
	struct path *path = *state;

	claim(path, 0, SLUICE_OP_STRING);
	for (size_t i = 1; i <= SLUICE_KNOWN_COLUMNS + 1; i++)
		claim(path, i, SLUICE_OP_PREFIX);
	assert_int_equal(path->claimed[SLUICE_KNOWN_COLUMNS + 1]->known_at, SLUICE_NOT_KNOWN);
	for (size_t i = 2; i <= SLUICE_KNOWN_COLUMNS + 1; i++)
		post(path, i);
	assert_int_equal(path->claimed[1]->known_at, SLUICE_NOT_KNOWN);
	check(path);
	post(path, 1);
	assert_true(path->node->index->known.given_up);
}

static void test_more_values_than_rows_are_not_known(void **state)
{
	struct path *path = *state;

	claim(path, KINDS - 1, SLUICE_OP_SUFFIX);
	post(path, KINDS - 1);
	for (size_t i = 0; i < SLUICE_KNOWN_ROWS; i++)
		claim(path, i, SLUICE_OP_STRING);
	check(path);
	assert_false(path->node->index->known.given_up);
	claim(path, SLUICE_KNOWN_ROWS, SLUICE_OP_STRING);
	assert_true(path->node->index->known.given_up);
	release(path, 0);
	claim(path, 0, SLUICE_OP_PREFIX);
	assert_int_equal(path->claimed[0]->known_at, SLUICE_NOT_KNOWN);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(test_each_bit_is_what_trying_tells_whatever_comes_and_goes),
		TEST(test_a_predicate_with_postings_takes_the_column_of_one_without),
		TEST(test_more_values_than_rows_are_not_known),
	};
#undef TEST
	return cmocka_run_group_tests(tests, NULL, NULL);
}
