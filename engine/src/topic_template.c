/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A template is cut once into pieces, each a run of literal text or one variable:
 *
 *	consumers/{consumer}/{$.site}/in
 *	[literal ][CONSUMER ][/][PATH 0][literal]
 *
 * What an event brings in must not be able to leave the place that the rule's author gave it: a
 * value holds no '/' (only {topic} brings levels), no wildcard, and is never empty.
 */
#include "topic_template.h"

#include <stdalign.h>
#include <stddef.h>

#include "arena.h"
#include "json_path.h"
#include "sluice/pattern.h"
#include "sluice/suggest.h"
#include "sluice/topic.h"
#include "text.h"

enum piece_kind { LITERAL, RULE, BUS, CONSUMER, TARGET, TOPIC, LEVEL, CLIENT_ID, USERNAME, PATH };

struct piece {
	enum piece_kind kind;
	uint32_t index;         /* LEVEL: which; PATH: index into paths */
	struct sluice_str text; /* a literal's characters; a variable as spelled, with its braces */
};

struct sluice_topic_template {
	struct sluice_arena *arena; /* owns this and all it points to */
	struct piece *pieces;
	size_t piece_count;
	struct sluice_json_path *paths;
	size_t path_count;
	struct sluice_str prefix;
	unsigned metadata;
};

static const struct {
	const char *name;
	enum piece_kind kind;
	unsigned metadata;
} variables[] = {
	{ "rule", RULE, 0 },
	{ "bus", BUS, 0 },
	{ "consumer", CONSUMER, 0 },
	{ "target", TARGET, 0 },
	{ "topic", TOPIC, SLUICE_META_TOPIC },
	{ "client_id", CLIENT_ID, SLUICE_META_CLIENT_ID },
	{ "username", USERNAME, SLUICE_META_USERNAME },
};

enum { VARIABLES = sizeof(variables) / sizeof(variables[0]) };

struct compiler {
	struct sluice_topic_template *tpl;
	struct sluice_str text;
	char *literal; /* the literal run being put together, in the arena */
	size_t literal_len;
	size_t variable_count;
	struct sluice_error *error;
};

static void flush_literal(struct compiler *compiler)
{
	struct sluice_topic_template *tpl = compiler->tpl;

	if (compiler->literal_len == 0)
		return;
	tpl->pieces[tpl->piece_count++] =
	        (struct piece){ .kind = LITERAL,
		                .text = { compiler->literal, compiler->literal_len } };
	compiler->literal += compiler->literal_len;
	compiler->literal_len = 0;
}

/* topic[N] */
static bool read_level(struct sluice_str name, uint32_t *index)
{
	if (name.len < 8 || name.len > 12 || memcmp(name.data, "topic[", 6) != 0 ||
	    name.data[name.len - 1] != ']')
		return false;
	*index = 0;
	for (size_t i = 6; i < name.len - 1; i++) {
		if (name.data[i] < '0' || name.data[i] > '9')
			return false;
		*index = *index * 10 + (uint32_t)(name.data[i] - '0');
	}
	return true;
}

static enum sluice_status unknown_variable(const struct compiler *compiler, struct sluice_str name,
                                           size_t offset)
{
	const char *names[VARIABLES + 1];
	char meant[96];

	for (size_t i = 0; i < VARIABLES; i++)
		names[i] = variables[i].name;
	names[VARIABLES] = NULL;
	return sluice_error_set(compiler->error, SLUICE_ERR_INVALID, offset, NULL,
	                        "there is no variable {%.*s}%s",
	                        (int)(name.len < 64 ? name.len : 64), name.data,
	                        sluice_suggest_format(name, names, meant, sizeof(meant)));
}

/* The variable whose '{' stands at `open` and whose '}' at `close`. */
static enum sluice_status add_variable(struct compiler *compiler, size_t open, size_t close)
{
	struct sluice_topic_template *tpl = compiler->tpl;
	struct sluice_str name = { compiler->text.data + open + 1, close - open - 1 };
	struct piece piece = { .text = { name.data - 1, name.len + 2 } };
	size_t i = 0;

