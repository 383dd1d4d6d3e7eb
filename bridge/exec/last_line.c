/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "last_line.h"

#include "text.h"

void last_line_add(struct last_line *line, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] == '\n' || data[i] == '\r') {
			line->ended = true;
			continue;
		}
		if (line->ended) {
			/* Only now: an empty line does not take the last one's place. */
			line->len = 0;
			line->ended = false;
		}
		if (line->len < sizeof(line->text) - 1)
			line->text[line->len++] = data[i];
	}
}

const char *last_line_text(struct last_line *line)
{
	size_t from = 0, good;

	while (from < line->len) {
		good = sluice_text_utf8_length(
		        (struct sluice_str){ line->text + from, line->len - from });
		for (size_t i = from; i < from + good; i++)
			if ((unsigned char)line->text[i] < 0x20 || line->text[i] == 0x7f)
				line->text[i] = '?';
		from += good;
		if (from < line->len)
			line->text[from++] = '?';
	}
	line->text[line->len] = '\0';
	return line->text;
}
