/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "lines.h"

#include <errno.h>
#include <stdlib.h>

const char *file_title(const char *path)
{
	return strcmp(path, "-") == 0 ? "standard input" : path;
}

enum sluice_status lines_open(struct lines *lines, const char *path, struct sluice_error *error)
{
	*lines = (struct lines){ .name = file_title(path) };
	lines->file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	return lines->file ? SLUICE_OK : file_error(error);
}

enum sluice_status lines_next(struct lines *lines, struct sluice_str *line,
                              struct sluice_error *error)
{
	*line = (struct sluice_str){ NULL, 0 };
	errno = 0;
	ssize_t length = getline(&lines->line, &lines->capacity, lines->file);
	if (length < 0) {
		/* getline also returns -1 for want of memory, with neither end nor error set. */
		if (!feof(lines->file) || ferror(lines->file))
			return file_error(error);
		return SLUICE_OK;
	}
	lines->number++;
	if (length > 0 && lines->line[length - 1] == '\n')
		length--;
	*line = (struct sluice_str){ lines->line, (size_t)length };
	return SLUICE_OK;
}

void lines_close(struct lines *lines)
{
	if (lines->file && lines->file != stdin)
		fclose(lines->file);
	free(lines->line);
	*lines = (struct lines){ 0 };
}

bool text_is_blank(struct sluice_str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!strchr(" \t\r\n", text.data[i]) || text.data[i] == '\0')
			return false;
	return true;
}

enum sluice_status text_or_file(const char *value, struct sluice_buffer *buf,
                                struct sluice_error *error)
{
	if (value[0] == '{' || value[0] == '[' || value[0] == '"') {
		sluice_buffer_append_text(buf, value);
		if (buf->failed)
			return sluice_out_of_memory(error);
		return SLUICE_OK;
	}
	return file_read(value, buf, error);
}
