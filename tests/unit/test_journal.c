/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "journal_helper.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "oom.h"

static size_t random_size(uint64_t *random)
{
	static const size_t most[] = { 8, 40, 300, 3 * SEGMENT };
	return 1 + (size_t)(next_random(random) % most[next_random(random) % 4]);
}

static void test_frames_of_any_size_are_read_back_in_order(void **state)
{
	struct place *here = *state;
	struct sluice_journal *journal = open_journal(here);
	struct sluice_journal_frame frame;
	uint64_t sizes = 42, expected = 42;
	uint64_t written = 0, read = 0, position = 0;
	while (written < 3000) {
		size_t len = random_size(&sizes);
		while (!append(journal, written, len)) {
			assert_true(sluice_journal_next(journal, &frame));
			assert_true(frame_is(&frame, read++, random_size(&expected)));
			assert_true(frame.position > position);
			position = frame.position;
			sluice_journal_release(journal, position);
			prepare(journal);
		}
		written++;
	}
	while (read < written)
		expect(journal, read++, random_size(&expected));
	expect_none(journal);
	assert_true(sluice_journal_disk_bytes(journal) <= here->options.max_bytes);
	sluice_journal_close(journal);
}

static void test_what_was_appended_is_there_after_each_opening(void **state)
{
	struct place *here = *state;
	uint64_t sizes = 7, ends[200], end = 0;
	size_t lens[200], count = 0;
	struct sluice_journal_frame frame;
	for (bool room = true; room && count < 200;) {
		struct sluice_journal *journal = open_journal(here);
		assert_int_equal(here->damage.count, 0);
		assert_int_equal(sluice_journal_end(journal), end);
		for (size_t i = 0; i < count; i++) {
			assert_true(sluice_journal_next(journal, &frame));
			assert_true(frame_is(&frame, i, lens[i]));
			assert_int_equal(frame.position, ends[i]);
		}
		expect_none(journal);
		lens[count] = 1 + (size_t)(next_random(&sizes) % 500);
		prepare(journal);
		room = append(journal, count, lens[count]);
		end = sluice_journal_end(journal);
		ends[count] = end;
		count += room;
		sluice_journal_close(journal);
	}
	assert_true(count > 50);
	assert_true(count < 200);
}

static void test_a_frame_that_is_not_committed_is_not_there(void **state)
{
	struct place *here = *state;
	struct sluice_journal *journal = open_journal(here);
	unsigned char bytes[3 * SEGMENT];
	memset(bytes, 'x', sizeof(bytes));
	prepare(journal);
	assert_true(append(journal, 0, 100));
	/* Whole but for its commit, over several segments. */
	assert_true(sluice_journal_begin(journal, sizeof(bytes), false));
	sluice_journal_put(journal, bytes, sizeof(bytes));
	expect(journal, 0, 100);
	expect_none(journal);
	sluice_journal_close(journal);

	journal = open_journal(here);
	assert_int_equal(here->damage.count, 0);
	expect(journal, 0, 100);
	expect_none(journal);
	/* Just as long, so that it ends where the pieces of the other one begin. */
	prepare(journal);
	assert_true(append(journal, 1, SEGMENT));
	assert_true(sluice_journal_begin(journal, 10, false));
	assert_true(append(journal, 2, 10));
	expect(journal, 1, SEGMENT);
	expect(journal, 2, 10);
	expect_none(journal);
	sluice_journal_close(journal);
}

static void test_seeking_goes_to_the_nearest_there_is(void **state)
{
	struct place *here = *state;
	struct sluice_journal *journal = open_journal(here);
	uint64_t second = 0;
	prepare(journal);
	for (uint64_t i = 0; i < 30; i++) {
		if (i == 2)
			second = sluice_journal_end(journal);
		assert_true(append(journal, i, 300));
	}
	sluice_journal_seek(journal, second);
	expect(journal, 2, 300);
	sluice_journal_seek(journal, 0);
	expect(journal, 0, 300);
	sluice_journal_seek(journal, UINT64_MAX);
	expect_none(journal);
	assert_true(append(journal, 30, 300));
	expect(journal, 30, 300);
	sluice_journal_seek(journal, second);
	sluice_journal_release(journal, sluice_journal_end(journal));
	prepare(journal);
	sluice_journal_seek(journal, 0);
	/* What is left of the last segment. */
	struct sluice_journal_frame frame;
	assert_true(sluice_journal_next(journal, &frame));
	assert_true(frame.position > second + SEGMENT);
	sluice_journal_close(journal);
}

