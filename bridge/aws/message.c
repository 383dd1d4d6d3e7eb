/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "message.h"

#include <ctype.h>

#include "event_key.h"
#include "expand.h"
#include "outcome.h"
#include "sluice/base64.h"
#include "text.h"

enum {
	NAME_MAX_BYTES = 256,  /* of an attribute */
	GROUP_MAX_BYTES = 128, /* of a MessageGroupId */
};

/* Whether SQS takes it: UTF-8, of the characters of XML 1.0. */
static bool is_text(struct sluice_str text)
{
	if (sluice_text_utf8_length(text) != text.len)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
			return false;
		/* U+FFFE and U+FFFF: EF BF BE, EF BF BF */
		if (c == 0xef && (unsigned char)text.data[i + 1] == 0xbf &&
		    (unsigned char)text.data[i + 2] >= 0xbe)
			return false;
	}
	return true;
}

static bool is_reserved(struct sluice_str name)
{
	static const char *const prefixes[] = { "aws.", "amazon.", "sluice-" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		size_t len = strlen(prefixes[i]), same = 0;

		while (same < len && same < name.len &&
		       tolower((unsigned char)name.data[same]) == prefixes[i][same])
			same++;
		if (same == len)
			return true;
	}
	return false;
}

/* Letters, digits, and single dots, dashes and underscores; no dot first or last. */
static bool is_name(struct sluice_str name)
{
	if (name.len == 0 || name.len > NAME_MAX_BYTES || is_reserved(name))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		              (c >= '0' && c <= '9') || c == '-' || c == '_';

		if (!letter && (c != '.' || i == 0 || i + 1 == name.len || name.data[i - 1] == '.'))
			return false;
	}
	return true;
}

static bool has_attribute(const struct aws_message *message, struct sluice_str name)
{
	for (size_t i = 0; i < message->attribute_count; i++) {
		if (sluice_str_equal(message->attributes[i].name, name))
			return true;
	}
	return false;
}

static void add(struct aws_message *message, struct sluice_str name, struct sluice_str value)
{
	if (message->attribute_count == AWS_ATTRIBUTES || value.len == 0 || !is_text(value))
		return;
	message->attributes[message->attribute_count++] =
	        (struct sluice_property){ .name = name, .value = value };
	message->size += name.len + strlen("String") + value.len;
}

static void add_attributes(struct aws_message *message, const struct delivery *delivery)
{
	const struct sluice_vars *vars = &delivery->vars;
	const struct sluice_event *event = &delivery->event;

	add(message, SLUICE_STR("sluice-id"), vars->id);
	add(message, SLUICE_STR("sluice-rule"), vars->rule);
	add(message, SLUICE_STR("sluice-topic"), event->topic);
	if (vars->time_ms > 0)
		add(message, SLUICE_STR("sluice-time"),
		    sluice_str(sluice_time_format(vars->time_ms, message->time)));
	add(message, SLUICE_STR("content-type"), event->content_type);
	if (message->base64.len)
		add(message, SLUICE_STR("sluice-encoding"), SLUICE_STR("base64"));
	for (size_t i = 0; i < event->user_property_count; i++) {
		struct sluice_property property = event->user_properties[i];

		if (is_name(property.name) && !has_attribute(message, property.name))
			add(message, property.name, property.value);
	}
}

static enum sluice_status make_group(struct aws_message *message, const struct aws_settings *aws,
                                     const struct delivery *delivery, struct sluice_error *error)
{
	enum sluice_status status = aws_expand_key(aws->group_id, delivery, "group_id",
	                                           GROUP_MAX_BYTES, &message->group_text, error);

	if (status)
		return status;
	message->group = sluice_buffer_str(&message->group_text);
	if (message->group.len == 0)
		message->group = SLUICE_STR("-"); /* there must be one */
	return event_key(&delivery, 1, message->key) ? SLUICE_OK : sluice_out_of_memory(error);
}

enum sluice_status aws_message_init(struct aws_message *message, const struct aws_settings *aws,
                                    const struct delivery *delivery, struct sluice_error *error)
{
	struct sluice_str payload = delivery->event.payload;

	*message = (struct aws_message){ 0 };
	if (payload.len == 0)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "the payload is empty, which AWS does not take");
	message->text = payload;
	if (!is_text(payload)) {
		sluice_buffer_append_base64(&message->base64, payload);
		if (message->base64.failed)
			return sluice_out_of_memory(error);
		message->text = sluice_buffer_str(&message->base64);
	}
	message->size = message->text.len;
	add_attributes(message, delivery);
	return aws->fifo ? make_group(message, aws, delivery, error) : SLUICE_OK;
}

void aws_message_finish(struct aws_message *message)
{
	sluice_buffer_finish(&message->base64);
	sluice_buffer_finish(&message->group_text);
}

/* An Id is the entry's number: no other is ours. */
static struct verdict *find(struct verdict *verdicts, size_t count, struct sluice_str id)
{
	if (id.len == 1 && id.data[0] >= '0' && (size_t)(id.data[0] - '0') < count)
		return &verdicts[id.data[0] - '0'];
	return NULL;
}

void aws_entry_failed(struct verdict *verdicts, size_t count, struct sluice_str id,
                      enum aws_fault fault, struct sluice_str code, struct sluice_str message)
{
	struct verdict *verdict = find(verdicts, count, id);

	if (verdict)
		aws_failed(verdict, fault, code, message);
}

void aws_entry_done(struct verdict *verdicts, size_t count, struct sluice_str id)
{
	struct verdict *verdict = find(verdicts, count, id);

	if (verdict)
		verdict_set(verdict, OUTCOME_DONE, DELIVERY_NO_HINT, "%s", "");
}
