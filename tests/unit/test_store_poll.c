/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Following a store whose file is written, locked, replaced, damaged and removed by others. */
#include "store_helper.h"

#include <sqlite3.h>
#include <time.h>

static double now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* A store with the rules a, b and c, all told. */
static struct sluice_store *followed_store(struct place *place)
{
	struct sluice_store *store = create_store(place);
	put_named(store, "a", 1);
	put_named(store, "b", 1);
	put_named(store, "c", 1);
	assert_poll(store, "+bus default, +rule a, +rule b, +rule c");
	assert_poll(store, "");
	return store;
}

static void test_the_changes_of_this_store_and_of_others_are_told_once(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place), *other = open_store(place, 0);
	struct sluice_error error;
	assert_poll(other, "+bus default, +rule a, +rule b, +rule c");
	put_named(store, "b", 2);
	put_named(other, "c", 2);
	assert_poll(store, "+rule b, +rule c");
	assert_poll(other, "+rule b, +rule c");
	assert_poll(store, "");
	assert_poll(other, "");
	put_named(store, "b", 2);
	assert_poll(store, "");
	assert_ok(sluice_store_delete(other, SLUICE_STORE_RULE, SLUICE_STR("a"), -1, &error),
	          error);
	put_bus(other, "{\"name\":\"x\"}");
	assert_poll(store, "+bus x, -rule a");
	assert_ok(sluice_store_delete(store, SLUICE_STORE_BUS, SLUICE_STR("x"), -1, &error), error);
	assert_poll(other, "-rule a");
	assert_poll(store, "-bus x");
	assert_ok(sluice_store_begin(store, &error), error);
	put_named(store, "d", 1);
	sluice_store_rollback(store);
	assert_poll(store, "");
	sluice_store_close(store);
	sluice_store_close(other);
}

static void test_what_nobody_committed_is_not_told(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place), *other = open_store(place, 0);
	struct sluice_error error;
	assert_ok(sluice_store_begin(other, &error), error);
	put_named(other, "a", 2);
	assert_poll(store, "");
	sluice_store_rollback(other);
	assert_poll(store, "");
	sluice_store_close(store);
	sluice_store_close(other);
}

static void test_an_open_transaction_stops_writes_but_no_poll_and_no_reading(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	struct sluice_error error;
	sqlite3 *other;
	put_named(store, "b", 3);
	assert_int_equal(sqlite3_open(place->db, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE; UPDATE rules SET state = 'SHADOW'",
	                              NULL, NULL, NULL),
	                 SQLITE_OK);
	assert_poll(store, "+rule b");
	double before = now_ms();
	assert_status(sluice_store_delete(store, SLUICE_STORE_RULE, SLUICE_STR("a"), -1, &error),
	              SLUICE_ERR_BUSY);
	assert_non_null(strstr(error.message, "locked"));
	assert_true(now_ms() - before >= SLUICE_STORE_BUSY_TIMEOUT_MS * 0.9);
	assert_rule(store, "a",
	            "{\"name\":\"a\",\"bus\":\"default\",\"state\":\"ENABLED\",\"pattern\":{\"x\":"
	            "[1]},\"targets\":[{\"id\":\"t\",\"topic\":\"out/a\"}]}");
	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	assert_poll(store, "+rule a, +rule b, +rule c");
	sqlite3_close(other);
	sluice_store_close(store);
}

static void test_a_delete_that_left_no_tombstone_is_told(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	sql(place, "DELETE FROM rules WHERE name = 'a'; DELETE FROM tombstones;");
	assert_poll(store, "-rule a");
	sql(place, "DELETE FROM rules WHERE name = 'b'; DELETE FROM tombstones;"
	           "INSERT INTO rules (name, pattern) VALUES ('d', '{}');");
	assert_poll(store, "-rule b, +rule d");
	sluice_store_close(store);
}

static void test_a_change_made_while_triggers_were_gone_is_told(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	sql(place, "SELECT sql || ';' FROM sqlite_schema WHERE name = 'rules_updated';");
	char script[sizeof(place->shell_output) + 128];
	snprintf(script, sizeof(script),
	         "DROP TRIGGER rules_updated; UPDATE rules SET state = 'SHADOW' WHERE name = 'b';"
	         "%s",
	         place->shell_output);
	sql(place, script);
	assert_poll(store, "+rule b");
	sql(place, "DROP TRIGGER rules_updated;");
	assert_poll_fails(store, SLUICE_ERR_CORRUPT, "trigger rules_updated is missing");
	sluice_store_close(store);
}

