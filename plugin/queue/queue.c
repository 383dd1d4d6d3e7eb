/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* A queue's messages: how they come into memory, where they stand there, and how they leave it. */
#include "queue.h"

#include <stdlib.h>

#include "queues.h"

static int64_t order(const struct queued *message)
{
	return (int64_t)message->record.id;
}

static void gauge_add(counter *number, int64_t by)
{
	uint64_t now = counter_get(number);
	counter_set(number, by < 0 && now < (uint64_t)-by ? 0 : now + (uint64_t)by);
}

/* --- where they stand --- */

static counter *gauge_of(struct queue *queue, enum queued_state state)
{
	switch (state) {
	case QUEUED_LEASED:
		return &queue->numbers->in_flight;
	case QUEUED_WAITING:
		return &queue->numbers->delayed;
	case QUEUED_BEHIND:
	case QUEUED_READY:
		break;
	}
	return &queue->numbers->ready;
}

/* The message is counted already; now in another state. */
static void set_state(struct queue *queue, struct queued *message, enum queued_state state)
{
	gauge_add(gauge_of(queue, message->state), -1);
	gauge_add(gauge_of(queue, state), 1);
	message->state = state;
}

static void make_ready(struct queue *queue, struct queued *message)
{
	set_state(queue, message, QUEUED_READY);
	heap_push(&queue->ready, &message->node, order(message));
}

static void enter_window(struct queue *queue, struct queued *message)
{
	queue->window++;
	queue->window_bytes += message->bytes;
}

static void leave_window(struct queue *queue, struct queued *message)
{
	queue->window--;
	queue->window_bytes -= message->bytes;
}

/* The next of the group may go. */
static void go_on(struct queue *queue, struct group *group)
{
	if (!group->head && group->dead == 0) {
		group->head = group_next(group);
		if (group->head)
			make_ready(queue, group->head);
	}
	groups_tidy(&queue->groups, group);
}

void queue_insert(struct queue *queue, struct queued *message)
{
	struct group *group = message->group;
	enter_window(queue, message);
	if (!group) {
		make_ready(queue, message);
		return;
	}
	struct queued *head = group->head;
	if (head && head->state == QUEUED_READY && order(head) > order(message)) {
		/* It is before the one that was thought to be the first. */
		heap_remove(&queue->ready, &head->node);
		set_state(queue, head, QUEUED_BEHIND);
		group_behind(group, head);
		group->head = NULL;
	}
	if (group->head || group->dead > 0) {
		set_state(queue, message, QUEUED_BEHIND);
		group_behind(group, message);
		return;
	}
	group->head = message;
	make_ready(queue, message);
}

static void settle_lease(struct queue *queue, struct queued *message)
{
	if (message->state != QUEUED_LEASED)
		return;
	queue->leased--;
	if (message->worker)
		receivers_took(message->worker, 1);
	message->worker = NULL;
	message->bare = message->offered = false;
}

void queue_ready_again(struct queue *queue, struct queued *message)
{
	heap_remove(&queue->timers, &message->node);
	settle_lease(queue, message);
	enter_window(queue, message);
	make_ready(queue, message);
}

void queue_until(struct queue *queue, struct queued *message, enum queued_state state,
                 int64_t at_ms)
{
	if (message->state == QUEUED_READY) {
		heap_remove(&queue->ready, &message->node);
		leave_window(queue, message);
	} else {
		heap_remove(&queue->timers, &message->node);
	}
	if (state == QUEUED_WAITING)
		settle_lease(queue, message);
	else if (message->state != QUEUED_LEASED)
		queue->leased++;
	set_state(queue, message, state);
	heap_push(&queue->timers, &message->node, at_ms);
}

/* --- into memory --- */

static bool has_room(const struct queue *queue, size_t bytes)
{
	size_t window = queue->settings.grouped ? QUEUE_WINDOW_GROUPED : QUEUE_WINDOW;
	return queue->window < window &&
	       (queue->window == 0 || queue->window_bytes + bytes <= QUEUE_WINDOW_BYTES) &&
	       queue->all->memory + bytes <= QUEUES_MEMORY;
}

