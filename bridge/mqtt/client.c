/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "client.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mqtt_protocol.h>

enum {
	KEEPALIVE_S = 60,
	TICK_MS = 1000,
	ANSWER_MS = 10000, /* for the CONNACK */
	WAIT_MIN_MS = 1000,
	WAIT_MAX_MS = 30000,
	READS_MAX = 64, /* packets before the loop has its turn again */
};

enum state {
	CONNECTING, /* a thread does */
	ANSWERING,  /* the CONNACK is awaited */
	CONNECTED,
	WAITING, /* to try again */
};

/*
 * What a thread connects. The loop's side may leave it alone, as nothing ends a connect() that hangs:
 * then the thread throws it away.
 */
struct attempt {
	pthread_mutex_t lock;
	struct mosquitto *mosq;
	uv_async_t *async; /* the client's; NULL once it was left alone */
	const char *host;  /* after the attempt itself */
	int port;
	mosquitto_property *properties;
	bool ended;
	int result, error_number;
	char bytes[];
};

/* The socket, as the loop sees it: a duplicate, since libmosquitto closes its own at any time. */
struct watch {
	uv_poll_t poll;
	struct mqtt_client *client;
	int fd;
};

struct mqtt_client {
	uv_loop_t *loop;
	const struct mqtt_options *options;
	struct mqtt_events events;
	uv_async_t async;
	uv_timer_t timer;
	int handles;
	struct mosquitto *mosq; /* NULL while there is no connection */
	struct attempt *attempt;
	struct watch *watch;
	enum state state;
	unsigned within; /* calls of libmosquitto, which must not be destroyed there */
	bool over;       /* the connection ended within one */
	bool reads, writes;
	bool about; /* it is about to try */
	bool closing;
	int64_t wait_ms, tried_ms;
	char why[200];
};

static void on_timer(uv_timer_t *timer);

static int64_t now_ms(const struct mqtt_client *client)
{
	return (int64_t)uv_now(client->loop);
}

static void set_why(struct mqtt_client *client, const char *text)
{
	/* The options may be gone. */
	if (!client->closing)
		snprintf(client->why, sizeof(client->why), "%.60s: %.130s", client->options->title,
		         text);
}

/* It ends, when libmosquitto has returned. The first that is said to be why counts. */
static void end_with(struct mqtt_client *client, const char *why)
{
	if (!client->over)
		set_why(client, why);
	client->over = true;
}

static const char *result_text(int result, int error_number)
{
	switch (result) {
	case MOSQ_ERR_ERRNO:
		return error_number ? strerror(error_number) : "the connection was cut";
	case MOSQ_ERR_CONN_LOST:
		return "the connection was lost";
	case MOSQ_ERR_EAI:
		return "its name can't be looked up";
	case MOSQ_ERR_TLS:
		return "TLS failed: its certificate, or ours, is not accepted";
	default:
		return result >= 128 ? mosquitto_reason_string(result) : mosquitto_strerror(result);
	}
}

/* --- an attempt --- */

static void attempt_free(struct attempt *attempt)
{
	mosquitto_destroy(attempt->mosq);
	mosquitto_property_free_all(&attempt->properties);
	pthread_mutex_destroy(&attempt->lock);
	free(attempt);
}

static void *attempt_run(void *arg)
{
	struct attempt *attempt = arg;
	errno = 0;
	int result = mosquitto_connect_bind_v5(attempt->mosq, attempt->host, attempt->port,
	                                       KEEPALIVE_S, NULL, attempt->properties);
	int error_number = errno;

	pthread_mutex_lock(&attempt->lock);
	attempt->result = result;
	attempt->error_number = error_number;
	attempt->ended = true;
	bool alone = !attempt->async;
	if (!alone)
		uv_async_send(attempt->async);
	pthread_mutex_unlock(&attempt->lock);
	if (alone)
		attempt_free(attempt);
	return NULL;
}

/* The thread has it, or it is freed here. */
static void attempt_leave(struct attempt *attempt)
{
	pthread_mutex_lock(&attempt->lock);
	attempt->async = NULL;
	bool ended = attempt->ended;
	pthread_mutex_unlock(&attempt->lock);
	if (ended)
		attempt_free(attempt);
}

