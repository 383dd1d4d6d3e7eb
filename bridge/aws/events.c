/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* EventBridge's PutEvents. */
#include <inttypes.h>

#include "outcome.h"

enum { TIME_BYTES = 14 }; /* that EventBridge counts for a time */

static void begin(const struct aws_settings *aws, struct sluice_buffer *body)
{
	(void)aws;
	sluice_buffer_append_text(body, "{\"Entries\":[");
}

static void end(struct sluice_buffer *body)
{
	sluice_buffer_append_text(body, "]}");
}

static void write_entry(const struct aws_settings *aws, const struct delivery *delivery,
                        struct sluice_str detail_type, struct sluice_buffer *body)
{
	sluice_buffer_append_text(body, "{\"Source\":");
	sluice_json_write_string(body, aws->source);
	sluice_buffer_append_text(body, ",\"DetailType\":");
	sluice_json_write_string(body, detail_type);
	sluice_buffer_append_text(body, ",\"Detail\":");
	sluice_json_write_string(body, delivery->event.payload);
	if (aws->where.len) {
		sluice_buffer_append_text(body, ",\"EventBusName\":");
		sluice_json_write_string(body, aws->where);
	}
	if (delivery->vars.time_ms > 0)
		sluice_buffer_printf(body, ",\"Time\":%" PRId64 ".%03d",
		                     delivery->vars.time_ms / 1000,
		                     (int)(delivery->vars.time_ms % 1000));
	sluice_buffer_append_text(body, "}");
}

/* EventBridge would refuse any other, by the name of MalformedDetail. */
static enum sluice_status check_detail(struct sluice_str detail, struct sluice_error *error)
{
	struct sluice_json_doc *doc;
	enum sluice_status status = sluice_json_parse(detail, 0, SIZE_MAX, &doc, error);

	if (status == SLUICE_ERR_NOMEM)
		return status;
	bool object = !status && sluice_json_root(doc)->type == SLUICE_JSON_OBJECT;
	sluice_json_destroy(doc);
	return object ? SLUICE_OK
	              : sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
	                                 "the payload is no JSON object, and so no Detail");
}

static enum sluice_status entry(const struct aws_settings *aws, const struct delivery *delivery,
                                size_t index, struct sluice_buffer *body, size_t *size,
                                struct sluice_error *error)
{
	struct sluice_str detail_type = aws->detail_type;
	struct sluice_str payload = delivery->event.payload;

	if (detail_type.len == 0)
		detail_type = delivery->event.topic;
	if (detail_type.len == 0)
		detail_type = SLUICE_STR("event");
	*size = TIME_BYTES + aws->source.len + detail_type.len + payload.len;
	/* What is too large by far is not to be parsed as well. */
	enum sluice_status status =
	        *size > aws_events.max_event ? SLUICE_OK : check_detail(payload, error);
	if (status)
		return status;
	if (index)
		sluice_buffer_append_text(body, ",");
	write_entry(aws, delivery, detail_type, body);
	return SLUICE_OK;
}

static void read_answer(const struct aws_answer *answer, size_t count, struct verdict *verdicts)
{
	aws_read_list(answer, "Entries", count, verdicts);
}

const struct aws_service aws_events = {
	.name = "events",
	.target = "AWSEvents.PutEvents",
	.content_type = "application/x-amz-json-1.1",
	.max_events = 10,
	.max_bytes = 262144,
	.max_event = 262144,
	.begin = begin,
	.end = end,
	.entry = entry,
	.read = read_answer,
};
