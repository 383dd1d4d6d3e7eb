/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice queue purge: delete all messages of a queue */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "queue_numbers.h"
#include "verbs.h"

/* Whether a person says yes. What is asked goes to stderr, as progress does. */
static bool confirmed(const char *queue, uint64_t count)
{
	char text[48], answer[8] = "";
	fprintf(stderr, "Delete %s of the queue %s? [y/N] ", count_messages(count, text), queue);
	fflush(stderr);
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	return strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0;
}

static enum cli_exit purge(const struct cli *cli, struct control *control, const char *queue)
{
	struct queue_numbers numbers;
	struct sluice_error error;
	uint64_t count;
	enum cli_exit code = queue_numbers_ask(control, sluice_str(queue), &numbers, &error);
	if (code != CLI_OK)
		return fail(cli, code, NULL, &error);
	if (!arguments_has(cli->args, "yes") && !confirmed(queue, queue_holds(&numbers))) {
		sluice_error_set(&error, SLUICE_ERR_INVALID, SIZE_MAX, NULL, "nothing is deleted");
		return fail(cli, CLI_NO, NULL, &error);
	}
	code = queue_purge(control, sluice_str(queue), &count, &error);
	if (code != CLI_OK)
		return fail(cli, code, queue, &error);
	struct sluice_buffer out = { 0 };
	char text[48];
	if (cli->json) {
		sluice_buffer_append_text(&out, "{");
		output_member_text(&out, "name", sluice_str(queue));
		output_member_integer(&out, "purged", (int64_t)count);
		sluice_buffer_append_text(&out, "}");
	} else {
		sluice_buffer_printf(&out, "%s: %s deleted", queue, count_messages(count, text));
	}
	code = output_line(cli, &out);
	sluice_buffer_finish(&out);
	return code;
}

static enum cli_exit exec_queue_purge(const struct cli *cli)
{
	struct control *control;
	/* A script that forgot --yes must not wait for an answer, nor take its own input for one. */
	if (!arguments_has(cli->args, "yes") && isatty(0) != 1)
		return fail_usage(cli, "nobody is there to be asked: say --yes");
	enum cli_exit code = control_start(cli, &control);
	if (code != CLI_OK)
		return code;
	code = purge(cli, control, cli->args->operands[0]);
	control_close(control);
	return code;
}

static const struct option purge_options[] = {
	{ "yes", 0, NULL, "do not ask", NULL },
	{ 0 },
};

const struct verb verb_queue_purge = {
	.noun = "queue",
	.name = "purge",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_JSON,
	.options = purge_options,
	.summary = "delete all messages of a queue, those with workers too",
	.help = "It asks before it does so, unless --yes is said. What is deleted is gone: it\n"
	        "is no dead letter. What comes in meanwhile stays.",
	.exec = exec_queue_purge,
};
