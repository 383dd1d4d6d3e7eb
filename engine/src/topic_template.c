/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What an event brings in must not be able to leave the place that the rule's author gave it: a
 * value holds no '/' (only {topic} brings levels), no wildcard, and is never empty.
 */
#include "topic_template.h"

#include "sluice/topic.h"
#include "template.h"
#include "text.h"

struct sluice_topic_template {
	struct template parts; /* its arena owns this */
	struct sluice_str prefix;
};

/* A control character (C0, DEL, C1) or NUL in well-formed UTF-8. */
static bool holds_control(struct sluice_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c < 0x20 || c == 0x7f)
			return true;
		if (c == 0xc2 && i + 1 < text.len && (unsigned char)text.data[i + 1] < 0xa0)
			return true;
	}
	return false;
}

static void find_prefix(struct sluice_topic_template *tpl)
{
	struct sluice_str first = tpl->parts.pieces[0].text;

	tpl->prefix = SLUICE_STR("");
	if (tpl->parts.pieces[0].kind != TEMPLATE_LITERAL)
		return;
	while (tpl->parts.piece_count > 1 && first.len > 0 && first.data[first.len - 1] != '/')
		first.len--;
	tpl->prefix = first;
}

enum sluice_status sluice_topic_template_compile(struct sluice_str text,
                                                 struct sluice_topic_template **tpl,
                                                 struct sluice_error *error)
{
	*tpl = NULL;
	if (text.len == 0)
		return sluice_error_set(error, SLUICE_ERR_INVALID, 0, NULL,
		                        "a topic must not be empty");
	if (text.len > SLUICE_TOPIC_MAX_BYTES)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, SLUICE_TOPIC_MAX_BYTES, NULL,
		                        "a topic is longer than %d bytes", SLUICE_TOPIC_MAX_BYTES);
	if (text.data[0] == '$')
		return sluice_error_set(error, SLUICE_ERR_INVALID, 0, NULL,
		                        "a target's topic must not begin with \"$\"");
	if (sluice_text_utf8_length(text) != text.len || holds_control(text))
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "a topic holds neither control characters nor what is no "
		                        "UTF-8");
	struct sluice_arena *arena = sluice_template_arena(text, sizeof(**tpl));
	struct sluice_topic_template *made =
	        arena ? sluice_arena_alloc(arena, 1, sizeof(*made)) : NULL;
	enum sluice_status status =
	        made ? sluice_template_cut(&made->parts, arena, text, "a topic", false, error)
	             : sluice_out_of_memory(error);
	if (status) {
		sluice_arena_destroy(arena);
		return status;
	}
	find_prefix(made);
	*tpl = made;
	return SLUICE_OK;
}

void sluice_topic_template_destroy(struct sluice_topic_template *tpl)
{
	if (tpl)
		sluice_arena_destroy(tpl->parts.arena);
}

struct sluice_str sluice_topic_template_prefix(const struct sluice_topic_template *tpl)
{
	return tpl->prefix;
}

unsigned sluice_topic_template_metadata(const struct sluice_topic_template *tpl)
{
	return tpl->parts.metadata;
}

bool sluice_topic_template_reads_payload(const struct sluice_topic_template *tpl)
{
	return sluice_template_reads_payload(&tpl->parts);
}

bool sluice_topic_template_names_consumer(const struct sluice_topic_template *tpl)
{
	for (size_t i = 0; i < tpl->parts.piece_count; i++)
		if (tpl->parts.pieces[i].kind == TEMPLATE_CONSUMER)
			return true;
	return false;
}

static enum sluice_status refuse(const struct template_piece *piece, enum sluice_status code,
                                 const char *why, struct sluice_error *error)
{
	return sluice_error_set(error, code, SIZE_MAX, NULL, "%.*s %s",
	                        (int)(piece->text.len < 128 ? piece->text.len : 128),
	                        piece->text.data, why);
}

