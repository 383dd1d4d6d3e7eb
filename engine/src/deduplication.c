/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <inttypes.h>

#include "event_path.h"
#include "path_value.h"
#include "sha256.h"
#include "sluice/delivery.h"
#include "sluice/members.h"

struct sluice_deduplication {
	struct sluice_arena *arena;     /* owns this */
	struct sluice_event_path *path; /* NULL = the content */
	int64_t window_s;
};

static enum sluice_status read_members(struct sluice_deduplication *made,
                                       const struct sluice_json *node, struct sluice_error *error)
{
	enum { KEY, WINDOW, MEMBERS };
	static const char *const names[] = { "key", "window_s", NULL };
	const struct sluice_json *found[MEMBERS];
	enum sluice_status status =
	        sluice_members_read(node, "a deduplication", names, found, error);

	if (status)
		return status;
	if (!found[KEY])
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "a deduplication must have a \"key\"");
	made->window_s = SLUICE_DEDUPLICATION_WINDOW_S;
	status = sluice_member_integer(found[WINDOW], 1, SLUICE_DEDUPLICATION_MAX_S,
	                               &made->window_s, error);
	if (status)
		return status;
	if (found[KEY]->type == SLUICE_JSON_STRING &&
	    sluice_str_equal(found[KEY]->string, SLUICE_STR("content")))
		return SLUICE_OK;
	return sluice_event_path_read(found[KEY], made->arena, &made->path, error);
}

enum sluice_status sluice_deduplication_from_json(const struct sluice_json *node,
                                                  struct sluice_deduplication **deduplication,
                                                  struct sluice_error *error)
{
	struct sluice_arena *arena;
	struct sluice_deduplication *made = NULL;
	enum sluice_status status;

	*deduplication = NULL;
	if (!node)
		return SLUICE_OK;
	arena = sluice_arena_create();
	if (arena)
		made = sluice_arena_alloc(arena, 1, sizeof(*made));
	if (!made) {
		sluice_arena_destroy(arena);
		return sluice_out_of_memory(error);
	}
	made->arena = arena;
	status = read_members(made, node, error);
	if (status)
		sluice_deduplication_destroy(made);
	else
		*deduplication = made;
	return status;
}

void sluice_deduplication_destroy(struct sluice_deduplication *deduplication)
{
	if (deduplication)
		sluice_arena_destroy(deduplication->arena);
}

unsigned sluice_deduplication_metadata(const struct sluice_deduplication *deduplication)
{
	return deduplication->path ? deduplication->path->path.metadata : 0;
}

bool sluice_deduplication_reads_payload(const struct sluice_deduplication *deduplication)
{
	return !deduplication->path || sluice_json_path_reads_payload(&deduplication->path->path);
}

int64_t sluice_deduplication_window_ms(const struct sluice_deduplication *deduplication)
{
	return deduplication->window_s * 1000;
}

void sluice_deduplication_write(const struct sluice_deduplication *deduplication,
                                struct sluice_buffer *buf)
{
	sluice_buffer_append_text(buf, "{\"key\":");
	sluice_json_write_string(buf, deduplication->path ? deduplication->path->text
	                                                  : SLUICE_STR("content"));
	sluice_buffer_printf(buf, ",\"window_s\":%" PRId64 "}", deduplication->window_s);
}

enum sluice_status sluice_deduplication_key(const struct sluice_deduplication *deduplication,
                                            const struct sluice_event *event,
                                            struct sluice_str payload,
                                            struct sluice_buffer *scratch,
                                            unsigned char key[SLUICE_DEDUPLICATION_BYTES])
{
	unsigned char hash[SLUICE_SHA256_BYTES];
	struct sluice_path_value value;

	sluice_buffer_reset(scratch);
	if (deduplication->path) {
		if (!sluice_event_path_find(deduplication->path, event, &value))
			return SLUICE_ERR_NOT_FOUND;
		sluice_path_value_write_plain(value, scratch);
		if (scratch->failed)
			return SLUICE_ERR_NOMEM;
		payload = sluice_buffer_str(scratch);
	}
	/* Half of it is enough that nobody finds two texts of one hash, by chance or on purpose. */
	sluice_sha256(payload, hash);
	memcpy(key, hash, SLUICE_DEDUPLICATION_BYTES);
	sluice_buffer_reset(scratch);
	return SLUICE_OK;
}
