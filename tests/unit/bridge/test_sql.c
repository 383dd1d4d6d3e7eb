/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What a statement is given of an event; which errors of a database are for good; how to connect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <unistd.h>

#include <sqlite3.h>

#include "oom.h"
#include "pg_options.h"
#include "sql/pg_session.h"
#include "sql/row.h"
#include "sql/sqlite_table.h"

/* --- rows --- */

static struct sql_parameters *make_parameters(const char *list)
{
	struct sluice_json_doc *doc;
	struct sql_parameters *parameters;
	struct sluice_error error;

	assert_int_equal(sluice_json_parse(sluice_str(list), 0, 8, &doc, &error), SLUICE_OK);
	if (sql_parameters_create(sluice_json_root(doc), &parameters, &error))
		fail_msg("%s: %s", list, error.message);
	sluice_json_destroy(doc);
	return parameters;
}

static enum sluice_status make_row(const struct sql_parameters *parameters,
                                   struct sluice_str payload, const bool *json,
                                   struct sql_row **row)
{
	struct sluice_event event = SLUICE_EVENT_INIT;
	struct sluice_vars vars = { .event = &event, .id = SLUICE_STR("id-1") };

	event.payload = payload;
	event.topic = SLUICE_STR("a/b");
	return sql_row_create(parameters, &vars, json, row, NULL);
}

/* The only value, as "type text". */
static const char *value_of(const char *parameter, struct sluice_str payload, bool json)
{
	static const char *const names[] = { "null", "number", "bool", "text", "bytes" };
	static char words[256];
	char list[256];
	struct sql_row *row;

	snprintf(list, sizeof(list), "[%s]", parameter);
	struct sql_parameters *parameters = make_parameters(list);
	if (make_row(parameters, payload, &json, &row) != SLUICE_OK) {
		sql_parameters_destroy(parameters);
		return "none";
	}
	assert_int_equal(row->count, 1);
	assert_int_equal(row->values[0].text.data[row->values[0].text.len], '\0');
	snprintf(words, sizeof(words), "%s %.*s", names[row->values[0].type],
	         (int)row->values[0].text.len, row->values[0].text.data);
	sql_row_destroy(row);
	sql_parameters_destroy(parameters);
	return words;
}

static void test_values_keep_their_types(void **state)
{
	(void)state;
	static const char payload[] = "{\"n\":1.50,\"t\":\"x \\\"\\u00e9\",\"y\":true,\"f\":false,"
	                              "\"z\":null,\"o\":{\"a\": [1, 2]},\"l\":[ ],"
	                              "\"nul\":\"a\\u0000b\"}";
	static const char *const cases[][3] = {
		{ "{\"path\":\"$.n\"}", "number 1.50", "text 1.50" },
		{ "{\"path\":\"$.t\"}", "text x \"\xc3\xa9", "text \"x \\\"\\u00e9\"" },
		{ "{\"path\":\"$.y\"}", "bool true", "text true" },
		{ "{\"path\":\"$.f\"}", "bool false", "text false" },
		{ "{\"path\":\"$.z\"}", "null ", "null " },
		{ "{\"path\":\"$.nothing\"}", "null ", "null " },
		{ "{\"path\":\"$.o\"}", "text {\"a\":[1,2]}", "text {\"a\":[1,2]}" },
		{ "{\"path\":\"$.l\"}", "text []", "text []" },
		{ "{\"path\":\"$.o.a[1]\"}", "number 2", "text 2" },
		{ "{\"path\":\"$mqtt.topic\"}", "text a/b", "text \"a/b\"" },
		{ "\"{$.n} of {id}\"", "text 1.50 of id-1", "text 1.50 of id-1" },
		{ "\"\"", "text ", "text " },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int json = 0; json < 2; json++)
			assert_string_equal(value_of(cases[i][0], SLUICE_STR(payload), json),
			                    cases[i][1 + json]);
	assert_memory_equal(value_of("{\"path\":\"$.nul\"}", SLUICE_STR(payload), false), "bytes a",
	                    8);
}

static void test_what_is_no_text_is_bytes_and_what_is_no_json_has_no_paths(void **state)
{
	(void)state;
	assert_string_equal(value_of("\"{payload}\"", SLUICE_STR("\xc3\xa9"), false),
	                    "text \xc3\xa9");
	assert_string_equal(value_of("\"{payload}\"", SLUICE_STR("\xc3"), false), "bytes \xc3");
	assert_string_equal(value_of("{\"path\":\"$.a\"}", SLUICE_STR("{\"a\":1"), false), "none");
	assert_string_equal(value_of("{\"path\":\"$.a\"}", SLUICE_STR("7"), false), "null ");
}

