/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "row.h"

#include <inttypes.h>
#include <stdio.h>

#include "change_record.h"
#include "sluice/json.h"

static void write_value(const struct sluice_json *value, char type, struct sluice_buffer *out)
{
	bool is_text = value->type == SLUICE_JSON_STRING;

	if (is_text && type == 'b')
		change_write_hex(out, value->string);
	else if (is_text && type == 'r')
		change_write_number(out, value->string);
	else
		sluice_buffer_append_str(out, value->raw);
}

static void write_members(const struct sluice_json *object, struct sluice_str types,
                          struct sluice_buffer *out)
{
	bool any = false;

	sluice_buffer_append_text(out, "{");
	for (const struct sluice_json *value = object->first; value; value = value->next) {
		change_write_name(out, &any, value->key);
		write_value(value, value->index < types.len ? types.data[value->index] : 't', out);
	}
	sluice_buffer_append_text(out, "}");
}

/* SQLite checks no text for UTF-8: what is none is U+FFFD, as our writer of strings has it. */
static enum sluice_status repair(struct sluice_str text, struct sluice_json_doc **doc,
                                 struct sluice_buffer *quoted, struct sluice_error *error)
{
	sluice_json_write_string(quoted, text);
	return quoted->failed ? sluice_out_of_memory(error)
	                      : sluice_json_parse(sluice_buffer_str(quoted), 0, 1, doc, error);
}

static enum sluice_status write_object(struct sluice_str text, struct sluice_str types,
                                       struct sluice_buffer *out, struct sluice_error *error)
{
	struct sluice_json_doc *doc, *whole = NULL;
	struct sluice_buffer quoted = { 0 };
	enum sluice_status status = sluice_json_parse(text, 0, 2, &doc, error);

	if (status == SLUICE_ERR_SYNTAX) {
		status = repair(text, &whole, &quoted, error);
		if (status == SLUICE_OK)
			status = sluice_json_parse(sluice_json_root(whole)->string, 0, 2, &doc,
			                           error);
	}
	if (status == SLUICE_OK) {
		if (sluice_json_root(doc)->type == SLUICE_JSON_OBJECT)
			write_members(sluice_json_root(doc), types, out);
		else
			status = SLUICE_ERR_CORRUPT;
		sluice_json_destroy(doc);
	}
	sluice_json_destroy(whole);
	sluice_buffer_finish(&quoted);
	if (status == SLUICE_OK || status == SLUICE_ERR_NOMEM)
		return status;
	return sluice_error_set(error, SLUICE_ERR_CORRUPT, SIZE_MAX, NULL,
	                        "it holds no JSON object");
}

static bool read_event(struct sluice_str operation, enum change_event *event)
{
	static const struct {
		struct sluice_str name;
		enum change_event event;
	} events[] = {
		{ { "INSERT", 6 }, CHANGE_INSERT },
		{ { "MODIFY", 6 }, CHANGE_MODIFY },
		{ { "REMOVE", 6 }, CHANGE_REMOVE },
	};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (sluice_str_equal(operation, events[i].name)) {
			*event = events[i].event;
			return true;
		}
	}
	return false;
}

enum sluice_status sqlite_row_write(const struct sluice_outbox_row *row, struct sluice_str database,
                                    const char *outbox_id, struct sluice_buffer *out,
                                    struct sluice_error *error)
{
	char sequence_number[24], event_id[64];
	struct sluice_buffer keys = { 0 }, new_image = { 0 }, old_image = { 0 };
	struct change_record record = {
		.source = SLUICE_STR("sqlite"),
		.database = database,
		.table = row->table,
		.time = row->time,
	};
	enum sluice_status status = SLUICE_OK;

	if (row->id < 0 || !row->time.data || !read_event(row->operation, &record.event))
		status = sluice_error_set(error, SLUICE_ERR_CORRUPT, SIZE_MAX, NULL,
		                          "it is no change");
	if (status == SLUICE_OK)
		status = write_object(row->keys, row->key_types, &keys, error);
	if (status == SLUICE_OK && row->new_image.data)
		status = write_object(row->new_image, row->new_types, &new_image, error);
	if (status == SLUICE_OK && row->old_image.data)
		status = write_object(row->old_image, row->old_types, &old_image, error);
	if (status == SLUICE_OK) {
		snprintf(sequence_number, sizeof(sequence_number), "%020" PRId64, row->id);
		snprintf(event_id, sizeof(event_id), "%s-%s", outbox_id, sequence_number);
		record.event_id = sluice_str(event_id);
		record.sequence_number = sluice_str(sequence_number);
		record.keys = sluice_buffer_str(&keys);
		if (row->new_image.data)
			record.new_image = sluice_buffer_str(&new_image);
		if (row->old_image.data)
			record.old_image = sluice_buffer_str(&old_image);
		change_record_write(&record, out);
		if (keys.failed || new_image.failed || old_image.failed || out->failed)
			status = sluice_out_of_memory(error);
	}
	sluice_buffer_finish(&keys);
	sluice_buffer_finish(&new_image);
	sluice_buffer_finish(&old_image);
	return status;
}
