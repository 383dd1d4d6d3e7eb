/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "request.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include <curl/curl.h>

#include "cloudevents.h"
#include "sluice/base64.h"
#include "sluice/text_template.h"

enum cloudevents { CLOUDEVENTS_NONE, CLOUDEVENTS_STRUCTURED, CLOUDEVENTS_BINARY };

struct named {
	char *name;
	struct sluice_text_template *value;
};

struct named_list {
	struct named *items;
	size_t count;
};

struct http_request {
	const char *method;
	struct sluice_text_template *url;
	struct named_list headers, query;
	struct sluice_text_template *body_text; /* one of them, or none: the payload */
	struct sluice_transform *body_transform;
	enum sluice_encoding body_encoding;
	struct sluice_str content_type; /* owned; absent = as the event says */
	enum cloudevents cloudevents;
	bool batch;
};

/* --- compiling --- */

static void list_finish(struct named_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].name);
		sluice_text_template_destroy(list->items[i].value);
	}
	free(list->items);
}

void http_request_destroy(struct http_request *request)
{
	if (!request)
		return;
	sluice_text_template_destroy(request->url);
	sluice_text_template_destroy(request->body_text);
	sluice_transform_destroy(request->body_transform);
	list_finish(&request->headers);
	list_finish(&request->query);
	free((char *)request->content_type.data);
	free(request);
}

static enum sluice_status compile_list(const struct sluice_json *object, struct named_list *list,
                                       struct sluice_error *error)
{
	if (!object || object->count == 0)
		return SLUICE_OK;
	list->items = calloc(object->count, sizeof(*list->items));
	if (!list->items)
		return sluice_out_of_memory(error);
	for (const struct sluice_json *at = object->first; at; at = at->next) {
		struct named *named = &list->items[list->count++];
		named->name = strndup(at->key.data, at->key.len);
		if (!named->name)
			return sluice_out_of_memory(error);
		enum sluice_status status =
		        sluice_text_template_compile(at->string, &named->value, error);
		if (status)
			return status;
	}
	return SLUICE_OK;
}

/* Those that say where the body ends, and to whom it goes, are not an author's to say. */
static enum sluice_status check_headers(const struct sluice_json *headers,
                                        struct sluice_error *error)
{
	static const char *const refused[] = { "content-length", "transfer-encoding", "connection",
		                               "host", "expect" };
	for (const struct sluice_json *at = headers ? headers->first : NULL; at; at = at->next) {
		if (!http_is_token(at->key))
			return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
			                        "\"%.*s\" can't be the name of a header",
			                        (int)at->key.len, at->key.data);
		for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
			if (at->key.len == strlen(refused[i]) &&
			    strncasecmp(at->key.data, refused[i], at->key.len) == 0)
				return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
				                        "the header %s is the bridge's to say",
				                        refused[i]);
		}
	}
	return SLUICE_OK;
}

/* How values are encoded in a body that is a text template. */
static enum sluice_encoding encoding_of(struct sluice_str type)
{
	static const char form[] = "application/x-www-form-urlencoded", html[] = "text/html";
	if (content_type_is_json(type))
		return SLUICE_ENCODE_STRING;
	if (type.len >= sizeof(form) - 1 && strncasecmp(type.data, form, sizeof(form) - 1) == 0)
		return SLUICE_ENCODE_URL;
	if (type.len >= sizeof(html) - 1 && strncasecmp(type.data, html, sizeof(html) - 1) == 0)
		return SLUICE_ENCODE_HTML;
	return SLUICE_ENCODE_NONE;
}

static bool looks_like_json(struct sluice_str template)
{
	size_t i = 0;
	while (i < template.len && strchr(" \t\r\n", template.data[i]) && template.data[i])
		i++;
	return i < template.len &&
	       (template.data[i] == '[' || template.data[i] == '"' ||
	        (i + 1 < template.len && template.data[i] == '{' && template.data[i + 1] == '{'));
}

static enum sluice_status compile_body(struct http_request *request, const struct sluice_json *body,
                                       struct sluice_error *error)
{
	if (!body)
		return SLUICE_OK;
	if (body->type == SLUICE_JSON_OBJECT)
		return sluice_transform_from_json(body, &request->body_transform, error);
	request->body_encoding = encoding_of(request->content_type);
	if (!request->content_type.data && looks_like_json(body->string))
		request->body_encoding = SLUICE_ENCODE_STRING;
	return sluice_text_template_compile(body->string, &request->body_text, error);
}

