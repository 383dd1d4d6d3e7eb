/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The durable state in a temporary folder; records, made and told in a line. */
#ifndef DATA_HELPER_H
#define DATA_HELPER_H

#include "store_helper.h"

#include "sluice_store/data.h"

static inline struct sluice_data *open_data(struct place *place, unsigned flags)
{
	struct sluice_data *data;
	struct sluice_error error;
	assert_ok(sluice_data_open(place->db, flags, &data, &error), error);
	return data;
}

/* A message as most tests need it; what else it has is set by the caller. */
static inline struct sluice_record message(const char *queue, uint64_t id, const char *payload)
{
	return (struct sluice_record){ .kind = SLUICE_RECORD_ENQUEUE,
		                       .queue = sluice_str(queue),
		                       .id = id,
		                       .time_ms = (int64_t)id * 10,
		                       .enqueued_ms = (int64_t)id * 10,
		                       .topic = SLUICE_STR("plants/berlin"),
		                       .payload = sluice_str(payload) };
}

static inline struct sluice_record about(enum sluice_record_kind kind, const char *queue,
                                         uint64_t id)
{
	return (struct sluice_record){ .kind = kind, .queue = sluice_str(queue), .id = id };
}

static inline void apply(struct sluice_data *data, struct sluice_record record)
{
	struct sluice_error error;
	assert_ok(sluice_data_apply(data, &record, &error), error);
}

static inline void begin(struct sluice_data *data)
{
	struct sluice_error error;
	assert_ok(sluice_data_begin(data, &error), error);
}

static inline void commit(struct sluice_data *data, uint64_t position)
{
	struct sluice_error error;
	assert_ok(sluice_data_commit(data, position, &error), error);
}

/* "id:payload", with what else is unusual. */
static inline bool collect_message(void *arg, const struct sluice_record *row)
{
	struct sluice_buffer *lines = arg;
	sluice_buffer_printf(lines, "%s%llu:%.*s", lines->len ? " " : "",
	                     (unsigned long long)row->id, (int)row->payload.len,
	                     row->payload.data ? row->payload.data : "");
	if (row->attempts)
		sluice_buffer_printf(lines, " x%u", row->attempts);
	if (row->deadline_ms)
		sluice_buffer_printf(lines, " until %lld", (long long)row->deadline_ms);
	if (row->parked)
		sluice_buffer_append_text(lines, " parked");
	if (row->due_ms)
		sluice_buffer_printf(lines, " due %lld", (long long)row->due_ms);
	if (row->worker.data)
		sluice_buffer_printf(lines, " by %.*s", (int)row->worker.len, row->worker.data);
	if (row->reason.data)
		sluice_buffer_printf(lines, " (%.*s)", (int)row->reason.len, row->reason.data);
	if (row->origin.data)
		sluice_buffer_printf(lines, " from %.*s", (int)row->origin.len, row->origin.data);
	return true;
}

static inline void collect_name(void *arg, struct sluice_str name)
{
	struct sluice_buffer *names = arg;
	sluice_buffer_printf(names, "%s%.*s", names->len ? " " : "", (int)name.len, name.data);
}

/* What a call that takes collect_message or collect_name tells. */
#define assert_tells(expected, call, fn, ...)                                                      \
	do {                                                                                       \
		struct sluice_buffer got_ = { 0 };                                                 \
		struct sluice_error error_;                                                        \
		assert_ok(call(__VA_ARGS__, fn, &got_, &error_), error_);                          \
		sluice_buffer_append(&got_, "", 1);                                                \
		assert_string_equal(got_.data, expected);                                          \
		sluice_buffer_finish(&got_);                                                       \
	} while (0)
#define assert_ready(data, queue, expected)                                                        \
	assert_tells(expected, sluice_data_ready, collect_message, data, sluice_str(queue), 0, 0, 0)
#define assert_held(data, queue, expected)                                                         \
	assert_tells(expected, sluice_data_held, collect_message, data, sluice_str(queue))
#define assert_peek(data, queue, expected)                                                         \
	assert_tells(expected, sluice_data_peek, collect_message, data, sluice_str(queue), 0, 0)

static inline void counts_are(struct sluice_data *data, const char *queue, uint64_t ready,
                              uint64_t held, uint64_t parked, uint64_t bytes)
{
	struct sluice_data_counts counts;
	struct sluice_error error;
	assert_ok(sluice_data_count(data, sluice_str(queue), &counts, &error), error);
	assert_int_equal(counts.ready, ready);
	assert_int_equal(counts.held, held);
	assert_int_equal(counts.parked, parked);
	assert_int_equal(counts.bytes, bytes);
}

#endif
