/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice target status */
#include "control.h"
#include "output.h"
#include "verbs.h"

static const struct {
	const char *member, *title;
} columns[] = {
	{ "delivered", "delivered" }, { "failed", "failed" },       { "retried", "retried" },
	{ "dead", "dead" },           { "in_flight", "in flight" }, { "breaker", "breaker" },
};

enum { COLUMNS = sizeof(columns) / sizeof(*columns), NAME_WIDTH = 24, WIDTH = 10 };

static void write_padded(struct sluice_buffer *out, struct sluice_str text, size_t width)
{
	output_safe(out, text);
	for (size_t at = text.len; at < width; at++)
		sluice_buffer_append_text(out, " ");
	sluice_buffer_append_text(out, " ");
}

static struct sluice_str text_of(const struct sluice_json *entry, const char *member)
{
	const struct sluice_json *value = sluice_json_get(entry, member);
	if (!value)
		return SLUICE_STR("-");
	return value->type == SLUICE_JSON_STRING ? value->string : value->raw;
}

static void write_head(struct sluice_buffer *out)
{
	write_padded(out, SLUICE_STR("target"), NAME_WIDTH);
	write_padded(out, SLUICE_STR("bridge"), NAME_WIDTH);
	for (size_t i = 0; i < COLUMNS; i++)
		sluice_buffer_printf(out, "%*s ", WIDTH, columns[i].title);
	sluice_buffer_append_text(out, "last error\n");
}

static void write_target(struct sluice_buffer *out, struct sluice_str bridge,
                         const struct sluice_json *target)
{
	write_padded(out, text_of(target, "name"), NAME_WIDTH);
	write_padded(out, bridge, NAME_WIDTH);
	for (size_t i = 0; i < COLUMNS; i++) {
		struct sluice_str text = text_of(target, columns[i].member);
		for (size_t at = text.len; at < WIDTH; at++)
			sluice_buffer_append_text(out, " ");
		output_safe(out, text);
		sluice_buffer_append_text(out, " ");
	}
	if (sluice_json_get(target, "last_error_time")) {
		output_safe(out, text_of(target, "last_error_time"));
		sluice_buffer_append_text(out, " ");
	}
	output_safe(out, text_of(target, "last_error"));
	sluice_buffer_append_text(out, "\n");
}

/* Appends the targets of one page, those of `name` alone if there is one; counts them. */
static void write_page(struct sluice_buffer *out, const struct sluice_json *data, const char *name,
                       size_t *count)
{
	const struct sluice_json *bridges = sluice_json_get(data, "bridges");
	for (const struct sluice_json *bridge = bridges ? bridges->first : NULL; bridge;
	     bridge = bridge->next) {
		const struct sluice_json *targets = sluice_json_get(bridge, "targets");
		for (const struct sluice_json *target = targets ? targets->first : NULL; target;
		     target = target->next) {
			if (name && !sluice_str_equal(text_of(target, "name"), sluice_str(name)))
				continue;
			if ((*count)++ == 0)
				write_head(out);
			write_target(out, text_of(bridge, "bridge"), target);
		}
	}
}

static enum cli_exit print_page(const struct cli *cli, const struct sluice_json *data,
                                size_t *count)
{
	struct sluice_buffer out = { 0 };
	const char *name = cli->args->operand_count > 0 ? cli->args->operands[0] : NULL;
	if (cli->json) {
		sluice_buffer_append_str(&out, data->raw);
		sluice_buffer_append_text(&out, "\n");
	} else {
		write_page(&out, data, name, count);
	}
	enum cli_exit code = output_text(cli, &out);
	sluice_buffer_finish(&out);
	return code;
}

static enum cli_exit exec_target_status(const struct cli *cli)
{
	char after[SLUICE_NAME_MAX + 1] = "";
	struct control *control;
	struct sluice_error error;
	size_t count = 0;
	if (cli->json && cli->args->operand_count > 0)
		return fail_usage(cli, "--json gives all that bridges say, and takes no name");
	enum cli_exit code = control_start(cli, &control);
	if (code != CLI_OK)
		return code;
	do {
		struct sluice_buffer members = { 0 };
		struct answer answer;
		if (after[0])
			output_member_text(&members, "after", sluice_str(after));
		code = control_call(control, CONTROL_VIEW, "getBridgeStatus", &members, &answer,
		                    &error);
		sluice_buffer_finish(&members);
		if (code != CLI_OK) {
			fail(cli, code, NULL, &error);
			break;
		}
		code = print_page(cli, answer.data, &count);
		answer_next(&answer, after);
		answer_finish(&answer);
	} while (code == CLI_OK && after[0]);
	control_close(control);
	if (code == CLI_OK && count == 0 && !cli->json) {
		fprintf(stderr, "sluice: no bridge has spoken of %s in the last minute\n",
		        cli->args->operand_count > 0 ? "that target" : "a target");
		code = CLI_NO;
	}
	return code;
}

const struct verb verb_target_status = {
	.noun = "target",
	.name = "status",
	.operands = "[NAME]",
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_JSON,
	.summary = "show what bridges say of their targets",
	.help = "A target a line, of each bridge that has it: events delivered, failed, tried\n"
	        "again, given to the dead letters, under way; whether the circuit breaker is\n"
	        "closed; the last error. A bridge says so every ten seconds, and is forgotten\n"
	        "after a minute. The exit status is 1 when none has said anything. With --json\n"
	        "a line is a page of bridges, sources included.",
	.exec = exec_target_status,
};
