/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "definitions.h"

#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "sluice_store/store.h"
#include "source.h"
#include "target.h"

enum { POLL_MS = 500 };

/* A definition as the store told of it. */
struct known {
	struct known *next;
	enum sluice_store_kind kind;
	struct sluice_str name;
	char *text; /* NULL: it is gone */
	size_t len;
	bool changed;
	char name_bytes[SLUICE_NAME_MAX + 1];
};

struct definitions {
	struct bridge *bridge;
	struct sluice_store *store;
	struct known *known;
	uv_timer_t timer;
	char trouble[256]; /* the store's, that was logged; "" = none */
};

static bool is_ours(enum sluice_store_kind kind)
{
	return kind == SLUICE_STORE_CONNECTION || kind == SLUICE_STORE_TARGET ||
	       kind == SLUICE_STORE_SOURCE;
}

static struct known *find(const struct definitions *definitions, enum sluice_store_kind kind,
                          struct sluice_str name)
{
	struct known *at = definitions->known;
	while (at && (at->kind != kind || !sluice_str_equal(at->name, name)))
		at = at->next;
	return at;
}

/* The plugin hears of it at about the same time: credit that came too early is said again. */
static void tell_queue(const struct bridge *bridge, struct sluice_str queue)
{
	for (struct target *at = bridge->targets; at; at = at->next) {
		if (sluice_str_equal(target_queue(at), queue))
			target_queue_changed(at);
	}
}

static void on_change(void *arg, enum sluice_store_kind kind, const struct sluice_store_row *row)
{
	struct definitions *definitions = arg;
	if (kind == SLUICE_STORE_QUEUE)
		tell_queue(definitions->bridge, row->name);
	if (!is_ours(kind) || row->name.len > SLUICE_NAME_MAX)
		return;
	struct known *known = find(definitions, kind, row->name);
	if (!known) {
		known = calloc(1, sizeof *known);
		if (!known) {
			log_line(LOG_ERROR, "out of memory: a definition is not taken in");
			return;
		}
		known->kind = kind;
		memcpy(known->name_bytes, row->name.data, row->name.len);
		known->name = (struct sluice_str){ known->name_bytes, row->name.len };
		known->next = definitions->known;
		definitions->known = known;
	}
	free(known->text);
	known->len = row->text.len;
	known->text = row->text.data ? strndup(row->text.data, row->text.len) : NULL;
	known->changed = true;
}

/* --- putting in force --- */

static struct target *find_target(const struct bridge *bridge, struct sluice_str name)
{
	struct target *target = bridge->targets;
	while (target && !sluice_str_equal(target->definition->name, name))
		target = target->next;
	return target;
}

static struct source *find_source(const struct bridge *bridge, struct sluice_str name)
{
	struct source *source = bridge->sources;
	while (source && !sluice_str_equal(source->definition->name, name))
		source = source->next;
	return source;
}

/* The credentials of a connection; *credentials stays NULL when none is named. */
static enum sluice_status read_credentials(const struct definitions *definitions,
                                           struct sluice_str name, struct credentials **credentials,
                                           struct sluice_error *error)
{
	struct sluice_definition definition;
	*credentials = NULL;
	if (!name.data)
		return SLUICE_OK;
	const struct known *known = find(definitions, SLUICE_STORE_CONNECTION, name);
	if (!known || !known->text)
		return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, NULL,
		                        "there is no connection %.*s", (int)name.len, name.data);
	enum sluice_status status = sluice_definition_parse(
	        known->kind, (struct sluice_str){ known->text, known->len }, &definition, error);
	if (status != SLUICE_OK)
		return status;
	return credentials_create(definition.connection, credentials, error);
}

static void begin_target(const struct definitions *definitions,
                         struct sluice_bridge_target *definition)
{
	struct credentials *own, *enrichment = NULL;
	struct sluice_error error = { 0 };
	enum sluice_status status =
	        read_credentials(definitions, definition->connection, &own, &error);
	if (status == SLUICE_OK)
		status = read_credentials(definitions, definition->enrichment.connection,
		                          &enrichment, &error);
	struct target *target = target_create(definitions->bridge, definition, own, enrichment);
	if (!target)
		log_line(LOG_ERROR, "out of memory: a target does not begin");
	else if (status != SLUICE_OK)
		target_fault(target, error.message);
	else
		target_begin(target);
}

static void begin_source(const struct definitions *definitions,
                         struct sluice_bridge_source *definition)
{
	struct credentials *credentials;
	struct sluice_error error = { 0 };
	enum sluice_status status =
	        read_credentials(definitions, definition->connection, &credentials, &error);
	struct source *source = source_create(definitions->bridge, definition, credentials);
	if (!source)
		log_line(LOG_ERROR, "out of memory: a source does not begin");
	else if (status != SLUICE_OK)
		source_trouble(source, error.message);
	else
		source_begin(source);
}

