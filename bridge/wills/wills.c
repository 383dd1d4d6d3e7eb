/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Last wills as events: plugin/wills.h draws the whole way. Of each bus that a source names its filters
 * are subscribed to, shared among all bridges, so that each will comes to one of them; what comes
 * without the plugin's mark is a will, and goes back on the plugin's own topic.
 *
 *	LOOKING --the bus has will_topics--> ASKING --the plugin marks--> SUBSCRIBED
 *	   ^                                   |                              |
 *	   +--- not yet: again in a second ----+--- the bus, or the connection, changed ---+
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <mqtt_protocol.h>

#include "../bridge.h"
#include "../delivery.h"
#include "../inlet.h"
#include "../log.h"
#include "../source.h"
#include "sluice_store/store.h"
#include "wills.h"

#define TOPICS "sluice/wills/"
#define MARK   "sluice-seen"

enum { LOOK_MS = 1000, WAITING_MAX = 10000 };

enum state { LOOKING, ASKING, SUBSCRIBED };

/* A will on its way to the plugin. */
struct will {
	struct will *next;
	struct wills *wills;
	struct delivery *message; /* as it came */
	char *topic;
};

struct wills {
	struct inlet inlet;
	struct source *source;
	struct link *link;
	uv_loop_t *loop;
	uv_timer_t timer;
	const char *path; /* of the store */
	struct sluice_store *store;
	struct stat store_file; /* which file it was when it was opened */
	char name[SLUICE_NAME_MAX + 1];
	uint32_t identifier;       /* of its subscriptions */
	struct sluice_bus *bus;    /* as the store has it; NULL = there is none */
	struct sluice_buffer text; /* its definition */
	enum state state;
	bool changed;               /* the bus, while the plugin was asked */
	struct will *under_way;     /* until the plugin has them */
	struct will *first, **last; /* that there was no room for */
	size_t waiting;
	bool said_full;
};

/* --- the bus --- */

static bool keep_text(void *arg, const struct sluice_store_row *row)
{
	sluice_buffer_append_str(arg, row->text);
	return true;
}

/* The file may have been replaced by another, as a restore does. */
static bool open_store(struct wills *wills, struct sluice_error *error)
{
	struct stat now;
	if (stat(wills->path, &now) == 0 && wills->store &&
	    now.st_dev == wills->store_file.st_dev && now.st_ino == wills->store_file.st_ino)
		return true;
	sluice_store_close(wills->store);
	wills->store = NULL;
	wills->store_file = now;
	return sluice_store_open(wills->path, SLUICE_STORE_READ_ONLY, &wills->store, error) ==
	       SLUICE_OK;
}

static void unsubscribe(struct wills *wills)
{
	for (size_t i = 0; wills->bus && i < wills->bus->will_topic_count; i++) {
		char *filter = wills_filter(wills->bus, i);
		if (filter)
			link_unsubscribe(wills->link, filter);
		free(filter);
	}
}

/* Takes up what the store says of the bus. False when that can't be known now. */
static bool look(struct wills *wills)
{
	struct sluice_error error = { 0 };
	struct sluice_buffer text = { 0 };
	enum sluice_status status = SLUICE_ERR_IO;
	if (open_store(wills, &error))
		status = sluice_store_get(wills->store, SLUICE_STORE_BUS, sluice_str(wills->name),
		                          keep_text, &text, &error);
	if ((status != SLUICE_OK && status != SLUICE_ERR_NOT_FOUND) || text.failed) {
		sluice_buffer_finish(&text);
		return false;
	}
	if (sluice_str_equal(sluice_buffer_str(&text), sluice_buffer_str(&wills->text))) {
		sluice_buffer_finish(&text);
		return true;
	}
	if (wills->state == SUBSCRIBED)
		unsubscribe(wills);
	wills->changed = wills->state == ASKING;
	if (wills->state == SUBSCRIBED)
		wills->state = LOOKING;
	sluice_bus_destroy(wills->bus);
	wills->bus = NULL;
	if (text.len > 0)
		sluice_bus_parse(sluice_buffer_str(&text), &wills->bus, &error);
	sluice_buffer_finish(&wills->text);
	wills->text = text;
	return true;
}

/* --- subscribing --- */

