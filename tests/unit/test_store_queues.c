/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Queues, archives and schedules in the store; and a store of the schema before there were any. */
#include "store_helper.h"

#include "migrations.h"

static int64_t put_queue(struct sluice_store *store, const char *json)
{
	struct sluice_definition queue;
	struct sluice_error error;
	int64_t revision = -1;
	assert_ok(sluice_definition_parse(SLUICE_STORE_QUEUE, sluice_str(json), &queue, &error),
	          error);
	assert_ok(sluice_store_put(store, queue, SLUICE_STORE_ANY_REVISION, &revision, &error),
	          error);
	sluice_definition_finish(&queue);
	return revision;
}

#define assert_queue(store, name, expected)                                                        \
	do {                                                                                       \
		struct sluice_buffer got_ = { 0 };                                                 \
		struct sluice_error error_;                                                        \
		assert_ok(sluice_store_get(store, SLUICE_STORE_QUEUE, sluice_str(name),            \
		                           collect_row, &got_, &error_),                           \
		          error_);                                                                 \
		assert_string_equal(sluice_buffer_str(&got_).data, expected "\n");                 \
		sluice_buffer_finish(&got_);                                                       \
	} while (0)

#define FULL                                                                                       \
	"{\"name\":\"q\",\"description\":\"d\",\"visibility_timeout_s\":1,\"max_receives\":2,"     \
	"\"dead_letter\":\"e\",\"retention_s\":60,\"max_events\":9223372036854775807,"             \
	"\"max_bytes\":4,\"max_in_flight\":5,\"delay_ms\":6,\"group\":\"$.g\","                    \
	"\"group_on_dead\":\"stop\",\"deduplication\":{\"key\":\"$.k\",\"window_s\":7},"           \
	"\"batch\":{\"max_events\":8,\"max_bytes\":9,\"max_wait_ms\":10}}"

static void test_a_queue_comes_back_as_it_was_put(void **state)
{
	struct sluice_store *store = create_store(*state);
	int64_t revision = put_queue(store, FULL);
	assert_queue(store, "q", FULL);
	assert_int_equal(put_queue(store, FULL), revision);
	assert_true(put_queue(store, "{\"name\":\"q\"}") > revision);
	assert_queue(store, "q",
	             "{\"name\":\"q\",\"visibility_timeout_s\":30,\"max_receives\":0,"
	             "\"retention_s\":345600,\"max_events\":0,\"max_bytes\":0,"
	             "\"max_in_flight\":100,\"delay_ms\":0,\"group_on_dead\":\"continue\"}");
	sluice_store_close(store);
}

static void test_a_queue_is_told_before_what_may_name_it_and_gone_after(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = create_store(place);
	sql(place,
	    "INSERT INTO rules (name, pattern, dead_letter) VALUES ('r', '{\"a\":[1]}', 'q');"
	    "INSERT INTO buses (name) VALUES ('b');"
	    "INSERT INTO queues (name) VALUES ('q');");
	assert_poll(store, "+queue q, +bus b, +bus default, +rule r");
	sql(place, "DELETE FROM queues; DELETE FROM rules; DELETE FROM buses WHERE name = 'b';");
	assert_poll(store, "-rule r, -bus b, -queue q");
	sluice_store_close(store);
}

static void test_each_change_of_a_queue_is_told(void **state)
{
	static const char *const changes[] = {
		"UPDATE queues SET description = 'x'",
		"UPDATE queues SET visibility_timeout_s = 31",
		"UPDATE queues SET max_receives = 1",
		"UPDATE queues SET dead_letter = 'd'",
		"UPDATE queues SET retention_s = 61",
		"UPDATE queues SET max_events = 1",
		"UPDATE queues SET max_bytes = 1",
		"UPDATE queues SET max_in_flight = 1",
		"UPDATE queues SET delay_ms = 1",
		"UPDATE queues SET group_path = '$.g'",
		"UPDATE queues SET group_on_dead = 'stop'",
		"UPDATE queues SET deduplication = '{\"key\":\"content\"}'",
		"UPDATE queues SET batch = '{\"max_events\":1}'",
		"INSERT OR REPLACE INTO queues (name) VALUES ('q')",
		"UPDATE queues SET revision = 1, max_bytes = 2",
	};
	struct place *place = *state;
	struct sluice_store *store = create_store(place);
	sql(place, "INSERT INTO queues (name) VALUES ('q');");
	assert_poll(store, "+queue q, +bus default");
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		char statement[160];
		snprintf(statement, sizeof(statement), "%s;", changes[i]);
		sql(place, statement);
		assert_poll(store, "+queue q");
	}
	sql(place, "INSERT OR REPLACE INTO queues SELECT * FROM queues;"
	           "UPDATE queues SET revision = 99;");
	assert_poll(store, "");
	sql(place, "UPDATE queues SET name = 'p';");
	assert_poll(store, "+queue p, -queue q");
	/* A delete without triggers leaves no tombstone. */
	sql(place, "DROP TRIGGER queues_deleted; DELETE FROM queues;"
	           "CREATE TRIGGER queues_deleted AFTER DELETE ON queues BEGIN SELECT 1; END;");
	assert_poll(store, "-queue p");
	sluice_store_close(store);
}

