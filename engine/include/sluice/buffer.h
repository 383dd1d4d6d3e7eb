/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A growing run of bytes, for text that is put together: answers, explanations,
 * expanded topics, transformed payloads. Failure to grow is remembered in
 * `failed`, so a writer appends without checking and asks once at the end.
 *
 *	struct sluice_buffer buf = { 0 };
 *	sluice_buffer_append_text(&buf, "n = ");
 *	sluice_buffer_printf(&buf, "%d", n);
 *	if (!buf.failed)
 *		fwrite(buf.data, 1, buf.len, stdout);
 *	sluice_buffer_finish(&buf);
 *
 * Threads: a buffer is one thread's at a time.
 */
#ifndef SLUICE_BUFFER_H
#define SLUICE_BUFFER_H

#include <stdbool.h>

#include "sluice/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Zeroed memory is an empty buffer. `limit` (0 = none) bounds its length; what
 * would pass it sets `failed` as running out of memory does, with `over_limit`.
 * A buffer that failed holds what was appended before, and takes nothing more until it is reset.
 */
struct sluice_buffer {
	char *data; /* owned; data[len] is NUL once anything was appended */
	size_t len;
	size_t capacity;
	size_t limit; /* the caller's to set, at any time */
	bool failed;
	bool over_limit;
};

/* Frees the bytes and leaves an empty buffer with the same limit, which may be used again. */
SLUICE_API void sluice_buffer_finish(struct sluice_buffer *buf);

/* Empties it and keeps its memory for the next use; clears `failed` and `over_limit`. */
SLUICE_API void sluice_buffer_reset(struct sluice_buffer *buf);

/*
 * Appends bytes, all of them or (setting `failed`) none.
 *
 * data	not within the buffer itself; may be NULL when len is 0
 * len	of data
 */
SLUICE_API void sluice_buffer_append(struct sluice_buffer *buf, const void *data, size_t len);

/* Appends a text; an absent one is empty. As sluice_buffer_append. */
SLUICE_API void sluice_buffer_append_str(struct sluice_buffer *buf, struct sluice_str text);

/* Appends a NUL-terminated text without its NUL. As sluice_buffer_append. */
SLUICE_API void sluice_buffer_append_text(struct sluice_buffer *buf, const char *text);

/* Appends what printf would print, all of it or none. No argument may point into the buffer. */
SLUICE_API void sluice_buffer_printf(struct sluice_buffer *buf, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* What it holds, as a string that lives until the next change. Never absent. */
SLUICE_API struct sluice_str sluice_buffer_str(const struct sluice_buffer *buf);

/*
 * Hands its bytes over, NUL-terminated, and leaves an empty buffer.
 *
 * Returns what the caller frees with free(). NULL when the buffer failed: then it keeps what it
 * holds, and sluice_buffer_finish frees that.
 */
SLUICE_API char *sluice_buffer_take(struct sluice_buffer *buf);

#ifdef __cplusplus
}
#endif

#endif