/* NULL when there is no memory, or it is here already. */
static struct queued *keep(struct queue *queue, const struct sluice_record *record)
{
	if (queued_table_find(&queue->table, record->id))
		return NULL;
	/* So that it can be moved from one to the other without fail. */
	if (!heap_reserve(&queue->ready, queue->table.count + 1) ||
	    !heap_reserve(&queue->timers, queue->table.count + 1))
		return NULL;
	struct queued *message = queued_create(record);
	if (!message)
		return NULL;
	if (queue->settings.grouped && record->group.data) {
		message->group = groups_of(&queue->groups, message->record.group);
		if (!message->group)
			goto error_message;
	}
	if (!queued_table_add(&queue->table, message))
		goto error_group;
	queue->all->memory += message->bytes;
	return message;

error_group:
	if (message->group)
		groups_tidy(&queue->groups, message->group);
error_message:
	queued_destroy(message);
	return NULL;
}

/* It is counted when it is known what else there is. Without memory the count is off until the next
 * start. */
static void note_early(struct queue *queue, const struct sluice_record *record)
{
	if (queue->early_count == queue->early_capacity) {
		size_t capacity = queue->early_capacity ? queue->early_capacity * 2 : 64;
		struct queue_early *early = realloc(queue->early, capacity * sizeof *early);
		if (!early)
			return;
		queue->early = early;
		queue->early_capacity = capacity;
	}
	queue->early[queue->early_count++] =
	        (struct queue_early){ record->id, record->payload.len, record->parked };
}

static void spill(struct queue *queue, uint64_t id)
{
	queue->more = true;
	if (id > queue->spilled_to)
		queue->spilled_to = id;
}

void queue_accept(struct queue *queue, const struct sluice_record *record)
{
	struct queue_numbers *numbers = queue->numbers;
	counter_add(&numbers->accepted, 1);
	if (!queue->attached) {
		note_early(queue, record);
		if (!record->parked)
			spill(queue, record->id);
		return;
	}
	gauge_add(&numbers->bytes, (int64_t)record->payload.len);
	if (record->parked) {
		gauge_add(&numbers->delayed, 1);
		return;
	}
	gauge_add(&numbers->ready, 1);
	struct queued *message = NULL;
	if (!queue->more && has_room(queue, record->payload.len))
		message = keep(queue, record);
	if (!message) {
		spill(queue, record->id);
		return;
	}
	queue->loaded_to = record->id;
	queue_insert(queue, message);
}

void queue_attach(struct queue *queue, const struct queue_holdings *holdings)
{
	struct queue_numbers *numbers = queue->numbers;
	queue->attached = true;
	queue->more |= holdings->ready > 0;
	counter_set(&numbers->ready, holdings->ready);
	counter_set(&numbers->delayed, holdings->parked);
	counter_set(&numbers->bytes, holdings->bytes);
	for (size_t i = 0; i < queue->early_count; i++) {
		const struct queue_early *early = &queue->early[i];
		if (early->id <= holdings->carried_to)
			continue;
		gauge_add(early->parked ? &numbers->delayed : &numbers->ready, 1);
		gauge_add(&numbers->bytes, (int64_t)early->bytes);
	}
	free(queue->early);
	queue->early = NULL;
	queue->early_count = queue->early_capacity = 0;
}

/* Times are kept as the wall clock's, which may have been set since: an end too far away is none. */
static int64_t until(const struct queue *queue, int64_t real_ms, int64_t longest_ms)
{
	int64_t left_ms = real_ms - queue->all->real_ms;
	if (left_ms > longest_ms)
		left_ms = queue->settings.visibility_ms;
	return queue->all->now_ms + (left_ms > 0 ? left_ms : 0);
}

