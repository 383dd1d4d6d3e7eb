/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What stands in the journal: records, each a change of the durable state (a message enters a
 * queue, is leased, acknowledged …). A publish makes one frame of one or more records, which hold
 * together or not at all. The broker's thread writes them; the data thread reads them and carries
 * them into SQLite; at start what was not carried over is read again. The same struct is what comes
 * back from SQLite as a row.
 *
 *	record	[length u32 of what follows][kind u8] then fields, each [tag u8][value]
 *		value of a number: 8 bytes; of a text, receipt, key: [length u32][bytes]
 *
 * Numbers are little-endian. A field that is 0 or absent is not written; tags grow. So a record has one
 * spelling, and any other is damage. A tag that is not known is an error: the file is of a newer
 * Sluice.
 */
#ifndef SLUICE_STORE_RECORD_H
#define SLUICE_STORE_RECORD_H

#include <stdbool.h>

#include "sluice/types.h"

enum sluice_record_kind {
	SLUICE_RECORD_ENQUEUE = 1, /* a message enters `queue` as `id`; parked when due_ms != 0 */
	SLUICE_RECORD_LEASE,   /* it is delivered: attempts, receipt, deadline_ms, worker. Again for
	                              more time */
	SLUICE_RECORD_ACK,     /* it is done, and gone */
	SLUICE_RECORD_RELEASE, /* given back, or its lease ran out: attempts, reason; due_ms != 0:
	                              not before; parked: the data thread brings it when it is due */
	SLUICE_RECORD_MOVE,    /* leaves `queue` for to_queue as new_id: origin, error, enqueued_ms,
	                              attempts as they are to be there; neither leased nor parked */
	SLUICE_RECORD_PURGE,   /* all of `queue` with an id up to this one is gone */
	SLUICE_RECORD_SEEN, /* the dedup key was seen in the scope `queue`, until dedup_until_ms */
	SLUICE_RECORD_ARCHIVE, /* an event enters the archive of the bus `queue` as `id` */
	SLUICE_RECORD_FIRED,   /* the schedule of the rule `rule` ran for time_ms */
};

enum { SLUICE_RECEIPT_BYTES = 12 };

/* Which members count is said by the kind, see above; the others are 0 or absent. */
struct sluice_record {
	enum sluice_record_kind kind;
	struct sluice_str queue;
	uint64_t id; /* grows through all queues and archives; never used twice; up to 2^63 - 1 */
	struct sluice_str to_queue;
	uint64_t new_id;
	/* the event */
	struct sluice_str event_id;
	int64_t time_ms; /* when it was taken in, since the epoch */
	struct sluice_str bus;
	struct sluice_str rule;
	struct sluice_str target;
	struct sluice_str topic; /* of the publish; of a delayed topic target: where it goes */
	struct sluice_str client_id, username;
	uint8_t qos;
	bool retain;
	struct sluice_str
	        properties; /* MQTT 5's, see plugin/properties_pack.h; not looked into here */
	struct sluice_str payload;
	/* in its queue */
	int64_t enqueued_ms;
	int64_t due_ms; /* 0 = at once */
	bool parked;
	struct sluice_str group; /* absent = none */
	uint32_t attempts;
	unsigned char receipt[SLUICE_RECEIPT_BYTES]; /* all 0 = none */
	int64_t deadline_ms;
	struct sluice_str
	        worker; /* the client that it was delivered to; absent = a bare subscriber */
	struct sluice_str reason;
	struct sluice_str origin; /* of a dead letter: the queue that it comes from */
	struct sluice_str error;  /* of a dead letter: a JSON object that tells why */
	/* deduplication */
	unsigned char dedup[16];
	int64_t dedup_until_ms; /* 0 = none */
};

/* Bytes that the record takes. */
size_t sluice_record_size(const struct sluice_record *record);

/* Writes it to `out`, which has sluice_record_size bytes. Returns that size. */
size_t sluice_record_write(const struct sluice_record *record, unsigned char *out);

/*
 * Reads the record at *offset of a frame and moves *offset behind it. Texts point into the frame.
 * Every length is checked, and that what the kind can't do without is there: queue and id, MOVE's
 * to_queue and new_id, SEEN's dedup_until_ms, FIRED's rule and time_ms. SLUICE_ERR_CORRUPT, _VERSION
 * (a kind or tag that is not known), with the offset in the frame; *offset then stays.
 */
enum sluice_status sluice_record_read(const unsigned char *frame, size_t len, size_t *offset,
                                      struct sluice_record *record, struct sluice_error *error);

#endif
