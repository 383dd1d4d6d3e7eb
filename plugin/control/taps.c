/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* tap, untap */
#include "taps.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "control.h"
#include "event.h"
#include "sluice/base64.h"
#include "tap.h"
#include "text.h"

enum { LEASE_S = 60, LEASE_MAX_S = 3600, RATE = 10, RATE_MAX = 1000 };

/* --- tap --- */

static enum sluice_status may_tap(const struct command_call *call, struct sluice_error *error)
{
	size_t own = 0;
	for (const struct tap *tap = call->thread->taps; tap; tap = tap->next_known)
		own += tap->asker == call->asker->serial && !tap->stopped;
	if (call->thread->tap_count >= TAPS_MAX || own >= TAPS_MAX_PER_ASKER)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, NULL,
		                        "too many taps: there may be %d, and %d of one client",
		                        TAPS_MAX, TAPS_MAX_PER_ASKER);
	return SLUICE_OK;
}

/* The pattern, given or a rule's, and the bus that it looks at. *owned is to be destroyed. */
static enum sluice_status tap_pattern(const struct command_call *call, struct tap *tap,
                                      const struct sluice_pattern **pattern,
                                      struct sluice_pattern **owned, struct sluice_error *error)
{
	const struct sluice_json *json = call_member(call, "pattern");
	struct sluice_str name = call_string(call, "rule");
	struct sluice_str bus = call_string(call, "bus");
	*owned = NULL;
	if (!json == !name.data)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "needs one of \"rule\" and \"pattern\"");
	if (name.data) {
		const struct rule_record *record = registry_rule(&call->thread->registry, name);
		if (!record)
			return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, "$.rule",
			                        "there is no rule \"%.*s\" in force", (int)name.len,
			                        name.data);
		if (!record->current->rule->pattern_text.data)
			return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.rule",
			                        "the rule \"%.*s\" has a schedule, no pattern",
			                        (int)name.len, name.data);
		enum sluice_status status =
		        sluice_pattern_compile(record->current->rule->pattern_text, owned, error);
		if (status != SLUICE_OK)
			return status;
		*pattern = *owned;
		if (!bus.data)
			bus = record->current->rule->bus;
		memcpy(tap->rule, record->name, sizeof tap->rule);
	} else {
		enum sluice_status status = sluice_pattern_compile(call_text(json), owned, error);
		if (status != SLUICE_OK)
			return call_error_within(status, "pattern", error);
		*pattern = *owned;
	}
	if (!bus.data)
		bus = SLUICE_STR("default");
	const struct bus_record *record = registry_bus(&call->thread->registry, bus);
	if (!record)
		return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, "$.bus",
		                        "there is no bus \"%.*s\" in force", (int)bus.len,
		                        bus.data);
	memcpy(tap->bus, record->head.name, sizeof tap->bus);
	return SLUICE_OK;
}

static void free_tap(struct tap *tap)
{
	sluice_matcher_destroy(tap->matcher);
	free(tap);
}

static enum sluice_status make_tap(const struct command_call *call, struct tap *tap,
                                   struct sluice_error *error)
{
	const struct sluice_pattern *pattern = NULL;
	struct sluice_pattern *owned;
	enum sluice_status status = tap_pattern(call, tap, &pattern, &owned, error);
	if (status == SLUICE_OK) {
		tap->matcher = sluice_matcher_create();
		status = tap->matcher ? sluice_matcher_add(tap->matcher, 1, pattern, error)
		                      : sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL,
		                                         "out of memory");
	}
	sluice_pattern_destroy(owned);
	return status;
}

static enum sluice_status run_tap(struct command_call *call, struct sluice_error *error)
{
	struct store_thread *thread = call->thread;
	enum sluice_status status = may_tap(call, error);
	if (status != SLUICE_OK)
		return status;
	struct tap *tap = calloc(1, sizeof *tap);
	struct tap_start_message *message = calloc(1, sizeof *message);
	if (tap && message)
		status = make_tap(call, tap, error);
	else
		status = sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL, "out of memory");
	if (status != SLUICE_OK) {
		if (tap)
			free_tap(tap);
		free(message);
		return status;
	}
	int64_t lease_s = call_integer(call, "lease_s", LEASE_S);
	tap->garbage.kind = GARBAGE_TAP;
	tap->id = ++thread->last_id;
	tap->asker = call->asker->serial;
	tap->lease_ms = lease_s * 1000;
	tap->rate = call_integer(call, "rate", RATE);
	tap->next_known = thread->taps;
	thread->taps = tap;
	thread->tap_count++;
	sluice_buffer_printf(call->data, "{\"tap\":\"%" PRIu64 "\",\"lease_s\":%" PRId64 "}",
	                     tap->id, lease_s);
	*message = (struct tap_start_message){ { MESSAGE_TAP_START }, tap };
	store_thread_emit(thread, &message->message);
	return SLUICE_OK;
}

