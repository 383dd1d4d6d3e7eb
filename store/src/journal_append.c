/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The appending side: copies into segments that were made ready, and nothing else. */
#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

#include "journal_internal.h"

/* Bytes that a segment can still give to frames, from an offset on. */
static size_t left_in(const struct sluice_journal *journal, size_t offset)
{
	size_t left = journal->segment_bytes - offset;
	return left >= JOURNAL_PIECE_BYTES + JOURNAL_ALIGN ? left : 0;
}

/* What a frame takes of the segments from here on: its pieces' heads included, and at most. */
static size_t cost(const struct sluice_journal *journal, size_t len)
{
	size_t pieces = 2 + len / (journal->data_bytes - JOURNAL_PIECE_BYTES - JOURNAL_ALIGN);
	return len + pieces * (JOURNAL_PIECE_BYTES + JOURNAL_ALIGN);
}

bool sluice_journal_has_room(const struct sluice_journal *journal, size_t len, bool last)
{
	/* Acquire: what was counted ready is mapped, and what was released may be counted. */
	uint64_t ready = atomic_load_explicit(&journal->ready, memory_order_acquire);
	uint64_t tail = atomic_load_explicit(&journal->tail, memory_order_acquire);
	size_t here = journal->active < ready ? left_in(journal, journal->offset) : 0;
	if (len > sluice_journal_max_frame(journal))
		return false;
	size_t need = cost(journal, len);
	uint64_t behind = ready > journal->active ? ready - journal->active - 1 : 0;
	if (here + behind * journal->data_bytes < need)
		return false;
	uint64_t used = journal->active - tail + 1;
	uint64_t unused = journal->capacity > used ? journal->capacity - used : 0;
	return last || here + unused * journal->data_bytes >= need + journal->kept_bytes;
}

size_t sluice_journal_max_frame(const struct sluice_journal *journal)
{
	size_t all = (JOURNAL_AHEAD - 1) * journal->data_bytes;
	size_t heads = (JOURNAL_AHEAD + 1) * (JOURNAL_PIECE_BYTES + JOURNAL_ALIGN);
	return all > heads + journal->kept_bytes / journal->capacity ? all - heads : 0;
}

static void next_segment(struct sluice_journal *journal)
{
	journal->active++;
	journal->offset = JOURNAL_HEAD_BYTES;
}

/* Begins the next piece of the frame, as long as fits. */
static void begin_piece(struct sluice_journal *journal)
{
	if (left_in(journal, journal->offset) == 0)
		next_segment(journal);
	struct journal_segment *segment = journal_slot(journal, journal->active);
	size_t most = journal->segment_bytes - journal->offset - JOURNAL_PIECE_BYTES;
	most -= most % JOURNAL_ALIGN;
	journal->piece_len = journal->frame_left < most ? journal->frame_left : most;
	journal->piece_at = 0;
	journal->piece_data = segment->map + journal->offset + JOURNAL_PIECE_BYTES;
}

/* Its bytes are there: now its head. */
static void end_piece(struct sluice_journal *journal)
{
	struct journal_segment *segment = journal_slot(journal, journal->active);
	struct journal_piece piece = { .len = (uint32_t)journal->piece_len };
	if (journal->frame_first)
		piece.flags |= JOURNAL_FIRST;
	if (journal->frame_left == journal->piece_len)
		piece.flags |= JOURNAL_LAST;
	piece.checksum = journal_checksum(&piece, journal->piece_data,
	                                  journal_position(segment, journal->offset));
	unsigned char *head = segment->map + journal->offset;
	if (journal->frame_first) {
		/* Written by the commit. */
		journal->frame_checksum = (uint64_t *)(void *)head;
		journal->first_checksum = piece.checksum;
		memcpy(head + sizeof piece.checksum, &piece.len,
		       sizeof piece - sizeof piece.checksum);
	} else {
		memcpy(head, &piece, sizeof piece);
	}
	journal->frame_first = false;
	journal->frame_left -= journal->piece_len;
	journal->offset += JOURNAL_PIECE_BYTES + journal_aligned(journal->piece_len);
}

bool sluice_journal_begin(struct sluice_journal *journal, size_t len, bool last)
{
	assert(len > 0 && journal->frame_left == 0);
	if (!sluice_journal_has_room(journal, len, last))
		return false;
	journal->frame_left = len;
	journal->frame_first = true;
	begin_piece(journal);
	journal->begun_active = journal->active;
	journal->begun_offset = journal->offset;
	return true;
}

void sluice_journal_put(struct sluice_journal *journal, const void *data, size_t len)
{
	const unsigned char *bytes = data;
	while (len > 0) {
		size_t room = journal->piece_len - journal->piece_at;
		size_t part = len < room ? len : room;
		memcpy(journal->piece_data + journal->piece_at, bytes, part);
		journal->piece_at += part;
		bytes += part;
		len -= part;
		if (journal->piece_at < journal->piece_len)
			continue;
		end_piece(journal);
		if (journal->frame_left > 0)
			begin_piece(journal);
		assert(journal->frame_left > 0 || len == 0);
	}
}

static bool sync_from(const struct sluice_journal *journal, uint64_t count, size_t offset)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	for (; count <= journal->active; count++, offset = 0) {
		size_t end = count == journal->active ? journal->offset : journal->segment_bytes;
		size_t begin = offset - offset % page;
		if (msync(journal_slot(journal, count)->map + begin, end - begin, MS_SYNC) != 0)
			return false;
	}
	return true;
}

bool sluice_journal_commit(struct sluice_journal *journal)
{
	assert(journal->frame_left == 0 && journal->frame_checksum);
	/* Release: a process that is killed has stored all of it, or not this. */
	__atomic_store_n(journal->frame_checksum, journal->first_checksum, __ATOMIC_RELEASE);
	journal->frame_checksum = NULL;
	const struct journal_segment *segment = journal_slot(journal, journal->active);
	/* Release: who reads up to here finds the frame. */
	atomic_store_explicit(&journal->end, journal_position(segment, journal->offset),
	                      memory_order_release);
	return journal->durability != SLUICE_DURABLE_POWER ||
	       sync_from(journal, journal->begun_active, journal->begun_offset);
}

uint64_t sluice_journal_end(const struct sluice_journal *journal)
{
	return atomic_load_explicit(&journal->end, memory_order_acquire);
}
