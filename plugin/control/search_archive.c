/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "archive_scan.h"
#include "event.h"
#include "sluice/topic.h"

struct search {
	struct sluice_str topic; /* a filter; absent = any */
	size_t found, limit;
};

/* The pattern that decides, given or a rule's as it stands; none when neither is there. */
static enum sluice_status make_matcher(struct archive_scan *scan, struct sluice_str *rule_bus,
                                       struct sluice_error *error)
{
	const struct command_call *call = scan->call;
	const struct sluice_json *json = call_member(call, "pattern");
	struct sluice_str name = call_string(call, "rule");
	struct sluice_pattern *pattern = NULL;
	enum sluice_status status = SLUICE_OK;
	if (json && name.data)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "takes one of \"rule\" and \"pattern\"");
	if (!json && !name.data)
		return SLUICE_OK;
	if (json) {
		status = call_error_within(sluice_pattern_compile(call_text(json), &pattern, error),
		                           "pattern", error);
	} else {
		const struct rule_record *record = registry_rule(&call->thread->registry, name);
		if (!record)
			return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, "$.rule",
			                        "there is no rule \"%.*s\" in force", (int)name.len,
			                        name.data);
		if (!record->current->rule->pattern_text.data)
			return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.rule",
			                        "a rule with a schedule matches no event");
		*rule_bus = record->current->rule->bus;
		status = sluice_pattern_compile(record->current->rule->pattern_text, &pattern,
		                                error);
	}
	if (status == SLUICE_OK && !(scan->matcher = sluice_matcher_create()))
		status = sluice_out_of_memory(error);
	if (status == SLUICE_OK)
		status = sluice_matcher_add(scan->matcher, 1, pattern, error);
	sluice_pattern_destroy(pattern);
	return status;
}

static bool take(struct archive_scan *scan, const struct sluice_record *row)
{
	struct search *search = scan->arg;
	struct sluice_buffer *data = scan->call->data;
	if ((search->topic.data && !sluice_topic_matches(search->topic, row->topic)) ||
	    (scan->matcher && scan->match.count == 0))
		return true;
	if (search->found++ > 0)
		sluice_buffer_append(data, ",", 1);
	data_archived(data, row);
	return search->found < search->limit && archive_scan_room(scan);
}

static enum sluice_status search_bus(struct archive_scan *scan, struct sluice_error *error)
{
	struct command_call *call = scan->call;
	struct sluice_str rule_bus = { 0 };
	struct sluice_data *data;
	enum sluice_status status = archive_scan_range(scan, error);
	if (status == SLUICE_OK)
		status = make_matcher(scan, &rule_bus, error);
	if (status == SLUICE_OK)
		status = call_data(call, &data, error);
	if (status == SLUICE_OK && rule_bus.data && !call_member(call, "bus"))
		scan->query.bus = rule_bus;
	else if (status == SLUICE_OK)
		status = call_archive(call, data, &scan->query.bus, error);
	if (status != SLUICE_OK)
		return status;
	sluice_buffer_append_text(call->data, "{\"events\":[");
	status = archive_scan_run(scan, data, error);
	sluice_buffer_append_text(call->data, "]");
	data_integer(call->data, "scanned", (int64_t)scan->scanned);
	if (scan->more)
		data_id(call->data, "next", scan->last_id);
	sluice_buffer_append(call->data, "}", 1);
	return status;
}

static enum sluice_status run(struct command_call *call, struct sluice_error *error)
{
	struct search search = { .topic = call_string(call, "topic"),
		                 .limit = (size_t)call_integer(call, "limit", SCAN_LIMIT) };
	struct archive_scan scan = { .call = call, .take = take, .arg = &search };
	if (search.topic.data && !sluice_topic_filter_valid(search.topic, error))
		return call_error_within(SLUICE_ERR_INVALID, "topic", error);
	enum sluice_status status = search_bus(&scan, error);
	archive_scan_finish(&scan);
	return status;
}

const struct command command_search_archive = {
	.name = "searchArchive",
	.view = true,
	.run = run,
	.members = { { "bus", MEMBER_NAME, false, 0, 0 },
	             { "from", MEMBER_ANY, false, 0, 0 },
	             { "to", MEMBER_ANY, false, 0, 0 },
	             { "rule", MEMBER_NAME, false, 0, 0 },
	             { "pattern", MEMBER_ANY, false, 0, 0 },
	             { "topic", MEMBER_STRING, false, 0, 0 },
	             { "after", MEMBER_STRING, false, 0, 0 },
	             { "limit", MEMBER_INTEGER, false, 1, SCAN_LIMIT_MAX } },
};
