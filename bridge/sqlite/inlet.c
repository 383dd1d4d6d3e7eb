/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A source of kind sqlite: looks after another program's database (sluice_store/outbox.h), on a thread
 * of libuv's, since all of that may wait for a disk or a lock. One turn at a time:
 *
 *	timer ──> turn, on a thread: open, look for news, keep the position, read, trim
 *	  ^                                    │ rows, as records
 *	  └──────── on the loop <──────────────┘──> change_stream ──> broker
 *
 * While a turn is under way the outbox is its thread's, as is everything in struct turn.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "change_stream.h"
#include "kinds.h"
#include "row.h"

enum {
	READ_ROWS = 256,
	READ_BYTES = 4 * 1024 * 1024,
	CONFIRM_MS = 500, /* a position is a write into somebody's database */
	TRIM_MS = 60000,
	RETRY_MS = 2000,
	BUSY_MS = 50,
	BUSY_TOLD = 10, /* times in a row that somebody else held it */
};

/* A record that was read, or (without a payload) a row that is of no interest here. */
struct record {
	struct record *next;
	int64_t id;
	struct sluice_buffer topic, payload;
};

struct turn {
	/* said to it */
	bool read;
	int64_t confirm; /* 0: nothing */
	int64_t trim_to;
	bool trim, last;
	/* said by it */
	enum sluice_status status;
	struct sluice_error error;
	bool opened, unread;
	int64_t begin;    /* where it goes on, when it was opened */
	int64_t position; /* read so far */
	int64_t lost;
	bool confirmed, trim_more;
	struct record *first, *last_record;
	size_t bytes, count;
};

struct sqlite_inlet {
	struct inlet inlet;
	uv_loop_t *loop;
	struct source *source;
	char *file, *name;         /* owned */
	struct sluice_str *tables; /* owned, with their texts; none: all */
	size_t table_count;
	int64_t keep_s, poll_ms;
	bool create, latest;
	struct sluice_outbox *outbox; /* NULL: not open */
	struct change_stream *stream;
	uv_timer_t timer;
	uv_work_t work;
	struct turn turn;
	bool working, closing;
	bool unread;                /* there may be more */
	bool in_trouble;            /* the last turn's is shown */
	int busy;                   /* turns in a row */
	int64_t position;           /* the last row that was read */
	int64_t settled, confirmed; /* rows that are taken in; that the outbox was told of */
	uint64_t confirm_at, trim_at;
};

/* --- a turn, on its thread --- */

static bool is_ours(const struct sqlite_inlet *inlet, struct sluice_str table)
{
	for (size_t i = 0; i < inlet->table_count; i++)
		if (inlet->tables[i].len == table.len &&
		    strncasecmp(inlet->tables[i].data, table.data, table.len) == 0)
			return true;
	return inlet->table_count == 0;
}

static void free_record(struct record *record)
{
	sluice_buffer_finish(&record->topic);
	sluice_buffer_finish(&record->payload);
	free(record);
}

static struct sluice_str database_name(const struct sqlite_inlet *inlet)
{
	const char *slash = strrchr(inlet->file, '/');

	return sluice_str(slash ? slash + 1 : inlet->file);
}

static bool take_row(void *arg, const struct sluice_outbox_row *row)
{
	struct sqlite_inlet *inlet = arg;
	struct turn *turn = &inlet->turn;
	struct record *record = calloc(1, sizeof(*record));

	if (!record) {
		turn->status = sluice_out_of_memory(&turn->error);
		return false;
	}
	record->id = row->id;
	if (is_ours(inlet, row->table)) {
		struct sluice_error error;
		sluice_buffer_append_str(&record->topic, row->table);
		turn->status =
		        sqlite_row_write(row, database_name(inlet), sluice_outbox_id(inlet->outbox),
		                         &record->payload, &error);
		if (turn->status == SLUICE_OK && record->topic.failed)
			turn->status = sluice_out_of_memory(&error);
		if (turn->status != SLUICE_OK) {
			/* Not passed over: it may be somebody's change. */
			(void)sluice_error_set(&turn->error, turn->status, SIZE_MAX, NULL,
			                       "row %" PRId64 " of sluice_outbox can't be read: %s",
			                       row->id, error.message);
			free_record(record);
			return false;
		}
	}
	if (turn->last_record)
		turn->last_record->next = record;
	else
		turn->first = record;
	turn->last_record = record;
	turn->position = row->id;
	turn->bytes += record->payload.len;
	turn->count++;
	return turn->bytes < READ_BYTES;
}

