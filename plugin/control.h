/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The control topics, on the broker's thread: the gate, and the way to the store's thread. */
#ifndef SLUICE_PLUGIN_CONTROL_H
#define SLUICE_PLUGIN_CONTROL_H

#include <mosquitto_broker.h>

struct plugin;

#define CONTROL_TOPIC      "$CONTROL/sluice/v1"
#define CONTROL_VIEW_TOPIC "$CONTROL/sluice-view/v1"

enum {
	CONTROL_REQUEST_MAX = 16 * 1024 * 1024, /* bytes in one message */
	CONTROL_QUEUED_MAX = 64 * 1024 * 1024,  /* bytes in messages that wait for their answers */
};

/*
 * Takes a publish to a control topic: it is answered, whatever it is. A client that the gate
 * refuses is told the option's name. Never a disconnect.
 */
void control_take(struct plugin *plugin, const struct mosquitto_evt_control *message);

#endif
