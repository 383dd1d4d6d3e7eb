/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Random records in batches of random sizes, held against a plain model: an array of messages, to
 * which each record is applied in turn. Batches are abandoned and applied again, applied once more
 * after they were committed, looked into before they are; files are closed and opened meanwhile.
 */
#include "data_helper.h"

enum {
	QUEUES = 4,
	BUSES = 2,
	MAX_MESSAGES = 4096,
	MAX_EVENTS = 1 << 16,
	MAX_BATCH = 1500,
	LARGE = 700000, /* past what a message may have to be held in memory */
};

static const char *const queue_names[QUEUES] = { "a", "b", "dead", "of-a-longer-name" };
static const char *const bus_names[BUSES] = { "default", "other" };

struct model_message {
	uint64_t id;
	int queue;
	enum { READY, HELD, PARKED } state;
	size_t len;
	uint32_t attempts;
	int64_t enqueued_ms, due_ms, deadline_ms;
	char worker[8], reason[8], origin[8];
};

struct model_event {
	uint64_t id;
	int bus;
	int64_t time_ms;
};

struct model {
	struct model_message messages[MAX_MESSAGES];
	struct model_event events[MAX_EVENTS];
	size_t message_count, event_count;
	uint64_t last_id, archived[BUSES];
};

/* Kept out of struct sluice_record, whose texts point elsewhere. */
struct step {
	enum sluice_record_kind kind;
	int queue, to_queue;
	uint64_t id, new_id;
	size_t len;
	uint32_t attempts;
	int64_t time_ms, due_ms, deadline_ms;
	bool parked, worker, reason;
};

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 11) % below;
}

/* --- the model --- */

static struct model_message *find_message(struct model *model, int queue, uint64_t id)
{
	for (size_t i = 0; i < model->message_count; i++)
		if (model->messages[i].id == id && (queue < 0 || model->messages[i].queue == queue))
			return &model->messages[i];
	return NULL;
}

static void remove_message(struct model *model, struct model_message *message)
{
	size_t place = (size_t)(message - model->messages);
	memmove(message, message + 1, (--model->message_count - place) * sizeof(*message));
}

static int compare_ids(const void *a, const void *b)
{
	const struct model_message *left = a, *right = b;
	return (left->id > right->id) - (left->id < right->id);
}

static void model_enqueue(struct model *model, const struct step *step)
{
	if (find_message(model, -1, step->id))
		return;
	assert_true(model->message_count < MAX_MESSAGES);
	model->messages[model->message_count++] =
	        (struct model_message){ .id = step->id,
		                        .queue = step->queue,
		                        .state = step->due_ms ? PARKED : READY,
		                        .len = step->len,
		                        .attempts = step->attempts,
		                        .enqueued_ms = step->time_ms,
		                        .due_ms = step->due_ms };
}

static void model_move(struct model *model, struct model_message *message, const struct step *step)
{
	if (find_message(model, -1, step->new_id)) {
		remove_message(model, message);
		return;
	}
	strcpy(message->origin, step->reason ? "o" : "");
	message->id = step->new_id;
	message->queue = step->to_queue;
	message->state = READY;
	message->attempts = step->attempts;
	message->enqueued_ms = step->time_ms;
	message->due_ms = message->deadline_ms = 0;
	message->worker[0] = 0;
	qsort(model->messages, model->message_count, sizeof(*message), compare_ids);
}

static void model_change(struct model_message *message, const struct step *step)
{
	bool leased = step->kind == SLUICE_RECORD_LEASE;
	message->state = !leased && step->parked ? PARKED : HELD;
	message->attempts = step->attempts;
	message->deadline_ms = leased ? step->deadline_ms : 0;
	message->due_ms = leased ? 0 : step->due_ms;
	strcpy(message->worker, leased && step->worker ? "w" : "");
	if (!leased && step->reason)
		snprintf(message->reason, sizeof(message->reason), "r%u", step->attempts);
}

