/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Definitions behind the control API of a broker. */
#include <stdio.h>
#include <stdlib.h>

#include "catalog.h"
#include "control.h"

enum {
	PAGE = 1000,                 /* rules asked for at once; the plugin may give fewer */
	PART_MAX_BYTES = 256 * 1024, /* of one import part: below any broker's packet limit */
	IMPORT_MS = 60 * 1000,       /* how much longer than other commands a commit may take, */
	IMPORT_MS_PER_ITEM = 1,      /* and how much for each item */
};

struct broker_catalog {
	struct catalog catalog;
	struct control *control;
};

static struct control *control_of(struct catalog *catalog)
{
	return ((struct broker_catalog *)catalog)->control;
}

/* The commands that each kind has. */
static const struct {
	const char *put, *get, *list, *remove;
} commands[SLUICE_STORE_KINDS] = {
	[SLUICE_STORE_QUEUE] = { "putQueue", "getQueue", "listQueues", "deleteQueue" },
	[SLUICE_STORE_BUS] = { "putBus", "getBus", "listBuses", "deleteBus" },
	[SLUICE_STORE_RULE] = { "putRule", "getRule", "listRules", "deleteRule" },
	[SLUICE_STORE_CONNECTION] = { "putConnection", "getConnection", "listConnections",
	                              "deleteConnection" },
	[SLUICE_STORE_TARGET] = { "putTarget", "getTarget", "listTargets", "deleteTarget" },
	[SLUICE_STORE_SOURCE] = { "putSource", "getSource", "listSources", "deleteSource" },
};

/* Removes the leading "$.member" of a place, which the person at the shell has not written. */
static void strip_place(struct sluice_error *error, const char *member)
{
	size_t len = strlen(member);
	if (strncmp(error->place, "$.", 2) == 0 && strncmp(error->place + 2, member, len) == 0 &&
	    (error->place[2 + len] == '\0' || strchr(".[", error->place[2 + len])))
		memmove(error->place + 1, error->place + 2 + len,
		        strlen(error->place + 2 + len) + 1);
}

/* A command that answers with a name and a revision. */
static enum cli_exit call_change(struct catalog *catalog, const char *command,
                                 struct sluice_buffer *members, int64_t if_revision,
                                 int64_t *revision, struct sluice_error *error)
{
	struct answer answer;
	if (if_revision != SLUICE_STORE_ANY_REVISION)
		output_member_integer(members, "ifRevision", if_revision);
	enum cli_exit code =
	        control_call(control_of(catalog), CONTROL_CHANGE, command, members, &answer, error);
	sluice_buffer_finish(members);
	if (code != CLI_OK)
		return code;
	if (revision &&
	    !sluice_json_integer(sluice_json_get(answer.data, "revision"), 0, INT64_MAX, revision))
		*revision = 0;
	answer_finish(&answer);
	return CLI_OK;
}

static enum cli_exit broker_put(struct catalog *catalog, const struct rule_item *item,
                                int64_t if_revision, int64_t *revision, struct sluice_error *error)
{
	const char *noun = sluice_store_noun(item->definition.kind);
	struct sluice_buffer members = { 0 };
	output_member(&members, noun);
	sluice_buffer_append_str(&members, item->text);
	enum cli_exit code = call_change(catalog, commands[item->definition.kind].put, &members,
	                                 if_revision, revision, error);
	if (code != CLI_OK)
		strip_place(error, noun);
	/* A rule on a bus that does not exist is not valid, rather than not found. */
	return code == CLI_NO ? CLI_INVALID : code;
}

/* One entry of an answer, {"rule":…,"revision":…}; false when fn has had enough. */
static bool give_row(enum sluice_store_kind kind, const struct sluice_json *entry,
                     catalog_row_fn fn, void *arg)
{
	const struct sluice_json *item = sluice_json_get(entry, sluice_store_noun(kind));
	const struct sluice_json *error = sluice_json_get(entry, "error");
	if (!item)
		return true;
	struct catalog_row row = { .kind = kind, .text = item->raw };
	if (!sluice_json_integer(sluice_json_get(entry, "revision"), 0, INT64_MAX, &row.revision))
		row.revision = 0;
	if (error && error->type == SLUICE_JSON_STRING)
		row.error = error->string;
	row.counters = sluice_json_get(entry, "counters");
	row.samples = sluice_json_get(entry, "samples");
	return fn(arg, &row);
}

