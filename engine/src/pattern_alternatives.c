/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* A field's alternatives: every operator of the pattern language, checked and made a predicate. */
#include "address.h"
#include "pattern_compile.h"
#include "quote.h"
#include "sluice/suggest.h"
#include "sluice/topic.h"
#include "text.h"

struct builder {
	struct sluice_arena *arena;
	struct sluice_error *error;
};

typedef enum sluice_status compile_operand(const struct builder *builder,
                                           const struct sluice_json *operand,
                                           struct sluice_predicate *predicate);

static compile_operand compile_exactly, compile_prefix, compile_suffix, compile_fold,
        compile_wildcard, compile_anything_but, compile_numeric, compile_cidr, compile_exists,
        compile_mqtt_topic;

static const struct operator_entry {
	const char *name;
	compile_operand *compile;
	bool in_anything_but; /* may stand as {"anything-but": {name: …}} */
} operators[] = {
	{ "exactly", compile_exactly, false },  { "prefix", compile_prefix, true },
	{ "suffix", compile_suffix, true },     { "equals-ignore-case", compile_fold, true },
	{ "wildcard", compile_wildcard, true }, { "anything-but", compile_anything_but, false },
	{ "numeric", compile_numeric, false },  { "cidr", compile_cidr, false },
	{ "exists", compile_exists, false },    { "mqtt-topic", compile_mqtt_topic, true },
};
enum { OPERATOR_COUNT = sizeof(operators) / sizeof(operators[0]) };

#define invalid(builder, node, ...)                                                                \
	sluice_json_error(node, (builder)->error, SLUICE_ERR_INVALID, __VA_ARGS__)

static const struct operator_entry *find_operator(struct sluice_str name)
{
	for (size_t i = 0; i < OPERATOR_COUNT; i++) {
		if (sluice_str_equal(name, sluice_str(operators[i].name)))
			return &operators[i];
	}
	return NULL;
}

/* Keeps a decoded string for as long as the pattern. False when out of memory. */
static bool keep(const struct builder *builder, struct sluice_str text, struct sluice_str *kept)
{
	*kept = sluice_arena_str(builder->arena, text);
	return kept->data != NULL;
}

static bool keep_folded(const struct builder *builder, struct sluice_str text,
                        struct sluice_str *kept)
{
	char *folded = sluice_arena_bytes(builder->arena, 2 * text.len + 4);
	if (!folded)
		return false;
	*kept = (struct sluice_str){ folded, sluice_text_fold(text, folded) };
	return true;
}

static enum sluice_status set_text(const struct builder *builder, enum sluice_operator op,
                                   struct sluice_str text, struct sluice_predicate *predicate)
{
	bool folded =
	        op == SLUICE_OP_FOLD || op == SLUICE_OP_FOLD_PREFIX || op == SLUICE_OP_FOLD_SUFFIX;
	predicate->op = op;
	if (!(folded ? keep_folded : keep)(builder, text, &predicate->text))
		return sluice_out_of_memory(builder->error);
	return SLUICE_OK;
}

static enum sluice_status need_string(const struct builder *builder,
                                      const struct sluice_json *operand)
{
	if (operand->type == SLUICE_JSON_STRING)
		return SLUICE_OK;
	char quoted[SLUICE_QUOTE_SIZE];
	return invalid(builder, operand, "%s needs a string", sluice_quote(operand->key, quoted));
}

/* An operand that is an object must have one member, which names what to do. */
static enum sluice_status need_one_member(const struct builder *builder,
                                          const struct sluice_json *object)
{
	if (object->count == 0)
		return invalid(builder, object, "an empty object names no operator");
	if (object->count > 1) {
		char first[SLUICE_QUOTE_SIZE], second[SLUICE_QUOTE_SIZE];
		return invalid(builder, object, "one operator to an object, not both %s and %s",
		               sluice_quote(object->first->key, first),
		               sluice_quote(object->first->next->key, second));
	}
	return SLUICE_OK;
}

