/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Who may use the control topics. A broker without ACLs lets anybody publish there, so there is a
 * gate of our own: plugin_opt_control_access.
 */
#ifndef SLUICE_PLUGIN_GATE_H
#define SLUICE_PLUGIN_GATE_H

#include <stdbool.h>

#include "options.h"

/* What is known of a client; strings may be NULL. */
struct gate_client {
	const char *address;  /* as the broker gives it: an IP address, or a unix socket's path */
	const char *username; /* claimed only, on a broker without a password file */
	bool websockets;      /* its address may come from a header, so it proves nothing */
	bool certificate;     /* it showed one, and the broker verified it */
};

bool gate_admits(const struct options *options, const struct gate_client *client);

#endif
