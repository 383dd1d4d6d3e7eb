/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * libmosquitto acknowledges a message at QoS 1 by itself, before it shows it. But it only puts the
 * acknowledgement into its queue, and it is us who write that:
 *
 *	other broker --PUBLISH--> read --source_publish--> our broker
 *	                            |                          |
 *	                  PUBACK in the queue                PUBACK
 *	                            |                          |
 *	other broker <--------------+-- written, when all <----+
 *	                                that was read is in
 *
 * So what the other broker hears of is safe, and what it did not hear of it sends again. It sends at
 * most RECEIVE_MAXIMUM before it waits, and so much is acknowledged at once under load.
 */
#include <stdio.h>
#include <stdlib.h>

#include <mqtt_protocol.h>

#include "../log.h"
#include "../via.h"
#include "client.h"
#include "kinds.h"
#include "properties.h"
#include "sluice/topic.h"

enum { RECEIVE_MAXIMUM = 200, REFUSED_PAUSE_MS = 5000 };

/* What came by one connection. What came by one that is gone is not acknowledged any more. */
struct arrivals {
	struct arrivals *next;
	struct mqtt_in *in;
	size_t pending; /* published, and not said to be taken in */
};

/* What the source had no room for. */
struct kept {
	struct kept *next;
	struct mosquitto_message message;
	mosquitto_property *properties;
};

struct mqtt_in {
	struct inlet inlet;
	struct source *source;
	struct mqtt_options options;
	struct mqtt_client *client;
	char **filters;
	int filter_count, qos;
	char mark[400];            /* for bridge-via */
	struct arrivals *arrivals; /* the first is of this connection */
	struct kept *kept, **kept_last;
	bool said_loop;
	unsigned within; /* calls, during which it is not freed */
	bool closing;
};

static void kept_free(struct kept *kept)
{
	mosquitto_message_free_contents(&kept->message);
	mosquitto_property_free_all(&kept->properties);
	free(kept);
}

static void forget_kept(struct mqtt_in *in)
{
	for (struct kept *kept = in->kept, *next; kept; kept = next) {
		next = kept->next;
		kept_free(kept);
	}
	in->kept = NULL;
	in->kept_last = &in->kept;
}

static void enter(struct mqtt_in *in)
{
	in->within++;
}

static void leave(struct mqtt_in *in)
{
	if (--in->within > 0 || !in->closing)
		return;
	for (struct arrivals *at = in->arrivals, *next; at; at = next) {
		next = at->next;
		free(at);
	}
	forget_kept(in);
	for (int i = 0; i < in->filter_count; i++)
		free(in->filters[i]);
	free(in->filters);
	mqtt_options_finish(&in->options);
	free(in);
}

/* Acknowledgements may go when there is nothing that they would be too early for. */
static void let_go(struct mqtt_in *in)
{
	bool all_in = !in->kept && in->arrivals->pending == 0;
	mqtt_client_let_write(in->client, all_in);
	mqtt_client_let_read(in->client, !in->kept);
}

/* --- taking in --- */

static void on_published(void *arg, enum published how, const char *reason)
{
	struct arrivals *arrivals = arg;
	struct mqtt_in *in = arrivals->in;
	enter(in);
	arrivals->pending--;
	if (arrivals != in->arrivals) {
		if (arrivals->pending == 0) {
			struct arrivals **at = &in->arrivals;
			while (*at != arrivals)
				at = &(*at)->next;
			*at = arrivals->next;
			free(arrivals);
		}
	} else if (how == PUBLISH_REFUSED) {
		/* Not acknowledged, it is sent again, when there is a new connection. */
		source_trouble(in->source, reason);
		mqtt_client_drop(in->client, reason, REFUSED_PAUSE_MS);
	} else {
		source_trouble(in->source, how == PUBLISHED ? NULL : reason);
		let_go(in);
	}
	leave(in);
}

