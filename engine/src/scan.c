/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "scan.h"

#include "lex.h"
#include "text.h"

/* Once for each value of an event: calls would cost more than what they do. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

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
	const unsigned char *begin;
	const unsigned char *end;
	const struct sluice_path_trie *trie;
	struct sluice_leaves *leaves;
	unsigned depth;       /* open containers; frames[depth - 1] is the innermost */
	unsigned open_arrays; /* of them */
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
static __attribute__((noinline)) uint32_t current_element(struct scanner *s)
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

/* A leaf's value is put together by the caller; what it stands in is found here. */
static ALWAYS_INLINE struct sluice_leaf *record(struct scanner *s, struct sluice_path_node *node,
                                                enum sluice_json_type type,
                                                const unsigned char *start,
                                                const unsigned char *behind)
{
	uint32_t element = s->open_arrays ? current_element(s) : 0;
	struct sluice_leaf *leaf =
	        s->leaves->overflow ? NULL : sluice_leaves_add(s->leaves, node, element);

	if (leaf) {
		leaf->value.type = type;
		leaf->value.text =
		        (struct sluice_str){ (const char *)start, (size_t)(behind - start) };
	}
	return leaf;
}

static struct frame *push(struct scanner *s, struct sluice_path_node *node, bool is_array)
{
	if (s->depth == SLUICE_EVENT_MAX_NESTING) {
		s->too_deep = true;
		return NULL;
	}
	struct frame *frame = &s->frames[s->depth];
	*frame = (struct frame){ node, UINT32_MAX, UINT32_MAX, is_array,
		                 s->depth > 0 && s->frames[s->depth - 1].is_array };
	s->depth++;
	s->open_arrays += is_array;
	return frame;
}

static void pop(struct scanner *s)
{
	const struct frame *frame = &s->frames[--s->depth];

	s->open_arrays -= frame->is_array;
	if (frame->element != UINT32_MAX)
		s->leaves->elements[frame->element].end = s->leaves->leaf_count;
	if (frame->array != UINT32_MAX)
		s->leaves->arrays[frame->array].end = s->leaves->leaf_count;
}

static bool is_metadata(const struct scanner *s, const struct sluice_path_node *parent,
                        struct sluice_str key)
{
	return parent == s->trie->root && key.len >= 5 && memcmp(key.data, "$mqtt", 5) == 0 &&
	       (key.len == 5 || key.data[5] == '.');
}

/* The node of a key with dots or, perhaps, escapes. */
static __attribute__((noinline)) struct sluice_path_node *odd_member(
        struct scanner *s, struct sluice_path_node *parent, struct sluice_str key)
{
	if (key.len && memchr(key.data, '\\', key.len))
		key = decode(s, key);
	return is_metadata(s, parent, key) ? NULL : sluice_path_walk(s->trie, parent, key);
}

/*
 * Passes the key whose opening quote p is behind: the result is behind the closing one, or NULL. The
 * node that its member stands at, or NULL, goes into *node. Nothing in a payload stands below $mqtt.
 */
static ALWAYS_INLINE const unsigned char *scan_key(struct scanner *s,
                                                   struct sluice_path_node *parent,
                                                   const unsigned char *p,
                                                   struct sluice_path_node **node)
{
	const bool whole = LEX_LIKELY(s->end - p >= LEX_BLOCK);
	bool escaped = false;

