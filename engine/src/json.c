/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The reader walks the text once, with a stack of the open arrays and objects of its own, so
 * that hostile nesting costs neither the program's stack nor more than max_depth entries. A node
 * is made before its value is read: an error in the value then finds its place by the node.
 */
#include "sluice/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "document.h"
#include "number.h"
#include "text.h"

struct sluice_json_doc {
	struct sluice_json root; /* first: a node without parent is its document */
	struct sluice_str text;
	struct sluice_arena *arena; /* owns this struct too */
};

/* An open array or object. */
struct level {
	struct sluice_json *node;
	struct sluice_json *last; /* its youngest child; NULL when none */
};

/* Most texts are nested no deeper, and need no memory for it. */
enum { FEW_LEVELS = 16 };

struct reader {
	const char *at;
	const char *end;
	unsigned flags;
	struct sluice_json_doc *doc;
	struct level *levels; /* `few`, or owned */
	size_t depth;         /* open levels */
	size_t capacity;
	size_t max_depth;
	struct sluice_error *error;
	struct level few[FEW_LEVELS];
};

static size_t offset_of(const struct reader *reader, const char *at)
{
	return (size_t)(at - reader->doc->text.data);
}

/* Where a place is for an error that is about the node. */
static enum sluice_status fail_at(struct reader *reader, const struct sluice_json *node,
                                  const char *at, enum sluice_status code, const char *message)
{
	char place[sizeof(reader->error->place)];
	sluice_json_place(node, place, sizeof(place));
	return sluice_error_set(reader->error, code, offset_of(reader, at), place, "%s", message);
}

static enum sluice_status out_of_memory(struct reader *reader)
{
	return sluice_out_of_memory(reader->error);
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.' || c == '+' || c == '-';
}

/* "expected WANTED, found …": what stands at the reader's position, in words. */
static enum sluice_status unexpected(struct reader *reader, const struct sluice_json *node,
                                     const char *wanted)
{
	enum { WORD_MAX_SHOWN = 24 };
	char found[64];
	const char *at = reader->at;
	size_t left = (size_t)(reader->end - at);
	unsigned char c = left > 0 ? (unsigned char)*at : 0;
	size_t word = 0;
	while (word < left && word < WORD_MAX_SHOWN && is_word(at[word]))
		word++;
	size_t character = left < 4 ? left : 4;
	while (character > 1 &&
	       sluice_text_utf8_length((struct sluice_str){ at, character }) != character)
		character--;

	if (left == 0)
		snprintf(found, sizeof(found), "the end of the text");
	else if (word > 0)
		snprintf(found, sizeof(found), "'%.*s'", (int)word, at);
	else if (c < 0x20 || c == 0x7f)
		snprintf(found, sizeof(found), "the control character U+%04X", c);
	else if (c < 0x80)
		snprintf(found, sizeof(found), "'%c'", c);
	else if (left >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
		snprintf(found, sizeof(found), "a byte order mark");
	else if (character > 1)
		snprintf(found, sizeof(found), "'%.*s'", (int)character, at);
	else
		snprintf(found, sizeof(found), "the byte 0x%02x, which is not UTF-8", c);

	char message[128];
	snprintf(message, sizeof(message), "expected %s, found %s", wanted, found);
	return fail_at(reader, node, at, SLUICE_ERR_SYNTAX, message);
}

static void skip_space(struct reader *reader)
{
	while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t' ||
	                                    *reader->at == '\n' || *reader->at == '\r'))
		reader->at++;
}

