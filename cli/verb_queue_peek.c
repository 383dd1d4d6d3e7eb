/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice queue peek: look at messages without taking them */
#include <inttypes.h>
#include <time.h>

#include "control.h"
#include "output.h"
#include "verbs.h"

enum { PAGE = 500, LIMIT = 20 };

static void write_time(struct sluice_buffer *out, const struct sluice_json *message,
                       const char *name)
{
	int64_t ms = 0;
	char text[32] = "-";
	struct tm utc;
	sluice_json_integer(sluice_json_get(message, name), 0, INT64_MAX, &ms);
	time_t seconds = (time_t)(ms / 1000);
	if (gmtime_r(&seconds, &utc))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	sluice_buffer_append_text(out, text);
}

static void write_optional(struct sluice_buffer *out, const struct sluice_json *message,
                           const char *name, const char *title)
{
	const struct sluice_json *value = sluice_json_get(message, name);
	if (!value)
		return;
	sluice_buffer_printf(out, "  %s ", title);
	output_plain(out, value);
}

/* A line of what is known of it, and its payload below. */
static void write_message(struct sluice_buffer *out, const struct sluice_json *message)
{
	const struct sluice_json *payload = sluice_json_get(message, "payload");
	output_plain(out, sluice_json_get(message, "number"));
	sluice_buffer_append_text(out, "  ");
	output_plain(out, sluice_json_get(message, "state"));
	sluice_buffer_append_text(out, "  ");
	write_time(out, message, "enqueued_ms");
	write_optional(out, message, "attempts", "attempts");
	write_optional(out, message, "topic", "topic");
	write_optional(out, message, "rule", "rule");
	write_optional(out, message, "group", "group");
	write_optional(out, message, "worker", "worker");
	write_optional(out, message, "reason", "reason");
	write_optional(out, message, "origin", "from");
	write_optional(out, message, "error", "error");
	sluice_buffer_append_text(out, payload ? "\n  " : "\n  base64:");
	output_plain(out, payload ? payload : sluice_json_get(message, "payload_base64"));
	sluice_buffer_append_text(out, "\n");
}

/* Prints one page; *next gets where the following one begins, 0 at the end. */
static enum cli_exit print_page(const struct cli *cli, const struct sluice_json *data,
                                int64_t *left, int64_t *next)
{
	struct sluice_buffer out = { 0 };
	const struct sluice_json *messages = sluice_json_get(data, "messages");
	*next = 0;
	sluice_json_integer(sluice_json_get(data, "next"), 0, INT64_MAX, next);
	for (const struct sluice_json *message = messages ? messages->first : NULL; message;
	     message = message->next) {
		--*left;
		if (cli->json) {
			sluice_buffer_append_str(&out, message->raw);
			sluice_buffer_append_text(&out, "\n");
		} else {
			write_message(&out, message);
		}
	}
	enum cli_exit code = output_text(cli, &out);
	sluice_buffer_finish(&out);
	return code;
}

static enum cli_exit peek(const struct cli *cli, struct control *control, int64_t after,
                          int64_t left)
{
	enum cli_exit code = CLI_OK;
	struct sluice_error error;
	do {
		struct sluice_buffer members = { 0 };
		struct answer answer;
		output_member_text(&members, "name", sluice_str(cli->args->operands[0]));
		output_member_integer(&members, "after", after);
		output_member_integer(&members, "limit", left < PAGE ? left : PAGE);
		code = control_call(control, CONTROL_VIEW, "peekQueue", &members, &answer, &error);
		sluice_buffer_finish(&members);
		if (code != CLI_OK)
			return fail(cli, code, NULL, &error);
		code = print_page(cli, answer.data, &left, &after);
		answer_finish(&answer);
	} while (code == CLI_OK && after > 0 && left > 0);
	return code;
}

static enum cli_exit exec_queue_peek(const struct cli *cli)
{
	struct control *control;
	struct sluice_error error;
	int64_t limit, after;
	if (arguments_integer(cli->args, "limit", 1, INT64_MAX, LIMIT, &limit, &error) !=
	            SLUICE_OK ||
	    arguments_integer(cli->args, "after", 0, INT64_MAX, 0, &after, &error) != SLUICE_OK)
		return fail_usage(cli, "%s", error.message);
	enum cli_exit code = control_start(cli, &control);
	if (code != CLI_OK)
		return code;
	code = peek(cli, control, after, limit);
	control_close(control);
	return code;
}

static const struct option peek_options[] = {
	{ "limit", 0, "N", "at most so many (20)", NULL },
	{ "after", 0, "NUMBER", "messages behind the one of this number", NULL },
	{ 0 },
};

const struct verb verb_queue_peek = {
	.noun = "queue",
	.name = "peek",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_JSON,
	.options = peek_options,
	.summary = "look at messages of a queue without taking them",
	.help = "The oldest first, also those that are with workers or delayed. What happened\n"
	        "in the last milliseconds may not show yet. It shows what a queue holds\n"
	        "whose definition was deleted, too. With --json a message a line.",
	.exec = exec_queue_peek,
};
