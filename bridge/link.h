/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The bridge's connection to its broker. libmosquitto runs it on a thread of its own, which connects
 * again by itself; what that thread hears is handed to the loop's thread, where all of this is called
 * and all callbacks come.
 *
 *	libmosquitto's thread --(list, uv_async)--> loop: message, connected, acknowledged
 *	loop: link_publish --(libmosquitto's own lock)--> its thread
 *
 * Publishes are at QoS 1. What is published while the broker is away, or is not acknowledged when it
 * goes, libmosquitto keeps and sends again.
 */
#ifndef BRIDGE_LINK_H
#define BRIDGE_LINK_H

#include <stdbool.h>

#include <mosquitto.h>
#include <uv.h>

#include "broker_options.h"
#include "sluice/types.h"

struct link;

/* What came from the broker. Owned by the link; valid during the call. */
struct link_message {
	const char *topic;
	struct sluice_str payload;
	const mosquitto_property *properties;
	int qos;
	bool retain;
};

struct link_events {
	void (*message)(void *arg, const struct link_message *message);
	/* The connection came, or went: what was subscribed and said of credit must be said again. */
	void (*connected)(void *arg, bool is);
	void *arg;
};

/* Below 128 it was taken in; else a reason code of MQTT 5. */
enum { LINK_TAKEN_IN = 0, LINK_REFUSED = 128, LINK_PENDING_MAX = 60000 };
typedef void (*link_done_fn)(void *arg, int reason);

/* Begins to connect, and goes on until it is closed. `options` must live as long. NULL with the error:
 * a client id or TLS options that can't be. */
struct link *link_create(uv_loop_t *loop, const struct broker_options *options,
                         const struct link_events *events, struct sluice_error *error);

bool link_is_connected(const struct link *link);

/*
 * Publishes at QoS 1. Everything is copied; `properties` stays the caller's. `done` (may be NULL) is
 * called once, later.
 *
 * Returns false, and nothing happened, when LINK_PENDING_MAX are under way, or there is no memory, or
 * the topic or payload is none that MQTT can carry.
 */
bool link_publish(struct link *link, const char *topic, struct sluice_str payload, bool retain,
                  const mosquitto_property *properties, link_done_fn done, void *arg);

/* Subscribes at QoS 1, now or when it is connected; not again after a new connection, which a
 * subscriber hears of. options: MQTT_SUB_OPT_… of mqtt_protocol.h. What comes by it has `identifier`
 * (1 to 268,435,455) among its properties. */
void link_subscribe(struct link *link, const char *filter, int options, uint32_t identifier);
void link_unsubscribe(struct link *link, const char *filter);

/* Forgets who waits for an acknowledgement: their `done` is not called. False when nobody does. */
bool link_forget(struct link *link, const void *arg);

/*
 * Disconnects, when all that was published is acknowledged, or after wait_ms; then calls `closed`, and
 * is gone. No other callback comes after this.
 */
void link_close(struct link *link, int64_t wait_ms, void (*closed)(void *arg), void *arg);

#endif
