/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "scan.h"

#include "lex.h"
#include "lex_run.h"
#include "spelling.h"
#include "text.h"

/* Once for each value of an event: calls would cost more than what they do. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

enum {
	SAFE = 96,  /* what a member's spelling and the first blocks of its value take, and more */
	TAIL = 128, /* of the text's end, which is copied to where SAFE bytes follow it */
	MISSES = 8, /* after so many no run of numbers is looked for in the text */
};

/* What an object or array is, and what it stands in. */
enum {
	IS_ARRAY = 1 << 0,
	IS_ELEMENT = 1 << 1,  /* stands in an array: IS_ARRAY of what is around it, shifted */
	IN_ARRAY = 1 << 2,    /* is or stands somewhere below an array */
	HAS_ELEMENT = 1 << 3, /* `element` is known */
	HAS_ARRAY = 1 << 4,   /* `array` is known */
};

/*
 * An object or array under way. Its element and its array are known by number only once a leaf was
 * found below (leaves.h).
 */
struct frame {
	struct sluice_path_node *node;    /* its path; NULL: no rule names anything here or below */
	struct sluice_spelling *spelling; /* of the member that it is, or an array around it is */
	unsigned is;
	uint32_t element; /* itself, when it stands in an array */
	uint32_t array;   /* itself, when it is one and holds elements with leaves */
};

struct scanner {
	const unsigned char *begin;
	const unsigned char *end;
	const unsigned char *safe; /* from here and before, SAFE bytes can be read */
	const char *original;      /* the text at `begin` as it was given */
	bool in_tail;
	const struct sluice_path_trie *trie;
	struct sluice_leaves *leaves;
	struct sluice_spellings *spellings;
	unsigned misses; /* runs of numbers that were none */
	bool too_deep;
	struct frame *frame; /* where pass_run stopped */
	unsigned char tail[TAIL + SAFE];
	struct frame frames[1 + SLUICE_EVENT_MAX_NESTING]; /* the first is around the text */
};

/*
 * From p, which is near the text's end, to where the same stands in a copy of the last bytes: so
 * that what comes need not look for the end either. To copy all of a text of some hundred bytes
 * would take longer: blocks are then read across what was just written.
 */
