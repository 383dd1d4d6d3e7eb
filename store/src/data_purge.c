/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Emptying a queue. A million messages are seconds of work, in which the thread would carry nothing over,
 * and make no room in the journal: so what is ready of a long queue is only said to be gone, by the
 * highest id of it, and its rows go in small steps between others' work.
 */
#include "data_internal.h"

enum { AT_ONCE = 4096 };

static int purge_state(struct sluice_data *data, struct data_name *queue, enum data_state state,
                       uint64_t id)
{
	const int64_t range[] = { queue->number, state, (int64_t)id, (int64_t)queue->purged_to };
	int64_t sums[2];
	int rc = data_one_row(data, DATA_PURGE_COUNT, DATA_NO_TEXT, range, 4, sums, 2);
	if (rc != SQLITE_ROW || sums[0] == 0)
		return rc == SQLITE_ROW ? SQLITE_OK : rc;
	rc = data_run_with(data, DATA_PURGE_MESSAGES, range, 3);
	if (rc == SQLITE_OK)
		rc = data_run_with(data, DATA_PURGE_ENTRIES, range, 3);
	if (rc == SQLITE_OK)
		data_count(queue, state, -sums[0], -sums[1]);
	return rc;
}

/* All that is ready, which is up to that id. */
static int purge_later(struct sluice_data *data, struct data_name *queue, uint64_t id)
{
	const int64_t row[] = { queue->number, (int64_t)id };
	int rc = data_run_with(data, DATA_PURGE_SET, row, 2);
	if (rc != SQLITE_OK)
		return rc;
	queue->purged_to = id;
	/* The other states are empty by now: all that is counted is of these. */
	data_count(queue, DATA_STATE_READY, -queue->counts[DATA_STATE_READY], -queue->bytes);
	return SQLITE_OK;
}

int data_purge_messages(struct sluice_data *data, struct data_name *queue, uint64_t id)
{
	const int64_t key[] = { queue->number, (int64_t)id };
	int64_t newer = 0;
	int rc = data_one_row(data, DATA_PURGE_NEWER, DATA_NO_TEXT, key, 2, &newer, 1);
	rc = rc == SQLITE_ROW ? SQLITE_OK : rc;
	for (int state = 0; state < DATA_STATE_COUNT && rc == SQLITE_OK; state++)
		if (state != DATA_STATE_READY)
			rc = purge_state(data, queue, (enum data_state)state, id);
	if (rc != SQLITE_OK)
		return rc;
	/* A purge takes all there is, unless records come again that were carried over before. */
	return queue->counts[DATA_STATE_READY] > AT_ONCE && !newer
	               ? purge_later(data, queue, id)
	               : purge_state(data, queue, DATA_STATE_READY, id);
}

static int purge_part(struct sluice_data *data, size_t limit, bool *more)
{
	int64_t next[2], last;
	int rc = data_one_row(data, DATA_PURGE_NEXT, DATA_NO_TEXT, NULL, 0, next, 2);
	if (rc != SQLITE_ROW)
		return rc == SQLITE_DONE ? SQLITE_OK : rc;
	const int64_t part[] = { next[0], next[1], (int64_t)limit - 1 };
	rc = data_one_row(data, DATA_PURGE_PART, DATA_NO_TEXT, part, 3, &last, 1);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return rc;
	*more = true; /* of this queue, or of another */
	bool end = rc == SQLITE_DONE;
	const int64_t range[] = { next[0], DATA_STATE_READY, end ? next[1] : last };
	rc = data_run_with(data, DATA_PURGE_MESSAGES, range, 3);
	if (rc == SQLITE_OK)
		rc = data_run_with(data, DATA_PURGE_ENTRIES, range, 3);
	if (rc == SQLITE_OK && end)
		rc = data_run_with(data, DATA_PURGE_END, next, 1);
	return rc;
}

enum sluice_status sluice_data_purge_part(struct sluice_data *data, size_t limit, bool *more,
                                          struct sluice_error *error)
{
	*more = false;
	enum sluice_status status = data_change_begin(data, error);
	if (status != SLUICE_OK)
		return status;
	int rc = purge_part(data, limit, more);
	return data_change_end(data, data_fault(data, rc, "can't be purged", error), error);
}
