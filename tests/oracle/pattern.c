/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "pattern.h"

#include <stdio.h>
#include <stdlib.h>

#include "sluice/pattern.h" /* the limits */

struct reader {
	struct oracle_pool *pool;
	char *reason;
	size_t reason_size;
	struct oracle_text paths[SLUICE_PATTERN_MAX_PATHS];
	size_t path_count;
	size_t or_depth;
};

static bool fail(struct reader *r, const char *why)
{
	snprintf(r->reason, r->reason_size, "%s", why);
	return false;
}

struct oracle_text oracle_path_join(struct oracle_pool *pool, const struct oracle_text *parent,
                                    struct oracle_text key)
{
	if (!parent)
		return key;
	struct oracle_text path;
	path.len = parent->len + 1 + key.len;
	path.chars = oracle_alloc(pool, path.len * sizeof(*path.chars));
	if (parent->len)
		memcpy(path.chars, parent->chars, parent->len * sizeof(*path.chars));
	path.chars[parent->len] = '.';
	if (key.len)
		memcpy(path.chars + parent->len + 1, key.chars, key.len * sizeof(*path.chars));
	return path;
}

static bool begins(struct oracle_text text, const char *ascii)
{
	size_t len = strlen(ascii);
	return text.len >= len && oracle_text_is((struct oracle_text){ text.chars, len }, ascii);
}

bool oracle_path_is_mqtt(struct oracle_text path)
{
	return oracle_text_is(path, "$mqtt") || begins(path, "$mqtt.");
}

