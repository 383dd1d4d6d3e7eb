/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The target kind push: notes for people by services of which each is a preset of http:
 * docs/bridge/push.md. */
#include "kinds.h"

#include <stdlib.h>

#include "http/request.h"
#include "http/sender.h"
#include "services.h"
#include "sluice/json.h"
#include "sluice/text_template.h"

enum {
	ANSWER_MAX = 4096,
	ANSWER_DEPTH = 32,
	TITLE_MAX = 250,
	TEXT_MAX = 1 << 20, /* before it is cut */
};

struct push {
	struct outlet outlet;
	const struct push_service *service;
	struct push_address address; /* texts of the target's definition, which outlives it */
	struct sluice_text_template *title, *message;
	int priority;
	struct sluice_buffer url; /* with the token where it has one: a secret */
	struct http_sender *sender;
};

static void push_free(struct push *push)
{
	http_sender_close(push->sender);
	sluice_text_template_destroy(push->title);
	sluice_text_template_destroy(push->message);
	if (push->url.data)
		explicit_bzero(push->url.data, push->url.len);
	sluice_buffer_finish(&push->url);
	free(push);
}

/* --- opening --- */

static const char *token_of(const struct credentials *credentials)
{
	const char *token = credentials_secret(credentials, "token");
	return token ? token : credentials_secret(credentials, "key");
}

/* The service's path, with what its variables stand for. Tokens stand there as they are: Slack's and
 * Discord's hold slashes. */
static void append_path(const struct push *push, const char *token, struct sluice_buffer *url)
{
	for (const char *at = push->service->path; *at;) {
		size_t len = strcspn(at, "{");
		sluice_buffer_append(url, at, len);
		at += len;
		if (strncmp(at, "{token}", 7) == 0)
			sluice_buffer_append_text(url, token);
		else if (strncmp(at, "{account}", 9) == 0)
			sluice_encode(push->address.account, SLUICE_ENCODE_URL, url);
		else if (strncmp(at, "{project}", 9) == 0)
			sluice_encode(push->address.project, SLUICE_ENCODE_URL, url);
		at += strcspn(at, "}");
		at += *at == '}';
	}
}

static enum sluice_status make_url(struct push *push, const struct outlet_context *context,
                                   struct sluice_error *error)
{
	const struct push_service *service = push->service;
	struct sluice_str said = sluice_setting_text(context->settings, "url");
	const char *token = service->token_in_path ? token_of(context->credentials) : NULL;
	if (!said.data && !service->url)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "%s needs the url of its server", service->name);
	while (said.len > 0 && said.data[said.len - 1] == '/')
		said.len--;
	if (service->token_in_path && !token) {
		/* Without a token, a url is the whole webhook's. */
		if (!said.data || strcmp(service->name, "telegram") == 0)
			return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
			                        "%s needs a connection of the kind \"bearer\", "
			                        "with its token",
			                        service->name);
		sluice_buffer_append_str(&push->url, said);
	} else {
		sluice_buffer_append_str(&push->url, said.data ? said : sluice_str(service->url));
		append_path(push, token, &push->url);
	}
	for (size_t i = 0; i < push->url.len; i++) {
		unsigned char c = (unsigned char)push->url.data[i];
		if (c <= 0x20 || c >= 0x7f || c == '#')
			return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
			                        "the url or the connection's token holds a "
			                        "character that can't be in an address");
	}
	return push->url.failed ? sluice_out_of_memory(error) : SLUICE_OK;
}

/* Telegram says it in the body alone: {"parameters":{"retry_after":5}}. */
static int64_t hint_of(struct transfer *answer, int64_t otherwise)
{
	struct sluice_json_doc *doc;
	int64_t seconds = 0;
	if (!answer || answer->status != 429 || otherwise != DELIVERY_NO_HINT ||
	    sluice_json_parse(sluice_buffer_str(&answer->response), 0, ANSWER_DEPTH, &doc, NULL) !=
	            SLUICE_OK)
		return otherwise;
	const struct sluice_json *root = sluice_json_root(doc);
	bool found = sluice_json_integer(
	        sluice_json_get(sluice_json_get(root, "parameters"), "retry_after"), 0,
	        VERDICT_MAX_HINT_MS / 1000, &seconds);
	sluice_json_destroy(doc);
	return found ? seconds * 1000 : otherwise;
}

static void on_answer(struct delivery *const *deliveries, size_t count,
                      const struct verdict *verdict, struct transfer *answer)
{
	struct verdict hinted = *verdict;
	if (hinted.outcome == OUTCOME_RETRY)
		hinted.hint_ms = hint_of(answer, hinted.hint_ms);
	http_end_all(deliveries, count, &hinted, answer);
}

