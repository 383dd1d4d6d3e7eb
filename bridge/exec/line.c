/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "line.h"

#include <stdlib.h>

#include "json_path.h"
#include "sluice/base64.h"
#include "sluice/rule.h"

static void write_member(struct sluice_buffer *out, const char *name, struct sluice_str value)
{
	sluice_buffer_append_text(out, name);
	sluice_json_write_string(out, value);
}

void line_write_event(const struct delivery *delivery, struct sluice_buffer *out)
{
	const struct sluice_vars *vars = &delivery->vars;
	const struct sluice_str payload = delivery->event.payload;
	char time[SLUICE_TIME_SIZE];

	write_member(out, "{\"id\":", vars->id);
	write_member(out, ",\"topic\":", delivery->event.topic);
	write_member(out, ",\"rule\":", vars->rule);
	write_member(out, ",\"time\":", sluice_str(sluice_time_format(vars->time_ms, time)));
	sluice_buffer_printf(out, ",\"attempt\":%u", (unsigned)delivery->attempt);
	if (payload.len > 0 &&
	    sluice_json_walk(payload, NULL, 0, NULL) != SLUICE_PAYLOAD_MALFORMED) {
		/* Without the white space, of which newlines are a part. */
		sluice_buffer_append_text(out, ",\"payload\":");
		sluice_json_write_compact(out, payload);
	} else {
		sluice_buffer_append_text(out, ",\"payload_base64\":\"");
		sluice_buffer_append_base64(out, payload);
		sluice_buffer_append_text(out, "\"");
	}
	sluice_buffer_append_text(out, "}\n");
}

static enum sluice_status wrong(const struct sluice_json *node, struct sluice_error *error,
                                const char *what)
{
	return sluice_json_error(node, error, SLUICE_ERR_INVALID, "%s", what);
}

static enum sluice_status read_bool(const struct sluice_json *node, bool *value,
                                    struct sluice_error *error)
{
	if (!node)
		return SLUICE_OK;
	if (node->type != SLUICE_JSON_TRUE && node->type != SLUICE_JSON_FALSE)
		return wrong(node, error, "must be true or false");
	*value = node->type == SLUICE_JSON_TRUE;
	return SLUICE_OK;
}

static enum sluice_status read_payload(const struct sluice_json *root, struct line_answer *answer,
                                       struct sluice_error *error)
{
	const struct sluice_json *payload = sluice_json_get(root, "payload");
	const struct sluice_json *base64 = sluice_json_get(root, "payload_base64");
	size_t len;

	if (payload && payload->type != SLUICE_JSON_NULL)
		answer->payload =
		        payload->type == SLUICE_JSON_STRING ? payload->string : payload->raw;
	if (!base64)
		return SLUICE_OK;
	if (base64->type != SLUICE_JSON_STRING || answer->payload.data)
		return wrong(base64, error, "must be base64, without a \"payload\" beside it");
	answer->decoded = malloc(base64->string.len + 1);
	if (!answer->decoded)
		return sluice_out_of_memory(error);
	if (!sluice_base64_decode(base64->string, answer->decoded, &len))
		return wrong(base64, error, "must be base64");
	answer->payload = (struct sluice_str){ answer->decoded, len };
	return SLUICE_OK;
}

static enum sluice_status read_members(const struct sluice_json *root, struct line_answer *answer,
                                       struct sluice_error *error)
{
	const struct sluice_json *id = sluice_json_get(root, "id");
	const struct sluice_json *ok = sluice_json_get(root, "ok");
	const struct sluice_json *why = sluice_json_get(root, "error");
	const struct sluice_json *delay = sluice_json_get(root, "delay_ms");
	enum sluice_status status;

	if (!id || id->type != SLUICE_JSON_STRING || !ok)
		return wrong(root, error, "an answer must have an \"id\" and \"ok\"");
	answer->id = id->string;
	if ((status = read_bool(ok, &answer->ok, error)) ||
	    (status = read_bool(sluice_json_get(root, "retry"), &answer->retry, error)))
		return status;
	if (why && why->type != SLUICE_JSON_STRING)
		return wrong(why, error, "must be a string");
	if (why)
		answer->error = why->string;
	if (delay && !sluice_json_integer(delay, 0, LINE_MAX_DELAY_MS, &answer->delay_ms))
		return wrong(delay, error, "must be a number of milliseconds");
	return read_payload(root, answer, error);
}

enum sluice_status line_read_answer(struct sluice_str line, struct line_answer *answer,
                                    struct sluice_error *error)
{
	enum sluice_status status;

	*answer = (struct line_answer){ .retry = true, .delay_ms = DELIVERY_NO_HINT };
	status = sluice_json_parse(line, SLUICE_JSON_UNIQUE_KEYS, LINE_MAX_DEPTH, &answer->doc,
	                           error);
	if (status == SLUICE_OK)
		status = read_members(sluice_json_root(answer->doc), answer, error);
	if (status)
		line_answer_finish(answer);
	return status;
}

void line_answer_finish(struct line_answer *answer)
{
	sluice_json_destroy(answer->doc);
	free(answer->decoded);
	*answer = (struct line_answer){ 0 };
}
