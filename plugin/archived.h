/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* An event of an archive, as the matcher sees it again. */
#ifndef SLUICE_PLUGIN_ARCHIVED_H
#define SLUICE_PLUGIN_ARCHIVED_H

#include <stdbool.h>

#include "sluice/event.h"
#include "sluice_store/record.h"

/* Zeroed memory has read nothing; its array serves the next event. */
struct archived {
	struct sluice_event event;
	struct sluice_property *user;
	size_t user_capacity;
};

/* Fills the event, whose texts are the record's. Those of properties have a NUL behind them. False
 * when out of memory. */
bool archived_read(struct archived *archived, const struct sluice_record *record);
void archived_finish(struct archived *archived);

#endif
