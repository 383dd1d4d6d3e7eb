/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The data thread's care for what the appending thread will write next, and for the disk. */
#include "journal_internal.h"

/* Whether its files stay in their bound with so many bytes more. */
static bool bounded(const struct sluice_journal *journal, size_t more)
{
	return atomic_load_explicit(&journal->disk_bytes, memory_order_relaxed) + more <=
	       journal->max_bytes;
}

/* relaxed: this thread writes it, others only show it. */
static void count_bytes(struct sluice_journal *journal, int64_t change)
{
	uint64_t bytes = atomic_load_explicit(&journal->disk_bytes, memory_order_relaxed);
	atomic_store_explicit(&journal->disk_bytes, bytes + (uint64_t)change, memory_order_relaxed);
}

void journal_set_free(struct sluice_journal *journal, struct journal_segment *segment)
{
	/* More than there may be, or of another size: from an opening with other options. */
	if (!segment->damaged && segment->bytes == journal->segment_bytes && bounded(journal, 0) &&
	    journal_segment_free(journal, segment)) {
		journal->spares[journal->spare_count++] = *segment;
		return;
	}
	count_bytes(journal, -(int64_t)segment->bytes);
	journal_segment_drop(journal, segment);
}

static void collect(struct sluice_journal *journal)
{
	uint64_t released = atomic_load_explicit(&journal->released, memory_order_relaxed);
	uint64_t ready = atomic_load_explicit(&journal->ready, memory_order_relaxed);
	/* A segment's end lies behind the last frame that can end in it: what was committed up to
	 * there, and so released, was committed in a later one, and the appending thread is there. */
	while (journal->oldest < ready) {
		struct journal_segment segment = *journal_slot(journal, journal->oldest);
		if (segment.base + segment.bytes > released)
			break;
		if (journal->next.ordinal == journal->oldest)
			journal->next =
			        (struct journal_place){ journal->oldest + 1, JOURNAL_HEADER };
		journal->oldest++;
		journal_set_free(journal, &segment);
	}
}

/* False, without an error, when max_bytes allows no more. */
static bool make_ready(struct sluice_journal *journal, enum sluice_status *status,
                       struct sluice_error *error)
{
	uint64_t ready = atomic_load_explicit(&journal->ready, memory_order_relaxed);
	struct journal_segment segment;
	*status = SLUICE_OK;
	/* A number is spent even when it fails: a file may have it by then. */
	if (journal->spare_count > 0) {
		/* In place: after a failure it is a spare still, under the name that it has then. */
		struct journal_segment *spare = &journal->spares[journal->spare_count - 1];
		*status = journal_segment_renew(journal, spare, error);
		if (*status != SLUICE_OK) {
			journal->next_number++;
			return false;
		}
		segment = *spare;
		journal->spare_count--;
	} else {
		if (!bounded(journal, journal->segment_bytes))
			return false;
		*status = journal_segment_make(journal, &segment, error);
		if (*status != SLUICE_OK) {
			journal->next_number++;
			return false;
		}
		count_bytes(journal, (int64_t)segment.bytes);
	}
	journal->next_previous = journal->next_number++;
	journal->next_base += segment.bytes;
	*journal_slot(journal, ready + 1) = segment;
	/* release: the slot before its number. */
	atomic_store_explicit(&journal->ready, ready + 1, memory_order_release);
	return true;
}

static size_t segments_for(const struct sluice_journal *journal, uint64_t bytes)
{
	return (size_t)((bytes + journal_payload(journal) - 1) / journal_payload(journal));
}

/* Writable pages are dirty ones: the kernel writes them to the disk, and then they are not writable
 * any more. So not all that are ready, but those that come next. */
static void populate(struct sluice_journal *journal)
{
	enum { NEXT = 2 };
	uint64_t current = atomic_load_explicit(&journal->current, memory_order_relaxed);
	uint64_t ready = atomic_load_explicit(&journal->ready, memory_order_relaxed);
	if (journal->populated < current)
		journal->populated = current;
	while (journal->populated < ready && journal->populated < current + NEXT)
		journal_segment_populate(journal_slot(journal, ++journal->populated));
}

