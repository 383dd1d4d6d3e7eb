/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* An archived event as JSON: what "publish" of other commands takes, and what it was. */
#include "archive_scan.h"
#include "text.h"

enum {
	JSON_NESTING = 64,         /* of a payload that stands there as it is; deeper, it is text */
	PAYLOAD_MAX = 1024 * 1024, /* longer ones are not there */
	USER_MAX = 1000,           /* user properties: what comes behind is left out */
};

/* Whether the payload can stand in the answer as it is: JSON, and no string, which would be taken for
 * the characters that it says. */
static bool is_value(struct sluice_str payload)
{
	struct sluice_json_doc *doc;
	if (sluice_json_parse(payload, 0, JSON_NESTING, &doc, NULL) != SLUICE_OK)
		return false;
	bool value = sluice_json_root(doc)->type != SLUICE_JSON_STRING;
	sluice_json_destroy(doc);
	return value;
}

static void write_payload(struct sluice_buffer *data, struct sluice_str payload)
{
	if (payload.len > PAYLOAD_MAX)
		data_integer(data, "payload_bytes", (int64_t)payload.len);
	else if (is_value(payload))
		data_raw(data, "payload", payload);
	else if (sluice_text_utf8_length(payload) == payload.len)
		data_string(data, "payload", payload);
	else
		data_base64(data, "payload_base64", payload);
}

/* Of each name, its values in their order: as patterns see them. */
static void write_values(struct sluice_buffer *data, const struct sluice_property *user,
                         size_t count)
{
	sluice_json_write_string(data, user->name);
	sluice_buffer_append(data, ":[", 2);
	for (size_t i = 0; i < count; i++) {
		if (!sluice_str_equal(user[i].name, user->name))
			continue;
		if (i > 0)
			sluice_buffer_append(data, ",", 1);
		sluice_json_write_string(data, user[i].value);
	}
	sluice_buffer_append(data, "]", 1);
}

static void write_user(struct sluice_buffer *data, const struct sluice_event *event)
{
	const struct sluice_property *user = event->user_properties;
	size_t count =
	        event->user_property_count < USER_MAX ? event->user_property_count : USER_MAX;
	if (count == 0)
		return;
	data_key(data, "user_properties");
	for (size_t i = 0; i < count; i++) {
		bool before = false;
		for (size_t j = 0; j < i && !before; j++)
			before = sluice_str_equal(user[j].name, user[i].name);
		if (before)
			continue;
		sluice_buffer_append_text(data, i == 0 ? "{" : ",");
		write_values(data, user + i, count - i);
	}
	sluice_buffer_append(data, "}", 1);
}

static void write_text(struct sluice_buffer *data, const char *name, struct sluice_str text)
{
	if (text.data)
		data_string(data, name, text);
}

void data_archived(struct sluice_buffer *data, const struct sluice_record *record)
{
	struct archived archived = { 0 };
	const struct sluice_event *event = &archived.event;
	data->failed |= !archived_read(&archived, record);
	sluice_buffer_append(data, "{", 1);
	data_id(data, "cursor", record->id);
	data_string(data, "id", record->event_id);
	data_time(data, "time", record->time_ms);
	data_string(data, "topic", event->topic);
	write_text(data, "client_id", event->client_id);
	write_text(data, "username", event->username);
	data_integer(data, "qos", event->qos);
	data_bool(data, "retain", event->retain == 1);
	write_text(data, "content_type", event->content_type);
	write_text(data, "response_topic", event->response_topic);
	if (event->correlation_data.data)
		data_base64(data, "correlation_data", event->correlation_data);
	if (event->payload_format >= 0)
		data_integer(data, "payload_format", event->payload_format);
	write_user(data, event);
	write_payload(data, event->payload);
	sluice_buffer_append(data, "}", 1);
	archived_finish(&archived);
}
