/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Each allocation, and each thing SQLite asks of the disk, fails once in the course of a session of
 * changes, polls, a backup and a restore; or everything fails from then on, as if the process had
 * been killed there. The file must always be sound and hold what was acknowledged, and whoever
 * follows it must end up with what it holds.
 */
#include "store_helper.h"

#include "oom.h"
#include "sqlite_faults.h"

enum { MAX_STEPS = 16, MAX_ROWS = 16 };

/* What a follower was told. */
struct model {
	struct {
		char name[16];
		char text[256];
	} rows[MAX_ROWS];
};

static void learn(void *arg, enum sluice_store_kind kind, const struct sluice_store_row *row)
{
	struct model *model = arg;
	char name[16];
	size_t place = MAX_ROWS;
	snprintf(name, sizeof(name), "%d%.*s", kind, (int)row->name.len, row->name.data);
	for (size_t i = 0; i < MAX_ROWS; i++) {
		if (strcmp(model->rows[i].name, name) == 0)
			place = i;
		else if (!model->rows[i].name[0] && place == MAX_ROWS)
			place = i;
	}
	assert_true(place < MAX_ROWS);
	for (size_t i = 0; i < MAX_ROWS; i++) {
		if (strcmp(model->rows[i].name, name) == 0)
			place = i;
	}
	if (!row->text.data) {
		assert_string_equal(model->rows[place].name, name);
		model->rows[place].name[0] = 0;
		return;
	}
	strcpy(model->rows[place].name, name);
	snprintf(model->rows[place].text, sizeof(model->rows[place].text), "%.*s",
	         (int)row->text.len, row->text.data);
}

static struct sluice_rule *rules[4];
static struct sluice_bus *bus;
static struct sluice_queue *queue;

static int parse_rules(void **state)
{
	static const char *const texts[4] = {
		"{\"name\":\"a\",\"pattern\":{\"x\":[1]},\"targets\":[{\"id\":\"t\",\"topic\":"
		"\"1\"},"
		"{\"id\":\"s\",\"topic\":\"2\"}]}",
		"{\"name\":\"a\",\"pattern\":{\"x\":[2]},\"targets\":[{\"id\":\"u\",\"topic\":"
		"\"3\"}"
		"]}",
		"{\"name\":\"b\",\"bus\":\"x\",\"pattern\":{\"x\":[1]},\"targets\":[]}",
		"{\"name\":\"c\",\"pattern\":{\"x\":[1]},\"targets\":[]}",
	};
	struct sluice_error error;
	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_ok(sluice_rule_parse(sluice_str(texts[i]), &rules[i], &error), error);
	assert_ok(
	        sluice_bus_parse(SLUICE_STR("{\"name\":\"x\",\"topics\":[\"x/#\"]}"), &bus, &error),
	        error);
	assert_ok(sluice_queue_parse(SLUICE_STR("{\"name\":\"q\",\"group\":\"$.g\"}"), &queue,
	                             &error),
	          error);
	return 0;
}

static int free_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < 4; i++)
		sluice_rule_destroy(rules[i]);
	sluice_bus_destroy(bus);
	sluice_queue_destroy(queue);
	return 0;
}

