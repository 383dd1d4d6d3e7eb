/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "queue_numbers.h"

#include <inttypes.h>
#include <stdio.h>

#include "output.h"

static uint64_t number(const struct sluice_json *data, const char *name)
{
	int64_t value = 0;
	if (!sluice_json_integer(sluice_json_get(data, name), 0, INT64_MAX, &value))
		return 0;
	return (uint64_t)value;
}

enum cli_exit queue_numbers_ask(struct control *control, struct sluice_str queue,
                                struct queue_numbers *numbers, struct sluice_error *error)
{
	struct sluice_buffer members = { 0 };
	struct answer answer;
	output_member_text(&members, "name", queue);
	enum cli_exit code =
	        control_call(control, CONTROL_VIEW, "getQueueStatus", &members, &answer, error);
	sluice_buffer_finish(&members);
	if (code != CLI_OK)
		return code;
	const struct sluice_json *redriving = sluice_json_get(answer.data, "redriving");
	*numbers = (struct queue_numbers){
		.ready = number(answer.data, "ready"),
		.in_flight = number(answer.data, "in_flight"),
		.delayed = number(answer.data, "delayed"),
		.purged = number(answer.data, "purged"),
		.redriven = number(answer.data, "redriven"),
		.stayed = number(answer.data, "stayed"),
		.redriving = redriving && redriving->type == SLUICE_JSON_TRUE,
	};
	answer_finish(&answer);
	return CLI_OK;
}

enum cli_exit queue_purge(struct control *control, struct sluice_str queue, uint64_t *count,
                          struct sluice_error *error)
{
	struct sluice_buffer members = { 0 };
	struct queue_numbers before, after;
	struct answer answer;
	*count = 0;
	enum cli_exit code = queue_numbers_ask(control, queue, &before, error);
	if (code != CLI_OK)
		return code;
	output_member_text(&members, "name", queue);
	code = control_call(control, CONTROL_CHANGE, "purgeQueue", &members, &answer, error);
	sluice_buffer_finish(&members);
	if (code != CLI_OK)
		return code;
	answer_finish(&answer);
	code = queue_numbers_ask(control, queue, &after, error);
	if (code != CLI_OK)
		return code;
	*count = after.purged - before.purged;
	if (*count == 0 && queue_holds(&before) > 0 && queue_holds(&after) > 0) {
		sluice_error_set(error, SLUICE_ERR_IO, SIZE_MAX, NULL,
		                 "it is not purged: the broker's journal has no room");
		code = CLI_STORE;
	}
	return code;
}

char *count_messages(uint64_t count, char text[48])
{
	snprintf(text, 48, "%" PRIu64 " %s", count, count == 1 ? "message" : "messages");
	return text;
}
