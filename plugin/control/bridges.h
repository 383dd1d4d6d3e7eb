/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What running bridges say of themselves (reportBridge), on the store's thread: kept in memory until
 * they have been silent for a minute, and nowhere else.
 */
#ifndef SLUICE_PLUGIN_CONTROL_BRIDGES_H
#define SLUICE_PLUGIN_CONTROL_BRIDGES_H

#include "command.h"

enum {
	BRIDGES_MAX = 64,
	BRIDGE_SILENT_MS = 60000,
	BRIDGE_BYTES_MAX = 256 * 1024, /* of a report */
	BRIDGE_ENTRIES_MAX = 1024,     /* targets of a report, and sources */
};

struct bridge_report {
	struct bridge_report *next; /* in the order of names */
	char name[SLUICE_NAME_MAX + 1];
	int64_t told_ms; /* monotonic */
	int64_t time_ms; /* since 1970 */
	size_t len;
	char members[]; /* "targets":[…],"sources":[…] */
};

/* Forgets those that have said nothing for too long. */
void bridges_expire(struct store_thread *thread, int64_t now_ms);
void bridges_finish(struct store_thread *thread);

#endif
