/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "known.h"

#include <stdlib.h>

#include "index.h"

enum { MAX_TEXT = 256, MAX_OPERANDS = 256 };

const struct sluice_known_row sluice_known_nothing;

static void set(struct sluice_known_row *row, uint32_t column, bool bit)
{
	uint64_t mask = UINT64_C(1) << column % 64;

	row->bits[column / 64] =
	        bit ? row->bits[column / 64] | mask : row->bits[column / 64] & ~mask;
}

size_t sluice_known_bytes(const struct sluice_known *known)
{
	return (known->rows ? known->row_capacity * sizeof(*known->rows) : 0) +
	       known->row_capacity * sizeof(*known->values) +
	       known->column_capacity * sizeof(*known->columns);
}

void sluice_known_finish(struct sluice_known *known)
{
	free(known->rows);
	free(known->values);
	free(known->columns);
	*known = (struct sluice_known){ 0 };
}

static void give_up(struct sluice_known *known)
{
	sluice_known_finish(known);
	known->given_up = true;
}

/* A leaf that is the value. */
static struct sluice_value value_of(const struct sluice_entry *entry)
{
	struct sluice_predicate room;
	const struct sluice_predicate *predicate = sluice_entry_predicate(entry, &room);
	struct sluice_value value = { 0 };

	switch (predicate->op) {
	case SLUICE_OP_STRING:
		value.type = SLUICE_JSON_STRING;
		value.text = predicate->text;
		break;
	case SLUICE_OP_NUMBER:
		value.type = SLUICE_JSON_NUMBER;
		value.number = predicate->number;
		break;
	case SLUICE_OP_TRUE:
		value.type = SLUICE_JSON_TRUE;
		break;
	case SLUICE_OP_FALSE:
		value.type = SLUICE_JSON_FALSE;
		break;
	default:
		value.type = SLUICE_JSON_NULL;
		break;
	}
	return value;
}

/* --- rows --- */

static bool rows_grow(struct sluice_known *known)
{
	uint32_t capacity = known->row_capacity ? known->row_capacity * 2 : 4;
	struct sluice_entry **values = realloc(known->values, capacity * sizeof(*values));

	if (!values)
		return false;
	known->values = values;
	if (known->rows) {
		struct sluice_known_row *rows = realloc(known->rows, capacity * sizeof(*rows));
		if (!rows)
			return false;
		known->rows = rows;
	}
	known->row_capacity = capacity;
	return true;
}

/* Tries all columns. */
static void row_fill(struct sluice_known *known, uint32_t row)
{
	struct sluice_value value = value_of(known->values[row]);

	known->rows[row] = (struct sluice_known_row){ 0 };
	for (uint32_t i = 0; i < known->column_count; i++)
		set(&known->rows[row], i, sluice_entry_matches(known->columns[i].entry, &value));
}

static bool row_add(struct sluice_known *known, struct sluice_entry *entry)
{
	if (entry->op == SLUICE_OP_STRING && (entry->whole || entry->text_len > MAX_TEXT))
		return true;
	if (known->row_count == SLUICE_KNOWN_ROWS) {
		give_up(known);
		return true;
	}
	if (known->row_count == known->row_capacity && !rows_grow(known))
		return false;
	entry->known_at = known->row_count & SLUICE_NOT_KNOWN;
	known->values[known->row_count++] = entry;
	if (known->rows)
		row_fill(known, entry->known_at);
	return true;
}

static void row_drop(struct sluice_known *known, uint16_t at)
{
	uint32_t last = --known->row_count;

	known->values[at] = known->values[last];
	known->values[at]->known_at = at & SLUICE_NOT_KNOWN;
	if (known->rows)
		known->rows[at] = known->rows[last];
}

/* --- columns --- */

