/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * One request by libcurl and its answer: what all targets over curl need. One for each request; the
 * connections are kept by the curl_loop, so that a new one costs microseconds. On the loop's thread.
 *
 *	struct transfer *transfer = transfer_create(&setup);
 *	if (transfer && transfer_url(transfer, url) && transfer_header(transfer, "Accept", "text/plain")) {
 *		sluice_buffer_append_str(&transfer->request, body);
 *		if (transfer_method(transfer, "POST") && transfer_start(transfer, on_done, arg))
 *			return;
 *	}
 *	transfer_destroy(transfer);	(all that fails here is out of memory)
 *
 * on_done reads transfer->verdict, and destroys the transfer.
 */
#ifndef BRIDGE_TRANSFER_H
#define BRIDGE_TRANSFER_H

#include <curl/curl.h>

#include "credentials.h"
#include "sluice/buffer.h"
#include "verdict.h"

struct curl_loop;
struct transfer;

/* It has ended; not called when it is destroyed before. */
typedef void (*transfer_done_fn)(void *arg, struct transfer *transfer);

struct transfer_setup {
	struct curl_loop *curl;
	const char *protocols;                 /* libcurl's names: "http,https", "smtp,smtps" */
	const struct credentials *credentials; /* whose TLS files are used; NULL = none */
	int64_t timeout_ms;                    /* of the whole */
	size_t max_response;                   /* bytes of the answer's body that are kept */
	bool refuse_private; /* no connection to an address that address_is_private */
};

struct transfer {
	CURL *easy; /* a kind sets its own options here, before transfer_start */
	struct sluice_buffer
	        request; /* the body to send; the caller fills it before transfer_method */
	/* When it has ended: */
	struct sluice_buffer response; /* the body of the answer, as far as it is kept */
	bool response_cut;             /* there was more of it */
	long status;                   /* of the answer, HTTP or SMTP; 0 = there was none */
	CURLcode result;
	struct verdict verdict; /* as for HTTP; other protocols judge by status and result */

	/* transfer.c's own. */
	struct curl_loop *curl;
	transfer_done_fn done;
	void *arg;
	struct curl_slist *headers;
	char *host; /* host and port of the URL, for people; "" = it is no URL */
	int64_t timeout_ms;
	size_t max_response, dropped, sent;
	bool refuse_private, refused, running;
	char error[CURL_ERROR_SIZE];
};

/* Whether the TLS files of a connection (NULL = none) can be read: told when a target is opened, so
 * that nobody has to find it out from the first event. */
enum sluice_status transfer_check_files(const struct credentials *credentials,
                                        struct sluice_error *error);

/*
 * Makes one: no signals, no user in the URL, TLS verified and at least 1.2, our user agent, the
 * environment's proxies (https_proxy, no_proxy), no redirects.
 *
 * Returns NULL when out of memory.
 */
struct transfer *transfer_create(const struct transfer_setup *setup);
/* Ends it where it is under way, and frees it. May be called by its `done`. NULL is allowed. */
void transfer_destroy(struct transfer *transfer);

/* The address, with its scheme. One that is no URL ends the transfer as PERMANENT, when started. These
 * return false when out of memory. */
bool transfer_url(struct transfer *transfer, const char *url);
/* Adds a header to the request. The caller has seen to it that neither holds a control character:
 * asserted. An empty value is sent as such; NULL takes out one that libcurl sends by itself. */
bool transfer_header(struct transfer *transfer, const char *name, const char *value);
/* HTTP: what to do with the address, with `request` as the body; it is not changed afterwards. GET and
 * DELETE send one only when there is one. */
bool transfer_method(struct transfer *transfer, const char *method);
/* Protocols that upload, SMTP: `request` is what is sent. */
bool transfer_upload(struct transfer *transfer);

/* Begins it. `done` is called once, from the loop, never from within this call. False when out of
 * memory: nothing was begun. */
bool transfer_start(struct transfer *transfer, transfer_done_fn done, void *arg);

/* A header of the answer, NULL when there is none of that name; lives until the next call. Of several,
 * the last. HTTP only. */
const char *transfer_response_header(struct transfer *transfer, const char *name);

#endif
