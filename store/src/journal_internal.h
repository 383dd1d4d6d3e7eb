/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What the files of the journal share: the segment and its bytes, the ring of live segments, and who
 * writes what of it.
 *
 *	segment   [header 64][piece][piece]…                        [header again 64]
 *	piece     [check u64][position u64][total u32][len u32][bytes][up to a multiple of 8]
 *
 * A frame is one piece; one that finds no room in its segment fills it, and goes on at the start of
 * the next: `total` is then what is left of the frame, this piece with it, and `len` is marked as
 * MORE. A rest of a segment too short for a piece of 8 bytes stays unused.
 *
 * `check` is XXH3 over total, len and the bytes, and holds only here: its seed is made of the
 * segment's key (random, another one each time that a file is made ready), the piece's position and
 * the position at which its frame begins. So what an earlier use left in a file, what a publisher
 * puts into a payload, and the rest of another frame are never taken for a frame. That of the first
 * piece is written last: while it is 0 there is no frame. `position` is looked at only to find the
 * next frame behind damage.
 *
 * The header stands twice, that one damaged byte does not cost the key. All numbers are in the
 * machine's byte order.
 */
#ifndef SLUICE_STORE_JOURNAL_INTERNAL_H
#define SLUICE_STORE_JOURNAL_INTERNAL_H

#include <stdatomic.h>

#include "sluice_store/journal.h"

enum {
	JOURNAL_VERSION = 1,
	JOURNAL_HEADER = 64, /* bytes of a segment's header */
	JOURNAL_PIECE = 24,  /* of a piece's */
	JOURNAL_PIECE_LEAST = JOURNAL_PIECE + 8,
	JOURNAL_NAME = 32, /* room for a file's name */
};

#define JOURNAL_MORE        UINT32_C(0x80000000)
#define JOURNAL_SEGMENT_MAX ((size_t)1 << 30)
/* Beyond what positions and numbers get to in any life; a file that says more lies. */
#define JOURNAL_POSITION_MAX (UINT64_C(1) << 62)

struct journal_segment {
	unsigned char *map;
	size_t bytes;      /* of the segment, with both headers */
	uint64_t number;   /* its file's; grows */
	uint64_t previous; /* of the segment before it, which only release takes away; 0: none */
	uint64_t base;     /* position of its first byte, a multiple of 8 */
	uint64_t key;
	char name[JOURNAL_NAME]; /* its file in the journal's folder, now */
	bool damaged;            /* not to be used again */
	bool kept;               /* its file has a second name that stays */
};

/* Where a piece stands, or may begin. */
struct journal_place {
	uint64_t ordinal; /* of the segment, see below */
	size_t offset;
};

struct journal_found {
	struct journal_place from, to; /* to: behind it */
	uint32_t total;
	uint64_t position; /* behind it */
};

/* What is being written; becomes the place of the next frame when it is committed. */
struct journal_writer {
	struct journal_segment segment; /* a copy: slots are the data thread's */
	uint64_t ordinal;
	size_t offset; /* behind the last piece that was closed */
};

/*
 * Segments that hold frames or are ready to are numbered by ordinals, without gaps, from the opening
 * on; the segment of an ordinal is slots[ordinal % slot_count].
 *
 *	oldest … [what the appending thread writes] … ready
 *
 * The data thread fills a slot before it moves `ready` past it, and takes one back when what was
 * released, and so committed, lies in a later one: the appending thread looks at no slot before the
 * one that it writes.
 */
struct sluice_journal {
	/* Written once, at opening. */
	void *memory; /* what to free; this struct is aligned in it */
	char *dir;
	int dir_fd; /* holds the lock */
	enum sluice_durability durability;
	size_t segment_bytes;
	uint64_t max_bytes;
	size_t segments_most; /* by that */
	size_t kept_bytes;
	size_t page_bytes;
	int pages_fd; /* memory, for pages that can't be had; -1: none */
	bool guarded;
	size_t slot_count;
	struct journal_segment *slots;

