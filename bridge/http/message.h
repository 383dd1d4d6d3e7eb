/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* An HTTP request that is made and not sent yet: it may be sent more than once, to where a redirect
 * leads, and with a new token. */
#ifndef BRIDGE_HTTP_MESSAGE_H
#define BRIDGE_HTTP_MESSAGE_H

#include "sluice/buffer.h"

enum {
	HTTP_URL_MAX = 65536,
	HTTP_HEADERS_MAX = 65536,
	HTTP_BODY_MAX = 268435456, /* as MQTT's largest payload */
};

/* Zeroed memory is an empty one, but for its limits: http_message_init. Failure to grow is in the
 * buffers' `failed`. */
struct http_message {
	const char *method; /* static */
	struct sluice_buffer url;
	struct sluice_buffer headers; /* name, NUL, value, NUL, and so on */
	struct sluice_buffer body;
	struct sluice_buffer id; /* of the event, for its signature */
};

void http_message_init(struct http_message *message);
void http_message_finish(struct http_message *message);

/* Whether a text can be a header's name (RFC 9110, 5.6.2), or the value of one: no control
 * characters. */
bool http_is_token(struct sluice_str text);
bool http_is_value(struct sluice_str text);

/* Adds a header, whose name is a token and whose value is one: asserted. */
void http_message_header(struct http_message *message, const char *name, struct sluice_str value);
/* The value of the first header of that name, in any case of letters; NULL when there is none. */
const char *http_message_find(const struct http_message *message, const char *name);

/* The next header behind `at` (NULL: the first), NULL at the end: its name. */
const char *http_message_next(const struct http_message *message, const char *at);
/* The value of the header of that name, which was given by http_message_next. */
const char *http_header_value(const char *name);

/* Adds name=value to the query of the URL, both encoded. */
void http_message_query(struct http_message *message, struct sluice_str name,
                        struct sluice_str value);

#endif