static void model_apply(struct model *model, const struct step *step)
{
	struct model_message *message = find_message(model, step->queue, step->id);
	uint64_t id = step->kind == SLUICE_RECORD_MOVE ? step->new_id
	              : step->kind == SLUICE_RECORD_ENQUEUE || step->kind == SLUICE_RECORD_ARCHIVE
	                      ? step->id
	                      : 0;
	model->last_id = id > model->last_id ? id : model->last_id;
	switch (step->kind) {
	case SLUICE_RECORD_ENQUEUE:
		model_enqueue(model, step);
		break;
	case SLUICE_RECORD_ARCHIVE:
		if (step->id <= model->archived[step->queue])
			break;
		assert_true(model->event_count < MAX_EVENTS);
		model->archived[step->queue] = step->id;
		model->events[model->event_count++] =
		        (struct model_event){ step->id, step->queue, step->time_ms };
		break;
	case SLUICE_RECORD_PURGE:
		for (size_t i = model->message_count; i-- > 0;)
			if (model->messages[i].queue == step->queue &&
			    model->messages[i].id <= step->id)
				remove_message(model, &model->messages[i]);
		break;
	case SLUICE_RECORD_ACK:
		if (message)
			remove_message(model, message);
		break;
	case SLUICE_RECORD_MOVE:
		if (message)
			model_move(model, message, step);
		break;
	default:
		if (message)
			model_change(message, step);
	}
}

/* --- the same in SQLite --- */

static char payload[LARGE];

static void real_apply(struct sluice_data *data, const struct step *step)
{
	char reason[8];
	snprintf(reason, sizeof(reason), "r%u", step->attempts);
	struct sluice_record record =
	        about(step->kind,
	              step->kind == SLUICE_RECORD_ARCHIVE ? bus_names[step->queue]
	                                                  : queue_names[step->queue],
	              step->id);
	record.time_ms = record.enqueued_ms = step->time_ms;
	record.payload = (struct sluice_str){ payload, step->len };
	record.to_queue = sluice_str(queue_names[step->to_queue]);
	record.new_id = step->new_id;
	record.attempts = step->attempts;
	record.due_ms = step->due_ms;
	record.parked = step->parked;
	record.deadline_ms = step->deadline_ms;
	if (step->kind == SLUICE_RECORD_LEASE && step->worker)
		record.worker = SLUICE_STR("w");
	if (step->kind == SLUICE_RECORD_RELEASE && step->reason)
		record.reason = sluice_str(reason);
	if (step->kind == SLUICE_RECORD_MOVE && step->reason)
		record.origin = SLUICE_STR("o");
	apply(data, record);
}

/* --- comparing --- */

static void put_message(struct sluice_buffer *out, const struct model_message *message)
{
	sluice_buffer_printf(out, "%llu(%d) %zu bytes x%u at %lld due %lld until %lld %s %s %s\n",
	                     (unsigned long long)message->id, message->state == PARKED,
	                     message->len, message->attempts, (long long)message->enqueued_ms,
	                     (long long)message->due_ms, (long long)message->deadline_ms,
	                     message->worker, message->reason, message->origin);
}

static bool collect(void *arg, const struct sluice_record *row)
{
	struct model_message message = { .id = row->id,
		                         .state = row->parked ? PARKED : READY,
		                         .len = row->payload.len,
		                         .attempts = row->attempts,
		                         .enqueued_ms = row->enqueued_ms,
		                         .due_ms = row->due_ms,
		                         .deadline_ms = row->deadline_ms };
	snprintf(message.worker, sizeof(message.worker), "%.*s", (int)row->worker.len,
	         row->worker.data);
	snprintf(message.reason, sizeof(message.reason), "%.*s", (int)row->reason.len,
	         row->reason.data);
	snprintf(message.origin, sizeof(message.origin), "%.*s", (int)row->origin.len,
	         row->origin.data);
	put_message(arg, &message);
	return true;
}

static void compare_list(struct model *model, struct sluice_data *data, int queue, int state)
{
	struct sluice_buffer expected = { 0 }, got = { 0 };
	struct sluice_error error;
	struct sluice_str name = sluice_str(queue_names[queue]);
	for (size_t i = 0; i < model->message_count; i++)
		if (model->messages[i].queue == queue &&
		    (state < 0 || (int)model->messages[i].state == state))
			put_message(&expected, &model->messages[i]);
	if (state == READY)
		assert_ok(sluice_data_ready(data, name, 0, 0, 0, collect, &got, &error), error);
	else if (state == HELD)
		assert_ok(sluice_data_held(data, name, collect, &got, &error), error);
	else
		assert_ok(sluice_data_peek(data, name, 0, 0, collect, &got, &error), error);
	if (!sluice_str_equal(sluice_buffer_str(&expected), sluice_buffer_str(&got)))
		fail_msg("%s, state %d: expected\n%.*sgot\n%.*s", queue_names[queue], state,
		         (int)expected.len, expected.data, (int)got.len, got.data);
	sluice_buffer_finish(&expected);
	sluice_buffer_finish(&got);
}

