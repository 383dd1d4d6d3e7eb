/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* testRuleAgainstArchive: what a rule would have matched, and how that differs from the one in force. */
#include "archive_scan.h"
#include "event.h"
#include "plugin.h"
#include "sluice_store/replay.h"

enum { HOURS_MAX = 24 * 3660, HOUR_MS = 3600000 };

/* The ids of both in one matcher, as bits. */
enum { OLD = 1, NEW = 2, BOTH = OLD | NEW };

struct trial {
	const struct sluice_rule *rule;
	bool in_force; /* there is one of its name that matches on this bus */
	uint64_t counts[BOTH + 1];
	size_t shown, limit;
};

static enum sluice_status add_pattern(struct archive_scan *scan, struct sluice_str text,
                                      uint64_t id, struct sluice_error *error)
{
	struct sluice_pattern *pattern;
	enum sluice_status status = sluice_pattern_compile(text, &pattern, error);
	if (status != SLUICE_OK)
		return status;
	status = sluice_matcher_add(scan->matcher, id, pattern, error);
	sluice_pattern_destroy(pattern);
	return status;
}

/* A rule that is disabled, or on another bus, matches nothing here. */
static enum sluice_status make_matcher(struct archive_scan *scan, struct trial *trial,
                                       struct sluice_error *error)
{
	const struct rule_record *record =
	        registry_rule(&scan->call->thread->registry, trial->rule->name);
	const struct sluice_rule *old = record ? record->current->rule : NULL;
	scan->matcher = sluice_matcher_create();
	if (!scan->matcher)
		return sluice_out_of_memory(error);
	enum sluice_status status = add_pattern(scan, trial->rule->pattern_text, NEW, error);
	trial->in_force = old && old->pattern_text.data && old->state != SLUICE_RULE_DISABLED &&
	                  sluice_str_equal(old->bus, trial->rule->bus);
	if (status == SLUICE_OK && trial->in_force)
		status = add_pattern(scan, old->pattern_text, OLD, error);
	return status;
}

static bool take(struct archive_scan *scan, const struct sluice_record *row)
{
	static const char *const names[] = { "", "old", "new", "both" };
	struct trial *trial = scan->arg;
	struct sluice_buffer *data = scan->call->data;
	unsigned by = 0;
	for (size_t i = 0; i < scan->match.count; i++)
		by |= (unsigned)scan->match.ids[i];
	trial->counts[by]++;
	/* All is counted; some is shown: what differs, and what the new one matches. */
	if (by == 0 || trial->shown == trial->limit || !archive_scan_room(scan))
		return true;
	sluice_buffer_append_text(data, trial->shown++ ? ",{" : "{");
	data_string(data, "matched_by", sluice_str(names[by]));
	data_key(data, "event");
	data_archived(data, row);
	sluice_buffer_append(data, "}", 1);
	return true;
}

static enum sluice_status range(struct archive_scan *scan, struct sluice_error *error)
{
	const struct command_call *call = scan->call;
	enum sluice_status status = archive_scan_range(scan, error);
	if (status != SLUICE_OK || !call_member(call, "hours"))
		return status;
	if (call_member(call, "from") || call_member(call, "to"))
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.hours",
		                        "goes without \"from\" and \"to\"");
	scan->query.from_ms = clock_real_ms() - call_integer(call, "hours", 0) * HOUR_MS;
	return SLUICE_OK;
}

static enum sluice_status try_rule(struct archive_scan *scan, struct sluice_error *error)
{
	struct command_call *call = scan->call;
	struct trial *trial = scan->arg;
	struct sluice_data *data;
	uint64_t total = 0, last_id;
	enum sluice_status status = range(scan, error);
	if (status == SLUICE_OK)
		status = make_matcher(scan, trial, error);
	if (status == SLUICE_OK)
		status = call_data(call, &data, error);
	if (status == SLUICE_OK)
		status = sluice_archive_count(data, trial->rule->bus, scan->query.from_ms,
		                              scan->query.to_ms, &total, &last_id, error);
	if (status != SLUICE_OK)
		return status;
	scan->query.bus = trial->rule->bus;
	sluice_buffer_append_text(call->data, "{\"events\":[");
	status = archive_scan_run(scan, data, error);
	sluice_buffer_append_text(call->data, "]");
	data_integer(call->data, "total", (int64_t)total);
	data_integer(call->data, "scanned", (int64_t)scan->scanned);
	data_integer(call->data, "both", (int64_t)trial->counts[BOTH]);
	data_integer(call->data, "only_new", (int64_t)trial->counts[NEW]);
	data_integer(call->data, "only_old", (int64_t)trial->counts[OLD]);
	data_bool(call->data, "in_force", trial->in_force);
	if (scan->more)
		data_id(call->data, "next", scan->last_id);
	sluice_buffer_append(call->data, "}", 1);
	return status;
}

static enum sluice_status run(struct command_call *call, struct sluice_error *error)
{
	struct sluice_definition definition;
	struct trial trial = { .limit = (size_t)call_integer(call, "limit", SCAN_LIMIT) };
	struct archive_scan scan = { .call = call, .take = take, .arg = &trial };
	enum sluice_status status = sluice_definition_from_json(
	        SLUICE_STORE_RULE, call_member(call, "rule"), &definition, error);
	if (status != SLUICE_OK)
		return call_error_within(status, "rule", error);
	trial.rule = definition.rule;
	if (!trial.rule->pattern_text.data)
		status = sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.rule",
		                          "a rule with a schedule matches no event");
	else
		status = try_rule(&scan, error);
	archive_scan_finish(&scan);
	sluice_definition_finish(&definition);
	return status;
}

const struct command command_test_rule_against_archive = {
	.name = "testRuleAgainstArchive",
	.view = true,
	.run = run,
	.members = { { "rule", MEMBER_OBJECT, true, 0, 0 },
	             { "hours", MEMBER_INTEGER, false, 1, HOURS_MAX },
	             { "from", MEMBER_ANY, false, 0, 0 },
	             { "to", MEMBER_ANY, false, 0, 0 },
	             { "after", MEMBER_STRING, false, 0, 0 },
	             { "limit", MEMBER_INTEGER, false, 0, SCAN_LIMIT_MAX } },
};
