/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The pattern compiler: from JSON text to fields and conjunctions (predicate.h). */
#include "pattern_compile.h"

#include <assert.h>

#include "document.h"
#include "quote.h"
#include "sluice/json.h"
#include "sluice/suggest.h"

/* Where in `$mqtt` a pattern may look. */
enum meta_shape {
	META_LEAF, /* the member itself */
	META_TREE, /* the member, and what stands below it */
	META_NAMED /* only what stands below it, under any name */
};

static const struct {
	const char *name;
	unsigned bit;
	enum meta_shape shape;
} meta_members[] = {
	{ "topic", SLUICE_META_TOPIC, META_LEAF },
	{ "client_id", SLUICE_META_CLIENT_ID, META_LEAF },
	{ "username", SLUICE_META_USERNAME, META_LEAF },
	{ "qos", SLUICE_META_QOS, META_LEAF },
	{ "retain", SLUICE_META_RETAIN, META_LEAF },
	{ "content_type", SLUICE_META_CONTENT_TYPE, META_LEAF },
	{ "response_topic", SLUICE_META_RESPONSE_TOPIC, META_LEAF },
	{ "correlation_data", SLUICE_META_CORRELATION_DATA, META_LEAF },
	{ "payload_format", SLUICE_META_PAYLOAD_FORMAT, META_LEAF },
	{ "user_properties", SLUICE_META_USER_PROPERTIES, META_NAMED },
	{ "payload", SLUICE_META_PAYLOAD, META_LEAF },
	{ "value", SLUICE_META_VALUE, META_TREE },
};
enum { META_COUNT = sizeof(meta_members) / sizeof(meta_members[0]) };

/* A path that some field names, once. */
struct known_path {
	uint64_t hash;
	struct sluice_str text;
};

struct compiler {
	struct sluice_pattern *pattern;
	struct sluice_arena *arena;   /* the pattern's */
	struct sluice_arena *scratch; /* the document's: dies with the compiler */
	struct sluice_error *error;
	struct sluice_field *fields; /* in scratch, grows; copied into the arena at the end */
	size_t field_count;
	size_t field_capacity;
	char *path; /* the path of the object being compiled; room for all of the text */
	struct known_path *paths; /* in scratch, grows */
	size_t path_count;
	size_t path_capacity;
};

/*
 * Where in the path the compiler stands. The hash is FNV-1a of path[0..len], carried along so that
 * a long path with many fields below it is not read again for each of them.
 */
struct position {
	size_t len;
	uint64_t hash;
	bool root;         /* the pattern's own object: no segment yet */
	unsigned or_depth; /* of how many `$or` this is inside */
};

static void append(struct compiler *compiler, struct position *position, struct sluice_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		position->hash ^= (unsigned char)text.data[i];
		position->hash *= UINT64_C(0x100000001b3);
		compiler->path[position->len++] = text.data[i];
	}
}

static struct position below(struct compiler *compiler, struct position position,
                             struct sluice_str key)
{
	if (!position.root)
		append(compiler, &position, SLUICE_STR("."));
	position.root = false;
	append(compiler, &position, key);
	return position;
}

/* Makes room in scratch for one more item behind `count`. False when out of memory. */
static bool grow(struct compiler *compiler, void **items, size_t *capacity, size_t count,
                 size_t size)
{
	if (count < *capacity)
		return true;
	size_t grown = *capacity ? *capacity * 2 : 4;
	void *moved = sluice_arena_alloc(compiler->scratch, grown, size);
	if (!moved)
		return false;
	if (count)
		memcpy(moved, *items, count * size);
	*items = moved;
	*capacity = grown;
	return true;
}

/* Gives the path its one copy in the arena. */
static enum sluice_status intern(struct compiler *compiler, const struct position *position,
                                 const struct sluice_json *node, struct sluice_str *path)
{
	struct sluice_str text = { compiler->path, position->len };
	for (size_t i = 0; i < compiler->path_count; i++) {
		const struct known_path *known = &compiler->paths[i];
		if (known->hash == position->hash && sluice_str_equal(known->text, text)) {
			*path = known->text;
			return SLUICE_OK;
		}
	}
	if (compiler->path_count == SLUICE_PATTERN_MAX_PATHS)
		return sluice_json_error(node, compiler->error, SLUICE_ERR_LIMIT,
		                         "a pattern names at most %d paths",
		                         SLUICE_PATTERN_MAX_PATHS);
	void *paths = compiler->paths;
	*path = sluice_arena_str(compiler->arena, text);
	if (!path->data || !grow(compiler, &paths, &compiler->path_capacity, compiler->path_count,
	                         sizeof(*compiler->paths)))
		return sluice_out_of_memory(compiler->error);
	compiler->paths = paths;
	compiler->paths[compiler->path_count++] = (struct known_path){ position->hash, *path };
	return SLUICE_OK;
}

