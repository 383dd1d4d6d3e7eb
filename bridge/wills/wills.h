/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The source kind `wills`, and how its subscriptions are named. */
#ifndef BRIDGE_WILLS_WILLS_H
#define BRIDGE_WILLS_WILLS_H

#include "kinds.h"
#include "sluice/rule.h"

/* "$share/sluice-wills-BUS/FILTER" of one of the bus's will_topics, to be freed; NULL when out of memory.
 * All bridges share it: whatever their sources are called, a will comes to one of them. */
char *wills_filter(const struct sluice_bus *bus, size_t index);

/* What tells a bus's subscriptions from those of another, whose filters may match the same topics; from 1
 * to 268,435,455. */
uint32_t wills_identifier(struct sluice_str bus);

#endif
