/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Each allocation, and each thing SQLite asks of the disk, fails once in the course of a session of
 * batches, and what failed is tried again: in the end the file holds what it would have held. Or
 * everything fails from then on, as if the process had been killed there: then the file is sound, and
 * holds what was committed.
 */
#include "data_helper.h"

#include "data_internal.h"
#include "oom.h"
#include "sqlite_faults.h"

enum { STEPS = 9, MAX_TRIES = 3 };

static const char large[DATA_LARGE_BYTES + 1000];

/* --- a session --- */

static enum sluice_status first_batch(struct sluice_data *data, struct sluice_error *error)
{
	struct sluice_record records[] = {
		message("a", 1, "one"),
		message("a", 2, "two"),
		message("b", 3, ""),
		message("a", 4, "four"),
		about(SLUICE_RECORD_LEASE, "a", 1),
		about(SLUICE_RECORD_LEASE, "a", 2),
		about(SLUICE_RECORD_ACK, "a", 2),
		about(SLUICE_RECORD_MOVE, "a", 4),
		about(SLUICE_RECORD_ARCHIVE, "default", 6),
		about(SLUICE_RECORD_ARCHIVE, "default", 7),
		about(SLUICE_RECORD_SEEN, "a", 0),
		about(SLUICE_RECORD_FIRED, "a", 0),
	};
	records[2].payload = (struct sluice_str){ large, sizeof(large) };
	records[2].bus = SLUICE_STR("default");
	records[4].worker = records[5].worker = SLUICE_STR("w");
	records[7].to_queue = SLUICE_STR("dead");
	records[7].new_id = 5;
	records[7].error = SLUICE_STR("{}");
	records[10].dedup_until_ms = 100;
	records[11].rule = SLUICE_STR("nightly");
	records[11].time_ms = 9;
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		enum sluice_status status = sluice_data_apply(data, &records[i], error);
		if (status != SLUICE_OK)
			return status;
	}
	return SLUICE_OK;
}

static enum sluice_status second_batch(struct sluice_data *data, struct sluice_error *error)
{
	struct sluice_record records[] = {
		about(SLUICE_RECORD_RELEASE, "a", 1),      about(SLUICE_RECORD_PURGE, "b", 3),
		about(SLUICE_RECORD_MOVE, "dead", 5),      message("a", 9, "nine"),
		about(SLUICE_RECORD_ARCHIVE, "other", 10), about(SLUICE_RECORD_ACK, "b", 77),
	};
	records[0].reason = SLUICE_STR("broken");
	records[0].parked = true;
	records[0].due_ms = 50;
	records[2].to_queue = SLUICE_STR("a");
	records[2].new_id = 8;
	records[4].time_ms = 1000;
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		enum sluice_status status = sluice_data_apply(data, &records[i], error);
		if (status != SLUICE_OK)
			return status;
	}
	return SLUICE_OK;
}

static bool look(void *arg, const struct sluice_record *row)
{
	*(size_t *)arg += row->payload.len;
	return true;
}

static void look_at_name(void *arg, struct sluice_str name)
{
	*(size_t *)arg += name.len;
}

/* All there is to be read, in the batch too. */
static enum sluice_status read_all(struct sluice_data *data, struct sluice_error *error)
{
	struct sluice_archive_query query = { .bus = SLUICE_STR("default") };
	struct sluice_archive_stats stats;
	struct sluice_data_counts counts;
	size_t bytes = 0;
	enum sluice_status status;
	if ((status = sluice_data_ready(data, SLUICE_STR("a"), 0, 9, 0, look, &bytes, error)) ||
	    (status = sluice_data_held(data, SLUICE_STR("a"), look, &bytes, error)) ||
	    (status = sluice_data_peek(data, SLUICE_STR("b"), 0, 9, look, &bytes, error)) ||
	    (status = sluice_data_count(data, SLUICE_STR("a"), &counts, error)) ||
	    (status = sluice_data_seen(data, 5, look, &bytes, error)) ||
	    (status = sluice_archive_read(data, &query, look, &bytes, error)) ||
	    (status = sluice_archive_stats(data, query.bus, &stats, error)) ||
	    (status = sluice_archive_buses(data, look_at_name, &bytes, error)))
		return status;
	/* These tell a failure by a value of its own. */
	return sluice_data_next_due(data) == 0 || sluice_data_fired(data, SLUICE_STR("x")) < 0
	               ? SLUICE_ERR_IO
	               : SLUICE_OK;
}

