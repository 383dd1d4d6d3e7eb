/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sluice/rule.h"

#include <inttypes.h>

#include "arena.h"
#include "document.h"
#include "sluice/buffer.h"
#include "sluice/members.h"
#include "sluice/topic.h"

/* A pattern reports itself what is nested too deep; above it are the archive and the bus. */
enum { MAX_DEPTH = SLUICE_PATTERN_MAX_DEPTH + 4 };

enum { ARCHIVE_RETENTION_S = 86400, ARCHIVE_RETENTION_MAX_S = 315360000 /* ten years */ };

static enum sluice_status read_filter(struct sluice_arena *arena, const struct sluice_json *node,
                                      struct sluice_str *filter, struct sluice_error *error)
{
	struct sluice_error why;

	if (node->type != SLUICE_JSON_STRING)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID, "must be a topic filter");
	if (!sluice_topic_filter_valid(node->string, &why))
		return sluice_json_error(node, error, SLUICE_ERR_INVALID, "%s", why.message);
	*filter = sluice_arena_str(arena, node->string);
	return filter->data ? SLUICE_OK : sluice_out_of_memory(error);
}

static enum sluice_status read_filters(struct sluice_arena *arena, const struct sluice_json *node,
                                       size_t max, struct sluice_str **filters, size_t *count,
                                       struct sluice_error *error)
{
	if (!node)
		return SLUICE_OK;
	if (node->type != SLUICE_JSON_ARRAY)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "must be a list of topic filters");
	if (node->count > max)
		return sluice_json_error(node, error, SLUICE_ERR_LIMIT,
		                         "there are more than %zu topic filters", max);
	*filters = sluice_arena_alloc(arena, node->count + 1, sizeof(**filters));
	if (!*filters)
		return sluice_out_of_memory(error);
	for (const struct sluice_json *item = node->first; item; item = item->next) {
		enum sluice_status status = read_filter(arena, item, &(*filters)[*count], error);

		if (status)
			return status;
		++*count;
	}
	return SLUICE_OK;
}

/* Takes the first level off a filter; false when there is none left. */
static bool take_level(struct sluice_str *filter, struct sluice_str *level)
{
	if (!filter->data)
		return false;
	const char *end = memchr(filter->data, '/', filter->len);

	*level = (struct sluice_str){ filter->data,
		                      end ? (size_t)(end - filter->data) : filter->len };
	filter->len -= level->len + (end != NULL);
	filter->data = end ? end + 1 : NULL;
	return true;
}

/* Whether some topic is matched by both. */
static bool overlap(struct sluice_str a, struct sluice_str b)
{
	struct sluice_str left, right;

	for (;;) {
		bool more = take_level(&a, &left);

		/* The one that ended may still be the parent of the other's "#". */
		if (!take_level(&b, &right))
			return !more || sluice_str_equal(left, SLUICE_STR("#"));
		if (sluice_str_equal(right, SLUICE_STR("#")))
			return true;
		if (!more)
			return false;
		if (sluice_str_equal(left, SLUICE_STR("#")))
			return true;
		if (!sluice_str_equal(left, SLUICE_STR("+")) &&
		    !sluice_str_equal(right, SLUICE_STR("+")) && !sluice_str_equal(left, right))
			return false;
	}
}

/* Each is a subscription of the bridge's, so two that match one topic would bring its will twice. */
static enum sluice_status read_will_topics(struct sluice_bus *bus, const struct sluice_json *node,
                                           struct sluice_error *error)
{
	enum sluice_status status = read_filters(bus->arena, node, SLUICE_BUS_MAX_WILL_FILTERS,
	                                         &bus->will_topics, &bus->will_topic_count, error);
	size_t at = 0;

