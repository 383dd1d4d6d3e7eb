/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* startReplay, listReplays, pauseReplay, resumeReplay, cancelReplay */
#include "replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "archive_scan.h"
#include "plugin.h"
#include "sluice_store/replay.h"

/* Sent before the command's answer, which waits until it has been carried out. */
static enum sluice_status send_order(const struct command_call *call,
                                     struct data_replay_order *order, struct sluice_error *error)
{
	struct replay_message *message = malloc(sizeof *message);
	if (!message) {
		free(order);
		return sluice_out_of_memory(error);
	}
	order->head.message.kind = DATA_REPLAY_ORDER;
	*message = (struct replay_message){ { MESSAGE_REPLAY }, order };
	store_thread_emit(call->thread, &message->message);
	return SLUICE_OK;
}

/* --- what there is --- */

struct look {
	struct sluice_str name;
	size_t under_way;
	bool found;
	enum sluice_replay_state state;
	bool ended;
};

static bool look_at(void *arg, const struct sluice_replay *replay)
{
	struct look *look = arg;
	look->under_way += replay->ended_ms == 0;
	if (sluice_str_equal(replay->name, look->name)) {
		look->found = true;
		look->state = replay->state;
		look->ended = replay->ended_ms != 0;
	}
	return true;
}

static enum sluice_status look_up(const struct command_call *call, struct sluice_str name,
                                  struct look *look, struct sluice_error *error)
{
	struct sluice_data *data;
	*look = (struct look){ .name = name };
	enum sluice_status status = call_data(call, &data, error);
	if (status != SLUICE_OK)
		return status;
	status = sluice_replay_each(data, (struct sluice_str){ 0 }, look_at, look, error);
	if (status != SLUICE_OK)
		call_data_failed(call);
	return status;
}

/* --- startReplay --- */

static enum sluice_status read_speed(const struct command_call *call, int64_t *speed_milli,
                                     struct sluice_error *error)
{
	const struct sluice_json *speed = call_member(call, "speed");
	char text[64];
	*speed_milli = 0;
	if (!speed || (speed->type == SLUICE_JSON_STRING &&
	               sluice_str_equal(speed->string, SLUICE_STR("max"))))
		return SLUICE_OK;
	if (speed->type == SLUICE_JSON_NUMBER && speed->raw.len < sizeof text) {
		snprintf(text, sizeof text, "%.*s", (int)speed->raw.len, speed->raw.data);
		double factor = strtod(text, NULL);
		if (factor >= 0.001 && factor <= REPLAY_SPEED_MAX) {
			*speed_milli = (int64_t)(factor * 1000 + 0.5);
			return SLUICE_OK;
		}
	}
	return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.speed",
	                        "must be \"max\" or a number from 0.001 to %d", REPLAY_SPEED_MAX);
}

/* " a b ": rules in force, on this bus. */
static enum sluice_status read_rules(const struct command_call *call, struct sluice_str bus,
                                     struct sluice_buffer *rules, struct sluice_error *error)
{
	const struct sluice_json *array = call_member(call, "rules");
	size_t count = 0;
	if (!array)
		return SLUICE_OK;
	for (const struct sluice_json *item = array->first; item; item = item->next, count++) {
		char place[48];
		snprintf(place, sizeof place, "$.rules[%zu]", count);
		const struct rule_record *record =
		        item->type == SLUICE_JSON_STRING
		                ? registry_rule(&call->thread->registry, item->string)
		                : NULL;
		if (count == REPLAY_RULES_MAX)
			return sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, "$.rules",
			                        "at most %d", REPLAY_RULES_MAX);
		if (item->type != SLUICE_JSON_STRING || !sluice_name_valid(item->string))
			return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, place,
			                        "must be the name of a rule");
		if (!record || !sluice_str_equal(record->current->rule->bus, bus))
			return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, place,
			                        "there is no rule \"%.*s\" in force on that bus",
			                        (int)item->string.len, item->string.data);
		sluice_buffer_printf(rules, "%s%s ", count ? "" : " ", record->name);
	}
	if (count == 0)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.rules",
		                        "must name a rule");
	return rules->failed ? sluice_out_of_memory(error) : SLUICE_OK;
}

/* The name that it is given, else one that says when. */
static void read_name(const struct command_call *call, int64_t now_ms,
                      char name[SLUICE_NAME_MAX + 1])
{
	struct sluice_str given = call_string(call, "name");
	int64_t *last_ms = &call->thread->last_replay_ms;
	if (given.data) {
		snprintf(name, SLUICE_NAME_MAX + 1, "%.*s", (int)given.len, given.data);
		return;
	}
	*last_ms = now_ms > *last_ms ? now_ms : *last_ms + 1;
	snprintf(name, SLUICE_NAME_MAX + 1, "replay-%" PRId64, *last_ms);
}

