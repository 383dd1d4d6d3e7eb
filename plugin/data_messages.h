/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What crosses between the broker's thread and the data thread, which carries the journal into
 * SQLite (threads.h has the rest: these two share nothing with the store's thread).
 *
 *	broker's thread                                          data thread
 *	              ── frames ──────────────────────>  the journal
 *	              ── ATTACH, LOAD, ARCHIVES, REPLAY_ORDER, REPLAY_PROGRESS ──>  to_data
 *	  from_data   <── OPENED, ROWS, SAID, REPLAY_BEGUN ──
 *
 * Before a request is answered, everything that stood in the journal when it was sent has been
 * carried over. A message is one malloc by the sender and one free by the receiver.
 */
#ifndef SLUICE_PLUGIN_DATA_MESSAGES_H
#define SLUICE_PLUGIN_DATA_MESSAGES_H

#include "sluice/rule.h"
#include "sluice_store/journal.h"
#include "sluice_store/replay.h"

enum data_message_kind {
	/* to the data thread */
	DATA_ATTACH,   /* all that is known of a queue: answered by ROWS */
	DATA_LOAD,     /* the next ready messages: answered by ROWS */
	DATA_ARCHIVES, /* how long each archive keeps its events */
	DATA_REPLAY_ORDER,
	DATA_REPLAY_PROGRESS,
	/* to the broker's thread */
	DATA_OPENED,
	DATA_ROWS,
	DATA_SAID, /* a line for the log */
	DATA_REPLAY_BEGUN,
};

struct data_message {
	enum data_message_kind kind;
};

struct data_request {
	struct data_message message;
	char queue[SLUICE_NAME_MAX + 1];
	char dead_letter[SLUICE_NAME_MAX +
	                 1]; /* ATTACH: whose dead letters stop groups; "" = none */
	uint64_t after;      /* LOAD */
};

/* All archives that are in force. Of one that is not any more, the last word holds. */
struct data_archives {
	struct data_message message;
	size_t count;
	struct data_retention {
		char bus[SLUICE_NAME_MAX + 1];
		int64_t retention_ms;
		uint64_t max_bytes; /* 0 = no bound */
	} archives[];
};

/* --- replays --- */

/* The head of what the broker's thread sends of replays: none of it may be lost or overtaken. */
struct data_replay_message {
	struct data_message message;
	struct data_replay_message *next; /* the sender's, while the ring is full */
};

enum replay_order { REPLAY_START, REPLAY_PAUSE, REPLAY_RESUME, REPLAY_CANCEL };

struct data_replay_order {
	struct data_replay_message head;
	enum replay_order order;
	char name[SLUICE_NAME_MAX + 1];
	/* START: as in struct sluice_replay */
	char bus[SLUICE_NAME_MAX + 1];
	int64_t from_ms, to_ms, speed_milli, started_ms;
	const char *rules, *topic; /* in texts; NULL = none */
	char texts[];
};

/* How far one has come; `pages` were used up since the last word. */
struct data_replay_progress {
	struct data_replay_message head;
	char name[SLUICE_NAME_MAX + 1];
	enum sluice_replay_state state;
	uint64_t position, done, matched;
	unsigned pages;
};

/* One runs, or goes on; its pages follow. */
struct data_replay_begun {
	struct data_message message;
	char name[SLUICE_NAME_MAX + 1];
	char bus[SLUICE_NAME_MAX + 1];
	int64_t speed_milli;
	uint64_t position, done, matched;
	const char *rules, *topic; /* in texts; NULL = none */
	char texts[];
};

/* The files are open. The journal's appending side is the broker's thread's from here on, until the
 * data thread is stopped. */
struct data_opened {
	struct data_message message;
	struct sluice_journal *journal;
	uint64_t last_id;
};

enum data_rows_kind {
	ROWS_DEAD,     /* groups that dead letters stop: before ATTACHED */
	ROWS_ATTACHED, /* `held` ones, and the counts */
	ROWS_LOADED,
	ROWS_DUE,    /* of any queues */
	ROWS_REPLAY, /* events of an archive, of the replay `queue`; complete: there are no more */
	ROWS_SEEN,   /* what deduplication has seen: before DATA_OPENED */
};

struct data_rows {
	struct data_message message;
	enum data_rows_kind kind;
	char queue[SLUICE_NAME_MAX + 1];
	bool done;                     /* false: it could not be read; nothing below counts */
	bool complete;                 /* LOADED: there were no more */
	uint64_t carried_to;           /* the highest id that was carried over */
	uint64_t ready, parked, bytes; /* ATTACHED */
	size_t next;                   /* the receiver's: where the next record is */
	size_t len;
	unsigned char records[]; /* as in a frame of the journal */
};

struct data_said {
	struct data_message message;
	int level; /* MOSQ_LOG_* */
	char text[];
};

#endif
