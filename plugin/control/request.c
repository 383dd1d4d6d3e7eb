/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "request.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "command.h"
#include "control.h"

/* --- checking a command's members --- */

static bool of_type(const struct sluice_json *json, const struct member *member)
{
	int64_t number;
	switch (member->type) {
	case MEMBER_NAME:
		return json->type == SLUICE_JSON_STRING && sluice_name_valid(json->string);
	case MEMBER_STRING:
		return json->type == SLUICE_JSON_STRING;
	case MEMBER_BOOL:
		return json->type == SLUICE_JSON_TRUE || json->type == SLUICE_JSON_FALSE;
	case MEMBER_INTEGER:
		return sluice_json_integer(json, member->min, member->max, &number);
	case MEMBER_OBJECT:
		return json->type == SLUICE_JSON_OBJECT;
	case MEMBER_ARRAY:
		return json->type == SLUICE_JSON_ARRAY;
	case MEMBER_ANY:
		return true;
	}
	return false;
}

static enum sluice_status wrong_type(const struct member *member, struct sluice_error *error)
{
	char place[64], wanted[96];
	snprintf(place, sizeof place, "$.%s", member->name);
	switch (member->type) {
	case MEMBER_NAME:
		snprintf(wanted, sizeof wanted, "a name: 1 to 64 of A-Z a-z 0-9 . _ -");
		break;
	case MEMBER_STRING:
		snprintf(wanted, sizeof wanted, "a string");
		break;
	case MEMBER_BOOL:
		snprintf(wanted, sizeof wanted, "true or false");
		break;
	case MEMBER_INTEGER:
		snprintf(wanted, sizeof wanted, "a whole number from %" PRId64 " to %" PRId64,
		         member->min, member->max);
		break;
	case MEMBER_OBJECT:
		snprintf(wanted, sizeof wanted, "an object");
		break;
	case MEMBER_ARRAY:
	case MEMBER_ANY:
		snprintf(wanted, sizeof wanted, "an array");
		break;
	}
	return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, place, "must be %s", wanted);
}

static const struct member *find_member(const struct command *command, struct sluice_str name)
{
	for (const struct member *member = command->members; member->name; member++) {
		if (sluice_str_equal(sluice_str(member->name), name))
			return member;
	}
	return NULL;
}

static enum sluice_status check_members(const struct command *command,
                                        const struct sluice_json *json, struct sluice_error *error)
{
	for (const struct sluice_json *at = json->first; at; at = at->next) {
		if (sluice_str_equal(at->key, SLUICE_STR("command")) ||
		    sluice_str_equal(at->key, SLUICE_STR("correlationData")))
			continue;
		const struct member *member = find_member(command, at->key);
		if (!member) {
			char place[96];
			snprintf(place, sizeof place, "$.%.*s",
			         (int)(at->key.len < 64 ? at->key.len : 64), at->key.data);
			return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, place,
			                        "unknown member of %s", command->name);
		}
		if (!of_type(at, member))
			return wrong_type(member, error);
	}
	for (const struct member *member = command->members; member->name; member++) {
		if (member->required && !sluice_json_get(json, member->name))
			return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
			                        "%s needs the member \"%s\"", command->name,
			                        member->name);
	}
	return SLUICE_OK;
}

/* --- running --- */

static enum sluice_status run_command(struct command_call *call, bool view,
                                      struct sluice_error *error)
{
	const struct sluice_json *name = sluice_json_get(call->json, "command");
	const struct sluice_json *correlation = sluice_json_get(call->json, "correlationData");
	if (!name || name->type != SLUICE_JSON_STRING)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.command",
		                        "must be the name of a command");
	if (correlation && correlation->type != SLUICE_JSON_STRING)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.correlationData",
		                        "must be a string");
	const struct command *command = command_find(name->string);
	if (!command)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.command",
		                        "unknown command \"%.*s\"",
		                        (int)(name->string.len < 64 ? name->string.len : 64),
		                        name->string.data);
	if (view && !command->view)
		return sluice_error_set(error, SLUICE_ERR_READ_ONLY, SIZE_MAX, "$.command",
		                        "%s changes something; its topic is " CONTROL_TOPIC,
		                        command->name);
	/* Nobody hears it any more, and what it asks for may cost much. A change is made all the
	 * same: mosquitto_pub goes as soon as it has sent one. */
	if (command->view && atomic_load_explicit(&call->asker->gone, memory_order_relaxed))
		return sluice_error_set(error, SLUICE_ERR_BUSY, SIZE_MAX, NULL, "disconnected");
	call->command = command;
	enum sluice_status status = check_members(command, call->json, error);
	return status == SLUICE_OK ? command->run(call, error) : status;
}

