/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* PutRecords. */
#include "expand.h"
#include "outcome.h"
#include "sluice/base64.h"

enum { KEY_MAX_BYTES = 256 };

static void begin(const struct aws_settings *aws, struct sluice_buffer *body)
{
	bool arn = aws->where.len > 4 && memcmp(aws->where.data, "arn:", 4) == 0;

	sluice_buffer_append_text(body, arn ? "{\"StreamARN\":" : "{\"StreamName\":");
	sluice_json_write_string(body, aws->where);
	sluice_buffer_append_text(body, ",\"Records\":[");
}

static void end(struct sluice_buffer *body)
{
	sluice_buffer_append_text(body, "]}");
}

static enum sluice_status entry(const struct aws_settings *aws, const struct delivery *delivery,
                                size_t index, struct sluice_buffer *body, size_t *size,
                                struct sluice_error *error)
{
	struct sluice_buffer key = { 0 };
	enum sluice_status status = aws_expand_key(aws->partition_key, delivery, "partition_key",
	                                           KEY_MAX_BYTES, &key, error);

	/* There must be one: what belongs to no group is spread over the shards. */
	if (!status && key.len == 0)
		sluice_buffer_append_str(&key, delivery->vars.id.len ? delivery->vars.id
		                                                     : SLUICE_STR("-"));
	if (!status && key.failed)
		status = sluice_out_of_memory(error);
	if (!status) {
		sluice_buffer_append_text(body, index ? ",{\"Data\":\"" : "{\"Data\":\"");
		sluice_buffer_append_base64(body, delivery->event.payload);
		sluice_buffer_append_text(body, "\",\"PartitionKey\":");
		sluice_json_write_string(body, sluice_buffer_str(&key));
		sluice_buffer_append_text(body, "}");
		*size = delivery->event.payload.len + key.len;
	}
	sluice_buffer_finish(&key);
	return status;
}

static void read_answer(const struct aws_answer *answer, size_t count, struct verdict *verdicts)
{
	aws_read_list(answer, "Records", count, verdicts);
}

const struct aws_service aws_kinesis = {
	.name = "kinesis",
	.target = "Kinesis_20131202.PutRecords",
	.content_type = "application/x-amz-json-1.1",
	.max_events = 500,
	.max_bytes = 5 << 20,
	.max_event = 1 << 20,
	.begin = begin,
	.end = end,
	.entry = entry,
	.read = read_answer,
};
