/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "wire.h"

#include "queues.h"
#include "sluice/members.h"

enum { WIRE_MAX = 4096, LEASE_MAX_S = 43200, DELAY_MAX_MS = 2147483647, BATCH_MAX = 1000 };

/* --- topics --- */

/* Takes the next level off a topic. False when nothing is left. */
static bool next_level(struct sluice_str *rest, struct sluice_str *level)
{
	if (!rest->data)
		return false;
	const char *slash = rest->len > 0 ? memchr(rest->data, '/', rest->len) : NULL;
	*level = *rest;
	if (!slash) {
		*rest = (struct sluice_str){ 0 };
		return true;
	}
	level->len = (size_t)(slash - rest->data);
	rest->data = slash + 1;
	rest->len -= level->len + 1;
	return true;
}

static bool begins(struct sluice_str text, const char *with)
{
	size_t len = strlen(with);
	return text.len >= len && memcmp(text.data, with, len) == 0;
}

static const struct {
	const char *name;
	enum queue_verb verb;
	bool alone, with_receipt; /* which forms there are */
} verbs[] = {
	{ "ready", QUEUE_VERB_READY, true, false }, { "ack", QUEUE_VERB_ACK, true, true },
	{ "nack", QUEUE_VERB_NACK, false, true },   { "extend", QUEUE_VERB_EXTEND, false, true },
	{ "in", QUEUE_VERB_IN, true, false },       { "out", QUEUE_VERB_OUT, true, true },
};

bool queue_topic_read(struct sluice_str text, struct queue_topic *topic)
{
	struct sluice_str verb;
	*topic = (struct queue_topic){ .verb = QUEUE_VERB_NONE };
	if (!begins(text, QUEUE_TOPICS))
		return false;
	struct sluice_str rest = { text.data + strlen(QUEUE_TOPICS),
		                   text.len - strlen(QUEUE_TOPICS) };
	if (!next_level(&rest, &topic->queue) || !next_level(&rest, &verb))
		return true;
	topic->receipt = rest;
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (sluice_str_equal(sluice_str(verbs[i].name), verb) &&
		    (rest.data ? verbs[i].with_receipt : verbs[i].alone))
			topic->verb = verbs[i].verb;
	}
	return true;
}

bool queue_subscription_read(struct sluice_str filter, struct sluice_str *queue)
{
	struct sluice_str level;
	struct sluice_str rest = filter;
	if (begins(filter, "$share/") && (!next_level(&rest, &level) || !next_level(&rest, &level)))
		return false;
	if (!begins(rest, QUEUE_TOPICS) || !next_level(&rest, &level) ||
	    !next_level(&rest, queue) || !next_level(&rest, &level) ||
	    !sluice_str_equal(level, SLUICE_STR("out")))
		return false;
	return sluice_name_valid(*queue) &&
	       (sluice_str_equal(rest, SLUICE_STR("+")) || sluice_str_equal(rest, SLUICE_STR("#")));
}

/* --- payloads --- */

/* Reads the number that a payload begins with. False when it does not, or the number is too large. */
static bool leading_number(struct sluice_str *text, int64_t max, int64_t *number)
{
	size_t at = 0;
	*number = 0;
	for (; at < text->len && text->data[at] >= '0' && text->data[at] <= '9'; at++) {
		*number = *number * 10 + (text->data[at] - '0');
		if (*number > max)
			return false;
	}
	if (at == 0 || (at < text->len && text->data[at] != ' ' && text->data[at] != '\n'))
		return false;
	while (at < text->len && (text->data[at] == ' ' || text->data[at] == '\n'))
		at++;
	text->data += at;
	text->len -= at;
	return true;
}

static enum sluice_status too_long(struct sluice_error *error)
{
	return sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, NULL,
	                        "the payload is longer than %d bytes", WIRE_MAX);
}

/* Whether it is meant to be JSON. */
static bool is_object(struct sluice_str payload)
{
	return payload.len > 0 && payload.data[0] == '{';
}

static enum sluice_status parse(struct sluice_str payload, const char *what,
                                const char *const *names, const struct sluice_json **found,
                                struct sluice_json_doc **doc, struct sluice_error *error)
{
	enum sluice_status status =
	        sluice_json_parse(payload, SLUICE_JSON_UNIQUE_KEYS, 4, doc, error);
	if (status != SLUICE_OK)
		return status;
	status = sluice_members_read(sluice_json_root(*doc), what, names, found, error);
	if (status != SLUICE_OK) {
		sluice_json_destroy(*doc);
		*doc = NULL;
	}
	return status;
}

