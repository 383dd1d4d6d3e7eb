/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The source kind `webhook`: an HTTP server whose requests become publishes.
 *
 *	webhook.c   a source: its path, who may call it, what it makes of a request
 *	listener.c  an address that sources share: libmicrohttpd on the loop, connections and their bounds
 *	request.c   a request from its headers to its answer
 *	access.c    who may call; signature.c, seen.c below it
 *
 * A request is answered by its headers where they are enough to refuse it: nothing was allocated for it
 * then. One that is taken is suspended until the broker's PUBACK, and has its answer with that.
 * Everything is on the loop's thread.
 */
#ifndef BRIDGE_WEBHOOK_WEBHOOK_H
#define BRIDGE_WEBHOOK_WEBHOOK_H

#include <microhttpd.h>
#include <uv.h>

#include "kinds.h"
#include "access.h"
#include "sluice/buffer.h"

enum {
	WEBHOOK_METHODS_MAX = 8,
	WEBHOOK_HEADERS_MAX = 32,
	WEBHOOK_BUFFERED_MAX = 67108864, /* bytes of bodies that a listener holds at a time */
	WEBHOOK_CONNECTIONS_MAX = 512,
	WEBHOOK_CONNECTIONS_PER_ADDRESS = 128,
	WEBHOOK_IDLE_S = 10,
	WEBHOOK_ID_SIZE = 33,
};

/* The answers that need nothing of the request; made once for each listener. */
enum webhook_answer {
	WEBHOOK_BAD_REQUEST,
	WEBHOOK_FORBIDDEN,
	WEBHOOK_NOT_FOUND,
	WEBHOOK_TOO_LARGE,
	WEBHOOK_BUSY,       /* 503, soon again: the same request is under way, or too much is */
	WEBHOOK_NO_BROKER,  /* 503, again in a while */
	WEBHOOK_IMPOSSIBLE, /* 422: no topic can be made of it, now or later */
	WEBHOOK_ANSWERS
};

struct listener;
struct request;
struct webhook;

/* A publish that waits for its PUBACK; outlives its request when that was answered before. */
struct webhook_publish {
	struct webhook_publish *next, *previous; /* of its webhook */
	struct webhook *webhook;
	struct request *request; /* NULL: nobody waits */
	unsigned char key[SEEN_KEY_BYTES];
	bool has_key;
};

struct webhook {
	struct inlet inlet;
	struct source *source;
	struct listener *listener;
	struct webhook *next;   /* of its listener */
	struct sluice_str name; /* of the source */
	char *path;             /* begins with '/', and ends in none, but for "/" alone: "" */
	const char *methods[WEBHOOK_METHODS_MAX];
	size_t method_count;
	const char *headers[WEBHOOK_HEADERS_MAX]; /* that become user properties */
	size_t header_count;
	bool needs_topic; /* its topic is made of the path below its own */
	size_t max_bytes;
	int64_t tolerance_s, timeout_s;
	int64_t said_ms; /* when it was last told that the broker refuses */
	struct access *access;
	struct seen seen;
	struct webhook_publish *publishes;
	struct request *requests;
	struct MHD_Response *not_allowed; /* 405, with Allow */
	struct MHD_Response *who;         /* 401, with WWW-Authenticate; NULL: 403 */
};

/* Answers 503 what waits for its PUBACK since before that time. */
void webhook_expire(struct webhook *webhook, int64_t before_ms);

/* --- listener.c --- */

/*
 * Has the webhook's requests come to it: opens the address, or joins who listens there. `path` was set.
 *
 * listen		"127.0.0.1:8080", "[::1]:8080"
 * certificate, key	files, both or neither; the same for all who share an address
 */
enum sluice_status listener_join(struct webhook *webhook, uv_loop_t *loop, struct sluice_str listen,
                                 struct sluice_str certificate, struct sluice_str key,
                                 struct sluice_error *error);
/* No request comes to it any more; those that wait are answered 503. */
void listener_leave(struct webhook *webhook);

/* The webhook of the longest path that the request's begins with; NULL when there is none. */
struct webhook *listener_find(const struct listener *listener, const char *path);
/* Queues one of the answers. */
enum MHD_Result listener_answer(const struct listener *listener, struct MHD_Connection *connection,
                                enum webhook_answer answer);
/* Sends "too large" in the middle of a body, where libmicrohttpd has no way to, and ends the
 * connection. */
enum MHD_Result listener_cut(const struct listener *listener, struct MHD_Connection *connection);
/* A request was suspended, or has its answer and goes on. */
void listener_suspend(struct listener *listener, struct MHD_Connection *connection);
void listener_resume(struct listener *listener, struct MHD_Connection *connection);
/* Counts bytes of bodies. False when there is no room for so many more. */
bool listener_buffer(struct listener *listener, size_t more);
void listener_unbuffer(struct listener *listener, size_t bytes);
int64_t listener_now_ms(const struct listener *listener);

/* --- request.c --- */

/* MHD_AccessHandlerCallback; cls is the listener. */
enum MHD_Result request_handle(void *cls, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_size, void **request);
/* MHD_RequestCompletedCallback */
void request_completed(void *cls, struct MHD_Connection *connection, void **request,
                       enum MHD_RequestTerminationCode code);
/* Answers it 503 if it waits for its PUBACK since before that time. */
void request_expire(struct request *request, int64_t before_ms);
/* The next of its webhook. */
struct request *request_next(const struct request *request);
/* Its webhook goes: it is answered 503. */
void request_orphan(struct request *request);
/* published_fn; arg is a webhook_publish. */
void request_published(void *arg, enum published how, const char *reason);

#endif