static void test_a_bus_has_its_archive_and_will_topics_back(void **state)
{
	static const char bus[] = "{\"name\":\"b\",\"topics\":[],\"exclude\":[],"
	                          "\"deliver_original\":true,\"archive\":{\"pattern\":{\"a\":[1]},"
	                          "\"retention_s\":7,\"max_bytes\":5},\"will_topics\":[\"a\"]}";
	struct place *place = *state;
	struct sluice_store *store = create_store(place);
	struct sluice_buffer got = { 0 };
	struct sluice_error error;
	int64_t revision = put_bus(store, bus);
	assert_int_equal(put_bus(store, bus), revision);
	assert_ok(sluice_store_get(store, SLUICE_STORE_BUS, SLUICE_STR("b"), collect_row, &got,
	                           &error),
	          error);
	assert_int_equal(got.len, strlen(bus) + 1);
	assert_memory_equal(got.data, bus, strlen(bus));
	sluice_buffer_finish(&got);
	assert_poll(store, "+bus b, +bus default");
	sql(place, "UPDATE buses SET archive = '{}' WHERE name = 'b';");
	assert_poll(store, "+bus b");
	sql_refused(place, "UPDATE buses SET archive = '[]';", "onstraint failed");
	sql(place, "UPDATE buses SET will_topics = '[\"w\"]' WHERE name = 'b';");
	assert_poll(store, "+bus b");
	sql_refused(place, "UPDATE buses SET will_topics = '{}';", "onstraint failed");
	sluice_store_close(store);
}

static void test_a_rule_has_its_schedule_back(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = create_store(place);
	put(store, "{\"name\":\"r\",\"schedule\":\"rate(1 day)\",\"timezone\":\"Asia/Tokyo\","
	           "\"input\":{ \"a\" : 1 },\"missed\":\"run-once\",\"dead_letter\":\"dead\"}");
	assert_rule(store, "r",
	            "{\"name\":\"r\",\"bus\":\"default\",\"state\":\"ENABLED\",\"dead_letter\":"
	            "\"dead\",\"schedule\":\"rate(1 day)\",\"timezone\":\"Asia/Tokyo\",\"input\":{"
	            "\"a\":1},\"missed\":\"run-once\",\"targets\":[]}");
	/* What is constant is sent to the character. */
	sql_gives(place, "SELECT input FROM rules;", "{ \"a\" : 1 }\n");
	assert_poll(store, "+bus default, +rule r");
	put(store, "{\"name\":\"r\",\"pattern\":{\"a\":[1]}}");
	assert_rule(store, "r",
	            "{\"name\":\"r\",\"bus\":\"default\",\"state\":\"ENABLED\",\"pattern\":{\"a\":"
	            "[1]},\"targets\":[]}");
	assert_poll(store, "+rule r");
	static const char *const changes[] = {
		"UPDATE rules SET pattern = NULL, schedule = 'rate(2 days)'",
		"UPDATE rules SET schedule = 'rate(3 days)'",
		"UPDATE rules SET timezone = 'UTC'",
		"UPDATE rules SET input = '1'",
		("UPDATE rules SET input = NULL,"
		 " input_transformer = '{}'"),
		"UPDATE rules SET missed = 'skip'",
		"UPDATE rules SET dead_letter = 'x'",
	};
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		char statement[160];
		snprintf(statement, sizeof(statement), "%s;", changes[i]);
		sql(place, statement);
		assert_poll(store, "+rule r");
	}
	sql_refused(place, "UPDATE rules SET pattern = '{}';", "onstraint failed");
	sql_refused(place, "UPDATE rules SET schedule = '';", "onstraint failed");
	sluice_store_close(store);
}

