/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "durable.h"

#include <stdlib.h>

#include <mqtt_protocol.h>

#include "delay.h"
#include "plugin.h"
#include "queue_definition.h"

/* Quota exceeded, of 2.1's headers: 0x97 for an MQTT 5 client at QoS 1 and 2. */
enum { ERR_QUOTA_EXCEEDED = -6 };

enum { TICK_SOON_MS = 100 }; /* what is due before the next idle tick */

/* --- writing --- */

static void write_all(const struct sluice_record *records, size_t count, unsigned char *out)
{
	for (size_t i = 0; i < count; i++)
		out += sluice_record_write(&records[i], out);
}

/* A frame that lies over two segments: written here, then put there. */
static bool put_all(struct durable *durable, const struct sluice_record *records, size_t count,
                    size_t size)
{
	if (durable->frame_capacity < size) {
		free(durable->frame);
		durable->frame = malloc(size);
		durable->frame_capacity = durable->frame ? size : 0;
		if (!durable->frame)
			return false;
	}
	write_all(records, count, durable->frame);
	sluice_journal_put(durable->journal, durable->frame, size);
	return true;
}

bool durable_write(struct plugin *plugin, const struct sluice_record *records, size_t count,
                   bool last)
{
	struct durable *durable = &plugin->durable;
	size_t size = 0;
	if (!durable->journal)
		return false;
	for (size_t i = 0; i < count; i++)
		size += sluice_record_size(&records[i]);
	if (!sluice_journal_begin(durable->journal, size, last))
		return false;
	unsigned char *whole = sluice_journal_whole(durable->journal);
	if (whole)
		write_all(records, count, whole);
	else if (!put_all(durable, records, count, size))
		return false;
	bool safe = sluice_journal_commit(durable->journal);
	data_thread_written(durable->thread);
	return safe;
}

static bool write_records(void *arg, const struct sluice_record *records, size_t count, bool last)
{
	return durable_write(arg, records, count, last);
}

static bool ask_load(void *arg, struct queue *queue)
{
	struct plugin *plugin = arg;
	struct data_request request = { .message = { DATA_LOAD }, .after = queue->loaded_to };
	memcpy(request.queue, queue->name, sizeof request.queue);
	return data_thread_ask(plugin->durable.thread, &request);
}

int durable_refuse(struct plugin *plugin, const struct mosquitto_evt_message *message)
{
	counter_add(&plugin->durable.no_room, 1);
	log_limited(
	        &plugin->log, LOG_NO_ROOM, clock_monotonic_ms(), MOSQ_LOG_ERR,
	        "a publish on %.200s is refused: the journal has no room for it (journal_max, or "
	        "a disk that is full or can't be written)",
	        message->topic);
	if (message->qos == 0)
		return MOSQ_ERR_ACL_DENIED;
	if (plugin->compat.is_2_1 &&
	    mosquitto_client_protocol_version(message->client) == PROTOCOL_VERSION_v5)
		return ERR_QUOTA_EXCEEDED;
	return MOSQ_ERR_UNKNOWN;
}

/* --- what the data thread sends --- */

static void attach_all(struct plugin *plugin)
{
	struct durable *durable = &plugin->durable;
	if (!durable->journal)
		return;
	durable->attach = false;
	for (struct queue *queue = durable->queues.first; queue; queue = queue->next) {
		if (queue->attached || queue->attaching)
			continue;
		queue->attaching = true;
		struct data_request request = { .message = { DATA_ATTACH } };
		memcpy(request.queue, queue->name, sizeof request.queue);
		if (queue->settings.group_stop)
			memcpy(request.dead_letter, queue->settings.dead_letter,
			       sizeof request.dead_letter);
		if (!data_thread_ask(durable->thread, &request)) {
			queue->attaching = false;
			durable->attach = true;
		}
	}
}

/* The next record of the rows. False at the end, or where they are none of ours. */
static bool next_row(struct data_rows *rows, struct sluice_record *record)
{
	return rows->next < rows->len &&
	       sluice_record_read(rows->records, rows->len, &rows->next, record, NULL) == SLUICE_OK;
}

static void attached(struct plugin *plugin, struct data_rows *rows)
{
	struct queue *queue = queues_find(&plugin->durable.queues, sluice_str(rows->queue));
	struct sluice_record record;
	if (!queue || queue->attached)
		return;
	queue->attaching = false;
	if (!rows->done) {
		plugin->durable.attach = true;
		return;
	}
	queue_attach(queue, &(struct queue_holdings){ rows->ready, rows->parked, rows->bytes,
	                                              rows->carried_to });
	while (next_row(rows, &record))
		queue_restore(queue, &record);
	queue_dispatch(queue);
}

