/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The data thread: it opens, carries over, tries again, and stops whatever it is doing. The test is the broker's thread. */
#include "data_helper.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <time.h>

#include "data_thread.h"

enum { WAIT_MS = 20000, PAYLOAD = 2000 };

struct broker {
	char folder[64], data_file[96], journal_dir[96];
	struct options options;
	struct data_numbers numbers;
	struct data_thread *thread;
	struct sluice_journal *journal;
	uint64_t last_id;
	char said[1024]; /* the last line */
};

static void take(void *arg, struct data_message *message)
{
	struct broker *broker = arg;
	if (message->kind == DATA_OPENED) {
		broker->journal = ((struct data_opened *)message)->journal;
		broker->last_id = ((struct data_opened *)message)->last_id;
	} else if (message->kind == DATA_SAID) {
		snprintf(broker->said, sizeof broker->said, "%s",
		         ((struct data_said *)message)->text);
	}
	free(message);
}

static int make_broker(void **state)
{
	struct broker *broker = calloc(1, sizeof *broker);
	strcpy(broker->folder, "/tmp/sluice-data-XXXXXX");
	if (!mkdtemp(broker->folder))
		return -1;
	snprintf(broker->data_file, sizeof broker->data_file, "%s/data.db", broker->folder);
	snprintf(broker->journal_dir, sizeof broker->journal_dir, "%s/journal", broker->folder);
	broker->options = (struct options){ .data_file = broker->data_file,
		                            .journal_dir = broker->journal_dir,
		                            .journal_max = 4 << 20,
		                            .continue_on_bad_store = true };
	*state = broker;
	return 0;
}

static int remove_broker(void **state)
{
	struct broker *broker = *state;
	char command[96];
	data_thread_destroy(broker->thread);
	snprintf(command, sizeof command, "rm -rf %s", broker->folder);
	int result = system(command);
	free(broker);
	return result;
}

/* A thread whose files are open; started where it is to be. */
static void open_broker(struct broker *broker, bool start)
{
	struct sluice_error error;
	broker->journal = NULL;
	broker->thread = data_thread_create(&broker->options, &broker->numbers, take, broker);
	assert_non_null(broker->thread);
	assert_ok(data_thread_open(broker->thread, &error), error);
	assert_non_null(broker->journal);
	if (start)
		assert_true(data_thread_start(broker->thread));
}

static void close_broker(struct broker *broker)
{
	data_thread_destroy(broker->thread);
	broker->thread = NULL;
}

