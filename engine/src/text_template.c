/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sluice/text_template.h"

#include "template.h"
#include "text.h"

struct sluice_text_template {
	struct template parts; /* its arena owns this */
};

enum sluice_status sluice_text_template_compile(struct sluice_str text,
                                                struct sluice_text_template **tpl,
                                                struct sluice_error *error)
{
	*tpl = NULL;
	if (text.len > SLUICE_TRANSFORM_MAX_TEMPLATE)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, SLUICE_TRANSFORM_MAX_TEMPLATE,
		                        NULL, "a template is longer than %d bytes",
		                        SLUICE_TRANSFORM_MAX_TEMPLATE);
	if (sluice_text_utf8_length(text) != text.len)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "a template must be UTF-8");
	struct sluice_arena *arena = sluice_template_arena(text, sizeof(**tpl));
	struct sluice_text_template *made =
	        arena ? sluice_arena_alloc(arena, 1, sizeof(*made)) : NULL;
	enum sluice_status status =
	        made ? sluice_template_cut(&made->parts, arena, text, "a template", true, error)
	             : sluice_out_of_memory(error);
	if (status)
		sluice_arena_destroy(arena);
	else
		*tpl = made;
	return status;
}

void sluice_text_template_destroy(struct sluice_text_template *tpl)
{
	if (tpl)
		sluice_arena_destroy(tpl->parts.arena);
}

struct sluice_str sluice_text_template_constant(const struct sluice_text_template *tpl)
{
	const struct template *parts = &tpl->parts;

	if (parts->piece_count == 0)
		return SLUICE_STR("");
	if (parts->piece_count == 1 && parts->pieces[0].kind == TEMPLATE_LITERAL)
		return parts->pieces[0].text;
	return (struct sluice_str){ NULL, 0 };
}

/* A text that has to be made first is made in `made`. Failure is in its `failed`. */
static struct sluice_str found_text(struct sluice_path_value found, struct sluice_buffer *made)
{
	struct sluice_str text = found.text;

	sluice_buffer_reset(made);
	switch (found.kind) {
	case SLUICE_PATH_ABSENT:
		return SLUICE_STR("");
	case SLUICE_PATH_TEXT:
		return text;
	case SLUICE_PATH_BASE64: /* refused when it was compiled */
	case SLUICE_PATH_JSON:
		break;
	}
	if (sluice_str_equal(text, SLUICE_STR("null")))
		return SLUICE_STR("");
	if (text.data[0] != '"')
		return text;
	text = (struct sluice_str){ text.data + 1, text.len - 2 };
	if (text.len == 0 || !memchr(text.data, '\\', text.len))
		return text;
	sluice_buffer_append_str(made, text); /* what it stands for is not longer */
	if (!made->failed)
		made->len = sluice_text_unescape(text, made->data);
	return sluice_buffer_str(made);
}

static enum sluice_status append_piece(const struct template_piece *piece,
                                       const struct sluice_vars *vars,
                                       const struct sluice_path_value *found,
                                       enum sluice_encoding encoding, struct sluice_buffer *out,
                                       struct sluice_error *error)
{
	struct sluice_buffer made = { 0 };
	char time[SLUICE_TIME_SIZE];
	struct sluice_str value;

	if (piece->kind == TEMPLATE_LITERAL) {
		sluice_buffer_append_str(out, piece->text);
		return SLUICE_OK;
	}
	value = piece->kind == TEMPLATE_PATH ? found_text(found[piece->index], &made)
	                                     : sluice_template_value(piece, vars, time);
	bool done = sluice_encode(value, encoding, out);
	out->failed |= made.failed;
	sluice_buffer_finish(&made);
	if (!done)
		return sluice_error_set(
		        error, SLUICE_ERR_INVALID, SIZE_MAX, NULL, "%.*s holds a control character",
		        (int)(piece->text.len < 128 ? piece->text.len : 128), piece->text.data);
	return SLUICE_OK;
}

enum sluice_status sluice_text_template_expand(const struct sluice_text_template *tpl,
                                               const struct sluice_vars *vars,
                                               enum sluice_encoding encoding,
                                               struct sluice_buffer *out,
                                               struct sluice_error *error)
{
	struct sluice_path_value found[SLUICE_TOPIC_MAX_VARIABLES];

	if (!sluice_template_find(&tpl->parts, vars->event, found))
		return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, NULL,
		                        "the payload is not well-formed JSON");
	for (size_t i = 0; i < tpl->parts.piece_count; i++) {
		enum sluice_status status =
		        append_piece(&tpl->parts.pieces[i], vars, found, encoding, out, error);

		if (status)
			return status;
	}
	if (out->failed && out->over_limit)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, NULL,
		                        "the text is longer than %zu bytes", out->limit);
	return out->failed ? sluice_out_of_memory(error) : SLUICE_OK;
}
