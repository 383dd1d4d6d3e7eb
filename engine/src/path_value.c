/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "path_value.h"

#include "sluice/base64.h"
#include "sluice/json.h"
#include "sluice/rule.h" /* sluice_json_write_compact */
#include "text.h"

/* Text as the inside of a JSON string. What is not UTF-8 becomes U+FFFD. */
static void write_escaped(struct sluice_str text, struct sluice_buffer *out)
{
	while (text.len > 0) {
		size_t good = sluice_text_utf8_length(text), from = 0;

		for (size_t i = 0; i < good; i++) {
			unsigned char c = (unsigned char)text.data[i];

			if (c >= 0x20 && c != '"' && c != '\\')
				continue;
			sluice_buffer_append(out, text.data + from, i - from);
			if (c < 0x20)
				sluice_buffer_printf(out, "\\u%04x", c);
			else
				sluice_buffer_printf(out, "\\%c", c);
			from = i + 1;
		}
		sluice_buffer_append(out, text.data + from, good - from);
		if (good < text.len) {
			sluice_buffer_append_text(out, "\xef\xbf\xbd");
			good++;
		}
		text.data += good;
		text.len -= good;
	}
}

/* JSON text, without the white space outside its strings, as the inside of a JSON string. */
static void write_json_escaped(struct sluice_str json, struct sluice_buffer *out)
{
	bool string = false;
	size_t from = 0;

	for (size_t i = 0; i < json.len; i++) {
		char c = json.data[i];

		if (c != '"' && c != '\\' && (string || !sluice_text_is_space(c)))
			continue;
		sluice_buffer_append(out, json.data + from, i - from);
		from = i + 1;
		if (c == '"') {
			sluice_buffer_append_text(out, "\\\"");
			string = !string;
		} else if (c == '\\') {
			/* With what it escapes, which may be a quote. */
			sluice_buffer_append_text(out, "\\\\");
			if (json.data[++i] == '"' || json.data[i] == '\\')
				sluice_buffer_append_text(out, "\\");
		}
	}
	sluice_buffer_append(out, json.data + from, json.len - from);
}

static void write_base64(struct sluice_str bytes, struct sluice_buffer *out)
{
	/* A group at a time: no room of its own is needed. */
	for (size_t i = 0; i < bytes.len; i += 48) {
		struct sluice_str group = { bytes.data + i,
			                    bytes.len - i < 48 ? bytes.len - i : 48 };
		char text[64];

		sluice_base64_encode(group, text);
		sluice_buffer_append(out, text, sluice_base64_length(group.len));
	}
}

/* The characters of a JSON string; half a surrogate pair, which is none, becomes U+FFFD. */
static void write_unescaped(struct sluice_str inside, struct sluice_buffer *out)
{
	size_t start = out->len;

	sluice_buffer_append_str(out, inside);
	if (out->failed || inside.len == 0)
		return;
	char *text = out->data + start;
	size_t len = sluice_text_unescape(inside, text);
	for (size_t i = 0; i + 2 < len; i++)
		if ((unsigned char)text[i] == 0xed && (unsigned char)text[i + 1] >= 0xa0)
			memcpy(text + i, "\xef\xbf\xbd", 3);
	out->len = start + len;
	out->data[out->len] = '\0';
}

void sluice_path_value_write_json(struct sluice_path_value value, struct sluice_buffer *out)
{
	switch (value.kind) {
	case SLUICE_PATH_ABSENT:
		sluice_buffer_append_text(out, "null");
		break;
	case SLUICE_PATH_JSON:
		sluice_json_write_compact(out, value.text);
		break;
	case SLUICE_PATH_TEXT:
		sluice_json_write_string(out, value.text);
		break;
	case SLUICE_PATH_BASE64:
		sluice_buffer_append_text(out, "\"");
		write_base64(value.text, out);
		sluice_buffer_append_text(out, "\"");
		break;
	}
}

void sluice_path_value_write_inside(struct sluice_path_value value, struct sluice_buffer *out)
{
	switch (value.kind) {
	case SLUICE_PATH_ABSENT:
		break;
	case SLUICE_PATH_JSON:
		/* What stands between a well-formed string's quotes may stand between others. */
		if (value.text.data[0] == '"')
			sluice_buffer_append(out, value.text.data + 1, value.text.len - 2);
		else
			write_json_escaped(value.text, out);
		break;
	case SLUICE_PATH_TEXT:
		write_escaped(value.text, out);
		break;
	case SLUICE_PATH_BASE64:
		write_base64(value.text, out);
		break;
	}
}

void sluice_path_value_write_plain(struct sluice_path_value value, struct sluice_buffer *out)
{
	switch (value.kind) {
	case SLUICE_PATH_ABSENT:
		break;
	case SLUICE_PATH_JSON:
		if (value.text.data[0] == '"')
			write_unescaped(
			        (struct sluice_str){ value.text.data + 1, value.text.len - 2 },
			        out);
		else
			sluice_json_write_compact(out, value.text);
		break;
	case SLUICE_PATH_TEXT:
		sluice_buffer_append_str(out, value.text);
		break;
	case SLUICE_PATH_BASE64:
		write_base64(value.text, out);
		break;
	}
}
