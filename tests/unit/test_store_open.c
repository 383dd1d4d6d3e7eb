/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What may lie at a store's path, and what opening it does: never overwrite anything. */
#include "store_helper.h"

#include <sqlite3.h>
#include <time.h>

enum { NOBODY = 65534 };

/* Runs body(place) as a user who is not root; true when it returned true. */
static bool as_nobody(struct place *place, bool (*body)(struct place *place))
{
	pid_t child = fork();
	if (child == 0) {
		if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
			_exit(2);
		_exit(body(place) ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool opens_with(struct place *place, unsigned flags, enum sluice_status expected,
                       const char *message)
{
	struct sluice_store *store;
	struct sluice_error error = { 0 };
	enum sluice_status status = sluice_store_open(place->db, flags, &store, &error);
	if (status == expected && (status == SLUICE_OK || strstr(error.message, message))) {
		sluice_store_close(store);
		return true;
	}
	fprintf(stderr, "got %s: %s\n", sluice_status_name(status), error.message);
	return false;
}

static void test_a_new_store_has_the_default_bus_and_no_rules(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = create_store(place);
	struct sluice_store_stats stats;
	struct sluice_error error;
	assert_ok(sluice_store_stats(store, &stats, &error), error);
	assert_int_equal(stats.counts[SLUICE_STORE_RULE], 0);
	assert_int_equal(stats.counts[SLUICE_STORE_BUS], 1);
	assert_int_equal(stats.counts[SLUICE_STORE_QUEUE], 0);
	assert_int_equal(stats.errors, 0);
	assert_int_equal(stats.schema_version, 4);
	assert_true(stats.bytes > 0);
	sluice_store_close(store);
	sql_gives(place,
	          "PRAGMA journal_mode; PRAGMA integrity_check; SELECT name, topics, exclude "
	          "FROM buses;",
	          "wal\nok\ndefault|[\"#\"]|[\"consumers/#\",\"queues/#\"]\n");
}

static void test_a_missing_file_is_not_made_unless_asked(void **state)
{
	struct place *place = *state;
	assert_open_fails(place, 0, SLUICE_ERR_NOT_FOUND, "sluice.db");
	assert_open_fails(place, SLUICE_STORE_READ_ONLY | SLUICE_STORE_CREATE, SLUICE_ERR_NOT_FOUND,
	                  "sluice.db");
	assert_int_equal(run(place, "ls -A $DIR"), 0);
	assert_string_equal(place->shell_output, "");
}

static void test_a_missing_folder_is_an_error_that_names_the_file(void **state)
{
	struct place *place = *state;
	strcat(place->db, "/not/there.db");
	assert_open_fails(place, SLUICE_STORE_CREATE, SLUICE_ERR_IO, "there.db");
}

static void test_a_relative_path_stays_the_same_file_when_the_folder_changes(void **state)
{
	struct place *place = *state;
	char before[256];
	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(place->folder), 0);
	struct sluice_store *store;
	struct sluice_error error;
	assert_ok(sluice_store_open("file:a?b%20#.db", SLUICE_STORE_CREATE, &store, &error), error);
	assert_int_equal(chdir("/"), 0);
	put_named(store, "a", 1);
	assert_poll(store, "+bus default, +rule a");
	sluice_store_close(store);
	assert_int_equal(chdir(before), 0);
	assert_int_equal(run(place, "ls -A $DIR"), 0);
	assert_string_equal(place->shell_output, "file:a?b%20#.db\n");
}

static void test_what_root_makes_belongs_to_the_owner_of_its_folder(void **state)
{
	struct place *place = *state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(place->folder, NOBODY, NOBODY), 0);
	struct sluice_store *store = create_store(place);
	put_named(store, "a", 1);
	assert_int_equal(run(place, "stat -c '%%n %%u %%g' $DIR/* | sed \"s,$DIR/,,\""), 0);
	assert_string_equal(place->shell_output, "sluice.db 65534 65534\n"
	                                         "sluice.db-shm 65534 65534\n"
	                                         "sluice.db-wal 65534 65534\n");
	struct sluice_error error;
	char copy[128];
	snprintf(copy, sizeof(copy), "%s/copy.db", place->folder);
	assert_ok(sluice_store_backup(store, copy, &error), error);
	assert_int_equal(run(place, "stat -c '%%u %%g' $DIR/copy.db"), 0);
	assert_string_equal(place->shell_output, "65534 65534\n");
	sluice_store_close(store);
	assert_true((run(place, "stat -c %%a $DB"), strncmp(place->shell_output, "6", 1) == 0));
}

/* Files that are no store: made by a command, refused with a status and a message, left as is. */
static const struct {
	const char *make;
	unsigned flags;
	enum sluice_status status;
	const char *message;
} no_stores[] = {
	{ "printf 'this is no database, whatever its name says, but it is mine' > $DB",
	  SLUICE_STORE_CREATE, SLUICE_ERR_CORRUPT, "not a database" },
	{ "head -c 20000 /dev/urandom > $DB", SLUICE_STORE_CREATE, SLUICE_ERR_CORRUPT,
	  "not a database" },
	{ ": > $DB", 0, SLUICE_ERR_CORRUPT, "empty" },
	{ ": > $DB", SLUICE_STORE_READ_ONLY | SLUICE_STORE_CREATE, SLUICE_ERR_CORRUPT, "empty" },
	{ "sqlite3 $DB 'CREATE TABLE mine (x); INSERT INTO mine VALUES (1)'", SLUICE_STORE_CREATE,
	  SLUICE_ERR_CORRUPT, "not a Sluice store" },
	{ "sqlite3 $DB 'PRAGMA application_id = 7'", SLUICE_STORE_CREATE, SLUICE_ERR_CORRUPT,
	  "not a Sluice store (application_id 7)" },
	{ "sqlite3 $DB 'CREATE TABLE rules (name); CREATE TABLE buses (name)'", SLUICE_STORE_CREATE,
	  SLUICE_ERR_CORRUPT, "not a Sluice store" },
	{ "mkdir $DB", SLUICE_STORE_CREATE, SLUICE_ERR_INVALID, "not a regular file" },
	{ "mkfifo $DB", SLUICE_STORE_CREATE, SLUICE_ERR_INVALID, "not a regular file" },
	{ "ln -s $DIR/nowhere/x $DB", SLUICE_STORE_CREATE, SLUICE_ERR_IO, "sluice.db" },
};

static void test_what_is_no_store_is_refused_and_left_as_it_is(void **state)
{
	struct place *place = *state;
	static const char print[] = "ls -lAR --time-style=full-iso $DIR; "
	                            "[ -f $DB ] && md5sum $DB; true";
	for (size_t i = 0; i < sizeof(no_stores) / sizeof(no_stores[0]); i++) {
		char before[sizeof(place->shell_output)];
		assert_int_equal(run(place, "rm -rf $DIR/*; %s", no_stores[i].make), 0);
		assert_int_equal(run(place, print), 0);
		strcpy(before, place->shell_output);
		assert_open_fails(place, no_stores[i].flags, no_stores[i].status,
		                  no_stores[i].message);
		assert_int_equal(run(place, print), 0);
		assert_string_equal(place->shell_output, before);
	}
}

static void test_somebody_elses_write_ahead_log_is_not_folded_in(void **state)
{
	struct place *place = *state;
	/* Killed, the shell leaves its WAL. */
	run(place, "sqlite3 $DB 'PRAGMA journal_mode = WAL; CREATE TABLE mine (x);' "
	           "'.shell kill -9 $PPID'");
	assert_int_equal(run(place, "md5sum $DB $DB-wal"), 0);
	char before[sizeof(place->shell_output)];
	strcpy(before, place->shell_output);
	assert_open_fails(place, SLUICE_STORE_CREATE, SLUICE_ERR_CORRUPT, "not a Sluice store");
	assert_int_equal(run(place, "md5sum $DB $DB-wal"), 0);
	assert_string_equal(place->shell_output, before);
}

static void make_store_of(struct place *place, int rules)
{
	struct sluice_store *store = create_store(place);
	struct sluice_error error;
	char name[24];
	assert_ok(sluice_store_begin(store, &error), error);
	for (int i = 0; i < rules; i++) {
		snprintf(name, sizeof(name), "rule-%04d", i);
		put_named(store, name, i);
	}
	assert_ok(sluice_store_commit(store, &error), error);
	sluice_store_close(store);
}

static void test_a_newer_store_is_refused_and_left_as_it_is(void **state)
{
	struct place *place = *state;
	make_store_of(place, 1);
	sql(place, "PRAGMA user_version = 999;");
	assert_int_equal(run(place, "md5sum $DB"), 0);
	char before[sizeof(place->shell_output)];
	strcpy(before, place->shell_output);
	assert_open_fails(place, SLUICE_STORE_CREATE, SLUICE_ERR_VERSION, "newer Sluice");
	assert_open_fails(place, SLUICE_STORE_READ_ONLY, SLUICE_ERR_VERSION, "newer Sluice");
	assert_int_equal(run(place, "md5sum $DB"), 0);
	assert_string_equal(place->shell_output, before);
}

/* Ways to damage a store of 500 rules. */
static const char *const damages[] = {
	"truncate -s 20000 $DB",
	"truncate -s 5000 $DB",
	"truncate -s 1000 $DB",
	"dd if=/dev/urandom of=$DB bs=1 seek=0 count=16 conv=notrunc 2>&1",
	"dd if=/dev/zero of=$DB bs=4096 seek=1 count=3 conv=notrunc 2>&1",
	"dd if=/dev/urandom of=$DB bs=4096 seek=5 count=20 conv=notrunc 2>&1",
	"sqlite3 $DB 'DROP TRIGGER rules_inserted'",
	"sqlite3 $DB 'DROP TABLE tombstones'",
	"sqlite3 $DB 'DROP TABLE rule_errors'",
};

static void test_a_damaged_store_is_refused_and_left_as_it_is(void **state)
{
	struct place *place = *state;
	make_store_of(place, 500);
	assert_int_equal(run(place, "cp $DB $DIR/sound"), 0);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		assert_int_equal(run(place, "rm -f $DB-*; cp $DIR/sound $DB; %s", damages[i]), 0);
		assert_int_equal(run(place, "md5sum $DB"), 0);
		char before[sizeof(place->shell_output)];
		strcpy(before, place->shell_output);
		assert_open_fails(place, SLUICE_STORE_CREATE, SLUICE_ERR_CORRUPT, "sluice.db: ");
		assert_open_fails(place, SLUICE_STORE_READ_ONLY, SLUICE_ERR_CORRUPT, "sluice.db: ");
		assert_int_equal(run(place, "md5sum $DB"), 0);
		assert_string_equal(place->shell_output, before);
	}
}

