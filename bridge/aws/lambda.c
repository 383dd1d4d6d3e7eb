/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Invoke: a call for each event. What the function is called with is the payload, nothing else. */
#include "outcome.h"

static enum sluice_status entry(const struct aws_settings *aws, const struct delivery *delivery,
                                size_t index, struct sluice_buffer *body, size_t *size,
                                struct sluice_error *error)
{
	(void)aws;
	(void)index;
	(void)error;
	sluice_buffer_append_str(body, delivery->event.payload);
	*size = delivery->event.payload.len;
	return SLUICE_OK;
}

/* A function that ended badly is no error to HTTP: 200, and a header says so. It may go well the next
 * time, as with SQS and EventBridge, which call it again. */
static void read_answer(const struct aws_answer *answer, size_t count, struct verdict *verdicts)
{
	if (count != 1)
		return;
	if (answer->function_error.len == 0) {
		verdict_set(verdicts, OUTCOME_DONE, DELIVERY_NO_HINT, "%s", "");
		return;
	}
	struct sluice_json_doc *doc = aws_answer_json(answer);
	if (doc)
		aws_failed_json(verdicts, AWS_FAULT_SERVICE, sluice_json_root(doc), "errorType",
		                "errorMessage");
	else
		aws_failed(verdicts, AWS_FAULT_SERVICE, answer->function_error,
		           SLUICE_STR("the function failed"));
	sluice_json_destroy(doc);
}

const struct aws_service aws_lambda = {
	.name = "lambda",
	.content_type = "application/json",
	.max_events = 1,
	.max_bytes = 6 << 20,
	.max_event = 6 << 20,
	.entry = entry,
	.read = read_answer,
};
