/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Connections, targets and sources in the store; what it shows of secrets, and to whom. */
#include "store_helper.h"

#include "migrations.h"

static enum sluice_status try_put(struct sluice_store *store, enum sluice_store_kind kind,
                                  const char *json, int64_t *revision, struct sluice_error *error)
{
	struct sluice_definition definition;
	assert_ok(sluice_definition_parse(kind, sluice_str(json), &definition, error), *error);
	enum sluice_status status =
	        sluice_store_put(store, definition, SLUICE_STORE_ANY_REVISION, revision, error);
	sluice_definition_finish(&definition);
	return status;
}

static int64_t put_one(struct sluice_store *store, enum sluice_store_kind kind, const char *json)
{
	struct sluice_error error;
	int64_t revision = -1;
	assert_ok(try_put(store, kind, json, &revision, &error), error);
	return revision;
}

#define assert_row(store, kind, name, expected)                                                    \
	do {                                                                                       \
		struct sluice_buffer got_ = { 0 };                                                 \
		struct sluice_error error_;                                                        \
		assert_ok(sluice_store_get(store, kind, sluice_str(name), collect_row, &got_,      \
		                           &error_),                                               \
		          error_);                                                                 \
		assert_string_equal(sluice_buffer_str(&got_).data, expected "\n");                 \
		sluice_buffer_finish(&got_);                                                       \
	} while (0)

#define DELIVERY                                                                                   \
	"\"delivery\":{\"concurrency\":1,\"rate\":2,\"burst\":3,\"batch_events\":4,"               \
	"\"batch_bytes\":5,\"batch_wait_ms\":6,\"timeout_ms\":7,\"max_attempts\":8,"               \
	"\"max_age_s\":9,\"backoff_ms\":10,\"backoff_max_ms\":11,\"breaker_failures\":12,"         \
	"\"breaker_pause_ms\":13}"

#define TARGET                                                                                     \
	"{\"name\":\"t\",\"description\":\"d\",\"state\":\"DISABLED\",\"queue\":\"q\","            \
	"\"kind\":\"http\",\"connection\":\"c\",\"settings\":{\"url\":\"u\"},"                     \
	"\"enrichment\":{\"kind\":\"http\",\"connection\":\"e\",\"settings\":{\"url\":\"v\"},"     \
	"\"into\":\"$.a\"}," DELIVERY "}"

#define SOURCE                                                                                     \
	"{\"name\":\"s\",\"description\":\"d\",\"state\":\"DISABLED\",\"kind\":\"wills\","         \
	"\"connection\":\"c\",\"topic\":\"a/{topic}\",\"settings\":{\"bus\":\"b\"}}"

#define CONNECTION(secret)                                                                         \
	"{\"name\":\"c\",\"description\":\"d\",\"kind\":\"basic\",\"settings\":{\"username\":"     \
	"\"u\"},\"secrets\":{\"password\":" secret "}}"

static void test_what_the_bridge_is_told_comes_back_as_it_was_put(void **state)
{
	struct sluice_store *store = create_store(*state);
	int64_t target = put_one(store, SLUICE_STORE_TARGET, TARGET);
	int64_t source = put_one(store, SLUICE_STORE_SOURCE, SOURCE);
	assert_row(store, SLUICE_STORE_TARGET, "t", TARGET);
	assert_row(store, SLUICE_STORE_SOURCE, "s", SOURCE);
	assert_int_equal(put_one(store, SLUICE_STORE_TARGET, TARGET), target);
	assert_int_equal(put_one(store, SLUICE_STORE_SOURCE, SOURCE), source);
	put_one(store, SLUICE_STORE_CONNECTION, CONNECTION("{\"file\":\"/f\"}"));
	assert_row(store, SLUICE_STORE_CONNECTION, "c", CONNECTION("{\"file\":\"/f\"}"));
	sluice_store_close(store);
}

