/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "../bridge.h"
#include "../source.h"
#include "sluice/topic.h"
#include "text.h"
#include "webhook.h"

enum { CHALLENGE_MAX = 1024, TELL_MS = 10000 };

enum state { READING, WAITING, ANSWERED };

struct request {
	struct request *next, *previous; /* of its webhook */
	struct webhook *webhook;         /* NULL: it is gone */
	struct listener *listener;
	struct MHD_Connection *connection;
	enum state state;
	struct sluice_buffer body;
	struct access_claim claim;
	char *topic; /* the path below the webhook's; may be "" */
	char id[SIGNATURE_ID_MAX + 1];
	struct webhook_publish *publish; /* WAITING */
	int64_t waits_since_ms;
	enum { ANSWER_TAKEN, ANSWER_STATIC } answer; /* ANSWERED */
	enum webhook_answer which;
};

/* --- what a request has --- */

static struct sluice_str look_up(void *arg, const char *name, bool query)
{
	const char *value = NULL;
	size_t len = 0;
	if (MHD_lookup_connection_value_n(arg, query ? MHD_GET_ARGUMENT_KIND : MHD_HEADER_KIND,
	                                  name, strlen(name), &value, &len) != MHD_YES ||
	    !value)
		return (struct sluice_str){ NULL, 0 };
	return (struct sluice_str){ value, len };
}

/* Whether MQTT can carry it as a text. */
static bool is_text(struct sluice_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return text.len <= UINT16_MAX && sluice_text_utf8_length(text) == text.len;
}

/* Digits alone; what is too long for a number is too large for us. */
static bool is_too_long(struct sluice_str length, size_t max)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < length.len; i++) {
		if (length.data[i] < '0' || length.data[i] > '9' || bytes > UINT32_MAX)
			return true;
		bytes = bytes * 10 + (uint64_t)(length.data[i] - '0');
	}
	return bytes > max;
}

static bool takes_method(const struct webhook *webhook, const char *method)
{
	for (size_t i = 0; i < webhook->method_count; i++) {
		if (strcmp(webhook->methods[i], method) == 0)
			return true;
	}
	return false;
}

/* What of the path is below the webhook's own. */
static const char *path_below(const struct webhook *webhook, const char *path)
{
	path += strlen(webhook->path);
	return path[0] == '/' ? path + 1 : path;
}

/* --- its life --- */

static void link_request(struct request *request, struct webhook *webhook)
{
	request->webhook = webhook;
	request->next = webhook->requests;
	if (webhook->requests)
		webhook->requests->previous = request;
	webhook->requests = request;
}

static void unlink_request(struct request *request)
{
	if (!request->webhook)
		return;
	if (request->next)
		request->next->previous = request->previous;
	if (request->previous)
		request->previous->next = request->next;
	else
		request->webhook->requests = request->next;
	request->webhook = NULL;
	request->next = request->previous = NULL;
}

static void drop_body(struct request *request)
{
	listener_unbuffer(request->listener, request->body.len);
	sluice_buffer_finish(&request->body);
}

static void request_destroy(struct request *request)
{
	unlink_request(request);
	if (request->publish)
		request->publish->request = NULL;
	drop_body(request);
	free(request->topic);
	free(request);
}

void request_completed(void *cls, struct MHD_Connection *connection, void **request,
                       enum MHD_RequestTerminationCode code)
{
	(void)cls;
	(void)connection;
	(void)code;
	if (*request)
		request_destroy(*request);
	*request = NULL;
}

/* --- the beginning --- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status,
                              struct MHD_Response *response)
{
	/* What is left of the body is not read: the connection ends. */
	return response ? MHD_queue_response(connection, status, response) : MHD_NO;
}

static enum MHD_Result deny(const struct webhook *webhook, struct MHD_Connection *connection)
{
	if (webhook->who)
		return answer(connection, MHD_HTTP_UNAUTHORIZED, webhook->who);
	return listener_answer(webhook->listener, connection, WEBHOOK_FORBIDDEN);
}

