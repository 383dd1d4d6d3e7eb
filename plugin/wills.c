/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "wills.h"

#include <stdlib.h>

#include <mqtt_protocol.h>

#include "plugin.h"
#include "sluice/topic.h"

#define WILLS_TOPICS "sluice/wills/"

static const struct sluice_bus *bus_of(const struct definition *definition)
{
	return definition ? definition->content.bus : NULL;
}

void wills_bus_changed(struct plugin *plugin, const struct definition *old,
                       const struct definition *now)
{
	plugin->will_buses -= old && bus_of(old)->will_topic_count > 0;
	plugin->will_buses += now && bus_of(now)->will_topic_count > 0;
}

/* --- the mark --- */

static bool watched(const struct plugin *plugin, struct sluice_str topic)
{
	const struct defined_list *buses = &plugin->ruleset.buses;
	for (size_t i = 0; plugin->will_buses > 0 && i < buses->count; i++) {
		if (sluice_bus_takes_will(bus_of(buses->items[i]->definition), topic))
			return true;
	}
	return false;
}

static bool is_mark(const struct property_reader *reader, const mosquitto_property *at)
{
	char *name = NULL, *value = NULL;
	if (reader->identifier(at) != MQTT_PROP_USER_PROPERTY)
		return false;
	if (property_reader_borrows(reader)) {
		const char *borrowed = reader->string_name(at);
		return borrowed && strcmp(borrowed, WILLS_MARK) == 0;
	}
	bool is = reader->string_pair(at, MQTT_PROP_USER_PROPERTY, &name, &value, false) && name &&
	          strcmp(name, WILLS_MARK) == 0;
	/* libmosquitto's readers give memory of malloc(). */
	free(name);
	free(value);
	return is;
}

/* It may have come from another broker's plugin: one is enough, however many it passes. */
static bool is_marked(const struct broker_compat *compat, const mosquitto_property *list)
{
	const struct property_reader *reader = &compat->reader;
	for (; compat->reads_properties && list; list = reader->next(list)) {
		if (is_mark(reader, list))
			return true;
	}
	return false;
}

bool wills_mark(const struct plugin *plugin, struct sluice_str topic, mosquitto_property **list)
{
	/* Added at the end of the list, in place: 2.0.11 would not free one that was replaced. */
	return !watched(plugin, topic) || is_marked(&plugin->compat, *list) ||
	       mosquitto_property_add_string_pair(list, MQTT_PROP_USER_PROPERTY, WILLS_MARK, "1") ==
	               MOSQ_ERR_SUCCESS;
}

/* --- what the bridge says --- */

bool wills_topic_read(const char *text, struct wills_topic *topic)
{
	*topic = (struct wills_topic){ .topic = NULL };
	if (strncmp(text, WILLS_TOPICS, sizeof WILLS_TOPICS - 1) != 0)
		return false;
	text += sizeof WILLS_TOPICS - 1;
	const char *end = strchr(text, '/');
	if (!end)
		return true;
	topic->bus = (struct sluice_str){ text, (size_t)(end - text) };
	text = end + 1;
	topic->filters = strcmp(text, "filters") == 0;
	if (text[0] < '0' || text[0] > '2')
		return true;
	topic->qos = (uint8_t)(text[0] - '0');
	topic->retain = text[1] == 'r';
	text += topic->retain ? 2 : 1;
	if (text[0] == '/' && text[1] != '\0')
		topic->topic = text + 1;
	return true;
}

static bool has_filter(const struct sluice_bus *bus, struct sluice_str filter)
{
	for (size_t i = 0; i < bus->will_topic_count; i++) {
		if (sluice_str_equal(bus->will_topics[i], filter))
			return true;
	}
	return false;
}

static bool has_filters(const struct sluice_bus *bus, struct sluice_str lines)
{
	if (lines.len == 0)
		return false;
	while (lines.len > 0) {
		const char *end = memchr(lines.data, '\n', lines.len);
		struct sluice_str line = { lines.data,
			                   end ? (size_t)(end - lines.data) : lines.len };
		if (!has_filter(bus, line))
			return false;
		lines.data += line.len + (end != NULL);
		lines.len -= line.len + (end != NULL);
	}
	return true;
}

static int refuse(struct plugin *plugin, const struct mosquitto_evt_message *message,
                  const char *reason)
{
	const char *client_id = mosquitto_client_id(message->client);
	counter_add(&plugin->metrics.refused, 1);
	log_limited(&plugin->log, LOG_WILLS, clock_monotonic_ms(), MOSQ_LOG_WARNING,
	            "client %.100s on %.200s: %s", client_id ? client_id : "-", message->topic,
	            reason);
	return MOSQ_ERR_ACL_DENIED;
}

/* Whatever becomes of it, it goes to nobody else. */
static int swallow(struct mosquitto_evt_message *message)
{
	broker_compat_hide_topic(message);
	message->retain = false;
	return MOSQ_ERR_SUCCESS;
}

bool wills_publish(struct plugin *plugin, struct mosquitto_evt_message *message, int *result)
{
	struct wills_topic topic;
	if (!wills_topic_read(message->topic, &topic))
		return false;
	const struct gate_client client =
	        broker_compat_gate_client(&plugin->compat, message->client);
	const struct sluice_str payload = { message->payload ? message->payload : "",
		                            message->payload ? message->payloadlen : 0 };
	struct bus_record *record = ruleset_bus(&plugin->ruleset, topic.bus);
	const struct sluice_bus *bus = record ? bus_of(record->head.definition) : NULL;
	if (!gate_admits(&plugin->options, &client)) {
		*result = refuse(plugin, message, "plugin_opt_control_access keeps wills out");
	} else if (topic.filters && bus && has_filters(bus, payload)) {
		*result = swallow(message);
	} else if (topic.topic && bus && sluice_bus_takes_will(bus, sluice_str(topic.topic))) {
		struct mosquitto_evt_message will = *message;
		/* The broker's own, which outlives the call, and nobody writes to it. */
		will.topic = (char *)(uintptr_t)topic.topic;
		will.qos = topic.qos;
		will.retain = topic.retain;
		*result = route_will(plugin, &will, record) ? swallow(message)
		                                            : durable_refuse(plugin, message);
	} else {
		*result = refuse(plugin, message, "no bus in force has such will_topics");
	}
	return true;
}
