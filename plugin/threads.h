/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * All that crosses between the broker's thread (callbacks, matching, deliveries) and the store's
 * (rules in SQLite, parsing of commands, compiling, answers, schedules). There is no other shared
 * state, and no lock. What crosses to and from the data thread is in data_messages.h.
 *
 *	broker's thread                                      store's thread
 *	             ── REQUEST, TAPPED, GARBAGE ──>  to_store
 *	  to_broker  <── CHANGE_RULE, CHANGE_BUS, CHANGE_QUEUE, TAP_START, TAP_STOP, ANSWER, LOG,
 *	                  QUEUE_ORDER, FIRE, REPLAY ──
 *
 * Both rings keep order, so an answer is sent after the changes it tells of are in force. A
 * message is one malloc by the sender and one free by the receiver, with the pattern that it brings.
 *
 * What both look at while it lives:
 * - compiled rules, buses and queues (struct rule_entry, struct definition): immutable. The store's
 *   thread makes them; the broker's uses them from CHANGE until it gives them back as GARBAGE; then
 *   the store's frees them;
 * - counters (struct metrics, struct rule_record, struct queue_record, struct tap, and those of
 *   struct durable): atomics;
 * - samples (struct rule_record): the broker's thread swaps a new one in and gives the old one back
 *   as GARBAGE, which the store's thread, their only reader, frees;
 * - struct asker: `gone` is an atomic; the rest is written before it is first sent.
 */
#ifndef SLUICE_PLUGIN_THREADS_H
#define SLUICE_PLUGIN_THREADS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "metrics.h"
#include "queue/queue.h"
#include "sluice/matcher.h"
#include "sluice_store/definition.h"

/* --- what is given back to the store's thread to be freed --- */

enum garbage_kind {
	GARBAGE_RULE,
	GARBAGE_BUS,
	GARBAGE_QUEUE,
	GARBAGE_DEFINITION,
	GARBAGE_SAMPLE,
	GARBAGE_TAP,
	GARBAGE_ASKER
};

/* The head of everything that can be given back: giving back never allocates. */
struct garbage {
	enum garbage_kind kind;
	struct garbage *next;
};

/* --- rules, buses and queues --- */

enum { RULE_SAMPLES = 4, SAMPLE_TOPIC_MAX = 256 };

/* An event that a rule in the state SHADOW matched. */
struct sample {
	struct garbage garbage;
	int64_t time_ms;
	char topic[SAMPLE_TOPIC_MAX]; /* NUL-terminated, cut at a character */
};

/* What lasts of a rule from one of its versions to the next. */
struct rule_record {
	char name[SLUICE_NAME_MAX + 1];
	counter matched, delivered, failed;
	counter last_match_ms; /* 0 = never */
	_Atomic(struct sample *) samples[RULE_SAMPLES];
	/* the broker's thread only */
	int64_t last_sample_ms;
	unsigned next_sample;
	bool on_sys; /* has $SYS topics of its own; see sys.c */
	uint64_t sys_sent[3];
	/* the store's thread only; see registry.c */
	size_t references;
	struct rule_entry *current;
	char *waiting; /* its row's text while its bus is missing; else NULL */
	int64_t revision;
	bool faulty; /* its row, as it stands, is not in force */
	struct rule_record *next;
};

/* What a bus or queue says of itself. */
struct definition {
	struct garbage garbage;
	struct sluice_definition content;
	/* Of a bus whose archive has a pattern: a matcher of its own, the broker's thread's. */
	struct sluice_matcher *archive;
};

/* The head of a bus and of a queue. Lives from its first CHANGE until its GARBAGE. */
struct defined {
	struct garbage garbage;
	enum sluice_store_kind kind;
	char name[SLUICE_NAME_MAX + 1];
	/* the broker's thread only */
	struct definition *definition;
	/* the store's thread only */
	struct definition *current;
	int64_t revision;
	bool faulty;
	struct defined *next;
};

struct bus_record {
	struct defined head;
	/* the broker's thread only */
	struct sluice_matcher *matcher; /* its rules; an id is the address of a struct rule_entry */
	uint64_t visited;               /* the number of the last event that visited it */
};

struct queue_record {
	struct defined head;
	struct queue_numbers numbers; /* the broker's thread writes them, any reads them */
};

/* One version of a rule. */
struct rule_entry {
	struct garbage garbage;
	struct sluice_rule *rule;
	struct rule_record *record;
	struct bus_record *bus;
	/* the broker's thread only */
	bool matching; /* stands in its bus's matcher */
	struct rule_entry
	        *stand_in; /* the version that stays in force, since this could not be added */
};

