/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice queue status */
#include "control.h"
#include "output.h"
#include "verbs.h"

enum { PAGE = 1000 };

/* The columns of a table of queues; what else there is shows for one queue, and with --json. */
static const struct {
	const char *member, *title;
} columns[] = {
	{ "ready", "ready" },           { "in_flight", "in flight" }, { "delayed", "delayed" },
	{ "oldest_age_s", "oldest s" }, { "workers", "workers" },     { "acknowledged", "acked" },
	{ "redelivered", "again" },     { "dead", "dead" },           { "expired", "expired" },
	{ "bytes", "bytes" },
};

enum { COLUMNS = sizeof(columns) / sizeof(*columns), NAME_WIDTH = 24, WIDTH = 11 };

static void write_head(struct sluice_buffer *out)
{
	sluice_buffer_printf(out, "%-*s", NAME_WIDTH, "queue");
	for (size_t i = 0; i < COLUMNS; i++)
		sluice_buffer_printf(out, " %*s", WIDTH, columns[i].title);
	sluice_buffer_append_text(out, "\n");
}

static void write_cell(struct sluice_buffer *out, const struct sluice_json *value)
{
	struct sluice_str text = value ? value->raw : SLUICE_STR("-");
	for (size_t at = text.len; at < WIDTH + 1; at++)
		sluice_buffer_append_text(out, " ");
	output_safe(out, text);
}

static void write_row(struct sluice_buffer *out, const struct sluice_json *queue)
{
	const struct sluice_json *name = sluice_json_get(queue, "name");
	output_plain(out, name);
	for (size_t at = name ? name->string.len : 0; at < NAME_WIDTH; at++)
		sluice_buffer_append_text(out, " ");
	for (size_t i = 0; i < COLUMNS; i++)
		write_cell(out, sluice_json_get(queue, columns[i].member));
	sluice_buffer_append_text(out, "\n");
}

/* All numbers of one queue, a line each. */
static void write_numbers(struct sluice_buffer *out, const struct sluice_json *data)
{
	for (const struct sluice_json *member = data->first; member; member = member->next) {
		output_safe(out, member->key);
		for (size_t at = member->key.len; at < NAME_WIDTH; at++)
			sluice_buffer_append_text(out, " ");
		sluice_buffer_append_text(out, " ");
		output_plain(out, member);
		sluice_buffer_append_text(out, "\n");
	}
}

/* Prints one page, which begins behind `after`. */
static enum cli_exit print_page(const struct cli *cli, const struct sluice_json *data,
                                const char *after)
{
	struct sluice_buffer out = { 0 };
	const struct sluice_json *queues = sluice_json_get(data, "queues");
	if (cli->json) {
		sluice_buffer_append_str(&out, data->raw);
		sluice_buffer_append_text(&out, "\n");
	} else if (!queues) {
		write_numbers(&out, data);
	} else {
		if (!after[0])
			write_head(&out);
		for (const struct sluice_json *queue = queues->first; queue; queue = queue->next)
			write_row(&out, queue);
	}
	enum cli_exit code = output_text(cli, &out);
	sluice_buffer_finish(&out);
	return code;
}

static enum cli_exit exec_queue_status(const struct cli *cli)
{
	const char *name = cli->args->operand_count > 0 ? cli->args->operands[0] : NULL;
	char after[SLUICE_NAME_MAX + 1] = "";
	struct control *control;
	struct sluice_error error;
	enum cli_exit code = control_start(cli, &control);
	if (code != CLI_OK)
		return code;
	do {
		struct sluice_buffer members = { 0 };
		struct answer answer;
		if (name)
			output_member_text(&members, "name", sluice_str(name));
		else
			output_member_integer(&members, "limit", PAGE);
		if (after[0])
			output_member_text(&members, "after", sluice_str(after));
		code = control_call(control, CONTROL_VIEW, "getQueueStatus", &members, &answer,
		                    &error);
		sluice_buffer_finish(&members);
		if (code != CLI_OK) {
			fail(cli, code, NULL, &error);
			break;
		}
		code = print_page(cli, answer.data, after);
		answer_next(&answer, after);
		answer_finish(&answer);
	} while (code == CLI_OK && after[0]);
	control_close(control);
	return code;
}

const struct verb verb_queue_status = {
	.noun = "queue",
	.name = "status",
	.operands = "[NAME]",
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_JSON,
	.summary = "show how many messages queues hold, and what became of them",
	.help = "Of one queue all numbers, a line each; of all that are in force the chief\n"
	        "ones, a queue a line: messages ready, with workers, and delayed, the age of\n"
	        "the oldest in seconds, workers with credit; acknowledged, given out again,\n"
	        "gone to the dead letters and expired since the broker's start; bytes of\n"
	        "payload. With --json a line is a page of up to 1000 queues.",
	.exec = exec_queue_status,
};
