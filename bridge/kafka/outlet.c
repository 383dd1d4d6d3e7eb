/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * An idempotent producer: librdkafka keeps the order within a partition, and tries again until
 * timeout_ms are over. A delivery ends with the report of its message. A producer that failed for good
 * is thrown away, and a new one made.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../via.h"
#include "config.h"
#include "kinds.h"
#include "sluice/text_template.h"
#include "watch.h"

enum { WHY_SIZE = 320, REPORT_SIZE = 512 };

struct flight {
	struct flight *next;
	struct delivery *delivery;
	uintptr_t number; /* what the report names it by */
};

struct kafka_out {
	struct outlet outlet;
	uv_loop_t *loop;
	const struct credentials *credentials;
	const struct sluice_json *settings;
	const struct sluice_bridge_kind *kind;
	rd_kafka_t *rk; /* NULL: the last one failed, and none could be made */
	struct kafka_watch *watch;
	struct sluice_text_template *topic, *key; /* key: NULL = none */
	struct sluice_buffer text, name, key_text;
	struct flight *first, **last;
	uintptr_t number;
	int64_t timeout_ms;
	bool sluice_properties;
	unsigned within; /* calls, during which it is not freed */
	bool closing, polling;
	char title[128];
	char why[WHY_SIZE]; /* that nothing could be sent */
};

static void enter(struct kafka_out *out)
{
	out->within++;
}

static void leave(struct kafka_out *out)
{
	if (--out->within > 0 || !out->closing)
		return;
	sluice_text_template_destroy(out->topic);
	sluice_text_template_destroy(out->key);
	sluice_buffer_finish(&out->text);
	sluice_buffer_finish(&out->name);
	sluice_buffer_finish(&out->key_text);
	free(out);
}

static void land(struct flight *flight, enum outcome outcome, const char *text)
{
	struct delivery *delivery = flight->delivery;
	free(flight);
	delivery_done(delivery, outcome, DELIVERY_NO_HINT, "%s", text);
}

static struct flight *take_flight(struct kafka_out *out, uintptr_t number)
{
	for (struct flight **at = &out->first; *at; at = &(*at)->next) {
		struct flight *flight = *at;
		if (flight->number != number)
			continue;
		*at = flight->next;
		if (!*at)
			out->last = at;
		return flight;
	}
	return NULL;
}

static void land_all(struct kafka_out *out, enum outcome outcome, const char *text)
{
	struct flight *flight = out->first, *next;
	out->first = NULL;
	out->last = &out->first;
	for (; flight; flight = next) {
		next = flight->next;
		land(flight, outcome, text);
	}
}

/* --- the producer --- */

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *arg)
{
	struct kafka_out *out = arg;
	char text[REPORT_SIZE];
	/* One of a producer that was thrown away was ended then. */
	if (rk != out->rk)
		return;
	struct flight *flight = take_flight(out, (uintptr_t)message->_private);
	if (!flight)
		return;
	if (!message->err)
		out->why[0] = '\0';
	snprintf(text, sizeof(text), "%s%s%s: %s", out->title, out->why[0] ? ": " : "", out->why,
	         rd_kafka_err2str(message->err));
	land(flight, kafka_outcome(message->err), text);
}

/* That no broker is there is known long before a message's time is over. */
static void on_error(rd_kafka_t *rk, int error, const char *reason, void *arg)
{
	struct kafka_out *out = arg;
	(void)rk;
	(void)reason;
	if (error != RD_KAFKA_RESP_ERR__FATAL)
		snprintf(out->why, sizeof(out->why), "%s",
		         rd_kafka_err2str((rd_kafka_resp_err_t)error));
}

static enum sluice_status configure(struct kafka_out *out, rd_kafka_conf_t **conf,
                                    struct sluice_error *error)
{
	static const char *const acks[] = { "all", "1", "0" };
	static const char *const compressions[] = { "none", "gzip", "snappy", "lz4", "zstd" };
	int ack = sluice_setting_choice(out->kind, out->settings, "acks");
	int compression = sluice_setting_choice(out->kind, out->settings, "compression");
	char timeout[24];
	snprintf(timeout, sizeof(timeout), "%" PRId64, out->timeout_ms);
	enum sluice_status status = kafka_config(out->settings, out->credentials, conf, error);
	if (status)
		return status;
	status = kafka_config_set(*conf, "acks", acks[ack], error);
	/* It wants the word of all that keep it. */
	if (!status && ack == 0)
		status = kafka_config_set(*conf, "enable.idempotence", "true", error);
	if (!status)
		status = kafka_config_set(*conf, "compression.type", compressions[compression],
		                          error);
	if (!status)
		status = kafka_config_set(*conf, "message.timeout.ms", timeout, error);
	if (status) {
		rd_kafka_conf_destroy(*conf);
		*conf = NULL;
		return status;
	}
	rd_kafka_conf_set_dr_msg_cb(*conf, on_report);
	rd_kafka_conf_set_error_cb(*conf, on_error);
	rd_kafka_conf_set_opaque(*conf, out);
	return SLUICE_OK;
}

