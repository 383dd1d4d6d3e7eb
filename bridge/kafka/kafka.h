/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The target and the source kafka. docs/bridge/kafka.md says what they promise. */
#ifndef BRIDGE_KAFKA_KAFKA_H
#define BRIDGE_KAFKA_KAFKA_H

#include "../inlet.h"
#include "../outlet.h"

extern const struct outlet_kind kafka_outlet;
extern const struct inlet_kind kafka_inlet;

#endif
