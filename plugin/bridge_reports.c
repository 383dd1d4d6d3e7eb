/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "bridge_reports.h"

#include <stdlib.h>

/* Where the bridge's report stands, or is to stand. */
static struct bridge_report **find(struct bridge_reports *reports, struct sluice_str name)
{
	struct bridge_report **link = &reports->first;
	while (*link) {
		struct sluice_str other = sluice_str((*link)->name);
		size_t shorter = name.len < other.len ? name.len : other.len;
		int order = memcmp(other.data, name.data, shorter);
		if (order > 0 || (order == 0 && other.len >= name.len))
			break;
		link = &(*link)->next;
	}
	return link;
}

enum sluice_status bridge_reports_put(struct bridge_reports *reports, struct sluice_str name,
                                      struct sluice_str members, int64_t now_ms, int64_t time_ms,
                                      struct sluice_error *error)
{
	struct bridge_report **link = find(reports, name), *old = *link;
	bool known = old && sluice_str_equal(sluice_str(old->name), name);
	if (!known && reports->count == BRIDGES_MAX)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, NULL,
		                        "%d bridges have reported in the last minute", BRIDGES_MAX);
	struct bridge_report *report = calloc(1, sizeof *report + members.len);
	if (!report)
		return sluice_out_of_memory(error);
	memcpy(report->name, name.data, name.len);
	memcpy(report->members, members.data, members.len);
	report->len = members.len;
	report->told_ms = now_ms;
	report->time_ms = time_ms;
	report->next = known ? old->next : old;
	*link = report;
	reports->count += !known;
	if (known)
		free(old);
	return SLUICE_OK;
}

void bridge_reports_expire(struct bridge_reports *reports, int64_t now_ms)
{
	struct bridge_report **link = &reports->first;
	while (*link) {
		struct bridge_report *report = *link;
		if (now_ms - report->told_ms < BRIDGE_SILENT_MS) {
			link = &report->next;
			continue;
		}
		*link = report->next;
		reports->count--;
		free(report);
	}
}

void bridge_reports_finish(struct bridge_reports *reports)
{
	bridge_reports_expire(reports, INT64_MAX);
}