static void test_a_secret_is_shown_to_the_bridge_alone(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = create_store(place);
	put_one(store, SLUICE_STORE_CONNECTION, CONNECTION("\"s3cret\""));
	assert_row(store, SLUICE_STORE_CONNECTION, "c", CONNECTION("null"));
	sluice_store_close(store);
	store = open_store(place, SLUICE_STORE_READ_ONLY | SLUICE_STORE_SECRETS);
	assert_row(store, SLUICE_STORE_CONNECTION, "c", CONNECTION("\"s3cret\""));
	sluice_store_close(store);
	/* Whatever stands there: it may be one that was mistyped. */
	sql(place, "PRAGMA ignore_check_constraints = 1;"
	           "UPDATE connections SET secrets = '{\"password\":\"s3cret';");
	store = open_store(place, 0);
	assert_row(store, SLUICE_STORE_CONNECTION, "c",
	           "{\"name\":\"c\",\"description\":\"d\",\"kind\":\"basic\",\"settings\":"
	           "{\"username\":\"u\"},\"secrets\":null}");
	sluice_store_close(store);
}

static void test_null_keeps_a_secret(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = create_store(place);
	struct sluice_error error;
	int64_t revision;
	assert_status(try_put(store, SLUICE_STORE_CONNECTION, CONNECTION("null"), NULL, &error),
	              SLUICE_ERR_INVALID);
	assert_string_equal(error.place, "$.secrets.password");
	revision = put_one(store, SLUICE_STORE_CONNECTION, CONNECTION("\"s3cret\""));
	assert_int_equal(put_one(store, SLUICE_STORE_CONNECTION, CONNECTION("null")), revision);
	assert_true(put_one(store, SLUICE_STORE_CONNECTION,
	                    "{\"name\":\"c\",\"kind\":\"basic\",\"settings\":{\"username\":\"v\"},"
	                    "\"secrets\":{\"password\":null}}") > revision);
	sql_gives(place, "SELECT settings, secrets FROM connections;",
	          "{\"username\":\"v\"}|{\"password\":\"s3cret\"}\n");
	/* A secret of a kind goes nowhere else. */
	assert_status(try_put(store, SLUICE_STORE_CONNECTION,
	                      "{\"name\":\"c\",\"kind\":\"bearer\",\"secrets\":{\"token\":null}}",
	                      NULL, &error),
	              SLUICE_ERR_INVALID);
	put_one(store, SLUICE_STORE_CONNECTION,
	        "{\"name\":\"c\",\"kind\":\"basic\",\"settings\":{\"username\":\"v\"}}");
	sql_gives(place, "SELECT secrets FROM connections;", "{}\n");
	sluice_store_close(store);
}

static void test_the_bridge_is_told_of_a_secret_that_changed_and_no_other(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = create_store(place);
	put_one(store, SLUICE_STORE_CONNECTION, CONNECTION("\"one\""));
	struct sluice_store *bridge = open_store(place, SLUICE_STORE_SECRETS);
	assert_poll(store, "+bus default, +connection c");
	assert_poll(bridge, "+bus default, +connection c");
	sql(place, "UPDATE connections SET secrets = '{\"password\":\"two\"}';");
	assert_poll(store, "");
	assert_poll(bridge, "+connection c");
	sluice_store_close(bridge);
	sluice_store_close(store);
}