	/* The appending thread's, but for the atomics. */
	_Alignas(64) struct journal_writer at; /* behind the last commit */
	struct journal_writer now;             /* within the frame that was begun */
	struct journal_place begun;            /* its first piece */
	struct journal_segment begun_segment;  /* where that stands */
	uint64_t faults_seen;                  /* what was written after these is on no disk */
	unsigned char *first;                  /* that piece; NULL: no frame is begun */
	uint64_t first_key, start;
	uint32_t first_len;
	unsigned char *piece; /* the piece that bytes go into */
	uint32_t piece_len, piece_used;
	size_t left; /* of the frame, beyond this piece */
	_Atomic uint64_t end;
	_Atomic uint64_t current; /* at.ordinal, for counting only */
	_Atomic uint64_t wanted;  /* room that was asked for and was not there */
	/* Any thread's, in the handler of SIGBUS too (journal_guard.c). */
	_Atomic uint64_t pages;  /* of segments, that memory was put in place of */
	_Atomic uint64_t faults; /* of these, where may be written */
	_Atomic uint64_t unread; /* of these, zeros: nobody knows what stood there */
	_Atomic bool refuses;    /* the disk does not take what is written: nothing is appended */

	/* The data thread's, but for the atomics. */
	_Alignas(64) _Atomic uint64_t ready; /* the last ordinal that may be written */
	_Atomic uint64_t released;           /* position */
	_Atomic uint64_t disk_bytes;
	uint64_t oldest;
	struct journal_place next; /* of the reader */
	uint64_t unread_told;
	sluice_journal_damage_fn damage; /* and its arg: the opener's */
	void *damage_arg;
	uint64_t synced; /* position */
	/* What the next segment that is made ready gets. */
	uint64_t next_number, next_previous, next_base;
	struct journal_segment *spares; /* mapped, of segment_bytes, free; slot_count fit */
	size_t spare_count;
	size_t target;         /* so many are to be ready */
	bool reached;          /* they once were */
	uint64_t populated;    /* ordinal up to which pages were made writable */
	unsigned char *joined; /* a frame of several pieces; owned */
	size_t joined_capacity;
};

static inline struct journal_segment *journal_slot(const struct sluice_journal *journal,
                                                   uint64_t ordinal)
{
	return &journal->slots[ordinal % journal->slot_count];
}

/* Where pieces of a segment end. */
static inline size_t journal_usable(const struct journal_segment *segment)
{
	return segment->bytes - JOURNAL_HEADER;
}

/* What a frame finds in a whole segment. */
static inline size_t journal_payload(const struct sluice_journal *journal)
{
	return journal->segment_bytes - 2 * JOURNAL_HEADER - JOURNAL_PIECE;
}

/* --- journal_format.c: bytes --- */

/* A segment's header from its fields. */
void journal_header_write(const struct journal_segment *segment, unsigned char out[JOURNAL_HEADER]);

enum journal_header {
	JOURNAL_HEADER_WHOLE, /* both are, and say the same */
	JOURNAL_HEADER_ONE,   /* one can be read */
	JOURNAL_HEADER_NONE,
	JOURNAL_HEADER_NEWER, /* of a newer Sluice, or of a machine with the other byte order */
};

/* Reads number, base, bytes and key from a file's bytes. */
enum journal_header journal_header_read(const unsigned char *data, size_t size,
                                        struct journal_segment *segment);

/* The check of a piece, which begins at `piece` in a segment of that key. */
uint64_t journal_piece_check(const unsigned char *piece, uint32_t len, uint64_t key,
                             uint64_t position, uint64_t start);
/* Writes a piece's header, its check 0. */
void journal_piece_begin(unsigned char *piece, uint64_t position, uint32_t total, uint32_t len);
/* Makes it valid. */
void journal_piece_end(unsigned char *piece, uint64_t check);

/* --- journal_walk.c: frames --- */

/* Moves a place that has no room for a piece to the next segment. */
void journal_normalise(const struct sluice_journal *journal, uint64_t last,
                       struct journal_place *place);
/*
 * The first whole frame at or behind `place` in the segments up to the ordinal `last`, that begins
 * before the position `limit`. What can't be read is passed over. False when there is none; `place`
 * is then where it was, or at the next segment's start when its own is full.
 */
bool journal_find(const struct sluice_journal *journal, uint64_t last, uint64_t limit,
                  struct journal_place *place, struct journal_found *found);