static void test_positions_go_on_from_what_was_carried_over(void **state)
{
	struct place *here = *state;
	struct sluice_journal *journal = open_journal(here);
	prepare(journal);
	for (uint64_t i = 0; i < 20; i++)
		assert_true(append(journal, i, 300));
	sluice_journal_seek(journal, 0);
	struct sluice_journal_frame frame;
	for (uint64_t i = 0; i < 5; i++)
		assert_true(sluice_journal_next(journal, &frame));
	sluice_journal_close(journal);

	here->options.position = frame.position;
	journal = open_journal(here);
	assert_int_equal(sluice_journal_lag_bytes(journal),
	                 sluice_journal_end(journal) - frame.position);
	expect(journal, 5, 300);
	sluice_journal_close(journal);

	/* The journal lost its end, or was deleted, and SQLite did not: nothing comes again, and what
	 * is new comes behind. */
	for (int i = 0; i < 4; i++) {
		here->options.position += i == 0 ? 2 * SEGMENT + 52 : 40 * SEGMENT;
		if (i == 3) {
			char command[128];
			snprintf(command, sizeof(command), "rm -r %s", here->dir);
			assert_int_equal(system(command), 0);
		}
		journal = open_journal(here);
		assert_int_equal(here->damage.count, 0);
		assert_true(sluice_journal_end(journal) >= here->options.position);
		if (i > 0) {
			assert_int_equal(sluice_journal_end(journal), here->options.position);
			expect_none(journal);
		}
		assert_true(append(journal, 77, 50));
		while (sluice_journal_next(journal, &frame))
			assert_true(frame.position > here->options.position);
		assert_true(frame_is(&frame, 77, 50));
		sluice_journal_close(journal);
	}
}

static void test_released_segments_are_used_anew_within_the_bound(void **state)
{
	struct place *here = *state;
	struct sluice_journal *journal = open_journal(here);
	struct sluice_journal_frame frame;
	uint64_t end = 0;
	/* Frames that are alike: an old one in a file that is used again is like a new one, but for
	 * its place. */
	for (int round = 0; round < 300; round++) {
		prepare(journal);
		int appended = 0;
		while (append(journal, 5, 100))
			appended++;
		assert_true(appended > 4 * SEGMENT / 124);
		assert_true(sluice_journal_disk_bytes(journal) <= here->options.max_bytes);
		for (int i = 0; i < appended; i++)
			expect(journal, 5, 100);
		expect_none(journal);
		assert_true(sluice_journal_end(journal) > end);
		end = sluice_journal_end(journal);
		sluice_journal_release(journal, end);
		assert_int_equal(sluice_journal_lag_bytes(journal), 0);
		if (round % 10 == 9) {
			here->options.position = end;
			sluice_journal_close(journal);
			journal = open_journal(here);
			assert_int_equal(here->damage.count, 0);
			assert_false(sluice_journal_next(journal, &frame));
			assert_int_equal(sluice_journal_end(journal), end);
		}
	}
	sluice_journal_close(journal);

	/* And those that wait to be used hold nothing for one who does not know what was carried. */
	here->options.position = 0;
	journal = open_journal(here);
	assert_int_equal(here->damage.count, 0);
	while (sluice_journal_next(journal, &frame))
		assert_true(frame_is(&frame, 5, 100));
	assert_int_equal(sluice_journal_end(journal), end);
	sluice_journal_close(journal);
}

static void test_kept_bytes_are_for_the_last_alone(void **state)
{
	struct place *here = *state;
	here->options.kept_bytes = SEGMENT + 100;
	struct sluice_journal *journal = open_journal(here);
	prepare(journal);
	while (append(journal, 1, 100))
		;
	assert_false(sluice_journal_has_room(journal, 1, false));
	size_t last = 0;
	while (sluice_journal_has_room(journal, 10, true)) {
		unsigned char bytes[10] = { 0 };
		assert_true(sluice_journal_begin(journal, sizeof(bytes), true));
		sluice_journal_put(journal, bytes, sizeof(bytes));
		assert_true(sluice_journal_commit(journal));
		last++;
	}
	assert_true(last * (10 + FRAME_HEADER + 6) >= SEGMENT);
	assert_false(sluice_journal_begin(journal, 10, true));
	sluice_journal_close(journal);
}