static bool next_is(const struct reader *reader, char c)
{
	return reader->at < reader->end && *reader->at == c;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Steps over the escape at reader->at. */
static enum sluice_status skip_escape(struct reader *reader, const struct sluice_json *node)
{
	reader->at++;
	if (reader->at == reader->end)
		return unexpected(reader, node, "an escape after '\\'");
	char c = *reader->at;
	if (c != 'u') {
		if (!memchr("\"\\/bfnrt", c, 8))
			return unexpected(reader, node, "one of \" \\ / b f n r t u after '\\'");
		reader->at++;
		return SLUICE_OK;
	}
	reader->at++;
	for (int i = 0; i < 4; i++) {
		if (reader->at == reader->end || !is_hex(*reader->at))
			return unexpected(reader, node, "four hexadecimal digits after '\\u'");
		reader->at++;
	}
	return SLUICE_OK;
}

/* Behind the characters of a string that stand for themselves, and are one byte each. */
static const char *skip_plain(const char *at, const char *end)
{
	while (at < end && (unsigned char)(*at - 0x20) < 0x60 && *at != '"' && *at != '\\')
		at++;
	return at;
}

/* Reads the string at reader->at, which is at its quote, and decodes it into *string. */
static enum sluice_status read_string(struct reader *reader, const struct sluice_json *node,
                                      struct sluice_str *string)
{
	const char *start = ++reader->at;
	bool escaped = false;
	for (;;) {
		reader->at = skip_plain(reader->at, reader->end);
		if (next_is(reader, '"'))
			break;
		if (reader->at == reader->end)
			return unexpected(reader, node, "the closing quote of a string");
		unsigned char c = (unsigned char)*reader->at;
		if (c == '\\') {
			escaped = true;
			enum sluice_status status = skip_escape(reader, node);
			if (status)
				return status;
		} else if (c < 0x20) {
			return unexpected(reader, node,
			                  "control characters in a string to be escaped");
		} else {
			size_t left = (size_t)(reader->end - reader->at);
			struct sluice_str next = { reader->at, left < 4 ? left : 4 };
			size_t length = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
			if (sluice_text_utf8_length(next) < length)
				return unexpected(reader, node, "UTF-8 in a string");
			reader->at += length;
		}
	}
	size_t len = (size_t)(reader->at - start);
	reader->at++;
	*string = (struct sluice_str){ start, len };
	if (!escaped)
		return SLUICE_OK;

	char *decoded = sluice_arena_bytes(reader->doc->arena, len);
	if (!decoded)
		return out_of_memory(reader);
	string->len = sluice_text_unescape(*string, decoded);
	string->data = decoded;
	return SLUICE_OK;
}

static bool skip_digits(struct reader *reader)
{
	const char *start = reader->at;
	while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
		reader->at++;
	return reader->at > start;
}

static enum sluice_status read_number(struct reader *reader, const struct sluice_json *node)
{
	if (next_is(reader, '-'))
		reader->at++;
	const char *integer = reader->at;
	if (!skip_digits(reader))
		return unexpected(reader, node, "a digit after '-'");
	if (*integer == '0' && reader->at - integer > 1) {
		reader->at = integer;
		return unexpected(reader, node, "a number without leading zeros");
	}
	if (next_is(reader, '.')) {
		reader->at++;
		if (!skip_digits(reader))
			return unexpected(reader, node, "a digit after the decimal point");
	}
	if (next_is(reader, 'e') || next_is(reader, 'E')) {
		reader->at++;
		if (next_is(reader, '+') || next_is(reader, '-'))
			reader->at++;
		if (!skip_digits(reader))
			return unexpected(reader, node, "a digit in the exponent");
	}
	return SLUICE_OK;
}

/* What the grammar wants where the node's value stands, for an error. */
static const char *wanted_value(const struct sluice_json *node)
{
	if (!node->parent)
		return "a JSON value";
	if (node->parent->type == SLUICE_JSON_OBJECT)
		return "a value after ':'";
	return node->index == 0 ? "a value or ']'" : "a value after ','";
}

static bool read_literal(struct reader *reader, const char *literal)
{
	size_t len = strlen(literal);
	if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, literal, len) != 0)
		return false;
	reader->at += len;
	return true;
}

