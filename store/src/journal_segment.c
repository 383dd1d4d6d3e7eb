/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The files of a journal: made, mapped, used again, removed. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "journal_internal.h"

static const uint64_t magic = UINT64_C(0x314c4a4543554c53); /* "SLUCEJL1" */

struct head {
	uint64_t magic, number, position, bytes, checksum;
};

_Static_assert(sizeof(struct head) <= JOURNAL_HEAD_BYTES, "a head fits its place");
_Static_assert(sizeof(struct journal_piece) == JOURNAL_PIECE_BYTES, "a piece's head has no holes");

static void name_of(uint64_t number, char name[32])
{
	snprintf(name, 32, "%020" PRIu64 ".journal", number);
}

static enum sluice_status failed(const struct sluice_journal *journal, const char *name,
                                 const char *what, struct sluice_error *error)
{
	return sluice_error_set(error, SLUICE_ERR_IO, SIZE_MAX, NULL, "%s/%s can't be %s: %s",
	                        journal->dir, name, what, strerror(errno));
}

uint64_t journal_checksum(const struct journal_piece *piece, const unsigned char *data,
                          uint64_t position)
{
	uint64_t seed = position ^ (uint64_t)piece->len << 32 ^ piece->flags;
	return XXH3_64bits_withSeed(data, piece->len, seed * UINT64_C(0x9e3779b97f4a7c15) + 1);
}

bool journal_piece_at(const struct journal_segment *segment, size_t offset, size_t limit,
                      struct journal_piece *piece)
{
	if (offset + JOURNAL_PIECE_BYTES > limit)
		return false;
	memcpy(piece, segment->map + offset, sizeof *piece);
	if (piece->len > limit - offset - JOURNAL_PIECE_BYTES ||
	    piece->flags > (JOURNAL_FIRST | JOURNAL_LAST))
		return false;
	return piece->checksum == journal_checksum(piece,
	                                           segment->map + offset + JOURNAL_PIECE_BYTES,
	                                           journal_position(segment, offset));
}

static uint64_t head_checksum(const struct head *head)
{
	return XXH3_64bits(head, offsetof(struct head, checksum));
}

/* Zeros to the end, on the disk, so that neither a full disk nor a block that is not there yet can
 * stop who appends. */
static bool fill(int fd, size_t bytes)
{
	static const char zeros[65536];
	for (size_t at = 0; at < bytes;) {
		size_t len = bytes - at < sizeof zeros ? bytes - at : sizeof zeros;
		ssize_t written = pwrite(fd, zeros, len, (off_t)at);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		at += (size_t)written;
	}
	return fdatasync(fd) == 0;
}

static void write_head(const struct sluice_journal *journal, const struct journal_segment *segment)
{
	struct head head = { .magic = magic,
		             .number = segment->number,
		             .position = segment->position,
		             .bytes = journal->segment_bytes };
	head.checksum = head_checksum(&head);
	memset(segment->map, 0, JOURNAL_HEAD_BYTES);
	memcpy(segment->map, &head, sizeof head);
}

/* Under `power` and `batch` the head must be there before what stands behind it. */
static bool sync_head(const struct sluice_journal *journal, const struct journal_segment *segment)
{
	return journal->durability == SLUICE_DURABLE_PROCESS ||
	       (fdatasync(segment->fd) == 0 && fsync(journal->dir_fd) == 0);
}

