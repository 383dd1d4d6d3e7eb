/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Opening a journal: what a former run left is found, checked, and made readable. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal_internal.h"

enum { SEGMENT_BYTES = 8 * 1024 * 1024, SEGMENTS_MAX = 65536 };

struct finding {
	struct sluice_journal *journal;
	sluice_journal_damage_fn damage;
	void *arg;
	uint64_t *numbers;
	size_t count;
};

static int by_number(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
	return (left > right) - (left < right);
}

/* The numbers of the segments that there are, in order. */
static enum sluice_status list(struct finding *finding, struct sluice_error *error)
{
	DIR *dir = opendir(finding->journal->dir);
	struct dirent *entry;
	if (!dir)
		return sluice_error_set(error, SLUICE_ERR_IO, SIZE_MAX, NULL, "%s: %s",
		                        finding->journal->dir, strerror(errno));
	enum sluice_status status = SLUICE_OK;
	while (status == SLUICE_OK && (entry = readdir(dir))) {
		uint64_t number;
		int read = 0;
		if (sscanf(entry->d_name, "%20" SCNu64 ".journal%n", &number, &read) != 1 ||
		    read == 0 || entry->d_name[read] != '\0')
			continue;
		uint64_t *numbers =
		        realloc(finding->numbers, (finding->count + 1) * sizeof *numbers);
		if (!numbers || finding->count == SEGMENTS_MAX) {
			status = sluice_out_of_memory(error);
		} else {
			finding->numbers = numbers;
			numbers[finding->count++] = number;
		}
	}
	closedir(dir);
	if (finding->count > 1)
		qsort(finding->numbers, finding->count, sizeof *finding->numbers, by_number);
	return status;
}

static void tell(const struct finding *finding, uint64_t number, const char *what)
{
	char kept[JOURNAL_PATH_MAX], message[256];
	journal_segment_keep(finding->journal, number, kept);
	snprintf(message, sizeof message, "segment %" PRIu64 ": %s", number, what);
	if (finding->damage)
		finding->damage(finding->arg, message, kept);
}

/*
 * Walks a segment of which `limit` bytes may be in use. Returns where its last whole piece ends.
 * *holes says whether something before that did not check.
 */
static size_t walk(const struct journal_segment *segment, size_t limit, bool *holes)
{
	struct journal_piece piece;
	size_t end = JOURNAL_HEAD_BYTES;
	*holes = false;
	for (size_t at = JOURNAL_HEAD_BYTES; at + JOURNAL_PIECE_BYTES <= limit;) {
		if (journal_piece_at(segment, at, limit, &piece)) {
			*holes |= at != end;
			at += JOURNAL_PIECE_BYTES + journal_aligned(piece.len);
			end = at;
		} else {
			at += JOURNAL_ALIGN;
		}
	}
	return end;
}

/* Maps the segments of the former run into the first slots. */
static enum sluice_status recover(const struct finding *finding, struct sluice_error *error)
{
	struct sluice_journal *journal = finding->journal;
	uint64_t count = 0;
	for (size_t i = 0; i < finding->count; i++) {
		struct journal_segment *slot = journal_slot(journal, count);
		enum sluice_status status =
		        journal_segment_map(journal, finding->numbers[i], slot, error);
		if (status == SLUICE_ERR_CORRUPT) {
			tell(finding, finding->numbers[i], "its head can't be read");
			continue;
		}
		if (status != SLUICE_OK)
			return status;
		atomic_store(&journal->ready, ++count);
	}
	for (uint64_t i = 0; i < count; i++) {
		struct journal_segment *segment = journal_slot(journal, i);
		size_t limit = journal->segment_bytes;
		uint64_t next = i + 1 < count ? journal_slot(journal, i + 1)->position : UINT64_MAX;
		if (next > segment->position && next - segment->position < journal->data_bytes)
			limit = JOURNAL_HEAD_BYTES + (size_t)(next - segment->position);
		bool holes;
		size_t end = walk(segment, limit, &holes);
		if (holes)
			tell(finding, segment->number, "frames in the middle of it do not check");
		segment->end = journal_position(segment, end);
	}
	return SLUICE_OK;
}

static size_t whole_pages(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	return (bytes + page - 1) / page * page;
}

/* A segment's size: a good one, or the one of the files that are there. */
static size_t choose_segment_bytes(const struct sluice_journal_options *options)
{
	size_t bytes = options->segment_bytes ? options->segment_bytes : SEGMENT_BYTES;
	while (!options->segment_bytes && bytes > 65536 && options->max_bytes / bytes < 8)
		bytes /= 2;
	return whole_pages(bytes);
}

