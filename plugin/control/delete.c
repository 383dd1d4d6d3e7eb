/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* deleteRule, deleteBus */
#include "command.h"

typedef enum sluice_status (*delete_fn)(struct sluice_store *store, struct sluice_str name,
                                        int64_t if_revision, struct sluice_error *error);

static enum sluice_status delete_with(struct command_call *call, delete_fn delete,
                                      struct sluice_error *error)
{
	struct sluice_store *store;
	struct sluice_str name = call_string(call, "name");
	enum sluice_status status = call_store(call, &store, error);
	if (status == SLUICE_OK)
		status =
		        delete (store, name,
		                call_integer(call, "ifRevision", SLUICE_STORE_ANY_REVISION), error);
	if (status != SLUICE_OK)
		return status;
	call_in_force(call);
	sluice_buffer_append(call->data, "{", 1);
	data_string(call->data, "name", name);
	sluice_buffer_append(call->data, "}", 1);
	return SLUICE_OK;
}

static enum sluice_status run_rule(struct command_call *call, struct sluice_error *error)
{
	return delete_with(call, sluice_store_delete_rule, error);
}

static enum sluice_status run_bus(struct command_call *call, struct sluice_error *error)
{
	return delete_with(call, sluice_store_delete_bus, error);
}

const struct command command_delete_rule = {
	.name = "deleteRule",
	.run = run_rule,
	.members = { { "name", MEMBER_NAME, true, 0, 0 },
	             { "ifRevision", MEMBER_INTEGER, false, 0, INT64_MAX } },
};

const struct command command_delete_bus = {
	.name = "deleteBus",
	.run = run_bus,
	.members = { { "name", MEMBER_NAME, true, 0, 0 },
	             { "ifRevision", MEMBER_INTEGER, false, 0, INT64_MAX } },
};
