/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "data_thread_internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <mosquitto.h>

#include "clock.h"
#include "queue/queue.h"
#include "sluice_store/data.h"

enum {
	TO_DATA = 4096,
	FROM_DATA = 1024,
	BATCH_BYTES = 8 * 1024 * 1024, /* of the journal in one transaction */
	PREPARE_BYTES = 256 * 1024,    /* of the journal, between two looks at its segments */
	/* After the first frame, so long for others: what comes and goes meanwhile never touches
	 * SQLite. */
	NAP_MS = 5,
	IDLE_MS = 200,
	RETRY_MS = 1000,
	DUE_ROWS = 256,
	SEEN_BYTES = 256 * 1024,
	FULL_WAIT_MS = 1,
	ROWS_BYTES = 4096, /* of a message of rows, at first */
};

/* --- to the broker's thread --- */

void data_thread_emit(struct data_thread *thread, struct data_message *message)
{
	if (!thread->running) {
		thread->take(thread->arg, message);
		return;
	}
	while (!ring_push(&thread->from_data, message)) {
		if (atomic_load_explicit(&thread->stop, memory_order_relaxed)) {
			free(message); /* the disk has all of it */
			return;
		}
		nanosleep(&(struct timespec){ .tv_nsec = FULL_WAIT_MS * 1000000L }, NULL);
	}
}

void data_thread_say(struct data_thread *thread, int level, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	struct data_said *said = malloc(sizeof *said + strlen(text) + 1);
	if (!said)
		return;
	said->message.kind = DATA_SAID;
	said->level = level;
	memcpy(said->text, text, strlen(text) + 1);
	data_thread_emit(thread, &said->message);
}

/* Says so when the state of the files changes. */
void data_thread_note(struct data_thread *thread, enum sluice_status status,
                      const struct sluice_error *error)
{
	enum sluice_status before = (enum sluice_status)counter_get(&thread->numbers->state);
	bool refuses = thread->open && sluice_journal_refuses(thread->journal);
	counter_set(&thread->numbers->state, (uint64_t)status);
	if (status != SLUICE_OK)
		thread->retry_ms = clock_monotonic_ms() + RETRY_MS;
	if (status == before && (status == SLUICE_OK || refuses == thread->refuses))
		return;
	thread->refuses = refuses;
	if (status == SLUICE_OK)
		data_thread_say(thread, MOSQ_LOG_NOTICE, "the durable state can be written again");
	else if (!thread->open)
		data_thread_say(
		        thread, MOSQ_LOG_ERR,
		        "the durable state can't be opened, and what is for a queue is refused: %s",
		        error->message);
	else if (refuses)
		data_thread_say(
		        thread, MOSQ_LOG_ERR,
		        "the journal can't be written, and what is for a queue is refused: %s",
		        error->message);
	else
		data_thread_say(thread, MOSQ_LOG_ERR,
		                "the durable state can't be written; the journal keeps what comes "
		                "while it has "
		                "room: %s",
		                error->message);
}

/* --- carrying over --- */

static enum sluice_status carry_frame(struct data_thread *thread,
                                      const struct sluice_journal_frame *frame,
                                      struct sluice_error *error)
{
	size_t offset = 0;
	while (offset < frame->len) {
		struct sluice_record record;
		enum sluice_status status =
		        sluice_record_read(frame->data, frame->len, &offset, &record, error);
		if (status == SLUICE_OK)
			status = sluice_data_apply(thread->data, &record, error);
		if (status != SLUICE_OK)
			return status;
		uint64_t id = record.new_id > record.id ? record.new_id : record.id;
		if (id > thread->carried_to)
			thread->carried_to = id;
	}
	return SLUICE_OK;
}

