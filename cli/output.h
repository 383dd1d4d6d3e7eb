/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What goes to the person or program: results on stdout (with --json exactly one
 * JSON value, or one a line where a verb follows or reads many), failures and
 * progress on stderr.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "cli.h"
#include "sluice/buffer.h"
#include "sluice/json.h"

/*
 * Tells a failure on stderr, "sluice: subject: place: message", with --json as
 * {"error":…,"code":…,"place":…}, and returns `code`. subject may be NULL.
 */
enum cli_exit fail(const struct cli *cli, enum cli_exit code, const char *subject,
                   const struct sluice_error *error);

/* The same for a wrong command line; adds how to get help. */
enum cli_exit fail_usage(const struct cli *cli, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* Out of memory. */
enum cli_exit fail_memory(const struct cli *cli);

/* The exit code of a failed engine call on input from outside. */
enum cli_exit exit_of_input(enum sluice_status status);

/*
 * Writes the buffer and a newline to stdout, and empties it. CLI_SYSTEM when it could not be
 * written (told, unless the reader of a pipe has gone) or the buffer had failed.
 */
enum cli_exit output_line(const struct cli *cli, struct sluice_buffer *line);

/* Writes the buffer as it stands, to the end; as output_line. */
enum cli_exit output_text(const struct cli *cli, struct sluice_buffer *text);

/* Flushes stdout; as output_line. */
enum cli_exit output_flush(const struct cli *cli);

/* Appends a value for a person: a string's characters (control characters shown as '?'), others as
 * their JSON. */
void output_plain(struct sluice_buffer *buf, const struct sluice_json *value);

/* Appends text for a person: control characters, which could steer a terminal, shown as '?'. */
void output_safe(struct sluice_buffer *buf, struct sluice_str text);

/* Appends lines of such text, each behind `indent`. */
void output_lines(struct sluice_buffer *buf, const char *indent, struct sluice_str text);

/* Appends `"name":` or `,"name":` as needed inside an object. */
void output_member(struct sluice_buffer *buf, const char *name);

/* Appends such a member with its value. */
void output_member_text(struct sluice_buffer *buf, const char *name, struct sluice_str value);
void output_member_integer(struct sluice_buffer *buf, const char *name, int64_t value);

/* A progress bar on stderr, drawn only on a terminal and at most ten times a second. */
struct progress {
	const char *what;
	size_t total; /* 0 = not known */
	int64_t drawn_ms;
	bool on;
};
void progress_start(struct progress *progress, const char *what, size_t total);
void progress_show(struct progress *progress, size_t done);
void progress_end(struct progress *progress);

/* Monotonic clock. */
int64_t clock_ns(void);
int64_t clock_ms(void);

#endif
