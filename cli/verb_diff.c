/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice rule diff */
#include <inttypes.h>
#include <stdlib.h>

#include "catalog.h"
#include "verbs.h"

struct diff {
	const struct cli *cli;
	const struct rule_file *file;
	const struct rule_item **sorted; /* of the file */
	bool *seen;                      /* which of `sorted` the catalog has */
	bool replace;
	struct sluice_buffer out;
	struct sluice_buffer ours, theirs;
	uint64_t added, changed, removed;
};

static void tell(struct diff *diff, const char *what, enum sluice_store_kind kind,
                 struct sluice_str name)
{
	const char *noun = sluice_store_noun(kind);
	if (diff->cli->json) {
		if (diff->added + diff->changed + diff->removed > 0)
			sluice_buffer_append_text(&diff->out, ",");
		sluice_buffer_printf(&diff->out, "{\"%s\":", noun);
		sluice_json_write_string(&diff->out, name);
		sluice_buffer_printf(&diff->out, ",\"change\":\"%s\"}", what);
	} else {
		sluice_buffer_printf(&diff->out, "%-7s %s ", what, noun);
		output_safe(&diff->out, name);
		sluice_buffer_append_text(&diff->out, "\n");
	}
	*(what[0] == 'a' ? &diff->added : what[0] == 'c' ? &diff->changed : &diff->removed) += 1;
}

/* The place of a name in `sorted`, or SIZE_MAX. */
static size_t find(const struct diff *diff, enum sluice_store_kind kind, struct sluice_str name)
{
	size_t low = 0, high = diff->file->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct rule_item wanted = { .definition.kind = kind, .name = name };
		int order = rule_item_compare(diff->sorted[middle], &wanted);
		if (order == 0)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return SIZE_MAX;
}

/* Reads what the catalog has; a row that cannot be compiled still has its name. */
static bool read_row(const struct catalog_row *row, struct rule_item *item,
                     struct sluice_json_doc **doc)
{
	*item = (struct rule_item){ .line = 0 };
	*doc = NULL;
	if (sluice_definition_parse(row->kind, row->text, &item->definition, NULL) == SLUICE_OK) {
		item->name = sluice_definition_name(&item->definition);
	} else if (sluice_json_parse(row->text, 0, SIZE_MAX, doc, NULL) == SLUICE_OK) {
		const struct sluice_json *name = sluice_json_get(sluice_json_root(*doc), "name");
		item->name = name ? name->string : (struct sluice_str){ NULL, 0 };
	}
	return item->name.data != NULL;
}

static bool same(struct diff *diff, const struct rule_item *ours, const struct rule_item *theirs)
{
	if (!theirs->definition.rule)
		return false;
	sluice_buffer_reset(&diff->ours);
	sluice_buffer_reset(&diff->theirs);
	sluice_definition_write(&ours->definition, &diff->ours);
	sluice_definition_write(&theirs->definition, &diff->theirs);
	return sluice_str_equal(sluice_buffer_str(&diff->ours), sluice_buffer_str(&diff->theirs));
}

static bool on_row(void *arg, const struct catalog_row *row)
{
	struct diff *diff = arg;
	struct rule_item theirs;
	struct sluice_json_doc *doc;
	if (read_row(row, &theirs, &doc)) {
		size_t at = find(diff, row->kind, theirs.name);
		if (at != SIZE_MAX) {
			diff->seen[at] = true;
			if (!same(diff, diff->sorted[at], &theirs))
				tell(diff, "changed", row->kind, theirs.name);
		} else if (diff->replace && !sluice_store_is_fixed(row->kind, theirs.name)) {
			tell(diff, "removed", row->kind, theirs.name);
		}
	}
	sluice_definition_finish(&theirs.definition);
	sluice_json_destroy(doc);
	return true;
}

static enum cli_exit compare(struct diff *diff)
{
	const struct cli *cli = diff->cli;
	struct catalog *catalog;
	struct sluice_error error;
	enum cli_exit code = catalog_open(cli, 0, &catalog);
	if (code != CLI_OK)
		return code;
	if (cli->json)
		sluice_buffer_append_text(&diff->out, "{\"changes\":[");
	code = catalog->ops->export(catalog, on_row, diff, &error);
	catalog_close(catalog);
	if (code != CLI_OK)
		return fail(cli, code, NULL, &error);
	for (size_t i = 0; i < diff->file->count; i++)
		if (!diff->seen[i])
			tell(diff, "added", diff->sorted[i]->definition.kind,
			     diff->sorted[i]->name);
	if (cli->json)
		sluice_buffer_printf(&diff->out,
		                     "],\"added\":%" PRIu64 ",\"changed\":%" PRIu64
		                     ",\"removed\":%" PRIu64 "}",
		                     diff->added, diff->changed, diff->removed);
	else
		sluice_buffer_printf(&diff->out,
		                     "%" PRIu64 " added, %" PRIu64 " changed, %" PRIu64 " removed",
		                     diff->added, diff->changed, diff->removed);
	code = output_line(cli, &diff->out);
	if (code == CLI_OK && diff->added + diff->changed + diff->removed > 0)
		code = CLI_NO;
	return code;
}

static enum cli_exit exec_diff(const struct cli *cli)
{
	struct rule_file file;
	enum cli_exit code = rule_file_load(cli, cli->args->operands[0], 0, &file);
	if (code != CLI_OK)
		return code;
	struct diff diff = { .cli = cli,
		             .file = &file,
		             .sorted = rule_file_sorted(&file),
		             .seen = calloc(file.count + 1, sizeof(*diff.seen)),
		             .replace = arguments_has(cli->args, "replace") };
	if (!diff.sorted || !diff.seen)
		code = fail_memory(cli);
	else
		code = rule_file_check_names(cli, &file);
	if (code == CLI_OK)
		code = compare(&diff);
	sluice_buffer_finish(&diff.out);
	sluice_buffer_finish(&diff.ours);
	sluice_buffer_finish(&diff.theirs);
	free(diff.seen);
	free(diff.sorted);
	rule_file_finish(&file);
	return code;
}

static const struct option diff_options[] = {
	{ "replace", 0, NULL, "show what 'rule import --replace' would remove too", NULL },
	{ 0 },
};

const struct verb verb_rule_diff = {
	.noun = "rule",
	.name = "diff",
	.operands = "FILE",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = diff_options,
	.completes = "@file",
	.summary = "show what 'rule import' would change",
	.help = "It prints a line for each rule, bus, queue, connection, target and source that\n"
	        "would be added, changed or removed; the exit status is 1 when there is any, 0\n"
	        "when there is none. A secret is not compared.",
	.exec = exec_diff,
};