static void dead(struct plugin *plugin, struct data_rows *rows)
{
	struct queue *queue = queues_find(&plugin->durable.queues, sluice_str(rows->queue));
	struct sluice_record record;
	while (queue && !queue->attached && rows->done && next_row(rows, &record))
		queue_restore_dead(queue, record.group, record.attempts);
}

static void loaded(struct plugin *plugin, struct data_rows *rows)
{
	struct queue *queue = queues_find(&plugin->durable.queues, sluice_str(rows->queue));
	struct sluice_record record;
	if (!queue || !queue->loading)
		return;
	while (rows->done && queue->loading && next_row(rows, &record))
		queue_load_row(queue, &record);
	queue_load_end(queue, rows->done, rows->complete, rows->carried_to);
	plugin->durable.next_ms = 0; /* a redrive may have waited for them */
}

/* Hands in what is due, until the journal has no room. False when something is left. */
static bool hand_in(struct plugin *plugin, struct data_rows *rows)
{
	struct sluice_record record;
	size_t before = rows->next;
	while (next_row(rows, &record)) {
		struct queue *queue = queues_find(&plugin->durable.queues, record.queue);
		bool topic = sluice_str_equal(record.queue, SLUICE_STR(DELAY_QUEUE));
		if (topic ? !delay_deliver(plugin, &record)
		          : queue && !queue_hand_in(queue, &record)) {
			rows->next = before;
			return false;
		}
		if (queue)
			queue_dispatch(queue);
		before = rows->next;
	}
	return true;
}

static void seen(struct plugin *plugin, struct data_rows *rows)
{
	struct durable *durable = &plugin->durable;
	struct sluice_record record;
	durable_now(plugin);
	/* Without memory an event may come twice. */
	while (next_row(rows, &record))
		seen_add(&durable->seen, record.queue, record.dedup, record.dedup_until_ms,
		         durable->queues.real_ms);
}

static void take(void *arg, struct data_message *message)
{
	struct plugin *plugin = arg;
	struct durable *durable = &plugin->durable;
	if (message->kind == DATA_OPENED) {
		const struct data_opened *opened = (const struct data_opened *)message;
		durable->journal = opened->journal;
		if (durable->queues.last_id < opened->last_id)
			durable->queues.last_id = opened->last_id;
		durable->attach = true;
	} else if (message->kind == DATA_SAID) {
		log_line(((struct data_said *)message)->level, "%s",
		         ((struct data_said *)message)->text);
	} else if (message->kind == DATA_REPLAY_BEGUN) {
		replays_begun(plugin, (const struct data_replay_begun *)message);
	} else if (message->kind == DATA_ROWS) {
		struct data_rows *rows = (struct data_rows *)message;
		if (rows->kind == ROWS_DEAD) {
			dead(plugin, rows);
		} else if (rows->kind == ROWS_ATTACHED) {
			attached(plugin, rows);
		} else if (rows->kind == ROWS_LOADED) {
			loaded(plugin, rows);
		} else if (rows->kind == ROWS_SEEN) {
			seen(plugin, rows);
		} else if (rows->kind == ROWS_REPLAY) {
			replays_page(plugin, rows);
			return;
		} else if (rows->done && !hand_in(plugin, rows)) {
			durable->rows = rows; /* nothing else is taken until it is in */
			return;
		}
	}
	free(message);
}

void durable_now(struct plugin *plugin)
{
	queues_set_time(&plugin->durable.queues, clock_monotonic_ms(), clock_real_ms());
}

void durable_tick(struct plugin *plugin)
{
	enum { MESSAGES_PER_TICK = 64 };
	struct durable *durable = &plugin->durable;
	struct data_message *message;
	if (!durable->thread)
		return;
	durable_now(plugin);
	if (durable->rows && hand_in(plugin, durable->rows)) {
		free(durable->rows);
		durable->rows = NULL;
	}
	for (size_t i = 0; !durable->rows && i < MESSAGES_PER_TICK &&
	                   (message = data_thread_receive(durable->thread));
	     i++)
		take(plugin, message);
	if (durable->attach)
		attach_all(plugin);
	fires_tick(plugin);
	archive_tick(plugin);
	replays_tick(plugin);
	if (durable->queues.now_ms >= durable->next_ms)
		durable->next_ms = queues_tick(&durable->queues);
	seen_tick(&durable->seen, durable->queues.real_ms);
}

