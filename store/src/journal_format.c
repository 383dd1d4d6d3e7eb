/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The bytes of a segment: its header, and a piece's. */
#include <stddef.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "journal_internal.h"

static const char magic[8] = "SluiceJ\n";

enum { BYTE_ORDER_MARK = 0x01020304, OTHER_BYTE_ORDER = 0x04030201 };

/* Of every version: magic, version and order stand where they do, check over all before it last. */
struct header {
	char magic[8];
	uint32_t version, order;
	uint64_t number, previous, base, bytes, key;
	uint64_t check;
};
_Static_assert(sizeof(struct header) == JOURNAL_HEADER, "a header has no padding");

struct piece {
	_Atomic uint64_t check;
	uint64_t position;
	uint32_t total, len;
};
_Static_assert(sizeof(struct piece) == JOURNAL_PIECE, "a piece has no padding");
_Static_assert(sizeof(_Atomic uint64_t) == 8, "an atomic is its value");

void journal_header_write(const struct journal_segment *segment, unsigned char out[JOURNAL_HEADER])
{
	struct header header = {
		.version = JOURNAL_VERSION,
		.order = BYTE_ORDER_MARK,
		.number = segment->number,
		.previous = segment->previous,
		.base = segment->base,
		.bytes = segment->bytes,
		.key = segment->key,
	};
	memcpy(header.magic, magic, sizeof(magic));
	header.check = XXH3_64bits(&header, offsetof(struct header, check));
	memcpy(out, &header, sizeof(header));
}

static enum journal_header read_one(const unsigned char *data, struct header *header)
{
	memcpy(header, data, sizeof(*header));
	if (memcmp(header->magic, magic, sizeof(magic)) != 0)
		return JOURNAL_HEADER_NONE;
	if (header->order == OTHER_BYTE_ORDER)
		return JOURNAL_HEADER_NEWER;
	if (header->check != XXH3_64bits(header, offsetof(struct header, check)))
		return JOURNAL_HEADER_NONE;
	if (header->version > JOURNAL_VERSION)
		return JOURNAL_HEADER_NEWER;
	/* Whoever can write the check can write nonsense. */
	if (header->bytes < 3 * JOURNAL_HEADER || header->bytes > JOURNAL_SEGMENT_MAX ||
	    header->bytes % 8 != 0 || header->base % 8 != 0 ||
	    header->base > JOURNAL_POSITION_MAX || header->number > JOURNAL_POSITION_MAX)
		return JOURNAL_HEADER_NONE;
	return JOURNAL_HEADER_WHOLE;
}

enum journal_header journal_header_read(const unsigned char *data, size_t size,
                                        struct journal_segment *segment)
{
	struct header first, second;
	enum journal_header one = JOURNAL_HEADER_NONE, other = JOURNAL_HEADER_NONE;
	if (size >= JOURNAL_HEADER) {
		one = read_one(data, &first);
		other = read_one(data + size - JOURNAL_HEADER, &second);
	}
	if (one == JOURNAL_HEADER_NEWER || other == JOURNAL_HEADER_NEWER)
		return JOURNAL_HEADER_NEWER;
	if (one != JOURNAL_HEADER_WHOLE && other != JOURNAL_HEADER_WHOLE)
		return JOURNAL_HEADER_NONE;
	const struct header *header = one == JOURNAL_HEADER_WHOLE ? &first : &second;
	segment->number = header->number;
	segment->previous = header->previous;
	segment->base = header->base;
	segment->bytes = (size_t)header->bytes;
	segment->key = header->key;
	if (one != other || memcmp(&first, &second, sizeof(first)) != 0)
		return JOURNAL_HEADER_ONE;
	return JOURNAL_HEADER_WHOLE;
}

uint64_t journal_piece_check(const unsigned char *piece, uint32_t len, uint64_t key,
                             uint64_t position, uint64_t start)
{
	const size_t covered = offsetof(struct piece, total);
	/* Odd factors, so that no two pairs of nearby positions give the same seed. */
	uint64_t seed = key ^ (position * UINT64_C(0x9E3779B97F4A7C15)) ^
	                (start * UINT64_C(0xC2B2AE3D27D4EB4F));
	uint64_t check = XXH3_64bits_withSeed(piece + covered, JOURNAL_PIECE - covered + len, seed);
	return check ? check : 1;
}

void journal_piece_begin(unsigned char *piece, uint64_t position, uint32_t total, uint32_t len)
{
	struct piece *header = (struct piece *)(void *)piece;
	atomic_store_explicit(&header->check, 0, memory_order_relaxed);
	/* A file used before may have anything here: killed now, there must be no frame, nor what
	 * looks like a broken one. A kill sees what the processor did in the program's order, so it
	 * is the compiler alone that must be held. */
	atomic_signal_fence(memory_order_seq_cst);
	header->position = position;
	header->total = total;
	header->len = len;
}

void journal_piece_end(unsigned char *piece, uint64_t check)
{
	struct piece *header = (struct piece *)(void *)piece;
	/* release: whoever sees it, the next process after a kill too, sees the piece. */
	atomic_store_explicit(&header->check, check, memory_order_release);
}
