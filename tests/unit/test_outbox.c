/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* An outbox in a database of its own; what its triggers see is tests/bridge/test_sqlite_source.py's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "oom.h"
#include "outbox_internal.h"

struct world {
	char folder[64], path[80];
	sqlite3 *db; /* another program's */
	struct sluice_outbox *outbox;
	struct sluice_error error;
};

static void run(struct world *world, const char *sql)
{
	char *message = NULL;

	if (sqlite3_exec(world->db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
}

static int64_t number(struct world *world, const char *sql)
{
	sqlite3_stmt *stmt;
	int64_t value;

	assert_int_equal(sqlite3_prepare_v2(world->db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return value;
}

static void begin(struct world *world, const char *sql)
{
	*world = (struct world){ .folder = "/tmp/sluice-outbox-XXXXXX" };
	assert_non_null(mkdtemp(world->folder));
	snprintf(world->path, sizeof(world->path), "%s/x.db", world->folder);
	assert_int_equal(sqlite3_open(world->path, &world->db), SQLITE_OK);
	run(world, "PRAGMA synchronous = OFF");
	run(world, sql);
	assert_int_equal(sluice_outbox_open(world->path, &world->outbox, &world->error), SLUICE_OK);
}

static void end(struct world *world)
{
	sluice_outbox_close(world->outbox);
	assert_int_equal(sqlite3_close(world->db), SQLITE_OK);
	assert_int_equal(unlink(world->path), 0);
	assert_int_equal(rmdir(world->folder), 0);
}

static enum sluice_status install(struct world *world, bool *changed)
{
	return sluice_outbox_install(world->outbox, NULL, 0, changed, &world->error);
}

static void what_is_installed_already_is_not_written_again(void **state)
{
	struct world world;
	bool changed;
	char id[33];

	(void)state;
	begin(&world, "CREATE TABLE a (x INTEGER PRIMARY KEY, y UNIQUE); CREATE TABLE b (z)");
	assert_int_equal(sluice_outbox_check(world.outbox, &world.error), SLUICE_ERR_NOT_FOUND);
	assert_int_equal(install(&world, &changed), SLUICE_OK);
	assert_true(changed);
	assert_int_equal(strlen(sluice_outbox_id(world.outbox)), 16);
	strcpy(id, sluice_outbox_id(world.outbox));
	/* Five of one with a unique column, four of the other. */
	assert_int_equal(
	        number(&world, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"), 9);
	assert_int_equal(install(&world, &changed), SLUICE_OK);
	assert_false(changed);
	run(&world, "DROP TRIGGER sluice_outbox_after_delete_a");
	assert_int_equal(install(&world, &changed), SLUICE_OK);
	assert_true(changed);
	assert_string_equal(sluice_outbox_id(world.outbox), id);
	/* An outbox that somebody dropped begins with another id: its rows count from 1 again. */
	run(&world, "DROP TABLE sluice_outbox");
	assert_int_equal(install(&world, &changed), SLUICE_OK);
	assert_string_not_equal(sluice_outbox_id(world.outbox), id);
	assert_int_equal(sluice_outbox_remove(world.outbox, NULL, 0, &world.error), SLUICE_OK);
	assert_int_equal(number(&world, "SELECT count(*) FROM sqlite_schema WHERE name LIKE "
	                                "'sluice%'"),
	                 0);
	end(&world);
}

/* No lookup of what an INSERT might replace reads a whole table. */
static void a_look_for_what_is_replaced_uses_the_indexes(void **state)
{
	/* A row without a number, that went for another index than the key's, is looked for by its key's
	 * text: a scan, but of an INSERT that replaces one so, only. */
	static const int scans[] = { 0, 1, 0, 0, 0 };
	static const char *const tables[] = {
		"CREATE TABLE t (x INTEGER PRIMARY KEY, y UNIQUE, z COLLATE NOCASE UNIQUE)",
		"CREATE TABLE t (x, y, PRIMARY KEY (y, x)) WITHOUT ROWID",
		"CREATE TABLE t (x TEXT); CREATE UNIQUE INDEX i ON t (x COLLATE NOCASE DESC)",
		"CREATE TABLE t (x TEXT, y); CREATE UNIQUE INDEX i ON t (x) WHERE y",
		"CREATE TABLE t (x TEXT); CREATE UNIQUE INDEX i ON t (lower(x))",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		struct world world;
		sqlite3_stmt *stmt;
		int rows = 0, scanned = 0;
		begin(&world, tables[i]);
		assert_int_equal(install(&world, NULL), SLUICE_OK);
		/* An EXPLAIN would not see that the schema is another now. */
		assert_true(number(&world, "SELECT count(*) FROM sqlite_schema") > 1);
		/* The plans of triggers, too. */
		assert_int_equal(sqlite3_db_config(world.db, SQLITE_DBCONFIG_TRIGGER_EQP, 1, NULL),
		                 SQLITE_OK);
		assert_int_equal(sqlite3_prepare_v2(world.db,
		                                    "EXPLAIN QUERY PLAN INSERT INTO t DEFAULT "
		                                    "VALUES",
		                                    -1, &stmt, NULL),
		                 SQLITE_OK);
		while (sqlite3_step(stmt) == SQLITE_ROW) {
			const char *detail = (const char *)sqlite3_column_text(stmt, 3);
			rows++;
			scanned += strncmp(detail, "SCAN x", 6) == 0;
		}
		assert_true(rows > 3);
		assert_int_equal(scanned, scans[i]);
		sqlite3_finalize(stmt);
		end(&world);
	}
}

static bool count_rows(void *arg, const struct sluice_outbox_row *row)
{
	int *count = arg;

	assert_true(row->id > 0 && row->keys.data && row->time.len == 24);
	return ++*count < 3;
}

static void readers_go_on_where_they_were_and_old_rows_go(void **state)
{
	struct world world;
	int64_t position, lost;
	int count = 0;
	bool more;

	(void)state;
	begin(&world, "CREATE TABLE t (x)");
	assert_int_equal(install(&world, NULL), SLUICE_OK);
	run(&world, "INSERT INTO t VALUES (1), (2), (3), (4)");
	assert_int_equal(sluice_outbox_position(world.outbox, SLUICE_STR("a"), false, &position,
	                                        &lost, &world.error),
	                 SLUICE_OK);
	assert_true(position == 0 && lost == 0);
	assert_int_equal(
	        sluice_outbox_read(world.outbox, position, 10, count_rows, &count, &world.error),
	        SLUICE_OK);
	assert_int_equal(count, 3);
	assert_int_equal(sluice_outbox_confirm(world.outbox, SLUICE_STR("a"), 3, &world.error),
	                 SLUICE_OK);
	/* It never goes back. */
	assert_int_equal(sluice_outbox_confirm(world.outbox, SLUICE_STR("a"), 1, &world.error),
	                 SLUICE_OK);
	assert_int_equal(sluice_outbox_position(world.outbox, SLUICE_STR("a"), true, &position,
	                                        &lost, &world.error),
	                 SLUICE_OK);
	assert_true(position == 3 && lost == 0);
	assert_int_equal(sluice_outbox_position(world.outbox, SLUICE_STR("b"), true, &position,
	                                        &lost, &world.error),
	                 SLUICE_OK);
	assert_int_equal(position, 4);
	/* Up to a place, and none that is younger. */
	run(&world, "UPDATE sluice_outbox SET time = '2020' WHERE id < 4");
	assert_int_equal(sluice_outbox_trim(world.outbox, 2, 60, &more, &world.error), SLUICE_OK);
	assert_int_equal(number(&world, "SELECT min(id) FROM sluice_outbox"), 3);
	assert_int_equal(sluice_outbox_trim(world.outbox, 4, 60, &more, &world.error), SLUICE_OK);
	assert_int_equal(number(&world, "SELECT min(id) FROM sluice_outbox"), 4);
	assert_false(more);
	run(&world, "DELETE FROM sluice_outbox; UPDATE sluice_outbox_readers SET position = 1");
	assert_int_equal(sluice_outbox_position(world.outbox, SLUICE_STR("a"), false, &position,
	                                        &lost, &world.error),
	                 SLUICE_OK);
	assert_true(position == 1 && lost == 3);
	end(&world);
}

static void a_lock_of_another_is_busy_and_nothing_is_half_done(void **state)
{
	struct world world;

	(void)state;
	begin(&world, "CREATE TABLE t (x)");
	run(&world, "BEGIN IMMEDIATE");
	sqlite3_busy_timeout(world.outbox->db, 1);
	assert_int_equal(install(&world, NULL), SLUICE_ERR_BUSY);
	assert_non_null(strstr(world.error.message, "another program holds it locked"));
	run(&world, "COMMIT");
	assert_int_equal(number(&world, "SELECT count(*) FROM sqlite_schema"), 1);
	assert_int_equal(install(&world, NULL), SLUICE_OK);
	end(&world);
}

static void what_is_no_outbox_of_ours_is_told(void **state)
{
	struct world world;

	(void)state;
	begin(&world, "CREATE TABLE sluice_outbox (x); CREATE TABLE sluice_outbox_about (id); "
	              "INSERT INTO sluice_outbox_about VALUES ('../x')");
	assert_int_equal(sluice_outbox_check(world.outbox, &world.error), SLUICE_ERR_CORRUPT);
	end(&world);
	begin(&world, "CREATE TABLE t (x)");
	assert_int_equal(sluice_outbox_open("/nonexistent/x.db", &(struct sluice_outbox *){ NULL },
	                                    &world.error),
	                 SLUICE_ERR_IO);
	end(&world);
}

static void memory_that_runs_out_is_told(void **state)
{
	struct world world;
	bool happened = true;

	(void)state;
	begin(&world, "CREATE TABLE t (x INTEGER PRIMARY KEY, \"a\"\"b\" UNIQUE)");
	for (size_t n = 1; happened; n++) {
		oom_fail_at(n);
		enum sluice_status status = install(&world, NULL);
		happened = oom_happened();
		assert_int_equal(status, happened ? SLUICE_ERR_NOMEM : SLUICE_OK);
		if (happened)
			assert_int_equal(number(&world, "SELECT count(*) FROM sqlite_schema WHERE "
			                                "type = 'trigger'"),
			                 0);
	}
	assert_int_equal(
	        number(&world, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"), 5);
	end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_installed_already_is_not_written_again),
		cmocka_unit_test(a_look_for_what_is_replaced_uses_the_indexes),
		cmocka_unit_test(readers_go_on_where_they_were_and_old_rows_go),
		cmocka_unit_test(a_lock_of_another_is_busy_and_nothing_is_half_done),
		cmocka_unit_test(what_is_no_outbox_of_ours_is_told),
		cmocka_unit_test(memory_that_runs_out_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
