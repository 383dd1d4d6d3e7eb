/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Messages of queues, from their coming to their going: each case in one batch, and a batch each. */
#include "data_helper.h"

/* Ends a batch and begins another, where a case is tried with each record by itself. */
static void step(struct sluice_data *data, bool apart)
{
	if (!apart)
		return;
	commit(data, sluice_data_position(data) + 1);
	begin(data);
}

static void lease(struct sluice_data *data, const char *queue, uint64_t id, uint32_t attempts,
                  int64_t deadline_ms)
{
	struct sluice_record record = about(SLUICE_RECORD_LEASE, queue, id);
	record.attempts = attempts;
	record.deadline_ms = deadline_ms;
	record.worker = SLUICE_STR("w1");
	memcpy(record.receipt, "0123456789ab", sizeof(record.receipt));
	apply(data, record);
}

static void release(struct sluice_data *data, const char *queue, uint64_t id, const char *reason,
                    int64_t due_ms, bool parked)
{
	struct sluice_record record = about(SLUICE_RECORD_RELEASE, queue, id);
	record.attempts = 1;
	record.reason = sluice_str(reason);
	record.due_ms = due_ms;
	record.parked = parked;
	apply(data, record);
}

static void move(struct sluice_data *data, const char *queue, uint64_t id, const char *to,
                 uint64_t new_id)
{
	struct sluice_record record = about(SLUICE_RECORD_MOVE, queue, id);
	record.to_queue = sluice_str(to);
	record.new_id = new_id;
	record.origin = sluice_str(queue);
	record.attempts = 3;
	record.enqueued_ms = 77;
	apply(data, record);
}

#define BOTH_WAYS(...)                                                                             \
	do {                                                                                       \
		for (int apart = 0; apart < 2; apart++) {                                          \
			struct place *place = *state;                                              \
			struct sluice_data *data = open_data(place, 0);                            \
			begin(data);                                                               \
			__VA_ARGS__ sluice_data_close(data);                                       \
			run(place, "rm -f $DB*");                                                  \
		}                                                                                  \
	} while (0)
#define STEP step(data, apart)

static void test_what_is_enqueued_is_ready_in_its_queue_in_the_order_of_ids(void **state)
{
	BOTH_WAYS({
		apply(data, message("a", 1, "one"));
		STEP;
		apply(data, message("b", 2, "two"));
		STEP;
		apply(data, message("a", 3, "three"));
		STEP;
		assert_ready(data, "a", "1:one 3:three");
		assert_ready(data, "b", "2:two");
		assert_ready(data, "c", "");
		counts_are(data, "a", 2, 0, 0, 8);
		commit(data, 100);
		assert_int_equal(sluice_data_last_id(data, NULL), 3);
	});
}

static void test_a_batch_that_is_given_up_leaves_nothing(void **state)
{
	struct sluice_data *data = open_data(*state, 0);
	begin(data);
	apply(data, message("a", 1, "one"));
	commit(data, 100);
	begin(data);
	apply(data, message("a", 2, "two"));
	apply(data, about(SLUICE_RECORD_ACK, "a", 1));
	sluice_data_cancel(data);
	sluice_data_cancel(data); /* there is none: nothing */
	assert_ready(data, "a", "1:one");
	assert_int_equal(sluice_data_position(data), 100);
	begin(data);
	apply(data, message("a", 2, "two"));
	commit(data, 200);
	assert_ready(data, "a", "1:one 2:two");
	sluice_data_close(data);
}

static void test_what_is_acknowledged_is_gone(void **state)
{
	BOTH_WAYS({
		apply(data, message("a", 1, "one"));
		STEP;
		lease(data, "a", 1, 1, 500);
		STEP;
		apply(data, about(SLUICE_RECORD_ACK, "a", 1));
		STEP;
		apply(data, about(SLUICE_RECORD_ACK, "a", 1)); /* once more: nothing */
		STEP;
		assert_peek(data, "a", "");
		counts_are(data, "a", 0, 0, 0, 0);
	});
}

static void test_what_was_delivered_is_held_until_it_is_acknowledged_or_parked(void **state)
{
	BOTH_WAYS({
		apply(data, message("a", 1, "one"));
		apply(data, message("a", 2, "two"));
		STEP;
		lease(data, "a", 1, 1, 500);
		STEP;
		assert_ready(data, "a", "2:two");
		assert_held(data, "a", "1:one x1 until 500 by w1");
		counts_are(data, "a", 1, 1, 0, 6);
		lease(data, "a", 1, 1, 900); /* more time */
		STEP;
		assert_held(data, "a", "1:one x1 until 900 by w1");
		release(data, "a", 1, "broken", 0, false);
		STEP;
		assert_held(data, "a", "1:one x1 (broken)");
		assert_ready(data, "a", "2:two");
		lease(data, "a", 1, 2, 950);
		STEP;
		assert_held(data, "a", "1:one x2 until 950 by w1 (broken)");
		counts_are(data, "a", 1, 1, 0, 6);
	});
}

