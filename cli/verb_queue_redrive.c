/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice queue redrive: move messages, dead letters above all, to where they came from or to another queue */
#include <inttypes.h>

#include "output.h"
#include "queue_numbers.h"
#include "verbs.h"

enum { WAIT_MS = 100 };

static enum cli_exit begin(const struct cli *cli, struct control *control, int64_t limit,
                           struct sluice_error *error)
{
	struct sluice_buffer members = { 0 };
	struct answer answer;
	const char *to = arguments_value(cli->args, "to");
	output_member_text(&members, "name", sluice_str(cli->args->operands[0]));
	if (to)
		output_member_text(&members, "to", sluice_str(to));
	output_member_integer(&members, "limit", limit);
	enum cli_exit code =
	        control_call(control, CONTROL_CHANGE, "redriveQueue", &members, &answer, error);
	sluice_buffer_finish(&members);
	if (code == CLI_OK)
		answer_finish(&answer);
	return code;
}

/* Follows it to its end. `now` are the numbers before it, then those after it. */
static enum cli_exit follow(struct control *control, struct sluice_str queue, uint64_t total,
                            struct queue_numbers *now, struct sluice_error *error)
{
	uint64_t before = now->redriven + now->stayed;
	struct progress progress;
	enum cli_exit code;
	progress_start(&progress, "moving", (size_t)total);
	for (;;) {
		code = queue_numbers_ask(control, queue, now, error);
		if (code != CLI_OK || !now->redriving)
			break;
		progress_show(&progress, (size_t)(now->redriven + now->stayed - before));
		code = control_step(control, WAIT_MS, error);
		if (code != CLI_OK)
			break;
	}
	progress_end(&progress);
	return code;
}

static enum cli_exit print(const struct cli *cli, uint64_t moved, uint64_t left, uint64_t stayed)
{
	struct sluice_buffer out = { 0 };
	const char *queue = cli->args->operands[0];
	char text[48];
	if (cli->json) {
		sluice_buffer_append_text(&out, "{");
		output_member_text(&out, "name", sluice_str(queue));
		output_member_integer(&out, "moved", (int64_t)moved);
		output_member_integer(&out, "left", (int64_t)left);
		output_member_integer(&out, "stayed", (int64_t)stayed);
		sluice_buffer_append_text(&out, "}");
	} else {
		sluice_buffer_printf(&out, "%s: %s moved, %" PRIu64 " left", queue,
		                     count_messages(moved, text), left);
	}
	enum cli_exit code = output_line(cli, &out);
	sluice_buffer_finish(&out);
	return code;
}

static enum cli_exit redrive(const struct cli *cli, struct control *control, int64_t limit)
{
	struct sluice_str queue = sluice_str(cli->args->operands[0]);
	struct queue_numbers numbers = { 0 };
	struct sluice_error error;
	enum cli_exit code = queue_numbers_ask(control, queue, &numbers, &error);
	const struct queue_numbers before = numbers;
	uint64_t total = numbers.ready < (uint64_t)limit ? numbers.ready : (uint64_t)limit;
	if (code == CLI_OK)
		code = begin(cli, control, limit, &error);
	if (code == CLI_OK)
		code = follow(control, queue, total, &numbers, &error);
	if (code != CLI_OK)
		return fail(cli, code, NULL, &error);
	uint64_t moved = numbers.redriven - before.redriven;
	uint64_t stayed = numbers.stayed - before.stayed;
	char text[48];
	code = print(cli, moved, numbers.ready, stayed);
	if (code != CLI_OK || (stayed == 0 && moved >= total))
		return code;
	if (stayed > 0)
		sluice_error_set(&error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, NULL,
		                 "%s stayed, from no queue that is in force: --to names one",
		                 count_messages(stayed, text));
	else
		sluice_error_set(&error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, NULL,
		                 "it ended early: the journal has no room, or others took some");
	return fail(cli, CLI_NO, cli->args->operands[0], &error);
}

static enum cli_exit exec_queue_redrive(const struct cli *cli)
{
	struct control *control;
	struct sluice_error error;
	int64_t limit;
	if (arguments_integer(cli->args, "limit", 1, INT64_MAX, INT64_MAX, &limit, &error) !=
	    SLUICE_OK)
		return fail_usage(cli, "%s", error.message);
	enum cli_exit code = control_start(cli, &control);
	if (code != CLI_OK)
		return code;
	code = redrive(cli, control, limit);
	control_close(control);
	return code;
}

static const struct option redrive_options[] = {
	{ "to", 0, "QUEUE", "move them to this queue (where each came from)", NULL },
	{ "limit", 0, "N", "at most so many (all)", NULL },
	{ 0 },
};

const struct verb verb_queue_redrive = {
	.noun = "queue",
	.name = "redrive",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_JSON,
	.options = redrive_options,
	.summary = "move dead letters back to the queues that they came from",
	.help = "The oldest first, of those that are ready, up to the youngest that is there\n"
	        "when it begins. It goes on in the broker when this program is interrupted.",
	.exec = exec_queue_redrive,
};
