/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

#include "bridge_settings.h"
#include "document.h"
#include "event_path.h"
#include "sluice/members.h"

enum { DAY_MS = 86400000 };

static const char *const delivery_names[] = { "concurrency",
	                                      "rate",
	                                      "burst",
	                                      "batch_events",
	                                      "batch_bytes",
	                                      "batch_wait_ms",
	                                      "timeout_ms",
	                                      "max_attempts",
	                                      "max_age_s",
	                                      "backoff_ms",
	                                      "backoff_max_ms",
	                                      "breaker_failures",
	                                      "breaker_pause_ms",
	                                      NULL };

/* The same in this order: where a number is kept, and its bounds. */
static const struct {
	size_t offset;
	int64_t otherwise, min, max;
} numbers[] = {
#define AT(member) offsetof(struct sluice_bridge_delivery, member)
	{ AT(concurrency), 10, 1, 1000 },
	{ AT(rate), 0, 0, 1000000 },
	{ AT(burst), 0, 0, 1000000 },
	{ AT(batch_events), 1, 1, 1000 },
	{ AT(batch_bytes), 262144, 1, 268435455 }, /* MQTT's largest packet */
	{ AT(batch_wait_ms), 0, 0, 60000 },
	{ AT(timeout_ms), 30000, 1, DAY_MS },
	{ AT(max_attempts), 185, 1, 1000000 },
	{ AT(max_age_s), 86400, 1, 31536000 },
	{ AT(backoff_ms), 1000, 1, DAY_MS },
	{ AT(backoff_max_ms), 900000, 1, DAY_MS },
	{ AT(breaker_failures), 10, 0, 1000000 },
	{ AT(breaker_pause_ms), 30000, 1, DAY_MS },
#undef AT
};

enum { NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };

static enum sluice_status read_delivery(struct sluice_bridge_delivery *delivery,
                                        const struct sluice_json *node, struct sluice_error *error)
{
	const struct sluice_json *found[NUMBERS] = { NULL };
	enum sluice_status status = SLUICE_OK;

	if (node)
		status = sluice_members_read(node, "a delivery", delivery_names, found, error);
	for (size_t i = 0; i < NUMBERS && !status; i++) {
		int64_t *value = (int64_t *)(void *)((char *)delivery + numbers[i].offset);

		*value = numbers[i].otherwise;
		status = sluice_member_integer(found[i], numbers[i].min, numbers[i].max, value,
		                               error);
	}
	if (!status && delivery->backoff_max_ms < delivery->backoff_ms)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "\"backoff_max_ms\" must not be below \"backoff_ms\"");
	return status;
}

/* A way through members alone: what is not there yet can be made. */
static enum sluice_status check_into(const struct sluice_json *node, struct sluice_error *error)
{
	struct sluice_arena *arena = sluice_arena_create();
	struct sluice_event_path *path = NULL;
	enum sluice_status status;
	bool members;

	if (!arena)
		return sluice_out_of_memory(error);
	status = sluice_event_path_read(node, arena, &path, error);
	members = !status && path->path.metadata == 0 && path->path.step_count > 0;
	for (size_t i = 0; members && i < path->path.step_count; i++)
		members = path->path.steps[i].key.data != NULL;
	sluice_arena_destroy(arena);
	if (!status && !members)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "must be the path of a member, such as $.customer");
	return status;
}

static enum sluice_status read_enrichment(struct sluice_bridge_enrichment *enrichment,
                                          const struct sluice_json *node,
                                          struct sluice_error *error)
{
	enum { KIND, CONNECTION, SETTINGS, INTO, MEMBERS };
	static const char *const names[] = { "kind", "connection", "settings", "into", NULL };
	const struct sluice_json *found[MEMBERS];
	enum sluice_status status;

	if (!node)
		return SLUICE_OK;
	status = sluice_members_read(node, "an enrichment", names, found, error);
	if (status || (status = sluice_bridge_read_kind(SLUICE_BRIDGE_TARGET, node, found[KIND],
	                                                &enrichment->kind, error)))
		return status;
	if (strcmp(enrichment->kind->name, "http") != 0 &&
	    strcmp(enrichment->kind->name, "exec") != 0)
		return sluice_json_error(found[KIND], error, SLUICE_ERR_INVALID,
		                         "an enrichment must be of the kind \"http\" or \"exec\"");
	if ((status = sluice_member_name(found[CONNECTION], &enrichment->connection, error)) ||
	    (status = sluice_bridge_read_settings(SLUICE_BRIDGE_TARGET, enrichment->kind, node,
	                                          found[SETTINGS], &enrichment->settings, error)))
		return status;
	if (!found[INTO])
		return SLUICE_OK;
	status = check_into(found[INTO], error);
	if (!status)
		enrichment->into = found[INTO]->string;
	return status;
}

