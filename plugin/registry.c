/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "registry.h"

#include <assert.h>
#include <stdlib.h>

static size_t hash_name(struct sluice_str name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ (unsigned char)name.data[i]) * UINT64_C(0x100000001b3);
	return (size_t)(hash ^ hash >> 32);
}

static bool named(const char *name, struct sluice_str text)
{
	return sluice_str_equal(sluice_str(name), text);
}

static void copy_name(char to[SLUICE_NAME_MAX + 1], struct sluice_str name)
{
	assert(name.len <= SLUICE_NAME_MAX);
	memcpy(to, name.data, name.len);
	to[name.len] = '\0';
}

/* --- rules by name --- */

static struct rule_record **rule_link(const struct registry *registry, struct sluice_str name)
{
	struct rule_record **link = &registry->rules[hash_name(name) & (registry->rule_slots - 1)];
	while (*link && !named((*link)->name, name))
		link = &(*link)->next;
	return link;
}

struct rule_record *registry_rule(const struct registry *registry, struct sluice_str name)
{
	struct rule_record *record = *rule_link(registry, name);
	return record && record->current ? record : NULL;
}

static void grow(struct registry *registry)
{
	size_t slots = registry->rule_slots * 2;
	struct rule_record **rules = calloc(slots, sizeof(struct rule_record *));
	if (!rules)
		return; /* longer chains */
	for (size_t i = 0; i < registry->rule_slots; i++) {
		struct rule_record *next;
		for (struct rule_record *record = registry->rules[i]; record; record = next) {
			next = record->next;
			size_t slot = hash_name(sluice_str(record->name)) & (slots - 1);
			record->next = rules[slot];
			rules[slot] = record;
		}
	}
	free(registry->rules);
	registry->rules = rules;
	registry->rule_slots = slots;
}

static struct rule_record *rule_record(struct registry *registry, struct sluice_str name)
{
	struct rule_record **link = rule_link(registry, name);
	if (*link || name.len > SLUICE_NAME_MAX)
		return *link;
	struct rule_record *record = calloc(1, sizeof *record);
	if (!record)
		return NULL;
	copy_name(record->name, name);
	*link = record;
	if (++registry->rule_count > registry->rule_slots)
		grow(registry);
	return record;
}

static void free_record(struct rule_record *record)
{
	for (unsigned i = 0; i < RULE_SAMPLES; i++)
		free(atomic_load(&record->samples[i]));
	free(record->waiting);
	free(record);
}

/* A record goes when no version of it is left anywhere and its row has nothing to say. */
static void release_record(struct registry *registry, struct rule_record *record)
{
	if (record->references > 0 || record->faulty)
		return;
	struct rule_record **link = rule_link(registry, sluice_str(record->name));
	assert(*link == record);
	*link = record->next;
	registry->rule_count--;
	free_record(record);
}

static int by_name(const void *a, const void *b)
{
	struct rule_record *const *left = a;
	struct rule_record *const *right = b;
	return strcmp((*left)->name, (*right)->name);
}

struct rule_record **registry_sorted(const struct registry *registry, size_t *count)
{
	struct rule_record **sorted =
	        malloc((registry->rule_count + 1) * sizeof(struct rule_record *));
	*count = 0;
	if (!sorted)
		return NULL;
	for (size_t i = 0; i < registry->rule_slots; i++) {
		for (struct rule_record *record = registry->rules[i]; record;
		     record = record->next) {
			if (record->current)
				sorted[(*count)++] = record;
		}
	}
	qsort(sorted, *count, sizeof(struct rule_record *), by_name);
	return sorted;
}

/* --- faults --- */

static void set_faulty(struct registry *registry, bool *faulty, bool now)
{
	if (now && !*faulty)
		registry->faults++;
	else if (!now && *faulty)
		registry->faults--;
	*faulty = now;
}

/* --- rules --- */

static void emit_rule(const struct registry_sink *sink, struct change_rule_message *message,
                      struct rule_entry *old, struct rule_entry *now)
{
	message->message.kind = MESSAGE_CHANGE_RULE;
	message->old = old;
	message->now = now;
	sink->emit(sink->arg, &message->message);
}