static enum sluice_status open_level(struct reader *reader, struct sluice_json *node)
{
	/* A scalar at the root is depth 1; it may stand in max_depth - 1 levels. */
	if (reader->depth + 1 >= reader->max_depth) {
		char message[64];
		snprintf(message, sizeof(message), "nested deeper than %zu", reader->max_depth);
		return fail_at(reader, node, reader->at, SLUICE_ERR_LIMIT, message);
	}
	if (reader->depth == reader->capacity) {
		size_t capacity = reader->capacity * 2;
		bool few = reader->levels == reader->few;
		struct level *levels =
		        realloc(few ? NULL : reader->levels, capacity * sizeof(*levels));
		if (!levels)
			return out_of_memory(reader);
		if (few)
			memcpy(levels, reader->few, sizeof(reader->few));
		reader->levels = levels;
		reader->capacity = capacity;
	}
	reader->levels[reader->depth++] = (struct level){ .node = node };
	reader->at++;
	return SLUICE_OK;
}

/*
 * Reads the node's value: all of a scalar, the opening bracket of an array or object.
 * node->raw.data is set by the caller.
 */
static enum sluice_status read_value(struct reader *reader, struct sluice_json *node)
{
	enum sluice_status status;
	char c = reader->at < reader->end ? *reader->at : '\0';

	node->raw = (struct sluice_str){ reader->at, 0 };
	if (c == '{' || c == '[') {
		node->type = c == '{' ? SLUICE_JSON_OBJECT : SLUICE_JSON_ARRAY;
		return open_level(reader, node);
	}
	if (c == '"') {
		node->type = SLUICE_JSON_STRING;
		status = read_string(reader, node, &node->string);
		if (status)
			return status;
	} else if (c == '-' || (c >= '0' && c <= '9')) {
		node->type = SLUICE_JSON_NUMBER;
		status = read_number(reader, node);
		if (status)
			return status;
	} else if (read_literal(reader, "true")) {
		node->type = SLUICE_JSON_TRUE;
	} else if (read_literal(reader, "false")) {
		node->type = SLUICE_JSON_FALSE;
	} else if (read_literal(reader, "null")) {
		node->type = SLUICE_JSON_NULL;
	} else {
		return unexpected(reader, node, wanted_value(node));
	}
	node->raw.len = (size_t)(reader->at - node->raw.data);
	return SLUICE_OK;
}

/* By name, the members of equal names in their order in the text. */
static int compare_members(const void *a, const void *b)
{
	const struct sluice_json *left = *(const struct sluice_json *const *)a;
	const struct sluice_json *right = *(const struct sluice_json *const *)b;
	if (left->key.len != right->key.len)
		return left->key.len < right->key.len ? -1 : 1;
	int order = memcmp(left->key.data, right->key.data, left->key.len);
	if (order != 0)
		return order;
	return left->index < right->index ? -1 : left->index > right->index;
}

static enum sluice_status repeated(struct reader *reader, const struct sluice_json *node)
{
	char message[sizeof(reader->error->message)];
	snprintf(message, sizeof(message), "the name \"%.*s\" is repeated",
	         (int)(node->key.len < 200 ? node->key.len : 200), node->key.data);
	return fail_at(reader, node, node->raw.data, SLUICE_ERR_INVALID, message);
}

/* Refuses the first member whose name stands before it in the same object. */
static enum sluice_status check_unique(struct reader *reader, const struct sluice_json *object)
{
	enum { FEW = 8 };
	if (object->count <= FEW) {
		for (const struct sluice_json *a = object->first; a; a = a->next)
			for (const struct sluice_json *b = object->first; b != a; b = b->next)
				if (sluice_str_equal(a->key, b->key))
					return repeated(reader, a);
		return SLUICE_OK;
	}

