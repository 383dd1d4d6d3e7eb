/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* A process that appends is killed at any instant; the next one reads what it left. */
#include "journal_helper.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

enum { KILLS = 60 };

/* What outlives the child that writes it. */
struct told {
	_Atomic uint64_t committed; /* frames */
	_Atomic uint64_t released;  /* position */
	_Atomic uint64_t read;      /* frames before that position */
};

static size_t size_of(uint64_t number)
{
	uint64_t random = (number + 1) * UINT64_C(0x9E3779B97F4A7C15);
	uint64_t kind = next_random(&random) % 20;
	return FRAME_LEAST + (size_t)(next_random(&random) % (kind == 0 ? 4 * SEGMENT : 400));
}

/* Appends and lets go of most of it until it is killed. */
static void child(struct place *here, struct told *told)
{
	struct sluice_journal *journal;
	struct sluice_journal_frame frame;
	uint64_t number = atomic_load(&told->committed), read = atomic_load(&told->read);
	if (sluice_journal_open(&here->options, NULL, NULL, &journal, NULL) != SLUICE_OK)
		_exit(1);
	/* What the process before had committed and could not tell any more. */
	uint64_t there = read;
	while (sluice_journal_next(journal, &frame))
		there++;
	if (there != number && there != number + 1)
		_exit(2);
	number = there;
	atomic_store(&told->committed, number);
	sluice_journal_seek(journal, here->options.position);
	for (;;) {
		uint64_t kept = 0;
		while (append(journal, number, size_of(number))) {
			atomic_store(&told->committed, ++number);
			kept = 8;
		}
		while (read + kept < number && sluice_journal_next(journal, &frame)) {
			read++;
			atomic_store(&told->read, read);
			atomic_store(&told->released, frame.position);
			sluice_journal_release(journal, frame.position);
		}
		if (sluice_journal_prepare(journal, NULL) != SLUICE_OK)
			_exit(3);
	}
}

/* Each frame from the first that was not released: whole, in order, none too few or too many. */
static void check(struct place *here, struct told *told)
{
	struct sluice_journal *journal;
	struct sluice_journal_frame frame;
	uint64_t committed = atomic_load(&told->committed), number = atomic_load(&told->read);
	/* Killed between the two: one frame more was read than was let go of. */
	bool between = false;
	here->options.position = atomic_load(&told->released);
	frame.position = here->options.position;
	journal = open_journal(here);
	if (here->damage.count > 0)
		fail_msg("%s", here->damage.message);
	while (sluice_journal_next(journal, &frame)) {
		if (!between && number > 0 && frame_is(&frame, number - 1, size_of(number - 1))) {
			between = true;
			atomic_store(&told->read, number - 1);
			continue;
		}
		if (!frame_is(&frame, number, size_of(number)))
			fail_msg("frame %llu is another one", (unsigned long long)number);
		number++;
	}
	assert_true(number == committed || number == committed + 1);
	assert_int_equal(sluice_journal_end(journal), frame.position);
	sluice_journal_close(journal);
}

static void run_kills(struct place *here, uint64_t seed)
{
	struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
	                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(told, MAP_FAILED);
	uint64_t random = seed, before = 0;
	for (int i = 0; i < KILLS; i++) {
		int status;
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			child(here, told);
		/* In the midst of work, not of starting; then any instant. */
		while (atomic_load(&told->committed) <= before + 1 &&
		       waitpid(pid, &status, WNOHANG) == 0)
			nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
		nanosleep(&(struct timespec){ .tv_nsec = (long)(next_random(&random) % 3000000) },
		          NULL);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		if (!WIFSIGNALED(status))
			fail_msg("the child ended by itself: %d", WEXITSTATUS(status));
		before = atomic_load(&told->committed);
		check(here, told);
	}
	munmap(told, sizeof(*told));
}

static void test_what_was_committed_survives_a_kill_at_any_instant(void **state)
{
	run_kills(*state, 1);
}

static void test_larger_segments_survive_it_too(void **state)
{
	struct place *here = *state;
	here->options.segment_bytes = 16 * SEGMENT;
	here->options.max_bytes = 64 * SEGMENT;
	run_kills(here, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JOURNAL_TEST(test_what_was_committed_survives_a_kill_at_any_instant),
		JOURNAL_TEST(test_larger_segments_survive_it_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
