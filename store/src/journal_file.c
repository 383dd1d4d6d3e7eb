/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Segments as files. One that is not ready yet is called NUMBER.part, so that a crash leaves nothing
 * half made under a segment's name.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal_internal.h"

enum { WRITE_BYTES = 1 << 16 };

void journal_name(char name[JOURNAL_NAME], uint64_t number, const char *suffix)
{
	snprintf(name, JOURNAL_NAME, "%020" PRIu64 ".%s", number, suffix);
}

enum sluice_status journal_fault(const struct sluice_journal *journal, const char *name,
                                 const char *doing, struct sluice_error *error)
{
	int reason = errno;
	if (reason == ENOMEM)
		return sluice_out_of_memory(error);
	return sluice_error_set(error, SLUICE_ERR_IO, SIZE_MAX, NULL, "%s%s%s: %s: %s",
	                        journal->dir, name[0] ? "/" : "", name, doing, strerror(reason));
}

/* A broker that gave up root's privileges must be able to write what root made: it goes to the owner
 * of the folder that `beside` is, seen from the journal's. */
static bool give_away(const struct sluice_journal *journal, int fd, const char *beside)
{
	struct stat folder;
	if (geteuid() != 0)
		return true;
	return fstatat(journal->dir_fd, beside, &folder, 0) == 0 &&
	       fchown(fd, folder.st_uid, folder.st_gid) == 0;
}

