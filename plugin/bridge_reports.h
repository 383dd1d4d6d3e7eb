/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What running bridges say of themselves, on the store's thread: kept in memory until they have been
 * silent for a minute, and nowhere else.
 */
#ifndef SLUICE_PLUGIN_BRIDGE_REPORTS_H
#define SLUICE_PLUGIN_BRIDGE_REPORTS_H

#include "sluice/buffer.h"
#include "sluice/rule.h"

enum { BRIDGES_MAX = 64, BRIDGE_SILENT_MS = 60000 };

struct bridge_report {
	struct bridge_report *next; /* in the order of names */
	char name[SLUICE_NAME_MAX + 1];
	int64_t told_ms; /* monotonic */
	int64_t time_ms; /* since 1970 */
	size_t len;
	char members[]; /* "targets":[…],"sources":[…] */
};

/* Zeroed memory holds none. */
struct bridge_reports {
	struct bridge_report *first; /* owned */
	size_t count;
};

/* Puts a report in the place of the bridge's last one; the members are copied. `name` is one.
 * SLUICE_ERR_LIMIT when there are too many others, _NOMEM: then the last one stands. */
enum sluice_status bridge_reports_put(struct bridge_reports *reports, struct sluice_str name,
                                      struct sluice_str members, int64_t now_ms, int64_t time_ms,
                                      struct sluice_error *error);

/* Forgets those that have said nothing for too long. */
void bridge_reports_expire(struct bridge_reports *reports, int64_t now_ms);
void bridge_reports_finish(struct bridge_reports *reports);

#endif
