/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A queue, as the broker's thread runs it. All of it stands in the journal and, soon after, in
 * SQLite; what is here is the part that may be delivered next, and what is being delivered.
 *
 *	ids   ──────────────────────────────────────────────────────────────> youngest
 *	      [ leased, waiting, ready: in memory ]  loaded_to  [ on disk: `more` ]
 *	      parked (a delay, not due yet): on disk, anywhere
 *
 * As long as nothing younger than loaded_to is on disk alone, a new message is kept in memory at
 * once; when there is no room (a consumer that is away) it is left to the disk, and the data thread
 * brings the next ones when the memory runs low. So a queue takes constant memory, however long it is.
 *
 * Whatever changes a message is first written to the journal. What needs no memory of its own over a
 * restart is not: a lease that ran out is known by its time.
 *
 * Cost: a message is a heap's push and pop (log2 of what is in memory), one copy, three records.
 */
#ifndef SLUICE_PLUGIN_QUEUE_QUEUE_H
#define SLUICE_PLUGIN_QUEUE_QUEUE_H

#include "../metrics.h"
#include "groups.h"
#include "receipt.h"
#include "sluice/rule.h"

struct queues;
struct sluice_queue;

enum {
	QUEUE_WINDOW = 1000, /* messages in memory that wait to be delivered */
	/* With groups more are looked at, since those of a group that is busy must wait: but as with
	 * SQS FIFO, who has more messages than this before another group's holds that one up. */
	QUEUE_WINDOW_GROUPED = 20000,
	QUEUE_WINDOW_BYTES = 8 * 1024 * 1024,
	QUEUE_LOAD = 500, /* messages that are brought at once */
	QUEUE_LOAD_BYTES = 2 * 1024 * 1024,
	QUEUE_TURN = 500,      /* messages that are delivered, moved or expired in one turn */
	QUEUE_RETRY_MS = 1000, /* until what could not be done is tried again */
	QUEUE_EXTEND_MAX_MS = 43200000,
	QUEUE_PARK_MS = 60000, /* who is given back for so long waits on the disk */
};

/* What a definition says, as it is used here. */
struct queue_settings {
	int64_t visibility_ms;
	int64_t retention_ms;
	uint32_t max_receives; /* 0 = no bound */
	uint64_t max_events;   /* 0 = no bound */
	uint64_t max_bytes;    /* 0 = no bound */
	size_t max_in_flight;
	char dead_letter[SLUICE_NAME_MAX + 1]; /* "" = none */
	bool grouped;
	bool group_stop;       /* a dead letter stops its group */
	uint32_t batch_events; /* 0 = no batches */
	size_t batch_bytes;
	int64_t batch_wait_ms;
};

/* What others may read of a queue, while the broker's thread writes it. */
struct queue_numbers {
	counter ready, in_flight, delayed; /* messages now */
	counter bytes;                     /* of their payloads */
	counter oldest_ms;                 /* when the oldest in memory came; 0 = none */
	counter workers;
	counter redriving; /* 1 while a redrive is under way */
	counter accepted, delivered, redelivered, acknowledged, returned, timed_out, dead, expired,
	        purged, redriven, stayed, deduplicated, bad_receipts;
};

/* --- who takes messages: receivers.c --- */

struct worker {
	struct queue *queue;
	const void *client; /* compared, never followed */
	char *client_id;    /* owned */
	uint64_t holder;    /* hash of its user; 0 = it has none */
	uint32_t credit;    /* how many it wants in flight */
	uint32_t in_flight;
	uint32_t batch;      /* messages in one; 0 = as the queue says */
	int64_t end_ms;      /* of its credit; INT64_MAX = with its connection */
	bool waiting;        /* in the list of those with credit left */
	struct worker *next; /* of the queue */
	struct worker *next_waiting, *previous_waiting;
	struct worker *next_of_client; /* in a bucket of queues.workers */
};

/* Subscribers of the queue's deliveries, which take what comes. */
struct bare {
	size_t known;     /* subscriptions that the broker told of (2.1) */
	int64_t heard_ms; /* when one acknowledged last; INT64_MIN = never */
	int64_t next_offer_ms;
	int64_t backoff_ms;
};

struct queue {
	char name[SLUICE_NAME_MAX + 1];
	struct queues *all;
	struct queue_settings settings;
	struct queue_numbers *numbers; /* the owner's, see queues_put */
	const struct sluice_queue
	        *definition;        /* the owner's, for what makes records; may be NULL */
	struct queue *next;         /* in the order of names */
	struct queue *next_by_name; /* in a bucket of queues.by_name */
	/* in memory */
	struct queued_table table;
	struct heap ready;  /* by id */
	struct heap timers; /* LEASED and WAITING, by the end of it: monotonic ms */
	struct groups groups;
	size_t window, window_bytes; /* READY and BEHIND */
	size_t leased;
	/* on disk */
	uint64_t loaded_to;  /* all ready ones up to here are in memory, or were */
	uint64_t spilled_to; /* the youngest that was left to the disk */
	bool more;           /* there may be younger ones than loaded_to on the disk */
	bool loading;
	int64_t load_again_ms;    /* a load failed: not before */
	int64_t deliver_again_ms; /* a delivery failed: then it is tried again; INT64_MAX = none did */
	uint64_t purged_to;       /* what is older and still on its way from the disk is gone */
	bool attached, attaching; /* what was on the disk at the beginning is known, is asked for */
	/* Messages that came before that was known. */
	struct queue_early {
		uint64_t id;
		size_t bytes;
		bool parked;
	} * early;
	size_t early_count, early_capacity;
	/* who takes */
	struct worker *workers;
	struct worker *waiting, *waiting_last;
	struct bare bare;
	/* a redrive under way */
	uint64_t redrive_left;
	uint64_t redrive_to_id;                  /* messages up to here */
	char redrive_queue[SLUICE_NAME_MAX + 1]; /* "" = where each comes from */
	bool again;                              /* a turn was not enough */
};

