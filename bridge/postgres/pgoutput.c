/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "pgoutput.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "relation.h"
#include "value.h"

/* MQTT's largest packet, without what stands before the payload. */
enum { RECORD_MAX = 268435455 - 131072 };

/* Between 1970, Unix's epoch, and 2000, PostgreSQL's. */
#define EPOCH_US INT64_C(946684800000000)

struct pgoutput {
	char *database, *id_prefix; /* owned */
	struct relations relations;
	bool in_transaction;
	struct pgoutput_place place; /* of the record before */
	struct sluice_buffer time;   /* of the transaction's commit */
	struct sluice_buffer keys, new_image, old_image, unchanged; /* of the record being made */
};

/* A message as it is read. `short` is set when it ends too early, and all that is read then is 0. */
struct cursor {
	const unsigned char *at, *end;
	bool is_short;
};

/* A tuple: its columns' values are read where they stand. */
struct tuple {
	struct cursor values;
	bool given;
};

int pgoutput_place_compare(struct pgoutput_place a, struct pgoutput_place b)
{
	if (a.commit_lsn != b.commit_lsn)
		return a.commit_lsn < b.commit_lsn ? -1 : 1;
	return a.index < b.index ? -1 : a.index > b.index;
}

struct pgoutput *pgoutput_create(struct sluice_str database, struct sluice_str id_prefix)
{
	struct pgoutput *decoder = calloc(1, sizeof(*decoder));

	if (!decoder)
		return NULL;
	decoder->database = strndup(database.data, database.len);
	decoder->id_prefix = strndup(id_prefix.data, id_prefix.len);
	if (!decoder->database || !decoder->id_prefix) {
		pgoutput_destroy(decoder);
		return NULL;
	}
	decoder->keys.limit = decoder->new_image.limit = RECORD_MAX;
	decoder->old_image.limit = decoder->unchanged.limit = RECORD_MAX;
	return decoder;
}

void pgoutput_destroy(struct pgoutput *decoder)
{
	if (!decoder)
		return;
	relations_finish(&decoder->relations);
	sluice_buffer_finish(&decoder->time);
	sluice_buffer_finish(&decoder->keys);
	sluice_buffer_finish(&decoder->new_image);
	sluice_buffer_finish(&decoder->old_image);
	sluice_buffer_finish(&decoder->unchanged);
	free(decoder->database);
	free(decoder->id_prefix);
	free(decoder);
}

void pgoutput_reset(struct pgoutput *decoder)
{
	relations_forget(&decoder->relations);
	decoder->in_transaction = false;
}

bool pgoutput_in_transaction(const struct pgoutput *decoder)
{
	return decoder->in_transaction;
}

enum sluice_status pgoutput_set_key(struct pgoutput *decoder, uint32_t oid,
                                    struct sluice_str columns, struct sluice_error *error)
{
	struct relation *relation = relations_add(&decoder->relations, oid);
	struct sluice_json_doc *doc;
	enum sluice_status status;
	char *text;

	if (!relation)
		return sluice_out_of_memory(error);
	text = strndup(columns.data, columns.len);
	if (!text)
		return sluice_out_of_memory(error);
	status = sluice_json_parse(sluice_str(text), 0, 2, &doc, error);
	if (status == SLUICE_OK && sluice_json_root(doc)->type != SLUICE_JSON_ARRAY) {
		sluice_json_destroy(doc);
		status = sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                          "a key is an array of names");
	}
	if (status != SLUICE_OK) {
		free(text);
		return status;
	}
	sluice_json_destroy(relation->key);
	free(relation->key_text);
	relation->key = doc;
	relation->key_text = text;
	return SLUICE_OK;
}

/* --- reading --- */

static enum sluice_status corrupt(struct sluice_error *error, const char *what)
{
	return sluice_error_set(error, SLUICE_ERR_CORRUPT, SIZE_MAX, NULL,
	                        "PostgreSQL sent what pgoutput does not say: %s", what);
}

static uint64_t read_number(struct cursor *cursor, size_t bytes)
{
	uint64_t number = 0;

	if ((size_t)(cursor->end - cursor->at) < bytes) {
		cursor->is_short = true;
		cursor->at = cursor->end;
		return 0;
	}
	for (size_t i = 0; i < bytes; i++)
		number = number << 8 | cursor->at[i];
	cursor->at += bytes;
	return number;
}