static enum cli_exit broker_get(struct catalog *catalog, enum sluice_store_kind kind,
                                struct sluice_str name, catalog_row_fn fn, void *arg,
                                struct sluice_error *error)
{
	struct sluice_buffer members = { 0 };
	struct answer answer;
	output_member_text(&members, "name", name);
	enum cli_exit code = control_call(control_of(catalog), CONTROL_VIEW, commands[kind].get,
	                                  &members, &answer, error);
	sluice_buffer_finish(&members);
	if (code != CLI_OK) {
		strip_place(error, "name");
		if (strcmp(error->place, "$") == 0)
			error->place[0] = '\0';
		return code;
	}
	give_row(kind, answer.data, fn, arg);
	answer_finish(&answer);
	return CLI_OK;
}

static void write_query(struct sluice_buffer *members, enum sluice_store_kind kind,
                        const struct sluice_store_query *query, const char *after, size_t limit)
{
	output_member_integer(members, "limit", (int64_t)limit);
	if (kind == SLUICE_STORE_RULE)
		sluice_buffer_append_text(members, ",\"full\":true");
	if (query->prefix.data)
		output_member_text(members, "prefix", query->prefix);
	if (query->bus.data)
		output_member_text(members, "bus", query->bus);
	if (query->state >= 0)
		output_member_text(
		        members, "state",
		        sluice_str(sluice_rule_state_name((enum sluice_rule_state)query->state)));
	if (after[0])
		output_member_text(members, "after", sluice_str(after));
}

static enum cli_exit broker_list(struct catalog *catalog, enum sluice_store_kind kind,
                                 const struct sluice_store_query *query, catalog_row_fn fn,
                                 void *arg, struct sluice_error *error)
{
	static const struct sluice_store_query all = { .state = -1 };
	if (!query)
		query = &all;
	char after[SLUICE_NAME_MAX + 1];
	snprintf(after, sizeof(after), "%.*s", (int)query->after.len,
	         query->after.data ? query->after.data : "");
	size_t left = query->limit ? query->limit : SIZE_MAX;
	enum cli_exit code = CLI_OK;
	bool more = true;
	while (more && left > 0 && code == CLI_OK) {
		struct sluice_buffer members = { 0 };
		struct answer answer;
		write_query(&members, kind, query, after, left < PAGE ? left : PAGE);
		code = control_call(control_of(catalog), CONTROL_VIEW, commands[kind].list,
		                    &members, &answer, error);
		sluice_buffer_finish(&members);
		if (code != CLI_OK)
			break;
		const struct sluice_json *list =
		        sluice_json_get(answer.data, sluice_store_plural(kind));
		const struct sluice_json *next = sluice_json_get(answer.data, "next");
		more = next && next->type == SLUICE_JSON_STRING &&
		       next->string.len <= SLUICE_NAME_MAX;
		if (more)
			snprintf(after, sizeof(after), "%.*s", (int)next->string.len,
			         next->string.data);
		for (const struct sluice_json *entry = list ? list->first : NULL; entry && left > 0;
		     entry = entry->next) {
			left--;
			if (!give_row(kind, entry, fn, arg)) {
				more = false;
				break;
			}
		}
		answer_finish(&answer);
	}
	return code;
}

static enum cli_exit broker_remove(struct catalog *catalog, enum sluice_store_kind kind,
                                   struct sluice_str name, int64_t if_revision,
                                   struct sluice_error *error)
{
	struct sluice_buffer members = { 0 };
	output_member_text(&members, "name", name);
	return call_change(catalog, commands[kind].remove, &members, if_revision, NULL, error);
}

static enum cli_exit broker_set_state(struct catalog *catalog, enum sluice_store_kind kind,
                                      struct sluice_str name, enum sluice_rule_state state,
                                      int64_t if_revision, int64_t *revision,
                                      struct sluice_error *error)
{
	static const char *const states[SLUICE_STORE_KINDS][3] = {
		[SLUICE_STORE_RULE] = { [SLUICE_RULE_ENABLED] = "enableRule",
		                        [SLUICE_RULE_DISABLED] = "disableRule",
		                        [SLUICE_RULE_SHADOW] = "shadowRule" },
		[SLUICE_STORE_TARGET] = { [SLUICE_RULE_ENABLED] = "enableTarget",
		                          [SLUICE_RULE_DISABLED] = "disableTarget" },
		[SLUICE_STORE_SOURCE] = { [SLUICE_RULE_ENABLED] = "enableSource",
		                          [SLUICE_RULE_DISABLED] = "disableSource" },
	};
	struct sluice_buffer members = { 0 };
	output_member_text(&members, "name", name);
	return call_change(catalog, states[kind][state], &members, if_revision, revision, error);
}

/* --- import, in parts --- */

/* The string or integer id that begin gave, as JSON to be sent back. */
static bool copy_raw(const struct sluice_json *node, char *into, size_t size)
{
	if (!node || node->raw.len >= size)
		return false;
	memcpy(into, node->raw.data, node->raw.len);
	into[node->raw.len] = '\0';
	return true;
}

