/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Segments whose pages can't be had any more: files that are cut shorter under a journal that is open. */
#include "journal_helper.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { PAGES = 4, LONG = PAGES * SEGMENT };

static int make_long_place(void **state)
{
	if (make_place(state) != 0)
		return -1;
	struct place *here = *state;
	here->options.segment_bytes = LONG;
	here->options.max_bytes = 8 * LONG;
	return 0;
}

/* Cuts the segment of that number, or all that there are (0), to so many bytes. */
static void cut(const struct place *here, uint64_t number, off_t size)
{
	DIR *folder = opendir(here->options.dir);
	const struct dirent *entry;
	char path[400];
	assert_non_null(folder);
	while ((entry = readdir(folder)) != NULL) {
		if (!strstr(entry->d_name, ".journal") ||
		    (number != 0 && strtoull(entry->d_name, NULL, 10) != number))
			continue;
		snprintf(path, sizeof(path), "%s/%s", here->options.dir, entry->d_name);
		assert_int_equal(truncate(path, size), 0);
	}
	closedir(folder);
}

/* As append of the helper, where a commit may be refused. */
static bool try_append(struct sluice_journal *journal, uint64_t number, size_t len)
{
	if (!sluice_journal_begin(journal, len, false))
		return false;
	unsigned char *bytes = frame_bytes(number, len);
	sluice_journal_put(journal, bytes, len);
	free(bytes);
	return sluice_journal_commit(journal);
}

static void test_an_append_to_a_page_that_is_gone_is_refused_and_what_stands_is_read(void **state)
{
	struct place *here = *state;
	struct sluice_error error;
	struct sluice_journal *journal = open_journal(here);
	prepare(journal);
	uint64_t number = 0, end;
	while (sluice_journal_end(journal) < SEGMENT - 200)
		assert_true(try_append(journal, number++, 100));
	cut(here, 1, SEGMENT);
	end = sluice_journal_end(journal);
	assert_false(try_append(journal, number, 1000));
	assert_int_equal(sluice_journal_end(journal), end);
	/* Nothing more is promised before somebody has looked at the disk. */
	assert_true(sluice_journal_refuses(journal));
	assert_false(sluice_journal_begin(journal, 100, true));
	for (uint64_t read = 0; read < number; read++)
		expect(journal, read, 100);
	expect_none(journal);
	assert_ok(sluice_journal_prepare(journal, &error), error);
	assert_false(sluice_journal_refuses(journal));
	assert_true(try_append(journal, number, 1000));
	expect(journal, number, 1000);
	assert_true(here->damage.count > 0); /* the rest of the file: nobody knows */
	sluice_journal_close(journal);
	/* It went on in another file, which is whole. */
	journal = open_journal(here);
	for (uint64_t read = 0; read < number; read++)
		expect(journal, read, 100);
	expect(journal, number, 1000);
	expect_none(journal);
	sluice_journal_close(journal);
}

static void test_a_frame_over_segments_of_which_one_is_gone_is_void_as_a_whole(void **state)
{
	struct place *here = *state;
	struct sluice_error error;
	for (uint64_t gone = 1; gone <= 3; gone++) {
		char dir[128];
		snprintf(dir, sizeof(dir), "%s-%d", here->dir, (int)gone);
		here->options.dir = dir;
		struct sluice_journal *journal = open_journal(here);
		prepare(journal);
		assert_true(try_append(journal, 0, 100));
		expect(journal, 0, 100);
		cut(here, gone, 0);
		assert_false(try_append(journal, 1, 2 * LONG + LONG / 2));
		assert_ok(sluice_journal_prepare(journal, &error), error);
		assert_true(try_append(journal, 2, 200));
		expect(journal, 2, 200);
		expect_none(journal);
		sluice_journal_close(journal);
	}
}

static void test_frames_that_cannot_be_read_any_more_are_told_and_the_others_come(void **state)
{
	struct place *here = *state;
	struct sluice_journal *journal = open_journal(here);
	prepare(journal);
	for (uint64_t number = 0; number < 6; number++)
		assert_true(try_append(journal, number, LONG / 2));
	cut(here, 2, 0);
	uint64_t read, came = 0;
	struct sluice_journal_frame frame;
	while (sluice_journal_next(journal, &frame)) {
		memcpy(&read, frame.data, sizeof(read));
		assert_true(frame_is(&frame, read, LONG / 2));
		came |= UINT64_C(1) << read;
	}
	/* 1 to 3 had a piece in the second segment. */
	assert_int_equal(came & 1, 1);
	assert_true((came & 0x0e) != 0x0e && (came & 0x20));
	assert_true(here->damage.count >= 1);
	assert_non_null(strstr(here->damage.kept, ".damaged"));
	assert_int_equal(access(here->damage.kept, F_OK), 0);
	/* What is written goes elsewhere. */
	assert_false(sluice_journal_refuses(journal));
	assert_true(try_append(journal, 6, 100));
	sluice_journal_close(journal);
}

