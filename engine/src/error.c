/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdarg.h>
#include <stdio.h>

#include "sluice/types.h"
#include "text.h"

const char *sluice_status_name(enum sluice_status status)
{
	switch (status) {
	case SLUICE_OK:
		return "ok";
	case SLUICE_ERR_NOMEM:
		return "no-memory";
	case SLUICE_ERR_SYNTAX:
		return "syntax";
	case SLUICE_ERR_INVALID:
		return "invalid";
	case SLUICE_ERR_LIMIT:
		return "limit";
	case SLUICE_ERR_NOT_FOUND:
		return "not-found";
	case SLUICE_ERR_CONFLICT:
		return "conflict";
	case SLUICE_ERR_BUSY:
		return "busy";
	case SLUICE_ERR_READ_ONLY:
		return "read-only";
	case SLUICE_ERR_CORRUPT:
		return "corrupt";
	case SLUICE_ERR_VERSION:
		return "version";
	case SLUICE_ERR_IO:
		return "io";
	}
	return "unknown";
}

/*
 * Makes text that may have been cut in the middle of a character, and may quote hostile bytes,
 * fit to be shown: well-formed UTF-8 without control characters.
 */
static void make_showable(char *text)
{
	struct sluice_str rest = sluice_str(text);
	while (rest.len > 0) {
		size_t good = sluice_text_utf8_length(rest);
		for (size_t i = 0; i < good; i++) {
			unsigned char c = (unsigned char)rest.data[i];
			/* C0, DEL; C1 is U+0080 to U+009F: C2 80 to C2 9F. */
			bool c1 = c == 0xc2 && (unsigned char)rest.data[i + 1] < 0xa0;
			char *at = text + (rest.data - text) + i;
			if (c < 0x20 || c == 0x7f)
				*at = '?';
			else if (c1)
				at[0] = at[1] = '?';
		}
		rest.data += good;
		rest.len -= good;
		if (rest.len > 0) {
			text[rest.data - text] = '?';
			rest.data++;
			rest.len--;
		}
	}
}

/* Takes away the bytes of a character that was cut off at the end. */
static void trim_cut_character(char *text, size_t len)
{
	size_t back = 0;
	while (back < 3 && back < len && ((unsigned char)text[len - 1 - back] & 0xc0) == 0x80)
		back++;
	if (back == len)
		return;
	size_t start = len - 1 - back;
	if ((unsigned char)text[start] < 0xc0)
		return;
	struct sluice_str last = { text + start, len - start };
	if (sluice_text_utf8_length(last) == 0)
		text[start] = '\0';
}

char *sluice_error_format(const struct sluice_error *error, const char *subject, char *buf,
                          size_t size)
{
	if (size == 0)
		return buf;
	bool has_subject = subject && subject[0];
	int len = snprintf(buf, size, "%s%s%s%s%s", has_subject ? subject : "",
	                   has_subject && (error->place[0] || error->message[0]) ? ": " : "",
	                   error->place, error->place[0] && error->message[0] ? ": " : "",
	                   error->message);
	if (len > 0 && (size_t)len >= size)
		trim_cut_character(buf, size - 1);
	return buf;
}

enum sluice_status sluice_error_set(struct sluice_error *error, enum sluice_status code,
                                    size_t offset, const char *place, const char *format, ...)
{
	if (!error)
		return code;

	/* place and what the format inserts may be the error's own text, which is being wrapped. */
	struct sluice_error made = { .code = code, .offset = offset };
	va_list args;
	va_start(args, format);
	int len = vsnprintf(made.message, sizeof(made.message), format, args);
	va_end(args);
	if (len >= (int)sizeof(made.message))
		trim_cut_character(made.message, sizeof(made.message) - 1);
	if (place) {
		len = snprintf(made.place, sizeof(made.place), "%s", place);
		if (len >= (int)sizeof(made.place))
			trim_cut_character(made.place, sizeof(made.place) - 1);
	}
	make_showable(made.message);
	make_showable(made.place);
	*error = made;
	return code;
}

enum sluice_status sluice_out_of_memory(struct sluice_error *error)
{
	return sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL, "out of memory");
}
