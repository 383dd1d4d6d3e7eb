/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Messages are delivered, acknowledged, given back, or buried. */
#include <stdio.h>
#include <stdlib.h>

#include "hash.h"
#include "queues.h"
#include "sluice/buffer.h"
#include "sluice/json.h"

uint64_t queues_holder(struct sluice_str username)
{
	if (username.len == 0)
		return 0;
	return sluice_hash_text(sluice_hash_start(1), username) | 1;
}

static bool write_one(struct queue *queue, const struct sluice_record *record, bool last)
{
	const struct queue_io *io = &queue->all->io;
	return io->write(io->arg, record, 1, last);
}

static struct sluice_record record_of(const struct queue *queue, const struct queued *message,
                                      enum sluice_record_kind kind)
{
	return (struct sluice_record){ .kind = kind,
		                       .queue = sluice_str(queue->name),
		                       .id = message->record.id,
		                       .attempts = message->record.attempts };
}

/* --- delivering --- */

/* Notes the lease in the journal and in memory. False when the journal has no room. */
static bool lease(struct queue *queue, struct queued *message, struct worker *worker,
                  enum bare_state bare, const unsigned char secret[SLUICE_RECEIPT_BYTES])
{
	struct queues *all = queue->all;
	struct sluice_record record = record_of(queue, message, SLUICE_RECORD_LEASE);
	/* An attempt counts when somebody was known to be there. */
	if (worker || bare == BARE_PRESENT)
		record.attempts++;
	record.deadline_ms = all->real_ms + queue->settings.visibility_ms;
	memcpy(record.receipt, secret, SLUICE_RECEIPT_BYTES);
	if (worker)
		record.worker = sluice_str(worker->client_id);
	if (!write_one(queue, &record, false))
		return false;
	if (record.attempts > 1)
		counter_add(&queue->numbers->redelivered, 1);
	counter_add(&queue->numbers->delivered, 1);
	message->record.attempts = record.attempts;
	message->record.deadline_ms = record.deadline_ms;
	memcpy(message->record.receipt, secret, SLUICE_RECEIPT_BYTES);
	queue_until(queue, message, QUEUED_LEASED, all->now_ms + queue->settings.visibility_ms);
	message->worker = worker;
	message->holder = worker ? worker->holder : 0;
	message->bare = !worker;
	message->offered = bare == BARE_OFFER;
	if (worker)
		receivers_gave(worker, 1);
	return true;
}

static void offered(struct bare *bare, int64_t now_ms)
{
	enum { FIRST_MS = 1000, MAX_MS = 30000 };
	bare->backoff_ms = bare->backoff_ms == 0 ? FIRST_MS : bare->backoff_ms * 2;
	if (bare->backoff_ms > MAX_MS)
		bare->backoff_ms = MAX_MS;
	bare->next_offer_ms = now_ms + bare->backoff_ms;
}

/* How long the oldest may still wait for its batch to fill, when somebody is there to take it. */
static int64_t batch_rest_ms(const struct queue *queue)
{
	const struct queued *first = (const struct queued *)heap_first(&queue->ready);
	if (!first || (!queue->waiting && receivers_bare(queue) == BARE_NONE))
		return 0;
	int64_t age_ms = queue->all->real_ms - first->record.enqueued_ms;
	return age_ms >= 0 && age_ms < queue->settings.batch_wait_ms
	               ? queue->settings.batch_wait_ms - age_ms
	               : 0;
}

/* How many may go in one message; 0 = none yet, for a batch that may still fill. */
static size_t batch_size(const struct queue *queue, const struct worker *worker,
                         enum bare_state bare)
{
	const struct queue_settings *settings = &queue->settings;
	size_t most = worker && worker->batch > 0 ? worker->batch : settings->batch_events;
	if (most == 0)
		return 1;
	size_t room = settings->max_in_flight - queue->leased;
	if (worker && worker->credit - worker->in_flight < room)
		room = worker->credit - worker->in_flight;
	if (!worker && bare == BARE_OFFER)
		room = 1;
	if (most > room)
		most = room;
	if (queue->ready.count >= most)
		return most;
	return batch_rest_ms(queue) > 0 ? 0 : queue->ready.count;
}

enum { BATCH_MAX = 1000 };

/* Who waits is served when there is room again, or memory, though nothing else happens. */
static bool failed(struct queue *queue)
{
	queue->deliver_again_ms = queue->all->now_ms + QUEUE_RETRY_MS;
	return false;
}