/* False when there is no room. */
static bool journal_message(struct broker *broker, const char *queue, uint64_t id, size_t len)
{
	static const char bytes[PAYLOAD];
	struct sluice_record record = message(queue, id, "");
	record.payload = (struct sluice_str){ bytes, len };
	size_t size = sluice_record_size(&record);
	if (!sluice_journal_begin(broker->journal, size, true))
		return false;
	unsigned char *frame = malloc(size);
	sluice_record_write(&record, frame);
	sluice_journal_put(broker->journal, frame, size);
	free(frame);
	bool done = sluice_journal_commit(broker->journal);
	data_thread_written(broker->thread);
	return done;
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* Waits for a line of the log with that text. */
static void wait_said(struct broker *broker, const char *text)
{
	for (int ms = 0; ms < WAIT_MS; ms++) {
		struct data_message *said = data_thread_receive(broker->thread);
		if (said)
			take(broker, said);
		if (strstr(broker->said, text))
			return;
		if (!said)
			nap();
	}
	fail_msg("it never said \"%s\", but \"%s\"", text, broker->said);
}

/* Asks, and waits for the answer; to be freed. */
static struct data_rows *ask(struct broker *broker, enum data_message_kind kind, const char *queue,
                             uint64_t after)
{
	struct data_request request = { .message = { kind }, .after = after };
	snprintf(request.queue, sizeof request.queue, "%s", queue);
	assert_true(data_thread_ask(broker->thread, &request));
	for (int ms = 0; ms < WAIT_MS;) {
		struct data_message *answer = data_thread_receive(broker->thread);
		if (answer && answer->kind == DATA_ROWS)
			return (struct data_rows *)answer;
		if (answer) {
			take(broker, answer);
		} else {
			nap();
			ms++;
		}
	}
	fail_msg("no answer");
	return NULL;
}

/* How many messages the queue has, as one of the broker's start would be told. */
static uint64_t ready(struct broker *broker, const char *queue)
{
	struct data_rows *rows = ask(broker, DATA_ATTACH, queue, 0);
	assert_true(rows->done);
	uint64_t count = rows->ready;
	free(rows);
	return count;
}

static void test_what_was_journaled_is_there_when_it_is_asked_for(void **state)
{
	struct broker *broker = *state;
	open_broker(broker, true);
	assert_int_equal(broker->last_id, 0);
	for (uint64_t id = 1; id <= 10; id++)
		assert_true(journal_message(broker, id % 2 ? "odd" : "even", id, id));
	/* The answer comes after all that was written before the question. */
	assert_int_equal(ready(broker, "odd"), 5);
	struct data_rows *rows = ask(broker, DATA_LOAD, "even", 4);
	assert_true(rows->done && rows->complete);
	assert_int_equal(rows->carried_to, 10);
	size_t offset = 0;
	for (uint64_t id = 6; id <= 10; id += 2) {
		struct sluice_record record;
		struct sluice_error error;
		assert_ok(sluice_record_read(rows->records, rows->len, &offset, &record, &error),
		          error);
		assert_int_equal(record.id, id);
		assert_int_equal(record.payload.len, id);
	}
	assert_int_equal(offset, rows->len);
	free(rows);
	assert_int_equal(counter_get(&broker->numbers.state), SLUICE_OK);
	assert_true(counter_get(&broker->numbers.batches) > 0);
}

static void test_it_carries_over_without_being_asked_and_makes_segments_ready(void **state)
{
	struct broker *broker = *state;
	open_broker(broker, true);
	/* Four times what the journal has room for. */
	for (uint64_t id = 1, waited = 0; id <= 8000;) {
		if (journal_message(broker, "jobs", id, PAYLOAD)) {
			id++;
			continue;
		}
		assert_true(waited++ < WAIT_MS);
		nap();
	}
	for (int ms = 0; sluice_journal_lag_bytes(broker->journal) > 0; ms++) {
		assert_true(ms < WAIT_MS);
		nap();
	}
	assert_int_equal(ready(broker, "jobs"), 8000);
}

static void test_what_is_left_when_it_stops_is_carried_over_and_known_to_the_next(void **state)
{
	struct broker *broker = *state;
	open_broker(broker, true);
	for (uint64_t id = 1; id <= 100; id++)
		assert_true(journal_message(broker, "jobs", id, 100));
	close_broker(broker);
	open_broker(broker, false);
	assert_int_equal(broker->last_id, 100);
	assert_int_equal(sluice_journal_lag_bytes(broker->journal), 0);
	assert_true(journal_message(broker, "jobs", 101, 100));
	close_broker(broker); /* without its thread it leaves it to the next start */
	open_broker(broker, true);
	assert_int_equal(broker->last_id, 101);
	assert_int_equal(ready(broker, "jobs"), 101);
}

static void test_files_that_another_has_open_are_an_error_that_names_them(void **state)
{
	struct broker *broker = *state;
	struct sluice_error error;
	open_broker(broker, true);
	struct data_numbers numbers = { 0 };
	struct data_thread *other =
	        data_thread_create(&broker->options, &numbers, take, &(struct broker){ 0 });
	assert_non_null(other);
	assert_status(data_thread_open(other, &error), SLUICE_ERR_BUSY);
	assert_non_null(strstr(error.message, broker->journal_dir));
	data_thread_destroy(other);
	assert_true(journal_message(broker, "jobs", 1, 10));
	assert_int_equal(ready(broker, "jobs"), 1);
}

static void test_files_that_cannot_be_opened_are_tried_again(void **state)
{
	struct broker *broker = *state;
	struct sluice_error error;
	char moved[96], data_file[128];
	snprintf(moved, sizeof moved, "%s/later", broker->folder);
	snprintf(data_file, sizeof data_file, "%s/data.db", moved);
	broker->options.data_file = data_file;
	broker->thread = data_thread_create(&broker->options, &broker->numbers, take, broker);
	assert_non_null(broker->thread);
	assert_true(data_thread_open(broker->thread, &error) != SLUICE_OK);
	assert_non_null(strstr(broker->said, "can't be opened"));
	assert_true(data_thread_start(broker->thread));
	assert_true(counter_get(&broker->numbers.state) != SLUICE_OK);
	assert_int_equal(mkdir(moved, 0700), 0);
	wait_said(broker, "can be written again");
	for (int ms = 0; !broker->journal && ms < WAIT_MS; ms++)
		wait_said(broker, "");
	assert_non_null(broker->journal);
	assert_true(journal_message(broker, "jobs", 1, 10));
	assert_int_equal(ready(broker, "jobs"), 1);
	close_broker(broker);
}

static sqlite3 *hold(const struct broker *broker)
{
	sqlite3 *other;
	assert_int_equal(sqlite3_open(broker->data_file, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	return other;
}

static void test_a_file_that_cannot_be_written_is_told_once_and_tried_again(void **state)
{
	struct broker *broker = *state;
	open_broker(broker, true);
	sqlite3 *other = hold(broker);
	assert_true(journal_message(broker, "jobs", 1, 10));
	wait_said(broker, "the journal keeps what comes");
	broker->said[0] = '\0';
	/* It goes on to take what comes. */
	assert_true(journal_message(broker, "jobs", 2, 10));
	struct data_rows *rows = ask(broker, DATA_LOAD, "jobs", 0);
	assert_false(rows->done);
	free(rows);
	assert_true(counter_get(&broker->numbers.state) != SLUICE_OK);
	assert_string_equal(broker->said, "");
	sqlite3_close(other);
	wait_said(broker, "can be written again");
	assert_int_equal(ready(broker, "jobs"), 2);
}

static void test_a_segment_that_is_cut_shorter_is_told_and_kills_nobody(void **state)
{
	struct broker *broker = *state;
	open_broker(broker, true);
	sqlite3 *other = hold(broker);
	for (uint64_t id = 1; id <= 10; id++)
		assert_true(journal_message(broker, "jobs", id, PAYLOAD));
	wait_said(broker, "the journal keeps what comes");
	char path[400];
	snprintf(path, sizeof path, "%s/%020d.journal", broker->journal_dir, 1);
	assert_int_equal(truncate(path, 8192), 0);
	sqlite3_close(other);
	wait_said(broker, "the journal is damaged");
	uint64_t count = ready(broker, "jobs");
	assert_true(count >= 2 && count < 10);
}

static void test_it_stops_with_its_ring_full_and_loses_nothing(void **state)
{
	struct broker *broker = *state;
	open_broker(broker, true);
	for (uint64_t id = 1; id <= 50; id++)
		assert_true(journal_message(broker, "jobs", id, 10));
	/* More answers than the ring has room for, and nobody takes them. */
	struct data_request request = { .message = { DATA_LOAD }, .queue = "jobs" };
	for (int i = 0; i < 3000; i++)
		assert_true(data_thread_ask(broker->thread, &request));
	for (int ms = 0; counter_get(&broker->numbers.batches) == 0 && ms < WAIT_MS; ms++)
		nap();
	for (int ms = 0; ms < 200; ms++)
		nap();
	for (uint64_t id = 51; id <= 60; id++)
		assert_true(journal_message(broker, "jobs", id, 10));
	close_broker(broker);
	open_broker(broker, true);
	assert_int_equal(ready(broker, "jobs"), 60);
}

#define BROKER_TEST(name) cmocka_unit_test_setup_teardown(name, make_broker, remove_broker)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_what_was_journaled_is_there_when_it_is_asked_for),
		BROKER_TEST(test_it_carries_over_without_being_asked_and_makes_segments_ready),
		BROKER_TEST(test_what_is_left_when_it_stops_is_carried_over_and_known_to_the_next),
		BROKER_TEST(test_files_that_another_has_open_are_an_error_that_names_them),
		BROKER_TEST(test_files_that_cannot_be_opened_are_tried_again),
		BROKER_TEST(test_a_file_that_cannot_be_written_is_told_once_and_tried_again),
		BROKER_TEST(test_a_segment_that_is_cut_shorter_is_told_and_kills_nobody),
		BROKER_TEST(test_it_stops_with_its_ring_full_and_loses_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