static void test_no_read_transaction_stays_open_between_polls(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	sql_gives(place, "UPDATE rules SET state = 'SHADOW'; PRAGMA wal_checkpoint(TRUNCATE);",
	          "0|0|0\n");
	assert_poll(store, "+rule a, +rule b, +rule c");
	sql_gives(place, "UPDATE rules SET state = 'ENABLED'; PRAGMA wal_checkpoint(TRUNCATE);",
	          "0|0|0\n");
	sluice_store_close(store);
}

static void test_a_quiet_poll_empties_the_write_ahead_log(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	sql(place, "UPDATE rules SET state = 'SHADOW';");
	assert_poll(store, "+rule a, +rule b, +rule c");
	assert_poll(store, "");
	assert_int_equal(run(place, "stat -c %%s $DB-wal"), 0);
	assert_string_equal(place->shell_output, "0\n");
	sluice_store_close(store);
}

/* --- another file in its place --- */

/* Makes $DIR/new.db: rule a as it was, b changed, c gone, d new, and bus x. */
static void make_other(struct place *place)
{
	struct place new_place = *place;
	snprintf(new_place.db, sizeof(new_place.db), "%s/new.db", place->folder);
	struct sluice_store *store = create_store(&new_place);
	put_bus(store, "{\"name\":\"x\"}");
	put_named(store, "d", 1);
	put_named(store, "b", 2);
	put_named(store, "a", 1);
	sluice_store_close(store);
}

static void test_of_a_file_that_was_moved_into_its_place_only_differences_are_told(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	make_other(place);
	assert_int_equal(run(place, "mv $DIR/new.db $DB"), 0);
	assert_poll(store, "+bus x, -rule c, +rule d, +rule b");
	assert_poll(store, "");
	sql(place, "UPDATE rules SET state = 'SHADOW' WHERE name = 'd';");
	assert_poll(store, "+rule d");
	put_named(store, "e", 1);
	assert_poll(store, "+rule e");
	sluice_store_close(store);
	sql_gives(place, "PRAGMA integrity_check; SELECT name FROM rules ORDER BY 1;",
	          "ok\na\nb\nd\ne\n");
}

static void test_the_log_of_the_file_that_was_replaced_does_not_spoil_the_new_one(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	make_other(place);
	put_named(store, "not-folded-in", 1);
	assert_int_equal(run(place, "stat -c %%s $DB-wal"), 0);
	assert_true(atol(place->shell_output) > 0);
	assert_int_equal(run(place, "mv $DB $DIR/old.db; mv $DIR/new.db $DB"), 0);
	assert_poll(store, "+bus x, -rule c, +rule d, +rule b");
	put_named(store, "e", 1);
	sluice_store_close(store);
	sql_gives(place, "PRAGMA integrity_check; SELECT name FROM rules ORDER BY 1;",
	          "ok\na\nb\nd\ne\n");
}

static void test_a_write_goes_to_the_file_that_is_there_now(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	make_other(place);
	assert_int_equal(run(place, "mv $DIR/new.db $DB"), 0);
	put_named(store, "e", 1);
	sql_gives(place, "SELECT name FROM rules ORDER BY 1;", "a\nb\nd\ne\n");
	assert_poll(store, "+bus x, -rule c, +rule d, +rule b, +rule e");
	sluice_store_close(store);
}

static void test_faults_that_were_noted_are_noted_in_the_new_file(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	struct sluice_error fault;
	make_other(place);
	sluice_error_set(&fault, SLUICE_ERR_INVALID, SIZE_MAX, NULL, "no good");
	sql(place, "SELECT revision FROM rules WHERE name = 'a';");
	sluice_store_report(store, SLUICE_STORE_RULE, SLUICE_STR("a"), atol(place->shell_output),
	                    &fault);
	assert_poll(store, "");
	assert_int_equal(run(place, "mv $DIR/new.db $DB"), 0);
	assert_poll(store, "+bus x, -rule c, +rule d, +rule b");
	sql_gives(place,
	          "SELECT e.name, message FROM rule_errors e JOIN rules r USING (name, revision);",
	          "a|no good\n");
	sluice_store_close(store);
}

