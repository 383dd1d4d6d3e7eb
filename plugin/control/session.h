/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Imports and exports that come in parts, on the store's thread. Each belongs to the connection
 * that began it and ends with it, or when nothing came for a while.
 */
#ifndef SLUICE_PLUGIN_CONTROL_SESSION_H
#define SLUICE_PLUGIN_CONTROL_SESSION_H

#include "command.h"

enum {
	SESSIONS_MAX = 8, /* of each kind: who may only look can't keep others from importing */
	SESSION_IDLE_MS = 120000,
	SESSION_BYTES_MAX = 512 * 1024 * 1024, /* of the text of one import or export */
};

struct session {
	uint64_t id;
	uint64_t asker; /* serial */
	bool import;    /* else an export */
	bool replace;
	int64_t used_ms;
	size_t bytes;
	struct session_part {
		/* an import: what its parts held, compiled */
		struct sluice_definition *items;
		size_t count, capacity;
		/* an export: the snapshot, a line of JSON each, and how far it was sent */
		struct sluice_buffer lines;
		size_t at;
	} of[SLUICE_STORE_KINDS];
	struct session *next;
};

/* A new one of this asker, or an error when there are too many. */
enum sluice_status session_begin(const struct command_call *call, bool import,
                                 struct session **session, struct sluice_error *error);
/* The asker's session that the command's member names ("import" or "export"). */
enum sluice_status session_find(const struct command_call *call, bool import,
                                struct session **session, struct sluice_error *error);
void session_end(struct store_thread *thread, struct session *session);

void sessions_end_of(struct store_thread *thread, uint64_t asker);
void sessions_expire(struct store_thread *thread, int64_t now_ms);
void sessions_finish(struct store_thread *thread);

#endif
