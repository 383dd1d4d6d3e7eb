/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "rule_schedule.h"

#include "sluice/members.h"
#include "sluice/schedule.h"

/* What the event of a schedule is when the rule does not say. */
#define DEFAULT_INPUT                                                                              \
	SLUICE_STR("{\"template\":\"{\\\"rule\\\":<sluice.rule>,\\\"time\\\":<sluice.time>}\"}")

/* Gives an error that has only an offset the place of the member it was found in. */
static enum sluice_status placed(const struct sluice_json *node, struct sluice_error *error,
                                 enum sluice_status status)
{
	if (status && error && status != SLUICE_ERR_NOMEM)
		sluice_json_place(node, error->place, sizeof(error->place));
	return status;
}

static enum sluice_status read_times(struct sluice_rule_schedule *schedule,
                                     const struct sluice_rule_schedule_members *members,
                                     struct sluice_error *error)
{
	/* By itself first, so that a fault has the place of the member it is in. */
	static const struct sluice_str often = { "rate(1 day)", 11 };
	struct sluice_schedule *probe;
	enum sluice_status status;

	if (members->schedule->type != SLUICE_JSON_STRING)
		return sluice_json_error(members->schedule, error, SLUICE_ERR_INVALID,
		                         "must be a string");
	schedule->text = members->schedule->string;
	if (members->timezone) {
		status = sluice_member_string(members->timezone, 1, 64, &schedule->timezone, error);
		if (status)
			return status;
		status = placed(members->timezone, error,
		                sluice_schedule_parse(often, schedule->timezone, &probe, error));
		sluice_schedule_destroy(probe);
		if (status)
			return status;
	}
	return placed(
	        members->schedule, error,
	        sluice_schedule_parse(schedule->text, schedule->timezone, &schedule->times, error));
}

static enum sluice_status default_input(struct sluice_rule_schedule *schedule,
                                        struct sluice_error *error)
{
	struct sluice_json_doc *doc;
	enum sluice_status status = sluice_json_parse(DEFAULT_INPUT, 0, 2, &doc, error);

	if (!status)
		status = sluice_transform_from_json(sluice_json_root(doc), &schedule->input, error);
	sluice_json_destroy(doc);
	return status;
}

static enum sluice_status read_input(struct sluice_rule_schedule *schedule,
                                     const struct sluice_rule_schedule_members *members,
                                     struct sluice_error *error)
{
	const struct sluice_json *template = members->input_transformer;
	enum sluice_status status;

	if (members->input && template)
		return sluice_json_error(
		        template, error, SLUICE_ERR_INVALID,
		        "a rule has at most one of \"input\" and \"input_transformer\"");
	if (members->input) {
		schedule->input_text = members->input->raw;
		return placed(members->input, error,
		              sluice_transform_from_constant(members->input->raw, &schedule->input,
		                                             error));
	}
	if (!template)
		return default_input(schedule, error);
	schedule->input_transformer_text = template->raw;
	status = sluice_transform_from_json(template, &schedule->input, error);
	if (!status && (sluice_transform_reads_payload(schedule->input) ||
	                sluice_transform_metadata(schedule->input)))
		return sluice_json_error(template, error, SLUICE_ERR_INVALID,
		                         "a schedule has no event that it could read from: there "
		                         "are <sluice.rule>, <sluice.bus>, <sluice.id> and "
		                         "<sluice.time>");
	return status;
}

static enum sluice_status read_missed(struct sluice_rule_schedule *schedule,
                                      const struct sluice_json *node, struct sluice_error *error)
{
	if (!node)
		return SLUICE_OK;
	schedule->run_missed = node->type == SLUICE_JSON_STRING &&
	                       sluice_str_equal(node->string, SLUICE_STR("run-once"));
	if (!schedule->run_missed && !(node->type == SLUICE_JSON_STRING &&
	                               sluice_str_equal(node->string, SLUICE_STR("skip"))))
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "must be \"skip\" or \"run-once\"");
	return SLUICE_OK;
}

enum sluice_status sluice_rule_schedule_read(struct sluice_rule_schedule *schedule,
                                             const struct sluice_rule_schedule_members *members,
                                             struct sluice_error *error)
{
	const struct sluice_json *const others[] = { members->timezone, members->input,
		                                     members->input_transformer, members->missed };
	enum sluice_status status;

	if (!members->schedule) {
		for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
			if (others[i])
				return sluice_json_error(others[i], error, SLUICE_ERR_INVALID,
				                         "\"%.*s\" is for a rule with a "
				                         "\"schedule\"",
				                         (int)others[i]->key.len,
				                         others[i]->key.data);
		return SLUICE_OK;
	}
	if ((status = read_times(schedule, members, error)) ||
	    (status = read_input(schedule, members, error)))
		return status;
	return read_missed(schedule, members->missed, error);
}

void sluice_rule_schedule_finish(struct sluice_rule_schedule *schedule)
{
	sluice_schedule_destroy(schedule->times);
	sluice_transform_destroy(schedule->input);
}

static void write_text(struct sluice_buffer *buf, const char *name, struct sluice_str text)
{
	sluice_buffer_printf(buf, ",\"%s\":", name);
	sluice_json_write_string(buf, text);
}

static void write_json(struct sluice_buffer *buf, const char *name, struct sluice_str json)
{
	if (!json.data)
		return;
	sluice_buffer_printf(buf, ",\"%s\":", name);
	sluice_json_write_compact(buf, json);
}

void sluice_rule_schedule_write(const struct sluice_rule_schedule *schedule,
                                struct sluice_buffer *buf)
{
	write_text(buf, "schedule", schedule->text);
	if (schedule->timezone.data)
		write_text(buf, "timezone", schedule->timezone);
	write_json(buf, "input", schedule->input_text);
	write_json(buf, "input_transformer", schedule->input_transformer_text);
	if (schedule->run_missed)
		write_text(buf, "missed", SLUICE_STR("run-once"));
}
