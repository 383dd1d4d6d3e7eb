/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Replays and retentions in SQLite; counting archived events. */
#include "data_helper.h"
#include "sluice_store/replay.h"
#include "sluice_store/retention.h"
#include "sqlite_faults.h"

static const struct sluice_str no_name;

static void archive(struct sluice_data *data, const char *bus, uint64_t first, uint64_t count)
{
	begin(data);
	for (uint64_t id = first; id < first + count; id++) {
		struct sluice_record record = message(bus, id, "x");
		record.kind = SLUICE_RECORD_ARCHIVE;
		apply(data, record);
	}
	commit(data, first + count);
}

static enum sluice_status start(struct sluice_data *data, const char *name, int64_t from_ms,
                                struct sluice_error *error)
{
	const struct sluice_replay replay = { .name = sluice_str(name),
		                              .bus = SLUICE_STR("b"),
		                              .from_ms = from_ms,
		                              .rules = SLUICE_STR(" a b "),
		                              .topic = SLUICE_STR("t/{topic}"),
		                              .speed_milli = 2500,
		                              .started_ms = 7 };
	return sluice_replay_start(data, &replay, error);
}

static bool collect(void *arg, const struct sluice_replay *replay)
{
	struct sluice_buffer *out = arg;
	sluice_buffer_printf(
	        out, "%s%.*s %s %llu/%llu to %llu at %llu, %llu matched", out->len ? "; " : "",
	        (int)replay->name.len, replay->name.data, sluice_replay_state_name(replay->state),
	        (unsigned long long)replay->done, (unsigned long long)replay->total,
	        (unsigned long long)replay->end_id, (unsigned long long)replay->position,
	        (unsigned long long)replay->matched);
	if (replay->ended_ms)
		sluice_buffer_append_text(out, ", ended");
	assert_true(sluice_str_equal(replay->rules, SLUICE_STR(" a b ")));
	assert_true(sluice_str_equal(replay->topic, SLUICE_STR("t/{topic}")));
	assert_int_equal(replay->speed_milli, 2500);
	return true;
}

#define assert_replays(data, expected)                                                             \
	assert_tells(expected, sluice_replay_each, collect, data, no_name)

static void test_a_replay_is_kept_with_how_far_it_is(void **state)
{
	struct place *place = *state;
	struct sluice_data *data = open_data(place, 0);
	struct sluice_error error;
	archive(data, "b", 1, 3000);
	assert_ok(start(data, "r", 10005, &error), error);
	assert_replays(data, "r RUNNING 0/2000 to 3000 at 0, 0 matched");
	assert_status(start(data, "r", 0, &error), SLUICE_ERR_CONFLICT);
	struct sluice_replay now = { .name = SLUICE_STR("r"),
		                     .state = SLUICE_REPLAY_PAUSED,
		                     .position = 1500,
		                     .done = 500,
		                     .matched = 20 };
	assert_ok(sluice_replay_update(data, &now, &error), error);
	sluice_data_close(data);
	data = open_data(place, 0);
	assert_replays(data, "r PAUSED 500/2000 to 3000 at 1500, 20 matched");
	/* It never goes back. */
	now.state = SLUICE_REPLAY_RUNNING;
	now.position = 1400;
	assert_ok(sluice_replay_update(data, &now, &error), error);
	assert_replays(data, "r RUNNING 500/2000 to 3000 at 1500, 20 matched");
	now.state = SLUICE_REPLAY_DONE;
	now.ended_ms = 9;
	assert_ok(sluice_replay_update(data, &now, &error), error);
	now.state = SLUICE_REPLAY_RUNNING;
	assert_status(sluice_replay_update(data, &now, &error), SLUICE_ERR_NOT_FOUND);
	assert_replays(data, "r DONE 500/2000 to 3000 at 1500, 20 matched, ended");
	sluice_data_close(data);
	data = open_data(place, SLUICE_DATA_READ_ONLY);
	assert_status(start(data, "other", 0, &error), SLUICE_ERR_READ_ONLY);
	assert_tells("", sluice_replay_each, collect, data, SLUICE_STR("none"));
	sluice_data_close(data);
}

static void test_of_ended_replays_the_last_hundred_are_kept(void **state)
{
	struct sluice_data *data = open_data(*state, 0);
	struct sluice_error error;
	struct sluice_buffer names = { 0 };
	for (int i = 0; i < 120; i++) {
		char name[16];
		snprintf(name, sizeof(name), "r%03d", i);
		assert_ok(start(data, name, 0, &error), error);
		const struct sluice_replay end = { .name = sluice_str(name),
			                           .state = SLUICE_REPLAY_CANCELLED,
			                           .ended_ms = i + 1 };
		assert_ok(sluice_replay_update(data, &end, &error), error);
	}
	assert_ok(start(data, "last", 0, &error), error);
	assert_ok(sluice_replay_each(data, no_name, collect, &names, &error), error);
	sluice_buffer_append(&names, "", 1);
	assert_null(strstr(names.data, "r019 "));
	assert_non_null(strstr(names.data, "r020 "));
	assert_non_null(strstr(names.data, "last RUNNING"));
	sluice_buffer_finish(&names);
	sluice_data_close(data);
}