static enum sluice_status read_target(struct sluice_bridge_target *target,
                                      const struct sluice_json *node, struct sluice_error *error)
{
	enum {
		NAME,
		DESCRIPTION,
		STATE,
		QUEUE,
		KIND,
		CONNECTION,
		SETTINGS,
		ENRICHMENT,
		DELIVERY,
		MEMBERS
	};
	static const char *const names[] = { "name",     "description", "state",    "queue",
		                             "kind",     "connection",  "settings", "enrichment",
		                             "delivery", NULL };
	const struct sluice_json *found[MEMBERS];
	enum sluice_status status = sluice_members_read(node, "a target", names, found, error);

	if (status)
		return status;
	if (!found[NAME])
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "a target must have a \"name\"");
	if ((status = sluice_member_name(found[NAME], &target->name, error)) ||
	    (status = sluice_member_string(found[DESCRIPTION], 0, SLUICE_DESCRIPTION_MAX,
	                                   &target->description, error)) ||
	    (status = sluice_bridge_read_state(found[STATE], &target->enabled, error)))
		return status;
	target->queue = target->name;
	if ((status = sluice_member_name(found[QUEUE], &target->queue, error)) ||
	    (status = sluice_bridge_read_kind(SLUICE_BRIDGE_TARGET, node, found[KIND],
	                                      &target->kind, error)) ||
	    (status = sluice_member_name(found[CONNECTION], &target->connection, error)) ||
	    (status = sluice_bridge_read_settings(SLUICE_BRIDGE_TARGET, target->kind, node,
	                                          found[SETTINGS], &target->settings, error)) ||
	    (status = read_enrichment(&target->enrichment, found[ENRICHMENT], error)))
		return status;
	return read_delivery(&target->delivery, found[DELIVERY], error);
}

enum sluice_status sluice_bridge_target_from_json(const struct sluice_json *node,
                                                  struct sluice_bridge_target **target,
                                                  struct sluice_error *error)
{
	struct sluice_json_doc *doc;
	void *made;
	enum sluice_status status;

	*target = NULL;
	status = sluice_bridge_copy(node, "a target", sizeof(**target), &made, &doc, error);
	if (status)
		return status;
	*target = made;
	(*target)->doc = doc;
	status = read_target(*target, sluice_json_root(doc), error);
	if (status) {
		sluice_bridge_target_destroy(*target);
		*target = NULL;
	}
	return status;
}

void sluice_bridge_target_destroy(struct sluice_bridge_target *target)
{
	if (!target)
		return;
	sluice_json_destroy(target->doc);
	free(target);
}

static void write_enrichment(const struct sluice_bridge_enrichment *enrichment,
                             struct sluice_buffer *buf)
{
	if (!enrichment->kind)
		return;
	sluice_buffer_printf(buf, ",\"enrichment\":{\"kind\":\"%s\"", enrichment->kind->name);
	sluice_bridge_write_text(buf, "connection", enrichment->connection);
	sluice_bridge_write_json(buf, "settings", enrichment->settings);
	sluice_bridge_write_text(buf, "into", enrichment->into);
	sluice_buffer_append_text(buf, "}");
}

void sluice_bridge_target_write(const struct sluice_bridge_target *target,
                                struct sluice_buffer *buf)
{
	sluice_buffer_append_text(buf, "{\"name\":");
	sluice_json_write_string(buf, target->name);
	sluice_bridge_write_text(buf, "description", target->description);
	sluice_buffer_printf(buf, ",\"state\":\"%s\"", target->enabled ? "ENABLED" : "DISABLED");
	sluice_bridge_write_text(buf, "queue", target->queue);
	sluice_bridge_write_text(buf, "kind", sluice_str(target->kind->name));
	sluice_bridge_write_text(buf, "connection", target->connection);
	sluice_bridge_write_json(buf, "settings", target->settings);
	write_enrichment(&target->enrichment, buf);
	sluice_buffer_append_text(buf, ",\"delivery\":{");
	for (size_t i = 0; i < NUMBERS; i++)
		sluice_buffer_printf(
		        buf, "%s\"%s\":%" PRId64, i ? "," : "", delivery_names[i],
		        *(const int64_t *)(const void *)((const char *)&target->delivery +
		                                         numbers[i].offset));
	sluice_buffer_append_text(buf, "}}");
}