static void on_poll(void *arg);

static enum sluice_status make_producer(struct kafka_out *out, struct sluice_error *error)
{
	rd_kafka_conf_t *conf;
	char why[256];
	enum sluice_status status = configure(out, &conf, error);
	if (status)
		return status;
	out->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (!out->rk) {
		rd_kafka_conf_destroy(conf);
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.settings", "%s",
		                        why);
	}
	out->watch = kafka_watch_begin(out->loop, out->rk, rd_kafka_queue_get_main(out->rk),
	                               on_poll, out);
	if (out->watch)
		return SLUICE_OK;
	rd_kafka_destroy(out->rk);
	out->rk = NULL;
	return sluice_out_of_memory(error);
}

static void throw_away(struct kafka_out *out)
{
	if (out->rk)
		kafka_watch_end(out->watch, false, NULL, NULL);
	out->rk = NULL;
	out->watch = NULL;
}

/* A fatal error is the producer's end. */
static void renew(struct kafka_out *out)
{
	struct sluice_error error = { 0 };
	char text[REPORT_SIZE], reason[WHY_SIZE];
	rd_kafka_fatal_error(out->rk, reason, sizeof(reason));
	snprintf(text, sizeof(text), "%s: the producer failed: %s", out->title, reason);
	throw_away(out);
	if (make_producer(out, &error) != SLUICE_OK)
		snprintf(out->why, sizeof(out->why), "%s", error.message);
	land_all(out, OUTCOME_RETRY, text);
}

static void on_poll(void *arg)
{
	struct kafka_out *out = arg;
	char reason[8];
	/* A report may bring a delivery, and that a full queue, which is polled: not within itself. */
	if (out->polling)
		return;
	enter(out);
	out->polling = true;
	while (!out->closing && out->rk && rd_kafka_poll(out->rk, 0) > 0)
		;
	out->polling = false;
	if (!out->closing && out->rk && rd_kafka_fatal_error(out->rk, reason, sizeof(reason)))
		renew(out);
	leave(out);
}

/* --- sending --- */

static rd_kafka_headers_t *make_headers(const struct kafka_out *out,
                                        const struct sluice_event *event)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(event->user_property_count + 1);
	if (!headers)
		return NULL;
	for (size_t i = 0; i < event->user_property_count; i++) {
		const struct sluice_property *property = &event->user_properties[i];
		if (via_carried(property->name, out->sluice_properties))
			rd_kafka_header_add(headers, property->name.data,
			                    (ssize_t)property->name.len, property->value.data,
			                    (ssize_t)property->value.len);
	}
	if (event->content_type.data)
		rd_kafka_header_add(headers, "content-type", -1, event->content_type.data,
		                    (ssize_t)event->content_type.len);
	return headers;
}

/* Its topic is in `name` then, its key in `key_text`. */
static enum sluice_status prepare(struct kafka_out *out, const struct delivery *delivery,
                                  struct sluice_error *error)
{
	sluice_buffer_reset(&out->text);
	sluice_buffer_reset(&out->name);
	sluice_buffer_reset(&out->key_text);
	enum sluice_status status = sluice_text_template_expand(
	        out->topic, &delivery->vars, SLUICE_ENCODE_NONE, &out->text, error);
	if (!status && !kafka_topic(sluice_buffer_str(&out->text), &out->name))
		status = out->name.failed ? sluice_out_of_memory(error)
		                          : sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX,
		                                             NULL, "no name of a topic");
	if (!status && out->key)
		status = sluice_text_template_expand(out->key, &delivery->vars, SLUICE_ENCODE_NONE,
		                                     &out->key_text, error);
	return status;
}

