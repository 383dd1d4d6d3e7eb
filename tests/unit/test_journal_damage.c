/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Files that were damaged, cut, lost or put there by somebody. */
#include "journal_helper.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { FRAMES = 24 };

struct made {
	size_t lens[FRAMES];
	uint64_t begins[FRAMES], ends[FRAMES]; /* positions; begins: behind the frame before */
	uint64_t end;
};

static void path_of(struct place *here, uint64_t number, const char *suffix, char path[160])
{
	snprintf(path, 160, "%s/%020llu.%s", here->dir, (unsigned long long)number, suffix);
}

/* A journal of some segments, one frame over several of them; the last segment is not full. */
static struct made make(struct place *here)
{
	struct made made = { 0 };
	struct sluice_journal *journal = open_journal(here);
	prepare(journal);
	for (uint64_t i = 0; i < FRAMES; i++) {
		made.lens[i] = i == 12 ? 2 * SEGMENT + 100 : 150 + (size_t)i * 13;
		made.begins[i] = sluice_journal_end(journal);
		assert_true(append(journal, i, made.lens[i]));
		made.ends[i] = sluice_journal_end(journal);
	}
	made.end = made.ends[FRAMES - 1];
	sluice_journal_close(journal);
	return made;
}

/* A copy of the whole folder that each trial begins from. */
static void shell(struct place *here, const char *format)
{
	char command[1024];
	snprintf(command, sizeof(command), "cd %s && %s", here->folder, format);
	assert_int_equal(system(command), 0);
}

/* Opens and reads what there is: frames of ours alone, in their order, each once. A bit for each. */
static uint32_t read_back(struct place *here, const struct made *made, bool and_again)
{
	struct sluice_journal *journal = open_journal(here);
	bool told = here->damage.count > 0;
	struct sluice_journal_frame frame;
	uint32_t seen = 0;
	uint64_t number = 0;
	while (sluice_journal_next(journal, &frame)) {
		while (number < FRAMES && !(frame.position == made->ends[number] &&
		                            frame_is(&frame, number, made->lens[number])))
			number++;
		if (number == FRAMES)
			fail_msg("a frame that nobody wrote, of %zu bytes, to position %llu",
			         frame.len, (unsigned long long)frame.position);
		seen |= UINT32_C(1) << number++;
	}
	/* It goes on behind everything. */
	uint64_t end = sluice_journal_end(journal);
	assert_true(append(journal, 1000, 200));
	expect(journal, 1000, 200);
	assert_true(sluice_journal_end(journal) > end);
	sluice_journal_close(journal);
	/* Nothing is missed in silence. */
	assert_true(told || seen == (UINT32_C(1) << FRAMES) - 1);
	if (!and_again)
		return seen;
	journal = open_journal(here);
	bool again = false;
	while (sluice_journal_next(journal, &frame))
		again = frame_is(&frame, 1000, 200);
	assert_true(again);
	sluice_journal_close(journal);
	return seen;
}

static const uint32_t all_frames = (UINT32_C(1) << FRAMES) - 1;

static size_t count_bits(uint32_t bits)
{
	size_t count = 0;
	for (; bits; bits &= bits - 1)
		count++;
	return count;
}

static void write_byte(const char *path, size_t at, unsigned char mask)
{
	unsigned char byte;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= mask;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	close(fd);
}

/* The folder as it was, without a shell for each of thousands of trials. */
struct image {
	uint64_t numbers[32];
	unsigned char *bytes[32];
	size_t count;
};

static void take_image(struct place *here, struct image *image)
{
	for (uint64_t number = 1; number <= 32; number++) {
		char path[160];
		path_of(here, number, "journal", path);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		image->bytes[image->count] = malloc(SEGMENT);
		assert_int_equal(read(fd, image->bytes[image->count], SEGMENT), SEGMENT);
		image->numbers[image->count++] = number;
		close(fd);
	}
}

static void restore_image(struct place *here, const struct image *image)
{
	for (uint64_t number = 1; number <= 64; number++) {
		static const char *const suffixes[] = { "journal", "part", "damaged" };
		for (int i = 0; i < 3; i++) {
			char path[160];
			path_of(here, number, suffixes[i], path);
			unlink(path);
		}
	}
	for (size_t i = 0; i < image->count; i++) {
		char path[160];
		path_of(here, image->numbers[i], "journal", path);
		int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
		assert_int_equal(write(fd, image->bytes[i], SEGMENT), SEGMENT);
		close(fd);
	}
}

