/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What explanations say of values, alternatives and paths. */
#include "address.h"
#include "explain_internal.h"
#include "sluice/json.h"
#include "sluice/topic.h"
#include "text.h"

static const char ellipsis[] = "\u2026";

/* The beginning of text that is shown, cut before a character that does not fit. */
static struct sluice_str beginning(struct sluice_str text, size_t most)
{
	if (text.len <= most)
		return text;
	size_t len = most;
	while (len > 0 && ((unsigned char)text.data[len] & 0xc0) == 0x80)
		len--;
	return (struct sluice_str){ text.data, len };
}

static bool write_string(struct sluice_buffer *buf, struct sluice_str text)
{
	struct sluice_str shown = beginning(text, SLUICE_EXPLAIN_VALUE_BYTES);
	sluice_json_write_string(buf, shown);
	if (shown.len == text.len)
		return false;
	if (buf->failed)
		return true;
	buf->len--; /* the closing quote */
	sluice_buffer_append_text(buf, ellipsis);
	sluice_buffer_append_text(buf, "\"");
	return true;
}

static bool write_number(struct sluice_buffer *buf, struct sluice_str digits)
{
	if (digits.len > SLUICE_EXPLAIN_VALUE_BYTES)
		return write_string(buf, digits);
	sluice_buffer_append_str(buf, digits);
	return false;
}

bool sluice_explain_value(struct sluice_buffer *buf, const struct sluice_value *value)
{
	switch (value->type) {
	case SLUICE_JSON_STRING:
		return write_string(buf, value->text);
	case SLUICE_JSON_NUMBER:
		return write_number(buf, value->text);
	case SLUICE_JSON_TRUE:
		sluice_buffer_append_text(buf, "true");
		return false;
	case SLUICE_JSON_FALSE:
		sluice_buffer_append_text(buf, "false");
		return false;
	default:
		sluice_buffer_append_text(buf, "null");
		return false;
	}
}

/* The words of each operator around its operand. */
static const struct words {
	const char *yes, *no, *behind;
} words[] = {
	[SLUICE_OP_STRING] = { "is ", "is not ", "" },
	[SLUICE_OP_NUMBER] = { "is ", "is not ", "" },
	[SLUICE_OP_TRUE] = { "is ", "is not ", "" },
	[SLUICE_OP_FALSE] = { "is ", "is not ", "" },
	[SLUICE_OP_NULL] = { "is ", "is not ", "" },
	[SLUICE_OP_PREFIX] = { "begins with ", "does not begin with ", "" },
	[SLUICE_OP_SUFFIX] = { "ends with ", "does not end with ", "" },
	[SLUICE_OP_FOLD] = { "is ", "is not ", " in any case of letters" },
	[SLUICE_OP_FOLD_PREFIX] = { "begins with ", "does not begin with ",
	                            " in any case of letters" },
	[SLUICE_OP_FOLD_SUFFIX] = { "ends with ", "does not end with ", " in any case of letters" },
	[SLUICE_OP_WILDCARD] = { "matches ", "does not match ", "" },
	[SLUICE_OP_NUMERIC] = { "is ", "is not ", "" },
	[SLUICE_OP_CIDR] = { "is in ", "is not in ", "" },
	[SLUICE_OP_MQTT_TOPIC] = { "matches ", "does not match ", "" },
};

/* "> 0 and <= 5", from the list as it stands in the pattern. */
static void write_range(struct sluice_buffer *buf, const struct sluice_json *list)
{
	for (const struct sluice_json *node = list->first; node; node = node->next) {
		if (node->index > 0)
			sluice_buffer_append_text(buf, node->index % 2 ? " " : " and ");
		if (node->type == SLUICE_JSON_STRING)
			sluice_buffer_append_str(buf, node->string);
		else
			write_number(buf, node->raw);
	}
}

/* The operand as it is spelled in the pattern: a predicate keeps it folded, or not at all. */
static enum sluice_status write_operand(struct sluice_buffer *buf,
                                        const struct sluice_predicate *predicate)
{
	struct sluice_json_doc *doc;
	enum sluice_status status = sluice_json_parse(predicate->source, 0, 8, &doc, NULL);
	if (status != SLUICE_OK)
		return status;
	const struct sluice_json *node = sluice_json_root(doc);
	while (node->type == SLUICE_JSON_OBJECT && node->first)
		node = node->first;
	if (node->type == SLUICE_JSON_ARRAY)
		write_range(buf, node);
	else if (predicate->op == SLUICE_OP_CIDR)
		sluice_buffer_append_str(buf, node->string);
	else if (node->type == SLUICE_JSON_STRING)
		write_string(buf, node->string);
	else
		write_number(buf, node->raw);
	sluice_json_destroy(doc);
	return SLUICE_OK;
}

