/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "route.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>

#include "plugin.h"

enum { SAMPLE_INTERVAL_MS = 1000 };

/* One publish on its way; dies with the callback. */
struct route {
	struct plugin *plugin;
	struct router *router;
	const struct mosquitto_evt_message *message;
	struct sluice_event event;
	int64_t time_ms; /* since the epoch; 0 until a delivery tells it */
	int64_t seen_ms; /* the same, coarse; 0 until something matched */
	char id[33];     /* "" until a delivery tells it */
	bool matched;
	bool over_limit;
	bool no_memory;
};

static void write_hex(char out[16], uint64_t number)
{
	for (int i = 15; i >= 0; i--, number >>= 4)
		out[i] = "0123456789abcdef"[number & 15];
}

bool router_init(struct router *router)
{
	*router = (struct router){ 0 };
	uint64_t nonce;
	if (getrandom(&nonce, sizeof nonce, 0) != (ssize_t)sizeof nonce)
		return false;
	write_hex(router->nonce, nonce);
	router->scratch = sluice_scratch_create();
	return router->scratch != NULL;
}

void router_finish(struct router *router)
{
	sluice_scratch_destroy(router->scratch);
	plan_finish(&router->plan);
	event_properties_finish(&router->properties);
	sluice_buffer_finish(&router->topic);
	sluice_buffer_finish(&router->transformed);
	free(router->visits);
	free(router->matched);
	*router = (struct router){ 0 };
}

static int64_t event_time(struct route *route)
{
	if (route->time_ms == 0)
		route->time_ms = clock_real_ms();
	return route->time_ms;
}

/* When something matched, for the numbers: they need no better. */
static int64_t seen_time(struct route *route)
{
	if (route->seen_ms == 0)
		route->seen_ms = clock_coarse_real_ms();
	return route->seen_ms;
}

static const char *event_id(struct route *route)
{
	if (route->id[0] == '\0') {
		memcpy(route->id, route->router->nonce, 16);
		write_hex(route->id + 16, route->router->event_number);
		route->id[32] = '\0';
	}
	return route->id;
}

static void read_properties(struct route *route, unsigned wanted)
{
	if (!event_properties_read(&route->router->properties, &route->plugin->compat,
	                           route->message->properties, wanted, &route->event))
		route->no_memory = true;
}

/* --- visits --- */

/* Adds a visit to a bus, unless the event was there. Takes `owned`. */
static void visit(struct route *route, struct bus_record *bus, struct sluice_str payload,
                  char *owned)
{
	struct router *router = route->router;
	if (bus->visited == router->event_number) {
		free(owned);
		return;
	}
	bus->visited = router->event_number;
	if (router->visit_count >= (uint64_t)route->plugin->options.max_bus_visits) {
		route->over_limit = true;
		free(owned);
		return;
	}
	if (router->visit_count == router->visit_capacity) {
		size_t capacity = router->visit_capacity ? router->visit_capacity * 2 : 8;
		struct visit *visits = realloc(router->visits, capacity * sizeof *visits);
		if (!visits) {
			route->no_memory = true;
			free(owned);
			return;
		}
		router->visits = visits;
		router->visit_capacity = capacity;
	}
	router->visits[router->visit_count++] = (struct visit){ bus, payload, owned };
}

/* --- targets --- */

static void target_failed(struct route *route, struct rule_entry *entry,
                          const struct sluice_target *target, const char *reason)
{
	counter_add(&entry->record->failed, 1);
	counter_add(&route->plugin->metrics.failed, 1);
	log_limited(&route->plugin->log, LOG_DELIVERY_FAILED, clock_monotonic_ms(),
	            MOSQ_LOG_WARNING,
	            "rule %s, target %.*s: an event on %.200s is not delivered: %s",
	            entry->record->name, (int)target->id.len, target->id.data,
	            route->message->topic, reason);
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
		target_failed(route, entry, target,
		              status == SLUICE_OK ? "out of memory" : error.message);
	return false;
}

static void chain(struct route *route, struct rule_entry *entry, const struct sluice_target *target,
                  const struct sluice_vars *vars)
{
	struct bus_record *bus = ruleset_bus(&route->plugin->ruleset, target->bus);
	if (!bus) {
		target_failed(route, entry, target, "there is no such bus");
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
	visit(route, bus, payload, owned);
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
		target_failed(route, entry, target, error.message);
		return;
	}
	if (target->transform && !transform(route, entry, target, vars))
		return;
	enum plan_result result =
	        plan_add(&router->plan, &route->plugin->options, entry, target,
	                 sluice_buffer_str(&router->topic),
	                 target->transform ? &router->transformed : NULL, route->event.payload);
	route->over_limit |= result == PLAN_OVER_LIMIT;
	route->no_memory |= result == PLAN_NO_MEMORY;
}

/* --- rules --- */

