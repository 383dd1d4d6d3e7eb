/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The bridge's targets, sources and connections, as far as the plugin is concerned: it checks their
 * rows and counts them, on the store's thread. What they say is the bridge's business, which reads the
 * store itself; nothing of them reaches the broker's thread.
 */
#ifndef SLUICE_PLUGIN_BRIDGED_H
#define SLUICE_PLUGIN_BRIDGED_H

#include <stdbool.h>

#include "sluice_store/store.h"

struct bridged {
	struct bridged_row *rows; /* owned; those that are faulty, or in force */
	size_t in_force[SLUICE_STORE_KINDS];
	size_t faults;
};

/* Zeroed memory is one without rows. */
void bridged_finish(struct bridged *bridged);

/* Whether it is of a kind that this is about. */
bool bridged_is(enum sluice_store_kind kind);

/* Takes a row as the store tells of it. False when it is faulty: *error says why. A row whose former
 * version was good stays in force with that. */
bool bridged_change(struct bridged *bridged, enum sluice_store_kind kind,
                    const struct sluice_store_row *row, struct sluice_error *error);

#endif
