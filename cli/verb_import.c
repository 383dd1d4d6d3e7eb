/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice rule import */
#include <inttypes.h>

#include "catalog.h"
#include "verbs.h"

static void tell_result(const struct cli *cli, const struct import_result *result, bool dry_run)
{
	const char *comma = "";
	if (!cli->json && dry_run)
		printf("nothing done; it would be ");
	for (int i = 0; i < SLUICE_STORE_KINDS; i++) {
		enum sluice_store_kind kind = sluice_store_shown(i);
		uint64_t count = result->counts[kind];
		/* Who has no bridge is not to read of it each time. */
		if (!cli->json && count == 0 && kind > SLUICE_STORE_RULE)
			continue;
		if (cli->json)
			printf("%s\"%s\":%" PRIu64, comma[0] ? "," : "{", sluice_store_plural(kind),
			       count);
		else
			printf("%s%" PRIu64 " %s", comma, count,
			       count == 1 ? sluice_store_noun(kind) : sluice_store_plural(kind));
		comma = ", ";
	}
	if (cli->json)
		printf(",\"changed\":%" PRIu64 ",\"deleted\":%" PRIu64 ",\"dry_run\":%s}\n",
		       result->changed, result->deleted, dry_run ? "true" : "false");
	else
		printf(": %" PRIu64 " changed, %" PRIu64 " deleted\n", result->changed,
		       result->deleted);
}

static enum cli_exit exec_import(const struct cli *cli)
{
	struct rule_file file;
	bool dry_run = arguments_has(cli->args, "dry-run");
	enum cli_exit code = rule_file_load(cli, cli->args->operands[0], 0, &file);
	if (code != CLI_OK)
		return code;
	struct catalog *catalog = NULL;
	code = rule_file_check_names(cli, &file);
	/* Making a store would be a change. */
	if (code == CLI_OK)
		code = catalog_open(cli, CATALOG_CHANGE | (dry_run ? 0 : CATALOG_CREATE), &catalog);
	if (code == CLI_OK) {
		struct import_result result;
		struct sluice_error error;
		size_t bad;
		code = catalog->ops->import(catalog, &file, arguments_has(cli->args, "replace"),
		                            dry_run, &result, &bad, &error);
		char where[512];
		if (code == CLI_OK)
			tell_result(cli, &result, dry_run);
		else
			fail(cli, code,
			     bad < file.count ? rule_file_where(&file, bad, where, sizeof(where))
			                      : file.path,
			     &error);
	}
	catalog_close(catalog);
	rule_file_finish(&file);
	return code;
}

static const struct option import_options[] = {
	{ "replace", 0, NULL, "delete whatever FILE does not hold", NULL },
	{ "dry-run", 0, NULL, "check all, change nothing", NULL },
	{ 0 },
};

const struct verb verb_rule_import = {
	.noun = "rule",
	.name = "import",
	.operands = "FILE",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = import_options,
	.completes = "@file",
	.summary = "put every rule of a file, or none of them",
	.help = "FILE holds a rule a line, or a JSON array of rules; - is standard input.\n"
	        "Beside rules it may hold buses, queues, connections, targets and sources, as\n"
	        "{\"bus\":{…}} and its like: what 'rule export' prints. A secret that is null\n"
	        "stays as it is. With --db the store is made when there is none. A faulty rule\n"
	        "is named by file and line.",
	.exec = exec_import,
};
