/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Properties that were packed (properties_pack.h) as the broker's list. */
#ifndef SLUICE_PLUGIN_PACKED_LIST_H
#define SLUICE_PLUGIN_PACKED_LIST_H

#include <stdbool.h>

#include <mosquitto.h>

#include "sluice/types.h"

/* Appends them to *list, the caller's to free on failure too. False when out of memory. */
bool packed_list_make(struct sluice_str packed, mosquitto_property **list);

/* Appends a user property; an absent value is left out. */
bool packed_list_add(mosquitto_property **list, const char *name, struct sluice_str value);

#endif
