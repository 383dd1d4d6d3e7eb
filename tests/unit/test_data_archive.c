/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The archive; what deduplication has seen; when schedules ran. */
#include "data_helper.h"

enum { OVERHEAD = 32 };

/* An event of 68 bytes of texts, so 100 in the archive. */
static void archive(struct sluice_data *data, const char *bus, uint64_t id, int64_t time_ms)
{
	static const char payload[] = "123456789 123456789 123456789 123456789 123456789 12345";
	struct sluice_record record = message(bus, id, payload);
	record.kind = SLUICE_RECORD_ARCHIVE;
	record.time_ms = time_ms;
	assert_int_equal(OVERHEAD + record.payload.len + record.topic.len, 100);
	apply(data, record);
}

struct found {
	uint64_t ids, first, last, wrong;
	int64_t from_ms, to_ms;
};

static bool find(void *arg, const struct sluice_record *row)
{
	struct found *found = arg;
	assert_int_equal(row->kind, SLUICE_RECORD_ARCHIVE);
	found->ids++;
	found->first = found->first ? found->first : row->id;
	found->wrong += row->id <= found->last || row->time_ms < found->from_ms ||
	                (found->to_ms && row->time_ms >= found->to_ms);
	found->last = row->id;
	return true;
}

static struct found query(struct sluice_data *data, const char *bus, int64_t from_ms, int64_t to_ms,
                          uint64_t after, size_t limit)
{
	struct sluice_archive_query query = { .bus = sluice_str(bus),
		                              .from_ms = from_ms,
		                              .to_ms = to_ms,
		                              .after = after,
		                              .limit = limit };
	struct found found = { .from_ms = from_ms, .to_ms = to_ms };
	struct sluice_error error;
	assert_ok(sluice_archive_read(data, &query, find, &found, &error), error);
	assert_int_equal(found.wrong, 0);
	return found;
}

static void found_are(struct found found, uint64_t ids, uint64_t first, uint64_t last)
{
	assert_int_equal(found.ids, ids);
	assert_int_equal(found.first, first);
	assert_int_equal(found.last, last);
}

static struct sluice_archive_stats stats_of(struct sluice_data *data, const char *bus)
{
	struct sluice_archive_stats stats;
	struct sluice_error error;
	assert_ok(sluice_archive_stats(data, sluice_str(bus), &stats, &error), error);
	return stats;
}

/* 10,000 events, odd ids on one bus and even ones on another, a second each. */
static struct sluice_data *two_buses(struct place *place)
{
	struct sluice_data *data = open_data(place, 0);
	for (uint64_t id = 1; id <= 10000; id++) {
		if (id % 1000 == 1)
			begin(data);
		archive(data, id % 2 ? "odd" : "even", id, (int64_t)id * 1000);
		if (id % 1000 == 0)
			commit(data, id);
	}
	return data;
}

static void test_events_are_found_by_bus_id_and_time(void **state)
{
	struct sluice_data *data = two_buses(*state);
	found_are(query(data, "odd", 0, 0, 0, 0), 5000, 1, 9999);
	found_are(query(data, "even", 0, 0, 0, 0), 5000, 2, 10000);
	found_are(query(data, "none", 0, 0, 0, 0), 0, 0, 0);
	found_are(query(data, "odd", 3000000, 4000000, 0, 0), 500, 3001, 3999);
	found_are(query(data, "odd", 3000000, 4000000, 3500, 100), 100, 3501, 3699);
	found_are(query(data, "even", 0, 0, 4999, 3), 3, 5000, 5004);
	found_are(query(data, "even", 10000000, 0, 0, 0), 1, 10000, 10000);
	found_are(query(data, "even", 0, 0, UINT64_MAX, 0), 0, 0, 0);
	assert_tells("even odd", sluice_archive_buses, collect_name, data);
	struct sluice_archive_stats stats = stats_of(data, "odd");
	assert_int_equal(stats.events, 5000);
	assert_int_equal(stats.bytes, 500000);
	assert_int_equal(stats.first_id, 1);
	assert_int_equal(stats.last_id, 9999);
	assert_int_equal(stats.first_ms, 1000);
	assert_int_equal(stats.last_ms, 9999000);
	sluice_data_close(data);
}

static void test_a_page_ends_at_bytes_and_the_next_begins_behind_it(void **state)
{
	struct sluice_data *data = two_buses(*state);
	struct sluice_archive_query query = { .bus = SLUICE_STR("odd"), .bytes = 60 };
	struct found found = { 0 };
	struct sluice_error error;
	for (int page = 0; page < 3; page++) {
		query.after = found.last;
		assert_ok(sluice_archive_read(data, &query, find, &found, &error), error);
	}
	found_are(found, 6, 1, 11);
	sluice_data_close(data);
}