static void test_what_is_no_store_in_its_place_is_an_error_until_it_is_gone(void **state)
{
	static const struct {
		const char *make;
		enum sluice_status status;
		const char *message;
	} others[] = {
		{ "echo this is no database, and longer than a header is ever going to be, or is it"
		  " not, who knows > $DIR/other",
		  SLUICE_ERR_CORRUPT, "not a database" },
		{ ": > $DIR/other", SLUICE_ERR_CORRUPT, "empty" },
		{ "sqlite3 $DIR/other 'CREATE TABLE mine (x)'", SLUICE_ERR_CORRUPT,
		  "not a Sluice store" },
		{ "cp $DIR/keep $DIR/other; sqlite3 $DIR/other 'PRAGMA user_version = 99'",
		  SLUICE_ERR_VERSION, "newer" },
		{ "mkdir $DIR/other", SLUICE_ERR_INVALID, "not a regular file" },
	};
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	assert_int_equal(run(place, "sqlite3 $DB \".backup $DIR/keep\""), 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_int_equal(
		        run(place, "rm -rf $DIR/other; %s && mv $DB $DIR/was && mv $DIR/other $DB",
		            others[i].make),
		        0);
		assert_poll_fails(store, others[i].status, others[i].message);
		assert_poll_fails(store, others[i].status, others[i].message);
		assert_int_equal(run(place, "rm -rf $DB*; cp $DIR/keep $DIR/x; mv $DIR/x $DB"), 0);
		assert_poll(store, "");
	}
	sql(place, "DELETE FROM rules WHERE name = 'a';");
	assert_poll(store, "-rule a");
	sluice_store_close(store);
}

/* --- gone, damaged --- */

static void test_a_file_that_is_gone_is_an_error_and_not_made_again(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	struct sluice_error error;
	assert_int_equal(run(place, "mv $DB $DIR/away"), 0);
	assert_poll_fails(store, SLUICE_ERR_IO, "gone");
	assert_poll_fails(store, SLUICE_ERR_IO, "gone");
	assert_status(sluice_store_delete(store, SLUICE_STORE_RULE, SLUICE_STR("a"), -1, &error),
	              SLUICE_ERR_IO);
	assert_int_equal(run(place, "test -e $DB"), 1);
	assert_int_equal(run(place, "mv $DIR/away $DB"), 0);
	assert_poll(store, "");
	put_named(store, "d", 1);
	assert_poll(store, "+rule d");
	assert_int_equal(run(place, "rm $DB*"), 0);
	assert_poll_fails(store, SLUICE_ERR_IO, "gone");
	assert_int_equal(run(place, "test -e $DB"), 1);
	/* Somebody makes a new one. */
	struct sluice_store *other = create_store(place);
	put_named(other, "a", 1);
	put_named(other, "c", 1);
	put_named(other, "b", 1);
	assert_poll(store, "-rule d");
	sluice_store_close(other);
	sluice_store_close(store);
}

static void test_a_file_that_was_truncated_is_damaged_until_it_is_repaired(void **state)
{
	static const long sizes[] = { 0, 100, 4096, 20480 };
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	assert_poll(store, "");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(run(place, "cp $DB $DIR/keep; truncate -s %ld $DB", sizes[i]), 0);
		assert_poll_fails(store, SLUICE_ERR_CORRUPT, "sluice.db: ");
		assert_poll_fails(store, SLUICE_ERR_CORRUPT, "sluice.db: ");
		assert_int_equal(run(place, "rm -f $DB-*; mv $DIR/keep $DB"), 0);
		assert_poll(store, "");
	}
	sluice_store_close(store);
}

static void test_a_newer_schema_put_in_while_running_is_an_error(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	sql(place, "PRAGMA user_version = 99; UPDATE rules SET state = 'SHADOW';");
	assert_poll_fails(store, SLUICE_ERR_VERSION, "newer schema (99");
	sql(place, "PRAGMA user_version = 3;");
	assert_poll(store, "+rule a, +rule b, +rule c");
	sluice_store_close(store);
}

static void test_a_file_that_is_made_read_only_is_still_followed(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	struct sluice_store *writer = open_store(place, 0);
	assert_int_equal(run(place, "chmod 000 $DB"), 0);
	put_named(writer, "a", 5);
	assert_poll(store, "+rule a");
	sluice_store_close(writer);
	sluice_store_close(store);
}

static void test_a_vacuumed_file_tells_nothing(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	sql(place, "WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
	           "INSERT INTO rules (name, pattern) SELECT 'z' || i, '{\"x\":[1]}' FROM n;"
	           "DELETE FROM rules WHERE name GLOB 'z*'; PRAGMA wal_checkpoint(TRUNCATE);");
	assert_poll(store, "");
	sql(place, "VACUUM; PRAGMA wal_checkpoint(TRUNCATE);");
	assert_poll(store, "");
	assert_poll(store, "");
	put_named(store, "d", 1);
	assert_poll(store, "+rule d");
	sluice_store_close(store);
}