static void make_id(char id[WEBHOOK_ID_SIZE])
{
	snprintf(id, WEBHOOK_ID_SIZE, "%016" PRIx64 "%016" PRIx64, bridge_random(),
	         bridge_random());
}

/* Takes the request on. NULL when out of memory. */
static struct request *take_on(struct webhook *webhook, struct MHD_Connection *connection,
                               const char *topic, const struct access_claim *claim)
{
	struct request *request = calloc(1, sizeof *request);
	if (!request)
		return NULL;
	request->listener = webhook->listener;
	request->connection = connection;
	request->claim = *claim;
	request->topic = strdup(topic);
	if (!request->topic) {
		free(request);
		return NULL;
	}
	struct sluice_str id = access_id(webhook->access, claim);
	if (id.data && is_text(id))
		snprintf(request->id, sizeof request->id, "%.*s", (int)id.len, id.data);
	else
		make_id(request->id);
	link_request(request, webhook);
	return request;
}

/* All that the headers are enough for. */
static enum MHD_Result begin(struct listener *listener, struct MHD_Connection *connection,
                             const char *path, const char *method, void **out)
{
	struct access_claim claim = { 0 };
	struct webhook *webhook = path[0] == '/' ? listener_find(listener, path) : NULL;
	struct sluice_str length = look_up(connection, MHD_HTTP_HEADER_CONTENT_LENGTH, false);
	if (!webhook)
		return listener_answer(listener, connection, WEBHOOK_NOT_FOUND);
	if (!takes_method(webhook, method))
		return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, webhook->not_allowed);
	const char *topic = path_below(webhook, path);
	if (webhook->needs_topic && topic[0] == '\0')
		return listener_answer(listener, connection, WEBHOOK_NOT_FOUND);
	if (topic[0] != '\0' &&
	    (!sluice_topic_valid(sluice_str(topic)) || !is_text(sluice_str(topic))))
		return listener_answer(listener, connection, WEBHOOK_BAD_REQUEST);
	if (!access_by_headers(webhook->access, look_up, connection, bridge_real_ms() / 1000,
	                       webhook->tolerance_s, &claim))
		return deny(webhook, connection);
	if (is_too_long(length, webhook->max_bytes))
		return listener_answer(listener, connection, WEBHOOK_TOO_LARGE);
	if (!link_is_connected(webhook->source->bridge->link))
		return listener_answer(listener, connection, WEBHOOK_NO_BROKER);
	*out = take_on(webhook, connection, topic, &claim);
	return *out ? MHD_YES : listener_answer(listener, connection, WEBHOOK_BUSY);
}

/* --- the body --- */

static enum MHD_Result take_piece(struct request *request, const char *piece, size_t *len)
{
	size_t max = request->webhook ? request->webhook->max_bytes : 0;
	if (*len > max || request->body.len > max - *len)
		return listener_cut(request->listener, request->connection);
	if (!listener_buffer(request->listener, *len))
		return MHD_NO;
	sluice_buffer_append(&request->body, piece, *len);
	if (request->body.failed) {
		listener_unbuffer(request->listener, *len);
		return MHD_NO;
	}
	*len = 0;
	return MHD_YES;
}

/* --- the end --- */

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status,
                                   const char *type, struct sluice_str text)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
	        text.len, (void *)(uintptr_t)text.data, MHD_RESPMEM_MUST_COPY);
	if (!response)
		return MHD_NO;
	enum MHD_Result result =
	        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES
	                ? MHD_queue_response(connection, status, response)
	                : MHD_NO;
	MHD_destroy_response(response);
	return result;
}

