/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* getQueueStatus: the numbers of a queue, or of all that are in force. */
#include <stdlib.h>

#include "command.h"
#include "numbers.h"

enum { PAGE = 100, PAGE_MAX = 1000 };

static int by_name(const void *a, const void *b)
{
	const struct queue_record *const *first = a, *const *second = b;
	return strcmp((*first)->head.name, (*second)->head.name);
}

/* Those in force, in the order of names: *count of them, to be freed. NULL when out of memory. */
static struct queue_record **sorted(const struct registry *registry, size_t *count)
{
	size_t capacity = 1;
	struct defined *first = registry->defined[SLUICE_STORE_QUEUE];
	for (struct defined *at = first; at; at = at->next)
		capacity++;
	struct queue_record **records = malloc(capacity * sizeof(struct queue_record *));
	*count = 0;
	if (!records)
		return NULL;
	for (struct defined *at = first; at; at = at->next) {
		if (at->current)
			records[(*count)++] = (struct queue_record *)at;
	}
	qsort(records, *count, sizeof(struct queue_record *), by_name);
	return records;
}

static enum sluice_status write_all(const struct command_call *call, struct sluice_error *error)
{
	struct sluice_buffer *data = call->data;
	size_t limit = (size_t)call_integer(call, "limit", PAGE);
	size_t count, written = 0;
	const char *last = NULL;
	bool more = false;
	struct queue_record **records = sorted(&call->thread->registry, &count);
	if (!records)
		return sluice_out_of_memory(error);
	data_key(data, "queues");
	sluice_buffer_append(data, "[", 1);
	for (size_t i = 0; i < count && !more; i++) {
		const char *name = records[i]->head.name;
		if (!call_chooses(call, name))
			continue;
		more = written == limit;
		if (more)
			break;
		sluice_buffer_append_text(data, written++ ? ",{" : "{");
		data_string(data, "name", sluice_str(name));
		data_queue_numbers(data, &records[i]->numbers);
		sluice_buffer_append(data, "}", 1);
		last = name;
	}
	sluice_buffer_append(data, "]", 1);
	if (more)
		data_string(data, "next", sluice_str(last));
	free(records);
	return SLUICE_OK;
}

static enum sluice_status run(struct command_call *call, struct sluice_error *error)
{
	enum sluice_status status = SLUICE_OK;
	bool one = call_member(call, "name") != NULL;
	if (one && (call_member(call, "prefix") || call_member(call, "after") ||
	            call_member(call, "limit")))
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.name",
		                        "stands alone: prefix, after and limit choose among all");
	sluice_buffer_append(call->data, "{", 1);
	if (one) {
		struct queue_record *queue;
		status = call_queue(call, "name", &queue, error);
		if (status == SLUICE_OK)
			data_queue_numbers(call->data, &queue->numbers);
	} else {
		status = write_all(call, error);
	}
	sluice_buffer_append(call->data, "}", 1);
	return status;
}

const struct command command_get_queue_status = {
	.name = "getQueueStatus",
	.view = true,
	.run = run,
	.members = { { "name", MEMBER_NAME, false, 0, 0 },
	             { "prefix", MEMBER_STRING, false, 0, 0 },
	             { "after", MEMBER_STRING, false, 0, 0 },
	             { "limit", MEMBER_INTEGER, false, 1, PAGE_MAX } },
};
