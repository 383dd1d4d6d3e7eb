/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Compiling cuts the template into pieces, and says of each variable in which place it stands:
 *
 *	{"at": <t>, "text": "<t> is hot"}
 *	[{"at":][VALUE t][,"text":"][STRING t][ is hot"}]
 *
 * That the pieces are JSON is proved once: the template with null for each VALUE and nothing for
 * each STRING is read by the strict reader. Since VALUE writes one well-formed value and STRING
 * only characters that may stand in a string, so is whatever comes out.
 */
#include "input_template.h"

#include "path_value.h"
#include "sluice/json.h"
#include "sluice/pattern.h"
#include "sluice/suggest.h"
#include "text.h"

enum place { LITERAL, VALUE, STRING, PLAIN };

enum reserved { NOT_RESERVED, RULE, BUS, TOPIC, TIME, ID, EVENT };

struct piece {
	enum place place;
	enum reserved reserved;
	struct sluice_str text; /* of a literal */
	size_t variable;        /* index, when it is not reserved */
};

struct sluice_input_template {
	struct piece *pieces;
	size_t piece_count;
	struct sluice_json_path *paths; /* of the variables it names, in their order */
	size_t path_count;
	bool whole_event; /* names the event itself, as JSON */
	unsigned metadata;
};

static const struct {
	const char *name;
	enum reserved reserved;
} reserved_names[] = {
	{ "sluice.rule", RULE },
	{ "sluice.bus", BUS },
	{ "sluice.topic", TOPIC },
	{ "sluice.time", TIME },
	{ "sluice.id", ID },
	{ "sluice.event", EVENT },
	/* EventBridge's names for the same. */
	{ "aws.events.rule-name", RULE },
	{ "aws.events.event", EVENT },
	{ "aws.events.event.json", EVENT },
	{ "aws.events.event.ingestion-time", TIME },
};

enum { RESERVED_NAMES = sizeof(reserved_names) / sizeof(reserved_names[0]) };

struct compiler {
	struct sluice_str text;
	size_t at;
	const struct sluice_template_variable *variables;
	size_t variable_count;
	struct sluice_arena *arena;
	struct sluice_input_template *tpl;
	size_t *path_of; /* variable → index of its path in the template + 1; 0: not named yet */
	char *literal;   /* the run being put together, in the arena */
	size_t literal_len;
	struct sluice_buffer probe;
	struct sluice_error *error;
};

static void literal(struct compiler *compiler, char c)
{
	compiler->literal[compiler->literal_len++] = c;
	sluice_buffer_append(&compiler->probe, &c, 1);
}

static void flush_literal(struct compiler *compiler)
{
	struct sluice_input_template *tpl = compiler->tpl;

	if (compiler->literal_len == 0)
		return;
	tpl->pieces[tpl->piece_count++] =
	        (struct piece){ .place = LITERAL,
		                .text = { compiler->literal, compiler->literal_len } };
	compiler->literal += compiler->literal_len;
	compiler->literal_len = 0;
}

static bool name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.';
}

/*
 * Whether the '<' at hand begins a variable, whose name it gives. A '<' that a letter or '_'
 * follows must be one; before anything else it is one when a name and '>' follow, else itself.
 */
static enum sluice_status read_name(struct compiler *compiler, struct sluice_str *name, bool *is)
{
	size_t start = compiler->at + 1, end = start;

	while (end < compiler->text.len && name_character(compiler->text.data[end]))
		end++;
	*name = (struct sluice_str){ compiler->text.data + start, end - start };
	*is = end > start && end < compiler->text.len && compiler->text.data[end] == '>';
	if (*is || end == start)
		return SLUICE_OK;
	char first = name->data[0];
	if ((first >= '0' && first <= '9') || first == '-' || first == '.')
		return SLUICE_OK;
	return sluice_error_set(
	        compiler->error, SLUICE_ERR_SYNTAX, compiler->at, NULL,
	        "\"<%.*s\" is not closed by \">\"; a literal one is written \"\\<\"",
	        (int)(name->len < 64 ? name->len : 64), name->data);
}