static void test_targets_share_no_queue(void **state)
{
	static const char one[] = "{\"name\":\"one\",\"queue\":\"q\",\"kind\":\"http\","
	                          "\"settings\":{\"url\":\"u\"}}";
	static const char two[] = "{\"name\":\"two\",\"queue\":\"q\",\"kind\":\"http\","
	                          "\"settings\":{\"url\":\"u\"}}";
	struct place *place = *state;
	struct sluice_store *store = create_store(place);
	struct sluice_error error;
	put_one(store, SLUICE_STORE_TARGET, one);
	assert_status(try_put(store, SLUICE_STORE_TARGET, two, NULL, &error), SLUICE_ERR_CONFLICT);
	assert_non_null(strstr(error.message, "\"one\" and \"two\""));
	/* One may hand it to the other. */
	assert_ok(sluice_store_begin(store, &error), error);
	put_one(store, SLUICE_STORE_TARGET, two);
	assert_ok(sluice_store_delete(store, SLUICE_STORE_TARGET, SLUICE_STR("one"), -1, &error),
	          error);
	assert_ok(sluice_store_commit(store, &error), error);
	assert_ok(sluice_store_begin(store, &error), error);
	put_one(store, SLUICE_STORE_TARGET, one);
	assert_status(sluice_store_commit(store, &error), SLUICE_ERR_CONFLICT);
	sql_gives(place, "SELECT name FROM bridge_targets;", "two\n");
	/* The queue of the name, when none is said. */
	sql(place, "UPDATE bridge_targets SET queue = '';");
	assert_status(try_put(store, SLUICE_STORE_TARGET,
	                      "{\"name\":\"one\",\"queue\":\"two\",\"kind\":\"http\","
	                      "\"settings\":{\"url\":\"u\"}}",
	                      NULL, &error),
	              SLUICE_ERR_CONFLICT);
	sluice_store_close(store);
}

static void test_each_change_is_told_in_the_order_of_need(void **state)
{
	static const char *const changes[][2] = {
		{ "UPDATE connections SET description = 'x'", "+connection c" },
		{ "UPDATE connections SET kind = 'bearer'", "+connection c" },
		{ "UPDATE connections SET settings = '{\"ca_file\":\"f\"}'", "+connection c" },
		{ "UPDATE connections SET secrets = '{\"token\":{\"env\":\"E\"}}'",
		  "+connection c" },
		{ "UPDATE bridge_targets SET description = 'x'", "+target t" },
		{ "UPDATE bridge_targets SET state = 'DISABLED'", "+target t" },
		{ "UPDATE bridge_targets SET queue = 'q'", "+target t" },
		{ "UPDATE bridge_targets SET kind = 'exec'", "+target t" },
		{ "UPDATE bridge_targets SET connection = 'c'", "+target t" },
		{ "UPDATE bridge_targets SET settings = '{\"a\":1}'", "+target t" },
		{ "UPDATE bridge_targets SET enrichment = '{\"a\":1}'", "+target t" },
		{ "UPDATE bridge_targets SET delivery = '{\"rate\":1}'", "+target t" },
		{ "UPDATE bridge_sources SET description = 'x'", "+source s" },
		{ "UPDATE bridge_sources SET state = 'DISABLED'", "+source s" },
		{ "UPDATE bridge_sources SET kind = 'mqtt'", "+source s" },
		{ "UPDATE bridge_sources SET connection = 'c'", "+source s" },
		{ "UPDATE bridge_sources SET topic = 'b'", "+source s" },
		{ "UPDATE bridge_sources SET settings = '{\"a\":1}'", "+source s" },
		{ "UPDATE bridge_targets SET revision = 1", "" },
		{ "UPDATE bridge_targets SET name = 'u'", "-target t, +target u" },
		{ "INSERT OR REPLACE INTO connections (name, kind) VALUES ('c', 'tls')",
		  "+connection c" },
		{ "DELETE FROM connections; DELETE FROM bridge_targets; DELETE FROM bridge_sources",
		  "-source s, -target u, -connection c" },
	};
	struct place *place = *state;
	struct sluice_store *store = create_store(place);
	sql(place, "INSERT INTO bridge_sources (name, kind, topic) VALUES ('s', 'wills', 't');"
	           "INSERT INTO bridge_targets (name, kind) VALUES ('t', 'http');"
	           "INSERT INTO connections (name, kind) VALUES ('c', 'tls');"
	           "INSERT INTO queues (name) VALUES ('q');"
	           "INSERT INTO rules (name, pattern) VALUES ('r', '{\"a\":[1]}');");
	assert_poll(store, "+queue q, +bus default, +rule r, +connection c, +target t, +source s");
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		char statement[160];
		snprintf(statement, sizeof(statement), "%s;", changes[i][0]);
		sql(place, statement);
		assert_poll(store, changes[i][1]);
	}
	sluice_store_close(store);
}

