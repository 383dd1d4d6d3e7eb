/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Replays on the data thread: where each stands, and the pages of the archive that it is to route. Two
 * are on their way at once, so that the broker's thread need not wait for the next. */
#include <stdio.h>
#include <stdlib.h>

#include <mosquitto.h>

#include "clock.h"
#include "data_thread_internal.h"

enum { PAGE_ROWS = 512, PAGE_BYTES = 512 * 1024, PAGES = 2 };

/* One that runs. */
struct data_replay {
	struct data_replay *next;
	char name[SLUICE_NAME_MAX + 1];
	char bus[SLUICE_NAME_MAX + 1];
	int64_t from_ms, to_ms;
	uint64_t end_id;
	uint64_t read_to;   /* the last event that was sent */
	unsigned under_way; /* pages that were not used up yet */
	bool all_sent;
};

static struct data_replay **find(struct data_thread *thread, const char *name)
{
	struct data_replay **link = &thread->replays;
	while (*link && strcmp((*link)->name, name) != 0)
		link = &(*link)->next;
	return link;
}

static void remove_replay(struct data_thread *thread, const char *name)
{
	struct data_replay **link = find(thread, name);
	struct data_replay *replay = *link;
	if (!replay)
		return;
	*link = replay->next;
	free(replay);
}

void replays_free(struct data_thread *thread)
{
	while (thread->replays)
		remove_replay(thread, thread->replays->name);
}

/* --- beginning --- */

static void copy_name(char to[SLUICE_NAME_MAX + 1], struct sluice_str name)
{
	snprintf(to, SLUICE_NAME_MAX + 1, "%.*s", (int)name.len, name.data ? name.data : "");
}

/* A copy behind `*at`, which moves on; NULL when absent. */
static const char *copy_text(char **at, struct sluice_str text)
{
	char *copy = *at;
	if (!text.data)
		return NULL;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	*at += text.len + 1;
	return copy;
}

static bool begin(struct data_thread *thread, const struct sluice_replay *row)
{
	struct data_replay *replay = calloc(1, sizeof *replay);
	struct data_replay_begun *begun =
	        calloc(1, sizeof *begun + row->rules.len + row->topic.len + 2);
	if (!replay || !begun) {
		free(replay);
		free(begun);
		return false;
	}
	copy_name(replay->name, row->name);
	copy_name(replay->bus, row->bus);
	replay->from_ms = row->from_ms;
	replay->to_ms = row->to_ms;
	replay->end_id = row->end_id;
	replay->read_to = row->position;
	remove_replay(thread, replay->name);
	replay->next = thread->replays;
	thread->replays = replay;

	char *at = begun->texts;
	begun->message.kind = DATA_REPLAY_BEGUN;
	copy_name(begun->name, row->name);
	copy_name(begun->bus, row->bus);
	begun->speed_milli = row->speed_milli;
	begun->position = row->position;
	begun->done = row->done;
	begun->matched = row->matched;
	begun->rules = copy_text(&at, row->rules);
	begun->topic = copy_text(&at, row->topic);
	data_thread_emit(thread, &begun->message);
	return true;
}

struct beginning {
	struct data_thread *thread;
	bool no_memory;
};

static bool begin_row(void *arg, const struct sluice_replay *row)
{
	struct beginning *beginning = arg;
	if (row->state == SLUICE_REPLAY_RUNNING)
		beginning->no_memory = !begin(beginning->thread, row);
	return !beginning->no_memory;
}

/* Those that run, or the one of that name. */
static enum sluice_status begin_all(struct data_thread *thread, struct sluice_str name,
                                    struct sluice_error *error)
{
	struct beginning beginning = { .thread = thread };
	enum sluice_status status =
	        sluice_replay_each(thread->data, name, begin_row, &beginning, error);
	return beginning.no_memory ? sluice_out_of_memory(error) : status;
}

enum sluice_status replays_read(struct data_thread *thread, struct sluice_error *error)
{
	return begin_all(thread, (struct sluice_str){ 0 }, error);
}

/* --- orders --- */

static enum sluice_status start(struct data_thread *thread, const struct data_replay_order *order,
                                struct sluice_error *error)
{
	const struct sluice_replay replay = {
		.name = sluice_str(order->name),
		.bus = sluice_str(order->bus),
		.from_ms = order->from_ms,
		.to_ms = order->to_ms,
		.rules = sluice_str(order->rules),
		.topic = sluice_str(order->topic),
		.speed_milli = order->speed_milli,
		.started_ms = order->started_ms,
	};
	/* So that what came before it was asked for belongs to it. */
	enum sluice_status status = data_thread_carry(thread, error);
	if (status == SLUICE_OK)
		status = sluice_replay_start(thread->data, &replay, error);
	return status == SLUICE_OK ? begin_all(thread, replay.name, error) : status;
}

/* Numbers of a row, without its texts. */
static bool copy_row(void *arg, const struct sluice_replay *row)
{
	struct sluice_replay *copy = arg;
	struct sluice_str name = copy->name;
	*copy = *row;
	copy->name = name;
	return false;
}