static enum sluice_status unknown_variable(const struct compiler *compiler, struct sluice_str name)
{
	const char *names[SLUICE_TRANSFORM_MAX_PATHS + RESERVED_NAMES + 1];
	char meant[96];
	size_t count = 0;

	if (sluice_str_equal(name, SLUICE_STR("aws.events.rule-arn")))
		return sluice_error_set(compiler->error, SLUICE_ERR_INVALID, compiler->at, NULL,
		                        "rules have no ARN here; <aws.events.rule-name> is the "
		                        "rule's name");
	/* Names end in NUL: they were copied into the arena. */
	for (size_t i = 0; i < compiler->variable_count; i++)
		names[count++] = compiler->variables[i].name.data;
	for (size_t i = 0; i < RESERVED_NAMES; i++)
		names[count++] = reserved_names[i].name;
	names[count] = NULL;
	return sluice_error_set(compiler->error, SLUICE_ERR_INVALID, compiler->at, NULL,
	                        "no variable <%.*s> is among the paths%s",
	                        (int)(name.len < 64 ? name.len : 64), name.data,
	                        sluice_suggest_format(name, names, meant, sizeof(meant)));
}

static enum sluice_status add_variable(struct compiler *compiler, struct sluice_str name,
                                       enum place place)
{
	struct sluice_input_template *tpl = compiler->tpl;
	struct piece piece = { .place = place };

	flush_literal(compiler);
	for (size_t i = 0; i < RESERVED_NAMES; i++)
		if (sluice_str_equal(name, sluice_str(reserved_names[i].name)))
			piece.reserved = reserved_names[i].reserved;
	if (piece.reserved == TOPIC)
		tpl->metadata |= SLUICE_META_TOPIC;
	if (piece.reserved == EVENT && place != PLAIN)
		tpl->whole_event = true;
	if (piece.reserved == NOT_RESERVED) {
		size_t i = 0;

		while (i < compiler->variable_count &&
		       !sluice_str_equal(name, compiler->variables[i].name))
			i++;
		if (i == compiler->variable_count)
			return unknown_variable(compiler, name);
		if (compiler->path_of[i] == 0) {
			tpl->paths[tpl->path_count] = compiler->variables[i].path;
			compiler->path_of[i] = ++tpl->path_count;
		}
		piece.variable = compiler->path_of[i] - 1;
	}
	tpl->pieces[tpl->piece_count++] = piece;
	if (place == VALUE)
		sluice_buffer_append_text(&compiler->probe, "null");
	compiler->at += name.len + 2;
	return SLUICE_OK;
}

/* The variable or the character at hand; a '<' behind a backslash is a character. */
static enum sluice_status compile_character(struct compiler *compiler, enum place place,
                                            bool *variable)
{
	char c = compiler->text.data[compiler->at];
	char next = compiler->at + 1 < compiler->text.len ? compiler->text.data[compiler->at + 1]
	                                                  : '\0';

	*variable = false;
	if (c == '<') {
		struct sluice_str name;
		enum sluice_status status = read_name(compiler, &name, variable);

		if (status)
			return status;
		if (*variable)
			return add_variable(compiler, name, place);
	}
	bool escape = next == '<' || next == '>' || (next == '\\' && place == PLAIN);
	if (c == '\\' && escape && place != VALUE) {
		literal(compiler, next);
		compiler->at += 2;
		return SLUICE_OK;
	}
	literal(compiler, c);
	compiler->at++;
	if (c == '\\' && next && place == STRING) {
		literal(compiler, next);
		compiler->at++;
	}
	return SLUICE_OK;
}

static enum sluice_status compile_string(struct compiler *compiler)
{
	size_t start = compiler->at;
	bool variable, any = false;

