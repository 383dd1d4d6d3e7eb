/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* readStream: an archive as a log, from a place that the reader keeps. */
#include "archive_scan.h"

struct stream {
	size_t count, limit;
};

static bool take(struct archive_scan *scan, const struct sluice_record *row)
{
	struct stream *stream = scan->arg;
	if (stream->count++ > 0)
		sluice_buffer_append(scan->call->data, ",", 1);
	data_archived(scan->call->data, row);
	return stream->count < stream->limit && archive_scan_room(scan);
}

/* Where to begin: {"after": cursor}, "trim-horizon", "latest", or a time. */
static enum sluice_status read_from(struct archive_scan *scan, bool *latest,
                                    struct sluice_error *error)
{
	const struct sluice_json *from = call_member(scan->call, "from");
	*latest = from->type == SLUICE_JSON_STRING &&
	          sluice_str_equal(from->string, SLUICE_STR("latest"));
	if (from->type == SLUICE_JSON_OBJECT) {
		const struct sluice_json *after = sluice_json_get(from, "after");
		if (!after || from->first->next)
			return sluice_error_set(
			        error, SLUICE_ERR_INVALID, SIZE_MAX, "$.from",
			        "must be {\"after\": a cursor that an answer gave}");
		return read_cursor(after, "$.from.after", &scan->query.after, error);
	}
	if (*latest || (from->type == SLUICE_JSON_STRING &&
	                sluice_str_equal(from->string, SLUICE_STR("trim-horizon"))))
		return SLUICE_OK;
	return call_time(scan->call, "from", 0, &scan->query.from_ms, error);
}

static enum sluice_status read_bus(struct archive_scan *scan, struct sluice_error *error)
{
	struct command_call *call = scan->call;
	struct sluice_data *data;
	struct sluice_archive_stats stats;
	bool latest;
	enum sluice_status status = read_from(scan, &latest, error);
	if (status == SLUICE_OK)
		status = call_data(call, &data, error);
	if (status == SLUICE_OK)
		status = call_archive(call, data, &scan->query.bus, error);
	/* Before the events are read: one that comes meanwhile is behind the cursor. */
	if (status == SLUICE_OK)
		status = sluice_archive_stats(data, scan->query.bus, &stats, error);
	if (status != SLUICE_OK)
		return status;
	if (latest)
		scan->query.after = stats.last_id;
	sluice_buffer_append_text(call->data, "{\"records\":[");
	status = archive_scan_run(scan, data, error);
	sluice_buffer_append_text(call->data, "]");
	uint64_t cursor = scan->last_id;
	if (!scan->more && cursor < stats.last_id)
		cursor = stats.last_id;
	data_id(call->data, "cursor", cursor);
	data_bool(call->data, "more", scan->more);
	sluice_buffer_append(call->data, "}", 1);
	return status;
}

static enum sluice_status run(struct command_call *call, struct sluice_error *error)
{
	struct stream stream = { .limit = (size_t)call_integer(call, "limit", SCAN_LIMIT) };
	struct archive_scan scan = { .call = call, .take = take, .arg = &stream };
	enum sluice_status status = read_bus(&scan, error);
	archive_scan_finish(&scan);
	return status;
}

const struct command command_read_stream = {
	.name = "readStream",
	.view = true,
	.run = run,
	.members = { { "bus", MEMBER_NAME, false, 0, 0 },
	             { "from", MEMBER_ANY, true, 0, 0 },
	             { "limit", MEMBER_INTEGER, false, 1, SCAN_LIMIT_MAX } },
};