struct events {
	const struct model *model;
	int bus;
	size_t next;
};

static bool next_event(void *arg, const struct sluice_record *row)
{
	struct events *events = arg;
	while (events->model->events[events->next].bus != events->bus)
		events->next++;
	assert_true(events->next < events->model->event_count);
	assert_int_equal(row->id, events->model->events[events->next].id);
	assert_int_equal(row->time_ms, events->model->events[events->next].time_ms);
	events->next++;
	return true;
}

static void compare_archive(struct model *model, struct sluice_data *data)
{
	for (int bus = 0; bus < BUSES; bus++) {
		struct sluice_archive_query query = { .bus = sluice_str(bus_names[bus]) };
		struct events events = { model, bus, 0 };
		struct sluice_archive_stats stats;
		struct sluice_error error;
		size_t count = 0;
		for (size_t i = 0; i < model->event_count; i++)
			count += model->events[i].bus == bus;
		assert_ok(sluice_archive_read(data, &query, next_event, &events, &error), error);
		assert_ok(sluice_archive_stats(data, query.bus, &stats, &error), error);
		assert_int_equal(stats.events, count);
		while (events.next < model->event_count)
			assert_int_not_equal(model->events[events.next++].bus, bus);
	}
}

static void compare(struct model *model, struct sluice_data *data)
{
	int64_t next_due = INT64_MAX;
	for (int queue = 0; queue < QUEUES; queue++) {
		uint64_t counts[3] = { 0 }, bytes = 0;
		for (size_t i = 0; i < model->message_count; i++) {
			const struct model_message *message = &model->messages[i];
			if (message->state == PARKED && message->due_ms < next_due)
				next_due = message->due_ms;
			if (message->queue != queue)
				continue;
			counts[message->state]++;
			bytes += message->len;
		}
		compare_list(model, data, queue, READY);
		compare_list(model, data, queue, HELD);
		compare_list(model, data, queue, -1);
		counts_are(data, queue_names[queue], counts[READY], counts[HELD], counts[PARKED],
		           bytes);
	}
	assert_int_equal(sluice_data_next_due(data), next_due);
	assert_int_equal(sluice_data_last_id(data, NULL), model->last_id);
	compare_archive(model, data);
}

/* --- what comes --- */

static uint64_t last_drawn;

static struct step draw_step(const struct model *model)
{
	static const enum sluice_record_kind kinds[] = {
		SLUICE_RECORD_ENQUEUE, SLUICE_RECORD_ENQUEUE, SLUICE_RECORD_ENQUEUE,
		SLUICE_RECORD_ENQUEUE, SLUICE_RECORD_LEASE,   SLUICE_RECORD_LEASE,
		SLUICE_RECORD_LEASE,   SLUICE_RECORD_ACK,     SLUICE_RECORD_ACK,
		SLUICE_RECORD_ACK,     SLUICE_RECORD_RELEASE, SLUICE_RECORD_RELEASE,
		SLUICE_RECORD_MOVE,    SLUICE_RECORD_ARCHIVE, SLUICE_RECORD_ARCHIVE,
	};
	struct step step = { .kind = kinds[draw(sizeof(kinds) / sizeof(kinds[0]))],
		             .queue = (int)draw(QUEUES),
		             .to_queue = (int)draw(QUEUES),
		             .attempts = (uint32_t)draw(5),
		             .time_ms = (int64_t)(1000 + draw(100000)),
		             .deadline_ms = (int64_t)draw(1000),
		             .worker = draw(2),
		             .reason = draw(2) };
	if (draw(150) == 0)
		step.kind = SLUICE_RECORD_PURGE;
	if (step.kind == SLUICE_RECORD_ENQUEUE || step.kind == SLUICE_RECORD_ARCHIVE) {
		step.id = ++last_drawn;
		step.queue %= step.kind == SLUICE_RECORD_ARCHIVE ? BUSES : QUEUES;
		step.len = draw(400) == 0 ? LARGE : draw(40) == 0 ? 3000 : draw(50);
		step.due_ms = draw(4) == 0 ? (int64_t)(1 + draw(1000)) : 0;
		return step;
	}
	/* Mostly about one that is there. */
	step.id = 1 + draw(last_drawn + 3);
	if (model->message_count > 0 && draw(10) > 0) {
		const struct model_message *message = &model->messages[draw(model->message_count)];
		step.id = message->id;
		step.queue = draw(20) == 0 ? step.queue : message->queue;
	}
	if (step.kind == SLUICE_RECORD_MOVE)
		step.new_id = ++last_drawn;
	if (step.kind == SLUICE_RECORD_RELEASE) {
		step.due_ms = draw(2) ? (int64_t)(1 + draw(1000)) : 0;
		step.parked = step.due_ms && draw(2);
	}
	return step;
}

