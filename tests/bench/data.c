/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * data --folder DIR [--events N] [--batch N] [--payload BYTES]: how fast the durable state takes
 * records, in files that it makes in DIR and removes; one JSON object.
 *
 *	plain      the payloads inserted into a bare table: as fast as SQLite is, here and now
 *	come_go    enqueued, leased and acknowledged within a batch
 *	enqueue    enqueued, while nobody takes anything
 *	drain      those leased and acknowledged later
 *	archive    events of one bus
 *
 * They take turns batch by batch, so that each has the same share of what the machine has to give.
 * Told is, of each: events a second of wall clock and of CPU time, the former as a multiple of the
 * 50,000 that are wanted, and the latter as a share of plain's.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common.h"
#include "sluice_store/data.h"

enum { WANTED = 50000, PATH_SIZE = 1024 };

enum row { PLAIN, COME_GO, ENQUEUE, DRAIN, ARCHIVE, ROWS };

static const char *const names[ROWS] = { "plain", "come_go", "enqueue", "drain", "archive" };

struct bench {
	size_t events, batch;
	struct sluice_str payload;
	sqlite3 *plain;
	sqlite3_stmt *insert;
	struct sluice_data *data[ROWS]; /* DRAIN's is ENQUEUE's */
	uint64_t position[ROWS];
	int64_t wall_ns[ROWS], cpu_ns[ROWS];
	double worst_ms[ROWS]; /* of a batch */
};

static void expect(enum sluice_status status, const struct sluice_error *error)
{
	if (status != SLUICE_OK)
		bench_fail("%s", error->message);
}

static void run_sql(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		bench_fail("%s: %s", sql, sqlite3_errmsg(db));
}

static const char *path_of(const char *folder, const char *name)
{
	static char path[PATH_SIZE];
	if (snprintf(path, sizeof(path), "%s/sluice-bench-%s.db", folder, name) >= PATH_SIZE)
		bench_fail("%s: too long", folder);
	return path;
}

static void remove_files(const char *folder)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	for (int row = 0; row < ROWS; row++)
		for (size_t i = 0; i < 3; i++) {
			char path[PATH_SIZE + 8];
			snprintf(path, sizeof(path), "%s%s", path_of(folder, names[row]), ends[i]);
			unlink(path);
		}
}

static void open_all(struct bench *bench, const char *folder)
{
	static const int rows[] = { COME_GO, ENQUEUE, ARCHIVE };
	struct sluice_error error;
	for (size_t i = 0; i < 3; i++)
		expect(sluice_data_open(path_of(folder, names[rows[i]]), 0, &bench->data[rows[i]],
		                        &error),
		       &error);
	bench->data[DRAIN] = bench->data[ENQUEUE];
	if (sqlite3_open(path_of(folder, names[PLAIN]), &bench->plain) != SQLITE_OK)
		bench_fail("%s", sqlite3_errmsg(bench->plain));
	run_sql(bench->plain, "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL;"
	                      "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 512;"
	                      "CREATE TABLE t (id INTEGER PRIMARY KEY, payload BLOB)");
	if (sqlite3_prepare_v2(bench->plain, "INSERT INTO t (payload) VALUES (?1)", -1,
	                       &bench->insert, NULL) != SQLITE_OK)
		bench_fail("%s", sqlite3_errmsg(bench->plain));
}

static void close_all(struct bench *bench)
{
	sqlite3_finalize(bench->insert);
	sqlite3_close(bench->plain);
	sluice_data_close(bench->data[COME_GO]);
	sluice_data_close(bench->data[ENQUEUE]);
	sluice_data_close(bench->data[ARCHIVE]);
}

static void insert_plain(struct bench *bench)
{
	run_sql(bench->plain, "BEGIN IMMEDIATE");
	for (size_t i = 0; i < bench->batch; i++) {
		sqlite3_bind_blob64(bench->insert, 1, bench->payload.data, bench->payload.len,
		                    SQLITE_STATIC);
		if (sqlite3_step(bench->insert) != SQLITE_DONE)
			bench_fail("%s", sqlite3_errmsg(bench->plain));
		sqlite3_reset(bench->insert);
	}
	run_sql(bench->plain, "COMMIT");
}

static void apply(struct sluice_data *data, struct sluice_record *record,
                  enum sluice_record_kind kind)
{
	struct sluice_error error;
	record->kind = kind;
	expect(sluice_data_apply(data, record, &error), &error);
}