	*node = NULL;
	uint64_t special = lex_special_at(p, s->begin, s->end);
	size_t len = lex_first(special | UINT64_C(1) << 63);
	if (LEX_LIKELY(special != 0 && (whole || p + len < s->end) && p[len] == '"')) {
		const unsigned char *behind = p + len + 1;
		struct sluice_str key = { (const char *)p, len };
		if (!(parent->child_firsts & sluice_path_first_bit(*p)))
			return behind; /* most keys that no rule names */
		bool dotted = whole ? (lex_dot(lex_load(p)) & ((special & (0 - special)) - 1)) != 0
		                    : memchr(p, '.', len) != NULL;
		if (dotted) {
			*node = odd_member(s, parent, key);
			return behind;
		}
		if (!(parent->child_filter & sluice_path_bit(key)))
			return behind;
		struct sluice_segment segment = sluice_segment_of(key);
		*node = sluice_path_child(s->trie, parent, &segment);
		if (*node && is_metadata(s, parent, key))
			*node = NULL;
		return behind;
	}
	const unsigned char *behind = lex_long_string(p, s->begin, s->end, &escaped);
	if (behind)
		*node = odd_member(
		        s, parent,
		        (struct sluice_str){ (const char *)p, (size_t)(behind - 1 - p) });
	return behind;
}

/* --- what no rule names --- */

/*
 * The text ends in a bracket, or it is refused at once. So while a container is open, something
 * follows each token but a closing bracket, and only behind these is the text's end looked for.
 *
 * Passes the object or array at p, checked but not looked at. Open containers are bits of a word, 1
 * for an object, the innermost lowest; what is nested deeper than a word is long is passed by a call
 * of its own. This is most of the cost of an event in which few rules are interested, so it keeps
 * everything in registers.
 */
static const unsigned char *skip_container(struct scanner *s, const unsigned char *p)
{
	enum { WORD = 64 };
	const unsigned char *const begin = s->begin, *const end = s->end;
	uint64_t objects = 0;
	unsigned depth = 0;
	bool escaped, object;
	struct lex_number number;

open:
	if (s->depth + depth == SLUICE_EVENT_MAX_NESTING) {
		s->too_deep = true;
		return NULL;
	}
	if (depth == WORD) {
		s->depth += WORD;
		p = skip_container(s, p);
		s->depth -= WORD;
		if (!p || p == end)
			return NULL;
		object = objects & 1;
		goto next;
	}
	object = *p == '{';
	objects = objects << 1 | object;
	depth++;
	p = lex_gap(p + 1);
	if (*p == (object ? '}' : ']'))
		goto close;
	if (!object)
		goto value;
member:
	if (*p != '"')
		return NULL;
	p = lex_string(p + 1, begin, end, &escaped);
	if (!p)
		return NULL;
	p = lex_gap(p);
	if (*p != ':')
		return NULL;
	p = lex_gap(p + 1);
value:
	if (lex_begins_number(*p))
		p = lex_number(p, begin, end, &number);
	else if (*p == '"')
		p = lex_string(p + 1, begin, end, &escaped);
	else if (*p == '{' || *p == '[')
		goto open;
	else
		p = lex_literal(p, end);
	if (!p)
		return NULL;
next:
	p = lex_gap(p);
	if (*p == ',') {
		p = lex_gap(p + 1);
		if (object)
			goto member;
		goto value;
	}
	if (*p != (object ? '}' : ']'))
		return NULL;
close:
	p++;
	if (--depth == 0)
		return p;
	if (p == end)
		return NULL;
	objects >>= 1;
	object = objects & 1;
	goto next;
}

/* --- what some rule names, or something below --- */

/* A scalar at a path that may be a leaf's, or, where node is NULL, is none. */
static ALWAYS_INLINE const unsigned char *scan_scalar(struct scanner *s,
                                                      struct sluice_path_node *node,
                                                      const unsigned char *p)
{
	const unsigned char *behind;
	struct sluice_leaf *leaf;

	if (*p == '"') {
		bool escaped = false;
		behind = lex_string(p + 1, s->begin, s->end, &escaped);
		if (!behind || !node || !node->index)
			return behind;
		leaf = record(s, node, SLUICE_JSON_STRING, p + 1, behind - 1);
		if (leaf && escaped)
			leaf->value.text = decode(s, leaf->value.text);
	} else if (lex_begins_number(*p)) {
		struct lex_number number;
		behind = lex_number(p, s->begin, s->end, &number);
		if (!behind || !node || !node->index)
			return behind;
		leaf = record(s, node, SLUICE_JSON_NUMBER, p, behind);
		if (leaf && node->numbers)
			sluice_number_read_lexed(leaf->value.text, &number, s->begin,
			                         &leaf->value.number);
	} else {
		behind = lex_literal(p, s->end);
		if (behind && node && node->index)
			record(s, node,
			       *p == 't'   ? SLUICE_JSON_TRUE
			       : *p == 'f' ? SLUICE_JSON_FALSE
			                   : SLUICE_JSON_NULL,
			       p, behind);
	}
	return behind;
}

