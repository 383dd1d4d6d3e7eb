/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What the bridge's command line says; sluice-bridge(8) explains it. */
#ifndef BRIDGE_OPTIONS_H
#define BRIDGE_OPTIONS_H

#include "broker_options.h"

struct options {
	struct arguments args;
	struct broker_options broker;
	const char *store;
	char name[65]; /* of this bridge, in what it says of itself */
	bool verbose, no_sources, no_exec;
};

enum options_said { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_WRONG };

/*
 * Reads argv, which must outlive the options, and the config file. What is wrong is told on standard
 * error. To be finished, whatever was said.
 */
enum options_said options_read(int argc, char **argv, struct options *options);
void options_finish(struct options *options);

/* Prints what --help says. */
void options_help(void);

#endif