static void on_answer(void *arg, enum published how, const char *reason)
{
	struct wills *wills = arg;
	bool changed = wills->changed;
	wills->changed = false;
	wills->state = LOOKING;
	if (changed)
		return;
	if (how != PUBLISHED) {
		char text[256];
		snprintf(text, sizeof text, "the wills of bus %s are not in force: %s", wills->name,
		         reason);
		source_trouble(wills->source, text);
		return;
	}
	for (size_t i = 0; i < wills->bus->will_topic_count; i++) {
		char *filter = wills_filter(wills->bus, i);
		if (!filter)
			return; /* again in a second */
		/* Retained ones come to no new shared subscription, but a broker may be told. */
		link_subscribe(wills->link, filter,
		               MQTT_SUB_OPT_RETAIN_AS_PUBLISHED | MQTT_SUB_OPT_SEND_RETAIN_NEVER,
		               wills->identifier);
		free(filter);
	}
	wills->state = SUBSCRIBED;
	source_trouble(wills->source, NULL);
}

/* Does it mark these already? Who subscribes before would take originals for wills. */
static void ask(struct wills *wills)
{
	char topic[sizeof TOPICS + SLUICE_NAME_MAX + sizeof "/filters"];
	struct sluice_buffer lines = { 0 };
	struct sluice_event event = SLUICE_EVENT_INIT;
	snprintf(topic, sizeof topic, TOPICS "%s/filters", wills->name);
	for (size_t i = 0; i < wills->bus->will_topic_count; i++) {
		if (i > 0)
			sluice_buffer_append_text(&lines, "\n");
		sluice_buffer_append_str(&lines, wills->bus->will_topics[i]);
	}
	event.topic = sluice_str(topic);
	event.payload = sluice_buffer_str(&lines);
	if (!lines.failed && source_publish(wills->source, &event, on_answer, wills))
		wills->state = ASKING;
	sluice_buffer_finish(&lines);
}

static void on_timer(uv_timer_t *timer)
{
	struct wills *wills = timer->data;
	if (!look(wills) || wills->state != LOOKING || !link_is_connected(wills->link))
		return;
	if (wills->bus && wills->bus->will_topic_count > 0) {
		ask(wills);
		return;
	}
	char text[128];
	snprintf(text, sizeof text, "bus %s %s", wills->name,
	         wills->bus ? "has no will_topics" : "is not there");
	source_trouble(wills->source, text);
}

/* --- wills --- */

static void will_destroy(struct will *will)
{
	if (will->message)
		delivery_destroy(will->message);
	free(will->topic);
	free(will);
}

static void on_taken_in(void *arg, enum published how, const char *reason)
{
	struct will *will = arg;
	struct will **at = &will->wills->under_way;
	while (*at != will)
		at = &(*at)->next;
	*at = will->next;
	if (how != PUBLISHED)
		log_line(LOG_WARNING, "the wills of bus %s: one is no event: %s: %s",
		         will->wills->name, will->topic, reason);
	will_destroy(will);
}

static bool hand_in(struct will *will)
{
	struct sluice_event event = will->message->event;
	event.topic = sluice_str(will->topic);
	if (!source_publish(will->wills->source, &event, on_taken_in, will))
		return false;
	will->next = will->wills->under_way;
	will->wills->under_way = will;
	return true;
}

/* Who is told by a mark, and by which subscription it came. */
static bool is_ours(const struct wills *wills, const mosquitto_property *at)
{
	bool ours = false;
	for (; at; at = mosquitto_property_next(at)) {
		char *name = NULL, *value = NULL;
		uint32_t identifier = 0;
		int id = mosquitto_property_identifier(at);
		if (id == MQTT_PROP_SUBSCRIPTION_IDENTIFIER &&
		    mosquitto_property_read_varint(at, id, &identifier, false))
			ours |= identifier == wills->identifier;
		if (id != MQTT_PROP_USER_PROPERTY ||
		    !mosquitto_property_read_string_pair(at, id, &name, &value, false))
			continue;
		bool marked = strcmp(name, MARK) == 0;
		free(name);
		free(value);
		if (marked)
			return false;
	}
	return ours;
}

static char *private_topic(const struct wills *wills, const struct link_message *message)
{
	struct sluice_buffer topic = { 0 };
	sluice_buffer_printf(&topic, TOPICS "%s/%d%s/%s", wills->name, message->qos,
	                     message->retain ? "r" : "", message->topic);
	if (!topic.failed)
		return topic.data;
	sluice_buffer_finish(&topic);
	return NULL;
}

static void lost(struct wills *wills, const char *topic, const char *why)
{
	log_line(LOG_ERROR, "the wills of bus %s: that on %s is lost: %s", wills->name, topic, why);
}

