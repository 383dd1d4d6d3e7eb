/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "control.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "output.h"

static const char *const request_topics[] = { "$CONTROL/sluice/v1", "$CONTROL/sluice-view/v1" };
static const char *const response_topics[] = { "$CONTROL/sluice/v1/response",
	                                       "$CONTROL/sluice-view/v1/response" };
static const char tap_prefix[] = "$CONTROL/sluice-view/v1/tap/";

struct control {
	struct connection *connection;
	unsigned long long asked;
	char correlation[64]; /* of the command that waits; "" when none does */
	const char *response_topic;
	struct answer answer; /* what came for it: `doc` set when it did */
	const struct sluice_json *response;
	bool memory_failed;
	int64_t patience_ms; /* beyond --timeout, for the next call */
	control_tap_fn tap;
	void *tap_arg;
};

void answer_finish(struct answer *answer)
{
	sluice_json_destroy(answer->doc);
	sluice_buffer_finish(&answer->text);
	*answer = (struct answer){ 0 };
}

void answer_next(const struct answer *answer, char after[SLUICE_NAME_MAX + 1])
{
	const struct sluice_json *next = sluice_json_get(answer->data, "next");
	bool more = next && next->string.data && next->string.len <= SLUICE_NAME_MAX;
	snprintf(after, SLUICE_NAME_MAX + 1, "%.*s", more ? (int)next->string.len : 0,
	         more ? next->string.data : "");
}

/* The response that carries our correlation data, or NULL: another's, or a late one. */
static const struct sluice_json *find_response(const struct control *control,
                                               const struct sluice_json *root)
{
	const struct sluice_json *responses = sluice_json_get(root, "responses");
	if (!responses || responses->type != SLUICE_JSON_ARRAY)
		return NULL;
	for (const struct sluice_json *entry = responses->first; entry; entry = entry->next) {
		const struct sluice_json *correlation = sluice_json_get(entry, "correlationData");
		if (correlation &&
		    sluice_str_equal(correlation->string, sluice_str(control->correlation)))
			return entry;
	}
	/* A message that could not be read at all is answered without correlation data. */
	if (responses->first && !responses->first->next &&
	    !sluice_json_get(responses->first, "correlationData") &&
	    sluice_json_get(responses->first, "error"))
		return responses->first;
	return NULL;
}

static void take_response(struct control *control, struct sluice_str payload)
{
	struct answer answer = { 0 };
	sluice_buffer_append_str(&answer.text, payload);
	if (answer.text.failed) {
		control->memory_failed = true;
		return;
	}
	if (sluice_json_parse(sluice_buffer_str(&answer.text), 0, SIZE_MAX, &answer.doc, NULL) ==
	    SLUICE_OK) {
		control->response = find_response(control, sluice_json_root(answer.doc));
		if (control->response) {
			control->answer = answer;
			return;
		}
	}
	answer_finish(&answer);
}

static void on_message(void *arg, const char *topic, struct sluice_str payload)
{
	struct control *control = arg;
	if (control->correlation[0] && !control->answer.doc &&
	    strcmp(topic, control->response_topic) == 0)
		take_response(control, payload);
	else if (control->tap && strncmp(topic, tap_prefix, sizeof(tap_prefix) - 1) == 0)
		control->tap(control->tap_arg, payload);
}

enum cli_exit control_open(const struct cli *cli, struct control **control,
                           struct sluice_error *error)
{
	*control = NULL;
	struct control *made = calloc(1, sizeof(*made));
	if (!made) {
		sluice_out_of_memory(error);
		return CLI_SYSTEM;
	}
	enum cli_exit code = connection_open(cli->args, on_message, made, &made->connection, error);
	if (code != CLI_OK) {
		free(made);
		return code;
	}
	*control = made;
	return CLI_OK;
}

enum cli_exit control_start(const struct cli *cli, struct control **control)
{
	struct sluice_error error;
	enum cli_exit code = control_open(cli, control, &error);
	if (code == CLI_USAGE)
		return fail_usage(cli, "%s", error.message);
	return code == CLI_OK ? CLI_OK : fail(cli, code, NULL, &error);
}

void control_close(struct control *control)
{
	if (!control)
		return;
	connection_close(control->connection);
	free(control);
}

/* The status that sluice_status_name calls so; SLUICE_ERR_INVALID for what it does not know. */
static enum sluice_status status_by_name(struct sluice_str name)
{
	for (int status = SLUICE_OK; status <= SLUICE_ERR_IO; status++)
		if (sluice_str_equal(name,
		                     sluice_str(sluice_status_name((enum sluice_status)status))))
			return (enum sluice_status)status;
	return SLUICE_ERR_INVALID;
}

