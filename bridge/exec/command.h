/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What a target or an enrichment of the kind "exec" runs, and as whom: read from its settings. */
#ifndef BRIDGE_EXEC_COMMAND_H
#define BRIDGE_EXEC_COMMAND_H

#include <sys/resource.h>
#include <sys/types.h>

#include "sluice/bridge.h"

enum { COMMAND_LIMITS = 4, COMMAND_GROUPS_MAX = 256 };

struct command_limit {
	int resource; /* RLIMIT_CPU … */
	rlim_t value;
};

/* All that it points to is its own; immutable. */
struct command {
	char *path;         /* of the program: absolute, or relative to the directory */
	char **argv;        /* NULL-terminated */
	char **environment; /* "NAME=value"; NULL-terminated */
	size_t environment_count;
	char *directory;
	bool changes_user; /* or group: the bridge is root */
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t group_count;
	struct command_limit limits[COMMAND_LIMITS];
	size_t limit_count;
	struct sluice_arena *arena; /* of all this */
};

/*
 * Reads the settings "command", "user", "group", "directory", "environment" and "limits", which were
 * checked, looks the program up and the user.
 *
 * Errors: SLUICE_ERR_NOT_FOUND (no such program, user, group), _INVALID (what only root may do; root
 * that does not say as whom; a NUL), _NOMEM.
 */
enum sluice_status command_create(const struct sluice_json *settings, struct command **command,
                                  struct sluice_error *error);
/* NULL is allowed. */
void command_destroy(struct command *command);

#endif
