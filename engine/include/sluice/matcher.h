/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The matcher: a set of patterns, each under an id, and the question which of
 * them an event matches. Patterns are added and removed one by one, in time that
 * does not grow with how many there are; nothing is ever rebuilt.
 *
 *	struct sluice_matcher *matcher = sluice_matcher_create();
 *	struct sluice_scratch *scratch = sluice_scratch_create();
 *	sluice_matcher_add(matcher, 7, pattern, &error);
 *	sluice_match(matcher, scratch, &event, &result);
 *	for (size_t i = 0; i < result.count; i++)
 *		use(result.ids[i]);
 *
 * Threads: any number of threads may match on one matcher at the same time, each
 * with a scratch of its own; matching takes no lock. While sluice_matcher_add or
 * _remove runs, no other call on that matcher may run: to change rules while others
 * match, hold a read-write lock of your own, to read around each sluice_match and to
 * write around each change. A result stays valid without it.
 */
#ifndef SLUICE_MATCHER_H
#define SLUICE_MATCHER_H

#include <stdbool.h>

#include "sluice/event.h"
#include "sluice/pattern.h"
#include "sluice/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Limits of one event; an event past one is matched on `$mqtt` alone, and the result says so. */
enum {
	SLUICE_EVENT_MAX_NESTING = 512,
	SLUICE_EVENT_MAX_LEAVES = 65536,     /* at paths that rules name */
	SLUICE_EVENT_MAX_ELEMENTS = 1048576, /* array elements that hold such leaves */
};

struct sluice_matcher;
struct sluice_scratch;

/* A matcher without rules, the caller's to destroy. Returns NULL when out of memory. */
SLUICE_API struct sluice_matcher *sluice_matcher_create(void);

/* Frees it with all its rules. NULL is allowed. */
SLUICE_API void sluice_matcher_destroy(struct sluice_matcher *matcher);

/*
 * Adds a rule. What it needs of the pattern is copied: the pattern may be
 * destroyed afterwards. On failure the matcher is as it was.
 *
 * id	any number that no rule of the matcher has
 *
 * Errors: SLUICE_ERR_CONFLICT (the id is in use), _NOMEM.
 */
SLUICE_API enum sluice_status sluice_matcher_add(struct sluice_matcher *matcher, uint64_t id,
                                                 const struct sluice_pattern *pattern,
                                                 struct sluice_error *error);

/* Removes a rule and gives its memory back. SLUICE_ERR_NOT_FOUND when there is none of that id. */
SLUICE_API enum sluice_status sluice_matcher_remove(struct sluice_matcher *matcher, uint64_t id);

/* How many rules it holds. */
SLUICE_API size_t sluice_matcher_count(const struct sluice_matcher *matcher);

/* Bytes that it holds for its rules, all indexes included. */
SLUICE_API size_t sluice_matcher_bytes(const struct sluice_matcher *matcher);

/*
 * Which members of `$mqtt` any of its rules names (SLUICE_META_* bits): what is not among
 * them need not be read from the broker, and may be left absent in the event.
 */
SLUICE_API unsigned sluice_matcher_metadata(const struct sluice_matcher *matcher);

/*
 * The memory of one thread that matches, on one matcher or on many in turn; the caller's to
 * destroy. Returns NULL when out of memory.
 */
SLUICE_API struct sluice_scratch *sluice_scratch_create(void);

/* Frees it, and with it the last result. NULL is allowed. */
SLUICE_API void sluice_scratch_destroy(struct sluice_scratch *scratch);

/* What is to be said of an event beside its matches: bits of sluice_match.flags. */
enum {
	SLUICE_MATCH_NOT_OBJECT = 1 << 0, /* the payload is well-formed JSON of another kind */
	SLUICE_MATCH_NOT_JSON = 1 << 1,   /* the payload is not well-formed JSON */
	SLUICE_MATCH_TOO_DEEP = 1 << 2, /* nested past SLUICE_EVENT_MAX_NESTING (with _NOT_JSON) */
	SLUICE_MATCH_TOO_MANY = 1 << 3, /* past SLUICE_EVENT_MAX_LEAVES or _ELEMENTS: $mqtt alone */
	SLUICE_MATCH_UNDECIDED =
	        1 << 4, /* `undecided` rules ran out of their budget; see docs/patterns.md */
	SLUICE_MATCH_SKIPPED =
	        1 << 5, /* no rule names a payload field: the payload was not looked at */
};

struct sluice_match {
	const uint64_t *ids; /* in no particular order, each once; owned by the scratch, until its
	                        next use */
	size_t count;
	size_t undecided; /* rules that could not be decided within the bound; none of them is in
	                     ids */
	unsigned flags;   /* SLUICE_MATCH_* */
};

/*
 * Which rules the event matches. The payload is scanned once, in place; nothing is
 * copied but strings with escapes at paths that rules name, and nothing is allocated,
 * except that a scratch grows once to the size of the matcher after rules were added,
 * and to the longest such string that it has met.
 *
 * event	what it points to is read during the call alone
 * result	is filled; without matches on failure
 *
 * Errors: SLUICE_ERR_NOMEM (nothing was matched).
 */
SLUICE_API enum sluice_status sluice_match(const struct sluice_matcher *matcher,
                                           struct sluice_scratch *scratch,
                                           const struct sluice_event *event,
                                           struct sluice_match *result);

#ifdef __cplusplus
}
#endif

#endif