/* Frames of one transaction, up to `end` or the batch's size. */
static enum sluice_status carry_frames(struct data_thread *thread, uint64_t end, uint64_t *position,
                                       struct sluice_error *error)
{
	struct sluice_journal_frame frame;
	uint64_t begun = *position, prepared = *position;
	while (*position < end && *position - begun < BATCH_BYTES) {
		uint64_t there = sluice_journal_end(thread->journal);
		if (!sluice_journal_next(thread->journal, &frame)) {
			/* Past what can't be read there may be nothing: it is not looked for again. */
			thread->looked_to = there;
			return SLUICE_OK;
		}
		enum sluice_status status = carry_frame(thread, &frame, error);
		if (status != SLUICE_OK)
			return status;
		*position = frame.position;
		/* A batch takes its time, and they write on: what fails is told by the next one. */
		if (*position - prepared >= PREPARE_BYTES) {
			sluice_journal_prepare(thread->journal, NULL);
			prepared = *position;
		}
	}
	return SLUICE_OK;
}

/*
 * Carries frames over, in one transaction, up to `end` or the batch's size. *any says whether there
 * were any. After an error the journal still has them.
 */
static enum sluice_status carry(struct data_thread *thread, uint64_t end, bool *any,
                                struct sluice_error *error)
{
	uint64_t begun = sluice_data_position(thread->data);
	uint64_t position = begun;
	*any = false;
	if (begun >= end || sluice_journal_end(thread->journal) <= thread->looked_to)
		return SLUICE_OK;
	enum sluice_status status = sluice_data_begin(thread->data, error);
	if (status != SLUICE_OK)
		return status;
	status = carry_frames(thread, end, &position, error);
	if (status == SLUICE_OK)
		status = sluice_data_commit(thread->data, position, error);
	if (status != SLUICE_OK) {
		sluice_data_cancel(
		        thread->data); /* a record that can't be read is its reader's error */
		thread->looked_to = 0;
		sluice_journal_seek(thread->journal, sluice_data_position(thread->data));
		return status;
	}
	counter_add(&thread->numbers->batches, 1);
	sluice_journal_release(thread->journal, position);
	*any = position > begun;
	return SLUICE_OK;
}

/* Everything that stands in the journal now. */
enum sluice_status data_thread_carry(struct data_thread *thread, struct sluice_error *error)
{
	uint64_t end = sluice_journal_end(thread->journal);
	enum sluice_status status;
	bool any;
	do {
		status = carry(thread, end, &any, error);
	} while (status == SLUICE_OK && any);
	return status;
}

/* --- rows --- */

bool data_gather(void *arg, const struct sluice_record *record)
{
	struct data_gathering *gathering = arg;
	struct data_rows *rows = gathering->rows;
	size_t size = sluice_record_size(record);
	if (rows->len + size > gathering->capacity) {
		size_t capacity = (rows->len + size) * 2;
		rows = realloc(rows, sizeof *rows + capacity);
		if (!rows) {
			gathering->no_memory = true;
			return false;
		}
		gathering->rows = rows;
		gathering->capacity = capacity;
	}
	sluice_record_write(record, rows->records + rows->len);
	rows->len += size;
	gathering->count++;
	return true;
}

bool data_begin_rows(struct data_gathering *gathering, enum data_rows_kind kind, const char *queue)
{
	*gathering = (struct data_gathering){ .capacity = ROWS_BYTES };
	gathering->rows = calloc(1, sizeof *gathering->rows + gathering->capacity);
	if (!gathering->rows)
		return false;
	gathering->rows->message.kind = DATA_ROWS;
	gathering->rows->kind = kind;
	snprintf(gathering->rows->queue, sizeof gathering->rows->queue, "%s", queue);
	return true;
}

void data_end_rows(struct data_thread *thread, struct data_gathering *gathering,
                   enum sluice_status status, struct sluice_error *error)
{
	if (gathering->no_memory)
		status = sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL, "out of memory");
	gathering->rows->done = status == SLUICE_OK;
	gathering->rows->carried_to = thread->carried_to;
	data_thread_note(thread, status, error);
	data_thread_emit(thread, &gathering->rows->message);
}

/* The groups that stand still. */
static enum sluice_status tell_dead(struct data_thread *thread, const struct data_request *request,
                                    struct sluice_error *error)
{
	struct data_gathering gathering;
	if (request->dead_letter[0] == '\0')
		return SLUICE_OK;
	if (!data_begin_rows(&gathering, ROWS_DEAD, request->queue))
		return sluice_out_of_memory(error);
	enum sluice_status status =
	        sluice_data_dead_groups(thread->data, sluice_str(request->dead_letter),
	                                sluice_str(request->queue), data_gather, &gathering, error);
	data_end_rows(thread, &gathering, status, error);
	return status;
}

