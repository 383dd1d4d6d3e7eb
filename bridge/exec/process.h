/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A command that runs, on the loop: its streams, its time, its end. What it started in its process
 * group ends with it.
 *
 *	process_start ──> output* ──> ended
 *	             └──> process_leave      (from then on nothing is called)
 */
#ifndef BRIDGE_EXEC_PROCESS_H
#define BRIDGE_EXEC_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "delivery.h"
#include "command.h"

enum { PROCESS_REASON_SIZE = 256 };

struct process;

/* How it ended. */
struct process_end {
	int status;            /* as waitpid gives it */
	const char *failure;   /* why it could not be started; NULL: it was */
	bool timed_out;        /* it was ended by its deadline */
	const char *last_line; /* of its stderr, "" when there was none */
};

struct process_handler {
	/* It wrote to its stdout. It may be killed or left from here. */
	void (*output)(void *arg, const char *data, size_t len);
	/* Called once, when all that it wrote was given to `output`; the process is gone after it. */
	void (*ended)(void *arg, const struct process_end *end);
};

/*
 * Starts a command.
 *
 * variables	as spawn's
 * handler	must live as long as the process
 *
 * Errors: as spawn's.
 */
enum sluice_status process_start(uv_loop_t *loop, const struct command *command,
                                 const char *const *variables,
                                 const struct process_handler *handler, void *arg,
                                 struct process **process, struct sluice_error *error);

/*
 * Writes to its stdin, as it takes it; a command that does not read it all is no fault. Takes data,
 * which was allocated with malloc.
 *
 * Returns false when out of memory, or when its stdin can't be written any more.
 */
bool process_write(struct process *process, char *data, size_t len);

/* Its stdin ends, once what was written has gone. */
void process_end_input(struct process *process);

/* In so many ms from now it is asked to end (as process_kill does); 0 = it may run on. */
void process_set_deadline(struct process *process, int64_t ms);

/* Asks its group to end: SIGTERM, and two seconds later SIGKILL. `ended` comes. */
void process_kill(struct process *process);

/* As process_kill, but nobody wants to hear of it: `ended` does not come. NULL is allowed. */
void process_leave(struct process *process);

/*
 * What its end means for an event that it had: exit status 0 is DONE; 65 (EX_DATAERR of sysexits.h)
 * and 100 are PERMANENT; any other, a signal, the time that was up, are RETRY.
 *
 * timeout_ms	to be told
 * reason	gets the cause, when it is not DONE
 */
enum outcome process_outcome(const struct process_end *end, int64_t timeout_ms,
                             char reason[PROCESS_REASON_SIZE]);

#endif
