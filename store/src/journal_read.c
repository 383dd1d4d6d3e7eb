/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Reading frames in their order, and letting go of them. */
#include <stdio.h>
#include <stdlib.h>

#include "journal_internal.h"

struct journal_place journal_place_of(const struct sluice_journal *journal, uint64_t last,
                                      uint64_t position)
{
	uint64_t ordinal = journal->oldest;
	while (ordinal < last) {
		const struct journal_segment *segment = journal_slot(journal, ordinal);
		if (position < segment->base + segment->bytes)
			break;
		ordinal++;
	}
	struct journal_place place = { ordinal, JOURNAL_HEADER };
	if (ordinal <= last) {
		const struct journal_segment *segment = journal_slot(journal, ordinal);
		if (position >= segment->base + segment->bytes)
			place.offset = segment->bytes;
		else if (position > segment->base + JOURNAL_HEADER)
			place.offset = (size_t)(position - segment->base + 7) & ~(size_t)7;
	}
	return place;
}

/* Pages were lost since the last look. Which frames stood there nobody knows: what is not carried over yet is kept. */
static void tell_unread(struct sluice_journal *journal)
{
	uint64_t unread = atomic_load_explicit(&journal->unread, memory_order_relaxed);
	uint64_t last = atomic_load_explicit(&journal->current, memory_order_relaxed);
	uint64_t ready = atomic_load_explicit(&journal->ready, memory_order_relaxed);
	char path[4096] = "", message[256];
	if (unread == journal->unread_told)
		return;
	journal->unread_told = unread;
	uint64_t first =
	        journal->next.ordinal < journal->oldest ? journal->oldest : journal->next.ordinal;
	if (first > last || last > ready)
		return;
	for (uint64_t ordinal = last + 1; ordinal-- > first;)
		journal_segment_keep(journal, journal_slot(journal, ordinal), path, sizeof(path));
	snprintf(message, sizeof(message),
	         "the disk can't read all of %s, or somebody cut it shorter, or one of the %d "
	         "behind "
	         "it; what is whole is read",
	         journal_slot(journal, first)->name, (int)(last - first));
	if (journal->damage)
		journal->damage(journal->damage_arg, message, path);
}

bool sluice_journal_next(struct sluice_journal *journal, struct sluice_journal_frame *frame)
{
	uint64_t end = sluice_journal_end(journal);
	/* This thread's own. */
	uint64_t last = atomic_load_explicit(&journal->ready, memory_order_relaxed);
	struct journal_found found;
	journal_reads_here = journal;
	/* Before anything is passed over, and so let go of. */
	tell_unread(journal);
	bool any = journal_find(journal, last, end, &journal->next, &found);
	tell_unread(journal);
	if (!any)
		return false;
	if (found.from.ordinal == found.to.ordinal) {
		frame->data = journal_slot(journal, found.from.ordinal)->map + found.from.offset +
		              JOURNAL_PIECE;
	} else {
		if (found.total > journal->joined_capacity) {
			unsigned char *joined = malloc(found.total);
			if (!joined)
				return false;
			free(journal->joined);
			journal->joined = joined;
			journal->joined_capacity = found.total;
		}
		journal_join(journal, &found, journal->joined);
		frame->data = journal->joined;
	}
	frame->len = found.total;
	frame->position = found.position;
	journal->next = found.to;
	return true;
}

void sluice_journal_seek(struct sluice_journal *journal, uint64_t position)
{
	uint64_t end = sluice_journal_end(journal);
	uint64_t last = atomic_load_explicit(&journal->ready, memory_order_relaxed);
	journal->next = journal_place_of(journal, last, position < end ? position : end);
}

void sluice_journal_release(struct sluice_journal *journal, uint64_t position)
{
	uint64_t end = sluice_journal_end(journal);
	if (position > end)
		position = end;
	/* relaxed: this thread writes it, others only count. */
	if (position > atomic_load_explicit(&journal->released, memory_order_relaxed))
		atomic_store_explicit(&journal->released, position, memory_order_relaxed);
}

uint64_t sluice_journal_lag_bytes(const struct sluice_journal *journal)
{
	/* In this order: what was released lies before an end that was seen later. */
	uint64_t released = atomic_load_explicit(&journal->released, memory_order_relaxed);
	uint64_t end = sluice_journal_end(journal);
	return end > released ? end - released : 0;
}

uint64_t sluice_journal_disk_bytes(const struct sluice_journal *journal)
{
	return atomic_load_explicit(&journal->disk_bytes, memory_order_relaxed);
}