static enum cli_exit import_begin(struct control *control, bool replace, char *id, size_t size,
                                  struct sluice_error *error)
{
	struct sluice_buffer members = { 0 };
	struct answer answer;
	sluice_buffer_append_text(&members, replace ? "\"replace\":true" : "\"replace\":false");
	enum cli_exit code =
	        control_call(control, CONTROL_CHANGE, "importBegin", &members, &answer, error);
	sluice_buffer_finish(&members);
	if (code != CLI_OK)
		return code;
	if (!copy_raw(sluice_json_get(answer.data, "import"), id, size)) {
		sluice_error_set(error, SLUICE_ERR_SYNTAX, SIZE_MAX, NULL,
		                 "the broker's answer to importBegin names no import");
		code = CLI_BROKER;
	}
	answer_finish(&answer);
	return code;
}

/* Which item of the part a place such as "$.rules[12].pattern" is about; strips it to "$.pattern".
 * SIZE_MAX when it does not say. */
static size_t item_of_place(struct sluice_error *error, enum sluice_store_kind kind)
{
	char prefix[16];
	snprintf(prefix, sizeof(prefix), "$.%s[", sluice_store_plural(kind));
	size_t len = strlen(prefix);
	if (strncmp(error->place, prefix, len) != 0)
		return SIZE_MAX;
	char *end;
	unsigned long long index = strtoull(error->place + len, &end, 10);
	if (*end != ']')
		return SIZE_MAX;
	memmove(error->place + 1, end + 1, strlen(end + 1) + 1);
	return (size_t)index;
}

/* Sends the items of `kind` in parts that are not too large. */
static enum cli_exit import_parts(struct control *control, const char *id,
                                  const struct rule_file *file, enum sluice_store_kind kind,
                                  size_t *bad, struct sluice_error *error)
{
	enum cli_exit code = CLI_OK;
	struct progress progress;
	struct sluice_buffer members = { 0 };
	progress_start(&progress, "importing", file->count);
	/* The places in the file of the items of this part. */
	size_t *part = calloc(file->count + 1, sizeof(*part));
	if (!part) {
		sluice_out_of_memory(error);
		return CLI_SYSTEM;
	}
	for (size_t i = 0; i < file->count && code == CLI_OK;) {
		size_t count = 0;
		sluice_buffer_reset(&members);
		sluice_buffer_printf(&members, "\"import\":%s,\"%s\":[", id,
		                     sluice_store_plural(kind));
		for (; i < file->count && members.len < PART_MAX_BYTES && !members.failed; i++) {
			if (file->items[i].definition.kind != kind)
				continue;
			if (count)
				sluice_buffer_append_text(&members, ",");
			sluice_buffer_append_str(&members, file->items[i].text);
			part[count++] = i;
		}
		sluice_buffer_append_text(&members, "]");
		if (count == 0)
			break;
		struct answer answer;
		code = control_call(control, CONTROL_CHANGE, "importPart", &members, &answer,
		                    error);
		if (code == CLI_OK) {
			answer_finish(&answer);
			progress_show(&progress, i);
		} else {
			size_t index = item_of_place(error, kind);
			if (index < count)
				*bad = part[index];
		}
	}
	progress_end(&progress);
	free(part);
	sluice_buffer_finish(&members);
	return code;
}

static uint64_t count_of(const struct sluice_json *data, const char *name)
{
	int64_t value = 0;
	if (!sluice_json_integer(sluice_json_get(data, name), 0, INT64_MAX, &value))
		return 0;
	return (uint64_t)value;
}

static enum cli_exit import_end(struct control *control, const char *id, size_t count, bool dry_run,
                                struct import_result *result, struct sluice_error *error)
{
	struct sluice_buffer members = { 0 };
	struct answer answer;
	sluice_buffer_printf(&members, "\"import\":%s,\"dryRun\":%s", id,
	                     dry_run ? "true" : "false");
	/* Giving up on a commit would leave unsaid whether it happened. A rule takes some 0.1 ms to
	 * be written and put in force, and --replace deletes nobody knows how many. */
	control_be_patient(control, IMPORT_MS + (int64_t)count * IMPORT_MS_PER_ITEM);
	enum cli_exit code =
	        control_call(control, CONTROL_CHANGE, "importCommit", &members, &answer, error);
	sluice_buffer_finish(&members);
	if (code != CLI_OK)
		return code;
	*result = (struct import_result){ .changed = count_of(answer.data, "changed"),
		                          .deleted = count_of(answer.data, "deleted") };
	for (int kind = 0; kind < SLUICE_STORE_KINDS; kind++)
		result->counts[kind] =
		        count_of(answer.data, sluice_store_plural((enum sluice_store_kind)kind));
	/* The plugin counts what is deleted among what is changed. */
	result->changed -= result->deleted < result->changed ? result->deleted : result->changed;
	answer_finish(&answer);
	return CLI_OK;
}

