/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sluice/queue.h"

#include <inttypes.h>
#include <stddef.h>

#include "document.h"
#include "event_path.h"
#include "path_value.h"
#include "sha256.h"
#include "sluice/members.h"

enum { MAX_DEPTH = 8 };

enum member {
	NAME,
	DESCRIPTION,
	VISIBILITY_TIMEOUT,
	MAX_RECEIVES,
	DEAD_LETTER,
	RETENTION,
	MAX_EVENTS,
	MAX_BYTES,
	MAX_IN_FLIGHT,
	DELAY,
	GROUP,
	GROUP_ON_DEAD,
	DEDUPLICATION,
	BATCH,
	MEMBERS
};

static const char *const names[] = { "name",          "description", "visibility_timeout_s",
	                             "max_receives",  "dead_letter", "retention_s",
	                             "max_events",    "max_bytes",   "max_in_flight",
	                             "delay_ms",      "group",       "group_on_dead",
	                             "deduplication", "batch",       NULL };

/* A member that is a number, and where it is kept. */
struct number {
	enum member member;
	size_t offset;
	int64_t otherwise, min, max;
};

#define AT(member) offsetof(struct sluice_queue, member)

static const struct number numbers[] = {
	{ VISIBILITY_TIMEOUT, AT(visibility_timeout_s), 30, 1, 43200 },
	{ MAX_RECEIVES, AT(max_receives), 0, 0, 1000 },
	{ RETENTION, AT(retention_s), 345600, 60, 31536000 },
	{ MAX_EVENTS, AT(max_events), 0, 0, INT64_MAX },
	{ MAX_BYTES, AT(max_bytes), 0, 0, INT64_MAX },
	{ MAX_IN_FLIGHT, AT(max_in_flight), 100, 1, 10000 },
	{ DELAY, AT(delay_ms), 0, 0, SLUICE_DELAY_MAX_MS },
};

static const char *const batch_names[] = { "max_events", "max_bytes", "max_wait_ms", NULL };

/* The same of a batch: `member` is a place in batch_names. */
static const struct {
	size_t offset;
	int64_t otherwise, min, max;
} batch_numbers[] = {
	{ AT(batch.max_events), 0, 1, SLUICE_QUEUE_BATCH_MAX },
	{ AT(batch.max_bytes), 65536, 1, 268435455 }, /* MQTT's largest packet */
	{ AT(batch.max_wait_ms), 0, 0, 60000 },
};

#undef AT

enum {
	NUMBERS = sizeof(numbers) / sizeof(numbers[0]),
	BATCH_NUMBERS = sizeof(batch_numbers) / sizeof(batch_numbers[0]),
};

static int64_t *number_at(struct sluice_queue *queue, size_t offset)
{
	return (int64_t *)(void *)((char *)queue + offset);
}

static int64_t number_of(const struct sluice_queue *queue, size_t offset)
{
	return *(const int64_t *)(const void *)((const char *)queue + offset);
}

static enum sluice_status read_numbers(struct sluice_queue *queue,
                                       const struct sluice_json *const *found,
                                       struct sluice_error *error)
{
	enum sluice_status status = SLUICE_OK;

	for (size_t i = 0; i < NUMBERS && !status; i++) {
		int64_t *value = number_at(queue, numbers[i].offset);

		*value = numbers[i].otherwise;
		status = sluice_member_integer(found[numbers[i].member], numbers[i].min,
		                               numbers[i].max, value, error);
	}
	return status;
}

static enum sluice_status read_batch(struct sluice_queue *queue, const struct sluice_json *node,
                                     struct sluice_error *error)
{
	const struct sluice_json *found[BATCH_NUMBERS];
	enum sluice_status status;

	/* Also without one: a worker may ask for batches of its own. */
	for (size_t i = 0; i < BATCH_NUMBERS; i++)
		*number_at(queue, batch_numbers[i].offset) = batch_numbers[i].otherwise;
	if (!node)
		return SLUICE_OK;
	status = sluice_members_read(node, "a batch", batch_names, found, error);
	if (status)
		return status;
	if (!found[0])
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "a batch must have \"max_events\"");
	for (size_t i = 0; i < BATCH_NUMBERS && !status; i++)
		status = sluice_member_integer(found[i], batch_numbers[i].min, batch_numbers[i].max,
		                               number_at(queue, batch_numbers[i].offset), error);
	return status;
}

static enum sluice_status read_group_on_dead(struct sluice_queue *queue,
                                             const struct sluice_json *node,
                                             struct sluice_error *error)
{
	if (!node)
		return SLUICE_OK;
	queue->group_stop = node->type == SLUICE_JSON_STRING &&
	                    sluice_str_equal(node->string, SLUICE_STR("stop"));
	if (!queue->group_stop && !(node->type == SLUICE_JSON_STRING &&
	                            sluice_str_equal(node->string, SLUICE_STR("continue"))))
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "must be \"continue\" or \"stop\"");
	return SLUICE_OK;
}

static bool keep(struct sluice_arena *arena, struct sluice_str *text)
{
	bool absent = !text->data;

	*text = sluice_arena_str(arena, *text);
	return absent || text->data;
}

static enum sluice_status read_queue(struct sluice_queue *queue, const struct sluice_json *node,
                                     struct sluice_error *error)
{
	const struct sluice_json *found[MEMBERS];
	enum sluice_status status = sluice_members_read(node, "a queue", names, found, error);

