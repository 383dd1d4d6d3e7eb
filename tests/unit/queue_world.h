/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The world around queues, for their tests: a disk that takes the journal's records at once and gives
 * them back as SQLite does, clients that note what they are sent, and a clock that is moved by hand.
 */
#ifndef TESTS_QUEUE_WORLD_H
#define TESTS_QUEUE_WORLD_H

#include <stdlib.h>

#include "queue/queues.h"

enum { WORLD_ROWS = 20000, WORLD_SENT = 20000 };

enum row_state { ROW_READY, ROW_HELD, ROW_PARKED, ROW_GONE };

struct row {
	char queue[SLUICE_NAME_MAX + 1];
	struct sluice_record record; /* texts of its own */
	enum row_state state;
};

struct sent {
	char queue[SLUICE_NAME_MAX + 1];
	char client[32]; /* "" = whoever subscribes */
	uint64_t id;
	uint32_t attempts;
	char payload[32];
	struct receipt receipt; /* of this one message */
	char topic_receipt[RECEIPT_TEXT_SIZE];
	size_t count; /* messages in the same delivery */
};

struct world {
	struct queues queues;
	struct row *rows;
	size_t row_count;
	struct sent *sent;
	size_t sent_count;
	bool full; /* the journal takes nothing */
	bool undeliverable;
	struct queue *load_asked; /* answered by world_answer */
	uint64_t load_after;
};

static inline struct sluice_str world_copy(struct sluice_str text)
{
	if (!text.data)
		return text;
	char *copy = malloc(text.len + 1);
	if (!copy)
		abort();
	memcpy(copy, text.data, text.len);
	return (struct sluice_str){ copy, text.len };
}

static inline void world_free_row(struct row *row)
{
	free((void *)row->record.payload.data);
	free((void *)row->record.group.data);
	free((void *)row->record.origin.data);
	free((void *)row->record.error.data);
}

static inline struct row *world_row(struct world *world, const char *queue, uint64_t id)
{
	for (size_t i = 0; i < world->row_count; i++) {
		struct row *row = &world->rows[i];
		if (row->state != ROW_GONE && row->record.id == id &&
		    strcmp(row->queue, queue) == 0)
			return row;
	}
	return NULL;
}

static inline void world_name(char *out, struct sluice_str name)
{
	memcpy(out, name.data, name.len);
	out[name.len] = '\0';
}

static inline void world_apply(struct world *world, const struct sluice_record *record)
{
	char name[SLUICE_NAME_MAX + 1];
	world_name(name, record->queue);
	struct row *row = world_row(world, name, record->id);
	switch (record->kind) {
	case SLUICE_RECORD_ENQUEUE:
		if (world->row_count == WORLD_ROWS)
			abort();
		row = &world->rows[world->row_count++];
		*row = (struct row){ .record = *record,
			             .state = record->parked ? ROW_PARKED : ROW_READY };
		world_name(row->queue, record->queue);
		row->record.payload = world_copy(record->payload);
		row->record.group = world_copy(record->group);
		row->record.origin = world_copy(record->origin);
		row->record.error = world_copy(record->error);
		break;
	case SLUICE_RECORD_LEASE:
		if (!row)
			break;
		row->state = ROW_HELD;
		row->record.attempts = record->attempts;
		row->record.deadline_ms = record->deadline_ms;
		row->record.due_ms = 0;
		memcpy(row->record.receipt, record->receipt, SLUICE_RECEIPT_BYTES);
		break;
	case SLUICE_RECORD_ACK:
		if (row)
			row->state = ROW_GONE;
		break;
	case SLUICE_RECORD_RELEASE:
		if (!row)
			break;
		row->state = record->parked ? ROW_PARKED : ROW_HELD;
		row->record.attempts = record->attempts;
		row->record.deadline_ms = 0;
		row->record.due_ms = record->due_ms;
		break;
	case SLUICE_RECORD_MOVE:
		if (!row)
			break;
		row->state = ROW_READY;
		row->record.id = record->new_id;
		row->record.attempts = record->attempts;
		row->record.deadline_ms = row->record.due_ms = 0;
		row->record.enqueued_ms = record->enqueued_ms;
		free((void *)row->record.origin.data);
		free((void *)row->record.error.data);
		row->record.origin = world_copy(record->origin);
		row->record.error = world_copy(record->error);
		world_name(row->queue, record->to_queue);
		break;
	case SLUICE_RECORD_PURGE:
		for (size_t i = 0; i < world->row_count; i++) {
			if (strcmp(world->rows[i].queue, name) == 0 &&
			    world->rows[i].record.id <= record->id)
				world->rows[i].state = ROW_GONE;
		}
		break;
	default:
		break;
	}
}

static inline bool world_write(void *arg, const struct sluice_record *records, size_t count,
                               bool last)
{
	struct world *world = arg;
	(void)last;
	if (world->full)
		return false;
	for (size_t i = 0; i < count; i++)
		world_apply(world, &records[i]);
	return true;
}

static inline bool world_deliver(void *arg, const struct queue_delivery *delivery)
{
	struct world *world = arg;
	if (world->undeliverable)
		return false;
	for (size_t i = 0; i < delivery->count; i++) {
		const struct sluice_record *record = &delivery->messages[i]->record;
		if (world->sent_count == WORLD_SENT)
			abort();
		struct sent *sent = &world->sent[world->sent_count++];
		*sent = (struct sent){ .id = record->id,
			               .attempts = record->attempts,
			               .count = delivery->count,
			               .receipt = { .id = record->id } };
		memcpy(sent->receipt.secret, record->receipt, SLUICE_RECEIPT_BYTES);
		strcpy(sent->queue, delivery->queue->name);
		if (delivery->client_id)
			strcpy(sent->client, delivery->client_id);
		strcpy(sent->topic_receipt, delivery->receipt);
		if (record->payload.len < sizeof sent->payload)
			memcpy(sent->payload, record->payload.data, record->payload.len);
	}
	return true;
}

