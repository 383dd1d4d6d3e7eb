/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Finding frames in mapped segments, whatever bytes are in them. Touches no file. */
#include "journal_internal.h"

enum { CHECK_AT = 0, POSITION_AT = 8, TOTAL_AT = 16, LEN_AT = 20 };

static uint64_t read_u64(const unsigned char *at)
{
	uint64_t value;
	memcpy(&value, at, sizeof(value));
	return value;
}

static uint32_t read_u32(const unsigned char *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof(value));
	return value;
}

static size_t up_to_8(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

/* Whether a whole piece of the frame that begins at `start` stands there. Its len and total are then
 * what can be relied on. */
static bool piece_at(const struct journal_segment *segment, size_t offset, uint64_t start,
                     uint32_t *total, uint32_t *len)
{
	const unsigned char *piece = segment->map + offset;
	size_t end = journal_usable(segment);
	uint64_t position = segment->base + offset, check;
	if (offset + JOURNAL_PIECE_LEAST > end)
		return false;
	check = read_u64(piece + CHECK_AT);
	*total = read_u32(piece + TOTAL_AT);
	*len = read_u32(piece + LEN_AT);
	if (check == 0 || !(*len & JOURNAL_MORE) != (position == start))
		return false;
	*len &= ~JOURNAL_MORE;
	if (*len == 0 || *len > *total || *len > end - offset - JOURNAL_PIECE)
		return false;
	/* Only one that fills its segment goes on in the next. */
	if (*len < *total && *len != end - offset - JOURNAL_PIECE)
		return false;
	return check == journal_piece_check(piece, *len, segment->key, position, start);
}

static bool frame_at(const struct sluice_journal *journal, uint64_t last,
                     struct journal_place place, struct journal_found *found)
{
	const struct journal_segment *segment = journal_slot(journal, place.ordinal);
	uint64_t start = segment->base + place.offset;
	uint32_t total, len;
	if (!piece_at(segment, place.offset, start, &total, &len))
		return false;
	found->from = place;
	found->total = total;
	for (uint32_t left = total - len; left > 0; left -= len) {
		if (++place.ordinal > last)
			return false;
		segment = journal_slot(journal, place.ordinal);
		place.offset = JOURNAL_HEADER;
		if (!piece_at(segment, place.offset, start, &total, &len) || total != left)
			return false;
	}
	place.offset = up_to_8(place.offset + JOURNAL_PIECE + len);
	found->to = place;
	found->position = segment->base + place.offset;
	return true;
}

void journal_normalise(const struct sluice_journal *journal, uint64_t last,
                       struct journal_place *place)
{
	while (place->ordinal <= last &&
	       place->offset + JOURNAL_PIECE_LEAST >
	               journal_usable(journal_slot(journal, place->ordinal))) {
		place->ordinal++;
		place->offset = JOURNAL_HEADER;
	}
}

/* The first place in the segment, from the given one on, where a piece says that it stands there;
 * none at or behind `limit`: there another thread may be writing. */
static bool claimed(const struct journal_segment *segment, uint64_t limit,
                    struct journal_place *place)
{
	size_t end = journal_usable(segment);
	for (; place->offset + JOURNAL_PIECE_LEAST <= end; place->offset += 8) {
		uint64_t position = segment->base + place->offset;
		if (position >= limit)
			return false;
		if (read_u64(segment->map + place->offset + POSITION_AT) == position)
			return true;
	}
	return false;
}

bool journal_find(const struct sluice_journal *journal, uint64_t last, uint64_t limit,
                  struct journal_place *place, struct journal_found *found)
{
	journal_normalise(journal, last, place);
	struct journal_place at = *place;
	if (at.ordinal > last || journal_slot(journal, at.ordinal)->base + at.offset >= limit)
		return false;
	/* Where it must be, it need not say where it is. */
	if (frame_at(journal, last, at, found))
		return true;
	for (at.offset += 8; at.ordinal <= last; at.ordinal++, at.offset = JOURNAL_HEADER) {
		const struct journal_segment *segment = journal_slot(journal, at.ordinal);
		/* Nor need the first of a segment. */
		if (at.offset == JOURNAL_HEADER && segment->base + at.offset < limit &&
		    frame_at(journal, last, at, found))
			return true;
		for (; claimed(segment, limit, &at); at.offset += 8)
			if (frame_at(journal, last, at, found))
				return true;
	}
	return false;
}

bool journal_broken_at(const struct sluice_journal *journal, struct journal_place place)
{
	const struct journal_segment *segment = journal_slot(journal, place.ordinal);
	const unsigned char *piece = segment->map + place.offset;
	return read_u64(piece + POSITION_AT) == segment->base + place.offset &&
	       read_u64(piece + CHECK_AT) != 0;
}

void journal_pass_rest(const struct sluice_journal *journal, uint64_t last,
                       struct journal_place *place)
{
	for (uint32_t left = 1; left > 0 && place->ordinal <= last;) {
		const struct journal_segment *segment = journal_slot(journal, place->ordinal);
		const unsigned char *piece = segment->map + place->offset;
		if (place->offset != JOURNAL_HEADER || !journal_broken_at(journal, *place))
			return;
		uint32_t len = read_u32(piece + LEN_AT);
		if (!(len & JOURNAL_MORE))
			return;
		len &= ~JOURNAL_MORE;
		if (len > journal_usable(segment) - JOURNAL_HEADER - JOURNAL_PIECE)
			return;
		left = read_u32(piece + TOTAL_AT) - len;
		place->offset = up_to_8(JOURNAL_HEADER + JOURNAL_PIECE + len);
		journal_normalise(journal, last, place);
	}
}

void journal_join(const struct sluice_journal *journal, const struct journal_found *found,
                  unsigned char *out)
{
	struct journal_place place = found->from;
	for (size_t left = found->total; left > 0;) {
		const struct journal_segment *segment = journal_slot(journal, place.ordinal);
		size_t len = journal_usable(segment) - place.offset - JOURNAL_PIECE;
		if (len > left)
			len = left;
		memcpy(out, segment->map + place.offset + JOURNAL_PIECE, len);
		out += len;
		left -= len;
		place.ordinal++;
		place.offset = JOURNAL_HEADER;
	}
}
