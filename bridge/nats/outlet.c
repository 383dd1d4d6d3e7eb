/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Publishes on a thread, as libnats's calls may wait for the network. With JetStream each message asks
 * for its acknowledgement on an inbox of ours, "<inbox>.<number>"; without, it is out when the server
 * has answered the PING that a flush sends.
 *
 *	loop: flight --job--> thread: publish --> NATS
 *	loop: delivery_done <--result-- libnats's thread: <inbox>.<number> <--+
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../crossing.h"
#include "../via.h"
#include "connect.h"
#include "kinds.h"
#include "sluice/text_template.h"
#include "words.h"

enum { TICK_MS = 500, IDLE_MS = 5000, AGAIN_MS = 1000, FLUSH_MS = 5000, FLUSH_JOBS = 1000 };

/* To the thread: a message to be published. */
struct job {
	struct crossing_item item;
	bool is_job;
	uint64_t number;
	natsMsg *message;
};

/* To the loop: how a flight ended, or (number 0) that all under way did. */
struct result {
	struct crossing_item item;
	bool is_job; /* false */
	uint64_t number;
	enum outcome outcome;
	char text[NATS_TEXT_SIZE];
};

struct flight {
	struct flight *next;
	struct delivery *delivery;
	uint64_t number;
	int64_t until_ms;
};

struct nats_out {
	struct outlet outlet;
	uv_loop_t *loop;
	uv_timer_t timer;
	struct crossing *crossing;
	struct nats_settings settings;
	struct sluice_text_template *subject; /* NULL: the topic's */
	bool own_subject;                     /* it may begin with '$' */
	char *stream;                         /* that must take it; NULL = any */
	bool jetstream, sluice_properties;
	int64_t timeout_ms;
	char inbox[64];
	/* Of the loop. */
	struct sluice_buffer text, words;
	struct flight *first, **last;
	uint64_t number;
	int left; /* of the crossing and the timer, to be gone */
	/* Of the thread. */
	struct nats_link link;
	int64_t tried_ms;
	char why[NATS_TEXT_SIZE];
};

static int64_t clock_ms(void)
{
	return (int64_t)(uv_hrtime() / 1000000);
}

/* --- any thread --- */

static void tell(struct nats_out *out, uint64_t number, enum outcome outcome, const char *text)
{
	struct result *result = calloc(1, sizeof *result);
	if (!result)
		return; /* its time runs out */
	result->number = number;
	result->outcome = outcome;
	snprintf(result->text, sizeof(result->text), "%s", text);
	crossing_tell(out->crossing, &result->item);
}

/* --- libnats's threads --- */

static void on_disconnected(natsConnection *connection, void *arg)
{
	struct nats_out *out = arg;
	char text[NATS_TEXT_SIZE];
	(void)connection;
	snprintf(text, sizeof(text), "%s: the connection was lost", out->settings.title);
	tell(out, 0, OUTCOME_RETRY, text);
}

static void on_answer(natsConnection *connection, natsSubscription *subscription, natsMsg *message,
                      void *arg)
{
	struct nats_out *out = arg;
	char text[NATS_TEXT_SIZE] = "";
	enum outcome outcome = OUTCOME_RETRY;
	const char *number = strrchr(natsMsg_GetSubject(message), '.');
	(void)connection;
	(void)subscription;
	if (natsMsg_IsNoResponders(message))
		snprintf(text, sizeof(text), "%s: no stream takes this subject",
		         out->settings.title);
	else
		outcome = nats_answer(sluice_str_of(natsMsg_GetData(message),
		                                    (size_t)natsMsg_GetDataLength(message)),
		                      text);
	if (number)
		tell(out, strtoull(number + 1, NULL, 10), outcome, text);
	natsMsg_Destroy(message);
}

/* --- the thread --- */

static void job_free(struct job *job)
{
	natsMsg_Destroy(job->message);
	free(job);
}

static void connect_now(struct nats_out *out)
{
	char subject[sizeof(out->inbox) + 2];
	snprintf(subject, sizeof(subject), "%s.*", out->inbox);
	const struct nats_callbacks callbacks = {
		.disconnected = on_disconnected,
		.message = out->jetstream ? on_answer : NULL,
		.subject = subject,
		.arg = out,
	};
	out->tried_ms = clock_ms();
	nats_link_open(&out->link, &out->settings, &callbacks, out->why, sizeof(out->why));
}