static void test_random_damage_never_crashes(void **state)
{
	struct place *place = *state;
	make_store_of(place, 50);
	assert_int_equal(run(place, "cp $DB $DIR/sound"), 0);
	unsigned seed = 20261123;
	for (int round = 0; round < 30; round++) {
		assert_int_equal(run(place, "rm -f $DB-*; cp $DIR/sound $DB"), 0);
		int fd = open(place->db, O_RDWR);
		off_t size = lseek(fd, 0, SEEK_END);
		for (int i = 0; i < 20; i++) {
			seed = seed * 1103515245 + 12345;
			unsigned char byte = (unsigned char)(seed >> 16);
			off_t at = (off_t)((seed >> 4) % (unsigned)size);
			assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		}
		close(fd);
		struct sluice_store *store;
		struct sluice_error error;
		if (sluice_store_open(place->db, 0, &store, &error) == SLUICE_OK) {
			struct sluice_buffer told = { 0 };
			sluice_store_poll(store, collect_change, &told, &error);
			sluice_buffer_finish(&told);
		}
		sluice_store_close(store);
	}
}

static bool read_only_file(struct place *place)
{
	return opens_with(place, SLUICE_STORE_CREATE, SLUICE_ERR_READ_ONLY, "sluice.db") &&
	       opens_with(place, SLUICE_STORE_READ_ONLY, SLUICE_OK, "");
}