/* --- clients that ask and tap --- */

/* A connection of a client that used a control topic. */
struct asker {
	struct garbage garbage;
	uint64_t serial; /* never used twice: a client that comes back is another asker */
	char *client_id;
	atomic_bool gone;   /* disconnected: its requests need no more work */
	const void *client; /* the broker's thread only; compared, never followed */
	struct asker *next; /* the broker's thread only */
};

/* Whoever follows what a pattern would match. */
struct tap {
	struct garbage garbage;
	uint64_t id;
	uint64_t asker;                 /* serial */
	struct sluice_matcher *matcher; /* of its one pattern */
	char bus[SLUICE_NAME_MAX + 1];
	char rule[SLUICE_NAME_MAX + 1]; /* whose pattern it is; "" when it was given as a pattern */
	int64_t lease_ms;
	int64_t rate; /* events a second */
	counter seen, left_out;
	/* the broker's thread only */
	int64_t end_ms;
	int64_t refilled_ms;
	int64_t tokens_milli; /* thousandths of an event that may be sent now */
	struct tap *next;
	/* the store's thread only */
	bool stopped;
	struct tap *next_known;
};

/* --- messages --- */

enum message_kind {
	/* to the store's thread */
	MESSAGE_REQUEST,
	MESSAGE_TAPPED,
	MESSAGE_GARBAGE,
	/* to the broker's thread */
	MESSAGE_CHANGE_RULE,
	MESSAGE_CHANGE_BUS,
	MESSAGE_CHANGE_QUEUE,
	MESSAGE_TAP_START,
	MESSAGE_TAP_STOP,
	MESSAGE_ANSWER,
	MESSAGE_LOG,
	MESSAGE_QUEUE_ORDER,
	MESSAGE_FIRE,
	MESSAGE_REPLAY,
};

struct message {
	enum message_kind kind;
};

/* A publish to a control topic, by a client that the gate let in. Each gets one ANSWER. */
struct request_message {
	struct message message;
	struct asker *asker;
	bool view; /* came on the topic that only reads */
	size_t len;
	char payload[];
};

enum { TAP_PAYLOAD_MAX = 262144 }; /* what a tap shows of a payload */

/* An event for a tap; `bytes` holds topic, client id, username and payload, one after another. */
struct tapped_message {
	struct message message;
	uint64_t tap;
	uint64_t asker;
	char rule[SLUICE_NAME_MAX + 1];
	int64_t time_ms;
	uint64_t left_out;
	size_t topic, client_id, username; /* lengths; SIZE_MAX = absent */
	size_t payload;                    /* length of what is here */
	size_t payload_bytes;              /* length of the whole */
	int8_t qos, retain;
	char bytes[];
};

struct garbage_message {
	struct message message;
	struct garbage *first;
};

/* old == NULL: a new rule; now == NULL: a rule that is gone. */
struct change_rule_message {
	struct message message;
	struct rule_entry *old;
	struct rule_entry *now;
	/* of `now`, taken out of its rule; the receiver's to free once a matcher has it */
	struct sluice_pattern *pattern;
};

/* CHANGE_BUS, CHANGE_QUEUE. definition == NULL: it is gone; on a bus no rule is left. */
struct change_defined_message {
	struct message message;
	struct defined *defined;
	struct definition *definition;
};

struct tap_start_message {
	struct message message;
	struct tap *tap;
};

/* By its id: the tap itself may have ended since. */
struct tap_stop_message {
	struct message message;
	uint64_t tap;
};

struct answer_message {
	struct message message;
	uint64_t asker;
	bool event;         /* a tapped event: no request waits for it */
	size_t request_len; /* of the request that it answers */
	char topic[128];
	size_t len;
	char payload[];
};

/* Something to be done to a queue's messages. */
enum queue_order { QUEUE_PURGE, QUEUE_REDRIVE };

struct queue_order_message {
	struct message message;
	enum queue_order order;
	char queue[SLUICE_NAME_MAX + 1];
	char to[SLUICE_NAME_MAX + 1]; /* REDRIVE; "" = each to where it comes from */
	uint64_t limit;
};

/* A rule's schedule is due. */
struct fire_message {
	struct message message;
	struct rule_entry *entry;
	int64_t time_ms; /* for which it runs */
	bool note;       /* it does not run: it is only noted that it is known from then on */
	struct fire_message *next; /* the broker's thread only */
};

/* Something to be done to a replay, by the data thread: the receiver passes it on. */
struct replay_message {
	struct message message;
	struct data_replay_order *order;
};

struct log_message {
	struct message message;
	int level; /* MOSQ_LOG_* */
	char text[];
};

#endif