/* Out of memory: the row is as one that can't be compiled. */
static void no_memory(struct registry *registry, const struct registry_sink *sink,
                      enum sluice_store_kind kind, const struct sluice_store_row *row, bool *faulty)
{
	struct sluice_error error;
	sluice_error_set(&error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL, "out of memory");
	if (faulty)
		set_faulty(registry, faulty, true);
	sink->report(sink->arg, kind, row->name, row->revision, &error);
}

static enum sluice_status compile_rule(struct registry *registry, struct sluice_str text,
                                       struct rule_entry **entry, struct sluice_error *error)
{
	*entry = calloc(1, sizeof **entry);
	if (!*entry)
		return sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL, "out of memory");
	(*entry)->garbage.kind = GARBAGE_RULE;
	enum sluice_status status = sluice_rule_parse(text, &(*entry)->rule, error);
	if (status == SLUICE_OK) {
		(*entry)->bus = registry_bus(registry, (*entry)->rule->bus);
		if (!(*entry)->bus)
			status = sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, "$.bus",
			                          "there is no bus \"%.*s\" in force",
			                          (int)(*entry)->rule->bus.len,
			                          (*entry)->rule->bus.data);
	}
	if (status != SLUICE_OK) {
		sluice_rule_destroy((*entry)->rule);
		free(*entry);
		*entry = NULL;
	}
	return status;
}

static void rule_changed(struct registry *registry, const struct sluice_store_row *row,
                         const struct registry_sink *sink)
{
	struct rule_record *record = rule_record(registry, row->name);
	struct change_rule_message *message = calloc(1, sizeof *message);
	if (record) {
		/* of an older row, whatever comes of this one */
		free(record->waiting);
		record->waiting = NULL;
	}
	if (!record || !message) {
		free(message);
		no_memory(registry, sink, SLUICE_STORE_RULE, row, record ? &record->faulty : NULL);
		return;
	}
	struct rule_entry *entry;
	struct sluice_error error;
	enum sluice_status status = compile_rule(registry, row->text, &entry, &error);
	record->revision = row->revision;
	if (status != SLUICE_OK) {
		free(message);
		if (status == SLUICE_ERR_NOT_FOUND)
			record->waiting = strndup(row->text.data, row->text.len);
		set_faulty(registry, &record->faulty, true);
		sink->report(sink->arg, SLUICE_STORE_RULE, row->name, row->revision, &error);
		return;
	}
	set_faulty(registry, &record->faulty, false);
	entry->record = record;
	/* Matchers copy what they need; who explains or taps the rule compiles its text again. */
	message->pattern = sluice_rule_take_pattern(entry->rule);
	record->references++;
	registry->in_force += record->current == NULL;
	emit_rule(sink, message, record->current, entry);
	record->current = entry;
	sink->report(sink->arg, SLUICE_STORE_RULE, row->name, row->revision, NULL);
}

static void rule_gone(struct registry *registry, const struct sluice_store_row *row,
                      const struct registry_sink *sink)
{
	struct rule_record *record = *rule_link(registry, row->name);
	if (!record)
		return;
	set_faulty(registry, &record->faulty, false);
	free(record->waiting);
	record->waiting = NULL;
	struct rule_entry *old = record->current;
	if (!old) {
		release_record(registry, record);
		return;
	}
	struct change_rule_message *message = calloc(1, sizeof *message);
	if (!message)
		return; /* it stays in force; the store tells of it again at the next start */
	record->current = NULL;
	registry->in_force--;
	emit_rule(sink, message, old, NULL);
}

/* --- buses and queues --- */

static struct defined *find_defined(const struct registry *registry, enum sluice_store_kind kind,
                                    struct sluice_str name)
{
	struct defined *defined = registry->defined[kind];
	while (defined && !(named(defined->name, name) && defined->current))
		defined = defined->next;
	return defined;
}

struct bus_record *registry_bus(const struct registry *registry, struct sluice_str name)
{
	return (struct bus_record *)find_defined(registry, SLUICE_STORE_BUS, name);
}

struct queue_record *registry_queue(const struct registry *registry, struct sluice_str name)
{
	return (struct queue_record *)find_defined(registry, SLUICE_STORE_QUEUE, name);
}

