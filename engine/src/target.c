/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "target.h"

#include "arena.h"
#include "sluice/delivery.h"
#include "sluice/members.h"
#include "sluice/suggest.h"
#include "topic_template.h"

#define DEFAULT_TOPIC SLUICE_STR("consumers/{consumer}/{topic}")

enum member {
	ID,
	TOPIC,
	CONSUMER,
	BUS,
	QUEUE,
	QOS,
	RETAIN,
	ONCE,
	PROPERTIES,
	EXPIRY,
	CONTENT_TYPE,
	DELAY,
	DEDUPLICATION,
	INPUT_PATH,
	INPUT,
	INPUT_TRANSFORMER,
	MEMBERS
};

static const char *const names[] = { "id",
	                             "topic",
	                             "consumer",
	                             "bus",
	                             "queue",
	                             "qos",
	                             "retain",
	                             "once",
	                             "properties",
	                             "expiry_s",
	                             "content_type",
	                             "delay_ms",
	                             "deduplication",
	                             "input_path",
	                             "input",
	                             "input_transformer",
	                             NULL };

static enum sluice_status invalid(const struct sluice_json *node, struct sluice_error *error,
                                  const char *message)
{
	return sluice_json_error(node, error, SLUICE_ERR_INVALID, "%s", message);
}

/* Gives an error that has only an offset the place of the member it was found in. */
static enum sluice_status placed(const struct sluice_json *node, struct sluice_error *error,
                                 enum sluice_status status)
{
	if (status && error && status != SLUICE_ERR_NOMEM)
		sluice_json_place(node, error->place, sizeof(error->place));
	return status;
}

static enum sluice_status read_qos(struct sluice_target *target, const struct sluice_json *node,
                                   struct sluice_error *error)
{
	int64_t qos = -1;

	if (node && !sluice_json_integer(node, 0, 2, &qos) &&
	    !(node->type == SLUICE_JSON_STRING &&
	      sluice_str_equal(node->string, SLUICE_STR("inherit"))))
		return invalid(node, error, "must be 0, 1, 2 or \"inherit\"");
	target->qos = (int8_t)qos;
	return SLUICE_OK;
}

static enum sluice_status read_retain(struct sluice_target *target, const struct sluice_json *node,
                                      struct sluice_error *error)
{
	if (!node || node->type == SLUICE_JSON_FALSE)
		target->retain = 0;
	else if (node->type == SLUICE_JSON_TRUE)
		target->retain = 1;
	else if (node->type == SLUICE_JSON_STRING &&
	         sluice_str_equal(node->string, SLUICE_STR("inherit")))
		target->retain = -1;
	else
		return invalid(node, error, "must be true, false or \"inherit\"");
	return SLUICE_OK;
}

static enum sluice_status read_properties(struct sluice_target *target,
                                          const struct sluice_json *node,
                                          struct sluice_error *error)
{
	static const char *const property_names[] = { "sluice-rule", "sluice-topic", "sluice-id",
		                                      "sluice-time", NULL };
	char meant[64];

	if (!node)
		return SLUICE_OK;
	if (node->type != SLUICE_JSON_ARRAY)
		return invalid(node, error, "must be a list of property names");
	for (const struct sluice_json *item = node->first; item; item = item->next) {
		size_t i = 0;

		if (item->type != SLUICE_JSON_STRING)
			return invalid(item, error, "must be a property's name");
		while (property_names[i] &&
		       !sluice_str_equal(item->string, sluice_str(property_names[i])))
			i++;
		if (!property_names[i])
			return sluice_json_error(
			        item, error, SLUICE_ERR_INVALID,
			        "there is no property \"%.*s\"%s; there are sluice-rule, "
			        "sluice-topic, sluice-id and sluice-time",
			        (int)(item->string.len < 64 ? item->string.len : 64),
			        item->string.data,
			        sluice_suggest_format(item->string, property_names, meant,
			                              sizeof(meant)));
		if (target->properties & 1U << i)
			return invalid(item, error, "the property stands twice");
		target->properties |= 1U << i; /* the order of SLUICE_ADD_* */
	}
	return SLUICE_OK;
}

static enum sluice_status read_topic(struct sluice_target *target,
                                     const struct sluice_json *const *found,
                                     struct sluice_error *error)
{
	const struct sluice_json *named = found[TOPIC] ? found[TOPIC] : found[CONSUMER];
	struct sluice_str text = DEFAULT_TOPIC;
	enum sluice_status status;

