/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What an earlier process left, which may be anything: its segments are mapped and put into their
 * order, frames are walked to the last whole one, and what lies between whole ones is told.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal_internal.h"

struct loading {
	struct sluice_journal *journal;
	sluice_journal_damage_fn damage;
	void *arg;
	struct journal_segment *segments; /* owned */
	size_t count, capacity;
	uint64_t last_number; /* of all files, those too that can't be read */
	uint64_t lost_bytes;  /* of those */
};

static void tell(const struct loading *loading, const char *kept, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
static void tell(const struct loading *loading, const char *kept, const char *format, ...)
{
	char message[256];
	va_list arguments;
	if (!loading->damage)
		return;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	loading->damage(loading->arg, message, kept);
}

/* --- files --- */

/* "NUMBER.SUFFIX" of twenty digits. */
static bool parse_name(const char *name, const char *suffix, uint64_t *number)
{
	char whole[JOURNAL_NAME];
	*number = 0;
	for (int i = 0; i < 20; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		*number = *number * 10 + (uint64_t)(name[i] - '0');
	}
	if (*number == 0 || *number > JOURNAL_POSITION_MAX)
		return false;
	/* So that no number that wrapped around is one. */
	journal_name(whole, *number, suffix);
	return strcmp(name, whole) == 0;
}

/* What can be read of a file, in memory of its own; the rest of it is zeros. */
static bool read_copy(int fd, size_t size, struct journal_segment *segment)
{
	enum { PART = 4096 };
	segment->map = mmap(NULL, segment->bytes, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (segment->map == MAP_FAILED)
		return false;
	if (size > segment->bytes)
		size = segment->bytes;
	for (size_t at = 0; at < size;) {
		size_t part = size - at < PART ? size - at : PART;
		ssize_t got = pread(fd, segment->map + at, part, (off_t)at);
		if (got < 0 && errno == EINTR)
			continue;
		at += got > 0 ? (size_t)got : part;
	}
	return true;
}

/* Touches each page here, where an answer is an error, rather than at an access, where it is SIGBUS. */
static bool readable(const struct journal_segment *segment)
{
#ifdef MADV_POPULATE_READ
	return madvise(segment->map, segment->bytes, MADV_POPULATE_READ) == 0 || errno == EINVAL;
#else
	(void)segment;
	return true;
#endif
}

/* The header, by reading: mapping a file of no size, or on a broken disk, is not safe. */
static enum journal_header read_header(int fd, size_t size, struct journal_segment *segment)
{
	unsigned char both[2 * JOURNAL_HEADER] = { 0 };
	if (size < 2 * JOURNAL_HEADER)
		return JOURNAL_HEADER_NONE;
	if (pread(fd, both, JOURNAL_HEADER, 0) != JOURNAL_HEADER)
		memset(both, 0, JOURNAL_HEADER);
	if (pread(fd, both + JOURNAL_HEADER, JOURNAL_HEADER, (off_t)(size - JOURNAL_HEADER)) !=
	    JOURNAL_HEADER)
		memset(both + JOURNAL_HEADER, 0, JOURNAL_HEADER);
	return journal_header_read(both, sizeof(both), segment);
}

/* A file with nothing in it that could be read: out of the way. */
static void put_aside(struct loading *loading, const char *name, uint64_t number, size_t size,
                      const char *why)
{
	const struct sluice_journal *journal = loading->journal;
	char damaged[JOURNAL_NAME], path[4096];
	journal_name(damaged, number, "damaged");
	bool moved = renameat(journal->dir_fd, name, journal->dir_fd, damaged) == 0;
	snprintf(path, sizeof(path), "%s/%s", journal->dir, moved ? damaged : name);
	tell(loading, path, "the segment %s can't be read: %s", name, why);
	loading->lost_bytes += size < JOURNAL_SEGMENT_MAX ? size : JOURNAL_SEGMENT_MAX;
}

static enum sluice_status load_file(struct loading *loading, const char *name, uint64_t number,
                                    int fd, struct journal_segment *segment,
                                    struct sluice_error *error)
{
	const struct sluice_journal *journal = loading->journal;
	struct stat info;
	char path[4096];
	segment->map = MAP_FAILED;
	if (fstat(fd, &info) != 0)
		return journal_fault(journal, name, "can't be looked at", error);
	if (!S_ISREG(info.st_mode)) {
		put_aside(loading, name, number, 0, "no file");
		return SLUICE_OK;
	}
	uint64_t size = (uint64_t)info.st_size;
	if (size > JOURNAL_SEGMENT_MAX)
		size = JOURNAL_SEGMENT_MAX;
	enum journal_header header = read_header(fd, (size_t)size, segment);
	if (header == JOURNAL_HEADER_NEWER)
		return sluice_error_set(error, SLUICE_ERR_VERSION, SIZE_MAX, NULL,
		                        "%s/%s: of a newer Sluice, or of another kind of machine",
		                        journal->dir, name);
	if (header == JOURNAL_HEADER_NONE) {
		put_aside(loading, name, number, (size_t)size, "its header is gone");
		return SLUICE_OK;
	}
	bool whole = header == JOURNAL_HEADER_WHOLE && (uint64_t)info.st_size == segment->bytes &&
	             segment->bytes % journal->page_bytes == 0;
	if (whole) {
		segment->map =
		        mmap(NULL, segment->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (segment->map == MAP_FAILED)
			return journal_fault(journal, name, "can't be mapped", error);
		if (readable(segment))
			return SLUICE_OK;
		munmap(segment->map, segment->bytes);
	}
	if (!read_copy(fd, (size_t)size, segment))
		return journal_fault(journal, name, "can't be read", error);
	journal_segment_keep(journal, segment, path, sizeof(path));
	tell(loading, path, "the segment %s is damaged (%s)", name,
	     whole ? "the disk can't read all of it" : "its header, or its size");
	return SLUICE_OK;
}

static enum sluice_status load_one(struct loading *loading, const char *name, uint64_t number,
                                   struct sluice_error *error)
{
	const struct sluice_journal *journal = loading->journal;
	struct journal_segment segment = { 0 };
	if (loading->count == loading->capacity) {
		size_t capacity = loading->capacity ? loading->capacity * 2 : 64;
		void *segments = realloc(loading->segments, capacity * sizeof(segment));
		if (!segments)
			return sluice_out_of_memory(error);
		loading->segments = segments;
		loading->capacity = capacity;
	}
	/* Not blocking: it may be a FIFO. */
	int fd = openat(journal->dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno != ELOOP && errno != EISDIR && errno != ENXIO)
		return journal_fault(journal, name, "can't be opened", error);
	journal_name(segment.name, number, "journal");
	enum sluice_status status = SLUICE_OK;
	segment.map = MAP_FAILED;
	if (fd < 0) {
		put_aside(loading, name, number, 0, "no file");
	} else {
		status = load_file(loading, name, number, fd, &segment, error);
		close(fd);
	}
	if (status == SLUICE_OK && segment.map != MAP_FAILED)
		loading->segments[loading->count++] = segment;
	return status;
}

static enum sluice_status load_files(struct loading *loading, struct sluice_error *error)
{
	const struct sluice_journal *journal = loading->journal;
	enum sluice_status status = SLUICE_OK;
	int fd = openat(journal->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	if (!folder) {
		status = journal_fault(journal, "", "can't be read", error);
		if (fd >= 0)
			close(fd);
		return status;
	}
	for (;;) {
		uint64_t number;
		errno = 0;
		const struct dirent *entry = readdir(folder);
		if (!entry) {
			if (errno != 0)
				status = journal_fault(journal, "", "can't be read", error);
			break;
		}
		/* What was being made ready, and never was. */
		if (parse_name(entry->d_name, "part", &number))
			unlinkat(journal->dir_fd, entry->d_name, 0);
		else if (parse_name(entry->d_name, "journal", &number))
			status = load_one(loading, entry->d_name, number, error);
		else if (!parse_name(entry->d_name, "damaged", &number))
			number = 0;
		/* No number is used twice, or what is kept would be lost. */
		if (number > loading->last_number)
			loading->last_number = number;
		if (status != SLUICE_OK)
			break;
	}
	closedir(folder);
	return status;
}

/* --- their order --- */

static int by_number(const void *a, const void *b)
{
	const struct journal_segment *one = a, *other = b;
	return one->number < other->number ? -1 : one->number > other->number;
}

/* Takes out what contradicts the ones before it, and tells of numbers that are missing. */
static void order(struct loading *loading)
{
	const struct sluice_journal *journal = loading->journal;
	struct journal_segment *segments = loading->segments;
	size_t kept = 0;
	char path[4096];
	if (loading->count > 0)
		qsort(segments, loading->count, sizeof(*segments), by_number);
	for (size_t i = 0; i < loading->count; i++) {
		const struct journal_segment *before = kept > 0 ? &segments[kept - 1] : NULL;
		if (before && (segments[i].number == before->number ||
		               segments[i].base < before->base + before->bytes)) {
			journal_segment_keep(journal, &segments[i], path, sizeof(path));
			tell(loading, path, "the segment %s says that it is where %s is",
			     segments[i].name, before->name);
			journal_segment_drop(journal, &segments[i]);
			continue;
		}
		if (before && segments[i].previous != before->number)
			tell(loading, NULL, "segments are missing between %s and %s", before->name,
			     segments[i].name);
		segments[kept++] = segments[i];
	}
	loading->count = kept;
}

static enum sluice_status fill_slots(struct loading *loading, struct sluice_error *error)
{
	struct sluice_journal *journal = loading->journal;
	/* Those that are there may be smaller than the ones to come: all fit beside all. */
	journal->slot_count = journal->segments_most + loading->count + 2;
	journal->slots = calloc(journal->slot_count, sizeof(*journal->slots));
	journal->spares = calloc(journal->slot_count, sizeof(*journal->spares));
	if (!journal->slots || !journal->spares)
		return sluice_out_of_memory(error);
	uint64_t bytes = 0, last_number = loading->last_number;
	journal->next_base = 0;
	for (size_t i = 0; i < loading->count; i++) {
		const struct journal_segment *segment = &loading->segments[i];
		*journal_slot(journal, i + 1) = *segment;
		bytes += segment->bytes;
		journal->next_base = segment->base + segment->bytes;
		if (segment->number > last_number)
			last_number = segment->number;
	}
	journal->next_base += (loading->lost_bytes + 7) & ~UINT64_C(7);
	journal->next_number = last_number + 1;
	atomic_store(&journal->ready, loading->count);
	atomic_store(&journal->disk_bytes, bytes);
	loading->count = 0; /* the slots own them now */
	return SLUICE_OK;
}

/* --- their frames --- */

static uint64_t position_at(const struct sluice_journal *journal, struct journal_place place)
{
	return journal_slot(journal, place.ordinal)->base + place.offset;
}

/* Marks the segments in which something between the places can't be read, and tells of it. */
static void tell_hole(const struct loading *loading, struct journal_place from,
                      struct journal_place to)
{
	struct sluice_journal *journal = loading->journal;
	char path[4096];
	uint64_t begin = position_at(journal, from), end = position_at(journal, to);
	for (uint64_t ordinal = from.ordinal; ordinal <= to.ordinal; ordinal++) {
		struct journal_segment *segment = journal_slot(journal, ordinal);
		if (ordinal > from.ordinal && ordinal == to.ordinal && to.offset == JOURNAL_HEADER)
			break;
		journal_segment_keep(journal, segment, path, sizeof(path));
		uint64_t first = begin > segment->base ? begin - segment->base : 0;
		uint64_t behind =
		        end < segment->base + segment->bytes ? end - segment->base : segment->bytes;
		tell(loading, path,
		     "frames can't be read: %s, bytes %" PRIu64 " to %" PRIu64
		     "; what is whole before and after is read",
		     segment->name, first, behind);
	}
}

/* Walks from `place` to the last whole frame. Returns the position behind it; place is then there. */
static uint64_t walk(const struct loading *loading, uint64_t position, struct journal_place *place)
{
	struct sluice_journal *journal = loading->journal;
	uint64_t last = atomic_load(&journal->ready);
	struct journal_found found;
	while (journal_find(journal, last, UINT64_MAX, place, &found)) {
		if (found.from.ordinal != place->ordinal || found.from.offset != place->offset)
			tell_hole(loading, *place, found.from);
		*place = found.to;
		position = found.position;
	}
	return position;
}

/* The appending thread goes on at `place`, or behind its segment. What lies behind is free. */
static void set_end(const struct loading *loading, struct journal_place place)
{
	struct sluice_journal *journal = loading->journal;
	uint64_t last = atomic_load(&journal->ready);
	if (place.ordinal > last) {
		place.ordinal = last;
		place.offset = SIZE_MAX;
	} else if (journal_broken_at(journal, place)) {
		/* What may be its further pieces is kept with it. */
		struct journal_place behind = { place.ordinal, JOURNAL_HEADER };
		while (behind.ordinal < last &&
		       journal_broken_at(journal, (struct journal_place){ behind.ordinal + 1,
		                                                          JOURNAL_HEADER }))
			behind.ordinal++;
		behind.offset = journal_slot(journal, behind.ordinal)->bytes;
		tell_hole(loading, place, behind);
	}
	struct journal_segment *segment = journal_slot(journal, place.ordinal);
	if (place.offset > journal_usable(segment) || segment->damaged)
		place.offset = journal_usable(segment);
	journal->next_previous = segment->number;
	journal->at.segment = *segment;
	journal->at.ordinal = place.ordinal;
	journal->at.offset = place.offset;
	atomic_store(&journal->current, place.ordinal);
	journal_segment_populate(segment);
	atomic_store(&journal->ready, place.ordinal);
	for (uint64_t ordinal = place.ordinal + 1; ordinal <= last; ordinal++)
		journal_set_free(journal, journal_slot(journal, ordinal));
}

/* Nothing that is there is needed any more. */
static void set_free_all(struct sluice_journal *journal)
{
	uint64_t last = atomic_load(&journal->ready);
	atomic_store(&journal->ready, 0);
	for (uint64_t ordinal = 1; ordinal <= last; ordinal++)
		journal_set_free(journal, journal_slot(journal, ordinal));
}

static void find_end(const struct loading *loading, uint64_t carried)
{
	struct sluice_journal *journal = loading->journal;
	uint64_t last = atomic_load(&journal->ready);
	uint64_t begin = carried, end;
	if (last > 0 && begin < journal_slot(journal, 1)->base)
		begin = journal_slot(journal, 1)->base;
	if (last == 0 || begin >= journal->next_base) {
		set_free_all(journal);
		if (begin < journal->next_base)
			begin = journal->next_base;
		end = begin;
		journal->next_base = (begin + 7) & ~UINT64_C(7);
		journal->next = (struct journal_place){ 1, JOURNAL_HEADER };
	} else {
		struct journal_place place = journal_place_of(journal, last, begin);
		/* Nobody knows what was carried over, and its end was part of a frame. */
		if (begin > carried)
			journal_pass_rest(journal, last, &place);
		journal->next = place;
		end = walk(loading, begin, &place);
		set_end(loading, place);
		/* They get new bases. */
		uint64_t behind = journal->at.segment.base + journal->at.segment.bytes;
		if (journal->next_base < behind)
			journal->next_base = behind;
	}
	atomic_store(&journal->end, end);
	atomic_store(&journal->released, begin);
	journal->synced = begin;
}

enum sluice_status journal_load(struct sluice_journal *journal, uint64_t carried,
                                sluice_journal_damage_fn damage, void *arg,
                                struct sluice_error *error)
{
	struct loading loading = { .journal = journal, .damage = damage, .arg = arg };
	enum sluice_status status = load_files(&loading, error);
	if (status == SLUICE_OK) {
		order(&loading);
		status = fill_slots(&loading, error);
	}
	if (status == SLUICE_OK)
		find_end(&loading, carried);
	for (size_t i = 0; i < loading.count; i++)
		munmap(loading.segments[i].map, loading.segments[i].bytes);
	free(loading.segments);
	return status;
}
