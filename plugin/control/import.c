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

/* Room for one more pointer. */
static bool reserve(void *list, size_t element, size_t count, size_t *capacity)
{
	void **pointer = list;
	if (count < *capacity)
		return true;
	size_t wanted = *capacity ? *capacity * 2 : 64;
	void *grown = realloc(*pointer, wanted * element);
	if (!grown)
		return false;
	*pointer = grown;
	*capacity = wanted;
	return true;
}

/* "$.rules[7]" before the error's own place. */
static enum sluice_status within(enum sluice_status status, const char *list,
                                 const struct sluice_json *json, struct sluice_error *error)
{
	char member[64];
	snprintf(member, sizeof member, "%s[%zu]", list, json->index);
	return call_error_within(status, member, error);
}

static enum sluice_status add_rule(struct session *session, const struct sluice_json *json,
                                   struct sluice_error *error)
{
	if (!reserve(&session->rules, sizeof *session->rules, session->rule_count,
	             &session->rule_capacity))
		return sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL, "out of memory");
	enum sluice_status status =
	        sluice_rule_from_json(json, &session->rules[session->rule_count], error);
	if (status != SLUICE_OK)
		return within(status, "rules", json, error);
	session->rule_count++;
	return SLUICE_OK;
}

static enum sluice_status add_bus(struct session *session, const struct sluice_json *json,
                                  struct sluice_error *error)
{
	if (!reserve(&session->buses, sizeof *session->buses, session->bus_count,
	             &session->bus_capacity))
		return sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL, "out of memory");
	enum sluice_status status =
	        sluice_bus_from_json(json, &session->buses[session->bus_count], error);
	if (status != SLUICE_OK)
		return within(status, "buses", json, error);
	session->bus_count++;
	return SLUICE_OK;
}

/* A part that has a fault adds nothing: it may be mended and sent again. */
static enum sluice_status add_part(struct session *session, const struct sluice_json *rules,
                                   const struct sluice_json *buses, struct sluice_error *error)
{
	size_t rules_before = session->rule_count;
	size_t buses_before = session->bus_count;
	enum sluice_status status = SLUICE_OK;
	for (const struct sluice_json *at = buses ? buses->first : NULL; at && status == SLUICE_OK;
	     at = at->next)
		status = add_bus(session, at, error);
	for (const struct sluice_json *at = rules ? rules->first : NULL; at && status == SLUICE_OK;
	     at = at->next)
		status = add_rule(session, at, error);
	if (status != SLUICE_OK) {
		while (session->rule_count > rules_before)
			sluice_rule_destroy(session->rules[--session->rule_count]);
		while (session->bus_count > buses_before)
			sluice_bus_destroy(session->buses[--session->bus_count]);
	}
	return status;
}

static enum sluice_status run_part(struct command_call *call, struct sluice_error *error)
{
	struct session *session;
	const struct sluice_json *rules = call_member(call, "rules");
	const struct sluice_json *buses = call_member(call, "buses");
	enum sluice_status status = session_find(call, true, &session, error);
	if (status != SLUICE_OK)
		return status;
	size_t bytes = (rules ? rules->raw.len : 0) + (buses ? buses->raw.len : 0);
	if (session->bytes + bytes > SESSION_BYTES_MAX)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, NULL,
		                        "an import may have %d MiB", SESSION_BYTES_MAX / 1048576);
	status = add_part(session, rules, buses, error);
	if (status != SLUICE_OK)
		return status;
	session->bytes += bytes;
	write_id(call, session);
	data_integer(call->data, "rules", (int64_t)session->rule_count);
	data_integer(call->data, "buses", (int64_t)session->bus_count);
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

/* The imported names, sorted; NULL when out of memory. The names stay those of the rules. */
static char **sorted_names(size_t count, struct sluice_str (*name)(const struct session *, size_t),
                           const struct session *session, char **storage)
{
	char **sorted = malloc((count + 1) * sizeof(char *));
	*storage = malloc(count * (SLUICE_NAME_MAX + 1) + 1);
	if (!sorted || !*storage) {
		free(sorted);
		free(*storage);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		struct sluice_str text = name(session, i);
		sorted[i] = *storage + i * (SLUICE_NAME_MAX + 1);
		memcpy(sorted[i], text.data, text.len);
		sorted[i][text.len] = '\0';
	}
	qsort(sorted, count, sizeof(char *), by_text);
	return sorted;
}

