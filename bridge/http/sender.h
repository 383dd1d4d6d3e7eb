/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What an outlet over HTTP, or an enricher, has under way: each call, and whose deliveries it carries. */
#ifndef BRIDGE_HTTP_SENDER_H
#define BRIDGE_HTTP_SENDER_H

#include "call.h"

struct http_sender;

/* A call has ended: ends its deliveries, all of them. `answer` as in http_done_fn. */
typedef void (*http_answered_fn)(struct delivery *const *deliveries, size_t count,
                                 const struct verdict *verdict, struct transfer *answer);

/* An http_answered_fn: ends each as the verdict says. */
void http_end_all(struct delivery *const *deliveries, size_t count, const struct verdict *verdict,
                  struct transfer *answer);

/* As http_client_create. */
enum sluice_status http_sender_create(const struct outlet_context *context,
                                      const struct http_rules *rules, http_answered_fn answered,
                                      struct http_sender **sender, struct sluice_error *error);

/* Sends a message, which it takes, for these deliveries. The array is the caller's. */
void http_sender_send(struct http_sender *sender, struct http_message *message,
                      struct delivery *const *deliveries, size_t count);

/* Lets go what is under way, and frees it. NULL is allowed. */
void http_sender_close(struct http_sender *sender);

#endif
