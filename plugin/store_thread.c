/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "store_thread.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "control/request.h"
#include "control/session.h"
#include "control/taps.h"
#include "drain.h"
#include "plugin.h"

enum { POLL_INTERVAL_MS = 200, OPEN_INTERVAL_MS = 1000, FULL_WAIT_MS = 1 };

/* --- to the broker's thread --- */

void store_thread_emit(struct store_thread *thread, struct message *message)
{
	struct plugin *plugin = thread->plugin;
	if (!thread->running) {
		drain_apply(plugin, message);
		return;
	}
	while (!ring_push(&plugin->to_broker, message)) {
		/* The broker's thread drains it at each of its ticks. When it is about to end it
		 * drains what there is after this thread has ended: then this message is the first
		 * of those left over, and no rule may be lost on the way to be freed. */
		if (atomic_load_explicit(&thread->stop, memory_order_relaxed)) {
			drain_keep(plugin, message);
			return;
		}
		nanosleep(&(struct timespec){ .tv_nsec = FULL_WAIT_MS * 1000000L }, NULL);
	}
}

void store_thread_say(struct store_thread *thread, int level, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	struct log_message *message = malloc(sizeof *message + strlen(text) + 1);
	if (!message)
		return;
	message->message.kind = MESSAGE_LOG;
	message->level = level;
	memcpy(message->text, text, strlen(text) + 1);
	store_thread_emit(thread, &message->message);
}

/* --- following the store --- */

static void emit(void *arg, struct message *message)
{
	struct store_thread *thread = arg;
	if (message->kind == MESSAGE_CHANGE_RULE) {
		const struct change_rule_message *change = (struct change_rule_message *)message;
		schedules_change(thread, change->old, change->now);
	}
	store_thread_emit(thread, message);
}

static void report(void *arg, enum sluice_store_kind kind, struct sluice_str name, int64_t revision,
                   const struct sluice_error *fault)
{
	struct store_thread *thread = arg;
	if (fault) {
		char text[640];
		sluice_error_format(fault, NULL, text, sizeof text);
		store_thread_say(thread, MOSQ_LOG_ERR,
		                 "%s %.*s, revision %lld, is not in force: %s",
		                 sluice_store_noun(kind), (int)name.len, name.data,
		                 (long long)revision, text);
	}
	sluice_store_report(thread->store, kind, name, revision, fault);
}

static void changed(void *arg, enum sluice_store_kind kind, const struct sluice_store_row *row)
{
	struct store_thread *thread = arg;
	struct registry_sink sink = { emit, report, thread };
	registry_change(&thread->registry, kind, row, &sink);
}

/* Says so in the log and in $SYS when the store's state changes. */
static void note_state(struct store_thread *thread, enum sluice_status status,
                       const struct sluice_error *error)
{
	struct metrics *metrics = &thread->plugin->metrics;
	enum sluice_status before = (enum sluice_status)counter_get(&metrics->store_state);
	counter_set(&metrics->store_state, (uint64_t)status);
	counter_set(&metrics->rules, thread->registry.in_force);
	counter_set(&metrics->buses, thread->registry.defined_counts[SLUICE_STORE_BUS]);
	counter_set(&metrics->queues, thread->registry.defined_counts[SLUICE_STORE_QUEUE]);
	counter_set(&metrics->rule_errors,
	            thread->registry.faults + thread->registry.bridged.faults);
	bool starting = !thread->running && !thread->plugin->options.continue_on_bad_store;
	if (status == before || starting)
		return;
	if (status == SLUICE_OK)
		store_thread_say(thread, MOSQ_LOG_NOTICE, "the store can be read again");
	else
		store_thread_say(thread, MOSQ_LOG_ERR,
		                 "the store can't be read; going on with %zu rules as they are: %s",
		                 thread->registry.in_force, error->message);
}

/* A file that can only be read is a bad store, but one whose rules can be followed. */
static enum sluice_status open_store(struct store_thread *thread, struct sluice_error *error)
{
	const char *path = thread->plugin->options.db_file;
	enum sluice_status status =
	        sluice_store_open(path, SLUICE_STORE_CREATE, &thread->store, error);
	if (status != SLUICE_ERR_READ_ONLY || !thread->plugin->options.continue_on_bad_store)
		return status;
	status = sluice_store_open(path, SLUICE_STORE_READ_ONLY, &thread->store, error);
	if (status == SLUICE_OK)
		store_thread_say(thread, MOSQ_LOG_WARNING,
		                 "%s can only be read: its rules are in force, and can't be "
		                 "changed by commands",
		                 path);
	return status;
}

enum sluice_status store_thread_follow(struct store_thread *thread, struct sluice_error *error)
{
	enum sluice_status status = SLUICE_OK;
	int64_t now_ms = clock_monotonic_ms();
	if (!thread->store) {
		if (now_ms < thread->next_open_ms)
			return sluice_error_set(error, SLUICE_ERR_IO, SIZE_MAX, NULL,
			                        "the store can't be opened");
		thread->next_open_ms = now_ms + OPEN_INTERVAL_MS;
		status = open_store(thread, error);
	}
	if (status == SLUICE_OK)
		status = sluice_store_poll(thread->store, changed, thread, error);
	thread->next_poll_ms = clock_monotonic_ms() + POLL_INTERVAL_MS;
	note_state(thread, status, error);
	return status;
}

