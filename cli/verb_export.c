/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice rule export */
#include <errno.h>
#include <stdlib.h>

#include "catalog.h"
#include "verbs.h"

struct export
{
	FILE *file;
	struct sluice_buffer line;
	struct progress progress;
	size_t count;
	bool failed;
};

/* The default bus as every store has it from the start says nothing. */
static bool is_untouched_default(struct sluice_str text)
{
	struct sluice_bus *bus;
	if (sluice_bus_parse(text, &bus, NULL) != SLUICE_OK)
		return false;
	bool untouched = sluice_str_equal(bus->name, SLUICE_STR("default")) &&
	                 bus->description.len == 0 && bus->deliver_original && !bus->archive &&
	                 bus->will_topic_count == 0 && bus->topic_count == 1 &&
	                 sluice_str_equal(bus->topics[0], SLUICE_STR("#")) &&
	                 bus->exclude_count == 2 &&
	                 sluice_str_equal(bus->exclude[0], SLUICE_STR("consumers/#")) &&
	                 sluice_str_equal(bus->exclude[1], SLUICE_STR("queues/#"));
	sluice_bus_destroy(bus);
	return untouched;
}

static bool on_row(void *arg, const struct catalog_row *row)
{
	struct export *export = arg;
	struct sluice_buffer *line = &export->line;
	if (row->kind == SLUICE_STORE_BUS && is_untouched_default(row->text))
		return true;
	sluice_buffer_reset(line);
	bool rule = row->kind == SLUICE_STORE_RULE;
	if (!rule)
		sluice_buffer_printf(line, "{\"%s\":", sluice_store_noun(row->kind));
	sluice_buffer_append_str(line, row->text);
	sluice_buffer_append_text(line, rule ? "\n" : "}\n");
	export->failed =
	        line->failed || fwrite(line->data, 1, line->len, export->file) != line->len;
	progress_show(&export->progress, ++export->count);
	return !export->failed;
}

static enum cli_exit run_export(const struct cli *cli, struct export *export)
{
	struct catalog *catalog;
	struct sluice_error error;
	enum cli_exit code = catalog_open(cli, 0, &catalog);
	if (code != CLI_OK)
		return code;
	progress_start(&export->progress, "exporting", 0);
	/* A bar amid the lines that it counts helps nobody. */
	export->progress.on = export->progress.on && export->file != stdout;
	code = catalog->ops->export(catalog, on_row, export, &error);
	progress_end(&export->progress);
	if (code != CLI_OK)
		fail(cli, code, NULL, &error);
	sluice_buffer_finish(&export->line);
	catalog_close(catalog);
	return code;
}

/* Writes beside the file and renames, so that a failed export leaves what was there. */
static enum cli_exit export_to(const struct cli *cli, const char *path)
{
	struct sluice_error error;
	struct sluice_buffer aside = { 0 };
	struct export export = { 0 };
	enum cli_exit code;
	sluice_buffer_printf(&aside, "%s.part", path);
	if (aside.failed)
		return fail_memory(cli);
	export.file = fopen(aside.data, "we");
	if (!export.file) {
		sluice_error_set(&error, SLUICE_ERR_IO, SIZE_MAX, NULL, "cannot write: %s",
		                 strerror(errno));
		code = fail(cli, CLI_SYSTEM, aside.data, &error);
		sluice_buffer_finish(&aside);
		return code;
	}
	code = run_export(cli, &export);
	bool written = fclose(export.file) == 0 && !export.failed;
	if (code == CLI_OK && (!written || rename(aside.data, path) != 0)) {
		sluice_error_set(&error, SLUICE_ERR_IO, SIZE_MAX, NULL, "cannot write: %s",
		                 strerror(errno));
		code = fail(cli, CLI_SYSTEM, path, &error);
	}
	if (code != CLI_OK)
		remove(aside.data);
	else if (cli->json)
		printf("{\"exported\":%zu}\n", export.count);
	sluice_buffer_finish(&aside);
	return code;
}

static enum cli_exit exec_export(const struct cli *cli)
{
	if (cli->args->operand_count > 0 && strcmp(cli->args->operands[0], "-") != 0)
		return export_to(cli, cli->args->operands[0]);
	struct export export = { .file = stdout };
	enum cli_exit code = run_export(cli, &export);
	return code == CLI_OK && export.failed ? CLI_SYSTEM : code;
}

const struct verb verb_rule_export = {
	.noun = "rule",
	.name = "export",
	.operands = "[FILE]",
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.completes = "@file",
	.summary = "print all that is defined, but the buses that are as they came",
	.help = "A rule a line, and {\"queue\":{…}} or its like for each queue, bus (but an\n"
	        "unchanged default one), connection, target and source: what 'rule import'\n"
	        "takes. Secrets are null. It is one state, however long it takes to read.",
	.exec = exec_export,
};
