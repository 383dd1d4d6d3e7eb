/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What the files of the data thread share. All of it is that thread's, but for what says otherwise. */
#ifndef SLUICE_PLUGIN_DATA_THREAD_INTERNAL_H
#define SLUICE_PLUGIN_DATA_THREAD_INTERNAL_H

#include <pthread.h>

#include "data_thread.h"
#include "sluice_store/data.h"

/* What the appending thread may have to wake it from. */
enum rest { AWAKE, NAPPING /* requests */, ASLEEP /* anything */ };

struct data_thread {
	struct sluice_data *data;
	struct sluice_journal *journal;
	struct data_numbers *numbers;
	const struct options *options;
	data_take_fn take;
	void *arg;
	bool running; /* there is a thread */
	bool open;    /* the files are */
	bool refuses; /* it was told that the journal does */
	pthread_t thread;
	struct ring to_data, from_data;
	int wake_fd;
	atomic_bool stop;
	atomic_int rest;     /* enum rest */
	uint64_t carried_to; /* the highest id of a record that was carried over */
	uint64_t looked_to;  /* nothing up to here in the journal is left to carry over */
	int64_t retry_ms;    /* after an error: not before */
	int64_t prepare_again_ms;
	int64_t next_sync_ms;
	int64_t next_upkeep_ms;
	struct data_retention *retentions; /* owned; what archives keep, as the files say */
	size_t retention_count;
	bool no_retention;           /* there was no memory for one */
	struct data_replay *replays; /* that run */
};

/* --- data_thread.c --- */

/* To the broker's thread; waits while the ring is full. Takes the message. */
void data_thread_emit(struct data_thread *thread, struct data_message *message);
/* A line for the log. */
void data_thread_say(struct data_thread *thread, int level, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* How the last work on the files went: says so when that changes. */
void data_thread_note(struct data_thread *thread, enum sluice_status status,
                      const struct sluice_error *error);
/* Carries over everything that stands in the journal now. */
enum sluice_status data_thread_carry(struct data_thread *thread, struct sluice_error *error);

/* Rows on their way into a message: it grows as they come. */
struct data_gathering {
	struct data_rows *rows;
	size_t capacity;
	size_t count, limit, bytes, byte_limit;
	bool no_memory;
};

bool data_begin_rows(struct data_gathering *gathering, enum data_rows_kind kind, const char *queue);
/* Takes a struct data_gathering. */
bool data_gather(void *arg, const struct sluice_record *record);
/* Sends them, with how reading went. */
void data_end_rows(struct data_thread *thread, struct data_gathering *gathering,
                   enum sluice_status status, struct sluice_error *error);

/* --- data_replay.c --- */

/* Those that run; once the files are open. */
enum sluice_status replays_read(struct data_thread *thread, struct sluice_error *error);
void replays_free(struct data_thread *thread);
void replay_ordered(struct data_thread *thread, const struct data_replay_order *order);
void replay_progressed(struct data_thread *thread, const struct data_replay_progress *progress);
/* Sends the pages that are wanted. */
enum sluice_status replays_send(struct data_thread *thread, struct sluice_error *error);

/* --- data_upkeep.c --- */

/* Reads what archives keep; once the files are open. */
enum sluice_status upkeep_read(struct data_thread *thread, struct sluice_error *error);
void upkeep_told(struct data_thread *thread, const struct data_archives *archives);
/* Trims archives and forgets keys, a little at a time, when it is time for that. */
enum sluice_status upkeep(struct data_thread *thread, int64_t now_ms, struct sluice_error *error);

#endif
