/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The broker's log, on its thread alone (its logging is not made for two threads; the store's
 * thread sends its lines over: see store_thread.h). What an event can cause is limited to a line
 * of each kind every few seconds, with a count of those left out.
 */
#ifndef SLUICE_PLUGIN_LOG_H
#define SLUICE_PLUGIN_LOG_H

#include <stdint.h>

/* What may come with each event or request, each kind with a limit of its own. */
enum log_kind {
	LOG_DELIVERY_FAILED,
	LOG_OVER_LIMIT,
	LOG_PROTECTED,
	LOG_GATE,
	LOG_UNDECIDED,
	LOG_MEMORY,
	LOG_NO_ROOM,
	LOG_QUEUE,
	LOG_WILLS,
	LOG_KINDS,
};

struct log {
	struct {
		int64_t next_ms;
		uint64_t left_out;
	} kinds[LOG_KINDS];
};

/* A line, "sluice: …". level is MOSQ_LOG_*. Control characters in what is inserted are shown as
 * '?'. */
void log_line(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same at most every 5 s for each kind. now_ms: any clock that doesn't go back. */
void log_limited(struct log *log, enum log_kind kind, int64_t now_ms, int level, const char *format,
                 ...) __attribute__((format(printf, 5, 6)));

#endif