static void keep_sample(struct route *route, struct rule_record *record)
{
	int64_t now_ms = seen_time(route);
	if (now_ms - record->last_sample_ms < SAMPLE_INTERVAL_MS &&
	    now_ms >= record->last_sample_ms)
		return;
	struct sample *sample = malloc(sizeof *sample);
	if (!sample)
		return; /* a sample less */
	size_t len = strlen(route->message->topic);
	if (len >= sizeof sample->topic) {
		len = sizeof sample->topic - 1;
		while (len > 0 && ((unsigned char)route->message->topic[len] & 0xc0) == 0x80)
			len--;
	}
	sample->garbage = (struct garbage){ .kind = GARBAGE_SAMPLE };
	sample->time_ms = now_ms;
	memcpy(sample->topic, route->message->topic, len);
	sample->topic[len] = '\0';
	struct sample *old =
	        atomic_exchange(&record->samples[record->next_sample % RULE_SAMPLES], sample);
	if (old)
		plugin_give_back(route->plugin, &old->garbage);
	record->next_sample = (record->next_sample + 1) % RULE_SAMPLES;
	record->last_sample_ms = now_ms;
}

static void rule_matched(struct route *route, struct rule_entry *entry)
{
	const struct sluice_rule *rule = entry->rule;
	route->matched = true;
	counter_add(&entry->record->matched, 1);
	counter_set(&entry->record->last_match_ms, (uint64_t)seen_time(route));
	if (rule->state == SLUICE_RULE_SHADOW) {
		keep_sample(route, entry->record);
		return;
	}
	read_properties(route, rule->metadata);
	for (size_t i = 0; i < rule->target_count && !route->over_limit && !route->no_memory; i++) {
		const struct sluice_target *target = &rule->targets[i];
		struct sluice_vars vars = { .event = &route->event,
			                    .rule = rule->name,
			                    .bus = rule->bus,
			                    .consumer = target->consumer,
			                    .target = target->id };
		if (target->transform) { /* a topic template names neither */
			vars.id = sluice_str(event_id(route));
			vars.time_ms = event_time(route);
		}
		if (target->kind == SLUICE_TARGET_QUEUE)
			target_failed(route, entry, target, "queues are not in force yet");
		else if (target->delay || target->deduplication)
			target_failed(route, entry, target,
			              "delay_ms and deduplication are not in force yet");
		else if (target->kind == SLUICE_TARGET_BUS)
			chain(route, entry, target, &vars);
		else
			deliver(route, entry, target, &vars);
	}
}

static int by_name(const void *a, const void *b)
{
	struct rule_entry *const *left = a;
	struct rule_entry *const *right = b;
	return strcmp((*left)->record->name, (*right)->record->name);
}

/* The ids are the scratch's until its next use: keeps them as rules, in the order of names, so that
 * the order of deliveries does not hang on the matcher's. */
static bool keep_matched(struct router *router, const struct sluice_match *match)
{
	if (match->count > router->matched_capacity) {
		size_t capacity = match->count * 2;
		struct rule_entry **matched =
		        realloc(router->matched, capacity * sizeof(struct rule_entry *));
		if (!matched)
			return false;
		router->matched = matched;
		router->matched_capacity = capacity;
	}
	for (size_t i = 0; i < match->count; i++)
		router->matched[i] = (struct rule_entry *)(uintptr_t)match->ids[i];
	if (match->count > 1)
		qsort(router->matched, match->count, sizeof(struct rule_entry *), by_name);
	return true;
}

static void match_bus(struct route *route, const struct visit *visit)
{
	struct plugin *plugin = route->plugin;
	struct router *router = route->router;
	struct sluice_match match;
	route->event.payload = visit->payload;
	if (plugin->taps.count > 0)
		taps_event(plugin, visit->bus, route->message->properties, &router->properties,
		           &route->event);
	if (sluice_matcher_count(visit->bus->matcher) == 0)
		return;
	read_properties(route, sluice_matcher_metadata(visit->bus->matcher));
	if (sluice_match(visit->bus->matcher, router->scratch, &route->event, &match) !=
	            SLUICE_OK ||
	    !keep_matched(router, &match)) {
		route->no_memory = true;
		return;
	}
	if (match.flags & (SLUICE_MATCH_NOT_JSON | SLUICE_MATCH_TOO_MANY))
		counter_add(&plugin->metrics.malformed, 1);
	if (match.undecided > 0) {
		counter_add(&plugin->metrics.undecided, match.undecided);
		log_limited(&plugin->log, LOG_UNDECIDED, clock_monotonic_ms(), MOSQ_LOG_WARNING,
		            "an event on %.200s: %zu rules could not be decided within their bound",
		            route->message->topic, match.undecided);
	}
	for (size_t i = 0; i < match.count && !route->over_limit && !route->no_memory; i++)
		rule_matched(route, router->matched[i]);
}

/* --- deliveries --- */

