/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice replay start, list, cancel, pause, resume */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "archive.h"
#include "verbs.h"

enum { LOOK_MS = 200 };

static volatile sig_atomic_t interrupted;

static void on_signal(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

/* --- start --- */

static void write_rules(const struct cli *cli, struct sluice_buffer *members)
{
	size_t count = 0;
	for (size_t i = 0; i < cli->args->given_count; i++) {
		const struct argument *given = &cli->args->given[i];
		if (strcmp(given->option->name, "rule") != 0)
			continue;
		if (count++ == 0) {
			output_member(members, "rules");
			sluice_buffer_append_text(members, "[");
		} else {
			sluice_buffer_append_text(members, ",");
		}
		sluice_json_write_string(members, sluice_str(given->value));
	}
	if (count > 0)
		sluice_buffer_append_text(members, "]");
}

/* 10x, 0.5x or max. */
static bool write_speed(const struct cli *cli, struct sluice_buffer *members)
{
	const char *speed = arguments_value(cli->args, "speed");
	char *end;
	if (!speed || strcmp(speed, "max") == 0)
		return true;
	double factor = strtod(speed, &end);
	if (end == speed || strcmp(end, "x") != 0 || !(factor >= 0.001 && factor <= 1000000)) {
		fail_usage(cli, "--speed: max, or so many times the original speed, as 10x");
		return false;
	}
	output_member(members, "speed");
	sluice_buffer_printf(members, "%.10g", factor);
	return true;
}

/* How far it is; false when it has ended, or can't be asked. */
static bool look(const struct cli *cli, struct control *control, const struct sluice_buffer *name,
                 struct progress *progress, enum cli_exit *code)
{
	struct answer answer;
	struct sluice_error error;
	*code = control_call(control, CONTROL_VIEW, "listReplays", name, &answer, &error);
	if (*code != CLI_OK) {
		progress_end(progress);
		*code = fail(cli, *code, NULL, &error);
		return false;
	}
	const struct sluice_json *replays = sluice_json_get(answer.data, "replays");
	const struct sluice_json *replay = replays ? replays->first : NULL;
	const struct sluice_json *state = replay ? sluice_json_get(replay, "state") : NULL;
	bool goes_on = state && sluice_str_equal(state->string, SLUICE_STR("RUNNING"));
	if (replay && goes_on) {
		progress->total = (size_t)archive_count(replay, "total");
		progress_show(progress, (size_t)archive_count(replay, "done"));
	} else if (replay) {
		progress_end(progress);
		fprintf(stderr,
		        "sluice: %.*s: %" PRId64 " of %" PRId64 " events, %" PRId64 " matched\n",
		        (int)state->string.len, state->string.data, archive_count(replay, "done"),
		        archive_count(replay, "total"), archive_count(replay, "matched"));
		if (!sluice_str_equal(state->string, SLUICE_STR("DONE")))
			*code = CLI_NO;
	}
	answer_finish(&answer);
	return goes_on;
}

static enum cli_exit follow(const struct cli *cli, struct control *control,
                            const struct sluice_buffer *name)
{
	struct progress progress;
	struct sluice_error error;
	enum cli_exit code = CLI_OK;
	progress_start(&progress, "replaying", 0);
	while (!interrupted && look(cli, control, name, &progress, &code)) {
		code = control_step(control, LOOK_MS, &error);
		if (code != CLI_OK) {
			progress_end(&progress);
			return fail(cli, code, NULL, &error);
		}
	}
	progress_end(&progress);
	if (interrupted)
		fprintf(stderr, "sluice: it goes on; see sluice replay list\n");
	return code;
}

static enum cli_exit start(const struct cli *cli, struct control *control,
                           const struct sluice_buffer *members)
{
	struct answer answer;
	struct sluice_error error;
	struct sluice_buffer out = { 0 }, name = { 0 };
	enum cli_exit code =
	        control_call(control, CONTROL_CHANGE, "startReplay", members, &answer, &error);
	if (code != CLI_OK)
		return fail(cli, code, NULL, &error);
	if (cli->json)
		sluice_buffer_append_str(&out, answer.data->raw);
	else
		output_plain(&out, sluice_json_get(answer.data, "name"));
	const struct sluice_json *given = sluice_json_get(answer.data, "name");
	if (given)
		output_member_text(&name, "name", given->string);
	answer_finish(&answer);
	code = output_line(cli, &out);
	if (code == CLI_OK)
		code = output_flush(cli);
	if (code == CLI_OK && !arguments_has(cli->args, "no-wait"))
		code = follow(cli, control, &name);
	sluice_buffer_finish(&out);
	sluice_buffer_finish(&name);
	return code;
}

static enum cli_exit exec_start(const struct cli *cli)
{
	struct sluice_buffer members = { 0 };
	struct control *control = NULL;
	struct sigaction action = { .sa_handler = on_signal };
	enum cli_exit code = CLI_USAGE;
	archive_text(cli, "bus", "bus", &members);
	archive_text(cli, "name", "name", &members);
	archive_text(cli, "to-topic", "topic", &members);
	write_rules(cli, &members);
	if (archive_time(cli, "from", &members) && archive_time(cli, "to", &members) &&
	    write_speed(cli, &members) && (code = archive_open(cli, &control)) == CLI_OK) {
		sigaction(SIGINT, &action, NULL);
		sigaction(SIGTERM, &action, NULL);
		code = start(cli, control, &members);
	}
	control_close(control);
	sluice_buffer_finish(&members);
	return code;
}

/* --- list --- */

static enum cli_exit print_list(const struct cli *cli, const struct sluice_json *data)
{
	struct sluice_buffer out = { 0 };
	const struct sluice_json *replays = sluice_json_get(data, "replays");
	const struct sluice_json *replay = replays ? replays->first : NULL;
	for (; replay; replay = replay->next) {
		int64_t done = archive_count(replay, "done");
		int64_t total = archive_count(replay, "total");
		output_plain(&out, sluice_json_get(replay, "name"));
		sluice_buffer_append_text(&out, "  ");
		output_plain(&out, sluice_json_get(replay, "state"));
		sluice_buffer_printf(&out,
		                     "  %" PRId64 "/%" PRId64 " (%d%%)  matched %" PRId64 "  ",
		                     done, total, total > 0 ? (int)(done * 100 / total) : 100,
		                     archive_count(replay, "matched"));
		output_plain(&out, sluice_json_get(replay, "bus"));
		sluice_buffer_append_text(&out, "  ");
		output_plain(&out, sluice_json_get(replay, "started"));
		sluice_buffer_append_text(&out, "\n");
	}
	enum cli_exit code = output_text(cli, &out);
	sluice_buffer_finish(&out);
	return code;
}

static enum cli_exit exec_list(const struct cli *cli)
{
	return archive_ask(cli, CONTROL_VIEW, "listReplays", NULL, print_list);
}

/* --- cancel, pause, resume --- */

static enum cli_exit order(const struct cli *cli, const char *command)
{
	struct sluice_buffer members = { 0 };
	output_member_text(&members, "name", sluice_str(cli->args->operands[0]));
	enum cli_exit code = archive_ask(cli, CONTROL_CHANGE, command, &members, NULL);
	sluice_buffer_finish(&members);
	return code;
}

static enum cli_exit exec_cancel(const struct cli *cli)
{
	return order(cli, "cancelReplay");
}

static enum cli_exit exec_pause(const struct cli *cli)
{
	return order(cli, "pauseReplay");
}

static enum cli_exit exec_resume(const struct cli *cli)
{
	return order(cli, "resumeReplay");
}

static const struct option start_options[] = {
	{ "bus", 0, "NAME", "the archive of this bus (default)", NULL },
	{ "from", 0, "TIME", "from then on: 2026-01-02T03:04:05Z, or how long ago: 24h", NULL },
	{ "to", 0, "TIME", "before then (now)", NULL },
	{ "rule", 0, "NAME", "for this rule alone; may be given more than once", NULL },
	{ "to-topic", 0, "TOPIC", "there, instead of to the rules' targets; a template", NULL },
	{ "speed", 0, "SPEED", "10x the original speed; max: without waiting (max)", "max 1x 10x" },
	{ "name", 0, "NAME", "what it is called", NULL },
	{ "no-wait", 0, NULL, "do not wait for its end", NULL },
	{ 0 },
};

const struct verb verb_replay_start = {
	.noun = "replay",
	.name = "start",
	.operands = "",
	.flags = VERB_BROKER | VERB_JSON,
	.options = start_options,
	.summary = "route archived events again",
	.help = "Prints its name, then shows how far it is. Ctrl-C leaves it going. With\n"
	        "--to-topic and without --rule, all events of the time go there.",
	.exec = exec_start,
};

const struct verb verb_replay_list = {
	.noun = "replay",
	.name = "list",
	.operands = "",
	.flags = VERB_BROKER | VERB_JSON,
	.summary = "list replays: those under way, and the last that ended",
	.help = "Columns: name, state, events, how many a rule matched, bus, when it began.",
	.exec = exec_list,
};

#define ORDER(the_name, the_exec, the_summary)                                                     \
	{                                                                                          \
		.noun = "replay", .name = (the_name), .operands = "NAME", .min_operands = 1,       \
		.max_operands = 1, .flags = VERB_BROKER | VERB_JSON, .summary = (the_summary),     \
		.exec = (the_exec),                                                                \
	}

const struct verb verb_replay_cancel = ORDER("cancel", exec_cancel, "end a replay where it is");
const struct verb verb_replay_pause = ORDER("pause", exec_pause, "stop a replay for a while");
const struct verb verb_replay_resume =
        ORDER("resume", exec_resume, "let a replay go on where it was paused");

#undef ORDER