/* Delivers the next message or batch. False when nothing more can be done now. */
static bool deliver_next(struct queue *queue)
{
	struct queues *all = queue->all;
	struct worker *worker = receivers_next(queue);
	enum bare_state bare = worker ? BARE_NONE : receivers_bare(queue);
	if (!worker && bare == BARE_NONE)
		return false;
	size_t most = batch_size(queue, worker, bare);
	struct queued *messages[BATCH_MAX];
	unsigned char secret[SLUICE_RECEIPT_BYTES];
	if (most == 0)
		return false;
	if (!receipt_draw(&all->receipts, secret))
		return failed(queue);
	bool batch = (worker && worker->batch > 0) || queue->settings.batch_events > 0;
	size_t count = 0, bytes = 0;
	while (count < most && count < BATCH_MAX && queue->ready.count > 0) {
		struct queued *message = (struct queued *)heap_first(&queue->ready);
		bytes += message->record.payload.len;
		if (count > 0 && bytes > queue->settings.batch_bytes)
			break;
		if (!lease(queue, message, worker, bare, secret))
			break;
		messages[count++] = message;
	}
	if (count == 0)
		return failed(queue);
	struct receipt receipt = { .id = messages[0]->record.id, .batch = batch };
	char text[RECEIPT_TEXT_SIZE];
	memcpy(receipt.secret, secret, sizeof secret);
	receipt_write(&receipt, text);
	const struct queue_delivery delivery = { .queue = queue,
		                                 .messages = messages,
		                                 .count = count,
		                                 .batch = batch,
		                                 .receipt = text,
		                                 .client_id = worker ? worker->client_id : NULL,
		                                 .lease_ms = queue->settings.visibility_ms };
	if (!all->io.deliver(all->io.arg, &delivery)) {
		for (size_t i = 0; i < count; i++)
			queue_ready_again(queue, messages[i]);
		return failed(queue);
	}
	if (bare == BARE_OFFER)
		offered(&queue->bare, all->now_ms);
	return true;
}

/* Whether the memory runs low while there is more on the disk. */
static bool wants_load(const struct queue *queue)
{
	size_t window = queue->settings.grouped ? QUEUE_WINDOW_GROUPED : QUEUE_WINDOW;
	return queue->more && !queue->loading && queue->attached &&
	       queue->window <= window - QUEUE_LOAD &&
	       (queue->window == 0 || queue->window_bytes <= QUEUE_WINDOW_BYTES - QUEUE_LOAD_BYTES);
}

static void load(struct queue *queue)
{
	const struct queues *all = queue->all;
	if (!wants_load(queue) || all->now_ms < queue->load_again_ms)
		return;
	queue->loading = true; /* before it is asked: the answer may be there at once */
	if (!all->io.load(all->io.arg, queue)) {
		queue->loading = false;
		queue->load_again_ms = all->now_ms + 1;
	}
}

void queue_dispatch(struct queue *queue)
{
	size_t turn = 0;
	queue->deliver_again_ms = INT64_MAX;
	while (turn < QUEUE_TURN && queue->ready.count > 0 &&
	       queue->leased < queue->settings.max_in_flight && deliver_next(queue))
		turn++;
	if (turn == QUEUE_TURN)
		queue->again = true;
	load(queue);
}

/* --- settling --- */

/* Deliveries by one receipt: one, or the batch. */
struct settling {
	struct queue *queue;
	enum sluice_record_kind kind;
	int64_t delay_ms; /* of a nack; of an extension, the new lease */
	bool reject;      /* a nack that makes it a dead letter */
	struct sluice_str reason;
};

static enum queue_answer acknowledge(struct queue *queue, struct queued *message)
{
	struct sluice_record record = record_of(queue, message, SLUICE_RECORD_ACK);
	if (!write_one(queue, &record, true))
		return QUEUE_NO_ROOM;
	if (message->bare)
		queue->bare.heard_ms = queue->all->now_ms;
	counter_add(&queue->numbers->acknowledged, 1);
	queue_drop(queue, message);
	return QUEUE_DONE;
}

static bool is_spent(const struct queue *queue, const struct queued *message)
{
	return queue->settings.max_receives > 0 &&
	       message->record.attempts >= queue->settings.max_receives;
}

