/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "scan.h"

#include "lex.h"
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

static struct sluice_str decode(struct scanner *s, struct sluice_str inside)
{
	char *out = sluice_arena_bytes(s->leaves->text, inside.len);

	if (!out) {
		s->leaves->out_of_memory = true;
		return SLUICE_STR("");
	}
	return (struct sluice_str){ out, sluice_text_unescape(inside, out) };
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

/* --- what no rule names --- */

/*
 * Passes the value at p, checked but not looked at. Open containers are bits: 1 for an object. This
 * is the whole cost of an event in which no rule is interested, so it keeps everything in
 * registers.
 */
static const unsigned char *skip_value(struct scanner *s, const unsigned char *p)
{
	const unsigned char *const end = s->end;
	uint64_t objects[SLUICE_EVENT_MAX_NESTING / 64];
	const unsigned room = SLUICE_EVENT_MAX_NESTING - s->depth;
	unsigned depth = 0;
	bool escaped, object = false;

value:
	switch (*p) {
	case '{':
	case '[':
		if (depth == room) {
			s->too_deep = true;
			return NULL;
		}
		object = *p == '{';
		if (object)
			objects[depth / 64] |= UINT64_C(1) << depth % 64;
		else
			objects[depth / 64] &= ~(UINT64_C(1) << depth % 64);
		depth++;
		p = lex_space(p + 1, end);
		if (p == end)
			return NULL;
		if (*p == (object ? '}' : ']'))
			goto close;
		if (object)
			goto member;
		goto value;
	case '"':
		p = lex_string(p + 1, end, &escaped);
		break;
	case 't':
	case 'f':
	case 'n':
		p = lex_literal(p, end);
		break;
	case '-':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9':
		p = lex_number(p, end);
		break;
	default:
		return NULL;
	}
	if (!p || depth == 0)
		return p;
next:
	p = lex_space(p, end);
	if (p == end)
		return NULL;
	if (*p == ',') {
		p = lex_space(p + 1, end);
		if (p == end)
			return NULL;
		if (!object)
			goto value;
		goto member;
	}
	if (*p != (object ? '}' : ']'))
		return NULL;
close:
	p++;
	if (--depth == 0)
		return p;
	object = objects[(depth - 1) / 64] >> (depth - 1) % 64 & 1;
	goto next;
member:
	if (*p != '"')
		return NULL;
	p = lex_string(p + 1, end, &escaped);
	if (!p)
		return NULL;
	p = lex_space(p, end);
	if (p == end || *p != ':')
		return NULL;
	p = lex_space(p + 1, end);
	if (p == end)
		return NULL;
	goto value;
}

/* --- what some rule names, or something below --- */

/* A scalar, or the opening of a container (which is pushed). */
static bool scan_value(struct scanner *s, struct sluice_path_node *node)
{
	const unsigned char *start = s->at;
	const unsigned char *behind;
	enum sluice_json_type type;
	bool escaped = false;

	if (!node) {
		s->at = skip_value(s, start);
		return s->at != NULL;
	}
	switch (*start) {
	case '{':
	case '[':
		s->at++;
		return push(s, node, *start == '[');
	case '"':
		type = SLUICE_JSON_STRING;
		behind = lex_string(start + 1, s->end, &escaped);
		break;
	case 't':
	case 'f':
	case 'n':
		type = *start == 't'   ? SLUICE_JSON_TRUE
		       : *start == 'f' ? SLUICE_JSON_FALSE
		                       : SLUICE_JSON_NULL;
		behind = lex_literal(start, s->end);
		break;
	default:
		type = SLUICE_JSON_NUMBER;
		if (*start != '-' && (*start < '0' || *start > '9'))
			return false;
		behind = lex_number(start, s->end);
		break;
	}
	if (!behind)
		return false;
	s->at = behind;
	if (node->named == 0)
		return true;
	struct sluice_str text = { (const char *)start, (size_t)(behind - start) };
	if (type == SLUICE_JSON_STRING) {
		text = (struct sluice_str){ text.data + 1, text.len - 2 };
		if (escaped)
			text = decode(s, text);
	}
	record(s, node, type, text);
	return true;
}

/* The member or element at s->at, as far as scan_value goes. */
static bool scan_item(struct scanner *s)
{
	const struct frame *frame = &s->frames[s->depth - 1];
	struct sluice_path_node *node = frame->node;

	if (!frame->is_array) {
		const unsigned char *start = s->at + 1;
		bool escaped = false;
		if (s->at >= s->end || *s->at != '"')
			return false;
		const unsigned char *behind = lex_string(start, s->end, &escaped);
		if (!behind)
			return false;
		node = member_node(
		        s, (struct sluice_str){ (const char *)start, (size_t)(behind - 1 - start) },
		        escaped);
		s->at = lex_space(behind, s->end);
		if (s->at >= s->end || *s->at != ':')
			return false;
		s->at = lex_space(s->at + 1, s->end);
	}
	return s->at < s->end && scan_value(s, node);
}

/*
 * Closes what ends here and goes on to the next item, until a container opens (true) or all are
 * closed.
 */
static bool scan_items(struct scanner *s, bool *well_formed)
{
	for (;;) {
		s->at = lex_space(s->at, s->end);
		if (s->at >= s->end)
			break;
		unsigned depth = s->depth;
		if (*s->at == (s->frames[depth - 1].is_array ? ']' : '}')) {
			s->at++;
			pop(s);
			if (s->depth > 0)
				continue;
			*well_formed = true;
			return false;
		}
		if (*s->at != ',')
			break;
		s->at = lex_space(s->at + 1, s->end);
		if (!scan_item(s))
			break;
		if (s->depth > depth)
			return true;
	}
	*well_formed = false;
	return false;
}

static bool scan_document(struct scanner *s, struct sluice_path_node *value)
{
	bool well_formed = true;

	if (!scan_value(s, *s->at == '{' ? s->trie->root : value))
		return false;
	/*
	 * At the head of the loop a container was just opened: it closes at once, or has a first
	 * item.
	 */
	for (bool opened = s->depth > 0; opened;) {
		unsigned depth = s->depth;
		s->at = lex_space(s->at, s->end);
		if (s->at >= s->end)
			return false;
		if (*s->at != (s->frames[depth - 1].is_array ? ']' : '}')) {
			if (!scan_item(s))
				return false;
			if (s->depth > depth)
				continue;
		}
		opened = scan_items(s, &well_formed);
	}
	if (!well_formed)
		return false;
	s->at = lex_space(s->at, s->end);
	return s->at == s->end;
}

enum sluice_scan_result sluice_scan(const struct sluice_path_trie *trie,
                                    struct sluice_path_node *value, struct sluice_str text,
                                    struct sluice_leaves *leaves)
{
	struct scanner s;

	/* The frames are written before they are read: zeroing 12 KiB an event would be seen. */
	s.end = (const unsigned char *)text.data + text.len;
	s.at = lex_space((const unsigned char *)text.data, s.end);
	s.trie = trie;
	s.leaves = leaves;
	s.depth = 0;
	s.too_deep = false;

	if (s.at == s.end)
		return SLUICE_SCAN_BAD;
	bool object = *s.at == '{';
	if (scan_document(&s, value))
		return object ? SLUICE_SCAN_OBJECT : SLUICE_SCAN_OTHER;
	return s.too_deep ? SLUICE_SCAN_TOO_DEEP : SLUICE_SCAN_BAD;
}