static void attach(struct data_thread *thread, const struct data_request *request)
{
	struct data_gathering gathering;
	struct sluice_data_counts counts = { 0 };
	struct sluice_error error;
	const struct sluice_str queue = sluice_str(request->queue);
	if (!data_begin_rows(&gathering, ROWS_ATTACHED, request->queue))
		return;
	enum sluice_status status = data_thread_carry(thread, &error);
	if (status == SLUICE_OK)
		status = tell_dead(thread, request, &error);
	if (status == SLUICE_OK)
		status = sluice_data_count(thread->data, queue, &counts, &error);
	if (status == SLUICE_OK)
		status = sluice_data_held(thread->data, queue, data_gather, &gathering, &error);
	gathering.rows->ready = counts.ready;
	gathering.rows->parked = counts.parked;
	gathering.rows->bytes = counts.bytes;
	data_end_rows(thread, &gathering, status, &error);
}

static void load(struct data_thread *thread, const struct data_request *request)
{
	struct data_gathering gathering;
	struct sluice_error error;
	if (!data_begin_rows(&gathering, ROWS_LOADED, request->queue))
		return;
	enum sluice_status status = data_thread_carry(thread, &error);
	if (status == SLUICE_OK)
		status = sluice_data_ready(thread->data, sluice_str(request->queue), request->after,
		                           QUEUE_LOAD, QUEUE_LOAD_BYTES, data_gather, &gathering,
		                           &error);
	/* Fewer than asked for, in number and in bytes, so that there are no more. */
	gathering.rows->complete =
	        gathering.count < QUEUE_LOAD && gathering.rows->len < QUEUE_LOAD_BYTES;
	data_end_rows(thread, &gathering, status, &error);
}

/* Hands in parked messages whose time has come. */
static void due(struct data_thread *thread)
{
	struct data_gathering gathering;
	struct sluice_error error;
	int64_t now_ms = clock_real_ms();
	if (sluice_data_next_due(thread->data) > now_ms ||
	    !data_begin_rows(&gathering, ROWS_DUE, ""))
		return;
	enum sluice_status status =
	        sluice_data_due(thread->data, now_ms, DUE_ROWS, data_gather, &gathering, &error);
	if (gathering.no_memory) {
		/* They are not parked any more: a broker that starts anew finds them. */
		data_thread_say(thread, MOSQ_LOG_ERR,
		                "out of memory: delayed messages wait for a restart");
	}
	if (gathering.count == 0) {
		free(gathering.rows);
		data_thread_note(thread, status, &error);
		return;
	}
	data_end_rows(thread, &gathering, status, &error);
}

/* --- opening --- */

static void damaged(void *arg, const char *message, const char *kept)
{
	if (kept)
		data_thread_say(arg, MOSQ_LOG_ERR,
		                "the journal is damaged: %s; what could not be read is kept in %s",
		                message, kept);
	else
		data_thread_say(arg, MOSQ_LOG_ERR, "the journal is damaged: %s", message);
}

/* In messages of some size: there may be a million. */
struct telling {
	struct data_thread *thread;
	struct data_gathering gathering;
};

static bool gather_seen(void *arg, const struct sluice_record *record)
{
	struct telling *telling = arg;
	if (!data_gather(&telling->gathering, record))
		return false;
	if (telling->gathering.rows->len < SEEN_BYTES)
		return true;
	telling->gathering.rows->done = true;
	data_thread_emit(telling->thread, &telling->gathering.rows->message);
	telling->gathering.no_memory = !data_begin_rows(&telling->gathering, ROWS_SEEN, "");
	return !telling->gathering.no_memory;
}

