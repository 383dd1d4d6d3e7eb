/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The archives of buses, on the broker's thread: which events enter one, and that the data thread
 * knows for how long each keeps them. */
#ifndef SLUICE_PLUGIN_ARCHIVE_H
#define SLUICE_PLUGIN_ARCHIVE_H

#include <stdbool.h>

#include "threads.h"

struct plugin;

/* What the archives that are in force come to. */
struct archives {
	size_t count;
	bool changed; /* since the data thread was told */
};

/* A bus comes into force, has another definition, or is gone; either may be NULL. */
void archive_bus_changed(struct plugin *plugin, const struct definition *old,
                         const struct definition *now);

/* Tells the data thread what changed. */
void archive_tick(struct plugin *plugin);

#endif
