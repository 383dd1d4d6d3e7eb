/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void verdict_set(struct verdict *verdict, enum outcome outcome, int64_t hint_ms, const char *format,
                 ...)
{
	verdict->outcome = outcome;
	verdict->hint_ms = hint_ms;
	va_list args;
	va_start(args, format);
	vsnprintf(verdict->reason, sizeof(verdict->reason), format, args);
	va_end(args);
	/* What servers and libraries say goes to logs and terminals. */
	for (char *c = verdict->reason; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
}

/* Those that say of themselves that it is not the request's fault (RFC 9110, RFC 8470, RFC 6585). All
 * 5xx are the server's; a 501 or 505 too, which a server gives that is being rebuilt behind its proxy. */
static bool may_pass(long status)
{
	return status == 408 || status == 425 || status == 429 || status >= 500;
}

void verdict_of_status(struct verdict *verdict, long status, const char *host, int64_t hint_ms)
{
	if (status >= 200 && status < 300)
		verdict_set(verdict, OUTCOME_DONE, DELIVERY_NO_HINT, "%s", "");
	else if (may_pass(status))
		verdict_set(verdict, OUTCOME_RETRY, hint_ms, "HTTP %ld from %s", status, host);
	else
		verdict_set(verdict, OUTCOME_PERMANENT, DELIVERY_NO_HINT, "HTTP %ld from %s",
		            status, host);
}

static void retry(struct verdict *verdict, const char *text, const char *host, const char *detail)
{
	verdict_set(verdict, OUTCOME_RETRY, DELIVERY_NO_HINT, "%s %s%s%s", text, host,
	            *detail ? ": " : "", detail);
}

static void permanent(struct verdict *verdict, const char *text)
{
	verdict_set(verdict, OUTCOME_PERMANENT, DELIVERY_NO_HINT, "%s", text);
}

/* libcurl says so of a URL's scheme, and of an answer that has no status line. */
static void unsupported(struct verdict *verdict, const struct transfer_failure *failure)
{
	if (failure->status >= 300 && failure->status < 400)
		permanent(verdict, "a redirect to a protocol that is not allowed");
	else if (failure->connected)
		/* Somebody else's port, or a server that is not up yet. */
		retry(verdict, "what answers is no HTTP server:", failure->host, "");
	else
		permanent(verdict, "the URL's protocol is none that this kind of target speaks");
}

static void timed_out(struct verdict *verdict, const struct transfer_failure *failure)
{
	if (failure->connected)
		verdict_set(verdict, OUTCOME_RETRY, DELIVERY_NO_HINT,
		            "no answer from %s within %" PRId64 " ms", failure->host,
		            failure->timeout_ms);
	else
		retry(verdict, "no connection in time to", failure->host, "");
}

void verdict_of_failure(struct verdict *verdict, const struct transfer_failure *failure)
{
	const char *os_error = failure->os_error ? strerror(failure->os_error) : "";
	switch (failure->code) {
	case CURLE_URL_MALFORMAT:
		/* It is made of the target's template and the event, which stay as they are. */
		permanent(verdict, "the address is no URL");
		return;
	case CURLE_UNSUPPORTED_PROTOCOL:
		unsupported(verdict, failure);
		return;
	case CURLE_TOO_MANY_REDIRECTS:
		/* As any redirect that is not followed: an answer, and no failure of the way there. */
		permanent(verdict, "too many redirects");
		return;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		/* A name that can't be looked up now may be tomorrow, or be made: libcurl does not tell
		 * "there is none" from "the name server does not answer". */
		retry(verdict, "the name can't be resolved:", failure->host, "");
		return;
	case CURLE_COULDNT_CONNECT:
		retry(verdict, "can't connect to", failure->host, os_error);
		return;
	case CURLE_OPERATION_TIMEDOUT:
		timed_out(verdict, failure);
		return;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		/* Nothing was sent to whoever this is. Certificates are renewed and CA files mended, and
		 * no event is to be lost to that. */
		retry(verdict, "can't trust the certificate of", failure->host, failure->detail);
		return;
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CRL_BADFILE:
		/* Ours, to be mended by who runs the bridge. */
		retry(verdict, "a TLS file of the connection can't be used, for", failure->host,
		      failure->detail);
		return;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
	case CURLE_USE_SSL_FAILED:
		retry(verdict, "no TLS with", failure->host, failure->detail);
		return;
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		/* Whether the event arrived, nobody knows; once more rather than never. */
		retry(verdict, "the connection was cut by", failure->host, os_error);
		return;
	case CURLE_OUT_OF_MEMORY:
		retry(verdict, "out of memory on the way to", failure->host, "");
		return;
	default:
		/* libcurl has a hundred codes; none of the others says that it can never go well. Its
		 * words for a code, unlike those in the error buffer, hold nothing of the request. */
		retry(verdict, "failed:", failure->host, curl_easy_strerror(failure->code));
		return;
	}
}

int64_t retry_after_ms(const char *value, int64_t now_ms)
{
	size_t digits = strspn(value, "0123456789");
	if (digits > 0 && value[digits] == '\0') {
		int64_t seconds = 0;
		for (size_t i = 0; i < digits; i++) {
			seconds = seconds * 10 + (value[i] - '0');
			if (seconds * 1000 > VERDICT_MAX_HINT_MS)
				return VERDICT_MAX_HINT_MS;
		}
		return seconds * 1000;
	}
	/* Lenient with forms that no server sends; each of the three begins with a letter. */
	char first = (char)(value[0] | 0x20);
	if (first < 'a' || first > 'z')
		return DELIVERY_NO_HINT;
	time_t at = curl_getdate(value, NULL);
	if (at < 0)
		return DELIVERY_NO_HINT;
	int64_t wait_s = (int64_t)at - now_ms / 1000;
	if (wait_s <= 0)
		return 0;
	if (wait_s > VERDICT_MAX_HINT_MS / 1000)
		return VERDICT_MAX_HINT_MS;
	return wait_s * 1000;
}
