/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "dry_run.h"

#include <inttypes.h>
#include <time.h>

#include "archive.h"

enum { SHOWN = 20 };

struct trial {
	const struct cli *cli;
	struct control *control;
	int64_t scanned, total, both, only_new, only_old;
	bool in_force;
	size_t shown;
	struct sluice_buffer lines; /* of the events that are shown */
	char next[32];
};

static void add_events(struct trial *trial, const struct sluice_json *data)
{
	const struct sluice_json *events = sluice_json_get(data, "events");
	const struct sluice_json *shown = events ? events->first : NULL;
	for (; shown && trial->shown < SHOWN; shown = shown->next, trial->shown++) {
		const struct sluice_json *by = sluice_json_get(shown, "matched_by");
		const struct sluice_json *event = sluice_json_get(shown, "event");
		if (trial->cli->json) {
			sluice_buffer_append_text(&trial->lines, trial->shown ? "," : "");
			sluice_buffer_append_str(&trial->lines, shown->raw);
		} else if (by && event) {
			bool old = sluice_str_equal(by->string, SLUICE_STR("old"));
			bool both = sluice_str_equal(by->string, SLUICE_STR("both"));
			sluice_buffer_append_text(&trial->lines, old ? "- " : both ? "  " : "+ ");
			archive_event(trial->cli, event, &trial->lines);
			sluice_buffer_append_text(&trial->lines, "\n");
		}
	}
}

static enum cli_exit try_part(struct trial *trial, const struct sluice_buffer *wanted)
{
	struct sluice_buffer members = { 0 };
	struct sluice_error error;
	struct answer answer;
	sluice_buffer_append_str(&members, sluice_buffer_str(wanted));
	if (trial->next[0])
		output_member_text(&members, "after", sluice_str(trial->next));
	output_member_integer(&members, "limit", (int64_t)(SHOWN - trial->shown));
	enum cli_exit code = control_call(trial->control, CONTROL_VIEW, "testRuleAgainstArchive",
	                                  &members, &answer, &error);
	sluice_buffer_finish(&members);
	if (code != CLI_OK)
		return fail(trial->cli, code, NULL, &error);
	const struct sluice_json *in_force = sluice_json_get(answer.data, "in_force");
	const struct sluice_json *next = sluice_json_get(answer.data, "next");
	trial->total = archive_count(answer.data, "total");
	trial->scanned += archive_count(answer.data, "scanned");
	trial->both += archive_count(answer.data, "both");
	trial->only_new += archive_count(answer.data, "only_new");
	trial->only_old += archive_count(answer.data, "only_old");
	trial->in_force = in_force && in_force->type == SLUICE_JSON_TRUE;
	add_events(trial, answer.data);
	snprintf(trial->next, sizeof(trial->next), "%.*s",
	         next && next->string.len < sizeof(trial->next) ? (int)next->string.len : 0,
	         next ? next->string.data : "");
	answer_finish(&answer);
	return CLI_OK;
}

static enum cli_exit print(struct trial *trial)
{
	struct sluice_buffer out = { 0 };
	if (trial->cli->json) {
		sluice_buffer_append_text(&out, "{");
		output_member_integer(&out, "scanned", trial->scanned);
		output_member_integer(&out, "both", trial->both);
		output_member_integer(&out, "only_new", trial->only_new);
		output_member_integer(&out, "only_old", trial->only_old);
		output_member(&out, "in_force");
		sluice_buffer_append_text(&out, trial->in_force ? "true" : "false");
		output_member(&out, "events");
		sluice_buffer_append_text(&out, "[");
	} else {
		sluice_buffer_printf(&out,
		                     "of %" PRId64 " archived events it would have matched "
		                     "%" PRId64 "\n",
		                     trial->scanned, trial->both + trial->only_new);
		if (trial->in_force)
			sluice_buffer_printf(&out,
			                     "the rule in force: %" PRId64 " of these too, %" PRId64
			                     " only the new one (+), %" PRId64
			                     " only the one in force (-)\n",
			                     trial->both, trial->only_new, trial->only_old);
		else
			sluice_buffer_append_text(&out, "no rule of that name is in force\n");
	}
	sluice_buffer_append_str(&out, sluice_buffer_str(&trial->lines));
	out.failed |= trial->lines.failed;
	if (trial->cli->json)
		sluice_buffer_append_text(&out, "]}\n");
	enum cli_exit code = output_text(trial->cli, &out);
	sluice_buffer_finish(&out);
	return code;
}

/* From when on: how long ago --against says. */
static bool write_against(const struct cli *cli, struct sluice_buffer *members)
{
	const char *against = arguments_value(cli->args, "against");
	struct timespec now;
	int64_t ms;
	if (!archive_duration(against ? against : "24h", &ms)) {
		fail_usage(cli, "--against: the last so many hours or days, as 24h or 7d");
		return false;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t from_ms = (int64_t)now.tv_sec * 1000 - ms;
	output_member_integer(members, "from", from_ms > 0 ? from_ms : 0);
	return true;
}

enum cli_exit dry_run(const struct cli *cli, struct sluice_str rule)
{
	struct trial trial = { .cli = cli };
	struct sluice_buffer members = { 0 };
	struct progress progress;
	enum cli_exit code = CLI_USAGE;
	output_member(&members, "rule");
	sluice_buffer_append_str(&members, rule);
	if (write_against(cli, &members) && (code = archive_open(cli, &trial.control)) == CLI_OK) {
		progress_start(&progress, "trying", 0);
		do {
			code = try_part(&trial, &members);
			progress.total = (size_t)trial.total;
			progress_show(&progress, (size_t)trial.scanned);
		} while (code == CLI_OK && trial.next[0]);
		progress_end(&progress);
		if (code == CLI_OK)
			code = print(&trial);
	}
	control_close(trial.control);
	sluice_buffer_finish(&trial.lines);
	sluice_buffer_finish(&members);
	return code;
}
