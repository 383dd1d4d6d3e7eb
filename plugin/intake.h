/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The durable part of one event: the records of all the queues that it enters, gathered while its
 * targets are expanded, then written to the journal as one frame, all or none, before anything of the
 * event is sent.
 */
#ifndef SLUICE_PLUGIN_INTAKE_H
#define SLUICE_PLUGIN_INTAKE_H

#include "queue/queues.h"
#include "sluice/event.h"

struct plugin;
struct sluice_arena;

struct intake {
	struct sluice_record *records;
	struct queue **queues; /* of each record; NULL = it enters none */
	size_t count, capacity;
	size_t bytes;
	struct sluice_arena *arena; /* texts that are made for it; NULL until there is one */
};

void intake_finish(struct intake *intake);

/* Drops what was gathered, and what deduplication noted for it. */
void intake_drop(struct plugin *plugin);

/*
 * Adds a record. Its texts must live until intake_settle; intake_copy makes those live that would not.
 * `queue` is where it enters; NULL when it enters none (an archive). The id is given here. False when
 * out of memory.
 */
bool intake_add(struct plugin *plugin, struct queue *queue, const struct sluice_record *record);

/* A copy that lives until the next reset; absent when out of memory. */
struct sluice_str intake_copy(struct intake *intake, struct sluice_str text);

/* Writes all to the journal. False when there is no room. */
bool intake_write(struct plugin *plugin);

/* Puts what was written into its queues, delivers to those who wait, and resets. */
void intake_settle(struct plugin *plugin);

#endif
