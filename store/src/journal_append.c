/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The appending thread's part: it copies, and hashes what it copied; nothing here waits, but for a
 * commit under `power`. */
#include <assert.h>

#include "journal_internal.h"

/* Bytes of a frame that fit where the writer stands, and in what is ready behind it. */
static uint64_t room(const struct sluice_journal *journal)
{
	const struct journal_writer *at = &journal->at;
	size_t end = journal_usable(&at->segment);
	/* acquire: with the number come the slots below it. */
	uint64_t ready = atomic_load_explicit(&journal->ready, memory_order_acquire) - at->ordinal;
	uint64_t bytes = ready * journal_payload(journal);
	if (at->offset + JOURNAL_PIECE_LEAST <= end)
		bytes += end - at->offset - JOURNAL_PIECE;
	return bytes;
}

bool sluice_journal_has_room(struct sluice_journal *journal, size_t len, bool last)
{
	uint64_t needed = (uint64_t)len + (last ? 0 : journal->kept_bytes);
	/* relaxed: what is appended although it says so by now is void, see sluice_journal_commit. */
	if (atomic_load_explicit(&journal->refuses, memory_order_relaxed))
		return false;
	if (len <= sluice_journal_max_frame(journal) && needed <= room(journal))
		return true;
	/* relaxed: a wish. Whether it is heard now or at the next call changes nothing. */
	if (len <= sluice_journal_max_frame(journal))
		atomic_store_explicit(&journal->wanted, needed, memory_order_relaxed);
	return false;
}

size_t sluice_journal_max_frame(const struct sluice_journal *journal)
{
	/* The segment that is written may be nearly full. */
	uint64_t bytes = (uint64_t)(journal->segments_most - 1) * journal_payload(journal) -
	                 journal->kept_bytes;
	return bytes < UINT32_MAX ? (size_t)bytes : UINT32_MAX;
}

/* Begins a piece where the writer stands, as long as the frame needs or the segment has. */
static void begin_piece(struct sluice_journal *journal)
{
	struct journal_writer *now = &journal->now;
	if (now->offset + JOURNAL_PIECE_LEAST > journal_usable(&now->segment)) {
		now->ordinal++;
		/* A slot below `ready`, see room(); it stays as it is until what is committed here
		 * was released. */
		now->segment = *journal_slot(journal, now->ordinal);
		now->offset = JOURNAL_HEADER;
	}
	size_t len = journal_usable(&now->segment) - now->offset - JOURNAL_PIECE;
	if (len > journal->left)
		len = journal->left;
	uint32_t more = JOURNAL_MORE;
	journal->piece = now->segment.map + now->offset;
	if (!journal->first) {
		more = 0;
		journal->first = journal->piece;
		journal->first_key = now->segment.key;
		journal->first_len = (uint32_t)len;
		journal->start = now->segment.base + now->offset;
		journal->begun = (struct journal_place){ now->ordinal, now->offset };
		journal->begun_segment = now->segment;
	}
	journal_piece_begin(journal->piece, now->segment.base + now->offset,
	                    (uint32_t)journal->left, (uint32_t)len | more);
	journal->piece_len = (uint32_t)len;
	journal->piece_used = 0;
	journal->left -= len;
}

/* Ends the piece that is full. The first one's check has to wait for all others. */
static void end_piece(struct sluice_journal *journal)
{
	struct journal_writer *now = &journal->now;
	if (journal->piece != journal->first)
		journal_piece_end(
		        journal->piece,
		        journal_piece_check(journal->piece, journal->piece_len, now->segment.key,
		                            now->segment.base + now->offset, journal->start));
	now->offset += JOURNAL_PIECE + (((size_t)journal->piece_len + 7) & ~(size_t)7);
}

bool sluice_journal_begin(struct sluice_journal *journal, size_t len, bool last)
{
	if (len == 0 || !sluice_journal_has_room(journal, len, last))
		return false;
	journal_appends_here = journal;
	journal->now = journal->at;
	journal->first = NULL;
	journal->left = len;
	begin_piece(journal);
	return true;
}

unsigned char *sluice_journal_whole(struct sluice_journal *journal)
{
	if (journal->left > 0)
		return NULL;
	journal->piece_used = journal->piece_len;
	return journal->piece + JOURNAL_PIECE;
}

void sluice_journal_put(struct sluice_journal *journal, const void *data, size_t len)
{
	const unsigned char *bytes = data;
	assert(len <= journal->left + (journal->piece_len - journal->piece_used));
	while (len > 0) {
		if (journal->piece_used == journal->piece_len) {
			end_piece(journal);
			begin_piece(journal);
		}
		size_t part = journal->piece_len - journal->piece_used;
		if (part > len)
			part = len;
		memcpy(journal->piece + JOURNAL_PIECE + journal->piece_used, bytes, part);
		journal->piece_used += (uint32_t)part;
		bytes += part;
		len -= part;
	}
}

/* Whether a page that was written to is not the file's any more. */
static bool faulted(struct sluice_journal *journal)
{
	/* The handler ran, if it did, in this thread: the compiler alone must not look too early. */
	atomic_signal_fence(memory_order_seq_cst);
	uint64_t faults = atomic_load_explicit(&journal->faults, memory_order_relaxed);
	if (faults == journal->faults_seen)
		return false;
	journal->faults_seen = faults;
	return true;
}

/* Behind all that may have lost a page. */
static void leave_segments(struct sluice_journal *journal)
{
	journal->at = journal->now;
	journal->at.offset = journal_usable(&journal->at.segment);
	atomic_store_explicit(&journal->current, journal->at.ordinal, memory_order_relaxed);
}

bool sluice_journal_commit(struct sluice_journal *journal)
{
	struct journal_writer *now = &journal->now;
	uint64_t from = journal->start;
	bool safe = true;
	assert(journal->first && journal->left == 0 && journal->piece_used == journal->piece_len);
	end_piece(journal);
	journal_piece_end(journal->first, journal_piece_check(journal->first, journal->first_len,
	                                                      journal->first_key, from, from));
	uint64_t end = now->segment.base + now->offset;
	/* Before others hear of it: then the segments may be taken away. */
	if (journal->durability == SLUICE_DURABLE_POWER)
		safe = journal_sync_range(journal, journal->begun.ordinal, now->ordinal, from, end);
	bool lost = faulted(journal);
	if (!safe || lost) {
		/* It was not promised, and its publisher sends it again: it must not come twice. */
		journal_piece_end(journal->first, 0);
		journal->first = NULL;
		atomic_store_explicit(&journal->refuses, true, memory_order_relaxed);
		if (lost)
			leave_segments(journal);
		return false;
	}
	journal->first = NULL;
	journal->at = *now;
	atomic_store_explicit(&journal->current, now->ordinal, memory_order_relaxed);
	/* release: who sees the new end sees the frame before it. */
	atomic_store_explicit(&journal->end, end, memory_order_release);
	return true;
}

bool sluice_journal_refuses(const struct sluice_journal *journal)
{
	return atomic_load_explicit(&journal->refuses, memory_order_relaxed);
}

uint64_t sluice_journal_end(const struct sluice_journal *journal)
{
	return atomic_load_explicit(&journal->end, memory_order_acquire);
}
