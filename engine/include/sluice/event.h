/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * An event: one publish, as the matcher, explain and the transformers see it.
 * Nothing is owned; all pointers live at least as long as the call that takes it.
 *
 *	struct sluice_event event = SLUICE_EVENT_INIT;
 *	event.payload = SLUICE_STR("{\"temperature\":31.5}");
 *	event.topic = SLUICE_STR("plants/berlin/boiler");
 */
#ifndef SLUICE_EVENT_H
#define SLUICE_EVENT_H

#include "sluice/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sluice_json;

/* An MQTT 5 user property. */
struct sluice_property {
	struct sluice_str name;
	struct sluice_str value;
};

/*
 * What the publish does not have is absent: a NULL `data`, or -1 for a number. Events that come
 * from elsewhere than MQTT need nothing but a payload; all else is for patterns on `$mqtt`.
 */
struct sluice_event {
	struct sluice_str
	        payload; /* any bytes; absent = there is no payload to look at, nor $mqtt.payload */
	struct sluice_str topic;
	struct sluice_str client_id;
	struct sluice_str username;
	struct sluice_str content_type;
	struct sluice_str response_topic;
	struct sluice_str correlation_data; /* raw bytes; patterns see base64 (RFC 4648, padded) */
	const struct sluice_property *user_properties; /* may be NULL when there are none */
	size_t user_property_count;
	int8_t qos;            /* 0, 1, 2 or -1 */
	int8_t retain;         /* 0, 1 or -1 */
	int8_t payload_format; /* 0, 1 or -1 */
};

/* An event of which nothing is known. */
#ifdef __cplusplus
static inline struct sluice_event sluice_event_unknown(void)
{
	struct sluice_event event = {};
	event.qos = event.retain = event.payload_format = -1;
	return event;
}
#define SLUICE_EVENT_INIT sluice_event_unknown()
#else
#define SLUICE_EVENT_INIT ((struct sluice_event){ .qos = -1, .retain = -1, .payload_format = -1 })
#endif

/*
 * Reads an event from the "publish" object of a match case or a testPattern
 * command: {"topic":…,"payload":…,"qos":…,"retain":…,"client_id":…,"username":…,
 * "content_type":…,"response_topic":…,"correlation_data":<base64>,"payload_format":…,
 * "user_properties":{"name":["value",…] or "value"}}. A payload that is a JSON
 * string is its characters; any other JSON value is its verbatim text.
 *
 * publish	a node of sluice_json_parse; the event points into its document, which must live on
 * event	is filled; an event of which nothing is known on failure
 * storage	gets what had to be allocated (decoded base64, the properties), to be freed with
 *		free() after the event's last use; NULL on failure
 * error	the place is the faulty member's
 *
 * Errors: SLUICE_ERR_INVALID (no object, an unknown or repeated member, a value that can't be),
 * _NOMEM.
 */
SLUICE_API enum sluice_status sluice_event_from_json(const struct sluice_json *publish,
                                                     struct sluice_event *event, void **storage,
                                                     struct sluice_error *error);

#ifdef __cplusplus
}
#endif

#endif