static void test_every_page_of_every_segment_may_be_gone(void **state)
{
	struct place *here = *state;
	struct sluice_error error;
	struct sluice_journal_frame frame;
	struct sluice_journal *journal = open_journal(here);
	prepare(journal);
	for (uint64_t number = 0; number < 20; number++)
		assert_true(try_append(journal, number, 700));
	cut(here, 0, 0);
	for (int round = 0; round < 20; round++) {
		(void)try_append(journal, 100, 700);
		(void)sluice_journal_prepare(journal, &error);
	}
	while (sluice_journal_next(journal, &frame))
		;
	(void)sluice_journal_sync(journal, &error);
	sluice_journal_close(journal);
}

static void test_a_disk_that_takes_nothing_is_seen_by_looking(void **state)
{
	struct place *here = *state;
	struct sluice_error error;
	struct sluice_journal *journal = open_journal(here);
	assert_ok(sluice_journal_check(journal, &error), error);
	assert_true(append(journal, 0, 100));
	char moved[128];
	snprintf(moved, sizeof(moved), "%s/away", here->folder);
	char command[512];
	/* Nobody can make a file in a folder that was removed. */
	snprintf(command, sizeof(command), "mkdir %s && mv %s/* %s && rmdir %s", moved, here->dir,
	         moved, here->dir);
	assert_int_equal(system(command), 0);
	assert_status(sluice_journal_check(journal, &error), SLUICE_ERR_IO);
	assert_true(sluice_journal_refuses(journal));
	assert_false(sluice_journal_has_room(journal, 1, true));
	assert_status(sluice_journal_prepare(journal, &error), SLUICE_ERR_IO);
	expect(journal, 0, 100);
	sluice_journal_close(journal);
}

/* --- others' handlers --- */

static sigjmp_buf back;
static volatile sig_atomic_t others;

static void other(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	(void)context;
	others++;
	siglongjmp(back, 1);
}

/* A fault that is none of the journal's. */
static void fault_elsewhere(const struct place *here)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/empty", here->folder);
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	volatile unsigned char *map =
	        mmap(NULL, SEGMENT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	close(fd);
	if (sigsetjmp(back, 1) == 0)
		map[0] = 1;
	munmap((void *)map, SEGMENT);
}

static void test_a_fault_elsewhere_goes_to_the_handler_before_which_is_back_in_the_end(void **state)
{
	struct place *here = *state;
	struct sigaction mine = { .sa_sigaction = other, .sa_flags = SA_SIGINFO }, before, now;
	struct sluice_error error;
	assert_int_equal(sigaction(SIGBUS, &mine, &before), 0);
	others = 0;
	struct sluice_journal *journal = open_journal(here);
	assert_true(append(journal, 0, 100));
	fault_elsewhere(here);
	assert_int_equal(others, 1);
	cut(here, 1, 0);
	assert_false(try_append(journal, 1, 100));
	assert_int_equal(others, 1);
	assert_ok(sluice_journal_prepare(journal, &error), error);
	sluice_journal_close(journal);
	assert_int_equal(sigaction(SIGBUS, &before, &now), 0);
	assert_true(now.sa_sigaction == other);
}

static void test_without_a_handler_before_a_fault_elsewhere_ends_the_process(void **state)
{
	struct place *here = *state;
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGBUS, SIG_DFL);
		struct sluice_journal *journal = open_journal(here);
		if (append(journal, 0, 100))
			fault_elsewhere(here);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

#define LONG_TEST(name) cmocka_unit_test_setup_teardown(name, make_long_place, remove_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LONG_TEST(test_an_append_to_a_page_that_is_gone_is_refused_and_what_stands_is_read),
		LONG_TEST(test_a_frame_over_segments_of_which_one_is_gone_is_void_as_a_whole),
		LONG_TEST(test_frames_that_cannot_be_read_any_more_are_told_and_the_others_come),
		LONG_TEST(test_every_page_of_every_segment_may_be_gone),
		LONG_TEST(test_a_disk_that_takes_nothing_is_seen_by_looking),
		LONG_TEST(
		        test_a_fault_elsewhere_goes_to_the_handler_before_which_is_back_in_the_end),
		LONG_TEST(test_without_a_handler_before_a_fault_elsewhere_ends_the_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