/* One session; done[i] gets whether step i succeeded. The store, if it was opened, stays open. */
static struct sluice_store *session(struct place *place, struct model *model, bool done[MAX_STEPS],
                                    void (*after)(struct place *place, int step))
{
	struct sluice_store *store = NULL;
	struct sluice_error error, fault = { .code = SLUICE_ERR_INVALID, .message = "no good" };
	char copy[128];
	int64_t revision = 0;
	int step = 0;
	snprintf(copy, sizeof(copy), "%s/copy", place->folder);
#define STEP(call)                                                                                 \
	do {                                                                                       \
		done[step] = (call) == SLUICE_OK;                                                  \
		if (after)                                                                         \
			after(place, step);                                                        \
		step++;                                                                            \
	} while (0)
	STEP(sluice_store_open(place->db, SLUICE_STORE_CREATE, &store, &error));
	if (!store)
		return NULL;
	STEP(sluice_store_put(store, sluice_definition_of_bus(bus), -1, NULL, &error));
	STEP(sluice_store_put(store, sluice_definition_of_queue(queue), -1, NULL, &error));
	STEP(sluice_store_put(store, sluice_definition_of_rule(rules[0]), 0, &revision, &error));
	STEP(sluice_store_poll(store, learn, model, &error));
	STEP(sluice_store_put(store, sluice_definition_of_rule(rules[1]), -1, &revision, &error));
	STEP(sluice_store_set_state(store, SLUICE_STORE_RULE, SLUICE_STR("a"), SLUICE_RULE_SHADOW,
	                            -1, &revision, &error));
	STEP(sluice_store_poll(store, learn, model, &error));
	sluice_store_report(store, SLUICE_STORE_RULE, SLUICE_STR("a"), revision, &fault);
	STEP(sluice_store_poll(store, learn, model, &error));
	STEP(sluice_store_backup(store, copy, &error));
	enum sluice_status status = sluice_store_begin(store, &error);
	if (status == SLUICE_OK)
		status = sluice_store_put(store, sluice_definition_of_rule(rules[2]), -1, NULL,
		                          &error);
	if (status == SLUICE_OK)
		status = sluice_store_put(store, sluice_definition_of_rule(rules[3]), -1, NULL,
		                          &error);
	if (status == SLUICE_OK)
		status = sluice_store_delete(store, SLUICE_STORE_RULE, SLUICE_STR("a"), -1, &error);
	if (status == SLUICE_OK)
		status =
		        sluice_store_delete(store, SLUICE_STORE_QUEUE, SLUICE_STR("q"), -1, &error);
	if (status == SLUICE_OK)
		status = sluice_store_commit(store, &error);
	sluice_store_rollback(store);
	STEP(status);
	STEP(sluice_store_poll(store, learn, model, &error));
	STEP(done[9] ? sluice_store_restore(store, copy, &error) : SLUICE_ERR_IO);
	STEP(sluice_store_poll(store, learn, model, &error));
#undef STEP
	assert_true(step <= MAX_STEPS);
	return store;
}

/* --- what the file holds --- */