	/* Sorted, not hashed: hostile names can make a hash slow, but not a sort. */
	const struct sluice_json **members =
	        calloc(object->count, sizeof(const struct sluice_json *));
	if (!members)
		return out_of_memory(reader);
	size_t count = 0;
	for (const struct sluice_json *member = object->first; member; member = member->next)
		members[count++] = member;
	qsort(members, count, sizeof(*members), compare_members);
	const struct sluice_json *first = NULL;
	for (size_t i = 1; i < count; i++)
		if (sluice_str_equal(members[i - 1]->key, members[i]->key) &&
		    (!first || members[i]->index < first->index))
			first = members[i];
	free(members);
	return first ? repeated(reader, first) : SLUICE_OK;
}

static enum sluice_status close_level(struct reader *reader)
{
	struct sluice_json *node = reader->levels[--reader->depth].node;
	reader->at++;
	node->raw.len = (size_t)(reader->at - node->raw.data);
	if (node->type == SLUICE_JSON_OBJECT && (reader->flags & SLUICE_JSON_UNIQUE_KEYS) != 0)
		return check_unique(reader, node);
	return SLUICE_OK;
}

/* A new last child of the innermost open level. NULL when out of memory. */
static struct sluice_json *add_child(struct reader *reader)
{
	struct level *level = &reader->levels[reader->depth - 1];
	struct sluice_json *child = sluice_arena_alloc(reader->doc->arena, 1, sizeof(*child));
	if (!child)
		return NULL;
	child->parent = level->node;
	child->index = level->node->count++;
	if (level->last)
		level->last->next = child;
	else
		level->node->first = child;
	level->last = child;
	return child;
}

/* Reads `"name" :` of a member that was already added. */
static enum sluice_status read_key(struct reader *reader, struct sluice_json *member,
                                   const struct sluice_json *object)
{
	if (!next_is(reader, '"'))
		return unexpected(reader, object,
		                  member->index == 0 ? "a name in quotes or '}'"
		                                     : "a name in quotes after ','");
	enum sluice_status status = read_string(reader, object, &member->key);
	if (status)
		return status;
	skip_space(reader);
	if (!next_is(reader, ':'))
		return unexpected(reader, member, "':' after the name");
	reader->at++;
	skip_space(reader);
	return SLUICE_OK;
}

/*
 * Reads what follows at the reader's position within the innermost open level: its end, or
 * its next child up to the end of a scalar or the beginning of another level.
 */
static enum sluice_status read_next(struct reader *reader)
{
	const struct sluice_json *node = reader->levels[reader->depth - 1].node;
	bool is_object = node->type == SLUICE_JSON_OBJECT;
	char closing = is_object ? '}' : ']';

	skip_space(reader);
	if (next_is(reader, closing))
		return close_level(reader);
	if (node->count > 0) {
		if (!next_is(reader, ','))
			return unexpected(reader, node,
			                  is_object ? "',' or '}' after a member"
			                            : "',' or ']' after an element");
		reader->at++;
		skip_space(reader);
	}
	struct sluice_json *child = add_child(reader);
	if (!child)
		return out_of_memory(reader);
	if (is_object) {
		enum sluice_status status = read_key(reader, child, node);
		if (status)
			return status;
	}
	return read_value(reader, child);
}

static enum sluice_status read_document(struct reader *reader)
{
	skip_space(reader);
	enum sluice_status status = read_value(reader, &reader->doc->root);
	while (status == SLUICE_OK && reader->depth > 0)
		status = read_next(reader);
	if (status)
		return status;
	skip_space(reader);
	if (reader->at < reader->end)
		return unexpected(reader, &reader->doc->root,
		                  "the end of the text after the value");
	return SLUICE_OK;
}

/* What the nodes of most texts fit into: one for every six bytes. */
static size_t first_bytes(struct sluice_str text)
{
	enum { MOST = 4096, NODE = sizeof(struct sluice_json) };

	return NODE * 2 + sizeof(struct sluice_json_doc) +
	       (text.len < MOST ? text.len : MOST) / 6 * NODE;
}