/* Whether `$mqtt` has such a member. */
static bool mqtt_path_valid(struct oracle_text path)
{
	static const char *const names[] = {
		"$mqtt.topic",          "$mqtt.client_id",
		"$mqtt.username",       "$mqtt.qos",
		"$mqtt.retain",         "$mqtt.content_type",
		"$mqtt.response_topic", "$mqtt.correlation_data",
		"$mqtt.payload_format", "$mqtt.payload",
		"$mqtt.value",
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (oracle_text_is(path, names[i]))
			return true;
	return begins(path, "$mqtt.user_properties.") || begins(path, "$mqtt.value.");
}

static bool has_repeated_key(const struct oracle_json *json)
{
	for (const struct oracle_json *a = json->first; a; a = a->next) {
		if (json->type == ORACLE_OBJECT)
			for (const struct oracle_json *b = a->next; b; b = b->next)
				if (oracle_text_equal(a->key, b->key))
					return true;
		if (has_repeated_key(a))
			return true;
	}
	return false;
}

static struct oracle_alternative *new_alternative(struct reader *r, enum oracle_operator op,
                                                  const struct oracle_json *operand)
{
	struct oracle_alternative *alternative = oracle_alloc(r->pool, sizeof(*alternative));
	alternative->op = op;
	alternative->value.type = operand->type;
	alternative->value.text = operand->text;
	if (operand->type == ORACLE_NUMBER)
		oracle_number_read(r->pool, operand->text, &alternative->value.number);
	return alternative;
}

static bool is_string(const struct oracle_json *json)
{
	return json->type == ORACLE_STRING;
}

static bool check_wildcard(struct reader *r, struct oracle_text text)
{
	size_t stars;
	if (!oracle_wildcard_valid(text, &stars))
		return fail(r, "malformed wildcard");
	if (stars > SLUICE_PATTERN_MAX_WILDCARDS)
		return fail(r, "too many wildcards");
	return true;
}

/* One operand of a string operator inside anything-but. */
static bool read_but_operand(struct reader *r, enum oracle_operator op,
                             const struct oracle_json *operand, struct oracle_alternative *parent)
{
	if (!is_string(operand))
		return fail(r, "an operator inside anything-but takes strings");
	if ((op == ORACLE_PREFIX || op == ORACLE_SUFFIX) && operand->text.len == 0)
		return fail(r, "an empty prefix or suffix inside anything-but");
	if (op == ORACLE_WILDCARD && !check_wildcard(r, operand->text))
		return false;
	if (op == ORACLE_MQTT_TOPIC && !oracle_topic_filter_valid(operand->text))
		return fail(r, "invalid topic filter");
	struct oracle_alternative *but = new_alternative(r, op, operand);
	but->next = parent->but;
	parent->but = but;
	return true;
}

static bool read_anything_but(struct reader *r, const struct oracle_json *operand,
                              struct oracle_alternative *out)
{
	static const struct {
		const char *name;
		enum oracle_operator op;
	} inner[] = { { "prefix", ORACLE_PREFIX },
		      { "suffix", ORACLE_SUFFIX },
		      { "wildcard", ORACLE_WILDCARD },
		      { "equals-ignore-case", ORACLE_FOLDED },
		      { "mqtt-topic", ORACLE_MQTT_TOPIC } };
	out->op = ORACLE_ANYTHING_BUT;
	if (operand->type == ORACLE_STRING || operand->type == ORACLE_NUMBER) {
		out->but = new_alternative(r, ORACLE_EQUALS, operand);
		return true;
	}
	if (operand->type == ORACLE_ARRAY) {
		if (operand->count == 0)
			return fail(r, "an empty list in anything-but");
		for (const struct oracle_json *item = operand->first; item; item = item->next) {
			if (item->type != ORACLE_STRING && item->type != ORACLE_NUMBER)
				return fail(r, "anything-but takes strings or numbers");
			if (item->type != operand->first->type)
				return fail(r, "anything-but takes strings or numbers, not mixed");
			struct oracle_alternative *but = new_alternative(r, ORACLE_EQUALS, item);
			but->next = out->but;
			out->but = but;
		}
		return true;
	}
	if (operand->type != ORACLE_OBJECT || operand->count != 1)
		return fail(r, "the operand of anything-but");
	const struct oracle_json *member = operand->first;
	for (size_t i = 0; i < sizeof(inner) / sizeof(*inner); i++) {
		if (!oracle_text_is(member->key, inner[i].name))
			continue;
		if (member->type != ORACLE_ARRAY)
			return read_but_operand(r, inner[i].op, member, out);
		if (member->count == 0)
			return fail(r, "an empty list inside anything-but");
		for (const struct oracle_json *item = member->first; item; item = item->next)
			if (!read_but_operand(r, inner[i].op, item, out))
				return false;
		return true;
	}
	return fail(r, "unknown operator inside anything-but");
}

/* ["=", n], [lower, n], [upper, n] or [lower, n, upper, m] with n < m. */
static bool read_numeric(struct reader *r, const struct oracle_json *operand,
                         struct oracle_alternative *out)
{
	bool lower[2] = { false, false };
	bool equals[2] = { false, false };
	out->op = ORACLE_NUMERIC;
	if (operand->type != ORACLE_ARRAY || (operand->count != 2 && operand->count != 4))
		return fail(r, "numeric takes two or four elements");
	for (const struct oracle_json *item = operand->first; item; item = item->next->next) {
		static const char *const names[] = { "=", ">", ">=", "<", "<=" };
		size_t n = 0;
		while (n < 5 && !(is_string(item) && oracle_text_is(item->text, names[n])))
			n++;
		if (n == 5)
			return fail(r, "unknown comparison");
		if (item->next->type != ORACLE_NUMBER)
			return fail(r, "numeric compares with a number");
		strcpy(out->compare[out->bounds], names[n]);
		equals[out->bounds] = n == 0;
		lower[out->bounds] = n == 1 || n == 2;
		oracle_number_read(r->pool, item->next->text, &out->bound[out->bounds]);
		out->bounds++;
		if (!item->next->next)
			break;
	}
	if (out->bounds == 2) {
		if (equals[0] || equals[1] || !lower[0] || lower[1])
			return fail(r, "a lower bound, then an upper one");
		if (oracle_number_compare(&out->bound[0], &out->bound[1]) >= 0)
			return fail(r, "lower must be less than upper");
	}
	return true;
}

/* A string, or {"equals-ignore-case": string}. */
static bool read_affix(struct reader *r, const struct oracle_json *operand,
                       enum oracle_operator plain, enum oracle_operator folded,
                       struct oracle_alternative *out)
{
	out->op = plain;
	if (operand->type == ORACLE_OBJECT) {
		if (operand->count != 1 ||
		    !oracle_text_is(operand->first->key, "equals-ignore-case"))
			return fail(r, "only equals-ignore-case stands inside prefix or suffix");
		operand = operand->first;
		out->op = folded;
	}
	out->value.text = operand->text;
	return is_string(operand) || fail(r, "prefix and suffix take a string");
}

static bool read_operator(struct reader *r, const struct oracle_json *member,
                          struct oracle_alternative *out)
{
	struct oracle_text name = member->key;
	out->value.type = member->type;
	out->value.text = member->text;
	if (oracle_text_is(name, "exactly")) {
		out->op = ORACLE_EQUALS;
		return is_string(member) || fail(r, "exactly takes a string");
	}
	if (oracle_text_is(name, "prefix"))
		return read_affix(r, member, ORACLE_PREFIX, ORACLE_FOLDED_PREFIX, out);
	if (oracle_text_is(name, "suffix"))
		return read_affix(r, member, ORACLE_SUFFIX, ORACLE_FOLDED_SUFFIX, out);
	if (oracle_text_is(name, "equals-ignore-case")) {
		out->op = ORACLE_FOLDED;
		return is_string(member) || fail(r, "equals-ignore-case takes a string");
	}
	if (oracle_text_is(name, "wildcard")) {
		out->op = ORACLE_WILDCARD;
		if (!is_string(member))
			return fail(r, "wildcard takes a string");
		return check_wildcard(r, member->text);
	}
	if (oracle_text_is(name, "anything-but"))
		return read_anything_but(r, member, out);
	if (oracle_text_is(name, "numeric"))
		return read_numeric(r, member, out);
	if (oracle_text_is(name, "cidr")) {
		out->op = ORACLE_CIDR;
		if (!is_string(member) || !oracle_cidr_read(member->text, &out->block, &out->bits))
			return fail(r, "cidr takes \"address/bits\"");
		return true;
	}
	if (oracle_text_is(name, "exists")) {
		out->op = member->type == ORACLE_TRUE ? ORACLE_EXISTS : ORACLE_ABSENT;
		return member->type == ORACLE_TRUE || member->type == ORACLE_FALSE ||
		       fail(r, "exists takes true or false");
	}
	if (oracle_text_is(name, "mqtt-topic")) {
		out->op = ORACLE_MQTT_TOPIC;
		if (!is_string(member) || !oracle_topic_filter_valid(member->text))
			return fail(r, "mqtt-topic takes a topic filter");
		return true;
	}
	return fail(r, "unknown operator");
}

static bool read_field(struct reader *r, const struct oracle_json *list, struct oracle_item *item)
{
	if (list->count == 0)
		return fail(r, "an empty list");
	item->payload = !oracle_path_is_mqtt(item->path);
	if (!item->payload && !mqtt_path_valid(item->path))
		return fail(r, "no such member of $mqtt");
	size_t i = 0;
	while (i < r->path_count && !oracle_text_equal(r->paths[i], item->path))
		i++;
	if (i == SLUICE_PATTERN_MAX_PATHS)
		return fail(r, "too many paths");
	if (i == r->path_count)
		r->paths[r->path_count++] = item->path;
	for (const struct oracle_json *json = list->first; json; json = json->next) {
		struct oracle_alternative *alternative = new_alternative(r, ORACLE_EQUALS, json);
		if (json->type == ORACLE_ARRAY)
			return fail(r, "a list in a list");
		if (json->type == ORACLE_OBJECT) {
			if (json->count != 1)
				return fail(r, "one operator to an object");
			if (!read_operator(r, json->first, alternative))
				return false;
		}
		alternative->next = item->alternatives;
		item->alternatives = alternative;
	}
	return true;
}

static bool read_object(struct reader *r, const struct oracle_json *object,
                        const struct oracle_text *path, struct oracle_item **items);

static bool read_or(struct reader *r, const struct oracle_json *list,
                    const struct oracle_text *path, struct oracle_item *item)
{
	if (list->type != ORACLE_ARRAY || list->count < 2)
		return fail(r, "$or takes a list of two or more patterns");
	if (++r->or_depth > SLUICE_PATTERN_MAX_NESTING)
		return fail(r, "too many $or within each other");
	for (const struct oracle_json *json = list->first; json; json = json->next) {
		if (json->type != ORACLE_OBJECT)
			return fail(r, "$or takes a list of patterns");
		struct oracle_branch *branch = oracle_alloc(r->pool, sizeof(*branch));
		if (!read_object(r, json, path, &branch->items))
			return false;
		branch->next = item->branches;
		item->branches = branch;
	}
	r->or_depth--;
	return true;
}

static bool read_object(struct reader *r, const struct oracle_json *object,
                        const struct oracle_text *path, struct oracle_item **items)
{
	if (object->count == 0)
		return fail(r, "an empty object");
	for (const struct oracle_json *member = object->first; member; member = member->next) {
		struct oracle_item *item = oracle_alloc(r->pool, sizeof(*item));
		bool ok;
		if (oracle_text_is(member->key, "$or")) {
			ok = read_or(r, member, path, item);
		} else {
			item->path = oracle_path_join(r->pool, path, member->key);
			if (member->type == ORACLE_OBJECT) {
				if (!read_object(r, member, &item->path, items))
					return false;
				continue;
			}
			ok = member->type == ORACLE_ARRAY ? read_field(r, member, item)
			                                  : fail(r, "neither a list nor an object");
		}
		if (!ok)
			return false;
		item->next = *items;
		*items = item;
	}
	return true;
}

/* How many conjunctions the `$or`s multiply out to; stops counting past the limit. */
static size_t count_conjunctions(const struct oracle_item *items)
{
	size_t product = 1;
	for (const struct oracle_item *item = items; item; item = item->next) {
		size_t sum = item->branches ? 0 : 1;
		for (const struct oracle_branch *b = item->branches; b; b = b->next)
			sum += count_conjunctions(b->items);
		product *= sum;
		if (product > SLUICE_PATTERN_MAX_CONJUNCTIONS)
			return SLUICE_PATTERN_MAX_CONJUNCTIONS + 1;
	}
	return product;
}

struct oracle_pattern *oracle_pattern_read(struct sluice_str text, char *reason, size_t size)
{
	struct oracle_pattern *pattern = calloc(1, sizeof(*pattern));
	if (!pattern)
		abort();
	struct reader r = { .pool = &pattern->pool, .reason = reason, .reason_size = size };
	struct oracle_json *root;
	bool ok = false;
	if (text.len > SLUICE_PATTERN_MAX_BYTES)
		fail(&r, "too long");
	else if (oracle_json_parse(&pattern->pool, text, SLUICE_PATTERN_MAX_DEPTH, &root) !=
	         ORACLE_PARSED)
		fail(&r, "not well-formed");
	else if (root->type != ORACLE_OBJECT)
		fail(&r, "not an object");
	else if (has_repeated_key(root))
		fail(&r, "a repeated key");
	else if (read_object(&r, root, NULL, &pattern->items))
		ok = count_conjunctions(pattern->items) <= SLUICE_PATTERN_MAX_CONJUNCTIONS ||
		     fail(&r, "too many conjunctions");
	if (ok)
		return pattern;
	oracle_pattern_destroy(pattern);
	return NULL;
}

void oracle_pattern_destroy(struct oracle_pattern *pattern)
{
	if (!pattern)
		return;
	oracle_free_all(&pattern->pool);
	free(pattern);
}
