/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What an event's targets made of it is sent: all of it, or nothing. */
#include <inttypes.h>

#include "route_internal.h"
#include "wills.h"

static bool make_properties(struct route *route, struct delivery *delivery)
{
	const struct sluice_target *target = delivery->target;
	if (!route->message->properties && !route->replay && target->properties == 0 &&
	    target->expiry_s == 0 && !target->content_type.data)
		return true;
	/* Once for all deliveries: on Mosquitto 2.0 each string that is read is copied. */
	if (!delivery_properties_copied(target, &route->plugin->compat))
		route_read_properties(route, EVENT_PROPERTIES);
	if (route->no_memory)
		return false;
	struct delivery_properties properties = {
		.list = route->message->properties,
		.event = &route->event,
		.target = target,
		.rule = delivery->entry->rule->name,
		.topic = route->event.topic,
		.replay = route_replay_name(route),
	};
	if (route->replay || target->properties & SLUICE_ADD_ID)
		properties.id = route_id(route);
	if (route->replay || target->properties & SLUICE_ADD_TIME)
		properties.time_ms = route_time(route);
	return delivery_properties_make(&properties, &route->plugin->compat, &delivery->properties);
}

/* Makes everything that can fail. */
static bool complete(struct route *route)
{
	struct plan *plan = &route->router->plan;
	for (size_t i = 0; i < plan->count; i++) {
		struct delivery *delivery = &plan->deliveries[i];
		if (!make_properties(route, delivery) ||
		    !wills_mark(route->plugin, sluice_str(plan_topic(plan, delivery)),
		                &delivery->properties))
			return false;
	}
	return plan_complete(plan);
}

static void send_one(struct route *route, struct delivery *delivery)
{
	const struct sluice_target *target = delivery->target;
	int qos = target->qos < 0 ? route->message->qos : target->qos;
	bool retain = target->retain < 0 ? route->message->retain : target->retain == 1;
	if (mosquitto_broker_publish(NULL, plan_topic(&route->router->plan, delivery),
	                             (int)delivery->payload_len, delivery->payload, qos, retain,
	                             delivery->properties) != MOSQ_ERR_SUCCESS) {
		target_failed(route, delivery->entry, target, "not-taken",
		              "the broker did not take it");
		return;
	}
	/* Both are the broker's now. */
	delivery->payload = NULL;
	delivery->properties = NULL;
	counter_add(&delivery->entry->record->delivered, 1);
	counter_add(&route->plugin->metrics.delivered, 1);
}

static void tell_no_memory(struct route *route)
{
	struct plugin *plugin = route->plugin;
	counter_add(&plugin->metrics.failed, 1);
	log_limited(&plugin->log, LOG_MEMORY, clock_monotonic_ms(), MOSQ_LOG_ERR,
	            "out of memory: an event on %.200s is not delivered", route->message->topic);
	/* It may have been for a queue or an archive: then the producer must not take it for safe. */
	route->refused = plugin->durable.queues.first || plugin->durable.archives.count > 0;
}

/* Nothing of the event is delivered; the rule at which it came to that gets it as a dead letter. */
static void tell_over_limit(struct route *route)
{
	struct plugin *plugin = route->plugin;
	counter_add(&plugin->metrics.over_limit, 1);
	log_limited(&plugin->log, LOG_OVER_LIMIT, clock_monotonic_ms(), MOSQ_LOG_WARNING,
	            "an event on %.200s is not delivered to anybody: it is past max_deliveries "
	            "%" PRId64 ", max_delivery_bytes %" PRId64 " or max_bus_visits %" PRId64,
	            route->message->topic, plugin->options.max_deliveries,
	            plugin->options.max_delivery_bytes, plugin->options.max_bus_visits);
	plan_reset(&route->router->plan);
	intake_drop(plugin);
	route->properties = (struct sluice_str){ 0 };
	if (route->at)
		target_dead_letter(route, route->at->rule, SLUICE_STR(""), "over-limit",
		                   "past max_deliveries, max_delivery_bytes or max_bus_visits");
	archive_visits(route);
}

void send_all(struct route *route)
{
	struct plugin *plugin = route->plugin;
	struct plan *plan = &route->router->plan;
	struct intake *intake = &plugin->durable.intake;
	if (route->over_limit)
		tell_over_limit(route);
	else if (!route->no_memory && !complete(route))
		route->no_memory = true;
	if (route->no_memory) {
		tell_no_memory(route);
	} else if (intake->count > 0 && !intake_write(plugin)) {
		route->refused = true;
	} else {
		intake_settle(plugin);
		for (size_t i = 0; i < plan->count; i++)
			send_one(route, &plan->deliveries[i]);
		/* Dead letters of those that the broker did not take. */
		if (intake->count > 0 && intake_write(plugin))
			intake_settle(plugin);
	}
	plan_reset(plan);
	intake_drop(plugin);
}
