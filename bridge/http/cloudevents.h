/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* CloudEvents 1.0: an event's attributes, its JSON format, and its headers in HTTP's binary mode. */
#ifndef BRIDGE_HTTP_CLOUDEVENTS_H
#define BRIDGE_HTTP_CLOUDEVENTS_H

#include "delivery.h"
#include "message.h"

/*
 * Appends the event in the JSON format. Its attributes are the event's own where it is a CloudEvent
 * already (MQTT's binary mode: a user property "specversion" of 1.x); else the id is its id, the
 * source "/" and its topic, the type "sluice.event" or "sluice.rule.<rule>", the subject its topic,
 * the time when it came.
 *
 * data		what becomes of the payload
 * content_type	of data; absent = not known
 */
void cloudevent_write(const struct delivery *delivery, struct sluice_str data,
                      struct sluice_str content_type, struct sluice_buffer *out);

/* Adds the attributes as headers, ce-id and so on; the payload is the body. */
void cloudevent_headers(const struct delivery *delivery, struct http_message *message);

/* Whether a media type is JSON: application/json, anything+json. */
bool content_type_is_json(struct sluice_str content_type);

/* Whether a text is well-formed JSON. */
bool text_is_json(struct sluice_str text);

#endif
