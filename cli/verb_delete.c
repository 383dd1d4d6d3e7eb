/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice rule delete, and the like of buses, queues, connections, targets and sources */
#include "catalog.h"
#include "queue_numbers.h"
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

/* Whether the queue may go, as far as its messages are concerned. */
static enum cli_exit settle_messages(const struct cli *cli, struct control *control,
                                     struct sluice_error *error)
{
	struct sluice_str name = sluice_str(cli->args->operands[0]);
	struct queue_numbers numbers;
	char text[48];
	uint64_t count;
	enum cli_exit code = queue_numbers_ask(control, name, &numbers, error);
	if (code == CLI_NO)
		return CLI_OK; /* not in force: whether it is there at all the deletion will tell */
	if (code != CLI_OK || queue_holds(&numbers) == 0)
		return code;
	if (arguments_has(cli->args, "purge"))
		return queue_purge(control, name, &count, error);
	sluice_error_set(error, SLUICE_ERR_CONFLICT, SIZE_MAX, NULL,
	                 "the queue holds %s: --purge deletes them, --keep-messages leaves them "
	                 "for a queue of this name",
	                 count_messages(queue_holds(&numbers), text));
	return CLI_CONFLICT;
}

static enum cli_exit exec_queue_delete(const struct cli *cli)
{
	struct control *control;
	struct sluice_error error;
	bool purge = arguments_has(cli->args, "purge");
	bool keep = arguments_has(cli->args, "keep-messages");
	if (purge && keep)
		return fail_usage(cli, "--purge and --keep-messages say two things");
	if (purge && arguments_has(cli->args, "db"))
		return fail_usage(cli, "--purge needs the broker: a store holds no messages");
	/* They would be gone before the revision is looked at. */
	if (purge && arguments_has(cli->args, "if-revision"))
		return fail_usage(cli, "--purge does not go with --if-revision");
	if (keep || arguments_has(cli->args, "db"))
		return exec_delete(cli);
	enum cli_exit code = control_open(cli, &control, &error);
	if (code == CLI_OK)
		code = settle_messages(cli, control, &error);
	control_close(control);
	if (code == CLI_USAGE)
		return fail_usage(cli, "%s", error.message);
	if (code != CLI_OK)
		return fail(cli, code, cli->args->operands[0], &error);
	return exec_delete(cli);
}

static const struct option delete_options[] = {
	{ "if-revision", 0, "N", "only if it has this revision", NULL },
	{ 0 },
};

static const struct option queue_delete_options[] = {
	{ "if-revision", 0, "N", "only if it has this revision", NULL },
	{ "keep-messages", 0, NULL, "leave its messages for a queue of this name", NULL },
	{ "purge", 0, NULL, "delete its messages, too", NULL },
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
	.options = queue_delete_options,
	.summary = "delete a queue that holds no messages",
	.help = "Messages that are kept are there again when a queue of that name is put. With\n"
	        "--db nobody knows whether there are any: they are kept.",
	.exec = exec_queue_delete,
};

const struct verb verb_connection_delete = {
	.noun = "connection",
	.name = "delete",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = delete_options,
	.summary = "delete a connection, whoever names it",
	.exec = exec_delete,
};

const struct verb verb_target_delete = {
	.noun = "target",
	.name = "delete",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = delete_options,
	.summary = "delete a target; its queue stays",
	.exec = exec_delete,
};

const struct verb verb_source_delete = {
	.noun = "source",
	.name = "delete",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = delete_options,
	.summary = "delete a source",
	.exec = exec_delete,
};