	literal(compiler, '"');
	compiler->at++;
	while (compiler->at < compiler->text.len && compiler->text.data[compiler->at] != '"') {
		enum sluice_status status = compile_character(compiler, STRING, &variable);

		if (status)
			return status;
		any |= variable;
	}
	if (compiler->at == compiler->text.len)
		return sluice_error_set(compiler->error, SLUICE_ERR_SYNTAX, start, NULL,
		                        "a string in the template is not closed");
	literal(compiler, '"');
	compiler->at++;
	size_t next = compiler->at;
	while (next < compiler->text.len && sluice_text_is_space(compiler->text.data[next]))
		next++;
	if (any && next < compiler->text.len && compiler->text.data[next] == ':')
		return sluice_error_set(compiler->error, SLUICE_ERR_INVALID, start, NULL,
		                        "a variable can't stand in a member's name");
	return SLUICE_OK;
}

static enum sluice_status compile_json(struct compiler *compiler)
{
	struct sluice_json_doc *doc;
	struct sluice_error fault;
	enum sluice_status status = SLUICE_OK;
	bool variable;

	while (!status && compiler->at < compiler->text.len) {
		char c = compiler->text.data[compiler->at];

		if (c == '"')
			status = compile_string(compiler);
		else if (sluice_text_is_space(c))
			compiler->at++;
		else
			status = compile_character(compiler, VALUE, &variable);
		/* "1 2" must not become "12": the reader is to see the space. */
		if (!status && sluice_text_is_space(c))
			sluice_buffer_append(&compiler->probe, " ", 1);
	}
	if (status)
		return status;
	if (compiler->probe.failed)
		return sluice_out_of_memory(compiler->error);
	status = sluice_json_parse(sluice_buffer_str(&compiler->probe), 0, SLUICE_PATTERN_MAX_DEPTH,
	                           &doc, &fault);
	sluice_json_destroy(doc);
	if (status == SLUICE_ERR_NOMEM)
		return sluice_out_of_memory(compiler->error);
	if (status)
		return sluice_error_set(
		        compiler->error, status, SIZE_MAX, NULL,
		        "the template, with its variables filled in, is no JSON: "
		        "%s (a template of plain text does not begin with { [ or \")",
		        fault.message);
	return SLUICE_OK;
}

static enum sluice_status compile_plain(struct compiler *compiler)
{
	enum sluice_status status = SLUICE_OK;
	bool variable;

	while (!status && compiler->at < compiler->text.len)
		status = compile_character(compiler, PLAIN, &variable);
	return status;
}

static bool begins_as_json(struct sluice_str text)
{
	size_t i = 0;

	while (i < text.len && sluice_text_is_space(text.data[i]))
		i++;
	return i < text.len && (text.data[i] == '{' || text.data[i] == '[' || text.data[i] == '"');
}

enum sluice_status sluice_input_template_compile(struct sluice_str text,
                                                 const struct sluice_template_variable *variables,
                                                 size_t variable_count, struct sluice_arena *arena,
                                                 struct sluice_input_template **tpl,
                                                 struct sluice_error *error)
{
	struct compiler compiler = { .text = text,
		                     .variables = variables,
		                     .variable_count = variable_count,
		                     .arena = arena,
		                     .error = error };
	size_t path_of[SLUICE_TRANSFORM_MAX_PATHS] = { 0 }, most = 0;
	enum sluice_status status;

	if (text.len > SLUICE_TRANSFORM_MAX_TEMPLATE)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, SLUICE_TRANSFORM_MAX_TEMPLATE,
		                        NULL, "the template is longer than %d bytes",
		                        SLUICE_TRANSFORM_MAX_TEMPLATE);
	if (sluice_text_utf8_length(text) != text.len)
		return sluice_error_set(error, SLUICE_ERR_INVALID, sluice_text_utf8_length(text),
		                        NULL, "the template holds half a surrogate pair");
	for (size_t i = 0; i < text.len; i++)
		most += text.data[i] == '<';
	compiler.path_of = path_of;
	compiler.tpl = sluice_arena_alloc(arena, 1, sizeof(*compiler.tpl));
	compiler.literal = sluice_arena_bytes(arena, text.len + 1);
	if (!compiler.tpl || !compiler.literal)
		return sluice_out_of_memory(error);
	compiler.tpl->pieces =
	        sluice_arena_alloc(arena, 2 * most + 1, sizeof(*compiler.tpl->pieces));
	compiler.tpl->paths =
	        sluice_arena_alloc(arena, variable_count + 1, sizeof(*compiler.tpl->paths));
	if (!compiler.tpl->pieces || !compiler.tpl->paths)
		return sluice_out_of_memory(error);
	status = begins_as_json(text) ? compile_json(&compiler) : compile_plain(&compiler);
	flush_literal(&compiler);
	sluice_buffer_finish(&compiler.probe);
	*tpl = compiler.tpl;
	return status;
}

