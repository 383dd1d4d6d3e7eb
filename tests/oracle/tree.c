/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>

struct oracle_block {
	struct oracle_block *next;
	size_t used, size;
	_Alignas(max_align_t) char bytes[];
};

void *oracle_alloc(struct oracle_pool *pool, size_t size)
{
	enum { BLOCK = 4096 };
	size = (size + 15) / 16 * 16;
	if (!pool->blocks || pool->blocks->size - pool->blocks->used < size) {
		size_t room = size > BLOCK ? size : BLOCK;
		struct oracle_block *block = calloc(1, sizeof(*block) + room);
		if (!block) {
			fputs("oracle: out of memory\n", stderr);
			abort();
		}
		block->size = room;
		block->next = pool->blocks;
		pool->blocks = block;
	}
	char *memory = pool->blocks->bytes + pool->blocks->used;
	pool->blocks->used += size;
	return memory;
}

void oracle_free_all(struct oracle_pool *pool)
{
	while (pool->blocks) {
		struct oracle_block *block = pool->blocks;
		pool->blocks = block->next;
		free(block);
	}
}

bool oracle_text_equal(struct oracle_text a, struct oracle_text b)
{
	return a.len == b.len &&
	       (a.len == 0 || memcmp(a.chars, b.chars, a.len * sizeof(*a.chars)) == 0);
}

bool oracle_text_is(struct oracle_text text, const char *ascii)
{
	size_t i = 0;
	while (i < text.len && ascii[i] != '\0' &&
	       text.chars[i] == (uint32_t)(unsigned char)ascii[i])
		i++;
	return i == text.len && ascii[i] == '\0';
}

/* One character of UTF-8 (RFC 3629, section 4); its length, or 0 when it is not well-formed. */
static size_t decode_char(const unsigned char *p, size_t len, bool halves, uint32_t *out)
{
	size_t need;
	uint32_t c, least;
	if (len == 0)
		return 0;
	if (p[0] < 0x80) {
		*out = p[0];
		return 1;
	}
	if (p[0] >= 0xc0 && p[0] < 0xe0) {
		need = 2;
		c = p[0] & 0x1fu;
		least = 0x80;
	} else if (p[0] >= 0xe0 && p[0] < 0xf0) {
		need = 3;
		c = p[0] & 0x0fu;
		least = 0x800;
	} else if (p[0] >= 0xf0 && p[0] < 0xf8) {
		need = 4;
		c = p[0] & 0x07u;
		least = 0x10000;
	} else {
		return 0;
	}
	if (len < need)
		return 0;
	for (size_t i = 1; i < need; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (c < least || c > 0x10ffff)
		return 0;
	if (c >= 0xd800 && c <= 0xdfff && !halves)
		return 0;
	*out = c;
	return need;
}

bool oracle_text_decode(struct oracle_pool *pool, struct sluice_str bytes, bool halves,
                        struct oracle_text *text)
{
	text->chars = oracle_alloc(pool, (bytes.len + 1) * sizeof(*text->chars));
	text->len = 0;
	for (size_t at = 0; at < bytes.len;) {
		size_t n = decode_char((const unsigned char *)bytes.data + at, bytes.len - at,
		                       halves, &text->chars[text->len]);
		if (n == 0)
			return false;
		text->len++;
		at += n;
	}
	return true;
}

struct sluice_str oracle_text_encode(struct oracle_pool *pool, struct oracle_text text)
{
	char *out = oracle_alloc(pool, text.len * 4 + 1);
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++) {
		uint32_t c = text.chars[i];
		if (c < 0x80) {
			out[len++] = (char)c;
			continue;
		}
		int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
		static const unsigned lead[] = { 0, 0xc0, 0xe0, 0xf0 };
		out[len++] = (char)(lead[more] | c >> 6 * more);
		while (more-- > 0)
			out[len++] = (char)(0x80u | (c >> 6 * more & 0x3fu));
	}
	out[len] = '\0';
	return (struct sluice_str){ out, len };
}

struct parser {
	struct oracle_pool *pool;
	uint32_t *chars;
	size_t len, at;
	size_t max_depth;
	bool too_deep;
};

/* The character at hand, or a value that no character has at the end. */
static uint32_t peek(const struct parser *p)
{
	return p->at < p->len ? p->chars[p->at] : UINT32_MAX;
}

static bool take(struct parser *p, uint32_t c)
{
	if (peek(p) != c)
		return false;
	p->at++;
	return true;
}

static void skip_space(struct parser *p)
{
	while (peek(p) == ' ' || peek(p) == '\t' || peek(p) == '\n' || peek(p) == '\r')
		p->at++;
}

static bool take_word(struct parser *p, const char *word)
{
	for (; *word; word++)
		if (!take(p, (uint32_t)*word))
			return false;
	return true;
}

static bool take_hex4(struct parser *p, uint32_t *value)
{
	*value = 0;
	for (int i = 0; i < 4; i++) {
		uint32_t c = peek(p);
		uint32_t digit;
		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if (c >= 'a' && c <= 'f')
			digit = c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			digit = c - 'A' + 10;
		else
			return false;
		*value = *value * 16 + digit;
		p->at++;
	}
	return true;
}