static struct sluice_str read_bytes(struct cursor *cursor, size_t len)
{
	struct sluice_str bytes = { (const char *)cursor->at, len };

	if ((size_t)(cursor->end - cursor->at) < len) {
		cursor->is_short = true;
		cursor->at = cursor->end;
		return SLUICE_STR("");
	}
	cursor->at += len;
	return bytes;
}

/* A text that ends in NUL. */
static const char *read_text(struct cursor *cursor)
{
	const char *text = (const char *)cursor->at;
	const unsigned char *nul = memchr(cursor->at, '\0', (size_t)(cursor->end - cursor->at));

	if (!nul) {
		cursor->is_short = true;
		cursor->at = cursor->end;
		return "";
	}
	cursor->at = nul + 1;
	return text;
}

static enum sluice_status read_relation(struct pgoutput *decoder, struct cursor *cursor,
                                        struct sluice_error *error)
{
	uint32_t oid = (uint32_t)read_number(cursor, 4);
	const char *schema = read_text(cursor), *table = read_text(cursor);
	char identity = (char)read_number(cursor, 1);
	size_t count = read_number(cursor, 2);
	struct relation *relation;

	/* Each column takes at least ten bytes: no memory is asked for that was not sent. */
	if (cursor->is_short || count > (size_t)(cursor->end - cursor->at) / 10)
		return corrupt(error, "a table that ends too early");
	relation = relations_add(&decoder->relations, oid);
	if (!relation)
		return sluice_out_of_memory(error);
	relation_clear(relation);
	/* An empty schema is pg_catalog. */
	relation->schema = strdup(*schema ? schema : "pg_catalog");
	relation->table = strdup(table);
	relation->columns = calloc(count ? count : 1, sizeof(*relation->columns));
	relation->identity = identity;
	if (!relation->schema || !relation->table || !relation->columns)
		return sluice_out_of_memory(error);
	for (size_t i = 0; i < count; i++) {
		struct relation_column *column = &relation->columns[i];
		column->identity = read_number(cursor, 1) & 1;
		column->name = strdup(read_text(cursor));
		column->type = (uint32_t)read_number(cursor, 4);
		(void)read_number(cursor, 4); /* the type's modifier */
		relation->column_count++;
		if (!column->name)
			return sluice_out_of_memory(error);
	}
	if (cursor->is_short)
		return corrupt(error, "a table that ends too early");
	relation_choose_key(relation);
	relation->described = true;
	return SLUICE_OK;
}

static enum sluice_status find_relation(struct pgoutput *decoder, struct cursor *cursor,
                                        struct relation **relation, struct sluice_error *error)
{
	uint32_t oid = (uint32_t)read_number(cursor, 4);

	*relation = relations_find(&decoder->relations, oid);
	if (!*relation || !(*relation)->described)
		return corrupt(error, "a change of a table that was not described");
	return SLUICE_OK;
}

/* A column of a tuple: its kind ('n' null, 'u' unchanged, 't' text) and its text. */
static char read_column(struct cursor *cursor, struct sluice_str *text)
{
	char kind = (char)read_number(cursor, 1);

	*text = SLUICE_STR("");
	if (kind == 't')
		*text = read_bytes(cursor, read_number(cursor, 4));
	else if (kind != 'n' && kind != 'u')
		cursor->is_short = true;
	return kind;
}

/* Passes a tuple, once checked it can be read as often as need be. */
static bool pass_tuple(const struct relation *relation, struct cursor *cursor, struct tuple *tuple)
{
	size_t count = read_number(cursor, 2);
	struct sluice_str text;

	tuple->given = true;
	tuple->values = *cursor;
	if (count != relation->column_count)
		return false;
	for (size_t i = 0; i < count && !cursor->is_short; i++)
		(void)read_column(cursor, &text);
	return !cursor->is_short;
}

/* --- writing --- */

enum part { PART_ALL, PART_IDENTITY, PART_KEYS };

static bool is_part(const struct relation_column *column, enum part part)
{
	return part == PART_ALL || (part == PART_KEYS ? column->key : column->identity);
}

/* What did not change is left out, and named in `unchanged`, which may be NULL. */
static void write_tuple(const struct relation *relation, const struct tuple *tuple, enum part part,
                        struct sluice_buffer *image, struct sluice_buffer *unchanged)
{
	struct cursor cursor = tuple->values;
	bool any = false, any_unchanged = false;
	struct sluice_str text;

