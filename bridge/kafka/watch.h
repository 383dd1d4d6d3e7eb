/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A librdkafka handle on the loop: its queue writes a byte to a pipe when something comes, and the loop
 * polls it then, without waiting. What ends one may wait, and has a thread.
 */
#ifndef BRIDGE_KAFKA_WATCH_H
#define BRIDGE_KAFKA_WATCH_H

#include <stdbool.h>

#include <librdkafka/rdkafka.h>
#include <uv.h>

struct kafka_watch;

/* On the loop's thread, when there may be something, and about once a second. */
typedef void (*kafka_poll_fn)(void *arg);

/* Watches the queue of `rk`, which is taken: kafka_watch_end destroys it. NULL when out of memory or
 * files: then it is the caller's still. */
struct kafka_watch *kafka_watch_begin(uv_loop_t *loop, rd_kafka_t *rk, rd_kafka_queue_t *queue,
                                      kafka_poll_fn poll, void *arg);

/* Calls no `poll` any more. On a thread the consumer is closed, if it is one, and the handle destroyed;
 * then `ended` is called on the loop's. */
void kafka_watch_end(struct kafka_watch *watch, bool consumer, void (*ended)(void *arg), void *arg);

#endif
