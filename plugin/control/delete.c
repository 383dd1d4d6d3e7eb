/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* deleteRule, deleteBus, deleteQueue, deleteConnection, deleteTarget, deleteSource */
#include "command.h"

static enum sluice_status run(struct command_call *call, struct sluice_error *error)
{
	struct sluice_store *store;
	struct sluice_str name = call_string(call, "name");
	enum sluice_status status = call_store(call, &store, error);
	if (status == SLUICE_OK)
		status = sluice_store_delete(
		        store, call->command->kind, name,
		        call_integer(call, "ifRevision", SLUICE_STORE_ANY_REVISION), error);
	if (status != SLUICE_OK)
		return status;
	call_in_force(call);
	sluice_buffer_append(call->data, "{", 1);
	data_string(call->data, "name", name);
	sluice_buffer_append(call->data, "}", 1);
	return SLUICE_OK;
}

#define DELETE(the_name, the_kind)                                                                 \
	{                                                                                          \
		.name = (the_name), .kind = (the_kind), .run = run,                                \
		.members = { { "name", MEMBER_NAME, true, 0, 0 },                                  \
			     { "ifRevision", MEMBER_INTEGER, false, 0, INT64_MAX } },              \
	}

const struct command command_delete_rule = DELETE("deleteRule", SLUICE_STORE_RULE);
const struct command command_delete_bus = DELETE("deleteBus", SLUICE_STORE_BUS);
const struct command command_delete_queue = DELETE("deleteQueue", SLUICE_STORE_QUEUE);
const struct command command_delete_connection =
        DELETE("deleteConnection", SLUICE_STORE_CONNECTION);
const struct command command_delete_target = DELETE("deleteTarget", SLUICE_STORE_TARGET);
const struct command command_delete_source = DELETE("deleteSource", SLUICE_STORE_SOURCE);

#undef DELETE