enum sluice_status queue_ready_read(struct sluice_str payload, struct queue_ready *ready,
                                    struct sluice_error *error)
{
	static const char *const names[] = { "credit", "lease_s", "batch", NULL };
	const struct sluice_json *found[3];
	struct sluice_json_doc *doc;
	int64_t credit = 1, lease_s = 0, batch = 0;
	*ready = (struct queue_ready){ 0 };
	if (payload.len > WIRE_MAX)
		return too_long(error);
	if (is_object(payload)) {
		enum sluice_status status = parse(payload, "credit", names, found, &doc, error);
		if (status != SLUICE_OK)
			return status;
		status = sluice_member_integer(found[0], 0, QUEUE_CREDIT_MAX, &credit, error);
		if (status == SLUICE_OK)
			status = sluice_member_integer(found[1], 0, LEASE_MAX_S, &lease_s, error);
		if (status == SLUICE_OK)
			status = sluice_member_integer(found[2], 0, BATCH_MAX, &batch, error);
		sluice_json_destroy(doc);
		if (status != SLUICE_OK)
			return status;
	} else if (payload.len > 0 &&
	           (!leading_number(&payload, QUEUE_CREDIT_MAX, &credit) || payload.len > 0)) {
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "credit is a number from 0 to %d, or {\"credit\": 10, "
		                        "\"lease_s\": 60, \"batch\": 5}",
		                        QUEUE_CREDIT_MAX);
	}
	*ready = (struct queue_ready){ (uint32_t)credit, (uint32_t)batch, lease_s * 1000 };
	return SLUICE_OK;
}

static void set_reason(struct queue_nack *nack, struct sluice_str reason)
{
	size_t len = reason.len;
	if (len >= sizeof nack->reason) {
		len = sizeof nack->reason - 1;
		while (len > 0 && ((unsigned char)reason.data[len] & 0xc0) == 0x80)
			len--;
	}
	for (size_t i = 0; i < len; i++)
		nack->reason[i] = reason.data[i] == '\0' ? ' ' : reason.data[i];
	nack->reason[len] = '\0';
}

enum sluice_status queue_nack_read(struct sluice_str payload, struct queue_nack *nack,
                                   struct sluice_error *error)
{
	static const char *const names[] = { "delay_ms", "reason", "dead_letter", NULL };
	const struct sluice_json *found[3];
	struct sluice_json_doc *doc;
	*nack = (struct queue_nack){ 0 };
	if (payload.len > WIRE_MAX)
		return too_long(error);
	if (!is_object(payload)) {
		if (!leading_number(&payload, DELAY_MAX_MS, &nack->delay_ms))
			nack->delay_ms = 0;
		set_reason(nack, payload);
		return SLUICE_OK;
	}
	struct sluice_str reason = { 0 };
	enum sluice_status status = parse(payload, "a nack", names, found, &doc, error);
	if (status != SLUICE_OK)
		return status;
	status = sluice_member_integer(found[0], 0, DELAY_MAX_MS, &nack->delay_ms, error);
	if (status == SLUICE_OK)
		status = sluice_member_string(found[1], 0, WIRE_MAX, &reason, error);
	if (status == SLUICE_OK)
		status = sluice_member_bool(found[2], &nack->dead_letter, error);
	if (status == SLUICE_OK)
		set_reason(nack, reason);
	sluice_json_destroy(doc);
	return status;
}

enum sluice_status queue_extend_read(struct sluice_str payload, int64_t usual_ms, int64_t *lease_ms,
                                     struct sluice_error *error)
{
	static const char *const names[] = { "lease_s", NULL };
	const struct sluice_json *found[1];
	struct sluice_json_doc *doc;
	int64_t lease_s = 0;
	*lease_ms = usual_ms;
	if (payload.len > WIRE_MAX)
		return too_long(error);
	if (is_object(payload)) {
		enum sluice_status status =
		        parse(payload, "an extension", names, found, &doc, error);
		if (status != SLUICE_OK)
			return status;
		status = sluice_member_integer(found[0], 1, LEASE_MAX_S, &lease_s, error);
		sluice_json_destroy(doc);
		if (status != SLUICE_OK)
			return status;
	} else if (payload.len > 0 && (!leading_number(&payload, LEASE_MAX_S, &lease_s) ||
	                               payload.len > 0 || lease_s == 0)) {
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "more time is a number of seconds from 1 to %d, or "
		                        "{\"lease_s\": 60}",
		                        LEASE_MAX_S);
	}
	if (lease_s > 0)
		*lease_ms = lease_s * 1000;
	return SLUICE_OK;
}