static enum sluice_status tell_seen(struct data_thread *thread, struct sluice_error *error)
{
	struct telling telling = { .thread = thread };
	if (!data_begin_rows(&telling.gathering, ROWS_SEEN, ""))
		return sluice_out_of_memory(error);
	enum sluice_status status =
	        sluice_data_seen(thread->data, clock_real_ms(), gather_seen, &telling, error);
	if (telling.gathering.no_memory)
		status = sluice_out_of_memory(error);
	if (telling.gathering.rows) {
		telling.gathering.rows->done = status == SLUICE_OK;
		data_thread_emit(thread, &telling.gathering.rows->message);
	}
	return status;
}

static enum sluice_status opened(struct data_thread *thread, struct sluice_error *error)
{
	struct data_opened *opened = malloc(sizeof *opened);
	if (!opened)
		return sluice_out_of_memory(error);
	thread->carried_to = sluice_data_last_id(thread->data, error);
	enum sluice_status status = tell_seen(thread, error);
	if (status == SLUICE_OK)
		status = upkeep_read(thread, error);
	if (status == SLUICE_OK)
		status = replays_read(thread, error);
	if (status != SLUICE_OK) {
		free(opened);
		return status;
	}
	*opened = (struct data_opened){ { DATA_OPENED }, thread->journal, thread->carried_to };
	thread->open = true;
	data_thread_emit(thread, &opened->message);
	return SLUICE_OK;
}

static enum sluice_status open_both(struct data_thread *thread, struct sluice_error *error)
{
	const struct options *options = thread->options;
	unsigned flags = options->durability == SLUICE_DURABLE_PROCESS ? 0 : SLUICE_DATA_FULL_SYNC;
	enum sluice_status status =
	        sluice_data_open(options->data_file, flags, &thread->data, error);
	if (status != SLUICE_OK)
		return status;
	const struct sluice_journal_options journal = {
		.dir = options->journal_dir,
		.max_bytes = (uint64_t)options->journal_max,
		.durability = options->durability,
		.position = sluice_data_position(thread->data),
		.kept_bytes = (size_t)options->journal_max / 8,
	};
	status = sluice_journal_open(&journal, damaged, thread, &thread->journal, error);
	if (status != SLUICE_OK)
		return status;
	sluice_journal_seek(thread->journal, sluice_data_position(thread->data));
	status = data_thread_carry(thread, error);
	if (status == SLUICE_OK)
		status = opened(thread, error);
	return status;
}

/* All or nothing: what was opened is closed again. */
static enum sluice_status open_files(struct data_thread *thread, struct sluice_error *error)
{
	enum sluice_status status = open_both(thread, error);
	if (status != SLUICE_OK) {
		sluice_journal_close(thread->journal);
		sluice_data_close(thread->data);
		thread->journal = NULL;
		thread->data = NULL;
	}
	return status;
}

/* --- the thread --- */

static void update_numbers(struct data_thread *thread)
{
	counter_set(&thread->numbers->journal_lag, sluice_journal_lag_bytes(thread->journal));
	counter_set(&thread->numbers->journal_bytes, sluice_journal_disk_bytes(thread->journal));
	counter_set(&thread->numbers->data_bytes, sluice_data_bytes(thread->data));
}

static void answer(struct data_thread *thread, struct data_message *message)
{
	if (message->kind == DATA_ATTACH)
		attach(thread, (struct data_request *)message);
	else if (message->kind == DATA_LOAD)
		load(thread, (struct data_request *)message);
	else if (message->kind == DATA_ARCHIVES)
		upkeep_told(thread, (const struct data_archives *)message);
	else if (message->kind == DATA_REPLAY_ORDER)
		replay_ordered(thread, (const struct data_replay_order *)message);
	else if (message->kind == DATA_REPLAY_PROGRESS)
		replay_progressed(thread, (const struct data_replay_progress *)message);
	free(message);
}

/* When the thread is stopped: what was said of replays still counts. */
static void last_word(struct data_thread *thread, struct data_message *message)
{
	bool replay = message->kind == DATA_REPLAY_ORDER || message->kind == DATA_REPLAY_PROGRESS;
	if (replay && thread->open)
		answer(thread, message);
	else
		free(message);
}

