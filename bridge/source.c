/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "source.h"

#include <stdio.h>
#include <stdlib.h>

#include <mqtt_protocol.h>

#include "log.h"

enum { UNDER_WAY_MAX = 1000, OPEN_AGAIN_MS = 30000, REASON_SIZE = 256 };

/* A publish that waits for its PUBACK, or for a turn of the loop in which to say that it can't be. */
struct publishing {
	struct publishing *next, *previous;
	struct source *source; /* NULL: it was closed */
	published_fn done;
	void *arg;
};

const char *source_name(const struct source *source)
{
	return source->name;
}

void source_trouble(struct source *source, const char *text)
{
	bool was = source->trouble[0] != '\0';
	char before[sizeof source->trouble];
	snprintf(before, sizeof before, "%s", source->trouble);
	snprintf(source->trouble, sizeof source->trouble, "%s", text ? text : "");
	if (text && strcmp(before, source->trouble) != 0)
		log_line(LOG_WARNING, "source %s: %s", source_name(source), text);
	else if (!text && was)
		log_line(LOG_NOTICE, "source %s: goes again", source_name(source));
}

/* --- publishing --- */

static struct publishing *begin(struct source *source, published_fn done, void *arg)
{
	struct publishing *publishing = calloc(1, sizeof *publishing);
	if (!publishing)
		return NULL;
	*publishing = (struct publishing){
		.next = source->publishing, .source = source, .done = done, .arg = arg
	};
	if (source->publishing)
		source->publishing->previous = publishing;
	source->publishing = publishing;
	source->under_way++;
	return publishing;
}

static void unlink_publishing(struct publishing *publishing)
{
	struct source *source = publishing->source;
	if (publishing->next)
		publishing->next->previous = publishing->previous;
	if (publishing->previous)
		publishing->previous->next = publishing->next;
	else
		source->publishing = publishing->next;
	source->under_way--;
}

static void end(struct publishing *publishing, enum published how, const char *reason)
{
	struct source *source = publishing->source;
	published_fn done = publishing->done;
	void *arg = publishing->arg;
	unlink_publishing(publishing);
	free(publishing);
	source->published += how == PUBLISHED;
	done(arg, how, reason);
	if (source->wants_room && source->inlet && source->under_way <= UNDER_WAY_MAX / 2 &&
	    link_is_connected(source->bridge->link)) {
		source->wants_room = false;
		if (source->kind->resume)
			source->kind->resume(source->inlet);
	}
}

static void on_acknowledged(void *arg, int reason)
{
	char text[REASON_SIZE] = "";
	if (reason >= LINK_REFUSED)
		snprintf(text, sizeof text, "the broker refuses it: %s",
		         mosquitto_reason_string(reason));
	end(arg, reason < LINK_REFUSED ? PUBLISHED : PUBLISH_REFUSED, text);
}

static bool add_pair(mosquitto_property **list, const struct sluice_property *pair)
{
	char *name = strndup(pair->name.data, pair->name.len);
	char *value = strndup(pair->value.data ? pair->value.data : "", pair->value.len);
	int rc = name && value ? mosquitto_property_add_string_pair(list, MQTT_PROP_USER_PROPERTY,
	                                                            name, value)
	                       : MOSQ_ERR_NOMEM;
	free(name);
	free(value);
	return rc == MOSQ_ERR_SUCCESS;
}

static bool add_text(mosquitto_property **list, int id, struct sluice_str text)
{
	if (!text.data)
		return true;
	char *copy = strndup(text.data, text.len);
	int rc = copy ? mosquitto_property_add_string(list, id, copy) : MOSQ_ERR_NOMEM;
	free(copy);
	return rc == MOSQ_ERR_SUCCESS;
}

static bool make_properties(const struct sluice_event *event, mosquitto_property **list)
{
	bool made = add_text(list, MQTT_PROP_CONTENT_TYPE, event->content_type) &&
	            add_text(list, MQTT_PROP_RESPONSE_TOPIC, event->response_topic);
	if (made && event->payload_format >= 0)
		made = mosquitto_property_add_byte(list, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR,
		                                   (uint8_t)event->payload_format) ==
		       MOSQ_ERR_SUCCESS;
	if (made && event->correlation_data.data)
		made = mosquitto_property_add_binary(
		               list, MQTT_PROP_CORRELATION_DATA, event->correlation_data.data,
		               (uint16_t)event->correlation_data.len) == MOSQ_ERR_SUCCESS;
	for (size_t i = 0; made && i < event->user_property_count; i++)
		made = add_pair(list, &event->user_properties[i]);
	return made;
}

/* What can never be published is told in a later turn of the loop, as all is. */
struct failing {
	uv_timer_t timer;
	struct publishing *publishing;
	char reason[REASON_SIZE];
};

static void on_failing_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void on_failing(uv_timer_t *timer)
{
	struct failing *failing = timer->data;
	if (failing->publishing->source)
		end(failing->publishing, PUBLISH_IMPOSSIBLE, failing->reason);
	else
		free(failing->publishing);
	uv_close((uv_handle_t *)timer, on_failing_closed);
}