static enum sluice_status make_needed(struct sluice_journal *journal, struct sluice_error *error)
{
	uint64_t wanted = atomic_load_explicit(&journal->wanted, memory_order_relaxed);
	size_t urgent = segments_for(journal, journal->kept_bytes) + 1;
	size_t wished = segments_for(journal, wanted);
	enum sluice_status status = SLUICE_OK;
	bool one_more = true;
	for (;;) {
		/* relaxed: for counting; it may move on meanwhile. */
		size_t ready =
		        (size_t)(atomic_load_explicit(&journal->ready, memory_order_relaxed) -
		                 atomic_load_explicit(&journal->current, memory_order_relaxed));
		if (ready >= journal->target)
			journal->reached = true;
		else if (journal->reached && ready <= urgent + (journal->target - urgent) / 2 &&
		         journal->target < journal->segments_most) {
			/* It took half before this thread came round: more is likely to be needed. */
			journal->target += (journal->target - urgent) + 1;
			if (journal->target > journal->segments_most)
				journal->target = journal->segments_most;
			journal->reached = false;
		}
		if (ready < urgent || ready < wished) {
			if (!make_ready(journal, &status, error))
				return status;
			continue;
		}
		if (wanted > 0) {
			atomic_compare_exchange_strong_explicit(&journal->wanted, &wanted, 0,
			                                        memory_order_relaxed,
			                                        memory_order_relaxed);
			wanted = 0;
		}
		/* One at a time, so that carrying over does not wait for what may never be used. */
		if (!one_more || ready >= journal->target)
			return SLUICE_OK;
		one_more = false;
		if (!make_ready(journal, &status, error))
			return status;
	}
}

enum sluice_status sluice_journal_prepare(struct sluice_journal *journal,
                                          struct sluice_error *error)
{
	collect(journal);
	if (sluice_journal_refuses(journal)) {
		if (journal_folder_probe(journal, error) != SLUICE_OK)
			return SLUICE_ERR_IO;
		atomic_store_explicit(&journal->refuses, false, memory_order_relaxed);
	}
	enum sluice_status status = make_needed(journal, error);
	populate(journal);
	return status;
}

enum sluice_status sluice_journal_check(struct sluice_journal *journal, struct sluice_error *error)
{
	enum sluice_status status = journal_folder_probe(journal, error);
	if (status != SLUICE_OK)
		atomic_store_explicit(&journal->refuses, true, memory_order_relaxed);
	return status;
}

bool journal_sync_range(const struct sluice_journal *journal, uint64_t first_ordinal,
                        uint64_t last_ordinal, uint64_t from, uint64_t to)
{
	for (uint64_t ordinal = first_ordinal; ordinal <= last_ordinal; ordinal++) {
		const struct journal_segment *segment = journal_slot(journal, ordinal);
		uint64_t base = segment->base, behind = segment->base + segment->bytes;
		if (behind <= from || base >= to)
			continue;
		if (!journal_segment_sync(journal, segment, from > base ? (size_t)(from - base) : 0,
		                          to < behind ? (size_t)(to - base) : segment->bytes))
			return false;
	}
	return true;
}

enum sluice_status sluice_journal_sync(struct sluice_journal *journal, struct sluice_error *error)
{
	/* acquire: the frames before it are in the pages that are written now. */
	uint64_t end = sluice_journal_end(journal);
	uint64_t ready = atomic_load_explicit(&journal->ready, memory_order_relaxed);
	if (journal->synced >= end)
		return SLUICE_OK;
	if (!journal_sync_range(journal, journal->oldest, ready, journal->synced, end))
		return journal_fault(journal, "", "can't be synced", error);
	journal->synced = end;
	return SLUICE_OK;
}
