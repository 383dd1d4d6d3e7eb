/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* A journal in a temporary folder, and frames whose bytes follow from their number. */
#ifndef JOURNAL_HELPER_H
#define JOURNAL_HELPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sluice_store/journal.h"

enum {
	SEGMENT = 4096, /* a page: as small as they get */
	FRAME_HEADER = 24,
	SEGMENT_HEADER = 64,
	FRAME_LEAST = 8, /* number and length of a frame: see frame_fill */
};

struct damage {
	int count;
	char message[256]; /* the last one */
	char kept[256];
};

struct place {
	char folder[64];
	char dir[96]; /* folder/journal, which does not exist yet */
	struct damage damage;
	struct sluice_journal_options options;
};

static inline int make_place(void **state)
{
	struct place *here = calloc(1, sizeof(*here));
	/* In memory where that can be had: a killed process is all that the tests survive. */
	bool memory = access("/dev/shm", W_OK) == 0;
	snprintf(here->folder, sizeof(here->folder), "%s/sluice-journal-XXXXXX",
	         memory ? "/dev/shm" : "/tmp");
	if (!mkdtemp(here->folder))
		return -1;
	snprintf(here->dir, sizeof(here->dir), "%s/journal", here->folder);
	here->options = (struct sluice_journal_options){ .dir = here->dir,
		                                         .max_bytes = 8 * SEGMENT,
		                                         .segment_bytes = SEGMENT };
	*state = here;
	return 0;
}

static inline int remove_place(void **state)
{
	struct place *here = *state;
	char command[128];
	snprintf(command, sizeof(command), "rm -rf %s", here->folder);
	int result = system(command);
	free(here);
	return result;
}

#define JOURNAL_TEST(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)

#define assert_ok(call, error)                                                                     \
	do {                                                                                       \
		if ((call) != SLUICE_OK)                                                           \
			fail_msg("%s: %s", #call, (error).message);                                \
	} while (0)

#define assert_status(call, expected)                                                              \
	assert_string_equal(sluice_status_name(call), sluice_status_name(expected))

static inline void note_damage(void *arg, const char *message, const char *kept)
{
	struct damage *damage = arg;
	damage->count++;
	snprintf(damage->message, sizeof(damage->message), "%s", message);
	snprintf(damage->kept, sizeof(damage->kept), "%s", kept ? kept : "");
}

static inline struct sluice_journal *open_journal(struct place *here)
{
	struct sluice_journal *journal;
	struct sluice_error error;
	here->damage = (struct damage){ 0 };
	assert_ok(sluice_journal_open(&here->options, note_damage, &here->damage, &journal, &error),
	          error);
	return journal;
}

/* All segments that there may be. */
static inline void prepare(struct sluice_journal *journal)
{
	struct sluice_error error;
	(void)sluice_journal_has_room(journal, sluice_journal_max_frame(journal), false);
	assert_ok(sluice_journal_prepare(journal, &error), error);
}

/* --- frames --- */

static inline uint64_t next_random(uint64_t *state)
{
	/* xorshift: the same everywhere. */
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline unsigned char frame_byte(uint64_t number, size_t at)
{
	return (unsigned char)((number * 31 + at * 7 + (at >> 8)) ^ 0x5a);
}

/* The frame of that number, in a buffer to be freed: its number first when it is long enough. */
static inline unsigned char *frame_bytes(uint64_t number, size_t len)
{
	unsigned char *bytes = malloc(len);
	for (size_t i = 0; i < len; i++)
		bytes[i] = frame_byte(number, i);
	if (len >= FRAME_LEAST)
		memcpy(bytes, &number, sizeof(number));
	return bytes;
}

static inline bool frame_is(const struct sluice_journal_frame *frame, uint64_t number, size_t len)
{
	unsigned char *bytes = frame_bytes(number, len);
	bool same = frame->len == len && memcmp(frame->data, bytes, len) == 0;
	free(bytes);
	return same;
}

/* False when there is no room. The bytes come in pieces, or at once where that can be. */
static inline bool append(struct sluice_journal *journal, uint64_t number, size_t len)
{
	if (!sluice_journal_begin(journal, len, false))
		return false;
	unsigned char *bytes = frame_bytes(number, len);
	unsigned char *whole = number % 2 ? sluice_journal_whole(journal) : NULL;
	if (whole) {
		memcpy(whole, bytes, len);
	} else {
		sluice_journal_put(journal, bytes, len / 3);
		sluice_journal_put(journal, bytes + len / 3, 0);
		sluice_journal_put(journal, bytes + len / 3, len - len / 3);
	}
	free(bytes);
	assert_true(sluice_journal_commit(journal));
	return true;
}

static inline void expect(struct sluice_journal *journal, uint64_t number, size_t len)
{
	struct sluice_journal_frame frame;
	if (!sluice_journal_next(journal, &frame))
		fail_msg("frame %llu is not there", (unsigned long long)number);
	if (!frame_is(&frame, number, len))
		fail_msg("frame %llu of %zu bytes is another one, of %zu",
		         (unsigned long long)number, len, frame.len);
	assert_true(frame.position <= sluice_journal_end(journal));
}

static inline void expect_none(struct sluice_journal *journal)
{
	struct sluice_journal_frame frame;
	assert_false(sluice_journal_next(journal, &frame));
}

#endif
