/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "archive_scan.h"

#include <inttypes.h>
#include <stdio.h>

#include "plugin.h"
#include "sluice/time.h"

void call_data_failed(const struct command_call *call)
{
	sluice_data_close(call->thread->data);
	call->thread->data = NULL;
}

/* --- members --- */

enum sluice_status call_time(const struct command_call *call, const char *name, int64_t otherwise,
                             int64_t *time_ms, struct sluice_error *error)
{
	const struct sluice_json *member = call_member(call, name);
	char place[64];
	*time_ms = otherwise;
	if (!member || sluice_json_integer(member, 0, INT64_MAX, time_ms) ||
	    (member->type == SLUICE_JSON_STRING && sluice_time_read(member->string, time_ms)))
		return SLUICE_OK;
	snprintf(place, sizeof place, "$.%s", name);
	return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, place,
	                        "must be a time, as \"2026-01-02T03:04:05Z\", or milliseconds "
	                        "since 1970");
}

enum sluice_status read_cursor(const struct sluice_json *member, const char *place, uint64_t *id,
                               struct sluice_error *error)
{
	*id = 0;
	if (!member)
		return SLUICE_OK;
	struct sluice_str text = member->string;
	bool valid = member->type == SLUICE_JSON_STRING && text.len > 0 && text.len <= 19;
	for (size_t i = 0; valid && i < text.len; i++) {
		valid = text.data[i] >= '0' && text.data[i] <= '9';
		*id = *id * 10 + (uint64_t)(text.data[i] - '0');
	}
	if (valid && *id <= INT64_MAX)
		return SLUICE_OK;
	return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, place,
	                        "must be a cursor that an answer gave");
}

enum sluice_status call_archive(const struct command_call *call, struct sluice_data *data,
                                struct sluice_str *bus, struct sluice_error *error)
{
	struct sluice_archive_stats stats;
	*bus = call_string(call, "bus");
	if (!bus->data)
		*bus = SLUICE_STR("default");
	if (registry_bus(&call->thread->registry, *bus))
		return SLUICE_OK;
	enum sluice_status status = sluice_archive_stats(data, *bus, &stats, error);
	if (status == SLUICE_OK && stats.events == 0)
		return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, "$.bus",
		                        "there is no bus \"%.*s\" in force, nor an archive of it",
		                        (int)bus->len, bus->data);
	return status;
}

/* --- the walk --- */

enum sluice_status archive_scan_range(struct archive_scan *scan, struct sluice_error *error)
{
	const struct command_call *call = scan->call;
	enum sluice_status status = call_time(call, "from", 0, &scan->query.from_ms, error);
	if (status == SLUICE_OK)
		status = call_time(call, "to", 0, &scan->query.to_ms, error);
	if (status == SLUICE_OK)
		status = read_cursor(call_member(call, "after"), "$.after", &scan->query.after,
		                     error);
	if (status == SLUICE_OK && scan->query.to_ms && scan->query.to_ms <= scan->query.from_ms)
		status = sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.to",
		                          "must be after \"from\"");
	return status;
}

static bool in_vain(const struct command_call *call)
{
	return atomic_load_explicit(&call->asker->gone, memory_order_relaxed) ||
	       atomic_load_explicit(&call->thread->stop, memory_order_relaxed);
}

static bool match(struct archive_scan *scan, const struct sluice_record *row)
{
	return archived_read(&scan->archived, row) &&
	       sluice_match(scan->matcher, scan->scratch, &scan->archived.event, &scan->match) ==
	               SLUICE_OK;
}

static bool take_row(void *arg, const struct sluice_record *row)
{
	struct archive_scan *scan = arg;
	if (scan->matcher && !match(scan, row)) {
		scan->no_memory = true;
		return false;
	}
	scan->more = !scan->take(scan, row);
	scan->scanned++;
	scan->last_id = row->id;
	scan->more |= clock_monotonic_ns() >= scan->end_ns || in_vain(scan->call);
	return !scan->more;
}

enum sluice_status archive_scan_run(struct archive_scan *scan, struct sluice_data *data,
                                    struct sluice_error *error)
{
	scan->end_ns = clock_monotonic_ns() + SCAN_MS * INT64_C(1000000);
	scan->begun = scan->call->data->len;
	scan->last_id = scan->query.after;
	if (scan->matcher && !(scan->scratch = sluice_scratch_create()))
		return sluice_out_of_memory(error);
	enum sluice_status status = sluice_archive_read(data, &scan->query, take_row, scan, error);
	if (status != SLUICE_OK)
		call_data_failed(scan->call);
	else if (scan->no_memory)
		status = sluice_out_of_memory(error);
	return status;
}

void archive_scan_finish(struct archive_scan *scan)
{
	sluice_scratch_destroy(scan->scratch);
	sluice_matcher_destroy(scan->matcher);
	archived_finish(&scan->archived);
}

bool archive_scan_room(const struct archive_scan *scan)
{
	return scan->call->data->len - scan->begun < SCAN_BYTES;
}

void data_time(struct sluice_buffer *data, const char *name, int64_t time_ms)
{
	char text[SLUICE_TIME_SIZE];
	if (time_ms)
		data_string(data, name, sluice_str(sluice_time_format(time_ms, text)));
}

void data_id(struct sluice_buffer *data, const char *name, uint64_t id)
{
	data_key(data, name);
	sluice_buffer_printf(data, "\"%" PRIu64 "\"", id);
}
