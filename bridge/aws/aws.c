/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Deliveries become calls, as few as the service's limits allow; each call's answer is taken apart
 * again. libcurl signs what is sent: all headers that are set here, and the body.
 */
#include "kinds.h"

#include <stdio.h>
#include <stdlib.h>

#include "transfer.h"
#include "outcome.h"

struct aws_outlet {
	struct outlet outlet;
	struct aws_settings settings;
	struct transfer_setup setup;
	char *access_key;               /* owned */
	const char *secret_key, *token; /* the credentials'; token: NULL = none */
	struct call *calls;             /* under way */
};

struct call {
	struct call *next, **link; /* in aws_outlet.calls, once it is under way */
	struct aws_outlet *outlet;
	struct transfer *transfer;
	size_t bytes; /* as the service counts them */
	size_t count, room;
	struct delivery *deliveries[]; /* `count` of them; what one's entry is */
};

static void call_free(struct call *call)
{
	transfer_destroy(call->transfer);
	free(call);
}

static void out_of_memory(struct delivery *delivery)
{
	delivery_done(delivery, OUTCOME_RETRY, DELIVERY_NO_HINT, "out of memory");
}

/* Ends all of a call that did not come to be. */
static void call_give_up(struct call *call)
{
	for (size_t i = 0; i < call->count; i++)
		out_of_memory(call->deliveries[i]);
	call_free(call);
}

static struct call *call_create(struct aws_outlet *aws, size_t room)
{
	const struct aws_service *service = aws->settings.service;

	if (room > service->max_events)
		room = service->max_events;
	struct call *call = calloc(1, sizeof(*call) + room * sizeof(call->deliveries[0]));
	if (!call)
		return NULL;
	call->outlet = aws;
	call->room = room;
	call->transfer = transfer_create(&aws->setup);
	if (!call->transfer) {
		call_free(call);
		return NULL;
	}
	if (service->begin)
		service->begin(&aws->settings, &call->transfer->request);
	return call;
}

static void send_some(struct aws_outlet *aws, struct delivery *const *deliveries, size_t count);

/* The answer's header, copied, since the next question would overwrite it. */
static struct sluice_str copy_header(struct transfer *transfer, const char *name, char *copy,
                                     size_t size)
{
	const char *value = transfer_response_header(transfer, name);

	if (!value)
		return (struct sluice_str){ NULL, 0 };
	snprintf(copy, size, "%s", value);
	return sluice_str(copy);
}

/* Returns true when each event is to be tried without some of the others. */
static bool judge(const struct call *call, struct verdict *verdicts)
{
	struct transfer *transfer = call->transfer;
	const struct aws_service *service = call->outlet->settings.service;
	char error_type[128], function_error[32];
	struct verdict all = transfer->verdict;
	bool divide = false;

	if (transfer->result == CURLE_OK) {
		struct aws_answer answer = {
			.status = transfer->status,
			.body = sluice_buffer_str(&transfer->response),
			.error_type = copy_header(transfer, "x-amzn-errortype", error_type,
			                          sizeof(error_type)),
			.function_error = copy_header(transfer, "x-amz-function-error",
			                              function_error, sizeof(function_error)),
		};
		if (answer.status / 100 == 2) {
			for (size_t i = 0; i < call->count; i++)
				verdict_set(&verdicts[i], OUTCOME_RETRY, DELIVERY_NO_HINT, "%s",
				            "the answer does not say what became of it");
			service->read(&answer, call->count, verdicts);
			return false;
		}
		divide = aws_refused(&answer, &all) && call->count > 1;
		if (all.outcome == OUTCOME_RETRY)
			all.hint_ms = transfer->verdict.hint_ms;
	}
	for (size_t i = 0; i < call->count; i++)
		verdicts[i] = all;
	return divide;
}

static void on_done(void *arg, struct transfer *transfer)
{
	struct call *call = arg;
	struct verdict *verdicts = calloc(call->count, sizeof(*verdicts));

	(void)transfer;
	*call->link = call->next;
	if (call->next)
		call->next->link = call->link;
	if (!verdicts) {
		call_give_up(call);
		return;
	}
	if (judge(call, verdicts)) {
		/* By halves: one of 500 is found in nine turns. */
		size_t half = call->count / 2;

		send_some(call->outlet, call->deliveries, half);
		send_some(call->outlet, call->deliveries + half, call->count - half);
	} else {
		for (size_t i = 0; i < call->count; i++)
			delivery_done(call->deliveries[i], verdicts[i].outcome, verdicts[i].hint_ms,
			              "%s", verdicts[i].reason);
	}
	free(verdicts);
	call_free(call);
}

static bool set_up(struct call *call)
{
	struct aws_outlet *aws = call->outlet;
	const struct aws_service *service = aws->settings.service;
	struct transfer *transfer = call->transfer;
	CURL *easy = transfer->easy;

	if (service->end)
		service->end(&transfer->request);
	if (service == &aws_lambda &&
	    !transfer_header(transfer, "X-Amz-Invocation-Type",
	                     aws->settings.wait ? "RequestResponse" : "Event"))
		return false;
	return transfer_url(transfer, aws->settings.url) &&
	       transfer_header(transfer, "Content-Type", service->content_type) &&
	       (!service->target || transfer_header(transfer, "X-Amz-Target", service->target)) &&
	       (!aws->token || transfer_header(transfer, "X-Amz-Security-Token", aws->token)) &&
	       transfer_method(transfer, "POST") &&
	       (!aws->settings.request_target ||
	        curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, aws->settings.request_target) ==
	                CURLE_OK) &&
	       curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, aws->settings.sigv4) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_USERNAME, aws->access_key) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PASSWORD, aws->secret_key) == CURLE_OK;
}