static void test_a_read_only_file_or_folder_can_only_be_read(void **state)
{
	struct place *place = *state;
	make_store_of(place, 3);
	assert_int_equal(run(place, "chmod 777 $DIR; chmod 444 $DB"), 0);
	assert_true(as_nobody(place, read_only_file));
	assert_int_equal(run(place, "rm -f $DB-*; chmod 555 $DIR; chmod 666 $DB"), 0);
	assert_true(as_nobody(place, read_only_file));
	assert_int_equal(run(place, "chmod 755 $DIR"), 0);
}

static bool unreadable_file(struct place *place)
{
	return opens_with(place, SLUICE_STORE_READ_ONLY, SLUICE_ERR_IO, "sluice.db");
}

static void test_a_file_that_can_not_be_read_is_an_error(void **state)
{
	struct place *place = *state;
	make_store_of(place, 1);
	assert_int_equal(run(place, "chmod 777 $DIR; chmod 000 $DB"), 0);
	assert_true(as_nobody(place, unreadable_file));
}

static bool read_only_polls(struct place *place)
{
	struct sluice_store *store = open_store(place, SLUICE_STORE_READ_ONLY);
	assert_poll(store, "+bus default, +rule rule-0000");
	assert_poll(store, "");
	struct sluice_rule *rule;
	struct sluice_error error;
	assert_ok(sluice_rule_parse(SLUICE_STR("{\"name\":\"a\",\"pattern\":{\"x\":[1]},"
	                                       "\"targets\":[]}"),
	                            &rule, &error),
	          error);
	assert_status(sluice_store_put(store, sluice_definition_of_rule(rule), -1, NULL, &error),
	              SLUICE_ERR_READ_ONLY);
	sluice_rule_destroy(rule);
	sluice_store_close(store);
	return true;
}

