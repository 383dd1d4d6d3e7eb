/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdlib.h>

#include "hash.h"
#include "queues.h"

/* --- workers --- */

static struct worker **bucket(struct queues *queues, const void *client)
{
	uint64_t hash = sluice_hash_number((uint64_t)(uintptr_t)client);
	return &queues->workers[hash % WORKER_BUCKETS];
}

static void stop_waiting(struct worker *worker)
{
	struct queue *queue = worker->queue;
	if (!worker->waiting)
		return;
	if (worker->previous_waiting)
		worker->previous_waiting->next_waiting = worker->next_waiting;
	else
		queue->waiting = worker->next_waiting;
	if (worker->next_waiting)
		worker->next_waiting->previous_waiting = worker->previous_waiting;
	else
		queue->waiting_last = worker->previous_waiting;
	worker->next_waiting = worker->previous_waiting = NULL;
	worker->waiting = false;
}

/* At the end: who got one waits behind the others. */
static void wait(struct worker *worker)
{
	struct queue *queue = worker->queue;
	if (worker->waiting || worker->in_flight >= worker->credit)
		return;
	worker->previous_waiting = queue->waiting_last;
	if (queue->waiting_last)
		queue->waiting_last->next_waiting = worker;
	else
		queue->waiting = worker;
	queue->waiting_last = worker;
	worker->waiting = true;
}

/* What it holds stays leased. */
static void forget(struct worker *worker)
{
	struct queue *queue = worker->queue;
	stop_waiting(worker);
	for (size_t i = 0; worker->in_flight > 0 && i < queue->timers.count; i++) {
		struct queued *message = (struct queued *)queue->timers.nodes[i];
		if (message->worker == worker)
			message->worker = NULL;
	}
	struct worker **link = &queue->workers;
	while (*link != worker)
		link = &(*link)->next;
	*link = worker->next;
	link = bucket(queue->all, worker->client);
	while (*link != worker)
		link = &(*link)->next_of_client;
	*link = worker->next_of_client;
	free(worker->client_id);
	free(worker);
	counter_set(&queue->numbers->workers, counter_get(&queue->numbers->workers) - 1);
}

static struct worker *find(struct queue *queue, const struct worker_terms *terms)
{
	struct worker *next;
	for (struct worker *worker = queue->workers; worker; worker = next) {
		next = worker->next;
		bool same_client = worker->client == terms->client;
		bool same_id = sluice_str_equal(sluice_str(worker->client_id), terms->client_id);
		if (same_client && same_id)
			return worker;
		/* Another connection has taken its id, or its memory: it went without a word. */
		if (same_client || same_id)
			forget(worker);
	}
	return NULL;
}

static struct worker *create(struct queue *queue, const struct worker_terms *terms)
{
	struct worker *worker = calloc(1, sizeof *worker);
	if (!worker)
		return NULL;
	worker->client_id = strndup(terms->client_id.data, terms->client_id.len);
	if (!worker->client_id) {
		free(worker);
		return NULL;
	}
	worker->queue = queue;
	worker->client = terms->client;
	worker->holder = queues_holder(terms->username);
	worker->next = queue->workers;
	queue->workers = worker;
	struct worker **first = bucket(queue->all, worker->client);
	worker->next_of_client = *first;
	*first = worker;
	counter_add(&queue->numbers->workers, 1);
	return worker;
}

/* What was offered to nobody in particular need not wait for its end, now that somebody is here. */
void receivers_take_back(struct queue *queue)
{
	if (receivers_bare(queue) == BARE_PRESENT)
		return;
	/* Taking one out moves others: look from the beginning, as often as there are any. */
	for (size_t i = 0; i < queue->timers.count; i++) {
		struct queued *message = (struct queued *)queue->timers.nodes[i];
		if (message->state == QUEUED_LEASED && message->offered) {
			queue_ready_again(queue, message);
			i = SIZE_MAX;
		}
	}
}

bool queue_worker(struct queue *queue, const struct worker_terms *terms)
{
	struct worker *worker = find(queue, terms);
	if (terms->credit == 0) {
		if (worker)
			forget(worker);
		return true;
	}
	if (!worker) {
		worker = create(queue, terms);
		if (!worker)
			return false;
		receivers_take_back(queue);
	}
	worker->credit = terms->credit;
	worker->batch = terms->batch;
	worker->end_ms = terms->lease_ms > 0 ? queue->all->now_ms + terms->lease_ms : INT64_MAX;
	stop_waiting(worker);
	wait(worker);
	queue_dispatch(queue);
	return true;
}

void queues_client_gone(struct queues *queues, const void *client)
{
	struct worker *next;
	for (struct worker *worker = *bucket(queues, client); worker; worker = next) {
		next = worker->next_of_client;
		if (worker->client == client)
			forget(worker);
	}
}

struct worker *receivers_next(struct queue *queue)
{
	return queue->waiting;
}

void receivers_gave(struct worker *worker, uint32_t count)
{
	worker->in_flight += count;
	stop_waiting(worker);
	wait(worker);
}

void receivers_took(struct worker *worker, uint32_t count)
{
	worker->in_flight -= count;
	wait(worker);
}

void receivers_expire(struct queue *queue)
{
	struct worker *next;
	for (struct worker *worker = queue->workers; worker; worker = next) {
		next = worker->next;
		if (worker->end_ms <= queue->all->now_ms)
			forget(worker);
	}
}

void receivers_finish(struct queue *queue)
{
	while (queue->workers)
		forget(queue->workers);
}

/* --- bare subscribers --- */

void queue_subscription(struct queue *queue, int change)
{
	if (change > 0)
		queue->bare.known++;
	else if (queue->bare.known > 0)
		queue->bare.known--;
	queue_dispatch(queue);
}

enum bare_state receivers_bare(const struct queue *queue)
{
	const struct bare *bare = &queue->bare;
	int64_t now_ms = queue->all->now_ms;
	if (bare->known > 0)
		return BARE_PRESENT;
	if (queue->all->hears_subscribe)
		return BARE_NONE;
	if (bare->heard_ms != INT64_MIN && now_ms - bare->heard_ms <= queue->settings.visibility_ms)
		return BARE_PRESENT;
	/* Who works asks for it: then there is no need to guess. */
	if (queue->workers || now_ms < bare->next_offer_ms)
		return BARE_NONE;
	return BARE_OFFER;
}