static void on_message(struct inlet *inlet, const struct link_message *message)
{
	struct wills *wills = (struct wills *)inlet;
	if (wills->state != SUBSCRIBED || !is_ours(wills, message->properties) ||
	    !sluice_bus_takes_will(wills->bus, sluice_str(message->topic)))
		return;
	struct will *will = calloc(1, sizeof *will);
	if (will) {
		will->wills = wills;
		will->topic = private_topic(wills, message);
		will->message = delivery_create(NULL, message, SLUICE_STR(""), 0);
	}
	if (!will || !will->topic || !will->message) {
		lost(wills, message->topic, "out of memory");
		if (will)
			will_destroy(will);
		return;
	}
	/* Those that wait go first. */
	if (wills->waiting == 0 && hand_in(will))
		return;
	if (wills->waiting == WAITING_MAX) {
		if (!wills->said_full)
			lost(wills, message->topic, "too many wait for the broker");
		wills->said_full = true;
		will_destroy(will);
		return;
	}
	*wills->last = will;
	wills->last = &will->next;
	wills->waiting++;
}

static void on_room(struct inlet *inlet)
{
	struct wills *wills = (struct wills *)inlet;
	while (wills->first) {
		struct will *will = wills->first, *next = will->next;
		if (!hand_in(will))
			return;
		wills->first = next;
		if (!next)
			wills->last = &wills->first;
		wills->waiting--;
	}
	wills->said_full = false;
}

/* --- life --- */

/* Subscriptions went with the connection. */
static void on_connected(struct inlet *inlet)
{
	struct wills *wills = (struct wills *)inlet;
	if (wills->state == SUBSCRIBED)
		wills->state = LOOKING;
	on_timer(&wills->timer);
}

static void free_all(struct will *will)
{
	while (will) {
		struct will *next = will->next;
		will_destroy(will);
		will = next;
	}
}

static void on_closed(uv_handle_t *handle)
{
	struct wills *wills = handle->data;
	free_all(wills->first);
	free_all(wills->under_way);
	sluice_store_close(wills->store);
	sluice_bus_destroy(wills->bus);
	sluice_buffer_finish(&wills->text);
	free(wills);
}

static void close_wills(struct inlet *inlet)
{
	struct wills *wills = (struct wills *)inlet;
	if (wills->state == SUBSCRIBED)
		unsubscribe(wills);
	wills->state = LOOKING;
	uv_close((uv_handle_t *)&wills->timer, on_closed);
}

/* Another source that brings the same bus's wills; NULL when there is none. */
static const struct source *find_other(const struct inlet_context *context, const char *bus)
{
	for (const struct source *at = context->bridge->sources; at; at = at->next) {
		if (at != context->source && at->inlet && at->inlet->kind == &inlet_wills &&
		    strcmp(((const struct wills *)at->inlet)->name, bus) == 0)
			return at;
	}
	return NULL;
}

static struct inlet *open_wills(const struct inlet_context *context, struct sluice_error *error)
{
	struct sluice_str bus = sluice_setting_text(context->definition->settings, "bus");
	struct wills *wills = calloc(1, sizeof *wills);
	if (!wills) {
		sluice_out_of_memory(error);
		return NULL;
	}
	wills->inlet.kind = &inlet_wills;
	wills->source = context->source;
	wills->link = context->bridge->link;
	wills->loop = context->loop;
	wills->path = context->bridge->options->store;
	wills->last = &wills->first;
	if (!bus.data)
		bus = SLUICE_STR("default");
	snprintf(wills->name, sizeof wills->name, "%.*s", (int)bus.len, bus.data);
	wills->identifier = wills_identifier(bus);
	const struct source *other = find_other(context, wills->name);
	if (!sluice_str_equal(context->definition->topic, SLUICE_STR("{topic}")))
		sluice_error_set(
		        error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		        "the \"topic\" of a source of wills must be \"{topic}\": each is an event "
		        "on its own");
	else if (!sluice_name_valid(bus))
		sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                 "\"bus\" is no name of a bus");
	else if (other)
		sluice_error_set(error, SLUICE_ERR_CONFLICT, SIZE_MAX, NULL,
		                 "another source, %.*s, brings the wills of bus %s",
		                 (int)other->definition->name.len, other->definition->name.data,
		                 wills->name);
	else if (uv_timer_init(context->loop, &wills->timer) == 0) {
		wills->timer.data = wills;
		uv_timer_start(&wills->timer, on_timer, 0, LOOK_MS);
		return &wills->inlet;
	}
	free(wills);
	return NULL;
}

const struct inlet_kind inlet_wills = {
	.name = "wills",
	.open = open_wills,
	.resume = on_room,
	.message = on_message,
	.connected = on_connected,
	.close = close_wills,
};