static void test_a_store_in_a_read_only_folder_can_be_followed(void **state)
{
	struct place *place = *state;
	make_store_of(place, 1);
	assert_int_equal(run(place, "chmod 555 $DIR; chmod 444 $DB"), 0);
	assert_true(as_nobody(place, read_only_polls));
	assert_int_equal(run(place, "chmod 755 $DIR"), 0);
}

static void test_a_file_that_is_locked_whole_is_busy(void **state)
{
	struct place *place = *state;
	make_store_of(place, 1);
	sqlite3 *other;
	assert_int_equal(sqlite3_open(place->db, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other,
	                              "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; "
	                              "UPDATE rules SET state = 'SHADOW'; COMMIT",
	                              NULL, NULL, NULL),
	                 SQLITE_OK);
	assert_open_fails(place, SLUICE_STORE_CREATE, SLUICE_ERR_BUSY, "locked");
	sqlite3_close(other);
	sluice_store_close(open_store(place, 0));
}

static void test_processes_that_start_at_once_make_one_store(void **state)
{
	struct place *place = *state;
	enum { PROCESSES = 8 };
	pid_t children[PROCESSES];
	for (int round = 0; round < 5; round++) {
		assert_int_equal(run(place, "rm -f $DB*"), 0);
		for (int i = 0; i < PROCESSES; i++) {
			children[i] = fork();
			if (children[i] == 0) {
				char name[32];
				struct sluice_store *store = create_store(place);
				snprintf(name, sizeof(name), "r%d", i);
				put_named(store, name, i);
				sluice_store_close(store);
				_exit(0);
			}
		}
		for (int i = 0; i < PROCESSES; i++) {
			int status;
			assert_int_equal(waitpid(children[i], &status, 0), children[i]);
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		}
		sql_gives(place, "SELECT count(*) FROM rules; PRAGMA integrity_check;", "8\nok\n");
	}
}

static void test_a_store_in_another_journal_mode_is_taken_as_it_is(void **state)
{
	struct place *place = *state;
	make_store_of(place, 1);
	sql_gives(place, "PRAGMA journal_mode = DELETE;", "delete\n");
	struct sluice_store *reader = open_store(place, SLUICE_STORE_READ_ONLY);
	assert_poll(reader, "+bus default, +rule rule-0000");
	sluice_store_close(reader);
	sql_gives(place, "PRAGMA journal_mode;", "delete\n");
	sluice_store_close(open_store(place, 0));
	sql_gives(place, "PRAGMA journal_mode;", "wal\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_a_new_store_has_the_default_bus_and_no_rules),
		STORE_TEST(test_a_missing_file_is_not_made_unless_asked),
		STORE_TEST(test_a_missing_folder_is_an_error_that_names_the_file),
		STORE_TEST(test_a_relative_path_stays_the_same_file_when_the_folder_changes),
		STORE_TEST(test_what_root_makes_belongs_to_the_owner_of_its_folder),
		STORE_TEST(test_what_is_no_store_is_refused_and_left_as_it_is),
		STORE_TEST(test_somebody_elses_write_ahead_log_is_not_folded_in),
		STORE_TEST(test_a_newer_store_is_refused_and_left_as_it_is),
		STORE_TEST(test_a_damaged_store_is_refused_and_left_as_it_is),
		STORE_TEST(test_random_damage_never_crashes),
		STORE_TEST(test_a_read_only_file_or_folder_can_only_be_read),
		STORE_TEST(test_a_file_that_can_not_be_read_is_an_error),
		STORE_TEST(test_a_store_in_a_read_only_folder_can_be_followed),
		STORE_TEST(test_a_file_that_is_locked_whole_is_busy),
		STORE_TEST(test_processes_that_start_at_once_make_one_store),
		STORE_TEST(test_a_store_in_another_journal_mode_is_taken_as_it_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