	sluice_buffer_append_text(image, "{");
	for (size_t i = 0; i < relation->column_count; i++) {
		const struct relation_column *column = &relation->columns[i];
		char kind = read_column(&cursor, &text);

		if (!is_part(column, part))
			continue;
		if (kind == 'u') {
			if (!unchanged)
				continue;
			sluice_buffer_append_text(unchanged, any_unchanged ? "," : "[");
			any_unchanged = true;
			sluice_json_write_string(unchanged, sluice_str(column->name));
			continue;
		}
		change_write_name(image, &any, sluice_str(column->name));
		if (kind == 'n')
			sluice_buffer_append_text(image, "null");
		else
			postgres_value_write(image, column->type, text);
	}
	sluice_buffer_append_text(image, "}");
	if (any_unchanged)
		sluice_buffer_append_text(unchanged, "]");
}

static struct sluice_str given(const struct sluice_buffer *buf)
{
	return buf->len > 0 ? sluice_buffer_str(buf) : (struct sluice_str){ NULL, 0 };
}

/* Gives the record whose images were written. */
static enum sluice_status give(struct pgoutput *decoder, const struct relation *relation,
                               enum change_event event, pgoutput_record_fn fn, void *arg,
                               struct sluice_error *error)
{
	char sequence_number[40];
	struct sluice_buffer id = { 0 };
	enum sluice_status status;
	struct change_record record = {
		.event = event,
		.source = SLUICE_STR("postgres"),
		.database = sluice_str(decoder->database),
		.schema = sluice_str(relation->schema),
		.table = sluice_str(relation->table),
		.keys = given(&decoder->keys),
		.new_image = given(&decoder->new_image),
		.old_image = given(&decoder->old_image),
		.unchanged = given(&decoder->unchanged),
		.sequence_number = { sequence_number, 0 },
		.time = sluice_buffer_str(&decoder->time),
	};

	if (decoder->keys.over_limit || decoder->new_image.over_limit ||
	    decoder->old_image.over_limit || decoder->unchanged.over_limit)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, NULL,
		                        "a row of %s.%s makes a record of more than %d bytes",
		                        relation->schema, relation->table, RECORD_MAX);
	decoder->place.index++;
	record.sequence_number.len = (size_t)snprintf(
	        sequence_number, sizeof(sequence_number), "%016" PRIX64 "-%010" PRIu64,
	        decoder->place.commit_lsn, decoder->place.index);
	sluice_buffer_printf(&id, "%s-%s", decoder->id_prefix, sequence_number);
	record.event_id = sluice_buffer_str(&id);
	if (id.failed || decoder->time.failed || decoder->keys.failed ||
	    decoder->new_image.failed || decoder->old_image.failed || decoder->unchanged.failed)
		status = sluice_out_of_memory(error);
	else
		status = fn(arg, decoder->place, &record, error);
	sluice_buffer_finish(&id);
	return status;
}

static void begin_record(struct pgoutput *decoder)
{
	sluice_buffer_reset(&decoder->keys);
	sluice_buffer_reset(&decoder->new_image);
	sluice_buffer_reset(&decoder->old_image);
	sluice_buffer_reset(&decoder->unchanged);
}

/*
 * Insert: 'N' tuple. Update: perhaps 'K' or 'O' tuple, 'N' tuple. Delete: 'K' or 'O' tuple. K holds what
 * identifies the row, O (REPLICA IDENTITY FULL) all of it.
 */
static enum sluice_status read_change(struct pgoutput *decoder, char kind, struct cursor *cursor,
                                      pgoutput_record_fn fn, void *arg, struct sluice_error *error)
{
	struct relation *relation;
	struct tuple old = { .given = false }, new = { .given = false };
	enum part old_part = PART_IDENTITY;
	enum sluice_status status = find_relation(decoder, cursor, &relation, error);
	char part;

	if (status != SLUICE_OK)
		return status;
	part = (char)read_number(cursor, 1);
	if (kind != 'I' && (part == 'K' || part == 'O')) {
		if (part == 'O')
			old_part = PART_ALL;
		if (!pass_tuple(relation, cursor, &old))
			return corrupt(error, "a row with other columns than its table's");
		if (kind == 'U')
			part = (char)read_number(cursor, 1);
	}
	if (kind != 'D') {
		if (part != 'N' || !pass_tuple(relation, cursor, &new))
			return corrupt(error, "a row with other columns than its table's");
	} else if (!old.given) {
		return corrupt(error, "a deleted row that is not there");
	}
	if (cursor->is_short || cursor->at != cursor->end)
		return corrupt(error, "a change with more behind it");

	begin_record(decoder);
	write_tuple(relation, new.given ? &new : &old, PART_KEYS, &decoder->keys, NULL);
	if (new.given)
		write_tuple(relation, &new, PART_ALL, &decoder->new_image, &decoder->unchanged);
	if (old.given)
		write_tuple(relation, &old, old_part, &decoder->old_image, NULL);
	return give(decoder, relation,
	            kind == 'I'   ? CHANGE_INSERT
	            : kind == 'U' ? CHANGE_MODIFY
	                          : CHANGE_REMOVE,
	            fn, arg, error);
}

