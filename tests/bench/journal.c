/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * journal [--folder DIR] [--bytes N] [--rate R] [--seconds S]: one thread appends frames of N bytes,
 * R a second, while another reads, releases and makes ready, as in the broker; one JSON object.
 *
 * Told is how long an append takes by the wall clock (begin, put, commit), and beside each a copy of
 * the same frame into plain memory that was touched before: what it would be if nothing had to outlive
 * the process. The longest has in it whatever else the machine did, in both. `copy_ratio` is the
 * median append as a multiple of the median copy; both have the reading of the clock in them, which
 * `clock_us` is.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common.h"
#include "sluice_store/journal.h"

enum { MAX_FRAMES = 20000000, PLAIN_BYTES = 64 << 20, JOURNAL_BYTES = 256 << 20 };

struct carrying {
	struct sluice_journal *journal;
	atomic_bool stop;
	uint64_t frames, bytes;
};

static void rest_us(long us)
{
	nanosleep(&(struct timespec){ .tv_nsec = us * 1000 }, NULL);
}

/* What the data thread does, less SQLite. */
static void *carry(void *context)
{
	struct carrying *carrying = context;
	struct sluice_journal_frame frame;
	struct sluice_error error;

	for (;;) {
		bool last = atomic_load(&carrying->stop);
		uint64_t position = 0;
		while (sluice_journal_next(carrying->journal, &frame)) {
			carrying->frames++;
			carrying->bytes += frame.len;
			position = frame.position;
		}
		sluice_journal_release(carrying->journal, position);
		if (sluice_journal_prepare(carrying->journal, &error) != SLUICE_OK)
			bench_fail("%s", error.message);
		if (last)
			return NULL;
		rest_us(5000);
	}
}

static void print_times(const char *name, double *times, size_t count)
{
	printf("\"%s\":{\"p50_us\":%.3f,\"p99_us\":%.3f,\"p999_us\":%.3f,\"max_us\":%.3f}", name,
	       bench_quantile(times, count, 0.5), bench_quantile(times, count, 0.99),
	       bench_quantile(times, count, 0.999), bench_quantile(times, count, 1));
}

static const char usage[] = "usage: journal [--folder DIR] [--bytes N] [--rate R] [--seconds S]";

int main(int argc, char **argv)
{
	static struct carrying carrying;
	const char *parent = "/var/tmp";
	double bytes = 256, rate = 50000, seconds = 10;
	char folder[4096], command[4200];
	struct sluice_error error;
	pthread_t thread;
	const struct bench_option options[] = {
		{ .name = "--folder", .text = &parent },
		{ .name = "--bytes", .number = &bytes },
		{ .name = "--rate", .number = &rate },
		{ .name = "--seconds", .number = &seconds },
		{ 0 },
	};

	(void)argc;
	bench_options_read(argv + 1, options, usage);
	size_t len = (size_t)bytes, count = (size_t)(rate * seconds);
	if (len == 0 || len > PLAIN_BYTES || rate < 1 || count == 0 || count > MAX_FRAMES)
		bench_fail("%s", usage);
	snprintf(folder, sizeof(folder), "%s/sluice-bench-XXXXXX", parent);
	if (!mkdtemp(folder))
		bench_fail("%s can't be made", folder);
	const struct sluice_journal_options journal = { .dir = folder, .max_bytes = JOURNAL_BYTES };
	if (sluice_journal_open(&journal, NULL, NULL, &carrying.journal, &error) != SLUICE_OK)
		bench_fail("%s", error.message);
	double *appends = calloc(count, sizeof(*appends)), *copies = calloc(count, sizeof(*copies));
	unsigned char *frame = malloc(len), *plain = malloc(PLAIN_BYTES);
	if (!appends || !copies || !frame || !plain)
		bench_fail("out of memory");
	memset(frame, 'x', len);
	memset(plain, 1, PLAIN_BYTES);
	for (size_t i = 0; i < count; i++)
		appends[i] = copies[i] = 1; /* their pages, too */
	for (int i = 0; i < 32; i++)
		sluice_journal_prepare(carrying.journal, NULL);
	if (pthread_create(&thread, NULL, carry, &carrying))
		bench_fail("a thread can't be started");

	int64_t start = bench_wall_ns();
	size_t refused = 0, at = 0;
	for (size_t i = 0; i < count; i++) {
		int64_t due = start + (int64_t)((double)i * 1e9 / rate);
		/* As a broker gets them: some at once, then none for a while. */
		if (bench_wall_ns() < due)
			rest_us(200);
		memcpy(frame, &i, len < sizeof(i) ? len : sizeof(i));
		int64_t before = bench_wall_ns();
		if (sluice_journal_begin(carrying.journal, len, false)) {
			sluice_journal_put(carrying.journal, frame, len);
			sluice_journal_commit(carrying.journal);
		} else {
			refused++;
		}
		int64_t between = bench_wall_ns();
		memcpy(plain + at, frame, len);
		/* Nobody reads it; it is copied all the same. */
		__asm__ volatile("" : : "r"(plain) : "memory");
		int64_t after = bench_wall_ns();
		at = at + 2 * len <= PLAIN_BYTES ? at + len : 0;
		appends[i] = (double)(between - before) / 1e3;
		copies[i] = (double)(after - between) / 1e3;
	}
	double took = (double)(bench_wall_ns() - start) / 1e9;
	atomic_store(&carrying.stop, true);
	pthread_join(thread, NULL);
	if (carrying.frames + refused != count)
		bench_fail("%llu frames came back of %zu", (unsigned long long)carrying.frames,
		           count - refused);
	uint64_t disk = sluice_journal_disk_bytes(carrying.journal);
	sluice_journal_close(carrying.journal);

	int64_t clock = bench_wall_ns();
	for (int i = 0; i < 1000; i++)
		(void)bench_wall_ns();
	double clock_us = (double)(bench_wall_ns() - clock) / 1e6;
	size_t stalls = 0, copy_stalls = 0;
	for (size_t i = 0; i < count; i++) {
		stalls += appends[i] > 1000;
		copy_stalls += copies[i] > 1000;
	}
	printf("{\"frames\":%zu,\"bytes\":%zu,\"per_second\":%.0f,\"refused\":%zu,", count, len,
	       (double)count / took, refused);
	print_times("append", appends, count);
	printf(",");
	print_times("copy", copies, count);
	printf(",\"copy_ratio\":%.2f,\"clock_us\":%.3f,\"stalls\":%zu,\"copy_stalls\":%zu,"
	       "\"disk_bytes\":%llu}\n",
	       bench_quantile(appends, count, 0.5) / bench_quantile(copies, count, 0.5), clock_us,
	       stalls, copy_stalls, (unsigned long long)disk);
	free(appends);
	free(copies);
	free(frame);
	free(plain);
	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	return system(command) == 0 ? 0 : 1;
}
