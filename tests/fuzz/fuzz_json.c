/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The reader of JSON on any bytes. What it takes must hold together: slices lie in the text and
 * read again as the same value, compact text too, decoded strings go through the writer unharmed,
 * and the flag for repeated names can only refuse more. What it refuses has an error to show.
 */
#include <stdint.h>
#include <stdlib.h>

#include "sluice/buffer.h"
#include "sluice/json.h"
#include "text.h"

enum { MAX_DEPTH = 64, MAX_NODES_REREAD = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_error(enum sluice_status status, const struct sluice_error *error,
                        struct sluice_str text)
{
	struct sluice_str message = sluice_str(error->message);
	struct sluice_str place = sluice_str(error->place);
	check(error->code == status && error->offset <= text.len);
	check(message.len > 0 && sluice_text_utf8_length(message) == message.len);
	check(place.len > 0 && place.data[0] == '$' && sluice_text_utf8_length(place) == place.len);
}

static const struct sluice_json *next_node(const struct sluice_json *node)
{
	if (node->first)
		return node->first;
	while (node && !node->next)
		node = node->parent;
	return node ? node->next : NULL;
}

static void check_same(const struct sluice_json *a, const struct sluice_json *b, bool same_text)
{
	const struct sluice_json *top = b;
	while (b) {
		check(a && a->type == b->type && a->count == b->count);
		check(sluice_str_equal(a->string, b->string));
		check(!same_text || sluice_str_equal(a->raw, b->raw));
		check(b == top || sluice_str_equal(a->key, b->key));
		const struct sluice_json *a_next = next_node(a);
		b = next_node(b);
		a = b ? a_next : NULL;
	}
}

static void check_text(struct sluice_str text, const struct sluice_json *node, bool same_text)
{
	struct sluice_json_doc *doc;
	check(sluice_json_parse(text, 0, MAX_DEPTH, &doc, NULL) == SLUICE_OK);
	check_same(node, sluice_json_root(doc), same_text);
	sluice_json_destroy(doc);
}

static bool has_surrogate_pair(struct sluice_str text)
{
	for (size_t i = 0; i + 6 <= text.len; i++) {
		const unsigned char *at = (const unsigned char *)text.data + i;
		if (at[0] == 0xed && at[1] >= 0xa0 && at[1] < 0xb0 && at[3] == 0xed &&
		    at[4] >= 0xb0)
			return true;
	}
	return false;
}

static void check_node(const struct sluice_json *node, struct sluice_str text)
{
	check(node->raw.data >= text.data && node->raw.len > 0 &&
	      node->raw.len <= text.len - (size_t)(node->raw.data - text.data));
	check_text(node->raw, node, true);

	char place[64];
	sluice_json_place(node, place, sizeof(place));
	check(sluice_text_utf8_length(sluice_str(place)) == strlen(place));
	int64_t value;
	bool whole = sluice_json_integer(node, -1000, 1000, &value);
	check(!whole || (value >= -1000 && value <= 1000));

	struct sluice_buffer buf = { 0 };
	sluice_json_write_compact(&buf, node->raw);
	check(buf.len <= node->raw.len);
	check_text(sluice_buffer_str(&buf), node, false);
	if (node->type == SLUICE_JSON_STRING) {
		/* Decoding never leaves two halves beside each other that would be a pair. */
		check(!has_surrogate_pair(node->string));
		sluice_buffer_reset(&buf);
		sluice_json_write_string(&buf, node->string);
		check_text(sluice_buffer_str(&buf), node, false);
	}
	sluice_buffer_finish(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sluice_str text = { (const char *)data, size };
	struct sluice_json_doc *doc;
	struct sluice_json_doc *unique;
	struct sluice_error error;
	enum sluice_status status = sluice_json_parse(text, 0, MAX_DEPTH, &doc, &error);
	if (status)
		check_error(status, &error, text);
	enum sluice_status unique_status =
	        sluice_json_parse(text, SLUICE_JSON_UNIQUE_KEYS, MAX_DEPTH, &unique, &error);
	if (unique_status)
		check_error(unique_status, &error, text);
	check(unique_status == status || unique_status == SLUICE_ERR_INVALID);

	size_t count = 0;
	if (doc)
		for (const struct sluice_json *node = sluice_json_root(doc);
		     node && count < MAX_NODES_REREAD; node = next_node(node), count++)
			check_node(node, text);
	sluice_json_destroy(doc);
	sluice_json_destroy(unique);
	return 0;
}
