/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Rules and buses: put, get, list, delete, revisions, transactions. */
#include "store_helper.h"

static void test_pattern_and_targets_come_back_verbatim_on_one_line(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = create_store(place);
	put(store, "{ \"name\": \"a\", \"description\": \"say \\\"hi\\\"\", \"metrics\": true,\n"
	           "  \"pattern\": { \"n\": [ 1.50, 1e400, \"\\u00e9 \\/\" ] },\n"
	           "  \"targets\": [ { \"id\": \"z\", \"topic\": \"a/{topic}\", \"qos\": 2 },\n"
	           "    { \"id\": \"b\", \"topic\": \"x\", \"input\": 100000000000000000001 } ] }");
	assert_rule(store, "a",
	            "{\"name\":\"a\",\"bus\":\"default\",\"state\":\"ENABLED\",\"description\":"
	            "\"say \\\"hi\\\"\",\"metrics\":true,\"pattern\":{\"n\":[1.50,1e400,"
	            "\"\\u00e9 \\/\"]},\"targets\":[{\"id\":\"z\",\"topic\":\"a/{topic}\","
	            "\"qos\":2},{\"id\":\"b\",\"topic\":\"x\",\"input\":100000000000000000001}]}");
	sluice_store_close(store);
	sql_gives(place, "SELECT pattern FROM rules;",
	          "{ \"n\": [ 1.50, 1e400, \"\\u00e9 \\/\" ] }\n");
}

static void test_a_rule_that_is_read_can_be_put_again(void **state)
{
	struct sluice_store *store = create_store(*state);
	struct sluice_buffer text = { 0 };
	struct sluice_error error;
	int64_t revision =
	        put(store, "{\"name\":\"a\",\"state\":\"SHADOW\",\"pattern\":{\"x\":[1]},"
	                   "\"targets\":[{\"id\":\"t\",\"topic\":\"y\"}]}");
	assert_ok(sluice_store_get(store, SLUICE_STORE_RULE, SLUICE_STR("a"), collect_row, &text,
	                           &error),
	          error);
	assert_int_equal(put(store, sluice_buffer_str(&text).data), revision);
	sluice_buffer_finish(&text);
	sluice_store_close(store);
}

static void test_a_put_raises_the_revision_unless_all_is_the_same(void **state)
{
	struct sluice_store *store = create_store(*state);
	static const char *const versions[] = {
		"{\"name\":\"a\",\"pattern\":{\"x\":[1]},\"targets\":[]}",
		"{\"name\":\"a\",\"pattern\":{\"x\":[1.0]},\"targets\":[]}",
		"{\"name\":\"a\",\"pattern\":{\"x\":[1.0]},\"metrics\":true,\"targets\":[]}",
		"{\"name\":\"a\",\"pattern\":{\"x\":[1.0]},\"state\":\"DISABLED\",\"targets\":[]}",
		"{\"name\":\"a\",\"pattern\":{\"x\":[1.0]},\"description\":\"d\",\"targets\":[]}",
		"{\"name\":\"a\",\"pattern\":{\"x\":[1]},"
		"\"targets\":[{\"id\":\"t\",\"topic\":\"y\"}]}",
		"{\"name\":\"a\",\"pattern\":{\"x\":[1]},"
		"\"targets\":[{\"id\":\"t\",\"topic\":\"y\"},{\"id\":\"s\",\"topic\":\"y\"}]}",
		"{\"name\":\"a\",\"pattern\":{\"x\":[1]},"
		"\"targets\":[{\"id\":\"s\",\"topic\":\"y\"},{\"id\":\"t\",\"topic\":\"y\"}]}",
		"{\"name\":\"a\",\"pattern\":{\"x\":[1]},"
		"\"targets\":[{\"id\":\"s\",\"topic\":\"y\"}]}",
	};
	int64_t last = 0;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		int64_t revision = put(store, versions[i]);
		assert_true(revision > last);
		assert_int_equal(put(store, versions[i]), revision);
		last = revision;
	}
	sluice_store_close(store);
}

