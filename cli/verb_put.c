/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice rule put, and the like of buses, queues, connections, targets and sources */
#include <inttypes.h>

#include "catalog.h"
#include "dry_run.h"
#include "verbs.h"

static bool ignore_row(void *arg, const struct catalog_row *row)
{
	(void)arg, (void)row;
	return false;
}

/* A queue may come after those who name it; but a name may also be misspelt. */
static void warn_of_queue(struct catalog *catalog, struct sluice_str queue)
{
	struct sluice_error error;
	if (queue.data && catalog->ops->get(catalog, SLUICE_STORE_QUEUE, queue, ignore_row, NULL,
	                                    &error) == CLI_NO)
		fprintf(stderr, "sluice: warning: there is no queue \"%.*s\" yet\n", (int)queue.len,
		        queue.data);
}

static void warn_of_queues(struct catalog *catalog, const struct sluice_definition *definition)
{
	if (definition->kind == SLUICE_STORE_QUEUE)
		warn_of_queue(catalog, definition->queue->dead_letter);
	if (definition->kind == SLUICE_STORE_TARGET)
		warn_of_queue(catalog, definition->target->queue);
	if (definition->kind != SLUICE_STORE_RULE)
		return;
	const struct sluice_rule *rule = definition->rule;
	warn_of_queue(catalog, rule->dead_letter);
	for (size_t i = 0; i < rule->target_count; i++) {
		struct sluice_str queue = rule->targets[i].queue;
		bool again = sluice_str_equal(queue, rule->dead_letter);
		for (size_t j = 0; j < i && !again; j++)
			again = sluice_str_equal(queue, rule->targets[j].queue);
		if (!again)
			warn_of_queue(catalog, queue);
	}
}

static enum cli_exit exec_put(const struct cli *cli)
{
	struct rule_file file;
	struct sluice_error error;
	int64_t if_revision, revision;
	if (arguments_integer(cli->args, "if-revision", 0, INT64_MAX, SLUICE_STORE_ANY_REVISION,
	                      &if_revision, &error) != SLUICE_OK)
		return fail_usage(cli, "%s", error.message);
	if (arguments_has(cli->args, "against") && !arguments_has(cli->args, "dry-run"))
		return fail_usage(cli, "--against goes with --dry-run");
	if (arguments_has(cli->args, "dry-run") && arguments_has(cli->args, "db"))
		return fail_usage(cli, "--dry-run asks a broker, and goes without --db");
	enum cli_exit code =
	        rule_file_load_one(cli, cli->args->operands[0], catalog_kind(cli), &file);
	if (code != CLI_OK)
		return code;
	if (arguments_has(cli->args, "dry-run")) {
		code = dry_run(cli, file.items[0].text);
		rule_file_finish(&file);
		return code;
	}
	struct catalog *catalog;
	code = catalog_open(cli, CATALOG_CHANGE | CATALOG_CREATE, &catalog);
	if (code == CLI_OK) {
		const struct rule_item *item = &file.items[0];
		code = catalog->ops->put(catalog, item, if_revision, &revision, &error);
		if (code != CLI_OK) {
			char where[512];
			fail(cli, code, rule_file_where(&file, 0, where, sizeof(where)), &error);
		} else if (cli->json) {
			struct sluice_buffer out = { 0 };
			sluice_buffer_append_text(&out, "{");
			output_member_text(&out, "name", item->name);
			output_member_integer(&out, "revision", revision);
			sluice_buffer_append_text(&out, "}");
			code = output_line(cli, &out);
			sluice_buffer_finish(&out);
		} else {
			printf("%.*s: revision %" PRId64 "\n", (int)item->name.len, item->name.data,
			       revision);
		}
		if (code == CLI_OK)
			warn_of_queues(catalog, &item->definition);
		catalog_close(catalog);
	}
	rule_file_finish(&file);
	return code;
}

static const struct option put_options[] = {
	{ "if-revision", 0, "N", "only if it has this revision; 0: only if there is none", NULL },
	{ 0 },
};

static const struct option rule_put_options[] = {
	{ "if-revision", 0, "N", "only if it has this revision; 0: only if there is none", NULL },
	{ "dry-run", 0, NULL, "put nothing: say what it would have matched in the archive", NULL },
	{ "against", 0, "TIME", "with --dry-run: of the last so many hours or days (24h)",
	  "1h 24h 7d" },
	{ 0 },
};

const struct verb verb_rule_put = {
	.noun = "rule",
	.name = "put",
	.operands = "FILE",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = rule_put_options,
	.completes = "@file",
	.summary = "add a rule, or replace the one of that name",
	.help = "FILE holds one rule as JSON; - is standard input. With --db the store is\n"
	        "made when there is none. --dry-run counts the archived events of its bus that\n"
	        "it would have matched, those of them that the rule in force matches, and what\n"
	        "only that one does; 20 of them are shown.",
	.exec = exec_put,
};

const struct verb verb_bus_put = {
	.noun = "bus",
	.name = "put",
	.operands = "FILE",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = put_options,
	.completes = "@file",
	.summary = "add an event bus, or replace the one of that name",
	.help = "FILE holds one bus as JSON; - is standard input.",
	.exec = exec_put,
};

const struct verb verb_queue_put = {
	.noun = "queue",
	.name = "put",
	.operands = "FILE",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = put_options,
	.completes = "@file",
	.summary = "add a queue, or replace the one of that name",
	.help = "FILE holds one queue as JSON; - is standard input. Messages that are in the\n"
	        "queue stay there.",
	.exec = exec_put,
};

const struct verb verb_connection_put = {
	.noun = "connection",
	.name = "put",
	.operands = "FILE",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = put_options,
	.completes = "@file",
	.summary = "add a connection (credentials), or replace the one of that name",
	.help = "FILE holds one connection as JSON; - is standard input. A secret that is null\n"
	        "stays what it is; none is ever shown again.",
	.exec = exec_put,
};

const struct verb verb_target_put = {
	.noun = "target",
	.name = "put",
	.operands = "FILE",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = put_options,
	.completes = "@file",
	.summary = "add a target of the bridge, or replace the one of that name",
	.help = "FILE holds one target as JSON; - is standard input. A rule reaches it by its\n"
	        "queue. A bridge that runs follows within a second or so.",
	.exec = exec_put,
};

const struct verb verb_source_put = {
	.noun = "source",
	.name = "put",
	.operands = "FILE",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = put_options,
	.completes = "@file",
	.summary = "add a source of the bridge, or replace the one of that name",
	.help = "FILE holds one source as JSON; - is standard input. A bridge that runs follows\n"
	        "within a second or so.",
	.exec = exec_put,
};
