/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* getRule, getBus */
#include "command.h"
#include "numbers.h"

struct found {
	struct command_call *call;
	bool found;
};

static bool write_rule(void *arg, const struct sluice_store_row *row)
{
	struct found *found = arg;
	struct sluice_buffer *data = found->call->data;
	struct rule_record *record = registry_rule(&found->call->thread->registry, row->name);
	found->found = true;
	sluice_buffer_append(data, "{", 1);
	data_raw(data, "rule", row->text);
	data_integer(data, "revision", row->revision);
	if (row->error.data)
		data_string(data, "error", row->error);
	data_key(data, "counters");
	sluice_buffer_append(data, "{", 1);
	data_rule_numbers(data, record);
	sluice_buffer_append(data, "}", 1);
	if (record)
		data_rule_samples(data, record);
	sluice_buffer_append(data, "}", 1);
	return false;
}

static bool write_bus(void *arg, const struct sluice_store_row *row)
{
	struct found *found = arg;
	struct sluice_buffer *data = found->call->data;
	found->found = true;
	sluice_buffer_append(data, "{", 1);
	data_raw(data, "bus", row->text);
	data_integer(data, "revision", row->revision);
	if (row->error.data)
		data_string(data, "error", row->error);
	sluice_buffer_append(data, "}", 1);
	return false;
}

typedef enum sluice_status (*get_fn)(struct sluice_store *store, struct sluice_str name,
                                     sluice_store_row_fn fn, void *arg, struct sluice_error *error);

static enum sluice_status get_with(struct command_call *call, const char *what, get_fn get,
                                   sluice_store_row_fn fn, struct sluice_error *error)
{
	struct sluice_store *store;
	struct found found = { call, false };
	struct sluice_str name = call_string(call, "name");
	enum sluice_status status = call_store(call, &store, error);
	if (status == SLUICE_OK)
		status = get(store, name, fn, &found, error);
	if (status == SLUICE_OK && !found.found)
		status =
		        sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, "$.name",
		                         "there is no %s \"%.*s\"", what, (int)name.len, name.data);
	return status;
}

static enum sluice_status run_rule(struct command_call *call, struct sluice_error *error)
{
	return get_with(call, "rule", sluice_store_get_rule, write_rule, error);
}

static enum sluice_status run_bus(struct command_call *call, struct sluice_error *error)
{
	return get_with(call, "bus", sluice_store_get_bus, write_bus, error);
}

const struct command command_get_rule = {
	.name = "getRule",
	.view = true,
	.run = run_rule,
	.members = { { "name", MEMBER_NAME, true, 0, 0 } },
};

const struct command command_get_bus = {
	.name = "getBus",
	.view = true,
	.run = run_bus,
	.members = { { "name", MEMBER_NAME, true, 0, 0 } },
};
