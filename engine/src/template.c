/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "template.h"

#include <stdalign.h>
#include <stddef.h>

#include "sluice/pattern.h"
#include "sluice/suggest.h"

static const struct {
	const char *name;
	enum template_piece_kind kind;
	unsigned metadata;
} variables[] = {
	{ "rule", TEMPLATE_RULE, 0 },
	{ "bus", TEMPLATE_BUS, 0 },
	{ "consumer", TEMPLATE_CONSUMER, 0 },
	{ "target", TEMPLATE_TARGET, 0 },
	{ "topic", TEMPLATE_TOPIC, SLUICE_META_TOPIC },
	{ "client_id", TEMPLATE_CLIENT_ID, SLUICE_META_CLIENT_ID },
	{ "username", TEMPLATE_USERNAME, SLUICE_META_USERNAME },
	{ "id", TEMPLATE_ID, 0 },
	{ "time", TEMPLATE_TIME, 0 },
	{ "payload", TEMPLATE_PAYLOAD, 0 },
};

enum {
	TEXT_VARIABLES = sizeof(variables) / sizeof(variables[0]),
	TOPIC_VARIABLES = TEXT_VARIABLES - 3,
};

struct cutter {
	struct template *template;
	struct sluice_str text;
	const char *what;
	size_t variables; /* that it may name, from the table's beginning */
	char *literal;    /* the literal run being put together, in the arena */
	size_t literal_len;
	size_t variable_count;
	struct sluice_error *error;
};