static enum sluice_status run_batch(struct sluice_data *data, uint64_t position,
                                    struct sluice_error *error)
{
	enum sluice_status status = sluice_data_begin(data, error);
	if (status == SLUICE_OK)
		status = position == 1 ? first_batch(data, error) : second_batch(data, error);
	if (status == SLUICE_OK && position == 2) {
		status = read_all(data, error);
		/* Reading that failed does not end a batch, unless it failed in writing it. */
		if (status != SLUICE_OK)
			sluice_data_apply(data, &(struct sluice_record){ .id = UINT64_MAX }, NULL);
	}
	return status == SLUICE_OK ? sluice_data_commit(data, position, error) : status;
}

static enum sluice_status run_step(struct place *place, int step, struct sluice_data **data,
                                   struct sluice_error *error)
{
	size_t bytes = 0;
	bool more;
	switch (step) {
	case 0:
		return sluice_data_open(place->db, 0, data, error);
	case 1:
	case 3:
		return run_batch(*data, step == 1 ? 1 : 2, error);
	case 2:
	case 4:
		return read_all(*data, error);
	case 5:
		return sluice_data_due(*data, 60, 5, look, &bytes, error);
	case 6:
		return sluice_archive_trim(*data, SLUICE_STR("other"), 0, 1, 10, &more, error);
	case 7:
		return sluice_archive_trim(*data, SLUICE_STR("default"), 100, 0, 1, &more, error);
	default:
		return sluice_data_forget_seen(*data, 200, 10, &more, error);
	}
}

/* --- what the file holds --- */