/* An address without variables can be looked at now. */
static enum sluice_status check_url(const struct http_request *request, struct sluice_error *error)
{
	struct sluice_str constant = sluice_text_template_constant(request->url);
	char *url = constant.data ? strndup(constant.data, constant.len) : NULL;
	if (!constant.data)
		return SLUICE_OK;
	CURLU *parsed = curl_url();
	CURLUcode code = CURLUE_OUT_OF_MEMORY;
	if (url && parsed)
		code = curl_url_set(parsed, CURLUPART_URL, url, CURLU_DISALLOW_USER);
	curl_url_cleanup(parsed);
	free(url);
	if (code == CURLUE_OUT_OF_MEMORY)
		return sluice_out_of_memory(error);
	if (code == CURLUE_USER_NOT_ALLOWED)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "url: a user's name and password belong in a connection "
		                        "of the kind \"basic\"");
	return code == CURLUE_OK ? SLUICE_OK
	                         : sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
	                                            "url: %s", curl_url_strerror(code));
}

static enum sluice_status compile(struct http_request *request,
                                  const struct sluice_bridge_kind *kind,
                                  const struct sluice_json *settings, struct sluice_error *error)
{
	/* In the order of the table's choices. */
	static const char *const methods[] = { "POST", "GET", "PUT", "PATCH", "DELETE" };
	const struct sluice_json *headers = sluice_setting_node(settings, "headers");
	struct sluice_str type = sluice_setting_text(settings, "content_type");
	request->method = methods[sluice_setting_choice(kind, settings, "method")];
	request->cloudevents =
	        (enum cloudevents)sluice_setting_choice(kind, settings, "cloudevents");
	if (request->batch && request->cloudevents == CLOUDEVENTS_BINARY)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "CloudEvents in headers (\"binary\") can't go in batches");
	if (type.data) {
		char *copy = strndup(type.data, type.len);
		if (!copy)
			return sluice_out_of_memory(error);
		request->content_type = sluice_str(copy);
		if (!http_is_value(type))
			return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
			                        "content_type holds a control character");
	}
	enum sluice_status status = sluice_text_template_compile(
	        sluice_setting_text(settings, "url"), &request->url, error);
	if (!status)
		status = check_url(request, error);
	if (!status)
		status = check_headers(headers, error);
	if (!status)
		status = compile_list(headers, &request->headers, error);
	if (!status)
		status = compile_list(sluice_setting_node(settings, "query"), &request->query,
		                      error);
	if (!status)
		status = compile_body(request, sluice_setting_node(settings, "body"), error);
	return status;
}

enum sluice_status http_request_create(const struct sluice_bridge_kind *kind,
                                       const struct sluice_json *settings, bool batch,
                                       struct http_request **request, struct sluice_error *error)
{
	*request = NULL;
	struct http_request *made = calloc(1, sizeof(*made));
	if (!made)
		return sluice_out_of_memory(error);
	made->batch = batch;
	enum sluice_status status = compile(made, kind, settings, error);
	if (status)
		http_request_destroy(made);
	else
		*request = made;
	return status;
}

/* --- making --- */

static enum sluice_status named_error(const char *what, struct sluice_error *error)
{
	struct sluice_error inner = *error;
	return sluice_error_set(error, inner.code, SIZE_MAX, NULL, "%s: %s", what, inner.message);
}

static enum sluice_status make_url(const struct http_request *request,
                                   const struct sluice_vars *vars, struct http_message *message,
                                   struct sluice_error *error)
{
	struct sluice_buffer value = { .limit = HTTP_URL_MAX };
	enum sluice_status status = sluice_text_template_expand(
	        request->url, vars, SLUICE_ENCODE_URL, &message->url, error);
	if (status)
		return named_error("url", error);
	/* What is behind a '#' is not sent, and would swallow the query. */
	const char *fragment =
	        message->url.len ? memchr(message->url.data, '#', message->url.len) : NULL;
	if (fragment) {
		message->url.len = (size_t)(fragment - message->url.data);
		message->url.data[message->url.len] = '\0';
	}
	for (size_t i = 0; i < request->query.count && !status; i++) {
		sluice_buffer_reset(&value);
		status = sluice_text_template_expand(request->query.items[i].value, vars,
		                                     SLUICE_ENCODE_NONE, &value, error);
		if (!status)
			http_message_query(message, sluice_str(request->query.items[i].name),
			                   sluice_buffer_str(&value));
		else
			named_error(request->query.items[i].name, error);
	}
	sluice_buffer_finish(&value);
	return status;
}

