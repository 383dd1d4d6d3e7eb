/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Reading the members of a JSON object strictly: rules, buses, commands. What is misspelt or said
 * twice is an error that names its place, never silently left out.
 *
 *	static const char *const names[] = { "name", "bus", NULL };
 *	const struct sluice_json *found[2];
 *	status = sluice_members_read(node, "a rule", names, found, error);
 */
#ifndef SLUICE_MEMBERS_H
#define SLUICE_MEMBERS_H

#include <stdbool.h>

#include "sluice/json.h"
#include "sluice/pattern.h"

/*
 * found[i] gets the member names[i], NULL when there is none. `what` is the thing with its article,
 * for messages. Errors (SLUICE_ERR_INVALID): object is NULL or no object, a member that is not in
 * `names` (the message suggests one that is), a member that stands twice. At most 64 names.
 */
enum sluice_status sluice_members_read(const struct sluice_json *object, const char *what,
                                       const char *const *names, const struct sluice_json **found,
                                       struct sluice_error *error);

/* Each reads a member that is there; NULL leaves *value as it is, another type is an error. */
enum sluice_status sluice_member_bool(const struct sluice_json *node, bool *value,
                                      struct sluice_error *error);
enum sluice_status sluice_member_integer(const struct sluice_json *node, int64_t min, int64_t max,
                                         int64_t *value, struct sluice_error *error);
/* A string of well-formed UTF-8 without NUL, of min to max bytes. */
enum sluice_status sluice_member_string(const struct sluice_json *node, size_t min, size_t max,
                                        struct sluice_str *value, struct sluice_error *error);
/* A name: 1 to 64 of A-Z a-z 0-9 . _ - */
enum sluice_status sluice_member_name(const struct sluice_json *node, struct sluice_str *value,
                                      struct sluice_error *error);
/* An event pattern, compiled; the node must be there. *pattern is the caller's to free. */
enum sluice_status sluice_member_pattern(const struct sluice_json *node,
                                         struct sluice_pattern **pattern,
                                         struct sluice_error *error);

#endif