static enum sluice_status may_start(const struct command_call *call, const char *name,
                                    struct sluice_error *error)
{
	struct look look;
	enum sluice_status status = look_up(call, sluice_str(name), &look, error);
	if (status != SLUICE_OK)
		return status;
	if (look.found)
		return sluice_error_set(error, SLUICE_ERR_CONFLICT, SIZE_MAX, "$.name",
		                        "there is a replay \"%s\" already", name);
	if (look.under_way >= REPLAYS_MAX)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, NULL,
		                        "%d replays are under way, which is the most", REPLAYS_MAX);
	return SLUICE_OK;
}

static enum sluice_status check_topic(const struct command_call *call, const char *name,
                                      struct sluice_str bus, struct sluice_error *error)
{
	struct sluice_str topic = call_string(call, "topic");
	struct sluice_rule *rule = NULL;
	if (!topic.data)
		return SLUICE_OK;
	enum sluice_status status = replay_rule(sluice_str(name), bus, topic, &rule, error);
	sluice_rule_destroy(rule);
	return status;
}

static enum sluice_status order_start(const struct command_call *call,
                                      const struct data_replay_order *wanted,
                                      const struct sluice_buffer *rules, struct sluice_error *error)
{
	struct sluice_str topic = call_string(call, "topic");
	struct data_replay_order *order = malloc(sizeof *order + rules->len + topic.len + 2);
	if (!order)
		return sluice_out_of_memory(error);
	*order = *wanted;
	char *at = order->texts;
	order->rules = order->topic = NULL;
	if (rules->len > 0) {
		memcpy(at, rules->data, rules->len);
		at[rules->len] = '\0';
		order->rules = at;
		at += rules->len + 1;
	}
	if (topic.data) {
		memcpy(at, topic.data, topic.len);
		at[topic.len] = '\0';
		order->topic = at;
	}
	return send_order(call, order, error);
}

static enum sluice_status prepare(struct command_call *call, struct data_replay_order *order,
                                  struct sluice_buffer *rules, struct sluice_error *error)
{
	struct archive_scan range = { .call = call };
	struct sluice_str bus = call_string(call, "bus");
	if (!bus.data)
		bus = SLUICE_STR("default");
	if (!registry_bus(&call->thread->registry, bus))
		return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, "$.bus",
		                        "there is no bus \"%.*s\" in force", (int)bus.len,
		                        bus.data);
	enum sluice_status status = archive_scan_range(&range, error);
	if (status == SLUICE_OK)
		status = read_speed(call, &order->speed_milli, error);
	if (status == SLUICE_OK)
		status = read_rules(call, bus, rules, error);
	if (status != SLUICE_OK)
		return status;
	order->started_ms = clock_real_ms();
	order->from_ms = range.query.from_ms;
	order->to_ms = range.query.to_ms;
	snprintf(order->bus, sizeof order->bus, "%.*s", (int)bus.len, bus.data);
	read_name(call, order->started_ms, order->name);
	status = check_topic(call, order->name, bus, error);
	return status == SLUICE_OK ? may_start(call, order->name, error) : status;
}

static enum sluice_status run_start(struct command_call *call, struct sluice_error *error)
{
	struct data_replay_order order = { .order = REPLAY_START };
	struct sluice_buffer rules = { 0 };
	enum sluice_status status = prepare(call, &order, &rules, error);
	if (status == SLUICE_OK)
		status = order_start(call, &order, &rules, error);
	if (status == SLUICE_OK) {
		sluice_buffer_append(call->data, "{", 1);
		data_string(call->data, "name", sluice_str(order.name));
		sluice_buffer_append(call->data, "}", 1);
	}
	sluice_buffer_finish(&rules);
	return status;
}

/* --- pauseReplay, resumeReplay, cancelReplay --- */

static enum sluice_status change(struct command_call *call, enum replay_order wanted,
                                 struct sluice_error *error)
{
	struct sluice_str name = call_string(call, "name");
	struct look look;
	enum sluice_status status = look_up(call, name, &look, error);
	if (status != SLUICE_OK)
		return status;
	if (!look.found)
		return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, "$.name",
		                        "there is no replay \"%.*s\"", (int)name.len, name.data);
	if (look.ended)
		return sluice_error_set(error, SLUICE_ERR_CONFLICT, SIZE_MAX, "$.name",
		                        "it has ended: %s", sluice_replay_state_name(look.state));
	struct data_replay_order *order = calloc(1, sizeof *order);
	if (!order)
		return sluice_out_of_memory(error);
	order->order = wanted;
	snprintf(order->name, sizeof order->name, "%.*s", (int)name.len, name.data);
	status = send_order(call, order, error);
	if (status == SLUICE_OK)
		sluice_buffer_append_text(call->data, "{}");
	return status;
}

