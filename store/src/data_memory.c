/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The messages of a batch that are held in memory: a hash by id, whose buckets follow each other as
 * ids do, and a list in the order in which they came, in which they are written.
 */
#include <stdlib.h>

#include "data_internal.h"

static struct data_entry **bucket_of(struct sluice_data *data, uint64_t id)
{
	return &data->entries[id & (DATA_BUCKETS - 1)];
}

struct data_entry *data_pending(struct sluice_data *data, uint64_t id)
{
	struct data_entry *entry = *bucket_of(data, id);
	while (entry && entry->record.id != id)
		entry = entry->hash_next;
	return entry;
}

static void link_entry(struct sluice_data *data, struct data_entry *entry)
{
	struct data_entry **bucket = bucket_of(data, entry->record.id);
	entry->hash_next = *bucket;
	*bucket = entry;
	entry->previous = data->last;
	entry->next = NULL;
	*(data->last ? &data->last->next : &data->first) = entry;
	data->last = entry;
}

static void unlink_entry(struct sluice_data *data, struct data_entry *entry)
{
	struct data_entry **at = bucket_of(data, entry->record.id);
	while (*at != entry)
		at = &(*at)->hash_next;
	*at = entry->hash_next;
	*(entry->previous ? &entry->previous->next : &data->first) = entry->next;
	*(entry->next ? &entry->next->previous : &data->last) = entry->previous;
}

/* What goes with a message from its beginning to its end. */
static const size_t kept_texts[] = {
	offsetof(struct sluice_record, event_id), offsetof(struct sluice_record, bus),
	offsetof(struct sluice_record, rule),     offsetof(struct sluice_record, target),
	offsetof(struct sluice_record, topic),    offsetof(struct sluice_record, client_id),
	offsetof(struct sluice_record, username), offsetof(struct sluice_record, properties),
	offsetof(struct sluice_record, payload),  offsetof(struct sluice_record, group),
};
enum { KEPT_TEXTS = sizeof(kept_texts) / sizeof(kept_texts[0]) };

static struct sluice_str *text_at(struct sluice_record *record, size_t offset)
{
	return (struct sluice_str *)(void *)((char *)record + offset);
}

/* Copies the text to *at, which moves behind it. */
static void keep(struct sluice_str *text, char **at)
{
	if (text->len)
		memcpy(*at, text->data, text->len);
	if (text->data)
		text->data = *at;
	*at += text->len;
}

/* Copies worker, reason, origin and error of `from` into the entry's notes. */
static bool keep_notes(struct sluice_data *data, struct data_entry *entry,
                       struct sluice_record from)
{
	struct sluice_str *texts[] = { &from.worker, &from.reason, &from.origin, &from.error };
	size_t size = 0;
	bool any = false;
	for (size_t i = 0; i < 4; i++) {
		size += texts[i]->len;
		any |= texts[i]->data != NULL;
	}
	char *notes = any ? malloc(size + 1) : NULL, *at = notes;
	if (any && !notes)
		return false;
	for (size_t i = 0; any && i < 4; i++)
		keep(texts[i], &at);
	/* The old ones may be among what was copied. */
	free(entry->notes);
	entry->notes = notes;
	entry->record.worker = from.worker;
	entry->record.reason = from.reason;
	entry->record.origin = from.origin;
	entry->record.error = from.error;
	entry->bytes += size - entry->notes_size;
	data->held_bytes += size - entry->notes_size;
	entry->notes_size = size;
	return true;
}

static struct data_entry *create(size_t texts)
{
	struct data_entry *entry = malloc(sizeof(*entry) + texts);
	if (!entry)
		return NULL;
	memset(entry, 0, sizeof(*entry));
	entry->bytes = sizeof(*entry) + texts;
	return entry;
}

struct data_entry *data_hold(struct sluice_data *data, const struct sluice_record *record,
                             struct data_name *queue)
{
	struct sluice_record copy = *record;
	size_t size = 0;
	copy.queue = copy.to_queue = copy.worker = (struct sluice_str){ NULL, 0 };
	copy.deadline_ms = 0;
	memset(copy.receipt, 0, sizeof(copy.receipt));
	for (size_t i = 0; i < KEPT_TEXTS; i++)
		size += text_at(&copy, kept_texts[i])->len;
	struct data_entry *entry = create(size);
	if (!entry)
		return NULL;
	char *at = entry->texts;
	for (size_t i = 0; i < KEPT_TEXTS; i++)
		keep(text_at(&copy, kept_texts[i]), &at);
	entry->record = copy;
	entry->queue = queue;
	entry->state = copy.due_ms || copy.parked ? DATA_STATE_PARKED : DATA_STATE_READY;
	size_t bytes = entry->bytes;
	if (!keep_notes(data, entry, copy)) {
		free(entry);
		return NULL;
	}
	data->held_bytes += bytes;
	link_entry(data, entry);
	return entry;
}

struct data_entry *data_hold_change(struct sluice_data *data, uint64_t id, struct data_name *queue)
{
	struct data_entry *entry = create(0);
	if (!entry)
		return NULL;
	entry->record.id = id;
	entry->queue = queue;
	entry->stored = true;
	data->held_bytes += entry->bytes;
	link_entry(data, entry);
	return entry;
}

bool data_change_pending(struct sluice_data *data, struct data_entry *entry,
                         const struct sluice_record *record)
{
	struct sluice_record *held = &entry->record, notes = *held;
	notes.worker = record->kind == SLUICE_RECORD_LEASE ? record->worker
	                                                   : (struct sluice_str){ NULL, 0 };
	if (record->reason.data)
		notes.reason = record->reason;
	if (record->kind == SLUICE_RECORD_MOVE) {
		notes.origin = record->origin;
		notes.error = record->error;
	}
	bool same = !notes.worker.data && !held->worker.data && !record->reason.data &&
	            record->kind != SLUICE_RECORD_MOVE;
	if (!same && !keep_notes(data, entry, notes))
		return false;
	held->attempts = record->attempts;
	held->due_ms = 0;
	held->deadline_ms = 0;
	memset(held->receipt, 0, sizeof(held->receipt));
	entry->state = DATA_STATE_READY;
	switch (record->kind) {
	case SLUICE_RECORD_LEASE:
		entry->state = DATA_STATE_HELD;
		held->deadline_ms = record->deadline_ms;
		memcpy(held->receipt, record->receipt, sizeof(held->receipt));
		break;
	case SLUICE_RECORD_RELEASE:
		entry->state = record->parked ? DATA_STATE_PARKED : DATA_STATE_HELD;
		held->due_ms = record->due_ms;
		break;
	default:
		held->enqueued_ms = record->enqueued_ms;
	}
	return true;
}

void data_rename_pending(struct sluice_data *data, struct data_entry *entry, uint64_t id,
                         struct data_name *queue)
{
	unlink_entry(data, entry);
	entry->record.id = id;
	entry->queue = queue;
	link_entry(data, entry);
}

void data_drop(struct sluice_data *data, struct data_entry *entry)
{
	unlink_entry(data, entry);
	data->held_bytes -= entry->bytes;
	free(entry->notes);
	free(entry);
}

void data_drop_all(struct sluice_data *data)
{
	while (data->first)
		data_drop(data, data->first);
}
