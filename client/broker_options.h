/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Which broker a program connects to, by mosquitto_pub's options and a config file in its format:
 * $XDG_CONFIG_HOME/sluice or ~/.config/sluice, one option a line, before those of the command line.
 */
#ifndef CLIENT_BROKER_OPTIONS_H
#define CLIENT_BROKER_OPTIONS_H

#include <mosquitto.h>

#include "args.h"
#include "sluice/buffer.h"

extern const struct option connection_options[];

/* Where to connect and as whom. The strings point into the arguments, `config` or `url`. */
struct broker_options {
	const char *host, *unix_path, *bind_address;
	const char *username, *password, *id, *id_prefix;
	const char *cafile, *capath, *cert, *key, *tls_version, *ciphers;
	int64_t port, keepalive_s, timeout_s;
	int protocol;
	bool tls, os_certs, insecure;
	char *url;                   /* owned: -L taken apart */
	struct sluice_buffer config; /* owned: the config file */
	char title[128];             /* "localhost:1883", to name it in messages */
};

/* Reads the config file and the arguments, which must outlive the options. To be finished, after a
 * failure too. SLUICE_ERR_INVALID, _NOMEM, with a message fit to be shown. */
enum sluice_status broker_options_read(const struct arguments *args, struct broker_options *options,
                                       struct sluice_error *error);
void broker_options_finish(struct broker_options *options);

/* A client with its id, version, user and TLS set; to be connected to broker_host and broker_port, and
 * destroyed by the caller. NULL with SLUICE_ERR_INVALID or _NOMEM. */
struct mosquitto *broker_client_create(const struct broker_options *options, void *userdata,
                                       struct sluice_error *error);

/* What mosquitto_connect wants: a path with port 0 is a unix socket to it. */
const char *broker_host(const struct broker_options *options);
int broker_port(const struct broker_options *options);

#endif
