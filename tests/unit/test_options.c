/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

#include "options.h"

static void test_only_the_store_must_be_named(void **state)
{
	const struct option_line lines[] = { { "db_file", "/var/lib/sluice/sluice.db" } };
	struct options options;
	(void)state;

	assert_int_equal(options_init(&options, lines, 1, NULL), SLUICE_OK);
	assert_string_equal(options.db_file, "/var/lib/sluice/sluice.db");
	assert_false(options.continue_on_bad_store);
	assert_int_equal(options.control_access, CONTROL_AUTO);
	assert_false(options.protect_targets);
	assert_int_equal(options.sys_interval_s, 10);
	assert_int_equal(options.max_deliveries, 10000);
	assert_int_equal(options.max_delivery_bytes, 64 * 1024 * 1024);
	assert_int_equal(options.max_bus_visits, 256);
	assert_string_equal(options.data_file, "/var/lib/sluice/sluice-data.db");
	assert_string_equal(options.journal_dir, "/var/lib/sluice/sluice-journal");
	assert_int_equal(options.journal_max, 256 * 1024 * 1024);
	assert_int_equal(options.durability, SLUICE_DURABLE_PROCESS);
	options_finish(&options);
}

static void test_durability_is_read(void **state)
{
	const struct option_line lines[] = {
		{ "db_file", "/a/rules" },    { "data_file", "/b/d" },
		{ "journal_dir", "/c/j" },    { "journal_max", "8000000" },
		{ "durability", "batch:25" },
	};
	struct options options, other;
	(void)state;

	assert_int_equal(options_init(&options, lines, 5, NULL), SLUICE_OK);
	assert_string_equal(options.data_file, "/b/d");
	assert_string_equal(options.journal_dir, "/c/j");
	assert_int_equal(options.journal_max, 8000000);
	assert_int_equal(options.durability, SLUICE_DURABLE_BATCH);
	assert_int_equal(options.sync_ms, 25);
	assert_int_equal(options_init(&other, lines, 4, NULL), SLUICE_OK);
	assert_false(options_equal(&options, &other));
	options_finish(&other);
	assert_int_equal(options_init(&other, lines, 1, NULL), SLUICE_OK);
	assert_string_equal(other.data_file, "/a/rules-data.db");
	options_finish(&other);
	options_finish(&options);
}

static void test_each_option_is_read(void **state)
{
	const struct option_line lines[] = {
		{ "db_file", "/a" },           { "on_bad_store", "continue" },
		{ "control_access", "acl" },   { "control_users", " ann, bob b ,,c" },
		{ "protect_targets", "true" }, { "sys_interval", "0" },
		{ "max_deliveries", "1" },     { "max_delivery_bytes", "2" },
		{ "max_bus_visits", "3" },
	};
	struct options options, same;
	(void)state;

	assert_int_equal(options_init(&options, lines, 9, NULL), SLUICE_OK);
	assert_true(options.continue_on_bad_store);
	assert_int_equal(options.control_access, CONTROL_ACL);
	assert_int_equal(options.control_user_count, 3);
	assert_string_equal(options.control_users[0], "ann");
	assert_string_equal(options.control_users[1], "bob b");
	assert_string_equal(options.control_users[2], "c");
	assert_true(options.protect_targets);
	assert_int_equal(options.sys_interval_s, 0);
	assert_int_equal(options.max_deliveries, 1);
	assert_int_equal(options.max_delivery_bytes, 2);
	assert_int_equal(options.max_bus_visits, 3);
	assert_int_equal(options_init(&same, lines, 9, NULL), SLUICE_OK);
	assert_true(options_equal(&options, &same));
	free(same.control_users[2]);
	same.control_users[2] = strdup("d");
	assert_false(options_equal(&options, &same));
	options_finish(&options);
	options_finish(&same);
}

static void test_what_is_wrong_is_named(void **state)
{
	static const struct {
		struct option_line line;
		const char *message;
	} cases[] = {
		{ { "db_fil", "/a" }, "unknown option plugin_opt_db_fil" },
		{ { "db_file", "sluice.db" },
		  "plugin_opt_db_file is \"sluice.db\", but must be an absolute path" },
		{ { "db_file", NULL }, "must be an absolute path" },
		{ { "on_bad_store", "ignore" }, "must be refuse or continue" },
		{ { "control_access", "all" }, "must be auto, acl or none" },
		{ { "protect_targets", "yes" }, "must be true or false" },
		{ { "sys_interval", "-1" }, "must be a whole number, 0 or more" },
		{ { "max_deliveries", "0" }, "must be a whole number, 1 or more" },
		{ { "max_deliveries", "10x" }, "must be a whole number" },
		{ { "max_bus_visits", "99999999999999999999" }, "must be a whole number" },
		{ { "sys_interval", "" }, "must be a whole number" },
		{ { "data_file", "x" }, "must be an absolute path" },
		{ { "journal_max", "4000" }, "must be at least 4194304 bytes" },
		{ { "durability", "none" }, "must be process, power, or batch: and milliseconds" },
		{ { "durability", "batch:" },
		  "must be process, power, or batch: and milliseconds" },
	};
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct options options;
		struct sluice_error error;
		assert_int_equal(options_init(&options, &cases[i].line, 1, &error),
		                 SLUICE_ERR_INVALID);
		if (!strstr(error.message, cases[i].message))
			fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].line.key, error.message,
			         cases[i].message);
	}
}

static void test_a_missing_store_is_named(void **state)
{
	struct options options;
	struct sluice_error error;
	(void)state;

	assert_int_equal(options_init(&options, NULL, 0, &error), SLUICE_ERR_INVALID);
	assert_non_null(strstr(error.message, "plugin_opt_db_file is missing"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_the_store_must_be_named),
		cmocka_unit_test(test_each_option_is_read),
		cmocka_unit_test(test_durability_is_read),
		cmocka_unit_test(test_what_is_wrong_is_named),
		cmocka_unit_test(test_a_missing_store_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
