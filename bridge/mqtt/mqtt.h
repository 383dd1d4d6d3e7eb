/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The target and the source mqtt: another MQTT broker. docs/bridge/mqtt.md says what they promise. */
#ifndef BRIDGE_MQTT_MQTT_H
#define BRIDGE_MQTT_MQTT_H

#include "../inlet.h"
#include "../outlet.h"

extern const struct outlet_kind mqtt_outlet;
extern const struct inlet_kind mqtt_inlet;

#endif