static enum sluice_status unknown_operator(const struct builder *builder,
                                           const struct sluice_json *place, struct sluice_str name,
                                           bool in_anything_but)
{
	const char *names[OPERATOR_COUNT + 1] = { NULL };
	size_t count = 0;
	for (size_t i = 0; i < OPERATOR_COUNT; i++) {
		if (operators[i].in_anything_but || !in_anything_but)
			names[count++] = operators[i].name;
	}
	char quoted[SLUICE_QUOTE_SIZE], hint[128];
	sluice_suggest_format(name, names, hint, sizeof(hint));
	sluice_quote(name, quoted);
	if (in_anything_but)
		return invalid(builder, place, "unknown operator %s in \"anything-but\"%s", quoted,
		               hint[0] ? hint
		                       : "; it takes prefix, suffix, equals-ignore-case, wildcard "
		                         "and mqtt-topic");
	return invalid(builder, place, "unknown operator %s%s", quoted,
	               hint[0] ? hint
	                       : "; there are exactly, prefix, suffix, equals-ignore-case, "
	                         "wildcard, anything-but, numeric, cidr, exists and mqtt-topic");
}

static enum sluice_status compile_exactly(const struct builder *builder,
                                          const struct sluice_json *operand,
                                          struct sluice_predicate *predicate)
{
	enum sluice_status status = need_string(builder, operand);
	if (status != SLUICE_OK)
		return status;
	return set_text(builder, SLUICE_OP_STRING, operand->string, predicate);
}

/* "prefix" and "suffix": a string, or {"equals-ignore-case": string}. */
static enum sluice_status compile_end(const struct builder *builder,
                                      const struct sluice_json *operand, enum sluice_operator op,
                                      enum sluice_operator folded,
                                      struct sluice_predicate *predicate)
{
	if (operand->type != SLUICE_JSON_OBJECT) {
		enum sluice_status status = need_string(builder, operand);
		if (status != SLUICE_OK)
			return status;
		return set_text(builder, op, operand->string, predicate);
	}
	enum sluice_status status = need_one_member(builder, operand);
	if (status != SLUICE_OK)
		return status;
	const struct sluice_json *member = operand->first;
	if (!sluice_str_equal(member->key, SLUICE_STR("equals-ignore-case"))) {
		char outer[SLUICE_QUOTE_SIZE], inner[SLUICE_QUOTE_SIZE];
		return invalid(builder, operand,
		               "%s takes a string or {\"equals-ignore-case\": string}, not %s",
		               sluice_quote(operand->key, outer), sluice_quote(member->key, inner));
	}
	status = need_string(builder, member);
	if (status != SLUICE_OK)
		return status;
	return set_text(builder, folded, member->string, predicate);
}

static enum sluice_status compile_prefix(const struct builder *builder,
                                         const struct sluice_json *operand,
                                         struct sluice_predicate *predicate)
{
	return compile_end(builder, operand, SLUICE_OP_PREFIX, SLUICE_OP_FOLD_PREFIX, predicate);
}

static enum sluice_status compile_suffix(const struct builder *builder,
                                         const struct sluice_json *operand,
                                         struct sluice_predicate *predicate)
{
	return compile_end(builder, operand, SLUICE_OP_SUFFIX, SLUICE_OP_FOLD_SUFFIX, predicate);
}

static enum sluice_status compile_fold(const struct builder *builder,
                                       const struct sluice_json *operand,
                                       struct sluice_predicate *predicate)
{
	enum sluice_status status = need_string(builder, operand);
	if (status != SLUICE_OK)
		return status;
	return set_text(builder, SLUICE_OP_FOLD, operand->string, predicate);
}

/* Checks escapes and stars; *stars gets their number. */
static enum sluice_status check_wildcard(const struct builder *builder,
                                         const struct sluice_json *operand, size_t *stars)
{
	struct sluice_str text = operand->string;
	bool after_star = false;
	*stars = 0;
	for (size_t i = 0; i < text.len; i++) {
		bool star = text.data[i] == '*';
		if (star && after_star)
			return invalid(builder, operand,
			               "two stars in a row in a wildcard mean no more than one");
		after_star = star;
		*stars += star;
		if (text.data[i] != '\\')
			continue;
		if (++i == text.len || (text.data[i] != '*' && text.data[i] != '\\'))
			return invalid(builder, operand,
			               "in a wildcard a backslash stands before '*' or another "
			               "backslash only");
	}
	if (*stars > SLUICE_PATTERN_MAX_WILDCARDS)
		return sluice_json_error(operand, builder->error, SLUICE_ERR_LIMIT,
		                         "a wildcard has at most %d stars, this one has %zu",
		                         SLUICE_PATTERN_MAX_WILDCARDS, *stars);
	return SLUICE_OK;
}

