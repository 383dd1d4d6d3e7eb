/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Any damage to the journal's files. The input says which segments there are, what their headers claim,
 * which pieces stand in them with checks that hold, and which bytes are changed after that (a random
 * change alone never makes a check that holds). Whatever it is: the journal opens or says why not,
 * what it reads comes in the order of positions, and what is appended then is there at the next opening.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEGMENT = 4096, SEGMENTS = 8, PIECES = 24, CHANGES = 16, APPENDED = 3 };

struct input {
	const uint8_t *at;
	size_t left;
};

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* 0 when there is none left. */
static unsigned take(struct input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->at++;
}

static unsigned take_2(struct input *input)
{
	unsigned low = take(input);
	return low | take(input) << 8;
}

/* --- the files --- */

static char folder[64], dir[96];

static void empty_folder(void)
{
	DIR *list = opendir(dir);
	const struct dirent *entry;
	if (!list)
		return;
	while ((entry = readdir(list)) != NULL)
		unlinkat(dirfd(list), entry->d_name, 0);
	closedir(list);
}

static void remove_folder(void)
{
	empty_folder();
	rmdir(dir);
	rmdir(folder);
}

static void make_folder(void)
{
	bool memory = access("/dev/shm", W_OK) == 0;
	if (folder[0])
		return;
	snprintf(folder, sizeof(folder), "%s/sluice-fuzz-XXXXXX", memory ? "/dev/shm" : "/tmp");
	check(mkdtemp(folder) != NULL);
	snprintf(dir, sizeof(dir), "%s/journal", folder);
	check(mkdir(dir, 0700) == 0);
	atexit(remove_folder);
}

/* Where the frame that goes on in the next segment began, and what is left of it. */
struct going_on {
	uint64_t start;
	uint32_t left;
};

enum { WHOLE = 1, FILLS, GOES_ON, BROKEN };

static void fill(struct journal_segment *segment, struct input *input, struct going_on *frame)
{
	size_t offset = JOURNAL_HEADER;
	for (int i = 0; i < PIECES; i++) {
		unsigned kind = take(input);
		if (kind == 0 || offset + JOURNAL_PIECE_LEAST > journal_usable(segment))
			return;
		uint64_t position = segment->base + offset, start = position;
		uint32_t room = (uint32_t)(journal_usable(segment) - offset - JOURNAL_PIECE);
		uint32_t len = take_2(input) % room + 1, total = len, more = JOURNAL_MORE;
		if (kind % 5 == FILLS)
			total = (len = room) + take_2(input);
		if (kind % 5 == GOES_ON) {
			start = frame->start;
			total = frame->left;
			len = total < room ? total : room;
			more = 0;
			if (len == 0)
				continue;
		}
		unsigned char *piece = segment->map + offset;
		journal_piece_begin(piece, position, total, len | more);
		memset(piece + JOURNAL_PIECE, (int)kind, len);
		uint64_t value = journal_piece_check(piece, len, segment->key, position, start);
		journal_piece_end(piece, kind % 5 == BROKEN ? value ^ kind : value);
		*frame = (struct going_on){ start, total - len };
		offset += JOURNAL_PIECE + (((size_t)len + 7) & ~(size_t)7);
	}
}

static void write_file(const struct journal_segment *segment, const char *suffix, size_t bytes)
{
	char name[JOURNAL_NAME], path[160];
	journal_name(name, segment->number, suffix);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	check(fd >= 0 && write(fd, segment->map, bytes) == (ssize_t)bytes);
	close(fd);
}

static void make_segments(struct input *input)
{
	static unsigned char bytes[SEGMENT];
	struct journal_segment segment = { .map = bytes, .bytes = SEGMENT, .key = 7 };
	struct going_on frame = { 0 };
	unsigned count = take(input) % SEGMENTS;
	for (unsigned i = 0; i < count; i++) {
		memset(bytes, 0, sizeof(bytes));
		/* As it must be when the bytes are 0. */
		segment.previous = segment.number + take(input) % 4;
		segment.number += 1 + take(input) % 4;
		segment.base += (uint64_t)(take(input) % 32) * 512;
		segment.key += take(input) % 4;
		fill(&segment, input, &frame);
		journal_header_write(&segment, bytes);
		journal_header_write(&segment, bytes + journal_usable(&segment));
		for (unsigned change = take(input) % CHANGES; change > 0; change--) {
			unsigned where = take_2(input) % SEGMENT;
			bytes[where] = (unsigned char)take(input);
		}
		unsigned cut = take(input);
		write_file(&segment, cut % 16 == 15 ? "damaged" : "journal",
		           cut % 4 == 3 ? SEGMENT - cut * 16 : SEGMENT);
		segment.base += SEGMENT;
	}
}

/* --- what must hold --- */

static void damaged(void *arg, const char *message, const char *kept)
{
	(void)arg;
	check(message[0] != '\0' && (!kept || kept[0] != '\0'));
}

static struct sluice_journal *open_at(uint64_t position)
{
	const struct sluice_journal_options options = { .dir = dir,
		                                        .max_bytes =
		                                                (uint64_t)2 * SEGMENTS * SEGMENT,
		                                        .segment_bytes = SEGMENT,
		                                        .position = position };
	struct sluice_error error = { .code = SLUICE_OK };
	struct sluice_journal *journal;
	enum sluice_status status = sluice_journal_open(&options, damaged, NULL, &journal, &error);
	if (status == SLUICE_OK)
		return journal;
	check(journal == NULL && error.message[0] != '\0');
	check(status == SLUICE_ERR_VERSION || status == SLUICE_ERR_IO);
	return NULL;
}

/* Reads to the end; returns how many there were. */
static size_t read_all(struct sluice_journal *journal, uint64_t *position)
{
	struct sluice_journal_frame frame;
	size_t count = 0;
	uint64_t before = 0;
	while (sluice_journal_next(journal, &frame)) {
		unsigned sum = 0;
		for (size_t i = 0; i < frame.len; i++)
			sum += frame.data[i];
		check(frame.len > 0 && sum <= frame.len * 255);
		check(frame.position > before && frame.position <= sluice_journal_end(journal));
		before = *position = frame.position;
		count++;
	}
	return count;
}

static bool append(struct sluice_journal *journal, size_t len)
{
	static const unsigned char zeros[3 * SEGMENT];
	if (!sluice_journal_begin(journal, len, true))
		return false;
	sluice_journal_put(journal, zeros, len);
	return sluice_journal_commit(journal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	make_folder();
	empty_folder();
	uint64_t position = (uint64_t)take_2(&input) * 8;
	make_segments(&input);
	struct sluice_journal *journal = open_at(position);
	if (!journal)
		return 0;
	uint64_t end = sluice_journal_end(journal);
	(void)read_all(journal, &position);
	sluice_journal_release(journal, end);
	sluice_journal_prepare(journal, NULL);
	/* One of them over segments. */
	size_t appended = 0;
	for (size_t i = 0; i < APPENDED; i++)
		appended += append(journal, 100 + i * SEGMENT / 2);
	check(read_all(journal, &position) == appended);
	check(appended == 0 || position == sluice_journal_end(journal));
	uint64_t last = sluice_journal_end(journal);
	sluice_journal_close(journal);
	/* What is behind `end` is all there, whatever stands before it; and then nothing. */
	journal = open_at(end);
	check(journal != NULL && sluice_journal_end(journal) >= last);
	check(read_all(journal, &position) >= appended);
	sluice_journal_close(journal);
	journal = open_at(last);
	check(journal != NULL && read_all(journal, &position) == 0);
	sluice_journal_close(journal);
	return 0;
}
