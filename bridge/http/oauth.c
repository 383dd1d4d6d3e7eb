/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "oauth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "message.h"
#include "sluice/base64.h"
#include "sluice/json.h"
#include "sluice/text_template.h"

enum {
	ANSWER_MAX = 65536,
	ANSWER_DEPTH = 32,
	/* "expires_in" is only recommended (5.1): then what most servers say. A wrong guess costs a 401. */
	LIFETIME_S = 3600,
	LIFETIME_MAX_S = 365 * 86400,
	/* How long before its end a token is renewed, and not used any more: its way takes time. */
	RENEW_MS = 60000,
	TOO_LATE_MS = 5000,
	RENEW_AGAIN_MS = 5000, /* where that failed */
	ERROR_SIZE = 64,
};

struct oauth {
	uv_loop_t *loop;
	const struct credentials *credentials;
	struct transfer_setup setup;
	struct transfer *asking; /* NULL = no request under way */
	struct oauth_waiter *waiters;
	char *token;                 /* owned; NULL = none */
	int64_t renew_ms, expiry_ms; /* the loop's time */
};

struct oauth *oauth_create(uv_loop_t *loop, struct curl_loop *curl,
                           const struct credentials *credentials, int64_t timeout_ms)
{
	struct oauth *oauth = calloc(1, sizeof(*oauth));
	if (!oauth)
		return NULL;
	oauth->loop = loop;
	oauth->credentials = credentials;
	oauth->setup = (struct transfer_setup){ .curl = curl,
		                                .protocols = "http,https",
		                                .credentials = credentials,
		                                .timeout_ms = timeout_ms,
		                                .max_response = ANSWER_MAX };
	return oauth;
}

static void drop_token(struct oauth *oauth)
{
	if (oauth->token)
		explicit_bzero(oauth->token, strlen(oauth->token));
	free(oauth->token);
	oauth->token = NULL;
}

void oauth_destroy(struct oauth *oauth)
{
	if (!oauth)
		return;
	transfer_destroy(oauth->asking);
	drop_token(oauth);
	free(oauth);
}

/* --- the request --- */

static void add_field(struct sluice_buffer *body, const char *name, struct sluice_str value)
{
	if (!value.data)
		return;
	sluice_buffer_printf(body, "&%s=", name);
	sluice_encode(value, SLUICE_ENCODE_URL, body);
}

/* 2.3.1: as with Basic, each encoded as a form's field first. */
static bool add_basic(struct transfer *transfer, struct sluice_str id, const char *secret)
{
	struct sluice_buffer plain = { 0 }, value = { 0 };
	sluice_encode(id, SLUICE_ENCODE_URL, &plain);
	sluice_buffer_append_text(&plain, ":");
	sluice_encode(sluice_str(secret), SLUICE_ENCODE_URL, &plain);
	sluice_buffer_append_text(&value, "Basic ");
	sluice_buffer_append_base64(&value, sluice_buffer_str(&plain));
	bool done = !plain.failed && !value.failed &&
	            transfer_header(transfer, "Authorization", value.data);
	sluice_buffer_finish(&plain);
	sluice_buffer_finish(&value);
	return done;
}

static bool set_up(struct oauth *oauth, struct transfer *transfer)
{
	const struct credentials *credentials = oauth->credentials;
	struct sluice_str url = credentials_setting(credentials, "token_url");
	struct sluice_str id = credentials_setting(credentials, "client_id");
	struct sluice_str place = credentials_setting(credentials, "credentials_in");
	const char *secret = credentials_secret(credentials, "client_secret");
	bool in_body = sluice_str_equal(place, SLUICE_STR("body"));
	struct sluice_buffer *body = &transfer->request;
	char *terminated = strndup(url.data, url.len);
	bool done = terminated && transfer_url(transfer, terminated);
	free(terminated);
	sluice_buffer_append_text(body, "grant_type=client_credentials");
	add_field(body, "scope", credentials_setting(credentials, "scope"));
	add_field(body, "audience", credentials_setting(credentials, "audience"));
	if (in_body) {
		add_field(body, "client_id", id);
		add_field(body, "client_secret", sluice_str(secret));
	}
	return done && (in_body || add_basic(transfer, id, secret ? secret : "")) &&
	       transfer_header(transfer, "Accept", "application/json") &&
	       transfer_method(transfer, "POST");
}

/* --- the answer --- */