static bool is_wanted(struct mqtt_in *in, const struct sluice_event *event)
{
	if (via_has(event, sluice_str(in->mark))) {
		if (!in->said_loop)
			log_line(LOG_WARNING,
			         "source at %s: an event comes round, and is let go: %.*s",
			         in->options.title, (int)event->topic.len, event->topic.data);
		in->said_loop = true;
		return false;
	}
	/* A session remembers filters that the definition does not have any more. */
	for (int i = 0; i < in->filter_count; i++) {
		if (sluice_topic_matches(sluice_str(in->filters[i]), event->topic))
			return true;
	}
	return false;
}

/* False when there is no room, or no memory. */
static bool take_in(struct mqtt_in *in, const struct mosquitto_message *message,
                    const mosquitto_property *list)
{
	struct sluice_event event = SLUICE_EVENT_INIT;
	struct mqtt_properties properties;
	event.topic = sluice_str(message->topic);
	event.payload = sluice_str_of(message->payloadlen > 0 ? message->payload : "",
	                              (size_t)message->payloadlen);
	event.qos = (int8_t)message->qos;
	event.retain = message->retain ? 1 : 0;
	if (!mqtt_properties_read(list, sluice_str(in->mark), &properties, &event))
		return false;
	/* Its own mark is the last one: it is not to be found when it is looked for. */
	event.user_property_count--;
	bool taken = true;
	if (is_wanted(in, &event)) {
		event.user_property_count++;
		taken = source_publish(in->source, &event, on_published, in->arrivals);
		if (taken)
			in->arrivals->pending++;
	}
	mqtt_properties_finish(&properties);
	return taken;
}

/* False when out of memory. */
static bool keep(struct mqtt_in *in, const struct mosquitto_message *message,
                 const mosquitto_property *properties)
{
	struct kept *kept = calloc(1, sizeof *kept);
	if (!kept)
		return false;
	if (mosquitto_message_copy(&kept->message, message) != MOSQ_ERR_SUCCESS ||
	    (properties &&
	     mosquitto_property_copy_all(&kept->properties, properties) != MOSQ_ERR_SUCCESS)) {
		kept_free(kept);
		return false;
	}
	*in->kept_last = kept;
	in->kept_last = &kept->next;
	return true;
}

/* --- what the client tells --- */

static void on_message(void *arg, const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
	struct mqtt_in *in = arg;
	enter(in);
	if ((in->kept || !take_in(in, message, properties)) && !keep(in, message, properties))
		mqtt_client_drop(in->client, "out of memory", REFUSED_PAUSE_MS);
	else
		let_go(in);
	leave(in);
}

static void on_connected(void *arg)
{
	struct mqtt_in *in = arg;
	enter(in);
	int result = mqtt_client_subscribe(in->client, in->filters, in->filter_count, in->qos);
	if (result != MOSQ_ERR_SUCCESS)
		mqtt_client_drop(in->client, mosquitto_strerror(result), REFUSED_PAUSE_MS);
	else
		source_trouble(in->source, NULL);
	leave(in);
}

static void on_subscribed(void *arg, int filter, int reason)
{
	struct mqtt_in *in = arg;
	char text[256];
	if (reason < MQTT_RC_UNSPECIFIED || filter >= in->filter_count)
		return;
	snprintf(text, sizeof(text), "%s refuses the subscription to %s: %s", in->options.title,
	         in->filters[filter],
	         in->options.protocol == MQTT_PROTOCOL_V5 ? mosquitto_reason_string(reason)
	                                                  : "not allowed");
	source_trouble(in->source, text);
}

static void on_disconnected(void *arg, const char *why)
{
	struct mqtt_in *in = arg;
	enter(in);
	source_trouble(in->source, why);
	/* What is not acknowledged comes again. */
	forget_kept(in);
	if (in->arrivals->pending > 0) {
		struct arrivals *arrivals = calloc(1, sizeof *arrivals);
		if (arrivals) {
			arrivals->in = in;
			arrivals->next = in->arrivals;
			in->arrivals = arrivals;
		}
		/* Without memory those that are under way count for the next connection, whose
		 * acknowledgements wait for them too. */
	}
	leave(in);
}

