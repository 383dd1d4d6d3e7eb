/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sluice_store/record.h"

#include <stddef.h>

enum {
	LENGTH_BYTES = 4,
	NUMBER_BYTES = 8,
	DEDUP_BYTES = 16,
	QOS_MAX = 2,
};

enum field_type { ID, TIME, U32, QOS, FLAG, TEXT, RECEIPT, DEDUP };

/* In the order of their tags, which is the order in the file: so each record has one spelling. */
static const struct field {
	unsigned char type;
	unsigned short offset;
} fields[] = {
#define FIELD(type, member)                                                                        \
	{                                                                                          \
		type, offsetof(struct sluice_record, member)                                       \
	}
	[1] = FIELD(TEXT, queue),
	[2] = FIELD(ID, id),
	[3] = FIELD(TEXT, to_queue),
	[4] = FIELD(ID, new_id),
	[5] = FIELD(TEXT, event_id),
	[6] = FIELD(TIME, time_ms),
	[7] = FIELD(TEXT, bus),
	[8] = FIELD(TEXT, rule),
	[9] = FIELD(TEXT, target),
	[10] = FIELD(TEXT, topic),
	[11] = FIELD(TEXT, client_id),
	[12] = FIELD(TEXT, username),
	[13] = FIELD(QOS, qos),
	[14] = FIELD(FLAG, retain),
	[15] = FIELD(TEXT, properties),
	[16] = FIELD(TEXT, payload),
	[17] = FIELD(TIME, enqueued_ms),
	[18] = FIELD(TIME, due_ms),
	[19] = FIELD(FLAG, parked),
	[20] = FIELD(TEXT, group),
	[21] = FIELD(U32, attempts),
	[22] = FIELD(RECEIPT, receipt),
	[23] = FIELD(TIME, deadline_ms),
	[24] = FIELD(TEXT, worker),
	[25] = FIELD(TEXT, reason),
	[26] = FIELD(TEXT, origin),
	[27] = FIELD(TEXT, error),
	[28] = FIELD(DEDUP, dedup),
	[29] = FIELD(TIME, dedup_until_ms),
#undef FIELD
};

enum { TAG_END = sizeof(fields) / sizeof(fields[0]) };

static const unsigned char nothing[DEDUP_BYTES];

static uint64_t number_of(const struct sluice_record *record, const struct field *field)
{
	const unsigned char *member = (const unsigned char *)record + field->offset;
	switch (field->type) {
	case ID:
		return *(const uint64_t *)(const void *)member;
	case TIME:
		return (uint64_t) * (const int64_t *)(const void *)member;
	case U32:
		return *(const uint32_t *)(const void *)member;
	case FLAG:
		return *(const bool *)(const void *)member;
	default:
		return *member;
	}
}

/* Of a field that holds bytes; absent when it is not to be written. */
static struct sluice_str bytes_of(const struct sluice_record *record, const struct field *field)
{
	const char *member = (const char *)record + field->offset;
	if (field->type == TEXT)
		return *(const struct sluice_str *)(const void *)member;
	size_t len = field->type == RECEIPT ? (size_t)SLUICE_RECEIPT_BYTES : (size_t)DEDUP_BYTES;
	return (struct sluice_str){ memcmp(member, nothing, len) ? member : NULL, len };
}

size_t sluice_record_size(const struct sluice_record *record)
{
	size_t size = LENGTH_BYTES + 1;
	for (size_t tag = 1; tag < TAG_END; tag++) {
		if (fields[tag].type < TEXT) {
			size += number_of(record, &fields[tag]) ? 1 + NUMBER_BYTES : 0;
			continue;
		}
		struct sluice_str bytes = bytes_of(record, &fields[tag]);
		size += bytes.data ? 1 + LENGTH_BYTES + bytes.len : 0;
	}
	return size;
}

static unsigned char *put(unsigned char *out, uint64_t number, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		out[i] = (unsigned char)(number >> (8 * i));
	return out + bytes;
}

size_t sluice_record_write(const struct sluice_record *record, unsigned char *out)
{
	unsigned char *at = out + LENGTH_BYTES;
	*at++ = (unsigned char)record->kind;
	for (size_t tag = 1; tag < TAG_END; tag++) {
		if (fields[tag].type < TEXT) {
			uint64_t number = number_of(record, &fields[tag]);
			if (!number)
				continue;
			*at++ = (unsigned char)tag;
			at = put(at, number, NUMBER_BYTES);
			continue;
		}
		struct sluice_str bytes = bytes_of(record, &fields[tag]);
		if (!bytes.data)
			continue;
		*at++ = (unsigned char)tag;
		at = put(at, bytes.len, LENGTH_BYTES);
		if (bytes.len)
			memcpy(at, bytes.data, bytes.len);
		at += bytes.len;
	}
	size_t size = (size_t)(at - out);
	put(out, size - LENGTH_BYTES, LENGTH_BYTES);
	return size;
}

