/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "cloudevents.h"

#include <strings.h>

#include "sluice/base64.h"
#include "sluice/json.h"
#include "sluice/text_template.h"
#include "text.h"

enum { ATTRIBUTES = 6 };

struct attribute {
	const char *name;
	struct sluice_str value; /* absent or empty = left out */
};

/* All of an event's, with the room for those that are made. */
struct attributes {
	struct attribute list[ATTRIBUTES];
	struct sluice_buffer source, type;
	char time[SLUICE_TIME_SIZE];
};

static struct sluice_str or_else(struct sluice_str own, struct sluice_str made)
{
	return own.len > 0 ? own : made;
}

/* An attribute of an event that is a CloudEvent already. */
static struct sluice_str own(const struct delivery *delivery, const char *name)
{
	struct sluice_str version = delivery_property(delivery, "specversion");
	if (version.len < 2 || memcmp(version.data, "1.", 2) != 0)
		return (struct sluice_str){ NULL, 0 };
	return delivery_property(delivery, name);
}

/* The topic as a URI reference: its levels encoded, its slashes kept. */
static void make_source(struct sluice_str topic, struct sluice_buffer *source)
{
	size_t from = 0;
	sluice_buffer_append_text(source, "/");
	for (size_t i = 0; i <= topic.len; i++) {
		if (i < topic.len && topic.data[i] != '/')
			continue;
		sluice_encode(sluice_str_of(topic.data + from, i - from), SLUICE_ENCODE_URL,
		              source);
		if (i < topic.len)
			sluice_buffer_append_text(source, "/");
		from = i + 1;
	}
}

static bool make(const struct delivery *delivery, struct attributes *made)
{
	const struct sluice_vars *vars = &delivery->vars;
	*made = (struct attributes){ 0 };
	if (delivery->event.topic.data)
		make_source(delivery->event.topic, &made->source);
	else
		sluice_buffer_append_text(&made->source, "/");
	sluice_buffer_append_text(&made->type, vars->rule.len ? "sluice.rule." : "sluice.event");
	sluice_buffer_append_str(&made->type, vars->rule);
	if (vars->time_ms > 0)
		sluice_time_format(vars->time_ms, made->time);
	const struct attribute list[ATTRIBUTES] = {
		{ "specversion", SLUICE_STR("1.0") },
		{ "id", or_else(own(delivery, "id"), vars->id) },
		{ "source", or_else(own(delivery, "source"), sluice_buffer_str(&made->source)) },
		{ "type", or_else(own(delivery, "type"), sluice_buffer_str(&made->type)) },
		{ "subject", or_else(own(delivery, "subject"), delivery->event.topic) },
		{ "time", or_else(own(delivery, "time"), sluice_str(made->time)) },
	};
	memcpy(made->list, list, sizeof(list));
	return !made->source.failed && !made->type.failed;
}

static void finish(struct attributes *made)
{
	sluice_buffer_finish(&made->source);
	sluice_buffer_finish(&made->type);
}

bool text_is_json(struct sluice_str text)
{
	struct sluice_json_doc *doc;
	if (sluice_json_parse(text, 0, SIZE_MAX, &doc, NULL) != SLUICE_OK)
		return false;
	sluice_json_destroy(doc);
	return true;
}

bool content_type_is_json(struct sluice_str type)
{
	static const char json[] = "application/json";
	size_t len = 0;
	while (len < type.len && type.data[len] != ';' && type.data[len] != ' ')
		len++;
	return (len == sizeof(json) - 1 && strncasecmp(type.data, json, len) == 0) ||
	       (len > 5 && strncasecmp(type.data + len - 5, "+json", 5) == 0);
}

/* JSON as it is, a text as a string, all else as base64 (JSON format, 3.1). */
static void write_data(struct sluice_str data, struct sluice_str content_type,
                       struct sluice_buffer *out)
{
	bool json = content_type.len == 0 || content_type_is_json(content_type);
	bool text = content_type.len > 5 && strncasecmp(content_type.data, "text/", 5) == 0;
	if (json && text_is_json(data)) {
		sluice_buffer_append_text(out, ",\"data\":");
		sluice_buffer_append_str(out, data);
	} else if (text && sluice_text_utf8_length(data) == data.len) {
		sluice_buffer_append_text(out, ",\"data\":");
		sluice_json_write_string(out, data);
	} else {
		sluice_buffer_append_text(out, ",\"data_base64\":\"");
		sluice_buffer_append_base64(out, data);
		sluice_buffer_append_text(out, "\"");
	}
}

void cloudevent_write(const struct delivery *delivery, struct sluice_str data,
                      struct sluice_str content_type, struct sluice_buffer *out)
{
	struct attributes made;
	bool done = make(delivery, &made);
	for (size_t i = 0; i < ATTRIBUTES; i++) {
		if (made.list[i].value.len == 0)
			continue;
		sluice_buffer_printf(out, "%s\"%s\":", i == 0 ? "{" : ",", made.list[i].name);
		sluice_json_write_string(out, made.list[i].value);
	}
	if (content_type.len > 0) {
		sluice_buffer_append_text(out, ",\"datacontenttype\":");
		sluice_json_write_string(out, content_type);
	}
	if (data.len > 0)
		write_data(data, content_type, out);
	sluice_buffer_append_text(out, "}");
	finish(&made);
	out->failed = out->failed || !done;
}

/* HTTP binding, 3.1.3.2: what is not printable ASCII, and space, quote and percent, is encoded. */
static void encode_value(struct sluice_str value, struct sluice_buffer *out)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.data[i];
		if (c > 0x20 && c < 0x7f && c != '"' && c != '%')
			sluice_buffer_append(out, value.data + i, 1);
		else
			sluice_buffer_printf(out, "%%%02X", c);
	}
}

void cloudevent_headers(const struct delivery *delivery, struct http_message *message)
{
	struct attributes made;
	struct sluice_buffer value = { 0 };
	bool done = make(delivery, &made);
	for (size_t i = 0; i < ATTRIBUTES; i++) {
		char name[32] = "ce-";
		if (made.list[i].value.len == 0)
			continue;
		strcat(name, made.list[i].name);
		sluice_buffer_reset(&value);
		encode_value(made.list[i].value, &value);
		http_message_header(message, name, sluice_buffer_str(&value));
		done = done && !value.failed;
	}
	sluice_buffer_finish(&value);
	finish(&made);
	message->headers.failed = message->headers.failed || !done;
}
