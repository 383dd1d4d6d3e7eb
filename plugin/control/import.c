/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* importBegin, importPart, importCommit, importAbort: all in one transaction, or nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "session.h"

static void write_id(struct command_call *call, const struct session *session)
{
	sluice_buffer_printf(call->data, "{\"import\":\"%" PRIu64 "\"", session->id);
}

static enum sluice_status run_begin(struct command_call *call, struct sluice_error *error)
{
	struct session *session;
	enum sluice_status status = session_begin(call, true, &session, error);
	if (status != SLUICE_OK)
		return status;
	session->replace = call_bool(call, "replace", false);
	write_id(call, session);
	sluice_buffer_append(call->data, "}", 1);
	return SLUICE_OK;
}

/* --- parts --- */

static bool reserve(struct session_part *part)
{
	if (part->count < part->capacity)
		return true;
	size_t wanted = part->capacity ? part->capacity * 2 : 64;
	struct sluice_definition *grown = realloc(part->items, wanted * sizeof *grown);
	if (!grown)
		return false;
	part->items = grown;
	part->capacity = wanted;
	return true;
}

static enum sluice_status add(struct session *session, enum sluice_store_kind kind,
                              const struct sluice_json *json, struct sluice_error *error)
{
	struct session_part *part = &session->of[kind];
	if (!reserve(part))
		return sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL, "out of memory");
	enum sluice_status status =
	        sluice_definition_from_json(kind, json, &part->items[part->count], error);
	if (status != SLUICE_OK) {
		/* "$.rules[7]" before the error's own place. */
		char member[64];
		snprintf(member, sizeof member, "%s[%zu]", sluice_store_plural(kind), json->index);
		return call_error_within(status, member, error);
	}
	part->count++;
	return SLUICE_OK;
}

/* A part that has a fault adds nothing: it may be mended and sent again. */
static enum sluice_status add_part(struct session *session,
                                   const struct sluice_json *const lists[SLUICE_STORE_KINDS],
                                   struct sluice_error *error)
{
	size_t before[SLUICE_STORE_KINDS];
	enum sluice_status status = SLUICE_OK;
	for (int kind = 0; kind < SLUICE_STORE_KINDS; kind++) {
		before[kind] = session->of[kind].count;
		const struct sluice_json *at = lists[kind] ? lists[kind]->first : NULL;
		for (; at && status == SLUICE_OK; at = at->next)
			status = add(session, (enum sluice_store_kind)kind, at, error);
	}
	for (int kind = 0; kind < SLUICE_STORE_KINDS && status != SLUICE_OK; kind++) {
		struct session_part *part = &session->of[kind];
		while (part->count > before[kind])
			sluice_definition_finish(&part->items[--part->count]);
	}
	return status;
}

/* How many of each kind there are, by the names of their lists. */
static void write_counts(struct command_call *call, const struct session *session)
{
	for (int i = 0; i < SLUICE_STORE_KINDS; i++) {
		enum sluice_store_kind kind = sluice_store_shown(i);
		data_integer(call->data, sluice_store_plural(kind),
		             (int64_t)session->of[kind].count);
	}
}

static enum sluice_status run_part(struct command_call *call, struct sluice_error *error)
{
	struct session *session;
	const struct sluice_json *lists[SLUICE_STORE_KINDS];
	size_t bytes = 0;
	enum sluice_status status = session_find(call, true, &session, error);
	if (status != SLUICE_OK)
		return status;
	for (int kind = 0; kind < SLUICE_STORE_KINDS; kind++) {
		lists[kind] = call_member(call, sluice_store_plural((enum sluice_store_kind)kind));
		bytes += lists[kind] ? lists[kind]->raw.len : 0;
	}
	if (session->bytes + bytes > SESSION_BYTES_MAX)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, NULL,
		                        "an import may have %d MiB", SESSION_BYTES_MAX / 1048576);
	status = add_part(session, lists, error);
	if (status != SLUICE_OK)
		return status;
	session->bytes += bytes;
	write_id(call, session);
	write_counts(call, session);
	sluice_buffer_append(call->data, "}", 1);
	return SLUICE_OK;
}

/* --- commit --- */

