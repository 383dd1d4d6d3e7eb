/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "scan.h"

#include "text.h"

/*
 * An object or array under way. Its element and its array are known by number only once a leaf was
 * found below (leaves.h); until then they are UINT32_MAX.
 */
struct frame {
	struct sluice_path_node *node; /* its path; NULL: no rule names anything here or below */
	uint32_t element;              /* itself, when it stands in an array */
	uint32_t array;                /* itself, when it is one and holds elements with leaves */
	bool is_array;
	bool is_element; /* stands in an array */
};

struct scanner {
	const unsigned char *at;
	const unsigned char *end;
	const struct sluice_path_trie *trie;
	struct sluice_leaves *leaves;
	unsigned depth; /* open containers; frames[depth - 1] is the innermost */
	bool too_deep;
	struct frame frames[SLUICE_EVENT_MAX_NESTING];
};

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* Nonzero when one of eight bytes ends a run of plain characters: '"', '\\', a control, or not
 * ASCII. */
static uint64_t special_bytes(uint64_t word)
{
	uint64_t quote = word ^ (ONES * '"');
	uint64_t backslash = word ^ (ONES * '\\');

	return ((word - ONES * 0x20) | (quote - ONES) | (backslash - ONES) | word) & HIGHS;
}

static void skip_space(struct scanner *s)
{
	while (s->at < s->end &&
	       (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
		s->at++;
}

static bool is_continuation(unsigned char byte)
{
	return (byte & 0xC0) == 0x80;
}

/* The length of the well-formed multi-byte character at p (RFC 3629, section 4), or 0. */
static size_t utf8_character(const unsigned char *p, const unsigned char *end)
{
	size_t left = (size_t)(end - p);

	if (p[0] >= 0xC2 && p[0] <= 0xDF)
		return left >= 2 && is_continuation(p[1]) ? 2 : 0;
	if (p[0] >= 0xE0 && p[0] <= 0xEF) {
		if (left < 3 || !is_continuation(p[1]) || !is_continuation(p[2]))
			return 0;
		if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F))
			return 0;
		return 3;
	}
	if (p[0] >= 0xF0 && p[0] <= 0xF4) {
		if (left < 4 || !is_continuation(p[1]) || !is_continuation(p[2]) ||
		    !is_continuation(p[3]))
			return 0;
		if ((p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
			return 0;
		return 4;
	}
	return 0;
}

static bool is_hex(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* The length of the well-formed escape at p, which is a backslash, or 0 (RFC 8259, section 7). */
static size_t escape_length(const unsigned char *p, const unsigned char *end)
{
	if (end - p < 2)
		return 0;
	switch (p[1]) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return 2;
	case 'u':
		return end - p >= 6 && is_hex(p[2]) && is_hex(p[3]) && is_hex(p[4]) && is_hex(p[5])
		               ? 6
		               : 0;
	default:
		return 0;
	}
}

/* Checks a string from behind its opening quote. *inside is the text between the quotes. */
static bool scan_string(struct scanner *s, struct sluice_str *inside, bool *escaped)
{
	const unsigned char *start = s->at;
	const unsigned char *p = start;

	*escaped = false;
	for (;;) {
		while (s->end - p >= 8) {
			uint64_t word;
			memcpy(&word, p, sizeof(word));
			if (special_bytes(word))
				break;
			p += 8;
		}
		if (p >= s->end)
			return false;
		if (*p == '"')
			break;
		size_t length = 1;
		if (*p == '\\') {
			*escaped = true;
			length = escape_length(p, s->end);
		} else if (*p >= 0x80) {
			length = utf8_character(p, s->end);
		} else if (*p < 0x20) {
			length = 0;
		}
		if (length == 0)
			return false;
		p += length;
	}
	*inside = (struct sluice_str){ (const char *)start, (size_t)(p - start) };
	s->at = p + 1;
	return true;
}

static struct sluice_str decode(struct scanner *s, struct sluice_str inside)
{
	char *out = sluice_arena_bytes(s->leaves->text, inside.len);

	if (!out) {
		s->leaves->out_of_memory = true;
		return SLUICE_STR("");
	}
	return (struct sluice_str){ out, sluice_text_unescape(inside, out) };
}

static bool skip_digits(struct scanner *s)
{
	const unsigned char *start = s->at;

	while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
		s->at++;
	return s->at > start;
}

/* RFC 8259, section 6. */
static bool scan_number(struct scanner *s)
{
	if (*s->at == '-')
		s->at++;
	if (s->at < s->end && *s->at == '0')
		s->at++;
	else if (!skip_digits(s))
		return false;
	if (s->at < s->end && *s->at == '.') {
		s->at++;
		if (!skip_digits(s))
			return false;
	}
	if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
		s->at++;
		if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
			s->at++;
		if (!skip_digits(s))
			return false;
	}
	return true;
}

static bool scan_word(struct scanner *s, const char *word, size_t len)
{
	if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
		return false;
	s->at += len;
	return true;
}

/*
 * The number of the innermost element around whatever is in frames[depth - 1], with all of its
 * parents numbered before it; 0 when there is none.
 */
static uint32_t current_element(struct scanner *s)
{
	unsigned known = s->depth; /* frames below this index need no number any more */
	uint32_t element = 0;

	while (known > 0) {
		const struct frame *frame = &s->frames[known - 1];
		if (frame->is_element && frame->element != UINT32_MAX) {
			element = frame->element;
			break;
		}
		known--;
	}
	for (unsigned i = known; i < s->depth; i++) {
		struct frame *frame = &s->frames[i];
		if (!frame->is_element)
			continue;
		struct frame *array = &s->frames[i - 1];
		if (array->array == UINT32_MAX)
			array->array = sluice_leaves_add_array(s->leaves, array->node);
		if (array->array == UINT32_MAX)
			return 0;
		frame->element = sluice_leaves_add_element(s->leaves, element, array->array);
		if (frame->element == UINT32_MAX)
			return 0;
		element = frame->element;
	}
	return element;
}

static void record(struct scanner *s, struct sluice_path_node *node, enum sluice_json_type type,
                   struct sluice_str text)
{
	struct sluice_value value = { .type = type, .text = text };

	if (s->leaves->overflow)
		return;
	if (type == SLUICE_JSON_NUMBER)
		sluice_number_read(text, &value.number);
	sluice_leaves_add(s->leaves, node, current_element(s), &value);
}

static bool push(struct scanner *s, struct sluice_path_node *node, bool is_array)
{
	if (s->depth == SLUICE_EVENT_MAX_NESTING) {
		s->too_deep = true;
		return false;
	}
	bool is_element = s->depth > 0 && s->frames[s->depth - 1].is_array;
	s->frames[s->depth++] =
	        (struct frame){ node, UINT32_MAX, UINT32_MAX, is_array, is_element };
	return true;
}

static void pop(struct scanner *s)
{
	const struct frame *frame = &s->frames[--s->depth];

	if (frame->element != UINT32_MAX)
		s->leaves->elements[frame->element].end = s->leaves->leaf_count;
	if (frame->array != UINT32_MAX)
		s->leaves->arrays[frame->array].end = s->leaves->leaf_count;
}

/* The node that a member of the innermost object stands at, or NULL. Nothing in a payload stands
 * below $mqtt. */
static struct sluice_path_node *member_node(struct scanner *s, struct sluice_str key, bool escaped)
{
	struct sluice_path_node *parent = s->frames[s->depth - 1].node;

	if (!parent || parent->children == 0)
		return NULL;
	if (escaped)
		key = decode(s, key);
	if (parent == s->trie->root && key.len >= 5 && memcmp(key.data, "$mqtt", 5) == 0 &&
	    (key.len == 5 || key.data[5] == '.'))
		return NULL;
	return sluice_path_walk(s->trie, parent, key);
}

/* A scalar, or the opening of a container (which is pushed). */
static bool scan_value(struct scanner *s, struct sluice_path_node *node)
{
	const unsigned char *start = s->at;
	bool named = node && node->named > 0;
	enum sluice_json_type type;

	switch (*s->at) {
	case '{':
		s->at++;
		return push(s, node, false);
	case '[':
		s->at++;
		return push(s, node, true);
	case '"': {
		struct sluice_str inside;
		bool escaped;
		s->at++;
		if (!scan_string(s, &inside, &escaped))
			return false;
		if (named)
			record(s, node, SLUICE_JSON_STRING, escaped ? decode(s, inside) : inside);
		return true;
	}
	case 't':
		type = SLUICE_JSON_TRUE;
		if (!scan_word(s, "true", 4))
			return false;
		break;
	case 'f':
		type = SLUICE_JSON_FALSE;
		if (!scan_word(s, "false", 5))
			return false;
		break;
	case 'n':
		type = SLUICE_JSON_NULL;
		if (!scan_word(s, "null", 4))
			return false;
		break;
	default:
		type = SLUICE_JSON_NUMBER;
		if ((*start != '-' && (*start < '0' || *start > '9')) || !scan_number(s))
			return false;
	}
	if (named)
		record(s, node, type,
		       (struct sluice_str){ (const char *)start, (size_t)(s->at - start) });
	return true;
}

/* The member or element at s->at, as far as scan_value goes. */
static bool scan_item(struct scanner *s)
{
	const struct frame *frame = &s->frames[s->depth - 1];
	struct sluice_path_node *node = frame->node;

	if (!frame->is_array) {
		struct sluice_str key;
		bool escaped;
		if (s->at >= s->end || *s->at != '"')
			return false;
		s->at++;
		if (!scan_string(s, &key, &escaped))
			return false;
		node = member_node(s, key, escaped);
		skip_space(s);
		if (s->at >= s->end || *s->at != ':')
			return false;
		s->at++;
		skip_space(s);
	}
	return s->at < s->end && scan_value(s, node);
}

static bool scan_document(struct scanner *s, struct sluice_path_node *value)
{
	unsigned depth;

	if (!scan_value(s, *s->at == '{' ? s->trie->root : value))
		return false;
	while ((depth = s->depth) > 0) {
		/* Here a container was just opened: it closes at once, or has a first item. */
		unsigned char close = s->frames[depth - 1].is_array ? ']' : '}';
		skip_space(s);
		bool first = s->at < s->end && *s->at != close;
		if (first && !scan_item(s))
			return false;
		if (first && s->depth > depth)
			continue;
		/* Here an item, or nothing, stands before: a comma and the next item, or the close.
		 */
		for (;;) {
			skip_space(s);
			if (s->at >= s->end)
				return false;
			close = s->frames[s->depth - 1].is_array ? ']' : '}';
			if (*s->at == close) {
				s->at++;
				pop(s);
				if (s->depth == 0)
					break;
				continue;
			}
			if (*s->at != ',')
				return false;
			s->at++;
			skip_space(s);
			depth = s->depth;
			if (!scan_item(s))
				return false;
			if (s->depth > depth)
				break;
		}
	}
	skip_space(s);
	return s->at == s->end;
}

enum sluice_scan_result sluice_scan(const struct sluice_path_trie *trie,
                                    struct sluice_path_node *value, struct sluice_str text,
                                    struct sluice_leaves *leaves)
{
	struct scanner s;

	/* The frames are written before they are read: zeroing 12 KiB an event would be seen. */
	s.at = (const unsigned char *)text.data;
	s.end = s.at + text.len;
	s.trie = trie;
	s.leaves = leaves;
	s.depth = 0;
	s.too_deep = false;

	skip_space(&s);
	if (s.at == s.end)
		return SLUICE_SCAN_BAD;
	bool object = *s.at == '{';
	if (scan_document(&s, value))
		return object ? SLUICE_SCAN_OBJECT : SLUICE_SCAN_OTHER;
	return s.too_deep ? SLUICE_SCAN_TOO_DEEP : SLUICE_SCAN_BAD;
}
