/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What a target or a queue says of when, and how often, an event is delivered: a delay, and which
 * events count as one. Immutable after parsing; may be used from any thread.
 */
#ifndef SLUICE_DELIVERY_H
#define SLUICE_DELIVERY_H

#include <stdbool.h>

#include "sluice/json.h"
#include "sluice/transform.h"

/* --- delay_ms: a number of milliseconds, or a path to one in the event --- */

#define SLUICE_DELAY_MAX_MS INT64_C(31536000000) /* a year */

struct sluice_delay;

/* *delay is the caller's to free with sluice_delay_destroy; NULL when node is. Errors:
 * SLUICE_ERR_INVALID, _SYNTAX (a path), _LIMIT, _NOMEM. */
enum sluice_status sluice_delay_from_json(const struct sluice_json *node,
                                          struct sluice_delay **delay, struct sluice_error *error);
/* NULL is allowed. */
void sluice_delay_destroy(struct sluice_delay *delay);
/* Which members of `$mqtt` it reads; whether it reads through the payload (see transform.h). */
unsigned sluice_delay_metadata(const struct sluice_delay *delay);
bool sluice_delay_reads_payload(const struct sluice_delay *delay);

/*
 * The delay of an event: 0 when it has nothing at the path, or null. A number may be a string too, as
 * in a user property. SLUICE_ERR_INVALID: it has something else there, or more than a year.
 */
enum sluice_status sluice_delay_of(const struct sluice_delay *delay,
                                   const struct sluice_event *event, int64_t *delay_ms,
                                   struct sluice_error *error);

/* --- deduplication: {"key": a path or "content", "window_s": 300} --- */

enum {
	SLUICE_DEDUPLICATION_BYTES = 16,
	SLUICE_DEDUPLICATION_WINDOW_S = 300, /* when it is not said */
	SLUICE_DEDUPLICATION_MAX_S = 86400 * 30,
};

struct sluice_deduplication;

/* As sluice_delay_from_json and so on. */
enum sluice_status sluice_deduplication_from_json(const struct sluice_json *node,
                                                  struct sluice_deduplication **deduplication,
                                                  struct sluice_error *error);
void sluice_deduplication_destroy(struct sluice_deduplication *deduplication);
unsigned sluice_deduplication_metadata(const struct sluice_deduplication *deduplication);
bool sluice_deduplication_reads_payload(const struct sluice_deduplication *deduplication);
int64_t sluice_deduplication_window_ms(const struct sluice_deduplication *deduplication);
void sluice_deduplication_write(const struct sluice_deduplication *deduplication,
                                struct sluice_buffer *buf);

/*
 * What is the same for events that count as one: a hash of the value at the path, or of `payload`
 * (what is delivered). Values that are written alike are the same: 1 and "1", not 1 and 1.0.
 *
 * scratch	used and emptied
 *
 * SLUICE_ERR_NOT_FOUND: the event has nothing there, or null, and is no duplicate of any; _NOMEM.
 */
enum sluice_status sluice_deduplication_key(const struct sluice_deduplication *deduplication,
                                            const struct sluice_event *event,
                                            struct sluice_str payload,
                                            struct sluice_buffer *scratch,
                                            unsigned char key[SLUICE_DEDUPLICATION_BYTES]);

#endif