static uint64_t get(const unsigned char *at, size_t bytes)
{
	uint64_t number = 0;
	for (size_t i = 0; i < bytes; i++)
		number |= (uint64_t)at[i] << (8 * i);
	return number;
}

/* False: no value that is ever written. */
static bool set_number(struct sluice_record *record, const struct field *field, uint64_t number)
{
	unsigned char *member = (unsigned char *)record + field->offset;
	if (number == 0)
		return false;
	switch (field->type) {
	case ID:
		*(uint64_t *)(void *)member = number;
		return number <= INT64_MAX;
	case TIME:
		*(int64_t *)(void *)member = (int64_t)number;
		return true;
	case U32:
		*(uint32_t *)(void *)member = (uint32_t)number;
		return number <= UINT32_MAX;
	case QOS:
		*member = (unsigned char)number;
		return number <= QOS_MAX;
	default:
		*(bool *)(void *)member = true;
		return number == 1;
	}
}

static bool set_bytes(struct sluice_record *record, const struct field *field,
                      struct sluice_str bytes)
{
	char *member = (char *)record + field->offset;
	if (field->type == TEXT) {
		*(struct sluice_str *)(void *)member = bytes;
		return true;
	}
	size_t len = field->type == RECEIPT ? (size_t)SLUICE_RECEIPT_BYTES : (size_t)DEDUP_BYTES;
	if (bytes.len != len || memcmp(bytes.data, nothing, len) == 0)
		return false;
	memcpy(member, bytes.data, len);
	return true;
}

/* What the kind can't do without. */
static const char *missing_member(const struct sluice_record *record)
{
	if (record->kind == SLUICE_RECORD_FIRED)
		return record->rule.len == 0 ? "rule" : record->time_ms == 0 ? "time_ms" : NULL;
	if (record->queue.len == 0)
		return "queue";
	if (record->kind == SLUICE_RECORD_SEEN)
		return record->dedup_until_ms == 0 ? "dedup_until_ms" : NULL;
	if (record->id == 0)
		return "id";
	if (record->kind == SLUICE_RECORD_MOVE)
		return record->to_queue.len == 0 ? "to_queue"
		       : record->new_id == 0     ? "new_id"
		                                 : NULL;
	return NULL;
}

static enum sluice_status corrupt(struct sluice_error *error, const unsigned char *frame,
                                  const unsigned char *at, const char *what)
{
	return sluice_error_set(error, SLUICE_ERR_CORRUPT, (size_t)(at - frame), NULL,
	                        "a damaged record: %s", what);
}

enum sluice_status sluice_record_read(const unsigned char *frame, size_t len, size_t *offset,
                                      struct sluice_record *record, struct sluice_error *error)
{
	memset(record, 0, sizeof(*record));
	if (*offset > len || len - *offset < LENGTH_BYTES + 1)
		return sluice_error_set(error, SLUICE_ERR_CORRUPT, *offset, NULL,
		                        "a damaged record: cut off in its head");
	const unsigned char *start = frame + *offset, *at = start + LENGTH_BYTES;
	uint64_t size = get(start, LENGTH_BYTES);
	if (size == 0 || size > len - *offset - LENGTH_BYTES)
		return corrupt(error, frame, start, "its length reaches past the end");
	const unsigned char *end = at + size;
	if (*at == 0 || *at > SLUICE_RECORD_FIRED)
		return sluice_error_set(error, SLUICE_ERR_VERSION, (size_t)(at - frame), NULL,
		                        "a record of kind %u: written by a newer Sluice",
		                        (unsigned)*at);
	record->kind = (enum sluice_record_kind) * at++;
	for (unsigned before = 0; at < end;) {
		const unsigned char *place = at;
		unsigned tag = *at++;
		if (tag == 0 || tag >= TAG_END)
			return sluice_error_set(
			        error, SLUICE_ERR_VERSION, (size_t)(place - frame), NULL,
			        "a record with field %u: written by a newer Sluice", tag);
		if (tag <= before)
			return corrupt(error, frame, place, "fields out of order");
		before = tag;
		size_t head = fields[tag].type < TEXT ? NUMBER_BYTES : LENGTH_BYTES;
		if ((size_t)(end - at) < head)
			return corrupt(error, frame, place, "cut off in a field");
		uint64_t number = get(at, head);
		at += head;
		if (head == NUMBER_BYTES) {
			if (!set_number(record, &fields[tag], number))
				return corrupt(error, frame, place, "a number that can't be");
			continue;
		}
		if (number > (uint64_t)(end - at))
			return corrupt(error, frame, place, "a text reaches past the end");
		if (!set_bytes(record, &fields[tag],
		               (struct sluice_str){ (const char *)at, (size_t)number }))
			return corrupt(error, frame, place, "a key of another length");
		at += number;
	}
	const char *missing = missing_member(record);
	if (missing)
		return sluice_error_set(error, SLUICE_ERR_CORRUPT, *offset, NULL,
		                        "a damaged record: \"%s\" is missing", missing);
	*offset = (size_t)(end - frame);
	return SLUICE_OK;
}