static enum sluice_status make_headers(const struct http_request *request,
                                       const struct sluice_vars *vars, struct http_message *message,
                                       struct sluice_error *error)
{
	struct sluice_buffer value = { .limit = HTTP_HEADERS_MAX };
	enum sluice_status status = SLUICE_OK;
	for (size_t i = 0; i < request->headers.count && !status; i++) {
		const struct named *header = &request->headers.items[i];
		sluice_buffer_reset(&value);
		status = sluice_text_template_expand(header->value, vars, SLUICE_ENCODE_LINE,
		                                     &value, error);
		if (status)
			named_error(header->name, error);
		else if (!http_is_value(sluice_buffer_str(&value)))
			status = sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
			                          "%s: the header holds a control character",
			                          header->name);
		else
			http_message_header(message, header->name, sluice_buffer_str(&value));
	}
	sluice_buffer_finish(&value);
	return status;
}

/* What goes of one event: the payload, or what the body makes of it. Appended to `made` when it is
 * made. */
static enum sluice_status make_payload(const struct http_request *request,
                                       const struct sluice_vars *vars, struct sluice_buffer *made,
                                       struct sluice_str *payload, struct sluice_error *error)
{
	enum sluice_status status = SLUICE_OK;
	if (request->body_text)
		status = sluice_text_template_expand(request->body_text, vars,
		                                     request->body_encoding, made, error);
	else if (request->body_transform)
		status = sluice_transform_apply(request->body_transform, vars, made, error);
	if (status)
		return named_error("body", error);
	*payload = request->body_text || request->body_transform ? sluice_buffer_str(made)
	                                                         : vars->event->payload;
	return SLUICE_OK;
}

/* The media type of one event's payload. Absent when nothing says one. */
static struct sluice_str type_of(const struct http_request *request,
                                 const struct delivery *delivery, struct sluice_str payload)
{
	const struct sluice_event *event = &delivery->event;
	bool made = request->body_text || request->body_transform;
	if (request->content_type.data)
		return request->content_type;
	if (!made && event->content_type.len > 0 && http_is_value(event->content_type))
		return event->content_type;
	if (text_is_json(payload))
		return SLUICE_STR("application/json");
	if (made || event->payload_format == 1)
		return SLUICE_STR("text/plain; charset=utf-8");
	return (struct sluice_str){ NULL, 0 };
}

static void append_member(struct sluice_buffer *out, const char *name, struct sluice_str value)
{
	if (value.len == 0)
		return;
	sluice_buffer_printf(out, ",\"%s\":", name);
	sluice_json_write_string(out, value);
}

/* As an element of a queue's batch, without the receipt: docs/queues.md, "Batches". */
static void write_element(const struct delivery *delivery, struct sluice_str payload,
                          struct sluice_buffer *out)
{
	sluice_buffer_printf(out, "{\"attempt\":%" PRIu32, delivery->attempt);
	append_member(out, "id", delivery->vars.id);
	append_member(out, "rule", delivery->vars.rule);
	append_member(out, "topic", delivery->event.topic);
	if (text_is_json(payload)) {
		sluice_buffer_append_text(out, ",\"event\":");
		sluice_buffer_append_str(out, payload);
	} else {
		sluice_buffer_append_text(out, ",\"event_base64\":\"");
		sluice_buffer_append_base64(out, payload);
		sluice_buffer_append_text(out, "\"");
	}
	sluice_buffer_append_text(out, "}");
}

static enum sluice_status write_event(const struct http_request *request,
                                      const struct delivery *delivery, struct sluice_buffer *out,
                                      struct sluice_error *error)
{
	struct sluice_buffer made = { .limit = HTTP_BODY_MAX };
	struct sluice_str payload;
	enum sluice_status status = make_payload(request, &delivery->vars, &made, &payload, error);
	if (!status && request->cloudevents == CLOUDEVENTS_STRUCTURED)
		cloudevent_write(delivery, payload, type_of(request, delivery, payload), out);
	else if (!status)
		write_element(delivery, payload, out);
	sluice_buffer_finish(&made);
	return status;
}

