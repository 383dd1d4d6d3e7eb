/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * One walk over a payload for a set of paths. Which paths lead through the value at hand is a set
 * of bits; a container through which none leads on is skipped without recursion, so that the stack
 * is bounded by the longest path and not by the payload:
 *
 *	paths  0: $.a.b   1: $.a[0]        {"a": {"b": 1, "c": [2]}, "d": 3}
 *	                                   ^ {0,1}                   ^ {}: skipped
 *	                                         ^ {0,1}  ^ {}: skipped
 *	                                               ^ {0}: ends here, found
 */
#include "json_path.h"

#include "sluice/matcher.h"
#include "text.h"

enum { WORDS = SLUICE_PATH_MAX_SET / 64, ESCAPED_MAX = 6 * SLUICE_PATH_MAX_BYTES };

struct set {
	uint64_t words[WORDS];
};

struct walk {
	const char *at;
	const char *end;
	const struct sluice_json_path *paths;
	size_t count;
	struct sluice_path_value *values;
};

static bool value(struct walk *walk, size_t depth, struct set set);

static void space(struct walk *walk)
{
	while (walk->at < walk->end &&
	       (*walk->at == ' ' || *walk->at == '\t' || *walk->at == '\n' || *walk->at == '\r'))
		walk->at++;
}

static bool take(struct walk *walk, char c)
{
	if (walk->at == walk->end || *walk->at != c)
		return false;
	walk->at++;
	return true;
}

static bool digits(struct walk *walk)
{
	const char *start = walk->at;

	while (walk->at < walk->end && *walk->at >= '0' && *walk->at <= '9')
		walk->at++;
	return walk->at > start;
}

static bool number(struct walk *walk)
{
	take(walk, '-');
	if (!take(walk, '0') && !digits(walk))
		return false;
	if (take(walk, '.') && !digits(walk))
		return false;
	if (take(walk, 'e') || take(walk, 'E')) {
		if (!take(walk, '+'))
			take(walk, '-');
		return digits(walk);
	}
	return true;
}

static bool word(struct walk *walk, const char *text)
{
	size_t len = strlen(text);

	if ((size_t)(walk->end - walk->at) < len || memcmp(walk->at, text, len) != 0)
		return false;
	walk->at += len;
	return true;
}

static bool hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* A string; *inside gets what stands between its quotes. */
static bool string(struct walk *walk, struct sluice_str *inside)
{
	bool ascii = true;

	if (!take(walk, '"'))
		return false;
	const char *start = walk->at;
	for (; walk->at < walk->end && *walk->at != '"'; walk->at++) {
		unsigned char c = (unsigned char)*walk->at;

		if (c < 0x20)
			return false;
		if (c >= 0x80)
			ascii = false;
		if (c != '\\')
			continue;
		if (++walk->at == walk->end || !*walk->at || !strchr("\"\\/bfnrtu", *walk->at))
			return false;
		if (*walk->at != 'u')
			continue;
		if (walk->end - walk->at < 5)
			return false;
		for (int i = 1; i <= 4; i++)
			if (!hex(walk->at[i]))
				return false;
		walk->at += 4;
	}
	*inside = (struct sluice_str){ start, (size_t)(walk->at - start) };
	return take(walk, '"') && (ascii || sluice_text_utf8_length(*inside) == inside->len);
}

static bool scalar(struct walk *walk)
{
	struct sluice_str inside;

	if (walk->at == walk->end)
		return false;
	switch (*walk->at) {
	case '"':
		return string(walk, &inside);
	case 't':
		return word(walk, "true");
	case 'f':
		return word(walk, "false");
	case 'n':
		return word(walk, "null");
	default:
		return number(walk);
	}
}

static bool key(struct walk *walk, struct sluice_str *inside)
{
	space(walk);
	if (!string(walk, inside))
		return false;
	space(walk);
	return take(walk, ':');
}

/* Skips a value at which `depth` containers are open already. */
static bool skip(struct walk *walk, size_t depth)
{
	uint64_t objects[SLUICE_EVENT_MAX_NESTING / 64] = { 0 }; /* a bit for each open container */
	struct sluice_str name;
	size_t open = 0;

	for (;;) {
		space(walk);
		bool object = take(walk, '{');
		if (object || take(walk, '[')) {
			if (depth + open == SLUICE_EVENT_MAX_NESTING)
				return false;
			space(walk);
			if (!take(walk, object ? '}' : ']')) {
				if (object && !key(walk, &name))
					return false;
				uint64_t bit = UINT64_C(1) << open % 64;
				objects[open / 64] = object ? objects[open / 64] | bit
				                            : objects[open / 64] & ~bit;
				open++;
				continue;
			}
		} else if (!scalar(walk)) {
			return false;
		}
		for (;;) {
			if (open == 0)
				return true;
			object = objects[(open - 1) / 64] >> (open - 1) % 64 & 1;
			space(walk);
			if (take(walk, ',')) {
				if (object && !key(walk, &name))
					return false;
				break;
			}
			if (!take(walk, object ? '}' : ']'))
				return false;
			open--;
		}
	}
}