static void free_defined(struct defined *defined)
{
	if (defined->kind == SLUICE_STORE_BUS)
		sluice_matcher_destroy(((struct bus_record *)defined)->matcher);
	free(defined);
}

static struct defined *create_defined(enum sluice_store_kind kind)
{
	bool bus = kind == SLUICE_STORE_BUS;
	struct defined *defined =
	        calloc(1, bus ? sizeof(struct bus_record) : sizeof(struct queue_record));
	if (!defined)
		return NULL;
	defined->kind = kind;
	defined->garbage.kind = bus ? GARBAGE_BUS : GARBAGE_QUEUE;
	if (!bus)
		return defined;
	struct bus_record *record = (struct bus_record *)defined;
	record->matcher = sluice_matcher_create();
	if (!record->matcher) {
		free(record);
		return NULL;
	}
	return defined;
}

/* A record of that name whose row was not deleted, be it in force or not. */
static struct defined *defined_record(struct registry *registry, enum sluice_store_kind kind,
                                      struct sluice_str name)
{
	struct defined *defined = find_defined(registry, kind, name);
	if (defined || name.len > SLUICE_NAME_MAX)
		return defined;
	defined = create_defined(kind);
	if (!defined)
		return NULL;
	copy_name(defined->name, name);
	defined->next = registry->defined[kind];
	registry->defined[kind] = defined;
	return defined;
}

static void unlink_defined(struct registry *registry, struct defined *defined)
{
	struct defined **link = &registry->defined[defined->kind];
	while (*link != defined)
		link = &(*link)->next;
	*link = defined->next;
}

static void free_definition(struct definition *definition)
{
	if (definition) {
		sluice_definition_finish(&definition->content);
		sluice_matcher_destroy(definition->archive);
	}
	free(definition);
}

/* What of the definition is matched with. False when out of memory. */
static bool compile_archive(struct definition *definition, enum sluice_store_kind kind)
{
	const struct sluice_archive *archive =
	        kind == SLUICE_STORE_BUS ? definition->content.bus->archive : NULL;
	if (!archive || !archive->pattern)
		return true;
	definition->archive = sluice_matcher_create();
	return definition->archive &&
	       sluice_matcher_add(definition->archive, 1, archive->pattern, NULL) == SLUICE_OK;
}

static void emit_defined(const struct registry_sink *sink, struct change_defined_message *message,
                         struct defined *defined, struct definition *definition)
{
	message->message.kind =
	        defined->kind == SLUICE_STORE_BUS ? MESSAGE_CHANGE_BUS : MESSAGE_CHANGE_QUEUE;
	message->defined = defined;
	message->definition = definition;
	sink->emit(sink->arg, &message->message);
}

/* Rules that came before their bus. */
static void take_waiting(struct registry *registry, const struct registry_sink *sink)
{
	size_t slots = registry->rule_slots;
	for (size_t i = 0; i < slots; i++) {
		for (struct rule_record *record = registry->rules[i]; record;
		     record = record->next) {
			if (!record->waiting)
				continue;
			char *text = record->waiting;
			record->waiting = NULL;
			struct sluice_store_row row = { .name = sluice_str(record->name),
				                        .text = sluice_str(text),
				                        .revision = record->revision };
			rule_changed(registry, &row, sink);
			free(text);
		}
	}
}

static void defined_changed(struct registry *registry, enum sluice_store_kind kind,
                            const struct sluice_store_row *row, const struct registry_sink *sink)
{
	struct sluice_error error;
	struct sluice_definition parsed;
	struct defined *defined = find_defined(registry, kind, row->name);
	enum sluice_status status = sluice_definition_parse(kind, row->text, &parsed, &error);
	if (status != SLUICE_OK) {
		if (defined)
			set_faulty(registry, &defined->faulty, true);
		sink->report(sink->arg, kind, row->name, row->revision, &error);
		return;
	}
	struct definition *definition = calloc(1, sizeof *definition);
	struct change_defined_message *message = calloc(1, sizeof *message);
	if (definition)
		*definition = (struct definition){ { .kind = GARBAGE_DEFINITION }, parsed, NULL };
	else
		sluice_definition_finish(&parsed);
	if (!defined)
		defined = defined_record(registry, kind, row->name);
	if (!definition || !message || !defined || !compile_archive(definition, kind)) {
		free_definition(definition);
		free(message);
		if (defined && !defined->current) {
			/* Nobody would find it again: the next try makes another. */
			unlink_defined(registry, defined);
			free_defined(defined);
			defined = NULL;
		}
		no_memory(registry, sink, kind, row, defined ? &defined->faulty : NULL);
		return;
	}
	bool is_new = defined->current == NULL;
	registry->defined_counts[kind] += is_new;
	defined->current = definition;
	defined->revision = row->revision;
	set_faulty(registry, &defined->faulty, false);
	emit_defined(sink, message, defined, definition);
	sink->report(sink->arg, kind, row->name, row->revision, NULL);
	if (is_new && kind == SLUICE_STORE_BUS)
		take_waiting(registry, sink);
}

