/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The table of commands, and what they share. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "sluice/base64.h"

static const struct command *const commands[] = {
	&command_put_rule,
	&command_get_rule,
	&command_list_rules,
	&command_delete_rule,
	&command_enable_rule,
	&command_disable_rule,
	&command_shadow_rule,
	&command_put_bus,
	&command_get_bus,
	&command_list_buses,
	&command_delete_bus,
	&command_put_queue,
	&command_get_queue,
	&command_list_queues,
	&command_delete_queue,
	&command_put_connection,
	&command_get_connection,
	&command_list_connections,
	&command_delete_connection,
	&command_put_target,
	&command_get_target,
	&command_list_targets,
	&command_delete_target,
	&command_enable_target,
	&command_disable_target,
	&command_put_source,
	&command_get_source,
	&command_list_sources,
	&command_delete_source,
	&command_enable_source,
	&command_disable_source,
	&command_test_pattern,
	&command_explain,
	&command_tap,
	&command_untap,
	&command_import_begin,
	&command_import_part,
	&command_import_commit,
	&command_import_abort,
	&command_export_begin,
	&command_export_part,
	&command_get_status,
	&command_purge_queue,
	&command_redrive_queue,
	&command_get_queue_status,
	&command_report_bridge,
	&command_get_bridge_status,
	&command_peek_queue,
	&command_list_archives,
	&command_search_archive,
	&command_read_stream,
	&command_test_rule_against_archive,
	&command_start_replay,
	&command_list_replays,
	&command_pause_replay,
	&command_resume_replay,
	&command_cancel_replay,
};

const struct command *command_find(struct sluice_str name)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (sluice_str_equal(sluice_str(commands[i]->name), name))
			return commands[i];
	}
	return NULL;
}

const struct sluice_json *call_member(const struct command_call *call, const char *name)
{
	return sluice_json_get(call->json, name);
}

struct sluice_str call_string(const struct command_call *call, const char *name)
{
	const struct sluice_json *member = call_member(call, name);
	return member ? member->string : (struct sluice_str){ NULL, 0 };
}

bool call_bool(const struct command_call *call, const char *name, bool otherwise)
{
	const struct sluice_json *member = call_member(call, name);
	return member ? member->type == SLUICE_JSON_TRUE : otherwise;
}

int64_t call_integer(const struct command_call *call, const char *name, int64_t otherwise)
{
	int64_t value;
	const struct sluice_json *member = call_member(call, name);
	return sluice_json_integer(member, INT64_MIN, INT64_MAX, &value) ? value : otherwise;
}

enum sluice_status call_store(const struct command_call *call, struct sluice_store **store,
                              struct sluice_error *error)
{
	*store = call->thread->store;
	if (*store)
		return SLUICE_OK;
	return sluice_error_set(error, SLUICE_ERR_IO, SIZE_MAX, NULL,
	                        "the store can't be opened; the broker's log says why");
}

enum sluice_status call_data(const struct command_call *call, struct sluice_data **data,
                             struct sluice_error *error)
{
	bool open = store_thread_data(call->thread, error);
	*data = call->thread->data;
	return open ? SLUICE_OK : error->code;
}

enum sluice_status call_queue(const struct command_call *call, const char *member,
                              struct queue_record **queue, struct sluice_error *error)
{
	struct sluice_str name = call_string(call, member);
	char place[80];
	*queue = registry_queue(&call->thread->registry, name);
	if (*queue)
		return SLUICE_OK;
	snprintf(place, sizeof place, "$.%s", member);
	return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, place,
	                        "there is no queue \"%.*s\" in force", (int)name.len, name.data);
}

bool call_chooses(const struct command_call *call, const char *name)
{
	struct sluice_str text = sluice_str(name);
	struct sluice_str prefix = call_string(call, "prefix");
	struct sluice_str after = call_string(call, "after");
	if (text.len < prefix.len ||
	    (prefix.len > 0 && memcmp(text.data, prefix.data, prefix.len) != 0))
		return false;
	size_t shorter = text.len < after.len ? text.len : after.len;
	int order = shorter > 0 ? memcmp(text.data, after.data, shorter) : 0;
	return order > 0 || (order == 0 && text.len > after.len);
}

void call_in_force(const struct command_call *call)
{
	struct sluice_error error;
	/* When it fails, the log says so, and the change comes into force when the store can be
	 * read. */
	store_thread_follow(call->thread, &error);
}

enum sluice_status call_error_within(enum sluice_status status, const char *member,
                                     struct sluice_error *error)
{
	char place[sizeof error->place + 64];
	if (status == SLUICE_OK)
		return status;
	snprintf(place, sizeof place, "$.%s%s", member,
	         error->place[0] == '$' ? error->place + 1 : "");
	snprintf(error->place, sizeof error->place, "%.*s", (int)sizeof error->place - 1, place);
	return status;
}

void data_key(struct sluice_buffer *data, const char *name)
{
	if (data->len > 0 && data->data[data->len - 1] != '{')
		sluice_buffer_append(data, ",", 1);
	sluice_buffer_printf(data, "\"%s\":", name);
}

void data_string(struct sluice_buffer *data, const char *name, struct sluice_str value)
{
	data_key(data, name);
	sluice_json_write_string(data, value);
}

void data_integer(struct sluice_buffer *data, const char *name, int64_t value)
{
	data_key(data, name);
	sluice_buffer_printf(data, "%" PRId64, value);
}

void data_bool(struct sluice_buffer *data, const char *name, bool value)
{
	data_key(data, name);
	sluice_buffer_append_text(data, value ? "true" : "false");
}

void data_raw(struct sluice_buffer *data, const char *name, struct sluice_str json)
{
	data_key(data, name);
	sluice_buffer_append_str(data, json);
}

void data_base64(struct sluice_buffer *data, const char *name, struct sluice_str bytes)
{
	data_key(data, name);
	sluice_buffer_append(data, "\"", 1);
	sluice_buffer_append_base64(data, bytes);
	sluice_buffer_append(data, "\"", 1);
}

void data_row(struct sluice_buffer *data, enum sluice_store_kind kind,
              const struct sluice_store_row *row)
{
	data_raw(data, sluice_store_noun(kind), row->text);
	data_integer(data, "revision", row->revision);
	if (row->error.data)
		data_string(data, "error", row->error);
}