static void test_what_is_not_there_is_left_so(void **state)
{
	BOTH_WAYS({
		apply(data, message("a", 1, "one"));
		STEP;
		lease(data, "a", 9, 1, 500);
		STEP;
		lease(data, "b", 1, 1, 500); /* in another queue */
		STEP;
		release(data, "a", 9, "x", 5, true);
		STEP;
		apply(data, about(SLUICE_RECORD_ACK, "b", 1));
		STEP;
		move(data, "b", 1, "c", 20);
		STEP;
		apply(data, about(SLUICE_RECORD_PURGE, "b", 100));
		STEP;
		assert_peek(data, "a", "1:one");
		assert_peek(data, "b", "");
		assert_peek(data, "c", "");
		counts_are(data, "a", 1, 0, 0, 3);
	});
}

static void test_a_move_keeps_the_payload_and_leaves_lease_and_delay(void **state)
{
	BOTH_WAYS({
		struct sluice_record late = message("a", 2, "two");
		late.due_ms = 5000;
		apply(data, message("a", 1, "one"));
		apply(data, late);
		STEP;
		lease(data, "a", 1, 3, 500);
		STEP;
		move(data, "a", 1, "dead", 10);
		STEP;
		move(data, "a", 2, "dead", 11);
		STEP;
		assert_peek(data, "a", "");
		assert_ready(data, "dead", "10:one x3 from a 11:two x3 from a");
		counts_are(data, "a", 0, 0, 0, 0);
		counts_are(data, "dead", 2, 0, 0, 6);
		struct sluice_record back = about(SLUICE_RECORD_MOVE, "dead", 10);
		back.to_queue = SLUICE_STR("a");
		back.new_id = 12;
		apply(data, back);
		STEP;
		assert_ready(data, "a", "12:one");
		commit(data, 1000);
		assert_int_equal(sluice_data_last_id(data, NULL), 12);
		assert_int_equal(sluice_data_next_due(data), INT64_MAX);
		begin(data);
	});
}

static void test_a_purge_takes_all_states_up_to_its_id(void **state)
{
	BOTH_WAYS({
		for (uint64_t id = 1; id <= 5; id++) {
			struct sluice_record record = message("a", id, "x");
			record.due_ms = id == 3 ? 70 : 0;
			apply(data, record);
		}
		apply(data, message("b", 6, "b"));
		STEP;
		lease(data, "a", 2, 1, 50);
		STEP;
		apply(data, about(SLUICE_RECORD_PURGE, "a", 4));
		STEP;
		assert_peek(data, "a", "5:x");
		assert_peek(data, "b", "6:b");
		counts_are(data, "a", 1, 0, 0, 1);
	});
}

static void purge_parts(struct sluice_data *data, int parts)
{
	struct sluice_error error;
	bool more = true;
	for (int i = 0; more && i < parts; i++)
		assert_ok(sluice_data_purge_part(data, 1000, &more, &error), error);
}