static void test_more_paths_than_are_looked_up_together(void **state)
{
	(void)state;
	struct sluice_buffer list = { 0 };
	struct sql_row *row;

	sluice_buffer_append_text(&list, "[\"first\"");
	for (int i = 0; i < 300; i++)
		sluice_buffer_printf(&list, ",{\"path\":\"$[%d]\"}", i % 3);
	sluice_buffer_append_text(&list, "]");
	struct sql_parameters *parameters = make_parameters(list.data);
	sluice_buffer_finish(&list);
	assert_int_equal(sql_parameters_count(parameters), 301);
	assert_int_equal(make_row(parameters, SLUICE_STR("[\"a\",\"b\",\"c\"]"), NULL, &row),
	                 SLUICE_OK);
	for (size_t i = 0; i < 300; i++) {
		char expected = "abc"[i % 3];
		/* A payload that is no object has its elements under $mqtt.value, or here. */
		if (row->values[i + 1].type == SQL_TEXT)
			assert_int_equal(row->values[i + 1].text.data[0], expected);
		else
			assert_int_equal(row->values[i + 1].type, SQL_NULL);
	}
	sql_row_destroy(row);
	sql_parameters_destroy(parameters);
}

static void test_a_row_without_memory_is_none(void **state)
{
	(void)state;
	struct sql_parameters *parameters = make_parameters("[{\"path\":\"$.a\"},\"{payload}\"]");
	struct sql_row *row;

	for (size_t n = 1;; n++) {
		oom_fail_at(n);
		enum sluice_status status =
		        make_row(parameters, SLUICE_STR("{\"a\":1}"), NULL, &row);
		if (!oom_happened()) {
			assert_int_equal(status, SLUICE_OK);
			break;
		}
		assert_int_equal(status, SLUICE_ERR_NOMEM);
		assert_null(row);
	}
	sql_row_destroy(row);
	sql_row_destroy(NULL);
	sql_parameters_destroy(parameters);
	sql_parameters_destroy(NULL);
}

/* --- SQLite --- */

static void execute(const char *file, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static int count_rows(const char *file)
{
	sqlite3 *db;
	sqlite3_stmt *statement;

	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM t", -1, &statement, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int count = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return count;
}

static void test_a_stop_undoes_what_was_begun(void **state)
{
	(void)state;
	char file[] = "/tmp/sluice-test-XXXXXX";
	struct sql_parameters *parameters = make_parameters("[{\"path\":\"$.a\"}]");
	struct sql_row *row;
	struct sqlite_result results[2];
	atomic_bool stop = false;

	close(mkstemp(file));
	execute(file, "CREATE TABLE t (a)");
	struct sqlite_table *table =
	        sqlite_table_create(sluice_str(file), SLUICE_STR("INSERT INTO t VALUES ($1);"), 1);
	assert_int_equal(make_row(parameters, SLUICE_STR("{\"a\":1}"), NULL, &row), SLUICE_OK);
	struct sql_row *const rows[] = { row, row };
	sqlite_table_run(table, rows, 2, 100, &stop, results);
	assert_int_equal(results[1].outcome, OUTCOME_DONE);
	assert_int_equal(count_rows(file), 2);
	stop = true;
	sqlite_table_run(table, rows, 2, 100, &stop, results);
	assert_int_equal(results[0].outcome, OUTCOME_RETRY);
	assert_int_equal(results[1].outcome, OUTCOME_RETRY);
	assert_int_equal(count_rows(file), 2);
	sqlite_table_destroy(table);
	sqlite_table_destroy(NULL);
	sql_row_destroy(row);
	sql_parameters_destroy(parameters);
	unlink(file);
}

/* --- PostgreSQL --- */

static void test_which_sqlstates_are_for_good(void **state)
{
	(void)state;
	const char *what;

	assert_int_equal(pg_outcome("22P02", &what), OUTCOME_PERMANENT);
	assert_string_equal(what, "data");
	assert_int_equal(pg_outcome("23505", &what), OUTCOME_PERMANENT);
	assert_string_equal(what, "constraint");
	assert_int_equal(pg_outcome("42P01", &what), OUTCOME_PERMANENT);
	assert_string_equal(what, "statement");
	static const char *const passing[] = { "40001", "40P01", "53300", "55P03",
		                               "57P01", "08006", "25006", NULL };
	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
		assert_int_equal(pg_outcome(passing[i], &what), OUTCOME_RETRY);
		assert_null(what);
	}
}

static const char *option(const struct pg_options *options, const char *keyword)
{
	for (size_t i = 0; i < options->count; i++)
		if (strcmp(options->keywords[i], keyword) == 0)
			return options->values[i];
	return NULL;
}