static void test_events_of_a_clock_that_was_set_back_are_found_by_their_times(void **state)
{
	struct place *place = *state;
	struct sluice_data *data = open_data(place, 0);
	struct sluice_error error;
	bool more;
	begin(data);
	/* An hour ahead for the second thousand, then set right. */
	for (uint64_t id = 1; id <= 6000; id++)
		archive(data, "b", id, (int64_t)id * 1000 + (id / 1000 == 1 ? 3600000 : 0));
	commit(data, 1);
	found_are(query(data, "b", 4600000, 4700000, 0, 0), 200, 1000, 4699);
	found_are(query(data, "b", 0, 3000000, 0, 0), 1999, 1, 2999);
	assert_int_equal(stats_of(data, "b").first_ms, 1000);
	assert_int_equal(stats_of(data, "b").last_ms, 6000000);
	/* Those that were ahead do not keep what came after them. */
	assert_ok(sluice_archive_trim(data, SLUICE_STR("b"), 4000000, 0, 0, &more, &error), error);
	found_are(query(data, "b", 0, 0, 0, 0), 3001, 1000, 6000);
	sluice_data_close(data);
}

static void test_trimming_by_age_goes_in_steps(void **state)
{
	struct place *place = *state;
	struct sluice_data *data = two_buses(place);
	struct sluice_error error;
	bool more = true;
	int steps = 0;
	while (more) {
		assert_ok(sluice_archive_trim(data, SLUICE_STR("odd"), 7001000, 0, 700, &more,
		                              &error),
		          error);
		assert_true(stats_of(data, "odd").events >= 5000 - 700 * (uint64_t)++steps);
	}
	assert_int_equal(steps, 5);
	found_are(query(data, "odd", 0, 0, 0, 0), 1500, 7001, 9999);
	assert_int_equal(stats_of(data, "odd").first_id, 7001);
	assert_int_equal(stats_of(data, "odd").bytes, 150000);
	assert_int_equal(stats_of(data, "even").events, 5000);
	sluice_data_close(data);
	sql_gives(place,
	          "SELECT count(*), sum(bytes) FROM archive WHERE id % 2;"
	          "SELECT sum(events), sum(bytes) FROM archive_blocks"
	          " WHERE bus = (SELECT number FROM names WHERE name = 'odd');",
	          "1500|150000\n1500|150000\n");
}

static void test_trimming_by_bytes_leaves_the_newest(void **state)
{
	struct place *place = *state;
	struct sluice_data *data = two_buses(place);
	struct sluice_error error;
	bool more;
	struct sluice_str odd = SLUICE_STR("odd");
	assert_ok(sluice_archive_trim(data, odd, 0, 500000, 0, &more, &error), error);
	assert_int_equal(stats_of(data, "odd").events, 5000);
	assert_ok(sluice_archive_trim(data, odd, 0, 123456, 100, &more, &error), error);
	assert_true(more);
	assert_int_equal(stats_of(data, "odd").events, 4900);
	assert_ok(sluice_archive_trim(data, odd, 0, 123456, 0, &more, &error), error);
	assert_false(more);
	assert_int_equal(stats_of(data, "odd").bytes, 123400);
	found_are(query(data, "odd", 0, 0, 0, 0), 1234, 7533, 9999);
	sluice_data_close(data);
}

static void test_a_bus_that_was_trimmed_to_nothing_goes_on(void **state)
{
	struct place *place = *state;
	struct sluice_data *data = two_buses(place);
	struct sluice_error error;
	bool more;
	assert_ok(sluice_archive_trim(data, SLUICE_STR("odd"), INT64_MAX, 0, 0, &more, &error),
	          error);
	assert_ok(sluice_archive_trim(data, SLUICE_STR("none"), INT64_MAX, 0, 0, &more, &error),
	          error);
	assert_tells("even", sluice_archive_buses, collect_name, data);
	assert_int_equal(stats_of(data, "odd").last_id, 0);
	begin(data);
	archive(data, "odd", 9999, 1); /* applied again: it was there, and is gone */
	archive(data, "odd", 10001, 2000);
	archive(data, "even", 10002, 3000);
	commit(data, 2);
	found_are(query(data, "odd", 0, 0, 0, 0), 1, 10001, 10001);
	found_are(query(data, "even", 0, 0, 0, 0), 5001, 2, 10002);
	sluice_data_close(data);
}

static void test_events_applied_again_are_there_once(void **state)
{
	struct place *place = *state;
	struct sluice_data *data = open_data(place, 0);
	for (int round = 0; round < 3; round++) {
		begin(data);
		for (uint64_t id = 1; id <= 3000; id++)
			archive(data, "b", id, 5);
		commit(data, 1);
		if (round == 1) {
			sluice_data_close(data);
			data = open_data(place, 0);
		}
	}
	found_are(query(data, "b", 0, 0, 0, 0), 3000, 1, 3000);
	begin(data);
	archive(data, "b", 3001, 5);
	found_are(query(data, "b", 0, 0, 2999, 0), 2, 3000, 3001);
	sluice_data_close(data); /* without a commit */
	data = open_data(place, 0);
	found_are(query(data, "b", 0, 0, 2999, 0), 1, 3000, 3000);
	sluice_data_close(data);
}

