/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A growing run of bytes, for text that is put together: answers, explanations,
 * expanded topics, transformed payloads. Failure to grow is remembered in
 * `failed`, so a writer appends without checking and asks once at the end.
 */
#ifndef SLUICE_BUFFER_H
#define SLUICE_BUFFER_H

#include <stdbool.h>

#include "sluice/types.h"

/*
 * Zeroed memory is an empty buffer. `limit` (0 = none) bounds its length; what
 * would pass it sets `failed` as running out of memory does, with `over_limit`.
 */
struct sluice_buffer {
	char *data; /* owned; data[len] is NUL once anything was appended */
	size_t len;
	size_t capacity;
	size_t limit;
	bool failed;
	bool over_limit;
};

/* Frees the bytes and leaves an empty buffer with the same limit. */
void sluice_buffer_finish(struct sluice_buffer *buf);

/* Empties it and keeps its memory for the next use; clears `failed`. */
void sluice_buffer_reset(struct sluice_buffer *buf);

void sluice_buffer_append(struct sluice_buffer *buf, const void *data, size_t len);
void sluice_buffer_append_str(struct sluice_buffer *buf, struct sluice_str text);
void sluice_buffer_append_text(struct sluice_buffer *buf, const char *text);
void sluice_buffer_printf(struct sluice_buffer *buf, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* What it holds, as a string that lives until the next change. Never absent. */
struct sluice_str sluice_buffer_str(const struct sluice_buffer *buf);

/* Hands its bytes over (NUL-terminated, to be freed with free()) and empties it; NULL when it
 * failed. */
char *sluice_buffer_take(struct sluice_buffer *buf);

#endif
