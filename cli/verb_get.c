/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice rule get, and the like of buses, queues, connections, targets and sources */
#include "catalog.h"
#include "verbs.h"

static bool write_row(void *arg, const struct catalog_row *row)
{
	struct sluice_buffer *out = arg;
	sluice_buffer_append_text(out, "{");
	output_member(out, sluice_store_noun(row->kind));
	sluice_buffer_append_str(out, row->text);
	output_member_integer(out, "revision", row->revision);
	if (row->error.data)
		output_member_text(out, "error", row->error);
	if (row->counters) {
		output_member(out, "counters");
		sluice_buffer_append_str(out, row->counters->raw);
	}
	if (row->samples) {
		output_member(out, "samples");
		sluice_buffer_append_str(out, row->samples->raw);
	}
	sluice_buffer_append_text(out, "}");
	return true;
}

static bool write_text(void *arg, const struct catalog_row *row)
{
	if (row->error.data) {
		struct sluice_buffer warning = { 0 };
		output_safe(&warning, row->error);
		fprintf(stderr, "sluice: it is not in force as it stands: %s\n",
		        warning.failed ? "" : sluice_buffer_str(&warning).data);
		sluice_buffer_finish(&warning);
	}
	sluice_buffer_append_str(arg, row->text);
	return true;
}

static enum cli_exit exec_get(const struct cli *cli)
{
	struct catalog *catalog;
	struct sluice_error error;
	struct sluice_buffer out = { 0 };
	const char *name = cli->args->operands[0];
	enum cli_exit code = catalog_open(cli, 0, &catalog);
	if (code != CLI_OK)
		return code;
	code = catalog->ops->get(catalog, catalog_kind(cli), sluice_str(name),
	                         cli->json ? write_row : write_text, &out, &error);
	if (code != CLI_OK)
		fail(cli, code, NULL, &error);
	else
		code = output_line(cli, &out);
	sluice_buffer_finish(&out);
	catalog_close(catalog);
	return code;
}

const struct verb verb_rule_get = {
	.noun = "rule",
	.name = "get",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.summary = "print a rule",
	.help = "It prints the rule as 'rule put' takes it; with --json its revision too\n"
	        "and, from a broker, its counters and what it matched while SHADOW.",
	.exec = exec_get,
};

const struct verb verb_bus_get = {
	.noun = "bus",
	.name = "get",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.summary = "print an event bus",
	.exec = exec_get,
};

const struct verb verb_queue_get = {
	.noun = "queue",
	.name = "get",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.summary = "print a queue's definition",
	.exec = exec_get,
};

const struct verb verb_connection_get = {
	.noun = "connection",
	.name = "get",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.summary = "print a connection's definition",
	.help = "It prints the connection as 'connection put' takes it, with null for each\n"
	        "secret that is a string.",
	.exec = exec_get,
};

const struct verb verb_target_get = {
	.noun = "target",
	.name = "get",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.summary = "print a target's definition",
	.exec = exec_get,
};

const struct verb verb_source_get = {
	.noun = "source",
	.name = "get",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.summary = "print a source's definition",
	.exec = exec_get,
};