static void dump(struct place *place, char *text, size_t size)
{
	static const char query[] =
	        "SELECT 'progress ' || position || ' ' || last_id FROM progress"
	        " UNION ALL SELECT 'entry ' || n.name || ' ' || state || ' ' || e.id || ' ' ||"
	        " length(m.payload) || ifnull(reason, '') || ifnull(worker, '') FROM entries e"
	        " JOIN names n ON n.number = queue LEFT JOIN messages m ON m.id = e.id"
	        " UNION ALL SELECT 'queue ' || n.name || ' ' || ready || held || parked || ' ' ||"
	        " bytes FROM queues JOIN names n ON n.number = queue"
	        " UNION ALL SELECT 'event ' || id FROM archive"
	        " UNION ALL SELECT 'block ' || block || ' ' || events FROM archive_blocks"
	        " UNION ALL SELECT 'seen ' || until_ms FROM seen"
	        " UNION ALL SELECT 'fired ' || rule FROM fired"
	        " UNION ALL SELECT 'messages ' || count(*) FROM messages"
	        " UNION ALL SELECT integrity_check FROM pragma_integrity_check ORDER BY 1";
	sqlite3 *db;
	sqlite3_stmt *stmt;
	text[0] = 0;
	assert_int_equal(sqlite3_open_v2(place->db, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	if (sqlite3_prepare_v2(db, query, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(db));
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		size_t len = strlen(text);
		snprintf(text + len, size - len, "%s\n", sqlite3_column_text(stmt, 0));
	}
	assert_non_null(strstr(text, "ok\n"));
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

static char dumps[STEPS][2048]; /* after each step, when nothing fails */

static void run_without_faults(struct place *place)
{
	struct sluice_data *data = NULL;
	struct sluice_error error;
	for (int step = 0; step < STEPS; step++) {
		assert_ok(run_step(place, step, &data, &error), error);
		dump(place, dumps[step], sizeof(dumps[0]));
	}
	sluice_data_close(data);
	assert_non_null(strstr(dumps[1], "entry a 1 1 3w"));
	assert_non_null(strstr(dumps[STEPS - 1], "entry a 0 1 3broken"));
	run(place, "rm -f $DB*");
}

/* One session in which something fails once; each step is tried until it is done. */
static void run_to_the_end(struct place *place)
{
	struct sluice_data *data = NULL;
	struct sluice_error error;
	char text[2048];
	for (int step = 0; step < STEPS; step++) {
		int tries = 0;
		while (run_step(place, step, &data, &error) != SLUICE_OK)
			if (++tries == MAX_TRIES)
				fail_msg("failure %ld, step %d: %s", faults.countdown, step,
				         error.message);
	}
	faults.in_files = faults.in_memory = false;
	sluice_data_close(data);
	dump(place, text, sizeof(text));
	if (strcmp(text, dumps[STEPS - 1]) != 0)
		fail_msg("failure %ld: expected\n%sgot\n%s", faults.countdown, dumps[STEPS - 1],
		         text);
	run(place, "rm -f $DB*");
}

static void one_failure(struct place *place, bool *kind)
{
	run_without_faults(place);
	for (long nth = 1; nth == 1 || faults.failed; nth = faults_after(nth)) {
		faults_set(nth, false);
		*kind = true;
		run_to_the_end(place);
	}
}

/* All fails from the nth on. The file holds what it held after the last step that was done, or after
 * the one that failed. */
static bool killed(struct place *place, bool *kind, long nth)
{
	struct sluice_data *data = NULL;
	struct sluice_error error;
	char text[2048];
	int step = 0;
	faults_set(nth, true);
	*kind = true;
	while (step < STEPS && run_step(place, step, &data, &error) == SLUICE_OK)
		step++;
	sluice_data_close(data);
	*kind = false;
	if (step > 0) {
		dump(place, text, sizeof(text));
		if (strcmp(text, dumps[step - 1]) != 0 &&
		    (step == STEPS || strcmp(text, dumps[step]) != 0))
			fail_msg("failure %ld, after step %d: %s", nth, step - 1, text);
	}
	run(place, "rm -f $DB*");
	return faults.failed;
}

static void all_failures(struct place *place, bool *kind)
{
	run_without_faults(place);
	for (long nth = 1; killed(place, kind, nth);)
		nth = faults_after(nth);
}

static void test_a_file_operation_that_fails_once_loses_nothing(void **state)
{
	one_failure(*state, &faults.in_files);
}

static void test_an_allocation_of_sqlite_that_fails_loses_nothing(void **state)
{
	one_failure(*state, &faults.in_memory);
}

static void test_an_allocation_of_ours_that_fails_loses_nothing(void **state)
{
	struct place *place = *state;
	bool more = true;
	run_without_faults(place);
	for (size_t nth = 1; more; nth++) {
		faults.countdown = (long)nth;
		oom_fail_at(nth);
		run_to_the_end(place);
		more = oom_happened();
	}
}

static void test_a_process_killed_at_any_file_operation_leaves_what_was_committed(void **state)
{
	all_failures(*state, &faults.in_files);
}

static void test_being_out_of_memory_for_good_leaves_what_was_committed(void **state)
{
	all_failures(*state, &faults.in_memory);
}

/* --- a full disk --- */

static void test_a_full_disk_undoes_the_batch_and_all_goes_on_when_there_is_room(void **state)
{
	struct place *place = *state;
	struct sluice_data *data = open_data(place, 0);
	struct sluice_error error;
	static char filler[4000];
	enum sluice_status status = SLUICE_OK;
	uint64_t id = 1;
	memset(filler, 'x', sizeof(filler) - 1);
	begin(data);
	apply(data, message("a", 1, "one"));
	commit(data, 1);
	assert_int_equal(
	        sqlite3_exec(data->file.db, "PRAGMA max_page_count = 100", NULL, NULL, NULL),
	        SQLITE_OK);
	begin(data);
	while (status == SLUICE_OK && id < 10000) {
		struct sluice_record record = message("b", ++id, filler);
		record.kind = id % 2 ? SLUICE_RECORD_ENQUEUE : SLUICE_RECORD_ARCHIVE;
		status = sluice_data_apply(data, &record, &error);
	}
	assert_status(status, SLUICE_ERR_IO);
	assert_non_null(strstr(error.message, place->db));
	assert_non_null(strstr(error.message, "full"));
	assert_status(sluice_data_commit(data, 2, &error), SLUICE_ERR_CONFLICT);
	assert_ready(data, "a", "1:one");
	assert_ready(data, "b", "");
	assert_int_equal(sluice_data_position(data), 1);
	assert_int_equal(sluice_data_last_id(data, NULL), 1);
	assert_int_equal(
	        sqlite3_exec(data->file.db, "PRAGMA max_page_count = 100000", NULL, NULL, NULL),
	        SQLITE_OK);
	begin(data);
	for (id = 2; id < 300; id++)
		apply(data, message("b", id, filler));
	commit(data, 2);
	counts_are(data, "b", 298, 0, 0, 298 * 3999);
	sluice_data_close(data);
}

int main(void)
{
	install_sqlite_faults();
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_a_file_operation_that_fails_once_loses_nothing),
		STORE_TEST(test_an_allocation_of_sqlite_that_fails_loses_nothing),
		STORE_TEST(test_an_allocation_of_ours_that_fails_loses_nothing),
		STORE_TEST(test_a_process_killed_at_any_file_operation_leaves_what_was_committed),
		STORE_TEST(test_being_out_of_memory_for_good_leaves_what_was_committed),
		STORE_TEST(test_a_full_disk_undoes_the_batch_and_all_goes_on_when_there_is_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