static bool read_token(struct oauth *oauth, const struct sluice_json *answer)
{
	const struct sluice_json *token = sluice_json_get(answer, "access_token");
	const struct sluice_json *type = sluice_json_get(answer, "token_type");
	int64_t lifetime_s = LIFETIME_S;
	if (!token || token->type != SLUICE_JSON_STRING || token->string.len == 0 ||
	    !http_is_value(token->string))
		return false;
	/* 7.1: a type that we don't know must not be used. Some leave it out. */
	if (type && (type->type != SLUICE_JSON_STRING || type->string.len != 6 ||
	             strncasecmp(type->string.data, "bearer", 6) != 0))
		return false;
	char *copy = strndup(token->string.data, token->string.len);
	if (!copy)
		return false;
	drop_token(oauth);
	oauth->token = copy;
	sluice_json_integer(sluice_json_get(answer, "expires_in"), 1, LIFETIME_MAX_S, &lifetime_s);
	int64_t now = (int64_t)uv_now(oauth->loop), lifetime_ms = lifetime_s * 1000;
	/* A short one is used for most of its time all the same. */
	int64_t renew = lifetime_ms / 5 < RENEW_MS ? lifetime_ms / 5 : RENEW_MS;
	int64_t late = lifetime_ms / 20 < TOO_LATE_MS ? lifetime_ms / 20 : TOO_LATE_MS;
	oauth->renew_ms = now + lifetime_ms - renew;
	oauth->expiry_ms = now + lifetime_ms - late;
	return true;
}

/* 5.2: "error" is a word of ours to show; "error_description" is anybody's. */
static void read_error(const struct sluice_json *answer, char text[ERROR_SIZE])
{
	const struct sluice_json *word = sluice_json_get(answer, "error");
	if (word && word->type == SLUICE_JSON_STRING && word->string.len < ERROR_SIZE - 8)
		snprintf(text, ERROR_SIZE, " (%.*s)", (int)word->string.len, word->string.data);
}

/* Takes the answer in; false with the failure, which is always one for later: whatever is wrong is so
 * with the connection, and no event is to be lost to it. */
static bool take_answer(struct oauth *oauth, const struct transfer *transfer,
                        struct verdict *failure)
{
	struct sluice_json_doc *doc = NULL;
	char word[ERROR_SIZE] = "";
	bool done = false;
	if (transfer->result == CURLE_OK &&
	    sluice_json_parse(sluice_buffer_str(&transfer->response), 0, ANSWER_DEPTH, &doc,
	                      NULL) == SLUICE_OK) {
		if (transfer->verdict.outcome == OUTCOME_DONE)
			done = read_token(oauth, sluice_json_root(doc));
		else
			read_error(sluice_json_root(doc), word);
		sluice_json_destroy(doc);
	}
	if (!done && transfer->verdict.outcome == OUTCOME_DONE)
		verdict_set(failure, OUTCOME_RETRY, DELIVERY_NO_HINT,
		            "no token: what %s answers holds none", transfer->host);
	else if (!done)
		verdict_set(failure, OUTCOME_RETRY, transfer->verdict.hint_ms, "no token: %s%s",
		            transfer->verdict.reason, word);
	return done;
}

static void on_answer(void *arg, struct transfer *transfer)
{
	struct oauth *oauth = arg;
	struct verdict failure;
	bool done = take_answer(oauth, transfer, &failure);
	oauth->asking = NULL;
	transfer_destroy(transfer);
	if (!done)
		oauth->renew_ms = (int64_t)uv_now(oauth->loop) + RENEW_AGAIN_MS;
	/* Who is told may wait anew. Nobody's `done` forgets another, or frees us: outlets are closed from
	 * elsewhere. */
	struct oauth_waiter *told = oauth->waiters;
	oauth->waiters = NULL;
	while (told) {
		struct oauth_waiter *waiter = told;
		told = waiter->next;
		waiter->done(waiter, done ? NULL : &failure);
	}
}

static bool ask(struct oauth *oauth)
{
	if (oauth->asking)
		return true;
	struct transfer *transfer = transfer_create(&oauth->setup);
	if (!transfer || !set_up(oauth, transfer) || !transfer_start(transfer, on_answer, oauth)) {
		transfer_destroy(transfer);
		return false;
	}
	oauth->asking = transfer;
	return true;
}

/* --- whoever needs one --- */

const char *oauth_token(struct oauth *oauth)
{
	int64_t now = (int64_t)uv_now(oauth->loop);
	if (oauth->token && now >= oauth->expiry_ms)
		drop_token(oauth);
	if (oauth->token && now >= oauth->renew_ms)
		ask(oauth); /* where there is no memory for it, the next one asks */
	return oauth->token;
}

bool oauth_wait(struct oauth *oauth, struct oauth_waiter *waiter)
{
	if (!ask(oauth))
		return false;
	struct oauth_waiter **at = &oauth->waiters;
	while (*at)
		at = &(*at)->next;
	waiter->next = NULL;
	*at = waiter;
	return true;
}

void oauth_forget(struct oauth *oauth, struct oauth_waiter *waiter)
{
	for (struct oauth_waiter **at = &oauth->waiters; *at; at = &(*at)->next) {
		if (*at == waiter) {
			*at = waiter->next;
			return;
		}
	}
}

void oauth_reject(struct oauth *oauth, const char *token)
{
	if (oauth->token && strcmp(oauth->token, token) == 0)
		drop_token(oauth);
}
