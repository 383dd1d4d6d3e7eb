/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A connection to another broker, for the mqtt target and source. It connects by itself, again and
 * again until it is closed. The loop reads and writes its socket, so that whoever uses it decides when
 * that is done: the acknowledgements that libmosquitto makes as it reads lie in its queue until
 * client_let_write says that they may go.
 *
 *	a thread for each attempt --(uv_async)--> loop: names are looked up and TCP connects there
 *	loop: all else
 *
 * A connection that ended leaves nothing behind: each begins with a new libmosquitto client, which
 * sends nothing of the one before again.
 */
#ifndef BRIDGE_MQTT_CLIENT_H
#define BRIDGE_MQTT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include <mosquitto.h>
#include <uv.h>

#include "../credentials.h"
#include "sluice/types.h"

struct mqtt_client;

/* What the settings of a kind and its connection say. Texts are owned, NULL = not said. */
struct mqtt_options {
	char *host, *client_id;
	char *username, *password;
	char *ca_file, *cert_file, *key_file;
	int port;
	int protocol; /* MQTT_PROTOCOL_V5 or _V311 */
	bool tls;
	bool session;        /* one that outlives the connection; wants a client_id */
	uint32_t expiry_s;   /* of the session, with MQTT 5 */
	int receive_maximum; /* how many the broker may send without an acknowledgement */
	bool hold;           /* it writes only when client_let_write lets it */
	char title[128];     /* "mqtt.example:1883", to name it */
};

/* All on the loop's thread. client_close may be called within any of them. */
struct mqtt_events {
	void (*connected)(void *arg);
	/* It is gone, or an attempt failed: why. Nothing that is under way will be acknowledged. */
	void (*disconnected)(void *arg, const char *why);
	void (*acknowledged)(void *arg, int id, int reason);
	void (*message)(void *arg, const struct mosquitto_message *message,
	                const mosquitto_property *properties);
	/* The answer to a filter of the subscription: its number, and a reason code of MQTT 5. */
	void (*subscribed)(void *arg, int filter, int reason);
	/* About once a second, while it is connected. */
	void (*tick)(void *arg);
	void *arg;
};

/*
 * Reads the settings host, port, tls, client_id and protocol, and the connection, which may be NULL.
 * Zeroed before; to be finished, after a failure too.
 *
 * Errors: SLUICE_ERR_INVALID, _NOMEM.
 */
enum sluice_status mqtt_options_read(struct mqtt_options *options,
                                     const struct sluice_bridge_kind *kind,
                                     const struct sluice_json *settings,
                                     const struct credentials *credentials,
                                     struct sluice_error *error);
/* Overwrites the password and frees. */
void mqtt_options_finish(struct mqtt_options *options);

/* Begins to connect. `options` must live as long. NULL with the error: a client id or TLS files that
 * can't be. */
struct mqtt_client *mqtt_client_create(uv_loop_t *loop, const struct mqtt_options *options,
                                       const struct mqtt_events *events,
                                       struct sluice_error *error);

bool mqtt_client_is_connected(const struct mqtt_client *client);
/* Whether an attempt is under way, of which `connected` or `disconnected` will tell. */
bool mqtt_client_is_connecting(const struct mqtt_client *client);
/* Why the last connection or attempt ended; "" when there was none. */
const char *mqtt_client_why(const struct mqtt_client *client);

/* Tries at once, unless it is connected, or just tried (within a second). */
void mqtt_client_try_now(struct mqtt_client *client);

/* As mosquitto_publish_v5; `id` gets what `acknowledged` will say. */
int mqtt_client_publish(struct mqtt_client *client, int *id, const char *topic,
                        struct sluice_str payload, int qos, bool retain,
                        const mosquitto_property *properties);
int mqtt_client_subscribe(struct mqtt_client *client, char *const *filters, int count, int qos);

/* Whether it reads, and, with `hold`, whether it writes. Both at first. */
void mqtt_client_let_read(struct mqtt_client *client, bool reads);
void mqtt_client_let_write(struct mqtt_client *client, bool writes);

/* Ends this connection, with a word to `disconnected`; it will connect again, but not before pause_ms. */
void mqtt_client_drop(struct mqtt_client *client, const char *why, int64_t pause_ms);

/* Calls nobody any more, and frees itself when its handles are closed. NULL is allowed. */
void mqtt_client_close(struct mqtt_client *client);

#endif