static void count_is(struct sluice_data *data, const char *bus, int64_t from_ms, int64_t to_ms,
                     uint64_t expected, uint64_t expected_last)
{
	uint64_t count, last_id;
	struct sluice_error error;
	assert_ok(sluice_archive_count(data, sluice_str(bus), from_ms, to_ms, &count, &last_id,
	                               &error),
	          error);
	assert_int_equal(count, expected);
	assert_int_equal(last_id, expected_last);
}

/* Event n was stamped at 10 n ms; a block has 1,024. */
static void test_events_of_a_time_are_counted_exactly(void **state)
{
	struct sluice_data *data = open_data(*state, 0);
	archive(data, "b", 1, 5000);
	archive(data, "c", 5001, 10);
	count_is(data, "b", 0, 0, 5000, 5000);
	count_is(data, "b", 10, 50001, 5000, 5000);
	count_is(data, "b", 11, 50000, 4998, 5000);
	count_is(data, "b", 30000, 30010, 1, 3072);
	count_is(data, "b", 50001, 0, 0, 0);
	count_is(data, "c", 0, 0, 10, 5010);
	count_is(data, "none", 0, 0, 0, 0);
	sluice_data_close(data);
}

static bool collect_retention(void *arg, const struct sluice_retention *retention)
{
	sluice_buffer_printf(arg, "%.*s %lld %llu;", (int)retention->bus.len, retention->bus.data,
	                     (long long)retention->retention_ms,
	                     (unsigned long long)retention->max_bytes);
	return true;
}

static void keep(struct sluice_data *data, const char *bus, int64_t retention_ms, uint64_t bytes)
{
	struct sluice_error error;
	const struct sluice_retention retention = { sluice_str(bus), retention_ms, bytes };
	assert_ok(sluice_retention_put(data, &retention, &error), error);
}

static void test_the_last_word_on_retention_holds(void **state)
{
	struct place *place = *state;
	struct sluice_data *data = open_data(place, 0);
	keep(data, "b", 1000, 0);
	keep(data, "a", 5000, 9);
	keep(data, "b", 2000, INT64_MAX);
	keep(data, "b", 2000, INT64_MAX);
	sluice_data_close(data);
	data = open_data(place, 0);
	assert_tells("a 5000 9;b 2000 9223372036854775807;", sluice_retention_each,
	             collect_retention, data);
	sluice_data_close(data);
}

/* Each step of the file that fails leaves what was there, or what was to be there. */
static void test_a_write_that_fails_changes_nothing(void **state)
{
	struct place *place = *state;
	struct sluice_data *data = open_data(place, 0);
	struct sluice_error error;
	archive(data, "b", 1, 3);
	assert_ok(start(data, "r", 0, &error), error);
	faults.in_files = true;
	bool failed = true;
	for (long n = 1; failed; n++) {
		const struct sluice_replay now = { .name = SLUICE_STR("r"),
			                           .state = SLUICE_REPLAY_RUNNING,
			                           .position = (uint64_t)n,
			                           .done = (uint64_t)n };
		const struct sluice_retention retention = { SLUICE_STR("b"), n, 0 };
		faults_set(n, false);
		enum sluice_status updated = sluice_replay_update(data, &now, &error);
		enum sluice_status put = sluice_retention_put(data, &retention, &error);
		failed = faults.failed;
		faults_set(0, false);
		struct sluice_buffer got = { 0 };
		assert_ok(sluice_replay_each(data, no_name, collect, &got, &error), error);
		sluice_buffer_append(&got, "", 1);
		char expected[80];
		snprintf(expected, sizeof(expected), "at %ld,", n);
		if (updated == SLUICE_OK)
			assert_non_null(strstr(got.data, expected));
		sluice_buffer_finish(&got);
		if (put == SLUICE_OK) {
			snprintf(expected, sizeof(expected), "b %ld 0;", n);
			assert_tells(expected, sluice_retention_each, collect_retention, data);
		}
		assert_true(failed || (updated == SLUICE_OK && put == SLUICE_OK));
	}
	faults.in_files = false;
	sluice_data_close(data);
}

int main(void)
{
	install_sqlite_faults();
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_a_replay_is_kept_with_how_far_it_is),
		STORE_TEST(test_of_ended_replays_the_last_hundred_are_kept),
		STORE_TEST(test_events_of_a_time_are_counted_exactly),
		STORE_TEST(test_the_last_word_on_retention_holds),
		STORE_TEST(test_a_write_that_fails_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
