/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What the bridge says of itself to the broker's plugin, for `sluice target status`: the command
 * reportBridge of docs/control-api.md, every ten seconds. */
#ifndef BRIDGE_REPORT_H
#define BRIDGE_REPORT_H

#include "bridge.h"

/* NULL when out of memory. */
struct report *report_create(struct bridge *bridge);
/* Says it in a moment: something changed. */
void report_soon(struct report *report);
/* NULL is allowed. */
void report_close(struct report *report);

#endif
