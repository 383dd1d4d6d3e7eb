/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice source add: all that a source needs where it is, and the source */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "sluice_store/outbox.h"
#include "verbs.h"

/* What the command line says. */
struct wish {
	char *file; /* absolute, since the bridge has another folder; owned */
	const char **tables;
	size_t table_count;
	char name[SLUICE_NAME_MAX + 1];
	const char *topic, *start;
	int64_t keep_s;
	bool remove;
};

/* "my shop.db" is "my-shop". */
static void default_name(const char *file, char name[SLUICE_NAME_MAX + 1])
{
	const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
	const char *dot = strrchr(base, '.');
	size_t len = dot && dot != base ? (size_t)(dot - base) : strlen(base);
	if (len > SLUICE_NAME_MAX)
		len = SLUICE_NAME_MAX;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)base[i];
		name[i] = (char)(c < 128 && (isalnum(c) || strchr("._-", c)) ? c : '-');
	}
	name[len] = '\0';
}

static enum cli_exit read_wish(const struct cli *cli, struct wish *wish)
{
	struct sluice_error error;
	const char *kind = cli->args->operands[0], *file = cli->args->operands[1];
	const char *name = arguments_value(cli->args, "name");
	*wish = (struct wish){ .tables = &cli->args->operands[2],
		               .table_count = cli->args->operand_count - 2,
		               .topic = arguments_value(cli->args, "topic"),
		               .start = arguments_value(cli->args, "start"),
		               .remove = arguments_has(cli->args, "remove") };
	if (strcmp(kind, "sqlite") != 0)
		return fail_usage(
		        cli, "a source of kind \"%s\" needs nothing but 'sluice source put'", kind);
	if (arguments_integer(cli->args, "keep", 60, 31536000, 86400, &wish->keep_s, &error) !=
	    SLUICE_OK)
		return fail_usage(cli, "%s", error.message);
	if (name && strlen(name) > SLUICE_NAME_MAX)
		return fail_usage(cli, "the name is longer than %d bytes", SLUICE_NAME_MAX);
	wish->file = realpath(file, NULL);
	if (!wish->file) {
		(void)sluice_error_set(&error, SLUICE_ERR_IO, SIZE_MAX, NULL, "%s",
		                       strerror(errno));
		return fail(cli, CLI_SYSTEM, file, &error);
	}
	if (name)
		memcpy(wish->name, name, strlen(name) + 1);
	else
		default_name(wish->file, wish->name);
	return CLI_OK;
}

static void write_definition(const struct wish *wish, struct sluice_buffer *out)
{
	sluice_buffer_append_text(out, "{");
	output_member_text(out, "name", sluice_str(wish->name));
	output_member_text(out, "kind", SLUICE_STR("sqlite"));
	output_member_text(out, "topic",
	                   wish->topic ? sluice_str(wish->topic) : SLUICE_STR("changes/{topic}"));
	sluice_buffer_append_text(out, ",\"settings\":{");
	output_member_text(out, "file", sluice_str(wish->file));
	output_member_integer(out, "keep_s", wish->keep_s);
	if (wish->start)
		output_member_text(out, "start", sluice_str(wish->start));
	for (size_t i = 0; i < wish->table_count; i++) {
		sluice_buffer_append_text(out, i == 0 ? ",\"tables\":[" : ",");
		sluice_json_write_string(out, sluice_str(wish->tables[i]));
	}
	sluice_buffer_append_text(out, wish->table_count > 0 ? "]}}" : "}}");
}

/* The outbox's part: the triggers, or that they are gone. */
static enum cli_exit change_file(const struct cli *cli, const struct wish *wish)
{
	struct sluice_outbox *outbox = NULL;
	struct sluice_error error;
	struct sluice_str *tables = calloc(wish->table_count + 1, sizeof *tables);
	if (!tables) {
		(void)sluice_out_of_memory(&error);
		return fail(cli, CLI_SYSTEM, NULL, &error);
	}
	for (size_t i = 0; i < wish->table_count; i++)
		tables[i] = sluice_str(wish->tables[i]);
	enum sluice_status status = sluice_outbox_open(wish->file, &outbox, &error);
	if (status == SLUICE_OK)
		status = wish->remove
		                 ? sluice_outbox_remove(outbox, tables, wish->table_count, &error)
		                 : sluice_outbox_install(outbox, tables, wish->table_count, NULL,
		                                         &error);
	sluice_outbox_close(outbox);
	free(tables);
	if (status == SLUICE_OK)
		return CLI_OK;
	return fail(cli,
	            status == SLUICE_ERR_NOT_FOUND || status == SLUICE_ERR_INVALID ? CLI_INVALID
	                                                                           : CLI_SYSTEM,
	            NULL, &error);
}

