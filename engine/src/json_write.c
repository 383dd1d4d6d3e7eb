/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* JSON on its way out: places of nodes, strings, text without its white space. */
#include "sluice/buffer.h"
#include "sluice/json.h"
#include "text.h"

/* Text that is cut to the size of its buffer, at a character's end. */
struct cut_text {
	char *data;
	size_t len;
	size_t size;
	bool full;
};

static void cut_append(struct cut_text *text, const char *data, size_t len)
{
	if (text->full || len >= text->size - text->len) {
		text->full = true;
		return;
	}
	memcpy(text->data + text->len, data, len);
	text->len += len;
	text->data[text->len] = '\0';
}

/* Whether a name can follow a '.' in a place as it is. */
static bool is_plain_name(struct sluice_str name, bool *ascii)
{
	unsigned char all = 0;

	if (name.len == 0)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.data[i];
		if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') &&
		    c != '_' && c != '$' && c != '-' && c < 0x80)
			return false;
		all |= c;
	}
	*ascii = all < 0x80;
	return true;
}

static void place_name(struct cut_text *text, struct sluice_str name)
{
	bool ascii = false, plain = is_plain_name(name, &ascii);
	cut_append(text, plain ? "." : "[\"", plain ? 1 : 2);
	if (plain && ascii && name.len < text->size - text->len) { /* as most are */
		cut_append(text, name.data, name.len);
		return;
	}
	for (size_t i = 0; i < name.len && !text->full;) {
		unsigned char c = (unsigned char)name.data[i];
		size_t left = name.len - i;
		struct sluice_str next = { name.data + i, left < 4 ? left : 4 };
		size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		bool control = c < 0x20 || c == 0x7f ||
		               (c == 0xc2 && left > 1 && (unsigned char)name.data[i + 1] < 0xa0);
		if (control || sluice_text_utf8_length(next) < length)
			cut_append(text, "?", 1);
		else if (c == '"' || c == '\\')
			cut_append(text, c == '"' ? "\\\"" : "\\\\", 2);
		else
			cut_append(text, next.data, length);
		i += length < left ? length : left;
	}
	if (!plain)
		cut_append(text, "\"]", 2);
}

static void place_index(struct cut_text *text, size_t index)
{
	char digits[32];
	size_t at = sizeof(digits);
	digits[--at] = ']';
	do {
		digits[--at] = (char)('0' + index % 10);
		index /= 10;
	} while (index > 0);
	digits[--at] = '[';
	cut_append(text, digits + at, sizeof(digits) - at);
}

char *sluice_json_place(const struct sluice_json *node, char *buf, size_t size)
{
	if (size == 0)
		return buf;
	buf[0] = '\0';
	struct cut_text text = { .data = buf, .size = size };
	size_t depth = 0;
	for (const struct sluice_json *at = node; at->parent; at = at->parent)
		depth++;

	cut_append(&text, "$", 1);
	/* Nodes know their parents only, and a place reads from the root: for each step the node is
	 * looked for from below. Each step fills the buffer, which so bounds their number. */
	for (size_t step = 1; step <= depth && !text.full; step++) {
		const struct sluice_json *at = node;
		for (size_t up = step; up < depth; up++)
			at = at->parent;
		if (at->parent->type == SLUICE_JSON_ARRAY)
			place_index(&text, at->index);
		else if (at->key.data)
			place_name(&text, at->key);
	}
	return buf;
}

/* The half of a surrogate pair that stands at text in its three-byte form (WTF-8), or 0. */
static uint32_t surrogate_at(struct sluice_str text)
{
	if (text.len < 3)
		return 0;
	const unsigned char *data = (const unsigned char *)text.data;
	if (data[0] != 0xed || data[1] < 0xa0 || data[1] > 0xbf || data[2] < 0x80 || data[2] > 0xbf)
		return 0;
	return 0xd000 | (uint32_t)(data[1] & 0x3f) << 6 | (data[2] & 0x3f);
}

static void write_escape(struct sluice_buffer *buf, unsigned char c)
{
	static const char names[] = "\b\f\n\r\t\"\\";
	static const char escapes[] = "bfnrt\"\\";
	const char *name = memchr(names, c, sizeof(names) - 1);
	if (name) {
		char escape[2] = { '\\', escapes[name - names] };
		sluice_buffer_append(buf, escape, sizeof(escape));
	} else {
		sluice_buffer_printf(buf, "\\u%04x", c);
	}
}

void sluice_json_write_string(struct sluice_buffer *buf, struct sluice_str text)
{
	sluice_buffer_append(buf, "\"", 1);
	while (text.len > 0) {
		size_t good = sluice_text_utf8_length(text);
		size_t plain = 0;
		for (size_t i = 0; i < good; i++) {
			unsigned char c = (unsigned char)text.data[i];
			if (c >= 0x20 && c != '"' && c != '\\')
				continue;
			sluice_buffer_append(buf, text.data + plain, i - plain);
			write_escape(buf, c);
			plain = i + 1;
		}
		sluice_buffer_append(buf, text.data + plain, good - plain);
		text.data += good;
		text.len -= good;
		if (text.len == 0)
			break;
		uint32_t half = surrogate_at(text);
		size_t bad = half ? 3 : 1;
		if (half)
			sluice_buffer_printf(buf, "\\u%04x", (unsigned)half);
		else
			sluice_buffer_append_text(buf, "\xef\xbf\xbd");
		text.data += bad;
		text.len -= bad;
	}
	sluice_buffer_append(buf, "\"", 1);
}

void sluice_json_write_compact(struct sluice_buffer *buf, struct sluice_str text)
{
	size_t start = 0; /* of what is to be copied */
	bool in_string = false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (sluice_text_is_space(c)) {
			sluice_buffer_append(buf, text.data + start, i - start);
			start = i + 1;
		}
	}
	if (start < text.len)
		sluice_buffer_append(buf, text.data + start, text.len - start);
}