unsigned sluice_input_template_metadata(const struct sluice_input_template *tpl)
{
	unsigned metadata = tpl->metadata;

	for (size_t i = 0; i < tpl->path_count; i++)
		metadata |= tpl->paths[i].metadata;
	return metadata;
}

bool sluice_input_template_reads_payload(const struct sluice_input_template *tpl)
{
	for (size_t i = 0; i < tpl->path_count; i++)
		if (sluice_json_path_reads_payload(&tpl->paths[i]))
			return true;
	return tpl->whole_event;
}

static struct sluice_path_value reserved_value(enum reserved reserved,
                                               const struct sluice_vars *vars,
                                               enum sluice_payload_kind payload,
                                               char time[SLUICE_TIME_SIZE])
{
	struct sluice_path_value value = { .kind = SLUICE_PATH_TEXT };

	switch (reserved) {
	case RULE:
		value.text = vars->rule;
		break;
	case BUS:
		value.text = vars->bus;
		break;
	case TOPIC:
		value.text = vars->event->topic;
		break;
	case TIME:
		value.text = sluice_str(sluice_time_format(vars->time_ms, time));
		break;
	case ID:
		value.text = vars->id;
		break;
	case EVENT:
		value.text = vars->event->payload;
		if (payload != SLUICE_PAYLOAD_MALFORMED)
			value.kind = SLUICE_PATH_JSON;
		break;
	case NOT_RESERVED:
		break;
	}
	if (!value.text.data)
		value.kind = SLUICE_PATH_ABSENT;
	return value;
}

/* The value without the white space around it: a payload may begin with some. */
static struct sluice_str trimmed(struct sluice_str text)
{
	while (text.len > 0 && sluice_text_is_space(text.data[0])) {
		text.data++;
		text.len--;
	}
	while (text.len > 0 && sluice_text_is_space(text.data[text.len - 1]))
		text.len--;
	return text;
}

enum sluice_status sluice_input_template_apply(const struct sluice_input_template *tpl,
                                               const struct sluice_vars *vars,
                                               struct sluice_buffer *out,
                                               struct sluice_error *error)
{
	struct sluice_path_value found[SLUICE_TRANSFORM_MAX_PATHS];
	enum sluice_payload_kind payload = SLUICE_PAYLOAD_MALFORMED;
	char time[SLUICE_TIME_SIZE];

	if (sluice_json_path_find(tpl->paths, tpl->path_count, vars->event, found,
	                          tpl->whole_event ? &payload : NULL))
		return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, NULL,
		                        "the payload is not well-formed JSON");
	if (tpl->whole_event && payload == SLUICE_PAYLOAD_MALFORMED &&
	    sluice_text_utf8_length(vars->event->payload) != vars->event->payload.len)
		return sluice_error_set(
		        error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		        "the payload is neither JSON nor UTF-8, and the template asks "
		        "for all of it");
	for (size_t i = 0; i < tpl->piece_count && !out->failed; i++) {
		const struct piece *piece = &tpl->pieces[i];
		struct sluice_path_value value;

		if (piece->place == LITERAL) {
			sluice_buffer_append_str(out, piece->text);
			continue;
		}
		if (piece->reserved)
			value = reserved_value(piece->reserved, vars, payload, time);
		else
			value = found[piece->variable];
		if (value.kind == SLUICE_PATH_JSON)
			value.text = trimmed(value.text);
		if (piece->place == VALUE)
			sluice_path_value_write_json(value, out);
		else if (piece->place == STRING)
			sluice_path_value_write_inside(value, out);
		else
			sluice_path_value_write_plain(value, out);
	}
	return SLUICE_OK;
}