static bool is_connected(struct nats_out *out)
{
	if (nats_link_is_connected(&out->link))
		return true;
	if (out->link.connection) {
		snprintf(out->why, sizeof(out->why), "%s: not connected", out->settings.title);
		/* It may have given up: credentials that the server refuses. */
		if (natsConnection_Status(out->link.connection) != NATS_CONN_STATUS_CLOSED)
			return false;
		nats_link_close(&out->link);
	}
	if (clock_ms() - out->tried_ms >= AGAIN_MS)
		connect_now(out);
	return nats_link_is_connected(&out->link);
}

static enum outcome outcome_of(natsStatus status)
{
	switch (status) {
	case NATS_MAX_PAYLOAD:
	case NATS_INVALID_SUBJECT:
	case NATS_INVALID_ARG:
	case NATS_PROTOCOL_ERROR:
		return OUTCOME_PERMANENT;
	default:
		return OUTCOME_RETRY;
	}
}

/* False when it ended here; true: an answer, or the flush, ends it. */
static bool publish(struct nats_out *out, const struct job *job)
{
	char text[NATS_TEXT_SIZE];
	if (!is_connected(out)) {
		tell(out, job->number, OUTCOME_RETRY, out->why);
		return false;
	}
	natsStatus status = natsConnection_PublishMsg(out->link.connection, job->message);
	if (status == NATS_OK)
		return true;
	snprintf(text, sizeof(text), "%s: %s", out->settings.title, natsStatus_GetText(status));
	tell(out, job->number, outcome_of(status), text);
	return false;
}

/* Publishes a job and those that wait behind it, then waits until the server has them all. */
static void publish_and_flush(struct nats_out *out, struct job *job)
{
	uint64_t numbers[FLUSH_JOBS];
	size_t count = 0;
	char text[NATS_TEXT_SIZE];
	while (job) {
		if (publish(out, job))
			numbers[count++] = job->number;
		job_free(job);
		job = count < FLUSH_JOBS ? (struct job *)crossing_take(out->crossing) : NULL;
	}
	if (count == 0)
		return;
	natsStatus status = natsConnection_FlushTimeout(out->link.connection, FLUSH_MS);
	snprintf(text, sizeof(text), "%s: %s", out->settings.title, natsStatus_GetText(status));
	for (size_t i = 0; i < count; i++)
		tell(out, numbers[i], status == NATS_OK ? OUTCOME_DONE : OUTCOME_RETRY, text);
}

static void run(void *arg)
{
	struct nats_out *out = arg;
	connect_now(out);
	while (!crossing_stops(out->crossing)) {
		struct job *job = (struct job *)crossing_wait(out->crossing, IDLE_MS);
		if (!job) {
			is_connected(out);
		} else if (!out->jetstream) {
			publish_and_flush(out, job);
		} else {
			publish(out, job);
			job_free(job);
		}
	}
	if (out->link.connection)
		nats_link_close(&out->link);
	nats_ReleaseThreadMemory();
}

/* --- the loop --- */

static struct flight *take_flight(struct nats_out *out, uint64_t number)
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

static void land(struct flight *flight, enum outcome outcome, const char *text)
{
	struct delivery *delivery = flight->delivery;
	free(flight);
	delivery_done(delivery, outcome, DELIVERY_NO_HINT, "%s", text);
}

static void land_all(struct nats_out *out, enum outcome outcome, const char *text)
{
	struct flight *flight = out->first, *next;
	out->first = NULL;
	out->last = &out->first;
	for (; flight; flight = next) {
		next = flight->next;
		land(flight, outcome, text);
	}
}

static void on_arrived(void *arg, struct crossing_item *item)
{
	struct nats_out *out = arg;
	struct result *result = (struct result *)item;
	struct flight *flight = result->number ? take_flight(out, result->number) : NULL;
	if (flight)
		land(flight, result->outcome, result->text);
	else if (!result->number)
		land_all(out, result->outcome, result->text);
	free(result);
}

static void on_dropped(void *arg, struct crossing_item *item)
{
	struct job *job = (struct job *)item;
	(void)arg;
	if (job->is_job)
		job_free(job);
	else
		free(item);
}

