/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sluice/topic.h"

#include "text.h"

/* What a topic and a filter have in common: MQTT 5.0, 4.7.3 and 1.5.4. */
static bool check_text(struct sluice_str text, const char *what, struct sluice_error *error)
{
	if (text.len == 0) {
		sluice_error_set(error, SLUICE_ERR_INVALID, 0, NULL, "a %s must not be empty",
		                 what);
		return false;
	}
	if (text.len > SLUICE_TOPIC_MAX_BYTES) {
		sluice_error_set(error, SLUICE_ERR_INVALID, SLUICE_TOPIC_MAX_BYTES, NULL,
		                 "a %s must not be longer than %d bytes", what,
		                 SLUICE_TOPIC_MAX_BYTES);
		return false;
	}
	size_t good = sluice_text_utf8_length(text);
	const char *nul = memchr(text.data, '\0', text.len);
	if (good < text.len || nul) {
		size_t offset =
		        nul && (size_t)(nul - text.data) < good ? (size_t)(nul - text.data) : good;
		sluice_error_set(error, SLUICE_ERR_INVALID, offset, NULL,
		                 "a %s must be UTF-8 without NUL", what);
		return false;
	}
	return true;
}

bool sluice_topic_valid(struct sluice_str topic)
{
	return check_text(topic, "topic", NULL) && !memchr(topic.data, '+', topic.len) &&
	       !memchr(topic.data, '#', topic.len);
}

bool sluice_topic_filter_valid(struct sluice_str filter, struct sluice_error *error)
{
	static const char share[] = "$share/";
	if (!check_text(filter, "topic filter", error))
		return false;
	if (filter.len >= sizeof(share) - 1 && memcmp(filter.data, share, sizeof(share) - 1) == 0) {
		sluice_error_set(error, SLUICE_ERR_INVALID, 0, NULL,
		                 "a shared subscription ($share/) is no topic filter");
		return false;
	}
	for (size_t i = 0; i < filter.len; i++) {
		char c = filter.data[i];
		if (c != '+' && c != '#')
			continue;
		bool starts = i == 0 || filter.data[i - 1] == '/';
		bool ends = i + 1 == filter.len || filter.data[i + 1] == '/';
		if (!starts || !ends) {
			sluice_error_set(error, SLUICE_ERR_INVALID, i, NULL,
			                 "'%c' in a topic filter must be a whole level", c);
			return false;
		}
		if (c == '#' && i + 1 < filter.len) {
			sluice_error_set(error, SLUICE_ERR_INVALID, i, NULL,
			                 "'#' in a topic filter must be the last level");
			return false;
		}
	}
	return true;
}

/* Byte by byte: most filters differ from most topics in the first few. */
bool sluice_topic_matches(struct sluice_str filter, struct sluice_str topic)
{
	if (filter.len == 0 || topic.len == 0)
		return false;
	if (topic.data[0] == '$' && (filter.data[0] == '+' || filter.data[0] == '#'))
		return false;

	size_t at_topic = 0;
	for (size_t i = 0; i < filter.len; i++) {
		char c = filter.data[i];
		if (c == '#')
			return true;
		if (c == '+') {
			while (at_topic < topic.len && topic.data[at_topic] != '/')
				at_topic++;
			continue;
		}
		/* "a/#" matches "a" too: '#' includes the parent level (4.7.1.2). */
		if (at_topic == topic.len)
			return c == '/' && i + 2 == filter.len && filter.data[i + 1] == '#';
		if (topic.data[at_topic] != c)
			return false;
		at_topic++;
	}
	return at_topic == topic.len;
}
