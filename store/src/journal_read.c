/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The data thread's side: reads frames, releases segments, makes others ready. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "journal_internal.h"

/* Moves to the next segment when nothing more can stand in this one. False when there is none. */
static bool advance(struct sluice_journal *journal)
{
	const struct journal_segment *segment = journal_slot(journal, journal->reading);
	uint64_t at = journal_position(segment, journal->read_offset);
	uint64_t ready = atomic_load_explicit(&journal->ready, memory_order_acquire);
	bool spent = at >= segment->end || journal->segment_bytes - journal->read_offset <
	                                           JOURNAL_PIECE_BYTES + JOURNAL_ALIGN;
	if (!spent)
		return true;
	if (journal->reading + 1 >= ready)
		return false;
	journal->reading++;
	journal->read_offset = JOURNAL_HEAD_BYTES;
	return true;
}

/* The next piece before `end`. What does not check is skipped, eight bytes at a time: at opening it was
 * told what is damaged. */
static bool next_piece(struct sluice_journal *journal, uint64_t end, struct journal_piece *piece,
                       const unsigned char **data)
{
	for (;;) {
		if (!advance(journal))
			return false;
		const struct journal_segment *segment = journal_slot(journal, journal->reading);
		if (journal_position(segment, journal->read_offset) >= end)
			return false;
		size_t limit = journal->segment_bytes;
		if (segment->end - segment->position < journal->data_bytes)
			limit = JOURNAL_HEAD_BYTES + (size_t)(segment->end - segment->position);
		if (journal_piece_at(segment, journal->read_offset, limit, piece)) {
			*data = segment->map + journal->read_offset + JOURNAL_PIECE_BYTES;
			journal->read_offset += JOURNAL_PIECE_BYTES + journal_aligned(piece->len);
			return true;
		}
		journal->read_offset += JOURNAL_ALIGN;
	}
}

static bool assemble(struct sluice_journal *journal, size_t at, const unsigned char *data,
                     size_t len)
{
	if (at + len > journal->assembled_size) {
		unsigned char *grown = realloc(journal->assembled, at + len);
		if (!grown)
			return false;
		journal->assembled = grown;
		journal->assembled_size = at + len;
	}
	memcpy(journal->assembled + at, data, len);
	return true;
}

bool sluice_journal_next(struct sluice_journal *journal, struct sluice_journal_frame *frame)
{
	uint64_t end = sluice_journal_end(journal);
	uint64_t begun = journal->reading;
	size_t begun_offset = journal->read_offset;
	struct journal_piece piece;
	const unsigned char *data;
	size_t len = 0;
	bool open = false;
	while (next_piece(journal, end, &piece, &data)) {
		if (piece.flags & JOURNAL_FIRST) {
			len = 0; /* of one before that lost its end nothing is given */
			open = true;
		}
		if (!open)
			continue;
		bool whole = piece.flags == (JOURNAL_FIRST | JOURNAL_LAST);
		if (!whole && !assemble(journal, len, data, piece.len)) {
			/* Again, when there is memory. */
			journal->reading = begun;
			journal->read_offset = begun_offset;
			return false;
		}
		len += piece.len;
		if (piece.flags & JOURNAL_LAST) {
			const struct journal_segment *segment =
			        journal_slot(journal, journal->reading);
			*frame = (struct sluice_journal_frame){
				.data = whole ? data : journal->assembled,
				.len = len,
				.position = journal_position(segment, journal->read_offset),
			};
			return true;
		}
	}
	return false;
}

void sluice_journal_seek(struct sluice_journal *journal, uint64_t position)
{
	uint64_t ready = atomic_load_explicit(&journal->ready, memory_order_relaxed);
	journal->reading = atomic_load_explicit(&journal->tail, memory_order_relaxed);
	while (journal->reading + 1 < ready &&
	       journal_slot(journal, journal->reading + 1)->position <= position)
		journal->reading++;
	const struct journal_segment *segment = journal_slot(journal, journal->reading);
	uint64_t into = position > segment->position ? position - segment->position : 0;
	if (into > journal->data_bytes)
		into = journal->data_bytes;
	journal->read_offset = JOURNAL_HEAD_BYTES + (size_t)into;
	sluice_journal_release(journal, position);
}

void sluice_journal_release(struct sluice_journal *journal, uint64_t position)
{
	uint64_t tail = atomic_load_explicit(&journal->tail, memory_order_relaxed);
	atomic_store_explicit(&journal->released, position, memory_order_relaxed);
	/* The next one's beginning is behind the last byte of this one, and somebody has gone there. */
	while (tail < journal->reading && journal_slot(journal, tail + 1)->position <= position) {
		struct journal_segment segment = *journal_slot(journal, tail++);
		/* Release: the slot may be filled anew. */
		atomic_store_explicit(&journal->tail, tail, memory_order_release);
		if (journal->spare_count < JOURNAL_AHEAD)
			journal->spare[journal->spare_count++] = segment;
		else
			journal_segment_remove(journal, &segment);
	}
}

enum sluice_status sluice_journal_prepare(struct sluice_journal *journal,
                                          struct sluice_error *error)
{
	uint64_t tail = atomic_load_explicit(&journal->tail, memory_order_relaxed);
	uint64_t ready = atomic_load_explicit(&journal->ready, memory_order_relaxed);
	/* Where the appending thread is, as its last commit tells. */
	uint64_t end = sluice_journal_end(journal);
	uint64_t active = tail;
	while (active + 1 < ready && journal_slot(journal, active + 1)->position <= end)
		active++;
	while (ready < active + 1 + JOURNAL_AHEAD && ready - tail < journal->capacity) {
		struct journal_segment *slot = journal_slot(journal, ready);
		enum sluice_status status = journal_segment_make(journal, slot, error);
		if (status != SLUICE_OK)
			return status;
		slot->end = UINT64_MAX;
		/* Release: it is there before it is counted. */
		atomic_store_explicit(&journal->ready, ++ready, memory_order_release);
	}
	return SLUICE_OK;
}

enum sluice_status sluice_journal_sync(struct sluice_journal *journal, struct sluice_error *error)
{
	uint64_t end = sluice_journal_end(journal);
	uint64_t ready = atomic_load_explicit(&journal->ready, memory_order_acquire);
	uint64_t count = atomic_load_explicit(&journal->tail, memory_order_relaxed);
	for (; count < ready && journal->synced < end; count++) {
		const struct journal_segment *segment = journal_slot(journal, count);
		uint64_t behind = segment->position + journal->data_bytes;
		if (behind <= journal->synced || segment->position >= end)
			continue;
		if (msync(segment->map, journal->segment_bytes, MS_SYNC) != 0)
			return sluice_error_set(error, SLUICE_ERR_IO, SIZE_MAX, NULL,
			                        "%s can't be synced: %s", journal->dir,
			                        strerror(errno));
	}
	journal->synced = end;
	return SLUICE_OK;
}

uint64_t sluice_journal_disk_bytes(const struct sluice_journal *journal)
{
	return atomic_load_explicit(&journal->disk_bytes, memory_order_relaxed);
}

uint64_t sluice_journal_lag_bytes(const struct sluice_journal *journal)
{
	uint64_t released = atomic_load_explicit(&journal->released, memory_order_relaxed);
	uint64_t end = sluice_journal_end(journal);
	return end > released ? end - released : 0;
}
