/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "plugin.h"

enum sluice_status session_begin(const struct command_call *call, bool import,
                                 struct session **session, struct sluice_error *error)
{
	struct store_thread *thread = call->thread;
	size_t *count = &thread->session_count[import];
	if (*count == SESSIONS_MAX)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, NULL,
		                        "%d %s are under way; try later", SESSIONS_MAX,
		                        import ? "imports" : "exports");
	*session = calloc(1, sizeof **session);
	if (!*session)
		return sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL, "out of memory");
	(*session)->id = ++thread->last_id;
	(*session)->asker = call->asker->serial;
	(*session)->import = import;
	(*session)->used_ms = clock_monotonic_ms();
	(*session)->next = thread->sessions;
	thread->sessions = *session;
	++*count;
	return SLUICE_OK;
}

enum sluice_status session_find(const struct command_call *call, bool import,
                                struct session **session, struct sluice_error *error)
{
	const char *what = import ? "import" : "export";
	struct sluice_str id = call_string(call, what);
	for (struct session *at = call->thread->sessions; at; at = at->next) {
		char text[24];
		snprintf(text, sizeof text, "%" PRIu64, at->id);
		if (at->import == import && at->asker == call->asker->serial &&
		    sluice_str_equal(sluice_str(text), id)) {
			at->used_ms = clock_monotonic_ms();
			*session = at;
			return SLUICE_OK;
		}
	}
	return sluice_error_set(
	        error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, import ? "$.import" : "$.export",
	        "this connection has no such %s, or it was left alone for too long", what);
}

void session_end(struct store_thread *thread, struct session *session)
{
	struct session **link = &thread->sessions;
	while (*link != session)
		link = &(*link)->next;
	*link = session->next;
	thread->session_count[session->import]--;
	for (int kind = 0; kind < SLUICE_STORE_KINDS; kind++) {
		struct session_part *part = &session->of[kind];
		while (part->count > 0)
			sluice_definition_finish(&part->items[--part->count]);
		free(part->items);
		sluice_buffer_finish(&part->lines);
	}
	free(session);
}

void sessions_end_of(struct store_thread *thread, uint64_t asker)
{
	struct session *next;
	for (struct session *session = thread->sessions; session; session = next) {
		next = session->next;
		if (session->asker == asker)
			session_end(thread, session);
	}
}

void sessions_expire(struct store_thread *thread, int64_t now_ms)
{
	struct session *next;
	for (struct session *session = thread->sessions; session; session = next) {
		next = session->next;
		if (now_ms - session->used_ms > SESSION_IDLE_MS)
			session_end(thread, session);
	}
}

void sessions_finish(struct store_thread *thread)
{
	while (thread->sessions)
		session_end(thread, thread->sessions);
}