static bool attempt_start(struct attempt *attempt)
{
	pthread_attr_t attributes;
	pthread_t thread;
	if (pthread_attr_init(&attributes) != 0)
		return false;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	bool started = pthread_create(&thread, &attributes, attempt_run, attempt) == 0;
	pthread_attr_destroy(&attributes);
	return started;
}

/* --- libmosquitto's client --- */

static void on_connect(struct mosquitto *mosq, void *arg, int reason, int flags,
                       const mosquitto_property *properties)
{
	struct mqtt_client *client = arg;
	(void)mosq;
	(void)flags;
	(void)properties;
	if (reason != 0) {
		end_with(client, reason < 128 ? mosquitto_connack_string(reason)
		                              : mosquitto_reason_string(reason));
		return;
	}
	client->state = CONNECTED;
	client->wait_ms = WAIT_MIN_MS;
	uv_timer_start(&client->timer, on_timer, TICK_MS, TICK_MS);
	client->why[0] = '\0';
	if (!client->closing)
		client->events.connected(client->events.arg);
}

/* Why it ended is known here; it is dealt with when libmosquitto has returned. */
static void on_disconnect(struct mosquitto *mosq, void *arg, int reason,
                          const mosquitto_property *properties)
{
	struct mqtt_client *client = arg;
	int error_number = errno;
	(void)mosq;
	(void)properties;
	end_with(client, reason == 0 ? "it disconnected us" : result_text(reason, error_number));
}

static void on_publish(struct mosquitto *mosq, void *arg, int id, int reason,
                       const mosquitto_property *properties)
{
	struct mqtt_client *client = arg;
	(void)mosq;
	(void)properties;
	if (!client->closing && client->events.acknowledged)
		client->events.acknowledged(client->events.arg, id, reason);
}

static void on_message(struct mosquitto *mosq, void *arg, const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
	struct mqtt_client *client = arg;
	(void)mosq;
	if (!client->closing && client->events.message)
		client->events.message(client->events.arg, message, properties);
}

static void on_subscribe(struct mosquitto *mosq, void *arg, int id, int count, const int *granted,
                         const mosquitto_property *properties)
{
	struct mqtt_client *client = arg;
	(void)mosq;
	(void)id;
	(void)properties;
	for (int i = 0; i < count && !client->closing && client->events.subscribed; i++)
		client->events.subscribed(client->events.arg, i, granted[i]);
}

static int set_options(const struct mqtt_options *options, struct mosquitto *mosq)
{
	int result = mosquitto_int_option(mosq, MOSQ_OPT_PROTOCOL_VERSION, options->protocol);
	if (!result)
		result = mosquitto_int_option(mosq, MOSQ_OPT_TCP_NODELAY, 1);
	if (!result)
		result = mosquitto_int_option(mosq, MOSQ_OPT_SEND_MAXIMUM, UINT16_MAX);
	if (!result && options->receive_maximum)
		result = mosquitto_int_option(mosq, MOSQ_OPT_RECEIVE_MAXIMUM,
		                              options->receive_maximum);
	/* What is queued is written when the loop says so. */
	if (!result && options->hold)
		result = mosquitto_threaded_set(mosq, true);
	if (!result && options->username)
		result = mosquitto_username_pw_set(mosq, options->username, options->password);
	if (!result && options->tls) {
		if (!options->ca_file)
			result = mosquitto_int_option(mosq, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
		/* It wants a folder or a file, and takes the system's besides. */
		if (!result && (options->ca_file || options->cert_file))
			result = mosquitto_tls_set(mosq, options->ca_file,
			                           options->ca_file ? NULL : "/etc/ssl/certs",
			                           options->cert_file, options->key_file, NULL);
	}
	return result;
}

static struct mosquitto *new_mosquitto(struct mqtt_client *client, struct sluice_error *error)
{
	const struct mqtt_options *options = client->options;
	struct mosquitto *mosq = mosquitto_new(options->client_id, !options->session, client);
	if (!mosq) {
		if (errno == ENOMEM)
			sluice_out_of_memory(error);
		else
			sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.client_id",
			                 "no client id that MQTT can carry");
		return NULL;
	}
	int result = set_options(options, mosq);
	if (result) {
		mosquitto_destroy(mosq);
		if (result == MOSQ_ERR_NOMEM)
			sluice_out_of_memory(error);
		else
			sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
			                 options->tls
			                         ? "the user's name or the TLS files can't be "
			                           "used: are they there, certificate and key?"
			                         : "the user's name or password can't be used");
		return NULL;
	}
	mosquitto_connect_v5_callback_set(mosq, on_connect);
	mosquitto_disconnect_v5_callback_set(mosq, on_disconnect);
	mosquitto_publish_v5_callback_set(mosq, on_publish);
	mosquitto_message_v5_callback_set(mosq, on_message);
	mosquitto_subscribe_v5_callback_set(mosq, on_subscribe);
	return mosq;
}