static void test_the_file_does_not_grow_when_as_much_goes_as_comes(void **state)
{
	struct place *place = *state;
	struct sluice_data *data = open_data(place, 0);
	struct sluice_error error;
	uint64_t early = 0;
	bool more;
	for (uint64_t id = 1; id <= 60000; id += 2) {
		if (id % 1000 == 1)
			begin(data);
		archive(data, "b", id, (int64_t)id);
		apply(data, message("q", id + 1, "0123456789"));
		if (id > 4000)
			apply(data, about(SLUICE_RECORD_ACK, "q", id + 1 - 4000));
		if (id % 1000 != 999)
			continue;
		commit(data, id);
		assert_ok(sluice_archive_trim(data, SLUICE_STR("b"), (int64_t)id - 4000, 0, 0,
		                              &more, &error),
		          error);
		early = id == 19999 ? sluice_data_bytes(data) : early;
	}
	assert_true(early > 0);
	assert_in_range(sluice_data_bytes(data), early / 2, early + early / 10);
	sluice_data_close(data);
}

/* --- deduplication, schedules --- */

static void see(struct sluice_data *data, const char *scope, const char *key, int64_t until_ms)
{
	struct sluice_record record = { .kind = SLUICE_RECORD_SEEN,
		                        .queue = sluice_str(scope),
		                        .dedup_until_ms = until_ms };
	memcpy(record.dedup, key, strlen(key));
	apply(data, record);
}

static bool collect_seen(void *arg, const struct sluice_record *row)
{
	struct sluice_buffer *lines = arg;
	sluice_buffer_printf(lines, "%s%.*s:%s:%lld", lines->len ? " " : "", (int)row->queue.len,
	                     row->queue.data, (const char *)row->dedup,
	                     (long long)row->dedup_until_ms);
	return true;
}

static void test_what_was_seen_counts_until_its_time_and_is_forgotten(void **state)
{
	struct place *place = *state;
	struct sluice_data *data = open_data(place, 0);
	struct sluice_error error;
	bool more;
	begin(data);
	see(data, "s", "k1", 100);
	see(data, "s", "k1", 100);
	see(data, "t", "k1", 300);
	see(data, "s", "k2", 200);
	see(data, "s", "k1", 350);
	commit(data, 1);
	sluice_data_close(data);
	data = open_data(place, 0);
	assert_tells("s:k1:100 s:k2:200 s:k1:350 t:k1:300", sluice_data_seen, collect_seen, data,
	             99);
	assert_tells("s:k2:200 s:k1:350 t:k1:300", sluice_data_seen, collect_seen, data, 100);
	assert_ok(sluice_data_forget_seen(data, 300, 2, &more, &error), error);
	assert_true(more);
	assert_ok(sluice_data_forget_seen(data, 300, 2, &more, &error), error);
	assert_false(more);
	assert_tells("s:k1:350", sluice_data_seen, collect_seen, data, 0);
	sluice_data_close(data);
}

static void test_the_last_run_of_a_schedule_is_kept(void **state)
{
	struct place *place = *state;
	struct sluice_data *data = open_data(place, 0);
	struct sluice_record record = { .kind = SLUICE_RECORD_FIRED,
		                        .rule = SLUICE_STR("nightly") };
	begin(data);
	for (record.time_ms = 1000; record.time_ms <= 3000; record.time_ms += 1000)
		apply(data, record);
	commit(data, 1);
	sluice_data_close(data);
	data = open_data(place, SLUICE_DATA_READ_ONLY);
	assert_int_equal(sluice_data_fired(data, SLUICE_STR("nightly")), 3000);
	assert_int_equal(sluice_data_fired(data, SLUICE_STR("hourly")), 0);
	sluice_data_close(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_events_are_found_by_bus_id_and_time),
		STORE_TEST(test_a_page_ends_at_bytes_and_the_next_begins_behind_it),
		STORE_TEST(test_events_of_a_clock_that_was_set_back_are_found_by_their_times),
		STORE_TEST(test_trimming_by_age_goes_in_steps),
		STORE_TEST(test_trimming_by_bytes_leaves_the_newest),
		STORE_TEST(test_a_bus_that_was_trimmed_to_nothing_goes_on),
		STORE_TEST(test_events_applied_again_are_there_once),
		STORE_TEST(test_the_file_does_not_grow_when_as_much_goes_as_comes),
		STORE_TEST(test_what_was_seen_counts_until_its_time_and_is_forgotten),
		STORE_TEST(test_the_last_run_of_a_schedule_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