static void free_image(struct image *image)
{
	for (size_t i = 0; i < image->count; i++)
		free(image->bytes[i]);
}

/* Segments with frames in them, of those that were made. */
static size_t used_segments(const struct made *made)
{
	return (size_t)(made->end / SEGMENT) + 1;
}

static void test_a_flipped_byte_costs_at_most_its_frame(void **state)
{
	struct place *here = *state;
	struct made made = make(here);
	struct image image = { 0 };
	take_image(here, &image);
	for (size_t segment = 0; segment < used_segments(&made); segment++) {
		/* Each byte of what leads a segment and its first frames, of its end; then samples. */
		for (size_t at = 0; at < SEGMENT; at += at < 300 || at >= SEGMENT - 70 ? 1 : 31) {
			char path[160];
			restore_image(here, &image);
			path_of(here, segment + 1, "journal", path);
			write_byte(path, at, (unsigned char)(1 << (at % 8)));
			uint32_t lost = all_frames & ~read_back(here, &made, at % 8 == 0);
			uint64_t position = segment * SEGMENT + at;
			if (count_bits(lost) > 1)
				fail_msg("byte %zu of segment %zu: %zu frames are lost", at,
				         segment + 1, count_bits(lost));
			if (lost == 0)
				continue;
			size_t number = 0;
			while (!(lost & UINT32_C(1) << number))
				number++;
			assert_true(position >= made.begins[number] &&
			            position < made.ends[number]);
		}
	}
	free_image(&image);
}

static void test_damage_is_told_and_kept_aside(void **state)
{
	struct place *here = *state;
	struct made made = make(here);
	char path[160], kept[160];
	struct stat info;
	/* In a frame's bytes: in the middle, and the last one of all. */
	const size_t numbers[] = { 3, FRAMES - 1 };
	for (int i = 0; i < 2; i++) {
		uint64_t position = made.ends[numbers[i]] - 20;
		path_of(here, position / SEGMENT + 1, "journal", path);
		path_of(here, position / SEGMENT + 1, "damaged", kept);
		write_byte(path, (size_t)(position % SEGMENT), 0xff);
	}
	struct sluice_journal *journal = open_journal(here);
	assert_true(here->damage.count >= 2);
	assert_string_equal(here->damage.kept, kept);
	assert_non_null(strstr(here->damage.message, "can't be read"));
	assert_int_equal(stat(kept, &info), 0);
	/* The file stays when its segment was released. */
	while (append(journal, 1, 1000))
		;
	sluice_journal_release(journal, sluice_journal_end(journal));
	prepare(journal);
	while (append(journal, 1, 1000))
		;
	sluice_journal_release(journal, sluice_journal_end(journal));
	prepare(journal);
	assert_int_equal(stat(path, &info), -1);
	assert_int_equal(stat(kept, &info), 0);
	assert_int_equal(info.st_size, SEGMENT);
	here->options.position = sluice_journal_end(journal);
	sluice_journal_close(journal);
	sluice_journal_close(open_journal(here));
	assert_int_equal(here->damage.count, 0);
}

static void test_a_segment_cut_at_any_length_is_read_as_far_as_it_goes(void **state)
{
	struct place *here = *state;
	struct made made = make(here);
	struct image image = { 0 };
	take_image(here, &image);
	for (size_t segment = 0; segment < used_segments(&made); segment++) {
		for (size_t len = 0; len < SEGMENT;
		     len += len < 150 || len > SEGMENT - 80 ? 2 : 61) {
			char path[160];
			restore_image(here, &image);
			path_of(here, segment + 1, "journal", path);
			assert_int_equal(truncate(path, (off_t)len), 0);
			uint32_t seen = read_back(here, &made, len % 8 == 0);
			for (size_t i = 0; i < FRAMES; i++) {
				/* Whole before the cut, where the header is there, or elsewhere. */
				bool before = made.ends[i] <= segment * SEGMENT;
				bool after = made.begins[i] >= (segment + 1) * SEGMENT;
				bool within = len >= 2 * SEGMENT_HEADER &&
				              made.ends[i] <= segment * SEGMENT + len;
				if ((before || after || within) && !(seen & UINT32_C(1) << i))
					fail_msg("segment %zu cut to %zu: frame %zu is lost",
					         segment + 1, len, i);
			}
		}
	}
	free_image(&image);
}