static void test_a_purge_of_a_long_queue_is_done_at_once_and_its_rows_go_in_parts(void **state)
{
	enum { LONG = 10000 };
	struct place *place = *state;
	struct sluice_data *data = open_data(place, 0);
	for (uint64_t parts = 0; parts < 4; parts++) {
		uint64_t first = parts * (LONG + 10) + 1, last = first + LONG - 1;
		begin(data);
		for (uint64_t id = first; id <= last; id++) {
			struct sluice_record record = message("a", id, "x");
			record.due_ms = id == first + 3 ? 70 : 0;
			record.parked = id == first + 3;
			record.group = record.origin = sluice_str("g");
			apply(data, record);
		}
		commit(data, first);
		counts_are(data, "a", LONG - 1, 0, 1, LONG);
		begin(data);
		lease(data, "a", first + 1, 1, 50);
		apply(data, message("b", last + 1, "b"));
		apply(data, about(SLUICE_RECORD_PURGE, "a", last + 1));
		/* What is said of one that is gone changes nothing. */
		apply(data, about(SLUICE_RECORD_ACK, "a", first + 5));
		apply(data, message("a", last + 2, "new"));
		commit(data, last + 2);
		for (int rest = 0; rest < 3; rest++) {
			char expected[32];
			snprintf(expected, sizeof expected, "%llu:new",
			         (unsigned long long)last + 2);
			counts_are(data, "a", 1, 0, 0, 3);
			assert_ready(data, "a", expected);
			assert_peek(data, "a", expected);
			struct sluice_data_counts counts;
			struct sluice_error error;
			assert_ok(sluice_data_count(data, sluice_str("a"), &counts, &error), error);
			assert_int_equal(counts.oldest_ms, (last + 2) * 10);
			struct sluice_buffer groups = { 0 };
			assert_ok(sluice_data_dead_groups(data, sluice_str("a"), sluice_str("g"),
			                                  collect_message, &groups, &error),
			          error);
			assert_int_equal(groups.len, 0);
			sluice_buffer_finish(&groups);
			/* Over a start, in the midst of it, and at its end. */
			sluice_data_close(data);
			data = open_data(place, 0);
			purge_parts(data, rest == 0 ? (int)parts : rest == 1 ? 100 : 0);
		}
		begin(data);
		apply(data, about(SLUICE_RECORD_ACK, "a", last + 2));
		commit(data, last + 3);
		counts_are(data, "a", 0, 0, 0, 0);
	}
	/* Two purges, of which the first is not over when the second comes. */
	for (uint64_t id = 100000; id < 140000; id += 20000) {
		begin(data);
		for (uint64_t next = 0; next < LONG; next++)
			apply(data, message("a", id + next, "x"));
		apply(data, about(SLUICE_RECORD_PURGE, "a", id + LONG));
		commit(data, id);
	}
	counts_are(data, "a", 0, 0, 0, 0);
	purge_parts(data, 100);
	sluice_data_close(data);
	sql_gives(place,
	          "SELECT count(*) FROM entries; SELECT count(*) FROM messages; SELECT count(*) "
	          "FROM purges;",
	          "4\n4\n0\n");
}

static bool check_row(void *arg, const struct sluice_record *row)
{
	const struct sluice_record *expected = arg;
	size_t size = sluice_record_size(expected);
	unsigned char *left = malloc(size), *right = malloc(sluice_record_size(row));
	assert_int_equal(sluice_record_size(row), size);
	sluice_record_write(expected, left);
	sluice_record_write(row, right);
	assert_memory_equal(left, right, size);
	free(left);
	free(right);
	return true;
}

static void test_all_members_of_a_message_come_back(void **state)
{
	BOTH_WAYS({
		struct sluice_record record = message("a", 7, "");
		record.payload = (struct sluice_str){ "\0\xff", 2 };
		record.event_id = SLUICE_STR("e-7");
		record.bus = SLUICE_STR("default");
		record.rule = SLUICE_STR("hot");
		record.target = SLUICE_STR("pager");
		record.client_id = SLUICE_STR("boiler-7");
		record.username = SLUICE_STR("");
		record.qos = 2;
		record.retain = true;
		record.properties = SLUICE_STR("\1\0\2");
		record.group = SLUICE_STR("g");
		record.attempts = 4;
		record.reason = SLUICE_STR("r");
		record.origin = SLUICE_STR("o");
		record.error = SLUICE_STR("{}");
		apply(data, record);
		STEP;
		struct sluice_error error;
		assert_ok(sluice_data_ready(data, SLUICE_STR("a"), 0, 1, 1, check_row, &record,
		                            &error),
		          error);
	});
}

static void test_reading_ends_at_a_limit_of_rows_or_bytes_and_goes_on_behind_it(void **state)
{
	struct place *place = *state;
	struct sluice_data *data = open_data(place, 0);
	begin(data);
	for (uint64_t id = 1; id <= 9; id++)
		apply(data, message("a", id, "0123456789"));
	commit(data, 1);
	struct sluice_str a = SLUICE_STR("a");
	assert_tells("1:0123456789 2:0123456789", sluice_data_ready, collect_message, data, a, 0, 2,
	             0);
	assert_tells("3:0123456789", sluice_data_ready, collect_message, data, a, 2, 5, 1);
	assert_tells("8:0123456789 9:0123456789", sluice_data_ready, collect_message, data, a, 7, 0,
	             15);
	assert_tells("", sluice_data_ready, collect_message, data, a, UINT64_MAX, 0, 0);
	sluice_data_close(data);
}

