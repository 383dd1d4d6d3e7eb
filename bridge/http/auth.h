/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What a connection adds to an HTTP request, so that the other side knows who asks. */
#ifndef BRIDGE_HTTP_AUTH_H
#define BRIDGE_HTTP_AUTH_H

#include "credentials.h"
#include "message.h"

/* Whether a connection (NULL = none) is one that HTTP has a use for, its secrets are there, and can
 * stand in a request. Errors: SLUICE_ERR_INVALID, _NOMEM, and those of transfer_check_files. */
enum sluice_status http_auth_check(const struct credentials *credentials,
                                   struct sluice_error *error);

/*
 * Adds what the connection says: headers, or a member of the query, to `addition`, an empty message but
 * for its URL, which it has from the message. Headers of it go before those of the message.
 *
 * message	what is to be sent, to be signed
 * token	of the kind "oauth2"; else not looked at
 * now_s	since 1970
 *
 * Failure is in the buffers' `failed`.
 */
void http_auth_add(const struct credentials *credentials, const struct http_message *message,
                   const char *token, int64_t now_s, struct http_message *addition);

#endif
