/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "plan.h"

#include <stdlib.h>

#include <mosquitto.h>

#include "options.h"

const char *plan_topic(const struct plan *plan, const struct delivery *delivery)
{
	return plan->topics.data + delivery->topic;
}

/* --- once --- */

static size_t hash_topic(struct sluice_str topic)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < topic.len; i++)
		hash = (hash ^ (unsigned char)topic.data[i]) * UINT64_C(0x100000001b3);
	return (size_t)(hash ^ hash >> 32);
}

static struct sluice_str topic_of(const struct plan *plan, size_t delivery)
{
	return (struct sluice_str){ plan->topics.data + plan->deliveries[delivery].topic,
		                    plan->deliveries[delivery].topic_len };
}

/* The slot of a topic in the table, or the free one where it would stand. */
static size_t *once_slot(const struct plan *plan, struct sluice_str topic)
{
	size_t at = hash_topic(topic) & (plan->once_size - 1);
	while (plan->once[at] != 0 && !sluice_str_equal(topic_of(plan, plan->once[at] - 1), topic))
		at = (at + 1) & (plan->once_size - 1);
	return &plan->once[at];
}

/* Brings the table up to the deliveries that were added since the last look. */
static bool once_update(struct plan *plan)
{
	if (plan->once_size < (plan->count + 1) * 2) {
		size_t size = plan->once_size ? plan->once_size : 64;
		while (size < (plan->count + 1) * 2)
			size *= 2;
		size_t *once = realloc(plan->once, size * sizeof *once);
		if (!once)
			return false;
		plan->once = once;
		plan->once_size = size;
		plan->once_count = 0;
	}
	if (plan->once_count == 0)
		memset(plan->once, 0, plan->once_size * sizeof *plan->once);
	for (; plan->once_count < plan->count; plan->once_count++)
		*once_slot(plan, topic_of(plan, plan->once_count)) = plan->once_count + 1;
	return true;
}

/* --- adding --- */

enum plan_result plan_add(struct plan *plan, const struct options *options,
                          struct rule_entry *entry, const struct sluice_target *target,
                          struct sluice_str topic, const struct sluice_buffer *transformed,
                          struct sluice_str source)
{
	size_t payload_len = transformed ? transformed->len : source.len;
	if (target->once) {
		if (!once_update(plan))
			return PLAN_NO_MEMORY;
		if (*once_slot(plan, topic) != 0)
			return PLAN_DUPLICATE;
	}
	plan->bytes += topic.len + payload_len;
	if (plan->count >= (uint64_t)options->max_deliveries ||
	    plan->bytes > (uint64_t)options->max_delivery_bytes)
		return PLAN_OVER_LIMIT;
	if (plan->count == plan->capacity) {
		size_t capacity = plan->capacity ? plan->capacity * 2 : 32;
		struct delivery *deliveries =
		        realloc(plan->deliveries, capacity * sizeof *deliveries);
		if (!deliveries)
			return PLAN_NO_MEMORY;
		plan->deliveries = deliveries;
		plan->capacity = capacity;
	}
	struct delivery delivery = { .entry = entry,
		                     .target = target,
		                     .topic = plan->topics.len,
		                     .topic_len = topic.len,
		                     .payload_len = payload_len,
		                     .made = transformed != NULL,
		                     .source = source };
	sluice_buffer_append_str(&plan->topics, topic);
	sluice_buffer_append(&plan->topics, "", 1); /* the broker wants a NUL behind it */
	if (plan->topics.failed)
		return PLAN_NO_MEMORY;
	if (transformed && payload_len > 0) {
		delivery.payload = mosquitto_malloc(payload_len);
		if (!delivery.payload)
			return PLAN_NO_MEMORY;
		memcpy(delivery.payload, transformed->data, payload_len);
	}
	plan->deliveries[plan->count++] = delivery;
	return PLAN_OK;
}

bool plan_complete(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct delivery *delivery = &plan->deliveries[i];
		if (delivery->made || delivery->payload_len == 0)
			continue;
		delivery->payload = mosquitto_malloc(delivery->payload_len);
		if (!delivery->payload)
			return false;
		memcpy(delivery->payload, delivery->source.data, delivery->payload_len);
		delivery->made = true;
	}
	return true;
}

void plan_reset(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		mosquitto_free(plan->deliveries[i].payload);
		mosquitto_property_free_all(&plan->deliveries[i].properties);
	}
	plan->count = 0;
	plan->bytes = 0;
	plan->once_count = 0;
	sluice_buffer_reset(&plan->topics);
}

void plan_finish(struct plan *plan)
{
	plan_reset(plan);
	free(plan->deliveries);
	free(plan->once);
	sluice_buffer_finish(&plan->topics);
	*plan = (struct plan){ 0 };
}