static void test_a_lost_segment_costs_what_was_in_it(void **state)
{
	struct place *here = *state;
	struct made made = make(here);
	char path[160];
	path_of(here, 2, "journal", path);
	assert_int_equal(unlink(path), 0);
	uint32_t seen = 0;
	struct sluice_journal *journal = open_journal(here);
	struct sluice_journal_frame frame;
	assert_true(here->damage.count >= 1);
	for (size_t i = 0; sluice_journal_next(journal, &frame); i++) {
		while (frame.position != made.ends[i])
			i++;
		assert_true(frame_is(&frame, i, made.lens[i]));
		seen |= UINT32_C(1) << i;
	}
	for (size_t i = 0; i < FRAMES; i++)
		if (made.ends[i] <= SEGMENT || made.begins[i] >= 2 * SEGMENT)
			assert_true(seen & UINT32_C(1) << i);
	sluice_journal_close(journal);
}

static void test_files_of_others_do_no_harm(void **state)
{
	struct place *here = *state;
	struct made made = make(here);
	shell(here, "cd journal && mkdir 00000000000000000090.journal && "
	            "mkfifo 00000000000000000091.journal && "
	            "ln -s /dev/zero 00000000000000000092.journal && "
	            ": > 00000000000000000093.journal && "
	            "head -c 10000 /dev/urandom > 00000000000000000094.journal && "
	            "truncate -s 3G 00000000000000000095.journal && "
	            "cp 00000000000000000001.journal 00000000000000000096.journal && "
	            "cp 00000000000000000002.journal 00000000000000000097.part && "
	            "touch 99999999999999999999.journal 1.journal 00000000000000000000.journal "
	            "0000000000000000001x.journal core");
	assert_int_equal(read_back(here, &made, true), all_frames);
	struct sluice_journal *journal = open_journal(here);
	char path[160];
	path_of(here, 97, "part", path);
	assert_int_not_equal(access(path, F_OK), 0);
	path_of(here, 94, "damaged", path);
	assert_int_equal(access(path, F_OK), 0);
	sluice_journal_close(journal);
}

static void test_a_payload_that_holds_a_journal_is_never_taken_for_one(void **state)
{
	struct place *here = *state;
	struct made made = make(here);
	(void)made;
	char path[160];
	unsigned char image[SEGMENT];
	path_of(here, 1, "journal", path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, image, SEGMENT), SEGMENT);
	close(fd);
	shell(here, "rm -r journal");

	/* Pieces at the very offsets at which they stood, in a frame that is then damaged. */
	struct sluice_journal *journal = open_journal(here);
	prepare(journal);
	unsigned char *inside = image + SEGMENT_HEADER + FRAME_HEADER;
	size_t len = SEGMENT - 2 * SEGMENT_HEADER - FRAME_HEADER;
	assert_true(sluice_journal_begin(journal, len, false));
	sluice_journal_put(journal, inside, len);
	assert_true(sluice_journal_commit(journal));
	assert_true(append(journal, 7, 100));
	sluice_journal_close(journal);
	write_byte(path, SEGMENT_HEADER + FRAME_HEADER, 1);
	journal = open_journal(here);
	assert_true(here->damage.count > 0);
	expect(journal, 7, 100);
	expect_none(journal);
	sluice_journal_close(journal);
}

static void test_a_journal_of_a_newer_sluice_is_left_alone(void **state)
{
	struct place *here = *state;
	struct sluice_error error;
	struct sluice_journal *journal;
	char path[160];
	make(here);
	/* The other byte order: version 1 is what a check can't say for another one. */
	path_of(here, 2, "journal", path);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	unsigned char order[4], turned[4];
	assert_int_equal(pread(fd, order, 4, 12), 4);
	for (int i = 0; i < 4; i++)
		turned[i] = order[3 - i];
	assert_int_equal(pwrite(fd, turned, 4, 12), 4);
	close(fd);
	assert_status(sluice_journal_open(&here->options, NULL, NULL, &journal, &error),
	              SLUICE_ERR_VERSION);
	assert_non_null(strstr(error.message, "00000000000000000002.journal"));
	assert_int_equal(access(path, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JOURNAL_TEST(test_a_flipped_byte_costs_at_most_its_frame),
		JOURNAL_TEST(test_damage_is_told_and_kept_aside),
		JOURNAL_TEST(test_a_segment_cut_at_any_length_is_read_as_far_as_it_goes),
		JOURNAL_TEST(test_a_lost_segment_costs_what_was_in_it),
		JOURNAL_TEST(test_files_of_others_do_no_harm),
		JOURNAL_TEST(test_a_payload_that_holds_a_journal_is_never_taken_for_one),
		JOURNAL_TEST(test_a_journal_of_a_newer_sluice_is_left_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
