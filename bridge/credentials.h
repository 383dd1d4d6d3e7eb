/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* A connection with its secrets read: from the store, a file, or the environment. Never logged. */
#ifndef BRIDGE_CREDENTIALS_H
#define BRIDGE_CREDENTIALS_H

#include "sluice/bridge.h"

struct credentials {
	struct sluice_bridge_connection *connection; /* its kind and settings; owned */
	char *secrets[4]; /* owned, in the order of the kind's table; NULL = not said */
};

/*
 * Reads the secrets. Takes the connection, which credentials_destroy frees; on failure too.
 *
 * Errors: SLUICE_ERR_IO (a file that can't be read), _INVALID (a variable that is not set).
 */
enum sluice_status credentials_create(struct sluice_bridge_connection *connection,
                                      struct credentials **credentials, struct sluice_error *error);
/* Overwrites the secrets and frees. NULL is allowed. */
void credentials_destroy(struct credentials *credentials);

/* Whether it is of that kind ("basic"); false when there is none (NULL). */
bool credentials_are(const struct credentials *credentials, const char *kind);
/* A secret by its name, NULL when not said. */
const char *credentials_secret(const struct credentials *credentials, const char *name);
/* A setting's text, absent when not said. */
struct sluice_str credentials_setting(const struct credentials *credentials, const char *name);

#endif