	if (compiler->variable_count++ == SLUICE_TOPIC_MAX_VARIABLES)
		return sluice_error_set(compiler->error, SLUICE_ERR_LIMIT, open, NULL,
		                        "a topic has at most %d variables",
		                        SLUICE_TOPIC_MAX_VARIABLES);
	flush_literal(compiler);
	while (i < VARIABLES && !sluice_str_equal(name, sluice_str(variables[i].name)))
		i++;
	if (i < VARIABLES) {
		piece.kind = variables[i].kind;
		tpl->metadata |= variables[i].metadata;
	} else if (read_level(name, &piece.index)) {
		piece.kind = LEVEL;
		tpl->metadata |= SLUICE_META_TOPIC;
	} else if (name.len > 0 && name.data[0] == '$') {
		struct sluice_json_path *path = &tpl->paths[tpl->path_count];
		enum sluice_status status =
		        sluice_json_path_compile(name, tpl->arena, path, compiler->error);

		if (status) {
			if (compiler->error && compiler->error->offset != SIZE_MAX)
				compiler->error->offset += open + 1;
			return status;
		}
		if (path->metadata == SLUICE_META_CORRELATION_DATA)
			return sluice_error_set(
			        compiler->error, SLUICE_ERR_INVALID, open, NULL,
			        "correlation data is bytes: it can't be in a topic");
		piece.kind = PATH;
		piece.index = (uint32_t)tpl->path_count++;
		tpl->metadata |= path->metadata;
	} else {
		return unknown_variable(compiler, name, open);
	}
	tpl->pieces[tpl->piece_count++] = piece;
	return SLUICE_OK;
}

/* The '}' that closes the variable opened at `open`: not one in the quotes of a path. */
static size_t find_close(struct sluice_str text, size_t open)
{
	char quote = '\0';

	for (size_t i = open + 1; i < text.len; i++) {
		char c = text.data[i];

		if (quote) {
			if (c == '\\')
				i++;
			else if (c == quote)
				quote = '\0';
		} else if (c == '\'' || c == '"') {
			quote = c;
		} else if (c == '}') {
			return i;
		}
	}
	return SIZE_MAX;
}

static enum sluice_status compile_pieces(struct compiler *compiler)
{
	struct sluice_str text = compiler->text;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		bool twice = i + 1 < text.len && text.data[i + 1] == c;

		if (c == '{' && !twice) {
			size_t close = find_close(text, i);

			if (close == SIZE_MAX)
				return sluice_error_set(compiler->error, SLUICE_ERR_SYNTAX, i, NULL,
				                        "\"{\" is not closed; a literal one is "
				                        "written \"{{\"");
			enum sluice_status status = add_variable(compiler, i, close);
			if (status)
				return status;
			i = close;
			continue;
		}
		if (c == '}' && !twice)
			return sluice_error_set(
			        compiler->error, SLUICE_ERR_SYNTAX, i, NULL,
			        "\"}\" closes nothing; a literal one is written \"}}\"");
		if (c == '{' || c == '}')
			i++;
		if (c == '+' || c == '#')
			return sluice_error_set(compiler->error, SLUICE_ERR_INVALID, i, NULL,
			                        "a topic that is published to holds no '%c'", c);
		compiler->literal[compiler->literal_len++] = c;
	}
	flush_literal(compiler);
	return SLUICE_OK;
}

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
	struct sluice_str first = tpl->pieces[0].text;

	tpl->prefix = SLUICE_STR("");
	if (tpl->pieces[0].kind != LITERAL)
		return;
	while (tpl->piece_count > 1 && first.len > 0 && first.data[first.len - 1] != '/')
		first.len--;
	tpl->prefix = first;
}

enum sluice_status sluice_topic_template_compile(struct sluice_str text,
                                                 struct sluice_topic_template **tpl,
                                                 struct sluice_error *error)
{
	struct compiler compiler = { .text = text, .error = error };
	struct sluice_arena *arena;
	enum sluice_status status;
	size_t most = 0, paths = 0; /* variables, and paths among them, that there may be */

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
	for (size_t i = 0; i < text.len && most < SLUICE_TOPIC_MAX_VARIABLES; i++)
		most += text.data[i] == '{';
	for (size_t i = 1; i < text.len && paths < SLUICE_TOPIC_MAX_VARIABLES; i++)
		paths += text.data[i - 1] == '{' && text.data[i] == '$';
	/* Many rules have targets, and most targets name no path. */
	arena = paths ? sluice_arena_create()
	              : sluice_arena_create_for(sizeof(*compiler.tpl) + 3 * alignof(max_align_t) +
	                                        (2 * most + 1) * sizeof(struct piece) +
	                                        2 * text.len + 1);
	if (!arena)
		return sluice_out_of_memory(error);
	compiler.tpl = sluice_arena_alloc(arena, 1, sizeof(*compiler.tpl));
	compiler.text = sluice_arena_str(arena, text);
	compiler.literal = sluice_arena_bytes(arena, text.len);
	if (!compiler.tpl || !compiler.text.data || !compiler.literal) {
		sluice_arena_destroy(arena);
		return sluice_out_of_memory(error);
	}
	compiler.tpl->arena = arena;
	compiler.tpl->pieces =
	        sluice_arena_alloc(arena, 2 * most + 1, sizeof(*compiler.tpl->pieces));
	compiler.tpl->paths =
	        paths ? sluice_arena_alloc(arena, paths, sizeof(*compiler.tpl->paths)) : NULL;
	if (!compiler.tpl->pieces || (paths && !compiler.tpl->paths)) {
		sluice_arena_destroy(arena);
		return sluice_out_of_memory(error);
	}
	status = compile_pieces(&compiler);
	if (status) {
		sluice_arena_destroy(arena);
		return status;
	}
	find_prefix(compiler.tpl);
	*tpl = compiler.tpl;
	return SLUICE_OK;
}

