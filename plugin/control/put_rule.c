/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "command.h"

static enum sluice_status run(struct command_call *call, struct sluice_error *error)
{
	struct sluice_store *store;
	struct sluice_rule *rule = NULL;
	int64_t revision = 0;
	enum sluice_status status = call_store(call, &store, error);
	if (status != SLUICE_OK)
		return status;
	status = sluice_rule_from_json(call_member(call, "rule"), &rule, error);
	if (status != SLUICE_OK)
		return call_error_within(status, "rule", error);
	status = sluice_store_put_rule(store, rule,
	                               call_integer(call, "ifRevision", SLUICE_STORE_ANY_REVISION),
	                               &revision, error);
	if (status == SLUICE_OK) {
		call_in_force(call);
		sluice_buffer_append(call->data, "{", 1);
		data_string(call->data, "name", rule->name);
		data_integer(call->data, "revision", revision);
		sluice_buffer_append(call->data, "}", 1);
	}
	sluice_rule_destroy(rule);
	return status;
}

const struct command command_put_rule = {
	.name = "putRule",
	.run = run,
	.members = { { "rule", MEMBER_OBJECT, true, 0, 0 },
	             { "ifRevision", MEMBER_INTEGER, false, 0, INT64_MAX } },
};
