/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The target kind http, and the enrichment: docs/bridge/http.md, docs/bridge/enrichment.md. */
#include "kinds.h"

#include <stdlib.h>

#include "request.h"
#include "sender.h"

enum {
	/* Of a target's answer nothing is needed; a little is read, so that the connection can be kept. */
	TARGET_ANSWER_MAX = 1024,
	ENRICHMENT_ANSWER_MAX = 1 << 20,
	BATCH_MAX = 1000,
};

/* Both begin so. */
struct http_step {
	union {
		struct outlet outlet;
		struct enricher enricher;
	} as;
	struct http_request *request;
	struct http_sender *sender;
};

static void step_close(struct http_step *step)
{
	http_sender_close(step->sender);
	http_request_destroy(step->request);
	free(step);
}

static struct http_step *step_open(const struct outlet_context *context, bool batch,
                                   size_t max_response, http_answered_fn answered,
                                   struct sluice_error *error)
{
	const struct sluice_json *settings = context->settings;
	const struct sluice_bridge_kind *kind = context->kind;
	const struct http_rules rules = {
		.redirects = sluice_setting_integer(kind, settings, "redirects"),
		.private_addresses = sluice_setting_bool(kind, settings, "private_addresses"),
		.private_redirects = sluice_setting_bool(kind, settings, "private_redirects"),
		.http2 = sluice_setting_bool(kind, settings, "http2"),
		.max_response = max_response,
	};
	struct http_step *step = calloc(1, sizeof(*step));
	if (!step) {
		sluice_out_of_memory(error);
		return NULL;
	}
	if (http_request_create(kind, settings, batch, &step->request, error) ||
	    http_sender_create(context, &rules, answered, &step->sender, error)) {
		step_close(step);
		return NULL;
	}
	return step;
}

/* --- the target --- */

static struct outlet *target_open(const struct outlet_context *context, struct sluice_error *error)
{
	struct http_step *step = step_open(context, context->delivery->batch_events > 1,
	                                   TARGET_ANSWER_MAX, http_end_all, error);
	if (!step)
		return NULL;
	step->as.outlet.kind = &outlet_http;
	return &step->as.outlet;
}

/* An event that no message can be made of will never go. */
static void end_unmade(struct delivery *delivery, enum sluice_status status,
                       const struct sluice_error *error)
{
	delivery_done(delivery, status == SLUICE_ERR_NOMEM ? OUTCOME_RETRY : OUTCOME_PERMANENT,
	              DELIVERY_NO_HINT, "%s", error->message);
}

/* Ends those of a batch that no message can be made of, so that the others go; returns how many are
 * left. */
static size_t sort_out(const struct http_step *step, struct delivery *const *from, size_t count,
                       struct delivery **left)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		struct http_message message;
		struct sluice_error error;
		http_message_init(&message);
		enum sluice_status status =
		        http_request_make(step->request, from + i, 1, &message, &error);
		http_message_finish(&message);
		if (status)
			end_unmade(from[i], status, &error);
		else
			left[kept++] = from[i];
	}
	return kept;
}

static void send_events(struct http_step *step, struct delivery *const *deliveries, size_t count)
{
	struct http_message message;
	struct sluice_error error;
	http_message_init(&message);
	enum sluice_status status =
	        http_request_make(step->request, deliveries, count, &message, &error);
	if (!status) {
		http_sender_send(step->sender, &message, deliveries, count);
		return;
	}
	http_message_finish(&message);
	if (count == 1 || status == SLUICE_ERR_NOMEM) {
		for (size_t i = 0; i < count; i++)
			end_unmade(deliveries[i], status, &error);
		return;
	}
	struct delivery *left[BATCH_MAX];
	size_t kept = sort_out(step, deliveries, count, left);
	if (kept == count) {
		/* Each would go, and all together are too large. */
		send_events(step, left, count / 2);
		send_events(step, left + count / 2, count - count / 2);
	} else if (kept > 0) {
		send_events(step, left, kept);
	}
}

static void target_send(struct outlet *outlet, struct delivery *const *deliveries, size_t count)
{
	send_events((struct http_step *)outlet, deliveries, count);
}

static void target_close(struct outlet *outlet)
{
	step_close((struct http_step *)outlet);
}

const struct outlet_kind outlet_http = { "http", target_open, target_send, target_close };

/* --- the enrichment --- */

static void on_response(struct delivery *const *deliveries, size_t count,
                        const struct verdict *verdict, struct transfer *answer)
{
	if (verdict->outcome != OUTCOME_DONE) {
		for (size_t i = 0; i < count; i++)
			delivery_done(deliveries[i], verdict->outcome, verdict->hint_ms,
			              "enrichment: %s", verdict->reason);
		return;
	}
	if (answer->response_cut) {
		delivery_done(deliveries[0], OUTCOME_PERMANENT, DELIVERY_NO_HINT,
		              "enrichment: the answer has more than %d bytes",
		              ENRICHMENT_ANSWER_MAX);
		return;
	}
	size_t len = answer->response.len;
	char *response = malloc(len + 1);
	if (!response) {
		delivery_done(deliveries[0], OUTCOME_RETRY, DELIVERY_NO_HINT,
		              "enrichment: out of memory");
		return;
	}
	if (len > 0)
		memcpy(response, answer->response.data, len);
	response[len] = '\0';
	enriched(deliveries[0], response, len);
}

static struct enricher *enricher_open(const struct outlet_context *context,
                                      struct sluice_error *error)
{
	struct http_step *step =
	        step_open(context, false, ENRICHMENT_ANSWER_MAX, on_response, error);
	if (!step)
		return NULL;
	step->as.enricher.kind = &enricher_http;
	return &step->as.enricher;
}

static void enricher_send(struct enricher *enricher, struct delivery *delivery)
{
	struct http_step *step = (struct http_step *)enricher;
	struct http_message message;
	struct sluice_error error;
	http_message_init(&message);
	enum sluice_status status =
	        http_request_make(step->request, &delivery, 1, &message, &error);
	if (!status) {
		http_sender_send(step->sender, &message, &delivery, 1);
		return;
	}
	http_message_finish(&message);
	end_unmade(delivery, status, &error);
}

static void enricher_close(struct enricher *enricher)
{
	step_close((struct http_step *)enricher);
}

const struct enricher_kind enricher_http = { "http", enricher_open, enricher_send, enricher_close };
