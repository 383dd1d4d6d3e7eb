/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A durable consumer of JetStream's, pulled from:
 *
 *	loop --ASK n--> thread --> NATS --message--> libnats's thread --> loop: source_publish
 *	loop: PUBACK --ACK--> thread --> NATS
 *
 * What is not acknowledged NATS gives out again. While our broker is away nothing more is asked for,
 * and those that are here are kept alive by PROGRESS.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "../crossing.h"
#include "../headers.h"
#include "../log.h"
#include "../via.h"
#include "connect.h"
#include "consumer.h"
#include "kinds.h"
#include "words.h"

enum {
	TICK_MS = 1000,
	WAIT_MS = 500,      /* of the thread, for something to do */
	AGAIN_MS = 2000,    /* after a failure to connect, or to find the consumer */
	EXPIRES_MS = 20000, /* of what is asked for */
	LATE_MS = 3000,
	PROGRESS_MS = 10000, /* well within the consumer's 30 s */
	REFUSED_MS = 5000,
};

enum kind {
	ORDER,   /* to the thread: words to be published */
	MESSAGE, /* to the loop */
	ENDED,   /* what was asked for has ended */
	READY,   /* connected, with a consumer */
	LOST,    /* not any more, or not yet: why */
};

struct crossing_kind {
	struct crossing_item item;
	enum kind kind;
};

/* To the thread. */
struct order {
	struct crossing_kind head;
	bool asks; /* the consumer; else it answers to `subject` */
	char words[96];
	char subject[];
};

/* To the loop. */
struct told {
	struct crossing_kind head;
	char why[NATS_TEXT_SIZE];
};

struct arrival {
	struct crossing_kind head;
	struct arrival *next, *previous; /* of those that are not acknowledged */
	struct nats_in *in;
	natsMsg *message;
	bool taken; /* by the source, which will tell */
};

struct nats_in {
	struct inlet inlet;
	uv_loop_t *loop;
	uv_timer_t timer;
	struct source *source;
	struct crossing *crossing;
	struct nats_settings settings;
	char *subject, *durable;
	char inbox[64];
	char mark[400];
	/* Of the loop. */
	struct arrival *arrivals, *last; /* in the order in which they came */
	size_t count;
	int64_t asked, asked_ms, progress_ms;
	bool ready, full, said_loop, closing;
	struct sluice_buffer topic;
	int left; /* of the crossing and the timer, to be gone */
	/* Of the thread. */
	struct nats_link link;
	struct nats_consumer consumer;
	bool consuming;
	int64_t tried_ms;
};

static int64_t clock_ms(void)
{
	return (int64_t)(uv_hrtime() / 1000000);
}

/* --- any thread --- */

static void tell(struct nats_in *in, enum kind kind, const char *why)
{
	struct told *told = calloc(1, sizeof *told);
	if (!told)
		return;
	told->head.kind = kind;
	snprintf(told->why, sizeof(told->why), "%s", why);
	crossing_tell(in->crossing, &told->head.item);
}

static void on_message(natsConnection *connection, natsSubscription *subscription, natsMsg *message,
                       void *arg)
{
	struct nats_in *in = arg;
	const char *reply = natsMsg_GetReply(message);
	(void)connection;
	(void)subscription;
	/* Without one it is a word about what was asked for: that it expired, that nobody is there. */
	if (!reply || !reply[0]) {
		const char *status = NULL;
		natsMsgHeader_Get(message, "Status", &status);
		bool expired = status && strcmp(status, "408") == 0;
		bool nobody = natsMsg_IsNoResponders(message);
		natsMsg_Destroy(message);
		tell(in, nobody ? LOST : ENDED,
		     nobody    ? "the consumer is gone"
		     : expired ? ""
		               : "the consumer gives nothing");
		return;
	}
	struct arrival *arrival = calloc(1, sizeof *arrival);
	if (!arrival) {
		natsMsg_Destroy(message); /* it comes again */
		return;
	}
	arrival->head.kind = MESSAGE;
	arrival->in = in;
	arrival->message = message;
	crossing_tell(in->crossing, &arrival->head.item);
}

static void on_disconnected(natsConnection *connection, void *arg)
{
	(void)connection;
	tell(arg, LOST, "the connection was lost");
}

/* --- the thread --- */

