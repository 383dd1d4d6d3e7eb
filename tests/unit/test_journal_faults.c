/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Whatever the journal asks of memory and of the system fails once, or from then on; what was
 * committed stays. The linker leads the system's functions through here (see CMakeLists.txt).
 */
#include "journal_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "oom.h"

static struct {
	long countdown; /* fails when as many were asked; 0: nothing fails */
	bool for_good;
	long asked;
	bool failed;
} faults;

static void faults_set(long nth, bool for_good)
{
	faults.countdown = nth;
	faults.for_good = for_good;
	faults.asked = 0;
	faults.failed = false;
}

static bool fails(int reason)
{
	if (faults.countdown == 0)
		return false;
	faults.asked++;
	if (faults.asked != faults.countdown && !(faults.for_good && faults.failed))
		return false;
	faults.failed = true;
	errno = reason;
	return true;
}

/* A function of the system's that returns -1, or FAILURE, where it fails. */
#define FAULTY(type, function, failure, reason, parameters, ...)                                   \
	type __real_##function parameters;                                                         \
	type __wrap_##function parameters;                                                         \
	type __wrap_##function parameters                                                          \
	{                                                                                          \
		return fails(reason) ? failure : __real_##function(__VA_ARGS__);                   \
	}

FAULTY(int, openat, -1, EMFILE, (int dir, const char *name, int flags, mode_t mode), dir, name,
       flags, mode)
FAULTY(ssize_t, pwrite, -1, ENOSPC, (int fd, const void *data, size_t len, off_t at), fd, data, len,
       at)
FAULTY(ssize_t, pread, -1, EIO, (int fd, void *data, size_t len, off_t at), fd, data, len, at)
FAULTY(int, fsync, -1, EIO, (int fd), fd)
FAULTY(void *, mmap, MAP_FAILED, ENOMEM,
       (void *at, size_t len, int protection, int flags, int fd, off_t offset), at, len, protection,
       flags, fd, offset)
FAULTY(int, msync, -1, EIO, (void *at, size_t len, int flags), at, len, flags)
FAULTY(int, madvise, -1, EFAULT, (void *at, size_t len, int advice), at, len, advice)
FAULTY(int, renameat, -1, EIO, (int from_dir, const char *from, int to_dir, const char *to),
       from_dir, from, to_dir, to)
FAULTY(int, linkat, -1, EPERM,
       (int from_dir, const char *from, int to_dir, const char *to, int flags), from_dir, from,
       to_dir, to, flags)
FAULTY(int, flock, -1, EIO, (int fd, int operation), fd, operation)
FAULTY(int, mkdir, -1, EROFS, (const char *path, mode_t mode), path, mode)

#undef FAULTY

static size_t size_of(uint64_t number)
{
	return number % 7 == 3 ? SEGMENT + 500 : 300 + (size_t)number;
}

static void allowed(enum sluice_status status, const struct sluice_error *error)
{
	if (status == SLUICE_OK)
		return;
	assert_true(status == SLUICE_ERR_IO || status == SLUICE_ERR_NOMEM);
	assert_int_equal(error->code, status);
	assert_true(strlen(error->message) > 0);
}

/* A life of a journal, in which something fails. Returns how many frames were committed in all. */
static uint64_t live(struct place *here, uint64_t number)
{
	struct sluice_journal *journal;
	struct sluice_journal_frame frame;
	struct sluice_error error;
	enum sluice_status status =
	        sluice_journal_open(&here->options, note_damage, &here->damage, &journal, &error);
	allowed(status, &error);
	if (status != SLUICE_OK) {
		assert_null(journal);
		return number;
	}
	for (int round = 0; round < 3; round++) {
		(void)sluice_journal_has_room(journal, 3 * SEGMENT, false);
		allowed(sluice_journal_prepare(journal, &error), &error);
		for (int i = 0; i < 8; i++) {
			size_t len = size_of(number);
			if (!sluice_journal_begin(journal, len, false))
				break;
			unsigned char *bytes = frame_bytes(number, len);
			if (bytes)
				sluice_journal_put(journal, bytes, len);
			free(bytes);
			/* Under `power` it is void when the disk refuses. */
			if (sluice_journal_commit(journal))
				number++;
			else
				assert_true(faults.failed);
		}
		uint64_t position = here->options.position;
		for (int i = 0; i < 5 && sluice_journal_next(journal, &frame); i++)
			position = frame.position;
		allowed(sluice_journal_sync(journal, &error), &error);
		sluice_journal_release(journal, position);
		here->options.position = position;
		allowed(sluice_journal_prepare(journal, &error), &error);
	}
	sluice_journal_close(journal);
	return number;
}

/* Opens it when nothing fails any more: all that was not let go of is there, in order. */
static void check(struct place *here, uint64_t number)
{
	struct sluice_journal_frame frame;
	struct sluice_journal *journal = open_journal(here);
	uint64_t expected = UINT64_MAX;
	while (sluice_journal_next(journal, &frame)) {
		uint64_t read;
		memcpy(&read, frame.data, sizeof(read));
		assert_true(expected == UINT64_MAX || read == expected);
		assert_true(frame_is(&frame, read, size_of(read)));
		expected = read + 1;
	}
	if (expected != UINT64_MAX && expected != number)
		fail_msg("%llu frames were committed, and the last one there is %llu (%s)",
		         (unsigned long long)number, (unsigned long long)expected - 1,
		         here->damage.message);
	here->options.position = sluice_journal_end(journal);
	sluice_journal_close(journal);
}

