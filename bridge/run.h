/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#ifndef BRIDGE_RUN_H
#define BRIDGE_RUN_H

struct options;

/* Runs until SIGTERM or SIGINT. Returns the exit status; what is wrong was told. */
int bridge_run(const struct options *options);

#endif
