/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* enableRule, disableRule, shadowRule, and the like of targets and sources */
#include "command.h"

static enum sluice_status set_state(struct command_call *call, enum sluice_rule_state state,
                                    struct sluice_error *error)
{
	struct sluice_store *store;
	struct sluice_str name = call_string(call, "name");
	int64_t revision = 0;
	enum sluice_status status = call_store(call, &store, error);
	if (status == SLUICE_OK)
		status = sluice_store_set_state(
		        store, call->command->kind, name, state,
		        call_integer(call, "ifRevision", SLUICE_STORE_ANY_REVISION), &revision,
		        error);
	if (status != SLUICE_OK)
		return status;
	call_in_force(call);
	sluice_buffer_append(call->data, "{", 1);
	data_string(call->data, "name", name);
	data_integer(call->data, "revision", revision);
	sluice_buffer_append(call->data, "}", 1);
	return SLUICE_OK;
}

static enum sluice_status run_enable(struct command_call *call, struct sluice_error *error)
{
	return set_state(call, SLUICE_RULE_ENABLED, error);
}

static enum sluice_status run_disable(struct command_call *call, struct sluice_error *error)
{
	return set_state(call, SLUICE_RULE_DISABLED, error);
}

static enum sluice_status run_shadow(struct command_call *call, struct sluice_error *error)
{
	return set_state(call, SLUICE_RULE_SHADOW, error);
}

#define SET_STATE(the_name, the_kind, the_run)                                                     \
	{                                                                                          \
		.name = (the_name), .kind = (the_kind), .run = (the_run),                          \
		.members = { { "name", MEMBER_NAME, true, 0, 0 },                                  \
			     { "ifRevision", MEMBER_INTEGER, false, 0, INT64_MAX } },              \
	}

const struct command command_enable_rule = SET_STATE("enableRule", SLUICE_STORE_RULE, run_enable);
const struct command command_disable_rule =
        SET_STATE("disableRule", SLUICE_STORE_RULE, run_disable);
const struct command command_shadow_rule = SET_STATE("shadowRule", SLUICE_STORE_RULE, run_shadow);
const struct command command_enable_target =
        SET_STATE("enableTarget", SLUICE_STORE_TARGET, run_enable);
const struct command command_disable_target =
        SET_STATE("disableTarget", SLUICE_STORE_TARGET, run_disable);
const struct command command_enable_source =
        SET_STATE("enableSource", SLUICE_STORE_SOURCE, run_enable);
const struct command command_disable_source =
        SET_STATE("disableSource", SLUICE_STORE_SOURCE, run_disable);

#undef SET_STATE