enum sluice_status sluice_json_parse(struct sluice_str text, unsigned flags, size_t max_depth,
                                     struct sluice_json_doc **doc, struct sluice_error *error)
{
	*doc = NULL;
	if (!text.data)
		text = SLUICE_STR("");
	struct reader reader;
	reader.at = text.data;
	reader.end = text.data + text.len;
	reader.flags = flags;
	reader.levels = reader.few;
	reader.depth = 0;
	reader.capacity = FEW_LEVELS;
	reader.max_depth = max_depth;
	reader.error = error;
	struct sluice_arena *arena = sluice_arena_create_for(first_bytes(text));
	if (!arena)
		return out_of_memory(&reader);
	reader.doc = sluice_arena_alloc(arena, 1, sizeof(*reader.doc));
	if (!reader.doc) {
		sluice_arena_destroy(arena);
		return out_of_memory(&reader);
	}
	reader.doc->text = text;
	reader.doc->arena = arena;

	enum sluice_status status = read_document(&reader);
	if (reader.levels != reader.few)
		free(reader.levels);
	if (status) {
		sluice_json_destroy(reader.doc);
		return status;
	}
	*doc = reader.doc;
	return SLUICE_OK;
}

void sluice_json_destroy(struct sluice_json_doc *doc)
{
	if (doc)
		sluice_arena_destroy(doc->arena);
}

struct sluice_arena *sluice_json_arena(const struct sluice_json_doc *doc)
{
	return doc->arena;
}

const struct sluice_json *sluice_json_root(const struct sluice_json_doc *doc)
{
	return &doc->root;
}

const struct sluice_json *sluice_json_get(const struct sluice_json *object, const char *name)
{
	if (!object || object->type != SLUICE_JSON_OBJECT)
		return NULL;
	struct sluice_str wanted = sluice_str(name);
	const struct sluice_json *found = NULL;
	for (const struct sluice_json *member = object->first; member; member = member->next)
		if (sluice_str_equal(member->key, wanted))
			found = member;
	return found;
}

bool sluice_json_integer(const struct sluice_json *node, int64_t min, int64_t max, int64_t *value)
{
	enum { HEAD_DIGITS = 19 };
	if (!node || node->type != SLUICE_JSON_NUMBER)
		return false;
	struct sluice_number number;
	sluice_number_read(node->raw, &number);

	/* With more than 19 significant digits it is a fraction, or past any int64_t. */
	if (number.tail.len > 0 || (number.sign != 0 && number.exponent < 1) ||
	    number.exponent > HEAD_DIGITS)
		return false;
	uint64_t magnitude = number.head;
	for (int64_t i = number.sign ? number.exponent : HEAD_DIGITS; i < HEAD_DIGITS; i++) {
		if (magnitude % 10 != 0)
			return false;
		magnitude /= 10;
	}
	int64_t whole;
	if (number.sign >= 0) {
		if (magnitude > INT64_MAX)
			return false;
		whole = (int64_t)magnitude;
	} else {
		if (magnitude > (uint64_t)INT64_MAX + 1)
			return false;
		whole = -(int64_t)(magnitude - 1) - 1;
	}
	if (whole < min || whole > max)
		return false;
	*value = whole;
	return true;
}

enum sluice_status sluice_json_error(const struct sluice_json *node, struct sluice_error *error,
                                     enum sluice_status code, const char *format, ...)
{
	if (!error)
		return code;
	char message[sizeof(error->message)];
	char place[sizeof(error->place)];
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	sluice_json_place(node, place, sizeof(place));

	const struct sluice_json *root = node;
	while (root->parent)
		root = root->parent;
	const struct sluice_json_doc *doc = (const struct sluice_json_doc *)root;
	size_t offset = (size_t)(node->raw.data - doc->text.data);
	return sluice_error_set(error, code, offset, place, "%s", message);
}
