/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The journal: a log in mapped files, so that appending is a copy into memory that survives the
 * process. Knows frames of bytes, not what they mean (sluice_store/record.h).
 *
 *	DIR/00000000000000000001.journal  segments of one size, in the order of their numbers
 *
 * Threads: one thread appends (the broker's), one other does everything else (the data thread).
 * What both look at are two atomics: how far was written, and how many segments are ready.
 *
 * A position is the number of bytes before it since the journal's first segment ever; it only
 * grows, over restarts too.
 */
#ifndef SLUICE_STORE_JOURNAL_H
#define SLUICE_STORE_JOURNAL_H

#include <stdbool.h>

#include "sluice/types.h"

struct sluice_journal;

enum sluice_durability {
	SLUICE_DURABLE_PROCESS, /* safe when the process is killed */
	SLUICE_DURABLE_POWER,   /* each commit is on the disk before it returns */
	SLUICE_DURABLE_BATCH,   /* on the disk within batch_ms; sluice_journal_sync does it */
};

struct sluice_journal_options {
	const char *dir;      /* made when it is not there */
	uint64_t max_bytes;   /* of all segments together; at least four segments */
	size_t segment_bytes; /* a multiple of the page size; 0 = a good one */
	enum sluice_durability durability;
	/* Bytes left for those who ask with `last`: acknowledgements, which free room. At most half
	 * of what the segments hold. */
	size_t kept_bytes;
	/* The position up to which all is safe elsewhere, as far as the caller knows: reading begins
	 * there. Where the journal has lost its end (a power cut, a folder that was deleted) it goes
	 * on from there, so that no position is given twice. */
	uint64_t position;
};

/* Frames that were committed and can't be read, or a segment that can't: told at opening, once each.
 * `kept` names the file that holds what could not be read, and stays; NULL when there is none (a
 * segment is missing). */
typedef void (*sluice_journal_damage_fn)(void *arg, const char *message, const char *kept);

/*
 * Opens or makes it. A frame that was begun and not committed when the process was killed ends the
 * journal there, and nobody misses it. A committed one that does not check is damage, at the end too:
 * what is whole before and after is read, the segment is kept as NUMBER.damaged beside it (by a
 * second link, where the file system has them) and told; nothing is appended to it. As long as its
 * frames are not released, each opening tells of it anew. Another process that has the journal open is
 * SLUICE_ERR_BUSY. Returns with at least one segment ready, and what `kept_bytes` needs; on a full
 * disk with what the files that are there give, as long as that is room for anything.
 *
 * Segments are mapped. While a journal is open SIGBUS is handled: where the disk does not give a page of one, or
 * somebody cut the file shorter, the frame that is being written is void, and what can't be read is no
 * frame. Other faults go to the handler before. A thread that appends or reads must not block SIGBUS.
 *
 * SLUICE_ERR_IO, _NOMEM, _BUSY, _VERSION, _INVALID (segment_bytes that no page fits), _LIMIT (room for
 * fewer segments than four, or for more than 16384).
 */
enum sluice_status sluice_journal_open(const struct sluice_journal_options *options,
                                       sluice_journal_damage_fn damage, void *arg,
                                       struct sluice_journal **journal, struct sluice_error *error);

/* Syncs what there is, closes it; the files stay. NULL is allowed. */
void sluice_journal_close(struct sluice_journal *journal);

/* --- the appending thread; never waits, but for `power` --- */

/*
 * Whether a frame of `len` bytes finds room now. A frame may be as long as what is ready, over as
 * many segments as that takes. Does not keep the room: ask, then append, with nothing between. `last`
 * may use the kept bytes too. Where there is no room now and could be, sluice_journal_prepare hears
 * of it.
 */
bool sluice_journal_has_room(struct sluice_journal *journal, size_t len, bool last);

/* The longest frame that the journal could ever take when it is empty; less than 4 GiB. */
size_t sluice_journal_max_frame(const struct sluice_journal *journal);

/*
 * Begins a frame of exactly `len` bytes (not 0), put into it by sluice_journal_put piece by piece, or
 * written where sluice_journal_whole says, and made valid by sluice_journal_commit at once. False when
 * there is no room (nothing happened then). One that is begun and never committed is as if it had not
 * been.
 */
bool sluice_journal_begin(struct sluice_journal *journal, size_t len, bool last);
/* Where all bytes of the frame that was just begun are to be written, at once and instead of putting
 * them: it spares a copy. NULL when they don't stand together; then they are put. */
unsigned char *sluice_journal_whole(struct sluice_journal *journal);
void sluice_journal_put(struct sluice_journal *journal, const void *data, size_t len);
/* The frame holds, for the reader and over a kill. False when the disk refused: to sync, under `power`,
 * or to give a page. The frame is void then, as one that there was no room for, and so is what is begun
 * until sluice_journal_prepare finds that the disk can be written. (What a disk that fails has of it
 * after a power cut, nobody knows.) */
bool sluice_journal_commit(struct sluice_journal *journal);

/* Whether nothing is appended, since the disk refuses. Any thread. */
bool sluice_journal_refuses(const struct sluice_journal *journal);

/* Position behind the last commit. Any thread. */
uint64_t sluice_journal_end(const struct sluice_journal *journal);

/* --- the data thread --- */

struct sluice_journal_frame {
	const unsigned char *data; /* until the next call of next, seek or close, or until the first
	                              prepare after its position was released */
	size_t len;
	uint64_t position; /* behind it */
};

/* The next frame after the last one given; the first call begins at `position` of the opening, or
 * what sluice_journal_seek said. False when there is none yet, or no memory to put one together that
 * lies in several segments: it comes when there is. */
bool sluice_journal_next(struct sluice_journal *journal, struct sluice_journal_frame *frame);

/* Where the reader goes on: what SQLite says was carried over. Past the end or before the first byte
 * there is: the nearest that there is. */
void sluice_journal_seek(struct sluice_journal *journal, uint64_t position);

/* All up to position is safe elsewhere: sluice_journal_prepare may use whole segments before it
 * anew. */
void sluice_journal_release(struct sluice_journal *journal, uint64_t position);

/*
 * Makes segments ready ahead of the appending thread (written, synced, mapped, populated), as many as
 * max_bytes allows and are likely to be needed: released ones with a new key and name, then new ones.
 * Called often; quick when there is nothing to do. What the kept bytes and a frame that found no room
 * need is made at once, else one segment a call.
 * SLUICE_ERR_IO when the disk refuses, _NOMEM: what is ready goes on serving.
 */
enum sluice_status sluice_journal_prepare(struct sluice_journal *journal,
                                          struct sluice_error *error);

/*
 * Looks whether the disk takes anything, for a caller who sees that it does not: a mapped page of a file
 * system that turned read-only may take all that is written, and it gets nowhere. When not, nothing is
 * appended until sluice_journal_prepare finds that it does. A full disk is none that refuses.
 * SLUICE_ERR_IO.
 */
enum sluice_status sluice_journal_check(struct sluice_journal *journal, struct sluice_error *error);

/* Writes what was committed before the call to the disk (`batch`). After an SLUICE_ERR_IO the kernel
 * may have dropped what it could not write: a later SLUICE_OK does not take that back. */
enum sluice_status sluice_journal_sync(struct sluice_journal *journal, struct sluice_error *error);

/* Bytes that its files take, without what is kept as damaged; bytes not yet released. Any thread. */
uint64_t sluice_journal_disk_bytes(const struct sluice_journal *journal);
uint64_t sluice_journal_lag_bytes(const struct sluice_journal *journal);

#endif
