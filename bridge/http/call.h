/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A message is sent and its answer judged: with the connection's credentials, a token asked for where
 * they need one, redirects followed as far as that is allowed. What the http and push targets and the
 * http enrichment share. On the loop's thread.
 */
#ifndef BRIDGE_HTTP_CALL_H
#define BRIDGE_HTTP_CALL_H

#include "message.h"
#include "outlet.h"
#include "transfer.h"

struct http_client;
struct http_call;

struct http_rules {
	int64_t redirects;      /* how many are followed */
	bool private_addresses; /* may the address of the message be private; and that of a redirect? */
	bool private_redirects;
	bool http2;
	size_t max_response; /* of the answer's body: what is kept */
};

/* One for each outlet or enricher. The context's credentials outlive it. Errors: those of
 * http_auth_check. */
enum sluice_status http_client_create(const struct outlet_context *context,
                                      const struct http_rules *rules, struct http_client **client,
                                      struct sluice_error *error);
/* All calls have ended. NULL is allowed. */
void http_client_destroy(struct http_client *client);

/*
 * It has ended. `answer` is the last transfer, for its body; NULL when there was none (no token).
 * Both live as long as this call; then the call is gone.
 */
typedef void (*http_done_fn)(void *arg, const struct verdict *verdict, struct transfer *answer);

/* Makes a call. Takes the message, on failure too (NULL: out of memory). */
struct http_call *http_call_create(struct http_client *client, struct http_message *message,
                                   http_done_fn done, void *arg);
/* Begins it. `done` is called once, as a rule later, from within this where there is no memory. */
void http_call_begin(struct http_call *call);
/* Ends it; its `done` is not called. */
void http_call_cancel(struct http_call *call);

#endif
