/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "call.h"

#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "auth.h"
#include "oauth.h"

struct http_client {
	struct http_rules rules;
	struct transfer_setup setup;
	const struct credentials *credentials;
	struct oauth *oauth; /* NULL = the connection needs none */
};

struct http_call {
	struct http_client *client;
	struct http_message message;
	http_done_fn done;
	void *arg;
	struct transfer *transfer; /* NULL while a token is awaited */
	struct oauth_waiter waiter;
	bool waits;
	char *token;  /* that was sent; owned */
	bool renewed; /* after a 401 */
	int64_t redirects;
	bool elsewhere; /* not any more with whom the credentials are for */
};

static void on_token(struct oauth_waiter *waiter, const struct verdict *failure);
static void on_answer(void *arg, struct transfer *transfer);

enum sluice_status http_client_create(const struct outlet_context *context,
                                      const struct http_rules *rules, struct http_client **client,
                                      struct sluice_error *error)
{
	*client = NULL;
	enum sluice_status status = http_auth_check(context->credentials, error);
	if (status)
		return status;
	struct http_client *made = calloc(1, sizeof(*made));
	if (!made)
		return sluice_out_of_memory(error);
	made->rules = *rules;
	made->credentials = context->credentials;
	made->setup = (struct transfer_setup){ .curl = context->curl,
		                               .protocols = "http,https",
		                               .credentials = context->credentials,
		                               .timeout_ms = context->delivery->timeout_ms,
		                               .max_response = rules->max_response };
	if (credentials_are(context->credentials, "oauth2")) {
		made->oauth = oauth_create(context->loop, context->curl, context->credentials,
		                           context->delivery->timeout_ms);
		if (!made->oauth) {
			free(made);
			return sluice_out_of_memory(error);
		}
	}
	*client = made;
	return SLUICE_OK;
}

void http_client_destroy(struct http_client *client)
{
	if (!client)
		return;
	oauth_destroy(client->oauth);
	free(client);
}

/* --- life of a call --- */

static void drop_token(struct http_call *call)
{
	if (call->token)
		explicit_bzero(call->token, strlen(call->token));
	free(call->token);
	call->token = NULL;
}

void http_call_cancel(struct http_call *call)
{
	if (!call)
		return;
	if (call->waits)
		oauth_forget(call->client->oauth, &call->waiter);
	transfer_destroy(call->transfer);
	drop_token(call);
	http_message_finish(&call->message);
	free(call);
}

static void end(struct http_call *call, const struct verdict *verdict)
{
	struct verdict kept = *verdict;
	call->done(call->arg, &kept, call->transfer);
	http_call_cancel(call);
}

static void end_without_memory(struct http_call *call)
{
	struct verdict verdict;
	verdict_set(&verdict, OUTCOME_RETRY, DELIVERY_NO_HINT, "out of memory");
	end(call, &verdict);
}

/* --- sending --- */

/* Those that an author may have written into a target's headers in the place of a connection. */
static bool is_credential(const char *name)
{
	return strcasecmp(name, "Authorization") == 0 || strcasecmp(name, "Cookie") == 0 ||
	       strcasecmp(name, "Proxy-Authorization") == 0;
}

static bool add_headers(struct transfer *transfer, const struct http_message *headers,
                        bool elsewhere)
{
	for (const char *at = NULL; (at = http_message_next(headers, at)) != NULL;) {
		if (elsewhere && is_credential(at))
			continue;
		if (!transfer_header(transfer, at, http_header_value(at)))
			return false;
	}
	return true;
}

/* The connection's part; to another host than the address's nothing of it goes. */
static bool add_credentials(struct http_call *call, struct transfer *transfer)
{
	struct http_message addition;
	if (call->elsewhere)
		return transfer_url(transfer, call->message.url.data) &&
		       curl_easy_setopt(transfer->easy, CURLOPT_SSLCERT, NULL) == CURLE_OK &&
		       curl_easy_setopt(transfer->easy, CURLOPT_SSLKEY, NULL) == CURLE_OK;
	http_message_init(&addition);
	addition.url.limit = 0; /* a key more is no event's fault */
	http_auth_add(call->client->credentials, &call->message, call->token, (int64_t)time(NULL),
	              &addition);
	bool done = !addition.url.failed && !addition.headers.failed &&
	            transfer_url(transfer, addition.url.data) &&
	            add_headers(transfer, &addition, false);
	if (addition.url.data)
		explicit_bzero(addition.url.data, addition.url.len);
	if (addition.headers.data)
		explicit_bzero(addition.headers.data, addition.headers.len);
	http_message_finish(&addition);
	return done;
}

static bool set_version(const struct http_call *call, CURL *easy)
{
	bool tls = strncasecmp(call->message.url.data, "https:", 6) == 0;
	if (!call->client->rules.http2 || !tls)
		return curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) ==
		       CURLE_OK;
	/* With TLS, where both sides agree on it; requests then share a connection, and wait for the first
	 * one to be there rather than open one each. */
	return curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) ==
	               CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L) == CURLE_OK;
}