static enum sluice_status make_batch(const struct http_request *request,
                                     struct delivery *const *deliveries, size_t count,
                                     struct sluice_buffer *out, struct sluice_error *error)
{
	enum sluice_status status = SLUICE_OK;
	sluice_buffer_append_text(out, "[");
	for (size_t i = 0; i < count && !status; i++) {
		if (i > 0)
			sluice_buffer_append_text(out, ",");
		status = write_event(request, deliveries[i], out, error);
	}
	sluice_buffer_append_text(out, "]");
	return status;
}

static void say_type(struct http_message *message, struct sluice_str type)
{
	if (!http_message_find(message, "Content-Type"))
		http_message_header(message, "Content-Type",
		                    type.data ? type : SLUICE_STR("application/octet-stream"));
}

/* What a GET or DELETE has is in its address; a body it has only when one was asked for. */
static bool has_no_body(const struct http_request *request)
{
	return !request->batch && request->cloudevents != CLOUDEVENTS_STRUCTURED &&
	       !request->body_text && !request->body_transform &&
	       (strcmp(request->method, "GET") == 0 || strcmp(request->method, "DELETE") == 0);
}

static enum sluice_status make_body(const struct http_request *request,
                                    struct delivery *const *deliveries, size_t count,
                                    struct http_message *message, struct sluice_error *error)
{
	const struct delivery *first = deliveries[0];
	bool structured = request->cloudevents == CLOUDEVENTS_STRUCTURED;
	enum sluice_status status;
	if (has_no_body(request))
		return SLUICE_OK;
	if (request->batch) {
		say_type(message, structured ? SLUICE_STR("application/cloudevents-batch+json")
		                             : SLUICE_STR("application/json"));
		return make_batch(request, deliveries, count, &message->body, error);
	}
	if (structured) {
		say_type(message, SLUICE_STR("application/cloudevents+json; charset=utf-8"));
		return write_event(request, first, &message->body, error);
	}
	struct sluice_str payload;
	status = make_payload(request, &first->vars, &message->body, &payload, error);
	if (status)
		return status;
	say_type(message, type_of(request, first, payload));
	if (!request->body_text && !request->body_transform)
		sluice_buffer_append_str(&message->body, payload);
	return SLUICE_OK;
}

static void add_header(struct http_message *message, const char *name, struct sluice_str value)
{
	if (value.len > 0 && http_is_value(value) && !http_message_find(message, name))
		http_message_header(message, name, value);
}

void http_add_event_headers(const struct delivery *delivery, struct http_message *message)
{
	char attempt[16];
	snprintf(attempt, sizeof(attempt), "%" PRIu32, delivery->attempt);
	add_header(message, "Idempotency-Key", delivery->vars.id);
	add_header(message, "sluice-id", delivery->vars.id);
	add_header(message, "sluice-topic", delivery->event.topic);
	add_header(message, "sluice-attempt", sluice_str(attempt));
}

enum sluice_status http_request_make(const struct http_request *request,
                                     struct delivery *const *deliveries, size_t count,
                                     struct http_message *message, struct sluice_error *error)
{
	const struct delivery *first = deliveries[0];
	message->method = request->method;
	if (http_is_value(first->vars.id))
		sluice_buffer_append_str(&message->id, first->vars.id);
	enum sluice_status status = make_url(request, &first->vars, message, error);
	if (!status)
		status = make_headers(request, &first->vars, message, error);
	if (!status)
		status = make_body(request, deliveries, count, message, error);
	if (!status && message->url.len == 0)
		status = sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                          "url: it is empty");
	if (status)
		return status;
	if (!request->batch)
		http_add_event_headers(first, message);
	if (request->cloudevents == CLOUDEVENTS_BINARY)
		cloudevent_headers(first, message);
	const struct sluice_buffer *buffers[] = { &message->url, &message->headers, &message->body,
		                                  &message->id };
	for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
		if (buffers[i]->over_limit)
			return sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, NULL,
			                        "the request is too large");
		if (buffers[i]->failed)
			return sluice_out_of_memory(error);
	}
	return SLUICE_OK;
}