static void defined_gone(struct registry *registry, enum sluice_store_kind kind,
                         const struct sluice_store_row *row, const struct registry_sink *sink)
{
	struct defined *defined = find_defined(registry, kind, row->name);
	struct change_defined_message *message = defined ? calloc(1, sizeof *message) : NULL;
	if (!message)
		return;
	set_faulty(registry, &defined->faulty, false);
	defined->current = NULL;
	registry->defined_counts[kind]--;
	emit_defined(sink, message, defined, NULL);
}

/* --- the bridge's --- */

static void bridged_changed(struct registry *registry, enum sluice_store_kind kind,
                            const struct sluice_store_row *row, const struct registry_sink *sink)
{
	struct sluice_error error;
	bool good = bridged_change(&registry->bridged, kind, row, &error);
	if (row->text.data)
		sink->report(sink->arg, kind, row->name, row->revision, good ? NULL : &error);
}

/* --- all --- */

bool registry_init(struct registry *registry)
{
	*registry = (struct registry){ .rule_slots = 256 };
	registry->rules = calloc(registry->rule_slots, sizeof(struct rule_record *));
	return registry->rules != NULL;
}

void registry_finish(struct registry *registry)
{
	for (size_t i = 0; i < registry->rule_slots && registry->rules; i++) {
		struct rule_record *next;
		for (struct rule_record *record = registry->rules[i]; record; record = next) {
			next = record->next;
			if (record->current) {
				sluice_rule_destroy(record->current->rule);
				free(record->current);
			}
			free_record(record);
		}
	}
	for (int kind = 0; kind < SLUICE_STORE_KINDS; kind++) {
		struct defined *next;
		for (struct defined *defined = registry->defined[kind]; defined; defined = next) {
			next = defined->next;
			free_definition(defined->current);
			free_defined(defined);
		}
	}
	bridged_finish(&registry->bridged);
	free(registry->rules);
	*registry = (struct registry){ 0 };
}

void registry_change(struct registry *registry, enum sluice_store_kind kind,
                     const struct sluice_store_row *row, const struct registry_sink *sink)
{
	bool gone = row->text.data == NULL;
	if (bridged_is(kind))
		bridged_changed(registry, kind, row, sink);
	else if (kind != SLUICE_STORE_RULE && gone)
		defined_gone(registry, kind, row, sink);
	else if (kind != SLUICE_STORE_RULE)
		defined_changed(registry, kind, row, sink);
	else if (gone)
		rule_gone(registry, row, sink);
	else
		rule_changed(registry, row, sink);
}

/* Each struct has its garbage as its first member. */
void registry_free(struct registry *registry, struct garbage *garbage)
{
	switch (garbage->kind) {
	case GARBAGE_RULE: {
		struct rule_entry *entry = (struct rule_entry *)garbage;
		entry->record->references--;
		release_record(registry, entry->record);
		sluice_rule_destroy(entry->rule);
		free(entry);
		break;
	}
	case GARBAGE_BUS:
	case GARBAGE_QUEUE: {
		struct defined *defined = (struct defined *)garbage;
		unlink_defined(registry, defined);
		free_defined(defined);
		break;
	}
	case GARBAGE_DEFINITION:
		free_definition((struct definition *)garbage);
		break;
	case GARBAGE_SAMPLE:
		free(garbage);
		break;
	case GARBAGE_TAP:
	case GARBAGE_ASKER:
		assert(false); /* neither rules nor buses: store_thread.c frees them */
		break;
	}
}
