/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice rule delete, sluice bus delete, sluice queue delete */
#include "catalog.h"
#include "verbs.h"

static enum cli_exit exec_delete(const struct cli *cli)
{
	struct catalog *catalog;
	struct sluice_error error;
	struct sluice_str name = sluice_str(cli->args->operands[0]);
	int64_t if_revision;
	if (arguments_integer(cli->args, "if-revision", 1, INT64_MAX, SLUICE_STORE_ANY_REVISION,
	                      &if_revision, &error) != SLUICE_OK)
		return fail_usage(cli, "%s", error.message);
	enum cli_exit code = catalog_open(cli, CATALOG_CHANGE, &catalog);
	if (code != CLI_OK)
		return code;
	code = catalog->ops->remove(catalog, catalog_kind(cli), name, if_revision, &error);
	if (code != CLI_OK) {
		fail(cli, code, NULL, &error);
	} else if (cli->json) {
		struct sluice_buffer out = { 0 };
		sluice_buffer_append_text(&out, "{");
		output_member_text(&out, "name", name);
		sluice_buffer_append_text(&out, "}");
		code = output_line(cli, &out);
		sluice_buffer_finish(&out);
	}
	catalog_close(catalog);
	return code;
}

static const struct option delete_options[] = {
	{ "if-revision", 0, "N", "only if it has this revision", NULL },
	{ 0 },
};

/* One name only, so that no slip of a shell's wildcard deletes many. */
const struct verb verb_rule_delete = {
	.noun = "rule",
	.name = "delete",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = delete_options,
	.summary = "delete a rule",
	.exec = exec_delete,
};

const struct verb verb_bus_delete = {
	.noun = "bus",
	.name = "delete",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = delete_options,
	.summary = "delete an event bus on which there are no rules",
	.exec = exec_delete,
};

const struct verb verb_queue_delete = {
	.noun = "queue",
	.name = "delete",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = delete_options,
	.summary = "delete a queue",
	.exec = exec_delete,
};