static enum sluice_status make_file(struct sluice_journal *journal, struct journal_segment *segment,
                                    struct sluice_error *error)
{
	char name[32];
	name_of(segment->number, name);
	/* Under its own name only once it is whole: what is left of a failure is no segment. */
	const char *unfinished = "unfinished";
	segment->fd =
	        openat(journal->dir_fd, unfinished, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (segment->fd < 0)
		return failed(journal, unfinished, "made", error);
	segment->map = MAP_FAILED;
	if (fill(segment->fd, journal->segment_bytes))
		segment->map = mmap(NULL, journal->segment_bytes, PROT_READ | PROT_WRITE,
		                    MAP_SHARED | MAP_POPULATE, segment->fd, 0);
	if (segment->map == MAP_FAILED)
		goto error_file;
	write_head(journal, segment);
	if (renameat(journal->dir_fd, unfinished, journal->dir_fd, name) != 0 ||
	    !sync_head(journal, segment))
		goto error_map;
	atomic_fetch_add(&journal->disk_bytes, journal->segment_bytes);
	return SLUICE_OK;

error_map:
	munmap(segment->map, journal->segment_bytes);
error_file:
	failed(journal, name, "made ready", error);
	close(segment->fd);
	unlinkat(journal->dir_fd, unfinished, 0);
	unlinkat(journal->dir_fd, name, 0);
	return SLUICE_ERR_IO;
}

/* A spare file takes another number; its pages are there, and what they hold means nothing at its new
 * position. */
static enum sluice_status reuse(struct sluice_journal *journal, struct journal_segment *segment,
                                struct sluice_error *error)
{
	struct journal_segment *spare = &journal->spare[journal->spare_count - 1];
	char from[32], to[32];
	name_of(spare->number, from);
	name_of(segment->number, to);
	segment->fd = spare->fd;
	segment->map = spare->map;
	write_head(journal, segment);
	if (renameat(journal->dir_fd, from, journal->dir_fd, to) != 0) {
		struct journal_segment old = *spare;
		write_head(journal, &old);
		return failed(journal, from, "renamed", error);
	}
	journal->spare_count--;
	if (!sync_head(journal, segment)) {
		failed(journal, to, "synced", error);
		journal_segment_remove(journal, segment);
		return SLUICE_ERR_IO;
	}
	return SLUICE_OK;
}

enum sluice_status journal_segment_make(struct sluice_journal *journal,
                                        struct journal_segment *segment, struct sluice_error *error)
{
	*segment = (struct journal_segment){ .number = journal->next_number,
		                             .position = journal->next_position,
		                             .fd = -1 };
	enum sluice_status status = journal->spare_count > 0 ? reuse(journal, segment, error)
	                                                     : make_file(journal, segment, error);
	if (status == SLUICE_OK) {
		journal->next_number++;
		journal->next_position += journal->data_bytes;
	}
	return status;
}

enum sluice_status journal_segment_map(struct sluice_journal *journal, uint64_t number,
                                       struct journal_segment *segment, struct sluice_error *error)
{
	char name[32];
	struct stat status;
	struct head head;
	name_of(number, name);
	*segment = (struct journal_segment){ .number = number, .fd = -1 };
	segment->fd = openat(journal->dir_fd, name, O_RDWR | O_CLOEXEC);
	if (segment->fd < 0 || fstat(segment->fd, &status) != 0)
		goto error_open;
	if (status.st_size != (off_t)journal->segment_bytes)
		goto error_head;
	segment->map = mmap(NULL, journal->segment_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
	                    segment->fd, 0);
	if (segment->map == MAP_FAILED)
		goto error_open;
	memcpy(&head, segment->map, sizeof head);
	if (head.magic != magic || head.number != number || head.bytes != journal->segment_bytes ||
	    head.checksum != head_checksum(&head)) {
		munmap(segment->map, journal->segment_bytes);
		goto error_head;
	}
	segment->position = head.position;
	atomic_fetch_add(&journal->disk_bytes, journal->segment_bytes);
	return SLUICE_OK;

error_open:
	failed(journal, name, "opened", error);
	if (segment->fd >= 0)
		close(segment->fd);
	return SLUICE_ERR_IO;
error_head:
	close(segment->fd);
	return sluice_error_set(error, SLUICE_ERR_CORRUPT, SIZE_MAX, NULL,
	                        "%s/%s is no whole segment", journal->dir, name);
}

void journal_segment_close(const struct sluice_journal *journal, struct journal_segment *segment)
{
	munmap(segment->map, journal->segment_bytes);
	close(segment->fd);
}

void journal_segment_remove(struct sluice_journal *journal, struct journal_segment *segment)
{
	char name[32];
	name_of(segment->number, name);
	journal_segment_close(journal, segment);
	unlinkat(journal->dir_fd, name, 0);
	atomic_fetch_sub(&journal->disk_bytes, journal->segment_bytes);
}

void journal_segment_keep(const struct sluice_journal *journal, uint64_t number,
                          char kept[JOURNAL_PATH_MAX])
{
	char name[32], copy[48];
	char bytes[65536];
	ssize_t len;
	name_of(number, name);
	snprintf(copy, sizeof copy, "%s.damaged", name);
	snprintf(kept, JOURNAL_PATH_MAX, "%s/%s", journal->dir, copy);
	int from = openat(journal->dir_fd, name, O_RDONLY | O_CLOEXEC);
	int to = openat(journal->dir_fd, copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	/* Best effort: a disk that is full keeps no copy, and the rest is read all the same. */
	while (from >= 0 && to >= 0 && (len = read(from, bytes, sizeof bytes)) > 0) {
		if (write(to, bytes, (size_t)len) != len)
			break;
	}
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
}
