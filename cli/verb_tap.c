/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice tap: follow what a rule or a pattern would match, live */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "catalog.h"
#include "control.h"
#include "lines.h"
#include "verbs.h"

enum { LEASE_S = 60, RATE = 10, RATE_MAX = 1000, WAIT_MS = 200 };

struct tapping {
	const struct cli *cli;
	char id[80]; /* the tap's, as JSON; "" = none yet */
	uint64_t shown, limit;
	struct sluice_buffer line;
	enum cli_exit code;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

static void print_event(struct tapping *tapping, const struct sluice_json *event)
{
	struct sluice_buffer *line = &tapping->line;
	const struct sluice_json *payload = sluice_json_get(event, "payload");
	int64_t time_ms = 0;
	char clock[16] = "";
	sluice_json_integer(sluice_json_get(event, "time_ms"), 0, INT64_MAX, &time_ms);
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm local;
	if (localtime_r(&seconds, &local))
		strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	sluice_buffer_printf(line, "%s.%03d ", clock, (int)(time_ms % 1000));
	output_plain(line, sluice_json_get(event, "topic"));
	sluice_buffer_append_text(line, payload ? " " : " base64:");
	output_plain(line, payload ? payload : sluice_json_get(event, "payload_base64"));
	if (sluice_json_get(event, "payload_bytes"))
		sluice_buffer_append_text(line, "…");
}

static void on_tap(void *arg, struct sluice_str payload)
{
	struct tapping *tapping = arg;
	struct sluice_json_doc *doc;
	if (tapping->code != CLI_OK || tapping->shown == tapping->limit ||
	    sluice_json_parse(payload, 0, SIZE_MAX, &doc, NULL) != SLUICE_OK)
		return;
	const struct sluice_json *event = sluice_json_root(doc);
	const struct sluice_json *id = sluice_json_get(event, "tap");
	/* While a lease is renewed there are two taps for a moment: one speaks. */
	if (id && sluice_str_equal(id->raw, sluice_str(tapping->id))) {
		if (tapping->cli->json)
			sluice_buffer_append_str(&tapping->line, event->raw);
		else
			print_event(tapping, event);
		tapping->code = output_line(tapping->cli, &tapping->line);
		tapping->shown++;
	}
	sluice_json_destroy(doc);
}

/* Asks for a tap, and takes it in the place of the one there is. */
static enum cli_exit start(struct tapping *tapping, struct control *control,
                           const struct sluice_buffer *members, char *old, size_t size,
                           struct sluice_error *error)
{
	struct answer answer;
	snprintf(old, size, "%s", tapping->id);
	enum cli_exit code = control_call(control, CONTROL_VIEW, "tap", members, &answer, error);
	if (code != CLI_OK)
		return code;
	const struct sluice_json *id = sluice_json_get(answer.data, "tap");
	if (id && id->raw.len < sizeof(tapping->id)) {
		snprintf(tapping->id, sizeof(tapping->id), "%.*s", (int)id->raw.len, id->raw.data);
	} else {
		sluice_error_set(error, SLUICE_ERR_SYNTAX, SIZE_MAX, NULL,
		                 "the broker's answer to tap names no tap");
		code = CLI_BROKER;
	}
	answer_finish(&answer);
	return code;
}

static void add_count(const struct sluice_json *data, const char *name, uint64_t *sum)
{
	int64_t value;
	if (sluice_json_integer(sluice_json_get(data, name), 0, INT64_MAX, &value))
		*sum += (uint64_t)value;
}

static void stop(struct control *control, const char *id, uint64_t *seen, uint64_t *left_out)
{
	struct sluice_buffer members = { 0 };
	struct answer answer;
	struct sluice_error ignored;
	sluice_buffer_printf(&members, "\"tap\":%s", id);
	/* A tap whose lease has run out is as good as stopped. */
	if (id[0] &&
	    control_call(control, CONTROL_VIEW, "untap", &members, &answer, &ignored) == CLI_OK) {
		add_count(answer.data, "seen", seen);
		add_count(answer.data, "left_out", left_out);
		answer_finish(&answer);
	}
	sluice_buffer_finish(&members);
}

static enum cli_exit follow(struct tapping *tapping, struct control *control,
                            const struct sluice_buffer *members, int64_t lease_s, int64_t seconds)
{
	struct sluice_error error;
	char old[sizeof(tapping->id)];
	uint64_t seen = 0, left_out = 0;
	int64_t end_ms = seconds ? clock_ms() + seconds * 1000 : INT64_MAX;
	int64_t renew_ms = 0;
	enum cli_exit code = CLI_OK;
	while (code == CLI_OK && tapping->code == CLI_OK && !interrupted &&
	       tapping->shown < tapping->limit && clock_ms() < end_ms) {
		if (clock_ms() >= renew_ms) {
			code = start(tapping, control, members, old, sizeof(old), &error);
			renew_ms = clock_ms() + lease_s * 500;
			if (code == CLI_OK)
				stop(control, old, &seen, &left_out);
		} else {
			code = control_step(control, WAIT_MS, &error);
		}
	}
	if (code != CLI_OK)
		return fail(tapping->cli, code, NULL, &error);
	stop(control, tapping->id, &seen, &left_out);
	if (left_out)
		fprintf(stderr,
		        "sluice: %" PRIu64 " of %" PRIu64 " events were left out; see --rate\n",
		        left_out, seen);
	return tapping->code;
}

/* The members of the command. */
static enum cli_exit write_members(const struct cli *cli, struct sluice_buffer *members)
{
	const char *rule = arguments_value(cli->args, "rule");
	const char *pattern = arguments_value(cli->args, "pattern");
	const char *bus = arguments_value(cli->args, "bus");
	struct sluice_error error;
	int64_t rate;
	if (!rule == !pattern)
		return fail_usage(cli, "one of --rule and --pattern says what to follow");
	if (arguments_integer(cli->args, "rate", 1, RATE_MAX, RATE, &rate, &error) != SLUICE_OK)
		return fail_usage(cli, "%s", error.message);
	if (rule) {
		output_member_text(members, "rule", sluice_str(rule));
	} else {
		struct sluice_buffer text = { 0 };
		struct sluice_pattern *compiled;
		enum sluice_status status = text_or_file(pattern, &text, &error);
		if (status == SLUICE_OK)
			status =
			        sluice_pattern_compile(sluice_buffer_str(&text), &compiled, &error);
		if (status == SLUICE_OK) {
			output_member(members, "pattern");
			sluice_buffer_append_str(members, sluice_pattern_text(compiled));
			sluice_pattern_destroy(compiled);
		}
		sluice_buffer_finish(&text);
		if (status != SLUICE_OK)
			return fail(cli, exit_of_input(status), "pattern", &error);
	}
	if (bus)
		output_member_text(members, "bus", sluice_str(bus));
	output_member_integer(members, "rate", rate);
	output_member_integer(members, "lease_s", LEASE_S);
	return CLI_OK;
}

static enum cli_exit exec_tap(const struct cli *cli)
{
	struct sluice_error error;
	struct sluice_buffer members = { 0 };
	struct control *control = NULL;
	struct tapping tapping = { .cli = cli };
	int64_t count, seconds;
	if (arguments_integer(cli->args, "count", 1, INT64_MAX, INT64_MAX, &count, &error) !=
	            SLUICE_OK ||
	    arguments_integer(cli->args, "seconds", 1, 1000000, 0, &seconds, &error) != SLUICE_OK)
		return fail_usage(cli, "%s", error.message);
	tapping.limit = (uint64_t)count;
	enum cli_exit code = write_members(cli, &members);
	if (code != CLI_OK) {
		sluice_buffer_finish(&members);
		return code;
	}
	struct sigaction action = { .sa_handler = on_signal };
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	code = control_open(cli, &control, &error);
	if (code == CLI_USAGE) {
		fail_usage(cli, "%s", error.message);
	} else if (code != CLI_OK) {
		fail(cli, code, NULL, &error);
	} else {
		control_on_tap(control, on_tap, &tapping);
		code = follow(&tapping, control, &members, LEASE_S, seconds);
	}
	control_close(control);
	sluice_buffer_finish(&tapping.line);
	sluice_buffer_finish(&members);
	return code;
}

static const struct option tap_options[] = {
	{ "rule", 0, "NAME", "what this rule matches, whatever its state", NULL },
	{ "pattern", 0, "JSON|FILE", "what this pattern matches", "@file" },
	{ "bus", 0, "NAME", "on this bus (the rule's, or default)", NULL },
	{ "rate", 0, "N", "at most so many events a second (10, at most 1000)", NULL },
	{ "count", 0, "N", "end after so many events", NULL },
	{ "seconds", 0, "N", "end after so long", NULL },
	{ 0 },
};

const struct verb verb_tap = {
	.name = "tap",
	.operands = "",
	.flags = VERB_BROKER | VERB_JSON,
	.options = tap_options,
	.summary = "follow the events that a rule or a pattern matches, live",
	.help = "Nothing is delivered by it and no consumer is needed. An event a line:\n"
	        "time, topic, payload; with --json the whole of what is known. Ctrl-C ends\n"
	        "it; how many events the rate left out is said then, on standard error.",
	.exec = exec_tap,
};
