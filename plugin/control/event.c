/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "event.h"

#include "text.h"

struct sluice_str call_text(const struct sluice_json *json)
{
	return json->type == SLUICE_JSON_STRING ? json->string : json->raw;
}

enum sluice_status call_event(const struct command_call *call, struct sluice_event *event,
                              void **storage, struct sluice_error *error)
{
	const struct sluice_json *json = call_member(call, "event");
	const struct sluice_json *publish = call_member(call, "publish");
	*storage = NULL;
	if (!json == !publish)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "needs one of \"event\" and \"publish\"");
	if (publish)
		return sluice_event_from_json(publish, event, storage, error);
	*event = SLUICE_EVENT_INIT;
	event->payload = call_text(json);
	return SLUICE_OK;
}

/* A payload that was cut may end within a character: up to three bytes are no fault then. */
static bool is_text(struct sluice_str payload, bool cut)
{
	size_t good = sluice_text_utf8_length(payload);
	return good == payload.len || (cut && payload.len - good < 4);
}

void data_payload(struct sluice_buffer *out, struct sluice_str payload, bool cut)
{
	if (is_text(payload, cut)) {
		payload.len = sluice_text_utf8_length(payload);
		data_string(out, "payload", payload);
	} else {
		data_base64(out, "payload_base64", payload);
	}
}