static void send_message(struct http_call *call)
{
	struct transfer_setup setup = call->client->setup;
	const struct http_rules *rules = &call->client->rules;
	setup.refuse_private =
	        call->redirects == 0 ? !rules->private_addresses : !rules->private_redirects;
	struct transfer *transfer = transfer_create(&setup);
	if (!transfer) {
		end_without_memory(call);
		return;
	}
	call->transfer = transfer;
	bool signed_on = add_credentials(call, transfer);
	/* The body is the transfer's while that is under way: on_answer takes it back. */
	transfer->request = call->message.body;
	call->message.body = (struct sluice_buffer){ 0 };
	bool begun = signed_on && add_headers(transfer, &call->message, call->elsewhere) &&
	             /* curl would wait a second for a server's leave to send a large body. */
	             transfer_header(transfer, "Expect", NULL) &&
	             transfer_method(transfer, call->message.method) &&
	             set_version(call, transfer->easy) && transfer_start(transfer, on_answer, call);
	if (!begun) {
		transfer_destroy(transfer);
		call->transfer = NULL;
		end_without_memory(call);
	}
}

/* Sends it, with a token where it needs one. */
static void proceed(struct http_call *call)
{
	struct oauth *oauth = call->elsewhere ? NULL : call->client->oauth;
	const char *token = oauth ? oauth_token(oauth) : NULL;
	if (oauth && !token) {
		call->waits = oauth_wait(oauth, &call->waiter);
		if (!call->waits)
			end_without_memory(call);
		return;
	}
	drop_token(call);
	if (token && !(call->token = strdup(token)))
		end_without_memory(call);
	else
		send_message(call);
}

static void on_token(struct oauth_waiter *waiter, const struct verdict *failure)
{
	struct http_call *call =
	        (struct http_call *)((char *)waiter - offsetof(struct http_call, waiter));
	call->waits = false;
	if (failure)
		end(call, failure);
	else
		proceed(call);
}

struct http_call *http_call_create(struct http_client *client, struct http_message *message,
                                   http_done_fn done, void *arg)
{
	struct http_call *call = calloc(1, sizeof(*call));
	if (!call) {
		http_message_finish(message);
		return NULL;
	}
	call->client = client;
	call->message = *message;
	call->done = done;
	call->arg = arg;
	call->waiter.done = on_token;
	return call;
}

void http_call_begin(struct http_call *call)
{
	proceed(call);
}

/* --- redirects --- */

/* Scheme, host and port: who may have the credentials. */
static bool same_origin(const char *a, const char *b)
{
	static const CURLUPart parts[] = { CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT };
	CURLU *one = curl_url(), *other = curl_url();
	bool same = one && other && curl_url_set(one, CURLUPART_URL, a, 0) == CURLUE_OK &&
	            curl_url_set(other, CURLUPART_URL, b, 0) == CURLUE_OK;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && same; i++) {
		char *left = NULL, *right = NULL;
		same = curl_url_get(one, parts[i], &left, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		       curl_url_get(other, parts[i], &right, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		       strcasecmp(left, right) == 0;
		curl_free(left);
		curl_free(right);
	}
	curl_url_cleanup(one);
	curl_url_cleanup(other);
	return same;
}

static bool is_redirect(const struct transfer *transfer)
{
	long status = transfer->status;
	return transfer->result == CURLE_OK &&
	       (status == 301 || status == 302 || status == 303 || status == 307 || status == 308);
}

static void refuse_redirect(struct http_call *call, const char *why)
{
	struct verdict verdict;
	verdict_set(&verdict, OUTCOME_PERMANENT, DELIVERY_NO_HINT, "%s: %s",
	            call->transfer->verdict.reason, why);
	end(call, &verdict);
}

/* Sends it again, to where the answer leads. */
static void follow(struct http_call *call)
{
	struct http_message *message = &call->message;
	char *location = NULL;
	curl_easy_getinfo(call->transfer->easy, CURLINFO_REDIRECT_URL, &location);
	if (!location) {
		refuse_redirect(call, "a redirect to nowhere");
		return;
	}
	if (call->redirects >= call->client->rules.redirects) {
		refuse_redirect(call, call->redirects > 0 ? "too many redirects"
		                                          : "redirects are not followed");
		return;
	}
	if (strncasecmp(message->url.data, "https:", 6) == 0 &&
	    strncasecmp(location, "https:", 6) != 0) {
		refuse_redirect(call, "a redirect out of TLS is not followed");
		return;
	}
	/* Once elsewhere it stays so: who leads there could lead back, to an address of his. */
	call->elsewhere = call->elsewhere || !same_origin(message->url.data, location);
	/* 303 says that it was done, and where to read what came of it (RFC 9110, 15.4.4). With the others
	 * the method stays, with 301 and 302 too: a GET in its place would lose the event. */
	if (call->transfer->status == 303) {
		message->method = "GET";
		sluice_buffer_finish(&message->body);
	}
	sluice_buffer_reset(&message->url);
	sluice_buffer_append_text(&message->url, location);
	transfer_destroy(call->transfer);
	call->transfer = NULL;
	call->redirects++;
	if (message->url.failed)
		end_without_memory(call);
	else
		proceed(call);
}

static void on_answer(void *arg, struct transfer *transfer)
{
	struct http_call *call = arg;
	call->message.body = transfer->request;
	transfer->request = (struct sluice_buffer){ 0 };
	if (transfer->result == CURLE_OK && transfer->status == 401 && call->token &&
	    !call->renewed && !call->elsewhere) {
		/* The token may have been withdrawn before its time. A second 401 is an answer. */
		call->renewed = true;
		oauth_reject(call->client->oauth, call->token);
		transfer_destroy(transfer);
		call->transfer = NULL;
		proceed(call);
	} else if (is_redirect(transfer)) {
		follow(call);
	} else {
		end(call, &transfer->verdict);
	}
}
