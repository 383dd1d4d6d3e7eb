/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Deliveries are flights until the other broker has acknowledged them:
 *
 *	send -> held (an attempt to connect is under way) -> under way (published) -> delivery_done
 *
 * When the connection goes, all of them are given back: the queue keeps them, nothing here does.
 */
#include <stdio.h>
#include <stdlib.h>

#include <mqtt_protocol.h>

#include "client.h"
#include "kinds.h"
#include "properties.h"
#include "sluice/transform.h"

enum { NO_ID = -1 }; /* it is being published */

struct flight {
	struct flight *next;
	struct delivery *delivery;
	int id; /* of the publish */
	int64_t until_ms;
};

/* In the order in which they were published, which is mostly that of their acknowledgements. */
struct flights {
	struct flight *first, **last;
};

struct mqtt_out {
	struct outlet outlet;
	uv_loop_t *loop;
	struct mqtt_options options;
	struct mqtt_client *client;
	struct sluice_topic_template *topic;
	struct sluice_buffer text;
	struct flights held, under_way;
	int64_t timeout_ms;
	int qos;
	bool retain, sluice_properties;
	unsigned within; /* calls, during which it is not freed */
	bool closing;
};

static void flights_init(struct flights *flights)
{
	flights->first = NULL;
	flights->last = &flights->first;
}

static void flights_add(struct flights *flights, struct flight *flight)
{
	flight->next = NULL;
	*flights->last = flight;
	flights->last = &flight->next;
}

static struct flight *flights_take(struct flights *flights)
{
	struct flight *flight = flights->first;
	if (!flight)
		return NULL;
	flights->first = flight->next;
	if (!flights->first)
		flights->last = &flights->first;
	return flight;
}

static struct flight *flights_find(const struct flights *flights, int id)
{
	struct flight *flight = flights->first;
	while (flight && flight->id != id)
		flight = flight->next;
	return flight;
}

static struct flight *flights_take_id(struct flights *flights, int id)
{
	for (struct flight **at = &flights->first; *at; at = &(*at)->next) {
		struct flight *flight = *at;
		if (flight->id != id)
			continue;
		*at = flight->next;
		if (!*at)
			flights->last = at;
		return flight;
	}
	return NULL;
}

static struct delivery *land(struct flight *flight)
{
	struct delivery *delivery = flight->delivery;
	free(flight);
	return delivery;
}

/* Only those that are there now: what is ended may bring others. */
static void end_all(struct flights *flights, enum outcome outcome, const char *why)
{
	struct flights all = *flights;
	if (!all.first)
		return;
	flights_init(flights);
	for (struct flight *flight = all.first, *next; flight; flight = next) {
		next = flight->next;
		delivery_done(land(flight), outcome, DELIVERY_NO_HINT, "%s", why);
	}
}

static void enter(struct mqtt_out *out)
{
	out->within++;
}

static void leave(struct mqtt_out *out)
{
	if (--out->within > 0 || !out->closing)
		return;
	mqtt_options_finish(&out->options);
	sluice_topic_template_destroy(out->topic);
	sluice_buffer_finish(&out->text);
	free(out);
}

/* Makes of an event what is published; its topic is in `text` then. */
static enum sluice_status prepare(struct mqtt_out *out, const struct delivery *delivery,
                                  mosquitto_property **properties, struct sluice_error *error)
{
	*properties = NULL;
	sluice_buffer_reset(&out->text);
	enum sluice_status status =
	        sluice_topic_template_expand(out->topic, &delivery->vars, &out->text, error);
	if (!status && out->options.protocol == MQTT_PROTOCOL_V5)
		status = mqtt_properties_write(&delivery->event, out->sluice_properties, properties,
		                               error);
	return status;
}

/* Publishes a flight that is in no list. */
static void publish(struct mqtt_out *out, struct flight *flight)
{
	struct sluice_error error = { 0 };
	mosquitto_property *properties;
	int id = 0;
	enum sluice_status status = prepare(out, flight->delivery, &properties, &error);
	if (status) {
		delivery_done(land(flight),
		              status == SLUICE_ERR_NOMEM ? OUTCOME_RETRY : OUTCOME_PERMANENT,
		              DELIVERY_NO_HINT, "%s", error.message);
		return;
	}
	/* In the list already, as it may be acknowledged, or the connection lost, within the call. */
	flight->id = NO_ID;
	flights_add(&out->under_way, flight);
	int result = mqtt_client_publish(out->client, &id, out->text.data,
	                                 flight->delivery->event.payload, out->qos, out->retain,
	                                 properties);
	mosquitto_property_free_all(&properties);
	flight = flights_find(&out->under_way, NO_ID);
	if (!flight)
		return;
	flight->id = id;
	if (result == MOSQ_ERR_SUCCESS)
		return;
	delivery_done(land(flights_take_id(&out->under_way, id)), mqtt_outcome_of_result(result),
	              DELIVERY_NO_HINT, "%s: %s", out->options.title, mosquitto_strerror(result));
}

/* --- what the client tells --- */