static void test_the_tables_refuse_what_is_no_definition(void **state)
{
	struct place *place = *state;
	sluice_store_close(create_store(place));
	static const char *const statements[] = {
		"INSERT INTO connections (name, kind) VALUES ('', 'tls')",
		"INSERT INTO connections (name, kind) VALUES ('a b', 'tls')",
		"INSERT INTO connections (name, kind, secrets) VALUES ('a', 'tls', '[]')",
		"INSERT INTO connections (name, kind, settings) VALUES ('a', 'tls', 'x')",
		"INSERT INTO bridge_targets (name, kind, state) VALUES ('a', 'http', 'SHADOW')",
		"INSERT INTO bridge_targets (name, kind, queue) VALUES ('a', 'http', 'a/b')",
		"INSERT INTO bridge_targets (name, kind, delivery) VALUES ('a', 'http', '1')",
		"INSERT INTO bridge_sources (name, kind, topic) VALUES ('a', 'wills', '')",
		"INSERT INTO bridge_sources (name, kind, topic) VALUES ('a', '', 't')",
		"INSERT INTO tombstones (kind, name, revision) VALUES ('x', 'a', 1)",
	};
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
		char statement[200];
		snprintf(statement, sizeof(statement), "%s;", statements[i]);
		sql_refused(place, statement, "CHECK constraint");
	}
}

static void test_a_state_is_changed_of_what_has_one(void **state)
{
	struct sluice_store *store = create_store(*state);
	struct sluice_error error;
	int64_t revision;
	put_one(store, SLUICE_STORE_SOURCE, SOURCE);
	assert_ok(sluice_store_set_state(store, SLUICE_STORE_SOURCE, SLUICE_STR("s"),
	                                 SLUICE_RULE_ENABLED, -1, &revision, &error),
	          error);
	assert_row(store, SLUICE_STORE_SOURCE, "s",
	           "{\"name\":\"s\",\"description\":\"d\",\"state\":\"ENABLED\",\"kind\":\"wills\","
	           "\"connection\":\"c\",\"topic\":\"a/{topic}\",\"settings\":{\"bus\":\"b\"}}");
	assert_status(sluice_store_set_state(store, SLUICE_STORE_SOURCE, SLUICE_STR("s"),
	                                     SLUICE_RULE_SHADOW, -1, NULL, &error),
	              SLUICE_ERR_INVALID);
	assert_status(sluice_store_set_state(store, SLUICE_STORE_QUEUE, SLUICE_STR("s"),
	                                     SLUICE_RULE_ENABLED, -1, NULL, &error),
	              SLUICE_ERR_INVALID);
	assert_status(sluice_store_set_state(store, SLUICE_STORE_TARGET, SLUICE_STR("s"),
	                                     SLUICE_RULE_ENABLED, -1, NULL, &error),
	              SLUICE_ERR_NOT_FOUND);
	sluice_store_close(store);
}

static void test_errors_of_targets_are_noted_and_counted(void **state)
{
	struct sluice_store *store = create_store(*state);
	struct sluice_error fault, error;
	struct sluice_store_stats stats;
	int64_t revision = put_one(store, SLUICE_STORE_TARGET, TARGET);
	sluice_error_set(&fault, SLUICE_ERR_INVALID, SIZE_MAX, "$.kind", "no");
	sluice_store_report(store, SLUICE_STORE_TARGET, SLUICE_STR("t"), revision, &fault);
	assert_row(store, SLUICE_STORE_TARGET, "t", TARGET " ! $.kind: no");
	assert_ok(sluice_store_stats(store, &stats, &error), error);
	assert_int_equal(stats.errors, 1);
	assert_int_equal(stats.counts[SLUICE_STORE_TARGET], 1);
	sluice_store_close(store);
}

