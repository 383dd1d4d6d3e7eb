/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What a person may do with sqlite3, which has foreign keys and recursive triggers off. */
#include "store_helper.h"

static void insert_rules(struct place *place)
{
	sql(place, "INSERT INTO buses (name, topics) VALUES ('b', '[\"b/#\"]');"
	           "INSERT INTO rules (name, pattern) VALUES ('a', '{\"x\":[1]}');"
	           "INSERT INTO targets (rule, id, definition) VALUES"
	           " ('a', 'two', '{\"id\":\"two\",\"topic\":\"2\"}'),"
	           " ('a', 'one', '{\"id\":\"one\",\"topic\":\"1\"}');"
	           "INSERT INTO rules (name, bus, pattern) VALUES ('c', 'b', '{\"y\":[1]}');");
}

/* A store with the buses default and b, the rules a (on default, two targets) and c (on b), all
 * told. */
static struct sluice_store *followed_store(struct place *place)
{
	struct sluice_store *store = create_store(place);
	insert_rules(place);
	assert_poll(store, "+bus b, +bus default, +rule a, +rule c");
	return store;
}

static void test_what_is_inserted_is_told_with_targets_by_position_and_id(void **state)
{
	struct sluice_store *store = followed_store(*state);
	assert_rule(store, "a",
	            "{\"name\":\"a\",\"bus\":\"default\",\"state\":\"ENABLED\",\"pattern\":{\"x\":"
	            "[1]},\"targets\":[{\"id\":\"one\",\"topic\":\"1\"},{\"id\":\"two\","
	            "\"topic\":\"2\"}]}");
	sluice_store_close(store);
}

static void test_insert_or_replace_of_a_rule_keeps_its_targets(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	sql(place, "INSERT OR REPLACE INTO rules (name, pattern) VALUES ('a', '{\"x\":[2]}');");
	assert_poll(store, "+rule a");
	sql_gives(place, "SELECT count(*) FROM targets WHERE rule = 'a';", "2\n");
	/* With foreign keys on it is the same. */
	sql(place, "PRAGMA foreign_keys = ON;"
	           "INSERT OR REPLACE INTO rules (name, pattern) VALUES ('a', '{\"x\":[3]}');");
	assert_poll(store, "+rule a");
	sql_gives(place, "SELECT count(*) FROM targets WHERE rule = 'a';", "2\n");
	sluice_store_close(store);
}

static void test_replacing_a_row_by_itself_is_not_told(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	sql(place, "INSERT OR REPLACE INTO rules SELECT * FROM rules;"
	           "INSERT OR REPLACE INTO buses SELECT * FROM buses;"
	           "INSERT OR REPLACE INTO targets SELECT * FROM targets;"
	           "UPDATE rules SET pattern = pattern;");
	assert_poll(store, "");
	sluice_store_close(store);
}

static void test_insert_or_replace_of_a_bus_keeps_its_rules(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	sql(place, "INSERT OR REPLACE INTO buses (name, topics) VALUES ('b', '[\"c/#\"]');");
	assert_poll(store, "+bus b");
	sql(place, "PRAGMA foreign_keys = ON;"
	           "INSERT OR REPLACE INTO buses (name, topics) VALUES ('b', '[\"d/#\"]');");
	assert_poll(store, "+bus b");
	sql_gives(place, "SELECT count(*) FROM rules WHERE bus = 'b';", "1\n");
	sluice_store_close(store);
}

static void test_a_change_of_a_target_is_a_change_of_its_rule(void **state)
{
	static const char *const changes[] = {
		"INSERT OR REPLACE INTO targets (rule, id, definition)"
		" VALUES ('a', 'one', '{\"id\":\"one\",\"topic\":\"9\"}')",
		"INSERT INTO targets (rule, id, definition)"
		" VALUES ('a', 'three', '{\"id\":\"three\",\"topic\":\"3\"}')",
		"UPDATE targets SET position = 5 WHERE id = 'one'",
		"UPDATE targets SET definition = '{\"id\":\"one\",\"topic\":\"8\"}' WHERE id = "
		"'one'",
		"DELETE FROM targets WHERE id = 'one'",
		"DELETE FROM targets",
	};
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		char statement[256];
		snprintf(statement, sizeof(statement), "%s;", changes[i]);
		sql(place, statement);
		assert_poll(store, "+rule a");
	}
	sql(place, "INSERT INTO targets (rule, id, definition) VALUES ('a', 't', '{\"id\":\"t\"}');"
	           "UPDATE targets SET rule = 'c';");
	assert_poll(store, "+rule c");
	sql_gives(place, "SELECT rule, id FROM targets;", "c|t\n");
	sluice_store_close(store);
}