bool durable_pending(const struct plugin *plugin)
{
	const struct durable *durable = &plugin->durable;
	if (!durable->thread)
		return false;
	if (durable->rows || !durable_settled(plugin) || replays_pending(plugin) ||
	    durable->next_ms <= durable->queues.now_ms + TICK_SOON_MS)
		return true;
	for (const struct queue *queue = durable->queues.first; queue; queue = queue->next) {
		if (queue->loading)
			return true;
	}
	return false;
}

bool durable_settled(const struct plugin *plugin)
{
	const struct durable *durable = &plugin->durable;
	if (!durable->thread || counter_get(&durable->numbers.state) != SLUICE_OK)
		return true;
	if (!durable->journal || durable->attach || !replays_settled(plugin))
		return false;
	for (const struct queue *queue = durable->queues.first; queue; queue = queue->next) {
		if (queue->attaching)
			return false;
	}
	return true;
}

/* --- life --- */

void durable_init(struct plugin *plugin)
{
	const struct queue_io io = { plugin, write_records, queue_deliver, ask_load };
	queues_init(&plugin->durable.queues, &io);
	plugin->durable.queues.hears_subscribe = plugin->compat.is_2_1;
}

void durable_finish(struct plugin *plugin)
{
	struct durable *durable = &plugin->durable;
	replays_finish(plugin);
	/* Only now nothing is appended any more. */
	durable->journal = NULL;
	data_thread_destroy(durable->thread);
	queues_finish(&durable->queues);
	intake_finish(&durable->intake);
	seen_finish(&durable->seen);
	free(durable->frame);
	sluice_buffer_finish(&durable->scratch);
	free(durable->rows);
}

static bool create_thread(struct plugin *plugin)
{
	struct durable *durable = &plugin->durable;
	durable->thread = data_thread_create(&plugin->options, &durable->numbers, take, plugin);
	return durable->thread != NULL;
}

enum sluice_status durable_start(struct plugin *plugin, struct sluice_error *error)
{
	struct durable *durable = &plugin->durable;
	plugin->started = true;
	if (!durable->wanted)
		return SLUICE_OK;
	if (!create_thread(plugin))
		return sluice_out_of_memory(error);
	durable_now(plugin);
	enum sluice_status status = data_thread_open(durable->thread, error);
	if (status != SLUICE_OK && !plugin->options.continue_on_bad_store)
		return status;
	attach_all(plugin);
	if (!data_thread_start(durable->thread))
		return sluice_error_set(error, SLUICE_ERR_IO, SIZE_MAX, NULL,
		                        "no thread for the durable state");
	return SLUICE_OK;
}

void durable_need(struct plugin *plugin)
{
	struct durable *durable = &plugin->durable;
	durable->wanted = true;
	if (durable->thread || !plugin->started)
		return;
	if (!create_thread(plugin))
		return; /* with the next one that is put in force */
	if (!data_thread_start(durable->thread)) {
		data_thread_destroy(durable->thread);
		durable->thread = NULL;
		log_line(MOSQ_LOG_ERR, "there is no thread for the durable state");
	}
}

bool durable_put_queue(struct plugin *plugin, const struct sluice_queue *definition,
                       struct queue_numbers *numbers)
{
	struct durable *durable = &plugin->durable;
	struct queue_settings settings;
	queue_settings_of(definition, &settings);
	durable_now(plugin);
	struct queue *queue = queues_put(&durable->queues, definition->name, &settings, numbers);
	if (!queue)
		return false;
	queue->definition = definition;
	queue->bare.known = subscribers_of(&plugin->subscribers, definition->name);
	durable->attach = true;
	durable->next_ms = 0;
	durable_need(plugin);
	return true;
}

void durable_remove_queue(struct plugin *plugin, struct sluice_str name)
{
	struct queue *queue = queues_find(&plugin->durable.queues, name);
	if (queue)
		queues_remove(&plugin->durable.queues, queue);
}

void durable_order(struct plugin *plugin, const struct queue_order_message *order)
{
	struct queue *queue = queues_find(&plugin->durable.queues, sluice_str(order->queue));
	if (!queue)
		return;
	durable_now(plugin);
	if (order->order == QUEUE_REDRIVE)
		queue_redrive(queue, order->to, order->limit);
	else if (!queue_purge(queue))
		log_line(MOSQ_LOG_ERR, "queue %s is not purged: the journal has no room",
		         queue->name);
	plugin->durable.next_ms = 0;
}

void durable_client_gone(struct plugin *plugin, const void *client)
{
	queues_client_gone(&plugin->durable.queues, client);
}