static enum sluice_status compile_wildcard(const struct builder *builder,
                                           const struct sluice_json *operand,
                                           struct sluice_predicate *predicate)
{
	size_t stars;
	enum sluice_status status = need_string(builder, operand);
	if (status == SLUICE_OK)
		status = check_wildcard(builder, operand, &stars);
	if (status != SLUICE_OK)
		return status;
	struct sluice_str text = operand->string;
	struct sluice_str *pieces = sluice_arena_alloc(builder->arena, stars + 1, sizeof(*pieces));
	char *out = sluice_arena_bytes(builder->arena, text.len + 1);
	if (!pieces || !out)
		return sluice_out_of_memory(builder->error);
	size_t piece = 0;
	pieces[0].data = out;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '*') {
			pieces[++piece].data = out;
			continue;
		}
		if (text.data[i] == '\\')
			i++;
		*out++ = text.data[i];
		pieces[piece].len++;
	}
	predicate->op = SLUICE_OP_WILDCARD;
	predicate->wildcard.pieces = pieces;
	predicate->wildcard.piece_count = piece + 1;
	return SLUICE_OK;
}

/* Bounds by name. "=" is both, inclusive. */
static const struct bound {
	const char *name;
	bool lower, upper, inclusive;
} bounds[] = {
	{ "=", true, true, true },   { ">", true, false, false }, { ">=", true, false, true },
	{ "<", false, true, false }, { "<=", false, true, true },
};

static enum sluice_status read_bound(const struct builder *builder, const struct sluice_json *name,
                                     struct sluice_range *range)
{
	const struct bound *bound = NULL;
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		if (name->type == SLUICE_JSON_STRING &&
		    sluice_str_equal(name->string, sluice_str(bounds[i].name)))
			bound = &bounds[i];
	}
	if (!bound)
		return invalid(builder, name,
		               "expected a comparison, one of \"=\" \">\" \">=\" \"<\" \"<=\"");
	if (!name->next || name->next->type != SLUICE_JSON_NUMBER)
		return invalid(builder, name->next ? name->next : name,
		               "\"%s\" needs a number behind it", bound->name);
	if (name->index > 0 && (bound->lower || !range->has_lower || range->has_upper))
		return invalid(builder, name,
		               "\"numeric\" takes \"=\" alone, or one lower bound and then one "
		               "upper bound");
	struct sluice_number number;
	sluice_number_read(name->next->raw, &number);
	if (bound->lower) {
		range->has_lower = true;
		range->lower_inclusive = bound->inclusive;
		range->lower = number;
	}
	if (bound->upper) {
		range->has_upper = true;
		range->upper_inclusive = bound->inclusive;
		range->upper = number;
	}
	return SLUICE_OK;
}

static enum sluice_status compile_numeric(const struct builder *builder,
                                          const struct sluice_json *operand,
                                          struct sluice_predicate *predicate)
{
	if (operand->type != SLUICE_JSON_ARRAY || operand->count == 0)
		return invalid(builder, operand,
		               "\"numeric\" needs a list, as in [\">\", 0, \"<=\", 5]");
	struct sluice_range *range = &predicate->range;
	predicate->op = SLUICE_OP_NUMERIC;
	for (const struct sluice_json *node = operand->first; node; node = node->next->next) {
		enum sluice_status status = read_bound(builder, node, range);
		if (status != SLUICE_OK)
			return status;
	}
	if (operand->count > 2 && sluice_number_compare(&range->lower, &range->upper) >= 0)
		return invalid(builder, operand, "the lower bound must be less than the upper one");
	return SLUICE_OK;
}

