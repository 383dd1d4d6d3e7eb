/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The target and the source nats. docs/bridge/nats.md says what they promise. */
#ifndef BRIDGE_NATS_NATS_KIND_H
#define BRIDGE_NATS_NATS_KIND_H

#include "../inlet.h"
#include "../outlet.h"

extern const struct outlet_kind nats_outlet;
extern const struct inlet_kind nats_inlet;

#endif
