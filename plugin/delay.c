/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "delay.h"

#include "packed_list.h"
#include "properties_pack.h"
#include "route_internal.h"
#include "wills.h"

/* All that the message will carry, since neither target nor event are there then. */
static bool pack(struct route *route, const struct delayed *delayed, struct sluice_buffer *out)
{
	const struct sluice_target *target = delayed->target;
	const struct sluice_vars *vars = delayed->vars;
	char time[SLUICE_TIME_SIZE];
	route_read_properties(route, EVENT_PROPERTIES);
	sluice_buffer_reset(out);
	properties_pack(&route->event, target->transform != NULL, target->content_type, out);
	properties_pack_user(SLUICE_STR("sluice-replay"), route_replay_name(route), out);
	if (target->properties & SLUICE_ADD_RULE)
		properties_pack_user(SLUICE_STR("sluice-rule"), vars->rule, out);
	if (target->properties & SLUICE_ADD_TOPIC)
		properties_pack_user(SLUICE_STR("sluice-topic"), route->event.topic, out);
	if (route->replay || target->properties & SLUICE_ADD_ID)
		properties_pack_user(SLUICE_STR("sluice-id"), vars->id, out);
	if (route->replay || target->properties & SLUICE_ADD_TIME)
		properties_pack_user(SLUICE_STR("sluice-time"),
		                     sluice_str(sluice_time_format(vars->time_ms, time)), out);
	if (target->expiry_s > 0)
		properties_pack_expiry(target->expiry_s, out);
	return !out->failed;
}

bool delay_topic(struct route *route, const struct delayed *delayed)
{
	struct durable *durable = &route->plugin->durable;
	const struct sluice_target *target = delayed->target;
	struct sluice_record record = {
		.kind = SLUICE_RECORD_ENQUEUE,
		.queue = SLUICE_STR(DELAY_QUEUE),
		.event_id = delayed->vars->id,
		.time_ms = delayed->vars->time_ms,
		.bus = delayed->vars->bus,
		.rule = delayed->vars->rule,
		.target = delayed->vars->target,
		.topic = intake_copy(&durable->intake, delayed->topic),
		.qos = (uint8_t)(target->qos < 0 ? route->message->qos : target->qos),
		.retain = target->retain < 0 ? route->message->retain : target->retain == 1,
		.payload = target->transform ? intake_copy(&durable->intake, delayed->payload)
		                             : delayed->payload,
		.enqueued_ms = durable->queues.real_ms,
		.due_ms = durable->queues.real_ms + delayed->delay_ms,
		.parked = true,
	};
	if (!pack(route, delayed, &durable->scratch))
		return false;
	record.properties = intake_copy(&durable->intake, sluice_buffer_str(&durable->scratch));
	return record.topic.data && record.properties.data && record.payload.data &&
	       intake_add(route->plugin, NULL, &record);
}

bool delay_deliver(struct plugin *plugin, const struct sluice_record *record)
{
	const struct sluice_record done = { .kind = SLUICE_RECORD_ACK,
		                            .queue = SLUICE_STR(DELAY_QUEUE),
		                            .id = record->id };
	struct sluice_buffer topic = { 0 };
	mosquitto_property *list = NULL;
	/* Noted first: what is published twice is worse than what a kill in this very turn takes along,
	 * as it does with any topic target. */
	if (!durable_write(plugin, &done, 1, true))
		return false;
	void *payload = mosquitto_malloc(record->payload.len + 1);
	sluice_buffer_append_str(&topic, record->topic);
	if (payload && record->payload.len > 0)
		memcpy(payload, record->payload.data, record->payload.len);
	bool sent = payload && !topic.failed && packed_list_make(record->properties, &list) &&
	            wills_mark(plugin, record->topic, &list) &&
	            mosquitto_broker_publish(NULL, topic.data, (int)record->payload.len, payload,
	                                     record->qos, record->retain, list) == MOSQ_ERR_SUCCESS;
	if (sent) {
		counter_add(&plugin->metrics.delivered, 1);
	} else {
		mosquitto_free(payload);
		mosquitto_property_free_all(&list);
		counter_add(&plugin->metrics.failed, 1);
		log_limited(&plugin->log, LOG_DELIVERY_FAILED, clock_monotonic_ms(),
		            MOSQ_LOG_WARNING, "a delayed delivery to %.*s can't be made",
		            (int)record->topic.len, record->topic.data);
	}
	sluice_buffer_finish(&topic);
	return true;
}