static enum cli_exit broker_import(struct catalog *catalog, const struct rule_file *file,
                                   bool replace, bool dry_run, struct import_result *result,
                                   size_t *bad, struct sluice_error *error)
{
	struct control *control = control_of(catalog);
	char id[80];
	*bad = SIZE_MAX;
	enum cli_exit code = import_begin(control, replace, id, sizeof(id), error);
	if (code != CLI_OK)
		return code;
	for (int kind = 0; kind < SLUICE_STORE_KINDS && code == CLI_OK; kind++)
		code = import_parts(control, id, file, (enum sluice_store_kind)kind, bad, error);
	if (code == CLI_OK)
		code = import_end(control, id, file->count, dry_run, result, error);
	if (code != CLI_OK && code != CLI_BROKER) {
		/* Should that fail too, the plugin forgets it with our DISCONNECT. */
		struct sluice_buffer members = { 0 };
		struct answer answer;
		struct sluice_error ignored;
		sluice_buffer_printf(&members, "\"import\":%s", id);
		if (control_call(control, CONTROL_CHANGE, "importAbort", &members, &answer,
		                 &ignored) == CLI_OK)
			answer_finish(&answer);
		sluice_buffer_finish(&members);
	}
	return code == CLI_NO ? CLI_INVALID : code;
}

/* --- export, in parts of one snapshot --- */

/* An entry of an exported part is the rule, bus or queue itself. */
static bool give_exported(enum sluice_store_kind kind, const struct sluice_json *entries,
                          catalog_row_fn fn, void *arg)
{
	for (const struct sluice_json *entry = entries ? entries->first : NULL; entry;
	     entry = entry->next) {
		struct catalog_row row = { .kind = kind, .text = entry->raw };
		if (!fn(arg, &row))
			return false;
	}
	return true;
}

static enum cli_exit broker_export(struct catalog *catalog, catalog_row_fn fn, void *arg,
                                   struct sluice_error *error)
{
	struct control *control = control_of(catalog);
	struct sluice_buffer members = { 0 };
	struct answer answer;
	enum cli_exit code =
	        control_call(control, CONTROL_VIEW, "exportBegin", NULL, &answer, error);
	if (code != CLI_OK)
		return code;
	char id[80];
	bool named = copy_raw(sluice_json_get(answer.data, "export"), id, sizeof(id));
	answer_finish(&answer);
	if (!named) {
		sluice_error_set(error, SLUICE_ERR_SYNTAX, SIZE_MAX, NULL,
		                 "the broker's answer to exportBegin names no export");
		return CLI_BROKER;
	}
	sluice_buffer_printf(&members, "\"export\":%s", id);
	for (bool done = false; !done && code == CLI_OK;) {
		code = control_call(control, CONTROL_VIEW, "exportPart", &members, &answer, error);
		if (code != CLI_OK)
			break;
		const struct sluice_json *flag = sluice_json_get(answer.data, "done");
		done = !flag || flag->type != SLUICE_JSON_FALSE;
		bool more = true;
		for (int i = 0; i < SLUICE_STORE_KINDS && more; i++) {
			enum sluice_store_kind kind = (enum sluice_store_kind)i;
			more = give_exported(
			        kind, sluice_json_get(answer.data, sluice_store_plural(kind)), fn,
			        arg);
		}
		done = done || !more;
		answer_finish(&answer);
	}
	sluice_buffer_finish(&members);
	return code;
}

static void broker_close(struct catalog *catalog)
{
	control_close(control_of(catalog));
	free(catalog);
}

static const struct catalog_ops broker_ops = {
	.put = broker_put,
	.get = broker_get,
	.list = broker_list,
	.remove = broker_remove,
	.set_state = broker_set_state,
	.import = broker_import,
	.export = broker_export,
	.close = broker_close,
};

enum cli_exit catalog_open_broker(const struct cli *cli, struct catalog **catalog,
                                  struct sluice_error *error)
{
	*catalog = NULL;
	struct broker_catalog *made = calloc(1, sizeof(*made));
	if (!made) {
		sluice_out_of_memory(error);
		return CLI_SYSTEM;
	}
	made->catalog.ops = &broker_ops;
	enum cli_exit code = control_open(cli, &made->control, error);
	if (code != CLI_OK) {
		free(made);
		return code;
	}
	*catalog = &made->catalog;
	return CLI_OK;
}