/* --- the socket --- */

static void on_watch_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void watch_end(struct mqtt_client *client)
{
	struct watch *watch = client->watch;
	client->watch = NULL;
	if (!watch)
		return;
	uv_poll_stop(&watch->poll);
	close(watch->fd);
	uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

static void on_socket(uv_poll_t *poll, int status, int events);

static void look(struct mqtt_client *client)
{
	if (!client->watch)
		return;
	int events = 0;
	if (client->reads || client->state != CONNECTED)
		events |= UV_READABLE;
	/* While it is the CONNECT that waits there is nothing to hold back. */
	if ((client->writes || client->state != CONNECTED) && mosquitto_want_write(client->mosq))
		events |= UV_WRITABLE;
	/* With neither, an end of the connection is still heard of. */
	uv_poll_start(&client->watch->poll, events | UV_DISCONNECT, on_socket);
}

static bool watch_begin(struct mqtt_client *client)
{
	struct watch *watch = calloc(1, sizeof *watch);
	if (!watch)
		return false;
	watch->fd = dup(mosquitto_socket(client->mosq));
	if (watch->fd < 0 || uv_poll_init(client->loop, &watch->poll, watch->fd) != 0) {
		if (watch->fd >= 0)
			close(watch->fd);
		free(watch);
		return false;
	}
	watch->poll.data = watch;
	watch->client = client;
	client->watch = watch;
	return true;
}

/* --- coming and going --- */

/* Forgets the connection; not within libmosquitto. */
static void forget(struct mqtt_client *client)
{
	watch_end(client);
	mosquitto_destroy(client->mosq);
	client->mosq = NULL;
	client->over = false;
}

static void wait_to_try(struct mqtt_client *client)
{
	client->state = WAITING;
	uv_timer_start(&client->timer, on_timer, (uint64_t)client->wait_ms, 0);
	client->wait_ms = client->wait_ms * 2 < WAIT_MAX_MS ? client->wait_ms * 2 : WAIT_MAX_MS;
}

static void lose(struct mqtt_client *client)
{
	forget(client);
	if (client->closing)
		return;
	wait_to_try(client);
	client->events.disconnected(client->events.arg, client->why);
}

/* Before a call of libmosquitto, and after it: then what came to an end within it is dealt with. */
static void enter(struct mqtt_client *client)
{
	client->within++;
}

static void leave(struct mqtt_client *client)
{
	if (--client->within > 0)
		return;
	if (client->closing)
		forget(client);
	else if (client->over)
		lose(client);
	else
		look(client);
}

static void read_packets(struct mqtt_client *client)
{
	/* It reads one packet a call, and leaves errno as the socket's last word. */
	for (int i = 0; i < READS_MAX && !client->over && !client->closing; i++) {
		if (client->state == CONNECTED && !client->reads)
			return;
		errno = 0;
		int result = mosquitto_loop_read(client->mosq, 1);
		if (result != MOSQ_ERR_SUCCESS)
			end_with(client, result_text(result, errno));
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
	}
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
	struct mqtt_client *client = ((struct watch *)poll->data)->client;
	enter(client);
	if (status < 0) {
		end_with(client, uv_strerror(status));
	} else if ((events & UV_DISCONNECT) && client->state == CONNECTED && !client->reads) {
		/* What it sent before is not read: it is not acknowledged, either. */
		end_with(client, "it closed the connection");
	} else if (events & (UV_READABLE | UV_DISCONNECT)) {
		read_packets(client);
	}
	if (!client->over && !client->closing && (events & UV_WRITABLE)) {
		int result = mosquitto_loop_write(client->mosq, 1);
		if (result != MOSQ_ERR_SUCCESS)
			end_with(client, result_text(result, errno));
	}
	leave(client);
}

static void try_to_connect(struct mqtt_client *client)
{
	const struct mqtt_options *options = client->options;
	size_t len = strlen(options->host) + 1;
	struct attempt *attempt = calloc(1, sizeof *attempt + len);
	struct sluice_error error = { 0 };

	client->tried_ms = now_ms(client);
	client->about = false;
	enter(client);
	if (!attempt || pthread_mutex_init(&attempt->lock, NULL) != 0) {
		free(attempt);
		end_with(client, "out of memory");
		leave(client);
		return;
	}
	memcpy(attempt->bytes, options->host, len);
	attempt->host = attempt->bytes;
	attempt->port = options->port;
	attempt->async = &client->async;
	attempt->mosq = new_mosquitto(client, &error);
	if (!attempt->mosq) {
		end_with(client, error.message);
	} else if (options->session && options->protocol == MQTT_PROTOCOL_V5 &&
	           mosquitto_property_add_int32(&attempt->properties,
	                                        MQTT_PROP_SESSION_EXPIRY_INTERVAL,
	                                        options->expiry_s) != MOSQ_ERR_SUCCESS) {
		end_with(client, "out of memory");
	} else if (!attempt_start(attempt)) {
		end_with(client, "no thread can be started");
	} else {
		client->attempt = attempt;
		client->state = CONNECTING;
		uv_timer_start(&client->timer, on_timer, ANSWER_MS, 0);
	}
	if (client->over)
		attempt_free(attempt);
	leave(client);
}

/* The thread is done. */
static void on_attempt(uv_async_t *async)
{
	struct mqtt_client *client = async->data;
	struct attempt *attempt = client->attempt;
	if (!attempt)
		return;
	pthread_mutex_lock(&attempt->lock);
	bool ended = attempt->ended;
	pthread_mutex_unlock(&attempt->lock);
	if (!ended)
		return;
	enter(client);
	int result = attempt->result, error_number = attempt->error_number;
	client->attempt = NULL;
	client->mosq = attempt->mosq;
	attempt->mosq = NULL;
	attempt_free(attempt);
	if (result != MOSQ_ERR_SUCCESS) {
		end_with(client, result_text(result, error_number));
	} else if (!watch_begin(client)) {
		end_with(client, "out of memory or files");
	} else {
		client->state = ANSWERING;
		client->reads = client->writes = true;
		uv_timer_start(&client->timer, on_timer, ANSWER_MS, 0);
	}
	leave(client);
}

static void on_timer(uv_timer_t *timer)
{
	struct mqtt_client *client = timer->data;
	if (client->state == WAITING) {
		try_to_connect(client);
		return;
	}
	enter(client);
	if (client->state == CONNECTED) {
		if (mosquitto_loop_misc(client->mosq) != MOSQ_ERR_SUCCESS)
			end_with(client, "it does not answer any more");
		else if (client->events.tick)
			client->events.tick(client->events.arg);
	} else {
		if (client->attempt)
			attempt_leave(client->attempt);
		client->attempt = NULL;
		end_with(client, client->state == CONNECTING ? "it can't be reached"
		                                             : "it does not answer");
	}
	leave(client);
}

/* --- what is called from outside --- */

struct mqtt_client *mqtt_client_create(uv_loop_t *loop, const struct mqtt_options *options,
                                       const struct mqtt_events *events, struct sluice_error *error)
{
	struct mqtt_client *client = calloc(1, sizeof *client);
	if (!client) {
		sluice_out_of_memory(error);
		return NULL;
	}
	client->loop = loop;
	client->options = options;
	client->events = *events;
	client->wait_ms = WAIT_MIN_MS;
	client->state = WAITING;
	/* What can't be is found here already, with nothing connected. */
	struct mosquitto *mosq = new_mosquitto(client, error);
	if (!mosq) {
		free(client);
		return NULL;
	}
	mosquitto_destroy(mosq);
	if (uv_async_init(loop, &client->async, on_attempt) != 0) {
		free(client);
		sluice_error_set(error, SLUICE_ERR_IO, SIZE_MAX, NULL, "out of files");
		return NULL;
	}
	uv_timer_init(loop, &client->timer);
	client->handles = 2;
	client->async.data = client->timer.data = client;
	/* In the loop's next turn, so that nobody is called back from within this. */
	client->state = WAITING;
	client->tried_ms = now_ms(client);
	uv_timer_start(&client->timer, on_timer, 0, 0);
	client->about = true;
	return client;
}

bool mqtt_client_is_connected(const struct mqtt_client *client)
{
	return client->state == CONNECTED && !client->over;
}

bool mqtt_client_is_connecting(const struct mqtt_client *client)
{
	return client->about || client->state == CONNECTING || client->state == ANSWERING;
}

const char *mqtt_client_why(const struct mqtt_client *client)
{
	return client->why;
}

void mqtt_client_try_now(struct mqtt_client *client)
{
	if (client->state == WAITING && now_ms(client) - client->tried_ms >= WAIT_MIN_MS) {
		client->about = true;
		uv_timer_start(&client->timer, on_timer, 0, 0);
	}
}

int mqtt_client_publish(struct mqtt_client *client, int *id, const char *topic,
                        struct sluice_str payload, int qos, bool retain,
                        const mosquitto_property *properties)
{
	if (!mqtt_client_is_connected(client))
		return MOSQ_ERR_NO_CONN;
	if (payload.len > MQTT_MAX_PAYLOAD)
		return MOSQ_ERR_PAYLOAD_SIZE;
	enter(client);
	int result = mosquitto_publish_v5(client->mosq, id, topic, (int)payload.len, payload.data,
	                                  qos, retain, properties);
	/* The socket is of no more use, though libmosquitto does not say so until it reads. */
	if (result == MOSQ_ERR_CONN_LOST || result == MOSQ_ERR_ERRNO)
		end_with(client, result_text(result, errno));
	leave(client);
	return result;
}

int mqtt_client_subscribe(struct mqtt_client *client, char *const *filters, int count, int qos)
{
	/* Retained messages are sent for a subscription that is new, not each time that we are. */
	enter(client);
	int result = mosquitto_subscribe_multiple(
	        client->mosq, NULL, count, filters, qos,
	        client->options->protocol == MQTT_PROTOCOL_V5 ? MQTT_SUB_OPT_SEND_RETAIN_NEW : 0,
	        NULL);
	leave(client);
	return result;
}

void mqtt_client_let_read(struct mqtt_client *client, bool reads)
{
	enter(client);
	client->reads = reads;
	leave(client);
}

void mqtt_client_let_write(struct mqtt_client *client, bool writes)
{
	enter(client);
	client->writes = writes;
	leave(client);
}

void mqtt_client_drop(struct mqtt_client *client, const char *why, int64_t pause_ms)
{
	if (!client->mosq || client->over)
		return;
	if (client->wait_ms < pause_ms)
		client->wait_ms = pause_ms;
	enter(client);
	end_with(client, why);
	leave(client);
}

static void on_closed(uv_handle_t *handle)
{
	struct mqtt_client *client = handle->data;
	if (--client->handles == 0)
		free(client);
}

void mqtt_client_close(struct mqtt_client *client)
{
	if (!client || client->closing)
		return;
	client->closing = true;
	if (client->attempt)
		attempt_leave(client->attempt);
	client->attempt = NULL;
	if (client->within == 0) {
		/* With `hold` this is not written: it would take what is held along. */
		if (client->state == CONNECTED)
			mosquitto_disconnect(client->mosq);
		forget(client);
	}
	uv_close((uv_handle_t *)&client->async, on_closed);
	uv_close((uv_handle_t *)&client->timer, on_closed);
}