/* --- the kind --- */

static void resume(struct inlet *inlet)
{
	struct mqtt_in *in = (struct mqtt_in *)inlet;
	enter(in);
	while (in->kept && !in->closing) {
		struct kept *kept = in->kept;
		if (!take_in(in, &kept->message, kept->properties))
			break;
		in->kept = kept->next;
		if (!in->kept)
			in->kept_last = &in->kept;
		kept_free(kept);
	}
	if (!in->closing)
		let_go(in);
	leave(in);
}

static void close_inlet(struct inlet *inlet)
{
	struct mqtt_in *in = (struct mqtt_in *)inlet;
	enter(in);
	mqtt_client_close(in->client);
	in->closing = true;
	leave(in);
}

static bool copy_filters(struct mqtt_in *in, const struct sluice_json *node)
{
	in->filters = calloc(node->count, sizeof *in->filters);
	if (!in->filters)
		return false;
	for (const struct sluice_json *at = node->first; at; at = at->next) {
		char *filter = strndup(at->string.data, at->string.len);
		if (!filter)
			return false;
		in->filters[in->filter_count++] = filter;
	}
	return true;
}

static enum sluice_status read_definition(struct mqtt_in *in, const struct inlet_context *context,
                                          struct sluice_error *error)
{
	const struct sluice_bridge_source *definition = context->definition;
	struct mqtt_options *options = &in->options;
	enum sluice_status status = mqtt_options_read(
	        options, definition->kind, definition->settings, context->credentials, error);
	if (status)
		return status;
	if (!options->client_id) {
		/* The same each time: a session is found by it. */
		char id[SLUICE_NAME_MAX + sizeof("sluice-")];
		snprintf(id, sizeof(id), "sluice-%.*s", (int)definition->name.len,
		         definition->name.data);
		options->client_id = strdup(id);
	}
	if (!options->client_id ||
	    !copy_filters(in, sluice_setting_node(definition->settings, "filters")))
		return sluice_out_of_memory(error);
	options->session = true;
	options->hold = true;
	options->expiry_s = (uint32_t)sluice_setting_integer(definition->kind, definition->settings,
	                                                     "expiry_s");
	options->receive_maximum = RECEIVE_MAXIMUM;
	in->qos = (int)sluice_setting_integer(definition->kind, definition->settings, "qos");
	snprintf(in->mark, sizeof(in->mark), "%s@%s", options->client_id, options->title);
	return SLUICE_OK;
}

static struct inlet *open_inlet(const struct inlet_context *context, struct sluice_error *error)
{
	struct mqtt_in *in = calloc(1, sizeof *in);
	struct arrivals *arrivals = calloc(1, sizeof *arrivals);
	if (!in || !arrivals) {
		free(in);
		free(arrivals);
		sluice_out_of_memory(error);
		return NULL;
	}
	in->inlet.kind = &inlet_mqtt;
	in->source = context->source;
	in->arrivals = arrivals;
	in->kept_last = &in->kept;
	arrivals->in = in;
	const struct mqtt_events events = {
		.connected = on_connected,
		.disconnected = on_disconnected,
		.message = on_message,
		.subscribed = on_subscribed,
		.arg = in,
	};
	if (!read_definition(in, context, error))
		in->client = mqtt_client_create(context->loop, &in->options, &events, error);
	if (in->client)
		return &in->inlet;
	enter(in);
	in->closing = true;
	leave(in);
	return NULL;
}

const struct inlet_kind inlet_mqtt = {
	.name = "mqtt",
	.open = open_inlet,
	.resume = resume,
	.close = close_inlet,
};