static void test_white_space_alone_is_no_change(void **state)
{
	struct sluice_store *store = create_store(*state);
	int64_t revision = put(store, "{\"name\":\"a\",\"pattern\":{\"x\": [\"a b\"] },"
	                              "\"targets\":[{\"id\": \"t\", \"topic\": \"y\"}]}");
	assert_int_equal(put(store, "{\"name\":\"a\",\"pattern\":{\"x\":[\"a b\"]},"
	                            "\"targets\":[{\"id\":\"t\",\"topic\":\"y\"}]}"),
	                 revision);
	assert_true(put(store, "{\"name\":\"a\",\"pattern\":{\"x\":[\"ab\"]},"
	                       "\"targets\":[{\"id\":\"t\",\"topic\":\"y\"}]}") > revision);
	sluice_store_close(store);
}

static void test_revisions_are_unique_over_rules_and_buses_and_never_come_back(void **state)
{
	struct sluice_store *store = create_store(*state);
	struct sluice_error error;
	int64_t a = put_named(store, "a", 1);
	int64_t bus = put_bus(store, "{\"name\":\"b\",\"topics\":[\"x/#\"]}");
	int64_t c = put_named(store, "c", 1);
	assert_true(a < bus && bus < c);
	assert_ok(sluice_store_delete(store, SLUICE_STORE_RULE, SLUICE_STR("c"), -1, &error),
	          error);
	assert_true(put_named(store, "c", 1) > c);
	sluice_store_close(store);
}

static void test_if_revision_guards_each_change(void **state)
{
	struct sluice_store *store = create_store(*state);
	struct sluice_rule *rule;
	struct sluice_error error;
	struct sluice_str a = SLUICE_STR("a");
	int64_t revision, next;
	assert_ok(sluice_rule_parse(SLUICE_STR("{\"name\":\"a\",\"pattern\":{\"x\":[2]},"
	                                       "\"targets\":[]}"),
	                            &rule, &error),
	          error);
	assert_status(
	        sluice_store_put(store, sluice_definition_of_rule(rule), 5, &revision, &error),
	        SLUICE_ERR_CONFLICT);
	assert_non_null(strstr(error.message, "there is no rule \"a\""));
	assert_ok(sluice_store_put(store, sluice_definition_of_rule(rule), 0, &revision, &error),
	          error);
	assert_status(sluice_store_put(store, sluice_definition_of_rule(rule), 0, NULL, &error),
	              SLUICE_ERR_CONFLICT);
	assert_non_null(strstr(error.message, "exists already"));
	assert_ok(sluice_store_put(store, sluice_definition_of_rule(rule), revision, &next, &error),
	          error);
	assert_int_equal(next, revision);
	assert_status(sluice_store_set_state(store, SLUICE_STORE_RULE, a, SLUICE_RULE_SHADOW,
	                                     revision + 1, NULL, &error),
	              SLUICE_ERR_CONFLICT);
	assert_ok(sluice_store_set_state(store, SLUICE_STORE_RULE, a, SLUICE_RULE_SHADOW, revision,
	                                 &next, &error),
	          error);
	assert_true(next > revision);
	assert_ok(sluice_store_set_state(store, SLUICE_STORE_RULE, a, SLUICE_RULE_SHADOW, -1,
	                                 &revision, &error),
	          error);
	assert_int_equal(revision, next);
	assert_status(sluice_store_delete(store, SLUICE_STORE_RULE, a, revision - 1, &error),
	              SLUICE_ERR_CONFLICT);
	assert_ok(sluice_store_delete(store, SLUICE_STORE_RULE, a, revision, &error), error);
	assert_status(sluice_store_delete(store, SLUICE_STORE_RULE, a, -1, &error),
	              SLUICE_ERR_NOT_FOUND);
	assert_status(sluice_store_set_state(store, SLUICE_STORE_RULE, a, SLUICE_RULE_SHADOW, -1,
	                                     NULL, &error),
	              SLUICE_ERR_NOT_FOUND);
	sluice_rule_destroy(rule);
	sluice_store_close(store);
}