static enum sluice_status change_state(struct data_thread *thread, const char *name,
                                       enum sluice_replay_state state, struct sluice_error *error)
{
	struct sluice_replay row = { .name = sluice_str(name) };
	enum sluice_status status =
	        sluice_replay_each(thread->data, row.name, copy_row, &row, error);
	if (status != SLUICE_OK || row.ended_ms != 0 || row.state == state)
		return status; /* it ended meanwhile, or nothing changes */
	row.state = state;
	if (state == SLUICE_REPLAY_CANCELLED)
		row.ended_ms = clock_real_ms();
	status = sluice_replay_update(thread->data, &row, error);
	if (status != SLUICE_OK)
		return status == SLUICE_ERR_NOT_FOUND ? SLUICE_OK : status;
	if (state == SLUICE_REPLAY_RUNNING)
		return begin_all(thread, row.name, error);
	remove_replay(thread, name);
	return SLUICE_OK;
}

void replay_ordered(struct data_thread *thread, const struct data_replay_order *order)
{
	struct sluice_error error;
	enum sluice_status status = SLUICE_OK;
	switch (order->order) {
	case REPLAY_START:
		status = start(thread, order, &error);
		break;
	case REPLAY_PAUSE:
		status = change_state(thread, order->name, SLUICE_REPLAY_PAUSED, &error);
		break;
	case REPLAY_RESUME:
		status = change_state(thread, order->name, SLUICE_REPLAY_RUNNING, &error);
		break;
	case REPLAY_CANCEL:
		status = change_state(thread, order->name, SLUICE_REPLAY_CANCELLED, &error);
		break;
	}
	if (status != SLUICE_OK)
		data_thread_say(thread, MOSQ_LOG_ERR, "what was asked of replay %s is not done: %s",
		                order->name, error.message);
	counter_add(&thread->numbers->replay_orders, 1);
}

void replay_progressed(struct data_thread *thread, const struct data_replay_progress *progress)
{
	struct sluice_error error;
	struct data_replay *replay = *find(thread, progress->name);
	bool ended =
	        progress->state == SLUICE_REPLAY_DONE || progress->state == SLUICE_REPLAY_CANCELLED;
	const struct sluice_replay row = { .name = sluice_str(progress->name),
		                           .state = progress->state,
		                           .position = progress->position,
		                           .done = progress->done,
		                           .matched = progress->matched,
		                           .ended_ms = ended ? clock_real_ms() : 0 };
	if (replay)
		replay->under_way -= progress->pages;
	/* What its events became is in SQLite before the word that they are done: a power cut takes both,
	 * or the word alone. */
	enum sluice_status status = data_thread_carry(thread, &error);
	if (status == SLUICE_OK)
		status = sluice_replay_update(thread->data, &row, &error);
	/* The next word says it again; of the last one, the next start does. */
	if (status != SLUICE_OK && status != SLUICE_ERR_NOT_FOUND)
		data_thread_note(thread, status, &error);
	if (ended)
		remove_replay(thread, progress->name);
}

/* --- pages --- */

struct paging {
	struct data_gathering gathering; /* first: data_gather takes it */
	struct data_replay *replay;
	uint64_t last_id;
	bool behind; /* an event was met that does not belong to it */
};

static bool gather_event(void *arg, const struct sluice_record *row)
{
	struct paging *paging = arg;
	paging->behind = row->id > paging->replay->end_id;
	if (paging->behind)
		return false;
	paging->last_id = row->id;
	return data_gather(&paging->gathering, row);
}

static enum sluice_status send_page(struct data_thread *thread, struct data_replay *replay,
                                    struct sluice_error *error)
{
	struct paging paging = { .replay = replay, .last_id = replay->read_to };
	const struct sluice_archive_query query = { .bus = sluice_str(replay->bus),
		                                    .from_ms = replay->from_ms,
		                                    .to_ms = replay->to_ms,
		                                    .after = replay->read_to,
		                                    .limit = PAGE_ROWS,
		                                    .bytes = PAGE_BYTES };
	if (!data_begin_rows(&paging.gathering, ROWS_REPLAY, replay->name))
		return sluice_out_of_memory(error);
	enum sluice_status status =
	        sluice_archive_read(thread->data, &query, gather_event, &paging, error);
	if (status == SLUICE_OK && paging.gathering.no_memory)
		status = sluice_out_of_memory(error);
	if (status != SLUICE_OK) {
		free(paging.gathering.rows);
		return status;
	}
	struct data_rows *rows = paging.gathering.rows;
	rows->complete =
	        paging.behind || (paging.gathering.count < PAGE_ROWS && rows->len < PAGE_BYTES);
	replay->all_sent = rows->complete;
	replay->read_to = paging.last_id;
	replay->under_way++;
	data_end_rows(thread, &paging.gathering, status, error);
	return SLUICE_OK;
}

enum sluice_status replays_send(struct data_thread *thread, struct sluice_error *error)
{
	enum sluice_status status = SLUICE_OK;
	struct data_replay *replay = thread->replays;
	for (; replay && status == SLUICE_OK; replay = replay->next) {
		if (!replay->all_sent && replay->under_way < PAGES)
			status = send_page(thread, replay, error);
	}
	return status;
}