static enum cli_exit say(const struct cli *cli, const struct wish *wish, int64_t revision)
{
	struct sluice_buffer out = { 0 };
	enum cli_exit code = CLI_OK;
	if (!cli->json) {
		if (revision > 0)
			printf("%s: revision %" PRId64 "\n", wish->name, revision);
		else
			printf("%s: removed\n", wish->name);
		return CLI_OK;
	}
	sluice_buffer_append_text(&out, "{");
	output_member_text(&out, "name", sluice_str(wish->name));
	if (revision > 0)
		output_member_integer(&out, "revision", revision);
	sluice_buffer_append_text(&out, "}");
	code = output_line(cli, &out);
	sluice_buffer_finish(&out);
	return code;
}

static enum cli_exit put_source(const struct cli *cli, const struct wish *wish,
                                struct catalog *catalog)
{
	struct sluice_buffer text = { 0 };
	struct sluice_error error;
	struct rule_item item = { 0 };
	int64_t revision;
	enum cli_exit code;
	write_definition(wish, &text);
	enum sluice_status status =
	        text.failed ? sluice_out_of_memory(&error)
	                    : sluice_definition_parse(SLUICE_STORE_SOURCE, sluice_buffer_str(&text),
	                                              &item.definition, &error);
	if (status != SLUICE_OK) {
		code = fail(cli, status == SLUICE_ERR_NOMEM ? CLI_SYSTEM : CLI_INVALID, NULL,
		            &error);
		sluice_buffer_finish(&text);
		return code;
	}
	item.text = sluice_buffer_str(&text);
	item.name = item.definition.source->name;
	/* The triggers first: a source that can't begin would be put for nothing. */
	code = change_file(cli, wish);
	if (code == CLI_OK) {
		code = catalog->ops->put(catalog, &item, SLUICE_STORE_ANY_REVISION, &revision,
		                         &error);
		if (code != CLI_OK)
			fail(cli, code, NULL, &error);
		else
			code = say(cli, wish, revision);
	}
	rule_item_finish(&item);
	sluice_buffer_finish(&text);
	return code;
}

/* The source first, so that no bridge makes them anew. */
static enum cli_exit remove_source(const struct cli *cli, const struct wish *wish,
                                   struct catalog *catalog)
{
	struct sluice_error error;
	enum cli_exit code = CLI_OK;
	if (wish->table_count == 0)
		code = catalog->ops->remove(catalog, SLUICE_STORE_SOURCE, sluice_str(wish->name),
		                            SLUICE_STORE_ANY_REVISION, &error);
	/* Somebody may have deleted it before: the triggers would stay for ever. */
	if (code != CLI_OK && code != CLI_NO)
		return fail(cli, code, NULL, &error);
	code = change_file(cli, wish);
	return code == CLI_OK ? say(cli, wish, 0) : code;
}

static enum cli_exit exec_add(const struct cli *cli)
{
	struct wish wish;
	struct catalog *catalog;
	enum cli_exit code = read_wish(cli, &wish);
	if (code == CLI_OK)
		code = catalog_open(cli, CATALOG_CHANGE | (wish.remove ? 0 : CATALOG_CREATE),
		                    &catalog);
	if (code == CLI_OK) {
		code = wish.remove ? remove_source(cli, &wish, catalog)
		                   : put_source(cli, &wish, catalog);
		catalog_close(catalog);
	}
	free(wish.file);
	return code;
}

static const struct option add_options[] = {
	{ "name", 0, "NAME", "the source's; else the file's, without its extension", NULL },
	{ "topic", 0, "TEMPLATE", "where its changes are published (changes/{topic})", NULL },
	{ "keep", 0, "SECONDS", "how long the outbox keeps them (86400)", NULL },
	{ "start", 0, "WHERE", "where a new source begins", "trim-horizon latest" },
	{ "remove", 0, NULL, "take triggers, outbox and source away again", NULL },
	{ 0 },
};

const struct verb verb_source_add = {
	.noun = "source",
	.name = "add",
	.operands = "sqlite FILE [TABLE...]",
	.min_operands = 2,
	.max_operands = SIZE_MAX,
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = add_options,
	.completes = "@file",
	.summary = "watch an SQLite database that other programs write",
	.help = "Puts triggers on the tables (all, when none is named) and an outbox into FILE,\n"
	        "and a source that publishes what the outbox gets. Again, it does what has\n"
	        "changed since. --remove takes all of that away; with TABLEs, their triggers.",
	.exec = exec_add,
};