static void test_what_is_parked_comes_when_it_is_due_and_is_ready_then(void **state)
{
	struct place *place = *state;
	struct sluice_data *data = open_data(place, 0);
	const int64_t year = INT64_C(365) * 86400 * 1000;
	struct sluice_record record = message("a", 1, "year");
	begin(data);
	record.due_ms = year;
	apply(data, record);
	record = message("b", 2, "soon");
	record.due_ms = 500;
	apply(data, record);
	apply(data, message("a", 3, "now"));
	record = message("a", 4, "sooner");
	apply(data, record);
	lease(data, "a", 4, 1, 100);
	release(data, "a", 4, "later", 400, true);
	commit(data, 1);
	assert_ready(data, "a", "3:now");
	assert_peek(data, "a",
	            "1:year parked due 31536000000 3:now 4:sooner x1 parked due 400 (later)");
	counts_are(data, "a", 1, 0, 2, 13);
	assert_int_equal(sluice_data_next_due(data), 400);
	assert_tells("", sluice_data_due, collect_message, data, 399, 0);
	assert_tells("4:sooner x1 (later)", sluice_data_due, collect_message, data, 600, 1);
	assert_int_equal(sluice_data_next_due(data), 500);
	sluice_data_close(data);
	data = open_data(place, 0);
	assert_tells("2:soon", sluice_data_due, collect_message, data, 600, 5);
	assert_ready(data, "a", "3:now 4:sooner x1 (later)");
	counts_are(data, "a", 2, 0, 1, 13);
	assert_int_equal(sluice_data_next_due(data), year);
	sluice_data_close(data);
}

static void test_a_batch_that_is_not_committed_is_not_there(void **state)
{
	struct place *place = *state;
	struct sluice_data *data = open_data(place, 0);
	begin(data);
	apply(data, message("a", 1, "one"));
	commit(data, 10);
	begin(data);
	apply(data, message("new", 2, "two"));
	apply(data, about(SLUICE_RECORD_ACK, "a", 1));
	assert_peek(data, "new", "2:two");
	sluice_data_close(data);
	data = open_data(place, 0);
	assert_int_equal(sluice_data_position(data), 10);
	assert_int_equal(sluice_data_last_id(data, NULL), 1);
	assert_ready(data, "a", "1:one");
	assert_peek(data, "new", "");
	sluice_data_close(data);
}

static void test_a_batch_applied_again_changes_nothing(void **state)
{
	struct place *place = *state;
	struct sluice_data *data = open_data(place, 0);
	for (int round = 0; round < 3; round++) {
		begin(data);
		apply(data, message("a", 1, "one"));
		apply(data, message("a", 2, "two"));
		apply(data, message("a", 3, "three"));
		lease(data, "a", 1, 1, 500);
		apply(data, about(SLUICE_RECORD_ACK, "a", 2));
		move(data, "a", 3, "dead", 4);
		lease(data, "dead", 4, 5, 900);
		commit(data, 10);
		assert_peek(data, "a", "1:one x1 until 500 by w1");
		assert_peek(data, "dead", "4:three x5 until 900 by w1 from a");
		counts_are(data, "a", 0, 1, 0, 3);
		counts_are(data, "dead", 0, 1, 0, 5);
		assert_int_equal(sluice_data_last_id(data, NULL), 4);
	}
	sluice_data_close(data);
}

static void test_what_comes_and_goes_within_a_batch_never_touches_the_file(void **state)
{
	struct place *place = *state;
	struct sluice_data *data = open_data(place, 0);
	begin(data);
	apply(data, message("a", 1, "")); /* the queue's name is known from now on */
	commit(data, 1);
	uint64_t before = sluice_data_bytes(data);
	begin(data);
	for (uint64_t id = 2; id < 20000; id++) {
		apply(data, message("a", id, "a payload of some bytes"));
		lease(data, "a", id, 1, 100);
		if (id > 1000)
			apply(data, about(SLUICE_RECORD_ACK, "a", id - 999));
	}
	for (uint64_t id = 19001; id < 20000; id++)
		apply(data, about(SLUICE_RECORD_ACK, "a", id));
	commit(data, 2);
	assert_ready(data, "a", "1:");
	/* The position, in a page of the WAL. */
	assert_in_range(sluice_data_bytes(data) - before, 0, 2 * 8300);
	sluice_data_close(data);
}

static void test_more_than_memory_holds_goes_to_the_file(void **state)
{
	struct place *place = *state;
	struct sluice_data *data = open_data(place, 0);
	size_t size = 3 << 20;
	char *large = malloc(size + 1);
	memset(large, 'x', size);
	large[size] = 0;
	begin(data);
	apply(data, message("a", 1, large));
	lease(data, "a", 1, 1, 9);
	large[2000] = 0;
	for (uint64_t id = 2; id <= 10000; id++)
		apply(data, message("a", id, large));
	for (uint64_t id = 3; id <= 10000; id++)
		apply(data, about(SLUICE_RECORD_ACK, "a", id));
	commit(data, 1);
	counts_are(data, "a", 1, 1, 0, size + 2000);
	sluice_data_close(data);
	free(large);
}