enum sluice_status journal_folder_open(struct sluice_journal *journal, struct sluice_error *error)
{
	bool made = mkdir(journal->dir, 0700) == 0;
	if (!made && errno != EEXIST)
		return journal_fault(journal, "", "can't be made", error);
	journal->dir_fd = open(journal->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (journal->dir_fd < 0)
		return journal_fault(journal, "", "can't be opened", error);
	if (made && !give_away(journal, journal->dir_fd, ".."))
		return journal_fault(journal, "", "can't be given to the owner of its folder",
		                     error);
	if (flock(journal->dir_fd, LOCK_EX | LOCK_NB) == 0)
		return SLUICE_OK;
	if (errno != EWOULDBLOCK)
		return journal_fault(journal, "", "can't be locked", error);
	return sluice_error_set(error, SLUICE_ERR_BUSY, SIZE_MAX, NULL,
	                        "%s: another process has this journal open", journal->dir);
}

enum sluice_status journal_folder_probe(const struct sluice_journal *journal,
                                        struct sluice_error *error)
{
	char name[JOURNAL_NAME];
	/* A name that is free: a number is another segment's only when it is made. */
	journal_name(name, journal->next_number, "part");
	int fd = openat(journal->dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool done = fd >= 0 && fsync(fd) == 0;
	int reason = errno;
	if (fd >= 0) {
		close(fd);
		unlinkat(journal->dir_fd, name, 0);
	}
	/* What these mean to a file that is there already, only a write to it can tell. */
	if (done || reason == ENOSPC || reason == EDQUOT || reason == EMFILE || reason == ENFILE ||
	    reason == ENOMEM)
		return SLUICE_OK;
	errno = reason;
	return journal_fault(journal, "", "can't be written", error);
}

/* --- ready --- */

static bool write_all(int fd, const unsigned char *data, size_t len, off_t offset)
{
	while (len > 0) {
		ssize_t written = pwrite(fd, data, len, offset);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			if (written == 0)
				errno = ENOSPC;
			return false;
		}
		data += written;
		len -= (size_t)written;
		offset += written;
	}
	return true;
}

/* Zeros rather than a hole: a page that has no block yet would look for one when it is written to,
 * and kill the process where the disk is full. */
static bool write_segment(int fd, const struct journal_segment *segment)
{
	static const unsigned char zeros[WRITE_BYTES];
	unsigned char header[JOURNAL_HEADER];
	for (size_t at = 0; at < segment->bytes; at += WRITE_BYTES) {
		size_t len = segment->bytes - at < WRITE_BYTES ? segment->bytes - at : WRITE_BYTES;
		if (!write_all(fd, zeros, len, (off_t)at))
			return false;
	}
	journal_header_write(segment, header);
	return write_all(fd, header, sizeof(header), 0) &&
	       write_all(fd, header, sizeof(header), (off_t)journal_usable(segment)) &&
	       fsync(fd) == 0;
}

/* Gives a part its name, for good. */
static enum sluice_status finish_part(const struct sluice_journal *journal,
                                      struct journal_segment *segment, struct sluice_error *error)
{
	char name[JOURNAL_NAME];
	journal_name(name, segment->number, "journal");
	if (renameat(journal->dir_fd, segment->name, journal->dir_fd, name) != 0)
		return journal_fault(journal, segment->name, "can't be renamed", error);
	memcpy(segment->name, name, sizeof(name));
	if (fsync(journal->dir_fd) != 0)
		return journal_fault(journal, "", "can't be synced", error);
	return SLUICE_OK;
}

static enum sluice_status make_part(const struct sluice_journal *journal,
                                    struct journal_segment *segment, struct sluice_error *error)
{
	enum sluice_status status = SLUICE_OK;
	int fd = openat(journal->dir_fd, segment->name,
	                O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return journal_fault(journal, segment->name, "can't be made", error);
	if (!give_away(journal, fd, "."))
		status = journal_fault(journal, segment->name,
		                       "can't be given to the owner of its folder", error);
	else if (!write_segment(fd, segment))
		status = journal_fault(journal, segment->name, "can't be written", error);
	else if ((segment->map = mmap(NULL, segment->bytes, PROT_READ | PROT_WRITE,
	                              MAP_SHARED | MAP_POPULATE, fd, 0)) == MAP_FAILED)
		status = journal_fault(journal, segment->name, "can't be mapped", error);
	close(fd);
	return status;
}

/* Who it is from now on; false when there is no random key. */
static bool become_next(const struct sluice_journal *journal, struct journal_segment *segment)
{
	segment->number = journal->next_number;
	segment->previous = journal->next_previous;
	segment->base = journal->next_base;
	return getrandom(&segment->key, sizeof(segment->key), 0) == (ssize_t)sizeof(segment->key);
}

enum sluice_status journal_segment_make(const struct sluice_journal *journal,
                                        struct journal_segment *segment, struct sluice_error *error)
{
	*segment = (struct journal_segment){ .map = MAP_FAILED, .bytes = journal->segment_bytes };
	journal_name(segment->name, journal->next_number, "part");
	if (!become_next(journal, segment))
		return journal_fault(journal, segment->name, "no random key", error);
	enum sluice_status status = make_part(journal, segment, error);
	if (status == SLUICE_OK)
		status = finish_part(journal, segment, error);
	if (status != SLUICE_OK) {
		/* The disk is full, like as not. */
		if (segment->map != MAP_FAILED)
			munmap(segment->map, segment->bytes);
		unlinkat(journal->dir_fd, segment->name, 0);
	}
	return status;
}

enum sluice_status journal_segment_renew(const struct sluice_journal *journal,
                                         struct journal_segment *segment,
                                         struct sluice_error *error)
{
	unsigned char header[JOURNAL_HEADER];
	size_t end = journal_usable(segment);
	if (!become_next(journal, segment))
		return journal_fault(journal, segment->name, "no random key", error);
	journal_header_write(segment, header);
	memcpy(segment->map, header, sizeof(header));
	memcpy(segment->map + end, header, sizeof(header));
	/* The rest may reach the disk or not: no key of old fits it. */
	if (!journal_segment_sync(journal, segment, 0, JOURNAL_HEADER) ||
	    !journal_segment_sync(journal, segment, end, segment->bytes))
		return journal_fault(journal, segment->name, "can't be written", error);
	enum sluice_status status = finish_part(journal, segment, error);
	/* It may have the name of a segment, and is none. */
	if (status != SLUICE_OK)
		(void)journal_segment_free(journal, segment);
	return status;
}

void journal_segment_populate(const struct journal_segment *segment)
{
#ifdef MADV_POPULATE_WRITE
	(void)madvise(segment->map, segment->bytes, MADV_POPULATE_WRITE);
#else
	(void)segment;
#endif
}

/* --- no longer --- */

bool journal_segment_free(const struct sluice_journal *journal, struct journal_segment *segment)
{
	char name[JOURNAL_NAME];
	snprintf(name, sizeof(name), "%.20s.part", segment->name);
	if (renameat(journal->dir_fd, segment->name, journal->dir_fd, name) != 0)
		return false;
	memcpy(segment->name, name, sizeof(name));
	return true;
}

/* By its file's number: a damaged header may say another one's. */
static void damaged_name(const struct journal_segment *segment, char name[JOURNAL_NAME])
{
	snprintf(name, JOURNAL_NAME, "%.20s.damaged", segment->name);
}

void journal_segment_drop(const struct sluice_journal *journal, struct journal_segment *segment)
{
	char name[JOURNAL_NAME];
	damaged_name(segment, name);
	munmap(segment->map, segment->bytes);
	if (!segment->damaged || segment->kept)
		unlinkat(journal->dir_fd, segment->name, 0);
	else
		renameat(journal->dir_fd, segment->name, journal->dir_fd, name);
}

void journal_segment_keep(const struct sluice_journal *journal, struct journal_segment *segment,
                          char *path, size_t size)
{
	char name[JOURNAL_NAME];
	damaged_name(segment, name);
	segment->damaged = true;
	/* A link takes no room, which a disk in trouble may not have. Where there are no links the
	 * file keeps its name until it is dropped. */
	if (!segment->kept)
		segment->kept =
		        linkat(journal->dir_fd, segment->name, journal->dir_fd, name, 0) == 0 ||
		        errno == EEXIST;
	snprintf(path, size, "%s/%s", journal->dir, segment->kept ? name : segment->name);
}

bool journal_segment_sync(const struct sluice_journal *journal,
                          const struct journal_segment *segment, size_t from, size_t to)
{
	from &= ~(journal->page_bytes - 1);
	return msync(segment->map + from, to - from, MS_SYNC) == 0;
}