static enum sluice_status unknown_meta(struct compiler *compiler, const struct sluice_json *node,
                                       struct sluice_str name)
{
	const char *names[META_COUNT + 1] = { NULL };
	for (size_t i = 0; i < META_COUNT; i++)
		names[i] = meta_members[i].name;
	char quoted[SLUICE_QUOTE_SIZE], hint[128];
	sluice_suggest_format(name, names, hint, sizeof(hint));
	return sluice_json_error(node, compiler->error, SLUICE_ERR_INVALID,
	                         "$mqtt has no member %s%s", sluice_quote(name, quoted),
	                         hint[0] ? hint
	                                 : "; it has topic, client_id, username, qos, retain, "
	                                   "content_type, response_topic, correlation_data, "
	                                   "payload_format, user_properties, payload and value");
}

/* Whether path is `$mqtt` or below; then *rest is what follows "$mqtt.", absent when nothing does.
 */
static bool is_meta(struct sluice_str path, struct sluice_str *rest)
{
	static const char word[] = "$mqtt";
	size_t len = sizeof(word) - 1;
	if (path.len < len || memcmp(path.data, word, len) != 0)
		return false;
	if (path.len == len) {
		*rest = (struct sluice_str){ NULL, 0 };
		return true;
	}
	*rest = (struct sluice_str){ path.data + len + 1, path.len - len - 1 };
	return path.data[len] == '.';
}

/* Checks a path below `$mqtt` and notes which member it names. */
static enum sluice_status check_meta(struct compiler *compiler, const struct sluice_json *node,
                                     struct sluice_str rest)
{
	if (!rest.data)
		return sluice_json_error(node, compiler->error, SLUICE_ERR_INVALID,
		                         "$mqtt is no field itself; name a member, as in "
		                         "{\"$mqtt\":{\"topic\":[\u2026]}}");
	const char *dot = memchr(rest.data, '.', rest.len);
	struct sluice_str name = { rest.data, dot ? (size_t)(dot - rest.data) : rest.len };
	for (size_t i = 0; i < META_COUNT; i++) {
		const char *known = meta_members[i].name;
		if (!sluice_str_equal(name, sluice_str(known)))
			continue;
		if (dot && meta_members[i].shape == META_LEAF)
			return sluice_json_error(node, compiler->error, SLUICE_ERR_INVALID,
			                         "nothing stands below $mqtt.%s", known);
		if (!dot && meta_members[i].shape == META_NAMED)
			return sluice_json_error(
			        node, compiler->error, SLUICE_ERR_INVALID,
			        "$mqtt.%s is no field itself; name a property, as in "
			        "{\"%s\":{\"tenant\":[\u2026]}}",
			        known, known);
		compiler->pattern->metadata |= meta_members[i].bit;
		return SLUICE_OK;
	}
	return unknown_meta(compiler, node, name);
}

static enum sluice_status compile_field(struct compiler *compiler, const struct sluice_json *list,
                                        struct position position,
                                        struct sluice_expression **expression)
{
	if (list->count == 0)
		return sluice_json_error(list, compiler->error, SLUICE_ERR_INVALID,
		                         "an empty list of alternatives matches nothing");
	struct sluice_field field = { .payload = true };
	enum sluice_status status = intern(compiler, &position, list, &field.path);
	if (status != SLUICE_OK)
		return status;
	struct sluice_str rest;
	if (is_meta(field.path, &rest)) {
		field.payload = false;
		status = check_meta(compiler, list, rest);
		if (status != SLUICE_OK)
			return status;
	}
	status = sluice_alternatives_compile(compiler->arena, list, &field, compiler->error);
	if (status != SLUICE_OK)
		return status;
	char place[sizeof(((struct sluice_error *)0)->place)];
	field.place = sluice_arena_str(compiler->arena,
	                               sluice_str(sluice_json_place(list, place, sizeof(place))));
	*expression = sluice_expression_create(compiler->scratch, SLUICE_EXPR_FIELD);
	void *fields = compiler->fields;
	if (!field.place.data || !*expression ||
	    !grow(compiler, &fields, &compiler->field_capacity, compiler->field_count,
	          sizeof(field)))
		return sluice_out_of_memory(compiler->error);
	compiler->fields = fields;
	/* A field takes 6 bytes of the text at least, so the limit on that keeps this one. */
	(*expression)->field = (uint16_t)compiler->field_count;
	compiler->fields[compiler->field_count++] = field;
	return SLUICE_OK;
}