/* Its bits in all rows. */
static void column_fill(struct sluice_known *known, struct sluice_entry *entry, uint32_t at)
{
	known->columns[at] = sluice_lead_to(entry);
	entry->known_at = at & SLUICE_NOT_KNOWN;
	for (uint32_t i = 0; i < known->row_count; i++) {
		struct sluice_value value = value_of(known->values[i]);
		set(&known->rows[i], at, sluice_entry_matches(entry, &value));
	}
}

/* A column at the end, where there are fewer than there may be. */
static bool column_append(struct sluice_known *known, struct sluice_entry *entry)
{
	if (!known->rows) { /* it is the first: the values that are there get their rows */
		if (known->row_capacity == 0 && !rows_grow(known))
			return false;
		known->rows = calloc(known->row_capacity, sizeof(*known->rows));
		if (!known->rows)
			return false;
	}
	if (known->column_count == known->column_capacity) {
		uint32_t capacity = known->column_capacity ? known->column_capacity * 2 : 4;
		struct sluice_lead *columns = realloc(known->columns, capacity * sizeof(*columns));
		if (!columns)
			return false;
		known->columns = columns;
		known->column_capacity = capacity;
	}
	column_fill(known, entry, known->column_count++);
	return true;
}

/* The last column takes its place. */
static void column_drop(struct sluice_known *known, uint16_t at)
{
	uint32_t last = --known->column_count;

	known->columns[at] = known->columns[last];
	known->columns[at].entry->known_at = at & SLUICE_NOT_KNOWN;
	set(&known->active, at, sluice_known_has(&known->active, (uint16_t)last));
	set(&known->active, last, false);
	for (uint32_t i = 0; i < known->row_count; i++)
		set(&known->rows[i], at, sluice_known_has(&known->rows[i], (uint16_t)last));
}

/* Takes the column of a predicate without postings, or gives up. */
static void column_take(struct sluice_known *known, struct sluice_entry *entry)
{
	for (uint32_t i = 0; i < known->column_count; i++) {
		if (sluice_known_has(&known->active, (uint16_t)i))
			continue;
		known->columns[i].entry->known_at = SLUICE_NOT_KNOWN;
		column_fill(known, entry, i);
		return;
	}
	give_up(known);
}

/* --- both --- */

/* What every value matches, or none, needs no bit. */
static bool needs_column(const struct sluice_entry *entry)
{
	enum sluice_operator op = entry->op;

	return !sluice_entry_is_value(entry) && op != SLUICE_OP_EXISTS && op != SLUICE_OP_ABSENT;
}

static bool may_have_column(const struct sluice_entry *entry)
{
	return entry->op != SLUICE_OP_BUT || sluice_entry_whole(entry)->but.count <= MAX_OPERANDS;
}

bool sluice_known_add(struct sluice_known *known, struct sluice_entry *entry)
{
	entry->known_at = SLUICE_NOT_KNOWN;
	if (known->given_up)
		return true;
	if (sluice_entry_is_value(entry))
		return row_add(known, entry);
	return !needs_column(entry) || !may_have_column(entry) ||
	       known->column_count == SLUICE_KNOWN_COLUMNS || column_append(known, entry);
}

void sluice_known_drop(struct sluice_known *known, struct sluice_entry *entry)
{
	if (known->given_up || entry->known_at == SLUICE_NOT_KNOWN)
		return;
	if (sluice_entry_is_value(entry))
		row_drop(known, entry->known_at);
	else
		column_drop(known, entry->known_at);
}

bool sluice_known_lead(struct sluice_known *known, struct sluice_entry *entry, bool postings)
{
	if (known->given_up || !needs_column(entry))
		return true;
	if (postings && entry->known_at == SLUICE_NOT_KNOWN) {
		if (!may_have_column(entry))
			give_up(known);
		else if (known->column_count == SLUICE_KNOWN_COLUMNS)
			column_take(known, entry);
		else if (!column_append(known, entry))
			return false;
	}
	if (known->given_up || entry->known_at == SLUICE_NOT_KNOWN)
		return true;
	known->columns[entry->known_at] = sluice_lead_to(entry);
	set(&known->active, entry->known_at, postings);
	return true;
}