static bool same_key(struct sluice_str written, struct sluice_str wanted)
{
	char decoded[ESCAPED_MAX];

	if (!memchr(written.data, '\\', written.len))
		return sluice_str_equal(written, wanted);
	/* Each byte of the name takes at most six written ones: \u0061. */
	if (written.len > 6 * wanted.len || written.len > sizeof(decoded))
		return false;
	size_t len = sluice_text_unescape(written, decoded);
	return len == wanted.len && memcmp(decoded, wanted.data, len) == 0;
}

/* Of the paths in `set`, those whose step at `depth` is this member (or element, when name is
 * absent). */
static struct set follow(const struct walk *walk, struct set set, size_t depth,
                         struct sluice_str name, size_t index)
{
	struct set on = { { 0 } };

	for (size_t w = 0; w < WORDS; w++) {
		for (uint64_t left = set.words[w]; left; left &= left - 1) {
			size_t i = w * 64 + (size_t)__builtin_ctzll(left);
			const struct sluice_path_step *step = &walk->paths[i].steps[depth];

			if (name.data ? step->key.data && same_key(name, step->key)
			              : !step->key.data && step->index == index)
				on.words[w] |= left & (~left + 1);
		}
	}
	return on;
}

static bool empty(struct set set)
{
	uint64_t any = 0;

	for (size_t w = 0; w < WORDS; w++)
		any |= set.words[w];
	return any == 0;
}

static bool object(struct walk *walk, size_t depth, struct set set)
{
	struct sluice_str name;

	walk->at++;
	space(walk);
	if (take(walk, '}'))
		return true;
	do {
		if (!key(walk, &name) || !value(walk, depth + 1, follow(walk, set, depth, name, 0)))
			return false;
		space(walk);
	} while (take(walk, ','));
	return take(walk, '}');
}

static bool array(struct walk *walk, size_t depth, struct set set)
{
	walk->at++;
	space(walk);
	if (take(walk, ']'))
		return true;
	for (size_t i = 0;; i++) {
		struct sluice_str none = { NULL, 0 };

		if (!value(walk, depth + 1, follow(walk, set, depth, none, i)))
			return false;
		space(walk);
		if (!take(walk, ','))
			return take(walk, ']');
	}
}

/* A value `depth` containers deep, to which the paths in `set` lead. */
static bool value(struct walk *walk, size_t depth, struct set set)
{
	struct set on = { { 0 } }, here = { { 0 } };
	bool well_formed;

	if (empty(set))
		return skip(walk, depth);
	for (size_t i = 0; i < walk->count; i++) {
		uint64_t bit = UINT64_C(1) << i % 64;

		if (!(set.words[i / 64] & bit))
			continue;
		if (walk->paths[i].step_count > depth)
			on.words[i / 64] |= bit;
		else if (walk->values[i].kind == SLUICE_PATH_ABSENT)
			here.words[i / 64] |= bit;
	}
	space(walk);
	const char *start = walk->at;
	if (walk->at < walk->end && *walk->at == '{' && !empty(on))
		well_formed = object(walk, depth, on);
	else if (walk->at < walk->end && *walk->at == '[' && !empty(on))
		well_formed = array(walk, depth, on);
	else
		well_formed = skip(walk, depth);
	if (!well_formed)
		return false;
	for (size_t i = 0; i < walk->count; i++)
		if (here.words[i / 64] >> i % 64 & 1)
			walk->values[i] =
			        (struct sluice_path_value){ SLUICE_PATH_JSON,
				                            { start, (size_t)(walk->at - start) } };
	return true;
}

enum sluice_payload_kind sluice_json_walk(struct sluice_str text,
                                          const struct sluice_json_path *paths, size_t count,
                                          struct sluice_path_value *values)
{
	struct set all = { { 0 } };

	for (size_t i = 0; i < count; i++) {
		values[i] = (struct sluice_path_value){ .kind = SLUICE_PATH_ABSENT };
		all.words[i / 64] |= UINT64_C(1) << i % 64;
	}
	if (text.len == 0)
		return SLUICE_PAYLOAD_MALFORMED;
	struct walk walk = { text.data, text.data + text.len, paths, count, values };
	space(&walk);
	const char *first = walk.at;
	bool well_formed = value(&walk, 0, all);
	space(&walk);
	if (well_formed && walk.at == walk.end)
		return *first == '{' ? SLUICE_PAYLOAD_OBJECT : SLUICE_PAYLOAD_OTHER;
	/* What was found before the fault is not to be used. */
	for (size_t i = 0; i < count; i++)
		values[i].kind = SLUICE_PATH_ABSENT;
	return SLUICE_PAYLOAD_MALFORMED;
}