static __attribute__((noinline)) const unsigned char *enter_tail(struct scanner *s,
                                                                 const unsigned char *p)
{
	size_t len = (size_t)(s->end - s->begin);
	size_t kept = len < TAIL ? len : TAIL;
	const unsigned char *from = s->end - kept;

	if (kept == TAIL)
		memcpy(s->tail, from, TAIL);
	else
		memcpy(s->tail, from, kept);
	memset(s->tail + kept, 0, SAFE);
	s->original += from - s->begin;
	s->begin = s->tail;
	s->end = s->safe = s->tail + kept;
	s->in_tail = true;
	return s->tail + (p - from);
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

/*
 * The number of the innermost element around what is in the frame, with all of its parents numbered
 * before it; 0 when there is none.
 */
static __attribute__((noinline)) uint32_t current_element(struct scanner *s, struct frame *inner)
{
	struct frame *frame = inner;
	uint32_t element = 0;

	while (frame > s->frames && !(frame->is & HAS_ELEMENT))
		frame--;
	if (frame > s->frames)
		element = frame->element;
	while (frame++ < inner) {
		if (!(frame->is & IS_ELEMENT))
			continue;
		struct frame *array = frame - 1;
		if (!(array->is & HAS_ARRAY)) {
			array->array = sluice_leaves_add_array(s->leaves, array->node);
			if (array->array == UINT32_MAX)
				return 0;
			array->is |= HAS_ARRAY;
		}
		frame->element = sluice_leaves_add_element(s->leaves, element, array->array);
		if (frame->element == UINT32_MAX)
			return 0;
		frame->is |= HAS_ELEMENT;
		element = frame->element;
	}
	return element;
}

/* A leaf's value is put together by the caller; what it stands in is found here. */
static ALWAYS_INLINE struct sluice_leaf *record(struct scanner *s, struct frame *frame,
                                                struct sluice_path_node *node,
                                                enum sluice_json_type type,
                                                const unsigned char *start,
                                                const unsigned char *behind)
{
	uint32_t element = frame->is & IN_ARRAY ? current_element(s, frame) : 0;
	struct sluice_leaf *leaf =
	        s->leaves->overflow ? NULL : sluice_leaves_add(s->leaves, node, element);

	if (leaf) {
		leaf->value.type = type;
		leaf->value.text = (struct sluice_str){ s->original + (start - s->begin),
			                                (size_t)(behind - start) };
	}
	return leaf;
}

/* The frame of what stands in `around`; NULL: it is too deep. */
static ALWAYS_INLINE struct frame *push(struct scanner *s, struct frame *around,
                                        struct sluice_path_node *node,
                                        struct sluice_spelling *spelling, bool is_array)
{
	struct frame *frame = around + 1;

	if (around == &s->frames[SLUICE_EVENT_MAX_NESTING]) {
		s->too_deep = true;
		return NULL;
	}
	frame->node = node;
	frame->spelling = spelling;
	frame->is = (is_array ? IS_ARRAY | IN_ARRAY : 0) | (around->is & IN_ARRAY) |
	            (around->is & IS_ARRAY) * IS_ELEMENT;
	return frame;
}

/* Closes what holds leaves. */
static __attribute__((noinline)) void close_numbered(struct scanner *s, const struct frame *frame)
{
	if (frame->is & HAS_ELEMENT)
		s->leaves->elements[frame->element].end = s->leaves->leaf_count;
	if (frame->is & HAS_ARRAY)
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
		if (!parent || !(parent->child_firsts & sluice_path_first_bit(*p)))
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
	if (behind && parent)
		*node = odd_member(
		        s, parent,
		        (struct sluice_str){ (const char *)p, (size_t)(behind - 1 - p) });
	return behind;
}

/*
 * From p, at an object's brace or behind a member's value, to the value of the next member, where
 * it is not the one that was expected, or, where *spelling becomes NULL, to the brace that closes
 * the object. NULL: neither is there. `first`: p is at the object's brace, and
 * not behind a value.
 */
static __attribute__((noinline)) const unsigned char *other_member(
        struct scanner *s, struct sluice_path_node *parent, uint64_t tag, uint16_t *links,
        bool first, const unsigned char *p, struct sluice_spelling **spelling)
{
	const unsigned char *start = p;
	struct sluice_path_node *node;

	*spelling = NULL;
	p = lex_gap(p);
	if (*p != (first ? '{' : ','))
		return *p == '}' && !first ? p : NULL;
	p = lex_gap(p + 1);
	if (*p != '"')
		return *p == '}' && first ? p : NULL;
	const bool known = start <= s->safe && s->spellings->credit > 0;
	if (known) {
		*spelling = sluice_spellings_find(s->spellings, links, tag, start);
		if (*spelling)
			return lex_gap(start + (*spelling)->len);
	}
	p = scan_key(s, parent, p + 1, &node);
	if (!p)
		return NULL;
	p = lex_gap(p);
	if (*p != ':')
		return NULL;
	p = lex_gap(p + 1);
	if (known && !s->leaves->out_of_memory) /* its node may be missing for want of it */
		*spelling = sluice_spellings_learn(s->spellings, links, tag, start, p);
	else
		*spelling = s->spellings->all;
	(*spelling)->node = node;
	return p;
}

static ALWAYS_INLINE void record_string(struct scanner *s, struct frame *frame,
                                        struct sluice_path_node *node, const unsigned char *p,
                                        const unsigned char *behind, bool escaped)
{
	struct sluice_leaf *leaf = record(s, frame, node, SLUICE_JSON_STRING, p + 1, behind - 1);

	if (leaf && escaped)
		leaf->value.text = decode(s, leaf->value.text);
}

static ALWAYS_INLINE void record_number(struct scanner *s, struct frame *frame,
                                        struct sluice_path_node *node, const unsigned char *p,
                                        const unsigned char *behind,
                                        const struct lex_number *number)
{
	struct sluice_leaf *leaf = record(s, frame, node, SLUICE_JSON_NUMBER, p, behind);

	if (leaf && node->numbers)
		sluice_number_read_lexed(leaf->value.text, number, s->begin, &leaf->value.number);
}

static void record_literal(struct scanner *s, struct frame *frame, struct sluice_path_node *node,
                           const unsigned char *p, const unsigned char *behind)
{
	record(s, frame, node,
	       *p == 't'   ? SLUICE_JSON_TRUE
	       : *p == 'f' ? SLUICE_JSON_FALSE
	                   : SLUICE_JSON_NULL,
	       p, behind);
}

/* A scalar at a path that may be a leaf's, or, where node is NULL, is none. */
static const unsigned char *scan_scalar(struct scanner *s, struct frame *frame,
                                        struct sluice_path_node *node, const unsigned char *p)
{
	const unsigned char *behind;
	const bool wanted = node && node->index;

	if (*p == '"') {
		bool escaped = false;
		behind = lex_string(p + 1, s->begin, s->end, &escaped);
		if (behind && wanted)
			record_string(s, frame, node, p, behind, escaped);
	} else if (lex_begins_number(*p)) {
		struct lex_number number;
		behind = lex_number(p, s->begin, s->end, &number);
		if (behind && wanted)
			record_number(s, frame, node, p, behind, &number);
	} else {
		behind = lex_literal(p, s->end);
		if (behind && wanted)
			record_literal(s, frame, node, p, behind);
	}
	return behind;
}

/* scan_scalar for most of them, where SAFE bytes can be read: short ones. NULL: it is none. */
static ALWAYS_INLINE const unsigned char *quick_scalar(struct scanner *s, struct frame *frame,
                                                       struct sluice_path_node *node,
                                                       const unsigned char *p)
{
	const unsigned char *behind = NULL;

	if (*p == '"') {
		behind = lex_short_string(p + 1);
		if (behind && node && node->index)
			record_string(s, frame, node, p, behind, false);
	} else if (lex_begins_number(*p)) {
		size_t integer;
		behind = lex_short_number(p, &integer);
		if (behind && node && node->index) {
			struct lex_number number = lex_short_parts(p, integer, behind);
			record_number(s, frame, node, p, behind, &number);
		}
	} else if ((*p | 0x20) != '{') {
		behind = lex_literal(p, s->end);
		if (behind && node && node->index)
			record_literal(s, frame, node, p, behind);
	}
	return behind;
}

/* --- runs of numbers that no rule names --- */

#if LEX_HAS_RUNS

/* Whether such a run may begin at p: of more than a few numbers. */
static ALWAYS_INLINE bool may_run(const struct scanner *s, const unsigned char *p)
{
	return (lex_begins_number(*p) || *p == '[') && s->misses < MISSES &&
	       lex_special(lex_load(p + LEX_RUN - LEX_BLOCK)) == 0;
}

/* p is an element of the frame's array; passes elements, up to another in s->frame. */
static __attribute__((noinline)) const unsigned char *pass_run(struct scanner *s,
                                                               struct frame *frame,
                                                               const unsigned char *p)
{
	enum { ENOUGH = 8 }; /* arrays in each other that are left, at once */
	unsigned known = 1;

	while (known < ENOUGH && (frame - known)->is & IS_ARRAY)
		known++;
	unsigned arrays = known;
	const unsigned char *behind =
	        lex_run(p, s->safe, &arrays,
	                known + (unsigned)(&s->frames[SLUICE_EVENT_MAX_NESTING] - frame));
	s->misses += behind == p;
	for (; arrays > known; known++)
		frame = push(s, frame, NULL, frame->spelling, true);
	s->frame = frame - (known - arrays);
	return behind;
}

#else

static ALWAYS_INLINE bool may_run(const struct scanner *s, const unsigned char *p)
{
	(void)s;
	(void)p;
	return false;
}

static const unsigned char *pass_run(struct scanner *s, struct frame *frame, const unsigned char *p)
{
	s->frame = frame;
	return p;
}

#endif

/*
 * The object or array at p; returns what is behind it, or NULL. The text ends in a bracket, or it
 * is refused at once. So while a container is open, something follows each token but a closing
 * bracket, and only behind these is the text's end looked for.
 */
static const unsigned char *scan_container(struct scanner *s, struct sluice_path_node *node,
                                           const unsigned char *p)
{
	const unsigned char *end = s->end, *safe = s->safe;
	struct sluice_spelling *const all = s->spellings->all;
	struct sluice_spelling *spelling = &all[SLUICE_SPELLING_EVENT], *other;
	uint16_t *links;
	bool first;
	const unsigned char *behind;
	struct frame *frame = s->frames;
	uint64_t tag = 0;

open:
	/* where no rule names anything below, an object holds no leaf */
	if (node && *p == '{' && !node->children)
		node = NULL;
	frame = push(s, frame, node, spelling, *p == '[');
	if (!frame)
		return NULL;
	if (*p == '[') {
		p = lex_gap(p + 1);
		if (*p == ']')
			goto close;
		goto element;
	}
	tag = sluice_spelling_tag(s->spellings, node);
	links = spelling->inside;
	first = true;
	goto first_member;
member:
	links = spelling->next;
	first = false;
first_member:
	spelling = &all[(size_t)links[0]];
	if (LEX_LIKELY(p <= safe && sluice_spelling_is(spelling, tag, p))) {
		p += spelling->len;
		node = spelling->node;
		behind = quick_scalar(s, frame, node, p);
		if (LEX_LIKELY(behind != NULL)) {
			p = behind;
			goto member;
		}
		p = lex_gap(p); /* more of it than there was */
	} else if (p > safe && !s->in_tail) {
		p = enter_tail(s, p);
		end = safe = s->end;
		goto first_member;
	} else {
		if (*p == '}' && !first)
			goto close;
		p = other_member(s, frame->node, tag, links, first, p, &other);
		if (!p)
			return NULL;
		if (!other)
			goto close;
		spelling = other;
		node = spelling->node;
	}
	if ((*p | 0x20) == '{') /* or '[' */
		goto open;
	p = scan_scalar(s, frame, node, p);
	if (!p)
		return NULL;
	goto member;
element:
	if (LEX_LIKELY(p <= safe)) {
		if (!frame->node && may_run(s, p)) {
			p = lex_gap(pass_run(s, frame, p));
			frame = s->frame;
			if (p > safe)
				goto other_element;
		}
		behind = quick_scalar(s, frame, frame->node, p);
		if (LEX_LIKELY(behind != NULL)) {
			p = behind;
			goto behind_element;
		}
	} else if (!s->in_tail) {
		p = enter_tail(s, p);
		end = safe = s->end;
		goto element;
	}
other_element:
	node = frame->node;
	if ((*p | 0x20) == '{')
		goto open;
	p = scan_scalar(s, frame, node, p);
	if (!p)
		return NULL;
behind_element:
	p = lex_gap(p);
	if (*p == ',') {
		p = lex_gap(p + 1);
		goto element;
	}
	if (*p != ']')
		return NULL;
close:
	p++;
	spelling = frame->spelling;
	if (frame->is & (HAS_ELEMENT | HAS_ARRAY))
		close_numbered(s, frame);
	if (--frame == s->frames)
		return p;
	if (p == end)
		return NULL;
	if (frame->is & IS_ARRAY)
		goto behind_element;
	tag = sluice_spelling_tag(s->spellings, frame->node);
	goto member;
}

/* The whole text, from which white space around it was cut. */
static bool scan_document(struct scanner *s, struct sluice_path_node *node)
{
	const unsigned char *p = s->begin;

	if (*p != '{' && *p != '[')
		p = scan_scalar(s, s->frames, node, p);
	else if (s->end[-1] != '}' && s->end[-1] != ']')
		return false; /* what is open at the end is never closed */
	else
		p = scan_container(s, node, p);
	return p == s->end;
}

enum sluice_scan_result sluice_scan(const struct sluice_path_trie *trie,
                                    struct sluice_path_node *value, struct sluice_str text,
                                    struct sluice_leaves *leaves,
                                    struct sluice_spellings *spellings)
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
	s.spellings = spellings;
	s.frames[0].is = 0;
	s.misses = 0;
	s.too_deep = false;

	if (s.begin == s.end)
		return SLUICE_SCAN_BAD;
	s.original = (const char *)s.begin;
	s.in_tail = false;
	s.safe = s.end - s.begin < SAFE ? s.begin - 1 : s.end - SAFE;
	sluice_spellings_begin(spellings, trie->generation);
	bool object = *s.begin == '{';
	if (scan_document(&s, object ? trie->root : value))
		return object ? SLUICE_SCAN_OBJECT : SLUICE_SCAN_OTHER;
	return s.too_deep ? SLUICE_SCAN_TOO_DEEP : SLUICE_SCAN_BAD;
}