static enum queue_answer give_back(const struct settling *settling, struct queued *message)
{
	struct queue *queue = settling->queue;
	struct queues *all = queue->all;
	queued_set_reason(message, settling->reason);
	bool buried = settling->reject ? queue_bury(queue, message, "rejected",
	                                            "its worker says that it can't be done")
	                               : is_spent(queue, message) &&
	                                         queue_bury(queue, message, "max-receives",
	                                                    "not acknowledged as often as allowed");
	if (buried) {
		counter_add(&queue->numbers->returned, 1);
		return QUEUE_DONE;
	}
	struct sluice_record record = record_of(queue, message, SLUICE_RECORD_RELEASE);
	record.due_ms = settling->delay_ms > 0 ? all->real_ms + settling->delay_ms : 0;
	record.reason = settling->reason;
	/* Many that wait long are better on the disk, but for the head of a group, which must be
	 * known. */
	size_t waiting = queue->timers.count - queue->leased;
	record.parked = !message->group && record.due_ms != 0 &&
	                (settling->delay_ms >= QUEUE_PARK_MS || waiting >= QUEUE_WINDOW);
	if (!write_one(queue, &record, true))
		return QUEUE_NO_ROOM;
	counter_add(&queue->numbers->returned, 1);
	if (record.parked) {
		size_t bytes = message->record.payload.len;
		queue_drop(queue, message);
		counter_add(&queue->numbers->delayed, 1);
		counter_add(&queue->numbers->bytes, bytes);
	} else if (record.due_ms != 0) {
		queue_until(queue, message, QUEUED_WAITING, all->now_ms + settling->delay_ms);
	} else {
		queue_ready_again(queue, message);
	}
	return QUEUE_DONE;
}

static enum queue_answer extend(const struct settling *settling, struct queued *message)
{
	struct queue *queue = settling->queue;
	struct queues *all = queue->all;
	struct sluice_record record = record_of(queue, message, SLUICE_RECORD_LEASE);
	record.deadline_ms = all->real_ms + settling->delay_ms;
	memcpy(record.receipt, message->record.receipt, SLUICE_RECEIPT_BYTES);
	if (message->worker)
		record.worker = sluice_str(message->worker->client_id);
	if (!write_one(queue, &record, false))
		return QUEUE_NO_ROOM;
	message->record.deadline_ms = record.deadline_ms;
	queue_until(queue, message, QUEUED_LEASED, all->now_ms + settling->delay_ms);
	return QUEUE_DONE;
}

static enum queue_answer settle_one(const struct settling *settling, struct queued *message)
{
	bool leased = message->state == QUEUED_LEASED;
	/* A lease that ran out still counts until the message is given to another. */
	if (settling->kind == SLUICE_RECORD_ACK)
		return acknowledge(settling->queue, message);
	if (!leased)
		return QUEUE_BAD_RECEIPT;
	if (settling->kind == SLUICE_RECORD_RELEASE)
		return give_back(settling, message);
	return extend(settling, message);
}

static bool holds(const struct queued *message, const struct receipt *receipt, uint64_t holder)
{
	return memcmp(message->record.receipt, receipt->secret, SLUICE_RECEIPT_BYTES) == 0 &&
	       (message->holder == 0 || message->holder == holder);
}

static enum queue_answer settle_batch(const struct settling *settling,
                                      const struct receipt *receipt, uint64_t holder)
{
	struct queue *queue = settling->queue;
	bool found = false;
	for (size_t i = 0; i < queue->timers.count; i++) {
		struct queued *message = (struct queued *)queue->timers.nodes[i];
		if (message->state != QUEUED_LEASED || !holds(message, receipt, holder))
			continue;
		enum queue_answer answer = settle_one(settling, message);
		if (answer != QUEUE_DONE)
			return answer;
		found = true;
		/* Others have moved; an extended one would be found again. */
		if (settling->kind != SLUICE_RECORD_LEASE)
			i = SIZE_MAX;
	}
	return found ? QUEUE_DONE : QUEUE_GONE_BEFORE;
}

static enum queue_answer settle(const struct settling *settling, const struct receipt *receipt,
                                uint64_t holder)
{
	struct queue *queue = settling->queue;
	enum queue_answer answer;
	if (receipt->batch) {
		answer = settle_batch(settling, receipt, holder);
	} else {
		struct queued *message = queued_table_find(&queue->table, receipt->id);
		if (!message)
			answer = receipt->id == 0 || receipt->id > queue->all->last_id
			                 ? QUEUE_BAD_RECEIPT
			                 : QUEUE_GONE_BEFORE;
		else if (!holds(message, receipt, holder))
			answer = QUEUE_BAD_RECEIPT;
		else
			answer = settle_one(settling, message);
	}
	if (answer == QUEUE_BAD_RECEIPT)
		counter_add(&queue->numbers->bad_receipts, 1);
	if (answer == QUEUE_DONE)
		queue_dispatch(queue);
	return answer;
}

enum queue_answer queue_ack(struct queue *queue, const struct receipt *receipt, uint64_t holder)
{
	const struct settling settling = { .queue = queue, .kind = SLUICE_RECORD_ACK };
	return settle(&settling, receipt, holder);
}

