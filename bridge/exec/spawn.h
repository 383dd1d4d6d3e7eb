/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Starts a command. By fork and exec of our own: uv_spawn knows no limits, and marks only its own
 * descriptors to be closed, while the bridge's libraries open others.
 */
#ifndef BRIDGE_EXEC_SPAWN_H
#define BRIDGE_EXEC_SPAWN_H

#include "command.h"

/* What the bridge holds of a process that runs. */
struct spawned {
	pid_t pid;      /* and its process group */
	int pid_fd;     /* readable once it has ended */
	int status_fd;  /* what spawn_failure reads */
	int streams[3]; /* the other ends of its stdin, stdout and stderr */
};

/*
 * Starts it in a session of its own, with nothing of the bridge's but the three streams. It dies with
 * the thread that called this. Whether it could be executed is known when it has ended (the loop is not
 * to wait for a directory, or for a turn of the scheduler's): spawn_failure.
 *
 * variables	"NAME=value", put before the command's own; NULL-terminated; may be NULL
 * spawned	all of it is the caller's: to close, and to wait for
 *
 * Errors: SLUICE_ERR_NOMEM, _IO (the system has no more processes, pipes).
 */
enum sluice_status spawn(const struct command *command, const char *const *variables,
                         struct spawned *spawned, struct sluice_error *error);

/* Of one that has ended: false when it was executed, else why not. */
bool spawn_failure(int status_fd, char *text, size_t size);

#endif