static void test_the_longest_frame_finds_room_when_it_was_asked_for(void **state)
{
	struct place *here = *state;
	here->options.max_bytes = 32 * SEGMENT;
	here->options.kept_bytes = SEGMENT;
	struct sluice_journal *journal = open_journal(here);
	struct sluice_error error;
	size_t len = sluice_journal_max_frame(journal);
	assert_true(len > 28 * SEGMENT);
	for (uint64_t i = 0; i < 3; i++) {
		assert_true(append(journal, i, 3000));
		expect(journal, i, 3000);
		sluice_journal_release(journal, sluice_journal_end(journal));
		assert_false(sluice_journal_has_room(journal, len, false));
		assert_ok(sluice_journal_prepare(journal, &error), error);
		assert_true(append(journal, 100 + i, len));
		expect(journal, 100 + i, len);
		sluice_journal_release(journal, sluice_journal_end(journal));
		assert_ok(sluice_journal_prepare(journal, &error), error);
	}
	assert_false(sluice_journal_has_room(journal, len + 1, true));
	assert_false(sluice_journal_begin(journal, 0, true));
	sluice_journal_close(journal);
}

static void test_appending_allocates_nothing_and_takes_no_lock(void **state)
{
	struct sluice_journal *journal = open_journal(*state);
	unsigned char bytes[SEGMENT + 100] = { 0 };
	prepare(journal);
	(void)oom_calls();
	assert_true(sluice_journal_begin(journal, sizeof(bytes), false));
	sluice_journal_put(journal, bytes, sizeof(bytes));
	assert_true(sluice_journal_commit(journal));
	struct oom_calls calls = oom_calls();
	assert_int_equal(calls.allocations + calls.frees + calls.locks, 0);
	sluice_journal_close(journal);
}

static void test_a_second_opening_is_refused_while_it_is_open(void **state)
{
	struct place *here = *state;
	struct sluice_journal *journal = open_journal(here), *second;
	struct sluice_error error;
	assert_status(sluice_journal_open(&here->options, NULL, NULL, &second, &error),
	              SLUICE_ERR_BUSY);
	assert_null(second);
	assert_non_null(strstr(error.message, "open"));
	pid_t child = fork();
	if (child == 0)
		_exit((int)sluice_journal_open(&here->options, NULL, NULL, &second, NULL));
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), SLUICE_ERR_BUSY);
	sluice_journal_close(journal);
	sluice_journal_close(open_journal(here));
}

static void test_options_out_of_bounds_are_refused(void **state)
{
	struct place *here = *state;
	struct sluice_journal *journal;
	const struct {
		struct sluice_journal_options options;
		enum sluice_status status;
	} cases[] = {
		{ { .max_bytes = 3 * SEGMENT, .segment_bytes = SEGMENT }, SLUICE_ERR_LIMIT },
		{ { .max_bytes = 3 * SEGMENT }, SLUICE_ERR_LIMIT },
		{ { .max_bytes = 0 }, SLUICE_ERR_LIMIT },
		{ { .max_bytes = UINT64_MAX }, SLUICE_ERR_LIMIT },
		{ { .max_bytes = 16385 * SEGMENT, .segment_bytes = SEGMENT }, SLUICE_ERR_LIMIT },
		{ { .max_bytes = 8 * SEGMENT, .segment_bytes = SEGMENT + 8 }, SLUICE_ERR_INVALID },
		{ { .max_bytes = UINT64_MAX, .segment_bytes = SIZE_MAX & ~(size_t)4095 },
		  SLUICE_ERR_INVALID },
		{ { .max_bytes = 8 * SEGMENT, .position = UINT64_MAX }, SLUICE_ERR_INVALID },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_journal_options options = cases[i].options;
		options.dir = here->dir;
		assert_status(sluice_journal_open(&options, NULL, NULL, &journal, NULL),
		              cases[i].status);
		assert_null(journal);
	}
	here->options.max_bytes = 1 << 20;
	here->options.segment_bytes = 0;
	here->options.kept_bytes = SIZE_MAX;
	journal = open_journal(here);
	assert_true(sluice_journal_max_frame(journal) >= 400000);
	sluice_journal_close(journal);
	sluice_journal_close(NULL);
}

