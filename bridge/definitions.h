/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What the store says of targets, sources and connections, put in force while the bridge runs. A
 * target whose definition or connection changed is closed and opened anew; the others notice nothing.
 */
#ifndef BRIDGE_DEFINITIONS_H
#define BRIDGE_DEFINITIONS_H

#include "bridge.h"

/* Opens the store and begins to follow it. NULL with the error: a file that is not there. */
struct definitions *definitions_open(struct bridge *bridge, const char *path,
                                     struct sluice_error *error);

/* Follows no longer; targets and sources stay until they are closed. NULL is allowed. */
void definitions_close(struct definitions *definitions);

#endif