static void test_the_table_refuses_what_is_no_queue(void **state)
{
	static const char *const rows[] = {
		"(name) VALUES ('a/b')",
		"(name) VALUES ('')",
		"(name, dead_letter) VALUES ('q', 'q')",
		"(name, dead_letter) VALUES ('q', 'a b')",
		"(name, visibility_timeout_s) VALUES ('q', 0)",
		"(name, visibility_timeout_s) VALUES ('q', 43201)",
		"(name, max_receives) VALUES ('q', 1001)",
		"(name, retention_s) VALUES ('q', 59)",
		"(name, max_events) VALUES ('q', -1)",
		"(name, max_bytes) VALUES ('q', -1)",
		"(name, max_in_flight) VALUES ('q', 0)",
		"(name, delay_ms) VALUES ('q', 31536000001)",
		"(name, group_path) VALUES ('q', 'g')",
		"(name, group_on_dead) VALUES ('q', 'go')",
		"(name, deduplication) VALUES ('q', '[]')",
		"(name, batch) VALUES ('q', '{')",
	};
	struct place *place = *state;
	sluice_store_close(create_store(place));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char statement[160];
		snprintf(statement, sizeof(statement), "INSERT INTO queues %s;", rows[i]);
		sql_refused(place, statement, "onstraint failed");
	}
}

static void test_errors_of_queues_are_noted_and_counted(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = create_store(place);
	struct sluice_error error, fault = { .code = SLUICE_ERR_SYNTAX, .message = "no path" };
	struct sluice_store_stats stats;
	snprintf(fault.place, sizeof(fault.place), "$.group");
	int64_t revision = put_queue(store, "{\"name\":\"q\"}");
	assert_poll(store, "+queue q, +bus default");
	sluice_store_report(store, SLUICE_STORE_QUEUE, SLUICE_STR("q"), revision, &fault);
	assert_poll(store, "");
	assert_ok(sluice_store_stats(store, &stats, &error), error);
	assert_int_equal(stats.errors, 1);
	assert_int_equal(stats.counts[SLUICE_STORE_QUEUE], 1);
	sql_gives(place, "SELECT kind, name, place, message FROM rule_errors;",
	          "queue|q|$.group|no path\n");
	assert_ok(sluice_store_delete(store, SLUICE_STORE_QUEUE, SLUICE_STR("q"), revision, &error),
	          error);
	sql_gives(place, "SELECT count(*) FROM rule_errors;", "0\n");
	assert_status(sluice_store_delete(store, SLUICE_STORE_QUEUE, SLUICE_STR("q"), -1, &error),
	              SLUICE_ERR_NOT_FOUND);
	sluice_store_close(store);
}

static void test_a_backup_has_queues_and_a_restore_brings_them_back(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = create_store(place);
	struct sluice_error error;
	char copy[128];
	snprintf(copy, sizeof(copy), "%s/copy", place->folder);
	put_queue(store, FULL);
	assert_ok(sluice_store_backup(store, copy, &error), error);
	put_queue(store, "{\"name\":\"q\"}");
	put_queue(store, "{\"name\":\"other\"}");
	assert_poll(store, "+queue other, +queue q, +bus default");
	assert_ok(sluice_store_restore(store, copy, &error), error);
	assert_poll(store, "+queue q, -queue other");
	assert_queue(store, "q", FULL);
	sluice_store_close(store);
}

/* A store as the first schema left it, with something in each of its tables. */
static void make_first_schema(struct place *place)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open(place->db, &db), SQLITE_OK);
	assert_int_equal(store_migrate(db, STORE_APPLICATION_ID, store_migrations, 1), SQLITE_OK);
	sqlite3_close(db);
	sql(place,
	    "INSERT INTO buses (name, topics, deliver_original) VALUES ('b', '[\"b/#\"]', 0);"
	    "INSERT INTO rules (name, bus, state, description, metrics, pattern)"
	    " VALUES ('r', 'b', 'SHADOW', 'd', 1, '{ \"a\" : [1] }'), ('gone', 'b', 'ENABLED',"
	    " '', 0, '{}');"
	    "INSERT INTO targets (rule, id, position, definition) VALUES"
	    " ('r', 'two', 2, '{\"id\":\"two\",\"topic\":\"2\"}'),"
	    " ('r', 'one', 1, '{\"id\":\"one\",\"topic\":\"1\"}');"
	    "INSERT INTO rule_errors (kind, name, revision, code, message)"
	    " VALUES ('bus', 'b', 2, 'invalid', 'x');"
	    "DELETE FROM rules WHERE name = 'gone';");
}

