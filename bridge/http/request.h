/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The settings of an http target or enrichment, compiled, and what they make of events. */
#ifndef BRIDGE_HTTP_REQUEST_H
#define BRIDGE_HTTP_REQUEST_H

#include "delivery.h"
#include "message.h"
#include "outlet.h"

struct http_request;

/*
 * Compiles checked settings.
 *
 * batch	events come in batches: the body is an array, even of one
 *
 * Errors: SLUICE_ERR_INVALID (a constant address that is no URL, a header's name that can be none,
 * events as CloudEvents in headers in batches), _NOMEM.
 */
enum sluice_status http_request_create(const struct sluice_bridge_kind *kind,
                                       const struct sluice_json *settings, bool batch,
                                       struct http_request **request, struct sluice_error *error);
/* NULL is allowed. */
void http_request_destroy(struct http_request *request);

/*
 * Makes the message of events: `count` of them in a batch, else one. Address, query and headers are
 * made of the first.
 *
 * message	initialized and empty
 *
 * Errors: those of sluice_text_template_expand and sluice_transform_apply; all but _NOMEM will be the
 * same whenever it is tried again.
 */
enum sluice_status http_request_make(const struct http_request *request,
                                     struct delivery *const *deliveries, size_t count,
                                     struct http_message *message, struct sluice_error *error);

/* The headers that all HTTP deliveries of one event have: sluice-id, sluice-topic, sluice-attempt,
 * Idempotency-Key, as far as the message has none of that name. */
void http_add_event_headers(const struct delivery *delivery, struct http_message *message);

#endif