static enum sluice_status compile_cidr(const struct builder *builder,
                                       const struct sluice_json *operand,
                                       struct sluice_predicate *predicate)
{
	enum sluice_status status = need_string(builder, operand);
	if (status != SLUICE_OK)
		return status;
	struct sluice_str text = operand->string;
	const char *slash = memchr(text.data, '/', text.len);
	if (!slash)
		return invalid(builder, operand,
		               "\"cidr\" needs an address, '/' and a number of bits, as in "
		               "\"10.0.0.0/8\"");
	struct sluice_address address;
	struct sluice_str before = { text.data, (size_t)(slash - text.data) };
	struct sluice_str after = { slash + 1, text.len - before.len - 1 };
	char quoted[SLUICE_QUOTE_SIZE];
	if (!sluice_address_read(before, &address))
		return invalid(builder, operand, "%s is no IPv4 or IPv6 address",
		               sluice_quote(before, quoted));
	unsigned bits = 0, most = address.family == 4 ? 32 : 128;
	bool number = after.len > 0 && after.len <= 3 && (after.data[0] != '0' || after.len == 1);
	for (size_t i = 0; number && i < after.len; i++) {
		number = after.data[i] >= '0' && after.data[i] <= '9';
		bits = bits * 10 + (unsigned)(after.data[i] - '0');
	}
	if (!number || bits > most)
		return invalid(builder, operand,
		               "the bits of an IPv%d block are a number from 0 to %u, not %s",
		               address.family, most, sluice_quote(after, quoted));
	predicate->op = SLUICE_OP_CIDR;
	predicate->cidr.family = address.family;
	predicate->cidr.bits = (uint8_t)bits;
	for (unsigned bit = 0; bit < bits; bit += 8) {
		unsigned mask = bits - bit >= 8 ? 0xff : 0xff00u >> (bits - bit) & 0xff;
		predicate->cidr.address[bit / 8] = (uint8_t)(address.bytes[bit / 8] & mask);
	}
	return SLUICE_OK;
}

static enum sluice_status compile_exists(const struct builder *builder,
                                         const struct sluice_json *operand,
                                         struct sluice_predicate *predicate)
{
	if (operand->type != SLUICE_JSON_TRUE && operand->type != SLUICE_JSON_FALSE)
		return invalid(builder, operand, "\"exists\" is true or false");
	predicate->op = operand->type == SLUICE_JSON_TRUE ? SLUICE_OP_EXISTS : SLUICE_OP_ABSENT;
	return SLUICE_OK;
}

static enum sluice_status compile_mqtt_topic(const struct builder *builder,
                                             const struct sluice_json *operand,
                                             struct sluice_predicate *predicate)
{
	enum sluice_status status = need_string(builder, operand);
	if (status != SLUICE_OK)
		return status;
	struct sluice_error reason = { .message = "" };
	char quoted[SLUICE_QUOTE_SIZE];
	if (!sluice_topic_filter_valid(operand->string, &reason))
		return invalid(builder, operand, "%s is no topic filter: %s",
		               sluice_quote(operand->string, quoted), reason.message);
	return set_text(builder, SLUICE_OP_MQTT_TOPIC, operand->string, predicate);
}

/* {"anything-but": "x" | 1 | ["x", …] | [1, …]}: one of the values. `type` is that of all. */
static enum sluice_status compile_but_value(const struct builder *builder,
                                            const struct sluice_json *value,
                                            enum sluice_json_type type,
                                            struct sluice_predicate *predicate)
{
	if (value->type != SLUICE_JSON_STRING && value->type != SLUICE_JSON_NUMBER)
		return invalid(builder, value,
		               "\"anything-but\" takes strings or numbers, or an object with one "
		               "operator");
	if (value->type != type)
		return invalid(builder, value,
		               "\"anything-but\" takes strings or numbers, not both in one list");
	if (type == SLUICE_JSON_STRING)
		return set_text(builder, SLUICE_OP_STRING, value->string, predicate);
	predicate->op = SLUICE_OP_NUMBER;
	sluice_number_read(value->raw, &predicate->number);
	return SLUICE_OK;
}

/* {"anything-but": {name: "x" | ["x", …]}}: one of the strings. */
static enum sluice_status compile_but_operand(const struct builder *builder,
                                              const struct sluice_json *value, const char *name,
                                              compile_operand *compile,
                                              struct sluice_predicate *predicate)
{
	if (value->type != SLUICE_JSON_STRING)
		return invalid(builder, value,
		               "\"%s\" in \"anything-but\" needs a string or a list of strings",
		               name);
	if (value->string.len == 0 && (compile == compile_prefix || compile == compile_suffix))
		return invalid(builder, value,
		               "every string has the empty %s: \"anything-but\" would leave none",
		               name);
	return compile(builder, value, predicate);
}

