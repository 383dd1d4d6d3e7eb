/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What the verbs that are about archives share: times, events as lines, answers as they come. */
#ifndef CLI_ARCHIVE_H
#define CLI_ARCHIVE_H

#include "control.h"
#include "output.h"

/*
 * Appends the option's value, a time, as the member of that name: RFC 3339, milliseconds since 1970,
 * or how long ago, as 90s, 15m, 24h, 7d. Nothing when it was not given. False when it is no time: told.
 */
bool archive_time(const struct cli *cli, const char *option, struct sluice_buffer *members);

/* How long ago, as "24h", in milliseconds. */
bool archive_duration(const char *text, int64_t *ms);

/* Appends the option's value as a string member; nothing when it was not given. */
void archive_text(const struct cli *cli, const char *option, const char *member,
                  struct sluice_buffer *members);

/* Appends an archived event as a line without its end: time, topic, payload; with --json as it is. */
void archive_event(const struct cli *cli, const struct sluice_json *event,
                   struct sluice_buffer *line);

/* A count in an answer; 0 when it is not there. */
int64_t archive_count(const struct sluice_json *data, const char *member);

/* Connects, tells why not. */
enum cli_exit archive_open(const struct cli *cli, struct control **control);

/* Asks once and prints the answer's data as JSON, or gives it to `print`. */
typedef enum cli_exit (*archive_print_fn)(const struct cli *cli, const struct sluice_json *data);
enum cli_exit archive_ask(const struct cli *cli, enum control_topic topic, const char *command,
                          const struct sluice_buffer *members, archive_print_fn print);

#endif