/* A growing list of names, all characters in one buffer, each ended by a NUL. */
static bool collect_name(void *arg, const struct sluice_store_row *row)
{
	struct sluice_buffer *names = arg;
	sluice_buffer_append_str(names, row->name);
	sluice_buffer_append(names, "", 1);
	return true;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The imported names, sorted, each of them in *storage; NULL when out of memory. */
static char **sorted_names(const struct session_part *part, char **storage)
{
	char **sorted = malloc((part->count + 1) * sizeof(char *));
	*storage = malloc(part->count * (SLUICE_NAME_MAX + 1) + 1);
	if (!sorted || !*storage) {
		free(sorted);
		free(*storage);
		return NULL;
	}
	for (size_t i = 0; i < part->count; i++) {
		struct sluice_str text = sluice_definition_name(&part->items[i]);
		sorted[i] = *storage + i * (SLUICE_NAME_MAX + 1);
		memcpy(sorted[i], text.data, text.len);
		sorted[i][text.len] = '\0';
	}
	qsort(sorted, part->count, sizeof(char *), by_text);
	return sorted;
}

/* Deletes all of `names` that are not among the `count` imported ones. */
static enum sluice_status delete_others(struct sluice_store *store, enum sluice_store_kind kind,
                                        const struct sluice_buffer *names, char **kept,
                                        size_t count, size_t *deleted, struct sluice_error *error)
{
	const char *at = names->data;
	const char *end = names->data ? names->data + names->len : NULL;
	for (; at && at < end; at += strlen(at) + 1) {
		if (bsearch(&at, kept, count, sizeof(char *), by_text) ||
		    sluice_store_is_fixed(kind, sluice_str(at)))
			continue;
		enum sluice_status status = sluice_store_delete(store, kind, sluice_str(at),
		                                                SLUICE_STORE_ANY_REVISION, error);
		if (status != SLUICE_OK)
			return status;
		++*deleted;
	}
	return SLUICE_OK;
}

static enum sluice_status replace_others(struct sluice_store *store, enum sluice_store_kind kind,
                                         const struct session_part *part, size_t *deleted,
                                         struct sluice_error *error)
{
	struct sluice_buffer names = { .limit = 0 };
	char *storage;
	char **kept = sorted_names(part, &storage);
	if (!kept)
		return sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL, "out of memory");
	enum sluice_status status =
	        sluice_store_list(store, kind, NULL, collect_name, &names, error);
	if (status == SLUICE_OK && names.failed)
		status = sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL, "out of memory");
	if (status == SLUICE_OK)
		status = delete_others(store, kind, &names, kept, part->count, deleted, error);
	free(kept);
	free(storage);
	sluice_buffer_finish(&names);
	return status;
}

/* Within a transaction. *changed counts the rows that got a new revision, and those deleted. */
static enum sluice_status put_all(struct sluice_store *store, const struct session *session,
                                  size_t *deleted, size_t *changed, struct sluice_error *error)
{
	struct sluice_store_stats before;
	enum sluice_status status = sluice_store_stats(store, &before, error);
	int64_t revision = 0;
	for (int kind = 0; kind < SLUICE_STORE_KINDS; kind++) {
		const struct session_part *part = &session->of[kind];
		for (size_t i = 0; i < part->count && status == SLUICE_OK; i++) {
			status = sluice_store_put(store, part->items[i], SLUICE_STORE_ANY_REVISION,
			                          &revision, error);
			*changed += status == SLUICE_OK && revision > before.revision;
		}
	}
	for (int kind = SLUICE_STORE_KINDS - 1;
	     kind >= 0 && status == SLUICE_OK && session->replace; kind--)
		status = replace_others(store, (enum sluice_store_kind)kind, &session->of[kind],
		                        deleted, error);
	*changed += *deleted;
	return status;
}

static enum sluice_status run_commit(struct command_call *call, struct sluice_error *error)
{
	struct sluice_store *store;
	struct session *session;
	bool dry_run = call_bool(call, "dryRun", false);
	size_t deleted = 0, changed = 0;
	enum sluice_status status = session_find(call, true, &session, error);
	if (status == SLUICE_OK)
		status = call_store(call, &store, error);
	if (status == SLUICE_OK)
		status = sluice_store_begin(store, error);
	if (status != SLUICE_OK)
		return status;
	status = put_all(store, session, &deleted, &changed, error);
	if (status == SLUICE_OK && !dry_run)
		status = sluice_store_commit(store, error);
	else
		sluice_store_rollback(store);
	if (status != SLUICE_OK) {
		/* It would be a place in a definition that came in an earlier command. */
		error->place[0] = '\0';
		return status;
	}
	write_id(call, session);
	write_counts(call, session);
	data_integer(call->data, "deleted", (int64_t)deleted);
	data_integer(call->data, "changed", (int64_t)changed);
	sluice_buffer_append(call->data, "}", 1);
	if (!dry_run) {
		session_end(call->thread, session);
		call_in_force(call);
	}
	return SLUICE_OK;
}

static enum sluice_status run_abort(struct command_call *call, struct sluice_error *error)
{
	struct session *session;
	enum sluice_status status = session_find(call, true, &session, error);
	if (status != SLUICE_OK)
		return status;
	write_id(call, session);
	sluice_buffer_append(call->data, "}", 1);
	session_end(call->thread, session);
	return SLUICE_OK;
}

const struct command command_import_begin = {
	.name = "importBegin",
	.run = run_begin,
	.members = { { "replace", MEMBER_BOOL, false, 0, 0 } },
};

const struct command command_import_part = {
	.name = "importPart",
	.run = run_part,
	.members = { { "import", MEMBER_STRING, true, 0, 0 },
	             { "rules", MEMBER_ARRAY, false, 0, 0 },
	             { "buses", MEMBER_ARRAY, false, 0, 0 },
	             { "queues", MEMBER_ARRAY, false, 0, 0 },
	             { "connections", MEMBER_ARRAY, false, 0, 0 },
	             { "targets", MEMBER_ARRAY, false, 0, 0 },
	             { "sources", MEMBER_ARRAY, false, 0, 0 } },
};

const struct command command_import_commit = {
	.name = "importCommit",
	.run = run_commit,
	.members = { { "import", MEMBER_STRING, true, 0, 0 },
	             { "dryRun", MEMBER_BOOL, false, 0, 0 } },
};

const struct command command_import_abort = {
	.name = "importAbort",
	.run = run_abort,
	.members = { { "import", MEMBER_STRING, true, 0, 0 } },
};