static struct pg_options *make_options(const char *url, const struct credentials *credentials)
{
	struct pg_options *options;
	struct sluice_error error;

	if (pg_options_create(sluice_str(url), credentials, &options, &error))
		fail_msg("%s: %s", url, error.message);
	return options;
}

static void test_a_url_says_how_to_connect(void **state)
{
	(void)state;
	struct pg_options *options =
	        make_options("postgresql://ann@db.example:5433/shop?application_name=own", NULL);

	assert_string_equal(options->host, "db.example");
	assert_null(option(options, "application_name"));
	assert_null(option(options, "sslmode"));
	assert_string_equal(option(options, "client_encoding"), "UTF8");
	pg_options_destroy(options);

	static const char *const no_names[] = { "",         "host=127.0.0.1",
		                                "host=::1", "host=/run/postgresql",
		                                "host=a,b", "host=a hostaddr=127.0.0.1" };
	for (size_t i = 0; i < sizeof(no_names) / sizeof(no_names[0]); i++) {
		options = make_options(no_names[i], NULL);
		assert_null(options->host);
		assert_string_equal(option(options, "application_name"), "sluice-bridge");
		pg_options_destroy(options);
	}
	pg_options_destroy(NULL);
}

static struct credentials *make_credentials(const char *text)
{
	struct sluice_json_doc *doc;
	struct sluice_bridge_connection *connection;
	struct credentials *credentials;

	assert_int_equal(sluice_json_parse(sluice_str(text), 0, 8, &doc, NULL), SLUICE_OK);
	assert_int_equal(
	        sluice_bridge_connection_from_json(sluice_json_root(doc), &connection, NULL),
	        SLUICE_OK);
	sluice_json_destroy(doc);
	assert_int_equal(credentials_create(connection, &credentials, NULL), SLUICE_OK);
	return credentials;
}

static void test_a_connection_adds_its_credentials(void **state)
{
	(void)state;
	struct credentials *credentials = make_credentials(
	        "{\"name\":\"c\",\"kind\":\"basic\",\"settings\":{\"username\":\"ann\","
	        "\"ca_file\":\"/ca\",\"cert_file\":\"/cert\",\"key_file\":\"/key\"},"
	        "\"secrets\":{\"password\":\"it's\"}}");
	struct pg_options *options = make_options("host=db", credentials);

	assert_string_equal(option(options, "user"), "ann");
	assert_string_equal(option(options, "password"), "it's");
	assert_string_equal(option(options, "sslmode"), "verify-full");
	assert_string_equal(option(options, "sslrootcert"), "/ca");
	assert_string_equal(option(options, "sslcert"), "/cert");
	assert_string_equal(option(options, "sslkey"), "/key");
	pg_options_destroy(options);
	options = make_options("host=db sslmode=verify-ca", credentials);
	assert_null(option(options, "sslmode"));
	pg_options_destroy(options);

	for (size_t n = 1;; n++) {
		oom_fail_at(n);
		enum sluice_status status =
		        pg_options_create(SLUICE_STR("host=db"), credentials, &options, NULL);
		if (!oom_happened()) {
			assert_int_equal(status, SLUICE_OK);
			break;
		}
		assert_int_equal(status, SLUICE_ERR_NOMEM);
		assert_null(options);
	}
	pg_options_destroy(options);
	credentials_destroy(credentials);
}

static void test_an_error_of_a_url_says_nothing_of_it(void **state)
{
	(void)state;
	static const char *const urls[] = { "host=db password=geheim nonsense", "password='geheim",
		                            "geheim=x" };
	struct pg_options *options;
	struct sluice_error error;

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		assert_int_equal(pg_options_create(sluice_str(urls[i]), NULL, &options, &error),
		                 SLUICE_ERR_INVALID);
		assert_null(options);
		assert_null(strstr(error.message, "geheim"));
	}
	struct credentials *bearer = make_credentials("{\"name\":\"c\",\"kind\":\"bearer\"}");
	assert_int_equal(pg_options_create(SLUICE_STR(""), bearer, &options, &error),
	                 SLUICE_ERR_INVALID);
	credentials_destroy(bearer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_keep_their_types),
		cmocka_unit_test(test_what_is_no_text_is_bytes_and_what_is_no_json_has_no_paths),
		cmocka_unit_test(test_more_paths_than_are_looked_up_together),
		cmocka_unit_test(test_a_row_without_memory_is_none),
		cmocka_unit_test(test_a_stop_undoes_what_was_begun),
		cmocka_unit_test(test_which_sqlstates_are_for_good),
		cmocka_unit_test(test_a_url_says_how_to_connect),
		cmocka_unit_test(test_a_connection_adds_its_credentials),
		cmocka_unit_test(test_an_error_of_a_url_says_nothing_of_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
