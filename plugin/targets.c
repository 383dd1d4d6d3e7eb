/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What the targets of a matching rule make of an event. */
#include <stdio.h>
#include <stdlib.h>

#include "delay.h"
#include "enqueue.h"
#include "route_internal.h"
#include "sluice/delivery.h"

/* The event's names, for templates and records; with its id and time where something tells them. */
static struct sluice_vars vars_of(struct route *route, const struct sluice_rule *rule,
                                  const struct sluice_target *target, bool identified)
{
	struct sluice_vars vars = { .event = &route->event, .rule = rule->name, .bus = rule->bus };
	if (target) {
		vars.consumer = target->consumer;
		vars.target = target->id;
	}
	if (identified) {
		vars.id = sluice_str(route_id(route));
		vars.time_ms = route_time(route);
	}
	return vars;
}

struct sluice_str target_properties(struct route *route, const struct sluice_target *target)
{
	route_read_properties(route, EVENT_PROPERTIES);
	if (target && target->transform)
		return enqueue_properties(route->plugin, &route->event, target,
		                          route_replay_name(route));
	if (!route->properties.data)
		route->properties = enqueue_properties(route->plugin, &route->event, NULL,
		                                       route_replay_name(route));
	return route->properties;
}

void target_dead_letter(struct route *route, const struct sluice_rule *rule,
                        struct sluice_str target, const char *code, const char *reason)
{
	struct durable *durable = &route->plugin->durable;
	struct queue *queue =
	        rule->dead_letter.data ? queues_find(&durable->queues, rule->dead_letter) : NULL;
	struct sluice_buffer text = { 0 };
	if (!queue)
		return;
	sluice_buffer_printf(&text, "{\"code\":\"%s\",\"message\":", code);
	sluice_json_write_string(&text, sluice_str(reason));
	sluice_buffer_append_text(&text, ",\"target\":");
	sluice_json_write_string(&text, target);
	sluice_buffer_append_text(&text, ",\"attempts\":0}");
	durable_now(route->plugin);
	struct sluice_vars vars = vars_of(route, rule, NULL, true);
	const struct enqueue dead = { .queue = queue,
		                      .vars = &vars,
		                      .payload = route->event.payload,
		                      .properties = target_properties(route, NULL),
		                      .error = intake_copy(&durable->intake,
		                                           sluice_buffer_str(&text)) };
	sluice_buffer_finish(&text);
	if (!dead.error.data || !dead.properties.data)
		route->no_memory = true;
	else
		route->no_memory |= enqueue_event(route->plugin, &dead) == ENQUEUE_NO_MEMORY;
}

void target_failed(struct route *route, struct rule_entry *entry,
                   const struct sluice_target *target, const char *code, const char *reason)
{
	counter_add(&entry->record->failed, 1);
	counter_add(&route->plugin->metrics.failed, 1);
	log_limited(&route->plugin->log, LOG_DELIVERY_FAILED, clock_monotonic_ms(),
	            MOSQ_LOG_WARNING,
	            "rule %s, target %.*s: an event on %.200s is not delivered: %s",
	            entry->record->name, (int)target->id.len, target->id.data,
	            route->message->topic, reason);
	target_dead_letter(route, entry->rule, target->id, code, reason);
}

/*
 * Counts the payload among the event's bytes for a target that reads through it: that takes as long
 * as sending it. Without this, thousands of rules that look up one field of a large event would
 * hold the broker's thread for seconds.
 */
static bool may_read(struct route *route, bool reads)
{
	struct plan *plan = &route->router->plan;
	if (!reads)
		return true;
	plan->bytes += route->event.payload.len;
	if (plan->bytes > (uint64_t)route->plugin->options.max_delivery_bytes)
		route->over_limit = true;
	return !route->over_limit;
}

/* The payload of a target that transforms it, into router.transformed; false when it failed. */
static bool transform(struct route *route, struct rule_entry *entry,
                      const struct sluice_target *target, const struct sluice_vars *vars)
{
	struct sluice_buffer *out = &route->router->transformed;
	struct sluice_error error;
	if (!may_read(route, sluice_transform_reads_payload(target->transform)))
		return false;
	sluice_buffer_reset(out);
	out->limit = (size_t)route->plugin->options.max_delivery_bytes;
	enum sluice_status status = sluice_transform_apply(target->transform, vars, out, &error);
	if (status == SLUICE_OK && !out->failed)
		return true;
	if (out->over_limit)
		route->over_limit = true;
	else
		target_failed(route, entry, target, "transform-failed",
		              status == SLUICE_OK ? "out of memory" : error.message);
	return false;
}

static void chain(struct route *route, struct rule_entry *entry, const struct sluice_target *target,
                  const struct sluice_vars *vars)
{
	struct bus_record *bus = ruleset_bus(&route->plugin->ruleset, target->bus);
	if (!bus) {
		target_failed(route, entry, target, "no-such-bus", "there is no such bus");
		return;
	}
	if (bus->visited == route->router->event_number)
		return;
	struct sluice_str payload = route->event.payload;
	char *owned = NULL;
	if (target->transform) {
		if (!transform(route, entry, target, vars))
			return;
		payload.len = route->router->transformed.len;
		owned = sluice_buffer_take(&route->router->transformed);
		payload.data = owned ? owned : "";
	}
	route_visit(route, bus, payload, owned);
}

/* Counts what enters a queue as a delivery is counted. */
static bool may_enqueue(struct route *route, size_t bytes)
{
	const struct options *options = &route->plugin->options;
	struct plan *plan = &route->router->plan;
	plan->bytes += bytes;
	if (plan->count + route->plugin->durable.intake.count >=
	            (uint64_t)options->max_deliveries ||
	    plan->bytes > (uint64_t)options->max_delivery_bytes)
		route->over_limit = true;
	return !route->over_limit;
}

