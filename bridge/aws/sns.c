/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* PublishBatch, in the query protocol: SNS speaks no JSON. */
#include <stdio.h>

#include "expand.h"
#include "message.h"
#include "outcome.h"
#include "xml.h"

enum { SUBJECT_MAX_BYTES = 100 };

static void begin(const struct aws_settings *aws, struct sluice_buffer *body)
{
	sluice_buffer_append_text(body, "Action=PublishBatch&Version=2010-03-31&TopicArn=");
	sluice_encode(aws->where, SLUICE_ENCODE_URL, body);
}

/* "&PublishBatchRequestEntries.member.1.<name>=<value>" */
static void parameter(struct sluice_buffer *body, size_t index, const char *name,
                      struct sluice_str value)
{
	sluice_buffer_printf(body, "&PublishBatchRequestEntries.member.%zu.%s=", index + 1, name);
	sluice_encode(value, SLUICE_ENCODE_URL, body);
}

static void attribute(struct sluice_buffer *body, size_t index, size_t number, const char *name,
                      struct sluice_str value)
{
	char full[64];

	snprintf(full, sizeof(full), "MessageAttributes.entry.%zu.%s", number, name);
	parameter(body, index, full, value);
}

static void write_entry(const struct aws_message *message, size_t index, struct sluice_buffer *body)
{
	char id[24];

	snprintf(id, sizeof(id), "%zu", index);
	parameter(body, index, "Id", sluice_str(id));
	parameter(body, index, "Message", message->text);
	for (size_t i = 0; i < message->attribute_count; i++) {
		attribute(body, index, i + 1, "Name", message->attributes[i].name);
		attribute(body, index, i + 1, "Value.DataType", SLUICE_STR("String"));
		attribute(body, index, i + 1, "Value.StringValue", message->attributes[i].value);
	}
	if (message->group.data) {
		parameter(body, index, "MessageGroupId", message->group);
		parameter(body, index, "MessageDeduplicationId", sluice_str(message->key));
	}
}

static enum sluice_status write_subject(const struct aws_settings *aws,
                                        const struct delivery *delivery, size_t index,
                                        struct sluice_buffer *body, size_t *size,
                                        struct sluice_error *error)
{
	struct sluice_buffer subject = { 0 };
	enum sluice_status status =
	        aws_expand(aws->subject, delivery, "subject", SUBJECT_MAX_BYTES, &subject, error);

	if (!status && subject.len) {
		parameter(body, index, "Subject", sluice_buffer_str(&subject));
		*size += subject.len;
	}
	sluice_buffer_finish(&subject);
	return status;
}

static enum sluice_status entry(const struct aws_settings *aws, const struct delivery *delivery,
                                size_t index, struct sluice_buffer *body, size_t *size,
                                struct sluice_error *error)
{
	struct aws_message message;
	enum sluice_status status = aws_message_init(&message, aws, delivery, error);

	if (!status) {
		write_entry(&message, index, body);
		*size = message.size;
		if (aws->subject)
			status = write_subject(aws, delivery, index, body, size, error);
	}
	aws_message_finish(&message);
	return status;
}

static void read_answer(const struct aws_answer *answer, size_t count, struct verdict *verdicts)
{
	struct sluice_str done = xml_first(answer->body, "Successful");
	struct sluice_str failed = xml_first(answer->body, "Failed");
	struct sluice_str member;

	while (xml_next(&done, "member", &member))
		aws_entry_done(verdicts, count, xml_first(member, "Id"));
	while (xml_next(&failed, "member", &member)) {
		bool ours = sluice_str_equal(xml_first(member, "SenderFault"), SLUICE_STR("true"));

		aws_entry_failed(verdicts, count, xml_first(member, "Id"),
		                 ours ? AWS_FAULT_SENDER : AWS_FAULT_SERVICE,
		                 xml_first(member, "Code"), xml_first(member, "Message"));
	}
}

const struct aws_service aws_sns = {
	.name = "sns",
	.content_type = "application/x-www-form-urlencoded; charset=utf-8",
	.max_events = 10,
	.max_bytes = 262144,
	.max_event = 262144,
	.begin = begin,
	.entry = entry,
	.read = read_answer,
};
