/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* purgeQueue, redriveQueue: what is done to the messages of a queue. */
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "plugin.h"

/* Sent before the command's answer, so that it has been done when that comes. */
static enum sluice_status send_order(const struct command_call *call, enum queue_order order,
                                     const char *queue, const char *to, uint64_t limit,
                                     struct sluice_error *error)
{
	struct queue_order_message *message = malloc(sizeof *message);
	if (!message)
		return sluice_out_of_memory(error);
	*message = (struct queue_order_message){ .message = { MESSAGE_QUEUE_ORDER },
		                                 .order = order,
		                                 .limit = limit };
	snprintf(message->queue, sizeof message->queue, "%s", queue);
	snprintf(message->to, sizeof message->to, "%s", to);
	store_thread_emit(call->thread, &message->message);
	return SLUICE_OK;
}

static enum sluice_status run_purge(struct command_call *call, struct sluice_error *error)
{
	struct queue_record *queue;
	enum sluice_status status = call_queue(call, "name", &queue, error);
	if (status == SLUICE_OK)
		status = send_order(call, QUEUE_PURGE, queue->head.name, "", 0, error);
	if (status == SLUICE_OK)
		sluice_buffer_append_text(call->data, "{}");
	return status;
}

static enum sluice_status run_redrive(struct command_call *call, struct sluice_error *error)
{
	struct queue_record *queue, *to = NULL;
	enum sluice_status status = call_queue(call, "name", &queue, error);
	if (status == SLUICE_OK && call_member(call, "to"))
		status = call_queue(call, "to", &to, error);
	if (status == SLUICE_OK && to == queue)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.to",
		                        "must be another queue");
	if (status == SLUICE_OK)
		status = send_order(call, QUEUE_REDRIVE, queue->head.name, to ? to->head.name : "",
		                    (uint64_t)call_integer(call, "limit", INT64_MAX), error);
	if (status == SLUICE_OK)
		sluice_buffer_append_text(call->data, "{}");
	return status;
}

const struct command command_purge_queue = {
	.name = "purgeQueue",
	.run = run_purge,
	.members = { { "name", MEMBER_NAME, true, 0, 0 } },
};

const struct command command_redrive_queue = {
	.name = "redriveQueue",
	.run = run_redrive,
	.members = { { "name", MEMBER_NAME, true, 0, 0 },
	             { "to", MEMBER_NAME, false, 0, 0 },
	             { "limit", MEMBER_INTEGER, false, 1, INT64_MAX } },
};