/* Ends what stands under that name, and begins it anew if it is still there. */
static void put_in_force(const struct definitions *definitions, const struct known *known)
{
	struct sluice_definition definition;
	struct sluice_error error;
	bool is_target = known->kind == SLUICE_STORE_TARGET;
	struct target *target = is_target ? find_target(definitions->bridge, known->name) : NULL;
	struct source *source = is_target ? NULL : find_source(definitions->bridge, known->name);
	if (known->text &&
	    sluice_definition_parse(known->kind, (struct sluice_str){ known->text, known->len },
	                            &definition, &error) != SLUICE_OK) {
		log_line(LOG_ERROR, "%s %s, as it stands in the store, is not in force: %s%s%s",
		         sluice_store_noun(known->kind), known->name_bytes, error.place,
		         error.place[0] ? ": " : "", error.message);
		return;
	}
	if (target)
		target_close(target);
	if (source)
		source_close(source);
	if (!known->text)
		return;
	if (is_target)
		begin_target(definitions, definition.target);
	else if (definitions->bridge->options->no_sources)
		sluice_definition_finish(&definition);
	else
		begin_source(definitions, definition.source);
}

static bool named_has_changed(const struct definitions *definitions, struct sluice_str connection)
{
	const struct known *known =
	        connection.data ? find(definitions, SLUICE_STORE_CONNECTION, connection) : NULL;
	return known && known->changed;
}

/* Whether it, or a connection that it names, changed. */
static bool is_touched(const struct definitions *definitions, const struct known *known)
{
	if (known->changed)
		return true;
	const struct target *target = known->kind == SLUICE_STORE_TARGET
	                                      ? find_target(definitions->bridge, known->name)
	                                      : NULL;
	const struct source *source = known->kind == SLUICE_STORE_SOURCE
	                                      ? find_source(definitions->bridge, known->name)
	                                      : NULL;
	return (target &&
	        (named_has_changed(definitions, target->definition->connection) ||
	         named_has_changed(definitions, target->definition->enrichment.connection))) ||
	       (source && named_has_changed(definitions, source->definition->connection));
}

static void apply(struct definitions *definitions)
{
	for (struct known *at = definitions->known; at; at = at->next) {
		if (at->kind != SLUICE_STORE_CONNECTION && is_touched(definitions, at))
			put_in_force(definitions, at);
	}
	for (struct known **at = &definitions->known; *at;) {
		struct known *known = *at;
		known->changed = false;
		if (known->text) {
			at = &known->next;
			continue;
		}
		*at = known->next;
		free(known);
	}
}

static void note(struct definitions *definitions, enum sluice_status status,
                 const struct sluice_error *error)
{
	char text[sizeof definitions->trouble] = "";
	if (status != SLUICE_OK)
		snprintf(text, sizeof text, "%.255s", error->message);
	if (strcmp(text, definitions->trouble) == 0)
		return;
	memcpy(definitions->trouble, text, sizeof text);
	if (status == SLUICE_OK)
		log_line(LOG_NOTICE, "the store can be read again");
	else
		log_line(LOG_ERROR,
		         "the store can't be read, and what it said before stays in force: %s",
		         text);
}

static void on_timer(uv_timer_t *timer)
{
	struct definitions *definitions = timer->data;
	struct sluice_error error;
	enum sluice_status status =
	        sluice_store_poll(definitions->store, on_change, definitions, &error);
	note(definitions, status, &error);
	if (status == SLUICE_OK)
		apply(definitions);
}

struct definitions *definitions_open(struct bridge *bridge, const char *path,
                                     struct sluice_error *error)
{
	struct definitions *definitions = calloc(1, sizeof *definitions);
	if (!definitions) {
		sluice_out_of_memory(error);
		return NULL;
	}
	definitions->bridge = bridge;
	if (sluice_store_open(path, SLUICE_STORE_READ_ONLY | SLUICE_STORE_SECRETS,
	                      &definitions->store, error) != SLUICE_OK) {
		free(definitions);
		return NULL;
	}
	uv_timer_init(&bridge->loop, &definitions->timer);
	definitions->timer.data = definitions;
	uv_timer_start(&definitions->timer, on_timer, 0, POLL_MS);
	return definitions;
}

static void on_closed(uv_handle_t *handle)
{
	struct definitions *definitions = handle->data;
	struct known *at = definitions->known, *next;
	for (; at; at = next) {
		next = at->next;
		if (at->text)
			explicit_bzero(at->text, at->len);
		free(at->text);
		free(at);
	}
	sluice_store_close(definitions->store);
	free(definitions);
}

void definitions_close(struct definitions *definitions)
{
	if (definitions)
		uv_close((uv_handle_t *)&definitions->timer, on_closed);
}
