/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A change of a row, as the sources that watch a database publish it: DynamoDB Streams' shape
 * (schemas/json/change-record.schema.json). One writer for all of them, so that a pattern written for
 * one fits the other.
 */
#ifndef BRIDGE_CHANGE_RECORD_H
#define BRIDGE_CHANGE_RECORD_H

#include "sluice/buffer.h"

enum change_event {
	CHANGE_INSERT,
	CHANGE_MODIFY,
	CHANGE_REMOVE,
	CHANGE_TRUNCATE, /* all rows at once; DynamoDB knows no such thing */
};

/* What is absent is left out. Nothing is owned. */
struct change_record {
	struct sluice_str event_id;
	enum change_event event;
	struct sluice_str source; /* "postgres", "sqlite" */
	struct sluice_str database;
	struct sluice_str schema;
	struct sluice_str table;
	struct sluice_str keys, new_image, old_image; /* JSON objects; absent keys are {} */
	struct sluice_str unchanged; /* a JSON array of the columns that new_image lacks */
	struct sluice_str sequence_number;
	struct sluice_str time; /* RFC 3339 */
};

/* Appends it as one line of JSON. Failure is in the buffer's `failed`. */
void change_record_write(const struct change_record *record, struct sluice_buffer *buf);

/* Appends `"name":`, with a comma before all but the first, for which *any is false. */
void change_write_name(struct sluice_buffer *buf, bool *any, struct sluice_str name);

/* Appends the text as the number that it is; what JSON has no number for (NaN) as a string. */
void change_write_number(struct sluice_buffer *buf, struct sluice_str text);

/* Appends JSON text as the value that it is; a string of it when it is not well-formed, or nests so
 * deep that the event would be taken for text. */
void change_write_json(struct sluice_buffer *buf, struct sluice_str text);

/* Appends bytes that stand in hexadecimal digits as a string of base64; what is none as it is. */
void change_write_hex(struct sluice_buffer *buf, struct sluice_str digits);

/* Appends microseconds since 1970 as RFC 3339. */
void change_write_time(struct sluice_buffer *buf, int64_t unix_us);

#endif