static bool parse_escape(struct parser *p, uint32_t *out)
{
	static const char names[] = "\"\\/bfnrt";
	static const char values[] = "\"\\/\b\f\n\r\t";
	uint32_t c = peek(p);
	for (size_t i = 0; names[i]; i++) {
		if (c == (uint32_t)names[i]) {
			p->at++;
			*out = (uint32_t)values[i];
			return true;
		}
	}
	if (!take(p, 'u') || !take_hex4(p, out))
		return false;
	if (*out < 0xd800 || *out > 0xdbff)
		return true;
	/* A high half: one character with a low half that follows at once, else itself. */
	size_t mark = p->at;
	uint32_t low;
	if (take(p, '\\') && take(p, 'u') && take_hex4(p, &low) && low >= 0xdc00 && low <= 0xdfff) {
		*out = 0x10000 + (*out - 0xd800) * 0x400 + (low - 0xdc00);
		return true;
	}
	p->at = mark;
	return true;
}

static bool parse_string(struct parser *p, struct oracle_text *text)
{
	if (!take(p, '"'))
		return false;
	size_t end = p->at;
	while (end < p->len && p->chars[end] != '"')
		end += p->chars[end] == '\\' ? 2 : 1;
	if (end >= p->len)
		return false;
	text->chars = oracle_alloc(p->pool, (end - p->at + 1) * sizeof(*text->chars));
	text->len = 0;
	while (!take(p, '"')) {
		uint32_t c = peek(p);
		if (c == UINT32_MAX || c < 0x20)
			return false;
		p->at++;
		if (c == '\\' && !parse_escape(p, &c))
			return false;
		text->chars[text->len++] = c;
	}
	return true;
}

static bool take_digits(struct parser *p)
{
	size_t from = p->at;
	while (peek(p) >= '0' && peek(p) <= '9')
		p->at++;
	return p->at > from;
}

static bool parse_number(struct parser *p, struct oracle_text *text)
{
	text->chars = p->chars + p->at;
	size_t from = p->at;
	take(p, '-');
	if (!take(p, '0') && !take_digits(p))
		return false;
	if (take(p, '.') && !take_digits(p))
		return false;
	if (take(p, 'e') || take(p, 'E')) {
		if (!take(p, '+'))
			take(p, '-');
		if (!take_digits(p))
			return false;
	}
	text->len = p->at - from;
	return true;
}

static struct oracle_json *parse_value(struct parser *p, size_t depth);

static bool parse_items(struct parser *p, struct oracle_json *parent, uint32_t close, size_t depth)
{
	struct oracle_json **end = &parent->first;
	if (depth > p->max_depth) {
		p->too_deep = true;
		return false;
	}
	skip_space(p);
	if (take(p, close))
		return true;
	do {
		struct oracle_text key = { 0 };
		skip_space(p);
		if (parent->type == ORACLE_OBJECT) {
			if (!parse_string(p, &key))
				return false;
			skip_space(p);
			if (!take(p, ':'))
				return false;
		}
		skip_space(p);
		struct oracle_json *item = parse_value(p, depth);
		if (!item)
			return false;
		item->key = key;
		*end = item;
		end = &item->next;
		parent->count++;
		skip_space(p);
	} while (take(p, ','));
	return take(p, close);
}

static struct oracle_json *parse_value(struct parser *p, size_t depth)
{
	struct oracle_json *value = oracle_alloc(p->pool, sizeof(*value));
	size_t from = p->at;
	bool ok;
	switch (peek(p)) {
	case 'n':
		value->type = ORACLE_NULL;
		ok = take_word(p, "null");
		break;
	case 't':
		value->type = ORACLE_TRUE;
		ok = take_word(p, "true");
		break;
	case 'f':
		value->type = ORACLE_FALSE;
		ok = take_word(p, "false");
		break;
	case '"':
		value->type = ORACLE_STRING;
		ok = parse_string(p, &value->text);
		break;
	case '[':
		value->type = ORACLE_ARRAY;
		p->at++;
		ok = parse_items(p, value, ']', depth + 1);
		break;
	case '{':
		value->type = ORACLE_OBJECT;
		p->at++;
		ok = parse_items(p, value, '}', depth + 1);
		break;
	default:
		value->type = ORACLE_NUMBER;
		ok = parse_number(p, &value->text);
		break;
	}
	value->raw = (struct oracle_text){ p->chars + from, p->at - from };
	return ok ? value : NULL;
}

const struct oracle_json *oracle_json_get(const struct oracle_json *object, const char *name)
{
	if (!object || object->type != ORACLE_OBJECT)
		return NULL;
	for (const struct oracle_json *member = object->first; member; member = member->next)
		if (oracle_text_is(member->key, name))
			return member;
	return NULL;
}

enum oracle_parsed oracle_json_parse(struct oracle_pool *pool, struct sluice_str text,
                                     size_t max_depth, struct oracle_json **root)
{
	struct oracle_text chars;
	*root = NULL;
	if (!oracle_text_decode(pool, text, false, &chars))
		return ORACLE_MALFORMED;
	struct parser p = {
		.pool = pool, .chars = chars.chars, .len = chars.len, .max_depth = max_depth
	};
	skip_space(&p);
	struct oracle_json *value = parse_value(&p, 0);
	skip_space(&p);
	if (p.too_deep)
		return ORACLE_TOO_DEEP;
	if (!value || p.at != p.len)
		return ORACLE_MALFORMED;
	*root = value;
	return ORACLE_PARSED;
}
