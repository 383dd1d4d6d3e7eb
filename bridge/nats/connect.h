/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* A connection to NATS by the settings of a target or source. */
#ifndef BRIDGE_NATS_CONNECT_H
#define BRIDGE_NATS_CONNECT_H

#include <stdbool.h>

#include <nats/nats.h>
#include <uv.h>

#include "../credentials.h"
#include "sluice/types.h"

/* What the settings and the connection say. All is owned; NULL = not said. */
struct nats_settings {
	char **urls;
	int url_count;
	char *creds_file;
	char *username, *password, *token;
	char *ca_file, *cert_file, *key_file;
	bool tls;
	char title[160]; /* the first URL, without what stands before an '@' */
};

/* Zeroed before; to be finished, after a failure too. Errors: SLUICE_ERR_INVALID, _NOMEM. */
enum sluice_status nats_settings_read(struct nats_settings *settings,
                                      const struct sluice_json *json,
                                      const struct credentials *credentials,
                                      struct sluice_error *error);
/* Overwrites the secrets and frees. */
void nats_settings_finish(struct nats_settings *settings);

/* Called on threads of libnats's. */
struct nats_callbacks {
	natsConnectionHandler disconnected, reconnected; /* may be NULL */
	natsMsgHandler
	        message; /* of `subject`, whose messages it destroys; NULL = no subscription */
	const char *subject;
	void *arg;
};

/* Zeroed memory is one that is not open. */
struct nats_link {
	natsConnection *connection; /* NULL = it is not open */
	natsSubscription *subscription;
	uv_sem_t closed, completed;
};

/*
 * Connects, once; it waits some seconds for each server. What was connected, connects again by itself
 * until it is closed, or the server refuses our credentials (NATS_CONN_STATUS_CLOSED).
 *
 * Returns false, with why it could not.
 */
bool nats_link_open(struct nats_link *link, const struct nats_settings *settings,
                    const struct nats_callbacks *callbacks, char *why, size_t why_size);

/* Waits until no callback is under way: none comes afterwards. */
void nats_link_close(struct nats_link *link);

bool nats_link_is_connected(const struct nats_link *link);

#endif