enum queue_answer queue_nack(struct queue *queue, const struct receipt *receipt, uint64_t holder,
                             int64_t delay_ms, struct sluice_str reason)
{
	const struct settling settling = { .queue = queue,
		                           .kind = SLUICE_RECORD_RELEASE,
		                           .delay_ms = delay_ms,
		                           .reason = reason };
	return settle(&settling, receipt, holder);
}

enum queue_answer queue_reject(struct queue *queue, const struct receipt *receipt, uint64_t holder,
                               int64_t delay_ms, struct sluice_str reason)
{
	const struct settling settling = { .queue = queue,
		                           .kind = SLUICE_RECORD_RELEASE,
		                           .delay_ms = delay_ms,
		                           .reject = true,
		                           .reason = reason };
	return settle(&settling, receipt, holder);
}

enum queue_answer queue_extend(struct queue *queue, const struct receipt *receipt, uint64_t holder,
                               int64_t lease_ms)
{
	const struct settling settling = { .queue = queue,
		                           .kind = SLUICE_RECORD_LEASE,
		                           .delay_ms = lease_ms };
	return settle(&settling, receipt, holder);
}

/* --- burying --- */

/* Why it is a dead letter, as JSON. */
static bool write_error(const struct queue *queue, const struct queued *message, const char *code,
                        const char *text, struct sluice_buffer *out)
{
	sluice_buffer_append_text(out, "{\"code\":\"");
	sluice_buffer_append_text(out, code);
	sluice_buffer_append_text(out, "\",\"message\":");
	sluice_json_write_string(out, sluice_str(text));
	sluice_buffer_printf(out, ",\"queue\":\"%s\",\"attempts\":%u", queue->name,
	                     message->record.attempts);
	if (message->reason) {
		sluice_buffer_append_text(out, ",\"reason\":");
		sluice_json_write_string(out, sluice_str(message->reason));
	}
	sluice_buffer_append_text(out, "}");
	return !out->failed;
}

/* Moves it to another queue, by a record that says why when it is a dead letter. */
static bool move(struct queue *queue, struct queued *message, struct queue *to,
                 struct sluice_str origin, struct sluice_str error)
{
	struct queues *all = queue->all;
	struct sluice_record record = { .kind = SLUICE_RECORD_MOVE,
		                        .queue = sluice_str(queue->name),
		                        .id = message->record.id,
		                        .to_queue = sluice_str(to->name),
		                        .new_id = all->last_id + 1,
		                        .enqueued_ms = all->real_ms,
		                        .origin = origin,
		                        .error = error };
	if (!write_one(queue, &record, true))
		return false;
	struct sluice_record arrival = message->record;
	arrival.kind = SLUICE_RECORD_ENQUEUE;
	arrival.id = queues_next_id(all);
	arrival.enqueued_ms = record.enqueued_ms;
	arrival.origin = origin;
	arrival.error = error;
	arrival.attempts = 0;
	memset(arrival.receipt, 0, sizeof arrival.receipt);
	arrival.deadline_ms = arrival.due_ms = 0;
	queue_accept(to, &arrival);
	to->again = true;
	return true;
}

bool queue_bury(struct queue *queue, struct queued *message, const char *code, const char *text)
{
	struct queue_numbers *numbers = queue->numbers;
	const char *name = queue->settings.dead_letter;
	bool expired = strcmp(code, "expired") == 0;
	if (name[0] == '\0') {
		struct sluice_record record = record_of(queue, message, SLUICE_RECORD_ACK);
		if (!write_one(queue, &record, true))
			return false;
	} else {
		struct queue *to = queues_find(queue->all, sluice_str(name));
		struct sluice_buffer error = { 0 };
		bool moved = to && write_error(queue, message, code, text, &error) &&
		             move(queue, message, to, sluice_str(queue->name),
		                  sluice_buffer_str(&error));
		sluice_buffer_finish(&error);
		if (!moved)
			return false;
		if (message->group && queue->settings.group_stop)
			message->group->dead++;
	}
	counter_add(expired ? &numbers->expired : &numbers->dead, 1);
	queue_drop(queue, message);
	return true;
}

/* --- what time brings --- */

static void timers(struct queue *queue)
{
	int64_t now_ms = queue->all->now_ms;
	struct heap_node *first;
	for (size_t turn = 0; (first = heap_first(&queue->timers)) && first->key <= now_ms;
	     turn++) {
		struct queued *message = (struct queued *)first;
		if (turn == QUEUE_TURN) {
			queue->again = true;
			return;
		}
		if (message->state == QUEUED_WAITING) {
			queue_ready_again(queue, message);
			continue;
		}
		/* Nobody was known to be there: then nobody failed. */
		if (!message->offered)
			counter_add(&queue->numbers->timed_out, 1);
		if (!message->offered && is_spent(queue, message) &&
		    queue_bury(queue, message, "max-receives",
		               "not acknowledged as often as allowed"))
			continue;
		queue_ready_again(queue, message);
	}
}