/* Whether the target has not seen the event's key. */
static bool is_new(struct route *route, struct rule_entry *entry,
                   const struct sluice_target *target, struct sluice_str payload)
{
	char scope[2 * SLUICE_NAME_MAX + 2];
	durable_now(route->plugin);
	route_read_properties(route, sluice_deduplication_metadata(target->deduplication));
	if (!may_read(route, sluice_deduplication_reads_payload(target->deduplication)))
		return false;
	snprintf(scope, sizeof scope, "%s/%.*s", entry->record->name, (int)target->id.len,
	         target->id.data);
	const struct deduplicate ask = { .deduplication = target->deduplication,
		                         .event = &route->event,
		                         .payload = payload,
		                         .scope = sluice_str(scope) };
	enum enqueue_result result = deduplicate(route->plugin, &ask);
	route->no_memory |= result == ENQUEUE_NO_MEMORY;
	return result == ENQUEUE_DONE;
}

/* Whether the delivery to router.topic is put off, or has failed, so that nothing is left to do. */
static bool deliver_later(struct route *route, struct rule_entry *entry,
                          const struct sluice_target *target, const struct sluice_vars *vars,
                          struct sluice_str payload)
{
	struct sluice_error error;
	struct delayed delayed = { .target = target,
		                   .vars = vars,
		                   .topic = sluice_buffer_str(&route->router->topic),
		                   .payload = payload };
	durable_now(route->plugin);
	route_read_properties(route, sluice_delay_metadata(target->delay));
	if (!may_read(route, sluice_delay_reads_payload(target->delay)))
		return true;
	if (sluice_delay_of(target->delay, &route->event, &delayed.delay_ms, &error) != SLUICE_OK) {
		target_failed(route, entry, target, "bad-delay", error.message);
		return true;
	}
	if (delayed.delay_ms == 0)
		return false;
	if (may_enqueue(route, payload.len) && !delay_topic(route, &delayed))
		route->no_memory = true;
	return true;
}

static void deliver(struct route *route, struct rule_entry *entry,
                    const struct sluice_target *target, const struct sluice_vars *vars)
{
	struct router *router = route->router;
	struct sluice_error error;
	if (!may_read(route, sluice_topic_template_reads_payload(target->topic)))
		return;
	sluice_buffer_reset(&router->topic);
	if (sluice_topic_template_expand(target->topic, vars, &router->topic, &error) !=
	    SLUICE_OK) {
		target_failed(route, entry, target, "bad-topic", error.message);
		return;
	}
	if (target->transform && !transform(route, entry, target, vars))
		return;
	struct sluice_str payload =
	        target->transform ? sluice_buffer_str(&router->transformed) : route->event.payload;
	if (target->deduplication && !is_new(route, entry, target, payload))
		return;
	if (target->delay && deliver_later(route, entry, target, vars, payload))
		return;
	enum plan_result result =
	        plan_add(&router->plan, &route->plugin->options, entry, target,
	                 sluice_buffer_str(&router->topic),
	                 target->transform ? &router->transformed : NULL, route->event.payload);
	route->over_limit |= result == PLAN_OVER_LIMIT;
	route->no_memory |= result == PLAN_NO_MEMORY;
}

static void enter_queue(struct route *route, struct rule_entry *entry,
                        const struct sluice_target *target, const struct sluice_vars *vars)
{
	struct durable *durable = &route->plugin->durable;
	struct queue *queue = queues_find(&durable->queues, target->queue);
	struct sluice_error error;
	if (!queue) {
		target_failed(route, entry, target, "no-such-queue", "there is no such queue");
		return;
	}
	durable_now(route->plugin);
	if (target->transform && !transform(route, entry, target, vars))
		return;
	struct enqueue entering = { .queue = queue,
		                    .vars = vars,
		                    .payload = route->event.payload,
		                    .properties = target_properties(route, target) };
	if (target->transform)
		entering.payload = intake_copy(&durable->intake,
		                               sluice_buffer_str(&route->router->transformed));
	if (!entering.properties.data || (target->transform && !entering.payload.data)) {
		route->no_memory = true;
		return;
	}
	if (!may_enqueue(route, entering.payload.len))
		return;
	if (target->deduplication && !is_new(route, entry, target, entering.payload))
		return;
	if (target->delay && sluice_delay_of(target->delay, &route->event, &entering.delay_ms,
	                                     &error) != SLUICE_OK) {
		target_failed(route, entry, target, "bad-delay", error.message);
		return;
	}
	if (enqueue_event(route->plugin, &entering) == ENQUEUE_NO_MEMORY) {
		route->no_memory = true;
		return;
	}
	counter_add(&entry->record->delivered, 1);
	counter_add(&route->plugin->metrics.delivered, 1);
}

void target_apply(struct route *route, struct rule_entry *entry, const struct sluice_target *target)
{
	/* A topic template names neither id nor time. */
	struct sluice_vars vars =
	        vars_of(route, entry->rule, target,
	                target->transform || target->kind == SLUICE_TARGET_QUEUE || target->delay);
	switch (target->kind) {
	case SLUICE_TARGET_BUS:
		chain(route, entry, target, &vars);
		break;
	case SLUICE_TARGET_QUEUE:
		enter_queue(route, entry, target, &vars);
		break;
	case SLUICE_TARGET_TOPIC:
		deliver(route, entry, target, &vars);
		break;
	}
}