static enum sluice_status read_truncate(struct pgoutput *decoder, struct cursor *cursor,
                                        pgoutput_record_fn fn, void *arg,
                                        struct sluice_error *error)
{
	size_t count = read_number(cursor, 4);

	(void)read_number(cursor, 1); /* CASCADE, RESTART IDENTITY */
	if (cursor->is_short || count != (size_t)(cursor->end - cursor->at) / 4 ||
	    (cursor->end - cursor->at) % 4 != 0)
		return corrupt(error, "a TRUNCATE that ends too early");
	while (count-- > 0) {
		struct relation *relation;
		enum sluice_status status = find_relation(decoder, cursor, &relation, error);
		if (status != SLUICE_OK)
			return status;
		begin_record(decoder);
		status = give(decoder, relation, CHANGE_TRUNCATE, fn, arg, error);
		if (status != SLUICE_OK)
			return status;
	}
	return SLUICE_OK;
}

static enum sluice_status read_begin(struct pgoutput *decoder, struct cursor *cursor,
                                     struct sluice_error *error)
{
	uint64_t commit_lsn = read_number(cursor, 8);
	uint64_t time = read_number(cursor, 8);

	(void)read_number(cursor, 4); /* the transaction's number */
	if (cursor->is_short || decoder->in_transaction)
		return corrupt(error, "a transaction within another");
	decoder->in_transaction = true;
	decoder->place = (struct pgoutput_place){ commit_lsn, 0 };
	sluice_buffer_reset(&decoder->time);
	/* As unsigned, since a stranger's time may be any number. */
	change_write_time(&decoder->time, (int64_t)(time + (uint64_t)EPOCH_US));
	return SLUICE_OK;
}

static enum sluice_status read_commit(struct pgoutput *decoder, struct cursor *cursor,
                                      uint64_t *committed, struct sluice_error *error)
{
	uint64_t commit_lsn, end_lsn;

	(void)read_number(cursor, 1); /* flags, none of which exists */
	commit_lsn = read_number(cursor, 8);
	end_lsn = read_number(cursor, 8);
	(void)read_number(cursor, 8); /* the time, which Begin told */
	if (cursor->is_short || !decoder->in_transaction ||
	    commit_lsn != decoder->place.commit_lsn || end_lsn == 0)
		return corrupt(error, "a commit of no transaction");
	decoder->in_transaction = false;
	*committed = end_lsn;
	return SLUICE_OK;
}

enum sluice_status pgoutput_read(struct pgoutput *decoder, struct sluice_str message,
                                 pgoutput_record_fn record, void *arg, uint64_t *committed,
                                 struct sluice_error *error)
{
	struct cursor cursor = { .at = (const unsigned char *)message.data };
	char kind;

	*committed = 0;
	if (message.len == 0)
		return corrupt(error, "an empty message");
	cursor.end = cursor.at + message.len;
	kind = (char)read_number(&cursor, 1);
	switch (kind) {
	case 'B':
		return read_begin(decoder, &cursor, error);
	case 'C':
		return read_commit(decoder, &cursor, committed, error);
	case 'R':
		return read_relation(decoder, &cursor, error);
	case 'Y': /* a type's name: its values are text, whatever it is called */
	case 'O': /* where the change came from, when it was replicated */
		return SLUICE_OK;
	case 'I':
	case 'U':
	case 'D':
	case 'T':
		if (!decoder->in_transaction)
			return corrupt(error, "a change outside of a transaction");
		return kind == 'T' ? read_truncate(decoder, &cursor, record, arg, error)
		                   : read_change(decoder, kind, &cursor, record, arg, error);
	default:
		/* Not passed over: what we don't know may be a change. */
		return corrupt(error, "a message of an unknown kind");
	}
}