	if (status || !node)
		return status;
	for (const struct sluice_json *item = node->first; item; item = item->next, at++) {
		if (item->string.data[0] == '$')
			return sluice_json_error(item, error, SLUICE_ERR_INVALID,
			                         "a will's topic must not begin with \"$\"");
		for (size_t i = 0; i < at; i++)
			if (overlap(bus->will_topics[i], bus->will_topics[at]))
				return sluice_json_error(
				        item, error, SLUICE_ERR_INVALID,
				        "there are topics that filter %zu matches too: a will "
				        "of one would come twice",
				        i);
	}
	return SLUICE_OK;
}

static enum sluice_status read_archive(struct sluice_bus *bus, const struct sluice_json *node,
                                       struct sluice_error *error)
{
	enum { PATTERN, RETENTION, MAX_BYTES, MEMBERS };
	static const char *const names[] = { "pattern", "retention_s", "max_bytes", NULL };
	const struct sluice_json *found[MEMBERS];
	struct sluice_archive *archive;
	enum sluice_status status;

	if (!node)
		return SLUICE_OK;
	status = sluice_members_read(node, "an archive", names, found, error);
	if (status)
		return status;
	bus->archive = archive = sluice_arena_alloc(bus->arena, 1, sizeof(*archive));
	if (!archive)
		return sluice_out_of_memory(error);
	archive->retention_s = ARCHIVE_RETENTION_S;
	if ((status = sluice_member_integer(found[RETENTION], 1, ARCHIVE_RETENTION_MAX_S,
	                                    &archive->retention_s, error)) ||
	    (status = sluice_member_integer(found[MAX_BYTES], 0, INT64_MAX, &archive->max_bytes,
	                                    error)))
		return status;
	if (!found[PATTERN])
		return SLUICE_OK;
	status = sluice_member_pattern(found[PATTERN], &archive->pattern, error);
	if (status)
		return status;
	archive->pattern_text = sluice_arena_str(bus->arena, found[PATTERN]->raw);
	return archive->pattern_text.data ? SLUICE_OK : sluice_out_of_memory(error);
}

static enum sluice_status read_bus(struct sluice_bus *bus, const struct sluice_json *node,
                                   struct sluice_error *error)
{
	enum {
		NAME,
		DESCRIPTION,
		TOPICS,
		EXCLUDE,
		DELIVER_ORIGINAL,
		ARCHIVE,
		WILL_TOPICS,
		MEMBERS
	};
	static const char *const names[] = {
		"name",    "description", "topics", "exclude", "deliver_original",
		"archive", "will_topics", NULL
	};
	const struct sluice_json *found[MEMBERS];
	enum sluice_status status = sluice_members_read(node, "a bus", names, found, error);

	if (status)
		return status;
	if (!found[NAME])
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "a bus must have a \"name\"");
	bus->deliver_original = true;
	if ((status = sluice_member_name(found[NAME], &bus->name, error)) ||
	    (status = sluice_member_string(found[DESCRIPTION], 0, SLUICE_DESCRIPTION_MAX,
	                                   &bus->description, error)) ||
	    (status = read_filters(bus->arena, found[TOPICS], SLUICE_BUS_MAX_FILTERS, &bus->topics,
	                           &bus->topic_count, error)) ||
	    (status = read_filters(bus->arena, found[EXCLUDE], SLUICE_BUS_MAX_FILTERS,
	                           &bus->exclude, &bus->exclude_count, error)) ||
	    (status = sluice_member_bool(found[DELIVER_ORIGINAL], &bus->deliver_original, error)) ||
	    (status = read_archive(bus, found[ARCHIVE], error)) ||
	    (status = read_will_topics(bus, found[WILL_TOPICS], error)))
		return status;
	/* Until here they pointed into the document. */
	bus->name = sluice_arena_str(bus->arena, bus->name);
	bus->description = sluice_arena_str(bus->arena, bus->description);
	if (!bus->name.data || (found[DESCRIPTION] && !bus->description.data))
		return sluice_out_of_memory(error);
	return SLUICE_OK;
}