/* Connects, finds the consumer; what fails is tried again a little later. */
static void prepare(struct nats_in *in)
{
	char why[NATS_TEXT_SIZE] = "";
	if (clock_ms() - in->tried_ms < AGAIN_MS)
		return;
	in->tried_ms = clock_ms();
	if (in->link.connection &&
	    natsConnection_Status(in->link.connection) == NATS_CONN_STATUS_CLOSED)
		nats_link_close(&in->link);
	const struct nats_callbacks callbacks = {
		.disconnected = on_disconnected,
		.message = on_message,
		.subject = in->inbox,
		.arg = in,
	};
	if (!in->link.connection &&
	    !nats_link_open(&in->link, &in->settings, &callbacks, why, sizeof(why))) {
		tell(in, LOST, why);
		return;
	}
	if (!nats_link_is_connected(&in->link))
		return; /* it was told, and connects by itself */
	if (nats_consumer_ensure(&in->consumer, in->link.connection, why, sizeof(why))) {
		in->consuming = true;
		tell(in, READY, "");
	} else {
		tell(in, LOST, why);
	}
}

static void carry_out(struct nats_in *in, const struct order *order)
{
	char subject[512];
	if (!nats_link_is_connected(&in->link))
		return; /* what is not acknowledged comes again */
	if (!order->asks) {
		natsConnection_PublishString(in->link.connection, order->subject, order->words);
		return;
	}
	snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.MSG.NEXT.%s.%s", in->consumer.stream,
	         in->consumer.durable);
	natsConnection_PublishRequestString(in->link.connection, subject, in->inbox, order->words);
}

static void run(void *arg)
{
	struct nats_in *in = arg;
	in->tried_ms = clock_ms() - AGAIN_MS;
	while (!crossing_stops(in->crossing)) {
		if (!in->consuming || !nats_link_is_connected(&in->link)) {
			in->consuming = false;
			prepare(in);
		}
		struct order *order = (struct order *)crossing_wait(in->crossing, WAIT_MS);
		if (!order)
			continue;
		/* Without words it says that the consumer is to be looked for. */
		if (order->words[0])
			carry_out(in, order);
		else
			in->consuming = false;
		free(order);
	}
	if (in->link.connection) {
		/* What was acknowledged is to be heard of. */
		if (nats_link_is_connected(&in->link))
			natsConnection_FlushTimeout(in->link.connection, WAIT_MS);
		nats_link_close(&in->link);
	}
	nats_ReleaseThreadMemory();
}

/* --- the loop: what the thread is told --- */

static void order(struct nats_in *in, bool asks, const char *subject, const char *words)
{
	size_t len = subject ? strlen(subject) + 1 : 1;
	struct order *made = calloc(1, sizeof *made + len);
	if (!made)
		return; /* it comes again, and is asked for again */
	made->head.kind = ORDER;
	made->asks = asks;
	snprintf(made->words, sizeof(made->words), "%s", words);
	memcpy(made->subject, subject ? subject : "", len);
	crossing_send(in->crossing, &made->head.item);
}

static void ask(struct nats_in *in)
{
	char words[96];
	if (!in->ready || in->full || in->asked > 0 || in->count > NATS_WINDOW / 2)
		return;
	in->asked = (int64_t)(NATS_WINDOW - in->count);
	in->asked_ms = (int64_t)uv_now(in->loop);
	snprintf(words, sizeof(words), "{\"batch\":%" PRId64 ",\"expires\":%" PRId64 "}", in->asked,
	         (int64_t)EXPIRES_MS * 1000000);
	order(in, true, NULL, words);
}

static void answer(struct nats_in *in, const struct arrival *arrival, const char *words)
{
	order(in, false, natsMsg_GetReply(arrival->message), words);
}

static void arrival_free(struct arrival *arrival)
{
	natsMsg_Destroy(arrival->message);
	free(arrival);
}

static void settle(struct nats_in *in, struct arrival *arrival, const char *words)
{
	answer(in, arrival, words);
	if (arrival->previous)
		arrival->previous->next = arrival->next;
	else
		in->arrivals = arrival->next;
	if (arrival->next)
		arrival->next->previous = arrival->previous;
	else
		in->last = arrival->previous;
	in->count--;
	arrival_free(arrival);
}

/* --- the loop: taking in --- */

static void on_published(void *arg, enum published how, const char *reason)
{
	struct arrival *arrival = arg;
	struct nats_in *in = arrival->in;
	char words[64];
	snprintf(words, sizeof(words), "-NAK {\"delay\":%" PRId64 "}",
	         (int64_t)REFUSED_MS * 1000000);
	source_trouble(in->source, how == PUBLISHED ? NULL : reason);
	/* What can never be published would come for ever. */
	settle(in, arrival, how == PUBLISHED ? "+ACK" : how == PUBLISH_REFUSED ? words : "+TERM");
	ask(in);
}