static void test_the_shells_restore_tells_the_differences(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	assert_int_equal(run(place, "sqlite3 $DB \".backup $DIR/back\""), 0);
	put_named(store, "a", 2);
	put_named(store, "d", 2);
	assert_poll(store, "+rule a, +rule d");
	assert_int_equal(run(place, "sqlite3 $DB \".restore $DIR/back\""), 0);
	assert_poll(store, "-rule d, +rule a");
	/* Of another lineage, with the same names and revisions. */
	sql(place, "UPDATE rules SET state = 'SHADOW' WHERE name = 'b';");
	assert_poll(store, "+rule b");
	assert_int_equal(
	        run(place,
	            "sqlite3 $DIR/back \"UPDATE rules SET state = 'DISABLED' WHERE name = 'b'\";"
	            "sqlite3 $DB \".restore $DIR/back\""),
	        0);
	assert_poll(store, "+rule b");
	sluice_store_close(store);
}

static void test_one_change_among_100000_rules_is_found_in_milliseconds(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = create_store(place);
	sql(place,
	    "PRAGMA synchronous = OFF; BEGIN;"
	    "WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
	    "INSERT INTO rules (name, pattern) SELECT 'r' || i,"
	    " '{\"site\":[\"s' || i || '\"],\"t\":[{\"numeric\":[\">\",' || i || ']}]}' FROM n;"
	    "INSERT INTO targets (rule, id, definition) SELECT name, 't',"
	    " '{\"id\":\"t\",\"topic\":\"out/{rule}\"}' FROM rules; COMMIT;");
	struct sluice_buffer told = { 0 };
	struct sluice_error error;
	double before = now_ms();
	assert_ok(sluice_store_poll(store, collect_change, &told, &error), error);
	print_message("first poll of 100,000 rules: %.0f ms\n", now_ms() - before);
	assert_true(told.len > 1000000);
	sluice_buffer_finish(&told);
	assert_poll(store, "");
	double best = 1e9, best_quiet = 1e9, best_gone = 1e9;
	for (int i = 0; i < 10; i++) {
		char statement[96], expected[32];
		snprintf(statement, sizeof(statement),
		         "UPDATE rules SET description = '%d' WHERE name = 'r5%d';", i, i);
		sql(place, statement);
		snprintf(expected, sizeof(expected), "+rule r5%d", i);
		before = now_ms();
		assert_poll(store, expected);
		double took = now_ms() - before;
		best = took < best ? took : best;
		snprintf(statement, sizeof(statement), "DELETE FROM rules WHERE name = 'r7%d';", i);
		sql(place, statement);
		snprintf(expected, sizeof(expected), "-rule r7%d", i);
		before = now_ms();
		assert_poll(store, expected);
		took = now_ms() - before;
		best_gone = took < best_gone ? took : best_gone;
		assert_poll(store, "");
		before = now_ms();
		assert_poll(store, "");
		took = now_ms() - before;
		best_quiet = took < best_quiet ? took : best_quiet;
	}
	print_message("changed: %.2f ms, deleted: %.2f ms, nothing: %.3f ms\n", best, best_gone,
	              best_quiet);
	assert_true(best < 100 && best_gone < 100 && best_quiet < 5);
	sluice_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_the_changes_of_this_store_and_of_others_are_told_once),
		STORE_TEST(test_what_nobody_committed_is_not_told),
		STORE_TEST(test_an_open_transaction_stops_writes_but_no_poll_and_no_reading),
		STORE_TEST(test_a_delete_that_left_no_tombstone_is_told),
		STORE_TEST(test_a_change_made_while_triggers_were_gone_is_told),
		STORE_TEST(test_no_read_transaction_stays_open_between_polls),
		STORE_TEST(test_a_quiet_poll_empties_the_write_ahead_log),
		STORE_TEST(test_of_a_file_that_was_moved_into_its_place_only_differences_are_told),
		STORE_TEST(test_the_log_of_the_file_that_was_replaced_does_not_spoil_the_new_one),
		STORE_TEST(test_a_write_goes_to_the_file_that_is_there_now),
		STORE_TEST(test_faults_that_were_noted_are_noted_in_the_new_file),
		STORE_TEST(test_what_is_no_store_in_its_place_is_an_error_until_it_is_gone),
		STORE_TEST(test_a_file_that_is_gone_is_an_error_and_not_made_again),
		STORE_TEST(test_a_file_that_was_truncated_is_damaged_until_it_is_repaired),
		STORE_TEST(test_a_newer_schema_put_in_while_running_is_an_error),
		STORE_TEST(test_a_file_that_is_made_read_only_is_still_followed),
		STORE_TEST(test_a_vacuumed_file_tells_nothing),
		STORE_TEST(test_the_shells_restore_tells_the_differences),
		STORE_TEST(test_one_change_among_100000_rules_is_found_in_milliseconds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
