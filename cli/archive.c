/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "archive.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

bool archive_duration(const char *text, int64_t *ms)
{
	static const struct {
		char unit;
		int64_t ms;
	} units[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 } };
	char digits[16];
	size_t len = strlen(text);
	int64_t number;
	if (len < 2 || len >= sizeof(digits))
		return false;
	snprintf(digits, sizeof(digits), "%.*s", (int)(len - 1), text);
	if (!parse_integer(digits, &number) || number < 0 || number > INT64_C(1000000000))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (text[len - 1] == units[i].unit) {
			*ms = number * units[i].ms;
			return true;
		}
	}
	return false;
}

bool archive_time(const struct cli *cli, const char *option, struct sluice_buffer *members)
{
	const char *text = arguments_value(cli->args, option);
	struct timespec now;
	int64_t ms;
	if (!text)
		return true;
	if (archive_duration(text, &ms)) {
		clock_gettime(CLOCK_REALTIME, &now);
		ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - ms;
		output_member_integer(members, option, ms > 0 ? ms : 0);
	} else if (parse_integer(text, &ms)) {
		output_member_integer(members, option, ms);
	} else if (strlen(text) > 4 && text[4] == '-') {
		output_member_text(members, option, sluice_str(text));
	} else {
		fail_usage(cli, "--%s: a time, as 2026-01-02T03:04:05Z, or how long ago, as 24h",
		           option);
		return false;
	}
	return true;
}

void archive_text(const struct cli *cli, const char *option, const char *member,
                  struct sluice_buffer *members)
{
	const char *text = arguments_value(cli->args, option);
	if (text)
		output_member_text(members, member, sluice_str(text));
}

void archive_event(const struct cli *cli, const struct sluice_json *event,
                   struct sluice_buffer *line)
{
	const struct sluice_json *payload = sluice_json_get(event, "payload");
	const struct sluice_json *bytes = sluice_json_get(event, "payload_bytes");
	if (cli->json) {
		sluice_buffer_append_str(line, event->raw);
		return;
	}
	output_plain(line, sluice_json_get(event, "time"));
	sluice_buffer_append_text(line, " ");
	output_plain(line, sluice_json_get(event, "topic"));
	if (bytes) {
		sluice_buffer_append_text(line, " bytes:");
		output_plain(line, bytes);
	} else {
		sluice_buffer_append_text(line, payload ? " " : " base64:");
		output_plain(line, payload ? payload : sluice_json_get(event, "payload_base64"));
	}
}

int64_t archive_count(const struct sluice_json *data, const char *member)
{
	int64_t value = 0;
	sluice_json_integer(sluice_json_get(data, member), 0, INT64_MAX, &value);
	return value;
}

enum cli_exit archive_open(const struct cli *cli, struct control **control)
{
	struct sluice_error error;
	enum cli_exit code = control_open(cli, control, &error);
	if (code == CLI_USAGE)
		return fail_usage(cli, "%s", error.message);
	return code == CLI_OK ? CLI_OK : fail(cli, code, NULL, &error);
}

enum cli_exit archive_ask(const struct cli *cli, enum control_topic topic, const char *command,
                          const struct sluice_buffer *members, archive_print_fn print)
{
	struct control *control = NULL;
	struct sluice_error error;
	struct answer answer;
	enum cli_exit code = archive_open(cli, &control);
	if (code != CLI_OK)
		return code;
	code = control_call(control, topic, command, members, &answer, &error);
	if (code != CLI_OK) {
		fail(cli, code, NULL, &error);
	} else {
		if (cli->json) {
			struct sluice_buffer out = { 0 };
			sluice_buffer_append_str(&out, answer.data->raw);
			code = output_line(cli, &out);
			sluice_buffer_finish(&out);
		} else if (print) {
			code = print(cli, answer.data);
		}
		answer_finish(&answer);
	}
	control_close(control);
	return code;
}