bool store_thread_data(struct store_thread *thread, struct sluice_error *error)
{
	return thread->data ||
	       sluice_data_open(thread->plugin->options.data_file, SLUICE_DATA_READ_ONLY,
	                        &thread->data, error) == SLUICE_OK;
}

/* --- the thread --- */

static void free_garbage(struct store_thread *thread, struct garbage *garbage)
{
	while (garbage) {
		struct garbage *next = garbage->next;
		if (garbage->kind == GARBAGE_TAP) {
			control_tap_free(thread, (struct tap *)garbage);
		} else if (garbage->kind == GARBAGE_ASKER) {
			struct asker *asker = (struct asker *)garbage;
			sessions_end_of(thread, asker->serial);
			free(asker->client_id);
			free(asker);
		} else {
			registry_free(&thread->registry, garbage);
		}
		garbage = next;
	}
}

static void take(struct store_thread *thread, struct message *message)
{
	switch (message->kind) {
	case MESSAGE_REQUEST:
		request_run(thread, (struct request_message *)message);
		break;
	case MESSAGE_TAPPED:
		control_tapped(thread, (struct tapped_message *)message);
		break;
	case MESSAGE_GARBAGE:
		free_garbage(thread, ((struct garbage_message *)message)->first);
		break;
	default:
		break;
	}
	free(message);
}

static void *run(void *arg)
{
	struct store_thread *thread = arg;
	while (!atomic_load_explicit(&thread->stop, memory_order_acquire)) {
		struct message *message = ring_pop(&thread->plugin->to_store);
		if (message)
			take(thread, message);
		int64_t now_ms = clock_monotonic_ms();
		if (now_ms >= thread->next_poll_ms) {
			struct sluice_error error;
			store_thread_follow(thread, &error);
			sessions_expire(thread, now_ms);
			bridge_reports_expire(&thread->bridges, now_ms);
			schedules_run(thread, 0);
		} else if (!message) {
			struct pollfd wake = { .fd = thread->wake_fd, .events = POLLIN };
			uint64_t count;
			int64_t rest_ms = schedules_run(thread, thread->next_poll_ms - now_ms);
			if (poll(&wake, 1, (int)(rest_ms > 0 ? rest_ms : 0)) > 0 &&
			    read(thread->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
				nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000000L }, NULL);
		}
	}
	return NULL;
}

static void wake(struct store_thread *thread)
{
	const uint64_t one = 1;
	/* It can fail only when the count is full: then the thread is awake. */
	ssize_t written = write(thread->wake_fd, &one, sizeof one);
	(void)written;
}

bool store_thread_send(struct plugin *plugin, struct message *message)
{
	if (!ring_push(&plugin->to_store, message))
		return false;
	wake(plugin->store);
	return true;
}

/* --- life --- */

enum sluice_status store_thread_create(struct plugin *plugin, struct store_thread **result,
                                       struct sluice_error *error)
{
	struct store_thread *thread = calloc(1, sizeof *thread);
	*result = NULL;
	if (!thread)
		return sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL, "out of memory");
	thread->plugin = plugin;
	atomic_init(&thread->stop, false);
	thread->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (thread->wake_fd < 0 || !registry_init(&thread->registry)) {
		store_thread_destroy(thread, NULL);
		return sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL, "%s",
		                        strerror(errno));
	}
	enum sluice_status status = store_thread_follow(thread, error);
	if (status != SLUICE_OK && !plugin->options.continue_on_bad_store) {
		store_thread_destroy(thread, NULL);
		return status;
	}
	*result = thread;
	return SLUICE_OK;
}

bool store_thread_start(struct store_thread *thread)
{
	/* Signals are the broker's: its own thread takes them. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	thread->running = true;
	int result = pthread_create(&thread->thread, NULL, run, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	thread->running = result == 0;
	return thread->running;
}

void store_thread_stop(struct store_thread *thread)
{
	if (!thread->running)
		return;
	atomic_store_explicit(&thread->stop, true, memory_order_release);
	wake(thread);
	pthread_join(thread->thread, NULL);
	thread->running = false;
}

void store_thread_destroy(struct store_thread *thread, struct garbage *garbage)
{
	if (!thread)
		return;
	free_garbage(thread, garbage);
	sessions_finish(thread);
	bridge_reports_finish(&thread->bridges);
	while (thread->taps)
		control_tap_free(thread, thread->taps);
	schedules_finish(&thread->schedules);
	registry_finish(&thread->registry);
	sluice_store_close(thread->store);
	sluice_data_close(thread->data);
	if (thread->wake_fd >= 0)
		close(thread->wake_fd);
	free(thread);
}
