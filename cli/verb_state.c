/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice rule enable, disable, shadow; the like of targets and sources */
#include <inttypes.h>

#include "catalog.h"
#include "verbs.h"

static enum cli_exit set_state(const struct cli *cli, enum sluice_rule_state state)
{
	struct catalog *catalog;
	struct sluice_error error;
	struct sluice_str name = sluice_str(cli->args->operands[0]);
	int64_t if_revision, revision;
	if (arguments_integer(cli->args, "if-revision", 1, INT64_MAX, SLUICE_STORE_ANY_REVISION,
	                      &if_revision, &error) != SLUICE_OK)
		return fail_usage(cli, "%s", error.message);
	enum cli_exit code = catalog_open(cli, CATALOG_CHANGE, &catalog);
	if (code != CLI_OK)
		return code;
	code = catalog->ops->set_state(catalog, catalog_kind(cli), name, state, if_revision,
	                               &revision, &error);
	if (code != CLI_OK) {
		fail(cli, code, NULL, &error);
	} else if (cli->json) {
		struct sluice_buffer out = { 0 };
		sluice_buffer_append_text(&out, "{");
		output_member_text(&out, "name", name);
		output_member_text(&out, "state", sluice_str(sluice_rule_state_name(state)));
		output_member_integer(&out, "revision", revision);
		sluice_buffer_append_text(&out, "}");
		code = output_line(cli, &out);
		sluice_buffer_finish(&out);
	} else {
		printf("%s: %s, revision %" PRId64 "\n", name.data, sluice_rule_state_name(state),
		       revision);
	}
	catalog_close(catalog);
	return code;
}

static enum cli_exit exec_enable(const struct cli *cli)
{
	return set_state(cli, SLUICE_RULE_ENABLED);
}

static enum cli_exit exec_disable(const struct cli *cli)
{
	return set_state(cli, SLUICE_RULE_DISABLED);
}

static enum cli_exit exec_shadow(const struct cli *cli)
{
	return set_state(cli, SLUICE_RULE_SHADOW);
}

static const struct option state_options[] = {
	{ "if-revision", 0, "N", "only if it has this revision", NULL },
	{ 0 },
};

const struct verb verb_rule_enable = {
	.noun = "rule",
	.name = "enable",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = state_options,
	.summary = "let a rule match and deliver",
	.exec = exec_enable,
};

const struct verb verb_rule_disable = {
	.noun = "rule",
	.name = "disable",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = state_options,
	.summary = "keep a rule, but let it match nothing",
	.exec = exec_disable,
};

const struct verb verb_rule_shadow = {
	.noun = "rule",
	.name = "shadow",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = state_options,
	.summary = "let a rule match and count, but not deliver",
	.exec = exec_shadow,
};

const struct verb verb_target_enable = {
	.noun = "target",
	.name = "enable",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = state_options,
	.summary = "let a target take from its queue",
	.exec = exec_enable,
};

const struct verb verb_target_disable = {
	.noun = "target",
	.name = "disable",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = state_options,
	.summary = "keep a target, but let its queue fill",
	.exec = exec_disable,
};

const struct verb verb_source_enable = {
	.noun = "source",
	.name = "enable",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = state_options,
	.summary = "let a source publish",
	.exec = exec_enable,
};

const struct verb verb_source_disable = {
	.noun = "source",
	.name = "disable",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = state_options,
	.summary = "keep a source, but let it wait",
	.exec = exec_disable,
};
