/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdlib.h>

#include "command.h"
#include "event.h"
#include "explain.h"

static enum sluice_status run(struct command_call *call, struct sluice_error *error)
{
	struct sluice_event event;
	void *storage;
	struct sluice_pattern *pattern = NULL;
	struct sluice_explanation *explanation = NULL;
	enum sluice_status status = call_event(call, &event, &storage, error);
	if (status != SLUICE_OK)
		return status;
	status = sluice_pattern_compile(call_text(call_member(call, "pattern")), &pattern, error);
	if (status != SLUICE_OK)
		call_error_within(status, "pattern", error);
	else
		status = sluice_explain(pattern, &event, &explanation, error);
	if (status == SLUICE_OK) {
		sluice_buffer_append(call->data, "{", 1);
		data_bool(call->data, "match", sluice_explanation_matched(explanation));
		data_explanation(call->data, explanation);
		sluice_buffer_append(call->data, "}", 1);
	}
	sluice_explanation_destroy(explanation);
	sluice_pattern_destroy(pattern);
	free(storage);
	return status;
}

const struct command command_test_pattern = {
	.name = "testPattern",
	.view = true,
	.run = run,
	.members = { { "pattern", MEMBER_ANY, true, 0, 0 },
	             { "event", MEMBER_ANY, false, 0, 0 },
	             { "publish", MEMBER_OBJECT, false, 0, 0 } },
};