static natsStatus add_headers(struct nats_out *out, const struct delivery *delivery,
                              natsMsg *message)
{
	const struct sluice_event *event = &delivery->event;
	struct sluice_buffer *words = &out->words;
	natsStatus status = NATS_OK;
	for (size_t i = 0; i < event->user_property_count && status == NATS_OK; i++) {
		const struct sluice_property *property = &event->user_properties[i];
		if (!via_carried(property->name, out->sluice_properties) ||
		    !nats_header_valid(property->name, property->value))
			continue;
		sluice_buffer_reset(words);
		sluice_buffer_append_str(words, property->name);
		sluice_buffer_append(words, "", 1);
		sluice_buffer_append_str(words, property->value);
		sluice_buffer_append(words, "", 1);
		status = words->failed ? NATS_NO_MEMORY
		                       : natsMsgHeader_Add(message, words->data,
		                                           words->data + property->name.len + 1);
	}
	return status;
}

/* Sets a header whose value is an event's or the definition's; one that can't be is left out. */
static natsStatus set_header(struct nats_out *out, natsMsg *message, const char *name,
                             struct sluice_str value)
{
	if (!value.data || !nats_header_valid(SLUICE_STR("X"), value))
		return NATS_OK;
	sluice_buffer_reset(&out->words);
	sluice_buffer_append_str(&out->words, value);
	if (out->words.failed)
		return NATS_NO_MEMORY;
	return natsMsgHeader_Set(message, name, value.len ? out->words.data : "");
}

static enum sluice_status make_subject(struct nats_out *out, const struct delivery *delivery,
                                       struct sluice_error *error)
{
	enum sluice_status status = SLUICE_OK;
	bool made;
	sluice_buffer_reset(&out->text);
	sluice_buffer_reset(&out->words);
	if (out->subject)
		status = sluice_text_template_expand(out->subject, &delivery->vars,
		                                     SLUICE_ENCODE_NONE, &out->words, error);
	if (status)
		return status;
	if (out->subject)
		made = nats_subject(sluice_buffer_str(&out->words), out->own_subject, &out->text);
	else
		made = nats_subject_of_topic(delivery->event.topic, &out->text);
	if (made)
		return SLUICE_OK;
	if (out->text.failed)
		return sluice_out_of_memory(error);
	return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
	                        "the subject is empty, or too long");
}

static natsStatus make_message(struct nats_out *out, const struct delivery *delivery,
                               uint64_t number, natsMsg **message)
{
	char reply[sizeof(out->inbox) + 24];
	struct sluice_str payload = delivery->event.payload;
	if (payload.len > INT32_MAX)
		return NATS_MAX_PAYLOAD;
	snprintf(reply, sizeof(reply), "%s.%" PRIu64, out->inbox, number);
	natsStatus status = natsMsg_Create(message, out->text.data, out->jetstream ? reply : NULL,
	                                   payload.data ? payload.data : "", (int)payload.len);
	if (status == NATS_OK)
		status = add_headers(out, delivery, *message);
	if (status == NATS_OK)
		status = set_header(out, *message, "Content-Type", delivery->event.content_type);
	if (status == NATS_OK && out->jetstream)
		status = set_header(out, *message, "Nats-Msg-Id", delivery->vars.id);
	if (status == NATS_OK && out->jetstream)
		status = set_header(out, *message, "Nats-Expected-Stream", sluice_str(out->stream));
	return status;
}

static void send_one(struct nats_out *out, struct delivery *delivery)
{
	struct sluice_error error = { 0 };
	struct flight *flight = calloc(1, sizeof *flight);
	struct job *job = calloc(1, sizeof *job);
	enum sluice_status status =
	        flight && job ? make_subject(out, delivery, &error) : sluice_out_of_memory(&error);
	if (!status) {
		natsStatus made = make_message(out, delivery, ++out->number, &job->message);
		if (made != NATS_OK)
			status = sluice_error_set(&error,
			                          made == NATS_NO_MEMORY ? SLUICE_ERR_NOMEM
			                                                 : SLUICE_ERR_INVALID,
			                          SIZE_MAX, NULL, "%s", natsStatus_GetText(made));
	}
	if (status) {
		if (job)
			job_free(job);
		free(flight);
		delivery_done(delivery,
		              status == SLUICE_ERR_NOMEM ? OUTCOME_RETRY : OUTCOME_PERMANENT,
		              DELIVERY_NO_HINT, "%s", error.message);
		return;
	}
	*flight = (struct flight){ .delivery = delivery,
		                   .number = out->number,
		                   .until_ms = (int64_t)uv_now(out->loop) + out->timeout_ms };
	*out->last = flight;
	out->last = &flight->next;
	job->is_job = true;
	job->number = out->number;
	crossing_send(out->crossing, &job->item);
}