static enum sluice_status compile_anything_but(const struct builder *builder,
                                               const struct sluice_json *operand,
                                               struct sluice_predicate *predicate)
{
	const struct operator_entry *entry = NULL;
	const struct sluice_json *values = operand;
	if (operand->type == SLUICE_JSON_OBJECT) {
		enum sluice_status status = need_one_member(builder, operand);
		if (status != SLUICE_OK)
			return status;
		values = operand->first;
		entry = find_operator(values->key);
		if (!entry)
			return unknown_operator(builder, operand, values->key, true);
		if (!entry->in_anything_but)
			return invalid(builder, operand,
			               "\"%s\" can't stand in \"anything-but\", which takes "
			               "prefix, suffix, equals-ignore-case, wildcard and "
			               "mqtt-topic",
			               entry->name);
	}
	const struct sluice_json *value = values;
	size_t count = 1;
	if (values->type == SLUICE_JSON_ARRAY) {
		value = values->first;
		count = values->count;
		if (count == 0)
			return invalid(builder, values, "an empty list in \"anything-but\"");
	}
	struct sluice_predicate *list = sluice_arena_alloc(builder->arena, count, sizeof(*list));
	if (!list)
		return sluice_out_of_memory(builder->error);
	enum sluice_json_type type = value->type;
	for (size_t i = 0; i < count; i++, value = value->next) {
		list[i].source = value->raw;
		enum sluice_status status =
		        entry ? compile_but_operand(builder, value, entry->name, entry->compile,
		                                    &list[i])
		              : compile_but_value(builder, value, type, &list[i]);
		if (status != SLUICE_OK)
			return status;
	}
	predicate->op = SLUICE_OP_BUT;
	predicate->but.list = list;
	predicate->but.count = count;
	return SLUICE_OK;
}

static enum sluice_status compile_alternative(const struct builder *builder,
                                              const struct sluice_json *node,
                                              struct sluice_predicate *predicate)
{
	predicate->source = node->raw;
	switch (node->type) {
	case SLUICE_JSON_STRING:
		return set_text(builder, SLUICE_OP_STRING, node->string, predicate);
	case SLUICE_JSON_NUMBER:
		predicate->op = SLUICE_OP_NUMBER;
		sluice_number_read(node->raw, &predicate->number);
		return SLUICE_OK;
	case SLUICE_JSON_TRUE:
		predicate->op = SLUICE_OP_TRUE;
		return SLUICE_OK;
	case SLUICE_JSON_FALSE:
		predicate->op = SLUICE_OP_FALSE;
		return SLUICE_OK;
	case SLUICE_JSON_NULL:
		predicate->op = SLUICE_OP_NULL;
		return SLUICE_OK;
	case SLUICE_JSON_ARRAY:
		return invalid(builder, node, "an alternative can't be a list");
	case SLUICE_JSON_OBJECT:
		break;
	}
	enum sluice_status status = need_one_member(builder, node);
	if (status != SLUICE_OK)
		return status;
	const struct operator_entry *entry = find_operator(node->first->key);
	if (!entry)
		return unknown_operator(builder, node, node->first->key, false);
	return entry->compile(builder, node->first, predicate);
}

enum sluice_status sluice_alternatives_compile(struct sluice_arena *arena,
                                               const struct sluice_json *list,
                                               struct sluice_field *field,
                                               struct sluice_error *error)
{
	struct builder builder = { arena, error };
	struct sluice_predicate *predicates =
	        sluice_arena_alloc(arena, list->count, sizeof(*predicates));
	if (!predicates)
		return sluice_out_of_memory(error);
	size_t i = 0;
	for (const struct sluice_json *node = list->first; node; node = node->next, i++) {
		enum sluice_status status = compile_alternative(&builder, node, &predicates[i]);
		if (status != SLUICE_OK)
			return status;
		if (predicates[i].op == SLUICE_OP_ABSENT)
			field->absent = true;
	}
	field->alternatives = predicates;
	field->alternative_count = list->count;
	return SLUICE_OK;
}