/* Whether a value may stand within one level. */
static enum sluice_status check_value(const struct template_piece *piece, struct sluice_str value,
                                      struct sluice_error *error)
{
	if (!value.data)
		return refuse(piece, SLUICE_ERR_NOT_FOUND, "is not known of this event", error);
	if (value.len == 0)
		return refuse(piece, SLUICE_ERR_INVALID, "is empty", error);
	for (size_t i = 0; i < value.len; i++)
		if (value.data[i] == '/' || value.data[i] == '+' || value.data[i] == '#')
			return refuse(piece, SLUICE_ERR_INVALID, "holds one of / + #", error);
	if (holds_control(value))
		return refuse(piece, SLUICE_ERR_INVALID, "holds a control character", error);
	return SLUICE_OK;
}

static enum sluice_status append_value(const struct template_piece *piece, struct sluice_str value,
                                       struct sluice_buffer *out, struct sluice_error *error)
{
	enum sluice_status status = check_value(piece, value, error);

	if (!status)
		sluice_buffer_append_str(out, value);
	return status;
}

/* What a path found, as text of one level. */
static enum sluice_status append_found(const struct template_piece *piece,
                                       struct sluice_path_value found, struct sluice_buffer *out,
                                       struct sluice_error *error)
{
	struct sluice_str text = found.text;

	switch (found.kind) {
	case SLUICE_PATH_ABSENT:
		return append_value(piece, (struct sluice_str){ NULL, 0 }, out, error);
	case SLUICE_PATH_TEXT:
		return append_value(piece, text, out, error);
	case SLUICE_PATH_BASE64: /* refused when it was compiled */
	case SLUICE_PATH_JSON:
		break;
	}
	if (text.data[0] == '{' || text.data[0] == '[' || text.data[0] == 'n')
		return refuse(piece, SLUICE_ERR_INVALID, "is no string, number or boolean", error);
	if (text.data[0] != '"')
		return append_value(piece, text, out, error);
	text = (struct sluice_str){ text.data + 1, text.len - 2 };
	if (!memchr(text.data, '\\', text.len))
		return append_value(piece, text, out, error);
	/* Decoded where it is to stand; the decoded form is never the longer one. */
	size_t start = out->len;
	sluice_buffer_append_str(out, text);
	if (out->failed)
		return SLUICE_OK; /* the caller asks once, at the end */
	out->len = start + sluice_text_unescape(text, out->data + start);
	out->data[out->len] = '\0';
	return check_value(piece, (struct sluice_str){ out->data + start, out->len - start },
	                   error);
}

static enum sluice_status append_piece(const struct template_piece *piece,
                                       const struct sluice_vars *vars,
                                       const struct sluice_path_value *found,
                                       struct sluice_buffer *out, struct sluice_error *error)
{
	char time[SLUICE_TIME_SIZE];

	if (piece->kind == TEMPLATE_PATH)
		return append_found(piece, found[piece->index], out, error);
	struct sluice_str value = sluice_template_value(piece, vars, time);
	/* Only these two bring levels. */
	if (piece->kind != TEMPLATE_LITERAL && piece->kind != TEMPLATE_TOPIC)
		return append_value(piece, value, out, error);
	if (!value.data)
		return refuse(piece, SLUICE_ERR_NOT_FOUND, "is not known of this event", error);
	sluice_buffer_append_str(out, value);
	return SLUICE_OK;
}

enum sluice_status sluice_topic_template_expand(const struct sluice_topic_template *tpl,
                                                const struct sluice_vars *vars,
                                                struct sluice_buffer *out,
                                                struct sluice_error *error)
{
	struct sluice_path_value found[SLUICE_TOPIC_MAX_VARIABLES];
	size_t start = out->len;

	if (!sluice_template_find(&tpl->parts, vars->event, found))
		return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, NULL,
		                        "the payload is not well-formed JSON");
	for (size_t i = 0; i < tpl->parts.piece_count; i++) {
		enum sluice_status status =
		        append_piece(&tpl->parts.pieces[i], vars, found, out, error);

		if (status)
			return status;
	}
	if (out->failed && !out->over_limit)
		return sluice_out_of_memory(error);
	if (out->failed || out->len - start > SLUICE_TOPIC_MAX_BYTES)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, NULL,
		                        "the topic would be longer than %d bytes",
		                        SLUICE_TOPIC_MAX_BYTES);

	struct sluice_str topic = { out->data + start, out->len - start };
	if (topic.data[0] == '$')
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "the topic would begin with \"$\"");
	if (!sluice_topic_valid(topic))
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "the result is no valid topic");
	return SLUICE_OK;
}
