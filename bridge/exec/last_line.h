/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The last line that is not empty of what a command says on stderr: what it failed of, mostly. */
#ifndef BRIDGE_EXEC_LAST_LINE_H
#define BRIDGE_EXEC_LAST_LINE_H

#include <stdbool.h>
#include <stddef.h>

enum { LAST_LINE_SIZE = 160 };

/* Zeroed memory has seen nothing. */
struct last_line {
	char text[LAST_LINE_SIZE]; /* NUL-terminated; of a longer line its beginning */
	size_t len;
	bool ended; /* by a line's end: what comes next is another */
};

void last_line_add(struct last_line *line, const char *data, size_t len);

/* As UTF-8 without control characters, in the line's own memory: fit to be shown. What is added
 * afterwards goes on from there. */
const char *last_line_text(struct last_line *line);

#endif