static void test_a_store_of_the_first_schema_keeps_all_it_has(void **state)
{
	static const char everything[] =
	        "SELECT name, topics, deliver_original, revision FROM buses ORDER BY name;"
	        "SELECT name, bus, state, description, metrics, pattern, revision FROM rules;"
	        "SELECT * FROM targets ORDER BY id; SELECT * FROM rule_errors;"
	        "SELECT * FROM tombstones; SELECT * FROM revision_counter;";
	struct place *place = *state;
	char before[sizeof(place->shell_output)];
	make_first_schema(place);
	sql(place, everything);
	strcpy(before, place->shell_output);
	struct sluice_store *store = open_store(place, 0);
	sql_gives(place, everything, before);
	sql_gives(place,
	          "PRAGMA foreign_key_check; PRAGMA integrity_check;"
	          "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%before%';",
	          "ok\n0\n");
	assert_poll(store, "+bus b, +bus default, +rule r");
	/* Its triggers are there, and so are foreign keys. */
	sql(place, "UPDATE targets SET position = 0 WHERE id = 'two';");
	assert_poll(store, "+rule r");
	sql_refused(place, "DELETE FROM buses WHERE name = 'b';", "the bus has rules");
	sql_refused(place,
	            "PRAGMA foreign_keys = ON; DROP TRIGGER targets_insert;"
	            "INSERT INTO targets VALUES ('no', 'x', 0, '{\"id\":\"x\"}');",
	            "FOREIGN KEY");
	sluice_store_close(store);
}

static void test_a_backup_of_the_first_schema_is_restored(void **state)
{
	struct place *place = *state;
	struct sluice_error error;
	char old[128];
	make_first_schema(place);
	snprintf(old, sizeof(old), "%s/old", place->folder);
	assert_int_equal(rename(place->db, old), 0);
	struct sluice_store *store = create_store(place);
	put_queue(store, FULL);
	assert_poll(store, "+queue q, +bus default");
	assert_ok(sluice_store_restore(store, old, &error), error);
	assert_poll(store, "+bus b, +rule r, -queue q");
	sluice_store_close(store);
}

static void test_a_first_schema_killed_in_the_middle_of_the_second_stays_whole(void **state)
{
	struct place *place = *state;
	make_first_schema(place);
	pid_t child = fork();
	if (child == 0) {
		sqlite3 *db;
		if (sqlite3_open(place->db, &db) == SQLITE_OK)
			sqlite3_exec(db, "PRAGMA cache_size = 1; BEGIN IMMEDIATE", NULL, NULL,
			             NULL);
		sqlite3_exec(db, store_migrations[1].sql, NULL, NULL, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	sql_gives(place, "PRAGMA user_version; SELECT name FROM rules;", "1\nr\n");
	struct sluice_store *store = open_store(place, 0);
	assert_poll(store, "+bus b, +bus default, +rule r");
	sluice_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_a_queue_comes_back_as_it_was_put),
		STORE_TEST(test_a_queue_is_told_before_what_may_name_it_and_gone_after),
		STORE_TEST(test_each_change_of_a_queue_is_told),
		STORE_TEST(test_a_bus_has_its_archive_and_will_topics_back),
		STORE_TEST(test_a_rule_has_its_schedule_back),
		STORE_TEST(test_the_table_refuses_what_is_no_queue),
		STORE_TEST(test_errors_of_queues_are_noted_and_counted),
		STORE_TEST(test_a_backup_has_queues_and_a_restore_brings_them_back),
		STORE_TEST(test_a_store_of_the_first_schema_keeps_all_it_has),
		STORE_TEST(test_a_backup_of_the_first_schema_is_restored),
		STORE_TEST(test_a_first_schema_killed_in_the_middle_of_the_second_stays_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
