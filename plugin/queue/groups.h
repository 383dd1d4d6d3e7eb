/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The groups of a queue with a group key: of each, one message is ready, leased or waiting at a time,
 * its head; the others are behind it, in the order of ids.
 *
 *	group "boiler-7"  head: 12 (leased)   behind: 15 -> 17 -> 40
 *	group "boiler-9"  head: 14 (ready)    behind:
 *
 * A group is there while it has a message in memory, or dead letters that stop it.
 */
#ifndef SLUICE_PLUGIN_QUEUE_GROUPS_H
#define SLUICE_PLUGIN_QUEUE_GROUPS_H

#include "queued.h"

struct group {
	struct group *next; /* in its bucket */
	uint64_t hash;
	struct queued *head;
	struct queued *behind, *behind_last;
	size_t dead; /* its dead letters that are not dealt with: while there are any it stands still */
	size_t len;
	char key[];
};

/* Zeroed memory is empty. */
struct groups {
	struct group **buckets;
	size_t bucket_count; /* 0 or a power of two */
	size_t count;
};

/* Frees the groups, not their messages. */
void groups_finish(struct groups *groups);

/* The group of a key, made when there is none. NULL when out of memory. */
struct group *groups_of(struct groups *groups, struct sluice_str key);
/* NULL when there is none. */
struct group *groups_find(const struct groups *groups, struct sluice_str key);

/* Frees the group when nothing is left of it. */
void groups_tidy(struct groups *groups, struct group *group);

/* Puts a message behind the head, at its place. */
void group_behind(struct group *group, struct queued *message);
/* Takes the first of those behind out. NULL when there is none. */
struct queued *group_next(struct group *group);

#endif
