/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#define _GNU_SOURCE /* memmem */
#include "webhook.h"

#include <stdlib.h>

#include "../source.h"

static const char *const default_methods[] = { "POST", "PUT" };
/* What GitHub says of an event beside its body. */
static const char *const github_headers[] = { "X-GitHub-Event", "X-GitHub-Delivery" };

/* The path without a '/' at its end. */
static enum sluice_status read_path(struct webhook *webhook, struct sluice_str path,
                                    struct sluice_error *error)
{
	if (path.len == 0 || path.data[0] != '/' || memchr(path.data, '\0', path.len) ||
	    memchr(path.data, '?', path.len))
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "\"path\" must begin with \"/\", and hold no \"?\"");
	while (path.len > 0 && path.data[path.len - 1] == '/')
		path.len--;
	webhook->path = strndup(path.data, path.len);
	return webhook->path ? SLUICE_OK : sluice_out_of_memory(error);
}

/* RFC 9110, 5.6.2 */
static bool is_token(struct sluice_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      (c && strchr("!#$%&'*+-.^_`|~", c))))
			return false;
	}
	return text.len > 0;
}

/* Copies a list of tokens; `otherwise` when there is none. */
static enum sluice_status read_tokens(const struct sluice_json *node, const char *what,
                                      const char *const *otherwise, size_t otherwise_count,
                                      const char **list, size_t max, size_t *count,
                                      struct sluice_error *error)
{
	size_t wanted = node ? node->count : otherwise_count;
	const struct sluice_json *item = node ? node->first : NULL;
	if (wanted > max)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, NULL,
		                        "there are more than %zu %s", max, what);
	for (; *count < wanted; (*count)++, item = item ? item->next : NULL) {
		struct sluice_str text = item ? item->string : sluice_str(otherwise[*count]);
		if (!is_token(text))
			return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
			                        "among the %s is none: \"%.*s\"", what,
			                        (int)text.len, text.data);
		list[*count] = strndup(text.data, text.len);
		if (!list[*count])
			return sluice_out_of_memory(error);
	}
	return SLUICE_OK;
}

static enum sluice_status read_lists(struct webhook *webhook, const struct sluice_json *settings,
                                     struct sluice_error *error)
{
	const bool github = access_is_signed_by(webhook->access, SIGNATURE_GITHUB);
	enum sluice_status status =
	        read_tokens(sluice_setting_node(settings, "methods"), "methods", default_methods, 2,
	                    webhook->methods, WEBHOOK_METHODS_MAX, &webhook->method_count, error);
	return status ? status
	              : read_tokens(sluice_setting_node(settings, "headers"), "headers",
	                            github_headers, github ? 2 : 0, webhook->headers,
	                            WEBHOOK_HEADERS_MAX, &webhook->header_count, error);
}

static struct MHD_Response *make_answer(const char *text, const char *header, const char *value)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
	        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
	if (response && (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
	                                         "application/json") != MHD_YES ||
	                 MHD_add_response_header(response, header, value) != MHD_YES)) {
		MHD_destroy_response(response);
		return NULL;
	}
	return response;
}

static enum sluice_status make_answers(struct webhook *webhook, struct sluice_error *error)
{
	struct sluice_buffer allow = { 0 };
	const char *challenge = access_challenge(webhook->access);
	for (size_t i = 0; i < webhook->method_count; i++) {
		sluice_buffer_append_text(&allow, i > 0 ? ", " : "");
		sluice_buffer_append_text(&allow, webhook->methods[i]);
	}
	if (!allow.failed)
		webhook->not_allowed = make_answer("{\"error\":\"method not allowed\"}\n",
		                                   MHD_HTTP_HEADER_ALLOW, allow.data);
	if (challenge)
		webhook->who = make_answer("{\"error\":\"unauthorized\"}\n",
		                           MHD_HTTP_HEADER_WWW_AUTHENTICATE, challenge);
	sluice_buffer_finish(&allow);
	return webhook->not_allowed && (webhook->who || !challenge) ? SLUICE_OK
	                                                            : sluice_out_of_memory(error);
}

/* Whether the topic is made of the request's path: then a request to the very path has none. */
static bool needs_topic(struct sluice_str topic)
{
	static const char variable[] = "{topic";
	return memmem(topic.data, topic.len, variable, sizeof variable - 1) != NULL;
}

static void webhook_free(struct webhook *webhook)
{
	struct webhook_publish *at = webhook->publishes, *next;
	for (; at; at = next) {
		next = at->next;
		free(at);
	}
	for (size_t i = 0; i < webhook->method_count; i++)
		free((char *)(uintptr_t)webhook->methods[i]);
	for (size_t i = 0; i < webhook->header_count; i++)
		free((char *)(uintptr_t)webhook->headers[i]);
	if (webhook->not_allowed)
		MHD_destroy_response(webhook->not_allowed);
	if (webhook->who)
		MHD_destroy_response(webhook->who);
	access_destroy(webhook->access);
	seen_finish(&webhook->seen);
	free(webhook->path);
	free(webhook);
}

static struct inlet *open_webhook(const struct inlet_context *context, struct sluice_error *error)
{
	const struct sluice_bridge_source *definition = context->definition;
	const struct sluice_json *settings = definition->settings;
	struct webhook *webhook = calloc(1, sizeof *webhook);
	if (!webhook) {
		sluice_out_of_memory(error);
		return NULL;
	}
	webhook->inlet.kind = &inlet_webhook;
	webhook->source = context->source;
	webhook->name = definition->name;
	webhook->needs_topic = needs_topic(definition->topic);
	webhook->max_bytes =
	        (size_t)sluice_setting_integer(definition->kind, settings, "max_bytes");
	webhook->tolerance_s = sluice_setting_integer(definition->kind, settings, "tolerance_s");
	webhook->timeout_s = sluice_setting_integer(definition->kind, settings, "timeout_s");
	webhook->access = access_create(context->credentials, error);
	enum sluice_status status = webhook->access ? SLUICE_OK : SLUICE_ERR_INVALID;
	if (!status && credentials_setting(context->credentials, "ca_file").data)
		status = sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                          "a webhook asks for no certificates: its connection must "
		                          "have no ca_file");
	if (!status)
		status = read_path(webhook, sluice_setting_text(settings, "path"), error);
	if (!status)
		status = read_lists(webhook, settings, error);
	if (!status)
		status = make_answers(webhook, error);
	if (!status)
		status = listener_join(
		        webhook, context->loop, sluice_setting_text(settings, "listen"),
		        credentials_setting(context->credentials, "cert_file"),
		        credentials_setting(context->credentials, "key_file"), error);
	if (status == SLUICE_OK) {
		source_trouble(context->source, NULL);
		return &webhook->inlet;
	}
	webhook_free(webhook);
	return NULL;
}

static void close_webhook(struct inlet *inlet)
{
	struct webhook *webhook = (struct webhook *)inlet;
	listener_leave(webhook);
	webhook_free(webhook);
}

void webhook_expire(struct webhook *webhook, int64_t before_ms)
{
	struct request *next;
	for (struct request *at = webhook->requests; at; at = next) {
		next = request_next(at);
		request_expire(at, before_ms);
	}
}

const struct inlet_kind inlet_webhook = {
	.name = "webhook",
	.open = open_webhook,
	.close = close_webhook,
};
