/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What the commands that read archives share: which bus and which time they are about, and a walk
 * through its events that ends in time.
 */
#ifndef SLUICE_PLUGIN_CONTROL_ARCHIVE_SCAN_H
#define SLUICE_PLUGIN_CONTROL_ARCHIVE_SCAN_H

#include "archived.h"
#include "command.h"
#include "sluice_store/data.h"

enum {
	SCAN_MS = 250,            /* of one call, so that other commands have their turn */
	SCAN_BYTES = 1024 * 1024, /* of events in an answer, about */
	SCAN_LIMIT = 100,
	SCAN_LIMIT_MAX = 1000,
};

/* To be called when reading it failed: the next command opens it anew. */
void call_data_failed(const struct command_call *call);

/* A member that is a time: RFC 3339, or milliseconds since 1970. `otherwise` when it is not there. */
enum sluice_status call_time(const struct command_call *call, const char *name, int64_t otherwise,
                             int64_t *time_ms, struct sluice_error *error);

/* A member that is an id, as a string of digits; 0 when it is NULL. */
enum sluice_status read_cursor(const struct sluice_json *member, const char *place, uint64_t *id,
                               struct sluice_error *error);

/* The bus that the member "bus" names, else `default`; it must be in force or have an archive. */
enum sluice_status call_archive(const struct command_call *call, struct sluice_data *data,
                                struct sluice_str *bus, struct sluice_error *error);

struct archive_scan;

/* Takes an event; false: the answer is full. */
typedef bool (*archive_scan_fn)(struct archive_scan *scan, const struct sluice_record *row);

struct archive_scan {
	struct command_call *call;
	struct sluice_archive_query query;
	archive_scan_fn take;
	void *arg;
	/* NULL = no event is matched; else `match` says for each which of its patterns it matches */
	struct sluice_matcher *matcher;
	/* the scan's own */
	struct sluice_scratch *scratch;
	struct sluice_match match;
	struct archived archived; /* the row as an event, with a matcher */
	int64_t end_ns;
	size_t scanned;
	uint64_t last_id; /* of the last event that was looked at */
	bool more;        /* it ended before the events did */
	bool no_memory;
	size_t begun; /* bytes of the answer before the first event */
};

/* Reads from, to and after of the command. */
enum sluice_status archive_scan_range(struct archive_scan *scan, struct sluice_error *error);
/* Walks. */
enum sluice_status archive_scan_run(struct archive_scan *scan, struct sluice_data *data,
                                    struct sluice_error *error);
void archive_scan_finish(struct archive_scan *scan);
/* Whether the answer has room for another event. */
bool archive_scan_room(const struct archive_scan *scan);

/* Appends an event as schemas/json/archived-event.schema.json says. */
void data_archived(struct sluice_buffer *data, const struct sluice_record *record);
/* Appends ,"name":"2026-…Z", unless the time is 0. */
void data_time(struct sluice_buffer *data, const char *name, int64_t time_ms);
/* Appends ,"name":"ID": a string, since an id may be larger than what JSON numbers hold elsewhere. */
void data_id(struct sluice_buffer *data, const char *name, uint64_t id);

#endif