/*
 * The object or array at p, at a path that some rule names something at or below. Returns what is
 * behind it, or NULL.
 */
static const unsigned char *scan_container(struct scanner *s, struct sluice_path_node *node,
                                           const unsigned char *p)
{
	const unsigned char *const end = s->end;
	struct frame *frame;

open:
	frame = push(s, node, *p == '[');
	if (!frame)
		return NULL;
	p = lex_gap(p + 1);
	if (*p == (frame->is_array ? ']' : '}'))
		goto close;
	if (frame->is_array)
		goto value;
member:
	if (*p != '"')
		return NULL;
	p = scan_key(s, frame->node, p + 1, &node);
	if (!p)
		return NULL;
	p = lex_gap(p);
	if (*p != ':')
		return NULL;
	p = lex_gap(p + 1);
value:
	if ((*p | 0x20) == '{') { /* or '[' */
		/* where no rule names anything below, an object holds no leaf */
		if (node && (*p == '[' || node->children))
			goto open;
		p = skip_container(s, p);
	} else {
		p = scan_scalar(s, node, p);
	}
	if (!p || p == end) /* the latter behind a bracket that closed what was skipped */
		return NULL;
next:
	p = lex_gap(p);
	if (*p == ',') {
		p = lex_gap(p + 1);
		if (!frame->is_array)
			goto member;
		node = frame->node;
		goto value;
	}
	if (*p != (frame->is_array ? ']' : '}'))
		return NULL;
close:
	p++;
	pop(s);
	if (s->depth == 0)
		return p;
	if (p == end)
		return NULL;
	frame = &s->frames[s->depth - 1];
	goto next;
}

/* The whole text, from which white space around it was cut. */
static bool scan_document(struct scanner *s, struct sluice_path_node *node)
{
	const unsigned char *p = s->begin;

	if (*p != '{' && *p != '[')
		p = scan_scalar(s, node, p);
	else if (s->end[-1] != '}' && s->end[-1] != ']')
		return false; /* what is open at the end is never closed */
	else if (node && (*p == '[' || node->children))
		p = scan_container(s, node, p);
	else
		p = skip_container(s, p);
	return p == s->end;
}

enum sluice_scan_result sluice_scan(const struct sluice_path_trie *trie,
                                    struct sluice_path_node *value, struct sluice_str text,
                                    struct sluice_leaves *leaves)
{
	struct scanner s;

	/* The frames are written before they are read: zeroing 12 KiB an event would be seen. */
	s.begin = (const unsigned char *)text.data;
	s.end = s.begin + text.len;
	while (s.begin < s.end && lex_is_space(*s.begin))
		s.begin++;
	while (s.begin < s.end && lex_is_space(s.end[-1]))
		s.end--;
	s.trie = trie;
	s.leaves = leaves;
	s.depth = 0;
	s.open_arrays = 0;
	s.too_deep = false;

	if (s.begin == s.end)
		return SLUICE_SCAN_BAD;
	bool object = *s.begin == '{';
	if (scan_document(&s, object ? trie->root : value))
		return object ? SLUICE_SCAN_OBJECT : SLUICE_SCAN_OTHER;
	return s.too_deep ? SLUICE_SCAN_TOO_DEEP : SLUICE_SCAN_BAD;
}