void queue_restore(struct queue *queue, const struct sluice_record *record)
{
	struct queued *message = keep(queue, record);
	if (!message)
		return; /* no memory: it is held on the disk until the broker starts anew */
	gauge_add(&queue->numbers->ready, 1);
	queue_insert(queue, message);
	bool leased = record->deadline_ms != 0;
	int64_t end_ms = leased ? record->deadline_ms : record->due_ms;
	/* Where two of one group were out, the elder goes first. */
	if (end_ms == 0 || message->state == QUEUED_BEHIND)
		return;
	queue_until(queue, message, leased ? QUEUED_LEASED : QUEUED_WAITING,
	            until(queue, end_ms, leased ? QUEUE_EXTEND_MAX_MS : INT64_MAX / 2));
	message->bare = leased && record->worker.len == 0;
	/* No attempt: nobody was known to be there. */
	message->offered = message->bare && record->attempts == 0;
}

void queue_restore_dead(struct queue *queue, struct sluice_str key, size_t count)
{
	/* Without memory it goes on. */
	struct group *group = queue->settings.grouped ? groups_of(&queue->groups, key) : NULL;
	if (group)
		group->dead = count;
}

void queue_load_row(struct queue *queue, const struct sluice_record *record)
{
	if (record->id <= queue->purged_to || record->id <= queue->loaded_to)
		return;
	struct queued *message = keep(queue, record);
	if (message) {
		queue->loaded_to = record->id;
		queue_insert(queue, message);
	} else if (!queued_table_find(&queue->table, record->id)) {
		/* No memory: the rest of this answer is of no use, it would leave a gap. */
		queue->load_again_ms = queue->all->now_ms + QUEUE_RETRY_MS;
		queue->loading = false;
	}
}

void queue_load_end(struct queue *queue, bool done, bool complete, uint64_t carried_to)
{
	if (!queue->loading)
		return;
	queue->loading = false;
	if (!done) {
		queue->load_again_ms = queue->all->now_ms + QUEUE_RETRY_MS;
		return;
	}
	if (complete && queue->spilled_to <= carried_to) {
		queue->more = false;
		if (queue->loaded_to < carried_to)
			queue->loaded_to = carried_to;
	}
	queue_dispatch(queue);
}

/* There is no room for it: it takes its place anew, behind all that is on the disk. */
static bool move_to_end(struct queue *queue, const struct sluice_record *record)
{
	struct queues *all = queue->all;
	struct sluice_record move = *record;
	move.kind = SLUICE_RECORD_MOVE;
	move.queue = move.to_queue = sluice_str(queue->name);
	move.new_id = all->last_id + 1;
	if (!all->io.write(all->io.arg, &move, 1, true))
		return false;
	spill(queue, queues_next_id(all));
	return true;
}

bool queue_hand_in(struct queue *queue, const struct sluice_record *record)
{
	struct queued *message = NULL;
	if (record->id <= queue->purged_to)
		return true;
	gauge_add(&queue->numbers->delayed, -1);
	gauge_add(&queue->numbers->ready, 1);
	if (record->id > queue->loaded_to && queue->more)
		spill(queue, record->id);
	else if (has_room(queue, record->payload.len) && (message = keep(queue, record)))
		queue_insert(queue, message);
	else if (!move_to_end(queue, record))
		goto error_room;
	if (message && record->id > queue->loaded_to)
		queue->loaded_to = record->id;
	return true;

error_room:
	gauge_add(&queue->numbers->delayed, 1);
	gauge_add(&queue->numbers->ready, -1);
	return false;
}

/* --- out of memory --- */

/* A dead letter that is dealt with lets its group go on. */
static void dealt_with(struct queue *queue, const struct queued *message)
{
	if (!message->record.origin.data || !message->record.group.data)
		return;
	struct queue *origin = queues_find(queue->all, message->record.origin);
	struct group *group = origin ? groups_find(&origin->groups, message->record.group) : NULL;
	if (!group || group->dead == 0 || strcmp(origin->settings.dead_letter, queue->name) != 0)
		return;
	group->dead--;
	go_on(origin, group);
	origin->again = true;
}