/* {"id":…}: 202 when it was taken in now, 200 when it had been before. */
static enum MHD_Result answer_id(const struct request *request, unsigned status)
{
	struct sluice_buffer text = { 0 };
	sluice_buffer_append_text(&text, "{\"id\":");
	sluice_json_write_string(&text, sluice_str(request->id));
	sluice_buffer_append_text(&text, "}\n");
	enum MHD_Result result =
	        text.failed ? MHD_NO
	                    : answer_text(request->connection, status, "application/json",
	                                  sluice_buffer_str(&text));
	sluice_buffer_finish(&text);
	return result;
}

/* Slack asks once whether we are who we say: {"type":"url_verification","challenge":"…"}. */
static bool is_challenge(const struct webhook *webhook, struct sluice_str body,
                         struct sluice_json_doc **doc, struct sluice_str *challenge)
{
	if (!access_is_signed_by(webhook->access, SIGNATURE_SLACK) ||
	    sluice_json_parse(body, 0, 16, doc, NULL) != SLUICE_OK)
		return false;
	const struct sluice_json *root = sluice_json_root(*doc);
	const struct sluice_json *type = NULL, *text = NULL;
	if (root->type == SLUICE_JSON_OBJECT) {
		type = sluice_json_get(root, "type");
		text = sluice_json_get(root, "challenge");
	}
	if (type && type->type == SLUICE_JSON_STRING &&
	    sluice_str_equal(type->string, SLUICE_STR("url_verification")) && text &&
	    text->type == SLUICE_JSON_STRING && text->string.len <= CHALLENGE_MAX) {
		*challenge = text->string;
		return true;
	}
	sluice_json_destroy(*doc);
	return false;
}

static void link_publish_of(struct webhook_publish *publish, struct webhook *webhook)
{
	publish->webhook = webhook;
	publish->next = webhook->publishes;
	if (webhook->publishes)
		webhook->publishes->previous = publish;
	webhook->publishes = publish;
}

static void unlink_publish(struct webhook_publish *publish)
{
	if (publish->next)
		publish->next->previous = publish->previous;
	if (publish->previous)
		publish->previous->next = publish->next;
	else
		publish->webhook->publishes = publish->next;
}

/* Hands it to the broker. False when that has no room for it now. */
static bool publish(struct request *request, const unsigned char *key)
{
	struct webhook *webhook = request->webhook;
	struct sluice_property properties[WEBHOOK_HEADERS_MAX + 1];
	struct sluice_event event = SLUICE_EVENT_INIT;
	struct webhook_publish *publish = calloc(1, sizeof *publish);
	if (!publish)
		return false;
	event.payload = request->body.len ? sluice_buffer_str(&request->body) : SLUICE_STR("");
	if (request->topic[0] != '\0')
		event.topic = sluice_str(request->topic);
	struct sluice_str type = look_up(request->connection, MHD_HTTP_HEADER_CONTENT_TYPE, false);
	if (type.data && is_text(type))
		event.content_type = type;
	for (size_t i = 0; i < webhook->header_count; i++) {
		struct sluice_str value = look_up(request->connection, webhook->headers[i], false);
		if (value.data && is_text(value))
			properties[event.user_property_count++] =
			        (struct sluice_property){ sluice_str(webhook->headers[i]), value };
	}
	properties[event.user_property_count++] =
	        (struct sluice_property){ SLUICE_STR("webhook-id"), sluice_str(request->id) };
	event.user_properties = properties;
	publish->request = request;
	publish->has_key = key != NULL;
	if (key)
		memcpy(publish->key, key, SEEN_KEY_BYTES);
	if (!source_publish(webhook->source, &event, request_published, publish)) {
		free(publish);
		return false;
	}
	link_publish_of(publish, webhook);
	request->publish = publish;
	return true;
}

