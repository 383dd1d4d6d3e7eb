/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What a follower was told: for each queue, bus and rule its revision and a hash of its text, in an
 * open-addressed table of pointers. About 60 bytes an entry and its name; a look-up is O(1).
 *
 *	slots  [ . ][ * ][ . ][ * ] …        a power of two, at most half full
 *	             |         +--> { "rule" "b" revision 7 hash … }
 *	             +--> { "bus" "default" revision 1 hash … }
 *
 * The hash is keyed with bytes from the system, so that no rule's text can be made to look like
 * another's.
 */
#ifndef STORE_SEEN_H
#define STORE_SEEN_H

#include <stdbool.h>

#include "sluice/types.h"
#include "sluice_store/store.h"

struct store_entry {
	enum sluice_store_kind kind;
	uint32_t name_len;
	uint32_t round; /* of the last comparison that met it */
	int64_t revision;
	uint64_t hash;              /* of its text */
	struct sluice_error *fault; /* why this revision is not in force; owned; NULL when it is */
	bool noted;                 /* rule_errors has, or is about to have, an entry of its name */
	char name[];
};

struct store_seen {
	struct store_entry **slots;        /* owned, and what they point to; NULL = free */
	size_t capacity;                   /* of slots: 0 or a power of two */
	size_t counts[SLUICE_STORE_KINDS]; /* entries by kind */
	uint64_t sums[SLUICE_STORE_KINDS]; /* of their revisions' low 32 bits, by kind */
	uint64_t key[2];
	bool keyed;
	uint32_t round;
};

void store_seen_finish(struct store_seen *seen);

/* SipHash-2-4 of the text under the table's key. */
uint64_t store_seen_hash(struct store_seen *seen, struct sluice_str text);

/* NULL when there is none. */
struct store_entry *store_seen_get(struct store_seen *seen, enum sluice_store_kind kind,
                                   struct sluice_str name);

/* Makes room, so that `more` calls of store_seen_put need no larger table. False: out of memory. */
bool store_seen_reserve(struct store_seen *seen, size_t more);

/* A new entry that is in no table yet; NULL when out of memory. */
struct store_entry *store_entry_create(enum sluice_store_kind kind, struct sluice_str name);
void store_entry_destroy(struct store_entry *entry);

/* Puts an entry (the table owns it from now on) in the place of the one of its name, which is
 * destroyed. Room was reserved. */
void store_seen_put(struct store_seen *seen, struct store_entry *entry);

void store_seen_remove(struct store_seen *seen, enum sluice_store_kind kind,
                       struct sluice_str name);

/* Changes an entry's revision, and the sum of them. */
void store_seen_revise(struct store_seen *seen, struct store_entry *entry, int64_t revision);

#endif
