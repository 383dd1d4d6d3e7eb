/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Types that every part of Sluice shares: a string with its length, the status
 * of a call, and the error that says where and why.
 */
#ifndef SLUICE_TYPES_H
#define SLUICE_TYPES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * A string that knows its length. It need not end in NUL and may hold NULs.
 * data == NULL means "absent"; an empty string has data != NULL and len == 0.
 * It never owns its bytes: whoever stores one says who does.
 */
struct sluice_str {
	const char *data;
	size_t len;
};

/* A sluice_str of a string literal. */
#define SLUICE_STR(literal) ((struct sluice_str){ (literal), sizeof(literal) - 1 })

/* A sluice_str of a NUL-terminated string; absent when text is NULL. */
static inline struct sluice_str sluice_str(const char *text)
{
	return (struct sluice_str){ text, text ? strlen(text) : 0 };
}

/* 1 when both hold the same bytes (absent equals empty), else 0. */
static inline int sluice_str_equal(struct sluice_str a, struct sluice_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

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

/* A word for a status in machine-readable output: "ok", "syntax", "not-found" … Never NULL. */
const char *sluice_status_name(enum sluice_status status);

/*
 * Writes "subject: place: message" (what is empty is left out with its colon)
 * into buf, NUL-terminated and cut to size. Returns buf.
 */
char *sluice_error_format(const struct sluice_error *error, const char *subject, char *buf,
                          size_t size);

/*
 * Fills *error (NULL is allowed) and returns code, so that a parser can write
 * `return sluice_error_set(error, SLUICE_ERR_INVALID, offset, place, "…", …);`.
 * place may be NULL. Control characters in what the format inserts are shown as '?'.
 */
enum sluice_status sluice_error_set(struct sluice_error *error, enum sluice_status code,
                                    size_t offset, const char *place, const char *format, ...)
        __attribute__((format(printf, 5, 6)));

/* Fills *error (NULL is allowed) with SLUICE_ERR_NOMEM and returns that. */
enum sluice_status sluice_out_of_memory(struct sluice_error *error);

#endif
