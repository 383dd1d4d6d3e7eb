/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Last wills as events. The broker shows them to no plugin, so they make a way round: the bridge
 * subscribes to a bus's `will_topics`, the plugin marks with a user property whatever else comes there,
 * and what the bridge gets without the mark it hands in again, on a topic of the plugin's own:
 *
 *	sluice/wills/BUS/QOS[r]/TOPIC	a will: its bus, its QoS, whether it was retained, its topic
 *	sluice/wills/BUS/filters	is it marked? a filter in each line; taken in when the bus has
 *					all of them in force, so that who subscribes then misses no mark
 *
 * Neither goes to anybody else, and both are for those whom the control topics' gate admits. What a
 * will becomes is the event of that one bus.
 *
 * The mark need not be secret: who forges it in a will of its own keeps just that from being an event,
 * and in anything else it stands already.
 */
#ifndef SLUICE_PLUGIN_WILLS_H
#define SLUICE_PLUGIN_WILLS_H

#include <stdbool.h>

#include "broker_compat.h"
#include "sluice/types.h"

struct definition;
struct plugin;

#define WILLS_MARK "sluice-seen"

/* What follows "sluice/wills/"; its texts lie in the topic. */
struct wills_topic {
	struct sluice_str bus;
	bool filters;      /* asks for them; else a will: */
	const char *topic; /* ends where the whole does, with a NUL */
	uint8_t qos;
	bool retain;
};

/* False when the topic is none of these. */
bool wills_topic_read(const char *text, struct wills_topic *topic);

/* A bus comes (old == NULL), changes, or goes (now == NULL). */
void wills_bus_changed(struct plugin *plugin, const struct definition *old,
                       const struct definition *now);

/* Marks what is about to go to this topic, where a will of it would be taken in. False when out of
 * memory. */
bool wills_mark(const struct plugin *plugin, struct sluice_str topic, mosquitto_property **list);

/* Takes in what is published below "sluice/wills/". False when it is not there; *result is what the
 * broker is told. */
bool wills_publish(struct plugin *plugin, struct mosquitto_evt_message *message, int *result);

#endif