static void read_headers(natsMsg *message, struct headers *headers, struct sluice_event *event)
{
	const char **names = NULL;
	int name_count = 0;
	if (natsMsgHeader_Keys(message, &names, &name_count) != NATS_OK)
		return;
	for (int i = 0; i < name_count; i++) {
		const char **values = NULL;
		int value_count = 0;
		/* Of the server's own only the one by which an event may be told from another. */
		if (strncasecmp(names[i], "Nats-", 5) == 0 &&
		    strcasecmp(names[i], "Nats-Msg-Id") != 0)
			continue;
		if (natsMsgHeader_Values(message, names[i], &values, &value_count) != NATS_OK)
			continue;
		for (int j = 0; j < value_count; j++) {
			struct sluice_str value = sluice_str(values[j]);
			if (strcasecmp(names[i], "Content-Type") == 0 && header_text_valid(value))
				event->content_type = value;
			else
				headers_add(headers, sluice_str(names[i]), value);
		}
		free((void *)values);
	}
	free((void *)names);
}

/* False when there is no room. */
static bool take_in(struct nats_in *in, struct arrival *arrival)
{
	struct sluice_event event = SLUICE_EVENT_INIT;
	struct headers headers = { 0 };
	natsMsg *message = arrival->message;
	sluice_buffer_reset(&in->topic);
	if (!nats_topic(sluice_str(natsMsg_GetSubject(message)), &in->topic))
		return false;
	event.topic = sluice_buffer_str(&in->topic);
	const char *data = natsMsg_GetData(message);
	event.payload = sluice_str_of(data ? data : "", (size_t)natsMsg_GetDataLength(message));
	read_headers(message, &headers, &event);
	event.user_properties = headers.list;
	event.user_property_count = headers.count;
	if (via_has(&event, sluice_str(in->mark))) {
		if (!in->said_loop)
			log_line(LOG_WARNING,
			         "source at %s: an event comes round, and is let go: %s",
			         in->settings.title, natsMsg_GetSubject(message));
		in->said_loop = true;
		headers_finish(&headers);
		settle(in, arrival, "+ACK");
		return true;
	}
	headers_add(&headers, SLUICE_STR(VIA_NAME), sluice_str(in->mark));
	event.user_properties = headers.list;
	event.user_property_count = headers.count;
	arrival->taken = true;
	bool taken = !headers.failed && source_publish(in->source, &event, on_published, arrival);
	if (!taken)
		arrival->taken = false;
	headers_finish(&headers);
	return taken;
}

/* Those for which there was no room, in their order. */
static void take_in_waiting(struct nats_in *in)
{
	struct arrival *at = in->arrivals, *next;
	in->full = false;
	for (; at && !in->full; at = next) {
		next = at->next;
		if (!at->taken)
			in->full = !take_in(in, at);
	}
	ask(in);
}

static void on_arrival(struct nats_in *in, struct arrival *arrival)
{
	if (in->asked > 0)
		in->asked--;
	arrival->previous = in->last;
	if (in->last)
		in->last->next = arrival;
	else
		in->arrivals = arrival;
	in->last = arrival;
	in->count++;
	if (!in->full)
		in->full = !take_in(in, arrival);
	ask(in);
}

static void on_arrived(void *arg, struct crossing_item *item)
{
	struct nats_in *in = arg;
	struct told *told = (struct told *)item;
	char text[NATS_TEXT_SIZE + 200];
	if (told->head.kind == MESSAGE) {
		on_arrival(in, (struct arrival *)item);
		return;
	}
	if (told->head.kind == READY) {
		in->ready = true;
		in->asked = 0;
		source_trouble(in->source, NULL);
		ask(in);
	} else if (told->why[0]) {
		snprintf(text, sizeof(text), "%s: %s", in->settings.title, told->why);
		source_trouble(in->source, text);
		/* Asked again by the clock, or when it is ready. */
		if (told->head.kind == LOST && in->ready)
			order(in, false, NULL, "");
		in->ready = in->ready && told->head.kind != LOST;
		in->asked = 0;
	} else {
		in->asked = 0;
		ask(in);
	}
	free(told);
}

