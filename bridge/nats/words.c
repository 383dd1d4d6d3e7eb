/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "words.h"

#include <stdio.h>
#include <strings.h>

#include "sluice/json.h"

enum { SUBJECT_MAX = 4096, ANSWER_DEPTH = 8 };

static const char nats_own[] = "nats-";

static char subject_char(char c)
{
	if ((unsigned char)c <= ' ' || c == 0x7f || c == '*' || c == '>')
		return '_';
	return c == '/' ? '.' : c;
}

static bool make_subject(struct sluice_str text, bool own, bool topic,
                         struct sluice_buffer *subject)
{
	bool starts = true;
	if (text.len == 0 || text.len > SUBJECT_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if ((topic && c == '.') || (i == 0 && c == '$' && !own))
			c = '_';
		c = subject_char(c);
		/* Nothing between two dots is no token. */
		if (c == '.' && starts)
			sluice_buffer_append(subject, "_", 1);
		sluice_buffer_append(subject, &c, 1);
		starts = c == '.';
	}
	if (starts)
		sluice_buffer_append(subject, "_", 1);
	return !subject->failed;
}

bool nats_subject(struct sluice_str text, bool own, struct sluice_buffer *subject)
{
	return make_subject(text, own, false, subject);
}

bool nats_subject_of_topic(struct sluice_str topic, struct sluice_buffer *subject)
{
	return make_subject(topic, false, true, subject);
}

bool nats_topic(struct sluice_str subject, struct sluice_buffer *topic)
{
	for (size_t i = 0; i < subject.len; i++) {
		char c = subject.data[i];
		if (c == '/' || c == '+' || c == '#' || (unsigned char)c < ' ' || c == 0x7f ||
		    (i == 0 && c == '$'))
			c = '_';
		else if (c == '.')
			c = '/';
		sluice_buffer_append(topic, &c, 1);
	}
	return subject.len > 0 && !topic->failed;
}

bool nats_header_valid(struct sluice_str name, struct sluice_str value)
{
	size_t own = sizeof(nats_own) - 1;
	if (name.len == 0 || (name.len >= own && strncasecmp(name.data, nats_own, own) == 0))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.data[i];
		if (c <= ' ' || c >= 0x7f || c == ':')
			return false;
	}
	for (size_t i = 0; i < value.len; i++) {
		char c = value.data[i];
		if (c == '\0' || c == '\r' || c == '\n')
			return false;
	}
	return true;
}

static enum outcome read_error(const struct sluice_json *error, char text[NATS_TEXT_SIZE])
{
	int64_t code = 0;
	const struct sluice_json *description = sluice_json_get(error, "description");
	struct sluice_str words = description && description->type == SLUICE_JSON_STRING
	                                  ? description->string
	                                  : SLUICE_STR("no reason given");
	sluice_json_integer(sluice_json_get(error, "code"), 0, 999, &code);
	snprintf(text, NATS_TEXT_SIZE, "JetStream %d: %.*s", (int)code,
	         (int)(words.len < 128 ? words.len : 128), words.data);
	return code >= 400 && code < 500 && code != 408 && code != 429 ? OUTCOME_PERMANENT
	                                                               : OUTCOME_RETRY;
}

enum outcome nats_answer(struct sluice_str json, char text[NATS_TEXT_SIZE])
{
	struct sluice_json_doc *doc;
	enum outcome outcome = OUTCOME_DONE;
	if (sluice_json_parse(json, 0, ANSWER_DEPTH, &doc, NULL) != SLUICE_OK) {
		snprintf(text, NATS_TEXT_SIZE, "an answer that is none of JetStream's");
		return OUTCOME_RETRY;
	}
	const struct sluice_json *root = sluice_json_root(doc);
	const struct sluice_json *error = sluice_json_get(root, "error");
	const struct sluice_json *stream = sluice_json_get(root, "stream");
	if (error) {
		outcome = read_error(error, text);
	} else if (!stream || stream->type != SLUICE_JSON_STRING || stream->string.len == 0) {
		snprintf(text, NATS_TEXT_SIZE, "an answer that names no stream");
		outcome = OUTCOME_RETRY;
	}
	sluice_json_destroy(doc);
	return outcome;
}
