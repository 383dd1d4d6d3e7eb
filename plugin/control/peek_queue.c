/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* peekQueue: the messages of a queue, as they stand in SQLite, without taking them. */
#include "command.h"
#include "event.h"

enum { PAGE = 20, PAGE_MAX = 500, PAGE_BYTES = 1024 * 1024 };

struct page {
	struct sluice_buffer *data;
	size_t count, limit, start;
	uint64_t last;
	bool more;
};

static const char *state_of(const struct sluice_record *record)
{
	if (record->parked || record->due_ms > 0)
		return "delayed";
	return record->deadline_ms > 0 ? "in_flight" : "ready";
}

static void write_optional(struct sluice_buffer *data, const char *name, struct sluice_str value)
{
	if (value.len > 0)
		data_string(data, name, value);
}

static bool write_row(void *arg, const struct sluice_record *record)
{
	struct page *page = arg;
	struct sluice_buffer *data = page->data;
	if (page->count == page->limit ||
	    (page->count > 0 && data->len - page->start > PAGE_BYTES)) {
		page->more = true;
		return false;
	}
	sluice_buffer_append_text(data, page->count++ ? ",{" : "{");
	page->last = record->id;
	data_integer(data, "number", (int64_t)record->id);
	data_string(data, "state", sluice_str(state_of(record)));
	write_optional(data, "id", record->event_id);
	data_integer(data, "time_ms", record->time_ms);
	data_integer(data, "enqueued_ms", record->enqueued_ms);
	data_integer(data, "attempts", (int64_t)record->attempts);
	if (record->due_ms > 0)
		data_integer(data, "due_ms", record->due_ms);
	if (record->deadline_ms > 0)
		data_integer(data, "deadline_ms", record->deadline_ms);
	write_optional(data, "worker", record->worker);
	write_optional(data, "rule", record->rule);
	write_optional(data, "topic", record->topic);
	write_optional(data, "group", record->group);
	write_optional(data, "reason", record->reason);
	write_optional(data, "origin", record->origin);
	if (record->error.len > 0)
		data_raw(data, "error", record->error);
	data_payload(data, record->payload, false);
	sluice_buffer_append(data, "}", 1);
	return true;
}

static enum sluice_status run(struct command_call *call, struct sluice_error *error)
{
	struct sluice_data *durable;
	struct page page = { .data = call->data,
		             .limit = (size_t)call_integer(call, "limit", PAGE) };
	sluice_buffer_append_text(call->data, "{\"messages\":[");
	page.start = call->data->len;
	enum sluice_status status = call_data(call, &durable, error);
	if (status == SLUICE_OK)
		status = sluice_data_peek(durable, call_string(call, "name"),
		                          (uint64_t)call_integer(call, "after", 0), page.limit + 1,
		                          write_row, &page, error);
	else if (status == SLUICE_ERR_NOT_FOUND)
		status = SLUICE_OK; /* nothing was kept so far */
	/* A queue that is not in force may hold messages; one that holds none either is a slip. */
	if (status == SLUICE_OK && page.count == 0 && call_integer(call, "after", 0) == 0) {
		struct queue_record *queue;
		status = call_queue(call, "name", &queue, error);
	}
	sluice_buffer_append(call->data, "]", 1);
	if (page.more)
		data_integer(call->data, "next", (int64_t)page.last);
	sluice_buffer_append(call->data, "}", 1);
	return status;
}

const struct command command_peek_queue = {
	.name = "peekQueue",
	.view = true,
	.run = run,
	.members = { { "name", MEMBER_NAME, true, 0, 0 },
	             { "after", MEMBER_INTEGER, false, 0, INT64_MAX },
	             { "limit", MEMBER_INTEGER, false, 1, PAGE_MAX } },
};