/* Passes over the last pieces of a frame whose first ones are gone. */
void journal_pass_rest(const struct sluice_journal *journal, uint64_t last,
                       struct journal_place *place);
/* Whether a frame was committed at the place, though it can't be read. */
bool journal_broken_at(const struct sluice_journal *journal, struct journal_place place);
/* Copies a found frame's bytes. */
void journal_join(const struct sluice_journal *journal, const struct journal_found *found,
                  unsigned char *out);

/* --- journal_guard.c: faults in mapped segments --- */

/* initial-exec: a handler of a signal must not make the thread's copy. */
#define JOURNAL_TLS __attribute__((tls_model("initial-exec")))

/* What faults of this thread are looked for in. */
extern _Thread_local struct sluice_journal *journal_appends_here JOURNAL_TLS;
extern _Thread_local struct sluice_journal *journal_reads_here JOURNAL_TLS;

/* Called by the thread that opens, and by the one that closes. Where there is no memory for the pages, or no
 * handler to be had, it is as safe as it can be. */
void journal_guard_enter(struct sluice_journal *journal);
void journal_guard_leave(struct sluice_journal *journal);

/* --- journal_read.c --- */

/* The place of a position in the segments from the oldest to `last`: the nearest that there is. */
struct journal_place journal_place_of(const struct sluice_journal *journal, uint64_t last,
                                      uint64_t position);

/* --- journal_prepare.c --- */

/* A segment that holds nothing any more: kept for new use, or its file goes. */
void journal_set_free(struct sluice_journal *journal, struct journal_segment *segment);
/* Writes what lies between the positions to the disk. */
bool journal_sync_range(const struct sluice_journal *journal, uint64_t first_ordinal,
                        uint64_t last_ordinal, uint64_t from, uint64_t to);

/* --- journal_file.c: segments as files --- */

/* Whether the disk takes a file; a full one counts as one that does. */
enum sluice_status journal_folder_probe(const struct sluice_journal *journal,
                                        struct sluice_error *error);

/* Fills the error: "DIR/NAME: doing: why", of errno. */
enum sluice_status journal_fault(const struct sluice_journal *journal, const char *name,
                                 const char *doing, struct sluice_error *error);
/* "NUMBER.SUFFIX", as segments are called. */
void journal_name(char name[JOURNAL_NAME], uint64_t number, const char *suffix);
/* Makes the folder when it is not there, opens and locks it. */
enum sluice_status journal_folder_open(struct sluice_journal *journal, struct sluice_error *error);
/* A file of zeros and its header, on the disk and mapped. */
enum sluice_status journal_segment_make(const struct sluice_journal *journal,
                                        struct journal_segment *segment,
                                        struct sluice_error *error);
/* Takes its file the segment's name: nobody will look for frames in it. */
bool journal_segment_free(const struct sluice_journal *journal, struct journal_segment *segment);
/* Makes a segment that is free one that is ready, without writing all of it. */
enum sluice_status journal_segment_renew(const struct sluice_journal *journal,
                                         struct journal_segment *segment,
                                         struct sluice_error *error);
/* Unmaps it; its file goes, unless it was damaged and has no other name: then it gets one. */
void journal_segment_drop(const struct sluice_journal *journal, struct journal_segment *segment);
/* Gives a damaged segment's file its second name. Writes the path that stays into `path`. */
void journal_segment_keep(const struct sluice_journal *journal, struct journal_segment *segment,
                          char *path, size_t size);
/* Writes the bytes between two offsets to the disk. False: errno says why not. */
bool journal_segment_sync(const struct sluice_journal *journal,
                          const struct journal_segment *segment, size_t from, size_t to);
/* Has the kernel make the pages writable now, so that the appending thread does not wait for it:
 * MAP_POPULATE only makes a shared page readable. A kernel that can't (before 5.14) does it at the
 * first write. */
void journal_segment_populate(const struct journal_segment *segment);

/* --- journal_load.c: what an earlier process left --- */

/* Maps the segments there are into slots, tells of damage, and finds the end. */
enum sluice_status journal_load(struct sluice_journal *journal, uint64_t carried,
                                sluice_journal_damage_fn damage, void *arg,
                                struct sluice_error *error);

#endif
