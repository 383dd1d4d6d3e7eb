/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * An access token by OAuth 2.0's client credentials (RFC 6749, 4.4): asked for once by however many
 * wait for it, kept, and renewed before it expires. On the loop's thread.
 */
#ifndef BRIDGE_HTTP_OAUTH_H
#define BRIDGE_HTTP_OAUTH_H

#include <uv.h>

#include "transfer.h"

struct oauth;

/* Who waits for a token; memory of the caller's. */
struct oauth_waiter {
	struct oauth_waiter *next;
	/* There is a token, oauth_token gives it; or there is none, and why: RETRY. */
	void (*done)(struct oauth_waiter *waiter, const struct verdict *failure);
};

/* NULL when out of memory. The credentials are of the kind "oauth2", and outlive it. */
struct oauth *oauth_create(uv_loop_t *loop, struct curl_loop *curl,
                           const struct credentials *credentials, int64_t timeout_ms);
/* Nobody waits any more. NULL is allowed. */
void oauth_destroy(struct oauth *oauth);

/* The token, NULL when there is none that is still good. One that will not be for long is renewed
 * meanwhile. Lives until the loop's next turn. */
const char *oauth_token(struct oauth *oauth);

/* Asks for one; `done` is called later. False when out of memory. */
bool oauth_wait(struct oauth *oauth, struct oauth_waiter *waiter);
/* Waits no longer. */
void oauth_forget(struct oauth *oauth, struct oauth_waiter *waiter);

/* A server did not accept this token: it is asked for anew, unless it was already. */
void oauth_reject(struct oauth *oauth, const char *token);

#endif
