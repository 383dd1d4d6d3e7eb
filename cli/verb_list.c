/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice rule list, and the like of buses, queues, connections, targets and sources */
#include <inttypes.h>

#include "catalog.h"
#include "verbs.h"

struct listing {
	const struct cli *cli;
	bool full;
	size_t count;
	struct sluice_buffer out;
	struct sluice_json_doc *doc; /* of the row at hand */
};

/* A string member of the row's JSON, or `otherwise`. */
static struct sluice_str member_of(const struct listing *listing, const char *name,
                                   const char *otherwise)
{
	const struct sluice_json *member =
	        listing->doc ? sluice_json_get(sluice_json_root(listing->doc), name) : NULL;
	return member && member->type == SLUICE_JSON_STRING ? member->string
	                                                    : sluice_str(otherwise);
}

static void write_json(struct listing *listing, const struct catalog_row *row)
{
	struct sluice_buffer *out = &listing->out;
	sluice_buffer_append_text(out, listing->count ? ",{" : "{");
	if (listing->full || row->kind != SLUICE_STORE_RULE) {
		output_member(out, sluice_store_noun(row->kind));
		sluice_buffer_append_str(out, row->text);
	} else {
		output_member_text(out, "name", member_of(listing, "name", ""));
		output_member_text(out, "bus", member_of(listing, "bus", "default"));
		output_member_text(out, "state", member_of(listing, "state", "ENABLED"));
	}
	output_member_integer(out, "revision", row->revision);
	if (row->error.data)
		output_member_text(out, "error", row->error);
	sluice_buffer_append_text(out, "}");
}

/* Appends text, filled with spaces to the width of its column. */
static void write_cell(struct sluice_buffer *out, struct sluice_str text, size_t width)
{
	output_safe(out, text);
	for (size_t at = text.len; at < width; at++)
		sluice_buffer_append_text(out, " ");
	sluice_buffer_append_text(out, "  ");
}

static void write_topics(struct listing *listing, const char *name, const char *before)
{
	const struct sluice_json *list =
	        listing->doc ? sluice_json_get(sluice_json_root(listing->doc), name) : NULL;
	for (const struct sluice_json *topic = list ? list->first : NULL; topic;
	     topic = topic->next) {
		sluice_buffer_append_text(&listing->out, topic->index ? " " : before);
		output_plain(&listing->out, topic);
	}
}

static void write_number(struct listing *listing, const char *name, const char *title)
{
	const struct sluice_json *number =
	        listing->doc ? sluice_json_get(sluice_json_root(listing->doc), name) : NULL;
	sluice_buffer_printf(&listing->out, "  %s ", title);
	if (number)
		output_plain(&listing->out, number);
}

/* A string member behind its title, when there is one. */
static void write_named(struct listing *listing, const char *name, const char *title)
{
	struct sluice_str text = member_of(listing, name, "");
	if (text.len == 0)
		return;
	sluice_buffer_printf(&listing->out, "  %s", title);
	output_safe(&listing->out, text);
}

static void write_table(struct listing *listing, const struct catalog_row *row)
{
	struct sluice_buffer *out = &listing->out;
	char revision[24];
	snprintf(revision, sizeof(revision), "%" PRId64, row->revision);
	write_cell(out, member_of(listing, "name", "?"), 30);
	if (row->kind == SLUICE_STORE_RULE)
		write_cell(out, member_of(listing, "bus", "default"), 12);
	if (sluice_store_has_state(row->kind))
		write_cell(out, member_of(listing, "state", "ENABLED"), 8);
	sluice_buffer_append_text(out, revision);
	if (row->kind == SLUICE_STORE_BUS) {
		write_topics(listing, "topics", "  ");
		write_topics(listing, "exclude", "  not ");
	} else if (row->kind == SLUICE_STORE_QUEUE) {
		write_number(listing, "visibility_timeout_s", "visibility");
		write_number(listing, "max_receives", "receives");
		struct sluice_str dead_letter = member_of(listing, "dead_letter", "");
		sluice_buffer_append_text(out, dead_letter.len ? "  dead " : "");
		output_safe(out, dead_letter);
	} else if (row->kind != SLUICE_STORE_RULE) {
		write_named(listing, "kind", "");
		write_named(listing, "queue", "queue ");
		write_named(listing, "topic", "topic ");
		write_named(listing, "connection", "by ");
	}
	if (row->error.data) {
		sluice_buffer_append_text(out, "  ! ");
		output_safe(out, row->error);
	}
	sluice_buffer_append_text(out, "\n");
}

