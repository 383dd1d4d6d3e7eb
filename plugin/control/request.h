/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* A message of commands, on the store's thread. */
#ifndef SLUICE_PLUGIN_CONTROL_REQUEST_H
#define SLUICE_PLUGIN_CONTROL_REQUEST_H

#include "threads.h"

struct store_thread;

enum {
	REQUEST_COMMANDS_MAX = 1000,
	/* a rule's pattern may be as deep as that; around it are request, commands, command and rule */
	REQUEST_NESTING_MAX = SLUICE_PATTERN_MAX_DEPTH + 8,
	ANSWER_MAX = 64 * 1024 * 1024,
};

/* Runs its commands one after another and sends one answer, whatever the message holds. */
void request_run(struct store_thread *thread, const struct request_message *request);

#endif