static void test_a_rule_needs_its_bus(void **state)
{
	struct sluice_store *store = create_store(*state);
	struct sluice_rule *rule;
	struct sluice_error error;
	assert_ok(sluice_rule_parse(SLUICE_STR("{\"name\":\"a\",\"bus\":\"b\","
	                                       "\"pattern\":{\"x\":[2]},\"targets\":[]}"),
	                            &rule, &error),
	          error);
	assert_status(sluice_store_put(store, sluice_definition_of_rule(rule), -1, NULL, &error),
	              SLUICE_ERR_NOT_FOUND);
	assert_non_null(strstr(error.message, "no bus \"b\""));
	put_bus(store, "{\"name\":\"b\"}");
	assert_ok(sluice_store_put(store, sluice_definition_of_rule(rule), -1, NULL, &error),
	          error);
	assert_status(sluice_store_delete(store, SLUICE_STORE_BUS, SLUICE_STR("b"), -1, &error),
	              SLUICE_ERR_CONFLICT);
	assert_ok(sluice_store_delete(store, SLUICE_STORE_RULE, SLUICE_STR("a"), -1, &error),
	          error);
	assert_ok(sluice_store_delete(store, SLUICE_STORE_BUS, SLUICE_STR("b"), -1, &error), error);
	assert_status(sluice_store_delete(store, SLUICE_STORE_BUS, SLUICE_STR("b"), -1, &error),
	              SLUICE_ERR_NOT_FOUND);
	assert_status(
	        sluice_store_delete(store, SLUICE_STORE_BUS, SLUICE_STR("default"), -1, &error),
	        SLUICE_ERR_INVALID);
	sluice_rule_destroy(rule);
	sluice_store_close(store);
}

static void test_a_bus_comes_back_as_it_was_put(void **state)
{
	struct sluice_store *store = create_store(*state);
	struct sluice_buffer text = { 0 };
	struct sluice_error error;
	int64_t revision = put_bus(store, "{\"name\":\"b\",\"description\":\"d\",\"topics\":"
	                                  "[\"a/#\",\"\\u00e9/+\"],\"exclude\":[\"a/b\"],"
	                                  "\"deliver_original\":false}");
	assert_ok(sluice_store_get(store, SLUICE_STORE_BUS, SLUICE_STR("b"), collect_row, &text,
	                           &error),
	          error);
	assert_string_equal(sluice_buffer_str(&text).data,
	                    "{\"name\":\"b\",\"description\":\"d\",\"topics\":[\"a/#\","
	                    "\"\xc3\xa9/+\"],\"exclude\":[\"a/b\"],\"deliver_original\":false}\n");
	assert_int_equal(put_bus(store, text.data), revision);
	sluice_buffer_reset(&text);
	assert_ok(sluice_store_list(store, SLUICE_STORE_BUS, NULL, collect_row, &text, &error),
	          error);
	assert_non_null(strstr(text.data, "{\"name\":\"b\",\"description\":\"d\""));
	assert_non_null(strstr(text.data, "{\"name\":\"default\",\"topics\":[\"#\"]"));
	sluice_buffer_finish(&text);
	assert_status(sluice_store_get(store, SLUICE_STORE_BUS, SLUICE_STR("none"), collect_row,
	                               NULL, &error),
	              SLUICE_ERR_NOT_FOUND);
	sluice_store_close(store);
}

static bool collect_name(void *arg, const struct sluice_store_row *row)
{
	struct sluice_buffer *names = arg;
	sluice_buffer_printf(names, "%.*s ", (int)row->name.len, row->name.data);
	return true;
}