static void send_all(struct outlet *outlet, struct delivery *const *deliveries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		send_one((struct nats_out *)outlet, deliveries[i]);
}

static void on_timer(uv_timer_t *timer)
{
	struct nats_out *out = timer->data;
	char text[NATS_TEXT_SIZE];
	snprintf(text, sizeof(text), "%s: no acknowledgement within %" PRId64 " ms",
	         out->settings.title, out->timeout_ms);
	while (out->first && (int64_t)uv_now(out->loop) >= out->first->until_ms)
		land(take_flight(out, out->first->number), OUTCOME_RETRY, text);
}

static void finish(struct nats_out *out)
{
	if (--out->left > 0)
		return;
	sluice_text_template_destroy(out->subject);
	sluice_buffer_finish(&out->text);
	sluice_buffer_finish(&out->words);
	nats_settings_finish(&out->settings);
	free(out->stream);
	free(out);
}

static void on_gone(void *arg)
{
	finish(arg);
}

static void on_timer_closed(uv_handle_t *handle)
{
	finish(handle->data);
}

static void close_outlet(struct outlet *outlet)
{
	struct nats_out *out = (struct nats_out *)outlet;
	uv_close((uv_handle_t *)&out->timer, on_timer_closed);
	crossing_close(out->crossing);
	land_all(out, OUTCOME_RETRY, "closed before it was acknowledged");
}

static enum sluice_status read_settings(struct nats_out *out, const struct outlet_context *context,
                                        struct sluice_error *error)
{
	const struct sluice_json *settings = context->settings;
	struct sluice_str subject = sluice_setting_text(settings, "subject");
	struct sluice_str stream = sluice_setting_text(settings, "stream");
	natsInbox *inbox = NULL;
	out->jetstream = sluice_setting_bool(context->kind, settings, "jetstream");
	out->sluice_properties = sluice_setting_bool(context->kind, settings, "sluice_properties");
	out->timeout_ms = context->delivery->timeout_ms;
	out->own_subject = subject.len > 0 && subject.data[0] == '$';
	if (stream.data && !(out->stream = strndup(stream.data, stream.len)))
		return sluice_out_of_memory(error);
	if (natsInbox_Create(&inbox) != NATS_OK)
		return sluice_out_of_memory(error);
	snprintf(out->inbox, sizeof(out->inbox), "%s", inbox);
	natsInbox_Destroy(inbox);
	enum sluice_status status = SLUICE_OK;
	if (subject.data)
		status = sluice_text_template_compile(subject, &out->subject, error);
	if (!status)
		status = nats_settings_read(&out->settings, settings, context->credentials, error);
	return status;
}

static struct outlet *open_outlet(const struct outlet_context *context, struct sluice_error *error)
{
	struct nats_out *out = calloc(1, sizeof *out);
	if (!out) {
		sluice_out_of_memory(error);
		return NULL;
	}
	out->outlet.kind = &outlet_nats;
	out->loop = context->loop;
	out->last = &out->first;
	out->left = 1;
	const struct crossing_events events = { run, on_arrived, on_dropped, on_gone, out };
	enum sluice_status status = read_settings(out, context, error);
	if (!status)
		status = crossing_create(context->loop, &events, &out->crossing, error);
	if (status) {
		finish(out);
		return NULL;
	}
	out->left = 2;
	uv_timer_init(context->loop, &out->timer);
	out->timer.data = out;
	uv_timer_start(&out->timer, on_timer, TICK_MS, TICK_MS);
	return &out->outlet;
}

const struct outlet_kind outlet_nats = {
	.name = "nats",
	.open = open_outlet,
	.send = send_all,
	.close = close_outlet,
};