static void write_error(struct sluice_buffer *out, const struct sluice_error *error,
                        enum sluice_status status)
{
	data_string(out, "error", sluice_str(error->message));
	data_string(out, "code", sluice_str(sluice_status_name(status)));
	if (error->place[0] != '\0')
		data_string(out, "place", sluice_str(error->place));
}

static void write_response(struct store_thread *thread, const struct request_message *request,
                           const struct sluice_json *json, struct sluice_buffer *out)
{
	struct sluice_buffer data = { .limit = ANSWER_MAX };
	struct sluice_error error = { .message = "" };
	enum sluice_status status;
	sluice_buffer_append(out, "{", 1);
	if (json->type != SLUICE_JSON_OBJECT) {
		status = sluice_error_set(&error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                          "a command must be an object");
	} else {
		const struct sluice_json *name = sluice_json_get(json, "command");
		const struct sluice_json *correlation = sluice_json_get(json, "correlationData");
		if (name && name->type == SLUICE_JSON_STRING)
			data_string(out, "command", name->string);
		if (correlation && correlation->type == SLUICE_JSON_STRING)
			data_string(out, "correlationData", correlation->string);
		struct command_call call = {
			.thread = thread, .asker = request->asker, .json = json, .data = &data
		};
		status = run_command(&call, request->view, &error);
		if (status == SLUICE_OK && data.failed)
			status = sluice_error_set(
			        &error, data.over_limit ? SLUICE_ERR_LIMIT : SLUICE_ERR_NOMEM,
			        SIZE_MAX, NULL, "the answer is too large");
	}
	if (status == SLUICE_OK)
		data_raw(out, "data", sluice_buffer_str(&data));
	else
		write_error(out, &error, status);
	sluice_buffer_append(out, "}", 1);
	sluice_buffer_finish(&data);
}

/* The array of commands, or NULL with the reason. */
static const struct sluice_json *commands_of(const struct sluice_json *root,
                                             struct sluice_error *error)
{
	const struct sluice_json *commands = sluice_json_get(root, "commands");
	if (!commands || commands->type != SLUICE_JSON_ARRAY || root->count != 1) {
		sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$",
		                 "must be an object with the one member \"commands\", an array");
		return NULL;
	}
	if (commands->count > REQUEST_COMMANDS_MAX) {
		sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, "$.commands",
		                 "more than %d commands in one message", REQUEST_COMMANDS_MAX);
		return NULL;
	}
	return commands;
}

static void write_responses(struct store_thread *thread, const struct request_message *request,
                            struct sluice_buffer *out)
{
	struct sluice_json_doc *doc = NULL;
	struct sluice_error error = { .message = "" };
	const struct sluice_json *commands = NULL;
	enum sluice_status status =
	        sluice_json_parse((struct sluice_str){ request->payload, request->len },
	                          SLUICE_JSON_UNIQUE_KEYS, REQUEST_NESTING_MAX, &doc, &error);
	if (status == SLUICE_OK)
		commands = commands_of(sluice_json_root(doc), &error);
	sluice_buffer_append_text(out, "{\"responses\":[");
	if (!commands) {
		sluice_buffer_append(out, "{", 1);
		write_error(out, &error, error.code);
		sluice_buffer_append(out, "}", 1);
	} else {
		for (const struct sluice_json *at = commands->first; at; at = at->next) {
			if (at->index > 0)
				sluice_buffer_append(out, ",", 1);
			write_response(thread, request, at, out);
		}
	}
	sluice_buffer_append_text(out, "]}");
	sluice_json_destroy(doc);
}

void request_run(struct store_thread *thread, const struct request_message *request)
{
	static const char too_large[] =
	        "{\"responses\":[{\"error\":\"the answer is too large\",\"code\":\"limit\"}]}";
	static const char no_memory[] =
	        "{\"responses\":[{\"error\":\"out of memory\",\"code\":\"no-memory\"}]}";
	struct sluice_buffer out = { .limit = ANSWER_MAX };
	write_responses(thread, request, &out);
	struct sluice_str text = sluice_buffer_str(&out);
	if (out.failed)
		text = out.over_limit ? SLUICE_STR(too_large) : SLUICE_STR(no_memory);
	struct answer_message *answer;
	while (!(answer = malloc(sizeof *answer + text.len))) {
		/* Each request has its answer: the broker's thread counts them. This thread may
		 * wait. */
		text = SLUICE_STR(no_memory);
		nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000000L }, NULL);
	}
	*answer = (struct answer_message){ .message = { MESSAGE_ANSWER },
		                           .asker = request->asker->serial,
		                           .request_len = request->len,
		                           .len = text.len };
	snprintf(answer->topic, sizeof answer->topic, "%s/response",
	         request->view ? CONTROL_VIEW_TOPIC : CONTROL_TOPIC);
	memcpy(answer->payload, text.data, text.len);
	sluice_buffer_finish(&out);
	store_thread_emit(thread, &answer->message);
}