static void test_every_change_raises_the_revision_whatever_revision_is_given(void **state)
{
	static const char *const changes[] = {
		"INSERT OR REPLACE INTO rules (name, pattern, revision) VALUES ('a', '{}', 1)",
		"INSERT OR REPLACE INTO rules (name, pattern, revision) VALUES ('a', '{}', 99999)",
		"UPDATE rules SET pattern = '{\"z\":[1]}', revision = 3 WHERE name = 'a'",
		"UPDATE rules SET revision = 3 WHERE name = 'a'",
		"UPDATE rules SET revision = 1000000 WHERE name = 'a'",
		"UPDATE rules SET revision = -7 WHERE name = 'a'",
		"INSERT INTO rules (name, pattern) VALUES ('a', '{\"v\":[1]}')"
		" ON CONFLICT DO UPDATE SET pattern = excluded.pattern",
		"UPDATE OR REPLACE rules SET state = 'DISABLED' WHERE name = 'a'",
		"PRAGMA recursive_triggers = ON;"
		"UPDATE rules SET state = 'ENABLED', revision = 2 WHERE name = 'a'",
	};
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	sql(place, "SELECT revision FROM rules WHERE name = 'a';");
	long last = atol(place->shell_output);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		char statement[256];
		snprintf(statement, sizeof(statement), "%s;", changes[i]);
		sql(place, statement);
		sql(place, "SELECT revision FROM rules WHERE name = 'a';");
		long revision = atol(place->shell_output);
		if (revision <= last || revision > last + 5)
			fail_msg("%s: revision %ld after %ld", changes[i], revision, last);
		last = revision;
		sql_gives(place,
		          "SELECT last = (SELECT max(revision) FROM rules)"
		          " FROM revision_counter;",
		          "1\n");
	}
	sluice_store_close(store);
}

static void test_deleting_a_rule_deletes_its_targets_and_errors(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	sql(place, "INSERT INTO rule_errors (kind, name, revision, code, message)"
	           " VALUES ('rule', 'a', 1, 'invalid', 'x');"
	           "DELETE FROM rules WHERE name = 'a';");
	assert_poll(store, "-rule a");
	sql_gives(place,
	          "SELECT count(*) FROM targets; SELECT count(*) FROM rule_errors;"
	          "SELECT kind, name FROM tombstones;",
	          "0\n0\nrule|a\n");
	sql(place, "PRAGMA foreign_keys = ON; DELETE FROM rules WHERE name = 'c';");
	assert_poll(store, "-rule c");
	sluice_store_close(store);
}

static void test_a_rule_that_is_deleted_and_made_again_is_told_if_it_differs(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	sql(place, "DELETE FROM rules WHERE name = 'c';"
	           "INSERT INTO rules (name, bus, pattern) VALUES ('c', 'b', '{\"y\":[1]}');");
	assert_poll(store, "");
	sql(place, "DELETE FROM rules WHERE name = 'c';"
	           "INSERT INTO rules (name, bus, pattern) VALUES ('c', 'b', '{\"y\":[2]}');");
	assert_poll(store, "+rule c");
	sql(place, "DELETE FROM rules WHERE name = 'c';"
	           "INSERT INTO rules (name, bus, pattern) VALUES ('c', 'b', '{\"y\":[3]}');"
	           "DELETE FROM rules WHERE name = 'c';");
	assert_poll(store, "-rule c");
	sluice_store_close(store);
}

static void test_a_bus_with_rules_can_not_be_deleted(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	sql_refused(place, "DELETE FROM buses WHERE name = 'b';", "the bus has rules");
	sql_refused(place, "DELETE FROM buses WHERE name = 'default';", "can't be deleted");
	sql_refused(place, "DELETE FROM buses;", "can't be deleted");
	sql_refused(place, "UPDATE buses SET name = 'x' WHERE name = 'default';", "keeps its name");
	assert_poll(store, "");
	sql(place, "DELETE FROM rules WHERE bus = 'b'; DELETE FROM buses WHERE name = 'b';");
	assert_poll(store, "-rule c, -bus b");
	sluice_store_close(store);
}