static enum sluice_status open_outbox(struct sqlite_inlet *inlet)
{
	struct turn *turn = &inlet->turn;
	enum sluice_status status = sluice_outbox_open(inlet->file, &inlet->outbox, &turn->error);

	if (status == SLUICE_OK && !inlet->create)
		status = sluice_outbox_check(inlet->outbox, &turn->error);
	else if (status == SLUICE_OK)
		status = sluice_outbox_install(inlet->outbox, inlet->tables, inlet->table_count,
		                               NULL, &turn->error);
	if (status == SLUICE_OK)
		status = sluice_outbox_position(inlet->outbox, sluice_str(inlet->name),
		                                inlet->latest, &turn->position, &turn->lost,
		                                &turn->error);
	/* Where it begins holds from now on, also for "latest" and if nothing happens for long. */
	if (status == SLUICE_OK)
		status = sluice_outbox_confirm(inlet->outbox, sluice_str(inlet->name),
		                               turn->position, &turn->error);
	if (status != SLUICE_OK) {
		sluice_outbox_close(inlet->outbox);
		inlet->outbox = NULL;
	}
	turn->opened = status == SLUICE_OK;
	turn->begin = turn->position;
	return status;
}

static enum sluice_status look(struct sqlite_inlet *inlet)
{
	struct turn *turn = &inlet->turn;
	struct sluice_outbox_news news;
	enum sluice_status status = sluice_outbox_poll(inlet->outbox, &news, &turn->error);

	if (status != SLUICE_OK)
		return status;
	if (news.replaced) {
		sluice_outbox_close(inlet->outbox);
		inlet->outbox = NULL;
		return sluice_error_set(&turn->error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, NULL,
		                        "%s is another file now", inlet->file);
	}
	turn->unread |= news.data;
	/* An outbox that was taken away is made again in a while: this source may be going, too. */
	if (news.schema)
		status = sluice_outbox_check(inlet->outbox, &turn->error);
	if (status == SLUICE_ERR_NOT_FOUND) {
		sluice_outbox_close(inlet->outbox);
		inlet->outbox = NULL;
		return status;
	}
	if (status == SLUICE_OK && news.schema && inlet->create)
		status = sluice_outbox_install(inlet->outbox, inlet->tables, inlet->table_count,
		                               NULL, &turn->error);
	return status;
}

static enum sluice_status keep_position(struct sqlite_inlet *inlet)
{
	struct turn *turn = &inlet->turn;
	enum sluice_status status;

	if (turn->confirm == 0)
		return SLUICE_OK;
	status = sluice_outbox_confirm(inlet->outbox, sluice_str(inlet->name), turn->confirm,
	                               &turn->error);
	turn->confirmed = status == SLUICE_OK;
	return status;
}

static enum sluice_status read_and_trim(struct sqlite_inlet *inlet)
{
	struct turn *turn = &inlet->turn;
	enum sluice_status status = SLUICE_OK;

	if (turn->read && turn->unread) {
		status = sluice_outbox_read(inlet->outbox, turn->position, READ_ROWS, take_row,
		                            inlet, &turn->error);
		if (status == SLUICE_OK)
			status = turn->status;
		turn->unread = status != SLUICE_OK || turn->count == READ_ROWS ||
		               turn->bytes >= READ_BYTES;
	}
	if (status == SLUICE_OK && turn->trim)
		status = sluice_outbox_trim(inlet->outbox, turn->trim_to, inlet->keep_s,
		                            &turn->trim_more, &turn->error);
	return status;
}

static void on_thread(uv_work_t *work)
{
	struct sqlite_inlet *inlet = work->data;
	struct turn *turn = &inlet->turn;
	enum sluice_status status = SLUICE_OK;

	if (!inlet->outbox) {
		if (turn->last)
			return;
		status = open_outbox(inlet);
	}
	if (status == SLUICE_OK && !turn->opened)
		status = keep_position(inlet);
	if (status == SLUICE_OK && !turn->last)
		status = look(inlet);
	if (status == SLUICE_OK && !turn->last)
		status = read_and_trim(inlet);
	turn->status = status;
}

/* --- on the loop --- */

static void begin_turn(struct sqlite_inlet *inlet, bool last);

static void drop_records(struct turn *turn)
{
	while (turn->first) {
		struct record *record = turn->first;
		turn->first = record->next;
		free_record(record);
	}
}

