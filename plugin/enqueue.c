/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "enqueue.h"

#include "plugin.h"
#include "properties_pack.h"
#include "queue_definition.h"
#include "sluice/delivery.h"

void queue_settings_of(const struct sluice_queue *definition, struct queue_settings *settings)
{
	*settings = (struct queue_settings){
		.visibility_ms = definition->visibility_timeout_s * 1000,
		.retention_ms = definition->retention_s * 1000,
		.max_receives = (uint32_t)definition->max_receives,
		.max_events = (uint64_t)definition->max_events,
		.max_bytes = (uint64_t)definition->max_bytes,
		.max_in_flight = (size_t)definition->max_in_flight,
		.grouped = definition->group != NULL,
		.group_stop = definition->group_stop,
		.batch_events = (uint32_t)definition->batch.max_events,
		.batch_bytes = (size_t)definition->batch.max_bytes,
		.batch_wait_ms = definition->batch.max_wait_ms,
	};
	if (definition->dead_letter.data)
		memcpy(settings->dead_letter, definition->dead_letter.data,
		       definition->dead_letter.len);
}

enum enqueue_result deduplicate(struct plugin *plugin, const struct deduplicate *ask)
{
	struct durable *durable = &plugin->durable;
	struct sluice_record record = { .kind = SLUICE_RECORD_SEEN };
	if (!ask->deduplication)
		return ENQUEUE_DONE;
	enum sluice_status status = sluice_deduplication_key(
	        ask->deduplication, ask->event, ask->payload, &durable->scratch, record.dedup);
	if (status == SLUICE_ERR_NOT_FOUND)
		return ENQUEUE_DONE; /* it has no key, and is no duplicate of any */
	if (status != SLUICE_OK)
		return ENQUEUE_NO_MEMORY;
	int64_t now_ms = durable->queues.real_ms;
	if (seen_has(&durable->seen, ask->scope, record.dedup, now_ms))
		return ENQUEUE_SEEN;
	record.queue = intake_copy(&durable->intake, ask->scope);
	record.dedup_until_ms = now_ms + sluice_deduplication_window_ms(ask->deduplication);
	if (!record.queue.data || !intake_add(plugin, NULL, &record) ||
	    !seen_add(&durable->seen, ask->scope, record.dedup, record.dedup_until_ms, now_ms))
		return ENQUEUE_NO_MEMORY;
	return ENQUEUE_DONE;
}

enum enqueue_result enqueue_event(struct plugin *plugin, const struct enqueue *enqueue)
{
	struct durable *durable = &plugin->durable;
	struct queue *queue = enqueue->queue;
	const struct sluice_queue *definition = queue->definition;
	const struct sluice_event *event = enqueue->vars->event;
	const struct deduplicate ask = { .deduplication = definition->deduplication,
		                         .event = event,
		                         .payload = enqueue->payload,
		                         .scope = definition->name };
	enum enqueue_result result = deduplicate(plugin, &ask);
	if (result == ENQUEUE_SEEN)
		counter_add(&queue->numbers->deduplicated, 1);
	if (result != ENQUEUE_DONE)
		return result;
	struct sluice_record record = {
		.kind = SLUICE_RECORD_ENQUEUE,
		.queue = definition->name,
		.event_id = enqueue->vars->id,
		.time_ms = enqueue->vars->time_ms,
		.bus = enqueue->vars->bus,
		.rule = enqueue->vars->rule,
		.target = enqueue->vars->target,
		.topic = event->topic,
		.client_id = event->client_id,
		.username = event->username,
		.qos = (uint8_t)event->qos,
		.retain = event->retain == 1,
		.properties = enqueue->properties,
		.payload = enqueue->payload,
		.enqueued_ms = durable->queues.real_ms,
		.origin = enqueue->origin,
		.error = enqueue->error,
	};
	int64_t delay_ms = enqueue->delay_ms > 0 ? enqueue->delay_ms : definition->delay_ms;
	if (delay_ms > 0) {
		record.parked = true;
		record.due_ms = record.enqueued_ms + delay_ms;
	}
	sluice_buffer_reset(&durable->scratch);
	if (sluice_queue_group(definition, enqueue->vars, &durable->scratch)) {
		record.group = intake_copy(&durable->intake, sluice_buffer_str(&durable->scratch));
		if (durable->scratch.failed || !record.group.data)
			return ENQUEUE_NO_MEMORY;
	}
	return intake_add(plugin, queue, &record) ? ENQUEUE_DONE : ENQUEUE_NO_MEMORY;
}

struct sluice_str enqueue_properties(struct plugin *plugin, const struct sluice_event *event,
                                     const struct sluice_target *target, struct sluice_str replay)
{
	struct durable *durable = &plugin->durable;
	bool transformed = target && target->transform;
	sluice_buffer_reset(&durable->scratch);
	properties_pack(event, transformed,
	                transformed ? target->content_type : (struct sluice_str){ 0 },
	                &durable->scratch);
	properties_pack_user(SLUICE_STR("sluice-replay"), replay, &durable->scratch);
	if (durable->scratch.failed)
		return (struct sluice_str){ 0 };
	return intake_copy(&durable->intake, sluice_buffer_str(&durable->scratch));
}

bool enqueue_publish(struct plugin *plugin, struct queue *queue,
                     const struct mosquitto_evt_message *message)
{
	struct router *router = &plugin->router;
	struct sluice_event event = route_event(message);
	struct sluice_vars vars = { .event = &event, .time_ms = clock_real_ms() };
	char id[ROUTE_ID_SIZE];
	vars.id = sluice_str(route_new_id(router, id));
	bool done = event_properties_read(&router->properties, &plugin->compat, message->properties,
	                                  EVENT_PROPERTIES, &event);
	const struct enqueue enqueue = {
		.queue = queue,
		.vars = &vars,
		.payload = event.payload,
		.properties =
		        done ? enqueue_properties(plugin, &event, NULL, (struct sluice_str){ 0 })
		             : (struct sluice_str){ 0 },
	};
	enum enqueue_result result = ENQUEUE_NO_MEMORY;
	if (enqueue.properties.data)
		result = enqueue_event(plugin, &enqueue);
	done = result == ENQUEUE_DONE && intake_write(plugin);
	if (done)
		intake_settle(plugin);
	else
		intake_drop(plugin);
	event_properties_reset(&router->properties);
	return done || result == ENQUEUE_SEEN;
}
