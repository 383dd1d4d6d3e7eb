/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Opening and closing. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "journal_internal.h"

enum {
	SEGMENTS_LEAST = 4,
	SEGMENTS_MOST = 16384, /* a process may have 65530 mappings */
	SEGMENTS_GOOD = 64,
	SEGMENT_LEAST = 64 << 10,
	SEGMENT_GREAT = 64 << 20,
};

static enum sluice_status measure(struct sluice_journal *journal,
                                  const struct sluice_journal_options *options,
                                  struct sluice_error *error)
{
	size_t page = journal->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t bytes = options->segment_bytes;
	if (bytes == 0) {
		bytes = options->max_bytes / SEGMENTS_GOOD;
		if (bytes < SEGMENT_LEAST)
			bytes = SEGMENT_LEAST;
		if (bytes > SEGMENT_GREAT)
			bytes = SEGMENT_GREAT;
		if (bytes > options->max_bytes / SEGMENTS_LEAST)
			bytes = options->max_bytes / SEGMENTS_LEAST;
		bytes -= bytes % page;
	}
	if (bytes % page != 0 || bytes > JOURNAL_SEGMENT_MAX)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "%s: a segment is a number of pages, and at most 1 GiB",
		                        journal->dir);
	if (bytes == 0 || options->max_bytes / bytes < SEGMENTS_LEAST ||
	    options->max_bytes / bytes > SEGMENTS_MOST)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, NULL,
		                        "%s: a journal has %d to %d segments", journal->dir,
		                        SEGMENTS_LEAST, SEGMENTS_MOST);
	journal->segment_bytes = (size_t)bytes;
	journal->segments_most = (size_t)(options->max_bytes / bytes);
	journal->max_bytes = options->max_bytes;
	journal->kept_bytes = options->kept_bytes;
	size_t half = (journal->segments_most - 1) / 2 * journal_payload(journal);
	if (journal->kept_bytes > half)
		journal->kept_bytes = half;
	return SLUICE_OK;
}

/* How many are to be ready: what is kept, and a quarter of all. */
static size_t target(const struct sluice_journal *journal)
{
	size_t kept =
	        (journal->kept_bytes + journal_payload(journal) - 1) / journal_payload(journal);
	size_t quarter = journal->segments_most / 4;
	return kept + (quarter > 2 ? quarter : 2);
}

static bool can_append(const struct sluice_journal *journal)
{
	const struct journal_writer *at = &journal->at;
	return atomic_load(&journal->ready) > at->ordinal ||
	       at->offset + JOURNAL_PIECE_LEAST <= journal_usable(&at->segment);
}

static enum sluice_status open_all(struct sluice_journal *journal,
                                   const struct sluice_journal_options *options,
                                   sluice_journal_damage_fn damage, void *arg,
                                   struct sluice_error *error)
{
	enum sluice_status status = measure(journal, options, error);
	if (status == SLUICE_OK && options->position > JOURNAL_POSITION_MAX)
		status = sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                          "%s: no journal gets to the position %llu", journal->dir,
		                          (unsigned long long)options->position);
	if (status == SLUICE_OK)
		status = journal_folder_open(journal, error);
	if (status == SLUICE_OK) {
		journal_guard_enter(journal);
		status = journal_load(journal, options->position, damage, arg, error);
	}
	if (status != SLUICE_OK)
		return status;
	journal->target = target(journal);
	status = sluice_journal_prepare(journal, error);
	return can_append(journal) ? SLUICE_OK : status;
}

enum sluice_status sluice_journal_open(const struct sluice_journal_options *options,
                                       sluice_journal_damage_fn damage, void *arg,
                                       struct sluice_journal **out, struct sluice_error *error)
{
	struct sluice_journal *journal = NULL;
	*out = NULL;
	/* Lines of the cache of its own for each thread; not malloc's aligned_alloc, which no test
	 * can make fail. */
	void *memory = calloc(1, sizeof(*journal) + _Alignof(struct sluice_journal));
	if (!memory)
		return sluice_out_of_memory(error);
	uintptr_t aligned = ((uintptr_t)memory + _Alignof(struct sluice_journal) - 1) &
	                    ~(uintptr_t)(_Alignof(struct sluice_journal) - 1);
	journal = (struct sluice_journal *)aligned;
	journal->memory = memory;
	journal->dir_fd = -1;
	journal->pages_fd = -1;
	journal->durability = options->durability;
	journal->damage = damage;
	journal->damage_arg = arg;
	journal->oldest = 1; /* and ready is 0: none */
	journal->at.segment.bytes = JOURNAL_HEADER;
	journal->dir = strdup(options->dir);
	enum sluice_status status = journal->dir ? open_all(journal, options, damage, arg, error)
	                                         : sluice_out_of_memory(error);
	if (status == SLUICE_OK)
		*out = journal;
	else
		sluice_journal_close(journal);
	return status;
}

static void unmap(struct journal_segment *segment)
{
	munmap(segment->map, segment->bytes);
}

void sluice_journal_close(struct sluice_journal *journal)
{
	if (!journal)
		return;
	sluice_journal_sync(journal, NULL);
	for (uint64_t ordinal = journal->oldest; ordinal <= atomic_load(&journal->ready); ordinal++)
		unmap(journal_slot(journal, ordinal));
	for (size_t i = 0; i < journal->spare_count; i++)
		unmap(&journal->spares[i]);
	journal_guard_leave(journal);
	if (journal->dir_fd >= 0)
		close(journal->dir_fd);
	free(journal->slots);
	free(journal->spares);
	free(journal->joined);
	free(journal->dir);
	free(journal->memory);
}