/* Makes everything that can fail. */
static bool complete(struct route *route)
{
	struct plan *plan = &route->router->plan;
	for (size_t i = 0; i < plan->count; i++) {
		struct delivery *delivery = &plan->deliveries[i];
		if (!route->message->properties && delivery->target->properties == 0 &&
		    delivery->target->expiry_s == 0 && !delivery->target->content_type.data)
			continue;
		/* Once for all deliveries: on Mosquitto 2.0 each string that is read is copied. */
		if (!delivery_properties_copied(delivery->target, &route->plugin->compat))
			read_properties(route, EVENT_PROPERTIES);
		if (route->no_memory)
			return false;
		struct delivery_properties properties = {
			.list = route->message->properties,
			.event = &route->event,
			.target = delivery->target,
			.rule = delivery->entry->rule->name,
			.topic = route->event.topic,
		};
		if (delivery->target->properties & SLUICE_ADD_ID)
			properties.id = event_id(route);
		if (delivery->target->properties & SLUICE_ADD_TIME)
			properties.time_ms = event_time(route);
		if (!delivery_properties_make(&properties, &route->plugin->compat,
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
		target_failed(route, delivery->entry, target, "the broker did not take it");
		return;
	}
	/* Both are the broker's now. */
	delivery->payload = NULL;
	delivery->properties = NULL;
	counter_add(&delivery->entry->record->delivered, 1);
	counter_add(&route->plugin->metrics.delivered, 1);
}

static void send_all(struct route *route)
{
	struct plugin *plugin = route->plugin;
	struct plan *plan = &route->router->plan;
	if (!route->over_limit && !route->no_memory && !complete(route))
		route->no_memory = true;
	if (route->no_memory) {
		counter_add(&plugin->metrics.failed, 1);
		log_limited(&plugin->log, LOG_MEMORY, clock_monotonic_ms(), MOSQ_LOG_ERR,
		            "out of memory: an event on %.200s is not delivered",
		            route->message->topic);
	} else if (route->over_limit) {
		counter_add(&plugin->metrics.over_limit, 1);
		log_limited(
		        &plugin->log, LOG_OVER_LIMIT, clock_monotonic_ms(), MOSQ_LOG_WARNING,
		        "an event on %.200s is not delivered to anybody: it is past max_deliveries "
		        "%" PRId64 ", max_delivery_bytes %" PRId64 " or max_bus_visits %" PRId64,
		        route->message->topic, plugin->options.max_deliveries,
		        plugin->options.max_delivery_bytes, plugin->options.max_bus_visits);
	} else {
		for (size_t i = 0; i < plan->count; i++)
			send_one(route, &plan->deliveries[i]);
	}
	plan_reset(plan);
}

/* --- the publish --- */

static struct sluice_event event_of(const struct mosquitto_evt_message *message)
{
	struct sluice_event event = SLUICE_EVENT_INIT;
	event.topic = sluice_str(message->topic);
	event.payload = (struct sluice_str){ message->payload ? message->payload : "",
		                             message->payload ? message->payloadlen : 0 };
	event.client_id = sluice_str(mosquitto_client_id(message->client));
	event.username = sluice_str(mosquitto_client_username(message->client));
	event.qos = (int8_t)message->qos;
	event.retain = message->retain ? 1 : 0;
	return event;
}

static int refuse(struct plugin *plugin, const struct mosquitto_evt_message *message)
{
	const char *client_id = mosquitto_client_id(message->client);
	counter_add(&plugin->metrics.refused, 1);
	log_limited(&plugin->log, LOG_PROTECTED, clock_monotonic_ms(), MOSQ_LOG_NOTICE,
	            "client %s may not publish to %.200s: the router owns it (protect_targets)",
	            client_id ? client_id : "", message->topic);
	return MOSQ_ERR_ACL_DENIED;
}

int route_publish(struct plugin *plugin, struct mosquitto_evt_message *message)
{
	struct router *router = &plugin->router;
	struct route route = {
		.plugin = plugin, .router = router, .message = message, .event = event_of(message)
	};
	if (plugin->options.protect_targets &&
	    protect_owns(&plugin->ruleset.protect, route.event.topic))
		return refuse(plugin, message);

	router->event_number++;
	router->visit_count = 0;
	bool keep = false;
	const struct defined_list *buses = &plugin->ruleset.buses;
	for (size_t i = 0; i < buses->count && !route.over_limit; i++) {
		const struct sluice_bus *bus = buses->items[i]->definition->content.bus;
		if (sluice_bus_takes(bus, route.event.topic)) {
			visit(&route, (struct bus_record *)buses->items[i], route.event.payload,
			      NULL);
			keep |= !bus->deliver_original;
		}
	}
	if (router->visit_count == 0 && !route.over_limit)
		return MOSQ_ERR_SUCCESS;
	counter_add(&plugin->metrics.events, 1);
	/* A rule's target may add visits while they are made. */
	for (size_t i = 0; i < router->visit_count && !route.over_limit && !route.no_memory; i++) {
		struct visit visiting = router->visits[i];
		match_bus(&route, &visiting);
	}
	if (route.matched)
		counter_add(&plugin->metrics.matched, 1);
	if (router->plan.count > 0 || route.over_limit || route.no_memory)
		send_all(&route);
	for (size_t i = 0; i < router->visit_count; i++)
		free(router->visits[i].owned);
	event_properties_reset(&router->properties);
	if (keep) {
		/* It goes on, unheard, so that the producer is told that all is well. */
		broker_compat_hide_topic(message);
		message->retain = false;
	}
	return MOSQ_ERR_SUCCESS;
}
