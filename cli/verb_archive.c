/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice archive list, sluice archive stats, sluice archive search */
#include <inttypes.h>

#include "archive.h"
#include "lines.h"
#include "verbs.h"

/* --- list, stats --- */

static void write_column(struct sluice_buffer *out, const struct sluice_json *archive,
                         const char *member, int width)
{
	size_t begun = out->len;
	output_plain(out, sluice_json_get(archive, member));
	if (out->len == begun)
		sluice_buffer_append_text(out, "-");
	int left = width - (int)(out->len - begun);
	sluice_buffer_printf(out, "%*s", left > 1 ? left : 1, "");
}

static enum cli_exit print_list(const struct cli *cli, const struct sluice_json *data)
{
	struct sluice_buffer out = { 0 };
	const struct sluice_json *archives = sluice_json_get(data, "archives");
	const struct sluice_json *archive = archives ? archives->first : NULL;
	for (; archive; archive = archive->next) {
		write_column(&out, archive, "bus", 24);
		write_column(&out, archive, "events", 12);
		write_column(&out, archive, "bytes", 14);
		write_column(&out, archive, "first", 26);
		output_plain(&out, sluice_json_get(archive, "last"));
		sluice_buffer_append_text(&out, "\n");
	}
	enum cli_exit code = output_text(cli, &out);
	sluice_buffer_finish(&out);
	return code;
}

static enum cli_exit exec_list(const struct cli *cli)
{
	return archive_ask(cli, CONTROL_VIEW, "listArchives", NULL, print_list);
}

static enum cli_exit print_stats(const struct cli *cli, const struct sluice_json *archive)
{
	struct sluice_buffer out = { 0 };
	for (const struct sluice_json *member = archive->first; member; member = member->next) {
		sluice_buffer_printf(&out, "%-14.*s ", (int)member->key.len, member->key.data);
		output_plain(&out, member);
		sluice_buffer_append_text(&out, "\n");
	}
	enum cli_exit code = output_text(cli, &out);
	sluice_buffer_finish(&out);
	return code;
}

static enum cli_exit print_one(const struct cli *cli, const struct answer *answer)
{
	const struct sluice_json *archives = sluice_json_get(answer->data, "archives");
	const struct sluice_json *archive = archives ? archives->first : NULL;
	struct sluice_str bus = sluice_str(cli->args->operands[0]);
	struct sluice_error error;
	while (archive) {
		const struct sluice_json *name = sluice_json_get(archive, "bus");
		if (name && sluice_str_equal(name->string, bus))
			break;
		archive = archive->next;
	}
	if (!archive) {
		sluice_error_set(&error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, NULL,
		                 "there is no archive of a bus \"%.*s\"", (int)bus.len, bus.data);
		return fail(cli, CLI_NO, NULL, &error);
	}
	if (!cli->json)
		return print_stats(cli, archive);
	struct sluice_buffer out = { 0 };
	sluice_buffer_append_str(&out, archive->raw);
	enum cli_exit code = output_line(cli, &out);
	sluice_buffer_finish(&out);
	return code;
}

static enum cli_exit exec_stats(const struct cli *cli)
{
	struct control *control = NULL;
	struct sluice_error error;
	struct answer answer;
	enum cli_exit code = archive_open(cli, &control);
	if (code != CLI_OK)
		return code;
	code = control_call(control, CONTROL_VIEW, "listArchives", NULL, &answer, &error);
	if (code == CLI_OK) {
		code = print_one(cli, &answer);
		answer_finish(&answer);
	} else {
		fail(cli, code, NULL, &error);
	}
	control_close(control);
	return code;
}

/* --- search --- */

struct search {
	const struct cli *cli;
	struct control *control;
	int64_t limit, found;
	struct progress progress;
	size_t scanned;
};

/* Prints a page. `next` gets where the next begins, "" when this was the last. */
static enum cli_exit print_page(struct search *search, const struct sluice_json *data,
                                char next[32])
{
	struct sluice_buffer line = { 0 };
	enum cli_exit code = CLI_OK;
	const struct sluice_json *events = sluice_json_get(data, "events");
	const struct sluice_json *event = events ? events->first : NULL;
	const struct sluice_json *cursor = sluice_json_get(data, "next");
	if (event)
		progress_end(&search->progress);
	for (; event && code == CLI_OK && search->found < search->limit; event = event->next) {
		archive_event(search->cli, event, &line);
		code = output_line(search->cli, &line);
		search->found++;
	}
	sluice_buffer_finish(&line);
	search->scanned += (size_t)archive_count(data, "scanned");
	progress_show(&search->progress, search->scanned);
	snprintf(next, 32, "%.*s", cursor && cursor->string.len < 32 ? (int)cursor->string.len : 0,
	         cursor ? cursor->string.data : "");
	return code;
}