/* The body is here. */
static enum MHD_Result end(struct request *request)
{
	struct webhook *webhook = request->webhook;
	struct MHD_Connection *connection = request->connection;
	struct sluice_json_doc *doc;
	struct sluice_str challenge;
	struct sluice_str body = { request->body.data ? request->body.data : "",
		                   request->body.len };
	unsigned char key[SEEN_KEY_BYTES];
	int64_t until_s;
	if (!webhook)
		return listener_answer(request->listener, connection, WEBHOOK_BUSY);
	if (!access_by_body(webhook->access, &request->claim, body, key))
		return deny(webhook, connection);
	if (is_challenge(webhook, body, &doc, &challenge)) {
		enum MHD_Result result =
		        answer_text(connection, MHD_HTTP_OK, "text/plain", challenge);
		sluice_json_destroy(doc);
		return result;
	}
	bool has_key =
	        access_has_key(webhook->access, &request->claim, webhook->tolerance_s, &until_s);
	if (has_key) {
		switch (seen_ask(&webhook->seen, key, bridge_real_ms() / 1000, until_s)) {
		case SEEN_BEFORE:
			return answer_id(request, MHD_HTTP_OK);
		case SEEN_UNDER_WAY:
		case SEEN_NO_MEMORY:
			return listener_answer(request->listener, connection, WEBHOOK_BUSY);
		case SEEN_NEW:
			break;
		}
	}
	if (!publish(request, has_key ? key : NULL)) {
		if (has_key)
			seen_settle(&webhook->seen, key, false);
		return listener_answer(request->listener, connection, WEBHOOK_NO_BROKER);
	}
	drop_body(request);
	request->state = WAITING;
	request->waits_since_ms = listener_now_ms(request->listener);
	listener_suspend(request->listener, connection);
	return MHD_YES;
}

/* It goes on with its answer, which its handler gives. */
static void go_on(struct request *request)
{
	if (request->publish)
		request->publish->request = NULL;
	request->publish = NULL;
	request->state = ANSWERED;
	listener_resume(request->listener, request->connection);
}

/* Not with each request: it may be a caller's fault, who would then write our log. */
static void tell(struct webhook *webhook, const char *trouble)
{
	int64_t now_ms = listener_now_ms(webhook->listener);
	if (webhook->said_ms > 0 && now_ms - webhook->said_ms < TELL_MS)
		return;
	if (trouble)
		webhook->said_ms = now_ms;
	else if (webhook->said_ms > 0)
		webhook->said_ms = 0;
	else
		return;
	source_trouble(webhook->source, trouble);
}

void request_published(void *arg, enum published how, const char *reason)
{
	struct webhook_publish *publish = arg;
	struct request *request = publish->request;
	struct webhook *webhook = publish->webhook;
	if (publish->has_key)
		seen_settle(&webhook->seen, publish->key, how == PUBLISHED);
	tell(webhook, how == PUBLISHED ? NULL : reason);
	if (request) {
		request->answer = how == PUBLISHED ? ANSWER_TAKEN : ANSWER_STATIC;
		request->which = how == PUBLISH_IMPOSSIBLE ? WEBHOOK_IMPOSSIBLE : WEBHOOK_NO_BROKER;
		go_on(request);
	}
	unlink_publish(publish);
	free(publish);
}

static void give_up(struct request *request)
{
	request->answer = ANSWER_STATIC;
	request->which = WEBHOOK_NO_BROKER;
	go_on(request);
}

struct request *request_next(const struct request *request)
{
	return request->next;
}

void request_expire(struct request *request, int64_t before_ms)
{
	if (request->state == WAITING && request->waits_since_ms < before_ms)
		give_up(request);
}

void request_orphan(struct request *request)
{
	unlink_request(request);
	if (request->state == WAITING)
		give_up(request);
}

enum MHD_Result request_handle(void *cls, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_size, void **out)
{
	(void)version;
	struct request *request = *out;
	if (!request)
		return begin(cls, connection, url, method, out);
	if (request->state == ANSWERED)
		return request->answer == ANSWER_TAKEN
		               ? answer_id(request, MHD_HTTP_ACCEPTED)
		               : listener_answer(request->listener, connection, request->which);
	if (request->state == WAITING)
		return MHD_YES;
	if (*upload_size > 0)
		return take_piece(request, upload, upload_size);
	return end(request);
}
