/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* One thread appends, one does everything else; also under the preset tsan. */
#include "journal_helper.h"

#include <pthread.h>
#include <sched.h>

enum { FRAMES = 20000 };

static size_t size_of(uint64_t number)
{
	uint64_t random = number + 1;
	next_random(&random);
	return 1 + (size_t)(next_random(&random) % (number % 50 == 0 ? 3 * SEGMENT : 300));
}

static void *append_all(void *arg)
{
	struct sluice_journal *journal = arg;
	for (uint64_t number = 0; number < FRAMES; number++) {
		size_t len = size_of(number);
		while (!sluice_journal_has_room(journal, len, false))
			sched_yield();
		/* Room does not go away: this thread alone takes it. */
		if (!append(journal, number, len))
			return arg;
		/* What anybody may ask. */
		if (sluice_journal_lag_bytes(journal) > (uint64_t)1 << 40 ||
		    sluice_journal_disk_bytes(journal) == 0)
			return arg;
	}
	return NULL;
}

static void carry_all(struct place *here, enum sluice_durability durability)
{
	struct sluice_journal_frame frame;
	struct sluice_error error;
	pthread_t thread;
	void *failed;
	here->options.durability = durability;
	struct sluice_journal *journal = open_journal(here);
	assert_int_equal(pthread_create(&thread, NULL, append_all, journal), 0);
	for (uint64_t number = 0; number < FRAMES;) {
		uint64_t position = 0;
		while (number < FRAMES && sluice_journal_next(journal, &frame)) {
			if (!frame_is(&frame, number, size_of(number)))
				fail_msg("frame %llu is another one", (unsigned long long)number);
			number++;
			position = frame.position;
		}
		if (durability == SLUICE_DURABLE_BATCH)
			assert_ok(sluice_journal_sync(journal, &error), error);
		sluice_journal_release(journal, position);
		assert_ok(sluice_journal_prepare(journal, &error), error);
		sched_yield();
	}
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	expect_none(journal);
	assert_int_equal(sluice_journal_lag_bytes(journal), 0);
	assert_true(sluice_journal_disk_bytes(journal) <= here->options.max_bytes);
	sluice_journal_close(journal);
}

static void test_another_thread_reads_everything_in_order(void **state)
{
	carry_all(*state, SLUICE_DURABLE_PROCESS);
}

static void test_it_syncs_what_the_other_one_appends(void **state)
{
	carry_all(*state, SLUICE_DURABLE_BATCH);
}

static void test_the_appending_thread_may_sync_each_commit(void **state)
{
	carry_all(*state, SLUICE_DURABLE_POWER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JOURNAL_TEST(test_another_thread_reads_everything_in_order),
		JOURNAL_TEST(test_it_syncs_what_the_other_one_appends),
		JOURNAL_TEST(test_the_appending_thread_may_sync_each_commit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
