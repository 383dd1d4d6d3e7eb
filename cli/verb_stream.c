/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice stream: an archive as a log, from a place on */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>

#include "archive.h"
#include "verbs.h"

enum { WAIT_MS = 500, PAGE = 500 };

static volatile sig_atomic_t interrupted;

static void on_signal(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

struct stream {
	const struct cli *cli;
	struct control *control;
	char cursor[32];
	int64_t read, count; /* so many, and no more */
	bool more;
};

static bool write_from(const struct stream *stream, struct sluice_buffer *members)
{
	const struct cli *cli = stream->cli;
	const char *from = arguments_value(cli->args, "from");
	const char *after =
	        stream->cursor[0] ? stream->cursor : arguments_value(cli->args, "after");
	output_member_text(members, "bus", sluice_str(cli->args->operands[0]));
	if (after) {
		output_member(members, "from");
		sluice_buffer_append_text(members, "{\"after\":");
		sluice_json_write_string(members, sluice_str(after));
		sluice_buffer_append_text(members, "}");
	} else if (!from || strcmp(from, "trim-horizon") == 0 || strcmp(from, "latest") == 0) {
		output_member_text(members, "from", sluice_str(from ? from : "latest"));
	} else if (!archive_time(cli, "from", members)) {
		return false;
	}
	int64_t left = stream->count - stream->read;
	output_member_integer(members, "limit", left < PAGE ? left : PAGE);
	return true;
}

static enum cli_exit print_page(struct stream *stream, const struct sluice_json *data)
{
	struct sluice_buffer line = { 0 };
	enum cli_exit code = CLI_OK;
	const struct sluice_json *records = sluice_json_get(data, "records");
	const struct sluice_json *record = records ? records->first : NULL;
	const struct sluice_json *cursor = sluice_json_get(data, "cursor");
	const struct sluice_json *more = sluice_json_get(data, "more");
	for (; record && code == CLI_OK; record = record->next) {
		archive_event(stream->cli, record, &line);
		code = output_line(stream->cli, &line);
		stream->read++;
	}
	sluice_buffer_finish(&line);
	stream->more = more && more->type == SLUICE_JSON_TRUE;
	if (cursor && cursor->string.len < sizeof(stream->cursor))
		snprintf(stream->cursor, sizeof(stream->cursor), "%.*s", (int)cursor->string.len,
		         cursor->string.data);
	return code == CLI_OK ? output_flush(stream->cli) : code;
}

static enum cli_exit read_page(struct stream *stream)
{
	struct sluice_buffer members = { 0 };
	struct sluice_error error;
	struct answer answer;
	enum cli_exit code = CLI_USAGE;
	if (!write_from(stream, &members)) {
		sluice_buffer_finish(&members);
		return code;
	}
	code = control_call(stream->control, CONTROL_VIEW, "readStream", &members, &answer, &error);
	sluice_buffer_finish(&members);
	if (code != CLI_OK)
		return fail(stream->cli, code, NULL, &error);
	code = print_page(stream, answer.data);
	answer_finish(&answer);
	return code;
}

static enum cli_exit exec_stream(const struct cli *cli)
{
	struct stream stream = { .cli = cli };
	struct sluice_error error;
	struct sigaction action = { .sa_handler = on_signal };
	if (arguments_integer(cli->args, "count", 1, INT64_MAX, INT64_MAX, &stream.count, &error) !=
	    SLUICE_OK)
		return fail_usage(cli, "%s", error.message);
	if (arguments_has(cli->args, "from") && arguments_has(cli->args, "after"))
		return fail_usage(cli, "one of --from and --after says where to begin");
	enum cli_exit code = archive_open(cli, &stream.control);
	if (code != CLI_OK)
		return code;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	bool follow = arguments_has(cli->args, "follow");
	do {
		code = read_page(&stream);
		if (code == CLI_OK && follow && !stream.more && !interrupted &&
		    stream.read < stream.count) {
			code = control_step(stream.control, WAIT_MS, &error);
			if (code != CLI_OK)
				fail(cli, code, NULL, &error);
		}
	} while (code == CLI_OK && !interrupted && stream.read < stream.count &&
	         (stream.more || follow));
	control_close(stream.control);
	if (stream.cursor[0] && !cli->json)
		fprintf(stderr, "sluice: go on with --after %s\n", stream.cursor);
	return code;
}

static const struct option stream_options[] = {
	{ "from", 0, "WHERE", "trim-horizon, latest, a time, or how long ago: 24h (latest)",
	  "trim-horizon latest" },
	{ "after", 0, "CURSOR", "behind the record with this cursor", NULL },
	{ "count", 0, "N", "end after so many records", NULL },
	{ "follow", 'f', NULL, "go on with what comes, instead of ending", NULL },
	{ 0 },
};

const struct verb verb_stream = {
	.name = "stream",
	.operands = "BUS",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_BROKER | VERB_JSON,
	.options = stream_options,
	.summary = "read the archive of a bus as a log, each record once",
	.help = "A record a line: time, topic, payload; with --json the whole of it, its\n"
	        "cursor included. Where to go on is said at the end, on standard error.",
	.exec = exec_stream,
};