static void fail_everything(struct place *here, bool for_good, enum sluice_durability durability)
{
	uint64_t number = 0;
	here->options.durability = durability;
	for (long nth = 1;; nth++) {
		faults_set(nth, for_good);
		number = live(here, number);
		bool failed = faults.failed;
		faults_set(0, false);
		check(here, number);
		if (!failed) {
			assert_true(nth > 30);
			break;
		}
	}
}

static void test_whatever_fails_of_the_system_once_costs_nothing_committed(void **state)
{
	fail_everything(*state, false, SLUICE_DURABLE_BATCH);
}

static void test_whatever_fails_for_good_costs_nothing_committed(void **state)
{
	fail_everything(*state, true, SLUICE_DURABLE_POWER);
}

static void test_every_allocation_may_fail(void **state)
{
	struct place *here = *state;
	struct sluice_journal *journal;
	struct sluice_journal_frame frame;
	journal = open_journal(here);
	prepare(journal);
	assert_true(append(journal, 0, 100));
	assert_true(append(journal, 1, 2 * SEGMENT));
	sluice_journal_close(journal);
	for (size_t n = 1;; n++) {
		oom_fail_at(n);
		enum sluice_status status =
		        sluice_journal_open(&here->options, NULL, NULL, &journal, NULL);
		if (!oom_happened()) {
			assert_int_equal(status, SLUICE_OK);
			assert_true(n > 4);
			break;
		}
		assert_status(status, SLUICE_ERR_NOMEM);
		assert_null(journal);
	}
	expect(journal, 0, 100);
	/* One of several pieces needs memory: it comes when there is some. */
	oom_fail_at(1);
	assert_false(sluice_journal_next(journal, &frame));
	assert_true(oom_happened());
	expect(journal, 1, 2 * SEGMENT);
	sluice_journal_close(journal);
}

static void test_a_commit_that_the_disk_refuses_is_told_and_void(void **state)
{
	struct place *here = *state;
	struct sluice_error error;
	here->options.durability = SLUICE_DURABLE_POWER;
	struct sluice_journal *journal = open_journal(here);
	unsigned char *bytes = frame_bytes(0, 100);
	assert_true(sluice_journal_begin(journal, 100, false));
	sluice_journal_put(journal, bytes, 100);
	free(bytes);
	faults_set(1, false);
	assert_false(sluice_journal_commit(journal));
	/* Nor is there a next one, before the disk was looked at. */
	assert_true(sluice_journal_refuses(journal));
	assert_false(sluice_journal_begin(journal, 100, true));
	faults_set(0, false);
	expect_none(journal);
	assert_ok(sluice_journal_prepare(journal, &error), error);
	assert_true(append(journal, 1, 100));
	expect(journal, 1, 100);
	expect_none(journal);
	/* One of several pieces, that a shorter one takes the place of. */
	bytes = frame_bytes(2, 2 * SEGMENT);
	prepare(journal);
	assert_true(sluice_journal_begin(journal, 2 * SEGMENT, false));
	sluice_journal_put(journal, bytes, 2 * SEGMENT);
	free(bytes);
	faults_set(1, false);
	assert_false(sluice_journal_commit(journal));
	faults_set(0, false);
	assert_ok(sluice_journal_prepare(journal, &error), error);
	sluice_journal_close(journal);
	/* Who starts anew finds none of it, and no damage. */
	journal = open_journal(here);
	expect(journal, 1, 100);
	expect_none(journal);
	assert_int_equal(here->damage.count, 0);
	assert_true(append(journal, 3, 100));
	expect(journal, 3, 100);
	sluice_journal_close(journal);
}

static void test_on_a_full_disk_what_is_ready_goes_on(void **state)
{
	struct place *here = *state;
	struct sluice_error error;
	struct sluice_journal *journal = open_journal(here);
	struct rlimit before, none;
	uint64_t number = 0, read = 0;
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = (struct rlimit){ SEGMENT / 2, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	while (append(journal, number, 200))
		number++;
	assert_true(number > 10);
	assert_status(sluice_journal_prepare(journal, &error), SLUICE_ERR_IO);
	assert_non_null(strstr(error.message, strerror(EFBIG)));
	assert_false(sluice_journal_has_room(journal, 200, false));
	/* What is released is used anew without a byte more. */
	while (read < number)
		expect(journal, read++, 200);
	sluice_journal_release(journal, sluice_journal_end(journal));
	(void)sluice_journal_prepare(journal, &error);
	assert_true(append(journal, number, 200));
	expect(journal, number++, 200);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, handler);
	assert_ok(sluice_journal_prepare(journal, &error), error);
	assert_true(append(journal, number, 3000));
	expect(journal, number, 3000);
	sluice_journal_close(journal);
	sluice_journal_close(open_journal(here));
	if (here->damage.count > 0)
		fail_msg("%s", here->damage.message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JOURNAL_TEST(test_whatever_fails_of_the_system_once_costs_nothing_committed),
		JOURNAL_TEST(test_whatever_fails_for_good_costs_nothing_committed),
		JOURNAL_TEST(test_every_allocation_may_fail),
		JOURNAL_TEST(test_a_commit_that_the_disk_refuses_is_told_and_void),
		JOURNAL_TEST(test_on_a_full_disk_what_is_ready_goes_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
