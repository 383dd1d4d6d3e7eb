/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* A message of a queue, as long as it is in memory, and finding it by its id. */
#ifndef SLUICE_PLUGIN_QUEUE_QUEUED_H
#define SLUICE_PLUGIN_QUEUE_QUEUED_H

#include "heap.h"
#include "sluice_store/record.h"

struct group;
struct worker;

/*
 *	            ┌────────────── time is up ───────────────┐
 *	            v                                         │
 *	BEHIND -> READY -> LEASED -> (acknowledged: gone)     │
 *	            ^        ├── nack, lease ran out ─────────┤
 *	            │        └── nack with a delay -> WAITING ┘
 *	   head of its group, at once where there are none
 */
enum queued_state {
	QUEUED_BEHIND,  /* another of its group is before it: in the group's list */
	QUEUED_READY,   /* in queue.ready, by id */
	QUEUED_LEASED,  /* in queue.timers, by the end of its lease */
	QUEUED_WAITING, /* in queue.timers, by the end of its delay */
};

struct queued {
	struct heap_node node; /* the first member */
	struct queued *next_by_id;
	struct queued *next_behind;
	struct group *group;   /* NULL in a queue without groups */
	struct worker *worker; /* LEASED: whose credit it takes; NULL = a bare subscriber's, or one
	                          that is gone */
	uint64_t holder;       /* LEASED: hash of the user that it went to; 0 = anybody */
	enum queued_state state;
	bool bare;                   /* LEASED: to subscribers, not to a worker */
	bool offered;                /* … of whom nothing is known; see receivers.c */
	char *reason;                /* of the last nack that gave one; owned */
	size_t bytes;                /* of memory that it takes */
	struct sluice_record record; /* as it is now; texts in `text` */
	char text[];
};

/* Copies the record. NULL when out of memory. */
struct queued *queued_create(const struct sluice_record *record);
void queued_destroy(struct queued *message);

/* An absent or empty reason leaves what there is; so does missing memory. */
void queued_set_reason(struct queued *message, struct sluice_str reason);

/* Those in memory, by id: chains, which are as short as there are buckets. Zeroed memory is empty. */
struct queued_table {
	struct queued **buckets;
	size_t bucket_count; /* 0 or a power of two */
	size_t count;
};

void queued_table_finish(struct queued_table *table);
/* The id must not be in it. False when out of memory, which only the first can meet. */
bool queued_table_add(struct queued_table *table, struct queued *message);
void queued_table_remove(struct queued_table *table, struct queued *message);
/* NULL when there is none. */
struct queued *queued_table_find(const struct queued_table *table, uint64_t id);

#endif
