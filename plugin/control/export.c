/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* exportBegin, exportPart: one snapshot of all that the store holds. */
#include <inttypes.h>
#include <stdlib.h>

#include "session.h"

enum { PART_BYTES = 512 * 1024, SNAPSHOT_TRIES = 10 };

static bool collect(void *arg, const struct sluice_store_row *row)
{
	struct sluice_buffer *lines = arg;
	sluice_buffer_append_str(lines, row->text);
	sluice_buffer_append(lines, "\n", 1);
	return !lines->failed;
}

static enum sluice_status read_all(struct sluice_store *store, struct session *session,
                                   struct sluice_error *error)
{
	enum sluice_status status = SLUICE_OK;
	for (int kind = 0; kind < SLUICE_STORE_KINDS && status == SLUICE_OK; kind++) {
		struct sluice_buffer *lines = &session->of[kind].lines;
		sluice_buffer_reset(lines);
		lines->limit = SESSION_BYTES_MAX;
		status = sluice_store_list(store, (enum sluice_store_kind)kind, NULL, collect,
		                           lines, error);
		if (status == SLUICE_OK && lines->failed)
			status =
			        sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL,
			                         "too many %s to be exported at once",
			                         sluice_store_plural((enum sluice_store_kind)kind));
	}
	return status;
}

/* Another process may write between the lists: then once more. No writer is locked out. */
static enum sluice_status snapshot(struct sluice_store *store, struct session *session,
                                   struct sluice_error *error)
{
	for (int i = 0; i < SNAPSHOT_TRIES; i++) {
		struct sluice_store_stats before, after;
		enum sluice_status status = sluice_store_stats(store, &before, error);
		if (status == SLUICE_OK)
			status = read_all(store, session, error);
		if (status == SLUICE_OK)
			status = sluice_store_stats(store, &after, error);
		if (status != SLUICE_OK)
			return status;
		if (before.revision == after.revision &&
		    memcmp(before.counts, after.counts, sizeof before.counts) == 0)
			return SLUICE_OK;
	}
	return sluice_error_set(error, SLUICE_ERR_BUSY, SIZE_MAX, NULL,
	                        "the store changes too fast for a snapshot; try later");
}

static enum sluice_status run_begin(struct command_call *call, struct sluice_error *error)
{
	struct sluice_store *store;
	struct session *session;
	enum sluice_status status = call_store(call, &store, error);
	if (status == SLUICE_OK)
		status = session_begin(call, false, &session, error);
	if (status != SLUICE_OK)
		return status;
	status = snapshot(store, session, error);
	if (status != SLUICE_OK) {
		session_end(call->thread, session);
		return status;
	}
	sluice_buffer_printf(call->data, "{\"export\":\"%" PRIu64 "\"}", session->id);
	return SLUICE_OK;
}

/* Writes lines as elements until the part is full. */
static void write_lines(struct sluice_buffer *data, const struct sluice_buffer *lines, size_t *at,
                        size_t start)
{
	bool first = true;
	while (*at < lines->len && data->len - start < PART_BYTES) {
		const char *line = lines->data + *at;
		const char *end = memchr(line, '\n', lines->len - *at);
		size_t len = (size_t)(end - line);
		if (!first)
			sluice_buffer_append(data, ",", 1);
		sluice_buffer_append(data, line, len);
		first = false;
		*at += len + 1;
	}
}

static enum sluice_status run_part(struct command_call *call, struct sluice_error *error)
{
	struct session *session;
	enum sluice_status status = session_find(call, false, &session, error);
	if (status != SLUICE_OK)
		return status;
	size_t start = call->data->len;
	bool done = true;
	sluice_buffer_printf(call->data, "{\"export\":\"%" PRIu64 "\"", session->id);
	for (int kind = 0; kind < SLUICE_STORE_KINDS; kind++) {
		struct session_part *part = &session->of[kind];
		data_key(call->data, sluice_store_plural((enum sluice_store_kind)kind));
		sluice_buffer_append(call->data, "[", 1);
		/* One kind after the other, as they need each other. */
		if (done)
			write_lines(call->data, &part->lines, &part->at, start);
		sluice_buffer_append(call->data, "]", 1);
		done = done && part->at == part->lines.len;
	}
	data_bool(call->data, "done", done);
	sluice_buffer_append(call->data, "}", 1);
	if (done)
		session_end(call->thread, session);
	return SLUICE_OK;
}

const struct command command_export_begin = { .name = "exportBegin",
	                                      .view = true,
	                                      .run = run_begin };

const struct command command_export_part = {
	.name = "exportPart",
	.view = true,
	.run = run_part,
	.members = { { "export", MEMBER_STRING, true, 0, 0 } },
};