static const char *type_name(enum sluice_json_type type)
{
	static const char *const names[] = { "null",     "false",  "true",     "a number",
		                             "a string", "a list", "an object" };
	return names[type];
}

static enum sluice_status compile_object(struct compiler *compiler,
                                         const struct sluice_json *object, struct position position,
                                         struct sluice_expression **expression);

static enum sluice_status compile_or(struct compiler *compiler, const struct sluice_json *list,
                                     struct position position,
                                     struct sluice_expression **expression)
{
	if (list->type != SLUICE_JSON_ARRAY || list->count < 2)
		return sluice_json_error(list, compiler->error, SLUICE_ERR_INVALID,
		                         "\"$or\" must be a list of two or more pattern objects");
	if (++position.or_depth > SLUICE_PATTERN_MAX_NESTING)
		return sluice_json_error(list, compiler->error, SLUICE_ERR_LIMIT,
		                         "\"$or\" is nested at most %d deep",
		                         SLUICE_PATTERN_MAX_NESTING);
	*expression = sluice_expression_create(compiler->scratch, SLUICE_EXPR_OR);
	if (!*expression)
		return sluice_out_of_memory(compiler->error);
	for (const struct sluice_json *node = list->first; node; node = node->next) {
		if (node->type != SLUICE_JSON_OBJECT)
			return sluice_json_error(node, compiler->error, SLUICE_ERR_INVALID,
			                         "\"$or\" lists pattern objects, this is %s",
			                         type_name(node->type));
		struct sluice_expression *operand = NULL;
		enum sluice_status status = compile_object(compiler, node, position, &operand);
		if (status == SLUICE_OK)
			status = sluice_expression_add(*expression, operand, list, compiler->error);
		if (status != SLUICE_OK)
			return status;
	}
	return SLUICE_OK;
}

static enum sluice_status compile_member(struct compiler *compiler, const struct sluice_json *node,
                                         struct position position,
                                         struct sluice_expression **expression)
{
	if (sluice_str_equal(node->key, SLUICE_STR("$or")))
		return compile_or(compiler, node, position, expression);
	position = below(compiler, position, node->key);
	switch (node->type) {
	case SLUICE_JSON_ARRAY:
		return compile_field(compiler, node, position, expression);
	case SLUICE_JSON_OBJECT:
		return compile_object(compiler, node, position, expression);
	default:
		return sluice_json_error(node, compiler->error, SLUICE_ERR_INVALID,
		                         "must be a list of alternatives or an object of fields, "
		                         "not %s",
		                         type_name(node->type));
	}
}

/* Recursion is bounded by the parser's limit on nesting. */
static enum sluice_status compile_object(struct compiler *compiler,
                                         const struct sluice_json *object, struct position position,
                                         struct sluice_expression **expression)
{
	if (object->count == 0)
		return sluice_json_error(object, compiler->error, SLUICE_ERR_INVALID,
		                         "an empty object matches nothing");
	*expression = sluice_expression_create(compiler->scratch, SLUICE_EXPR_AND);
	if (!*expression)
		return sluice_out_of_memory(compiler->error);
	for (const struct sluice_json *node = object->first; node; node = node->next) {
		struct sluice_expression *operand = NULL;
		enum sluice_status status = compile_member(compiler, node, position, &operand);
		if (status == SLUICE_OK)
			status = sluice_expression_add(*expression, operand, object,
			                               compiler->error);
		if (status != SLUICE_OK)
			return status;
	}
	return SLUICE_OK;
}

