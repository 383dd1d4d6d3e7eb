/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "event_path.h"
#include "sluice/delivery.h"

struct sluice_delay {
	struct sluice_arena *arena;     /* owns this */
	struct sluice_event_path *path; /* NULL = always ms */
	int64_t ms;
};

static enum sluice_status read_delay(struct sluice_delay *delay, const struct sluice_json *node,
                                     struct sluice_error *error)
{
	if (sluice_json_integer(node, 0, SLUICE_DELAY_MAX_MS, &delay->ms))
		return SLUICE_OK;
	if (node->type == SLUICE_JSON_STRING)
		return sluice_event_path_read(node, delay->arena, &delay->path, error);
	return sluice_json_error(node, error, SLUICE_ERR_INVALID,
	                         "must be a whole number of milliseconds, at most a year "
	                         "(31536000000), or a path");
}

enum sluice_status sluice_delay_from_json(const struct sluice_json *node,
                                          struct sluice_delay **delay, struct sluice_error *error)
{
	struct sluice_arena *arena;
	enum sluice_status status;

	*delay = NULL;
	if (!node)
		return SLUICE_OK;
	arena = sluice_arena_create();
	struct sluice_delay *made = arena ? sluice_arena_alloc(arena, 1, sizeof(*made)) : NULL;
	if (!made) {
		sluice_arena_destroy(arena);
		return sluice_out_of_memory(error);
	}
	made->arena = arena;
	status = read_delay(made, node, error);
	if (status)
		sluice_delay_destroy(made);
	else
		*delay = made;
	return status;
}

void sluice_delay_destroy(struct sluice_delay *delay)
{
	if (delay)
		sluice_arena_destroy(delay->arena);
}

unsigned sluice_delay_metadata(const struct sluice_delay *delay)
{
	return delay->path ? delay->path->path.metadata : 0;
}

bool sluice_delay_reads_payload(const struct sluice_delay *delay)
{
	return delay->path && sluice_json_path_reads_payload(&delay->path->path);
}

/* The value's characters: a number in any spelling of a whole one, or a string that holds that. */
static struct sluice_str number_text(struct sluice_path_value value)
{
	struct sluice_str text = value.text;

	if (value.kind == SLUICE_PATH_JSON && text.data[0] == '"')
		text = (struct sluice_str){ text.data + 1, text.len - 2 };
	return text;
}

static enum sluice_status parse_ms(struct sluice_str text, int64_t *ms, struct sluice_error *error)
{
	struct sluice_json_doc *doc;
	/* Longer than any spelling that has a use; so a large value is not read in vain. */
	enum { LONGEST = 64 };
	enum sluice_status status = SLUICE_ERR_INVALID;

	if (text.len <= LONGEST) {
		status = sluice_json_parse(text, 0, 1, &doc, NULL);
		if (status == SLUICE_ERR_NOMEM)
			return sluice_out_of_memory(error);
		if (!status &&
		    !sluice_json_integer(sluice_json_root(doc), 0, SLUICE_DELAY_MAX_MS, ms))
			status = SLUICE_ERR_INVALID;
		sluice_json_destroy(doc);
	}
	if (status)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "the event's delay is no whole number of milliseconds "
		                        "up to a year");
	return SLUICE_OK;
}

enum sluice_status sluice_delay_of(const struct sluice_delay *delay,
                                   const struct sluice_event *event, int64_t *delay_ms,
                                   struct sluice_error *error)
{
	struct sluice_path_value value;

	*delay_ms = delay->ms;
	if (!delay->path || !sluice_event_path_find(delay->path, event, &value))
		return SLUICE_OK;
	return parse_ms(number_text(value), delay_ms, error);
}