static void free_inlet(struct sqlite_inlet *inlet)
{
	sluice_outbox_close(inlet->outbox);
	for (size_t i = 0; i < inlet->table_count; i++)
		free((char *)(uintptr_t)inlet->tables[i].data);
	free(inlet->tables);
	free(inlet->file);
	free(inlet->name);
	free(inlet);
}

static void on_closed(uv_handle_t *handle)
{
	free_inlet(handle->data);
}

/* What was taken in is remembered; then nothing is left to do. */
static void end_inlet(struct sqlite_inlet *inlet)
{
	drop_records(&inlet->turn);
	if (inlet->outbox && inlet->settled > inlet->confirmed && !inlet->turn.last)
		begin_turn(inlet, true);
	if (!inlet->working)
		uv_close((uv_handle_t *)&inlet->timer, on_closed);
}

/* Gives what was read to the stream. False when there was no memory: it is read again. */
static bool hand_over(struct sqlite_inlet *inlet)
{
	struct turn *turn = &inlet->turn;
	bool added = true;

	while (turn->first) {
		struct record *record = turn->first;
		struct change_position position = { (uint64_t)record->id, 0 };
		turn->first = record->next;
		if (added)
			added = record->payload.len == 0
			                ? change_stream_add_place(inlet->stream, position)
			                : change_stream_add(inlet->stream, position,
			                                    sluice_buffer_str(&record->topic),
			                                    &record->payload);
		if (added)
			inlet->position = record->id;
		free_record(record);
	}
	turn->last_record = NULL;
	return added;
}

/* Tells of what went wrong, and takes that back: not what the stream told. */
static void show(struct sqlite_inlet *inlet)
{
	const struct turn *turn = &inlet->turn;

	inlet->busy = turn->status == SLUICE_ERR_BUSY ? inlet->busy + 1 : 0;
	if (turn->status != SLUICE_OK) {
		if (turn->status == SLUICE_ERR_BUSY && inlet->busy < BUSY_TOLD)
			return;
		source_trouble(inlet->source, turn->error.message);
		inlet->in_trouble = true;
		return;
	}
	if (inlet->in_trouble || turn->opened)
		source_trouble(inlet->source, NULL);
	inlet->in_trouble = false;
	if (turn->lost > 0) {
		/* It stays: it is not made good by what comes. */
		char text[160];
		snprintf(text, sizeof(text),
		         "%" PRId64 " changes were deleted from the outbox before they were read",
		         turn->lost);
		source_trouble(inlet->source, text);
	}
}

static void on_timer(uv_timer_t *timer)
{
	begin_turn(timer->data, false);
}

static void next_turn(struct sqlite_inlet *inlet, bool added)
{
	uint64_t ms = (uint64_t)inlet->poll_ms;

	if (inlet->turn.status == SLUICE_ERR_BUSY)
		ms = BUSY_MS;
	else if (inlet->turn.status != SLUICE_OK || !added)
		ms = RETRY_MS;
	else if (inlet->unread && change_stream_has_room(inlet->stream))
		ms = 0;
	uv_timer_start(&inlet->timer, on_timer, ms, 0);
}

static void after_turn(uv_work_t *work, int status)
{
	struct sqlite_inlet *inlet = work->data;
	struct turn *turn = &inlet->turn;
	bool added = true;

	(void)status;
	inlet->working = false;
	if (turn->confirmed)
		inlet->confirmed = turn->confirm;
	if (inlet->closing) {
		end_inlet(inlet);
		return;
	}
	if (turn->opened)
		inlet->position = inlet->settled = inlet->confirmed = turn->begin;
	inlet->unread = turn->unread;
	show(inlet);
	added = hand_over(inlet);
	inlet->unread |= !added;
	if (turn->trim && !turn->trim_more && turn->status == SLUICE_OK)
		inlet->trim_at = uv_now(inlet->loop) + TRIM_MS;
	next_turn(inlet, added);
}