	status = sluice_member_name(found[CONSUMER], &target->consumer, error);
	if (status)
		return status;
	if (found[TOPIC]) {
		if (found[TOPIC]->type != SLUICE_JSON_STRING)
			return invalid(found[TOPIC], error, "must be a string");
		text = found[TOPIC]->string;
	}
	status = placed(named, error, sluice_topic_template_compile(text, &target->topic, error));
	if (status)
		return status;
	if (!found[CONSUMER] && sluice_topic_template_names_consumer(target->topic))
		return invalid(found[TOPIC], error,
		               "the topic names {consumer}, but the target has no \"consumer\"");
	return SLUICE_OK;
}

static enum sluice_status read_transform(struct sluice_target *target,
                                         const struct sluice_json *const *found,
                                         struct sluice_error *error)
{
	const struct sluice_json *path = found[INPUT_PATH];

	if (!!path + !!found[INPUT] + !!found[INPUT_TRANSFORMER] > 1)
		return invalid(found[INPUT_TRANSFORMER] ? found[INPUT_TRANSFORMER] : found[INPUT],
		               error,
		               "a target has at most one of \"input_path\", \"input\" and "
		               "\"input_transformer\"");
	if (path && path->type != SLUICE_JSON_STRING)
		return invalid(path, error, "must be a string that holds a path");
	if (path)
		return placed(path, error,
		              sluice_transform_from_path(path->string, &target->transform, error));
	if (found[INPUT])
		return placed(found[INPUT], error,
		              sluice_transform_from_constant(found[INPUT]->raw, &target->transform,
		                                             error));
	if (found[INPUT_TRANSFORMER])
		return sluice_transform_from_json(found[INPUT_TRANSFORMER], &target->transform,
		                                  error);
	return SLUICE_OK;
}

/* Which members may stand beside `id` and the one that says what the target is. */
static const bool for_bus[MEMBERS] = {
	[ID] = true, [BUS] = true, [INPUT_PATH] = true, [INPUT] = true, [INPUT_TRANSFORMER] = true
};
static const bool for_queue[MEMBERS] = { [ID] = true,
	                                 [QUEUE] = true,
	                                 [CONTENT_TYPE] = true,
	                                 [DELAY] = true,
	                                 [DEDUPLICATION] = true,
	                                 [INPUT_PATH] = true,
	                                 [INPUT] = true,
	                                 [INPUT_TRANSFORMER] = true };

static enum sluice_status check_members(const struct sluice_json *const *found, const bool *allowed,
                                        const char *what, struct sluice_error *error)
{
	for (size_t i = 0; i < MEMBERS; i++)
		if (found[i] && !allowed[i])
			return sluice_json_error(found[i], error, SLUICE_ERR_INVALID,
			                         "\"%s\" means nothing for a %s", names[i], what);
	return SLUICE_OK;
}

static enum sluice_status read_bus(struct sluice_target *target,
                                   const struct sluice_json *const *found,
                                   struct sluice_error *error)
{
	enum sluice_status status = check_members(found, for_bus, "bus", error);

	target->kind = SLUICE_TARGET_BUS;
	target->qos = -1;
	return status ? status : sluice_member_name(found[BUS], &target->bus, error);
}

/* What a topic and a queue have in common. */
static enum sluice_status read_common(struct sluice_target *target,
                                      const struct sluice_json *const *found,
                                      struct sluice_error *error)
{
	enum sluice_status status;

	if ((status = sluice_member_string(found[CONTENT_TYPE], 1, SLUICE_CONTENT_TYPE_MAX,
	                                   &target->content_type, error)) ||
	    (status = sluice_delay_from_json(found[DELAY], &target->delay, error)) ||
	    (status = sluice_deduplication_from_json(found[DEDUPLICATION], &target->deduplication,
	                                             error)))
		return status;
	if (found[CONTENT_TYPE] && !found[INPUT_PATH] && !found[INPUT] && !found[INPUT_TRANSFORMER])
		return invalid(found[CONTENT_TYPE], error,
		               "\"content_type\" is for a transformed payload: the target has none "
		               "of \"input_path\", \"input\" and \"input_transformer\"");
	return SLUICE_OK;
}