/* --- untap --- */

static enum sluice_status run_untap(struct command_call *call, struct sluice_error *error)
{
	struct sluice_str id = call_string(call, "tap");
	struct tap *tap = call->thread->taps;
	for (; tap; tap = tap->next_known) {
		char text[24];
		snprintf(text, sizeof text, "%" PRIu64, tap->id);
		if (tap->asker == call->asker->serial && !tap->stopped &&
		    sluice_str_equal(sluice_str(text), id))
			break;
	}
	if (!tap)
		return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, "$.tap",
		                        "this client has no such tap, or its lease ran out");
	struct tap_stop_message *message = malloc(sizeof *message);
	if (!message)
		return sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL, "out of memory");
	*message = (struct tap_stop_message){ { MESSAGE_TAP_STOP }, tap->id };
	tap->stopped = true;
	sluice_buffer_append(call->data, "{", 1);
	data_string(call->data, "tap", id);
	data_integer(call->data, "seen", (int64_t)counter_get(&tap->seen));
	data_integer(call->data, "left_out", (int64_t)counter_get(&tap->left_out));
	sluice_buffer_append(call->data, "}", 1);
	store_thread_emit(call->thread, &message->message);
	return SLUICE_OK;
}

void control_tap_free(struct store_thread *thread, struct tap *tap)
{
	struct tap **link = &thread->taps;
	while (*link != tap)
		link = &(*link)->next_known;
	*link = tap->next_known;
	thread->tap_count--;
	free_tap(tap);
}

/* --- what a tap shows --- */

static void write_tapped(const struct tapped_message *tapped, struct sluice_buffer *out)
{
	const char *at = tapped->bytes;
	struct sluice_str texts[3];
	const size_t lengths[3] = { tapped->topic, tapped->client_id, tapped->username };
	for (unsigned i = 0; i < 3; i++) {
		bool absent = lengths[i] == SIZE_MAX;
		texts[i] = (struct sluice_str){ absent ? NULL : at, absent ? 0 : lengths[i] };
		at += texts[i].len;
	}
	struct sluice_str payload = { at, tapped->payload };
	bool cut = tapped->payload < tapped->payload_bytes;
	sluice_buffer_printf(out, "{\"tap\":\"%" PRIu64 "\",\"time_ms\":%" PRId64, tapped->tap,
	                     tapped->time_ms);
	data_string(out, "topic", texts[0]);
	if (texts[1].data)
		data_string(out, "client_id", texts[1]);
	if (texts[2].data)
		data_string(out, "username", texts[2]);
	data_integer(out, "qos", tapped->qos);
	data_bool(out, "retain", tapped->retain == 1);
	if (tapped->rule[0] != '\0')
		data_string(out, "rule", sluice_str(tapped->rule));
	data_payload(out, payload, cut);
	if (cut)
		data_integer(out, "payload_bytes", (int64_t)tapped->payload_bytes);
	data_integer(out, "left_out", (int64_t)tapped->left_out);
	sluice_buffer_append(out, "}", 1);
}

void control_tapped(struct store_thread *thread, const struct tapped_message *tapped)
{
	struct sluice_buffer out = { .limit = 0 };
	write_tapped(tapped, &out);
	struct sluice_str text = sluice_buffer_str(&out);
	struct answer_message *answer = out.failed ? NULL : malloc(sizeof *answer + text.len);
	if (answer) {
		*answer = (struct answer_message){ .message = { MESSAGE_ANSWER },
			                           .asker = tapped->asker,
			                           .event = true,
			                           .len = text.len };
		snprintf(answer->topic, sizeof answer->topic, "%s/tap/%" PRIu64, CONTROL_VIEW_TOPIC,
		         tapped->tap);
		memcpy(answer->payload, text.data, text.len);
		store_thread_emit(thread, &answer->message);
	}
	sluice_buffer_finish(&out);
}

const struct command command_tap = {
	.name = "tap",
	.view = true,
	.run = run_tap,
	.members = { { "rule", MEMBER_NAME, false, 0, 0 },
	             { "pattern", MEMBER_ANY, false, 0, 0 },
	             { "bus", MEMBER_NAME, false, 0, 0 },
	             { "lease_s", MEMBER_INTEGER, false, 1, LEASE_MAX_S },
	             { "rate", MEMBER_INTEGER, false, 1, RATE_MAX } },
};

const struct command command_untap = {
	.name = "untap",
	.view = true,
	.run = run_untap,
	.members = { { "tap", MEMBER_STRING, true, 0, 0 } },
};