static enum sluice_status read_settings(struct push *push, const struct outlet_context *context,
                                        struct sluice_error *error)
{
	const struct sluice_json *settings = context->settings;
	struct sluice_str title = sluice_setting_text(settings, "title");
	struct sluice_str message = sluice_setting_text(settings, "message");
	push->service = push_service_find(sluice_setting_text(settings, "service"));
	if (!push->service)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "there is no such service");
	push->address = (struct push_address){
		.name = sluice_setting_text(settings, "name"),
		.chat = sluice_setting_text(settings, "chat"),
		.account = sluice_setting_text(settings, "account"),
		.from = sluice_setting_text(settings, "from"),
		.to = sluice_setting_text(settings, "to"),
		.project = sluice_setting_text(settings, "project"),
		.device = sluice_setting_text(settings, "device"),
	};
	push->priority = (int)sluice_setting_integer(context->kind, settings, "priority");
	enum sluice_status status = make_url(push, context, error);
	if (!status && title.data)
		status = sluice_text_template_compile(title, &push->title, error);
	if (!status)
		status = sluice_text_template_compile(
		        message.data ? message : SLUICE_STR("{payload}"), &push->message, error);
	return status;
}

/* What is in the address is not to go as a header, too. */
static struct outlet_context without_token(const struct push *push,
                                           const struct outlet_context *context)
{
	struct outlet_context bare = *context;
	if (push->service->token_in_path)
		bare.credentials = NULL;
	return bare;
}

static struct outlet *push_open(const struct outlet_context *context, struct sluice_error *error)
{
	static const struct http_rules rules = { .private_addresses = true,
		                                 .http2 = true,
		                                 .max_response = ANSWER_MAX };
	struct push *push = calloc(1, sizeof(*push));
	if (!push) {
		sluice_out_of_memory(error);
		return NULL;
	}
	push->outlet.kind = &outlet_push;
	enum sluice_status status = read_settings(push, context, error);
	if (!status) {
		struct outlet_context bare = without_token(push, context);
		status = http_sender_create(&bare, &rules, on_answer, &push->sender, error);
	}
	if (status) {
		push_free(push);
		return NULL;
	}
	return &push->outlet;
}

/* --- sending --- */

static enum sluice_status make_message(const struct push *push, const struct delivery *delivery,
                                       struct http_message *message, struct sluice_error *error)
{
	struct sluice_buffer title = { .limit = TEXT_MAX }, text = { .limit = TEXT_MAX };
	enum sluice_status status = SLUICE_OK;
	if (push->title)
		status = sluice_text_template_expand(push->title, &delivery->vars,
		                                     SLUICE_ENCODE_NONE, &title, error);
	if (!status)
		status = sluice_text_template_expand(push->message, &delivery->vars,
		                                     SLUICE_ENCODE_NONE, &text, error);
	if (!status) {
		struct push_note note = { .priority = push->priority };
		if (push->title)
			note.title = push_cut(sluice_buffer_str(&title), TITLE_MAX);
		/* The title may be the first line of it. */
		note.message = push_cut(sluice_buffer_str(&text),
		                        push->service->message_max - TITLE_MAX - 1);
		push->service->write(&push->address, &note, &message->body);
		sluice_buffer_append_str(&message->url, sluice_buffer_str(&push->url));
		http_message_header(message, "Content-Type",
		                    sluice_str(push->service->content_type));
		http_add_event_headers(delivery, message);
		if (message->body.failed || message->url.failed || message->headers.failed)
			status = sluice_out_of_memory(error);
	}
	sluice_buffer_finish(&title);
	sluice_buffer_finish(&text);
	return status;
}

static void send_one(struct push *push, struct delivery *delivery)
{
	struct http_message message;
	struct sluice_error error;
	http_message_init(&message);
	enum sluice_status status = make_message(push, delivery, &message, &error);
	if (!status) {
		http_sender_send(push->sender, &message, &delivery, 1);
		return;
	}
	http_message_finish(&message);
	delivery_done(delivery, status == SLUICE_ERR_NOMEM ? OUTCOME_RETRY : OUTCOME_PERMANENT,
	              DELIVERY_NO_HINT, "%s", error.message);
}

/* People are told of one event at a time. */
static void push_send(struct outlet *outlet, struct delivery *const *deliveries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		send_one((struct push *)outlet, deliveries[i]);
}

static void push_close(struct outlet *outlet)
{
	push_free((struct push *)outlet);
}

const struct outlet_kind outlet_push = { "push", push_open, push_send, push_close };