struct queue_delivery {
	const struct queue *queue;
	struct queued *const *messages; /* each with its receipt and attempts */
	size_t count;
	bool batch;            /* as an array, even of one */
	const char *receipt;   /* for the topic */
	const char *client_id; /* NULL = whoever subscribes */
	int64_t lease_ms;
};

/* What a queue needs of the world. All of it is called on the broker's thread and must not call back. */
struct queue_io {
	void *arg;
	/* Writes records as one frame. False: there is no room, and nothing happened. `last`: they free
	 * room, and may use what is kept for that. */
	bool (*write)(void *arg, const struct sluice_record *records, size_t count, bool last);
	bool (*deliver)(void *arg, const struct queue_delivery *delivery);
	/* Asks for ready messages behind queue->loaded_to; the answer comes by queue_load_row and
	 * queue_load_end. False when it can't be asked now. */
	bool (*load)(void *arg, struct queue *queue);
};

/* --- messages come --- */

/*
 * A message whose ENQUEUE (or MOVE to here) stands in the journal. It is kept in memory, or left to
 * the disk; nothing can fail. Does not deliver: queue_dispatch does.
 */
void queue_accept(struct queue *queue, const struct sluice_record *record);

/* At the beginning: what SQLite counts, then each that was delivered before and not acknowledged. */
struct queue_holdings {
	uint64_t ready, parked, bytes;
	uint64_t carried_to; /* the highest id that is counted in */
};
void queue_attach(struct queue *queue, const struct queue_holdings *holdings);
void queue_restore(struct queue *queue, const struct sluice_record *record);
/* Before those: a group that dead letters stop. */
void queue_restore_dead(struct queue *queue, struct sluice_str group, size_t count);

/* The answer to a load. `carried_to`: all ids up to there were looked at, when `complete`. */
void queue_load_row(struct queue *queue, const struct sluice_record *record);
void queue_load_end(struct queue *queue, bool done, bool complete, uint64_t carried_to);

/* A parked message that is due now, and no longer parked on the disk. False when there is no room for
 * it in the journal either: to be tried again. */
bool queue_hand_in(struct queue *queue, const struct sluice_record *record);

/* --- messages go --- */

enum queue_answer {
	QUEUE_DONE,
	QUEUE_GONE_BEFORE, /* acknowledged before, or purged: no matter */
	QUEUE_BAD_RECEIPT, /* none of ours, of a lease that was given anew, or another user's */
	QUEUE_NO_ROOM,     /* in the journal: the caller must refuse the publish */
};

/* `holder`: the hash of the user who says it, see queues_holder. They deliver what became free. */
enum queue_answer queue_ack(struct queue *queue, const struct receipt *receipt, uint64_t holder);
enum queue_answer queue_nack(struct queue *queue, const struct receipt *receipt, uint64_t holder,
                             int64_t delay_ms, struct sluice_str reason);
/* A nack that makes it a dead letter at once; it comes again, with the delay, where it can't be one:
 * the dead-letter queue is not there. */
enum queue_answer queue_reject(struct queue *queue, const struct receipt *receipt, uint64_t holder,
                               int64_t delay_ms, struct sluice_str reason);
enum queue_answer queue_extend(struct queue *queue, const struct receipt *receipt, uint64_t holder,
                               int64_t lease_ms);

/* Gives what is ready to who waits. */
void queue_dispatch(struct queue *queue);

/* Timers, retention, offers, redrives. */
void queue_tick(struct queue *queue);
/* When a tick has something to do next, monotonic ms; INT64_MAX = never. */
int64_t queue_next_ms(const struct queue *queue);

/* How long the oldest that is ready has been there; 0 when there is none. */
uint64_t queue_oldest_age_s(const struct queue *queue);

/* Takes its place anew, behind all others, as it is. False when the journal has no room. Frees it. */
bool queue_put_last(struct queue *queue, struct queued *message);

/* False when the journal has no room. */
bool queue_purge(struct queue *queue);

/* Moves up to `limit` of the ready messages to a queue, or (to == "") each to where it comes from. */
void queue_redrive(struct queue *queue, const char *to, uint64_t limit);

/* --- between the files of this folder --- */

/* In memory: READY, or BEHIND another of its group. */
void queue_insert(struct queue *queue, struct queued *message);
/* From LEASED or WAITING to READY. */
void queue_ready_again(struct queue *queue, struct queued *message);
/* From READY, or from another time, to LEASED or WAITING until at_ms. */
void queue_until(struct queue *queue, struct queued *message, enum queued_state state,
                 int64_t at_ms);
/* Gone, with its memory; its group goes on. What it was to its worker is settled. */
void queue_drop(struct queue *queue, struct queued *message);
/* To the dead letters, with the reason, or gone where there are none. False when the journal has no
 * room: nothing happened. */
bool queue_bury(struct queue *queue, struct queued *message, const char *code, const char *text);
void queue_update_gauges(struct queue *queue);

#endif
