/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What brings outside changes in, one inlet for each source; what a kind has to bring. On the loop's
 * thread, as outlets.
 */
#ifndef BRIDGE_INLET_H
#define BRIDGE_INLET_H

#include <uv.h>

#include "credentials.h"
#include "sluice/bridge.h"
#include "sluice/event.h"

struct bridge;
struct curl_loop;
struct inlet;
struct link_message;
struct source;

struct inlet_context {
	uv_loop_t *loop;
	struct bridge *bridge;
	struct curl_loop *curl;
	struct source *source; /* whose it is: to publish */
	const struct sluice_bridge_source *definition;
	const struct credentials *credentials; /* NULL = none */
};

struct inlet_kind {
	const char *name;
	/* NULL with the error; it is told, and tried anew with the next change, and every half minute. */
	struct inlet *(*open)(const struct inlet_context *context, struct sluice_error *error);
	/* The broker takes publishes again after source_publish said no, or is there again. May be NULL. */
	void (*resume)(struct inlet *inlet);
	/* A message from the broker on a topic below no queue, for an inlet that subscribed by
	 * link_subscribe. All such inlets get all such messages. May be NULL. */
	void (*message)(struct inlet *inlet, const struct link_message *message);
	/* The connection to the broker came: what was subscribed is to be said again. May be NULL. */
	void (*connected)(struct inlet *inlet);
	/* Stops. No `done` of what is under way is called after it returned. */
	void (*close)(struct inlet *inlet);
};

struct inlet {
	const struct inlet_kind *kind;
};

/* How a publish ended. */
enum published {
	PUBLISHED,          /* taken in: the PUBACK says so */
	PUBLISH_REFUSED,    /* by the broker, which may take it later: no room, an ACL */
	PUBLISH_IMPOSSIBLE, /* for ever: its topic can't be made of it, it is too large */
};

/* `reason` is why it was not taken in, a text for people. */
typedef void (*published_fn)(void *arg, enum published how, const char *reason);

/*
 * Publishes a record at QoS 1 on the source's topic, which its template makes of the event: payload,
 * topic (as far as the outside has one), content type and user properties. All is copied.
 *
 * done		called once, later, on the loop's thread: with the PUBACK, or when it can't be
 *		published (the topic can't be made, the broker refuses it). While the broker is away
 *		it is kept and sent again
 *
 * Returns false when there is no room for it now (a thousand are under way, or the broker is away):
 * nothing happened, and the inlet's resume is called when there is.
 */
bool source_publish(struct source *source, const struct sluice_event *event, published_fn done,
                    void *arg);

/* Something is wrong, or right again (NULL): shown by `sluice source list` and logged when it changes. */
void source_trouble(struct source *source, const char *text);

const struct inlet_kind *inlet_kind_find(struct sluice_str name);

#endif