	if (status)
		return status;
	if (!found[NAME])
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "a queue must have a \"name\"");
	if ((status = sluice_member_name(found[NAME], &queue->name, error)) ||
	    (status = sluice_member_string(found[DESCRIPTION], 0, SLUICE_DESCRIPTION_MAX,
	                                   &queue->description, error)) ||
	    (status = sluice_member_name(found[DEAD_LETTER], &queue->dead_letter, error)) ||
	    (status = read_numbers(queue, found, error)) ||
	    (status = sluice_event_path_read(found[GROUP], queue->arena, &queue->group, error)) ||
	    (status = read_group_on_dead(queue, found[GROUP_ON_DEAD], error)) ||
	    (status = sluice_deduplication_from_json(found[DEDUPLICATION], &queue->deduplication,
	                                             error)) ||
	    (status = read_batch(queue, found[BATCH], error)))
		return status;
	if (queue->dead_letter.data && sluice_str_equal(queue->dead_letter, queue->name))
		return sluice_json_error(found[DEAD_LETTER], error, SLUICE_ERR_INVALID,
		                         "a queue can't be its own dead-letter queue");
	/* Until here they pointed into the document. */
	if (!keep(queue->arena, &queue->name) || !keep(queue->arena, &queue->description) ||
	    !keep(queue->arena, &queue->dead_letter))
		return sluice_out_of_memory(error);
	return SLUICE_OK;
}

enum sluice_status sluice_queue_from_json(const struct sluice_json *node,
                                          struct sluice_queue **queue, struct sluice_error *error)
{
	struct sluice_arena *arena = sluice_arena_create();
	struct sluice_queue *made = NULL;
	enum sluice_status status;

	*queue = NULL;
	if (arena)
		made = sluice_arena_alloc(arena, 1, sizeof(*made));
	if (!made) {
		sluice_arena_destroy(arena);
		return sluice_out_of_memory(error);
	}
	made->arena = arena;
	status = read_queue(made, node, error);
	if (status) {
		sluice_error_rebase(error, node);
		sluice_queue_destroy(made);
		return status;
	}
	*queue = made;
	return SLUICE_OK;
}

enum sluice_status sluice_queue_parse(struct sluice_str text, struct sluice_queue **queue,
                                      struct sluice_error *error)
{
	struct sluice_json_doc *doc;
	enum sluice_status status = sluice_json_parse(text, 0, MAX_DEPTH, &doc, error);

	*queue = NULL;
	if (status)
		return status;
	status = sluice_queue_from_json(sluice_json_root(doc), queue, error);
	sluice_json_destroy(doc);
	return status;
}

void sluice_queue_destroy(struct sluice_queue *queue)
{
	if (!queue)
		return;
	sluice_deduplication_destroy(queue->deduplication);
	sluice_arena_destroy(queue->arena);
}

static void write_text(struct sluice_buffer *buf, enum member member, struct sluice_str text)
{
	if (!text.data)
		return;
	sluice_buffer_printf(buf, ",\"%s\":", names[member]);
	sluice_json_write_string(buf, text);
}

void sluice_queue_write(const struct sluice_queue *queue, struct sluice_buffer *buf)
{
	sluice_buffer_append_text(buf, "{\"name\":");
	sluice_json_write_string(buf, queue->name);
	write_text(buf, DESCRIPTION, queue->description);
	for (size_t i = 0; i < NUMBERS; i++) {
		sluice_buffer_printf(buf, ",\"%s\":%" PRId64, names[numbers[i].member],
		                     number_of(queue, numbers[i].offset));
		if (numbers[i].member == MAX_RECEIVES)
			write_text(buf, DEAD_LETTER, queue->dead_letter);
	}
	if (queue->group)
		write_text(buf, GROUP, queue->group->text);
	write_text(buf, GROUP_ON_DEAD,
	           queue->group_stop ? SLUICE_STR("stop") : SLUICE_STR("continue"));
	if (queue->deduplication) {
		sluice_buffer_printf(buf, ",\"%s\":", names[DEDUPLICATION]);
		sluice_deduplication_write(queue->deduplication, buf);
	}
	if (queue->batch.max_events > 0) {
		sluice_buffer_printf(buf, ",\"%s\":{", names[BATCH]);
		for (size_t i = 0; i < BATCH_NUMBERS; i++)
			sluice_buffer_printf(buf, "%s\"%s\":%" PRId64, i ? "," : "", batch_names[i],
			                     number_of(queue, batch_numbers[i].offset));
		sluice_buffer_append_text(buf, "}");
	}
	sluice_buffer_append_text(buf, "}");
}

/* Puts the hash in the place of what was appended from `start` on. */
static void shorten(struct sluice_buffer *out, size_t start)
{
	const struct sluice_str text = { out->data + start, out->len - start };
	unsigned char hash[SLUICE_SHA256_BYTES];

	sluice_sha256(text, hash);
	out->len = start;
	sluice_buffer_append_text(out, "sha256:");
	for (size_t i = 0; i < sizeof(hash); i++)
		sluice_buffer_printf(out, "%02x", hash[i]);
}

bool sluice_queue_group(const struct sluice_queue *queue, const struct sluice_vars *vars,
                        struct sluice_buffer *out)
{
	struct sluice_path_value value;
	size_t start = out->len;

	if (!queue->group || !sluice_event_path_find(queue->group, vars->event, &value))
		return false;
	sluice_path_value_write_plain(value, out);
	if (!out->failed && out->len - start > SLUICE_GROUP_MAX_BYTES)
		shorten(out, start);
	return true;
}
