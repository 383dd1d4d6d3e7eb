/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What the values that rules name at a path match of the other predicates there: a row of bits for
 * each value, a column for each predicate.
 *
 *	              prefix "o"   anything-but "ok"   wildcard "*e*"   numeric < 5 …
 *	"ok"              1               0                  0              0
 *	"idle"            0               1                  1              0
 *	17                0               1                  0              0
 *
 * Most fields have few values, and rules name nearly all of them. A leaf that is one needs no look-up
 * but that of its value: its row says what else it matches. Of those, the ones with postings lead on,
 * with their checks (sluice_lead); the others are bits that a candidate is verified by.
 *
 * A row is made when its value is first named, by trying all columns; a column when its predicate is,
 * by trying all rows. So both have a limit. A value of more than 256 bytes has no row, an anything-but
 * of more than 256 operands no column. Where there are more predicates than columns, those without
 * postings lose theirs to those with. What can't be kept complete is given up, all of it, until the
 * path's last entry goes: where there are more than 256 values, or more than 512 predicates with
 * postings. Leaves are then looked up as if this were not there.
 *
 * Cost for a leaf: a word for each 64 columns, and what it matches. For a new predicate 256 tries, for
 * a new value 512, and 64 bytes; for a column 32.
 */
#ifndef SLUICE_KNOWN_H
#define SLUICE_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sluice_entry;
struct sluice_lead;

enum { SLUICE_KNOWN_ROWS = 256, SLUICE_KNOWN_COLUMNS = 512 };
enum { SLUICE_KNOWN_WORDS = SLUICE_KNOWN_COLUMNS / 64 };

struct sluice_known_row {
	uint64_t bits[SLUICE_KNOWN_WORDS]; /* by column */
};

/* Zeroed memory is an empty one. Where an entry stands in it is its known_at. */
struct sluice_known {
	struct sluice_known_row *rows; /* owned; NULL until there is a column */
	struct sluice_entry **values;  /* owned: whose rows they are */
	struct sluice_lead *columns;   /* owned */
	uint32_t row_count, row_capacity, column_count, column_capacity;
	struct sluice_known_row active; /* the columns with postings */
	bool given_up;
};

/* In known_at: it has neither row nor column. */
#define SLUICE_NOT_KNOWN 0x3ffu

/* The row of a value that the event has had before. */
extern const struct sluice_known_row sluice_known_nothing;

/* An entry of the path was made, or is about to go. False when out of memory (nothing changed). */
bool sluice_known_add(struct sluice_known *known, struct sluice_entry *entry);
void sluice_known_drop(struct sluice_known *known, struct sluice_entry *entry);

/* The entry comes to have postings, or several, or has none any more. False when out of memory, which
 * happens for its first posting alone. */
bool sluice_known_lead(struct sluice_known *known, struct sluice_entry *entry, bool postings);

size_t sluice_known_bytes(const struct sluice_known *known);
void sluice_known_finish(struct sluice_known *known);

static inline bool sluice_known_has(const struct sluice_known_row *row, uint16_t column)
{
	return row->bits[column / 64] >> column % 64 & 1;
}

#endif