static void flush_literal(struct cutter *cutter)
{
	struct template *template = cutter->template;

	if (cutter->literal_len == 0)
		return;
	template->pieces[template->piece_count++] =
	        (struct template_piece){ .kind = TEMPLATE_LITERAL,
		                         .text = { cutter->literal, cutter->literal_len } };
	cutter->literal += cutter->literal_len;
	cutter->literal_len = 0;
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

static enum sluice_status unknown_variable(const struct cutter *cutter, struct sluice_str name,
                                           size_t offset)
{
	const char *names[TEXT_VARIABLES + 1];
	char meant[96];

	for (size_t i = 0; i < cutter->variables; i++)
		names[i] = variables[i].name;
	names[cutter->variables] = NULL;
	return sluice_error_set(cutter->error, SLUICE_ERR_INVALID, offset, NULL,
	                        "there is no variable {%.*s}%s",
	                        (int)(name.len < 64 ? name.len : 64), name.data,
	                        sluice_suggest_format(name, names, meant, sizeof(meant)));
}

/* The variable whose '{' stands at `open` and whose '}' at `close`. */
static enum sluice_status add_variable(struct cutter *cutter, size_t open, size_t close)
{
	struct template *template = cutter->template;
	struct sluice_str name = { cutter->text.data + open + 1, close - open - 1 };
	struct template_piece piece = { .text = { name.data - 1, name.len + 2 } };
	size_t i = 0;

	if (cutter->variable_count++ == SLUICE_TOPIC_MAX_VARIABLES)
		return sluice_error_set(cutter->error, SLUICE_ERR_LIMIT, open, NULL,
		                        "%s has at most %d variables", cutter->what,
		                        SLUICE_TOPIC_MAX_VARIABLES);
	flush_literal(cutter);
	while (i < cutter->variables && !sluice_str_equal(name, sluice_str(variables[i].name)))
		i++;
	if (i < cutter->variables) {
		piece.kind = variables[i].kind;
		template->metadata |= variables[i].metadata;
	} else if (read_level(name, &piece.index)) {
		piece.kind = TEMPLATE_LEVEL;
		template->metadata |= SLUICE_META_TOPIC;
	} else if (name.len > 0 && name.data[0] == '$') {
		struct sluice_json_path *path = &template->paths[template->path_count];
		enum sluice_status status =
		        sluice_json_path_compile(name, template->arena, path, cutter->error);

		if (status) {
			if (cutter->error && cutter->error->offset != SIZE_MAX)
				cutter->error->offset += open + 1;
			return status;
		}
		if (path->metadata == SLUICE_META_CORRELATION_DATA)
			return sluice_error_set(cutter->error, SLUICE_ERR_INVALID, open, NULL,
			                        "correlation data is bytes: it can't be in %s",
			                        cutter->what);
		piece.kind = TEMPLATE_PATH;
		piece.index = (uint32_t) template->path_count++;
		template->metadata |= path->metadata;
	} else {
		return unknown_variable(cutter, name, open);
	}
	template->pieces[template->piece_count++] = piece;
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

static enum sluice_status cut_pieces(struct cutter *cutter)
{
	struct sluice_str text = cutter->text;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		bool twice = i + 1 < text.len && text.data[i + 1] == c;

		if (c == '{' && !twice) {
			size_t close = find_close(text, i);

			if (close == SIZE_MAX)
				return sluice_error_set(cutter->error, SLUICE_ERR_SYNTAX, i, NULL,
				                        "\"{\" is not closed; a literal one is "
				                        "written \"{{\"");
			enum sluice_status status = add_variable(cutter, i, close);
			if (status)
				return status;
			i = close;
			continue;
		}
		if (c == '}' && !twice)
			return sluice_error_set(
			        cutter->error, SLUICE_ERR_SYNTAX, i, NULL,
			        "\"}\" closes nothing; a literal one is written \"}}\"");
		if (c == '{' || c == '}')
			i++;
		if ((c == '+' || c == '#') && cutter->variables == TOPIC_VARIABLES)
			return sluice_error_set(cutter->error, SLUICE_ERR_INVALID, i, NULL,
			                        "a topic that is published to holds no '%c'", c);
		cutter->literal[cutter->literal_len++] = c;
	}
	flush_literal(cutter);
	return SLUICE_OK;
}

static void count(struct sluice_str text, size_t *most, size_t *paths)
{
	*most = *paths = 0;
	for (size_t i = 0; i < text.len && *most < SLUICE_TOPIC_MAX_VARIABLES; i++)
		*most += text.data[i] == '{';
	for (size_t i = 1; i < text.len && *paths < SLUICE_TOPIC_MAX_VARIABLES; i++)
		*paths += text.data[i - 1] == '{' && text.data[i] == '$';
}

struct sluice_arena *sluice_template_arena(struct sluice_str text, size_t size)
{
	size_t most, paths;

	count(text, &most, &paths);
	/* Many rules have targets, and most targets name no path. */
	return paths ? sluice_arena_create()
	             : sluice_arena_create_for(size + 3 * alignof(max_align_t) +
	                                       (2 * most + 1) * sizeof(struct template_piece) +
	                                       2 * text.len + 1);
}

enum sluice_status sluice_template_cut(struct template *template, struct sluice_arena *arena,
                                       struct sluice_str text, const char *what, bool is_text,
                                       struct sluice_error *error)
{
	struct cutter cutter = { .template = template,
		                 .what = what,
		                 .variables = is_text ? TEXT_VARIABLES : TOPIC_VARIABLES,
		                 .error = error };
	size_t most, paths;

	count(text, &most, &paths);
	cutter.text = sluice_arena_str(arena, text);
	cutter.literal = sluice_arena_bytes(arena, text.len);
	template->arena = arena;
	template->pieces = sluice_arena_alloc(arena, 2 * most + 1, sizeof(*template->pieces));
	template->paths = paths ? sluice_arena_alloc(arena, paths, sizeof(*template->paths)) : NULL;
	if (!cutter.text.data || !cutter.literal || !template->pieces ||
	    (paths && !template->paths))
		return sluice_out_of_memory(error);
	return cut_pieces(&cutter);
}

bool sluice_template_find(const struct template *template, const struct sluice_event *event,
                          struct sluice_path_value *found)
{
	return template->path_count == 0 ||
	       !sluice_json_path_find(template->paths, template->path_count, event, found, NULL);
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

struct sluice_str sluice_template_value(const struct template_piece *piece,
                                        const struct sluice_vars *vars, char time[SLUICE_TIME_SIZE])
{
	struct sluice_str topic = vars->event->topic;

	switch (piece->kind) {
	case TEMPLATE_LITERAL:
		return piece->text;
	case TEMPLATE_RULE:
		return vars->rule;
	case TEMPLATE_BUS:
		return vars->bus;
	case TEMPLATE_CONSUMER:
		return vars->consumer;
	case TEMPLATE_TARGET:
		return vars->target;
	case TEMPLATE_TOPIC:
		return topic.len ? topic : (struct sluice_str){ NULL, 0 };
	case TEMPLATE_LEVEL:
		return topic.data ? topic_level(topic, piece->index) : topic;
	case TEMPLATE_CLIENT_ID:
		return vars->event->client_id;
	case TEMPLATE_USERNAME:
		return vars->event->username;
	case TEMPLATE_ID:
		return vars->id;
	case TEMPLATE_TIME:
		return sluice_str(sluice_time_format(vars->time_ms, time));
	case TEMPLATE_PAYLOAD:
		return vars->event->payload;
	case TEMPLATE_PATH:
		break;
	}
	return (struct sluice_str){ NULL, 0 };
}

bool sluice_template_reads_payload(const struct template *template)
{
	for (size_t i = 0; i < template->path_count; i++)
		if (sluice_json_path_reads_payload(&template->paths[i]))
			return true;
	return false;
}