static void test_what_belongs_to_nothing_is_refused(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	sql_refused(place, "INSERT INTO rules (name, bus, pattern) VALUES ('z', 'none', '{}');",
	            "bus does not exist");
	sql_refused(place,
	            "INSERT OR IGNORE INTO rules (name, bus, pattern) VALUES ('z', 'none', '{}');",
	            "bus does not exist");
	sql_refused(place, "UPDATE rules SET bus = 'none';", "bus does not exist");
	sql_refused(place,
	            "INSERT INTO targets (rule, id, definition)"
	            " VALUES ('z', 't', '{\"id\":\"t\"}');",
	            "rule does not exist");
	sql_refused(place, "UPDATE targets SET rule = 'z';", "rule does not exist");
	assert_poll(store, "");
	sluice_store_close(store);
}

static void test_columns_are_checked(void **state)
{
	static const char *const refused[] = {
		"INSERT INTO rules (name, pattern) VALUES ('', '{}')",
		"INSERT INTO rules (name, pattern) VALUES ('a b', '{}')",
		"INSERT INTO rules (name, pattern) VALUES ('ä', '{}')",
		"INSERT INTO rules (name, pattern) VALUES ('a' || char(0) || 'b', '{}')",
		"INSERT INTO rules (name, pattern) VALUES (printf('%65d', 1), '{}')",
		"INSERT INTO rules (name, pattern) VALUES (replace(printf('%065d', 1), ' ', '0'), "
		"'{}')",
		"INSERT INTO rules (name, pattern) VALUES (NULL, '{}')",
		"INSERT INTO rules (name, pattern) VALUES ('z', '{')",
		"INSERT INTO rules (name, pattern) VALUES ('z', '[]')",
		"INSERT INTO rules (name, pattern) VALUES ('z', NULL)",
		"INSERT INTO rules (name, pattern) VALUES ('z', 1)",
		"INSERT INTO rules (name, pattern) VALUES ('z', x'7b7d')",
		"INSERT INTO rules (name) VALUES ('z')",
		"INSERT INTO rules (name, pattern)"
		" VALUES ('z', '{\"x\":\"' || hex(zeroblob(600000)) || '\"}')",
		"INSERT INTO rules (name, pattern, state) VALUES ('z', '{}', 'enabled')",
		"INSERT INTO rules (name, pattern, state) VALUES ('z', '{}', NULL)",
		"INSERT INTO rules (name, pattern, metrics) VALUES ('z', '{}', 2)",
		"INSERT INTO rules (name, pattern, metrics) VALUES ('z', '{}', 'yes')",
		"INSERT INTO buses (name, topics) VALUES ('z', '{}')",
		"INSERT INTO buses (name, topics) VALUES ('z', 'a/#')",
		"INSERT INTO buses (name, exclude) VALUES ('z', '1')",
		"INSERT INTO buses (name, deliver_original) VALUES ('z', 'no')",
		"INSERT INTO targets (rule, id, definition) VALUES ('a', 'z', '{}')",
		"INSERT INTO targets (rule, id, definition) VALUES ('a', 'z', '{\"id\":\"y\"}')",
		"INSERT INTO targets (rule, id, definition) VALUES ('a', 'z', '[]')",
		"INSERT INTO targets (rule, id, definition) VALUES ('a', 'z/', '{\"id\":\"z/\"}')",
		"INSERT INTO revision_counter (id, last) VALUES (1, 0)",
		"INSERT OR REPLACE INTO revision_counter (id, last) VALUES (1, 0)",
		"UPDATE revision_counter SET last = 0",
		"UPDATE revision_counter SET last = 9223372036854775807",
		"DELETE FROM revision_counter",
	};
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (run(place, "sqlite3 -batch -bail $DB <<'END'\n%s;\nEND", refused[i]) == 0)
			fail_msg("accepted: %s", refused[i]);
	}
	assert_poll(store, "");
	sluice_store_close(store);
}

static void test_a_renamed_rule_takes_its_targets_along(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	sql(place, "UPDATE rules SET name = 'd' WHERE name = 'a';");
	assert_poll(store, "-rule a, +rule d");
	sql_gives(place, "SELECT rule, count(*) FROM targets;", "d|2\n");
	/* And back, before anybody looked. */
	sql(place, "UPDATE rules SET name = 'e' WHERE name = 'd';"
	           "UPDATE rules SET name = 'd' WHERE name = 'e';");
	assert_poll(store, "");
	/* Onto another, which goes with its targets. */
	sql(place, "INSERT INTO targets (rule, id, definition) VALUES ('c', 't', '{\"id\":\"t\"}');"
	           "UPDATE OR REPLACE rules SET name = 'c' WHERE name = 'd';");
	assert_poll(store, "-rule d, +rule c");
	sql_gives(place, "SELECT rule, id FROM targets ORDER BY 2;", "c|one\nc|two\n");
	sluice_store_close(store);
}