static enum sluice_status read_queue(struct sluice_target *target,
                                     const struct sluice_json *const *found,
                                     struct sluice_error *error)
{
	enum sluice_status status = check_members(found, for_queue, "queue", error);

	target->kind = SLUICE_TARGET_QUEUE;
	target->qos = -1;
	target->properties = SLUICE_ADD_RULE | SLUICE_ADD_TOPIC | SLUICE_ADD_ID | SLUICE_ADD_TIME;
	if (!status)
		status = sluice_member_name(found[QUEUE], &target->queue, error);
	return status ? status : read_common(target, found, error);
}

static enum sluice_status read_delivery(struct sluice_target *target,
                                        const struct sluice_json *const *found,
                                        struct sluice_error *error)
{
	enum sluice_status status;
	int64_t expiry_s = 0;

	target->kind = SLUICE_TARGET_TOPIC;
	if ((status = read_topic(target, found, error)) ||
	    (status = read_qos(target, found[QOS], error)) ||
	    (status = read_retain(target, found[RETAIN], error)) ||
	    (status = sluice_member_bool(found[ONCE], &target->once, error)) ||
	    (status = read_properties(target, found[PROPERTIES], error)) ||
	    (status = sluice_member_integer(found[EXPIRY], 1, UINT32_MAX, &expiry_s, error)))
		return status;
	target->expiry_s = (uint32_t)expiry_s;
	return read_common(target, found, error);
}

enum sluice_status sluice_target_read(struct sluice_target *target, const struct sluice_json *node,
                                      struct sluice_error *error)
{
	const struct sluice_json *found[MEMBERS];
	enum sluice_status status;

	*target = (struct sluice_target){ .text = node->raw };
	status = sluice_members_read(node, "a target", names, found, error);
	if (status)
		return status;
	if (!found[ID])
		return invalid(node, error, "a target must have an \"id\"");
	status = sluice_member_name(found[ID], &target->id, error);
	if (status)
		return status;
	if (!!found[BUS] + !!found[QUEUE] + (found[TOPIC] || found[CONSUMER]) > 1)
		return invalid(node, error, "a target is one of \"topic\", \"queue\" and \"bus\"");
	if (found[BUS])
		status = read_bus(target, found, error);
	else if (found[QUEUE])
		status = read_queue(target, found, error);
	else if (found[TOPIC] || found[CONSUMER])
		status = read_delivery(target, found, error);
	else
		status = invalid(node, error,
		                 "a target must have a \"topic\", a \"consumer\", a \"queue\" or a "
		                 "\"bus\"");
	if (!status)
		status = read_transform(target, found, error);
	return status;
}

enum { STRINGS = 6 };

static void list_strings(struct sluice_target *target, struct sluice_str *strings[STRINGS])
{
	strings[0] = &target->id;
	strings[1] = &target->consumer;
	strings[2] = &target->bus;
	strings[3] = &target->content_type;
	strings[4] = &target->text;
	strings[5] = &target->queue;
}

size_t sluice_target_bytes(const struct sluice_target *target)
{
	struct sluice_target copy = *target;
	struct sluice_str *strings[STRINGS];
	size_t bytes = 0;

	list_strings(&copy, strings);
	for (size_t i = 0; i < STRINGS; i++)
		bytes += strings[i]->data ? strings[i]->len + 1 : 0;
	return bytes;
}

bool sluice_target_keep(struct sluice_target *target, struct sluice_arena *arena)
{
	struct sluice_str *strings[STRINGS];

	list_strings(target, strings);
	for (size_t i = 0; i < STRINGS; i++) {
		if (!strings[i]->data)
			continue;
		*strings[i] = sluice_arena_str(arena, *strings[i]);
		if (!strings[i]->data)
			return false;
	}
	return true;
}

void sluice_target_finish(struct sluice_target *target)
{
	sluice_topic_template_destroy(target->topic);
	sluice_transform_destroy(target->transform);
	sluice_delay_destroy(target->delay);
	sluice_deduplication_destroy(target->deduplication);
}

unsigned sluice_target_metadata(const struct sluice_target *target)
{
	return (target->topic ? sluice_topic_template_metadata(target->topic) : 0) |
	       (target->transform ? sluice_transform_metadata(target->transform) : 0) |
	       (target->delay ? sluice_delay_metadata(target->delay) : 0) |
	       (target->deduplication ? sluice_deduplication_metadata(target->deduplication) : 0);
}
