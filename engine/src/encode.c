/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sluice/json.h"
#include "sluice/text_template.h"

/* RFC 3986, section 2.3 */
static bool is_unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

static void append_url(struct sluice_str text, struct sluice_buffer *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		const char escaped[] = { '%', digits[c >> 4], digits[c & 15] };

		if (is_unreserved(c))
			sluice_buffer_append(out, &text.data[i], 1);
		else
			sluice_buffer_append(out, escaped, sizeof(escaped));
	}
}

static const char *entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

static void append_html(struct sluice_str text, struct sluice_buffer *out)
{
	size_t from = 0;

	for (size_t i = 0; i < text.len; i++) {
		const char *instead = entity(text.data[i]);

		if (!instead)
			continue;
		sluice_buffer_append(out, text.data + from, i - from);
		sluice_buffer_append_text(out, instead);
		from = i + 1;
	}
	sluice_buffer_append(out, text.data + from, text.len - from);
}

/* The inside of the string that sluice_json_write_string writes. */
static void append_string(struct sluice_str text, struct sluice_buffer *out)
{
	struct sluice_buffer quoted = { 0 };

	sluice_json_write_string(&quoted, text);
	if (quoted.failed)
		out->failed = true;
	else
		sluice_buffer_append(out, quoted.data + 1, quoted.len - 2);
	sluice_buffer_finish(&quoted);
}

static bool is_line(struct sluice_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

bool sluice_encode(struct sluice_str text, enum sluice_encoding encoding, struct sluice_buffer *out)
{
	switch (encoding) {
	case SLUICE_ENCODE_URL:
		append_url(text, out);
		return true;
	case SLUICE_ENCODE_HTML:
		append_html(text, out);
		return true;
	case SLUICE_ENCODE_STRING:
		append_string(text, out);
		return true;
	case SLUICE_ENCODE_LINE:
		if (!is_line(text))
			return false;
		break;
	case SLUICE_ENCODE_NONE:
		break;
	}
	sluice_buffer_append_str(out, text);
	return true;
}
