/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* How a file is brought from one schema to the next. */
#include "store_helper.h"

#include "migrations.h"

static const struct store_migration three[] = {
	{ 1, "CREATE TABLE one (x); INSERT INTO one VALUES (1);" },
	{ 2, "ALTER TABLE one ADD COLUMN y; UPDATE one SET y = x + 1;" },
	{ 3, "CREATE TABLE three (x);" },
};

static sqlite3 *open_db(struct place *place)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open(place->db, &db), SQLITE_OK);
	return db;
}

static void test_the_built_in_migrations_are_numbered_from_one(void **state)
{
	(void)state;
	assert_true(store_migration_count >= 1);
	for (size_t i = 0; i < store_migration_count; i++)
		assert_int_equal(store_migrations[i].version, (int)i + 1);
	assert_true(data_migration_count >= 1);
	for (size_t i = 0; i < data_migration_count; i++)
		assert_int_equal(data_migrations[i].version, (int)i + 1);
}

static void test_only_what_is_missing_is_applied(void **state)
{
	struct place *place = *state;
	sqlite3 *db = open_db(place);
	assert_int_equal(store_migrate(db, STORE_APPLICATION_ID, three, 1), SQLITE_OK);
	sql_gives(place, "PRAGMA application_id; PRAGMA user_version; SELECT * FROM one;",
	          "1397506885\n1\n1\n");
	assert_int_equal(store_migrate(db, STORE_APPLICATION_ID, three, 3), SQLITE_OK);
	assert_int_equal(store_migrate(db, STORE_APPLICATION_ID, three, 3), SQLITE_OK);
	sql_gives(place, "PRAGMA user_version; SELECT * FROM one;", "3\n1|2\n");
	sqlite3_close(db);
}

static void test_one_that_fails_leaves_those_before_it(void **state)
{
	static const struct store_migration broken[] = {
		{ 1, "CREATE TABLE one (x); INSERT INTO one VALUES (1);" },
		{ 2, "DROP TABLE one; CREATE TABLE two (x); INSERT INTO none VALUES (1);" },
	};
	struct place *place = *state;
	sqlite3 *db = open_db(place);
	assert_int_equal(store_migrate(db, STORE_APPLICATION_ID, broken, 2), SQLITE_ERROR);
	sql_gives(place, "PRAGMA user_version; SELECT * FROM one; SELECT name FROM sqlite_schema;",
	          "1\n1\none\n");
	assert_int_equal(store_migrate(db, STORE_APPLICATION_ID, three, 3), SQLITE_OK);
	sql_gives(place, "PRAGMA user_version; SELECT * FROM one;", "3\n1|2\n");
	sqlite3_close(db);
}

static void test_one_killed_in_the_middle_leaves_those_before_it(void **state)
{
	struct place *place = *state;
	sqlite3 *db = open_db(place);
	assert_int_equal(store_migrate(db, STORE_APPLICATION_ID, three, 1), SQLITE_OK);
	sqlite3_close(db);
	pid_t child = fork();
	if (child == 0) {
		db = open_db(place);
		/* A cache of one page: the change is on the disk before it is committed. */
		sqlite3_exec(db,
		             "PRAGMA cache_size = 1; BEGIN IMMEDIATE;"
		             "CREATE TABLE two AS WITH n(i) AS (VALUES(1) UNION ALL"
		             " SELECT i + 1 FROM n WHERE i < 9999) SELECT * FROM n;"
		             "PRAGMA user_version = 2",
		             NULL, NULL, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	sql_gives(place, "PRAGMA user_version; SELECT name FROM sqlite_schema;", "1\none\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_the_built_in_migrations_are_numbered_from_one),
		STORE_TEST(test_only_what_is_missing_is_applied),
		STORE_TEST(test_one_that_fails_leaves_those_before_it),
		STORE_TEST(test_one_killed_in_the_middle_leaves_those_before_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