static enum sluice_status compile_root(struct compiler *compiler, const struct sluice_json *root)
{
	struct sluice_pattern *pattern = compiler->pattern;
	if (root->type != SLUICE_JSON_OBJECT)
		return sluice_json_error(root, compiler->error, SLUICE_ERR_INVALID,
		                         "a pattern is an object, this is %s",
		                         type_name(root->type));
	struct position start = { .hash = UINT64_C(0xcbf29ce484222325), .root = true };
	struct sluice_expression *expression;
	enum sluice_status status = compile_object(compiler, root, start, &expression);
	if (status != SLUICE_OK)
		return status;
	assert(compiler->field_count > 0); /* every object has a member, every list an element */
	struct sluice_field *fields =
	        sluice_arena_alloc(compiler->arena, compiler->field_count, sizeof(*fields));
	if (!fields)
		return sluice_out_of_memory(compiler->error);
	memcpy(fields, compiler->fields, compiler->field_count * sizeof(*fields));
	pattern->fields = fields;
	pattern->field_count = compiler->field_count;
	if (!sluice_expression_multiply(expression, pattern))
		return sluice_out_of_memory(compiler->error);
	return SLUICE_OK;
}

/* The parser's limit counts a scalar as a level, ours counts lists and objects. */
static enum sluice_status parse(struct sluice_str text, struct sluice_json_doc **doc,
                                struct sluice_error *error)
{
	enum sluice_status status = sluice_json_parse(text, SLUICE_JSON_UNIQUE_KEYS,
	                                              SLUICE_PATTERN_MAX_DEPTH + 1, doc, error);
	if (status == SLUICE_ERR_LIMIT && error)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, error->offset, NULL,
		                        "lists and objects of a pattern are nested at most %d deep",
		                        SLUICE_PATTERN_MAX_DEPTH);
	return status;
}

static enum sluice_status compile_text(struct sluice_pattern *pattern, struct sluice_error *error)
{
	struct compiler compiler = { .pattern = pattern, .arena = pattern->arena, .error = error };
	struct sluice_json_doc *doc;
	enum sluice_status status = parse(pattern->text, &doc, error);
	if (status != SLUICE_OK)
		return status;
	compiler.scratch = sluice_json_arena(doc);
	/* A path is shorter than the text it was read from: a dot takes the place of quotes. */
	compiler.path = sluice_arena_bytes(compiler.scratch, pattern->text.len);
	status = compiler.path ? compile_root(&compiler, sluice_json_root(doc))
	                       : sluice_out_of_memory(error);
	sluice_json_destroy(doc);
	return status;
}

/* What most patterns fit into: beside their text, a field and a predicate for every 24 bytes. */
static size_t first_bytes(struct sluice_str text)
{
	enum { MOST = 4096, FIELD = sizeof(struct sluice_field) + sizeof(struct sluice_predicate) };

	return sizeof(struct sluice_pattern) + FIELD +
	       (text.len < MOST ? text.len : MOST) * (FIELD + 24) / 24;
}

enum sluice_status sluice_pattern_compile(struct sluice_str text, struct sluice_pattern **pattern,
                                          struct sluice_error *error)
{
	*pattern = NULL;
	if (text.len > SLUICE_PATTERN_MAX_BYTES)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, NULL,
		                        "a pattern has at most %d bytes, this one has %zu",
		                        SLUICE_PATTERN_MAX_BYTES, text.len);
	struct sluice_arena *arena = sluice_arena_create_for(first_bytes(text));
	if (!arena)
		return sluice_out_of_memory(error);
	struct sluice_pattern *made = sluice_arena_alloc(arena, 1, sizeof(*made));
	if (!made) {
		sluice_arena_destroy(arena);
		return sluice_out_of_memory(error);
	}
	made->arena = arena;
	made->text = sluice_arena_str(arena, text.data ? text : SLUICE_STR(""));
	enum sluice_status status =
	        made->text.data ? compile_text(made, error) : sluice_out_of_memory(error);
	if (status != SLUICE_OK) {
		sluice_pattern_destroy(made);
		return status;
	}
	*pattern = made;
	return SLUICE_OK;
}

void sluice_pattern_destroy(struct sluice_pattern *pattern)
{
	if (pattern)
		sluice_arena_destroy(pattern->arena);
}

struct sluice_str sluice_pattern_text(const struct sluice_pattern *pattern)
{
	return pattern->text;
}

unsigned sluice_pattern_metadata(const struct sluice_pattern *pattern)
{
	return pattern->metadata;
}