/* Rests until it is woken or the time is over. */
static void rest(struct data_thread *thread, enum rest how, int64_t ms)
{
	struct pollfd wake = { .fd = thread->wake_fd, .events = POLLIN };
	uint64_t count;
	if (ms <= 0)
		return;
	/* Changes of one atomic have one order. If theirs (rests()) is before this one, this one sees what
	 * they wrote before it; else theirs sees that it rests. */
	atomic_exchange_explicit(&thread->rest, how, memory_order_acq_rel);
	bool nothing = ring_empty(&thread->to_data) && !atomic_load(&thread->stop);
	if (nothing && how == ASLEEP)
		nothing = sluice_journal_end(thread->journal) <= thread->looked_to ||
		          clock_monotonic_ms() < thread->retry_ms;
	if (nothing && poll(&wake, 1, (int)ms) > 0 &&
	    read(thread->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
		nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000000L }, NULL);
	atomic_store_explicit(&thread->rest, AWAKE, memory_order_release);
}

static void sync_journal(struct data_thread *thread, int64_t now_ms)
{
	struct sluice_error error;
	if (thread->options->durability != SLUICE_DURABLE_BATCH || now_ms < thread->next_sync_ms)
		return;
	thread->next_sync_ms = now_ms + thread->options->sync_ms;
	enum sluice_status status = sluice_journal_sync(thread->journal, &error);
	if (status != SLUICE_OK)
		data_thread_note(thread, status, &error);
}

static int64_t rest_ms(const struct data_thread *thread, int64_t now_ms)
{
	int64_t ms = IDLE_MS;
	int64_t due_ms = sluice_data_next_due(thread->data);
	if (due_ms != INT64_MAX && due_ms - clock_real_ms() < ms)
		ms = due_ms - clock_real_ms();
	if (thread->options->durability == SLUICE_DURABLE_BATCH &&
	    thread->next_sync_ms - now_ms < ms)
		ms = thread->next_sync_ms - now_ms;
	if (thread->next_upkeep_ms - now_ms < ms)
		ms = thread->next_upkeep_ms - now_ms;
	return ms > 0 ? ms : 1;
}

/* What fails is not tried again at once: on a full disk each attempt writes as far as it gets. */
static enum sluice_status prepare(struct data_thread *thread, int64_t now_ms,
                                  struct sluice_error *error)
{
	if (now_ms < thread->prepare_again_ms)
		return SLUICE_OK;
	enum sluice_status status = sluice_journal_prepare(thread->journal, error);
	if (status != SLUICE_OK)
		thread->prepare_again_ms = now_ms + RETRY_MS;
	return status;
}

static void work(struct data_thread *thread)
{
	struct sluice_error error, other;
	int64_t now_ms = clock_monotonic_ms();
	enum sluice_status status = prepare(thread, now_ms, &error);
	bool any = false;
	sync_journal(thread, now_ms);
	struct data_message *message = ring_pop(&thread->to_data);
	if (message)
		answer(thread, message);
	if (now_ms >= thread->retry_ms) {
		/* Where there is no room for a segment there may be some in the data file, and what is
		 * carried over frees a segment. */
		enum sluice_status carried = carry(thread, UINT64_MAX, &any, &other);
		if (carried == SLUICE_OK)
			due(thread);
		if (carried == SLUICE_OK)
			carried = upkeep(thread, now_ms, &other);
		if (carried == SLUICE_OK)
			carried = replays_send(thread, &other);
		/* What the journal takes then may get nowhere: not to be promised. */
		if (carried != SLUICE_OK &&
		    sluice_journal_check(thread->journal, &error) != SLUICE_OK) {
			carried = SLUICE_ERR_IO;
			other = error;
		}
		data_thread_note(thread, carried != SLUICE_OK ? carried : status,
		                 carried != SLUICE_OK ? &other : &error);
	}
	update_numbers(thread);
	if (!message)
		rest(thread, any ? NAPPING : ASLEEP, any ? NAP_MS : rest_ms(thread, now_ms));
}