void sluice_topic_template_destroy(struct sluice_topic_template *tpl)
{
	if (tpl)
		sluice_arena_destroy(tpl->arena);
}

struct sluice_str sluice_topic_template_prefix(const struct sluice_topic_template *tpl)
{
	return tpl->prefix;
}

unsigned sluice_topic_template_metadata(const struct sluice_topic_template *tpl)
{
	return tpl->metadata;
}

bool sluice_topic_template_reads_payload(const struct sluice_topic_template *tpl)
{
	for (size_t i = 0; i < tpl->path_count; i++)
		if (sluice_json_path_reads_payload(&tpl->paths[i]))
			return true;
	return false;
}

bool sluice_topic_template_names_consumer(const struct sluice_topic_template *tpl)
{
	for (size_t i = 0; i < tpl->piece_count; i++)
		if (tpl->pieces[i].kind == CONSUMER)
			return true;
	return false;
}

static enum sluice_status refuse(const struct piece *piece, enum sluice_status code,
                                 const char *why, struct sluice_error *error)
{
	return sluice_error_set(error, code, SIZE_MAX, NULL, "%.*s %s",
	                        (int)(piece->text.len < 128 ? piece->text.len : 128),
	                        piece->text.data, why);
}

/* Whether a value may stand within one level. */
static enum sluice_status check_value(const struct piece *piece, struct sluice_str value,
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

static enum sluice_status append_value(const struct piece *piece, struct sluice_str value,
                                       struct sluice_buffer *out, struct sluice_error *error)
{
	enum sluice_status status = check_value(piece, value, error);

	if (!status)
		sluice_buffer_append_str(out, value);
	return status;
}

static struct sluice_str topic_level(struct sluice_str topic, size_t index)
{
	const char *at = topic.data, *end = topic.data + topic.len;

	for (; at; index--) {
		const char *slash = at < end ? memchr(at, '/', (size_t)(end - at)) : NULL;

		if (index == 0)
			return (struct sluice_str){ at, (size_t)((slash ? slash : end) - at) };
		at = slash ? slash + 1 : NULL;
	}
	return (struct sluice_str){ NULL, 0 };
}

/* What a path found, as text of one level. */
static enum sluice_status append_found(const struct piece *piece, struct sluice_path_value found,
                                       struct sluice_buffer *out, struct sluice_error *error)
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

static enum sluice_status append_piece(const struct piece *piece, const struct sluice_vars *vars,
                                       const struct sluice_path_value *found,
                                       struct sluice_buffer *out, struct sluice_error *error)
{
	struct sluice_str topic = vars->event->topic;

	switch (piece->kind) {
	case LITERAL:
		sluice_buffer_append_str(out, piece->text);
		return SLUICE_OK;
	case RULE:
		return append_value(piece, vars->rule, out, error);
	case BUS:
		return append_value(piece, vars->bus, out, error);
	case CONSUMER:
		return append_value(piece, vars->consumer, out, error);
	case TARGET:
		return append_value(piece, vars->target, out, error);
	case TOPIC:
		if (!topic.data || topic.len == 0)
			return refuse(piece, SLUICE_ERR_NOT_FOUND, "is not known of this event",
			              error);
		sluice_buffer_append_str(out, topic);
		return SLUICE_OK;
	case LEVEL:
		if (topic.data)
			topic = topic_level(topic, piece->index);
		return append_value(piece, topic, out, error);
	case CLIENT_ID:
		return append_value(piece, vars->event->client_id, out, error);
	case USERNAME:
		return append_value(piece, vars->event->username, out, error);
	case PATH:
		break;
	}
	return append_found(piece, found[piece->index], out, error);
}

enum sluice_status sluice_topic_template_expand(const struct sluice_topic_template *tpl,
                                                const struct sluice_vars *vars,
                                                struct sluice_buffer *out,
                                                struct sluice_error *error)
{
	struct sluice_path_value found[SLUICE_TOPIC_MAX_VARIABLES];
	size_t start = out->len;

	if (tpl->path_count > 0 &&
	    sluice_json_path_find(tpl->paths, tpl->path_count, vars->event, found, NULL))
		return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, NULL,
		                        "the payload is not well-formed JSON");
	for (size_t i = 0; i < tpl->piece_count; i++) {
		enum sluice_status status = append_piece(&tpl->pieces[i], vars, found, out, error);

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