static enum cli_exit search_all(struct search *search, const struct sluice_buffer *wanted)
{
	char next[32] = "";
	enum cli_exit code;
	do {
		struct sluice_buffer members = { 0 };
		struct sluice_error error;
		struct answer answer;
		int64_t left = search->limit - search->found;
		sluice_buffer_append_str(&members, sluice_buffer_str(wanted));
		output_member_integer(&members, "limit", left < 1000 ? left : 1000);
		if (next[0])
			output_member_text(&members, "after", sluice_str(next));
		code = control_call(search->control, CONTROL_VIEW, "searchArchive", &members,
		                    &answer, &error);
		sluice_buffer_finish(&members);
		if (code != CLI_OK) {
			progress_end(&search->progress);
			return fail(search->cli, code, NULL, &error);
		}
		code = print_page(search, answer.data, next);
		answer_finish(&answer);
	} while (code == CLI_OK && next[0] && search->found < search->limit);
	return code;
}

static bool write_search(const struct cli *cli, struct sluice_buffer *members)
{
	const char *pattern = arguments_value(cli->args, "pattern");
	struct sluice_error error;
	struct sluice_buffer text = { 0 };
	archive_text(cli, "bus", "bus", members);
	archive_text(cli, "rule", "rule", members);
	archive_text(cli, "topic", "topic", members);
	if (!archive_time(cli, "from", members) || !archive_time(cli, "to", members))
		return false;
	if (!pattern)
		return true;
	enum sluice_status status = text_or_file(pattern, &text, &error);
	if (status != SLUICE_OK)
		fail(cli, exit_of_input(status), "pattern", &error);
	else
		output_member_text(members, "pattern", sluice_buffer_str(&text));
	sluice_buffer_finish(&text);
	return status == SLUICE_OK;
}

static enum cli_exit exec_search(const struct cli *cli)
{
	struct search search = { .cli = cli };
	struct sluice_buffer members = { 0 };
	struct sluice_error error;
	if (arguments_integer(cli->args, "limit", 1, INT64_MAX, INT64_MAX, &search.limit, &error) !=
	    SLUICE_OK)
		return fail_usage(cli, "%s", error.message);
	if (arguments_has(cli->args, "rule") && arguments_has(cli->args, "pattern"))
		return fail_usage(cli, "one of --rule and --pattern says what to find");
	enum cli_exit code = CLI_USAGE;
	if (write_search(cli, &members) && (code = archive_open(cli, &search.control)) == CLI_OK) {
		progress_start(&search.progress, "searching", 0);
		code = search_all(&search, &members);
		progress_end(&search.progress);
	}
	control_close(search.control);
	sluice_buffer_finish(&members);
	if (code == CLI_OK && search.found == 0)
		return CLI_NO;
	return code;
}

const struct verb verb_archive_list = {
	.noun = "archive",
	.name = "list",
	.operands = "",
	.flags = VERB_BROKER | VERB_JSON,
	.summary = "list the archives of event buses",
	.help = "Columns: bus, events, bytes, the times of the first and the last.",
	.exec = exec_list,
};

const struct verb verb_archive_stats = {
	.noun = "archive",
	.name = "stats",
	.operands = "BUS",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_JSON,
	.summary = "say what the archive of a bus keeps, and holds",
	.exec = exec_stats,
};

static const struct option search_options[] = {
	{ "bus", 0, "NAME", "in the archive of this bus (the rule's, or default)", NULL },
	{ "from", 0, "TIME", "from then on: 2026-01-02T03:04:05Z, or how long ago: 24h", NULL },
	{ "to", 0, "TIME", "before then", NULL },
	{ "rule", 0, "NAME", "what this rule matches, whatever its state", NULL },
	{ "pattern", 0, "JSON|FILE", "what this pattern matches", "@file" },
	{ "topic", 0, "FILTER", "on topics that this filter takes", NULL },
	{ "limit", 0, "N", "at most so many (all)", NULL },
	{ 0 },
};

const struct verb verb_archive_search = {
	.noun = "archive",
	.name = "search",
	.operands = "",
	.flags = VERB_BROKER | VERB_JSON,
	.options = search_options,
	.summary = "find archived events",
	.help = "An event a line, in the order in which they came: time, topic, payload; with\n"
	        "--json the whole of it. Without any, the exit status is 1.",
	.exec = exec_search,
};
