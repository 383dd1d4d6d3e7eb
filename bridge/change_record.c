/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "change_record.h"

#include <stdlib.h>
#include <time.h>

#include "sluice/base64.h"
#include "sluice/json.h"
#include "sluice/pattern.h"

/* A value stands in an image, and that in the record; a little is left for who wraps it. */
enum { VALUE_MAX_DEPTH = SLUICE_PATTERN_MAX_DEPTH - 12 };

static const char *event_name(enum change_event event)
{
	switch (event) {
	case CHANGE_INSERT:
		return "INSERT";
	case CHANGE_MODIFY:
		return "MODIFY";
	case CHANGE_REMOVE:
		return "REMOVE";
	case CHANGE_TRUNCATE:
		break;
	}
	return "TRUNCATE";
}

static void write_text(struct sluice_buffer *buf, const char *name, struct sluice_str text)
{
	if (!text.data)
		return;
	sluice_buffer_printf(buf, ",\"%s\":", name);
	sluice_json_write_string(buf, text);
}

static void write_json(struct sluice_buffer *buf, const char *name, struct sluice_str json)
{
	if (!json.data)
		return;
	sluice_buffer_printf(buf, ",\"%s\":", name);
	sluice_buffer_append_str(buf, json);
}

void change_record_write(const struct change_record *record, struct sluice_buffer *buf)
{
	sluice_buffer_append_text(buf, "{\"eventID\":");
	sluice_json_write_string(buf, record->event_id);
	sluice_buffer_printf(buf, ",\"eventName\":\"%s\"", event_name(record->event));
	write_text(buf, "eventSource", record->source);
	write_text(buf, "database", record->database);
	write_text(buf, "schema", record->schema);
	write_text(buf, "table", record->table);
	write_json(buf, "keys", record->keys.data ? record->keys : SLUICE_STR("{}"));
	write_json(buf, "new_image", record->new_image);
	write_json(buf, "old_image", record->old_image);
	write_json(buf, "unchanged", record->unchanged);
	write_text(buf, "sequence_number", record->sequence_number);
	write_text(buf, "time", record->time);
	sluice_buffer_append_text(buf, "}");
}

void change_write_name(struct sluice_buffer *buf, bool *any, struct sluice_str name)
{
	if (*any)
		sluice_buffer_append_text(buf, ",");
	*any = true;
	sluice_json_write_string(buf, name);
	sluice_buffer_append_text(buf, ":");
}

static const char *past_digits(const char *at, const char *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

/* RFC 8259, section 6. */
static bool is_number(struct sluice_str text)
{
	const char *at = text.data, *end = text.data + text.len, *from;

	if (at < end && *at == '-')
		at++;
	from = at;
	at = past_digits(at, end);
	if (at == from || (*from == '0' && at - from > 1))
		return false;
	if (at < end && *at == '.') {
		from = ++at;
		at = past_digits(at, end);
		if (at == from)
			return false;
	}
	if (at < end && (*at == 'e' || *at == 'E')) {
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		from = at;
		at = past_digits(at, end);
		if (at == from)
			return false;
	}
	return at == end;
}

void change_write_number(struct sluice_buffer *buf, struct sluice_str text)
{
	if (text.len > 0 && is_number(text))
		sluice_buffer_append_str(buf, text);
	else
		sluice_json_write_string(buf, text);
}

void change_write_json(struct sluice_buffer *buf, struct sluice_str text)
{
	struct sluice_json_doc *doc;
	struct sluice_error error;

	switch (sluice_json_parse(text, 0, VALUE_MAX_DEPTH, &doc, &error)) {
	case SLUICE_OK:
		sluice_json_write_compact(buf, text);
		sluice_json_destroy(doc);
		break;
	case SLUICE_ERR_NOMEM:
		/* Not as a string: which of the two it is must not hang on the memory there was. */
		buf->failed = true;
		break;
	default:
		sluice_json_write_string(buf, text);
	}
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void change_write_hex(struct sluice_buffer *buf, struct sluice_str digits)
{
	/* Three bytes at a time are four characters, without padding until the last. */
	char bytes[3], encoded[4];
	size_t start = buf->len;
	size_t count = 0;

	if (digits.len % 2 != 0) {
		sluice_json_write_string(buf, digits);
		return;
	}
	sluice_buffer_append_text(buf, "\"");
	for (size_t i = 0; i < digits.len; i += 2) {
		int high = digit(digits.data[i]), low = digit(digits.data[i + 1]);
		if (high < 0 || low < 0) {
			if (!buf->failed)
				buf->len = start;
			sluice_json_write_string(buf, digits);
			return;
		}
		bytes[count++] = (char)(high << 4 | low);
		if (count == sizeof(bytes) || i + 2 == digits.len) {
			sluice_base64_encode(sluice_str_of(bytes, count), encoded);
			sluice_buffer_append(buf, encoded, sizeof(encoded));
			count = 0;
		}
	}
	sluice_buffer_append_text(buf, "\"");
}

void change_write_time(struct sluice_buffer *buf, int64_t unix_us)
{
	struct tm tm;
	int64_t us = unix_us % 1000000;
	time_t seconds = (time_t)(unix_us / 1000000);

	if (us < 0) {
		us += 1000000;
		seconds--;
	}
	if (!gmtime_r(&seconds, &tm) || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900) {
		/* RFC 3339 has no such year. */
		sluice_buffer_append_text(buf, "1970-01-01T00:00:00.000000Z");
		return;
	}
	sluice_buffer_printf(buf, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900,
	                     tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)us);
}
