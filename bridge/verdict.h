/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* How a transfer over libcurl ended, judged: is the delivery done, to be tried again, or hopeless. */
#ifndef BRIDGE_VERDICT_H
#define BRIDGE_VERDICT_H

#include <curl/curl.h>

#include "delivery.h"

enum {
	VERDICT_REASON_SIZE = 256, /* as much as a queue keeps */
	/* A longer Retry-After is taken as this: a server is not to send events to the dead letters by
	 * asking for a time past their age. */
	VERDICT_MAX_HINT_MS = 12 * 3600 * 1000,
};

struct verdict {
	enum outcome outcome;
	int64_t hint_ms;                  /* DELIVERY_NO_HINT = none */
	char reason[VERDICT_REASON_SIZE]; /* for people, no secret in it; "" with OUTCOME_DONE */
};

/* Fills a verdict; the reason is cut to size. DONE takes "". */
void verdict_set(struct verdict *verdict, enum outcome outcome, int64_t hint_ms, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));

/*
 * Of an HTTP answer.
 *
 * status	of the last answer
 * host		who gave it, as people are to read it: never more of a URL than host and port
 * hint_ms	its Retry-After, or DELIVERY_NO_HINT
 */
void verdict_of_status(struct verdict *verdict, long status, const char *host, int64_t hint_ms);

/* What libcurl knows of a transfer that failed. */
struct transfer_failure {
	CURLcode code;
	const char *host;   /* as above; "" = the URL is none */
	const char *detail; /* libcurl's words for it (CURLOPT_ERRORBUFFER), "" = none */
	int os_error;       /* CURLINFO_OS_ERRNO; 0 = none */
	long status;        /* of an answer that came before, 0 = none */
	bool connected;     /* there was a connection */
	int64_t timeout_ms; /* how long it might take */
};

/* Of a transfer that failed (code is not CURLE_OK), whatever its protocol. */
void verdict_of_failure(struct verdict *verdict, const struct transfer_failure *failure);

/*
 * Retry-After (RFC 9110, 10.2.3): seconds, or a date in one of the three forms of 5.6.7.
 *
 * now_ms	since 1970: what a date is counted from; one that is past is 0
 *
 * Returns milliseconds, at most VERDICT_MAX_HINT_MS; DELIVERY_NO_HINT when it is neither.
 */
int64_t retry_after_ms(const char *value, int64_t now_ms);

#endif