/* The oldest that is too old, or too many. */
static const char *surplus(const struct queue *queue, const struct queued *oldest)
{
	const struct queue_settings *settings = &queue->settings;
	const struct queue_numbers *numbers = queue->numbers;
	uint64_t events = counter_get(&numbers->ready) + counter_get(&numbers->in_flight) +
	                  counter_get(&numbers->delayed);
	if (queue->all->real_ms - oldest->record.enqueued_ms >= settings->retention_ms)
		return "older than the queue's retention_s";
	if (settings->max_events > 0 && events > settings->max_events)
		return "the queue has more than its max_events";
	if (settings->max_bytes > 0 && counter_get(&numbers->bytes) > settings->max_bytes)
		return "the queue has more than its max_bytes";
	return NULL;
}

static void retention(struct queue *queue)
{
	struct heap_node *first;
	for (size_t turn = 0; (first = heap_first(&queue->ready)); turn++) {
		struct queued *oldest = (struct queued *)first;
		const char *why = surplus(queue, oldest);
		if (!why)
			return;
		if (turn == QUEUE_TURN) {
			queue->again = true;
			return;
		}
		if (!queue_bury(queue, oldest, "expired", why))
			return;
	}
}

static void redrive(struct queue *queue)
{
	if (queue->redrive_left > 0)
		receivers_take_back(queue);
	for (size_t turn = 0; queue->redrive_left > 0; turn++) {
		struct queued *message = (struct queued *)heap_first(&queue->ready);
		if (!message) {
			if (!queue->more)
				queue->redrive_left = 0;
			return;
		}
		if (turn == QUEUE_TURN) {
			queue->again = true;
			return;
		}
		struct sluice_str name = sluice_str(queue->redrive_queue);
		if (name.len == 0)
			name = message->record.origin;
		struct queue *to = queues_find(queue->all, name);
		bool stays = (!to || to == queue) && queue->redrive_queue[0] == '\0';
		if (stays && message->record.id <= queue->redrive_to_id &&
		    queue_put_last(queue, message)) {
			counter_add(&queue->numbers->stayed, 1);
			continue;
		}
		if (message->record.id > queue->redrive_to_id || !to || to == queue ||
		    !move(queue, message, to, (struct sluice_str){ 0 }, (struct sluice_str){ 0 })) {
			queue->redrive_left = 0;
			return;
		}
		queue->redrive_left--;
		counter_add(&queue->numbers->redriven, 1);
		queue_drop(queue, message);
	}
}

void queue_redrive(struct queue *queue, const char *to, uint64_t limit)
{
	snprintf(queue->redrive_queue, sizeof queue->redrive_queue, "%s", to);
	queue->redrive_left = limit;
	queue->redrive_to_id = queue->all->last_id;
	counter_set(&queue->numbers->redriving, 1);
	queue->again = true;
}

void queue_tick(struct queue *queue)
{
	queue->again = false;
	receivers_expire(queue);
	timers(queue);
	redrive(queue);
	counter_set(&queue->numbers->redriving, queue->redrive_left > 0);
	retention(queue);
	queue_dispatch(queue);
	queue_update_gauges(queue);
}

int64_t queue_next_ms(const struct queue *queue)
{
	int64_t now_ms = queue->all->now_ms;
	int64_t next_ms = INT64_MAX;
	if (queue->again)
		return now_ms;
	const struct heap_node *first = heap_first(&queue->timers);
	if (first)
		next_ms = first->key;
	for (const struct worker *worker = queue->workers; worker; worker = worker->next) {
		if (worker->end_ms < next_ms)
			next_ms = worker->end_ms;
	}
	if (queue->deliver_again_ms < next_ms)
		next_ms = queue->deliver_again_ms;
	if (wants_load(queue) && queue->load_again_ms < next_ms)
		next_ms = queue->load_again_ms;
	if (queue->ready.count > 0 && !queue->workers && !queue->all->hears_subscribe &&
	    queue->bare.next_offer_ms < next_ms)
		next_ms = queue->bare.next_offer_ms;
	int64_t batch_ms = now_ms + batch_rest_ms(queue);
	return batch_ms > now_ms && batch_ms < next_ms ? batch_ms : next_ms;
}
