/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Reading files, or standard input ("-"): line by line or whole, of any length, NULs included. */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include <stdbool.h>
#include <stdio.h>

#include "file.h"

struct lines {
	FILE *file;
	const char *name; /* to name it in errors: the path, or "standard input" */
	size_t number;    /* of the line read last, from 1 */
	char *line;       /* owned */
	size_t capacity;
};

/* path is kept and must outlive the reader. SLUICE_ERR_IO with a message. */
enum sluice_status lines_open(struct lines *lines, const char *path, struct sluice_error *error);

/*
 * The next line without its newline, valid until the next call; absent at the end. An empty last
 * line (after the last newline) is none. SLUICE_ERR_IO, _NOMEM.
 */
enum sluice_status lines_next(struct lines *lines, struct sluice_str *line,
                              struct sluice_error *error);
void lines_close(struct lines *lines);

/* What errors call this path. */
const char *file_title(const char *path);

/* Whether there is nothing but white space of JSON. */
bool text_is_blank(struct sluice_str text);

/*
 * The value of an option that is JSON text itself, when it begins with '{', '[' or '"', else the
 * file (or "-") that it names. Appends to buf; errors as file_read.
 */
enum sluice_status text_or_file(const char *value, struct sluice_buffer *buf,
                                struct sluice_error *error);

#endif
