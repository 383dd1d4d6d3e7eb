/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What other buses (MQTT, NATS, Kafka) are told of an event beside its payload, and the trace that
 * keeps it from going round: a source marks what it brings in with the user property bridge-via, which
 * goes the event's way (no "sluice-…" would: the plugin takes those from nobody), and lets go of what
 * has its own mark.
 */
#ifndef BRIDGE_VIA_H
#define BRIDGE_VIA_H

#include <stdbool.h>

#include "sluice/event.h"

#define VIA_NAME "bridge-via"

/* Whether a delivery's user property goes outside: those that the queue added ("sluice-…") only with
 * `sluice_properties`. */
bool via_carried(struct sluice_str name, bool sluice_properties);

/* Whether the event came through the source of that mark before. */
bool via_has(const struct sluice_event *event, struct sluice_str mark);

#endif
