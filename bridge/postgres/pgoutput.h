/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Reads what PostgreSQL's plugin pgoutput says, protocol version 1 (PostgreSQL's documentation,
 * "Logical Replication Message Formats"): the changes of transactions that were committed, one transaction
 * after another in the order of their commits. Bytes in, change records out; knows no connection.
 *
 *	Begin  (Relation | Type | Origin | Insert | Update | Delete | Truncate)*  Commit
 *
 * A table is described by a Relation before its first change, and again when it was altered.
 */
#ifndef BRIDGE_POSTGRES_PGOUTPUT_H
#define BRIDGE_POSTGRES_PGOUTPUT_H

#include "change_record.h"

struct pgoutput;

/* A place in the log, and the how manieth change of the transaction that was committed there. */
struct pgoutput_place {
	uint64_t commit_lsn;
	uint64_t index; /* from 1 */
};

/* <0, 0, >0 */
int pgoutput_place_compare(struct pgoutput_place a, struct pgoutput_place b);

/* Takes a record, which is valid during the call. What is not SLUICE_OK ends the reading with it. */
typedef enum sluice_status (*pgoutput_record_fn)(void *arg, struct pgoutput_place place,
                                                 const struct change_record *record,
                                                 struct sluice_error *error);

/*
 * database	the records' "database"
 * id_prefix	what their eventIDs begin with, before the sequence number; nobody else's
 * Both are copied. NULL when out of memory.
 */
struct pgoutput *pgoutput_create(struct sluice_str database, struct sluice_str id_prefix);
void pgoutput_destroy(struct pgoutput *decoder);

/* A new connection: tables are described anew, and no transaction is under way. */
void pgoutput_reset(struct pgoutput *decoder);

/*
 * Says which columns are a table's primary key, where its REPLICA IDENTITY (FULL) does not. Kept over a
 * reset. `columns` is an array of names as JSON. SLUICE_ERR_NOMEM, or _INVALID.
 */
enum sluice_status pgoutput_set_key(struct pgoutput *decoder, uint32_t relation,
                                    struct sluice_str columns, struct sluice_error *error);

/*
 * Reads one message and gives its records, none, one, or (Truncate) several.
 *
 * committed	gets where the log goes on after the transaction, when this was its Commit; else 0
 *
 * Errors: SLUICE_ERR_CORRUPT (no message of version 1), _LIMIT (a record that no MQTT packet holds),
 * _NOMEM, and what `record` answered. Nothing can be read after one, but for a reset.
 */
enum sluice_status pgoutput_read(struct pgoutput *decoder, struct sluice_str message,
                                 pgoutput_record_fn record, void *arg, uint64_t *committed,
                                 struct sluice_error *error);

/* Whether a transaction has begun that was not committed yet. */
bool pgoutput_in_transaction(const struct pgoutput *decoder);

#endif
