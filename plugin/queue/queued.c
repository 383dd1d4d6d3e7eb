/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "queued.h"

#include <stdlib.h>

/* The texts of a record, which a copy brings into its own memory. */
enum { TEXTS = 12, REASON_MAX = 256 };

static void texts_of(struct sluice_record *record, struct sluice_str *texts[TEXTS])
{
	struct sluice_str *all[TEXTS] = {
		&record->event_id,   &record->bus,       &record->rule,     &record->target,
		&record->topic,      &record->client_id, &record->username, &record->group,
		&record->properties, &record->origin,    &record->error,    &record->payload,
	};
	memcpy(texts, all, sizeof all);
}

struct queued *queued_create(const struct sluice_record *record)
{
	struct sluice_record copy = *record;
	struct sluice_str *texts[TEXTS];
	/* Its queue knows its name, a worker's is only written, and reasons come and go. */
	copy.queue = copy.to_queue = copy.worker = copy.reason = (struct sluice_str){ 0 };
	texts_of(&copy, texts);
	size_t len = 0;
	for (size_t i = 0; i < TEXTS; i++)
		len += texts[i]->len;
	struct queued *message = malloc(sizeof *message + len);
	if (!message)
		return NULL;
	*message = (struct queued){ .bytes = sizeof *message + len };
	char *at = message->text;
	for (size_t i = 0; i < TEXTS; i++) {
		if (!texts[i]->data)
			continue;
		if (texts[i]->len > 0)
			memcpy(at, texts[i]->data, texts[i]->len);
		texts[i]->data = at;
		at += texts[i]->len;
	}
	message->record = copy;
	queued_set_reason(message, record->reason);
	return message;
}

void queued_destroy(struct queued *message)
{
	free(message->reason);
	free(message);
}

void queued_set_reason(struct queued *message, struct sluice_str reason)
{
	if (reason.len == 0)
		return;
	char *copy = strndup(reason.data, reason.len < REASON_MAX ? reason.len : REASON_MAX);
	if (!copy)
		return;
	free(message->reason);
	message->reason = copy;
}

/* --- by id --- */

static struct queued **bucket(const struct queued_table *table, uint64_t id)
{
	/* Ids are counted up: neighbours take neighbouring buckets. */
	return &table->buckets[id & (table->bucket_count - 1)];
}

static bool grow(struct queued_table *table)
{
	size_t count = table->bucket_count ? table->bucket_count * 2 : 64;
	struct queued **buckets = calloc(count, sizeof(struct queued *));
	if (!buckets)
		return false;
	struct queued_table grown = { buckets, count, table->count };
	for (size_t i = 0; i < table->bucket_count; i++) {
		struct queued *next;
		for (struct queued *message = table->buckets[i]; message; message = next) {
			next = message->next_by_id;
			struct queued **first = bucket(&grown, message->record.id);
			message->next_by_id = *first;
			*first = message;
		}
	}
	free(table->buckets);
	*table = grown;
	return true;
}

void queued_table_finish(struct queued_table *table)
{
	free(table->buckets);
	*table = (struct queued_table){ 0 };
}

bool queued_table_add(struct queued_table *table, struct queued *message)
{
	/* Without memory to grow the chains are longer. */
	if (table->count >= table->bucket_count && !grow(table) && table->bucket_count == 0)
		return false;
	struct queued **first = bucket(table, message->record.id);
	message->next_by_id = *first;
	*first = message;
	table->count++;
	return true;
}

void queued_table_remove(struct queued_table *table, struct queued *message)
{
	struct queued **link = bucket(table, message->record.id);
	while (*link != message)
		link = &(*link)->next_by_id;
	*link = message->next_by_id;
	table->count--;
}

struct queued *queued_table_find(const struct queued_table *table, uint64_t id)
{
	if (table->bucket_count == 0)
		return NULL;
	struct queued *message = *bucket(table, id);
	while (message && message->record.id != id)
		message = message->next_by_id;
	return message;
}