static void test_another_size_of_segments_reads_what_there_is(void **state)
{
	struct place *here = *state;
	static const size_t sizes[] = { SEGMENT, 4 * SEGMENT, SEGMENT, 2 * SEGMENT };
	static const uint64_t most[] = { 16, 16, 4, 8 };
	uint64_t number = 0;
	for (size_t i = 0; i < 4; i++) {
		here->options.segment_bytes = sizes[i];
		here->options.max_bytes = most[i] * sizes[i];
		struct sluice_journal *journal = open_journal(here);
		assert_int_equal(here->damage.count, 0);
		for (uint64_t before = 0; before < number; before++)
			expect(journal, before, 700);
		prepare(journal);
		for (int j = 0; j < 5 && append(journal, number, 700); j++)
			expect(journal, number++, 700);
		/* More than max_bytes of old ones: they go when they are released. */
		if (i == 3) {
			sluice_journal_release(journal, sluice_journal_end(journal));
			prepare(journal);
			assert_true(append(journal, number, 5000));
			expect(journal, number, 5000);
			assert_true(sluice_journal_disk_bytes(journal) <= here->options.max_bytes);
		}
		sluice_journal_close(journal);
	}
	assert_true(number >= 10);
}

static void test_every_durability_appends_and_syncs(void **state)
{
	struct place *here = *state;
	struct sluice_error error;
	uint64_t number = 0;
	for (enum sluice_durability durability = SLUICE_DURABLE_PROCESS;
	     durability <= SLUICE_DURABLE_BATCH; durability++) {
		here->options.durability = durability;
		struct sluice_journal *journal = open_journal(here);
		prepare(journal);
		for (int i = 0; i < 3; i++) {
			assert_true(append(journal, number++, 2000));
			assert_ok(sluice_journal_sync(journal, &error), error);
		}
		assert_ok(sluice_journal_sync(journal, &error), error);
		sluice_journal_close(journal);
	}
	struct sluice_journal *journal = open_journal(here);
	for (uint64_t i = 0; i < number; i++)
		expect(journal, i, 2000);
	sluice_journal_close(journal);
}

static void test_its_files_are_the_owners_alone(void **state)
{
	struct place *here = *state;
	struct stat folder, file;
	char path[160];
	sluice_journal_close(open_journal(here));
	snprintf(path, sizeof(path), "%s/00000000000000000001.journal", here->dir);
	assert_int_equal(stat(here->dir, &folder), 0);
	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(folder.st_mode & 0777, 0700);
	assert_int_equal(file.st_mode & 0777, 0600);
	assert_int_equal(file.st_size, SEGMENT);
	assert_int_equal(file.st_blocks * 512, SEGMENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JOURNAL_TEST(test_frames_of_any_size_are_read_back_in_order),
		JOURNAL_TEST(test_what_was_appended_is_there_after_each_opening),
		JOURNAL_TEST(test_a_frame_that_is_not_committed_is_not_there),
		JOURNAL_TEST(test_seeking_goes_to_the_nearest_there_is),
		JOURNAL_TEST(test_positions_go_on_from_what_was_carried_over),
		JOURNAL_TEST(test_released_segments_are_used_anew_within_the_bound),
		JOURNAL_TEST(test_kept_bytes_are_for_the_last_alone),
		JOURNAL_TEST(test_the_longest_frame_finds_room_when_it_was_asked_for),
		JOURNAL_TEST(test_appending_allocates_nothing_and_takes_no_lock),
		JOURNAL_TEST(test_a_second_opening_is_refused_while_it_is_open),
		JOURNAL_TEST(test_options_out_of_bounds_are_refused),
		JOURNAL_TEST(test_another_size_of_segments_reads_what_there_is),
		JOURNAL_TEST(test_every_durability_appends_and_syncs),
		JOURNAL_TEST(test_its_files_are_the_owners_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
