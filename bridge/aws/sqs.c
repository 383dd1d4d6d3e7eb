/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* SendMessageBatch, in SQS's JSON protocol. */
#include "message.h"
#include "outcome.h"

static void begin(const struct aws_settings *aws, struct sluice_buffer *body)
{
	sluice_buffer_append_text(body, "{\"QueueUrl\":");
	sluice_json_write_string(body, aws->where);
	sluice_buffer_append_text(body, ",\"Entries\":[");
}

static void end(struct sluice_buffer *body)
{
	sluice_buffer_append_text(body, "]}");
}

static void write_entry(const struct aws_message *message, size_t index, struct sluice_buffer *body)
{
	sluice_buffer_printf(body, "%s{\"Id\":\"%zu\",\"MessageBody\":", index ? "," : "", index);
	sluice_json_write_string(body, message->text);
	sluice_buffer_append_text(body, ",\"MessageAttributes\":{");
	for (size_t i = 0; i < message->attribute_count; i++) {
		if (i)
			sluice_buffer_append_text(body, ",");
		sluice_json_write_string(body, message->attributes[i].name);
		sluice_buffer_append_text(body, ":{\"DataType\":\"String\",\"StringValue\":");
		sluice_json_write_string(body, message->attributes[i].value);
		sluice_buffer_append_text(body, "}");
	}
	sluice_buffer_append_text(body, "}");
	if (message->group.data) {
		sluice_buffer_append_text(body, ",\"MessageGroupId\":");
		sluice_json_write_string(body, message->group);
		sluice_buffer_printf(body, ",\"MessageDeduplicationId\":\"%s\"", message->key);
	}
	sluice_buffer_append_text(body, "}");
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
	}
	aws_message_finish(&message);
	return status;
}

static struct sluice_str text_of(const struct sluice_json *object, const char *name)
{
	const struct sluice_json *node = sluice_json_get(object, name);

	return node ? node->string : (struct sluice_str){ NULL, 0 };
}

static const struct sluice_json *first_of(const struct sluice_json *root, const char *name)
{
	const struct sluice_json *list = sluice_json_get(root, name);

	return list && list->type == SLUICE_JSON_ARRAY ? list->first : NULL;
}

static void read_answer(const struct aws_answer *answer, size_t count, struct verdict *verdicts)
{
	struct sluice_json_doc *doc = aws_answer_json(answer);
	const struct sluice_json *root = doc ? sluice_json_root(doc) : NULL;

	for (const struct sluice_json *at = first_of(root, "Successful"); at; at = at->next)
		aws_entry_done(verdicts, count, text_of(at, "Id"));
	for (const struct sluice_json *at = first_of(root, "Failed"); at; at = at->next) {
		const struct sluice_json *sender = sluice_json_get(at, "SenderFault");
		bool ours = sender && sender->type == SLUICE_JSON_TRUE;

		aws_entry_failed(verdicts, count, text_of(at, "Id"),
		                 ours ? AWS_FAULT_SENDER : AWS_FAULT_SERVICE, text_of(at, "Code"),
		                 text_of(at, "Message"));
	}
	sluice_json_destroy(doc);
}

const struct aws_service aws_sqs = {
	.name = "sqs",
	.target = "AmazonSQS.SendMessageBatch",
	.content_type = "application/x-amz-json-1.0",
	.max_events = 10,
	.max_bytes = 262144,
	.max_event = 262144,
	.begin = begin,
	.end = end,
	.entry = entry,
	.read = read_answer,
};
