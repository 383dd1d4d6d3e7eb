/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <mqtt_protocol.h>

#include "log.h"

enum {
	RECONNECT_MAX_S = 10,
	RETRY_MS = 1000,
	LONG_MS = 3000,
	CLOSE_STEP_MS = 20,
	MESSAGE_IDS = 65536
};

enum event_kind { CONNECTED, DISCONNECTED, ACKNOWLEDGED, MESSAGE };

/* What libmosquitto's thread hears. */
struct event {
	struct event *next;
	enum event_kind kind;
	int number; /* CONNECTED, DISCONNECTED, ACKNOWLEDGED: the reason; MESSAGE: qos */
	int id;     /* ACKNOWLEDGED: whose */
	bool retain;
	mosquitto_property *properties;
	size_t topic_len, payload_len;
	char bytes[]; /* the topic, a NUL, the payload */
};

struct waiting {
	link_done_fn done;
	void *arg;
	bool there;
};

struct link {
	const struct broker_options *options;
	struct link_events events;
	struct mosquitto *mosq;
	uv_loop_t *loop;
	uv_async_t async;
	uv_timer_t timer; /* the first connection; closing */
	uv_mutex_t lock;
	struct event *first, **last; /* under the lock */
	struct waiting *waiting;     /* by message id: MESSAGE_IDS */
	size_t pending;
	bool running; /* libmosquitto's thread */
	bool connected;
	bool said_lost; /* a failure to connect was logged */
	bool closing;
	int64_t close_by_ms;
	void (*closed)(void *arg);
	void *closed_arg;
	int handles;
};

/* --- libmosquitto's thread --- */

/*
 * Acknowledges at once what the broker's kernel has sent. It may hold back a message until then (Nagle,
 * unless `set_tcp_nodelay` is on), and this one would wait 40 ms for something to send along: a target
 * with a credit of 1 would get 23 events a second. The kernel falls back by itself, so it is said again.
 */
