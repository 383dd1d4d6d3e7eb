/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Copies of a store that is in use, and what is put back from them. */
#include "store_helper.h"

static enum sluice_status backup_to(struct place *place, struct sluice_store *store,
                                    const char *name, struct sluice_error *error)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", place->folder, name);
	return sluice_store_backup(store, path, error);
}

static enum sluice_status restore_from(struct place *place, struct sluice_store *store,
                                       const char *name, struct sluice_error *error)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", place->folder, name);
	return sluice_store_restore(store, path, error);
}

/* A store with the bus x and the rules a, b and c, all told. */
static struct sluice_store *followed_store(struct place *place)
{
	struct sluice_store *store = create_store(place);
	put_bus(store, "{\"name\":\"x\",\"topics\":[\"x/#\"]}");
	put_named(store, "a", 1);
	put_named(store, "b", 1);
	put(store, "{\"name\":\"c\",\"bus\":\"x\",\"state\":\"SHADOW\",\"metrics\":true,"
	           "\"description\":\"d\",\"pattern\":{\"x\":[1]},\"targets\":["
	           "{\"id\":\"z\",\"topic\":\"1\"},{\"id\":\"y\",\"topic\":\"2\"}]}");
	assert_poll(store, "+bus default, +bus x, +rule a, +rule b, +rule c");
	return store;
}

static void test_a_backup_is_one_file_with_all_that_was_committed(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place), *other = open_store(place, 0);
	struct sluice_error error;
	/* Somebody in the middle of a change stops nothing, and is not in it. */
	assert_ok(sluice_store_begin(other, &error), error);
	put_named(other, "unfinished", 1);
	assert_ok(backup_to(place, store, "copy", &error), error);
	sluice_store_rollback(other);
	assert_int_equal(run(place, "ls $DIR; chmod 555 $DIR; sqlite3 -readonly $DIR/copy "
	                            "'PRAGMA integrity_check; PRAGMA journal_mode; "
	                            "SELECT name FROM rules; SELECT rule, id FROM targets'; "
	                            "chmod 755 $DIR"),
	                 0);
	assert_string_equal(place->shell_output, "copy\nsluice.db\nsluice.db-shm\nsluice.db-wal\n"
	                                         "ok\ndelete\na\nb\nc\na|t\nb|t\nc|y\nc|z\n");
	sluice_store_close(other);
	sluice_store_close(store);
}

static void test_a_backup_replaces_nothing(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	struct sluice_error error;
	assert_int_equal(run(place, "echo mine > $DIR/copy; ln -s nowhere $DIR/link; mkdir $DIR/d"),
	                 0);
	static const char *const taken[] = { "copy", "link", "d", "sluice.db" };
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		assert_status(backup_to(place, store, taken[i], &error), SLUICE_ERR_CONFLICT);
	assert_status(backup_to(place, store, "not/there", &error), SLUICE_ERR_IO);
	assert_int_equal(run(place, "cat $DIR/copy; ls $DIR"), 0);
	assert_string_equal(place->shell_output,
	                    "mine\ncopy\nd\nlink\nsluice.db\nsluice.db-shm\nsluice.db-wal\n");
	sluice_store_close(store);
}

static void test_a_backup_of_a_store_opened_for_reading_is_one(void **state)
{
	struct place *place = *state;
	struct sluice_error error;
	sluice_store_close(followed_store(place));
	struct sluice_store *store = open_store(place, SLUICE_STORE_READ_ONLY);
	assert_ok(backup_to(place, store, "copy", &error), error);
	sluice_store_close(store);
	snprintf(place->db, sizeof(place->db), "%s/copy", place->folder);
	store = open_store(place, 0);
	assert_poll(store, "+bus default, +bus x, +rule a, +rule b, +rule c");
	sluice_store_close(store);
}

static void test_a_restore_tells_followers_just_what_differs(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place), *follower = open_store(place, 0);
	struct sluice_error error;
	assert_ok(backup_to(place, store, "copy", &error), error);
	put_named(store, "b", 2);
	put_bus(store, "{\"name\":\"y\"}");
	put(store, "{\"name\":\"d\",\"bus\":\"y\",\"pattern\":{\"x\":[1]},\"targets\":[]}");
	assert_ok(sluice_store_delete(store, SLUICE_STORE_RULE, SLUICE_STR("c"), -1, &error),
	          error);
	assert_ok(sluice_store_delete(store, SLUICE_STORE_BUS, SLUICE_STR("x"), -1, &error), error);
	assert_poll(follower, "+bus default, +bus y, +rule a, +rule b, +rule d");
	sql(place, "SELECT revision FROM rules WHERE name = 'a';");
	char revision[sizeof(place->shell_output)];
	strcpy(revision, place->shell_output);

	assert_ok(restore_from(place, store, "copy", &error), error);
	assert_poll(follower, "+bus x, -rule d, +rule b, +rule c, -bus y");
	sql_gives(place, "SELECT revision FROM rules WHERE name = 'a';", revision);
	assert_rule(store, "c",
	            "{\"name\":\"c\",\"bus\":\"x\",\"state\":\"SHADOW\",\"description\":\"d\","
	            "\"metrics\":true,\"pattern\":{\"x\":[1]},\"targets\":[{\"id\":\"z\","
	            "\"topic\":\"1\"},{\"id\":\"y\",\"topic\":\"2\"}]}");
	/* Once more changes nothing. */
	assert_ok(restore_from(place, store, "copy", &error), error);
	assert_poll(follower, "");
	sluice_store_close(follower);
	sluice_store_close(store);
}