static void test_a_backup_has_the_secrets_and_a_restore_brings_them_back(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = create_store(place);
	struct sluice_error error;
	struct stat file;
	char copy[128];
	snprintf(copy, sizeof(copy), "%s/copy", place->folder);
	put_one(store, SLUICE_STORE_CONNECTION, CONNECTION("\"s3cret\""));
	put_one(store, SLUICE_STORE_TARGET, TARGET);
	put_one(store, SLUICE_STORE_SOURCE, SOURCE);
	assert_ok(sluice_store_backup(store, copy, &error), error);
	assert_int_equal(stat(copy, &file), 0);
	assert_int_equal(file.st_mode & S_IRWXO, 0);
	sql(place, "DELETE FROM connections; DELETE FROM bridge_sources;"
	           "UPDATE bridge_targets SET name = 'u';");
	assert_poll(store, "+bus default, +target u");
	assert_ok(sluice_store_restore(store, copy, &error), error);
	assert_poll(store, "-target u, +connection c, +target t, +source s");
	sql_gives(place, "SELECT secrets FROM connections;", "{\"password\":\"s3cret\"}\n");
	sluice_store_close(store);
}

static void test_nobody_else_may_read_the_file(void **state)
{
	struct place *place = *state;
	struct stat file;
	mode_t before = umask(0);
	sluice_store_close(create_store(place));
	umask(before);
	assert_int_equal(stat(place->db, &file), 0);
	assert_int_equal(file.st_mode & S_IRWXO, 0);
}

static void test_a_store_of_the_second_schema_keeps_all_it_has(void **state)
{
	struct place *place = *state;
	sqlite3 *db;
	assert_int_equal(sqlite3_open(place->db, &db), SQLITE_OK);
	assert_int_equal(store_migrate(db, STORE_APPLICATION_ID, store_migrations, 2), SQLITE_OK);
	sqlite3_close(db);
	sql(place, "INSERT INTO queues (name) VALUES ('q'); INSERT INTO queues (name) VALUES ('p');"
	           "INSERT INTO rules (name, pattern) VALUES ('r', '{\"a\":[1]}');"
	           "INSERT INTO targets (rule, id, definition)"
	           " VALUES ('r', 't', '{\"id\":\"t\",\"queue\":\"q\"}');"
	           "DELETE FROM queues WHERE name = 'p';"
	           "INSERT INTO rule_errors (kind, name, revision, code, message)"
	           " VALUES ('rule', 'r', 4, 'x', 'no');");
	sluice_store_close(open_store(place, 0));
	sql_gives(place,
	          "PRAGMA user_version; SELECT kind, name, revision, message FROM rule_errors;"
	          "SELECT kind, name FROM tombstones; SELECT rule, id FROM targets;",
	          "4\nrule|r|4|no\nqueue|p\nr|t\n");
	struct sluice_store *store = open_store(place, 0);
	assert_poll(store, "+queue q, +bus default, +rule r");
	sql(place, "DELETE FROM rules; DELETE FROM queues;");
	assert_poll(store, "-rule r, -queue q");
	sluice_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_what_the_bridge_is_told_comes_back_as_it_was_put),
		STORE_TEST(test_a_secret_is_shown_to_the_bridge_alone),
		STORE_TEST(test_null_keeps_a_secret),
		STORE_TEST(test_the_bridge_is_told_of_a_secret_that_changed_and_no_other),
		STORE_TEST(test_targets_share_no_queue),
		STORE_TEST(test_each_change_is_told_in_the_order_of_need),
		STORE_TEST(test_the_tables_refuse_what_is_no_definition),
		STORE_TEST(test_a_state_is_changed_of_what_has_one),
		STORE_TEST(test_errors_of_targets_are_noted_and_counted),
		STORE_TEST(test_a_backup_has_the_secrets_and_a_restore_brings_them_back),
		STORE_TEST(test_nobody_else_may_read_the_file),
		STORE_TEST(test_a_store_of_the_second_schema_keeps_all_it_has),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
