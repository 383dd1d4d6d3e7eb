/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * MQTT 5 properties: those of a publish, read when a rule asks for them, and those of a delivery.
 * Reading allocates on Mosquitto 2.0: a block for each string, so two for each user property. 2.1
 * shows its own.
 */
#ifndef SLUICE_PLUGIN_PROPERTIES_H
#define SLUICE_PLUGIN_PROPERTIES_H

#include <stdbool.h>

#include "broker_compat.h"
#include "sluice/event.h"
#include "sluice/pattern.h"
#include "sluice/rule.h"

/* What was read of one publish. Zeroed memory has read nothing; its arrays serve the next one. */
struct event_properties {
	unsigned read; /* SLUICE_META_* bits */
	char *content_type;
	char *response_topic;
	void *correlation_data;
	struct sluice_property *user;
	size_t user_count, user_capacity;
	bool user_owned; /* their strings */
};

/* Reads those of `wanted` (SLUICE_META_* bits) that were not read yet, and sets them in the event.
 * False when out of memory. */
bool event_properties_read(struct event_properties *properties, const struct broker_compat *compat,
                           const mosquitto_property *list, unsigned wanted,
                           struct sluice_event *event);
/* Forgets the publish; keeps the arrays. */
void event_properties_reset(struct event_properties *properties);
void event_properties_finish(struct event_properties *properties);

/* What a publish may have: SLUICE_META_* bits. */
enum {
	EVENT_PROPERTIES = SLUICE_META_CONTENT_TYPE | SLUICE_META_RESPONSE_TOPIC |
	                   SLUICE_META_CORRELATION_DATA | SLUICE_META_PAYLOAD_FORMAT |
	                   SLUICE_META_USER_PROPERTIES,
};

/* What a delivery carries. */
struct delivery_properties {
	const mosquitto_property *list; /* the publish's own, carried over */
	/* They are taken from here, all of them read, unless delivery_properties_copied. */
	const struct sluice_event *event;
	const struct sluice_target
	        *target; /* says what is added, the expiry, and the content type */
	struct sluice_str rule;
	struct sluice_str topic; /* of the publish */
	const char *id;          /* with SLUICE_ADD_ID */
	int64_t time_ms;         /* with SLUICE_ADD_TIME */
	/* Of the replay that it is of, which tells itself, id and time; absent = it is none. There is no
	 * list then, and all comes from the event. */
	struct sluice_str replay;
};

/* Whether a delivery to the target carries the publish's list as it is, by a copy of the broker's:
 * then nothing need be read. */
bool delivery_properties_copied(const struct sluice_target *target,
                                const struct broker_compat *compat);

/* Makes the list; NULL when there is none to make. False when out of memory. */
bool delivery_properties_make(const struct delivery_properties *delivery,
                              const struct broker_compat *compat, mosquitto_property **list);

#endif