static bool fail_later(struct source *source, published_fn done, void *arg, const char *reason)
{
	struct failing *failing = calloc(1, sizeof *failing);
	if (failing)
		failing->publishing = begin(source, done, arg);
	if (!failing || !failing->publishing) {
		free(failing);
		return false;
	}
	snprintf(failing->reason, sizeof failing->reason, "%s", reason);
	uv_timer_init(&source->bridge->loop, &failing->timer);
	failing->timer.data = failing;
	uv_timer_start(&failing->timer, on_failing, 0, 0);
	return true;
}

bool source_publish(struct source *source, const struct sluice_event *event, published_fn done,
                    void *arg)
{
	const struct sluice_vars vars = { .event = event,
		                          .target = source->definition->name,
		                          .time_ms = bridge_real_ms() };
	struct sluice_error error;
	mosquitto_property *list = NULL;
	if (source->under_way >= UNDER_WAY_MAX || !link_is_connected(source->bridge->link)) {
		source->wants_room = true;
		return false;
	}
	sluice_buffer_reset(&source->buffer);
	if (sluice_topic_template_expand(source->topic, &vars, &source->buffer, &error) !=
	    SLUICE_OK)
		return fail_later(source, done, arg, error.message);
	if (event->payload.len > MQTT_MAX_PAYLOAD)
		return fail_later(source, done, arg, "larger than an MQTT message can be");
	struct publishing *publishing = begin(source, done, arg);
	bool sent = publishing && make_properties(event, &list) &&
	            link_publish(source->bridge->link, source->buffer.data, event->payload, false,
	                         list, on_acknowledged, publishing);
	mosquitto_property_free_all(&list);
	if (publishing && !sent) {
		unlink_publishing(publishing);
		free(publishing);
	}
	source->wants_room |= !sent;
	return sent;
}

/* --- life --- */

static void open_inlet(struct source *source)
{
	struct inlet_context context = { &source->bridge->loop, source->bridge,
		                         source->bridge->curl,  source,
		                         source->definition,    source->credentials };
	struct sluice_error error = { 0 };
	source->inlet = source->kind->open(&context, &error);
	if (!source->inlet)
		source_trouble(source, error.message);
}

static void on_timer(uv_timer_t *timer)
{
	struct source *source = timer->data;
	if (!source->inlet && source->definition->enabled && source->kind && source->topic)
		open_inlet(source);
}

struct source *source_create(struct bridge *bridge, struct sluice_bridge_source *definition,
                             struct credentials *credentials)
{
	struct source *source = calloc(1, sizeof *source);
	if (!source) {
		sluice_bridge_source_destroy(definition);
		credentials_destroy(credentials);
		return NULL;
	}
	source->bridge = bridge;
	source->definition = definition;
	snprintf(source->name, sizeof source->name, "%.*s", (int)definition->name.len,
	         definition->name.data);
	source->credentials = credentials;
	source->kind = inlet_kind_find(sluice_str(definition->kind->name));
	uv_timer_init(&bridge->loop, &source->timer);
	source->timer.data = source;
	source->next = bridge->sources;
	bridge->sources = source;
	return source;
}

void source_begin(struct source *source)
{
	struct sluice_error error = { 0 };
	struct sluice_str topic = source->definition->topic;
	if (!source->kind)
		source_trouble(source, "this build of the bridge knows no such kind");
	else if (sluice_topic_template_compile(topic.data ? topic : SLUICE_STR("{topic}"),
	                                       &source->topic, &error) != SLUICE_OK)
		source_trouble(source, error.message);
	else if (source->definition->enabled)
		open_inlet(source);
	uv_timer_start(&source->timer, on_timer, OPEN_AGAIN_MS, OPEN_AGAIN_MS);
}

static void on_closed(uv_handle_t *handle)
{
	struct source *source = handle->data;
	sluice_topic_template_destroy(source->topic);
	sluice_bridge_source_destroy(source->definition);
	credentials_destroy(source->credentials);
	sluice_buffer_finish(&source->buffer);
	free(source);
}

/* Nobody is called any more; a publish that can't be is freed by its own timer. */
static void forget_all(struct source *source)
{
	struct publishing *at = source->publishing, *next;
	for (; at; at = next) {
		next = at->next;
		if (link_forget(source->bridge->link, at))
			free(at);
		else
			at->source = NULL;
	}
	source->publishing = NULL;
}

void source_close(struct source *source)
{
	struct source **at = &source->bridge->sources;
	if (source->inlet)
		source->kind->close(source->inlet);
	source->inlet = NULL;
	forget_all(source);
	while (*at != source)
		at = &(*at)->next;
	*at = source->next;
	uv_close((uv_handle_t *)&source->timer, on_closed);
}

void source_connected(struct source *source, bool is)
{
	if (!is || !source->inlet)
		return;
	if (source->kind->connected)
		source->kind->connected(source->inlet);
	if (!source->wants_room)
		return;
	source->wants_room = false;
	if (source->kind->resume)
		source->kind->resume(source->inlet);
}

void source_message(struct source *source, const struct link_message *message)
{
	if (source->inlet && source->kind->message)
		source->kind->message(source->inlet, message);
}