enum sluice_status sluice_bus_from_json(const struct sluice_json *node, struct sluice_bus **bus,
                                        struct sluice_error *error)
{
	struct sluice_arena *arena = sluice_arena_create();
	struct sluice_bus *made = NULL;
	enum sluice_status status;

	*bus = NULL;
	if (arena)
		made = sluice_arena_alloc(arena, 1, sizeof(*made));
	if (!made) {
		sluice_arena_destroy(arena);
		return sluice_out_of_memory(error);
	}
	made->arena = arena;
	status = read_bus(made, node, error);
	if (status) {
		sluice_error_rebase(error, node);
		sluice_bus_destroy(made);
		return status;
	}
	*bus = made;
	return SLUICE_OK;
}

enum sluice_status sluice_bus_parse(struct sluice_str text, struct sluice_bus **bus,
                                    struct sluice_error *error)
{
	struct sluice_json_doc *doc;
	enum sluice_status status = sluice_json_parse(text, 0, MAX_DEPTH, &doc, error);

	*bus = NULL;
	if (status)
		return status;
	status = sluice_bus_from_json(sluice_json_root(doc), bus, error);
	sluice_json_destroy(doc);
	return status;
}

void sluice_bus_destroy(struct sluice_bus *bus)
{
	if (!bus)
		return;
	if (bus->archive)
		sluice_pattern_destroy(bus->archive->pattern);
	sluice_arena_destroy(bus->arena);
}

static void write_archive(struct sluice_buffer *buf, const struct sluice_archive *archive)
{
	sluice_buffer_append_text(buf, ",\"archive\":{");
	if (archive->pattern_text.data) {
		sluice_buffer_append_text(buf, "\"pattern\":");
		sluice_json_write_compact(buf, archive->pattern_text);
		sluice_buffer_append_text(buf, ",");
	}
	sluice_buffer_printf(buf, "\"retention_s\":%" PRId64 ",\"max_bytes\":%" PRId64 "}",
	                     archive->retention_s, archive->max_bytes);
}

static void write_filters(struct sluice_buffer *buf, const char *name,
                          const struct sluice_str *filters, size_t count)
{
	sluice_buffer_printf(buf, ",\"%s\":[", name);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			sluice_buffer_append_text(buf, ",");
		sluice_json_write_string(buf, filters[i]);
	}
	sluice_buffer_append_text(buf, "]");
}

void sluice_bus_write(const struct sluice_bus *bus, struct sluice_buffer *buf)
{
	sluice_buffer_append_text(buf, "{\"name\":");
	sluice_json_write_string(buf, bus->name);
	if (bus->description.data) {
		sluice_buffer_append_text(buf, ",\"description\":");
		sluice_json_write_string(buf, bus->description);
	}
	write_filters(buf, "topics", bus->topics, bus->topic_count);
	write_filters(buf, "exclude", bus->exclude, bus->exclude_count);
	sluice_buffer_printf(buf, ",\"deliver_original\":%s",
	                     bus->deliver_original ? "true" : "false");
	if (bus->archive)
		write_archive(buf, bus->archive);
	if (bus->will_topic_count > 0)
		write_filters(buf, "will_topics", bus->will_topics, bus->will_topic_count);
	sluice_buffer_append_text(buf, "}");
}

static bool matches_any(const struct sluice_str *filters, size_t count, struct sluice_str topic)
{
	for (size_t i = 0; i < count; i++)
		if (sluice_topic_matches(filters[i], topic))
			return true;
	return false;
}

bool sluice_bus_takes(const struct sluice_bus *bus, struct sluice_str topic)
{
	return matches_any(bus->topics, bus->topic_count, topic) &&
	       !matches_any(bus->exclude, bus->exclude_count, topic);
}

bool sluice_bus_takes_will(const struct sluice_bus *bus, struct sluice_str topic)
{
	return matches_any(bus->will_topics, bus->will_topic_count, topic) &&
	       !matches_any(bus->exclude, bus->exclude_count, topic);
}