static void test_a_renamed_bus_takes_its_rules_along(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	sql(place, "UPDATE buses SET name = 'n' WHERE name = 'b';");
	assert_poll(store, "+bus n, +rule c, -bus b");
	sql(place, "PRAGMA foreign_keys = ON; UPDATE buses SET name = 'm' WHERE name = 'n';");
	assert_poll(store, "+bus m, +rule c, -bus n");
	sluice_store_close(store);
}

static void test_a_row_that_breaks_the_checks_is_told_as_well_formed_json(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	sql(place, "PRAGMA ignore_check_constraints = ON;"
	           "UPDATE rules SET pattern = '{\"x\":[1]},\"state\":\"DISABLED\"'"
	           " WHERE name = 'c';"
	           "UPDATE targets SET definition = '{}]' WHERE id = 'one';"
	           "UPDATE buses SET topics = 'a' || char(0) || '\"' WHERE name = 'b';");
	assert_poll(store, "+bus b, +rule c, +rule a");
	assert_rule(store, "c",
	            "{\"name\":\"c\",\"bus\":\"b\",\"state\":\"ENABLED\",\"pattern\":"
	            "\"{\\\"x\\\":[1]},\\\"state\\\":\\\"DISABLED\\\"\",\"targets\":[]}");
	struct sluice_buffer text = { 0 };
	struct sluice_error error;
	struct sluice_rule *rule;
	struct sluice_bus *bus;
	assert_ok(sluice_store_get(store, SLUICE_STORE_RULE, SLUICE_STR("a"), collect_row, &text,
	                           &error),
	          error);
	assert_status(sluice_rule_parse(sluice_buffer_str(&text), &rule, &error),
	              SLUICE_ERR_INVALID);
	assert_string_equal(error.place, "$.targets[0]");
	sluice_buffer_reset(&text);
	assert_ok(sluice_store_get(store, SLUICE_STORE_BUS, SLUICE_STR("b"), collect_row, &text,
	                           &error),
	          error);
	assert_status(sluice_bus_parse(sluice_buffer_str(&text), &bus, &error), SLUICE_ERR_INVALID);
	sluice_buffer_finish(&text);
	sluice_store_close(store);
	/* The file is sound all the same. */
	sluice_store_close(open_store(place, 0));
}

static void test_more_targets_than_fit_are_told_as_a_faulty_rule(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = followed_store(place);
	sql(place, "WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 9)"
	           "INSERT INTO targets (rule, id, definition) SELECT 'a', 't' || i,"
	           " '{\"id\":\"t' || i || '\",\"input\":\"' || hex(zeroblob(500000)) || '\"}'"
	           " FROM n;");
	assert_poll(store, "+rule a");
	assert_rule(store, "a", "{\"name\":\"a\",\"pattern\":\"more than 4 MiB\"}");
	sluice_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_what_is_inserted_is_told_with_targets_by_position_and_id),
		STORE_TEST(test_insert_or_replace_of_a_rule_keeps_its_targets),
		STORE_TEST(test_replacing_a_row_by_itself_is_not_told),
		STORE_TEST(test_insert_or_replace_of_a_bus_keeps_its_rules),
		STORE_TEST(test_a_change_of_a_target_is_a_change_of_its_rule),
		STORE_TEST(test_every_change_raises_the_revision_whatever_revision_is_given),
		STORE_TEST(test_deleting_a_rule_deletes_its_targets_and_errors),
		STORE_TEST(test_a_rule_that_is_deleted_and_made_again_is_told_if_it_differs),
		STORE_TEST(test_a_bus_with_rules_can_not_be_deleted),
		STORE_TEST(test_what_belongs_to_nothing_is_refused),
		STORE_TEST(test_columns_are_checked),
		STORE_TEST(test_a_renamed_rule_takes_its_targets_along),
		STORE_TEST(test_a_renamed_bus_takes_its_rules_along),
		STORE_TEST(test_a_row_that_breaks_the_checks_is_told_as_well_formed_json),
		STORE_TEST(test_more_targets_than_fit_are_told_as_a_faulty_rule),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