static bool only_one(void *arg, const struct sluice_store_row *row)
{
	collect_name(arg, row);
	return false;
}

static void list_is(struct sluice_store *store, struct sluice_store_query query,
                    sluice_store_row_fn fn, const char *expected)
{
	struct sluice_buffer names = { 0 };
	struct sluice_error error;
	assert_ok(sluice_store_list(store, SLUICE_STORE_RULE, &query, fn, &names, &error), error);
	if (!sluice_str_equal(sluice_buffer_str(&names), sluice_str(expected)))
		fail_msg("expected \"%s\", got \"%s\"", expected, names.len ? names.data : "");
	sluice_buffer_finish(&names);
}

static void test_rules_are_listed_in_order_by_prefix_bus_state_and_page(void **state)
{
	struct sluice_store *store = create_store(*state);
	struct sluice_error error;
	put_bus(store, "{\"name\":\"b\"}");
	put_named(store, "ab", 1);
	put_named(store, "a", 1);
	put_named(store, "B", 1);
	put_named(store, "a_x", 1);
	put_named(store, "a.x", 1);
	put_named(store, "b", 1);
	put(store, "{\"name\":\"on-b\",\"bus\":\"b\",\"pattern\":{\"x\":[1]},\"targets\":[]}");
	assert_ok(sluice_store_set_state(store, SLUICE_STORE_RULE, SLUICE_STR("ab"),
	                                 SLUICE_RULE_SHADOW, -1, NULL, &error),
	          error);
#define Q(...) ((struct sluice_store_query){ .state = -1, __VA_ARGS__ })
	list_is(store, Q(.limit = 0), collect_name, "B a a.x a_x ab b on-b ");
	list_is(store, Q(.prefix = SLUICE_STR("a")), collect_name, "a a.x a_x ab ");
	list_is(store, Q(.prefix = SLUICE_STR("a_")), collect_name, "a_x ");
	list_is(store, Q(.prefix = SLUICE_STR("\xff\xff")), collect_name, "");
	list_is(store, Q(.prefix = SLUICE_STR("")), only_one, "B ");
	list_is(store, Q(.bus = SLUICE_STR("b")), collect_name, "on-b ");
	list_is(store, Q(.bus = SLUICE_STR("none")), collect_name, "");
	list_is(store, Q(.limit = 2), collect_name, "B a ");
	list_is(store, Q(.limit = 2, .after = SLUICE_STR("a")), collect_name, "a.x a_x ");
	list_is(store, Q(.after = SLUICE_STR("on-b")), collect_name, "");
	list_is(store, ((struct sluice_store_query){ .state = SLUICE_RULE_SHADOW }), collect_name,
	        "ab ");
	list_is(store,
	        ((struct sluice_store_query){ .state = SLUICE_RULE_ENABLED,
	                                      .prefix = SLUICE_STR("a"),
	                                      .after = SLUICE_STR("a") }),
	        collect_name, "a.x a_x ");
#undef Q
	sluice_store_close(store);
}

static void test_a_transaction_is_kept_or_undone_as_a_whole(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = create_store(place);
	struct sluice_error error;
	put_named(store, "old", 1);
	assert_ok(sluice_store_begin(store, &error), error);
	put_named(store, "a", 1);
	assert_ok(sluice_store_delete(store, SLUICE_STORE_RULE, SLUICE_STR("old"), -1, &error),
	          error);
	/* One that fails takes just itself back. */
	assert_status(sluice_store_delete(store, SLUICE_STORE_RULE, SLUICE_STR("none"), -1, &error),
	              SLUICE_ERR_NOT_FOUND);
	sql_gives(place, "SELECT name FROM rules;", "old\n");
	assert_poll_fails(store, SLUICE_ERR_BUSY, "transaction");
	sluice_store_rollback(store);
	sql_gives(place, "SELECT name FROM rules;", "old\n");

	assert_ok(sluice_store_begin(store, &error), error);
	assert_status(sluice_store_begin(store, &error), SLUICE_ERR_CONFLICT);
	put_named(store, "a", 1);
	put_named(store, "b", 1);
	assert_ok(sluice_store_commit(store, &error), error);
	assert_status(sluice_store_commit(store, &error), SLUICE_ERR_CONFLICT);
	sql_gives(place, "SELECT name FROM rules ORDER BY 1;", "a\nb\nold\n");
	sluice_store_close(store);
}

