/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Headers of another bus's message, as user properties of the event that a source makes of it. */
#ifndef BRIDGE_HEADERS_H
#define BRIDGE_HEADERS_H

#include <stdbool.h>

#include "sluice/event.h"

/* Zeroed memory has none. The texts are not copied. */
struct headers {
	struct sluice_property *list;
	size_t count, capacity;
	bool failed; /* out of memory */
};

/* Whether MQTT can carry it: UTF-8 without NULs and control characters, of at most 65,535 bytes. */
bool header_text_valid(struct sluice_str text);

/* Adds one; what MQTT can't carry is left out, as the message would be with it. */
void headers_add(struct headers *headers, struct sluice_str name, struct sluice_str value);

void headers_finish(struct headers *headers);

#endif