static void acknowledge_segment(struct mosquitto *mosq)
{
	const int on = 1;
	/* On a unix socket it fails, and there is nothing to do. */
	(void)setsockopt(mosquitto_socket(mosq), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

static struct event *event_create(enum event_kind kind, size_t bytes)
{
	struct event *event = malloc(sizeof *event + bytes);
	if (event) {
		memset(event, 0, sizeof *event);
		event->kind = kind;
	}
	return event;
}

static void hand_over(struct link *link, struct event *event)
{
	if (!event) {
		/* A message that is not taken comes again with its lease; the others are told by what
		 * follows them. */
		log_line(LOG_ERROR, "out of memory: something of the broker's is not heard");
		return;
	}
	uv_mutex_lock(&link->lock);
	*link->last = event;
	link->last = &event->next;
	uv_mutex_unlock(&link->lock);
	uv_async_send(&link->async);
}

static void hand_over_number(struct link *link, enum event_kind kind, int id, int number)
{
	struct event *event = event_create(kind, 0);
	if (event) {
		event->id = id;
		event->number = number;
	}
	hand_over(link, event);
}

static void on_connect(struct mosquitto *mosq, void *arg, int reason, int flags,
                       const mosquitto_property *properties)
{
	(void)mosq;
	(void)flags;
	(void)properties;
	hand_over_number(arg, CONNECTED, 0, reason);
}

static void on_disconnect(struct mosquitto *mosq, void *arg, int reason,
                          const mosquitto_property *properties)
{
	(void)mosq;
	(void)properties;
	hand_over_number(arg, DISCONNECTED, 0, reason);
}

static void on_publish(struct mosquitto *mosq, void *arg, int id, int reason,
                       const mosquitto_property *properties)
{
	(void)properties;
	acknowledge_segment(mosq);
	hand_over_number(arg, ACKNOWLEDGED, id, reason);
}

/* Adds one property to the list. mosquitto_property_copy_all of 2.0.11 would follow NULL where a text
 * is empty. */
static int copy_property(mosquitto_property **list, const mosquitto_property *from)
{
	int id = mosquitto_property_identifier(from), rc = MOSQ_ERR_SUCCESS;
	char *name = NULL, *text = NULL;
	void *data = NULL;
	uint8_t byte;
	uint16_t len;
	uint32_t number;
	switch (id) {
	case MQTT_PROP_USER_PROPERTY:
		if (mosquitto_property_read_string_pair(from, id, &name, &text, false))
			rc = mosquitto_property_add_string_pair(list, id, name ? name : "",
			                                        text ? text : "");
		break;
	case MQTT_PROP_CONTENT_TYPE:
	case MQTT_PROP_RESPONSE_TOPIC:
		if (mosquitto_property_read_string(from, id, &text, false))
			rc = mosquitto_property_add_string(list, id, text ? text : "");
		break;
	case MQTT_PROP_CORRELATION_DATA:
		if (mosquitto_property_read_binary(from, id, &data, &len, false))
			rc = mosquitto_property_add_binary(list, id, data, data ? len : 0);
		break;
	case MQTT_PROP_PAYLOAD_FORMAT_INDICATOR:
		if (mosquitto_property_read_byte(from, id, &byte, false))
			rc = mosquitto_property_add_byte(list, id, byte);
		break;
	case MQTT_PROP_MESSAGE_EXPIRY_INTERVAL:
		if (mosquitto_property_read_int32(from, id, &number, false))
			rc = mosquitto_property_add_int32(list, id, number);
		break;
	case MQTT_PROP_SUBSCRIPTION_IDENTIFIER:
		if (mosquitto_property_read_varint(from, id, &number, false))
			rc = mosquitto_property_add_varint(list, id, number);
		break;
	default:
		break; /* nothing that anybody here asks for */
	}
	free(name);
	free(text);
	free(data);
	return rc;
}

static bool copy_properties(mosquitto_property **list, const mosquitto_property *from)
{
	for (; from; from = mosquitto_property_next(from)) {
		if (copy_property(list, from) != MOSQ_ERR_SUCCESS) {
			mosquitto_property_free_all(list);
			return false;
		}
	}
	return true;
}

static void on_message(struct mosquitto *mosq, void *arg, const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
	acknowledge_segment(mosq);
	size_t topic_len = strlen(message->topic), payload_len = (size_t)message->payloadlen;
	struct event *event = event_create(MESSAGE, topic_len + 1 + payload_len);
	if (event) {
		event->number = message->qos;
		event->retain = message->retain;
		event->topic_len = topic_len;
		event->payload_len = payload_len;
		memcpy(event->bytes, message->topic, topic_len + 1);
		if (payload_len > 0)
			memcpy(event->bytes + topic_len + 1, message->payload, payload_len);
		if (!copy_properties(&event->properties, properties)) {
			free(event);
			event = NULL;
		}
	}
	hand_over(arg, event);
}

/* --- the loop's thread --- */

static void connected(struct link *link, int reason)
{
	if (reason != 0) {
		if (!link->said_lost)
			log_line(LOG_ERROR, "%s refuses the connection: %s", link->options->title,
			         reason < LINK_REFUSED ? mosquitto_connack_string(reason)
			                               : mosquitto_reason_string(reason));
		link->said_lost = true;
		return;
	}
	log_line(LOG_NOTICE, "connected to %s", link->options->title);
	link->said_lost = false;
	link->connected = true;
	link->events.connected(link->events.arg, true);
}

static void disconnected(struct link *link, int reason)
{
	if (!link->connected)
		return;
	link->connected = false;
	if (!link->closing)
		log_line(LOG_WARNING, "the connection to %s is lost: %s", link->options->title,
		         reason >= LINK_REFUSED ? mosquitto_reason_string(reason)
		                                : mosquitto_strerror(reason));
	link->events.connected(link->events.arg, false);
}

static void acknowledged(struct link *link, int id, int reason)
{
	struct waiting *waiting = &link->waiting[id & (MESSAGE_IDS - 1)];
	if (!waiting->there)
		return;
	struct waiting ended = *waiting;
	*waiting = (struct waiting){ 0 };
	link->pending--;
	if (ended.done)
		ended.done(ended.arg, reason);
}

static void handle(struct link *link, struct event *event)
{
	struct link_message message;
	switch (event->kind) {
	case CONNECTED:
		connected(link, event->number);
		break;
	case DISCONNECTED:
		disconnected(link, event->number);
		break;
	case ACKNOWLEDGED:
		acknowledged(link, event->id, event->number);
		break;
	case MESSAGE:
		message = (struct link_message){
			.topic = event->bytes,
			.payload = { event->bytes + event->topic_len + 1, event->payload_len },
			.properties = event->properties,
			.qos = event->number,
			.retain = event->retain,
		};
		link->events.message(link->events.arg, &message);
	}
}

static struct event *take_events(struct link *link)
{
	uv_mutex_lock(&link->lock);
	struct event *first = link->first;
	link->first = NULL;
	link->last = &link->first;
	uv_mutex_unlock(&link->lock);
	return first;
}

static void on_async(uv_async_t *async)
{
	struct link *link = async->data;
	struct event *event = take_events(link), *next;
	for (; event; event = next) {
		next = event->next;
		/* While it closes, only acknowledgements are of use, and they call nobody. */
		if (!link->closing || event->kind == ACKNOWLEDGED)
			handle(link, event);
		mosquitto_property_free_all(&event->properties);
		free(event);
	}
}

/* libmosquitto's thread tries again and again without a word. */
static void on_long(uv_timer_t *timer)
{
	struct link *link = timer->data;
	if (!link->connected && !link->said_lost)
		log_line(LOG_WARNING, "%s does not answer yet", link->options->title);
}

/* Until its thread runs libmosquitto does not try again by itself. */
static void on_first(uv_timer_t *timer)
{
	struct link *link = timer->data;
	const struct broker_options *options = link->options;
	errno = 0;
	int rc =
	        mosquitto_connect_bind_async(link->mosq, broker_host(options), broker_port(options),
	                                     (int)options->keepalive_s, options->bind_address);
	if (rc == MOSQ_ERR_SUCCESS && !link->running) {
		rc = mosquitto_loop_start(link->mosq);
		link->running = rc == MOSQ_ERR_SUCCESS;
	}
	if (rc == MOSQ_ERR_SUCCESS) {
		uv_timer_start(timer, on_long, LONG_MS, 0);
		return;
	}
	if (!link->said_lost)
		log_line(LOG_WARNING, "can't connect to %s yet: %s", options->title,
		         rc == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(rc));
	link->said_lost = true;
	uv_timer_start(timer, on_first, RETRY_MS, 0);
}

static void free_link(struct link *link)
{
	struct event *event = take_events(link), *next;
	for (; event; event = next) {
		next = event->next;
		mosquitto_property_free_all(&event->properties);
		free(event);
	}
	mosquitto_destroy(link->mosq);
	uv_mutex_destroy(&link->lock);
	free(link->waiting);
	free(link);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct link *link = handle->data;
	if (--link->handles > 0)
		return;
	void (*closed)(void *arg) = link->closed;
	void *arg = link->closed_arg;
	free_link(link);
	if (closed)
		closed(arg);
}

static void close_handles(struct link *link)
{
	uv_close((uv_handle_t *)&link->async, on_handle_closed);
	uv_close((uv_handle_t *)&link->timer, on_handle_closed);
}

struct link *link_create(uv_loop_t *loop, const struct broker_options *options,
                         const struct link_events *events, struct sluice_error *error)
{
	struct link *link = calloc(1, sizeof *link);
	struct waiting *waiting = calloc(MESSAGE_IDS, sizeof *waiting);
	if (!link || !waiting || uv_mutex_init(&link->lock) != 0) {
		free(link);
		free(waiting);
		sluice_out_of_memory(error);
		return NULL;
	}
	link->options = options;
	link->events = *events;
	link->loop = loop;
	link->waiting = waiting;
	link->last = &link->first;
	link->mosq = broker_client_create(options, link, error);
	if (!link->mosq || uv_async_init(loop, &link->async, on_async) != 0) {
		free_link(link);
		return NULL;
	}
	uv_timer_init(loop, &link->timer);
	link->handles = 2;
	link->async.data = link->timer.data = link;
	mosquitto_connect_v5_callback_set(link->mosq, on_connect);
	mosquitto_disconnect_v5_callback_set(link->mosq, on_disconnect);
	mosquitto_publish_v5_callback_set(link->mosq, on_publish);
	mosquitto_message_v5_callback_set(link->mosq, on_message);
	mosquitto_reconnect_delay_set(link->mosq, 1, RECONNECT_MAX_S, true);
	mosquitto_int_option(link->mosq, MOSQ_OPT_TCP_NODELAY, 1);
	/* As many as the broker lets: it says so when it accepts the connection. */
	mosquitto_int_option(link->mosq, MOSQ_OPT_SEND_MAXIMUM, 65535);
	uv_timer_start(&link->timer, on_first, 0, 0);
	return link;
}

bool link_is_connected(const struct link *link)
{
	return link->connected;
}

bool link_publish(struct link *link, const char *topic, struct sluice_str payload, bool retain,
                  const mosquitto_property *properties, link_done_fn done, void *arg)
{
	int id;
	if (link->pending >= LINK_PENDING_MAX || payload.len > MQTT_MAX_PAYLOAD)
		return false;
	int rc = mosquitto_publish_v5(link->mosq, &id, topic, (int)payload.len, payload.data, 1,
	                              retain, properties);
	/* Without a connection it is kept all the same. */
	if (rc != MOSQ_ERR_SUCCESS && rc != MOSQ_ERR_NO_CONN)
		return false;
	struct waiting *waiting = &link->waiting[id & (MESSAGE_IDS - 1)];
	if (!waiting->there)
		link->pending++;
	*waiting = (struct waiting){ done, arg, true };
	return true;
}

static void subscribe(struct link *link, const char *filter, int options,
                      const mosquitto_property *properties)
{
	int rc = mosquitto_subscribe_v5(link->mosq, NULL, filter, 1, options, properties);
	if (rc != MOSQ_ERR_SUCCESS && rc != MOSQ_ERR_NO_CONN)
		log_line(LOG_ERROR, "can't subscribe to %s: %s", filter, mosquitto_strerror(rc));
}

void link_subscribe(struct link *link, const char *filter, int options, uint32_t identifier)
{
	mosquitto_property *properties = NULL;
	if (mosquitto_property_add_varint(&properties, MQTT_PROP_SUBSCRIPTION_IDENTIFIER,
	                                  identifier) == MOSQ_ERR_SUCCESS)
		subscribe(link, filter, options, properties);
	else
		log_line(LOG_ERROR, "can't subscribe to %s: out of memory", filter);
	mosquitto_property_free_all(&properties);
}

void link_unsubscribe(struct link *link, const char *filter)
{
	if (link->connected)
		mosquitto_unsubscribe(link->mosq, NULL, filter);
}

bool link_forget(struct link *link, const void *arg)
{
	bool found = false;
	for (size_t id = 0; id < MESSAGE_IDS; id++) {
		if (link->waiting[id].there && link->waiting[id].done &&
		    link->waiting[id].arg == arg) {
			link->waiting[id].done = NULL;
			found = true;
		}
	}
	return found;
}

static void on_closing(uv_timer_t *timer)
{
	struct link *link = timer->data;
	int64_t now_ms = (int64_t)uv_now(link->loop);
	if (link->connected && link->pending > 0 && now_ms < link->close_by_ms) {
		uv_timer_start(timer, on_closing, CLOSE_STEP_MS, 0);
		return;
	}
	if (link->running) {
		mosquitto_disconnect(link->mosq);
		mosquitto_loop_stop(link->mosq, false);
	}
	close_handles(link);
}

void link_close(struct link *link, int64_t wait_ms, void (*closed)(void *arg), void *arg)
{
	link->closing = true;
	link->closed = closed;
	link->closed_arg = arg;
	for (size_t id = 0; id < MESSAGE_IDS; id++)
		link->waiting[id].done = NULL;
	link->close_by_ms = (int64_t)uv_now(link->loop) + wait_ms;
	uv_timer_start(&link->timer, on_closing, 0, 0);
}
