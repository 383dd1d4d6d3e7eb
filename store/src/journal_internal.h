/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The journal's files, and what the files of its code share.
 *
 *	segment   [ head 64 ][ piece ][ piece ] … [ rest too small for a piece ]
 *	head      magic u64, number u64, position u64 (of the first byte behind the head), bytes u64,
 *	          checksum u64, zeros
 *	piece     [ checksum u64 ][ len u32 ][ flags u32 ][ len bytes ][ up to 7 zeros ]
 *
 * A frame is one piece, or several where it does not fit into what is left of a segment: FIRST, then
 * some with neither flag, then LAST. A piece's checksum is XXH3's over len, flags and bytes, seeded
 * with the piece's position. So what an older use of the file left behind is never taken for a piece.
 * The first piece's checksum is written last of all: a frame is there when that is.
 *
 *	segments in use   tail          active         ready
 *	                   v              v              v
 *	slots              [ 7 ][ 8 ][ 9 ][ 10 ][ 11 ][ 12 ]     slot = count % capacity
 *	                   released by    the broker's thread    made by
 *	                   the data       appends here           the data thread
 *	                   thread
 */
#ifndef SLUICE_STORE_JOURNAL_INTERNAL_H
#define SLUICE_STORE_JOURNAL_INTERNAL_H

#include <stdatomic.h>

#include "sluice_store/journal.h"

enum {
	JOURNAL_HEAD_BYTES = 64,
	JOURNAL_PIECE_BYTES = 16,
	JOURNAL_ALIGN = 8,
	JOURNAL_LEAST_SEGMENTS = 4,
	JOURNAL_AHEAD = 3, /* segments that are kept ready */
	JOURNAL_PATH_MAX = 4096,
};

enum journal_flags { JOURNAL_FIRST = 1, JOURNAL_LAST = 2 };

struct journal_piece {
	uint64_t checksum;
	uint32_t len;
	uint32_t flags;
};

struct journal_segment {
	uint64_t number;
	uint64_t position; /* of its first byte behind the head */
	uint64_t end; /* position behind its last whole frame; known once it is read at opening */
	unsigned char *map;
	int fd;
};

struct sluice_journal {
	char *dir;
	int dir_fd; /* locked */
	size_t segment_bytes;
	size_t data_bytes; /* of a segment, without its head */
	size_t kept_bytes;
	enum sluice_durability durability;
	struct journal_segment *slots;
	size_t capacity;
	/* Segments, counted since the opening; tail <= active < ready. */
	_Atomic uint64_t tail; /* the data thread releases */
	_Atomic uint64_t
	        ready;        /* the data thread makes: a segment is written before it is counted */
	_Atomic uint64_t end; /* the appending thread: position behind the last commit */
	_Atomic uint64_t released;
	_Atomic uint64_t disk_bytes;
	/* the appending thread */
	uint64_t active;
	size_t offset; /* in the active segment, where the next piece begins */
	uint64_t *
	        frame_checksum; /* of the frame being written, where its first piece's is to stand */
	uint64_t first_checksum;
	size_t frame_left; /* bytes of it that are still to come */
	bool frame_first;  /* no piece of it was begun */
	/* of the piece being written */
	unsigned char *piece_data;
	size_t piece_len, piece_at;
	uint64_t begun_active; /* where the frame began, for a sync */
	size_t begun_offset;
	/* the data thread */
	uint64_t reading; /* the segment that it reads */
	size_t read_offset;
	uint64_t next_number;
	uint64_t next_position;        /* of the next segment that is made */
	struct journal_segment *spare; /* released, to be used again */
	size_t spare_count;
	unsigned char *assembled; /* a frame of several pieces */
	size_t assembled_size;
	uint64_t synced; /* position */
};

static inline size_t journal_aligned(size_t len)
{
	return (len + JOURNAL_ALIGN - 1) & ~(size_t)(JOURNAL_ALIGN - 1);
}

static inline struct journal_segment *journal_slot(const struct sluice_journal *journal,
                                                   uint64_t count)
{
	return &journal->slots[count % journal->capacity];
}

/* Position of an offset (from the segment's beginning, the head included). */
static inline uint64_t journal_position(const struct journal_segment *segment, size_t offset)
{
	return segment->position + offset - JOURNAL_HEAD_BYTES;
}

uint64_t journal_checksum(const struct journal_piece *piece, const unsigned char *data,
                          uint64_t position);

/*
 * The piece at an offset, checked, that does not reach past `limit`. False when there is none.
 */
bool journal_piece_at(const struct journal_segment *segment, size_t offset, size_t limit,
                      struct journal_piece *piece);

/* --- journal_segment.c --- */

/* Makes a segment: a spare one, or a new file that is written, synced and mapped with its pages. */
enum sluice_status journal_segment_make(struct sluice_journal *journal,
                                        struct journal_segment *segment,
                                        struct sluice_error *error);
/* Maps a file of a former run. SLUICE_ERR_CORRUPT when its head is none. */
enum sluice_status journal_segment_map(struct sluice_journal *journal, uint64_t number,
                                       struct journal_segment *segment, struct sluice_error *error);
void journal_segment_close(const struct sluice_journal *journal, struct journal_segment *segment);
/* Closes and removes it. */
void journal_segment_remove(struct sluice_journal *journal, struct journal_segment *segment);
/* Copies the file to NAME.damaged, whose path is written to `kept`. */
void journal_segment_keep(const struct sluice_journal *journal, uint64_t number,
                          char kept[JOURNAL_PATH_MAX]);

#endif