static bool on_row(void *arg, const struct catalog_row *row)
{
	struct listing *listing = arg;
	if (sluice_json_parse(row->text, 0, SIZE_MAX, &listing->doc, NULL) != SLUICE_OK)
		listing->doc = NULL;
	if (listing->cli->json) {
		write_json(listing, row);
	} else if (listing->full) {
		sluice_buffer_append_str(&listing->out, row->text);
		sluice_buffer_append_text(&listing->out, "\n");
	} else {
		write_table(listing, row);
	}
	sluice_json_destroy(listing->doc);
	listing->count++;
	if (listing->cli->json || listing->out.failed)
		return true;
	/* The table goes out row by row. */
	bool written = fwrite(listing->out.data, 1, listing->out.len, stdout) == listing->out.len;
	sluice_buffer_reset(&listing->out);
	return written;
}

static enum cli_exit list(const struct cli *cli, const struct sluice_store_query *query)
{
	struct listing listing = { .cli = cli, .full = arguments_has(cli->args, "full") };
	enum sluice_store_kind kind = catalog_kind(cli);
	struct catalog *catalog;
	struct sluice_error error;
	enum cli_exit code = catalog_open(cli, 0, &catalog);
	if (code != CLI_OK)
		return code;
	if (cli->json)
		sluice_buffer_printf(&listing.out, "{\"%s\":[", sluice_store_plural(kind));
	code = catalog->ops->list(catalog, kind, query, on_row, &listing, &error);
	if (code != CLI_OK) {
		fail(cli, code, NULL, &error);
	} else if (listing.out.failed) {
		code = fail_memory(cli);
	} else if (cli->json) {
		sluice_buffer_append_text(&listing.out, "]}");
		code = output_line(cli, &listing.out);
	}
	sluice_buffer_finish(&listing.out);
	catalog_close(catalog);
	return code;
}

static enum cli_exit exec_rule_list(const struct cli *cli)
{
	struct sluice_error error;
	struct sluice_store_query query = { .state = -1 };
	const char *state = arguments_value(cli->args, "state");
	enum sluice_rule_state parsed;
	int64_t limit;
	query.prefix = sluice_str(arguments_value(cli->args, "prefix"));
	query.bus = sluice_str(arguments_value(cli->args, "bus"));
	query.after = sluice_str(arguments_value(cli->args, "after"));
	if (arguments_integer(cli->args, "limit", 0, INT64_MAX, 0, &limit, &error) != SLUICE_OK)
		return fail_usage(cli, "%s", error.message);
	query.limit = (size_t)limit;
	if (query.after.len > SLUICE_NAME_MAX)
		return fail_usage(cli, "--after: a name has at most %d characters",
		                  SLUICE_NAME_MAX);
	if (state) {
		if (!sluice_rule_state_parse(sluice_str(state), &parsed))
			return fail_usage(cli, "--state: ENABLED, DISABLED or SHADOW");
		query.state = (int)parsed;
	}
	return list(cli, &query);
}

static enum cli_exit exec_list(const struct cli *cli)
{
	return list(cli, NULL);
}

static const struct option rule_list_options[] = {
	{ "prefix", 0, "TEXT", "rules whose names begin so", NULL },
	{ "bus", 0, "NAME", "rules on this bus", NULL },
	{ "state", 0, "STATE", "ENABLED, DISABLED or SHADOW", "ENABLED DISABLED SHADOW" },
	{ "after", 0, "NAME", "rules after this one", NULL },
	{ "limit", 0, "N", "at most so many (all)", NULL },
	{ "full", 0, NULL, "whole rules, not only their names", NULL },
	{ 0 },
};

const struct verb verb_rule_list = {
	.noun = "rule",
	.name = "list",
	.operands = "",
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = rule_list_options,
	.summary = "list rules in the order of their names",
	.help = "Columns: name, bus, state, revision, and after a ! why the rule as it\n"
	        "stands is not in force.",
	.exec = exec_rule_list,
};

const struct verb verb_bus_list = {
	.noun = "bus",
	.name = "list",
	.operands = "",
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.summary = "list event buses",
	.help = "Columns: name, revision, the topic filters it takes in and those it leaves\n"
	        "out.",
	.exec = exec_list,
};

const struct verb verb_queue_list = {
	.noun = "queue",
	.name = "list",
	.operands = "",
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.summary = "list queues",
	.help = "Columns: name, revision, how long a message is a worker's, how often it is\n"
	        "given out (0: without bound), and where it goes after that.",
	.exec = exec_list,
};

const struct verb verb_connection_list = {
	.noun = "connection",
	.name = "list",
	.operands = "",
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.summary = "list connections",
	.help = "Columns: name, revision, kind.",
	.exec = exec_list,
};

const struct verb verb_target_list = {
	.noun = "target",
	.name = "list",
	.operands = "",
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.summary = "list targets of the bridge",
	.help = "Columns: name, state, revision, kind, the queue whose events it takes, and its\n"
	        "connection.",
	.exec = exec_list,
};

const struct verb verb_source_list = {
	.noun = "source",
	.name = "list",
	.operands = "",
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.summary = "list sources of the bridge",
	.help = "Columns: name, state, revision, kind, the topic that records go to, and its\n"
	        "connection.",
	.exec = exec_list,
};