static inline bool world_load(void *arg, struct queue *queue)
{
	struct world *world = arg;
	if (world->load_asked)
		return false;
	world->load_asked = queue;
	world->load_after = queue->loaded_to;
	return true;
}

static inline int world_by_id(const void *a, const void *b)
{
	uint64_t left = (*(struct row *const *)a)->record.id;
	uint64_t right = (*(struct row *const *)b)->record.id;
	return (left > right) - (left < right);
}

/* The rows of a queue in a state, in the order of ids: *count of them, to be freed. */
static inline struct row **world_rows(struct world *world, const char *queue, enum row_state state,
                                      uint64_t after, size_t *count)
{
	struct row **rows = malloc((world->row_count + 1) * sizeof(struct row *));
	if (!rows)
		abort();
	*count = 0;
	for (size_t i = 0; i < world->row_count; i++) {
		struct row *row = &world->rows[i];
		if (row->state == state && row->record.id > after && strcmp(row->queue, queue) == 0)
			rows[(*count)++] = row;
	}
	qsort(rows, *count, sizeof(struct row *), world_by_id);
	return rows;
}

/* Answers the load that was asked for, if any. */
static inline bool world_answer(struct world *world)
{
	struct queue *queue = world->load_asked;
	size_t count;
	if (!queue)
		return false;
	world->load_asked = NULL;
	struct row **rows = world_rows(world, queue->name, ROW_READY, world->load_after, &count);
	for (size_t i = 0; i < count && i < QUEUE_LOAD; i++)
		queue_load_row(queue, &rows[i]->record);
	free(rows);
	queue_load_end(queue, true, count <= QUEUE_LOAD, world->queues.last_id);
	return true;
}

/* Hands in what is due. */
static inline void world_due(struct world *world)
{
	for (size_t i = 0; i < world->row_count; i++) {
		struct row *row = &world->rows[i];
		if (row->state != ROW_PARKED || row->record.due_ms > world->queues.real_ms)
			continue;
		row->state = ROW_READY;
		row->record.due_ms = 0;
		struct sluice_record record = row->record;
		struct queue *queue = queues_find(&world->queues, sluice_str(row->queue));
		if (queue && !queue_hand_in(queue, &record))
			row->state = ROW_PARKED;
	}
}

static inline void world_init_queues(struct world *world)
{
	const struct queue_io io = { world, world_write, world_deliver, world_load };
	queues_init(&world->queues, &io);
}

static inline void world_init(struct world *world)
{
	*world = (struct world){ 0 };
	world->rows = calloc(WORLD_ROWS, sizeof *world->rows);
	world->sent = calloc(WORLD_SENT, sizeof *world->sent);
	if (!world->rows || !world->sent)
		abort();
	world_init_queues(world);
	queues_set_time(&world->queues, 1000000, 1700000000000);
}

static inline void world_finish(struct world *world)
{
	queues_finish(&world->queues);
	for (size_t i = 0; i < world->row_count; i++)
		world_free_row(&world->rows[i]);
	free(world->rows);
	free(world->sent);
}

/* Time passes, and everything that it brings happens. */
static inline void world_pass(struct world *world, int64_t ms)
{
	queues_set_time(&world->queues, world->queues.now_ms + ms, world->queues.real_ms + ms);
	world_due(world);
	for (int i = 0; i < 10; i++) {
		queues_tick(&world->queues);
		if (!world_answer(world) && queues_tick(&world->queues) > world->queues.now_ms)
			break;
	}
}

/* What SQLite says of a queue when it is put in force. */
static inline void world_attach(struct world *world, struct queue *queue)
{
	uint64_t bytes = 0;
	size_t held, ready, parked;
	struct row **rows = world_rows(world, queue->name, ROW_PARKED, 0, &parked);
	free(rows);
	rows = world_rows(world, queue->name, ROW_READY, 0, &ready);
	free(rows);
	for (size_t i = 0; i < world->row_count; i++) {
		if (world->rows[i].state != ROW_GONE &&
		    strcmp(world->rows[i].queue, queue->name) == 0)
			bytes += world->rows[i].record.payload.len;
	}
	queue_attach(queue, &(struct queue_holdings){ ready, parked, bytes,
	                                              world->queues.last_id });
	rows = world_rows(world, queue->name, ROW_HELD, 0, &held);
	for (size_t i = 0; i < held; i++)
		queue_restore(queue, &rows[i]->record);
	free(rows);
}

static inline uint64_t world_enqueue(struct world *world, struct queue *queue, const char *payload,
                                     const char *group, int64_t delay_ms)
{
	struct sluice_record record = { .kind = SLUICE_RECORD_ENQUEUE,
		                        .queue = sluice_str(queue->name),
		                        .id = queues_next_id(&world->queues),
		                        .payload = sluice_str(payload),
		                        .group = sluice_str(group),
		                        .time_ms = world->queues.real_ms,
		                        .enqueued_ms = world->queues.real_ms };
	if (delay_ms > 0) {
		record.parked = true;
		record.due_ms = world->queues.real_ms + delay_ms;
	}
	world_apply(world, &record);
	queue_accept(queue, &record);
	queue_dispatch(queue);
	return record.id;
}

static inline void world_worker(struct queue *queue, const char *client, uint32_t credit)
{
	const struct worker_terms terms = { .client = client,
		                            .client_id = sluice_str(client),
		                            .credit = credit };
	if (!queue_worker(queue, &terms))
		abort();
}

#endif
