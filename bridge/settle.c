/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "settle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "pace.h"
#include "sluice/json.h"

enum {
	DELAY_MAX_MS = 2147483647, /* of a nack */
	DEAD_AGAIN_MS = 60000,     /* where the dead-letter queue is not there */
	TOPIC_SIZE = 256,
};

/* --- deciding --- */

/* How late a retry may come; INT64_MAX when the event's time is not known. */
static int64_t time_left_ms(const struct delivery *delivery,
                            const struct sluice_bridge_delivery *settings, int64_t now_ms)
{
	if (delivery->vars.time_ms <= 0)
		return INT64_MAX;
	return delivery->vars.time_ms + settings->max_age_s * 1000 - now_ms;
}

static void decide_retry(const struct delivery *delivery, int64_t hint_ms, const char *reason,
                         const struct sluice_bridge_delivery *settings, int64_t now_ms,
                         uint64_t random, struct settlement *settlement)
{
	int64_t delay_ms = backoff_delay(settings->backoff_ms, settings->backoff_max_ms,
	                                 delivery->attempt, random);
	if (hint_ms > delay_ms)
		delay_ms = hint_ms;
	settlement->verb = SETTLE_DEAD;
	if (delivery->attempt >= settings->max_attempts) {
		snprintf(settlement->reason, sizeof settlement->reason, "%" PRIu32 " attempts: %s",
		         delivery->attempt, reason);
	} else if (delay_ms > time_left_ms(delivery, settings, now_ms)) {
		snprintf(settlement->reason, sizeof settlement->reason,
		         "older than %" PRId64 " s: %s", settings->max_age_s, reason);
	} else {
		settlement->verb = SETTLE_LATER;
		settlement->delay_ms = delay_ms;
	}
}

void settle_decide(const struct delivery *delivery, enum outcome outcome, int64_t hint_ms,
                   const char *reason, const struct sluice_bridge_delivery *settings,
                   int64_t now_ms, uint64_t random, struct settlement *settlement)
{
	*settlement = (struct settlement){ .verb = SETTLE_ACK };
	snprintf(settlement->reason, sizeof settlement->reason, "%s", reason);
	switch (outcome) {
	case OUTCOME_DONE:
		break;
	case OUTCOME_RETRY:
		decide_retry(delivery, hint_ms, reason, settings, now_ms, random, settlement);
		break;
	case OUTCOME_PERMANENT:
		settlement->verb = SETTLE_DEAD;
		break;
	case OUTCOME_LET_GO:
		settlement->verb = SETTLE_BACK;
		settlement->delay_ms = hint_ms > 0 ? hint_ms : 0;
		break;
	}
	if (settlement->verb == SETTLE_DEAD)
		settlement->delay_ms = DEAD_AGAIN_MS;
	if (settlement->delay_ms > DELAY_MAX_MS)
		settlement->delay_ms = DELAY_MAX_MS;
}

/* --- telling --- */

static void tell(struct link *link, struct sluice_str queue, const char *verb,
                 struct sluice_str receipt, struct sluice_str payload)
{
	char topic[TOPIC_SIZE];
	int len = snprintf(topic, sizeof topic, "queues/%.*s/%s/%.*s", (int)queue.len, queue.data,
	                   verb, (int)receipt.len, receipt.data);
	if (len >= TOPIC_SIZE || !link_publish(link, topic, payload, false, NULL, NULL, NULL))
		log_line(LOG_ERROR, "the queue %.*s can't be told how a delivery ended",
		         (int)queue.len, queue.data);
}

void settle_tell(struct link *link, struct sluice_str queue, struct sluice_str receipt,
                 const struct settlement *settlement)
{
	struct sluice_buffer payload = { 0 };
	if (settlement->verb == SETTLE_ACK) {
		tell(link, queue, "ack", receipt, SLUICE_STR(""));
		return;
	}
	sluice_buffer_printf(&payload, "{\"delay_ms\":%" PRId64, settlement->delay_ms);
	if (settlement->verb == SETTLE_DEAD)
		sluice_buffer_append_text(&payload, ",\"dead_letter\":true");
	if (settlement->verb != SETTLE_BACK) {
		sluice_buffer_append_text(&payload, ",\"reason\":");
		sluice_json_write_string(&payload, sluice_str(settlement->reason));
	}
	sluice_buffer_append_text(&payload, "}");
	if (!payload.failed)
		tell(link, queue, "nack", receipt, sluice_buffer_str(&payload));
	sluice_buffer_finish(&payload);
}

void settle_extend(struct link *link, struct sluice_str queue, struct sluice_str receipt,
                   int64_t lease_ms)
{
	char seconds[32];
	snprintf(seconds, sizeof seconds, "%" PRId64, (lease_ms + 999) / 1000);
	tell(link, queue, "extend", receipt, sluice_str(seconds));
}

/* --- enrichment --- */

static bool is_json(struct sluice_str text)
{
	struct sluice_json_doc *doc;
	if (sluice_json_parse(text, 0, SIZE_MAX, &doc, NULL) != SLUICE_OK)
		return false;
	sluice_json_destroy(doc);
	return true;
}

/* The object with that member set. Failure is in the buffer's `failed`. */
static void write_joined(const struct sluice_json *object, struct sluice_str name,
                         struct sluice_str response, struct sluice_buffer *out)
{
	sluice_buffer_append_text(out, "{");
	for (const struct sluice_json *at = object->first; at; at = at->next) {
		if (sluice_str_equal(at->key, name))
			continue;
		sluice_json_write_string(out, at->key);
		sluice_buffer_append_text(out, ":");
		sluice_buffer_append_str(out, at->raw);
		sluice_buffer_append_text(out, ",");
	}
	sluice_json_write_string(out, name);
	sluice_buffer_append_text(out, ":");
	if (is_json(response))
		sluice_buffer_append_str(out, response);
	else
		sluice_json_write_string(out, response);
	sluice_buffer_append_text(out, "}");
}

enum sluice_status settle_enrich(struct delivery *delivery, struct sluice_str into, char *response,
                                 size_t len, struct sluice_error *error)
{
	struct sluice_json_doc *doc;
	struct sluice_buffer joined = { 0 };
	if (!into.data) {
		delivery_replace_payload(delivery, response, len);
		return SLUICE_OK;
	}
	enum sluice_status status =
	        sluice_json_parse(delivery->event.payload, 0, SIZE_MAX, &doc, error);
	if (status == SLUICE_OK) {
		const struct sluice_json *root = sluice_json_root(doc);
		const struct sluice_str name = { into.data + 2, into.len - 2 }; /* behind "$." */
		if (root->type == SLUICE_JSON_OBJECT)
			write_joined(root, name, (struct sluice_str){ response, len }, &joined);
		else
			status = SLUICE_ERR_INVALID;
		sluice_json_destroy(doc);
	}
	if (status != SLUICE_OK && status != SLUICE_ERR_NOMEM)
		status = sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                          "the event is no JSON object");
	free(response);
	if (status == SLUICE_OK && joined.failed)
		status = sluice_out_of_memory(error);
	size_t joined_len = joined.len;
	if (status == SLUICE_OK)
		delivery_replace_payload(delivery, sluice_buffer_take(&joined), joined_len);
	sluice_buffer_finish(&joined);
	return status;
}
