/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * An arena is a list of blocks, each twice the size of the one before; the first may be made to
 * fit what is known beforehand, and has the arena itself at its front. Objects are cut from
 * a block's front, aligned; characters from its back, so that they need no padding:
 *
 *	[arena][header][objects → ...... free ...... ← characters]
 *	                        ^front              ^back
 *
 * What does not fit into the current block opens the next one; the rest of the old one is given
 * up, which at most halves the use of the memory. Under AddressSanitizer all that is free is
 * poisoned and every piece has a gap behind it, so that an overrun is found as it is with malloc.
 */
#include "arena.h"

#include <stdalign.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifndef ARENA_ASAN
#define ARENA_ASAN 0
#endif

#if ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(data, size)   ASAN_POISON_MEMORY_REGION((data), (size))
#define UNPOISON(data, size) ASAN_UNPOISON_MEMORY_REGION((data), (size))
#else
#define POISON(data, size)   ((void)0)
#define UNPOISON(data, size) ((void)0)
#endif

enum {
	ALIGNMENT = alignof(max_align_t),
	GAP = ARENA_ASAN ? ALIGNMENT : 0,
	FIRST_BLOCK = 512,       /* with the arena */
	MAX_BLOCK = 1024 * 1024, /* only a piece larger than this gets a larger block */
};

struct block {
	struct block *next;
	size_t size; /* of data */
	size_t front, back;
	alignas(max_align_t) char data[];
};

struct sluice_arena {
	alignas(max_align_t) struct block *used; /* the current block first */
	struct block *spare;                     /* kept by a reset */
	size_t next_size;                        /* of the next block, header included */
	size_t held;
};

/* The block that the arena is the front of. */
static struct block *first_block(struct sluice_arena *arena)
{
	return (struct block *)(arena + 1);
}

static void use_block(struct sluice_arena *arena, struct block *block, size_t size)
{
	block->size = size;
	block->front = 0;
	block->back = size;
	block->next = arena->used;
	arena->used = block;
	POISON(block->data, size);
}

struct sluice_arena *sluice_arena_create(void)
{
	return sluice_arena_create_for(FIRST_BLOCK - sizeof(struct sluice_arena) -
	                               sizeof(struct block));
}

struct sluice_arena *sluice_arena_create_for(size_t size)
{
	if (size > MAX_BLOCK)
		size = MAX_BLOCK;
	size_t total = sizeof(struct sluice_arena) + sizeof(struct block) + size;
	struct sluice_arena *arena = malloc(total);

	if (!arena)
		return NULL;
	*arena = (struct sluice_arena){ .next_size = 2 * FIRST_BLOCK, .held = total };
	use_block(arena, first_block(arena), size);
	return arena;
}

static void free_blocks(struct sluice_arena *arena, struct block *block)
{
	while (block) {
		struct block *next = block->next;
		UNPOISON(block->data, block->size);
		if (block != first_block(arena))
			free(block);
		block = next;
	}
}

void sluice_arena_destroy(struct sluice_arena *arena)
{
	if (!arena)
		return;
	free_blocks(arena, arena->used);
	free_blocks(arena, arena->spare);
	free(arena);
}

void sluice_arena_reset(struct sluice_arena *arena)
{
	while (arena->used) {
		struct block *block = arena->used;
		arena->used = block->next;
		POISON(block->data, block->size);
		block->next = arena->spare;
		arena->spare = block;
	}
}

/* SIZE_MAX when it would overflow. */
static size_t round_up(size_t size)
{
	if (size > SIZE_MAX / 2)
		return SIZE_MAX;
	return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static struct block *take_spare(struct sluice_arena *arena, size_t size)
{
	for (struct block **at = &arena->spare; *at; at = &(*at)->next) {
		struct block *block = *at;
		if (block->size >= size) {
			*at = block->next;
			return block;
		}
	}
	return NULL;
}

/* Makes the current block another, that has `size` bytes free. */
static struct block *next_block(struct sluice_arena *arena, size_t size)
{
	struct block *block = take_spare(arena, size);

	if (block) {
		use_block(arena, block, block->size);
		return block;
	}
	if (size > SIZE_MAX / 2)
		return NULL;
	size_t total = arena->next_size;
	if (size > total - sizeof(*block))
		total = sizeof(*block) + round_up(size);
	block = malloc(total);
	if (!block)
		return NULL;
	use_block(arena, block, total - sizeof(*block));
	arena->held += total;
	if (arena->next_size < MAX_BLOCK)
		arena->next_size *= 2;
	return block;
}

/* The current block, which has `size` bytes free. */
static inline struct block *room(struct sluice_arena *arena, size_t size)
{
	struct block *block = arena->used;

	if (block && block->back - block->front >= size)
		return block;
	return next_block(arena, size);
}

void *sluice_arena_alloc(struct sluice_arena *arena, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / 2 / size)
		return NULL;
	size_t bytes = count * size;
	size_t needed = round_up(bytes ? bytes : 1);
	if (needed == SIZE_MAX)
		return NULL;
	struct block *block = room(arena, needed + GAP);
	if (!block)
		return NULL;
	char *at = block->data + block->front;
	block->front += needed + GAP;
	UNPOISON(at, bytes);
	return memset(at, 0, bytes);
}

char *sluice_arena_bytes(struct sluice_arena *arena, size_t size)
{
	/* Poison knows whole words only, so under AddressSanitizer characters are aligned too. */
	size_t needed = ARENA_ASAN ? round_up(size) : size;
	if (needed > SIZE_MAX / 2)
		return NULL;
	struct block *block = room(arena, needed + GAP);
	if (!block)
		return NULL;
	block->back -= needed + GAP;
	char *at = block->data + block->back;
	UNPOISON(at, size);
	return at;
}

struct sluice_str sluice_arena_str(struct sluice_arena *arena, struct sluice_str text)
{
	if (!text.data || text.len == SIZE_MAX)
		return (struct sluice_str){ NULL, 0 };
	char *copy = sluice_arena_bytes(arena, text.len + 1);
	if (!copy)
		return (struct sluice_str){ NULL, 0 };
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	return (struct sluice_str){ copy, text.len };
}

size_t sluice_arena_size(const struct sluice_arena *arena)
{
	return arena->held;
}