static void test_a_change_that_was_left_half_done_dooms_its_transaction(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = create_store(place);
	struct sluice_rule *rule;
	struct sluice_error error;
	assert_ok(sluice_rule_parse(SLUICE_STR("{\"name\":\"half\",\"pattern\":{\"x\":[2]},"
	                                       "\"targets\":[{\"id\":\"t\",\"topic\":\"x\"}]}"),
	                            &rule, &error),
	          error);
	/* What no parsed rule has: the table's check refuses it, when the rule's row is written. */
	rule->targets[0].text = SLUICE_STR("{\"id\":\"other\"}");
	assert_status(sluice_store_put(store, sluice_definition_of_rule(rule), -1, NULL, &error),
	              SLUICE_ERR_INVALID);
	assert_ok(sluice_store_begin(store, &error), error);
	put_named(store, "a", 1);
	assert_status(sluice_store_put(store, sluice_definition_of_rule(rule), -1, NULL, &error),
	              SLUICE_ERR_INVALID);
	assert_status(sluice_store_delete(store, SLUICE_STORE_RULE, SLUICE_STR("a"), -1, &error),
	              SLUICE_ERR_IO);
	assert_status(sluice_store_commit(store, &error), SLUICE_ERR_IO);
	assert_non_null(strstr(error.message, "undone"));
	sql_gives(place, "SELECT count(*) FROM rules;", "0\n");
	put_named(store, "b", 1);
	assert_poll(store, "+bus default, +rule b");
	sluice_rule_destroy(rule);
	sluice_store_close(store);
}

static void test_a_transaction_left_open_is_undone_at_close(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = create_store(place);
	struct sluice_error error;
	assert_ok(sluice_store_begin(store, &error), error);
	put_named(store, "a", 1);
	sluice_store_close(store);
	sql_gives(place, "SELECT count(*) FROM rules; PRAGMA integrity_check;", "0\nok\n");
}

static void test_a_rule_as_large_as_may_be_is_kept(void **state)
{
	struct sluice_store *store = create_store(*state);
	struct sluice_buffer json = { 0 };
	struct sluice_error error;
	sluice_buffer_append_text(&json, "{\"name\":\"big\",\"targets\":[],\"pattern\":{\"x\":[");
	for (int i = 0; i < 60; i++)
		sluice_buffer_printf(&json, "%s\"%d%01000d\"", i ? "," : "", i, 0);
	sluice_buffer_append_text(&json, "]}}");
	put(store, sluice_buffer_str(&json).data);
	struct sluice_buffer text = { 0 };
	assert_ok(sluice_store_get(store, SLUICE_STORE_RULE, SLUICE_STR("big"), collect_row, &text,
	                           &error),
	          error);
	assert_true(text.len > 60000);
	sluice_buffer_finish(&json);
	sluice_buffer_finish(&text);
	sluice_store_close(store);
}