static struct sluice_str rule_name(const struct session *session, size_t i)
{
	return session->rules[i]->name;
}

static struct sluice_str bus_name(const struct session *session, size_t i)
{
	return session->buses[i]->name;
}

typedef enum sluice_status (*delete_fn)(struct sluice_store *store, struct sluice_str name,
                                        int64_t if_revision, struct sluice_error *error);

/* Deletes all of `names` that are not among the `count` imported ones. */
static enum sluice_status delete_others(struct sluice_store *store, delete_fn delete,
                                        const struct sluice_buffer *names, char **kept,
                                        size_t count, size_t *deleted, struct sluice_error *error)
{
	const char *at = names->data;
	const char *end = names->data ? names->data + names->len : NULL;
	for (; at && at < end; at += strlen(at) + 1) {
		if (bsearch(&at, kept, count, sizeof(char *), by_text))
			continue;
		if (delete == sluice_store_delete_bus && strcmp(at, "default") == 0)
			continue; /* it is always there */
		enum sluice_status status =
		        delete (store, sluice_str(at), SLUICE_STORE_ANY_REVISION, error);
		if (status != SLUICE_OK)
			return status;
		++*deleted;
	}
	return SLUICE_OK;
}

static enum sluice_status replace_others(struct sluice_store *store, const struct session *session,
                                         size_t *deleted, struct sluice_error *error)
{
	struct sluice_buffer rules = { .limit = 0 }, buses = { .limit = 0 };
	struct sluice_store_query all = { .state = -1 };
	char *rule_storage = NULL, *bus_storage = NULL;
	char **rule_names = sorted_names(session->rule_count, rule_name, session, &rule_storage);
	char **bus_names =
	        rule_names ? sorted_names(session->bus_count, bus_name, session, &bus_storage)
	                   : NULL;
	enum sluice_status status = bus_names ? SLUICE_OK
	                                      : sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX,
	                                                         NULL, "out of memory");
	if (status == SLUICE_OK)
		status = sluice_store_list_rules(store, &all, collect_name, &rules, error);
	if (status == SLUICE_OK)
		status = sluice_store_list_buses(store, collect_name, &buses, error);
	if (status == SLUICE_OK && (rules.failed || buses.failed))
		status = sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL, "out of memory");
	if (status == SLUICE_OK)
		status = delete_others(store, sluice_store_delete_rule, &rules, rule_names,
		                       session->rule_count, deleted, error);
	if (status == SLUICE_OK)
		status = delete_others(store, sluice_store_delete_bus, &buses, bus_names,
		                       session->bus_count, deleted, error);
	if (rule_names) {
		free(rule_names);
		free(rule_storage);
	}
	if (bus_names) {
		free(bus_names);
		free(bus_storage);
	}
	sluice_buffer_finish(&rules);
	sluice_buffer_finish(&buses);
	return status;
}

/* Within a transaction. *changed counts the rows that got a new revision, and those deleted. */
static enum sluice_status put_all(struct sluice_store *store, const struct session *session,
                                  size_t *deleted, size_t *changed, struct sluice_error *error)
{
	struct sluice_store_stats before;
	enum sluice_status status = sluice_store_stats(store, &before, error);
	int64_t revision = 0;
	for (size_t i = 0; i < session->bus_count && status == SLUICE_OK; i++) {
		status = sluice_store_put_bus(store, session->buses[i], SLUICE_STORE_ANY_REVISION,
		                              &revision, error);
		*changed += status == SLUICE_OK && revision > before.revision;
	}
	for (size_t i = 0; i < session->rule_count && status == SLUICE_OK; i++) {
		status = sluice_store_put_rule(store, session->rules[i], SLUICE_STORE_ANY_REVISION,
		                               &revision, error);
		*changed += status == SLUICE_OK && revision > before.revision;
	}
	if (status == SLUICE_OK && session->replace)
		status = replace_others(store, session, deleted, error);
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
	if (status != SLUICE_OK)
		return status;
	write_id(call, session);
	data_integer(call->data, "rules", (int64_t)session->rule_count);
	data_integer(call->data, "buses", (int64_t)session->bus_count);
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
	             { "buses", MEMBER_ARRAY, false, 0, 0 } },
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
