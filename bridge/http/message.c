/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "message.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "sluice/text_template.h"

void http_message_init(struct http_message *message)
{
	*message = (struct http_message){ .method = "POST",
		                          .url.limit = HTTP_URL_MAX,
		                          .headers.limit = HTTP_HEADERS_MAX,
		                          .body.limit = HTTP_BODY_MAX };
}

void http_message_finish(struct http_message *message)
{
	sluice_buffer_finish(&message->url);
	sluice_buffer_finish(&message->headers);
	sluice_buffer_finish(&message->body);
	sluice_buffer_finish(&message->id);
}

bool http_is_token(struct sluice_str text)
{
	static const char others[] = "!#$%&'*+-.^_`|~";
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i], letter = (char)(c | 0x20);
		if (!(letter >= 'a' && letter <= 'z') && !(c >= '0' && c <= '9') &&
		    (c == '\0' || !strchr(others, c)))
			return false;
	}
	return text.len > 0;
}

bool http_is_value(struct sluice_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c < 0x20 || c == 0x7f)
			return false;
	}
	return true;
}

void http_message_header(struct http_message *message, const char *name, struct sluice_str value)
{
	assert(http_is_token(sluice_str(name)) && http_is_value(value));
	sluice_buffer_append(&message->headers, name, strlen(name) + 1);
	sluice_buffer_append_str(&message->headers, value);
	sluice_buffer_append(&message->headers, "", 1);
}

const char *http_header_value(const char *name)
{
	return name + strlen(name) + 1;
}

const char *http_message_next(const struct http_message *message, const char *at)
{
	if (message->headers.len == 0)
		return NULL;
	if (!at)
		return message->headers.data;
	const char *value = http_header_value(at), *next = value + strlen(value) + 1;
	return next < message->headers.data + message->headers.len ? next : NULL;
}

const char *http_message_find(const struct http_message *message, const char *name)
{
	for (const char *at = NULL; (at = http_message_next(message, at)) != NULL;) {
		if (strcasecmp(at, name) == 0)
			return http_header_value(at);
	}
	return NULL;
}

void http_message_query(struct http_message *message, struct sluice_str name,
                        struct sluice_str value)
{
	struct sluice_buffer *url = &message->url;
	bool any = url->len > 0 && memchr(url->data, '?', url->len) != NULL;
	sluice_buffer_append_text(url, any ? "&" : "?");
	sluice_encode(name, SLUICE_ENCODE_URL, url);
	sluice_buffer_append_text(url, "=");
	sluice_encode(value, SLUICE_ENCODE_URL, url);
}