static void test_ready_is_one_range_of_an_index(void **state)
{
	struct place *place = *state;
	sluice_data_close(open_data(place, 0));
	sql(place,
	    "EXPLAIN QUERY PLAN SELECT m.payload FROM entries e LEFT JOIN messages m"
	    " ON m.id = e.id WHERE e.queue = 1 AND e.state = 0 AND e.id > 5 ORDER BY e.id;"
	    "EXPLAIN QUERY PLAN SELECT due_ms FROM entries WHERE state = 2 ORDER BY due_ms;");
	assert_non_null(strstr(place->shell_output,
	                       "SEARCH e USING PRIMARY KEY (queue=? AND state=? AND id>?)"));
	assert_non_null(strstr(place->shell_output, "USING COVERING INDEX entries_due"));
	assert_null(strstr(place->shell_output, "TEMP B-TREE"));
}

static void test_a_reader_sees_what_was_committed_and_changes_nothing(void **state)
{
	struct place *place = *state;
	struct sluice_data *data = open_data(place, 0);
	struct sluice_data *reader = open_data(place, SLUICE_DATA_READ_ONLY);
	struct sluice_error error;
	begin(data);
	apply(data, message("a", 1, "one"));
	assert_peek(reader, "a", "");
	commit(data, 1);
	assert_peek(reader, "a", "1:one");
	assert_int_equal(sluice_data_last_id(reader, &error), 1);
	assert_status(sluice_data_begin(reader, &error), SLUICE_ERR_READ_ONLY);
	assert_status(sluice_data_due(reader, 1, 1, collect_message, NULL, &error),
	              SLUICE_ERR_READ_ONLY);
	sluice_data_close(reader);
	sluice_data_close(data);
}

static void test_calls_out_of_turn_are_refused(void **state)
{
	struct place *place = *state;
	struct sluice_data *data = open_data(place, 0);
	struct sluice_record record = message("a", 1, "one");
	struct sluice_error error;
	bool more;
	assert_status(sluice_data_apply(data, &record, &error), SLUICE_ERR_CONFLICT);
	assert_status(sluice_data_commit(data, 1, &error), SLUICE_ERR_CONFLICT);
	begin(data);
	assert_status(sluice_data_begin(data, &error), SLUICE_ERR_CONFLICT);
	assert_status(sluice_data_due(data, 1, 1, collect_message, NULL, &error),
	              SLUICE_ERR_CONFLICT);
	assert_status(sluice_data_forget_seen(data, 1, 1, &more, &error), SLUICE_ERR_CONFLICT);
	apply(data, record);
	commit(data, 1);
	begin(data);
	record.id = UINT64_MAX;
	assert_status(sluice_data_apply(data, &record, &error), SLUICE_ERR_LIMIT);
	assert_status(sluice_data_commit(data, 1, &error), SLUICE_ERR_CONFLICT);
	assert_ready(data, "a", "1:one");
	sluice_data_close(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_what_is_enqueued_is_ready_in_its_queue_in_the_order_of_ids),
		STORE_TEST(test_a_batch_that_is_given_up_leaves_nothing),
		STORE_TEST(test_what_is_acknowledged_is_gone),
		STORE_TEST(test_what_was_delivered_is_held_until_it_is_acknowledged_or_parked),
		STORE_TEST(test_what_is_not_there_is_left_so),
		STORE_TEST(test_a_move_keeps_the_payload_and_leaves_lease_and_delay),
		STORE_TEST(test_a_purge_takes_all_states_up_to_its_id),
		STORE_TEST(test_a_purge_of_a_long_queue_is_done_at_once_and_its_rows_go_in_parts),
		STORE_TEST(test_all_members_of_a_message_come_back),
		STORE_TEST(test_reading_ends_at_a_limit_of_rows_or_bytes_and_goes_on_behind_it),
		STORE_TEST(test_what_is_parked_comes_when_it_is_due_and_is_ready_then),
		STORE_TEST(test_a_batch_that_is_not_committed_is_not_there),
		STORE_TEST(test_a_batch_applied_again_changes_nothing),
		STORE_TEST(test_what_comes_and_goes_within_a_batch_never_touches_the_file),
		STORE_TEST(test_more_than_memory_holds_goes_to_the_file),
		STORE_TEST(test_ready_is_one_range_of_an_index),
		STORE_TEST(test_a_reader_sees_what_was_committed_and_changes_nothing),
		STORE_TEST(test_calls_out_of_turn_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
