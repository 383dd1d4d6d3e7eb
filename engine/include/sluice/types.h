/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Types that every part of Sluice shares: a string with its length, the status
 * of a call, and the error that says where and why.
 *
 * What holds in all headers of the library, and is said again only where it differs:
 *
 * - A pointer must not be NULL. These may be: `error` of every function, and what is given to a
 *   `…_destroy` function.
 * - A sluice_str may be absent (data == NULL) where an empty text may stand; it means the same.
 * - There is no global state, nothing is printed, no signal, locale or environment is touched.
 *   Calls on different objects may run on different threads at the same time. An object that is
 *   passed as pointer to const is only read: any number of threads may do that at once.
 * - Every allocation is malloc's and may fail: the call says so (SLUICE_ERR_NOMEM, NULL, or
 *   `failed` of a buffer) and leaves what it was given as it was.
 * - A function that gives an object sets it to NULL when it fails.
 * - Sizes and offsets are bytes, texts are UTF-8.
 *
 * C++ (11 or later) may include all of them. sluice_str and sluice_match are structs and functions:
 * write `struct sluice_str` for the type. (g++ notes it under -Wshadow; -isystem quiets that.)
 */
#ifndef SLUICE_TYPES_H
#define SLUICE_TYPES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What libsluice.so shows; all else in it is hidden. */
#define SLUICE_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A string that knows its length. It need not end in NUL and may hold NULs.
 * data == NULL means "absent"; an empty string has data != NULL and len == 0.
 * It never owns its bytes: whoever stores one says who does.
 */
struct sluice_str {
	const char *data;
	size_t len;
};

/* A sluice_str of `len` bytes at `data`, which are not copied. */
static inline struct sluice_str sluice_str_of(const char *data, size_t len)
{
	struct sluice_str str = { data, len };
	return str;
}

/* A sluice_str of a NUL-terminated string, which is not copied; absent when text is NULL. */
static inline struct sluice_str sluice_str(const char *text)
{
	return sluice_str_of(text, text ? strlen(text) : 0);
}

/* A sluice_str of a string literal. */
#ifdef __cplusplus
#define SLUICE_STR(literal) sluice_str_of((literal), sizeof(literal) - 1)
#else
#define SLUICE_STR(literal) ((struct sluice_str){ (literal), sizeof(literal) - 1 })
#endif

/* 1 when both hold the same bytes (absent equals empty), else 0. */
static inline int sluice_str_equal(struct sluice_str a, struct sluice_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* How a call ended. READ_ONLY and what follows it come from the store, never from this library. */
enum sluice_status {
	SLUICE_OK = 0,
	SLUICE_ERR_NOMEM,     /* out of memory */
	SLUICE_ERR_SYNTAX,    /* text that is not well-formed (JSON, a template) */
	SLUICE_ERR_INVALID,   /* well-formed, but it means nothing here */
	SLUICE_ERR_LIMIT,     /* past a documented limit */
	SLUICE_ERR_NOT_FOUND, /* no such rule, bus, path */
	SLUICE_ERR_CONFLICT,  /* exists already, or another revision than the one asked for */
	SLUICE_ERR_BUSY,      /* locked by another; may be tried again */
	SLUICE_ERR_READ_ONLY, /* the file or the mode allows no change */
	SLUICE_ERR_CORRUPT,   /* a damaged file */
	SLUICE_ERR_VERSION,   /* made by a newer Sluice */
	SLUICE_ERR_IO,        /* the operating system refused; message says why */
};

/*
 * What went wrong, filled by the callee when a function does not return
 * SLUICE_OK. The caller owns the struct; every function that takes one accepts
 * NULL. `place` and `message` are NUL-terminated UTF-8 without control
 * characters, fit to be shown to a person; a longer text is cut.
 */
struct sluice_error {
	enum sluice_status code;
	size_t offset;     /* byte position in the text parsed; SIZE_MAX when there is none */
	char place[192];   /* JSON path of the fault, "$.detail.state[1]"; "" when there is none */
	char message[320]; /* the reason, in one sentence, without the place */
};

/*
 * A word for a status, for machine-readable output: "ok", "syntax", "not-found" …
 *
 * status	any value; one that is none of the above is "unknown"
 *
 * Returns a static string, never NULL.
 */
SLUICE_API const char *sluice_status_name(enum sluice_status status);

/*
 * Writes "subject: place: message" (what is empty is left out with its colon), to be shown to a
 * person.
 *
 * error	filled by a call that failed
 * subject	what it is about, a file's name say; NULL or "" for nothing
 * buf		gets the text, NUL-terminated, cut to size between two characters
 * size		of buf; 640 hold any error with a subject of 120 bytes; 0 writes nothing
 *
 * Returns buf.
 */
SLUICE_API char *sluice_error_format(const struct sluice_error *error, const char *subject,
                                     char *buf, size_t size);

/*
 * Fills an error and returns its code, so that a parser can write
 * `return sluice_error_set(error, SLUICE_ERR_INVALID, offset, place, "…", …);`.
 *
 * error	may be NULL: then this only returns code
 * code		what to return
 * offset	byte position in the text, SIZE_MAX for none
 * place	a JSON path; NULL for none. It may be the error's own, as may the format's arguments
 * format	as printf's; control characters in the result are shown as '?'
 */
SLUICE_API enum sluice_status sluice_error_set(struct sluice_error *error, enum sluice_status code,
                                               size_t offset, const char *place, const char *format,
                                               ...) __attribute__((format(printf, 5, 6)));

/* Fills *error (NULL is allowed) with SLUICE_ERR_NOMEM and returns that. */
SLUICE_API enum sluice_status sluice_out_of_memory(struct sluice_error *error);

#ifdef __cplusplus
}
#endif

#endif
