/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* reportBridge, getBridgeStatus */
#include "clock.h"
#include "command.h"
#include "document.h"
#include "sluice/members.h"
#include "sluice/transform.h"

enum { PAGE = 64, PAGE_BYTES = 1024 * 1024, NUMBERS_MAX = 8, TEXTS_MAX = 4, TEXT_MAX = 512 };

enum {
	BRIDGE_BYTES_MAX = 256 * 1024, /* of a report */
	BRIDGE_ENTRIES_MAX = 1024,     /* targets of a report, and sources */
};

/* What an entry of a report may say: its name, then counts, then texts. */
struct entry {
	const char *what;
	size_t numbers, texts;
	const char *const members[1 + NUMBERS_MAX + TEXTS_MAX + 1];
};

static const struct entry target_entry = {
	"a target's report",
	5,
	3,
	{ "name", "delivered", "failed", "retried", "dead", "in_flight", "breaker", "last_error",
	  "last_error_time", NULL },
};

static const struct entry source_entry = {
	"a source's report",
	1,
	1,
	{ "name", "published", "trouble", NULL },
};

/* --- reportBridge --- */

static enum sluice_status check_entry(const struct entry *entry, const struct sluice_json *node,
                                      struct sluice_error *error)
{
	const struct sluice_json *found[1 + NUMBERS_MAX + TEXTS_MAX];
	struct sluice_str text;
	int64_t number;
	enum sluice_status status =
	        sluice_members_read(node, entry->what, entry->members, found, error);
	if (status == SLUICE_OK && !found[0])
		status = sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                           "%s must have a \"name\"", entry->what);
	if (status == SLUICE_OK)
		status = sluice_member_name(found[0], &text, error);
	for (size_t i = 1; i <= entry->numbers && status == SLUICE_OK; i++)
		status = sluice_member_integer(found[i], 0, INT64_MAX, &number, error);
	for (size_t i = 0; i < entry->texts && status == SLUICE_OK; i++)
		status = sluice_member_string(found[1 + entry->numbers + i], 0, TEXT_MAX, &text,
		                              error);
	return status;
}

static enum sluice_status take_list(const struct command_call *call, const char *member,
                                    const struct entry *entry, struct sluice_buffer *members,
                                    struct sluice_error *error)
{
	const struct sluice_json *list = call_member(call, member);
	enum sluice_status status = SLUICE_OK;
	if (list && list->count > BRIDGE_ENTRIES_MAX)
		status = sluice_json_error(list, error, SLUICE_ERR_LIMIT, "there may be %d",
		                           BRIDGE_ENTRIES_MAX);
	for (const struct sluice_json *at = list ? list->first : NULL; at && status == SLUICE_OK;
	     at = at->next)
		status = check_entry(entry, at, error);
	if (status != SLUICE_OK) {
		sluice_error_rebase(error, call->json);
		return status;
	}
	data_key(members, member);
	if (list)
		sluice_json_write_compact(members, list->raw);
	else
		sluice_buffer_append_text(members, "[]");
	return SLUICE_OK;
}

static enum sluice_status run_report(struct command_call *call, struct sluice_error *error)
{
	struct sluice_buffer members = { .limit = BRIDGE_BYTES_MAX };
	struct sluice_str name = call_string(call, "bridge");
	int64_t now_ms = clock_monotonic_ms();
	enum sluice_status status = take_list(call, "targets", &target_entry, &members, error);
	if (status == SLUICE_OK)
		status = take_list(call, "sources", &source_entry, &members, error);
	if (status == SLUICE_OK && members.over_limit)
		status = sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, NULL,
		                          "a report may have %d bytes", BRIDGE_BYTES_MAX);
	else if (status == SLUICE_OK && members.failed)
		status = sluice_out_of_memory(error);
	bridge_reports_expire(&call->thread->bridges, now_ms);
	if (status == SLUICE_OK)
		status = bridge_reports_put(&call->thread->bridges, name,
		                            sluice_buffer_str(&members), now_ms, clock_real_ms(),
		                            error);
	sluice_buffer_finish(&members);
	if (status != SLUICE_OK)
		return status;
	sluice_buffer_append(call->data, "{", 1);
	data_string(call->data, "bridge", name);
	sluice_buffer_append(call->data, "}", 1);
	return SLUICE_OK;
}

/* --- getBridgeStatus --- */

static void write_report(struct sluice_buffer *data, const struct bridge_report *report)
{
	char time[SLUICE_TIME_SIZE];
	sluice_buffer_append(data, "{", 1);
	data_string(data, "bridge", sluice_str(report->name));
	data_string(data, "time", sluice_str(sluice_time_format(report->time_ms, time)));
	sluice_buffer_append(data, ",", 1);
	sluice_buffer_append(data, report->members, report->len);
	sluice_buffer_append(data, "}", 1);
}

static enum sluice_status run_status(struct command_call *call, struct sluice_error *error)
{
	struct sluice_buffer *data = call->data;
	size_t limit = (size_t)call_integer(call, "limit", PAGE), written = 0;
	const struct bridge_report *last = NULL;
	bool more = false;
	(void)error;
	bridge_reports_expire(&call->thread->bridges, clock_monotonic_ms());
	sluice_buffer_append_text(data, "{\"bridges\":[");
	size_t start = data->len;
	for (const struct bridge_report *report = call->thread->bridges.first; report && !more;
	     report = report->next) {
		if (!call_chooses(call, report->name))
			continue;
		more = written == limit ||
		       (written > 0 && data->len - start + report->len > PAGE_BYTES);
		if (more)
			break;
		sluice_buffer_append_text(data, written++ ? "," : "");
		write_report(data, report);
		last = report;
	}
	sluice_buffer_append(data, "]", 1);
	if (more)
		data_string(data, "next", sluice_str(last->name));
	sluice_buffer_append(data, "}", 1);
	return SLUICE_OK;
}

const struct command command_report_bridge = {
	.name = "reportBridge",
	.run = run_report,
	.members = { { "bridge", MEMBER_NAME, true, 0, 0 },
	             { "targets", MEMBER_ARRAY, false, 0, 0 },
	             { "sources", MEMBER_ARRAY, false, 0, 0 } },
};

const struct command command_get_bridge_status = {
	.name = "getBridgeStatus",
	.view = true,
	.run = run_status,
	.members = { { "prefix", MEMBER_STRING, false, 0, 0 },
	             { "after", MEMBER_STRING, false, 0, 0 },
	             { "limit", MEMBER_INTEGER, false, 1, PAGE } },
};