/* A remark on a leaf that the operator can't match, whatever its operand; or "". */
static const char *unfit(const struct sluice_predicate *predicate, const struct sluice_value *value)
{
	struct sluice_address address;
	switch (predicate->op) {
	case SLUICE_OP_NUMBER:
	case SLUICE_OP_NUMERIC:
		return value->type == SLUICE_JSON_NUMBER ? "" : " (not a number)";
	case SLUICE_OP_STRING:
	case SLUICE_OP_PREFIX:
	case SLUICE_OP_SUFFIX:
	case SLUICE_OP_FOLD:
	case SLUICE_OP_FOLD_PREFIX:
	case SLUICE_OP_FOLD_SUFFIX:
	case SLUICE_OP_WILDCARD:
		return value->type == SLUICE_JSON_STRING ? "" : " (not a string)";
	case SLUICE_OP_CIDR:
		return value->type == SLUICE_JSON_STRING &&
		                       sluice_address_read(value->text, &address)
		               ? ""
		               : " (not an address)";
	case SLUICE_OP_MQTT_TOPIC:
		return value->type == SLUICE_JSON_STRING && sluice_topic_valid(value->text)
		               ? ""
		               : " (not a topic)";
	default:
		return "";
	}
}

/* An alternative as it stands in the pattern, without white space. */
static void write_source(struct sluice_buffer *buf, struct sluice_str source)
{
	struct sluice_buffer compact = { 0 };
	sluice_json_write_compact(&compact, source);
	struct sluice_str text = sluice_buffer_str(&compact);
	struct sluice_str shown = beginning(text, SLUICE_EXPLAIN_VALUE_BYTES);
	sluice_buffer_append_text(buf, "fits ");
	sluice_buffer_append_str(buf, shown);
	if (shown.len < text.len)
		sluice_buffer_append_text(buf, ellipsis);
	if (compact.failed)
		buf->failed = true;
	sluice_buffer_finish(&compact);
}

/* {"anything-but": …} that does not match says which of its values does. */
static enum sluice_status write_excluded(struct sluice_buffer *buf,
                                         const struct sluice_predicate *predicate,
                                         const struct sluice_value *value)
{
	size_t i = 0;
	while (i + 1 < predicate->but.count &&
	       !sluice_predicate_matches(&predicate->but.list[i], value))
		i++;
	enum sluice_status status =
	        sluice_explain_predicate(buf, &predicate->but.list[i], value, true);
	sluice_buffer_append_text(buf, ", which \"anything-but\" leaves out");
	return status;
}

enum sluice_status sluice_explain_predicate(struct sluice_buffer *buf,
                                            const struct sluice_predicate *predicate,
                                            const struct sluice_value *value, bool matches)
{
	switch (predicate->op) {
	case SLUICE_OP_EXISTS:
		sluice_buffer_append_text(buf, "exists");
		return SLUICE_OK;
	case SLUICE_OP_ABSENT:
		sluice_buffer_append_text(buf, "is not absent");
		return SLUICE_OK;
	case SLUICE_OP_BUT:
		if (!matches)
			return write_excluded(buf, predicate, value);
		write_source(buf, predicate->source);
		return SLUICE_OK;
	default:
		break;
	}
	const struct words *said = &words[predicate->op];
	sluice_buffer_append_text(buf, matches ? said->yes : said->no);
	enum sluice_status status = write_operand(buf, predicate);
	sluice_buffer_append_text(buf, said->behind);
	if (!matches)
		sluice_buffer_append_text(buf, unfit(predicate, value));
	return status;
}

void sluice_explain_path(struct sluice_buffer *buf, struct sluice_str path)
{
	struct sluice_str mqtt = SLUICE_STR("$mqtt.");
	struct sluice_str shown = beginning(path, SLUICE_EXPLAIN_VALUE_BYTES);
	if (path.len < mqtt.len || memcmp(path.data, mqtt.data, mqtt.len) != 0)
		sluice_buffer_append_text(buf, "$.");
	for (size_t at = 0; at < shown.len;) {
		struct sluice_str rest = { shown.data + at, shown.len - at };
		size_t length = sluice_text_utf8_length(rest);
		for (size_t i = 0; i < length; i++) {
			unsigned char c = (unsigned char)rest.data[i];
			sluice_buffer_append(buf, c < 0x20 || c == 0x7f ? "?" : rest.data + i, 1);
		}
		at += length;
		if (at < shown.len) { /* a byte of half a surrogate pair */
			sluice_buffer_append_text(buf, "?");
			at++;
		}
	}
	if (shown.len < path.len)
		sluice_buffer_append_text(buf, ellipsis);
}

const char *sluice_explain_payload(const struct sluice_explanation *explanation)
{
	if (explanation->no_payload)
		return "there is no payload";
	if (explanation->empty_payload)
		return "the payload is empty";
	if (explanation->flags & SLUICE_MATCH_TOO_DEEP)
		return "the payload is nested too deep";
	if (explanation->flags & SLUICE_MATCH_NOT_JSON)
		return "the payload is not JSON";
	if (explanation->flags & SLUICE_MATCH_TOO_MANY)
		return "the payload has too many values at the paths that are named";
	return "the payload is JSON, but not an object";
}
