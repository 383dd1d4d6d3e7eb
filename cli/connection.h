/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A connection to the broker, by mosquitto_pub's options and a config file in its
 * format: $XDG_CONFIG_HOME/sluice or ~/.config/sluice, one option a line, before
 * those of the command line.
 */
#ifndef CLI_CONNECTION_H
#define CLI_CONNECTION_H

#include "args.h"
#include "cli.h"

struct connection;

/* What arrives. The payload is valid during the call only. */
typedef void (*connection_message_fn)(void *arg, const char *topic, struct sluice_str payload);

/* Connects and waits until the broker has accepted. On failure *connection is NULL. */
enum cli_exit connection_open(const struct arguments *args, connection_message_fn message,
                              void *arg, struct connection **connection,
                              struct sluice_error *error);

/* Disconnects in good order. NULL is allowed. */
void connection_close(struct connection *connection);

/* Publishes at QoS 1; a refusal is told by a later connection_step. */
enum cli_exit connection_publish(struct connection *connection, const char *topic,
                                 struct sluice_str payload, struct sluice_error *error);

/*
 * Reads and writes for at most wait_ms; messages are given to the function. CLI_BROKER when the
 * connection is gone or a publish was refused. Returns early, with CLI_OK, on a signal.
 */
enum cli_exit connection_step(struct connection *connection, int wait_ms,
                              struct sluice_error *error);

/* --timeout, in ms. */
int64_t connection_timeout_ms(const struct connection *connection);

/* "localhost:1883", to name it in messages. */
const char *connection_title(const struct connection *connection);

#endif
