/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Explanations as text and as JSON (schemas/json/explanation.schema.json). */
#include "explain_internal.h"
#include "sluice/json.h"

static void write_array(const struct sluice_explanation *explanation, struct sluice_buffer *buf)
{
	if (explanation->array.data) {
		sluice_buffer_append_text(buf, "fields match, but in different elements of ");
		sluice_explain_path(buf, explanation->array);
	} else {
		sluice_buffer_append_text(buf, "fields match, but in different array elements");
	}
}

/* What there is to say of a field that has no leaf to show. */
static const char *remark(const struct sluice_explanation *explanation,
                          const struct sluice_explained_field *field)
{
	switch (field->state) {
	case SLUICE_FIELD_NO_PAYLOAD:
		return sluice_explain_payload(explanation);
	case SLUICE_FIELD_UNDECIDED:
		return "not decided, its values would cost too much to compare";
	case SLUICE_FIELD_MATCHED_ABSENT:
		return field->leaf_count > 0 ? "absent in that element, which matches"
		                             : "absent, which matches";
	default:
		return "absent";
	}
}

static void write_field(const struct sluice_explanation *explanation,
                        const struct sluice_explained_field *field, struct sluice_buffer *buf)
{
	for (size_t i = 0; i < field->shown; i++) {
		sluice_explain_path(buf, field->path);
		sluice_buffer_append_text(buf, ": ");
		sluice_buffer_append_str(buf, field->leaves[i].value);
		sluice_buffer_append_text(buf, " ");
		sluice_buffer_append_str(buf, field->leaves[i].why);
		sluice_buffer_append_text(buf, "\n");
	}
	if (field->shown > 0 &&
	    (field->state == SLUICE_FIELD_MATCHED || field->shown == field->leaf_count))
		return;
	sluice_explain_path(buf, field->path);
	if (field->shown > 0)
		sluice_buffer_printf(buf, ": and %zu more values, none of which matches\n",
		                     field->leaf_count - field->shown);
	else
		sluice_buffer_printf(buf, ": %s\n", remark(explanation, field));
}

void sluice_explanation_write_text(const struct sluice_explanation *explanation,
                                   struct sluice_buffer *buf)
{
	if (explanation->conjunction_count > 1 && !explanation->matched)
		sluice_buffer_printf(buf, "nearest of %zu ways through \"$or\":\n",
		                     explanation->conjunction_count);
	for (size_t i = 0; i < explanation->field_count; i++)
		write_field(explanation, &explanation->fields[i], buf);
	if (explanation->not_together && !explanation->undecided) {
		write_array(explanation, buf);
		sluice_buffer_append_text(buf, "\n");
	}
	if (explanation->undecided)
		sluice_buffer_append_text(
		        buf, "not decided: the event's arrays would cost too much to compare\n");
}

static const char *payload_name(const struct sluice_explanation *explanation)
{
	if (explanation->no_payload)
		return "absent";
	if (explanation->flags & SLUICE_MATCH_SKIPPED)
		return "not-read";
	if (explanation->flags & SLUICE_MATCH_TOO_DEEP)
		return "too-deep";
	if (explanation->flags & SLUICE_MATCH_NOT_JSON)
		return "not-json";
	if (explanation->flags & SLUICE_MATCH_TOO_MANY)
		return "too-many";
	if (explanation->flags & SLUICE_MATCH_NOT_OBJECT)
		return "not-object";
	return "object";
}

static void write_text_member(struct sluice_buffer *buf, const char *name, struct sluice_str text)
{
	sluice_buffer_printf(buf, ",\"%s\":", name);
	sluice_json_write_string(buf, text);
}

static void write_json_leaf(const struct sluice_explained_leaf *leaf, struct sluice_buffer *buf)
{
	sluice_buffer_append_text(buf, "{\"value\":");
	sluice_buffer_append_str(buf, leaf->value);
	if (leaf->cut)
		sluice_buffer_append_text(buf, ",\"cut\":true");
	write_text_member(buf, "why", leaf->why);
	sluice_buffer_append_text(buf, "}");
}

static void write_json_field(const struct sluice_explanation *explanation,
                             const struct sluice_explained_field *field, struct sluice_buffer *buf)
{
	bool matched =
	        field->state == SLUICE_FIELD_MATCHED || field->state == SLUICE_FIELD_MATCHED_ABSENT;
	sluice_buffer_append_text(buf, "{\"path\":");
	sluice_json_write_string(buf, field->path);
	write_text_member(buf, "place", field->place);
	sluice_buffer_printf(buf, ",\"match\":%s", matched ? "true" : "false");
	if (field->shown == 0)
		write_text_member(buf, "why", sluice_str(remark(explanation, field)));
	sluice_buffer_append_text(buf, ",\"leaves\":[");
	for (size_t i = 0; i < field->shown; i++) {
		if (i > 0)
			sluice_buffer_append_text(buf, ",");
		write_json_leaf(&field->leaves[i], buf);
	}
	sluice_buffer_printf(buf, "],\"leaf_count\":%zu}", field->leaf_count);
}

void sluice_explanation_write_json(const struct sluice_explanation *explanation,
                                   struct sluice_buffer *buf)
{
	sluice_buffer_printf(buf, "{\"match\":%s", explanation->matched ? "true" : "false");
	sluice_buffer_printf(buf, ",\"failed\":%zu", explanation->failed);
	sluice_buffer_printf(buf, ",\"payload\":\"%s\"", payload_name(explanation));
	if (explanation->undecided)
		sluice_buffer_append_text(buf, ",\"undecided\":true");
	if (explanation->conjunction_count > 1)
		sluice_buffer_printf(buf, ",\"or\":{\"shown\":%zu,\"of\":%zu}",
		                     explanation->conjunction, explanation->conjunction_count);
	sluice_buffer_append_text(buf, ",\"fields\":[");
	for (size_t i = 0; i < explanation->field_count; i++) {
		if (i > 0)
			sluice_buffer_append_text(buf, ",");
		write_json_field(explanation, &explanation->fields[i], buf);
	}
	sluice_buffer_append_text(buf, "]");
	if (explanation->not_together && !explanation->undecided) {
		struct sluice_buffer line = { 0 };
		write_array(explanation, &line);
		write_text_member(buf, "why", sluice_buffer_str(&line));
		if (line.failed)
			buf->failed = true;
		sluice_buffer_finish(&line);
		if (explanation->array.data)
			write_text_member(buf, "array", explanation->array);
	}
	sluice_buffer_append_text(buf, "}");
}