static void on_dropped(void *arg, struct crossing_item *item)
{
	(void)arg;
	if (((struct crossing_kind *)item)->kind == MESSAGE)
		arrival_free((struct arrival *)item);
	else
		free(item);
}

static void on_timer(uv_timer_t *timer)
{
	struct nats_in *in = timer->data;
	int64_t now = (int64_t)uv_now(in->loop);
	if (in->asked > 0 && now - in->asked_ms > EXPIRES_MS + LATE_MS)
		in->asked = 0;
	if (now - in->progress_ms >= PROGRESS_MS) {
		in->progress_ms = now;
		for (const struct arrival *at = in->arrivals; at; at = at->next)
			answer(in, at, "+WPI");
	}
	ask(in);
}

/* --- the kind --- */

static void resume(struct inlet *inlet)
{
	take_in_waiting((struct nats_in *)inlet);
}

static void finish(struct nats_in *in)
{
	if (--in->left > 0)
		return;
	for (struct arrival *at = in->arrivals, *next; at; at = next) {
		next = at->next;
		arrival_free(at);
	}
	nats_settings_finish(&in->settings);
	sluice_buffer_finish(&in->topic);
	free(in->consumer.stream);
	free(in->subject);
	free(in->durable);
	free(in);
}

static void on_gone(void *arg)
{
	finish(arg);
}

static void on_timer_closed(uv_handle_t *handle)
{
	finish(handle->data);
}

static void close_inlet(struct inlet *inlet)
{
	struct nats_in *in = (struct nats_in *)inlet;
	uv_close((uv_handle_t *)&in->timer, on_timer_closed);
	crossing_close(in->crossing);
}

/* A name of the consumer: what can't stand in one becomes '_'. */
static char *make_durable(const struct sluice_bridge_source *definition)
{
	struct sluice_str said = sluice_setting_text(definition->settings, "durable");
	char name[sizeof("sluice-") + SLUICE_NAME_MAX];
	if (said.data)
		return strndup(said.data, said.len);
	snprintf(name, sizeof(name), "sluice-%.*s", (int)definition->name.len,
	         definition->name.data);
	for (char *at = name; *at; at++) {
		if (*at == '.')
			*at = '_';
	}
	return strdup(name);
}

static enum sluice_status read_definition(struct nats_in *in, const struct inlet_context *context,
                                          struct sluice_error *error)
{
	const struct sluice_bridge_source *definition = context->definition;
	const struct sluice_json *settings = definition->settings;
	struct sluice_str subject = sluice_setting_text(settings, "subject");
	struct sluice_str stream = sluice_setting_text(settings, "stream");
	natsInbox *inbox = NULL;
	in->subject = strndup(subject.data, subject.len);
	in->durable = make_durable(definition);
	if (stream.data)
		in->consumer.stream = strndup(stream.data, stream.len);
	if (!in->subject || !in->durable || (stream.data && !in->consumer.stream) ||
	    natsInbox_Create(&inbox) != NATS_OK)
		return sluice_out_of_memory(error);
	snprintf(in->inbox, sizeof(in->inbox), "%s", inbox);
	natsInbox_Destroy(inbox);
	in->consumer.subject = in->subject;
	in->consumer.durable = in->durable;
	enum sluice_status status =
	        nats_settings_read(&in->settings, settings, context->credentials, error);
	snprintf(in->mark, sizeof(in->mark), "%s@%s", in->durable, in->settings.title);
	return status;
}

static struct inlet *open_inlet(const struct inlet_context *context, struct sluice_error *error)
{
	struct nats_in *in = calloc(1, sizeof *in);
	if (!in) {
		sluice_out_of_memory(error);
		return NULL;
	}
	in->inlet.kind = &inlet_nats;
	in->loop = context->loop;
	in->source = context->source;
	in->left = 1;
	const struct crossing_events events = { run, on_arrived, on_dropped, on_gone, in };
	enum sluice_status status = read_definition(in, context, error);
	if (!status)
		status = crossing_create(context->loop, &events, &in->crossing, error);
	if (status) {
		finish(in);
		return NULL;
	}
	in->left = 2;
	uv_timer_init(context->loop, &in->timer);
	in->timer.data = in;
	uv_timer_start(&in->timer, on_timer, TICK_MS, TICK_MS);
	return &in->inlet;
}

const struct inlet_kind inlet_nats = {
	.name = "nats",
	.open = open_inlet,
	.resume = resume,
	.close = close_inlet,
};
