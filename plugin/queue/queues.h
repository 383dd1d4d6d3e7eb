/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* All queues of the broker, on its thread. */
#ifndef SLUICE_PLUGIN_QUEUE_QUEUES_H
#define SLUICE_PLUGIN_QUEUE_QUEUES_H

#include "queue.h"

enum {
	WORKER_BUCKETS = 256,
	NAME_BUCKETS = 256,
	QUEUE_CREDIT_MAX = 10000,
	/* Of all queues' messages together: past it new ones are left to the disk. */
	QUEUES_MEMORY = 256 * 1024 * 1024,
};

struct queues {
	struct queue_io io;
	struct queue *first;
	struct queue *by_name[NAME_BUCKETS];
	size_t count;
	uint64_t last_id; /* the last that was given away */
	bool hears_subscribe; /* the broker tells of subscriptions: nobody needs to be offered anything */
	size_t memory;        /* bytes of messages in memory */
	struct receipt_source receipts;
	struct worker *workers[WORKER_BUCKETS]; /* by client */
	/* Now, as the caller says before each call. The first never goes back. */
	int64_t now_ms;
	int64_t real_ms;
};

void queues_init(struct queues *queues, const struct queue_io *io);
void queues_finish(struct queues *queues);

void queues_set_time(struct queues *queues, int64_t now_ms, int64_t real_ms);

/* NULL when there is none. */
struct queue *queues_find(const struct queues *queues, struct sluice_str name);

/*
 * Makes a queue, or gives one new settings. A new one is not attached: it keeps nothing in memory
 * until queue_attach. `numbers` must live as long as the queue. NULL when out of memory.
 */
struct queue *queues_put(struct queues *queues, struct sluice_str name,
                         const struct queue_settings *settings, struct queue_numbers *numbers);

/* Forgets the queue, with its workers; what it holds stays on the disk. */
void queues_remove(struct queues *queues, struct queue *queue);

/* A new id, larger than all before. */
static inline uint64_t queues_next_id(struct queues *queues)
{
	return ++queues->last_id;
}

/* Ticks all; returns when the next is due, monotonic ms. */
int64_t queues_tick(struct queues *queues);

/* The hash of a user's name; 0 for one without. */
uint64_t queues_holder(struct sluice_str username);

/* --- who takes: receivers.c --- */

struct worker_terms {
	const void *client;
	struct sluice_str client_id;
	struct sluice_str username;
	uint32_t credit; /* 0 = no more */
	uint32_t batch;
	int64_t lease_ms; /* of the credit; 0 = until it disconnects */
};

/* A worker says how many it wants in flight; it is served. False when out of memory. */
bool queue_worker(struct queue *queue, const struct worker_terms *terms);

/* The client is gone: so is its credit. What it holds it holds until the lease runs out. */
void queues_client_gone(struct queues *queues, const void *client);

/* A subscription of the queue's deliveries came (1) or went (-1). */
void queue_subscription(struct queue *queue, int change);

/* --- between the files of this folder --- */

/* The next with credit left, or NULL. */
struct worker *receivers_next(struct queue *queue);
/* It got messages, or is rid of some. */
void receivers_gave(struct worker *worker, uint32_t count);
void receivers_took(struct worker *worker, uint32_t count);

enum bare_state { BARE_NONE, BARE_OFFER, BARE_PRESENT };
/* Whether subscribers are there, or may be, and can be given one now. */
enum bare_state receivers_bare(const struct queue *queue);
/* What was offered to nobody in particular is ready again, unless somebody is known to be there. */
void receivers_take_back(struct queue *queue);
/* Credits that ran out. */
void receivers_expire(struct queue *queue);
void receivers_finish(struct queue *queue);

#endif