static rd_kafka_resp_err_t produce(struct kafka_out *out, const struct delivery *delivery,
                                   uintptr_t number)
{
	const struct sluice_event *event = &delivery->event;
	rd_kafka_headers_t *headers = make_headers(out, event);
	if (!headers)
		return RD_KAFKA_RESP_ERR__QUEUE_FULL;
	/* Without a key, the partitions take turns. */
	void *key = out->key_text.len > 0 ? out->key_text.data : NULL;
	const rd_kafka_vu_t parts[] = {
		{ .vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = out->name.data },
		{ .vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY },
		{ .vtype = RD_KAFKA_VTYPE_VALUE,
		  .u.mem = { (void *)(event->payload.data ? event->payload.data : ""),
		             event->payload.len } },
		{ .vtype = RD_KAFKA_VTYPE_KEY, .u.mem = { key, out->key_text.len } },
		{ .vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers },
		{ .vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)number },
	};
	rd_kafka_error_t *failed =
	        rd_kafka_produceva(out->rk, parts, sizeof(parts) / sizeof(parts[0]));
	if (!failed)
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	rd_kafka_resp_err_t error = rd_kafka_error_code(failed);
	rd_kafka_error_destroy(failed);
	rd_kafka_headers_destroy(headers);
	return error;
}

static void send_one(struct kafka_out *out, struct delivery *delivery)
{
	struct sluice_error error = { 0 };
	enum sluice_status status = prepare(out, delivery, &error);
	if (!status && !out->rk)
		status = make_producer(out, &error);
	struct flight *flight = status ? NULL : calloc(1, sizeof *flight);
	if (!status && !flight)
		status = sluice_out_of_memory(&error);
	if (status) {
		delivery_done(delivery,
		              status == SLUICE_ERR_NOMEM || !out->rk ? OUTCOME_RETRY
		                                                     : OUTCOME_PERMANENT,
		              DELIVERY_NO_HINT, "%s", error.message);
		return;
	}
	flight->delivery = delivery;
	flight->number = ++out->number;
	*out->last = flight;
	out->last = &flight->next;
	rd_kafka_resp_err_t failed = produce(out, delivery, flight->number);
	if (!failed)
		return;
	char text[REPORT_SIZE];
	snprintf(text, sizeof(text), "%s: %s", out->title, rd_kafka_err2str(failed));
	land(take_flight(out, flight->number), kafka_outcome(failed), text);
}

static void send_all(struct outlet *outlet, struct delivery *const *deliveries, size_t count)
{
	struct kafka_out *out = (struct kafka_out *)outlet;
	enter(out);
	for (size_t i = 0; i < count; i++) {
		if (out->closing)
			delivery_done(deliveries[i], OUTCOME_LET_GO, DELIVERY_NO_HINT, "closed");
		else
			send_one(out, deliveries[i]);
	}
	leave(out);
}

/* --- the kind --- */

static void on_ended(void *arg)
{
	leave(arg);
}

static void close_outlet(struct outlet *outlet)
{
	struct kafka_out *out = (struct kafka_out *)outlet;
	enter(out);
	out->closing = true;
	if (out->rk) {
		/* The last one's callbacks know of it until it is destroyed. */
		enter(out);
		kafka_watch_end(out->watch, false, on_ended, out);
		out->rk = NULL;
	}
	land_all(out, OUTCOME_RETRY, "closed before it was acknowledged");
	leave(out);
}

static struct outlet *open_outlet(const struct outlet_context *context, struct sluice_error *error)
{
	struct kafka_out *out = calloc(1, sizeof *out);
	if (!out) {
		sluice_out_of_memory(error);
		return NULL;
	}
	struct sluice_str key = sluice_setting_text(context->settings, "key");
	out->outlet.kind = &outlet_kafka;
	out->loop = context->loop;
	out->credentials = context->credentials;
	out->settings = context->settings;
	out->kind = context->kind;
	out->timeout_ms = context->delivery->timeout_ms;
	out->last = &out->first;
	out->sluice_properties =
	        sluice_setting_bool(context->kind, context->settings, "sluice_properties");
	kafka_title(context->settings, out->title, sizeof(out->title));
	enum sluice_status status = sluice_text_template_compile(
	        sluice_setting_text(context->settings, "topic"), &out->topic, error);
	if (!status && key.data)
		status = sluice_text_template_compile(key, &out->key, error);
	if (!status)
		status = make_producer(out, error);
	if (!status)
		return &out->outlet;
	enter(out);
	out->closing = true;
	leave(out);
	return NULL;
}

const struct outlet_kind outlet_kafka = {
	.name = "kafka",
	.open = open_outlet,
	.send = send_all,
	.close = close_outlet,
};
