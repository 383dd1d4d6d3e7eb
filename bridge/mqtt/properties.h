/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* An event's MQTT 5 properties, to a list of libmosquitto's and back; what a PUBACK's reason means. */
#ifndef BRIDGE_MQTT_PROPERTIES_H
#define BRIDGE_MQTT_PROPERTIES_H

#include <mosquitto.h>

#include "../delivery.h"
#include "sluice/event.h"

/*
 * Makes the list of a publish: payload format, content type, response topic, correlation data, and the
 * user properties that via_carried lets through.
 *
 * list		the caller's, to be freed with mosquitto_property_free_all; NULL when there are none
 *
 * Errors: SLUICE_ERR_INVALID (a text that MQTT can't carry), _NOMEM.
 */
enum sluice_status mqtt_properties_write(const struct sluice_event *event, bool sluice_properties,
                                         mosquitto_property **list, struct sluice_error *error);

/* What mqtt_properties_read had to copy. */
struct mqtt_properties {
	char *content_type, *response_topic;
	void *correlation_data;
	struct sluice_property *users;
	size_t user_count;
};

/*
 * Fills the event's properties, with `via` as one user property more. They point into `properties`,
 * which is to be finished, and to `via`. False when out of memory: nothing is to be finished.
 */
bool mqtt_properties_read(const mosquitto_property *list, struct sluice_str via,
                          struct mqtt_properties *properties, struct sluice_event *event);
void mqtt_properties_finish(struct mqtt_properties *properties);

/* How a publish ended that was acknowledged with this reason code of MQTT 5. */
enum outcome mqtt_outcome(int reason);

/* How one ended that libmosquitto did not take. */
enum outcome mqtt_outcome_of_result(int result);

#endif
