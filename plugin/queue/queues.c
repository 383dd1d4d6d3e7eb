/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "queues.h"

#include <stdlib.h>

#include "hash.h"

void queues_init(struct queues *queues, const struct queue_io *io)
{
	*queues = (struct queues){ .io = *io };
}

static void destroy(struct queue *queue)
{
	receivers_finish(queue);
	for (size_t i = 0; i < queue->table.bucket_count; i++) {
		struct queued *next;
		for (struct queued *message = queue->table.buckets[i]; message; message = next) {
			next = message->next_by_id;
			queue->all->memory -= message->bytes;
			queued_destroy(message);
		}
	}
	queued_table_finish(&queue->table);
	groups_finish(&queue->groups);
	heap_finish(&queue->ready);
	heap_finish(&queue->timers);
	free(queue->early);
	free(queue);
}

void queues_finish(struct queues *queues)
{
	while (queues->first)
		queues_remove(queues, queues->first);
}

void queues_set_time(struct queues *queues, int64_t now_ms, int64_t real_ms)
{
	if (now_ms > queues->now_ms)
		queues->now_ms = now_ms;
	queues->real_ms = real_ms;
}

/* Where the queue of a name is, or would be, linked. */
static struct queue **place(struct queues *queues, struct sluice_str name)
{
	struct queue **link = &queues->first;
	while (*link) {
		struct sluice_str other = sluice_str((*link)->name);
		size_t len = name.len < other.len ? name.len : other.len;
		int order = memcmp(name.data, other.data, len);
		if (order < 0 || (order == 0 && name.len <= other.len))
			break;
		link = &(*link)->next;
	}
	return link;
}

static struct queue **bucket(const struct queues *queues, struct sluice_str name)
{
	uint64_t hash = sluice_hash_text(sluice_hash_start(2), name);
	return (struct queue **)&queues->by_name[hash % NAME_BUCKETS];
}

struct queue *queues_find(const struct queues *queues, struct sluice_str name)
{
	struct queue *queue = *bucket(queues, name);
	while (queue && !sluice_str_equal(sluice_str(queue->name), name))
		queue = queue->next_by_name;
	return queue;
}

struct queue *queues_put(struct queues *queues, struct sluice_str name,
                         const struct queue_settings *settings, struct queue_numbers *numbers)
{
	struct queue *queue = queues_find(queues, name);
	if (!queue) {
		queue = calloc(1, sizeof *queue);
		if (!queue)
			return NULL;
		memcpy(queue->name, name.data, name.len);
		queue->all = queues;
		queue->bare.heard_ms = INT64_MIN;
		queue->deliver_again_ms = INT64_MAX;
		struct queue **link = place(queues, name);
		queue->next = *link;
		*link = queue;
		link = bucket(queues, name);
		queue->next_by_name = *link;
		*link = queue;
		queues->count++;
	}
	queue->settings = *settings;
	queue->numbers = numbers;
	queue->again = true;
	return queue;
}

void queues_remove(struct queues *queues, struct queue *queue)
{
	struct queue **link = &queues->first;
	while (*link != queue)
		link = &(*link)->next;
	*link = queue->next;
	link = bucket(queues, sluice_str(queue->name));
	while (*link != queue)
		link = &(*link)->next_by_name;
	*link = queue->next_by_name;
	queues->count--;
	destroy(queue);
}

int64_t queues_tick(struct queues *queues)
{
	int64_t next_ms = INT64_MAX;
	for (struct queue *queue = queues->first; queue; queue = queue->next) {
		if (queue_next_ms(queue) <= queues->now_ms || queue->ready.count > 0)
			queue_tick(queue);
	}
	/* One may have moved messages to another. */
	for (struct queue *queue = queues->first; queue; queue = queue->next) {
		int64_t queue_ms = queue_next_ms(queue);
		if (queue_ms < next_ms)
			next_ms = queue_ms;
	}
	return next_ms;
}