static void test_a_bad_backup_changes_nothing(void **state)
{
	static const struct {
		const char *make;
		enum sluice_status status;
		const char *message;
	} backups[] = {
		{ "true", SLUICE_ERR_NOT_FOUND, "bad" },
		{ "echo this is not what anybody would call a database > $DIR/bad",
		  SLUICE_ERR_CORRUPT, "not a database" },
		{ ": > $DIR/bad", SLUICE_ERR_CORRUPT, "empty" },
		{ "sqlite3 $DIR/bad 'CREATE TABLE mine (x)'", SLUICE_ERR_CORRUPT,
		  "not a Sluice store" },
		{ "cp $DIR/copy $DIR/bad; truncate -s 20000 $DIR/bad", SLUICE_ERR_CORRUPT, "bad" },
		{ "cp $DIR/copy $DIR/bad; sqlite3 $DIR/bad 'PRAGMA user_version = 99'",
		  SLUICE_ERR_VERSION, "newer" },
		{ "cp $DIR/copy $DIR/bad; sqlite3 $DIR/bad 'DROP TABLE targets'",
		  SLUICE_ERR_CORRUPT, "missing" },
		{ "cp $DIR/copy $DIR/bad; sqlite3 $DIR/bad 'PRAGMA ignore_check_constraints = ON; "
		  "UPDATE rules SET pattern = 1 WHERE name = \"c\"'",
		  SLUICE_ERR_INVALID, "CHECK" },
		{ "cp $DIR/copy $DIR/bad; sqlite3 $DIR/bad 'DROP TRIGGER buses_delete; DELETE FROM "
		  "buses; CREATE TRIGGER buses_delete AFTER INSERT ON buses BEGIN SELECT 1; END'",
		  SLUICE_ERR_INVALID, "the bus has rules" },
		{ "ln $DB $DIR/bad", SLUICE_ERR_INVALID, "itself" },
	};
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	struct sluice_error error;
	assert_ok(backup_to(place, store, "copy", &error), error);
	put_named(store, "d", 1);
	assert_poll(store, "+rule d");
	sql(place, "SELECT * FROM rules; SELECT * FROM targets; SELECT * FROM revision_counter;");
	char before[sizeof(place->shell_output)];
	strcpy(before, place->shell_output);
	for (size_t i = 0; i < sizeof(backups) / sizeof(backups[0]); i++) {
		assert_int_equal(
		        run(place, "rm -f $DIR/bad*; %s; md5sum $DIR/bad || true", backups[i].make),
		        0);
		char sums[sizeof(place->shell_output)];
		strcpy(sums, place->shell_output);
		enum sluice_status status = restore_from(place, store, "bad", &error);
		if (status != backups[i].status || !strstr(error.message, backups[i].message))
			fail_msg("%s: got %s: %s", backups[i].make, sluice_status_name(status),
			         error.message);
		assert_poll(store, "");
		sql_gives(place,
		          "SELECT * FROM rules; SELECT * FROM targets;"
		          "SELECT * FROM revision_counter;",
		          before);
		assert_int_equal(run(place, "md5sum $DIR/bad || true"), 0);
		assert_string_equal(place->shell_output, sums);
	}
	sluice_store_close(store);
}

static void test_a_restore_waits_for_a_writer_and_then_gives_up(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place), *other = open_store(place, 0);
	struct sluice_error error;
	assert_ok(backup_to(place, store, "copy", &error), error);
	put_named(store, "a", 2);
	assert_ok(sluice_store_begin(other, &error), error);
	assert_status(restore_from(place, store, "copy", &error), SLUICE_ERR_BUSY);
	sluice_store_rollback(other);
	assert_poll(store, "+rule a");
	assert_ok(restore_from(place, store, "copy", &error), error);
	assert_poll(store, "+rule a");
	sluice_store_close(other);
	sluice_store_close(store);
}

static void test_a_store_opened_for_reading_is_not_restored(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	struct sluice_error error;
	assert_ok(backup_to(place, store, "copy", &error), error);
	sluice_store_close(store);
	store = open_store(place, SLUICE_STORE_READ_ONLY);
	assert_status(restore_from(place, store, "copy", &error), SLUICE_ERR_READ_ONLY);
	sluice_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_a_backup_is_one_file_with_all_that_was_committed),
		STORE_TEST(test_a_backup_replaces_nothing),
		STORE_TEST(test_a_backup_of_a_store_opened_for_reading_is_one),
		STORE_TEST(test_a_restore_tells_followers_just_what_differs),
		STORE_TEST(test_a_bad_backup_changes_nothing),
		STORE_TEST(test_a_restore_waits_for_a_writer_and_then_gives_up),
		STORE_TEST(test_a_store_opened_for_reading_is_not_restored),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
