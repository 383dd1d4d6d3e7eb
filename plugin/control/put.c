/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* putRule, putBus, putQueue, putConnection, putTarget, putSource */
#include "command.h"

static enum sluice_status run(struct command_call *call, struct sluice_error *error)
{
	enum sluice_store_kind kind = call->command->kind;
	const char *noun = sluice_store_noun(kind);
	struct sluice_store *store;
	struct sluice_definition definition;
	int64_t revision = 0;
	enum sluice_status status = call_store(call, &store, error);
	if (status != SLUICE_OK)
		return status;
	status = sluice_definition_from_json(kind, call_member(call, noun), &definition, error);
	if (status != SLUICE_OK)
		return call_error_within(status, noun, error);
	status = sluice_store_put(store, definition,
	                          call_integer(call, "ifRevision", SLUICE_STORE_ANY_REVISION),
	                          &revision, error);
	if (status == SLUICE_OK) {
		call_in_force(call);
		sluice_buffer_append(call->data, "{", 1);
		data_string(call->data, "name", sluice_definition_name(&definition));
		data_integer(call->data, "revision", revision);
		sluice_buffer_append(call->data, "}", 1);
	} else if (error->place[0]) {
		call_error_within(status, noun, error);
	}
	sluice_definition_finish(&definition);
	return status;
}

#define PUT(the_name, the_kind, member)                                                            \
	{                                                                                          \
		.name = (the_name), .kind = (the_kind), .run = run,                                \
		.members = { { (member), MEMBER_OBJECT, true, 0, 0 },                              \
			     { "ifRevision", MEMBER_INTEGER, false, 0, INT64_MAX } },              \
	}

const struct command command_put_rule = PUT("putRule", SLUICE_STORE_RULE, "rule");
const struct command command_put_bus = PUT("putBus", SLUICE_STORE_BUS, "bus");
const struct command command_put_queue = PUT("putQueue", SLUICE_STORE_QUEUE, "queue");
const struct command command_put_connection =
        PUT("putConnection", SLUICE_STORE_CONNECTION, "connection");
const struct command command_put_target = PUT("putTarget", SLUICE_STORE_TARGET, "target");
const struct command command_put_source = PUT("putSource", SLUICE_STORE_SOURCE, "source");

#undef PUT
