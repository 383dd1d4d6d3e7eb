/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A queue: where events wait for the workers that acknowledge them. Read from its JSON
 * (schemas/json/queue.schema.json) with the paths in it compiled. Immutable after parsing; may be
 * used from any thread.
 */
#ifndef SLUICE_QUEUE_H
#define SLUICE_QUEUE_H

#include <stdbool.h>

#include "sluice/delivery.h"
#include "sluice/json.h"
#include "sluice/rule.h"

struct sluice_event_path;

enum {
	SLUICE_GROUP_MAX_BYTES = 128, /* of a group key; a longer one is given as its hash */
	SLUICE_QUEUE_BATCH_MAX = 1000,
};

/* Several messages as the elements of one JSON array. */
struct sluice_queue_batch {
	int64_t max_events; /* 0 = no batches */
	int64_t max_bytes;  /* of payloads; one message may have more */
	int64_t max_wait_ms;
};

/* To be read, never made or changed by the caller. */
struct sluice_queue {
	struct sluice_str name;
	struct sluice_str description;
	int64_t visibility_timeout_s;
	int64_t max_receives;          /* 0 = no bound */
	struct sluice_str dead_letter; /* absent = none */
	int64_t retention_s;
	int64_t max_events; /* 0 = no bound */
	int64_t max_bytes;  /* 0 = no bound */
	int64_t max_in_flight;
	int64_t delay_ms;
	struct sluice_event_path *group;            /* NULL = no groups */
	bool group_stop;                            /* a dead letter stops its group */
	struct sluice_deduplication *deduplication; /* NULL = none */
	struct sluice_queue_batch batch;
	struct sluice_arena *arena; /* owns all of the above but deduplication */
};

/*
 * Parses a queue. Unknown and repeated members are errors.
 *
 * text		JSON; nothing of it is referred to afterwards. Its length is not bounded here
 * queue	gets the queue, the caller's to free with sluice_queue_destroy
 * error	the place is from the queue's root
 *
 * Errors: SLUICE_ERR_SYNTAX, _INVALID, _LIMIT (a length), _NOMEM.
 */
enum sluice_status sluice_queue_parse(struct sluice_str text, struct sluice_queue **queue,
                                      struct sluice_error *error);

/* The same of a node of a larger document, which may go afterwards. */
enum sluice_status sluice_queue_from_json(const struct sluice_json *node,
                                          struct sluice_queue **queue, struct sluice_error *error);

/* Frees a queue. NULL is allowed. */
void sluice_queue_destroy(struct sluice_queue *queue);

/* Appends the queue as one line of JSON. Failure is in the buffer's `failed`. */
void sluice_queue_write(const struct sluice_queue *queue, struct sluice_buffer *buf);

/*
 * Appends the event's group key: the value at the queue's `group`, a string as its characters, any
 * other as its JSON. False when the queue has no groups, or the event nothing there, or null. Failure
 * is in the buffer's `failed`.
 */
bool sluice_queue_group(const struct sluice_queue *queue, const struct sluice_vars *vars,
                        struct sluice_buffer *out);

#endif
