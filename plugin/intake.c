/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "intake.h"

#include <stdlib.h>

#include "arena.h"
#include "plugin.h"

void intake_finish(struct intake *intake)
{
	free(intake->records);
	free(intake->queues);
	sluice_arena_destroy(intake->arena);
	*intake = (struct intake){ 0 };
}

static void reset(struct intake *intake)
{
	intake->count = 0;
	intake->bytes = 0;
	if (intake->arena)
		sluice_arena_reset(intake->arena);
}

void intake_drop(struct plugin *plugin)
{
	struct intake *intake = &plugin->durable.intake;
	for (size_t i = 0; i < intake->count; i++) {
		const struct sluice_record *record = &intake->records[i];
		if (record->kind == SLUICE_RECORD_SEEN)
			seen_remove(&plugin->durable.seen, record->queue, record->dedup);
	}
	reset(intake);
}

static bool grow(struct intake *intake)
{
	size_t capacity = intake->capacity ? intake->capacity * 2 : 16;
	struct sluice_record *records = realloc(intake->records, capacity * sizeof *records);
	if (!records)
		return false;
	intake->records = records;
	struct queue **queues = realloc(intake->queues, capacity * sizeof(struct queue *));
	if (!queues)
		return false;
	intake->queues = queues;
	intake->capacity = capacity;
	return true;
}

bool intake_add(struct plugin *plugin, struct queue *queue, const struct sluice_record *record)
{
	struct intake *intake = &plugin->durable.intake;
	if (intake->count == intake->capacity && !grow(intake))
		return false;
	intake->records[intake->count] = *record;
	/* Only what enters somewhere needs a place in the order. */
	if (record->kind != SLUICE_RECORD_SEEN && record->kind != SLUICE_RECORD_FIRED)
		intake->records[intake->count].id = queues_next_id(&plugin->durable.queues);
	intake->queues[intake->count++] = queue;
	intake->bytes += record->payload.len;
	return true;
}

struct sluice_str intake_copy(struct intake *intake, struct sluice_str text)
{
	if (!intake->arena)
		intake->arena = sluice_arena_create();
	return intake->arena ? sluice_arena_str(intake->arena, text) : (struct sluice_str){ 0 };
}

bool intake_write(struct plugin *plugin)
{
	struct intake *intake = &plugin->durable.intake;
	return durable_write(plugin, intake->records, intake->count, false);
}

void intake_settle(struct plugin *plugin)
{
	struct intake *intake = &plugin->durable.intake;
	for (size_t i = 0; i < intake->count; i++) {
		if (!intake->queues[i])
			continue;
		queue_accept(intake->queues[i], &intake->records[i]);
		queue_dispatch(intake->queues[i]);
		plugin->durable.next_ms = 0; /* a lease may have begun */
	}
	reset(intake);
}