static enum sluice_status run_pause(struct command_call *call, struct sluice_error *error)
{
	return change(call, REPLAY_PAUSE, error);
}

static enum sluice_status run_resume(struct command_call *call, struct sluice_error *error)
{
	return change(call, REPLAY_RESUME, error);
}

static enum sluice_status run_cancel(struct command_call *call, struct sluice_error *error)
{
	return change(call, REPLAY_CANCEL, error);
}

/* --- listReplays --- */

static void write_rules(struct sluice_buffer *data, struct sluice_str rules)
{
	const char *at = rules.data + 1, *end = rules.data + rules.len;
	data_key(data, "rules");
	sluice_buffer_append(data, "[", 1);
	while (at < end) {
		const char *space = memchr(at, ' ', (size_t)(end - at));
		if (!space)
			break;
		if (at > rules.data + 1)
			sluice_buffer_append(data, ",", 1);
		sluice_json_write_string(data, (struct sluice_str){ at, (size_t)(space - at) });
		at = space + 1;
	}
	sluice_buffer_append(data, "]", 1);
}

static bool write_replay(void *arg, const struct sluice_replay *replay)
{
	struct sluice_buffer *data = arg;
	sluice_buffer_append_text(data, data->data[data->len - 1] == '[' ? "{" : ",{");
	data_string(data, "name", replay->name);
	data_string(data, "bus", replay->bus);
	data_time(data, "from", replay->from_ms);
	data_time(data, "to", replay->to_ms);
	if (replay->rules.len > 1)
		write_rules(data, replay->rules);
	if (replay->topic.data)
		data_string(data, "topic", replay->topic);
	if (replay->speed_milli == 0) {
		data_string(data, "speed", SLUICE_STR("max"));
	} else {
		data_key(data, "speed");
		sluice_buffer_printf(data, "%.10g", (double)replay->speed_milli / 1000);
	}
	data_string(data, "state", sluice_str(sluice_replay_state_name(replay->state)));
	data_integer(data, "total", (int64_t)replay->total);
	data_integer(data, "done", (int64_t)replay->done);
	data_integer(data, "matched", (int64_t)replay->matched);
	data_time(data, "started", replay->started_ms);
	data_time(data, "ended", replay->ended_ms);
	sluice_buffer_append(data, "}", 1);
	return true;
}

static enum sluice_status run_list(struct command_call *call, struct sluice_error *error)
{
	struct sluice_data *data = NULL;
	enum sluice_status status = call_data(call, &data, error);
	if (status != SLUICE_OK && status != SLUICE_ERR_NOT_FOUND)
		return status;
	sluice_buffer_append_text(call->data, "{\"replays\":[");
	status = data ? sluice_replay_each(data, call_string(call, "name"), write_replay,
	                                   call->data, error)
	              : SLUICE_OK;
	if (status != SLUICE_OK)
		call_data_failed(call);
	sluice_buffer_append_text(call->data, "]}");
	return status;
}

const struct command command_start_replay = {
	.name = "startReplay",
	.run = run_start,
	.members = { { "name", MEMBER_NAME, false, 0, 0 },
	             { "bus", MEMBER_NAME, false, 0, 0 },
	             { "from", MEMBER_ANY, false, 0, 0 },
	             { "to", MEMBER_ANY, false, 0, 0 },
	             { "rules", MEMBER_ARRAY, false, 0, 0 },
	             { "topic", MEMBER_STRING, false, 0, 0 },
	             { "speed", MEMBER_ANY, false, 0, 0 } },
};

const struct command command_list_replays = {
	.name = "listReplays",
	.view = true,
	.run = run_list,
	.members = { { "name", MEMBER_NAME, false, 0, 0 } },
};

#define CHANGE(the_name, the_run)                                                                  \
	{                                                                                          \
		.name = (the_name), .run = (the_run),                                              \
		.members = { { "name", MEMBER_NAME, true, 0, 0 } },                                \
	}

const struct command command_pause_replay = CHANGE("pauseReplay", run_pause);
const struct command command_resume_replay = CHANGE("resumeReplay", run_resume);
const struct command command_cancel_replay = CHANGE("cancelReplay", run_cancel);

#undef CHANGE
