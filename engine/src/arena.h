/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Memory for what dies together: a document, a compiled pattern, a rule. */
#ifndef SLUICE_ARENA_H
#define SLUICE_ARENA_H

#include "sluice/types.h"

struct sluice_arena;

/* NULL when out of memory. */
struct sluice_arena *sluice_arena_create(void);
/* One that will hold no more than so many bytes, objects rounded up to max_align_t: it takes one
 * allocation, of that size. It takes more, too. */
struct sluice_arena *sluice_arena_create_for(size_t size);
/* NULL is allowed. */
void sluice_arena_destroy(struct sluice_arena *arena);
/* Empties it, keeping its memory for the next use. */
void sluice_arena_reset(struct sluice_arena *arena);

/* Zeroed memory, aligned for anything; lives until destroy or reset. NULL when out of memory (or
 * size overflows). */
void *sluice_arena_alloc(struct sluice_arena *arena, size_t count, size_t size);
/* size bytes that are not zeroed, aligned to 1: for characters. */
char *sluice_arena_bytes(struct sluice_arena *arena, size_t size);
/* A copy with a NUL behind it (not counted). Absent stays absent; absent also when out of memory.
 */
struct sluice_str sluice_arena_str(struct sluice_arena *arena, struct sluice_str text);
/* Bytes it holds from the system. */
size_t sluice_arena_size(const struct sluice_arena *arena);

#endif