static void dump(struct place *place, char *text, size_t size)
{
	sqlite3 *db;
	sqlite3_stmt *stmt;
	text[0] = 0;
	assert_int_equal(sqlite3_open_v2(place->db, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_string_equal(sqlite3_column_text(stmt, 0), "ok");
	sqlite3_finalize(stmt);
	if (sqlite3_prepare_v2(db,
	                       "SELECT name || topics FROM buses UNION ALL "
	                       "SELECT name || group_path FROM queues UNION ALL "
	                       "SELECT r.name || r.state || r.pattern || ifnull(group_concat("
	                       "t.definition), '') FROM rules r LEFT JOIN targets t "
	                       "ON t.rule = r.name GROUP BY r.name ORDER BY 1",
	                       -1, &stmt, NULL) == SQLITE_OK) {
		while (sqlite3_step(stmt) == SQLITE_ROW) {
			size_t len = strlen(text);
			snprintf(text + len, size - len, "%s\n", sqlite3_column_text(stmt, 0));
		}
	}
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

static char dumps[MAX_STEPS + 1][1024]; /* before the first step, and after each */
static int dump_count;

static void note_dump(struct place *place, int step)
{
	faults.in_memory = faults.in_files = false;
	dump(place, dumps[step + 1], sizeof(dumps[0]));
	dump_count = step + 2;
}

static void clean(struct place *place)
{
	static const char *const names[] = { "sluice.db", "sluice.db-wal", "sluice.db-shm",
		                             "sluice.db-journal", "copy" };
	char path[160];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", place->folder, names[i]);
		unlink(path);
	}
}

/* The file holds what it held after the last step that succeeded, or after the one in which it
 * failed: whether that one was done is not known. */
static void check_crash(struct place *place, const bool done[MAX_STEPS])
{
	char text[1024];
	int last = -1;
	while (last + 1 < MAX_STEPS && done[last + 1])
		last++;
	if (last < 0 && access(place->db, F_OK) != 0)
		return;
	dump(place, text, sizeof(text));
	if (strcmp(text, dumps[last + 1]) == 0)
		return;
	for (int next = last + 2; next < dump_count; next++) {
		if (strcmp(text, dumps[next]) == 0)
			return;
		if (strcmp(dumps[next], dumps[last + 1]) != 0)
			break;
	}
	fail_msg("failure %ld, after step %d: %s", faults.countdown, last, text);
}

static bool compare_row(void *arg, const struct sluice_store_row *row)
{
	struct model *model = arg;
	char name[16];
	snprintf(name, sizeof(name), "%d%.*s", SLUICE_STORE_RULE, (int)row->name.len,
	         row->name.data);
	for (size_t i = 0; i < MAX_ROWS; i++) {
		if (strcmp(model->rows[i].name, name) == 0) {
			assert_memory_equal(model->rows[i].text, row->text.data, row->text.len);
			model->rows[i].name[0] = 0;
			return true;
		}
	}
	fail_msg("failure %ld: %s was not told", faults.countdown, name);
	return false;
}

/* What the follower was told, in the end, is what the file holds. */
static void check_follower(struct place *place, struct sluice_store *store, struct model *model)
{
	struct sluice_error error;
	struct sluice_store_query all = { .state = -1 };
	char text[1024];
	assert_ok(sluice_store_poll(store, learn, model, &error), error);
	assert_ok(sluice_store_list(store, SLUICE_STORE_RULE, &all, compare_row, model, &error),
	          error);
	for (size_t i = 0; i < MAX_ROWS; i++) {
		if (model->rows[i].name[0] == '0' + SLUICE_STORE_RULE)
			fail_msg("failure %ld: told of %s, which is not there", faults.countdown,
			         model->rows[i].name);
	}
	dump(place, text, sizeof(text));
}

/* Learns what the file holds after each step when nothing fails. */
static void run_without_faults(struct place *place)
{
	struct model model = { 0 };
	bool done[MAX_STEPS] = { false };
	clean(place);
	sluice_store_close(session(place, &model, done, note_dump));
	for (int i = 0; i < dump_count - 1; i++)
		assert_true(done[i]);
}

/* One session in which the nth thing of a kind fails; false when there are not as many. */
static bool run_with_fault(struct place *place, bool *kind, long nth, bool for_good)
{
	struct model model = { 0 };
	bool done[MAX_STEPS] = { false };
	clean(place);
	faults_set(nth, for_good);
	*kind = true;
	struct sluice_store *store = session(place, &model, done, NULL);
	if (for_good)
		sluice_store_close(store);
	*kind = false;
	if (for_good) {
		check_crash(place, done);
		return faults.failed;
	}
	if (store)
		check_follower(place, store, &model);
	sluice_store_close(store);
	return faults.failed;
}

static void run_with_faults(struct place *place, bool *kind, bool for_good)
{
	run_without_faults(place);
	for (long nth = 1; run_with_fault(place, kind, nth, for_good);)
		nth = faults_after(nth);
}

static void test_an_allocation_of_ours_that_fails_loses_nothing(void **state)
{
	struct place *place = *state;
	bool more = true;
	for (size_t nth = 1; more; nth++) {
		struct model model = { 0 };
		bool done[MAX_STEPS] = { false };
		clean(place);
		faults.countdown = (long)nth;
		oom_fail_at(nth);
		struct sluice_store *store = session(place, &model, done, NULL);
		more = oom_happened();
		if (store)
			check_follower(place, store, &model);
		sluice_store_close(store);
	}
}

static void test_a_file_operation_that_fails_once_loses_nothing(void **state)
{
	run_with_faults(*state, &faults.in_files, false);
}

static void test_a_process_killed_at_any_file_operation_leaves_a_sound_store(void **state)
{
	run_with_faults(*state, &faults.in_files, true);
}

static void test_an_allocation_of_sqlite_that_fails_loses_nothing(void **state)
{
	run_with_faults(*state, &faults.in_memory, false);
}

static void test_being_out_of_memory_for_good_leaves_a_sound_store(void **state)
{
	run_with_faults(*state, &faults.in_memory, true);
}

int main(void)
{
	install_sqlite_faults();
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_a_file_operation_that_fails_once_loses_nothing),
		STORE_TEST(test_a_process_killed_at_any_file_operation_leaves_a_sound_store),
		STORE_TEST(test_an_allocation_of_sqlite_that_fails_loses_nothing),
		STORE_TEST(test_an_allocation_of_ours_that_fails_loses_nothing),
		STORE_TEST(test_being_out_of_memory_for_good_leaves_a_sound_store),
	};
	return cmocka_run_group_tests(tests, parse_rules, free_rules);
}