static void *run(void *arg)
{
	struct data_thread *thread = arg;
	struct sluice_error error;
	while (!atomic_load_explicit(&thread->stop, memory_order_acquire)) {
		if (thread->open) {
			work(thread);
			continue;
		}
		enum sluice_status status = open_files(thread, &error);
		data_thread_note(thread, status, &error);
		for (int i = 0; i < RETRY_MS && status != SLUICE_OK &&
		                !atomic_load_explicit(&thread->stop, memory_order_acquire);
		     i += 10)
			nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000000L }, NULL);
	}
	return NULL;
}

static void wake(struct data_thread *thread)
{
	const uint64_t one = 1;
	/* It can fail only when the count is full: then the thread is awake. */
	ssize_t written = write(thread->wake_fd, &one, sizeof one);
	(void)written;
}

/* After something was written for it; see rest(). */
static enum rest rests(struct data_thread *thread)
{
	return (enum rest)atomic_fetch_or_explicit(&thread->rest, 0, memory_order_acq_rel);
}

bool data_thread_send(struct data_thread *thread, struct data_message *message)
{
	if (!thread->running) {
		if (thread->open)
			answer(thread, message);
		return thread->open;
	}
	if (!ring_push(&thread->to_data, message))
		return false;
	if (rests(thread) != AWAKE)
		wake(thread);
	return true;
}

bool data_thread_ask(struct data_thread *thread, const struct data_request *wanted)
{
	struct data_request *request = malloc(sizeof *request);
	if (!request)
		return false;
	*request = *wanted;
	if (data_thread_send(thread, &request->message))
		return true;
	free(request);
	return false;
}

void data_thread_written(struct data_thread *thread)
{
	if (thread->running && rests(thread) == ASLEEP)
		wake(thread);
}

struct data_message *data_thread_receive(struct data_thread *thread)
{
	return ring_pop(&thread->from_data);
}

/* --- life --- */

struct data_thread *data_thread_create(const struct options *options, struct data_numbers *numbers,
                                       data_take_fn take, void *arg)
{
	struct data_thread *thread = calloc(1, sizeof *thread);
	if (!thread)
		return NULL;
	thread->options = options;
	thread->numbers = numbers;
	thread->take = take;
	thread->arg = arg;
	thread->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	atomic_init(&thread->stop, false);
	atomic_init(&thread->rest, AWAKE);
	if (thread->wake_fd < 0 || !ring_init(&thread->to_data, TO_DATA) ||
	    !ring_init(&thread->from_data, FROM_DATA)) {
		data_thread_destroy(thread);
		return NULL;
	}
	return thread;
}

enum sluice_status data_thread_open(struct data_thread *thread, struct sluice_error *error)
{
	enum sluice_status status = open_files(thread, error);
	/* Else the caller says so, when it refuses to start. */
	if (thread->options->continue_on_bad_store)
		data_thread_note(thread, status, error);
	return status;
}

bool data_thread_start(struct data_thread *thread)
{
	/* Signals are the broker's: its own thread takes them. */
	sigset_t all, before;
	sigfillset(&all);
	sigdelset(&all, SIGBUS); /* the journal's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	thread->running = true;
	int result = pthread_create(&thread->thread, NULL, run, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (result != 0)
		thread->running = false; /* else it looks at it already */
	return result == 0;
}

void data_thread_destroy(struct data_thread *thread)
{
	struct sluice_error error;
	void *message;
	if (!thread)
		return;
	if (thread->running) {
		atomic_store_explicit(&thread->stop, true, memory_order_release);
		wake(thread);
		pthread_join(thread->thread, NULL);
		if (thread->open)
			data_thread_carry(thread, &error); /* else the next start does */
	}
	while (thread->to_data.slots && (message = ring_pop(&thread->to_data)))
		last_word(thread, message);
	while (thread->from_data.slots && (message = ring_pop(&thread->from_data)))
		free(message);
	sluice_journal_close(thread->journal);
	sluice_data_close(thread->data);
	ring_finish(&thread->to_data);
	ring_finish(&thread->from_data);
	free(thread->retentions);
	replays_free(thread);
	if (thread->wake_fd >= 0)
		close(thread->wake_fd);
	free(thread);
}