static void apply_batch(struct bench *bench, enum row row)
{
	struct sluice_error error;
	struct sluice_data *data = bench->data[row];
	struct sluice_record event = { .queue = SLUICE_STR("pager"),
		                       .event_id = SLUICE_STR("0192f3a4b5c6d7e8f901"),
		                       .bus = SLUICE_STR("default"),
		                       .rule = SLUICE_STR("hot-boilers"),
		                       .target = SLUICE_STR("pager"),
		                       .topic = SLUICE_STR("plants/berlin/boiler"),
		                       .client_id = SLUICE_STR("boiler-7"),
		                       .qos = 1,
		                       .payload = bench->payload };
	struct sluice_record about = { .queue = event.queue,
		                       .attempts = 1,
		                       .receipt = { 1 },
		                       .deadline_ms = INT64_C(1790000030000),
		                       .worker = SLUICE_STR("worker-1") };
	expect(sluice_data_begin(data, &error), &error);
	for (size_t i = 0; i < bench->batch; i++) {
		event.id = about.id = ++bench->position[row];
		event.time_ms = event.enqueued_ms = INT64_C(1790000000000) + (int64_t)event.id / 50;
		if (row == ARCHIVE)
			apply(data, &event, SLUICE_RECORD_ARCHIVE);
		if (row == ENQUEUE || row == COME_GO)
			apply(data, &event, SLUICE_RECORD_ENQUEUE);
		if (row == DRAIN || row == COME_GO) {
			apply(data, &about, SLUICE_RECORD_LEASE);
			apply(data, &about, SLUICE_RECORD_ACK);
		}
	}
	expect(sluice_data_commit(data, bench->position[row], &error), &error);
}

static void measure(struct bench *bench, enum row row)
{
	int64_t wall = bench_wall_ns(), cpu = bench_cpu_ns();
	if (row == PLAIN)
		insert_plain(bench);
	else
		apply_batch(bench, row);
	wall = bench_wall_ns() - wall;
	bench->cpu_ns[row] += bench_cpu_ns() - cpu;
	bench->wall_ns[row] += wall;
	double ms = (double)wall / 1e6;
	bench->worst_ms[row] = ms > bench->worst_ms[row] ? ms : bench->worst_ms[row];
}

static void print(const struct bench *bench)
{
	printf("{\"events\":%zu,\"batch\":%zu,\"payload\":%zu", bench->events, bench->batch,
	       bench->payload.len);
	for (int row = 0; row < ROWS; row++) {
		double per_second = (double)bench->events * 1e9 / (double)bench->wall_ns[row];
		printf(",\"%s\":{\"per_second\":%.0f,\"of_wanted\":%.2f,\"cpu_us\":%.3f,"
		       "\"of_plain\":%.3f,\"worst_batch_ms\":%.1f}",
		       names[row], per_second, per_second / WANTED,
		       (double)bench->cpu_ns[row] / 1e3 / (double)bench->events,
		       (double)bench->cpu_ns[PLAIN] / (double)bench->cpu_ns[row],
		       bench->worst_ms[row]);
	}
	printf("}\n");
}

static const char usage[] = "usage: data --folder DIR [--events N] [--batch N] [--payload BYTES]";

int main(int argc, char **argv)
{
	const char *folder = NULL;
	double events = 200000, batch = 5000, payload = 200;
	const struct bench_option options[] = {
		{ .name = "--folder", .text = &folder },
		{ .name = "--events", .number = &events },
		{ .name = "--batch", .number = &batch },
		{ .name = "--payload", .number = &payload },
		{ 0 },
	};
	struct bench bench = { 0 };

	if (argc < 2)
		bench_fail("%s", usage);
	bench_options_read(argv + 1, options, usage);
	if (!folder || batch < 1 || events < batch)
		bench_fail("%s", usage);
	size_t batches = (size_t)(events / batch);
	bench.batch = (size_t)batch;
	bench.events = batches * bench.batch;
	char *bytes = malloc((size_t)payload + 1);
	if (!bytes)
		bench_fail("out of memory");
	for (size_t i = 0; i < (size_t)payload; i++)
		bytes[i] = (char)(' ' + i * 7 % 90);
	bench.payload = (struct sluice_str){ bytes, (size_t)payload };
	remove_files(folder);
	open_all(&bench, folder);
	for (size_t i = 0; i < batches; i++)
		for (int row = 0; row < ROWS; row++)
			if (row != DRAIN)
				measure(&bench, (enum row)row);
	for (size_t i = 0; i < batches; i++)
		measure(&bench, DRAIN);
	close_all(&bench);
	remove_files(folder);
	print(&bench);
	free(bytes);
	return 0;
}
