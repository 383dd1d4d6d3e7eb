/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "route.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "route_internal.h"
#include "wills.h"

enum { SAMPLE_INTERVAL_MS = 1000 };

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

int64_t route_time(struct route *route)
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

static void write_id(const struct router *router, char buf[ROUTE_ID_SIZE])
{
	memcpy(buf, router->nonce, 16);
	write_hex(buf + 16, router->event_number);
	buf[32] = '\0';
}

char *route_new_id(struct router *router, char buf[ROUTE_ID_SIZE])
{
	router->event_number++;
	write_id(router, buf);
	return buf;
}

const char *route_id(struct route *route)
{
	if (route->id[0] == '\0')
		write_id(route->router, route->id);
	return route->id;
}

void route_read_properties(struct route *route, unsigned wanted)
{
	if (!event_properties_read(&route->router->properties, &route->plugin->compat,
	                           route->message->properties, wanted, &route->event))
		route->no_memory = true;
}

/* --- visits --- */

void route_visit(struct route *route, struct bus_record *bus, struct sluice_str payload,
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

/* Whether a replay is for this rule. Those that its event comes to by way of another bus are. */
static bool replay_takes(const struct route *route, const struct rule_entry *entry)
{
	const struct replayed *replay = route->replay;
	char name[SLUICE_NAME_MAX + 3];
	if (!replay->rules || entry->bus != replay->bus)
		return true;
	snprintf(name, sizeof name, " %s ", entry->record->name);
	return strstr(replay->rules, name) != NULL;
}

static void rule_matched(struct route *route, struct rule_entry *entry)
{
	const struct sluice_rule *rule = entry->rule;
	if (route->replay && !replay_takes(route, entry))
		return;
	route->matched = true;
	/* Instead of to its targets, the event goes where the replay says. */
	if (route->replay && route->replay->entry)
		return;
	route->at = entry;
	counter_add(&entry->record->matched, 1);
	counter_set(&entry->record->last_match_ms, (uint64_t)seen_time(route));
	if (rule->state == SLUICE_RULE_SHADOW) {
		keep_sample(route, entry->record);
		return;
	}
	route_read_properties(route, rule->metadata);
	for (size_t i = 0; i < rule->target_count && !route->over_limit && !route->no_memory; i++)
		target_apply(route, entry, &rule->targets[i]);
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
	if (plugin->taps.count > 0 && !route->replay)
		taps_event(plugin, visit->bus, route->message->properties, &router->properties,
		           &route->event);
	if (sluice_matcher_count(visit->bus->matcher) == 0)
		return;
	route_read_properties(route, sluice_matcher_metadata(visit->bus->matcher));
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

/* --- the publish --- */

struct sluice_event route_event(const struct mosquitto_evt_message *message)
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

/* From the buses that it visits to the end. */
static void run(struct route *route)
{
	struct plugin *plugin = route->plugin;
	struct router *router = route->router;
	/* A rule's target may add visits while they are made. */
	for (size_t i = 0; i < router->visit_count && !route->over_limit && !route->no_memory;
	     i++) {
		struct visit visiting = router->visits[i];
		match_bus(route, &visiting);
	}
	if (route->matched && !route->replay)
		counter_add(&plugin->metrics.matched, 1);
	if (route->matched && route->replay && route->replay->entry) {
		route->event.payload = route->replay->event->payload;
		target_apply(route, route->replay->entry, &route->replay->entry->rule->targets[0]);
	}
	if (!route->over_limit && !route->no_memory)
		archive_visits(route);
	if (router->plan.count > 0 || plugin->durable.intake.count > 0 || route->over_limit ||
	    route->no_memory)
		send_all(route);
	for (size_t i = 0; i < router->visit_count; i++)
		free(router->visits[i].owned);
	event_properties_reset(&router->properties);
}

/* The payload of a scheduled rule's event. False when it could not be made. */
static bool make_input(struct route *route, struct rule_entry *entry, struct sluice_buffer *out)
{
	const struct sluice_rule *rule = entry->rule;
	const struct sluice_vars vars = { .event = &route->event,
		                          .rule = rule->name,
		                          .bus = rule->bus,
		                          .id = sluice_str(route_id(route)),
		                          .time_ms = route->time_ms };
	struct sluice_error error;
	if (sluice_transform_apply(rule->schedule.input, &vars, out, &error) != SLUICE_OK)
		log_line(MOSQ_LOG_ERR, "rule %s does not run: %s", entry->record->name,
		         error.message);
	else if (!out->failed)
		return true;
	counter_add(&entry->record->failed, 1);
	counter_add(&route->plugin->metrics.failed, 1);
	return false;
}

bool route_fire(struct plugin *plugin, struct rule_entry *entry, int64_t time_ms, bool note)
{
	struct router *router = &plugin->router;
	char topic[sizeof "schedules/" + SLUICE_NAME_MAX];
	snprintf(topic, sizeof topic, "schedules/%s", entry->record->name);
	struct mosquitto_evt_message message = { .topic = topic, .qos = 1 };
	struct sluice_event event = SLUICE_EVENT_INIT;
	event.topic = sluice_str(topic);
	event.qos = 1;
	struct route route = { .plugin = plugin,
		               .router = router,
		               .message = &message,
		               .event = event,
		               .time_ms = time_ms };
	const struct sluice_record fired = { .kind = SLUICE_RECORD_FIRED,
		                             .rule = sluice_str(entry->record->name),
		                             .time_ms = time_ms };
	struct sluice_buffer input = { 0 };
	router->event_number++;
	router->visit_count = 0;
	if (!intake_add(plugin, NULL, &fired)) {
		intake_drop(plugin);
		return false;
	}
	if (!note && make_input(&route, entry, &input)) {
		route.event.payload = sluice_buffer_str(&input);
		message.payload = input.data;
		message.payloadlen = (uint32_t)input.len;
		rule_matched(&route, entry);
	}
	run(&route);
	sluice_buffer_finish(&input);
	return !route.refused && !route.no_memory;
}

enum route_replay_result route_replay(struct plugin *plugin, const struct replayed *replay)
{
	struct router *router = &plugin->router;
	const struct sluice_event *event = replay->event;
	struct mosquitto_evt_message message = { .topic = replay->topic,
		                                 .qos = (uint8_t)event->qos };
	struct route route = { .plugin = plugin,
		               .router = router,
		               .message = &message,
		               .event = *event,
		               .time_ms = replay->time_ms,
		               .replay = replay };
	snprintf(route.id, sizeof route.id, "%.*s", (int)replay->id.len, replay->id.data);
	router->event_number++;
	router->visit_count = 0;
	/* To one topic, and of no rules in particular: all of it. */
	if (replay->entry && !replay->rules)
		route.matched = true;
	else
		route_visit(&route, replay->bus, event->payload, NULL);
	run(&route);
	if (route.refused || route.no_memory)
		return REPLAY_LATER;
	return route.matched ? REPLAY_MATCHED : REPLAY_UNMATCHED;
}

bool route_will(struct plugin *plugin, const struct mosquitto_evt_message *will,
                struct bus_record *bus)
{
	struct router *router = &plugin->router;
	struct route route = {
		.plugin = plugin, .router = router, .message = will, .event = route_event(will)
	};
	/* Whose it was nobody knows: these are of the bridge. */
	route.event.client_id = route.event.username = (struct sluice_str){ 0 };
	router->event_number++;
	router->visit_count = 0;
	counter_add(&plugin->metrics.events, 1);
	route_visit(&route, bus, route.event.payload, NULL);
	run(&route);
	return !route.refused;
}

/* So that the bridge does not take it for a will. */
static void mark(struct plugin *plugin, struct mosquitto_evt_message *message)
{
	if (!wills_mark(plugin, sluice_str(message->topic), &message->properties))
		log_limited(&plugin->log, LOG_MEMORY, clock_monotonic_ms(), MOSQ_LOG_ERR,
		            "out of memory: a publish on %.200s may be taken for a will",
		            message->topic);
}

int route_publish(struct plugin *plugin, struct mosquitto_evt_message *message)
{
	struct router *router = &plugin->router;
	struct route route = { .plugin = plugin,
		               .router = router,
		               .message = message,
		               .event = route_event(message) };
	int result;
	if (queue_publish(plugin, message, &result) || wills_publish(plugin, message, &result))
		return result;
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
			route_visit(&route, (struct bus_record *)buses->items[i],
			            route.event.payload, NULL);
			keep |= !bus->deliver_original;
		}
	}
	if (router->visit_count == 0 && !route.over_limit) {
		mark(plugin, message);
		return MOSQ_ERR_SUCCESS;
	}
	counter_add(&plugin->metrics.events, 1);
	run(&route);
	if (route.refused)
		return durable_refuse(plugin, message);
	if (keep) {
		/* It goes on, unheard, so that the producer is told that all is well. */
		broker_compat_hide_topic(message);
		message->retain = false;
	} else {
		mark(plugin, message);
	}
	return MOSQ_ERR_SUCCESS;
}