struct due {
	struct model *model;
	int64_t now_ms, last_ms;
	size_t left;
};

static bool bring(void *arg, const struct sluice_record *row)
{
	struct due *due = arg;
	struct model_message *message = find_message(due->model, -1, row->id);
	assert_non_null(message);
	assert_int_equal(message->state, PARKED);
	assert_in_range(message->due_ms, due->last_ms, due->now_ms);
	due->last_ms = message->due_ms;
	message->state = READY;
	message->due_ms = 0;
	due->left--;
	return due->left > 0;
}

/* Some of those that are due, or all. */
static void bring_due(struct model *model, struct sluice_data *data)
{
	struct due due = { model, (int64_t)draw(1000), 0, 1 + draw(20) };
	struct sluice_error error;
	size_t limit = draw(2) ? 1 + draw(10) : 0;
	assert_ok(sluice_data_due(data, due.now_ms, limit, bring, &due, &error), error);
}

static void trim(struct model *model, struct sluice_data *data)
{
	struct sluice_error error;
	int bus = (int)draw(BUSES);
	int64_t before_ms = (int64_t)draw(60000);
	bool more = true;
	size_t kept = 0, limit = 50 + draw(500);
	while (more)
		assert_ok(sluice_archive_trim(data, sluice_str(bus_names[bus]), before_ms, 0, limit,
		                              &more, &error),
		          error);
	for (size_t i = 0; i < model->event_count; i++)
		if (model->events[i].bus != bus || model->events[i].time_ms >= before_ms)
			model->events[kept++] = model->events[i];
	model->event_count = kept;
}

static struct model model, committed;
static struct step batch[MAX_BATCH];

static void apply_all(struct sluice_data *data, size_t count, bool to_model)
{
	begin(data);
	for (size_t i = 0; i < count; i++) {
		if (to_model)
			model_apply(&model, &batch[i]);
		real_apply(data, &batch[i]);
	}
}

static void reopen(struct place *place, struct sluice_data **data)
{
	sluice_data_close(*data);
	*data = open_data(place, 0);
}

static void run_random(struct place *place, uint64_t from)
{
	struct sluice_data *data = open_data(place, 0);
	seed = from;
	last_drawn = 0;
	memset(&model, 0, sizeof(model));
	for (uint64_t position = 1; position <= 60; position++) {
		size_t count = draw(10) == 0 ? draw(MAX_BATCH) : draw(60);
		committed = model;
		begin(data);
		for (size_t i = 0; i < count; i++) {
			batch[i] = draw_step(&model);
			model_apply(&model, &batch[i]);
			real_apply(data, &batch[i]);
			if (draw(200) == 0)
				compare_list(&model, data, (int)draw(QUEUES), -1);
		}
		if (draw(5) == 0) {
			/* A crash: the batch is not there, and comes again. */
			reopen(place, &data);
			assert_int_equal(sluice_data_position(data), position - 1);
			compare(&committed, data);
			apply_all(data, count, false);
		}
		commit(data, position);
		compare(&model, data);
		if (draw(5) == 0) {
			reopen(place, &data);
			compare(&model, data);
		}
		if (draw(4) == 0)
			bring_due(&model, data);
		if (draw(4) == 0) {
			apply_all(data, count, true);
			commit(data, position);
		}
		if (draw(10) == 0)
			trim(&model, data);
		compare(&model, data);
	}
	sluice_data_close(data);
	sql_gives(place,
	          "PRAGMA integrity_check; SELECT count(*) FROM messages m FULL JOIN entries e"
	          " ON e.id = m.id WHERE m.id IS NULL OR e.id IS NULL;",
	          "ok\n0\n");
	run(place, "rm -f $DB*");
}

static void test_random_records_give_what_a_plain_model_gives(void **state)
{
#ifdef SLUICE_SANITIZED
	const uint64_t last = 1;
#else
	const uint64_t last = 3;
#endif
	for (uint64_t from = 1; from <= last; from++)
		run_random(*state, from * UINT64_C(0x9e3779b97f4a7c15));
}

int main(void)
{
	memset(payload, 'p', sizeof(payload));
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_random_records_give_what_a_plain_model_gives),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