static void call_start(struct call *call)
{
	struct aws_outlet *aws = call->outlet;

	if (!set_up(call) || !transfer_start(call->transfer, on_done, call)) {
		call_give_up(call);
		return;
	}
	call->next = aws->calls;
	call->link = &aws->calls;
	if (call->next)
		call->next->link = &call->next;
	aws->calls = call;
}

enum packed { PACKED, FULL, ENDED };

/* Takes a delivery into a call, or ends it. FULL: it is for the next call. */
static enum packed pack(struct call *call, struct delivery *delivery)
{
	const struct aws_service *service = call->outlet->settings.service;
	struct sluice_buffer *body = &call->transfer->request;
	size_t before = body->len, size = 0;
	struct sluice_error error;
	enum sluice_status status =
	        service->entry(&call->outlet->settings, delivery, call->count, body, &size, &error);
	bool fits = call->count == 0 || call->bytes + size <= service->max_bytes;

	if (!status && size <= service->max_event && fits) {
		call->deliveries[call->count++] = delivery;
		call->bytes += size;
		return PACKED;
	}
	body->len = before;
	if (!status && size <= service->max_event)
		return FULL;
	if (status == SLUICE_ERR_NOMEM)
		out_of_memory(delivery);
	else if (status)
		delivery_done(delivery, OUTCOME_PERMANENT, DELIVERY_NO_HINT, "%s", error.message);
	else
		delivery_done(delivery, OUTCOME_PERMANENT, DELIVERY_NO_HINT,
		              "too large: %zu bytes of at most %zu", size, service->max_event);
	return ENDED;
}

static void send_some(struct aws_outlet *aws, struct delivery *const *deliveries, size_t count)
{
	struct call *call = NULL;

	for (size_t i = 0; i < count;) {
		if (!call)
			call = call_create(aws, count - i);
		if (!call) {
			out_of_memory(deliveries[i++]);
			continue;
		}
		enum packed packed = pack(call, deliveries[i]);
		if (packed != FULL)
			i++;
		if (packed == FULL || call->count == call->room) {
			call_start(call);
			call = NULL;
		}
	}
	if (call && call->count)
		call_start(call);
	else if (call)
		call_free(call);
}

static void send_deliveries(struct outlet *outlet, struct delivery *const *deliveries, size_t count)
{
	send_some((struct aws_outlet *)outlet, deliveries, count);
}

static void close_outlet(struct outlet *outlet)
{
	struct aws_outlet *aws = (struct aws_outlet *)outlet;

	for (struct call *call = aws->calls, *next; call; call = next) {
		next = call->next;
		for (size_t i = 0; i < call->count; i++)
			delivery_done(call->deliveries[i], OUTCOME_LET_GO, DELIVERY_NO_HINT, "%s",
			              "");
		call_free(call);
	}
	aws_settings_finish(&aws->settings);
	free(aws->access_key);
	free(aws);
}

static bool is_printable(const char *text)
{
	for (; *text; text++) {
		if (*text <= ' ' || *text > '~')
			return false;
	}
	return true;
}

static enum sluice_status read_credentials(struct aws_outlet *aws,
                                           const struct credentials *credentials,
                                           struct sluice_error *error)
{
	struct sluice_str key = credentials_setting(credentials, "access_key_id");

	if (!credentials_are(credentials, "aws"))
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.connection",
		                        "an aws target needs a connection of the kind aws");
	aws->secret_key = credentials_secret(credentials, "secret_access_key");
	aws->token = credentials_secret(credentials, "session_token");
	if (aws->token && !*aws->token)
		aws->token = NULL;
	if (!aws->secret_key || !*aws->secret_key)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.connection",
		                        "the connection has no secret_access_key");
	aws->access_key = strndup(key.data ? key.data : "", key.len);
	if (!aws->access_key)
		return sluice_out_of_memory(error);
	/* They become headers. */
	if (!is_printable(aws->access_key) || (aws->token && !is_printable(aws->token)))
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.connection",
		                        "access_key_id or session_token holds a space or other "
		                        "signs that no such key has");
	return SLUICE_OK;
}

static struct outlet *open_outlet(const struct outlet_context *context, struct sluice_error *error)
{
	struct aws_outlet *aws = calloc(1, sizeof(*aws));

	if (!aws) {
		sluice_out_of_memory(error);
		return NULL;
	}
	aws->outlet.kind = &outlet_aws;
	aws->setup = (struct transfer_setup){
		.curl = context->curl,
		.protocols = "http,https",
		.credentials = context->credentials,
		.timeout_ms = context->delivery->timeout_ms,
		.max_response = AWS_ANSWER_MAX,
	};
	if (read_credentials(aws, context->credentials, error) ||
	    transfer_check_files(context->credentials, error) ||
	    aws_settings_init(&aws->settings, context->kind, context->settings,
	                      context->credentials, error)) {
		free(aws->access_key);
		free(aws);
		return NULL;
	}
	return &aws->outlet;
}

const struct outlet_kind outlet_aws = {
	.name = "aws",
	.open = open_outlet,
	.send = send_deliveries,
	.close = close_outlet,
};