enum cli_exit exit_of_store(enum sluice_status status)
{
	switch (status) {
	case SLUICE_OK:
		return CLI_OK;
	case SLUICE_ERR_NOMEM:
		return CLI_SYSTEM;
	case SLUICE_ERR_SYNTAX:
	case SLUICE_ERR_INVALID:
	case SLUICE_ERR_LIMIT:
		return CLI_INVALID;
	case SLUICE_ERR_NOT_FOUND:
		return CLI_NO;
	case SLUICE_ERR_CONFLICT:
		return CLI_CONFLICT;
	case SLUICE_ERR_BUSY:
	case SLUICE_ERR_READ_ONLY:
	case SLUICE_ERR_CORRUPT:
	case SLUICE_ERR_VERSION:
	case SLUICE_ERR_IO:
		return CLI_STORE;
	}
	return CLI_STORE;
}

static void copy_text(char *into, size_t size, const struct sluice_json *text)
{
	if (!text || text->type != SLUICE_JSON_STRING)
		return;
	snprintf(into, size, "%.*s", (int)(text->string.len < size ? text->string.len : size),
	         text->string.data);
}

/* What the plugin said, taken apart. */
static enum cli_exit read_response(struct control *control, struct answer *answer,
                                   struct sluice_error *error)
{
	const struct sluice_json *refusal = sluice_json_get(control->response, "error");
	const struct sluice_json *data = sluice_json_get(control->response, "data");
	if (refusal) {
		const struct sluice_json *name = sluice_json_get(control->response, "code");
		char place[sizeof(error->place)] = "", message[sizeof(error->message)] = "";
		enum sluice_status status =
		        status_by_name(name ? name->string : SLUICE_STR("invalid"));
		if (status == SLUICE_OK)
			status = SLUICE_ERR_INVALID;
		/* The gate's refusal is not about the rule. */
		bool gate = name && sluice_str_equal(name->string, SLUICE_STR("refused"));
		copy_text(message, sizeof(message), refusal);
		copy_text(place, sizeof(place), sluice_json_get(control->response, "place"));
		sluice_error_set(error, status, SIZE_MAX, place, "%s", message);
		answer_finish(&control->answer);
		if (gate)
			return CLI_BROKER;
		return exit_of_store(status);
	}
	if (!data || data->type != SLUICE_JSON_OBJECT) {
		answer_finish(&control->answer);
		sluice_error_set(error, SLUICE_ERR_SYNTAX, SIZE_MAX, NULL,
		                 "%s: the answer holds neither data nor an error",
		                 connection_title(control->connection));
		return CLI_BROKER;
	}
	*answer = control->answer;
	answer->data = data;
	control->answer = (struct answer){ 0 };
	return CLI_OK;
}

enum cli_exit control_call(struct control *control, enum control_topic topic, const char *command,
                           const struct sluice_buffer *members, struct answer *answer,
                           struct sluice_error *error)
{
	struct sluice_buffer request = { 0 };
	*answer = (struct answer){ 0 };
	snprintf(control->correlation, sizeof(control->correlation), "%ld-%llu", (long)getpid(),
	         ++control->asked);
	control->response_topic = response_topics[topic];
	control->memory_failed = false;
	sluice_buffer_printf(&request,
	                     "{\"commands\":[{\"command\":\"%s\",\"correlationData\":\"%s\"",
	                     command, control->correlation);
	if (members && members->len > 0) {
		sluice_buffer_append_text(&request, ",");
		sluice_buffer_append_str(&request, sluice_buffer_str(members));
	}
	sluice_buffer_append_text(&request, "}]}");
	enum cli_exit code = CLI_SYSTEM;
	if (request.failed || (members && members->failed))
		sluice_out_of_memory(error);
	else
		code = connection_publish(control->connection, request_topics[topic],
		                          sluice_buffer_str(&request), error);
	sluice_buffer_finish(&request);

	int64_t wait_ms = connection_timeout_ms(control->connection) + control->patience_ms;
	int64_t deadline = clock_ms() + wait_ms;
	control->patience_ms = 0;
	while (code == CLI_OK && !control->answer.doc) {
		int64_t left = deadline - clock_ms();
		if (control->memory_failed) {
			sluice_out_of_memory(error);
			code = CLI_SYSTEM;
		} else if (left <= 0) {
			sluice_error_set(
			        error, SLUICE_ERR_BUSY, SIZE_MAX, NULL,
			        "%s: no answer to %s within %lld s; is mosquitto_sluice.so loaded "
			        "there, and may this client use %s?",
			        connection_title(control->connection), command,
			        (long long)(wait_ms / 1000), request_topics[topic]);
			code = CLI_BROKER;
		} else {
			code = connection_step(control->connection, left > 1000 ? 1000 : (int)left,
			                       error);
		}
	}
	if (code == CLI_OK)
		code = read_response(control, answer, error);
	control->correlation[0] = '\0';
	return code;
}

void control_be_patient(struct control *control, int64_t more_ms)
{
	control->patience_ms = more_ms;
}

void control_on_tap(struct control *control, control_tap_fn fn, void *arg)
{
	control->tap = fn;
	control->tap_arg = arg;
}

enum cli_exit control_step(struct control *control, int wait_ms, struct sluice_error *error)
{
	return connection_step(control->connection, wait_ms, error);
}