static void begin_turn(struct sqlite_inlet *inlet, bool last)
{
	uint64_t now = uv_now(inlet->loop);
	struct turn *turn = &inlet->turn;

	/* A file that took the place of ours counts anew: what is under way settles first. */
	if (!last && !inlet->outbox && !change_stream_is_empty(inlet->stream)) {
		uv_timer_start(&inlet->timer, on_timer, (uint64_t)inlet->poll_ms, 0);
		return;
	}
	memset(turn, 0, sizeof(*turn));
	turn->last = last;
	turn->position = inlet->position;
	turn->unread = inlet->unread;
	turn->read = !last && change_stream_has_room(inlet->stream);
	if (inlet->settled > inlet->confirmed && (last || now >= inlet->confirm_at)) {
		turn->confirm = inlet->settled;
		inlet->confirm_at = now + CONFIRM_MS;
	}
	turn->trim = inlet->outbox && now >= inlet->trim_at;
	turn->trim_to = inlet->settled;
	inlet->work.data = inlet;
	inlet->working = uv_queue_work(inlet->loop, &inlet->work, on_thread, after_turn) == 0;
	if (!inlet->working && !last)
		uv_timer_start(&inlet->timer, on_timer, RETRY_MS, 0);
}

/* --- what the records' way says --- */

static void on_settled(void *arg, struct change_position position)
{
	struct sqlite_inlet *inlet = arg;

	/* A turn that is under way has it said already what to confirm. */
	inlet->settled = (int64_t)position.place;
}

static void on_room(void *arg)
{
	struct sqlite_inlet *inlet = arg;

	if (!inlet->working && inlet->unread)
		uv_timer_start(&inlet->timer, on_timer, 0, 0);
}

static void on_trouble(void *arg, const char *text)
{
	struct sqlite_inlet *inlet = arg;

	source_trouble(inlet->source, text);
}

static const struct change_stream_events stream_events = {
	.settled = on_settled,
	.room = on_room,
	.trouble = on_trouble,
};

/* --- the source --- */

static bool copy_tables(struct sqlite_inlet *inlet, const struct sluice_json *tables)
{
	if (!tables)
		return true;
	inlet->tables = calloc(tables->count, sizeof(*inlet->tables));
	if (!inlet->tables)
		return false;
	for (const struct sluice_json *table = tables->first; table; table = table->next) {
		char *name = strndup(table->string.data, table->string.len);
		if (!name)
			return false;
		inlet->tables[inlet->table_count++] = sluice_str(name);
	}
	return true;
}

static struct inlet *open_inlet(const struct inlet_context *context, struct sluice_error *error)
{
	const struct sluice_bridge_source *definition = context->definition;
	const struct sluice_json *settings = definition->settings;
	struct sluice_str file = sluice_setting_text(settings, "file");
	struct sqlite_inlet *inlet = calloc(1, sizeof(*inlet));

	if (!inlet) {
		(void)sluice_out_of_memory(error);
		return NULL;
	}
	inlet->inlet.kind = &inlet_sqlite;
	inlet->loop = context->loop;
	inlet->source = context->source;
	inlet->file = strndup(file.data, file.len);
	inlet->name = strndup(definition->name.data, definition->name.len);
	inlet->keep_s = sluice_setting_integer(definition->kind, settings, "keep_s");
	inlet->poll_ms = sluice_setting_integer(definition->kind, settings, "poll_ms");
	inlet->create = sluice_setting_bool(definition->kind, settings, "create");
	inlet->latest = sluice_setting_choice(definition->kind, settings, "start") == 1;
	if (inlet->file && inlet->name &&
	    copy_tables(inlet, sluice_setting_node(settings, "tables")))
		inlet->stream =
		        change_stream_create(context->loop, context->source, &stream_events, inlet);
	if (!inlet->stream || uv_timer_init(context->loop, &inlet->timer) != 0) {
		(void)sluice_out_of_memory(error);
		change_stream_close(inlet->stream);
		free_inlet(inlet);
		return NULL;
	}
	inlet->timer.data = inlet;
	uv_timer_start(&inlet->timer, on_timer, 0, 0);
	return &inlet->inlet;
}

static void resume_inlet(struct inlet *inlet)
{
	change_stream_resume(((struct sqlite_inlet *)inlet)->stream);
}

static void close_inlet(struct inlet *base)
{
	struct sqlite_inlet *inlet = (struct sqlite_inlet *)base;

	inlet->closing = true;
	uv_timer_stop(&inlet->timer);
	change_stream_close(inlet->stream);
	/* A turn that is under way ends by itself. */
	if (!inlet->working)
		end_inlet(inlet);
}

const struct inlet_kind inlet_sqlite = {
	.name = "sqlite",
	.open = open_inlet,
	.resume = resume_inlet,
	.close = close_inlet,
};
