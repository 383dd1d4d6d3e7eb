/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Members of the "publish" object: a table entry each. */
#include "sluice/event.h"

#include <stdbool.h>
#include <stdlib.h>

#include "sluice/base64.h"
#include "sluice/json.h"

/* What is being filled; the memory was measured before. */
struct filling {
	struct sluice_event *event;
	struct sluice_property *properties;
	char *bytes; /* for decoded base64 */
};

static enum sluice_status read_text(const struct sluice_json *node, struct sluice_str *text,
                                    struct sluice_error *error)
{
	if (node->type != SLUICE_JSON_STRING)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID, "must be a string");
	*text = node->string;
	return SLUICE_OK;
}

static enum sluice_status read_small(const struct sluice_json *node, int64_t max, int8_t *number,
                                     struct sluice_error *error)
{
	int64_t value;
	if (!sluice_json_integer(node, 0, max, &value))
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "must be a whole number from 0 to %d", (int)max);
	*number = (int8_t)value;
	return SLUICE_OK;
}

static enum sluice_status read_payload(const struct sluice_json *node, struct filling *to,
                                       struct sluice_error *error)
{
	(void)error;
	to->event->payload = node->type == SLUICE_JSON_STRING ? node->string : node->raw;
	return SLUICE_OK;
}

static enum sluice_status read_topic(const struct sluice_json *node, struct filling *to,
                                     struct sluice_error *error)
{
	return read_text(node, &to->event->topic, error);
}

static enum sluice_status read_client_id(const struct sluice_json *node, struct filling *to,
                                         struct sluice_error *error)
{
	return read_text(node, &to->event->client_id, error);
}

static enum sluice_status read_username(const struct sluice_json *node, struct filling *to,
                                        struct sluice_error *error)
{
	return read_text(node, &to->event->username, error);
}

static enum sluice_status read_content_type(const struct sluice_json *node, struct filling *to,
                                            struct sluice_error *error)
{
	return read_text(node, &to->event->content_type, error);
}

static enum sluice_status read_response_topic(const struct sluice_json *node, struct filling *to,
                                              struct sluice_error *error)
{
	return read_text(node, &to->event->response_topic, error);
}

static enum sluice_status read_correlation_data(const struct sluice_json *node, struct filling *to,
                                                struct sluice_error *error)
{
	struct sluice_str text;
	enum sluice_status status = read_text(node, &text, error);
	if (status)
		return status;
	size_t len;
	if (!sluice_base64_decode(text, to->bytes, &len))
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "must be base64 (RFC 4648), padded");
	to->event->correlation_data = (struct sluice_str){ to->bytes, len };
	return SLUICE_OK;
}

static enum sluice_status read_qos(const struct sluice_json *node, struct filling *to,
                                   struct sluice_error *error)
{
	return read_small(node, 2, &to->event->qos, error);
}

static enum sluice_status read_payload_format(const struct sluice_json *node, struct filling *to,
                                              struct sluice_error *error)
{
	return read_small(node, 1, &to->event->payload_format, error);
}

static enum sluice_status read_retain(const struct sluice_json *node, struct filling *to,
                                      struct sluice_error *error)
{
	if (node->type != SLUICE_JSON_TRUE && node->type != SLUICE_JSON_FALSE)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID, "must be true or false");
	to->event->retain = node->type == SLUICE_JSON_TRUE;
	return SLUICE_OK;
}

static enum sluice_status read_user_properties(const struct sluice_json *node, struct filling *to,
                                               struct sluice_error *error)
{
	if (node->type != SLUICE_JSON_OBJECT)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID, "must be an object");
	size_t count = 0;
	for (const struct sluice_json *member = node->first; member; member = member->next) {
		bool many = member->type == SLUICE_JSON_ARRAY;
		for (const struct sluice_json *value = many ? member->first : member; value;
		     value = many ? value->next : NULL) {
			struct sluice_property *property = &to->properties[count];
			enum sluice_status status = read_text(value, &property->value, error);
			if (status)
				return status;
			property->name = member->key;
			count++;
		}
	}
	to->event->user_properties = to->properties;
	to->event->user_property_count = count;
	return SLUICE_OK;
}

static const struct member {
	const char *name;
	enum sluice_status (*read)(const struct sluice_json *node, struct filling *to,
	                           struct sluice_error *error);
} members[] = {
	{ "payload", read_payload },
	{ "topic", read_topic },
	{ "client_id", read_client_id },
	{ "username", read_username },
	{ "content_type", read_content_type },
	{ "response_topic", read_response_topic },
	{ "correlation_data", read_correlation_data },
	{ "qos", read_qos },
	{ "retain", read_retain },
	{ "payload_format", read_payload_format },
	{ "user_properties", read_user_properties },
};

enum { MEMBER_COUNT = sizeof(members) / sizeof(*members) };

/* Finds each member of the table, NULL for those that are not there. */
static enum sluice_status find_members(const struct sluice_json *publish,
                                       const struct sluice_json *found[MEMBER_COUNT],
                                       struct sluice_error *error)
{
	for (const struct sluice_json *node = publish->first; node; node = node->next) {
		size_t i = 0;
		while (i < MEMBER_COUNT &&
		       !sluice_str_equal(node->key, sluice_str(members[i].name)))
			i++;
		if (i == MEMBER_COUNT)
			return sluice_json_error(node, error, SLUICE_ERR_INVALID, "unknown member");
		if (found[i])
			return sluice_json_error(node, error, SLUICE_ERR_INVALID,
			                         "the name \"%s\" is repeated", members[i].name);
		found[i] = node;
	}
	return SLUICE_OK;
}

/* Memory for the properties and the decoded base64 of the members found. */
static char *make_room(const struct sluice_json *const found[MEMBER_COUNT], struct filling *to)
{
	size_t count = 0;
	size_t bytes = 1; /* so that what is empty has an address */
	for (size_t i = 0; i < MEMBER_COUNT; i++) {
		const struct sluice_json *node = found[i];
		if (node && members[i].read == read_correlation_data)
			bytes += node->string.len;
		if (!node || members[i].read != read_user_properties ||
		    node->type != SLUICE_JSON_OBJECT)
			continue;
		for (const struct sluice_json *at = node->first; at; at = at->next)
			count += at->type == SLUICE_JSON_ARRAY ? at->count : 1;
	}
	size_t size = count * sizeof(*to->properties);
	char *memory = malloc(size + bytes);
	to->properties = (struct sluice_property *)(void *)memory;
	to->bytes = memory ? memory + size : NULL;
	return memory;
}

enum sluice_status sluice_event_from_json(const struct sluice_json *publish,
                                          struct sluice_event *event, void **storage,
                                          struct sluice_error *error)
{
	*event = SLUICE_EVENT_INIT;
	*storage = NULL;
	if (publish->type != SLUICE_JSON_OBJECT)
		return sluice_json_error(publish, error, SLUICE_ERR_INVALID, "must be an object");

	const struct sluice_json *found[MEMBER_COUNT] = { NULL };
	enum sluice_status status = find_members(publish, found, error);
	if (status)
		return status;
	struct filling to = { .event = event };
	char *memory = make_room(found, &to);
	if (!memory)
		return sluice_out_of_memory(error);
	for (size_t i = 0; i < MEMBER_COUNT && status == SLUICE_OK; i++)
		if (found[i])
			status = members[i].read(found[i], &to, error);
	if (status) {
		free(memory);
		*event = SLUICE_EVENT_INIT;
		return status;
	}
	*storage = memory;
	return SLUICE_OK;
}