static enum sluice_status lock_dir(struct sluice_journal *journal, struct sluice_error *error)
{
	if (mkdir(journal->dir, 0700) != 0 && errno != EEXIST)
		return sluice_error_set(error, SLUICE_ERR_IO, SIZE_MAX, NULL,
		                        "%s can't be made: %s", journal->dir, strerror(errno));
	journal->dir_fd = open(journal->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (journal->dir_fd < 0)
		return sluice_error_set(error, SLUICE_ERR_IO, SIZE_MAX, NULL, "%s: %s",
		                        journal->dir, strerror(errno));
	if (flock(journal->dir_fd, LOCK_EX | LOCK_NB) != 0)
		return sluice_error_set(error, SLUICE_ERR_BUSY, SIZE_MAX, NULL,
		                        "%s is another broker's at the moment", journal->dir);
	return SLUICE_OK;
}

enum sluice_status sluice_journal_open(const struct sluice_journal_options *options,
                                       sluice_journal_damage_fn damage, void *arg,
                                       struct sluice_journal **result, struct sluice_error *error)
{
	*result = NULL;
	struct sluice_journal *journal = calloc(1, sizeof *journal);
	struct finding finding = { .journal = journal, .damage = damage, .arg = arg };
	if (!journal)
		return sluice_out_of_memory(error);
	journal->dir_fd = -1;
	journal->dir = strdup(options->dir);
	journal->segment_bytes = choose_segment_bytes(options);
	journal->data_bytes = journal->segment_bytes - JOURNAL_HEAD_BYTES;
	journal->kept_bytes = options->kept_bytes;
	journal->durability = options->durability;
	enum sluice_status status = SLUICE_OK;
	if (options->max_bytes / journal->segment_bytes < JOURNAL_LEAST_SEGMENTS)
		status = sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, NULL,
		                          "%s: there is no room for four segments of %zu bytes",
		                          options->dir, journal->segment_bytes);
	if (!journal->dir)
		status = sluice_out_of_memory(error);
	if (status == SLUICE_OK)
		status = lock_dir(journal, error);
	if (status == SLUICE_OK)
		status = list(&finding, error);
	if (status != SLUICE_OK)
		goto error_journal;
	journal->capacity = (size_t)(options->max_bytes / journal->segment_bytes);
	if (journal->capacity < finding.count + JOURNAL_LEAST_SEGMENTS)
		journal->capacity = finding.count + JOURNAL_LEAST_SEGMENTS;
	journal->slots = calloc(journal->capacity, sizeof *journal->slots);
	journal->spare = calloc(JOURNAL_AHEAD, sizeof *journal->spare);
	status = journal->slots && journal->spare ? recover(&finding, error)
	                                          : sluice_out_of_memory(error);
	if (status != SLUICE_OK)
		goto error_journal;

	/* A run begins with a segment of its own: behind the last whole frame there may be anything. */
	uint64_t ready = atomic_load(&journal->ready);
	journal->next_number = finding.count > 0 ? finding.numbers[finding.count - 1] + 1 : 1;
	journal->next_position = options->position;
	for (uint64_t i = 0; i < ready; i++) {
		if (journal_slot(journal, i)->end > journal->next_position)
			journal->next_position = journal_slot(journal, i)->end;
	}
	journal->active = ready;
	journal->offset = JOURNAL_HEAD_BYTES;
	journal->read_offset = JOURNAL_HEAD_BYTES;
	journal->synced = journal->next_position;
	atomic_store(&journal->end, journal->next_position);
	atomic_store(&journal->released,
	             ready > 0 ? journal_slot(journal, 0)->position : journal->next_position);
	status = sluice_journal_prepare(journal, error);
	if (status != SLUICE_OK)
		goto error_journal;
	free(finding.numbers);
	*result = journal;
	return SLUICE_OK;

error_journal:
	free(finding.numbers);
	sluice_journal_close(journal);
	return status;
}

void sluice_journal_close(struct sluice_journal *journal)
{
	struct sluice_error error;
	if (!journal)
		return;
	uint64_t ready = atomic_load(&journal->ready);
	if (ready > 0)
		sluice_journal_sync(journal, &error);
	for (uint64_t i = atomic_load(&journal->tail); i < ready; i++)
		journal_segment_close(journal, journal_slot(journal, i));
	for (size_t i = 0; i < journal->spare_count; i++)
		journal_segment_remove(journal, &journal->spare[i]);
	if (journal->dir_fd >= 0)
		close(journal->dir_fd);
	free(journal->assembled);
	free(journal->slots);
	free(journal->spare);
	free(journal->dir);
	free(journal);
}
