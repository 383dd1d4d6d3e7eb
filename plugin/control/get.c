/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* getRule, getBus, getQueue, getConnection, getTarget, getSource */
#include "command.h"
#include "numbers.h"

struct found {
	struct command_call *call;
	bool found;
};

static void write_numbers(struct sluice_buffer *data, struct rule_record *record)
{
	data_key(data, "counters");
	sluice_buffer_append(data, "{", 1);
	data_rule_numbers(data, record);
	sluice_buffer_append(data, "}", 1);
	if (record)
		data_rule_samples(data, record);
}

static bool write_row(void *arg, const struct sluice_store_row *row)
{
	struct found *found = arg;
	enum sluice_store_kind kind = found->call->command->kind;
	struct sluice_buffer *data = found->call->data;
	found->found = true;
	sluice_buffer_append(data, "{", 1);
	data_row(data, kind, row);
	if (kind == SLUICE_STORE_RULE)
		write_numbers(data, registry_rule(&found->call->thread->registry, row->name));
	sluice_buffer_append(data, "}", 1);
	return false;
}

static enum sluice_status run(struct command_call *call, struct sluice_error *error)
{
	struct sluice_store *store;
	struct found found = { call, false };
	struct sluice_str name = call_string(call, "name");
	enum sluice_store_kind kind = call->command->kind;
	enum sluice_status status = call_store(call, &store, error);
	if (status == SLUICE_OK)
		status = sluice_store_get(store, kind, name, write_row, &found, error);
	if (status == SLUICE_OK && !found.found)
		status = sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, "$.name",
		                          "there is no %s \"%.*s\"", sluice_store_noun(kind),
		                          (int)name.len, name.data);
	return status;
}

#define GET(the_name, the_kind)                                                                    \
	{                                                                                          \
		.name = (the_name), .kind = (the_kind), .view = true, .run = run,                  \
		.members = { { "name", MEMBER_NAME, true, 0, 0 } },                                \
	}

const struct command command_get_rule = GET("getRule", SLUICE_STORE_RULE);
const struct command command_get_bus = GET("getBus", SLUICE_STORE_BUS);
const struct command command_get_queue = GET("getQueue", SLUICE_STORE_QUEUE);
const struct command command_get_connection = GET("getConnection", SLUICE_STORE_CONNECTION);
const struct command command_get_target = GET("getTarget", SLUICE_STORE_TARGET);
const struct command command_get_source = GET("getSource", SLUICE_STORE_SOURCE);

#undef GET