static void on_connected(void *arg)
{
	struct mqtt_out *out = arg;
	struct flight *flight;
	enter(out);
	while (!out->closing && mqtt_client_is_connected(out->client) &&
	       (flight = flights_take(&out->held)) != NULL)
		publish(out, flight);
	leave(out);
}

static void on_disconnected(void *arg, const char *why)
{
	struct mqtt_out *out = arg;
	enter(out);
	end_all(&out->under_way, OUTCOME_RETRY, why);
	end_all(&out->held, OUTCOME_RETRY, why);
	leave(out);
}

static void on_acknowledged(void *arg, int id, int reason)
{
	struct mqtt_out *out = arg;
	struct flight *flight = flights_take_id(&out->under_way, id);
	if (!flight)
		flight = flights_take_id(&out->under_way, NO_ID);
	if (!flight)
		return;
	enter(out);
	enum outcome outcome = mqtt_outcome(reason);
	delivery_done(land(flight), outcome, DELIVERY_NO_HINT, "%s: %s", out->options.title,
	              outcome == OUTCOME_DONE ? "" : mosquitto_reason_string(reason));
	leave(out);
}

/* A broker that does not acknowledge is left, and with it what it may still do with it. */
static void on_tick(void *arg)
{
	struct mqtt_out *out = arg;
	const struct flight *oldest = out->under_way.first;
	char why[80];
	if (!oldest || (int64_t)uv_now(out->loop) < oldest->until_ms)
		return;
	snprintf(why, sizeof(why), "no acknowledgement within %lld ms", (long long)out->timeout_ms);
	mqtt_client_drop(out->client, why, 0);
}

/* --- the kind --- */

static void send_one(struct mqtt_out *out, struct delivery *delivery)
{
	struct flight *flight = calloc(1, sizeof *flight);
	if (!flight) {
		delivery_done(delivery, OUTCOME_RETRY, DELIVERY_NO_HINT, "out of memory");
		return;
	}
	flight->delivery = delivery;
	flight->until_ms = (int64_t)uv_now(out->loop) + out->timeout_ms;
	/* What is held goes first. */
	if (mqtt_client_is_connected(out->client) && !out->held.first) {
		publish(out, flight);
		return;
	}
	mqtt_client_try_now(out->client);
	if (mqtt_client_is_connecting(out->client) || mqtt_client_is_connected(out->client)) {
		flights_add(&out->held, flight);
		return;
	}
	delivery_done(land(flight), OUTCOME_RETRY, DELIVERY_NO_HINT, "%s",
	              mqtt_client_why(out->client));
}

static void send_all(struct outlet *outlet, struct delivery *const *deliveries, size_t count)
{
	struct mqtt_out *out = (struct mqtt_out *)outlet;
	enter(out);
	for (size_t i = 0; i < count; i++) {
		if (out->closing)
			delivery_done(deliveries[i], OUTCOME_LET_GO, DELIVERY_NO_HINT, "closed");
		else
			send_one(out, deliveries[i]);
	}
	leave(out);
}

static void close_outlet(struct outlet *outlet)
{
	struct mqtt_out *out = (struct mqtt_out *)outlet;
	enter(out);
	mqtt_client_close(out->client);
	out->closing = true;
	end_all(&out->held, OUTCOME_LET_GO, "closed");
	end_all(&out->under_way, OUTCOME_RETRY, "closed before it was acknowledged");
	leave(out);
}

static struct outlet *open_outlet(const struct outlet_context *context, struct sluice_error *error)
{
	struct mqtt_out *out = calloc(1, sizeof *out);
	if (!out) {
		sluice_out_of_memory(error);
		return NULL;
	}
	const struct sluice_json *settings = context->settings;
	out->outlet.kind = &outlet_mqtt;
	out->loop = context->loop;
	out->timeout_ms = context->delivery->timeout_ms;
	out->qos = (int)sluice_setting_integer(context->kind, settings, "qos");
	out->retain = sluice_setting_bool(context->kind, settings, "retain");
	out->sluice_properties = sluice_setting_bool(context->kind, settings, "sluice_properties");
	flights_init(&out->held);
	flights_init(&out->under_way);

	struct sluice_str topic = sluice_setting_text(settings, "topic");
	enum sluice_status status = sluice_topic_template_compile(
	        topic.data ? topic : SLUICE_STR("{topic}"), &out->topic, error);
	if (!status)
		status = mqtt_options_read(&out->options, context->kind, settings,
		                           context->credentials, error);
	const struct mqtt_events events = {
		.connected = on_connected,
		.disconnected = on_disconnected,
		.acknowledged = on_acknowledged,
		.tick = on_tick,
		.arg = out,
	};
	if (!status)
		out->client = mqtt_client_create(context->loop, &out->options, &events, error);
	if (out->client)
		return &out->outlet;
	enter(out);
	out->closing = true;
	leave(out);
	return NULL;
}

const struct outlet_kind outlet_mqtt = {
	.name = "mqtt",
	.open = open_outlet,
	.send = send_all,
	.close = close_outlet,
};