void queue_drop(struct queue *queue, struct queued *message)
{
	struct queue_numbers *numbers = queue->numbers;
	struct group *group = message->group;
	if (message->state == QUEUED_READY)
		heap_remove(&queue->ready, &message->node);
	else if (message->state != QUEUED_BEHIND) /* that one was taken out of its list */
		heap_remove(&queue->timers, &message->node);
	if (message->state == QUEUED_READY || message->state == QUEUED_BEHIND)
		leave_window(queue, message);
	settle_lease(queue, message);
	gauge_add(gauge_of(queue, message->state), -1);
	gauge_add(&numbers->bytes, -(int64_t)message->record.payload.len);
	queued_table_remove(&queue->table, message);
	queue->all->memory -= message->bytes;
	dealt_with(queue, message);
	if (group && group->head == message) {
		group->head = NULL;
		go_on(queue, group);
	}
	queued_destroy(message);
}

bool queue_put_last(struct queue *queue, struct queued *message)
{
	struct queues *all = queue->all;
	int64_t bytes = (int64_t)message->record.payload.len;
	const struct sluice_record move = { .kind = SLUICE_RECORD_MOVE,
		                            .queue = sluice_str(queue->name),
		                            .id = message->record.id,
		                            .to_queue = sluice_str(queue->name),
		                            .new_id = all->last_id + 1,
		                            .enqueued_ms = message->record.enqueued_ms,
		                            .attempts = message->record.attempts,
		                            .origin = message->record.origin,
		                            .error = message->record.error };
	if (!all->io.write(all->io.arg, &move, 1, true))
		return false;
	spill(queue, queues_next_id(all));
	queue_drop(queue, message);
	gauge_add(&queue->numbers->ready, 1);
	gauge_add(&queue->numbers->bytes, bytes);
	return true;
}

bool queue_purge(struct queue *queue)
{
	struct queues *all = queue->all;
	struct queue_numbers *numbers = queue->numbers;
	if (all->last_id == 0)
		return true; /* nothing ever was in any queue, and no record names the message 0 */
	struct sluice_record purge = { .kind = SLUICE_RECORD_PURGE,
		                       .queue = sluice_str(queue->name),
		                       .id = all->last_id };
	if (!all->io.write(all->io.arg, &purge, 1, true))
		return false;
	counter_add(&numbers->purged, counter_get(&numbers->ready) +
	                                      counter_get(&numbers->in_flight) +
	                                      counter_get(&numbers->delayed));
	/* Those behind others first, else each would become the head. */
	for (size_t i = 0; i < queue->groups.bucket_count; i++) {
		for (struct group *group = queue->groups.buckets[i]; group; group = group->next) {
			struct queued *message;
			while ((message = group_next(group)))
				queue_drop(queue, message);
		}
	}
	for (size_t i = 0; i < queue->table.bucket_count; i++) {
		while (queue->table.buckets[i])
			queue_drop(queue, queue->table.buckets[i]);
	}
	queue->purged_to = queue->loaded_to = all->last_id;
	queue->more = false;
	queue->redrive_left = 0;
	counter_set(&numbers->ready, 0);
	counter_set(&numbers->in_flight, 0);
	counter_set(&numbers->delayed, 0);
	counter_set(&numbers->bytes, 0);
	/* Whoever has this one for its dead letters has none any more. */
	for (struct queue *other = all->first; other; other = other->next) {
		if (strcmp(other->settings.dead_letter, queue->name) != 0)
			continue;
		for (size_t i = 0; i < other->groups.bucket_count; i++) {
			struct group *next;
			for (struct group *group = other->groups.buckets[i]; group; group = next) {
				next = group->next;
				if (group->dead == 0)
					continue;
				group->dead = 0;
				go_on(other, group);
				other->again = true;
			}
		}
	}
	return true;
}

void queue_update_gauges(struct queue *queue)
{
	const struct heap_node *first = heap_first(&queue->ready);
	int64_t oldest_ms = first ? ((const struct queued *)first)->record.enqueued_ms : 0;
	counter_set(&queue->numbers->oldest_ms, (uint64_t)oldest_ms);
}

uint64_t queue_oldest_age_s(const struct queue *queue)
{
	int64_t oldest_ms = (int64_t)counter_get(&queue->numbers->oldest_ms);
	int64_t age_ms = queue->all->real_ms - oldest_ms;
	return oldest_ms == 0 || age_ms < 0 ? 0 : (uint64_t)age_ms / 1000;
}