static void test_errors_of_rules_are_noted_and_taken_back(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = create_store(place);
	struct sluice_store_stats stats;
	struct sluice_error error;
	struct sluice_error fault;
	int64_t revision = put_named(store, "a", 1);
	sluice_error_set(&fault, SLUICE_ERR_INVALID, 3, "$.pattern.x[0]", "unknown operator");
	assert_poll(store, "+bus default, +rule a");
	sluice_store_report(store, SLUICE_STORE_RULE, SLUICE_STR("a"), revision, &fault);
	assert_rule(store, "a",
	            "{\"name\":\"a\",\"bus\":\"default\",\"state\":\"ENABLED\",\"pattern\":{\"x\":"
	            "[1]},\"targets\":[{\"id\":\"t\",\"topic\":\"out/a\"}]} ! $.pattern.x[0]: "
	            "unknown operator");
	sql_gives(place, "SELECT kind, name, code, place, message FROM rule_errors;",
	          "rule|a|invalid|$.pattern.x[0]|unknown operator\n");
	assert_ok(sluice_store_stats(store, &stats, &error), error);
	assert_int_equal(stats.errors, 1);
	assert_poll(store, "");

	/* An error of a revision that is gone is no error. */
	sql(place, "UPDATE rules SET state = 'SHADOW';");
	assert_ok(sluice_store_stats(store, &stats, &error), error);
	assert_int_equal(stats.errors, 0);
	sluice_store_report(store, SLUICE_STORE_RULE, SLUICE_STR("a"), revision, &fault);
	assert_poll(store, "+rule a");
	assert_ok(sluice_store_stats(store, &stats, &error), error);
	assert_int_equal(stats.errors, 0);

	sluice_store_report(store, SLUICE_STORE_RULE, SLUICE_STR("a"), stats.revision, NULL);
	assert_poll(store, "");
	sql_gives(place, "SELECT count(*) FROM rule_errors;", "0\n");

	/* The error of a bus; and deleting takes errors along. */
	sluice_store_report(store, SLUICE_STORE_BUS, SLUICE_STR("default"), 1, &fault);
	sluice_store_report(store, SLUICE_STORE_RULE, SLUICE_STR("a"), stats.revision, &fault);
	assert_poll(store, "");
	sql_gives(place, "DELETE FROM rules; SELECT kind FROM rule_errors;", "bus\n");
	sluice_store_close(store);
}

static void test_a_report_waits_until_the_file_can_be_written(void **state)
{
	struct place *place = *state;
	struct sluice_store *store = create_store(place), *other = open_store(place, 0);
	struct sluice_error error, fault;
	sluice_error_set(&fault, SLUICE_ERR_INVALID, SIZE_MAX, NULL, "no good");
	int64_t revision = put_named(store, "a", 1);
	assert_poll(store, "+bus default, +rule a");
	assert_ok(sluice_store_begin(other, &error), error);
	sluice_store_report(store, SLUICE_STORE_RULE, SLUICE_STR("a"), revision, &fault);
	assert_poll(store, "");
	sql_gives(place, "SELECT count(*) FROM rule_errors;", "0\n");
	sluice_store_rollback(other);
	assert_poll(store, "");
	sql_gives(place, "SELECT count(*) FROM rule_errors;", "1\n");
	sluice_store_close(store);
	sluice_store_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_pattern_and_targets_come_back_verbatim_on_one_line),
		STORE_TEST(test_a_rule_that_is_read_can_be_put_again),
		STORE_TEST(test_a_put_raises_the_revision_unless_all_is_the_same),
		STORE_TEST(test_white_space_alone_is_no_change),
		STORE_TEST(test_revisions_are_unique_over_rules_and_buses_and_never_come_back),
		STORE_TEST(test_if_revision_guards_each_change),
		STORE_TEST(test_a_rule_needs_its_bus),
		STORE_TEST(test_a_bus_comes_back_as_it_was_put),
		STORE_TEST(test_rules_are_listed_in_order_by_prefix_bus_state_and_page),
		STORE_TEST(test_a_transaction_is_kept_or_undone_as_a_whole),
		STORE_TEST(test_a_change_that_was_left_half_done_dooms_its_transaction),
		STORE_TEST(test_a_transaction_left_open_is_undone_at_close),
		STORE_TEST(test_a_rule_as_large_as_may_be_is_kept),
		STORE_TEST(test_errors_of_rules_are_noted_and_taken_back),
		STORE_TEST(test_a_report_waits_until_the_file_can_be_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
