/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "groups.h"

#include <stdlib.h>

#include "hash.h"

static uint64_t hash_key(struct sluice_str key)
{
	return sluice_hash_text(sluice_hash_start(0), key);
}

static struct group **bucket(const struct groups *groups, uint64_t hash)
{
	return &groups->buckets[hash & (groups->bucket_count - 1)];
}

static bool grow(struct groups *groups)
{
	size_t count = groups->bucket_count ? groups->bucket_count * 2 : 64;
	struct group **buckets = calloc(count, sizeof(struct group *));
	if (!buckets)
		return false;
	struct groups grown = { buckets, count, groups->count };
	for (size_t i = 0; i < groups->bucket_count; i++) {
		struct group *next;
		for (struct group *group = groups->buckets[i]; group; group = next) {
			next = group->next;
			struct group **first = bucket(&grown, group->hash);
			group->next = *first;
			*first = group;
		}
	}
	free(groups->buckets);
	*groups = grown;
	return true;
}

void groups_finish(struct groups *groups)
{
	for (size_t i = 0; i < groups->bucket_count; i++) {
		struct group *next;
		for (struct group *group = groups->buckets[i]; group; group = next) {
			next = group->next;
			free(group);
		}
	}
	free(groups->buckets);
	*groups = (struct groups){ 0 };
}

struct group *groups_find(const struct groups *groups, struct sluice_str key)
{
	if (groups->bucket_count == 0)
		return NULL;
	uint64_t hash = hash_key(key);
	struct group *group = *bucket(groups, hash);
	while (group && (group->hash != hash ||
	                 !sluice_str_equal((struct sluice_str){ group->key, group->len }, key)))
		group = group->next;
	return group;
}

struct group *groups_of(struct groups *groups, struct sluice_str key)
{
	struct group *group = groups_find(groups, key);
	if (group)
		return group;
	if (groups->count >= groups->bucket_count && !grow(groups) && groups->bucket_count == 0)
		return NULL;
	group = malloc(sizeof *group + key.len);
	if (!group)
		return NULL;
	*group = (struct group){ .hash = hash_key(key), .len = key.len };
	if (key.len > 0)
		memcpy(group->key, key.data, key.len);
	struct group **first = bucket(groups, group->hash);
	group->next = *first;
	*first = group;
	groups->count++;
	return group;
}

void groups_tidy(struct groups *groups, struct group *group)
{
	if (group->head || group->behind || group->dead > 0)
		return;
	struct group **link = bucket(groups, group->hash);
	while (*link != group)
		link = &(*link)->next;
	*link = group->next;
	groups->count--;
	free(group);
}

void group_behind(struct group *group, struct queued *message)
{
	struct queued **link = &group->behind;
	/* Nearly always the youngest; others come from a delay, or after a restart. */
	if (group->behind_last && group->behind_last->record.id < message->record.id)
		link = &group->behind_last->next_behind;
	while (*link && (*link)->record.id < message->record.id)
		link = &(*link)->next_behind;
	message->next_behind = *link;
	*link = message;
	if (!message->next_behind)
		group->behind_last = message;
}

struct queued *group_next(struct group *group)
{
	struct queued *message = group->behind;
	if (message) {
		group->behind = message->next_behind;
		message->next_behind = NULL;
		if (!group->behind)
			group->behind_last = NULL;
	}
	return message;
}
