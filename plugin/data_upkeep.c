/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What the data thread throws away: archived events whose time is over, or that are too many, and the
 * keys that deduplication need not know any more, what was purged. In small steps, so that a batch never waits long. */
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "data_thread_internal.h"
#include "sluice_store/retention.h"

enum {
	UPKEEP_MS = 1000,
	MORE_MS = 10, /* between two steps, so that others have their turn */
	TRIM_ROWS = 4096,
	FORGET_ROWS = 1024,
	PURGE_ROWS = 4096,
};

static bool add(void *arg, const struct sluice_retention *retention)
{
	struct data_thread *thread = arg;
	struct data_retention *retentions =
	        realloc(thread->retentions, (thread->retention_count + 1) * sizeof *retentions);
	thread->no_retention = !retentions;
	if (!retentions)
		return false;
	thread->retentions = retentions;
	struct data_retention *added = &retentions[thread->retention_count++];
	*added = (struct data_retention){ .retention_ms = retention->retention_ms,
		                          .max_bytes = retention->max_bytes };
	snprintf(added->bus, sizeof added->bus, "%.*s", (int)retention->bus.len,
	         retention->bus.data);
	return true;
}

enum sluice_status upkeep_read(struct data_thread *thread, struct sluice_error *error)
{
	thread->retention_count = 0;
	thread->no_retention = false;
	enum sluice_status status = sluice_retention_each(thread->data, add, thread, error);
	return thread->no_retention ? sluice_out_of_memory(error) : status;
}

void upkeep_told(struct data_thread *thread, const struct data_archives *archives)
{
	struct sluice_error error;
	enum sluice_status status = SLUICE_OK;
	for (size_t i = 0; i < archives->count && status == SLUICE_OK; i++) {
		const struct data_retention *told = &archives->archives[i];
		const struct sluice_retention retention = { sluice_str(told->bus),
			                                    told->retention_ms, told->max_bytes };
		status = sluice_retention_put(thread->data, &retention, &error);
	}
	if (status == SLUICE_OK)
		status = upkeep_read(thread, &error);
	/* It is told anew at the next start. */
	if (status != SLUICE_OK)
		data_thread_note(thread, status, &error);
	thread->next_upkeep_ms = 0;
}

enum sluice_status upkeep(struct data_thread *thread, int64_t now_ms, struct sluice_error *error)
{
	int64_t real_ms = clock_real_ms();
	enum sluice_status status = SLUICE_OK;
	bool again = false, more;
	if (now_ms < thread->next_upkeep_ms)
		return SLUICE_OK;
	for (size_t i = 0; i < thread->retention_count && status == SLUICE_OK; i++) {
		const struct data_retention *retention = &thread->retentions[i];
		status = sluice_archive_trim(thread->data, sluice_str(retention->bus),
		                             real_ms - retention->retention_ms,
		                             retention->max_bytes, TRIM_ROWS, &more, error);
		again |= status == SLUICE_OK && more;
	}
	if (status == SLUICE_OK)
		status = sluice_data_forget_seen(thread->data, real_ms, FORGET_ROWS, &more, error);
	again |= status == SLUICE_OK && more;
	if (status == SLUICE_OK)
		status = sluice_data_purge_part(thread->data, PURGE_ROWS, &more, error);
	again |= status == SLUICE_OK && more;
	thread->next_upkeep_ms = now_ms + (again ? MORE_MS : UPKEEP_MS);
	return status;
}
